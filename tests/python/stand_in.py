"""A stand-in for the program firesteel, which tests of the Python package start where the real one is not what is tested.

It joins the session of SPARK_REMOTE, as the program does: `run` reads the step's rows and writes an artifact that says what
it was given; `predict --table VIEW --view NAME` makes NAME of VIEW with 0.5 as the prediction.
"""
import json
import os
import pathlib
import shutil
import sys
import tomllib

from pyspark.sql.connect.session import SparkSession

spark = SparkSession.builder.remote(os.environ["SPARK_REMOTE"]).create()
if sys.argv[1] == "run":
    file, output = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[sys.argv.index("--output") + 1])
    pipeline = tomllib.loads(file.read_text())
    print("epoch 1: the stand-in looks at the rows", file=sys.stderr)
    try:
        rows = spark.sql(pipeline["step"][0]["sql"]).collect()
    except Exception as error:
        sys.exit(f"[STAND_IN_FAILED] {error}\nSELECT\n^^^")
    output.mkdir(parents=True)
    shutil.copy(file, output / "pipeline.toml")
    shutil.copy(file.with_name("model.pt2"), output / "model.pt2")
    (output / "metrics.json").write_text(json.dumps({"rows": len(rows), "arguments": sys.argv[3:]}))
else:
    view, name = sys.argv[sys.argv.index("--table") + 1], sys.argv[sys.argv.index("--view") + 1]
    spark.sql(f"SELECT *, 0.5D AS prediction FROM {view}").createOrReplaceTempView(name)
