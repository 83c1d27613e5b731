"""Runs a function or a script in several processes at once, as PySpark's TorchDistributor does: a task of a Spark
barrier stage each, or processes of this machine.

Each process finds MASTER_ADDR, MASTER_PORT, RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE in its environment, which
is what torch.distributed.init_process_group reads. It needs torch where it runs, but not firesteel.
"""
import concurrent.futures
import pathlib
import pickle
import re
import socket

CHUNK_BYTES = 1 << 20  # of a result: an Arrow batch of few of them passes Spark Connect's limits
# The process of a rank: it reads the function from `task`, writes (traceback, None) or (None, result) into `answer`,
# and ends with the process that started it, whose end closes its stdin.
RANK_PROCESS = """
import os, sys, threading, traceback
threading.Thread(target=lambda: (os.read(0, 1), os._exit(1)), daemon=True).start()
from pyspark import cloudpickle
folder = sys.argv[1]  # A script has arguments of its own.
try:
    with open(os.path.join(folder, "task"), "rb") as file:
        function, args, kwargs = cloudpickle.load(file)
    answer = cloudpickle.dumps((None, function(*args, **kwargs)))
except BaseException:
    answer = cloudpickle.dumps((traceback.format_exc(), None))
with open(os.path.join(folder, "answer.part"), "wb") as file:
    file.write(answer)
os.rename(file.name, os.path.join(folder, "answer"))
"""


class TorchDistributor:
    """`num_processes` processes that run together. `use_gpu` leaves each the GPUs that Spark gave its task; without
    it they see none. `spark` is the session, by default the active one."""

    def __init__(self, num_processes=2, local_mode=False, use_gpu=False, spark=None):
        if not isinstance(num_processes, int) or num_processes < 1:
            raise ValueError(f"num_processes is a whole number from 1, not {num_processes!r}.")
        self.num_processes, self.local_mode, self.use_gpu, self.spark = num_processes, local_mode, use_gpu, spark

    def run(self, train_object, *args, **kwargs):
        """The result of rank 0. `train_object` is a function, called with the arguments, or the path of a script of
        this machine, whose command line they are; a script gives None. RuntimeError names the rank that failed, with
        its traceback."""
        from pyspark import cloudpickle
        if not callable(train_object):
            if kwargs:
                raise ValueError("A script takes arguments by position alone.")
            path = pathlib.Path(train_object)
            train_object = _script_runner(path.name, path.read_text())
        run_rank = _rank_runner(cloudpickle.dumps((train_object, args, kwargs)), RANK_PROCESS)
        if self.local_mode:
            return self._run_here(run_rank)
        rows = self._session().range(0, self.num_processes, 1, self.num_processes)
        task = _barrier_task(run_rank, self.num_processes, self.use_gpu, CHUNK_BYTES)
        try:
            chunks = rows.mapInArrow(task, "chunk binary", barrier=True).collect()
        except Exception as error:
            failure = re.search(r"\[rank \d+ of \d+ on [^\]]*\] failed:.*?(?=\n\[end of rank)", str(error), re.DOTALL)
            if failure:
                raise RuntimeError(failure[0]) from None
            raise
        return pickle.loads(b"".join(row.chunk for row in chunks))

    def _session(self):
        from pyspark.sql import SparkSession
        spark = self.spark or SparkSession.getActiveSession()
        if spark is None:
            raise RuntimeError("There is no active Spark session: SparkSession.builder.remote('sc://HOST:15002')"
                               ".getOrCreate() makes one; local_mode=True needs none.")
        return spark

    def _run_here(self, run_rank):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        count, processes = self.num_processes, []
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
        if not self.use_gpu:
            shared["CUDA_VISIBLE_DEVICES"] = ""
        with concurrent.futures.ThreadPoolExecutor(count) as threads:
            runs = [threads.submit(run_rank, {**shared, "RANK": rank, "LOCAL_RANK": rank}, processes)
                    for rank in range(count)]
            try:
                for run in concurrent.futures.as_completed(runs):
                    run.result()
            except BaseException as error:
                for process in processes:
                    process.kill()
                if isinstance(error, RuntimeError):
                    where = f"[rank {runs.index(run)} of {count} on this machine]"
                    raise RuntimeError(f"{where} failed:\n{error}") from None
                raise
        return runs[0].result()


# What is pickled for executors are functions within functions: cloudpickle sends these whole, where those of a module
# would be looked up in a `firesteel` that executors have not.


def _script_runner(name, text):
    def script(*args):
        import os
        import runpy
        import sys
        import tempfile
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, name)
            with open(path, "w") as file:
                file.write(text)
            sys.argv = [path, *map(str, args)]
            try:
                runpy.run_path(path, run_name="__main__")
            except SystemExit as end:
                if end.code:
                    raise

    return script


def _rank_runner(task, process_text):
    def run_rank(environment, processes=None):
        import os
        import pickle
        import subprocess
        import sys
        import tempfile
        environment = {name: str(value) for name, value in environment.items()}
        path = os.pathsep.join(filter(None, sys.path))  # Modules that were sent to the session are found.
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "task"), "wb") as file:
                file.write(task)
            process = subprocess.Popen([sys.executable, "-c", process_text, folder], stdin=subprocess.PIPE,
                                       env={**os.environ, **environment, "PYTHONPATH": path})
            if processes is not None:
                processes.append(process)
            with process:
                code = process.wait()
            if not os.path.exists(os.path.join(folder, "answer")):
                raise RuntimeError(f"The process ended with {code} before its function did.")
            with open(os.path.join(folder, "answer"), "rb") as file:
                failure, result = pickle.load(file)
        if failure:
            raise RuntimeError(failure)
        return result

    return run_rank


def _barrier_task(run_rank, count, use_gpu, chunk_bytes):
    def task(batches):
        import socket
        import pyarrow
        from pyspark import BarrierTaskContext, cloudpickle
        for _ in batches:
            pass
        context = BarrierTaskContext.get()
        rank = context.partitionId()
        hosts = [info.address.rpartition(":")[0] or info.address for info in context.getTaskInfos()]
        with socket.socket() as probe:
            probe.bind(("", 0))
            port = probe.getsockname()[1]
        port = context.allGather(str(port))[0]  # of rank 0
        environment = {"MASTER_ADDR": hosts[0], "MASTER_PORT": port, "RANK": rank, "WORLD_SIZE": count,
                       "LOCAL_RANK": hosts[:rank].count(hosts[rank]), "LOCAL_WORLD_SIZE": hosts.count(hosts[rank])}
        gpus = context.resources().get("gpu") if use_gpu else None
        if gpus:  # A task sees its own alone.
            environment.update(CUDA_VISIBLE_DEVICES=",".join(gpus.addresses), LOCAL_RANK=0, LOCAL_WORLD_SIZE=1)
        elif not use_gpu:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        try:
            result = run_rank(environment)
        except RuntimeError as error:
            where = f"[rank {rank} of {count} on {hosts[rank]}]"
            raise RuntimeError(f"{where} failed:\n{error}\n[end of rank {rank}]") from None
        if rank == 0:
            data = cloudpickle.dumps(result)
            for start in range(0, len(data), chunk_bytes):
                chunk = pyarrow.array([data[start:start + chunk_bytes]], pyarrow.binary())
                yield pyarrow.RecordBatch.from_arrays([chunk], ["chunk"])

    return task
