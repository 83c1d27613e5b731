#!/bin/sh
# Starts the program's worker in place of Python's. It was sent along as an archive, which is
# unpacked once on a machine, or stands at @home@.
home="@home@"
if [ -z "$home" ]; then
  cache=${FIRESTEEL_CACHE:-${TMPDIR:-/tmp}/firesteel-$(id -u)}
  home=$cache/@program@
  mkdir -p -m 700 "$cache" && [ -O "$cache" ] || exit 78
  if [ ! -d "$home" ]; then
    if [ ! -e ./@program@.tar ]; then
      echo "@program@ is not on this machine" >&2
      exit 77
    fi
    part=$(mktemp -d "$cache/@program@.XXXXXX") || exit 78
    if ! tar xf ./@program@.tar -C "$part"; then
      rm -rf "$part"
      exit 78
    fi
    mv -T "$part" "$home" 2>/dev/null || rm -rf "$part"
  fi
  export FIRESTEEL_CACHE="$cache" LD_LIBRARY_PATH="$home/lib"
fi
export GOMP_SPINCOUNT=0 OMP_WAIT_POLICY=PASSIVE
exec "$home/bin/@executable@" worker --daemon
