"""Records what sql_keywords() answers on Apache Spark, as src/lower/keywords.inc.

usage: .deps/reference/bin/python tests/reference/record_keywords.py
"""
import pathlib

from record_slt import session

ROOT = pathlib.Path(__file__).parents[2]
rows = session().sql("SELECT keyword, reserved FROM sql_keywords() ORDER BY keyword").collect()
(ROOT / "src/lower/keywords.inc").write_text(
    "// Written by tests/reference/record_keywords.py from Apache Spark: keyword, is it reserved.\n"
    + "".join(f'{{"{row.keyword}", {str(row.reserved).lower()}}},\n' for row in rows))
print(len(rows), "keywords")
