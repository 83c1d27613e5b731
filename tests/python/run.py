"""The Python package (python/firesteel) on a real Spark cluster of two workers.

usage: run.py [PROGRAM] [unittest arguments], with a Python that has pyspark[connect] and torch; any other hands over to the one that
tools/setup.sh reference makes, or ends with 77 where there is none.
Without PROGRAM, the program firesteel, the tests of training are left out; a stand-in takes its part in the others.
"""
import contextlib
import io
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import types
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
try:
    import pyspark.sql.connect.session  # noqa: F401
    import torch
except ImportError as error:
    reference = ROOT / ".deps/reference/bin/python"
    if reference.exists() and pathlib.Path(sys.executable) != reference:
        os.execv(reference, [str(reference), *sys.argv])
    print(f"{sys.executable} has no PySpark Connect or no torch ({error}): tools/setup.sh reference installs them")
    sys.exit(77)
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tests/cluster")]
import tomllib  # noqa: E402

import firesteel  # noqa: E402
from cluster import Cluster  # noqa: E402
from firesteel import TorchDistributor, TorchEstimator, TorchModel, serialize_torch_obj  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql import types as sql  # noqa: E402

PROGRAM = None
nn = torch.nn
SCHEMA = sql.StructType()
for column, kind in (("x1", sql.DoubleType()), ("x2", sql.FloatType()), ("n", sql.IntegerType()), ("it's", sql.DoubleType()),
                     ("city", sql.StringType()), ("v", sql.ArrayType(sql.DoubleType())), ("y", sql.IntegerType()),
                     ("w", sql.DoubleType())):
    SCHEMA.add(column, kind)


def net(width=2, outputs=1):
    return nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, outputs))


def pipeline(schema=SCHEMA, outputs=1, **params):
    return tomllib.loads(firesteel._pipeline(TorchEstimator(**params), schema, "rows_1", {"input": "numeric"}, outputs))


class Parameters(unittest.TestCase):
    def test_are_those_of_pyspark(self):
        estimator = TorchEstimator(torchObj=net(), featuresCols=["x1", "x2"], labelCol="y", epochs=3, verbose=True)
        self.assertEqual(estimator.getEpochs(), 3)
        self.assertIs(estimator.setLearningRate(0.1), estimator)
        self.assertEqual(estimator.getLearningRate(), 0.1)
        self.assertEqual(estimator.copy({estimator.epochs: 4}).getEpochs(), 4)
        self.assertEqual(estimator.getEpochs(), 3)
        self.assertIn("passes over the rows", estimator.explainParam("epochs"))

    def test_of_sparktorch_have_its_names(self):
        estimator = TorchEstimator(iters=5, miniBatch=64, partitions=3, validationPct=0.2, earlyStopPatience=2)
        self.assertEqual((estimator.getEpochs(), estimator.getBatchSize(), estimator.getNumWorkers()), (5, 64, 3))
        self.assertEqual((estimator.getValidationShare(), estimator.getPatience()), (0.2, 2))

    def test_that_there_are_not(self):
        with self.assertRaisesRegex(TypeError, "no parameter `epoch`. Did you mean `epochs`?"):
            TorchEstimator(epoch=3)
        with self.assertRaisesRegex(TypeError, "seed"):
            TorchEstimator(seed="one")


class Objects(unittest.TestCase):
    def test_losses_and_optimizers(self):
        made = serialize_torch_obj(net(), nn.CrossEntropyLoss(label_smoothing=0.1), torch.optim.Adam, lr=0.01)
        self.assertEqual(made.train, {"optimizer": "adam", "loss": "cross_entropy", "weight_decay": 0.0,
                                      "label_smoothing": 0.1, "learning_rate": 0.01})
        made = serialize_torch_obj(net(), nn.HuberLoss(delta=2.0), torch.optim.SGD, lr=0.1, momentum=0.9)
        self.assertEqual((made.task, made.train["loss"], made.train["huber_delta"], made.train["momentum"]),
                         ("regression", "huber", 2.0, 0.9))

    def test_that_are_not_known(self):
        with self.assertRaisesRegex(ValueError, "BCELoss is none of the losses .* Use BCEWithLogitsLoss, and no Sigmoid"):
            serialize_torch_obj(net(), nn.BCELoss(), torch.optim.Adam)
        with self.assertRaisesRegex(ValueError, "Rprop is none of the optimizers AdamW, Adam, SGD"):
            serialize_torch_obj(net(), nn.MSELoss(), torch.optim.Rprop)
        with self.assertRaisesRegex(ValueError, "not `betas`"):
            serialize_torch_obj(net(), nn.MSELoss(), torch.optim.Adam, betas=(0.9, 0.99))


class PipelineFiles(unittest.TestCase):
    def test_numbers(self):
        made = pipeline(featuresCols=["x1", "n", "it's"], labelCol="y", weightCol="w", epochs=3, batchSize=64, seed=7)
        self.assertEqual(made["features"], {"label": "y", "numeric": ["x1", "n", "it's"], "weight": "w"})
        self.assertEqual(made["model"], {"kind": "pt2", "path": "model.pt2", "inputs": {"input": "numeric"}})
        self.assertEqual(made["split"], {"test": 0.1, "validation": 0.1, "seed": 7})
        self.assertEqual(made["train"], {"optimizer": "adamw", "learning_rate": 0.001, "epochs": 3, "batch_size": 64,
                                         "patience": 0, "seed": 7})
        (step,) = made["step"]
        self.assertIn("if(`x1` IS NULL OR isnan(`x1`), raise_error('Column x1 has missing", step["sql"])
        self.assertIn("if(`n` IS NULL, raise_error(", step["sql"])
        self.assertIn(r"raise_error('Column it\'s has", step["sql"])
        self.assertTrue(step["sql"].endswith(", `y`, `w` FROM rows_1"), step["sql"])

    def test_arrays_and_categories(self):
        made = pipeline(inputCol="v", categoricalCols=["city"], labelCol="y", outputs=3)
        self.assertEqual(made["features"], {"label": "y", "vector": ["v"], "categorical": ["city"], "task": "multiclass"})
        self.assertEqual(made["step"][0]["sql"], "SELECT `v`, `city`, `y` FROM rows_1")

    def test_tasks(self):
        def task(criterion=None, outputs=1, **params):
            module = serialize_torch_obj(net(), criterion, torch.optim.Adam) if criterion else net()
            return pipeline(torchObj=module, featuresCols=["x1"], outputs=outputs, **params)["features"].get("task")

        self.assertIsNone(task())  # The label decides.
        self.assertEqual(task(outputs=2), "binary")
        self.assertEqual(task(outputs=3), "multiclass")
        self.assertEqual(task(task="regression"), "regression")
        self.assertEqual(task(nn.CrossEntropyLoss(), outputs=2), "binary")
        self.assertEqual(task(nn.NLLLoss(), outputs=10), "multiclass")
        self.assertEqual(task(nn.MSELoss()), "regression")

    def test_what_is_set_goes_before_the_object(self):
        made = pipeline(torchObj=serialize_torch_obj(net(), nn.MSELoss(), torch.optim.SGD, lr=0.5), featuresCols=["x1"])
        self.assertEqual((made["train"]["optimizer"], made["train"]["learning_rate"]), ("sgd", 0.5))
        made = pipeline(torchObj=serialize_torch_obj(net(), nn.MSELoss(), torch.optim.SGD, lr=0.5), featuresCols=["x1"],
                        learningRate=0.25, loss="quantile")
        self.assertEqual((made["train"]["learning_rate"], made["train"]["loss"]), (0.25, "quantile"))

    def test_values(self):
        value = {"a": [1, 2.5, True, 'qu"ote\n\\'], "ü": {"b c": "😀"}}
        self.assertEqual(tomllib.loads("value = " + firesteel._toml(value))["value"], value)


class Programs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name, "model.pt2")

    def export(self, module, width, **params):
        return firesteel._export(TorchEstimator(torchObj=module, **params), width, self.path)

    def test_take_any_batch(self):
        module = net(3, 2)
        self.assertEqual(self.export(module, 3), ({"input": "numeric"}, 2))
        self.assertTrue(module.training)  # The user's module is left as it was.
        program = torch.export.load(str(self.path), extra_files=(extra := {"train.json": ""}))
        x = torch.randn(7, 3)
        torch.testing.assert_close(program.module()(input=x), module.eval()(x))
        self.assertIn("dropout", extra["train.json"])

    def test_of_numbers_and_categories(self):
        class Wide(nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding, self.linear = nn.Embedding(10, 4), nn.Linear(2 + 4, 1)

            def forward(self, numbers, ids):
                return {"logits": self.linear(torch.cat([numbers, self.embedding(ids[:, 0])], 1)).squeeze(1)}

        self.assertEqual(self.export(Wide(), 2, categoricalCols=["city"]),
                         ({"numbers": "numeric", "ids": "categorical"}, 1))

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, r"does not take numeric \[3, 4\]: mat1 and mat2"):
            self.export(net(2), 4)
        with self.assertRaisesRegex(ValueError, "takes 1 inputs, the example has 2"):
            self.export(net(2), 2, categoricalCols=["city"])
        with self.assertRaisesRegex(TypeError, "torchObj is a torch.nn.Module .* not str"):
            self.export("net", 2)

        class Branches(nn.Module):
            def forward(self, x):
                return x if x.sum() > 0 else -x

        with self.assertRaisesRegex(ValueError, "torch.export cannot make a program of Branches: .*data-dependent"):
            self.export(Branches(), 2)
        self.assertFalse(self.path.exists())


def all_reduce(value, big=0):
    import os
    import torch
    torch.distributed.init_process_group("gloo")
    total = torch.tensor([float(value + torch.distributed.get_rank())])
    torch.distributed.all_reduce(total)
    torch.distributed.destroy_process_group()
    return total.item(), {name: os.environ[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}, b"x" * big


def fail_on(rank, how):
    import os
    import time
    if int(os.environ["RANK"]) == rank:
        if how == "killed":
            os.kill(os.getpid(), 9)
        raise KeyError(how)
    time.sleep(120)


SCRIPT = """
import os, sys
assert __name__ == "__main__" and sys.argv[1:] == ["a", "2"], sys.argv
if os.environ["RANK"] == "1" and os.path.exists(os.environ.get("FAIL_FILE", "")):
    sys.exit("rank one will not")
"""


class Distributed(unittest.TestCase):
    """Runs of TorchDistributor; OnThisMachine and OnExecutors say where."""

    def check_all_reduce(self, distributor):
        total, environment, big = distributor.run(all_reduce, 10, big=3 << 20)
        self.assertEqual((total, len(big)), (21.0, 3 << 20))
        self.assertEqual(environment["RANK"], "0")
        self.assertEqual(environment["WORLD_SIZE"], "2")
        self.assertEqual(environment["LOCAL_RANK"], "0")

    def check_failures(self, distributor):
        start = time.monotonic()
        with self.assertRaisesRegex(RuntimeError, r"^\[rank 1 of 2 on .*\] failed:\n(.*\n)*.*in fail_on\n(.*\n)*KeyError: 'why'\n*$"):
            distributor.run(fail_on, 1, "why")
        with self.assertRaisesRegex(RuntimeError, r"^\[rank 0 of 2 on .*\] failed:\nThe process ended with -9"):
            distributor.run(fail_on, 0, "killed")
        self.assertLess(time.monotonic() - start, 60)  # The other rank, which waits, is ended.

    def check_script(self, distributor):
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder, "train.py")
            script.write_text(SCRIPT)
            self.assertIsNone(distributor.run(str(script), "a", 2))
            script.write_text(SCRIPT.replace('os.environ.get("FAIL_FILE", "")', '"/"'))
            with self.assertRaisesRegex(RuntimeError, r"\[rank 1 of 2 (.*\n)*.*rank one will not"):
                distributor.run(script, "a", 2)


class OnThisMachine(Distributed):
    def test_runs(self):
        here = TorchDistributor(2, local_mode=True)
        self.check_all_reduce(here)
        self.check_failures(here)
        self.check_script(here)

    def test_arguments(self):
        with self.assertRaisesRegex(ValueError, "whole number from 1, not 0"):
            TorchDistributor(0)
        with self.assertRaisesRegex(ValueError, "by position alone"):
            TorchDistributor(1, local_mode=True).run(__file__, a=1)


class OnCluster(unittest.TestCase):
    """One cluster and one session for all tests that need them."""

    cluster = None

    @classmethod
    def setUpClass(cls):
        if not OnCluster.cluster:
            OnCluster.cluster = Cluster(workers=2, memory="1g", executor_memory="512m")
            unittest.addModuleCleanup(OnCluster.cluster.stop)
            OnCluster.spark = SparkSession.builder.remote(OnCluster.cluster.url).getOrCreate()
            unittest.addModuleCleanup(OnCluster.spark.stop)  # Before its server, which it would look for long.
            OnCluster.cluster.wait_for_executors()

    def rows(self):
        return self.spark.sql("""
            SELECT id, a - 0.5 AS x1, b - 0.5 AS x2, int(a + b + c / 5 > 1.1) AS y, 3 * a - 2 * b + 7 AS z,
                   concat('c', int(a + b + c / 5 > 1.1) + int(b > 0.6)) AS kind, array(a - 0.5, b - 0.5) AS v
            FROM (SELECT id, pmod(hash(id), 1000) / 1000D AS a, pmod(hash(id, 1), 1000) / 1000D AS b,
                         pmod(hash(id, 3), 1000) / 1000D AS c FROM range(0, 4000, 1, 4))""")


class OnExecutors(OnCluster, Distributed):
    def test_runs(self):
        cluster = TorchDistributor(2, local_mode=False, use_gpu=False)
        self.check_all_reduce(cluster)
        self.check_failures(cluster)
        self.check_script(cluster)
        self.check_all_reduce(cluster)


class WithStandIn(OnCluster):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.program = self.script(f'exec "{sys.executable}" "{ROOT}/tests/python/stand_in.py" "$@"')

    def script(self, text):
        path = self.folder / f"program{len(list(self.folder.iterdir()))}"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    def estimator(self, **params):
        return TorchEstimator(**{"torchObj": net(), "featuresCols": ["x1", "x2"], "labelCol": "y", "program": self.program,
                                 **params})

    def test_fit_and_transform(self):
        views = len(self.spark.catalog.listTables())
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            model = self.estimator(numWorkers=2, verbose=1, settings={"train.schedule": "cosine"}).fit(self.rows())
        self.assertIn("epoch 1: the stand-in looks at the rows\n", said.getvalue())
        self.assertEqual(model.metrics["rows"], 4000)
        self.assertEqual(model.metrics["arguments"][:2], ["--workers", "2"])
        self.assertEqual(model.metrics["arguments"][-2:], ["--set", 'train.schedule="cosine"'])
        self.assertEqual(len(self.spark.catalog.listTables()), views)
        predicted = model.setPredictionCol("p").transform(self.rows())
        self.assertEqual(predicted.columns, [*self.rows().columns, "p"])
        self.assertEqual(predicted.where("p = 0.5").count(), 4000)
        again = model.setPredictionCol("q").transform(predicted.withColumnRenamed("p", "prediction"))
        self.assertEqual(again.columns[-2:], ["prediction", "q"])
        with self.assertRaisesRegex(ValueError, "has a column `prediction` already: give another predictionCol"):
            model.setPredictionCol("prediction").transform(again)

        model.save(self.folder / "saved")
        with self.assertRaisesRegex(FileExistsError, "overwrite=True"):
            model.save(self.folder / "saved")
        model.setPredictionCol("r").save(self.folder / "saved", overwrite=True)
        loaded = TorchModel.load(self.folder / "saved", program=self.program)
        self.assertEqual(loaded.transform(self.rows()).columns[-1], "r")
        self.assertEqual(loaded.getPytorchModel()(input=torch.zeros(4, 2)).shape, (4, 1))
        folder = model.path
        del model
        self.assertFalse(folder.exists())  # It was temporary.
        with self.assertRaisesRegex(FileNotFoundError, "no model at"):
            TorchModel.load(self.folder / "nowhere")

    def test_vectors_in_a_pipeline(self):
        from pyspark.ml import Pipeline
        from pyspark.ml.feature import VectorAssembler
        assembler = VectorAssembler(inputCols=["x1", "x2"], outputCol="features")
        output = self.folder / "model"
        estimator = self.estimator(featuresCols=None, inputCol="features", output=str(output), numWorkers=1)
        estimator.clear(estimator.featuresCols)
        fitted = Pipeline(stages=[assembler, estimator]).fit(self.rows())
        self.assertEqual(tomllib.loads((output / "pipeline.toml").read_text())["features"]["vector"], ["features"])
        predicted = fitted.transform(self.rows())  # A vector again.
        self.assertEqual(type(predicted.schema["features"].dataType).__name__, "VectorUDT")
        row = predicted.first()
        self.assertEqual(list(row.features), [row.x1, row.x2])

    def test_failures_of_the_program(self):
        with self.assertRaisesRegex(RuntimeError, r"(?s)^firesteel run failed \(1\): \[STAND_IN_FAILED\] .*Column x2 has "
                                                  r"missing values: fill them.*SELECT\n\^\^\^$"):
            self.estimator().fit(self.rows().selectExpr("x1", "nullif(x2, x2) AS x2", "y"))
        with self.assertRaisesRegex(RuntimeError, r"failed \(3\): one\ntwo$"):
            self.estimator(program=self.script("echo one; echo two >&2; exit 3")).fit(self.rows())
        with self.assertRaisesRegex(RuntimeError, r"failed \(-9\): It said nothing."):
            self.estimator(program=self.script("kill -9 $$")).fit(self.rows())

    def test_an_interrupt_ends_the_program(self):
        ended = self.folder / "ended"
        program = self.script(f"trap 'kill $!; touch \"{ended}\"; exit 1' TERM; echo started; sleep 60 & wait")
        before = signal.signal(signal.SIGALRM, signal.default_int_handler)  # as Ctrl-C
        try:
            signal.alarm(3)
            with self.assertRaises(KeyboardInterrupt):
                firesteel._run(program, self.spark, ["run"], 0)
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        self.assertTrue(ended.exists())

    def test_the_program_is_found(self):
        with self.assertRaisesRegex(RuntimeError, "firesteel was not found. `no/such` is no program: name it by program="):
            self.estimator(program="no/such").fit(self.rows())
        before = {name: os.environ.pop(name, None) for name in ("FIRESTEEL", "PATH")}
        try:
            with self.assertRaisesRegex(RuntimeError, "It is not on PATH"):
                firesteel._program(None)
            os.environ["FIRESTEEL"] = self.program
            self.assertEqual(firesteel._program(None), self.program)
        finally:
            os.environ.pop("FIRESTEEL", None)
            os.environ.update({name: value for name, value in before.items() if value is not None})

    def test_columns(self):
        def fit(error, **params):
            with self.assertRaisesRegex(ValueError, error):
                self.estimator(**params).fit(self.rows())

        fit("no column `x11`. Did you mean `x1`\\? It has id, x1,", featuresCols=["x1", "x11"])
        fit("no column `why`", labelCol="why")
        fit("`kind` is of type string, and featuresCols are numbers: strings are categoricalCols", featuresCols=["kind"])
        fit("inputCol or featuresCols, not both", inputCol="v")
        with self.assertRaisesRegex(ValueError, "needs features"):
            TorchEstimator(torchObj=net(), labelCol="y", program=self.program).fit(self.rows())
        with self.assertRaisesRegex(ValueError, "`x1` is of type double, and an inputCol is a vector or an array"):
            TorchEstimator(torchObj=net(), inputCol="x1", labelCol="y", program=self.program).fit(self.rows())

    def test_classic_sessions(self):
        dataset = types.SimpleNamespace(sparkSession=object())
        with self.assertRaisesRegex(RuntimeError, r"Spark Connect sessions.*classic.*builder.remote\('sc://HOST:15002'\)"):
            self.estimator().fit(dataset)

    def test_connection_strings(self):
        spark = self.spark
        text = firesteel._connection(spark)
        self.assertTrue(text.startswith(f"{self.cluster.url}/;"), text)
        self.assertIn(f"session_id={spark.session_id}", text)
        builder = types.SimpleNamespace(endpoint="host:1", token="a;b", _params={"use_ssl": "true", "x-team": "ü"})
        client = types.SimpleNamespace(_builder=builder, _user_id=None, _session_id="1")
        self.assertEqual(firesteel._connection(types.SimpleNamespace(client=client)),
                         "sc://host:1/;use_ssl=true;x-team=%C3%BC;user_id=;session_id=1;token=a%3Bb")


class WithProgram(OnCluster):
    """The program itself: trains on the executors of the cluster."""

    def setUp(self):
        if not PROGRAM:
            self.skipTest("no program was given")

    def fit(self, module, rows=None, **params):
        params = {"numWorkers": 2, "epochs": 12, "batchSize": 128, "learningRate": 0.02, "program": PROGRAM, "verbose": 1, **params}
        return TorchEstimator(torchObj=module, **params).fit(self.rows() if rows is None else rows)

    def test_binary(self):
        torch.manual_seed(0)
        views = {table.name for table in self.spark.catalog.listTables()}
        model = self.fit(net(), featuresCols=["x1", "x2"], labelCol="y")
        self.assertEqual({table.name for table in self.spark.catalog.listTables()}, views)
        predicted = model.transform(self.rows())
        self.assertEqual(predicted.columns, [*self.rows().columns, "prediction"])
        right, count = predicted.selectExpr("count_if((prediction > 0.5) = (y = 1))", "count(*)").first()
        self.assertEqual(count, 4000)
        self.assertGreater(right / count, 0.9)
        self.assertTrue(model.metrics)
        with tempfile.TemporaryDirectory() as folder:
            model.save(folder + "/model")
            loaded = TorchModel.load(folder + "/model", program=PROGRAM)
            self.assertEqual(sorted(loaded.transform(self.rows()).select("id", "prediction").collect()),
                             sorted(predicted.select("id", "prediction").collect()))

    def test_regression_of_vectors(self):
        from pyspark.ml import Pipeline
        from pyspark.ml.feature import VectorAssembler
        torch.manual_seed(0)
        estimator = TorchEstimator(torchObj=serialize_torch_obj(net(), nn.MSELoss(), torch.optim.Adam, lr=0.02), verbose=1,
                                   inputCol="features", labelCol="z", predictionCol="guess", iters=20, miniBatch=128,
                                   numWorkers=2, program=PROGRAM)
        assembler = VectorAssembler(inputCols=["x1", "x2"], outputCol="features")
        predicted = Pipeline(stages=[assembler, estimator]).fit(self.rows()).transform(self.rows())
        (error,) = predicted.selectExpr("sqrt(avg(pow(guess - z, 2)))").first()
        self.assertLess(error, 0.5)

    def test_classes_of_arrays_and_categories(self):
        class Wide(nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding, self.layers = nn.Embedding(5 + 2, 4), net(2 + 4, 3)  # with unknown and null

            def forward(self, numbers, ids):
                return self.layers(torch.cat([numbers, self.embedding(ids[:, 0])], 1))

        torch.manual_seed(0)
        rows = self.rows().selectExpr("*", "if(id % 6 = 5, NULL, concat('g', id % 6)) AS place")
        model = self.fit(Wide(), rows, inputCol="v", categoricalCols=["place"], labelCol="kind")
        predicted = model.transform(rows)
        right, count = predicted.selectExpr("count_if(prediction = kind)", "count(*)").first()
        self.assertEqual(count, 4000)
        self.assertGreater(right / count, 0.85)

    def test_failures(self):
        with self.assertRaisesRegex(RuntimeError, r"(?s)^firesteel run failed .*\[[A-Z_.]+\] .*Column x2 has missing values"):
            self.fit(net(), self.rows().selectExpr("x1", "nullif(x2, x2) AS x2", "y"), featuresCols=["x1", "x2"], labelCol="y")
        with self.assertRaisesRegex(RuntimeError, r"firesteel run failed .*\[INVALID_PIPELINE\] .*no key `epoch`"):
            self.fit(net(), featuresCols=["x1", "x2"], labelCol="y", settings={"train.epoch": 1})


class Installed(unittest.TestCase):
    def test_a_wheel_has_all_of_it(self):
        """Built without a network: by the setuptools there is, when there is one that reads the project."""
        with tempfile.TemporaryDirectory() as folder:
            source = shutil.copytree(ROOT / "python", pathlib.Path(folder, "source"))  # where the build may write
            made = subprocess.run([sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet",
                                   "--wheel-dir", folder, str(source)], capture_output=True, text=True)
            if made.returncode:
                self.skipTest(made.stderr.strip().splitlines()[-1])
            import zipfile
            (wheel,) = pathlib.Path(folder).glob("*.whl")
            names = zipfile.ZipFile(wheel).namelist()
        for name in ("__init__.py", "distributor.py", "export.py"):
            self.assertIn(f"firesteel/{name}", names)


if __name__ == "__main__":
    if len(sys.argv) > 1 and pathlib.Path(sys.argv[1]).is_file():
        PROGRAM = str(pathlib.Path(sys.argv.pop(1)).absolute())
    unittest.main(verbosity=2, warnings="ignore")
