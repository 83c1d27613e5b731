"""Runs the doctests inside the installed PySpark against a Spark Connect server, one by one.

usage: PYTHON tests/pyspark/doctests.py sc://HOST:PORT [--modules NAME…] [--json FILE] [--into PAGE] [--known FILE] [--verbose]
PYTHON has pyspark[connect] and pandas < 3. Prints what passes per module; with --verbose what fails and why.
--json: a file for {module: {test: "" or the failure's text}}.
--into: a page whose table between <!-- doctests --> and <!-- end --> is written anew.
--known: a file of lines `test  reason`; a failure that is not there makes the exit code 1.
"""
import argparse
import contextlib
import doctest
import importlib
import io
import json
import os
import signal
import subprocess
import sys

MODULES = ["functions.builtin", "functions.partitioning", "column", "dataframe", "readwriter", "window", "group", "session",
           "catalog", "conf", "tvf", "observation", "merge", "avro.functions", "streaming.query", "streaming.readwriter",
           "udf", "types"]
PATHS = {"udf": "pyspark.sql.udf", "types": "pyspark.sql.types"}  # else pyspark.sql.connect.MODULE
SECONDS_PER_TEST = 60
SECONDS_PER_MODULE = 900


def in_time(signum, frame):
    raise TimeoutError(f"not done in {SECONDS_PER_TEST} s")


def run_module(name):
    """The failures of a module's doctests by test; an empty text is a pass."""
    results = {}

    def testmod(module, globs, optionflags, **ignored):
        runner = doctest.DocTestRunner(optionflags=optionflags)
        for test in doctest.DocTestFinder().find(module, module.__name__, globs=dict(globs)):
            if not test.examples or all(e.options.get(doctest.SKIP) for e in test.examples):
                continue
            out = io.StringIO()
            signal.alarm(SECONDS_PER_TEST)
            try:
                with contextlib.redirect_stderr(io.StringIO()):
                    failed = runner.run(test, out=out.write).failed
            except TimeoutError as error:
                failed, out = 1, io.StringIO(str(error))
            finally:
                signal.alarm(0)
            results[test.name] = out.getvalue() if failed else ""
        with contextlib.suppress(Exception):
            spark = globs["spark"]
            for table in spark.catalog.listTables():
                kind = "VIEW" if table.tableType in ("TEMPORARY", "VIEW") else "TABLE"
                spark.sql(f"DROP {kind} IF EXISTS `{table.name}`")
        return doctest.TestResults(0, 0)

    signal.signal(signal.SIGALRM, in_time)
    doctest.testmod = testmod
    module = importlib.import_module(PATHS.get(name, f"pyspark.sql.connect.{name}"))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        if name in PATHS:  # their own _test() starts a Spark of their own
            from pyspark.sql import SparkSession
            spark = SparkSession.builder.remote(os.environ["SPARK_CONNECT_TESTING_REMOTE"]).getOrCreate()
            testmod(module, {**module.__dict__, "spark": spark}, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        else:
            module._test()
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--modules", nargs="*", default=MODULES)
    parser.add_argument("--json")
    parser.add_argument("--known")
    parser.add_argument("--into")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        json.dump(run_module(options.one), sys.stdout)
        return 0
    import pyspark
    environment = {**os.environ, "SPARK_CONNECT_TESTING_REMOTE": options.url, "SPARK_REMOTE": options.url, "SPARK_TESTING": "1",
                   "PYARROW_IGNORE_TIMEZONE": "1", "TZ": "UTC", "SPARK_HOME": os.path.dirname(pyspark.__file__)}
    everything, total, passed = {}, 0, 0
    for name in options.modules:
        child = subprocess.run([sys.executable, os.path.abspath(__file__), options.url, "--one", name], env=environment,
                               capture_output=True, text=True, timeout=SECONDS_PER_MODULE)
        try:
            results = json.loads(child.stdout)
        except ValueError:
            print(f"{name}: cannot run: {child.stderr[-600:]}")
            continue
        everything[name] = results
        good = sum(1 for text in results.values() if not text)
        total, passed = total + len(results), passed + good
        print(f"{name:24} {good:4} of {len(results):4}", flush=True)
        for test, text in results.items():
            if text and options.verbose:
                print(f"--- {test}\n{text.strip()[:1500]}")
    print(f"{'all':24} {passed:4} of {total:4}")
    code = 0
    if options.known:
        known = {line.split()[0] for line in open(options.known) if line.strip() and not line.startswith("#")}
        for results in everything.values():
            for test, text in results.items():
                if text and test not in known:
                    code = 1
                    print(f"--- {test} is not known to fail\n{text.strip()[:3000]}")
        if total == 0:
            code = 1
    if options.into:
        table = "| area | examples that pass | of |\n|---|---|---|\n"
        for name, results in everything.items():
            if results:
                table += f"| {name} | {sum(1 for text in results.values() if not text)} | {len(results)} |\n"
        table += f"| **all** | {passed} | {total} |\n"
        page = open(options.into).read()
        before, rest = page.split("<!-- doctests -->", 1)
        after = rest.split("<!-- end -->", 1)[1]
        with open(options.into, "w") as out:
            out.write(f"{before}<!-- doctests -->\n{table}<!-- end -->{after}")
    if options.json:
        with open(options.json, "w") as out:
            json.dump(everything, out, indent=0)
            out.write("\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
