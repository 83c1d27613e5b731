# What runs in Spark's Python workers: passes a partition's Arrow batches through a process of the
# program, which was sent along or stands on the machine. Needs nothing but what PySpark needs.
import fcntl
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading

import pyarrow as pa
from pyspark import BarrierTaskContext, TaskContext

try:
    from pyspark.core.files import SparkFiles
except ImportError:  # Spark 3.5
    from pyspark.files import SparkFiles

idle = {}  # processes of this Python worker that wait for their next task, by their program


def fail(condition, message):
    raise RuntimeError("FIRESTEEL_ERROR " + json.dumps({"condition": condition, "message": message}))


def unpacked(name):
    """The folder of an archive, unpacked once on this machine."""
    cache = os.environ.get("FIRESTEEL_CACHE") or os.path.join(
        tempfile.gettempdir(), "firesteel-%d" % os.getuid()
    )
    os.makedirs(cache, mode=0o700, exist_ok=True)
    if os.stat(cache).st_uid != os.getuid():
        fail("IO_ERROR", f"`{cache}` is another user's: programs are not kept there.")
    folder = os.path.join(cache, name)
    if os.path.isdir(folder):
        return folder
    archive = os.path.join(SparkFiles.getRootDirectory(), name + ".tar")
    if not os.path.exists(archive):
        fail("PROGRAM_NOT_THERE", f"{socket.gethostname()} has no {name}.")
    with open(folder + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(folder):
            part = tempfile.mkdtemp(prefix=name + ".", dir=cache)
            try:
                with tarfile.open(archive) as packed:
                    packed.extractall(part)
                os.rename(part, folder)
            except OSError as error:
                shutil.rmtree(part, ignore_errors=True)
                fail("IO_ERROR", f"{socket.gethostname()}: {name} cannot be unpacked in {cache}: {error}")
    return folder


class Worker:
    """A process of the program, which runs one task after the other."""

    def __init__(self, call, context):
        home = call.get("home") or unpacked(call["program"])
        environment = dict(os.environ, GOMP_SPINCOUNT="0", OMP_WAIT_POLICY="PASSIVE")
        environment["OMP_NUM_THREADS"] = str(context.cpus() or 1)
        if not call.get("home"):
            environment["LD_LIBRARY_PATH"] = os.path.join(home, "lib")
        gpu = context.resources().get("gpu")
        if gpu:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.addresses)
        ours, theirs = socket.socketpair()
        try:
            self.process = subprocess.Popen(
                [os.path.join(home, "bin", call["executable"]), "worker", "--control", str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                env=environment,
            )
        except OSError as error:
            fail("TASK_FAILED", f"{socket.gethostname()}: the program cannot be started: {error}")
        finally:
            theirs.close()
        self.socket = ours
        self.lines = ours.makefile("r", encoding="utf-8")

    def say(self, message):
        self.socket.sendall((json.dumps(message) + "\n").encode())

    def end(self):
        self.process.kill()
        self.process.wait()
        self.socket.close()


def make(text):
    """The function of mapInArrow for a call, whose JSON the client wrote."""
    call = json.loads(text)
    schema = pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(call["schema"])))

    def run(batches):
        context = TaskContext.get()
        key = (call.get("home") or call["program"], call["executable"])
        worker = idle.pop(key, None)
        if worker is None or worker.process.poll() is not None:
            worker = Worker(call, context)
        outcome, failures = {}, []

        def talk():
            try:
                for line in worker.lines:
                    said = json.loads(line)
                    if "gather" in said:
                        worker.say(BarrierTaskContext.get().allGather(said["gather"]))
                    else:
                        outcome.update(said)
                        return
            except Exception as error:  # Spark ends the stage.
                failures.append(error)
                worker.process.kill()

        def feed():
            try:
                first = next(batches, None)
                with pa.ipc.new_stream(worker.process.stdin, first.schema if first else schema) as out:
                    if first:
                        out.write_batch(first)
                    for batch in batches:
                        out.write_batch(batch)
                worker.process.stdin.flush()
            except BrokenPipeError:
                pass  # It says itself why it ended.
            except Exception as error:
                failures.append(error)
                worker.process.kill()

        ended = False
        threads = [threading.Thread(target=target, daemon=True) for target in (talk, feed)]
        try:
            worker.say(
                {
                    "task": call["task"],
                    "argument": call["argument"],
                    "partition": context.partitionId(),
                    "attempt": context.attemptNumber(),
                    "partitions": call["partitions"],
                    "folders": [unpacked(name) for name in call["folders"]],
                }
            )
            for thread in threads:
                thread.start()
            try:
                with pa.ipc.open_stream(worker.process.stdout) as rows:
                    yield from rows
            except (pa.ArrowInvalid, OSError):
                pass  # Half a stream: the reason is told beside it.
            threads[0].join()
            if "done" in outcome and not failures:
                threads[1].join()
            if failures:
                raise failures[0]
            if "error" in outcome:
                error = json.loads(outcome["error"])
                fail(error["condition"], f"{error['message']} (partition {context.partitionId()})")
            if "done" not in outcome:
                code = worker.process.wait()
                how = f"signal {-code}" if code < 0 else f"code {code}"
                fail(
                    "TASK_FAILED",
                    f"{socket.gethostname()}: the process of task `{call['task']}` ended by {how} in "
                    f"partition {context.partitionId()}; its last words are in the executor's log.",
                )
            ended = True
        finally:
            if ended:
                idle[key] = worker
            else:
                worker.end()

    return run
