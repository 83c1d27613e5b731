-- What is in the photographs? firesteel --function classify=data/models/efficientnet-lite0 sql -f examples/photos/classify.sql
SELECT regexp_extract(path, '[^/]+$', 0) AS file, classify(content) AS label
FROM binaryFile.`data/photos/photos` ORDER BY file;
