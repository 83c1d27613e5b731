"""The Spark Connect server with real clients, and with clients that misbehave.

usage: PYTHON run.py FIRESTEEL FOLDER.  PYTHON has pyspark-client (tools/setup.sh clients); FOLDER is for warehouses.
"""
import concurrent.futures
import glob
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

import grpc
import pyspark.sql.connect.proto as proto
import pyspark.sql.connect.proto.base_pb2_grpc as service
from pyspark.sql.connect.session import SparkSession

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from proxy import Proxy  # noqa: E402

FIRESTEEL = ""
FOLDER = pathlib.Path()


class Server:
    """A server of its own on a free port; ended by `stop`."""

    def __init__(self, *options, port=0, warehouse=None, environment=None):
        self.folder = warehouse or tempfile.mkdtemp(dir=FOLDER)
        self.process = subprocess.Popen(
            ["timeout", "600", FIRESTEEL, "--memory", "1GB", "--threads", "2", "--warehouse", self.folder, "server", "--port",
             str(port), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        line = self.process.stdout.readline()
        found = re.search(r"sc://([\w.]+):(\d+)", line)
        if not found:
            raise AssertionError(f"the server did not start: {line}{self.process.stderr.read()}")
        self.port = int(found.group(2))
        self.url = f"sc://127.0.0.1:{self.port}"
        self.log = []
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def pid(self):
        return int(subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()[0])

    def memory_mb(self):
        status = pathlib.Path(f"/proc/{self.pid()}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) // 1024

    def stub(self):
        options = [("grpc.max_receive_message_length", 256 << 20), ("grpc.max_send_message_length", 256 << 20)]
        return service.SparkConnectServiceStub(grpc.insecure_channel(f"127.0.0.1:{self.port}", options=options))

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(60)
        self.process.stdout.close()
        self.reader.join()
        self.process.stderr.close()
        return self.process.returncode


def connect(url):
    return SparkSession.builder.remote(url).create()


def execute(sql, session=None, operation=None, reattachable=True):
    request = proto.ExecutePlanRequest(session_id=session or str(uuid.uuid4()), operation_id=operation or str(uuid.uuid4()))
    request.user_context.user_id = "test"
    request.plan.root.sql.query = sql
    request.request_options.add().reattach_options.reattachable = reattachable
    return request


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def run_client(self, packages):
        environment = {**os.environ, "PYTHONPATH": packages} if packages else dict(os.environ)
        done = subprocess.run([sys.executable, str(HERE / "client.py"), self.server.url], env=environment, capture_output=True,
                              text=True, timeout=120)
        self.assertEqual(done.stdout.strip(), "OK", done.stdout + done.stderr[-3000:])

    def test_newest(self):
        self.run_client("")

    def test_older_clients(self):
        older = glob.glob(f"{sys.prefix}/pyspark-4.*")
        self.assertEqual(len(older), 2)
        for packages in older:
            with self.subTest(packages):
                self.run_client(packages)

    def test_python_functions(self):
        # Each version's functions in its own workers, all of which end with the server.
        for packages in ["", *glob.glob(f"{sys.prefix}/pyspark-4.*")]:
            with self.subTest(packages):
                environment = {**os.environ, "PYTHONPATH": packages} if packages else dict(os.environ)
                server = Server("--python", sys.executable, environment=environment)
                with tempfile.TemporaryDirectory() as folder:
                    done = subprocess.run([sys.executable, str(HERE / "functions.py"), server.url, folder], env=environment,
                                          capture_output=True, text=True, timeout=180)
                daemons = subprocess.run(["pgrep", "-P", str(server.pid())], capture_output=True, text=True).stdout.split()
                server.stop()
                self.assertEqual(done.stdout.strip(), "OK", done.stdout + done.stderr[-3000:])
                self.assertTrue(daemons)
                for _ in range(100):
                    left = [pid for pid in daemons if os.path.exists(f"/proc/{pid}")]
                    if not left:
                        break
                    time.sleep(0.1)
                self.assertFalse(left)

    def test_64_at_once(self):
        def one(number):
            spark = connect(self.server.url)
            spark.range(number).createOrReplaceTempView("mine")
            rows = [spark.sql("SELECT count(*) c, sum(id) s FROM mine").first() for _ in range(5)]
            spark.stop()
            return {(row.c, row.s) for row in rows}

        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            for number, rows in enumerate(pool.map(one, range(1, 65)), 1):
                self.assertEqual(rows, {(number, number * (number - 1) // 2)})

    def test_sessions_are_apart(self):
        one, other = connect(self.server.url), connect(self.server.url)
        one.range(3).createOrReplaceTempView("secret")
        with self.assertRaisesRegex(Exception, "TABLE_OR_VIEW_NOT_FOUND"):
            other.table("secret").collect()
        kept = one.range(3).localCheckpoint()
        table = kept._plan._relation_id if hasattr(kept._plan, "_relation_id") else kept._plan._relationId
        with self.assertRaisesRegex(Exception, "DATAFRAME_NOT_FOUND"):
            list(self.server.stub().ExecutePlan(self.checkpoint_of(table)))
        one.stop()
        other.stop()

    @staticmethod
    def checkpoint_of(name):
        request = execute("")
        request.plan.root.cached_remote_relation.relation_id = name
        return request

    def test_many_small_queries(self):
        spark = connect(self.server.url)
        spark.range(1).collect()

        def some():
            for _ in range(1500):
                spark.range(1).collect()
            return self.server.memory_mb()

        some()
        before = some()
        self.assertLess(some() - before, 20)
        spark.stop()

    def test_deep_plans(self):
        request = execute("")
        relation = request.plan.root
        for _ in range(2000):
            relation.filter.condition.literal.boolean = True
            relation = relation.filter.input
        relation.range.end = 3
        relation.range.step = 1
        rows = sum(r.arrow_batch.row_count for r in self.server.stub().ExecutePlan(request))
        self.assertEqual(rows, 3)

    def test_messages_that_are_none(self):
        channel = grpc.insecure_channel(f"127.0.0.1:{self.server.port}")
        for name in ("ExecutePlan", "AnalyzePlan", "Config", "ReleaseSession", "Interrupt"):
            for body in (b"\xff" * 50, b"\x0a\x05ab", b"\x0a\xff" + os.urandom(200)):
                call = channel.unary_stream(f"/spark.connect.SparkConnectService/{name}")
                with self.assertRaises(grpc.RpcError, msg=name):
                    list(call(body, timeout=10))
        spark = connect(self.server.url)
        self.assertEqual(spark.range(2).count(), 2)
        spark.stop()

    def test_messages_that_are_damaged(self):
        chance = random.Random(7)
        request = execute("SELECT a, sum(b) FROM VALUES (1, 2.5), (3, NULL) AS t(a, b) GROUP BY a")
        plan = request.plan.root.sql
        plan.named_arguments["x"].literal.string = "text"
        projected = execute("")
        projected.plan.root.project.input.range.end = 10
        for name in ("upper", "sum", "array", "nosuch"):
            call = projected.plan.root.project.expressions.add().unresolved_function
            call.function_name = name
            call.arguments.add().unresolved_attribute.unparsed_identifier = "id"
        channel = grpc.insecure_channel(f"127.0.0.1:{self.server.port}")
        for kind in (request, projected):
            whole = kind.SerializeToString()
            for _ in range(300):
                body = bytearray(whole)
                for _ in range(chance.randint(1, 4)):
                    body[chance.randrange(40, len(body))] = chance.randrange(256)
                try:
                    list(channel.unary_stream("/spark.connect.SparkConnectService/ExecutePlan")(bytes(body), timeout=20))
                except grpc.RpcError as error:
                    self.assertNotIn(error.code(), (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED))
        spark = connect(self.server.url)
        self.assertEqual(spark.range(2).count(), 2)
        spark.stop()

    def test_too_large_a_message(self):
        request = execute("SELECT '" + "x" * (129 << 20) + "'")
        with self.assertRaises(grpc.RpcError) as caught:
            list(self.server.stub().ExecutePlan(request))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)

    def test_persist(self):
        spark = connect(self.server.url)
        df = spark.range(1000).selectExpr("id", "rand() AS r")
        before = df.selectExpr("sum(r)").first()
        self.assertNotEqual(df.selectExpr("sum(r)").first(), before)
        self.assertFalse(df.is_cached)
        df.persist()
        self.assertTrue(df.storageLevel.useMemory)
        kept = df.selectExpr("sum(r)").first()
        self.assertEqual(df.selectExpr("sum(r)").first(), kept)
        self.assertEqual(df.filter(df.r >= 0).agg({"r": "sum"}).first()[0], kept[0])
        df.unpersist()
        self.assertFalse(df.storageLevel.useMemory)
        self.assertNotEqual(df.selectExpr("sum(r)").first(), kept)
        spark.stop()

    def test_rows_larger_than_a_message(self):
        spark = connect(self.server.url)
        row = spark.sql("SELECT repeat('x', 100000000) AS a, repeat('y', 50000000) AS b").first()
        self.assertEqual((len(row.a), len(row.b)), (100000000, 50000000))
        spark.stop()

    def test_artifacts_stay_in_their_folder(self):
        def send(name):
            request = proto.AddArtifactsRequest(session_id=str(uuid.uuid4()))
            artifact = request.batch.artifacts.add(name=name)
            artifact.data.data, artifact.data.crc = b"abc", 891568578
            return self.server.stub().AddArtifacts(iter([request]))

        self.assertTrue(send("files/a.txt").artifacts[0].is_crc_successful)
        for name in ("../a", "files/../../a", "/etc/a", "pyfiles", "nosuch/a"):
            with self.subTest(name), self.assertRaises(grpc.RpcError):
                send(name)

    def test_statements_as_scala_sends_them(self):
        request = execute("")
        command = request.plan.command.sql_command
        command.sql = "SELECT :x + 1 AS y"
        command.named_arguments["x"].literal.integer = 41
        stub = self.server.stub()
        relation = [r for r in stub.ExecutePlan(request) if r.HasField("sql_command_result")][0].sql_command_result.relation
        rows = execute("", session=request.session_id)
        rows.plan.root.CopyFrom(relation)
        self.assertEqual(sum(r.arrow_batch.row_count for r in stub.ExecutePlan(rows)), 1)

    def test_values_larger_than_a_message(self):
        """To clients that take no chunks: up to 128 MB; beyond it the client says what was too large, and goes on."""
        stub = self.server.stub()
        request = execute("SELECT repeat('x', 100000000)")
        self.assertEqual(sum(r.arrow_batch.row_count for r in stub.ExecutePlan(request)), 1)
        small = service.SparkConnectServiceStub(grpc.insecure_channel(
            f"127.0.0.1:{self.server.port}", options=[("grpc.max_receive_message_length", 128 << 20)]))
        request = execute("SELECT repeat('x', 140000000)", session=request.session_id)
        with self.assertRaises(grpc.RpcError) as caught:
            list(small.ExecutePlan(request))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertRegex(caught.exception.details(), r"Received message larger than max \(14\d+ vs. 134217728\)")
        request = execute("SELECT 1", session=request.session_id)
        self.assertEqual(sum(r.arrow_batch.row_count for r in small.ExecutePlan(request)), 1)

    def test_global_views_are_the_users(self):
        def create(user):
            return SparkSession.builder.remote(f"{self.server.url}/;user_id={user}").create()

        one, other, stranger = create("ada"), create("ada"), create("eve")
        one.range(3).createOrReplaceTempView("own")
        one.sql("SELECT id + 1 AS n FROM own").createGlobalTempView("shared")
        other.range(9).createOrReplaceTempView("own")
        self.assertEqual([row.n for row in other.sql("SELECT n FROM global_temp.shared ORDER BY n").collect()], [1, 2, 3])
        with self.assertRaisesRegex(Exception, "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS"):
            other.range(1).createGlobalTempView("shared")
        self.assertIn("shared", [table.name for table in other.catalog.listTables("global_temp")])
        self.assertIn("shared", [row.tableName for row in other.sql("SHOW TABLES IN global_temp").collect()])
        with self.assertRaisesRegex(Exception, "TABLE_OR_VIEW_NOT_FOUND"):
            stranger.table("global_temp.shared").collect()
        self.assertNotIn("shared", [table.name for table in stranger.catalog.listTables("global_temp")])
        self.assertFalse(stranger.catalog.dropGlobalTempView("shared"))
        # The view is there after the session that made it, with the rows that it had sent.
        one.createDataFrame([("Ada",), ("Alan",)], ["name"]).createGlobalTempView("people")
        one.stop()
        self.assertEqual(other.table("global_temp.shared").count(), 3)
        self.assertEqual([row.name for row in other.table("global_temp.people").collect()], ["Ada", "Alan"])
        other.sql("CREATE OR REPLACE GLOBAL TEMPORARY VIEW shared AS SELECT 7 AS n")
        self.assertEqual(create("ada").table("global_temp.shared").first().n, 7)
        self.assertTrue(other.catalog.dropGlobalTempView("shared"))
        self.assertFalse(other.catalog.tableExists("global_temp.shared"))
        other.sql("DROP VIEW global_temp.people")

        def change(number):
            session = create("ada")
            for turn in range(20):
                session.range(turn).createOrReplaceGlobalTempView(f"v{turn % 3}")
                session.table(f"global_temp.v{turn % 3}").count()
            session.stop()
            return True

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertTrue(all(pool.map(change, range(8))))

    def test_resource_profiles(self):
        script = ("import os, sys\nfrom pyspark.sql import SparkSession\n"
                  "spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()\n"
                  "from pyspark.resource import ExecutorResourceRequests, ResourceProfileBuilder, TaskResourceRequests\n"
                  "one = ResourceProfileBuilder().require(TaskResourceRequests().cpus(1)).build\n"
                  "other = ResourceProfileBuilder().require(ExecutorResourceRequests().cores(2).memory('1g')).build\n"
                  "print(one.id > 0, other.id > one.id, flush=True)\n"
                  "df = spark.range(3).mapInPandas(lambda rows: rows, 'id long', False, one)\n"
                  "print(df.count(), spark.range(4).mapInArrow(lambda rows: rows, 'id long', False, other).count(), flush=True)\n"
                  "plan = df._plan.plan\n"
                  "def unknown(client):\n    made = plan(client)\n    made.map_partitions.profile_id = 999\n    return made\n"
                  "df._plan.plan = unknown\n"
                  "try:\n    df.collect()\nexcept Exception as error:\n    print(type(error).__name__, error)\n"
                  "sys.stdout.flush()\nos._exit(0)\n")
        path = FOLDER / "profiles.py"
        path.write_text(script)
        server = Server("--python", sys.executable)
        done = subprocess.run([sys.executable, str(path), server.url], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "SPARK_CONNECT_MODE_ENABLED": "1", "SPARK_REMOTE": server.url})
        server.stop()
        self.assertRegex(done.stdout, r"True True\n3 4\nSparkException .*ResourceProfileId 999 not found!", done.stderr[-2000:])

    def test_errors_are_sparks(self):
        done = subprocess.run([sys.executable, str(HERE / "errors.py"), self.server.url], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr[-2000:])

    def test_handles(self):
        stub = self.server.stub()
        with self.assertRaisesRegex(grpc.RpcError, "INVALID_HANDLE.FORMAT"):
            list(stub.ExecutePlan(execute("SELECT 1", session="me")))
        request = execute("SELECT 1")
        self.assertTrue(list(stub.ExecutePlan(request))[-1].HasField("result_complete"))
        with self.assertRaisesRegex(grpc.RpcError, "OPERATION_ALREADY_EXISTS"):
            list(stub.ExecutePlan(request))
        missing = proto.ReattachExecuteRequest(session_id=request.session_id, operation_id=str(uuid.uuid4()),
                                               user_context=request.user_context)
        with self.assertRaisesRegex(grpc.RpcError, "OPERATION_NOT_FOUND"):
            list(stub.ReattachExecute(missing))


class Faults(unittest.TestCase):
    def setUp(self):
        self.server = Server("--grace", "1")

    def tearDown(self):
        self.server.stop()

    def test_cut_connections(self):
        proxy = Proxy(self.server.port, 6 << 20)
        spark = connect(f"sc://127.0.0.1:{proxy.port}")
        table = spark.range(5_000_000).toArrow()
        self.assertEqual(proxy.cuts, 3)
        self.assertEqual(table.column("id").to_pylist()[::1_000_000], [0, 1_000_000, 2_000_000, 3_000_000, 4_000_000])
        self.assertEqual(table.num_rows, 5_000_000)
        proxy.close()

    def test_reattach_gives_the_rest(self):
        stub = self.server.stub()
        request = execute("SELECT id FROM range(1000000)")
        first = []
        stream = stub.ExecutePlan(request)
        for response in stream:
            first.append(response)
            if len(first) == 3:
                break
        stream.cancel()
        reattach = proto.ReattachExecuteRequest(session_id=request.session_id, operation_id=request.operation_id,
                                                user_context=request.user_context, last_response_id=first[-1].response_id)
        rest = list(stub.ReattachExecute(reattach))
        ids = [r.response_id for r in first + rest]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(sum(r.arrow_batch.row_count for r in first + rest), 1_000_000)
        self.assertTrue(rest[-1].HasField("result_complete"))

    def test_client_killed(self):
        script = ("from pyspark.sql import SparkSession; s = SparkSession.builder.remote('" + self.server.url + "').getOrCreate()\n"
                  "print('go', flush=True); s.sql('SELECT count(*) FROM range(30000000000)').collect()")
        client = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        client.stdout.readline()
        time.sleep(1)
        client.kill()
        client.wait()
        client.stdout.close()
        spark = connect(self.server.url)
        self.assertEqual(spark.range(3).count(), 3)

    def test_interrupt(self):
        spark = connect(self.server.url)
        failure = []

        def run():
            spark.addTag("slow")
            try:
                spark.sql("SELECT sum(a.id * b.id) FROM range(1000000) a, range(1000000) b").collect()
            except Exception as error:
                failure.append(str(error))

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(1)
        self.assertEqual(len(spark.interruptTag("slow")), 1)
        thread.join(20)
        self.assertRegex(failure[0], "OPERATION_CANCELED")
        self.assertEqual(spark.range(3).count(), 3)

    def test_out_of_memory(self):
        spark = connect(self.server.url)
        with self.assertRaisesRegex(Exception, "OUT_OF_MEMORY"):
            spark.sql("SELECT length(string_agg(repeat('x', 1000), '')) FROM range(100000000)").collect()
        self.assertEqual(spark.range(3).count(), 3)

    def test_restart(self):
        spark = connect(self.server.url)
        spark.range(7).write.saveAsTable("kept")
        port, folder = self.server.port, self.server.folder
        os.kill(self.server.pid(), signal.SIGKILL)
        self.assertNotEqual(self.server.process.wait(20), 0)
        self.server.stop()
        self.server = Server(port=port, warehouse=folder)
        with self.assertRaisesRegex(Exception, "SESSION_CHANGED"):
            spark.range(1).collect()
        self.assertEqual(connect(self.server.url).table("kept").count(), 7)

    def test_stop_lets_queries_finish(self):
        self.server.stop()
        self.server = Server("--grace", "20")
        stub = self.server.stub()
        stream = stub.ExecutePlan(execute("SELECT count(*) FROM range(3000000000)"))
        next(stream)
        self.server.process.send_signal(signal.SIGTERM)
        self.assertTrue(list(stream)[-1].HasField("result_complete"))
        self.assertEqual(self.server.process.wait(30), 0)


class Security(unittest.TestCase):
    def test_token(self):
        tokens = FOLDER / "tokens"
        tokens.write_text("# who may come in\nada:secret\nopen\n")
        server = Server("--token-file", str(tokens))
        stub = server.stub()
        request = execute("SELECT 1")
        for metadata in ((), (("authorization", "Bearer wrong"),), (("authorization", "secret"),)):
            with self.assertRaises(grpc.RpcError) as caught:
                list(stub.ExecutePlan(request, metadata=metadata))
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
        self.assertTrue(list(stub.ExecutePlan(request, metadata=(("authorization", "Bearer secret"),))))
        # The token's user is not who the client says it is: its session is another.
        release = proto.ReleaseSessionRequest(session_id=request.session_id, user_context=request.user_context)
        theirs = stub.ReleaseSession(release, metadata=(("authorization", "Bearer open"),))
        self.assertEqual(theirs.server_side_session_id, "")
        self.assertEqual(server.stop(), 0)

    def test_other_addresses_want_a_token(self):
        done = subprocess.run([FIRESTEEL, "server", "--address", "0.0.0.0", "--port", "0"], capture_output=True, text=True, timeout=20)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "INVALID_OPTION.*--token")

    def test_port_taken(self):
        server = Server()
        done = subprocess.run([FIRESTEEL, "server", "--port", str(server.port)], capture_output=True, text=True, timeout=20)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "ADDRESS_IN_USE")
        server.stop()

    def test_tls(self):
        key, certificate = FOLDER / "key.pem", FOLDER / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        server = Server("--certificate", str(certificate), "--key", str(key), "--client-certificates", str(certificate))
        root = certificate.read_bytes()
        with self.assertRaises(grpc.RpcError):  # no client certificate
            channel = grpc.secure_channel(f"localhost:{server.port}", grpc.ssl_channel_credentials(root))
            list(service.SparkConnectServiceStub(channel).ExecutePlan(execute("SELECT 1"), timeout=10))
        credentials = grpc.ssl_channel_credentials(root, key.read_bytes(), root)
        channel = grpc.secure_channel(f"localhost:{server.port}", credentials)
        self.assertTrue(list(service.SparkConnectServiceStub(channel).ExecutePlan(execute("SELECT 1"), timeout=10)))
        server.stop()
        done = subprocess.run([FIRESTEEL, "server", "--certificate", str(certificate)], capture_output=True, text=True, timeout=20)
        self.assertRegex(done.stderr, "both a certificate and its key")

    def test_settings_of_the_server_stay(self):
        server = Server()
        spark = connect(server.url)
        for key in ("spark.sql.warehouse.dir", "spark.sql.extensions"):
            with self.subTest(key), self.assertRaisesRegex(Exception, "CANNOT_MODIFY_CONFIG"):
                spark.conf.set(key, "/tmp/elsewhere")
            with self.subTest(key), self.assertRaisesRegex(Exception, "CANNOT_MODIFY_CONFIG"):
                spark.sql(f"SET {key} = /tmp/elsewhere")
        server.stop()


class Streams(unittest.TestCase):
    def test_answers(self):
        server = Server("--python", sys.executable)
        for table in ("streams.py", "sources.py"):
            with self.subTest(table):
                done = subprocess.run([sys.executable, str(HERE / table), server.url], capture_output=True, text=True,
                                      timeout=300)
                self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr[-2000:])
        server.stop()

    def test_a_killed_server_goes_on_where_it_stopped(self):
        folder = tempfile.mkdtemp(dir=FOLDER)

        def start(server, name):
            spark = SparkSession.builder.remote(server.url).create()
            source = spark.readStream.format("rate").option("rowsPerSecond", 200).load()
            query = source.writeStream.option("checkpointLocation", f"{folder}/checkpoint").queryName(name).start(f"{folder}/rows")
            return spark, query

        server = Server()
        start(server, "first")
        deadline = time.time() + 60
        while time.time() < deadline and len(glob.glob(f"{folder}/checkpoint/commits/*")) < 4:
            time.sleep(0.05)
        os.kill(server.pid(), signal.SIGKILL)
        server.process.wait(60)
        server = Server()
        spark, query = start(server, "second")
        query.processAllAvailable()
        query.stop()
        values = [row.value for row in spark.read.parquet(f"{folder}/rows").collect()]
        self.assertGreater(len(values), 200)
        self.assertEqual(sorted(values), list(range(len(values))))
        server.stop()

    def test_functions_of_batches_and_rows(self):
        folder = tempfile.mkdtemp(dir=FOLDER)
        server = Server("--python", sys.executable)
        spark = SparkSession.builder.remote(server.url).create()
        spark.range(10).write.parquet(f"{folder}/in")
        source = spark.readStream.schema("id BIGINT").parquet(f"{folder}/in")

        def batch(rows, number):
            rows.selectExpr("sum(id) AS s", f"{number} AS batch").write.mode("overwrite").parquet(f"{folder}/out")

        source.writeStream.foreachBatch(batch).trigger(availableNow=True).start().awaitTermination(60)
        self.assertEqual([tuple(row) for row in spark.read.parquet(f"{folder}/out").collect()], [(45, 0)])

        def row(value):
            with open(f"{folder}/rows", "a") as out:
                out.write(f"{value.id}\n")

        source.writeStream.foreach(row).trigger(availableNow=True).start().awaitTermination(60)
        self.assertEqual(sorted(pathlib.Path(f"{folder}/rows").read_text().split()), sorted(str(i) for i in range(10)))

        def fails(rows, number):
            raise ValueError("not this one")

        query = source.writeStream.foreachBatch(fails).trigger(availableNow=True).start()
        with self.assertRaisesRegex(Exception, "FOREACH_BATCH_USER_FUNCTION_ERROR(.|\n)*not this one"):
            query.awaitTermination(60)

        def waits(rows, number):
            time.sleep(60)

        source.writeStream.foreachBatch(waits).trigger(availableNow=True).start()
        workers = subprocess.run(["pgrep", "-P", str(server.pid())], capture_output=True, text=True).stdout.split()
        self.assertTrue(workers)
        os.kill(server.pid(), signal.SIGKILL)  # its workers end with it, whatever they are at
        server.stop()
        for _ in range(100):
            left = [worker for worker in workers if pathlib.Path(f"/proc/{worker}").exists()]
            if not left:
                break
            time.sleep(0.1)
        self.assertEqual(left, [])

    def test_listeners_hear_of_batches_and_the_end(self):
        from pyspark.sql.streaming import StreamingQueryListener
        heard = []

        class Listener(StreamingQueryListener):
            def onQueryStarted(self, event):
                heard.append(("started", event.name))

            def onQueryProgress(self, event):
                heard.append(("progress", event.progress.numInputRows >= 0))

            def onQueryIdle(self, event):
                pass

            def onQueryTerminated(self, event):
                heard.append(("terminated", event.exception))

        server = Server()
        spark = SparkSession.builder.remote(server.url).create()
        listener = Listener()
        spark.streams.addListener(listener)
        query = spark.readStream.format("rate").load().writeStream.format("noop").queryName("listened").start()
        time.sleep(2.5)
        query.stop()
        spark.streams.removeListener(listener)
        self.assertEqual(heard[0], ("started", "listened"))
        self.assertIn(("progress", True), heard)
        self.assertEqual(heard[-1], ("terminated", None))
        server.stop()


class Documentation(unittest.TestCase):
    def test_examples(self):
        """PySpark's own examples print what its documentation says."""
        server = Server("--python", sys.executable)
        modules = ["functions.builtin", "column", "dataframe", "readwriter", "window", "group", "session", "catalog", "conf", "tvf"]
        done = subprocess.run([sys.executable, str(HERE / "doctests.py"), server.url, "--known", str(HERE / "known_failures.txt"),
                               "--modules", *modules], capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        server.stop()


class Script(unittest.TestCase):
    def test_pyspark(self):
        script = FOLDER / "script.py"
        script.write_text("import sys\nfrom pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n"
                          "print(sys.argv[1:], spark.range(4).count())\nsys.exit(3)\n")
        done = subprocess.run([FIRESTEEL, "pyspark", "--python", sys.executable, str(script), "--day", "1"], capture_output=True,
                              text=True, timeout=60, cwd=FOLDER)
        self.assertEqual(done.stdout, "['--day', '1'] 4\n", done.stderr)
        self.assertEqual(done.returncode, 3)
        done = subprocess.run([FIRESTEEL, "pyspark", "--python", "/nosuch/python", str(script)], capture_output=True, text=True, timeout=60)
        self.assertRegex(done.stderr, "PYTHON_NOT_FOUND")


if __name__ == "__main__":
    FIRESTEEL = os.path.abspath(sys.argv[1])
    FOLDER = pathlib.Path(sys.argv[2]).absolute()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    program = unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2, warnings="ignore", exit=False)
    sys.stderr.flush()
    os._exit(not program.result.wasSuccessful())  # a client's listener thread would wait for its server
