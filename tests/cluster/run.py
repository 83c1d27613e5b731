"""Plans, tasks, inference and training on a real Apache Spark: a standalone cluster of one master and two workers on
loopback, whose parts are killed.

usage: .deps/reference/bin/python run.py FIRESTEEL RUN_PLANS CLUSTER_TASKS PLANS.json     Ends with 77 where there is no Spark.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import cluster  # noqa: E402
from proxy import Proxy  # noqa: E402

FIRESTEEL = RUN_PLANS = TASKS = PLANS = ""
# Whose rows have no order of their own, or depend on how rows are dealt to partitions.
UNORDERED = {'people.stat.freqItems(["city"], 0.6)',
             'people.groupBy("city").agg(F.collect_list("name"), F.countDistinct("age"), F.avg("height"))'}
DOUBLED = "100000 rows, sum 9999900000\n"


def run(*command, timeout=300, environment=None):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout, cwd=ROOT,
                          env={**os.environ, **(environment or {})})


class OnCluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="firesteel-cluster-"))
        # Tasks' programs are kept here, so that the first use is a first use.
        cls.cluster = cluster.Cluster(workers=2, environment={"FIRESTEEL_CACHE": str(cls.folder / "cache")})
        os.environ["FIRESTEEL_CACHE"] = str(cls.folder / "client")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    @property
    def url(self):
        return self.cluster.url

    def firesteel(self, *arguments, timeout=400, url=None):
        done = run(FIRESTEEL, "--master", url or self.url, *arguments, timeout=timeout)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-4000:])
        return done

    def tasks(self, behaviour, transport="native", wanted=DOUBLED, url=None):
        done = run(TASKS, url or self.url, transport, behaviour)
        self.assertEqual(done.stdout, wanted, done.stderr[-3000:])

    # Plans

    def test_plans(self):
        """The recorded plans of PySpark's calls, by our client."""
        names = [plan["code"] for plan in json.loads(pathlib.Path(PLANS).read_text())["plans"] if plan["code"] not in UNORDERED]
        done = run(RUN_PLANS, PLANS, *names, environment={"SPARK_REMOTE": self.url}, timeout=400)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])

    def test_older_server(self):
        home = ROOT / ".deps/spark-4.0/bin/python"
        if not home.exists():
            self.skipTest("tools/setup.sh spark-old makes Spark 4.0")
        with cluster.ConnectServer(home=cluster.spark_home(home)) as server:
            done = run(FIRESTEEL, "--master", server.url, "sql", "SELECT id * 2 AS x FROM range(3)")
            self.assertIn("|  4|", done.stdout, done.stderr)
            self.tasks("", transport="auto", url=server.url)
            done = run(TASKS, server.url, "native", "")
            self.assertIn("UNSUPPORTED_FEATURE.NATIVE_TRANSPORT", done.stderr)

    def test_cut_connections(self):
        proxy = Proxy(int(self.url.rsplit(":", 1)[1]), 3 << 20)
        self.addCleanup(proxy.close)
        done = self.firesteel("sql", "--format", "csv", "SELECT id, id * 7 AS x FROM range(2000000)",
                              url=f"sc://127.0.0.1:{proxy.port}")
        rows = done.stdout.splitlines()[1:]
        self.assertEqual((proxy.cuts, len(rows)), (3, 2_000_000))
        self.assertEqual(sum(int(row.split(",")[1]) for row in rows), 7 * sum(range(2_000_000)))

    # Tasks

    def test_tasks_by_both_transports(self):
        for transport in ("native", "python"):
            with self.subTest(transport):
                self.tasks("", transport)
                self.tasks("gather", transport, "2 rows, sum 24\n")
                self.tasks("stop", transport, "0 rows, sum 0\n")

    def test_program_on_the_machines(self):
        """A program that stands on every machine is not sent."""
        home = self.folder / "installed"
        (home / "bin").mkdir(parents=True)
        os.symlink(TASKS, home / "bin" / pathlib.Path(TASKS).name)
        for transport in ("native", "python"):
            done = run(TASKS, self.url, transport, "", home)
            self.assertEqual(done.stdout, DOUBLED, done.stderr)

    def test_a_task_that_fails(self):
        for transport in ("native", "python"):
            done = run(TASKS, self.url, transport, "fail")
            self.assertEqual(done.returncode, 1)
            self.assertIn("[INVALID_PARAMETER_VALUE] This partition is refused.", done.stderr)

    def test_a_worker_that_crashes(self):
        """Spark runs the partition again; the rows are right."""
        for transport in ("native", "python"):
            self.tasks("crash", transport)

    def test_executor_killed_during_a_map(self):
        self.tasks("")
        self.cluster.wait_for_executors(2)
        killer = threading.Timer(3, self.cluster.kill_executor)
        killer.start()
        self.tasks("slow")
        killer.join()
        self.cluster.wait_for_executors(2)

    def test_no_room_for_the_program(self):
        """A machine whose cache cannot hold the program says so."""
        room = self.folder / "small"
        room.mkdir()
        if run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", room).returncode != 0:
            self.skipTest("file systems cannot be mounted here")
        try:
            with cluster.Cluster(workers=1, environment={"FIRESTEEL_CACHE": str(room)}) as small:
                done = run(TASKS, small.url, "python", "")
                self.assertEqual(done.returncode, 1)
                self.assertIn("No space left on device", done.stderr)
        finally:
            run("umount", room)

    # Models

    @classmethod
    def pipeline(cls):
        """A small pipeline over a file that it makes: who answers a call, by age and city."""
        folder = cls.folder / "pipeline"
        if not folder.exists():
            folder.mkdir()
            lines = ["age,city,rank,answer"]
            for i in range(20_000):
                age, city, rank = 18 + i * 37 % 60, ["Rome", "Oslo", "Lima", "Cairo"][i * 13 % 4], i * 101 % 1000
                answer = "yes" if (age * 7 + rank * 3 + i * 17 % 500) % 1000 + (200 if city == "Oslo" else 0) > 560 else "no"
                lines.append(f"{age},{city},{rank},{answer}")
            (folder / "calls.csv").write_text("\n".join(lines) + "\n")
            (folder / "pipeline.toml").write_text(
                '[source.calls]\npath = "calls.csv"\noptions = { header = "true", inferSchema = "true" }\n'
                '[features]\nfrom = "calls"\nnumeric = ["age", "rank"]\ncategorical = ["city"]\nlabel = "answer"\n'
                '[model]\nkind = "mlp"\nhidden = [32]\n[train]\nepochs = 4\nbatch_size = 512\nlearning_rate = 0.01\nseed = 3\n'
                '[output]\npath = "model"\n')
        return folder

    def train(self, name, *options, master=None, timeout=400, file=None):
        """Trains, and returns what metrics.json says."""
        output = self.folder / name
        done = run(FIRESTEEL, "--master", master or self.url, "run", file or self.pipeline() / "pipeline.toml", "--output", output,
                   *options, timeout=timeout)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-4000:])
        return json.loads((output / "metrics.json").read_text())

    def same_metrics(self, a, b, places):
        for model, metrics in a["test"].items():
            for name, value in metrics.items():
                self.assertAlmostEqual(value, b["test"][model][name], places, f"{model} {name}")

    def test_pipeline_and_prediction(self):
        here = self.train("here", master="local")
        there = self.train("there")
        self.same_metrics(here, there, 3)
        out = {}
        for name, master in (("here", "local"), ("there", self.url)):
            folder = self.folder / f"predicted-{name}"
            done = run(FIRESTEEL, "--master", master, "predict", self.folder / "here", "--source",
                       f"calls={self.pipeline() / 'calls.csv'}", "--out", folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("20000 rows", done.stdout)
            done = run(FIRESTEEL, "sql", "--format", "csv",
                       f"SELECT age, city, rank, round(prediction, 5) FROM parquet.`{folder}` ORDER BY ALL")
            out[name] = done.stdout
        self.assertEqual(out["here"], out["there"])

    def test_training_in_a_barrier_stage(self):
        """The result is that of one process on all partitions' rows, one behind the other; and the same each time."""
        text = (self.pipeline() / "pipeline.toml").read_text()
        key = "xxhash64(age, rank, city, answer)"
        ordered = self.pipeline() / "ordered.toml"
        ordered.write_text(f'[[step]]\nname = "dealt"\nsql = "SELECT * FROM calls ORDER BY pmod(hash({key}), 2), {key}"\n'
                           + text.replace('from = "calls"', 'from = "dealt"'))
        one = self.train("one", master="local", file=ordered)
        two = self.train("two", "--workers", "2")
        self.same_metrics(one, two, 3)
        for a, b in zip(one["history"], two["history"], strict=True):
            self.assertAlmostEqual(a["loss"], b["loss"], 4)
        again = self.train("again", "--workers", "2")
        self.assertEqual([row["loss"] for row in two["history"]], [row["loss"] for row in again["history"]])

    def test_executor_killed_during_training(self):
        whole = self.train("whole", "--workers", "2", "--set", "train.epochs=40")
        self.cluster.wait_for_executors(2)
        checkpoints = self.folder / "killed.work" / "checkpoints"

        def kill():
            limit = time.time() + 120
            while time.time() < limit and not (checkpoints.is_dir() and any(checkpoints.iterdir())):
                time.sleep(0.02)
            self.cluster.kill_executor()

        killer = threading.Thread(target=kill)
        killer.start()
        killed = self.train("killed", "--workers", "2", "--set", "train.epochs=40")
        killer.join()
        self.same_metrics(whole, killed, 3)
        self.cluster.wait_for_executors(2)

    def test_driver_killed_and_resumed(self):
        whole = self.train("all", "--workers", "2", "--set", "train.epochs=40")
        output = self.folder / "resumed"
        command = [FIRESTEEL, "--master", self.url, "run", self.pipeline() / "pipeline.toml", "--output", output, "--workers", "2",
                   "--set", "train.epochs=40"]
        first = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        checkpoints = self.folder / "resumed.work" / "checkpoints"
        limit = time.time() + 120
        while time.time() < limit and first.poll() is None and not (checkpoints.is_dir() and any(checkpoints.iterdir())):
            time.sleep(0.02)
        first.kill()
        first.wait()
        time.sleep(5)  # The server ends what nobody listens to when it notices; its tasks may still write.
        resumed = self.train("resumed", "--workers", "2", "--set", "train.epochs=40", "--resume")
        self.same_metrics(whole, resumed, 3)

    def test_flights(self):
        """The example as it is, with fewer epochs: the same data, so the same metrics."""
        metrics = []
        for name, master in (("flights-here", "local"), ("flights-there", self.url)):
            output = self.folder / name
            done = run(FIRESTEEL, "--master", master, "run", "examples/flights/pipeline.toml", "--output", output, "--set",
                       "train.epochs=2", timeout=600)
            self.assertEqual(done.returncode, 0, done.stderr[-3000:])
            metrics.append(json.loads((output / "metrics.json").read_text()))
        self.same_metrics(*metrics, 3)
        self.assertEqual(metrics[0]["rows"], metrics[1]["rows"])

    def test_z_server_restarted(self):
        """During a query it is an error that says so; after it all works again."""
        results = []
        thread = threading.Thread(target=lambda: results.append(
            run(FIRESTEEL, "--master", self.url, "sql", "SELECT count(*) FROM range(1000000) a, range(1000000) b")))
        thread.start()
        time.sleep(8)
        self.cluster.restart_connect(kill=True)
        thread.join(240)
        self.assertEqual(results[0].returncode, 1)
        self.assertRegex(results[0].stderr, r"SESSION_CHANGED|CONNECT_UNAVAILABLE|INVALID_HANDLE")
        self.assertIn("|  1|", self.firesteel("sql", "SELECT 1").stdout)


if __name__ == "__main__":
    if not cluster.REFERENCE.exists() or not shutil.which("java"):
        print("skipped: tools/setup.sh reference makes the Apache Spark that this needs")
        sys.exit(77)
    FIRESTEEL, RUN_PLANS, TASKS, PLANS = [os.path.abspath(path) for path in sys.argv[1:5]]
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]], verbosity=2)
