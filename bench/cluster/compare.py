"""Tasks, inference and training on a standalone Spark cluster of two workers on this machine, beside PySpark. Run: make bench-cluster"""
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import traceback

root = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "tests/cluster"))
import cluster

PROGRAM = root / "build/release/bin/cluster_bench"
DATA = root / "data/bench/cluster.parquet"
MODEL = root / "data/bench/cluster.model"
ROWS, MAP_ROWS = 5_000_000, 10_000_000


def descendants(pids):
    """Processes below some, with their memory (PSS, in MB)."""
    children, memory = {}, {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int(entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    stack = list(pids)
    while stack:
        for child in children.get(stack.pop(), []):
            stack.append(child)
            try:
                lines = pathlib.Path(f"/proc/{child}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            memory[child] = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return memory


class WorkerMemory:
    """The most that the workers' processes of all executors had at once."""

    def __init__(self, spark):
        self.spark, self.peak, self.ends = spark, 0, False
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.ends:
            self.peak = max(self.peak, sum(descendants(self.spark.executors()).values()))
            time.sleep(0.5)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends = True
        self.thread.join()


def program(*arguments, timeout=1200):
    done = subprocess.run([str(part) for part in (PROGRAM, *arguments)], capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def best(runs):
    return min(run["seconds"] for run in runs)


def rounds(df, count=3):
    seconds = []
    for _ in range(count):
        start = time.time()
        df.write.format("noop").mode("overwrite").save()
        seconds.append(time.time() - start)
    return min(seconds)


def session(spark):
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"  # functions are made for Spark Connect
    from pyspark.sql.connect.session import SparkSession
    return SparkSession.builder.remote(spark.url).getOrCreate()


def identity(batches):
    yield from batches


def plus(a):
    return a + 1.0


def compare_maps(spark):
    print(f"{MAP_ROWS:,} rows of 4 floats through a function, million rows/s")
    speeds = {}
    for transport in ("native", "python"):
        speeds[f"Firesteel task, {transport}"] = MAP_ROWS / best(program(spark.url, transport, "identity", MAP_ROWS))
    client = session(spark)
    floats = client.range(MAP_ROWS).selectExpr("CAST(id AS FLOAT) a", "CAST(id * 2 AS FLOAT) b", "CAST(id * 3 AS FLOAT) c",
                                               "CAST(id * 4 AS FLOAT) d")
    mapped = floats.mapInArrow(identity, "a FLOAT, b FLOAT, c FLOAT, d FLOAT")
    mapped.limit(1000).collect()
    speeds["PySpark mapInArrow"] = MAP_ROWS / rounds(mapped)
    from pyspark.sql.connect.functions import udf
    pickled = udf(plus, "double", useArrow=False)
    speeds["PySpark pickled UDF"] = MAP_ROWS / 4 / rounds(floats.limit(MAP_ROWS // 4).select(pickled("a").alias("a"), "b", "c", "d"), 1)
    client.stop()
    ours = speeds["Firesteel task, native"]
    for name, speed in speeds.items():
        print(f"  {name:28}{speed / 1e6:8.2f}{ours / speed:8.2f}x")


def compare_inference(spark):
    import torch

    print(f"\n{ROWS:,} rows of 8 numbers through an MLP of 256 and 128 units, thousand rows/s; memory of the workers' processes, MB")
    results = {}
    for transport in ("native", "python"):
        with WorkerMemory(spark) as memory:
            results[f"Firesteel predict, {transport}"] = ROWS / best(program(spark.url, transport, "predict", MODEL, DATA)), memory.peak
    client = session(spark)

    def make_predict():
        torch.set_num_threads(1)
        layers = [torch.nn.Linear(8, 256), torch.nn.ReLU(), torch.nn.Linear(256, 128), torch.nn.ReLU(), torch.nn.Linear(128, 1),
                  torch.nn.Sigmoid()]
        net = torch.nn.Sequential(*layers).eval()

        def predict(rows):
            with torch.no_grad():
                return net(torch.from_numpy(rows)).numpy()[:, 0]
        return predict

    from pyspark.ml.functions import predict_batch_udf
    from pyspark.sql.types import FloatType
    from pyspark.sql.connect.functions import array
    score = predict_batch_udf(make_predict, return_type=FloatType(), batch_size=8192, input_tensor_shapes=[[8]])
    predicted = client.read.parquet(str(DATA)).withColumn("prediction", score(array(*[f"x{i}" for i in range(8)])))
    predicted.limit(1000).collect()
    with WorkerMemory(spark) as memory:
        results["PySpark predict_batch_udf"] = ROWS / rounds(predicted), memory.peak
    client.stop()
    ours = results["Firesteel predict, native"]
    for name, (speed, peak) in results.items():
        print(f"  {name:28}{speed / 1e3:8.0f}{ours[0] / speed:8.2f}x{peak:8.0f}{ours[1] / peak:8.2f}x")


def compare_training(spark):
    print(f"\n1,000,000 rows, MLP of 512, 256 and 128 units, 3 epochs in a barrier stage, one thread a worker")
    first = None
    for workers in (1, 2):
        runs = program(spark.url, "native", "train", DATA, workers)
        warm = runs[-1]
        speed = warm["rows"] / warm["training"]
        first = first or speed
        print(f"  {workers} worker{'s' if workers > 1 else ' '}  {speed / 1e3:8.0f} thousand rows/s {speed / first:6.2f}x   submit to first "
              f"step {warm['seconds'] - warm['training']:5.1f} s (with reading, packing and fetching the model)")


def main():
    cores = 1
    DATA.parent.mkdir(parents=True, exist_ok=True)
    if not MODEL.exists():
        program("", "auto", "prepare", MODEL)
    with cluster.Cluster(workers=2, cores=cores, memory="2g", driver_memory="1g") as spark:
        if not DATA.exists():
            client = session(spark)
            client.range(ROWS).selectExpr("CAST(rand(9) > 0.5 AS INT) AS y", *[f"CAST(randn({i}) AS FLOAT) AS x{i}" for i in range(8)]) \
                .write.parquet(str(DATA))
            client.stop()
        wanted = sys.argv[1:] or ["maps", "inference", "training"]
        for name in wanted:
            try:
                {"maps": compare_maps, "inference": compare_inference, "training": compare_training}[name](spark)
            except BaseException:
                traceback.print_exc()
                os._exit(1)  # PySpark's client would ask for the server that is gone for minutes; the cluster ends with us.


if __name__ == "__main__":
    main()
