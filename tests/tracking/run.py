"""Runs pipelines with real peers: TensorBoard reads the event files, a real `mlflow server` takes the records.

usage: run.py PROGRAM [unittest arguments], with a Python that has packages/requirements-tracking.txt
(tools/setup.sh tracking makes .deps/tracking).
"""
import datetime
import http.server
import json
import math
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

PROGRAM = ""
TIMEOUT_S = 120

DATA_SQL = """
SELECT id, CAST(hash(id) % 1000 AS DOUBLE) / 1000 AS x1, CAST(hash(id, 1) % 1000 AS DOUBLE) / 1000 AS x2,
       CAST(CAST(hash(id) % 1000 + hash(id, 1) % 1000 + hash(id, 3) % 400 AS DOUBLE) > 0 AS INT) AS late
FROM range(4000)"""

PIPELINE = """[source.raw]
path = "d.parquet"
[features]
label = "late"
numeric = ["x1", "x2"]
[model]
hidden = [8]
[train]
epochs = {epochs}
batch_size = 512
seed = 1
[output]
path = "model"
[track]
{track}
"""

# Only addresses of this machine are asked, whatever the environment's proxy.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Mlflow:
    """A real server on a free port with its database in a folder; started, stopped and started again."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, free_port(), None
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self):
        home = self.folder / "mlflow"
        home.mkdir(exist_ok=True)
        program = pathlib.Path(sys.executable).parent / "mlflow"
        with open(home / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, program, "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1",
                 "--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--default-artifact-root", str(home / "artifacts")],
                env={**os.environ, "HOME": str(home), "TMPDIR": str(home), "PATH": f"{program.parent}:{os.environ['PATH']}"},
                cwd=home, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                OPENER.open(f"{self.address}/health", timeout=5).read()
                return
            except OSError:
                time.sleep(0.2)
        raise AssertionError("mlflow server does not start:\n" + (home / "server.log").read_text()[-2000:])

    def stop(self):
        if self.process is None:
            return
        os.killpg(self.process.pid, signal.SIGKILL)  # the session that was made for it: it and its workers
        self.process.wait(TIMEOUT_S)
        self.process = None

    def ask(self, path, body=None, **query):
        request = urllib.request.Request(
            f"{self.address}/api/2.0/mlflow/{path}" + ("?" + urllib.parse.urlencode(query) if query else ""),
            data=None if body is None else json.dumps(body).encode(), headers={"Content-Type": "application/json"})
        with OPENER.open(request, timeout=30) as answer:
            return json.load(answer)

    def runs(self, experiment):
        number = self.ask("experiments/get-by-name", experiment_name=experiment)["experiment"]["experiment_id"]
        return self.ask("runs/search", {"experiment_ids": [number]}).get("runs", [])

    def history(self, run, metric):
        found, page = [], {}
        while True:
            answer = self.ask("metrics/get-history", run_id=run["info"]["run_id"], metric_key=metric, max_results=5000, **page)
            found += [(m["step"], m["value"]) for m in answer.get("metrics", [])]
            page = {"page_token": answer.get("next_page_token")}
            if not page["page_token"]:
                return sorted(found)


def scalars(folder):
    """Every scalar of an event folder by TensorBoard's own reader: tag -> [(step, value)]."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    reader = EventAccumulator(str(folder))
    reader.Reload()
    return {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}


class Tracking(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="firesteel-tracking-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        cls.mlflow = Mlflow(cls.shared)
        cls.addClassCleanup(cls.mlflow.stop)
        subprocess.run([PROGRAM, "sql", DATA_SQL, "--format", "parquet", "-o", cls.shared / "d.parquet"], check=True, timeout=TIMEOUT_S)
        cls.mlflow.start()

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="firesteel-tracking-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        shutil.copy(self.shared / "d.parquet", self.folder)

    def write(self, track, epochs=3):
        (self.folder / "p.toml").write_text(PIPELINE.format(track=track, epochs=epochs))

    def start(self, *arguments, **env):
        return subprocess.Popen([PROGRAM, "run", "p.toml", *arguments], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env={**os.environ, **env})

    def run_program(self, *arguments, code=0, **env):
        process = self.start(*arguments, **env)
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        self.assertEqual(process.returncode, code, err)
        return err

    def when_epoch(self, number, action):
        """Runs until an epoch's record is in the log, does something, and returns standard error at the end."""
        process = self.start()
        self.addCleanup(process.kill)
        log = self.folder / "model.work/log.jsonl"
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline and process.poll() is None:
            if log.exists() and f'"epoch":{number},' in log.read_text():
                break
            time.sleep(0.01)
        self.assertIsNone(process.poll(), "the run ended too soon")
        action(process)
        out, err = process.communicate(timeout=TIMEOUT_S)
        return process.returncode, err

    def events(self, kind, path="model/log.jsonl"):
        lines = [json.loads(line) for line in (self.folder / path).read_text().splitlines()]
        return [line for line in lines if line["event"] == kind]

    def test_all_three_agree(self):
        self.write(f'log = "runs.jsonl"\ntensorboard = "board"\nmlflow = "{self.mlflow.address}"\nexperiment = "all"\nrun = "first"\nrequired = true')
        self.assertNotIn("warning", self.run_program())
        epochs = self.events("epoch")
        self.assertEqual(self.events("epoch", "runs.jsonl"), [{**row, "time": other["time"]} for row, other in zip(epochs, self.events("epoch", "runs.jsonl"))])
        self.assertEqual([row["epoch"] for row in epochs], [1, 2, 3])
        test = self.events("end")[0]["test"]["mlp"]
        expected = {f"test/{name}": [(self.events("end")[0]["epoch"], value)] for name, value in test.items()}
        for tag, key in (("train/loss", "loss"), ("train/learning_rate", "learning_rate"), ("train/rows_per_second", "rows_per_second"),
                         ("train/waited_share", "waited_share"), ("validation/loss", "validation_loss"), ("validation/log_loss", "validation")):
            expected[tag] = [(row["epoch"], row[key]) for row in epochs]

        shown = scalars(self.folder / "board/first")
        self.assertEqual(set(shown), set(expected))
        for tag, values in expected.items():
            self.assertEqual([step for step, _ in shown[tag]], [step for step, _ in values], tag)
            for (_, found), (_, value) in zip(shown[tag], values):
                self.assertTrue(math.isclose(found, value, rel_tol=1e-6, abs_tol=1e-7), (tag, found, value))  # float32

        run, = self.mlflow.runs("all")
        self.assertEqual((run["info"]["run_name"], run["info"]["status"]), ("first", "FINISHED"))
        for tag, values in expected.items():
            self.assertEqual(self.mlflow.history(run, tag), values, tag)
        parameters = {p["key"]: p["value"] for p in run["data"]["params"]}
        self.assertEqual({key: parameters[key] for key in ("train.epochs", "train.learning_rate", "model.kind", "model.hidden", "features.numeric")},
                         {"train.epochs": "3", "train.learning_rate": "0.001", "model.kind": "mlp", "model.hidden": "8", "features.numeric": "x1, x2"})
        self.assertEqual(parameters["rows.training"], str(json.loads((self.folder / "model/metrics.json").read_text())["rows"]["training rows"]))

    def test_next_run_has_a_place_of_its_own(self):
        self.write('tensorboard = "board"\nrun = "same"')
        self.run_program()
        self.run_program()
        for name in ("same", "same-2"):
            self.assertEqual([step for step, _ in scalars(self.folder / "board" / name)["train/loss"]], [1, 2, 3])

    def test_resumed_run_goes_on_in_the_same_places(self):
        (self.folder / "board/again").mkdir(parents=True)
        self.write(f'tensorboard = "board"\nmlflow = "{self.mlflow.address}"\nexperiment = "resumed"\nrun = "again"', epochs=200)
        code, err = self.when_epoch(3, lambda process: process.send_signal(signal.SIGINT))
        self.assertEqual(code, 130, err)
        run, = self.mlflow.runs("resumed")
        self.assertEqual(run["info"]["status"], "KILLED")
        self.run_program("--resume")
        run, = self.mlflow.runs("resumed")
        self.assertEqual(run["info"]["status"], "FINISHED")
        steps = list(range(1, 201))
        self.assertEqual([step for step, _ in self.mlflow.history(run, "train/loss")], steps)
        self.assertEqual(sorted(os.listdir(self.folder / "board")), ["again", "again-2"])
        self.assertEqual(len(os.listdir(self.folder / "board/again-2")), 2)
        self.assertEqual([step for step, _ in scalars(self.folder / "board/again-2")["train/loss"]], steps)
        self.assertEqual([row["epoch"] for row in self.events("epoch")], steps)
        self.assertEqual([row["resumed"] for row in self.events("start")], [False, True])

    def test_server_that_dies_costs_a_warning(self):
        dying = Mlflow(self.folder)
        self.addCleanup(dying.stop)
        dying.start()
        self.write(f'mlflow = "{dying.address}"', epochs=300)
        code, err = self.when_epoch(2, lambda process: dying.stop())
        self.assertEqual(code, 0, err)
        self.assertEqual(len([line for line in err.splitlines() if line.startswith("warning: ") and "sent again" in line]), 1, err)
        last = err.strip().splitlines()[-1]
        self.assertIn(dying.address, last)
        self.assertRegex(last, r"\d+ records were not sent")
        self.assertEqual(len(self.events("epoch")), 300)

    def test_server_that_comes_back_gets_all(self):
        late = Mlflow(self.folder)
        self.addCleanup(late.stop)
        self.write(f'mlflow = "{late.address}"', epochs=20_000)
        # Stopped in mid-epoch until the server is there, so that it does not depend on how fast this machine is.
        def meanwhile(process):
            process.send_signal(signal.SIGSTOP)
            late.start()
            process.send_signal(signal.SIGCONT)
            time.sleep(2)
            process.send_signal(signal.SIGINT)
        code, err = self.when_epoch(2, meanwhile)
        self.assertEqual(code, 130, err)
        self.assertIn("has the records now", err)
        run, = late.runs("firesteel")
        log = self.events("epoch", "model.work/log.jsonl")
        self.assertEqual(late.history(run, "train/loss"), [(row["epoch"], row["loss"]) for row in log])

    def test_absent_server(self):
        address = f"http://127.0.0.1:{free_port()}"
        self.write(f'mlflow = "{address}"')
        err = self.run_program()
        self.assertIn(f"MLflow at {address}", err)
        self.assertIn("5 records were not sent", err)  # start, three epochs, end
        self.assertIn("records were not sent", self.run_program("-q"))
        shutil.rmtree(self.folder / "model")
        self.write(f'mlflow = "{address}"\nrequired = true')
        err = self.run_program(code=1)
        self.assertTrue(err.startswith("[INVALID_OPTION] MLflow at " + address), err)
        self.assertFalse((self.folder / "model.work").exists())

    def test_server_that_does_not_answer(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(16)
            self.write(f'mlflow = "http://127.0.0.1:{silent.getsockname()[1]}"')
            started = time.monotonic()
            self.assertIn("records were not sent", self.run_program())
            self.assertLess(time.monotonic() - started, 60)
            trained = sum(row["seconds"] for row in self.events("epoch"))
            self.assertLess(trained, 4)

    def test_settings_that_are_refused_keep_no_record_back(self):
        calls = []

        class Picky(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                calls.append((self.path.rsplit("mlflow/")[-1].split("?")[0], body))
                refused = "params" in body
                text = json.dumps({"message": "too many"} if refused else {"experiment": {"experiment_id": "1"}, "run": {"info": {"run_id": "r"}}})
                self.send_response(400 if refused else 200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Picky) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.write(f'mlflow = "http://127.0.0.1:{server.server_port}"')
            warnings = [line for line in self.run_program().splitlines() if line.startswith("warning")]
            server.shutdown()
        self.assertEqual(len(warnings), 1, warnings)
        self.assertIn("refuses the settings: too many", warnings[0])
        sent = [metric["step"] for path, body in calls if "metrics" in body for metric in json.loads(body)["metrics"] if metric["key"] == "train/loss"]
        self.assertEqual(sent, [1, 2, 3])
        self.assertEqual(calls[-1][0], "runs/update")
        self.assertEqual(json.loads(calls[-1][1])["status"], "FINISHED")

    def test_token_and_path_of_the_address(self):
        asked = []

        def serve(listener):
            listener.settimeout(TIMEOUT_S)
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                asked.append(connection.recv(65536).decode())
                body = b'{"message": "no entrance"}'
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body))

        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(16)
            thread = threading.Thread(target=serve, args=(listener,), daemon=True)
            thread.start()
            self.write(f'mlflow = "http://127.0.0.1:{listener.getsockname()[1]}/proxy/"\nrequired = true\nexperiment = "a b"')
            self.assertIn("no entrance (HTTP 403)", self.run_program(code=1, MLFLOW_TRACKING_TOKEN="secret"))
            thread.join(TIMEOUT_S)
        self.assertRegex(asked[0], r"^GET /proxy/api/2.0/mlflow/experiments/get-by-name\?experiment_name=a(%20|\+)b ")
        self.assertIn("Authorization: Bearer secret", asked[0])

    def test_answers_that_are_not_mlflow(self):
        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"<html>")

            def log_message(self, *_):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.write(f'mlflow = "http://127.0.0.1:{server.server_port}"\nrequired = true')
            self.assertIn("not that of an MLflow server", self.run_program(code=1))
            server.shutdown()

    def test_https(self):
        """A certificate is verified against those of the system, or of SSL_CERT_FILE."""
        class Experiments(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(403)
                self.end_headers()
                self.wfile.write(b'{"message": "seen over TLS"}')

            def log_message(self, *_):
                pass

        self_signed(self.folder / "key.pem", self.folder / "certificate.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "certificate.pem", self.folder / "key.pem")
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Experiments) as server:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            server.handle_error = lambda *_: None  # of the handshake that is broken off
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.write(f'mlflow = "https://localhost:{server.server_port}"\nrequired = true')
            self.assertIn("its certificate cannot be verified", self.run_program(code=1))
            self.assertIn("seen over TLS (HTTP 403)", self.run_program(code=1, SSL_CERT_FILE=str(self.folder / "certificate.pem")))
            server.shutdown()


def self_signed(key_file, certificate_file):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=1))
                   .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
                   .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256()))
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else a background job's programs ignore it
    os.environ["GOMP_SPINCOUNT"] = "0"
    unittest.main()
