"""Many small queries of many kinds from several clients at once: does the server's memory stay where it is?

usage: PYTHON soak.py FIRESTEEL FOLDER [--queries N] [--clients N] [--growth MB].  PYTHON has pyspark-client.
Prints the queries that were answered and the server's resident memory as it goes. Fails when the memory grows by more than
the bound once a tenth of the queries is done, or when a query's answer is not the one it should be.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time
import uuid

import grpc
import pyarrow as pa
import pyspark.sql.connect.proto as proto
import pyspark.sql.connect.proto.base_pb2_grpc as service
from google.rpc import error_details_pb2
from grpc_status import rpc_status

QUERIES_PER_SESSION = 200
REPORT_EVERY = 100


class Client:
    """Calls as PySpark makes them, without PySpark's own cost."""

    def __init__(self, port):
        self.stub = service.SparkConnectServiceStub(grpc.insecure_channel(f"127.0.0.1:{port}"))
        self.number = 0
        self.open()

    def open(self):
        self.session = str(uuid.uuid4())

    def release(self):
        self.stub.ReleaseSession(self.request(proto.ReleaseSessionRequest))

    def request(self, kind, **fields):
        request = kind(session_id=self.session, **fields)
        request.user_context.user_id = "soak"
        return request

    def execute(self, fill):
        """A reattachable operation, released at the end; the rows that came."""
        request = self.request(proto.ExecutePlanRequest, operation_id=str(uuid.uuid4()))
        request.request_options.add().reattach_options.reattachable = True
        fill(request.plan)
        responses = list(self.stub.ExecutePlan(request))
        self.stub.ReleaseExecute(self.request(proto.ReleaseExecuteRequest, operation_id=request.operation_id,
                                              release_all=proto.ReleaseExecuteRequest.ReleaseAll()))
        return responses

    def rows(self, fill):
        return sum(each.arrow_batch.row_count for each in self.execute(fill))

    def sql(self, text):
        def fill(plan):
            plan.root.sql.query = text
        return fill

    def command(self, text):
        def fill(plan):
            plan.command.sql_command.input.sql.query = text
        return fill

    # The kinds of calls. Each has texts and rows of its own, so that nothing is the same twice.

    def range(self):
        def fill(plan):
            plan.root.range.end, plan.root.range.step = 1 + self.number % 7, 1
        assert self.rows(fill) == 1 + self.number % 7

    def query(self):
        assert self.rows(self.sql(f"SELECT count(*), sum(id * {self.number}) FROM range(100)")) == 1

    def local_rows(self):
        table = pa.table({"a": [self.number, self.number + 1], "b": ["x", f"y{self.number}"]})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)

        def fill(plan):
            plan.root.local_relation.data = sink.getvalue().to_pybytes()
        assert self.rows(fill) == 2

    def config(self):
        request = self.request(proto.ConfigRequest)
        request.operation.get.keys.extend(["spark.sql.session.timeZone", "spark.sql.ansi.enabled"])
        assert len(self.stub.Config(request).pairs) == 2
        request = self.request(proto.ConfigRequest)
        request.operation.set.pairs.add(key="spark.soak.key", value=str(self.number))
        self.stub.Config(request)

    def analyze(self):
        request = self.request(proto.AnalyzePlanRequest)
        request.schema.plan.root.sql.query = f"SELECT {self.number} AS a, 'x' AS b"
        assert len(self.stub.AnalyzePlan(request).schema.schema.struct.fields) == 2

    def failure(self, text, condition):
        try:
            self.rows(self.sql(text))
        except grpc.RpcError as error:
            info = error_details_pb2.ErrorInfo()
            rpc_status.from_call(error).details[0].Unpack(info)
            assert info.metadata["errorClass"] == condition, info
            details = self.stub.FetchErrorDetails(self.request(proto.FetchErrorDetailsRequest, error_id=info.metadata["errorId"]))
            assert details.errors[0].spark_throwable.error_class == condition
        else:
            raise AssertionError("no error: " + text)

    def not_analyzed(self):
        self.failure(f"SELECT nosuch{self.number} FROM range(3)", "UNRESOLVED_COLUMN.WITH_SUGGESTION")

    def fails_as_it_runs(self):
        self.failure(f"SELECT {self.number} / (id - 1) FROM range(3)", "DIVIDE_BY_ZERO")

    def view(self):
        self.execute(self.command(f"CREATE OR REPLACE TEMPORARY VIEW v AS SELECT {self.number} AS a"))
        assert self.rows(self.sql("SELECT * FROM v")) == 1

    def checkpoint(self):
        def make(plan):
            plan.command.checkpoint_command.relation.range.end = 5
            plan.command.checkpoint_command.relation.range.step = 1
            plan.command.checkpoint_command.local = True
        made = next(each for each in self.execute(make) if each.HasField("checkpoint_command_result"))

        def forget(plan):
            plan.command.remove_cached_remote_relation_command.relation.CopyFrom(made.checkpoint_command_result.relation)
        self.execute(forget)

    def statement(self):
        assert self.execute(self.command("SHOW TABLES"))

    def run(self, queries, first):
        kinds = [self.range, self.query, self.local_rows, self.config, self.analyze, self.not_analyzed, self.range,
                 self.fails_as_it_runs, self.view, self.checkpoint, self.statement, self.query]
        for done in range(1, queries + 1):
            self.number = first + done
            kinds[done % len(kinds)]()
            if done % QUERIES_PER_SESSION == 0:
                self.release()
                self.open()
            if done % REPORT_EVERY == 0:
                print(REPORT_EVERY, flush=True)
        self.release()


def resident_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def soak(options):
    folder = pathlib.Path(options.folder).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with open(folder / "server.log", "w") as log:
        server = subprocess.Popen([options.firesteel, "--memory", "1GB", "--threads", "2", "--warehouse", str(folder / "warehouse"),
                                   "server", "--port", "0"], stdout=subprocess.PIPE, stderr=log, text=True)
    clients = []
    try:
        port = re.search(r"sc://[\w.]+:(\d+)", server.stdout.readline()).group(1)
        each = options.queries // options.clients
        for number in range(options.clients):
            clients.append(subprocess.Popen([sys.executable, __file__, "client", port, str(each), str(number * each)],
                                            stdout=subprocess.PIPE, text=True))
        answered = [0] * options.clients

        def count(number):
            for line in clients[number].stdout:
                answered[number] += int(line)

        readers = [threading.Thread(target=count, args=[number]) for number in range(options.clients)]
        for reader in readers:
            reader.start()
        begin, warm, shown, most = time.time(), None, -1, 0.0
        print(f"{'queries':>10} {'seconds':>8} {'memory':>8}", flush=True)
        while True:
            alive = any(reader.is_alive() for reader in readers)
            done, memory = sum(answered), resident_mb(server.pid)
            if warm is None and done >= each * options.clients // 10:
                warm = memory
            if warm is not None:
                most = max(most, memory)
            if done * 20 // options.queries != shown or not alive:
                shown = done * 20 // options.queries
                print(f"{done:>10} {time.time() - begin:>8.0f} {memory:>5.0f} MB", flush=True)
            if not alive:
                break
            time.sleep(0.2)
        for reader in readers:
            reader.join()
        if any(client.wait() for client in clients):
            return "a client failed"
        if server.poll() is not None:
            return f"the server ended with {server.returncode}"
        grown = resident_mb(server.pid) - warm
        print(f"grown by {grown:.0f} MB since a tenth of the queries, at most by {most - warm:.0f} MB")
        return f"the server's memory grew by more than {options.growth} MB" if grown > options.growth else None
    finally:
        for process in [*clients, server]:
            if process.poll() is None:
                process.terminate()
                process.wait(30)
            process.stdout.close()


if __name__ == "__main__":
    if sys.argv[1] == "client":
        Client(sys.argv[2]).run(int(sys.argv[3]), int(sys.argv[4]))
        os._exit(0)
    parser = argparse.ArgumentParser()
    parser.add_argument("firesteel")
    parser.add_argument("folder")
    parser.add_argument("--queries", type=int, default=6000)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--growth", type=int, default=24, help="MB that the server may grow by")
    sys.exit(soak(parser.parse_args()))
