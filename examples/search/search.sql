-- Which sentences of editorials mean something alike? Vectors of a real sentence encoder, and their nearest neighbours.
-- firesteel --function embed=data/models/minilm sql --whole -f examples/search/search.sql     (after tools/setup.sh examples)
CREATE OR REPLACE TEMPORARY VIEW snippets (number INT, rating DOUBLE, text STRING) USING csv
  OPTIONS (path 'data/reviews/nytEditorialSnippets.tsv', sep '\t', quote '');
CREATE TABLE IF NOT EXISTS editorials AS SELECT number, text, embed(text) AS vector FROM snippets;
SELECT round(vector_cosine_similarity(vector, embed('Cities should have more lanes for bicycles.')), 3) AS alike, text
  FROM editorials ORDER BY alike DESC LIMIT 5;
