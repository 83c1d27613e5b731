"""Records Apache Spark's answers to TPC-H and TPC-DS in tests/tpc/answers.json.

usage: .deps/reference/bin/python tests/reference/record_tpc.py FOLDER [tpch|tpcds]
"""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tpc"))
import tpc  # noqa: E402
from record_slt import session  # noqa: E402
from run import SCALE  # noqa: E402


def main():
    folder, *suites = sys.argv[1:]
    spark = session()
    spark.sparkContext.setLogLevel("OFF")
    path = ROOT / "tpc/answers.json"
    answers = json.loads(path.read_text()) if path.exists() else {}
    for suite in suites or SCALE:
        data = f"{folder}/{suite}-{SCALE[suite]}"
        texts = tpc.prepare(suite, SCALE[suite], data)
        for table in tpc.tables(data):
            spark.read.parquet(f"{data}/{table}").createOrReplaceTempView(table)
        for number, sql in sorted(texts.items()):
            df = spark.sql(sql)
            names = [f"c{i}" for i in range(len(df.columns))]
            text = df.toDF(*names).selectExpr(*[f"cast({name} as string)" for name in names])
            answers[f"{suite} {number}"] = {"columns": df.columns, **tpc.digest(text.collect()),
                                            "ties": answers.get(f"{suite} {number}", {}).get("ties", False)}
            print(suite, number, answers[f"{suite} {number}"]["rows"], flush=True)
    path.write_text(json.dumps(answers, indent=0, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
