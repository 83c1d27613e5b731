#!/usr/bin/env bash
# Fetches the rated sentences of Hutto and Gilbert (VADER, ICWSM 2014; MIT licence): snippets of movie reviews, product reviews and
# editorials, and tweets, each with the mean of twenty people's ratings from -4 to 4. Tab-separated: number, rating, text.
# usage: fetch_reviews.sh PYTHON FOLDER
set -euo pipefail
python=$1 folder=$2
part=$folder.part
rm -rf "$part" && mkdir -p "$part"
"$python" -m pip download -q --no-deps --no-binary vaderSentiment --no-build-isolation --dest "$part" vaderSentiment==3.3.2 2> >(grep -v '^WARNING' >&2)
tar xzf "$part"/vaderSentiment-*.tar.gz -C "$part" --strip-components=2 --wildcards '*/additional_resources/hutto_ICWSM_2014.tar.gz'
tar xzf "$part/hutto_ICWSM_2014.tar.gz" -C "$part" --strip-components=1 --wildcards '*_GroundTruth.txt'
rm "$part"/*.tar.gz
for file in "$part"/*_GroundTruth.txt; do
  tr -d '\r' < "$file" > "${file%_GroundTruth.txt}.tsv" && rm "$file"
done
rm -rf "$folder" && mv "$part" "$folder"
