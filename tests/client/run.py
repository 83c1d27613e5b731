"""The Spark Connect client, against Firesteel's own server: what a real Spark cluster adds is in tests/cluster.

usage: python3 run.py FIRESTEEL RUN_PLANS PLANS.json
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from proxy import Proxy  # noqa: E402

FIRESTEEL = RUN_PLANS = PLANS = ""


def run(*arguments, timeout=120, environment=None):
    return subprocess.run([FIRESTEEL, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **(environment or {})})


class Server:
    def __init__(self, *options, port=0):
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            ["timeout", "500", FIRESTEEL, "--memory", "1GB", "--threads", "2", "--warehouse", self.folder.name, "server",
             "--port", str(port), *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        self.port = int(re.search(r"sc://[\w.]+:(\d+)", line).group(1))
        self.url = f"sc://127.0.0.1:{self.port}"

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        self.process.stdout.close()
        self.folder.cleanup()


class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def sql(self, *arguments, url=None, **options):
        return run("--master", url or self.server.url, "sql", *arguments, **options)

    def answer(self, statement, *options, url=None):
        done = self.sql("--format", "csv", *options, statement, url=url)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()[1:]

    def failure(self, *arguments, url=None, **options):
        done = self.sql(*arguments, url=url, **options)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        return done.stderr

    def test_plans(self):
        """The plans that PySpark makes, with Spark's answers."""
        done = subprocess.run([RUN_PLANS, PLANS], capture_output=True, text=True, timeout=300,
                              env={**os.environ, "SPARK_REMOTE": self.server.url})
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_types(self):
        self.assertEqual(
            self.answer("SELECT 1Y, 2S, 3, 4L, 1.5F, 2.5D, 1.25BD, true, 'x', X'00ff', DATE'2024-02-29', "
                        "TIMESTAMP'2024-02-29 12:30:00', array(1, NULL), map('k', 1), named_struct('a', 1), NULL"),
            self.local("SELECT 1Y, 2S, 3, 4L, 1.5F, 2.5D, 1.25BD, true, 'x', X'00ff', DATE'2024-02-29', "
                       "TIMESTAMP'2024-02-29 12:30:00', array(1, NULL), map('k', 1), named_struct('a', 1), NULL"))

    def local(self, statement):
        return run("--master", "local", "sql", "--format", "csv", statement).stdout.splitlines()[1:]

    def test_environment_names_the_server(self):
        done = run("sql", "SELECT 1 AS one", environment={"SPARK_REMOTE": self.server.url})
        self.assertIn("|one|", done.stdout)
        self.assertIn("INVALID_OPTION", self.failure("SELECT 1", url="http://x"))

    def test_settings_and_views_are_the_sessions(self):
        script = "CREATE TEMP VIEW v AS SELECT 7 AS x; SET spark.sql.session.timeZone=Europe/Berlin; SELECT x, " \
                 "CAST(TIMESTAMP'2024-01-01 00:00:00' AS STRING) AS t FROM v"
        self.assertIn("7,2024-01-01 00:00:00", self.sql("--format", "csv", script).stdout)
        self.assertIn("TABLE_OR_VIEW_NOT_FOUND", self.failure("SELECT * FROM v"))

    def test_errors_show_the_place(self):
        error = self.failure("SELECT nme FROM VALUES ('a') AS t(name)")
        self.assertIn("[UNRESOLVED_COLUMN.WITH_SUGGESTION]", error)
        self.assertIn("SELECT nme FROM VALUES ('a') AS t(name)\n       ^^^", error)
        self.assertIn("SQLSTATE: 42703", error)
        self.assertIn("SELECT 1/0\n       ^^^", self.failure("SELECT 1/0"))

    def test_addresses(self):
        for url, wanted in [("sc://", "no host"), ("sc://x:99999", "no port"), ("sc://x/path", "a path"),
                            ("sc://x/;a", "name=value"), ("sc://x/;use_ssl=maybe", "true or false")]:
            error = self.failure("SELECT 1", url=url)
            self.assertIn("INVALID_CONNECT_URL", error)
            self.assertIn(wanted, error)
        self.assertNotIn("secret", self.failure("SELECT 1", url="sc://x:0/;token=secret"))

    def test_large_answers_and_many_rows(self):
        self.assertEqual(self.answer("SELECT count(*), sum(length(x)) FROM (SELECT repeat('x', 1000000) AS x FROM range(300))"),
                         ["300,300000000"])
        done = self.sql("--format", "csv", "SELECT id FROM range(1000000)")
        self.assertEqual(len(done.stdout.splitlines()), 1_000_001)

    def test_cut_connections(self):
        """Rows come once and whole though the connection is cut three times."""
        proxy = Proxy(self.server.port, 3 << 20)
        self.addCleanup(proxy.close)
        done = self.sql("--format", "csv", "SELECT id, id * 7 AS x FROM range(2000000)", url=f"sc://127.0.0.1:{proxy.port}",
                        timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(proxy.cuts, 3)
        rows = done.stdout.splitlines()[1:]
        self.assertEqual(len(rows), 2_000_000)
        self.assertEqual(sum(int(row.split(",")[1]) for row in rows), 7 * sum(range(2_000_000)))

    def test_server_ends_during_a_query(self):
        server = Server()
        results = []
        thread = threading.Thread(target=lambda: results.append(
            self.sql("SELECT count(*) FROM range(100000) a, range(10000000) b", url=server.url, timeout=300)))
        thread.start()
        time.sleep(3)
        port = server.port
        server.stop()
        again = Server(port=port)
        self.addCleanup(again.stop)
        thread.join(240)
        self.assertNotEqual(results[0].returncode, 0, results[0].stdout)
        self.assertRegex(results[0].stderr, r"SESSION_CHANGED|CONNECT_UNAVAILABLE|OPERATION_CANCELED|INVALID_HANDLE")

    def test_token(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        tokens = pathlib.Path(folder.name) / "tokens"
        tokens.write_text("wonderland\n")
        tokens.chmod(0o600)
        server = Server("--token-file", tokens)
        self.addCleanup(server.stop)
        url = server.url.replace("127.0.0.1", "localhost")
        self.assertEqual(self.answer("SELECT 1", url=f"{url}/;token=wonderland"), ["1"])
        for other in [url, f"{url}/;token=wrong"]:
            self.assertIn("CONNECT_UNAUTHENTICATED", self.failure("SELECT 1", url=other))


if __name__ == "__main__":
    FIRESTEEL, RUN_PLANS, PLANS = sys.argv[1:4]
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)
