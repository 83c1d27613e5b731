"""What a client learns of an error besides its message: exception, condition, SQLSTATE, parameters, places.

usage: PYTHON errors.py URL.  Compares the errors of errors.txt with those that Apache Spark gave (errors.json).
"""
import json
import os
import pathlib
import sys

from pyspark.errors import PySparkException

HERE = pathlib.Path(__file__).parent
RECORDED = HERE / "errors.json"
PEOPLE = ("SELECT * FROM VALUES (1, 'Ada', 36, 'London'), (2, 'Alan', 41, 'London'), (3, 'Grace', NULL, 'New York') "
          "AS t(id, name, age, city)")


def context(of):
    if of.contextType().name == "DataFrame":
        return {"fragment": of.fragment()}
    return {"fragment": of.fragment(), "start": of.startIndex(), "stop": of.stopIndex()}


def answers(spark):
    spark.sql(PEOPLE).createOrReplaceTempView("people")
    out = []
    for code in (HERE / "errors.txt").read_text().splitlines():
        if not code or code.startswith("#"):
            continue
        record = {"code": code}
        try:
            eval(code, {"spark": spark})
        except PySparkException as error:
            record.update(exception=type(error).__name__, condition=error.getCondition(), sqlstate=error.getSqlState(),
                          parameters=error.getMessageParameters(), contexts=[context(each) for each in error.getQueryContext()])
        out.append(record)
    return out


def within(got, wanted):
    """Whether a place is Spark's or a part of it. Where Spark names none, one may be named all the same."""
    return not wanted or (len(got) == len(wanted) and all(
        spark["start"] <= mine["start"] and mine["stop"] <= spark["stop"] for mine, spark in zip(got, wanted)))


def differences(got, wanted):
    for field in ("exception", "condition", "sqlstate", "parameters", "contexts"):
        mine, spark = got.get(field), wanted.get(field)
        if mine != spark and not (field == "contexts" and within(mine, spark)):
            yield f"  {field}: {mine}\n  instead of {spark}"


def main():
    from pyspark.sql.connect.session import SparkSession
    failed = 0
    recorded = json.loads(RECORDED.read_text())
    got = answers(SparkSession.builder.remote(sys.argv[1]).create())
    if [each["code"] for each in got] != [each["code"] for each in recorded]:
        sys.exit("errors.json is not of errors.txt: run tests/reference/record_errors.py")
    for mine, spark in zip(got, recorded):
        found = list(differences(mine, spark))
        failed += bool(found)
        if found:
            print(mine["code"], *found, sep="\n")
    print(len(got) - failed, "of", len(got), "errors are Spark's")
    sys.stdout.flush()
    os._exit(failed > 0)


if __name__ == "__main__":
    main()
