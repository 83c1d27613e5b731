"""Records the plans that PySpark makes of the calls in tests/golden/cases.inc, in tests/golden/plans.json.

usage: .deps/reference/bin/python tests/reference/record_golden.py
No server is needed: what PySpark would ask one for is answered here. The test numbers the plans' ids and the variables of lambdas
anew, and leaves out where in the user's program a call stands, so that they may be here as they come.
"""
import datetime  # noqa: F401  for the cases
import decimal  # noqa: F401
import json
import os
import pathlib
import re
import sys

import numpy  # noqa: F401
from google.protobuf import json_format
from pyspark.sql import types as T
from pyspark.sql.connect import functions as F  # noqa: F401
from pyspark.sql.connect.client import SparkConnectClient
from pyspark.sql.connect.column import Column
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.connect.window import Window as W  # noqa: F401

HERE = pathlib.Path(__file__).parents[1] / "golden"
# The columns that any DataFrame has here and in the test, for what looks them up.
SCHEMA = T.StructType().add("name", "string").add("age", "integer").add("height", "double")
CASE = re.compile(r'^(?:PLAN|SENT)\(R"py\((.*?)\)py",', re.MULTILINE | re.DOTALL)


class Sent(Exception):
    """Raised in place of an answer."""


class NoServer(SparkConnectClient):
    def _get_plan_compression_threshold_and_algorithm(self):
        return -1, "NONE"

    def schema(self, plan):
        return SCHEMA

    def get_configs(self, *keys):
        return tuple(None for _ in keys)

    def get_config_dict(self, *keys):
        return {key: None for key in keys}

    def _execute_plan_request_with_metadata(self, *arguments, **named):
        self.request = super()._execute_plan_request_with_metadata(*arguments, **named)
        return self.request

    def _execute_and_fetch_as_iterator(self, request, *_, **__):
        raise Sent(request)

    def _execute(self, request):
        raise Sent(request)


def plan_of(code, names):
    try:
        made = eval(f"({code})", names)
    except Sent as sent:
        plan = sent.args[0].plan
        return plan.command if plan.HasField("command") else plan.root
    client = names["spark"]._client
    if isinstance(made, DataFrame):
        return made._plan.to_proto(client).root
    if isinstance(made, Column):
        return made.to_plan(client)
    raise SystemExit(f"{code} gave {made!r} and asked the server nothing")


def main():
    SparkSession.__init__.__globals__["SparkConnectClient"] = NoServer
    spark = SparkSession("sc://127.0.0.1:1")
    names = {**globals(), "spark": spark, "df": spark.table("people"), "other": spark.table("words")}
    plans = {}
    for code in CASE.findall((HERE / "cases.inc").read_text()):
        try:
            plans[code] = json_format.MessageToDict(plan_of(code, names))
        except Exception as error:
            print(f"{code}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
    rows = ",\n".join(f"{json.dumps(code)}: {json.dumps(plan, sort_keys=True)}" for code, plan in plans.items())
    (HERE / "plans.json").write_text("{\n" + rows + "\n}\n")
    print(f"{len(plans)} plans")
    sys.stdout.flush()
    os._exit(0)  # the session's own end would look for its server


if __name__ == "__main__":
    main()
