"""Real Apache Spark on this machine, for tests and benchmarks: a standalone cluster with a Connect server, or such a server alone.

    with Cluster(workers=2) as cluster:                 # Spark 4.3.0 of .deps/reference
        run(cluster.url)                                # sc://127.0.0.1:PORT
        cluster.kill_executor()
    with ConnectServer(home=spark_home(".deps/spark-4.0/bin/python")) as server: ...

What is started listens on loopback and free ports, writes into a folder of its own, and ends with its owner: at the end of
`with`, when the program ends, and when the thread that started it dies (PR_SET_PDEATHSIG).
usage: cluster.py  starts a cluster of two workers, asks it a question and says how long that took.
"""
import atexit
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
REFERENCE = ROOT / ".deps/reference/bin/python"
HOST = "127.0.0.1"
# Of the master and the workers; a Connect server would take them before its own settings.
DAEMONS = {"SPARK_DAEMON_MEMORY": "256m", "SPARK_DAEMON_JAVA_OPTS": "-XX:+UseSerialGC"}


class ClusterError(Exception):
    """Spark did not do in time what it was asked; the text ends with its log."""


def spark_home(python=REFERENCE):
    """The folder of the pyspark that a virtual environment's Python has."""
    found = sorted(pathlib.Path(python).absolute().parents[1].glob("lib/python3*/site-packages/pyspark"))
    if not found:
        raise ClusterError(f"{python} has no pyspark: tools/setup.sh reference, or spark-old, installs it")
    return found[0]


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Daemon:
    """A Java process of Spark's and all that it starts: one process group, which ends with the thread that started it."""

    def __init__(self, command, environment, log):
        self.log = pathlib.Path(log)
        # spark-class and spark-submit `exec` Java in the end, so that the process is Java's own.
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "bash", *map(str, command)], env=environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        atexit.register(self.kill)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def wait_for(self, pattern, timeout):
        """The match of a pattern in the log."""
        deadline = time.monotonic() + timeout
        while True:
            running = self.alive()
            text = self.log.read_text(errors="replace")
            if found := re.search(pattern, text):
                return found
            if not running or time.monotonic() > deadline:
                what = "did not come in time" if running else "never came: the process ended"
                raise ClusterError(f"`{pattern}` {what}\n{text[-4000:]}")
            time.sleep(0.05)

    def signal_group(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def stop(self, timeout=15):
        """Asks it to end, and insists."""
        if self.alive():
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout)
        self.kill()

    def kill(self):
        self.signal_group(signal.SIGKILL)
        self.process.wait(10)
        atexit.unregister(self.kill)


class Place:
    """An installation of Spark and a folder to work in, which is removed at the end when none was given."""

    def __init__(self, folder, home, environment):
        self.home = pathlib.Path(home)
        self.temporary = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="spark-")).absolute()
        for name in ("conf", "logs", "work", "local", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        inherited = {key: value for key, value in os.environ.items()
                     if not key.startswith(("SPARK_", "PYSPARK_", "HADOOP_", "YARN_"))}
        self.environment = {
            **inherited, "SPARK_HOME": str(self.home), "SPARK_CONF_DIR": str(self.folder / "conf"),
            "SPARK_LOG_DIR": str(self.folder / "logs"), "SPARK_WORKER_DIR": str(self.folder / "work"),
            "SPARK_LOCAL_DIRS": str(self.folder / "local"), "SPARK_LOCAL_IP": HOST, "SPARK_PUBLIC_DNS": HOST,
            "PYSPARK_PYTHON": str(self.home.parents[3] / "bin/python"), "PYTHONDONTWRITEBYTECODE": "1", "TZ": "UTC",
            **(environment or {})}

    def daemon(self, name, *command, environment=None):
        return Daemon([self.home / "bin" / command[0], *command[1:]], {**self.environment, **(environment or {})},
                      self.folder / "logs" / f"{name}.log")

    def remove(self):
        if self.temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


class ConnectServer:
    """A Spark Connect server: with threads of its own (`local[n]`) or on a cluster's master. `conf` holds Spark's settings."""

    def __init__(self, folder=None, *, home=None, master="local[2]", conf=None, driver_memory="1g", port=None,
                 environment=None, timeout=120, place=None):
        self.place = place or Place(folder, home or spark_home(), environment)
        self.owns_place = place is None
        self.master, self.timeout = master, timeout
        self.port = port or free_port()
        self.conf = {
            "spark.connect.grpc.binding.address": HOST, "spark.connect.grpc.binding.port": self.port,
            "spark.driver.host": HOST, "spark.driver.bindAddress": HOST, "spark.driver.memory": driver_memory,
            "spark.ui.enabled": "false", "spark.sql.session.timeZone": "UTC",
            "spark.sql.warehouse.dir": self.place.folder / "warehouse",
            "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={self.place.folder / 'tmp'}", **(conf or {})}
        self.starts = 0
        self.daemon = None
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self):
        return f"sc://{HOST}:{self.port}"

    @property
    def pid(self):
        return self.daemon.pid

    @property
    def log(self):
        return self.daemon.log

    def start(self):
        self.starts += 1
        settings = [text for key, value in self.conf.items() for text in ("--conf", f"{key}={value}")]
        self.daemon = self.place.daemon(
            f"connect-{self.starts}", "spark-submit", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
            "--name", "Spark Connect server", "--master", self.master, *settings)
        self.daemon.wait_for("Spark Connect server started", self.timeout)

    def kill(self):
        """As a crash would: at once, without a word."""
        self.daemon.kill()

    def restart(self, kill=False):
        """A new server, without the old one's sessions, on the same port."""
        self.daemon.kill() if kill else self.daemon.stop()
        self.start()

    def stop(self):
        if self.daemon:
            self.daemon.stop()
        if self.owns_place:
            self.place.remove()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Cluster:
    """A master, workers of so many cores and so much memory each, and a Connect server whose application has an executor on each.

    With `connect=False` the server is started by start_connect. `conf` holds Spark's settings.
    """

    def __init__(self, folder=None, *, workers=2, cores=1, memory="1g", executor_memory=None, driver_memory="1g", conf=None,
                 connect=True, home=None, environment=None, timeout=120):
        self.place = Place(folder, home or spark_home(), environment)
        self.cores, self.memory, self.timeout = cores, memory, timeout
        self.conf = {"spark.executor.memory": executor_memory or memory, "spark.executor.cores": cores, **(conf or {})}
        self.driver_memory = driver_memory
        self.daemons, self.workers, self.connect = [], [], None
        try:
            self.master = self.place.daemon("master", "spark-class", "org.apache.spark.deploy.master.Master",
                                            "--host", HOST, "--port", "0", "--webui-port", "0", environment=DAEMONS)
            self.daemons.append(self.master)
            self.master_url = self.master.wait_for(r"Starting Spark master at (spark://[\d.:]+)", timeout)[1]
            self.master.wait_for("I have been elected leader", timeout)
            for worker in [self.launch_worker() for _ in range(workers)]:
                self.wait_for_worker(worker)
            if connect:
                self.start_connect()
        except BaseException:
            self.stop()
            raise

    def launch_worker(self):
        number = len(self.workers) + 1
        worker = self.place.daemon(
            f"worker-{number}", "spark-class", "org.apache.spark.deploy.worker.Worker", "--host", HOST, "--port", "0",
            "--webui-port", "0", "--cores", self.cores, "--memory", self.memory,
            "--work-dir", self.folder / "work" / str(number), self.master_url,
            environment=DAEMONS)
        self.workers.append(worker)
        self.daemons.append(worker)
        return worker

    def wait_for_worker(self, worker):
        worker.wait_for("Successfully registered with master", self.timeout)

    def add_worker(self):
        worker = self.launch_worker()
        self.wait_for_worker(worker)
        return worker

    def start_connect(self, conf=None):
        self.connect = ConnectServer(place=self.place, master=self.master_url, conf={**self.conf, **(conf or {})},
                                     driver_memory=self.driver_memory, timeout=self.timeout)
        return self.connect

    def restart_connect(self, kill=False):
        self.connect.restart(kill)

    @property
    def url(self):
        return self.connect.url

    @property
    def folder(self):
        return self.place.folder

    def executors(self):
        """Process ids of the executors, the oldest first. An application's come as its server starts, or soon after."""
        mine = {worker.pid for worker in self.workers}
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) in mine and b"CoarseGrainedExecutorBackend" in (entry / "cmdline").read_bytes():
                    found.append((int(fields[19]), int(entry.name)))
        return [pid for _, pid in sorted(found)]

    def wait_for_executors(self, count=None, timeout=60):
        count = sum(worker.alive() for worker in self.workers) if count is None else count
        deadline = time.monotonic() + timeout
        while len(found := self.executors()) != count:
            if time.monotonic() > deadline:
                raise ClusterError(f"{len(found)} executors where {count} should be\n{self.connect.log.read_text()[-4000:]}")
            time.sleep(0.05)
        return found

    def kill_executor(self, pid=None, number=signal.SIGKILL):
        """Sends a signal to an executor, the oldest unless one is named; gives its process id. Its worker starts another."""
        mine = self.executors()
        if pid is None and mine:
            pid = mine[0]
        if pid not in mine:
            raise ClusterError(f"{pid} is no executor of this cluster: {mine}")
        os.kill(pid, number)
        return pid

    def executor_logs(self):
        """What executors and the programs that they started printed, by file."""
        return {str(path.relative_to(self.folder)): path.read_text(errors="replace")
                for path in sorted(self.folder.glob("work/*/*/*/std???"))}

    def stop(self):
        if self.connect:
            self.connect.stop()
        for daemon in reversed(self.daemons):
            daemon.stop()
        self.place.remove()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def main():
    """Run by a Python that has PySpark Connect; with another, the reference's takes over."""
    try:
        from pyspark.sql.connect.session import SparkSession
    except ImportError:
        os.execv(REFERENCE, [str(REFERENCE), *sys.argv])
    start = time.monotonic()
    with Cluster(workers=2) as cluster:
        print(f"cluster up {time.monotonic() - start:.1f} s, executors {len(cluster.wait_for_executors())}", flush=True)
        for attempt in ("first", "second"):
            start = time.monotonic()
            spark = SparkSession.builder.remote(cluster.url).create()
            count = spark.sql("SELECT count(*) FROM range(1000)").collect()[0][0]
            print(f"{attempt} answer {time.monotonic() - start:.1f} s", flush=True)
            if count != 1000:
                raise SystemExit(f"count(*) gave {count}")
            spark.stop()
        start = time.monotonic()
    print(f"stopped {time.monotonic() - start:.1f} s")


if __name__ == "__main__":
    main()
