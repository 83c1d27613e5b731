"""Spark's Scala client, from the full package of PySpark, against the server.

usage: PYTHON scala.py FIRESTEEL REFERENCE FOLDER.  REFERENCE is a Python with PySpark and its jars (tools/setup.sh
reference); without it, or without Java, the test is skipped: exit code 77.
"""
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
SKIPPED = 77
EXPECTED = """\
count: 10
+---+-----+
| id|twice|
+---+-----+
|  0|    0|
|  1|    2|
+---+-----+
collect: [1,Ada] [2,null]
arguments: [42]
dataset: (1,a) (2,b)
column: org.apache.spark.sql.AnalysisException UNRESOLVED_COLUMN.WITH_SUGGESTION 42703
  objectName = `nme`
  proposal = `name`
  at nme
  [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `nme` cannot be resolved. \
Did you mean one of the following? [`name`]. SQLSTATE: 42703
division: org.apache.spark.SparkArithmeticException DIVIDE_BY_ZERO 22012
  config = "spark.sql.ansi.enabled"
  at 1 / 0
  [DIVIDE_BY_ZERO] Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead. \
If necessary set "spark.sql.ansi.enabled" to "false" to bypass this error. SQLSTATE: 22012
cast: org.apache.spark.SparkNumberFormatException CAST_INVALID_INPUT 22018
  ansiConfig = "spark.sql.ansi.enabled"
  expression = 'x'
  sourceType = "STRING"
  targetType = "INT"
  at CAST('x' AS INT)
  [CAST_INVALID_INPUT] The value 'x' of the type "STRING" cannot be cast to "INT" because it is malformed. \
Correct the value as per the syntax, or change its target type. \
Use `try_cast` to tolerate malformed input and return NULL instead. SQLSTATE: 22018
"""
MAP = r"map: \S+UnsupportedOperationException(.|\n)*written in Java or Scala, which this engine does not run"


def main(firesteel, reference, folder):
    jars = glob.glob(f"{reference}/lib/python3*/site-packages/pyspark/jars")
    java = shutil.which("java")
    if not jars or not java:
        print("skipped:", "no Java" if jars else f"no PySpark with jars in {reference} (tools/setup.sh reference)")
        return SKIPPED
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(f"{folder}/server.log", "w") as log:
        server = subprocess.Popen([firesteel, "--warehouse", f"{folder}/warehouse", "server", "--port", "0"], stdout=subprocess.PIPE,
                                  stderr=log, text=True)
    try:
        url = re.search(r"sc://[\w.]+:\d+", server.stdout.readline()).group(0)
        done = subprocess.run(
            [java, "-Xmx512m", f"-Durl={url}", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-cp",
             f"{jars[0]}/connect-repl/*:{jars[0]}/*", "scala.tools.nsc.MainGenericRunner", "-usejavacp", "-nc",
             str(HERE / "scala.scala")],
            capture_output=True, text=True, timeout=300, cwd=folder)
        said, expected = done.stdout, EXPECTED
        if not said.startswith(expected):
            print("--- said\n" + said + "--- instead of\n" + expected + "--- and to stderr\n" + done.stderr[-3000:])
            return 1
        if not re.match(MAP, said[len(expected):]):
            print("a map of a Dataset says:\n" + said[len(expected):])
            return 1
        print("OK")
        return done.returncode
    finally:
        server.terminate()
        server.wait(60)
        server.stdout.close()


if __name__ == "__main__":
    sys.exit(main(*map(os.path.abspath, sys.argv[1:])))
