"""Drives the firesteel program as a user does: good runs, every kind of mistake, kills, a full disk.

usage: run.py PROGRAM [unittest arguments].  Each test has a folder of its own; a refused command must
name what is wrong and leave nothing half-written.
"""
import contextlib
import csv
import datetime
import fcntl
import io
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
import zipfile
import zlib

PROGRAM = ""
SHARED = None  # a folder of inputs made once: d.parquet, big.parquet, d.csv and a trained model
TIMEOUT_S = 60

DATA_SQL = """
SELECT id, CAST(hash(id) % 1000 AS DOUBLE) / 1000 AS x1, CAST(hash(id, 1) % 1000 AS DOUBLE) / 1000 AS x2,
       concat('c', CAST(pmod(hash(id, 2), 5) AS STRING)) AS kind,
       CAST(CAST(hash(id) % 1000 + hash(id, 1) % 1000 + hash(id, 3) % 400 AS DOUBLE) > 0 AS INT) AS late
FROM range({rows})"""

PIPELINE = """[source.raw]
path = "{data}"
{source}
[[step]]
name = "examples"
sql = '''
{sql}'''

[split]
{split}
[features]
label = "late"
numeric = [{numeric}]
categorical = ["kind"]
{features}
[model]
hidden = [16]
{model}
[train]
epochs = {epochs}
batch_size = {batch_size}
learning_rate = 0.01
seed = 1
{train}
[output]
path = "model"
"""


def start(arguments, env=None, **settings):
    """Starts the program; waits while a new build replaces it."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return subprocess.Popen([PROGRAM, *map(str, arguments)], env={**os.environ, **(env or {})}, **settings)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def finish(process, given=None):
    """Standard output and standard error of a process, which is ended when it takes too long."""
    try:
        return process.communicate(given, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise


class Result:
    def __init__(self, code, out, err):
        self.code, self.bytes, self.err = code, out, err.decode(errors="replace")

    @property
    def out(self):
        return self.bytes.decode(errors="replace")


def call(arguments, folder, env=None, given=b"", stdout=subprocess.PIPE):
    process = start(arguments, env, cwd=folder, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE)
    out, err = finish(process, given)
    return Result(process.returncode, out or b"", err)


def make_shared():
    global SHARED
    SHARED = pathlib.Path(tempfile.mkdtemp(prefix="firesteel-cli-"))
    for name, rows, form in (("d.parquet", 20_000, "parquet"), ("big.parquet", 100_000, "parquet"), ("d.csv", 4_000, "csv")):
        made = call(["sql", DATA_SQL.format(rows=rows), "--format", form, "-o", SHARED / name], SHARED)
        if made.code != 0:
            raise SystemExit(f"the data of the tests cannot be made: {made.err}")
    (SHARED / "p.toml").write_text(pipeline_text())
    made = call(["run", "-q", "p.toml"], SHARED)
    if made.code != 0:
        raise SystemExit(f"the model of the tests cannot be made: {made.err}")


def pipeline_text(**changes):
    values = {"data": SHARED / "d.parquet", "source": "", "sql": "SELECT * FROM raw", "split": "", "numeric": '"x1", "x2"',
              "features": "", "model": "", "epochs": 2, "batch_size": 1024, "train": ""}
    values.update(changes)
    return PIPELINE.format(**values)


def tensor(file, name):
    """The bytes of a tensor in a safetensors file."""
    content = file.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    begin, end = json.loads(content[8:header])[name]["data_offsets"]
    return content[header + begin:header + end]


def png(shape, number):
    """A grey picture of 40 x 36 pixels: lines across or stripes down, at a place that the number says."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    def pixel(x, y):
        return 40 + (number * 3) % 90 if ((y if shape == "lines" else x) + number) % 8 < 4 else 200

    rows = b"".join(b"\0" + bytes(pixel(x, y) for x in range(40)) for y in range(36))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 36, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Case(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="firesteel-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.temp = self.folder / "temp"
        self.temp.mkdir()
        self.env = {"TMPDIR": str(self.temp), "HOME": str(self.folder)}

    def call(self, *arguments, **settings):
        return call(arguments, self.folder, self.env, **settings)

    def good(self, *arguments, **settings):
        result = self.call(*arguments, **settings)
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(list(self.temp.iterdir()), [], "left in the temporary folder")
        return result

    def sql_rows(self, text):
        return list(csv.DictReader(io.StringIO(self.good("sql", "--format", "csv", text).out)))

    def files(self, folder=None):
        folder = folder or self.folder
        return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))

    def refused(self, condition, *names, call, code=1, **settings):
        """The command fails with the class and the names in its message, and leaves no file behind."""
        before = self.files()
        result = self.call(*call, **settings)
        self.assertEqual(result.code, code, f"{result.out}\n{result.err}")
        self.assertRegex(result.err, rf"(?m)^\[{condition}")
        for name in names:
            self.assertIn(str(name), result.err)
        self.assertNotIn("INTERNAL_ERROR", result.err)
        self.assertEqual([f for f in self.files() if f not in before], [], f"half-written by {call}: {result.err}")
        return result

    def write(self, name="p.toml", **changes):
        path = self.folder / name
        path.write_text(pipeline_text(**changes))
        return path

    def line_of(self, path, text):
        return 1 + next(i for i, line in enumerate(path.read_text().split("\n")) if text in line)

    def metrics(self, folder):
        found = json.loads((folder / "metrics.json").read_text())
        for row in found["history"]:
            del row["seconds"]
        return found


class Catalog(Case):
    """Databases, tables, views and functions, which outlive the program and a kill of it."""

    def sql(self, text, **settings):
        return self.good("sql", "--format", "csv", text, **settings).out

    def test_outlives_the_program(self):
        self.sql("CREATE DATABASE shop; CREATE TABLE shop.t (a INT, p STRING) USING parquet PARTITIONED BY (p); "
                 "INSERT INTO shop.t VALUES (1, 'x'), (2, 'y'); CREATE VIEW shop.v AS SELECT sum(a) AS s FROM shop.t; "
                 "CREATE FUNCTION shop.twice(n INT) RETURNS INT RETURN n * 2")
        self.assertEqual(self.sql("SELECT s, shop.twice(CAST(s AS INT)) AS t FROM shop.v"), "s,t\n3,6\n")
        self.assertEqual(self.sql("SHOW PARTITIONS shop.t"), "partition\np=x\np=y\n")
        self.sql("UPDATE shop.t SET a = 10 WHERE p = 'x'; DELETE FROM shop.t WHERE a = 2")
        self.assertEqual(self.sql("SELECT * FROM shop.t"), "a,p\n10,x\n")
        self.assertTrue((self.folder / "spark-warehouse/shop.db/t/p=x").is_dir())
        self.refused("SCHEMA_NOT_EMPTY", call=["sql", "DROP DATABASE shop"])
        self.sql("DROP DATABASE shop CASCADE")
        self.assertFalse((self.folder / "spark-warehouse/shop.db").exists())

    def test_another_warehouse(self):
        self.good("--warehouse", "w", "sql", "CREATE TABLE t USING parquet AS SELECT 1 AS a")
        self.assertTrue((self.folder / "w/t/_SUCCESS").exists())
        self.refused("TABLE_OR_VIEW_NOT_FOUND", "`t`", call=["sql", "SELECT * FROM t"])
        self.assertIn("1", self.good("--warehouse", "w", "sql", "SELECT a FROM t").out)
        self.refused("INVALID_OPTION", "key=value", call=["--conf", "oops", "sql", "SELECT 1"])

    def test_killed_while_writing(self):
        self.sql("CREATE TABLE t USING parquet AS SELECT id FROM range(1000)")
        for after in (0.05, 0.1, 0.2, 0.3, 0.4):
            run = start(["sql", "INSERT INTO t SELECT id FROM range(3000000); INSERT OVERWRITE t SELECT id FROM range(1000)"],
                        self.env, cwd=self.folder, stderr=subprocess.DEVNULL)
            time.sleep(after)
            run.kill()
            run.wait()
            for entry in self.temp.iterdir():  # a killed program cannot clean up
                shutil.rmtree(entry, ignore_errors=True)
            count = int(self.sql("SELECT count(*) AS n FROM t").split()[1])
            self.assertIn((count - 1000) % 3000000, (0,), f"killed after {after} s: {count} rows")
        self.sql("INSERT OVERWRITE t SELECT 1L; ")
        self.assertEqual(self.sql("SELECT * FROM t"), "id\n1\n")

    def test_refusals(self):
        self.sql("CREATE TABLE t (a INT) USING parquet")
        self.refused("TABLE_OR_VIEW_ALREADY_EXISTS", "`t`", call=["sql", "CREATE TABLE t (a INT)"])
        self.refused("INCOMPATIBLE_DATA_FOR_TABLE", "`a`", call=["sql", "INSERT INTO t VALUES ('x')"])
        self.refused("INSERT_COLUMN_ARITY_MISMATCH", call=["sql", "INSERT INTO t VALUES (1, 2)"])
        self.refused("SCHEMA_NOT_FOUND", "`nowhere`", call=["sql", "USE nowhere"])
        self.refused("DATA_SOURCE_NOT_FOUND", "delta", call=["sql", "CREATE TABLE u (a INT) USING delta"])
        (self.folder / "spark-warehouse/.firesteel/default/table/t.json").write_text("{")
        self.refused("CATALOG_DAMAGED", "t.json", call=["sql", "SELECT * FROM t"])

    def test_the_list_of_functions(self):
        page = (pathlib.Path(__file__).parents[2] / "docs/functions.md").read_text()
        self.assertEqual(self.good("functions", "--markdown").out, page, "run `make docs`")

    def test_every_statement_of_the_documentation(self):
        page = (pathlib.Path(__file__).parents[2] / "docs/sql.md").read_text()
        (self.folder / "page.sql").write_text("\n".join(re.findall(r"(?s)```sql\n(.*?)```", page)))
        self.good("sql", "-f", "page.sql")

    def test_scripts_and_several_statements(self):
        script = self.folder / "s.sql"
        script.write_text("CREATE TEMP VIEW v AS SELECT ';' AS s; -- a; comment\n"
                          "BEGIN DECLARE n INT DEFAULT 0; WHILE n < 3 DO SET n = n + 1; END WHILE; "
                          "SELECT n, CASE WHEN n > 2 THEN s ELSE 'no' END AS s FROM v; END; SELECT 2 AS two")
        self.assertEqual(self.good("sql", "--format", "csv", "-f", script).out, "n,s\n3,;\ntwo\n2\n")


class Spilling(Case):
    """Ten times more data than memory."""

    ROWS = "SELECT id, hash(id) AS h, repeat(CAST(id AS STRING), 24) AS s FROM range(4000000)"  # 800 MB
    QUERIES = {
        "sort": f"SELECT count(*), max(s) FROM (SELECT * FROM ({ROWS}) ORDER BY h, s LIMIT 3999999)",
        "aggregate": f"SELECT count(*), sum(n) FROM (SELECT s, count(*) AS n, max(h) FROM ({ROWS}) GROUP BY s)",
        "join": f"SELECT count(*), max(a.h) FROM ({ROWS}) a JOIN ({ROWS}) b ON a.s = b.s",
        "window": f"SELECT sum(m), max(s) FROM (SELECT s, max(h) OVER (PARTITION BY id % 100000 ORDER BY s) AS m FROM ({ROWS}))",
    }

    def test_finishes(self):
        for name, query in self.QUERIES.items():
            with self.subTest(name):
                self.good("--memory", "80MB", "--temp", self.temp, "sql", "--format", "csv", query)


class Generation(Case):
    """Language models of folders that go on from a text."""

    MODEL = pathlib.Path(__file__).parents[1] / "data/decoders/llama"

    def setUp(self):
        super().setUp()
        recorded = json.loads((self.MODEL / "generated.json").read_text())
        self.texts = dict(zip(recorded["prompts"], recorded["texts"]))

    def test_prompt(self):
        way = ["--greedy", "--max-tokens", "16", "--repetition-penalty", "1.3"]
        for prompt, text in self.texts.items():
            if prompt:
                self.assertEqual(self.good("generate", self.MODEL, prompt, *way).out, text + "\n")
        self.assertEqual(self.good("generate", self.MODEL, "on the mat with", *way, "--stop", "doj").out, " do \n")
        sampled = {self.good("generate", self.MODEL, "the cat", "--seed", seed).out for seed in (1, 1, 2, 3)}
        self.assertEqual(len(sampled), 3)

    def test_rows(self):
        self.good("sql", "SELECT * FROM VALUES (1, 'the cat'), (2, NULL), (3, ''), (4, 'on the mat with') AS t(id, text)",
                  "--format", "parquet", "-o", "texts.parquet")
        call = ["generate", self.MODEL, "--in", "texts.parquet", "--greedy", "--repetition-penalty", "1.3", "--max-tokens", "16"]
        self.assertIn("4 rows", self.good(*call, "--out", "out").out)
        rows = self.sql_rows("SELECT id, generated FROM parquet.`out` ORDER BY id")
        self.assertEqual([row["generated"] for row in rows], [self.texts["the cat"], "", "", self.texts["on the mat with"]])
        for condition, what, options in (("UNRESOLVED_COLUMN", "`note`", ["--column", "note"]),
                                         ("DATATYPE_MISMATCH", "`id`", ["--column", "id"]),
                                         ("COLUMN_ALREADY_EXISTS", "`text`", ["--name", "text"])):
            self.refused(condition, what, call=[*call, "--out", "other", *options])
        self.assertFalse((self.folder / "other").exists())

    def test_function(self):
        rows = self.good("--function", f"say={self.MODEL}", "sql", "--format", "csv",
                         "SELECT say(text) AS said, say(NULL) IS NULL AS none FROM VALUES ('the cat'), ('a') AS t(text)").out
        said = [self.good("generate", self.MODEL, text, "--greedy").out.rstrip("\n") for text in ("the cat", "a")]
        self.assertEqual([(row["said"], row["none"]) for row in csv.DictReader(io.StringIO(rows))], [(text, "true") for text in said])

    def test_mistakes(self):
        self.refused("INVALID_OPTION", "empty", call=["generate", self.MODEL, ""])
        self.refused("INVALID_OPTION", "top_p", call=["generate", self.MODEL, "a", "--top-p", "2"])
        self.refused("MODEL_INPUT_INVALID", "takes 64", call=["generate", self.MODEL, "the cat " * 40])
        self.refused("UNSUPPORTED_MODEL", "`bert`", call=["generate", self.MODEL.parents[1] / "bert/sentences", "a"])
        self.refused("PATH_NOT_FOUND", "absent", call=["generate", "absent", "a"])
        shutil.copytree(self.MODEL, self.folder / "damaged")
        weights = self.folder / "damaged/model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        self.refused("INVALID_ARTIFACT", "model.safetensors", call=["generate", "damaged", "a"])


class Inputs(Case):
    """Files that are missing, empty, damaged or not what they are said to be."""

    def test_missing_file(self):
        self.write(data=self.folder / "nowhere.parquet")
        self.refused("PATH_NOT_FOUND", "nowhere.parquet", call=["run", "p.toml"])
        self.refused("PATH_NOT_FOUND", "absent.toml", call=["run", "absent.toml"])
        self.refused("PATH_NOT_FOUND", "absent.csv", call=["sql", "SELECT * FROM csv.`absent.csv`"])
        self.refused("PATH_NOT_FOUND", "absent.sql", call=["sql", "-f", "absent.sql"])
        self.refused("PATH_NOT_FOUND", "absent.parquet",
                     call=["predict", SHARED / "model", "--in", "absent.parquet", "--out", "predictions"])
        self.refused("PATH_NOT_FOUND", "absent_model",
                     call=["predict", "absent_model", "--in", SHARED / "d.parquet", "--out", "predictions"])

    def test_embed(self):
        model = pathlib.Path(__file__).parents[1] / "data/bert/sentences"
        self.good("sql", "SELECT * FROM VALUES (1, 'a cat'), (2, NULL), (3, ''), (4, 'the dog sat') AS t(id, text)",
                  "--format", "parquet", "-o", "texts.parquet")
        self.assertIn("4 rows", self.good("embed", model, "--in", "texts.parquet", "--out", "vectors").out)
        query = ("SELECT a.id, size(a.embedding) AS size, round(vector_cosine_similarity(a.embedding, b.embedding), 3) AS alike "
                 "FROM parquet.`vectors` a, parquet.`vectors` b WHERE b.id = 2 ORDER BY a.id")
        rows = self.sql_rows(query)
        self.assertEqual([row["size"] for row in rows], ["16"] * 4)
        self.assertEqual([float(row["alike"]) == 1 for row in rows], [False, True, True, False])
        for condition, what, options in (("UNRESOLVED_COLUMN", "`note`", ["--column", "note"]),
                                         ("DATATYPE_MISMATCH", "`id`", ["--column", "id"]),
                                         ("COLUMN_ALREADY_EXISTS", "`text`", ["--name", "text"])):
            self.refused(condition, what, call=["embed", model, "--in", "texts.parquet", "--out", "other", *options])
        self.refused("PATH_NOT_FOUND", "absent", call=["embed", "absent", "--in", "texts.parquet", "--out", "other"])
        self.assertFalse((self.folder / "other").exists())

    def test_empty_file(self):
        for name in ("empty.csv", "empty.parquet", "empty.json"):
            (self.folder / name).touch()
            self.write(data=name)
            self.refused("UNABLE_TO_INFER_SCHEMA", name, call=["run", "p.toml"])

    def test_empty_folder(self):
        (self.folder / "nothing").mkdir()
        self.write(data="nothing")
        self.refused("UNABLE_TO_INFER_SCHEMA", "nothing", call=["run", "p.toml"])

    def test_wrong_delimiter(self):
        (self.folder / "d.csv").write_text((SHARED / "d.csv").read_text().replace(",", ";"))
        self.write(data="d.csv", source="options = { header = true, inferSchema = true }")
        self.refused("UNRESOLVED_COLUMN", "`x1`", "id;x1;x2;kind;late", call=["run", "p.toml"])
        self.write(data="d.csv", source='options = { header = true, inferSchema = true, sep = ";" }')
        self.good("run", "-q", "p.toml")

    def test_broken_parquet(self):
        whole = (SHARED / "d.parquet").read_bytes()
        for name, content in (("cut.parquet", whole[:len(whole) // 2]), ("text.parquet", b"a,b,c\n" * 100),
                              ("footer.parquet", whole[:-200] + bytes(b ^ 0x5A for b in whole[-200:-8]) + whole[-8:])):
            (self.folder / name).write_bytes(content)
            self.write(data=name)
            self.refused("FAILED_READ_FILE", name, call=["run", "p.toml"])

    def test_damaged_parquet_pages(self):
        whole = bytearray((SHARED / "d.parquet").read_bytes())
        for at in range(2000, 12000):
            whole[at] ^= 0x5A
        (self.folder / "pages.parquet").write_bytes(whole)
        # Pages have no checksum: rows may be read, but nothing may crash.
        result = self.call("sql", "--format", "csv", "SELECT * FROM parquet.`pages.parquet`")
        self.assertIn(result.code, (0, 1), result.err)
        self.assertNotIn("INTERNAL_ERROR", result.err)

    def test_bad_values_under_failfast(self):
        (self.folder / "bad.csv").write_text("x1,late\n1.5,0\nword,1\n")
        self.write(data="bad.csv", source='schema = "x1 DOUBLE, late INT"\noptions = { header = true, mode = "FAILFAST" }')
        result = self.call("show", "p.toml", "raw")
        self.assertEqual(result.code, 1)
        self.assertIn("word", result.err)
        self.assertNotIn("INTERNAL_ERROR", result.err)


class Columns(Case):
    """Columns that cannot be learnt from."""

    def test_absent_column(self):
        self.write(numeric='"x1", "x22"')
        self.refused("UNRESOLVED_COLUMN.WITH_SUGGESTION", "`x22`", "Did you mean", "`x2`", call=["run", "p.toml"])

    def test_absent_label(self):
        path = self.write()
        path.write_text(path.read_text().replace('label = "late"', 'label = "latte"'))
        self.refused("UNRESOLVED_COLUMN.WITH_SUGGESTION", "`latte`", "Did you mean", "`late`", call=["run", "p.toml"])

    def test_absent_split_column(self):
        self.write(split='by = "time"\ncolumn = "dat"\ntest_from = "2020-01-01"', sql="SELECT *, current_date() AS date FROM raw")
        self.refused("UNRESOLVED_COLUMN.WITH_SUGGESTION", "`dat`", "`date`", call=["run", "p.toml"])

    def test_all_null_feature(self):
        self.write(sql="SELECT *, CAST(NULL AS DOUBLE) AS nothing FROM raw", numeric='"x1", "nothing"')
        self.refused("TRAINING_DATA_INVALID", "`nothing`", call=["run", "p.toml"])

    def test_one_class_label(self):
        self.write(sql="SELECT id, x1, x2, kind, 1 AS late FROM raw")
        self.refused("TRAINING_DATA_INVALID", "`late`", "same value", call=["run", "p.toml"])

    def test_null_label(self):
        self.write(sql="SELECT id, x1, x2, kind, CAST(NULL AS INT) AS late FROM raw")
        self.refused("TRAINING_DATA_INVALID", "No row", "`late`", call=["run", "p.toml"])
        self.write(sql="SELECT id, x1, x2, kind, CASE WHEN id % 2 = 0 THEN late END AS late FROM raw")
        self.assertIn("10,000 rows are left out", self.good("run", "p.toml").err)
        self.assertEqual(sum(self.metrics(self.folder / "model")["rows"].values()), 10_000)

    def test_text_as_a_number(self):
        self.write(sql="SELECT *, concat(kind, 'x') AS word FROM raw", numeric='"x1", "word"')
        self.refused("TRAINING_DATA_INVALID", "`word`", "STRING", call=["run", "p.toml"])

    def test_label_as_a_feature(self):
        self.write(numeric='"x1", "late"')
        self.refused("INVALID_PIPELINE", "`late`", "p.toml:", call=["run", "p.toml"])

    def test_no_rows(self):
        self.write(sql="SELECT * FROM raw WHERE id < 0")
        self.refused("TRAINING_DATA_INVALID", "row", call=["run", "p.toml"])

    def test_nan_and_infinity_are_missing(self):
        odd = "CASE WHEN id % 10 = 0 THEN double('NaN') WHEN id % 10 = 1 THEN double('inf') WHEN id % 10 = 2 THEN double('-inf') ELSE x1 END"
        self.write(sql=f"SELECT id, {odd} AS x1, x2, kind, late FROM raw")
        self.good("run", "-q", "p.toml")
        for value in self.metrics(self.folder / "model")["test"]["mlp"].values():
            self.assertIsNotNone(value)
        values = ["double('NaN')", "double('inf')", "double('-inf')", "CAST(NULL AS DOUBLE)"]
        rows = " UNION ALL ".join(f"SELECT {v} AS x1, CAST(0.25 AS DOUBLE) AS x2, 'c1' AS kind" for v in values)
        self.good("sql", rows, "--format", "parquet", "-o", "odd.parquet")
        self.good("predict", "model", "--in", "odd.parquet", "--out", "predictions")
        found = {json.dumps({k: v for k, v in row.items() if k != "x1"}) for row in self.sql_rows("SELECT * FROM parquet.`predictions`")}
        self.assertEqual(len(found), 1, f"missing values are predicted differently: {found}")
        self.assertNotIn("NaN", found.pop())

    def test_unseen_category(self):
        self.good("sql", "SELECT id, x1, x2, concat('new', kind) AS kind FROM parquet.`%s` LIMIT 50" % (SHARED / "d.parquet"),
                  "--format", "parquet", "-o", "new.parquet")
        self.assertIn("50 rows", self.good("predict", SHARED / "model", "--in", "new.parquet", "--out", "predictions").out)
        rows = self.sql_rows("SELECT * FROM parquet.`predictions`")
        self.assertEqual(len(rows), 50)
        self.assertFalse([row for row in rows if any(value in ("", "NaN") for value in row.values())])

    def test_predict_without_a_column(self):
        self.good("sql", "SELECT id, x1, kind FROM parquet.`%s` LIMIT 50" % (SHARED / "d.parquet"), "--format", "parquet", "-o", "in.parquet")
        self.refused("UNRESOLVED_COLUMN", "`x2`", call=["predict", SHARED / "model", "--in", "in.parquet", "--out", "predictions"])


class Flights(Case):
    """The example on its real data: nothing that is known only later may be an input."""

    DATA = pathlib.Path(__file__).resolve().parents[2] / "data/flights"
    EXAMPLE = DATA.parents[1] / "examples/flights/pipeline.toml"
    # The hour of departure of the flights that are predicted, when only what is known by then is there.
    HOURS = [datetime.datetime(2013, 11, 15, 11), datetime.datetime(2013, 11, 20, 22), datetime.datetime(2013, 12, 27, 15)]

    def train(self, name, *replaced):
        text = self.EXAMPLE.read_text()
        text = text[:text.index("[baselines]")].replace("../../data/flights", str(self.DATA)).replace("../../out/flights", name)
        for old, new in (("epochs = 6", "epochs = 1"), ("hidden = [128, 64]", "hidden = [16]"), *replaced):
            self.assertIn(old, text)
            text = text.replace(old, new)
        (self.folder / "p.toml").write_text(text)
        self.good("run", "-q", "p.toml")

    def known_at(self, moment):
        """The files as they are at a moment: flights.csv with the schedule of all flights, weather.csv until then."""
        minute = datetime.timedelta(minutes=1)
        with open(self.DATA / "flights.csv") as given, open(self.folder / "flights.csv", "w", newline="") as out:
            rows = csv.DictReader(given)
            known = csv.DictWriter(out, rows.fieldnames)
            known.writeheader()
            for row in rows:
                planned = datetime.datetime.fromisoformat(row["time_hour"][:-1]) + int(row["minute"]) * minute
                late_by = 0 if row["dep_delay"] == "NA" else int(row["dep_delay"])
                if planned + 15 * minute > moment:
                    row.update(dep_time="NA", dep_delay="NA")
                elif planned + late_by * minute > moment:
                    row.update(dep_time="NA", dep_delay=str((moment - planned) // minute))  # so late it is at least
                if planned + 12 * 60 * minute > moment:  # the longest flight takes 11 hours and a half
                    row.update(arr_time="NA", arr_delay="NA", air_time="NA")
                known.writerow(row)
        with open(self.DATA / "weather.csv") as given, open(self.folder / "weather.csv", "w") as out:
            out.writelines(line for i, line in enumerate(given)
                           if i == 0 or datetime.datetime.fromisoformat(line.strip().rsplit(",", 1)[1][:-1]) <= moment)

    def predictions(self, model, moment, *sources):
        out = self.folder / "predictions"
        self.good("predict", model, *sources, "--where", f"time_hour = TIMESTAMP'{moment}Z'", "--out", out, "--mode", "overwrite")
        rows = self.sql_rows(f"SELECT carrier, flight, origin, dest, prediction FROM parquet.`{out}` ORDER BY 1, 2, 3, 4")
        self.assertGreater(len(rows), 10)
        return rows

    def differ(self, model, moment):
        self.known_at(moment)
        then = self.predictions(model, moment, "--source", "flights=flights.csv", "--source", "weather=weather.csv")
        later = self.predictions(model, moment, "--source", f"flights={self.DATA / 'flights.csv'}")
        self.assertEqual([[*row.values()][:4] for row in then], [[*row.values()][:4] for row in later])
        return then != later

    def test_nothing_known_later_is_an_input(self):
        self.train("model")
        for moment in self.HOURS:
            self.assertFalse(self.differ("model", moment), f"a feature of the flights at {moment} is known only later")

    def test_what_leaks_is_found(self):
        self.train("leaking", ("BETWEEN INTERVAL 4 HOURS PRECEDING AND INTERVAL 2 HOURS PRECEDING",
                               "BETWEEN INTERVAL 4 HOURS PRECEDING AND CURRENT ROW"))
        self.assertTrue(self.differ("leaking", self.HOURS[1]))

    def test_sources_that_are_not_there(self):
        self.train("model")
        self.refused("INVALID_OPTION", "`flight`", "Did you mean `flights`?",
                     call=["predict", "model", "--source", "flight=x.csv", "--out", "predictions"])
        self.refused("PATH_NOT_FOUND", "x.csv", call=["predict", "model", "--source", "flights=x.csv", "--out", "predictions"])
        self.refused("INVALID_OPTION", "--in", "--source", call=["predict", "model", "--out", "predictions"])


class PipelineFile(Case):
    """Mistakes in the pipeline file are told with its name and line."""

    def wrong(self, line_text, *names, **changes):
        path = self.write(**changes)
        line = self.line_of(path, line_text)
        self.refused("INVALID_PIPELINE", f"p.toml:{line}:", *names, call=["run", "p.toml"])

    def test_contradictions(self):
        self.wrong('hidden = [16]', "`hidden`", "linear", model='kind = "linear"')
        self.wrong('test_from', "`test_from`", "hash", split='by = "hash"\ntest_from = "2020-01-01"')
        self.wrong('test = 0.5', "`test`", "time", split='by = "time"\ncolumn = "d"\ntest_from = "2020-01-01"\ntest = 0.5')
        self.wrong('validation = 0.1', "`validation`", "`validation_from`",
                   split='by = "time"\ncolumn = "d"\ntest_from = "2020-01-01"\nvalidation_from = "2019-01-01"\nvalidation = 0.1')
        self.wrong('test = 0.8', "`test`", "`validation`", split="test = 0.8\nvalidation = 0.2")
        self.wrong('buckets', "`buckets`", "`hashed`", features="buckets = 10")
        self.wrong('patience', "`patience`", "validation", split="validation = 0", train="patience = 2")
        path = self.write()
        path.write_text(path.read_text().replace('name = "examples"', 'name = "examples"\nfile = "x.sql"'))
        self.refused("INVALID_PIPELINE", f"p.toml:{self.line_of(path, '[[step]]')}:", "`sql`", "`file`", call=["run", "p.toml"])

    def test_unknown_key(self):
        self.wrong("epoch =", "[train]", "`epoch`", "Did you mean `epochs`?", train="epoch = 3")
        self.wrong("[trian]", "[trian]", "Did you mean `train`?", train="[trian]")
        self.wrong('"gelo"', "`activation`", "Did you mean `gelu`?", model='activation = "gelo"')
        path = self.write()
        path.write_text(path.read_text() + '[baselines]\nlist = ["xgbost"]\n')
        self.refused("INVALID_PIPELINE", f"p.toml:{self.line_of(path, 'xgbost')}:", "Did you mean `xgboost`?", call=["run", "p.toml"])

    def test_wrong_track(self):
        self.wrong("tensorbord", "[track]", "Did you mean `tensorboard`?", train='[track]\ntensorbord = "b"')
        self.wrong("mlflow", "`mlflow`", "http://", train='[track]\nmlflow = "127.0.0.1:5000"')
        self.wrong("mlflow", "`mlflow`", "MLFLOW_TRACKING_TOKEN", train='[track]\nmlflow = "http://me:word@host"')
        self.wrong("required", "`required`", "`mlflow`", train="[track]\nrequired = true")
        self.wrong("run =", "`run`", "`/`", train='[track]\nrun = "a/b"')
        self.wrong("log =", "`log`", "empty", train='[track]\nlog = ""')
        self.wrong("log =", "`log`", "string", train="[track]\nlog = true")

    def test_wrong_type(self):
        self.wrong("epochs =", "`epochs`", "whole number", epochs='"three"')
        self.wrong("epochs =", "`epochs`", "at least 1", epochs=0)
        self.wrong("batch_size =", "`batch_size`", "whole number", batch_size=1.5)
        self.wrong("numeric =", "`numeric`", "strings", numeric="1, 2")
        self.wrong("dropout =", "`dropout`", "number", model="dropout = true")
        self.wrong("dropout =", "`dropout`", "[0, 0.99]", model="dropout = 2")

    def test_syntax_error(self):
        self.wrong("clip_norm", train="clip_norm = = 1")

    def test_missing_table(self):
        (self.folder / "p.toml").write_text("")
        self.refused("INVALID_PIPELINE", "p.toml:1:", "source", call=["run", "p.toml"])

    def test_sql_error_in_a_step(self):
        self.write(sql="SELECT id, x1,\n       x3 + 1 AS more FROM raw")
        result = self.refused("UNRESOLVED_COLUMN", "`x3`", "       x3 + 1 AS more FROM raw", call=["run", "p.toml"])
        self.assertRegex(result.err, r"(?m)^ {7}\^\^")
        self.write(sql="SELECT id\nFROM raw WHRE id > 1 2")
        result = self.refused("PARSE_SYNTAX_ERROR", "FROM raw WHRE id > 1 2", call=["run", "p.toml"])
        self.assertRegex(result.err, r"(?m)^ *\^+")

    def test_sql_error_names_the_step(self):
        self.write(sql="SELECT x3 FROM raw")
        self.refused("UNRESOLVED_COLUMN", "`examples`", call=["run", "p.toml"])

    def test_unknown_source_option(self):
        self.write(data=SHARED / "d.csv", source="options = { header = true, inferShema = true }")
        result = self.refused("INVALID_OPTION", "csv", "Did you mean", call=["run", "p.toml"])
        self.assertIn("`infershema`", result.err.lower())
        self.assertIn("`inferschema`", result.err.lower())
        self.write(data=SHARED / "d.csv", source='options = { header = "yes" }')
        self.refused("INVALID_OPTION", "`header`", "yes", call=["run", "p.toml"])


class Training(Case):
    """Whole runs, and runs that are cut short."""

    def slow(self, name="p.toml"):
        return self.write(name, data=SHARED / "big.parquet", sql="SELECT * FROM raw WHERE id < 30000", epochs=5, batch_size=128,
                          model="dropout = 0.1")

    def whole(self):
        """The artifact of the same run, not interrupted."""
        if not (SHARED / "whole").exists():
            self.slow("whole.toml")
            self.good("run", "-q", "whole.toml", "--output", SHARED / "whole")
            (self.folder / "whole.toml").unlink()
        return SHARED / "whole"

    def cut(self, number):
        """Starts a run and sends it the signal once its second epoch is done."""
        process = start(["run", "p.toml"], self.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline, err = time.monotonic() + TIMEOUT_S, b""
        while b"epoch 2/" not in err:
            self.assertLess(time.monotonic(), deadline, err)
            if select.select([process.stderr], [], [], 1)[0]:
                more = os.read(process.stderr.fileno(), 65536)
                self.assertTrue(more, f"the run ended: {err}")
                err += more
        process.send_signal(number)
        out, rest = finish(process)
        self.assertFalse((self.folder / "model").exists(), "an artifact of a run that was cut short")
        return process.returncode, (err + rest).decode()

    def resumes(self):
        resumed = self.good("run", "p.toml", "--resume")
        self.assertNotIn("epoch 1/", resumed.err, "the run began anew")
        whole = self.whole()
        self.assertEqual(self.metrics(self.folder / "model"), self.metrics(whole))
        self.assertEqual((self.folder / "model/model.safetensors").read_bytes(), (whole / "model.safetensors").read_bytes())
        self.assertEqual(sorted(os.listdir(self.folder)), ["model", "p.toml", "temp"])

    def test_every_kind_of_network(self):
        for kind in ("mlp", "resnet", "dcn", "dlrm", "deepfm", "ft_transformer", "linear"):
            path = self.write(epochs=5, model=f'kind = "{kind}"\nblocks = 2\nheads = 2\nembedding_dimension = 8')
            if kind == "linear":
                path.write_text(path.read_text().replace("hidden = [16]\n", ""))
            self.good("run", "-q", "p.toml")
            self.assertGreater(self.metrics(self.folder / "model")["test"][kind]["auc"], 0.7, kind)
            self.assertIn("20000 rows", self.good("predict", "model", "--in", SHARED / "d.parquet", "--out", f"out-{kind}").out)

    def test_killed_run_resumes(self):
        self.slow()
        code, _ = self.cut(signal.SIGKILL)
        self.assertEqual(code, -signal.SIGKILL)
        for entry in self.temp.iterdir():  # a killed program cannot clean up
            shutil.rmtree(entry)
        self.resumes()

    def test_interrupted_run_resumes(self):
        self.slow()
        code, err = self.cut(signal.SIGINT)
        self.assertEqual(code, 130, err)
        self.assertRegex(err, r"(?m)^\[OPERATION_CANCELED\]")
        self.assertIn("esume", err)
        self.assertTrue(list((self.folder / "model.work/checkpoints").iterdir()), "no checkpoint is kept")
        self.resumes()

    def test_workers_train_as_one_process_does(self):
        path = self.write(epochs=3)
        path.write_text(path.read_text().replace("seed = 1", "seed = 1\ncheckpoint_seconds = 0"))
        self.good("run", "-q", "p.toml", "--output", "one")
        self.good("run", "-q", "p.toml", "--output", "two", "--workers", "2")
        one, two = self.metrics(self.folder / "one")["test"]["mlp"], self.metrics(self.folder / "two")["test"]["mlp"]
        for name, value in one.items():
            self.assertAlmostEqual(value, two[name], delta=1e-4, msg=name)
        self.assertEqual(sorted(os.listdir(self.folder)), ["one", "p.toml", "temp", "two"])

    def children(self, process):
        """Processes that this one started."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == process.pid:
                    found.append(int(entry.name))
        return found

    def started(self, *arguments, until):
        """A run that has printed this text."""
        process = start(["run", "p.toml", *arguments], self.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline, err = time.monotonic() + TIMEOUT_S, b""
        while until not in err:
            self.assertLess(time.monotonic(), deadline, err)
            if select.select([process.stderr], [], [], 1)[0]:
                more = os.read(process.stderr.fileno(), 65536)
                self.assertTrue(more, f"the run ended: {err}")
                err += more
        return process

    def test_a_lost_worker_makes_all_start_again(self):
        self.slow()
        process = self.started("--workers", "2", until=b"epoch 2/")
        workers = self.children(process)
        self.assertEqual(len(workers), 2)
        os.kill(workers[1], signal.SIGKILL)
        lost = time.monotonic()
        out, err = finish(process)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn(b"A worker ended by signal 9", err)
        self.assertIn(b"epoch 5/5", err)
        self.assertFalse(self.children(process))
        whole = self.metrics(self.whole())["test"]["mlp"]  # which dropped other units
        self.assertAlmostEqual(self.metrics(self.folder / "model")["test"]["mlp"]["auc"], whole["auc"], delta=0.02)

    def test_workers_that_are_interrupted_resume(self):
        self.slow()
        process = self.started("--workers", "2", until=b"epoch 2/")
        process.send_signal(signal.SIGINT)
        out, err = finish(process)
        self.assertEqual(process.returncode, 130, err)
        self.assertRegex(err.decode(), r"(?m)^\[OPERATION_CANCELED\]")
        resumed = self.good("run", "p.toml", "--resume", "--workers", "2")
        self.assertNotIn("epoch 1/", resumed.err, "the run began anew")
        self.good("run", "-q", "p.toml", "--output", "again", "--workers", "2")
        self.assertEqual((self.folder / "model/model.safetensors").read_bytes(), (self.folder / "again/model.safetensors").read_bytes())

    def test_workers_end_with_the_one_that_started_them(self):
        self.slow()
        process = self.started("--workers", "2", until=b"epoch 2/")
        workers = self.children(process)
        process.kill()
        finish(process)
        deadline = time.monotonic() + 10
        while any(pathlib.Path(f"/proc/{pid}").exists() and "Z" not in pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1][:3]
                  for pid in workers):
            self.assertLess(time.monotonic(), deadline, "workers outlive their parent")
            time.sleep(0.1)

    def test_a_failed_run_keeps_its_checkpoints(self):
        self.write(epochs=4, train="checkpoint_seconds = 0")
        path = self.folder / "p.toml"
        path.write_text(path.read_text().replace("learning_rate = 0.01", "learning_rate = 1e30"))
        failed = self.call("run", "p.toml")
        self.assertEqual(failed.code, 1)
        self.assertRegex(failed.err, r"(?m)^\[TRAINING_DATA_INVALID\] The loss is no longer a number.*--resume")
        self.assertTrue(list((self.folder / "model.work/checkpoints").iterdir()))
        path.write_text(path.read_text().replace("learning_rate = 1e30", "learning_rate = 0.01"))
        self.assertIn("--resume-changed", self.call("run", "p.toml", "--resume").err)
        for entry in (self.folder / "model.work/checkpoints").iterdir():  # weights that are numbers no longer
            entry.unlink()
        self.good("run", "p.toml", "--resume-changed")

    def test_rows_that_do_not_fit_go_to_a_file(self):
        self.write(data=SHARED / "big.parquet", epochs=2, train="memory = 1")
        limited = self.good("run", "p.toml", "--output", "limited")
        self.write(data=SHARED / "big.parquet", epochs=2)
        self.good("run", "-q", "p.toml", "--output", "whole")
        one, two = (self.metrics(self.folder / name)["test"]["mlp"]["auc"] for name in ("limited", "whole"))
        self.assertAlmostEqual(one, two, delta=0.01)

    def test_parameter_groups(self):
        self.write(epochs=1, train='groups = [{ prefix = "embeddings.", learning_rate_factor = 0.1 }]')
        self.good("run", "-q", "p.toml")
        for text, message in (('groups = [{ prefix = "embedings." }]', "No parameter's name begins with `embedings.`"), ("groups = [1]", "must hold tables"),
                              ('groups = [{ prefix = "a", rate = 1 }]', "has no key `rate`"), ("batch_elements = 10", "need sequence features")):
            self.write(train=text)
            self.refused("INVALID_(PIPELINE|OPTION)", message, call=["run", "p.toml"])

    def test_folds(self):
        rows = []
        for fold in (1, 2, 3):
            self.write(epochs=1, split=f"test = 0.1\nfolds = 3\nfold = {fold}")
            self.good("run", "-q", "p.toml")
            rows.append(json.loads((self.folder / "model/metrics.json").read_text())["rows"])
        self.assertEqual(sum(row["validation rows"] for row in rows), rows[0]["validation rows"] + rows[0]["training rows"])
        for split, message in (("folds = 3\nfold = 4", "there are 3 folds"), ("fold = 2", "without `folds`"), ("folds = 3\nvalidation = 0.1", "contradicts")):
            self.write(split=split)
            self.refused("INVALID_PIPELINE", message, call=["run", "p.toml"])

    def test_sampling_and_the_best_epochs(self):
        self.write(epochs=3, train='sampling = "balanced"\nkeep_best = 2\ndeterministic = true')
        self.good("run", "-q", "p.toml")
        self.assertEqual(len(list((self.folder / "model/best").iterdir())), 2)
        self.write(train='sampling = "weighted"')
        self.refused("INVALID_OPTION", "weight column", call=["run", "p.toml"])
        self.write(train='sampling = "often"')
        self.refused("INVALID_PIPELINE", "each, weighted, balanced", call=["run", "p.toml"])

    def test_resume_of_another_pipeline(self):
        path = self.slow()
        self.cut(signal.SIGKILL)
        path.write_text(path.read_text().replace("hidden = [16]", "hidden = [8]"))
        result = self.call("run", "p.toml", "--resume")
        self.assertEqual(result.code, 1)
        self.assertIn("[INVALID_OPTION]", result.err)
        self.assertFalse((self.folder / "model").exists())
        result = self.call("run", "p.toml", "--resume-changed")  # weights of another shape
        self.assertIn("[INVALID_ARTIFACT]", result.err)
        path.write_text(path.read_text().replace("hidden = [8]", "hidden = [16]").replace("learning_rate = 0.01", "learning_rate = 0.005"))
        self.assertNotIn("epoch 1/", self.good("run", "p.toml", "--resume-changed").err)

    def test_resume_with_nothing_to_resume(self):
        self.write()
        self.good("run", "-q", "p.toml", "--resume")

    def test_same_seed_same_metrics(self):
        self.write()
        self.good("run", "-q", "p.toml", "--output", "one")
        self.good("run", "-q", "p.toml", "--output", "two")
        self.assertEqual(self.metrics(self.folder / "one"), self.metrics(self.folder / "two"))
        self.assertEqual((self.folder / "one/model.safetensors").read_bytes(), (self.folder / "two/model.safetensors").read_bytes())

    def test_run_replaces_the_artifact(self):
        path = self.write()
        self.good("run", "-q", "p.toml")
        first = (self.folder / "model/model.safetensors").read_bytes()
        path.write_text(path.read_text().replace("seed = 1", "seed = 2"))
        result = self.good("run", "p.toml")
        self.assertNotEqual(first, (self.folder / "model/model.safetensors").read_bytes())
        self.assertIn("epoch 2/2", result.err)
        self.assertRegex(result.out, r"(?m)^mlp +0\.\d+")
        self.assertEqual(sorted(os.listdir(self.folder)), ["model", "p.toml", "temp"])

    def test_failed_run_keeps_the_artifact(self):
        self.write()
        self.good("run", "-q", "p.toml")
        before = {f: (self.folder / "model" / f).read_bytes() for f in os.listdir(self.folder / "model")}
        self.write(sql="SELECT id, x1, x2, kind, 1 AS late FROM raw")
        self.refused("TRAINING_DATA_INVALID", "`late`", call=["run", "p.toml"])
        self.assertEqual(before, {f: (self.folder / "model" / f).read_bytes() for f in os.listdir(self.folder / "model")})


class Texts(Case):
    """A text column through a model of a Hugging Face folder: tests/reference/record_bert.py made it."""

    MODEL = pathlib.Path(__file__).parents[1] / "data/bert/sentences"
    SQL = ("SELECT concat_ws(' ', 'the', if(id % 2 = 0, 'cat', 'dog'), 'sat', repeat('on the mat ', CAST(id % 5 AS INT))) AS text,"
           " CAST(id % 2 AS INT) AS dog, if(id % 2 = 0, 'meows', 'barks') AS says, id % 2 + id % 5 / 10 AS value,"
           " CAST(id AS STRING) AS other FROM range(400)")
    PIPELINE = """
[source.rows]
path = "rows.parquet"
[split]
columns = ["other"]
[features]
text = ["text"]
label = "{label}"
{features}
[model]
kind = "hf"
path = "{model}"
{options}
[train]
epochs = {epochs}
learning_rate = 0.01
[output]
path = "model"
"""

    def setUp(self):
        super().setUp()
        self.good("sql", self.SQL, "--format", "parquet", "-o", "rows.parquet")

    def text(self, label="dog", features="", options="", epochs=6, model=None):
        path = self.folder / "p.toml"
        path.write_text(self.PIPELINE.format(label=label, features=features, options=options, epochs=epochs, model=model or self.MODEL))
        return path

    def test_what_is_trained(self):
        kept = tensor(self.MODEL / "model.safetensors", "embeddings.word_embeddings.weight")
        self.text(options='fine_tune = "head"')
        self.good("run", "-q", "p.toml")
        self.assertEqual(tensor(self.folder / "model/model.safetensors", "bert.embeddings.word_embeddings.weight"), kept)
        for how in ("all", "lora"):
            self.text(options=f'fine_tune = "{how}"')
            self.good("run", "-q", "p.toml")
            self.assertGreater(self.metrics(self.folder / "model")["test"]["hf"]["auc"], 0.9, how)
            self.assertIn("400 rows", self.good("predict", "model", "--in", "rows.parquet", "--out", f"out-{how}").out)
            rows = self.sql_rows(f"SELECT dog, avg(prediction) AS p FROM parquet.`out-{how}` GROUP BY dog ORDER BY dog")
            self.assertLess(float(rows[0]["p"]), float(rows[1]["p"]))
        # The artifact is a folder that transformers reads.
        config = json.loads((self.folder / "model/config.json").read_text())
        self.assertEqual(config["architectures"], ["BertForSequenceClassification"])
        self.assertEqual(config["id2label"], {"0": "0", "1": "1"})
        self.assertEqual((self.folder / "model/tokenizer.json").read_text(), (self.MODEL / "tokenizer.json").read_text())
        # And a model to go on from.
        path = self.text(model="model", epochs=1)
        path.write_text(path.read_text().replace("learning_rate = 0.01", "learning_rate = 1e-6"))
        self.good("run", "-q", "p.toml", "--output", "again")
        self.assertGreater(self.metrics(self.folder / "again")["test"]["hf"]["auc"], 0.9)

    def test_tasks(self):
        self.text(label="says")
        self.good("run", "-q", "p.toml")
        self.text(label="value", epochs=4)
        self.good("run", "-q", "p.toml", "--output", "value")
        self.assertGreater(self.metrics(self.folder / "value")["test"]["hf"]["r2"], 0.5)

    def test_workers(self):
        path = self.text(options='fine_tune = "lora"')
        path.write_text(path.read_text().replace("learning_rate", "seed = 3\nlearning_rate"))
        self.good("run", "-q", "p.toml", "--output", "one")
        self.good("run", "-q", "p.toml", "--output", "two", "--workers", "2")
        self.assertGreater(self.metrics(self.folder / "two")["test"]["hf"]["auc"], 0.9)

    def test_other_networks_read_tokens(self):
        path = self.text(features=f'tokenizer = "{self.MODEL}"')
        path.write_text(path.read_text().replace('kind = "hf"', 'kind = "lstm"\nhidden = [8]').replace(f'path = "{self.MODEL}"\n', "").replace("[train]", "[train]\nbatch_size = 32"))
        self.good("run", "-q", "p.toml")
        self.assertGreater(self.metrics(self.folder / "model")["test"]["lstm"]["auc"], 0.9)

    def test_models_as_functions(self):
        embed = ["--function", f"embed={self.MODEL}"]
        query = ("SELECT size(embed(text)) AS size, embed(NULL) IS NULL AS none, typeof(embed(text)) AS type, "
                 "round(vector_cosine_similarity(embed(text), embed('the cat sat')), 3) AS alike "
                 "FROM VALUES ('the cat sat'), (''), (NULL) AS t(text)")
        rows = list(csv.DictReader(io.StringIO(self.good(*embed, "sql", "--format", "csv", query).out)))
        self.assertEqual([row["size"] for row in rows], ["16", "16", ""])
        self.assertEqual({(row["none"], row["type"]) for row in rows}, {("true", "array<float>")})
        self.assertEqual([float(row["alike"] or 2) for row in rows][0], 1)
        # Vectors as features; the artifact has the model with it.
        path = self.text()
        path.write_text(path.read_text().replace('text = ["text"]', 'vector = ["v"]')
                        .replace('kind = "hf"', 'kind = "mlp"\nhidden = [8]').replace(f'path = "{self.MODEL}"\n', "")
                        .replace("[split]", f'[function.embed]\npath = "base"\n[[step]]\nname = "vectors"\n'
                                            'sql = "SELECT *, embed(text) AS v FROM rows ORDER BY other"\n[split]')
                        .replace("[train]", "[train]\nbatch_size = 32"))
        shutil.copytree(self.MODEL, self.folder / "base")
        self.good("run", "-q", "p.toml")
        shutil.rmtree(self.folder / "base")
        self.assertGreater(self.metrics(self.folder / "model")["test"]["mlp"]["auc"], 0.9)
        self.assertIn("400 rows", self.good("predict", "model", "--source", "rows=rows.parquet", "--out", "out").out)
        # A fine-tuned model is a function too.
        self.text(label="says", epochs=12)
        self.good("run", "-q", "p.toml", "--output", "says")
        rows = self.good("--function", "says=says", "sql", "--format", "csv",
                         "SELECT says(text) > 0.5 AS meows, min(says) AS truth, count(*) AS n FROM parquet.`rows.parquet` "
                         "GROUP BY 1 ORDER BY 1").out
        self.assertEqual(rows.split(), ["meows,truth,n", "false,barks,200", "true,meows,200"])
        self.refused("PATH_NOT_FOUND", "absent", call=["--function", "f=absent", "sql", "SELECT 1"])
        self.refused("INVALID_OPTION", "name=path", call=["--function", "absent", "sql", "SELECT 1"])
        self.refused("WRONG_NUM_ARGS", "embed", call=[*embed, "sql", "SELECT embed()"])
        self.refused("UNSUPPORTED_MODEL", "one text or image", call=["--function", "f=model", "sql", "SELECT 1"])

    def wrong(self, condition, *names, **changes):
        self.text(**changes)
        self.refused(condition, *names, call=["run", "p.toml"])

    def test_mistakes(self):
        self.wrong("PATH_NOT_FOUND", "absent", model="absent")
        path = self.text(label="says")
        path.write_text(path.read_text().replace('text = ["text"]', 'text = ["value"]'))
        self.refused("TRAINING_DATA_INVALID", "`value`", "string", call=["run", "p.toml"])
        self.wrong("INVALID_OPTION", "one text", "value", features='numeric = ["value"]')
        self.wrong("INVALID_OPTION", "16 tokens", "`text_length`", features="text_length = 17")
        self.wrong("INVALID_OPTION", "`q_proj`", "query", options='fine_tune = "lora"\nlora_targets = ["q_proj"]')
        self.wrong("INVALID_PIPELINE", "`lora_rank`", "fine_tune", options="lora_rank = 4")
        self.wrong("INVALID_PIPELINE", "`hidden`", "pre-trained", options="hidden = [8]")
        path = self.text()
        path.write_text(path.read_text().replace('text = ["text"]', 'numeric = ["value"]'))
        self.refused("INVALID_PIPELINE", "`kind`", "`text`", call=["run", "p.toml"])
        path.write_text(self.text().read_text().replace('kind = "hf"', 'kind = "lstm"').replace(f'path = "{self.MODEL}"\n', ""))
        self.refused("INVALID_PIPELINE", "`tokenizer`", call=["run", "p.toml"])
        folder = self.folder / "damaged"
        shutil.copytree(self.MODEL, folder)
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        self.wrong("INVALID_ARTIFACT", "model.safetensors", model="damaged")
        (folder / "tokenizer.json").write_text("{}")
        self.wrong("INVALID_ARTIFACT", "tokenizer.json", model="damaged")


class Programs(Case):
    """A program of torch.export as a pipeline's model: tests/reference/record_pt2.py exported it."""

    PROGRAM = pathlib.Path(__file__).parents[1] / "data/pt2/tabular.pt2"

    def text(self, model="", numeric='"a", "b", "c", "d"', label="y", train=""):
        path = self.folder / "p.toml"
        path.write_text(f'''
[source.rows]
path = "rows.parquet"
[features]
numeric = [{numeric}]
label = "{label}"
[model]
kind = "pt2"
path = "{self.PROGRAM}"
{model}
[train]
epochs = 6
learning_rate = 0.01
{train}
[output]
path = "model"
''')

    def setUp(self):
        super().setUp()
        self.good("sql", "SELECT a, b, c, d, CAST(a + b > c AS INT) AS y, CAST(CAST(id % 3 AS INT) AS STRING) AS three FROM (SELECT id, "
                  "randn(1) AS a, randn(2) AS b, randn(3) AS c, randn(4) AS d FROM range(2000))", "--format", "parquet", "-o", "rows.parquet")

    def test_run(self):
        self.text()
        self.good("run", "-q", "p.toml")
        self.assertGreater(self.metrics(self.folder / "model")["test"]["pt2"]["auc"], 0.9)
        self.assertTrue(zipfile.is_zipfile(self.folder / "model/model.pt2"))
        self.assertIn("2000 rows", self.good("predict", "model", "--in", "rows.parquet", "--out", "out").out)
        self.assertEqual(self.sql_rows("SELECT round(corr(y, prediction), 0) AS r FROM parquet.`out`")[0]["r"], "1.0")
        self.good("sql", "SELECT * FROM parquet.`rows.parquet` LIMIT 1", "--format", "parquet", "-o", "one.parquet")
        self.assertIn("1 rows", self.good("predict", "model", "--in", "one.parquet", "--out", "one").out)
        self.text(model='inputs = { x = "numeric" }', train='frozen = ["first."]')  # and another way to say it
        self.good("run", "-q", "p.toml")

    def wrong(self, condition, *names, **changes):
        self.text(**changes)
        self.refused(condition, *names, call=["run", "p.toml"])

    def test_mistakes(self):
        self.wrong("INVALID_OPTION", "`x`", "numeric", model='inputs = { x = "image" }')
        self.wrong("INVALID_OPTION", "no input `y`", model='inputs = { y = "numeric" }')
        self.wrong("INVALID_OPTION", "frozen", model='fine_tune = "head"')
        self.wrong("MODEL_INPUT_INVALID", "x", numeric='"a", "b"')
        self.wrong("MODEL_RUN_FAILED", "3 labels", label="three")
        self.text()
        path = self.folder / "p.toml"
        path.write_text(path.read_text().replace(str(self.PROGRAM), "absent.pt2"))
        self.refused("PATH_NOT_FOUND", "absent.pt2", call=["run", "p.toml"])


class Images(Case):
    """An image column through a network for images. The files are made here."""

    PIPELINE = """
[source.files]
path = "pictures"
format = "binaryFile"
options = {{ recursiveFileLookup = true }}
[[step]]
name = "pictures"
sql = "SELECT path, content, regexp_extract(path, 'pictures/([a-z]+)', 1) AS shape FROM files ORDER BY path"
[features]
image = ["content"]
image_size = 32
label = "shape"
{features}
[model]
kind = "vision"
network = "mobilenet_v3_small"
{options}
[train]
epochs = {epochs}
batch_size = 16
[output]
path = "model"
"""

    def setUp(self):
        super().setUp()
        for shape in ("lines", "stripes"):
            folder = self.folder / "pictures" / shape
            folder.mkdir(parents=True)
            for number in range(40):
                (folder / f"{number}.png").write_bytes(png(shape, number))

    def text(self, features="", options="", epochs=1, **changes):
        path = self.folder / "p.toml"
        text = self.PIPELINE.format(features=features, options=options, epochs=epochs)
        for old, new in changes.values():
            self.assertIn(old, text)
            text = text.replace(old, new)
        path.write_text(text)
        return path

    def test_run_and_go_on(self):
        self.text(options='augment = ["RandomVerticalFlip", { RandomResizedCrop = { size = 32, scale = [0.8, 1.0] } }]')
        self.good("run", "-q", "p.toml", "--output", "first")
        self.assertIn("80 rows", self.good("predict", "first", "--source", "files=pictures", "--out", "out").out)
        # The same seed gives the same bits, resumed or in two processes to rounding.
        self.good("run", "-q", "p.toml", "--output", "second")
        self.assertEqual((self.folder / "first/model.safetensors").read_bytes(), (self.folder / "second/model.safetensors").read_bytes())
        self.good("run", "-q", "p.toml", "--output", "third", "--workers", "2")
        # Its weights, and another head.
        self.text(features="", options='path = "first/model.safetensors"\nfine_tune = "head"')
        self.good("run", "-q", "p.toml")
        name = "features.0.0.weight"
        self.assertEqual(tensor(self.folder / "model/model.safetensors", name), tensor(self.folder / "first/model.safetensors", name))
        said = self.good("--function", "shape=model", "sql", "--format", "csv",
                         "SELECT count(shape(content)) AS n FROM binaryFile.`pictures/lines`").out
        self.assertEqual(said.split(), ["n", "40"])

    def test_bad_images(self):
        bad = self.folder / "pictures/lines/bad.png"
        bad.write_bytes((self.folder / "pictures/lines/1.png").read_bytes()[:60])
        self.text()
        self.refused("MALFORMED_IMAGE", "`content`", "1 of", "on_bad_image", call=["run", "p.toml"])
        self.text(features='on_bad_image = "skip"')
        result = self.good("run", "p.toml")
        self.good("predict", "model", "--source", "files=pictures", "--out", "out")
        rows = self.sql_rows("SELECT count(*) AS n, count(prediction) AS good, max(if(prediction IS NULL, path, '')) AS bad FROM parquet.`out`")
        self.assertEqual((rows[0]["n"], rows[0]["good"]), ("81", "80"))
        self.assertTrue(rows[0]["bad"].endswith("lines/bad.png"))
        if "81 rows" not in result.err and "left out: their images" not in result.err:
            self.assertRegex(result.err, "rows to train on")  # The bad one was no training row.

    def wrong(self, condition, *names, **changes):
        self.text(**changes)
        self.refused(condition, *names, call=["run", "p.toml"])

    def test_mistakes(self):
        self.wrong("INVALID_OPTION", "resnet18", network=('"mobilenet_v3_small"', '"resnet81"'))
        self.wrong("INVALID_PIPELINE", "`network`", network=('network = "mobilenet_v3_small"', ""))
        self.wrong("INVALID_PIPELINE", "RandomHorizontalFlip", options='augment = ["RandomHorizontalFlop"]')
        self.wrong("INVALID_PIPELINE", "`image_size`", image=('image = ["content"]', 'categorical = ["path"]'))
        self.wrong("INVALID_PIPELINE", "`kind`", "`image`", image=('image = ["content"]\nimage_size = 32', 'categorical = ["path"]'))
        self.wrong("INVALID_OPTION", "no adapters", options='fine_tune = "lora"')
        self.wrong("INVALID_OPTION", "one image", features='categorical = ["path"]')
        self.wrong("TRAINING_DATA_INVALID", "`path`", "binaryFile", image=('["content"]', '["path"]'))
        self.wrong("PATH_NOT_FOUND", "absent.pth", options='path = "absent.pth"')
        (self.folder / "text.pth").write_text("no weights")
        self.wrong("INVALID_ARTIFACT", "text.pth", options='path = "text.pth"')


class Log(Case):
    """The log of a run, as JSON lines."""

    def events(self, path):
        return [json.loads(line) for line in (self.folder / path).read_text().splitlines()]

    def test_run_is_in_the_artifact_and_the_log(self):
        self.write(train='[track]\nlog = "logs/runs.jsonl"\nrun = "first"')
        self.good("run", "-q", "p.toml")
        for path in ("model/log.jsonl", "logs/runs.jsonl"):
            first, *epochs, last = self.events(path)
            self.assertEqual([row["epoch"] for row in epochs if row["event"] == "epoch"], [1, 2])
            self.assertEqual((first["event"], first["run"], first["model"], first["epochs"], first["resumed"]), ("start", "first", "mlp", 2, False))
            self.assertEqual((first["settings"]["train.learning_rate"], first["settings"]["train.schedule"], first["settings"]["model.hidden"]),
                             ("0.01", "constant", "16"))
            self.assertEqual(sum(first["rows"].values()), 20_000)
            self.assertEqual((last["event"], last["state"]), ("end", "finished"))
            metrics = self.metrics(self.folder / "model")
            self.assertEqual(last["test"], metrics["test"])
            self.assertEqual(last["epoch"], metrics["best_epoch"])
            self.assertEqual([(row["loss"], row["validation"]) for row in epochs], [(row["loss"], row["validation"]) for row in metrics["history"]])
        self.good("run", "-q", "p.toml")
        self.assertEqual([row["event"] for row in self.events("logs/runs.jsonl")].count("start"), 2)
        self.assertEqual(self.good("watch", "logs/runs.jsonl").out.count("epoch "), 2)  # the last run's
        self.assertEqual([row["event"] for row in self.events("model/log.jsonl")].count("start"), 1)

    def test_failed_run_says_why(self):
        self.write(train='clip_norm = 0\n[track]\nlog = "runs.jsonl"', epochs=1)
        path = self.folder / "p.toml"
        path.write_text(path.read_text().replace("learning_rate = 0.01", "learning_rate = 1e30"))
        self.assertEqual(self.call("run", "-q", "p.toml").code, 1)
        last = self.events("runs.jsonl")[-1]
        self.assertEqual((last["event"], last["state"]), ("end", "failed"))
        self.assertIn("TRAINING_DATA_INVALID", last["error"])

    def test_log_that_cannot_be_written(self):
        (self.folder / "taken").mkdir()
        self.write(train='[track]\nlog = "taken"')
        self.refused("IO_ERROR", "taken", "folder", call=["run", "p.toml"])
        self.write(train='[track]\nlog = "p.toml/runs.jsonl"')
        self.refused("IO_ERROR", "runs.jsonl", "p.toml", "folder", call=["run", "p.toml"])

    def test_full_disk_costs_a_warning(self):
        self.write(train='[track]\nlog = "/dev/full"')
        result = self.good("run", "-q", "p.toml")
        self.assertEqual(len(re.findall(r"(?m)^warning: .*/dev/full", result.err)), 1, result.err)


class Tuning(Case):
    """Searches over settings."""

    SPACE = """
[tune]
trials = 6
{tune}
[tune.space]
train.learning_rate = {{ low = 1e-4, high = 1e-1, log = true }}
model.hidden = [[4], [16, 8]]
{space}
"""

    def write(self, tune="", space="", **changes):
        path = super().write(**changes)
        path.write_text(path.read_text() + self.SPACE.format(tune=tune, space=space))
        return path

    def trials(self):
        return json.loads((self.folder / "model/metrics.json").read_text())["trials"]

    def test_the_best_trial_is_the_model(self):
        self.write(epochs=3)
        result = self.good("tune", "p.toml")
        self.assertEqual(len(self.trials()), 6)
        best = max(self.trials(), key=lambda trial: (len(trial["metrics"]), -min(trial["metrics"] or [9])))
        self.assertEqual(len(best["metrics"]), 3)
        self.assertLess(sum(len(trial["metrics"]) for trial in self.trials()), 18, "no trial ended early")
        self.assertIn("(the model)", result.out)
        tuned = (self.folder / "model/pipeline.toml").read_text()
        for key, value in best["values"]:
            self.assertIn(f"{key}={value}", tuned.split("\n")[0])
        self.assertIn("learning_rate", (self.folder / "model/report.html").read_text().split("Trials")[1])
        self.assertEqual(sorted(os.listdir(self.folder)), ["model", "p.toml", "temp"])
        # The file of the artifact is the whole truth: it gives the same model again, with a trial's share of the threads.
        self.env["OMP_NUM_THREADS"] = "1"
        self.good("run", "-q", "model/pipeline.toml", "--output", "again")
        self.assertEqual((self.folder / "again/model.safetensors").read_bytes(), (self.folder / "model/model.safetensors").read_bytes())

    def test_a_stopped_search_goes_on(self):
        self.write(data=SHARED / "big.parquet", epochs=3, batch_size=128)
        process = start(["tune", "p.toml"], self.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline, err = time.monotonic() + TIMEOUT_S, b""
        while b"trial   2" not in err and b"trial   1" not in err:
            self.assertLess(time.monotonic(), deadline, err)
            if select.select([process.stderr], [], [], 1)[0]:
                err += os.read(process.stderr.fileno(), 65536)
        process.send_signal(signal.SIGINT)
        out, rest = finish(process)
        self.assertEqual(process.returncode, 130, rest)
        resumed = self.good("tune", "p.toml", "--resume")
        self.assertEqual(len(self.trials()), 6)
        ended = re.search(rb"trial +(\d+) .* 1 epochs", err)[1].decode()
        self.assertNotRegex(resumed.err, rf"trial +{ended} .* 1 epochs")

    def test_settings_that_do_not_go_together_are_failed_trials(self):
        self.write(tune='method = "grid"', space='model.kind = ["mlp", "resnet"]').write_text(
            (self.folder / "p.toml").read_text().replace("{ low = 1e-4, high = 1e-1, log = true }", "[0.01]").replace("[[4], [16, 8]]", "[[], [4]]"))
        result = self.good("tune", "p.toml")
        self.assertIn("failed: A resnet needs one `hidden` width.", result.err)
        self.assertEqual(len(self.trials()), 4)

    def test_mistakes(self):
        for space, message in (("data.x = [1]", "only keys of [model] and [train]"), ("train.epochs = [1, 2]", "must be the same in all trials"),
                               ("model.dropout = []", "empty list"), ("model.dropout = 0.1", "must be a list of values"),
                               ("model.dropout = { low = 0.5, high = 0.1 }", "`low` below its `high`"),
                               ("model.dropout = { low = 0, high = 0.1, log = true }", "above 0 for `log`"),
                               ("model.dropout = { low = 0.1, hi = 0.2 }", "has no key `hi`")):
            path = self.write(space=space)
            self.refused("INVALID_PIPELINE", message, f"p.toml:{self.line_of(path, space)}", call=["tune", "p.toml"])
        self.write(tune='method = "grid"')
        self.refused("INVALID_PIPELINE", 'must be a list for method = "grid"', call=["tune", "p.toml"])
        self.write(space="model.width = [1]")
        self.refused("TRAINING_DATA_INVALID", "Every one of 6 trials failed", "has no key `width`", call=["tune", "p.toml"])
        super().write()
        self.refused("INVALID_PIPELINE", "[tune.space]", call=["tune", "p.toml"])

    def test_set(self):
        super().write(epochs=5)
        result = self.good("run", "p.toml", "--set", "train.epochs=1", "--set", 'model.activation="gelu"')
        self.assertIn("epoch 1/1", result.err)
        self.assertIn("gelu", (self.folder / "model/pipeline.toml").read_text())
        for text, message in (("train.epochs=0", "(train.epochs=0 was set)"), ("train.epochs", "key=value"), ("train.schedule=cosine", "in quotes")):
            self.refused("INVALID_(PIPELINE|OPTION)", message, call=["run", "p.toml", "--set", text])


class Artifact(Case):
    """A saved model that was changed is refused, with the name of the file."""

    def setUp(self):
        super().setUp()
        shutil.copytree(SHARED / "model", self.folder / "model")

    def damaged(self, *names):
        self.refused("INVALID_ARTIFACT", *names, call=["predict", "model", "--in", SHARED / "d.parquet", "--out", "predictions"])

    def test_flipped_byte(self):
        path = self.folder / "model/model.safetensors"
        content = bytearray(path.read_bytes())
        content[-10] ^= 1
        path.write_bytes(content)
        self.damaged("model.safetensors")

    def test_removed_file(self):
        for name in ("encoders.json", "model.json", "model.safetensors", "manifest.json"):
            content = (self.folder / "model" / name).read_bytes()
            (self.folder / "model" / name).unlink()
            self.damaged(name)
            (self.folder / "model" / name).write_bytes(content)

    def test_newer_format(self):
        path = self.folder / "model/manifest.json"
        manifest = json.loads(path.read_text())
        manifest["format"] += 1
        path.write_text(json.dumps(manifest))
        self.damaged("model", "format is 2")

    def test_manifest_is_no_json(self):
        (self.folder / "model/manifest.json").write_text('{"format": ')
        self.damaged("manifest.json")

    def test_folder_is_no_artifact(self):
        shutil.rmtree(self.folder / "model")
        (self.folder / "model").mkdir()
        self.damaged("model", "manifest.json")


class Limits(Case):
    """A full disk and little memory end a command with a message."""

    @contextlib.contextmanager
    def small_disk(self, size="2m"):
        if os.geteuid() != 0 or not shutil.which("mount"):
            self.skipTest("a small disk needs root and mount")
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True, timeout=TIMEOUT_S)
        if mounted.returncode != 0:
            self.skipTest(f"a small disk cannot be mounted: {mounted.stderr.decode().strip()}")
        try:
            yield disk
        finally:
            subprocess.run(["umount", "-l", disk], check=True, timeout=TIMEOUT_S)

    FULL = r"(DISK_FULL|IO_ERROR)\]"

    def test_full_disk_keeps_the_artifact(self):
        with self.small_disk() as disk:
            self.write()
            self.good("run", "-q", "p.toml", "--output", disk / "model")
            before = {f: (disk / "model" / f).read_bytes() for f in os.listdir(disk / "model")}
            self.write("big.toml", sql="SELECT * FROM (SELECT id, x1, x2, kind, late FROM raw UNION ALL SELECT raw.id, x1 + rand(1), x2 + rand(2), kind, late "
                                       "FROM raw CROSS JOIN range(20))")
            self.refused(self.FULL, disk, call=["run", "-q", "big.toml", "--output", disk / "model"])
            self.assertEqual(before, {f: (disk / "model" / f).read_bytes() for f in os.listdir(disk / "model")})

    def test_full_disk_at_the_artifact(self):
        with self.small_disk() as disk:
            shutil.copytree(SHARED / "model", disk / "model")
            before = {f: (disk / "model" / f).read_bytes() for f in os.listdir(disk / "model")}
            used = sum(len(content) for content in before.values())
            self.write(epochs=1)
            # All but what the rows and checkpoints take, found by halving.
            for share in (0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99):
                (disk / "filler").write_bytes(bytes(int(share * (2 * 1024 * 1024 - 2 * used))))
                result = self.call("run", "-q", "p.toml", "--output", disk / "model")
                if result.code == 0:
                    before = {f: (disk / "model" / f).read_bytes() for f in os.listdir(disk / "model")}
                    continue
                self.assertRegex(result.err, rf"(?m)^\[{self.FULL}")
                self.assertEqual(before, {f: (disk / "model" / f).read_bytes() for f in os.listdir(disk / "model")})
                kept = ["model.work"] if "is kept in" in result.err else []
                self.assertEqual(sorted(os.listdir(disk)), ["filler", "model", *kept])
                shutil.rmtree(disk / "model.work", ignore_errors=True)
            self.assertNotEqual(result.code, 0)

    def test_full_disk_of_predictions(self):
        with self.small_disk() as disk:
            (disk / "filler").write_bytes(bytes(1900 * 1024))
            for form in ("parquet", "csv", "json"):
                self.refused(self.FULL, call=["predict", SHARED / "model", "--in", SHARED / "big.parquet", "--out", disk / "predictions",
                                              "--out-format", form])

    def test_full_disk_of_sql(self):
        with self.small_disk() as disk:
            for form in ("csv", "json", "parquet", "arrow"):
                with self.subTest(form):
                    self.refused(self.FULL, call=["sql", "SELECT id, hash(id) AS h, uuid() AS u FROM range(300000)", "--format", form,
                                                  "-o", disk / f"out.{form}"])
                    for entry in disk.iterdir():
                        entry.unlink()

    def test_full_standard_output(self):
        for form in ("table", "csv", "json", "arrow"):
            with self.subTest(form), open("/dev/full", "wb") as full:
                self.refused(self.FULL, call=["sql", "SELECT id FROM range(20)", "--format", form], stdout=full)

    def test_little_memory(self):
        limits = ["--memory", "20MB", "--temp-limit", "1MB", "--temp", self.temp]
        for query in ("SELECT id, hash(id) AS h FROM range(8000000) ORDER BY h DESC LIMIT 4000000",
                      "SELECT count(*) FROM (SELECT hash(id) AS h, count(*) FROM range(8000000) GROUP BY 1)"):
            result = self.refused("OUT_OF_MEMORY", "--memory", call=[*limits, "sql", "--format", "csv", query])
            self.assertEqual(result.bytes, b"")

    def test_little_memory_spills(self):
        rows = self.good("--memory", "60MB", "--temp", self.temp, "sql", "--format", "csv",
                         "SELECT max(r) AS r FROM (SELECT row_number() OVER (ORDER BY hash(id), id) AS r FROM range(4000000))")
        self.assertEqual(rows.out.split(), ["r", "4000000"])

    def test_bad_limits(self):
        self.refused("INVALID_OPTION", "lots", call=["--memory", "lots", "sql", "SELECT 1"])


class Sql(Case):
    """Statements, formats and the shell."""

    def test_csv(self):
        rows = self.sql_rows("SELECT id, concat('a,', id) AS t, if(id = 1, NULL, id) AS n FROM range(3)")
        self.assertEqual(rows, [{"id": "0", "t": "a,0", "n": "0"}, {"id": "1", "t": "a,1", "n": ""}, {"id": "2", "t": "a,2", "n": "2"}])

    def test_json(self):
        out = self.good("sql", "--format", "json", "SELECT id, array(id, 1) AS a, 'ü' AS t FROM range(2)").out
        self.assertEqual([json.loads(line) for line in out.splitlines()], [{"id": 0, "a": [0, 1], "t": "ü"}, {"id": 1, "a": [1, 1], "t": "ü"}])

    def test_arrow(self):
        out = self.good("sql", "--format", "arrow", "SELECT id FROM range(3)").bytes
        self.good("sql", "--format", "arrow", "SELECT id FROM range(3)", "-o", "rows.arrow")
        for stream in (out, (self.folder / "rows.arrow").read_bytes()):
            self.assertEqual(stream[:4], b"\xff" * 4)
            self.assertEqual(stream[-8:], b"\xff" * 4 + bytes(4))
            self.assertIn(b"id", stream)
            self.assertIn(b"".join(i.to_bytes(8, "little") for i in range(3)), stream)

    def test_parquet(self):
        self.good("sql", "--format", "parquet", "SELECT id, 'a' AS t FROM range(3)", "-o", "rows.parquet")
        self.assertEqual((self.folder / "rows.parquet").read_bytes()[:4], b"PAR1")
        self.assertEqual(len(self.sql_rows("SELECT * FROM parquet.`rows.parquet`")), 3)
        self.assertEqual(self.files(), ["rows.parquet", "temp"])
        self.refused("INVALID_OPTION", "--output", call=["sql", "--format", "parquet", "SELECT 1"])

    def test_output_of_no_rows(self):
        for form in ("csv", "json", "parquet", "arrow"):
            self.good("sql", "--format", form, "SELECT id FROM range(3) WHERE id > 5", "-o", f"none.{form}")
            self.assertTrue((self.folder / f"none.{form}").exists(), form)
        self.assertEqual(self.sql_rows("SELECT * FROM parquet.`none.parquet`"), [])

    def test_output_of_many_rows_is_whole(self):
        for form in ("csv", "json", "parquet"):
            self.good("sql", "--format", form, "SELECT id, uuid() AS u FROM range(300000)", "-o", f"many.{form}")
        for name, source in (("csv", "csv.`many.csv`"), ("json", "json.`many.json`"), ("parquet", "parquet.`many.parquet`")):
            expected = "300001" if name == "csv" else "300000"  # csv.`file` takes the header for a row, as Spark does
            self.assertEqual(self.sql_rows(f"SELECT count(*) AS n FROM {source}"), [{"n": expected}], name)

    def test_output_into_an_absent_folder(self):
        for form in ("csv", "arrow"):
            self.refused("(PATH_NOT_FOUND|IO_ERROR)", "nowhere", call=["sql", "--format", form, "SELECT 1 AS a", "-o", "nowhere/out"])

    def test_table(self):
        self.assertEqual(self.good("sql", "SELECT 40 + 2 AS answer").out.strip().splitlines(),
                         ["+------+", "|answer|", "+------+", "|    42|", "+------+"])

    def test_several_statements(self):
        out = self.good("sql", "CREATE TEMPORARY VIEW v AS SELECT id + 1 AS n FROM range(3); SELECT sum(n) AS total FROM v; SELECT 'a;b' AS t -- c; d").out
        self.assertIn("|    6|", out)
        self.assertIn("|a;b|", out)

    def test_block_comment_with_a_semicolon(self):
        self.assertIn("| 42|", self.good("sql", "SELECT /* one; two */ 42 AS a").out)

    def test_statements_of_a_file(self):
        (self.folder / "q.sql").write_text("SELECT 1 AS a;\nSELECT 2 AS b;\n")
        out = self.good("sql", "-f", "q.sql").out
        self.assertIn("|  a|", out)
        self.assertIn("|  b|", out)

    def test_statement_from_standard_input(self):
        self.assertIn("| 42|", self.good("sql", given=b"SELECT 42 AS a").out)
        self.refused("PARSE_EMPTY_STATEMENT", call=["sql"], given=b" \n")

    def test_failing_statement_after_good_ones(self):
        result = self.call("sql", "SELECT 1 AS a; SELECT nope")
        self.assertEqual(result.code, 1)
        self.assertIn("|  a|", result.out)
        self.assertRegex(result.err, r"(?m)^\[UNRESOLVED_COLUMN.*`nope`")

    def test_errors_point_at_the_text(self):
        result = self.refused("PARSE_SYNTAX_ERROR", "'x'", "SELECT a FORM x x", call=["sql", "SELECT a FORM x x"])
        self.assertRegex(result.err, r"(?m)^ +\^")
        result = self.refused("UNRESOLVED_COLUMN.WITH_SUGGESTION", "`idd`", "`id`", call=["sql", "SELECT\n  idd FROM range(3)"])
        self.assertRegex(result.err, r"(?m)^  idd FROM range\(3\)\n  \^\^\^$")
        self.refused("UNRESOLVED_ROUTINE", "`substrin`", call=["sql", "SELECT substrin('a', 1)"])
        self.refused("TABLE_OR_VIEW_NOT_FOUND", "`nothing`", call=["sql", "SELECT * FROM nothing"])
        self.refused("DIVIDE_BY_ZERO", call=["sql", "SELECT id / 0 FROM range(3)"])
        self.refused("CAST_INVALID_INPUT", "word", call=["sql", "SELECT CAST('word' AS INT)"])

    def test_cross_join_with_a_generator(self):
        self.assertEqual(len(self.sql_rows("SELECT n FROM range(2), (SELECT explode(sequence(1, 2)) AS n)")), 4)

    def test_interrupt(self):
        process = start(["sql", "SELECT count(*) FROM range(3000000) a JOIN range(3000000) b ON a.id + b.id = hash(a.id * b.id)"], self.env,
                        cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        _, err = finish(process)
        self.assertEqual(process.returncode, 130, err)
        self.assertRegex(err.decode(), r"(?m)^\[OPERATION_CANCELED\]")

    def test_reader_that_goes_away(self):
        process = start(["sql", "--format", "csv", "SELECT id FROM range(3000000)"], self.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(10)
        process.stdout.close()
        err = process.stderr.read().decode()
        process.stderr.close()
        self.assertIn(process.wait(TIMEOUT_S), (0, 1, -signal.SIGPIPE, 141), err)
        self.assertNotIn("INTERNAL_ERROR", err)


class Shell(Case):
    """firesteel sql at a terminal."""

    def setUp(self):
        super().setUp()
        self.open()

    def open(self):
        self.terminal, theirs = pty.openpty()
        self.process = start(["sql"], {**self.env, "TERM": "xterm"}, cwd=self.folder, stdin=theirs, stdout=theirs, stderr=theirs,
                             start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)
        self.seen = ""
        self.addCleanup(self.end, self.process, self.terminal)
        self.until("firesteel> ")

    @staticmethod
    def end(process, terminal):
        if process.poll() is None:
            process.kill()
        process.wait()
        with contextlib.suppress(OSError):
            os.close(terminal)

    def type(self, text):
        self.seen = ""
        os.write(self.terminal, text.encode())

    def until(self, text, seconds=20):
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            self.assertLess(time.monotonic(), deadline, f"no {text!r} in {self.seen!r}")
            if select.select([self.terminal], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.terminal, 65536).decode(errors="replace")
                except OSError:
                    self.fail(f"the shell ended without {text!r}: {self.seen!r}")

    def leave(self):
        for _ in range(20):  # Keys that come before the line editor holds the terminal turn into others.
            self.type("\x15\x04")
            deadline = time.monotonic() + 1
            while self.process.poll() is None and time.monotonic() < deadline:
                # A terminal is let go when what was written to it has been read.
                if select.select([self.terminal], [], [], 0.1)[0]:
                    with contextlib.suppress(OSError):
                        self.seen += os.read(self.terminal, 65536).decode(errors="replace")
            if self.process.poll() is not None:
                break
        self.assertEqual(self.process.poll(), 0, f"the shell does not end: {self.seen!r}")

    def test_query_history_and_end(self):
        self.type("SELECT 40 + 2 AS answer;\n")
        self.until("|    42|")
        self.until("firesteel> ")
        self.type("\x1b[A\n")  # the arrow up
        self.until("|    42|")
        self.until("firesteel> ")
        self.leave()
        self.open()
        self.type("\x1b[A\n")
        self.until("|    42|")
        self.until("firesteel> ")
        self.leave()

    def test_statement_of_two_lines_and_error(self):
        self.type("SELECT 1 AS one,\n")
        self.until("-> ")
        self.type("2 AS two;\n")
        self.until("|  1|  2|")
        self.type("SELECT nope;\n")
        self.until("[UNRESOLVED_COLUMN")
        self.until("firesteel> ")
        self.type("SELECT 'still' AS here;\n")
        self.until("|still|")
        self.until("firesteel> ")
        self.leave()

    def test_interrupts_end_the_query_alone(self):
        for _ in range(2):
            self.type("SELECT count(*) FROM range(3000000) a JOIN range(3000000) b ON a.id + b.id = hash(a.id * b.id);\n")
            time.sleep(1.5)
            os.write(self.terminal, b"\x03")
            self.until("[OPERATION_CANCELED]")
            self.until("firesteel> ")
        self.type("SELECT 'still' AS here;\n")
        self.until("|still|")
        self.until("firesteel> ")
        self.leave()

    def test_quit(self):
        self.type("quit\n")
        self.assertEqual(self.process.wait(20), 0)


class Terminal:
    """A terminal of 100 columns and 30 rows with a program in it, and what it shows: the few controls that the view uses."""

    COLUMNS, ROWS = 100, 30

    def __init__(self, case, *arguments):
        self.case, self.bytes, self.frames = case, b"", []
        self.master, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", self.ROWS, self.COLUMNS, 0, 0))
        modes = termios.tcgetattr(theirs)
        modes[3] = modes[3] & ~termios.ECHO | termios.NOFLSH  # else Ctrl-C drops and adds characters in mid-drawing
        termios.tcsetattr(theirs, termios.TCSANOW, modes)
        self.process = start(arguments, {**case.env, "TERM": "xterm", "GOMP_SPINCOUNT": "0"}, cwd=case.folder, stdin=theirs, stdout=theirs,
                             stderr=theirs, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)
        case.addCleanup(Shell.end, self.process, self.master)

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            more = os.read(self.master, 65536)
        except OSError:  # the program's end
            return False
        self.bytes += more
        self.frames += [time.monotonic()] * more.count(b"\x1b[?7l")
        return bool(more)

    def until(self, text):
        deadline = time.monotonic() + TIMEOUT_S
        while not any(text in line for line in self.lines()):
            self.case.assertLess(time.monotonic(), deadline, f"no {text!r} in\n" + "\n".join(self.lines()))
            if not self.read(0.2):
                self.case.fail(f"the program ended without {text!r}:\n" + "\n".join(self.lines()))

    def press(self, keys):
        os.write(self.master, keys)

    def end(self):
        """The exit code, when all that was printed has been read."""
        deadline = time.monotonic() + TIMEOUT_S
        while self.read(0.2):
            self.case.assertLess(time.monotonic(), deadline, "the program does not end")
        return self.process.wait(TIMEOUT_S)

    def lines(self):
        """All lines ever shown, those that were drawn over as they are now."""
        lines, row, column = [""], 0, 0
        for text, control in re.findall(r"([^\x1b\r\n]+)|(\x1b\[[?0-9;]*[A-Za-z]|[\r\n])", self.bytes.decode(errors="ignore")):
            if control == "\r":
                column = 0
            elif control == "\n":
                row, column = row + 1, 0
                if row == len(lines):
                    lines.append("")
            elif control.endswith("A"):
                row -= int(control[2:-1])
            elif control.endswith("K"):
                lines[row] = lines[row][:column]
            elif control.endswith("J"):
                del lines[row + 1:]
                lines[row] = lines[row][:column]
            elif text:
                lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text):]
                column += len(text)
        return lines

    def cursor_is_back(self):
        self.case.assertEqual(self.bytes.count(b"\x1b[?25l"), 1)
        self.case.assertGreater(self.bytes.rfind(b"\x1b[?25h"), self.bytes.rfind(b"\x1b[?25l"))
        self.case.assertGreater(self.bytes.rfind(b"\x1b[?7h"), self.bytes.rfind(b"\x1b[?7l"))


class Watch(Case):
    """A run drawn while it trains, by itself and from its log."""

    slow = Training.slow

    def shows(self, terminal, *, epoch, epochs):
        """The view is there once, fits the terminal and holds the epochs up to this one."""
        lines = terminal.lines()
        text = "\n".join(lines)
        self.assertEqual(text.count("training loss"), 1, text)
        self.assertEqual(len(re.findall(rf"(?m)^epoch {epoch}/{epochs} ", text)), 1, text)
        self.assertRegex(text, "[\u2801-\u28ff]{3}")
        self.assertLess(max(map(len, [line for line in lines if "┤" in line or "│" in line])), terminal.COLUMNS)
        rows = [line.split() for line in lines if re.match(r" +\d+ +\d\.\d+ ", line)]
        self.assertEqual([row[0] for row in rows], [str(number) for number in range(1, epoch + 1)][-len(rows):], text)
        self.assertLessEqual(sum("best" in row for row in rows), 1)
        self.assertTrue(any(re.fullmatch(rf" +1 +{epoch} +1 +{epoch} *", line) for line in lines), "the curves begin with the first epoch")

    def test_run_draws_itself(self):
        self.slow()
        terminal = Terminal(self, "run", "p.toml", "--watch")
        started = time.monotonic()
        terminal.until("training loss")
        self.assertEqual(terminal.end(), 0)
        lines = terminal.lines()
        self.assertIn("p.toml  mlp", [line.strip() for line in lines])
        self.shows(terminal, epoch=5, epochs=5)
        self.assertEqual(sum("rows to train on" in line for line in lines), 1)
        self.assertTrue(any(re.match(r"mlp +0\.\d+", line) for line in lines), lines)
        terminal.cursor_is_back()
        # Beside the last one and those that a line above them makes.
        self.assertLessEqual(len(terminal.frames), 5 * (time.monotonic() - started) + 5)

    def test_interrupted_run_gives_the_cursor_back(self):
        path = self.slow()
        path.write_text(path.read_text().replace("epochs = 5", "epochs = 60"))
        terminal = Terminal(self, "run", "p.toml", "--watch")
        terminal.until("  best")  # an epoch is done; short ones may never be drawn by number
        terminal.press(b"\x03")
        self.assertEqual(terminal.end(), 130)
        terminal.cursor_is_back()
        self.assertTrue(any(line.startswith("[OPERATION_CANCELED]") for line in terminal.lines()), terminal.lines())
        last = json.loads((self.folder / "model.work/log.jsonl").read_text().splitlines()[-1])
        self.assertEqual((last["event"], last["state"]), ("end", "stopped"))
        watched = self.call("watch", "model")
        self.assertEqual(watched.code, 1)
        self.assertIn("stopped: [OPERATION_CANCELED]", watched.out)
        for command in (["run", "--watch", "--resume", "p.toml"], ["watch", "model"]):
            terminal = Terminal(self, *command)
            self.assertEqual(terminal.end(), 0)
            self.shows(terminal, epoch=60, epochs=60)

    def test_failed_run_gives_the_cursor_back(self):
        path = self.write()
        path.write_text(path.read_text().replace("learning_rate = 0.01", "learning_rate = 1e30"))
        terminal = Terminal(self, "run", "p.toml", "--watch")
        self.assertEqual(terminal.end(), 1)
        terminal.cursor_is_back()
        self.assertTrue(any(line.startswith("[TRAINING_DATA_INVALID]") for line in terminal.lines()), terminal.lines())

    def test_without_a_terminal(self):
        self.write()
        result = self.good("run", "p.toml", "--watch")
        self.assertIn("epoch 2/2  loss", result.err)
        self.assertNotIn("\x1b", result.err + result.out)
        self.assertEqual(self.call("run", "p.toml", "--watch", "-q").code, 2)

    def test_artifact(self):
        terminal = Terminal(self, "watch", SHARED / "model/")
        self.assertEqual(terminal.end(), 0)
        self.shows(terminal, epoch=2, epochs=2)
        terminal.cursor_is_back()
        names = next(line.split() for line in terminal.lines() if line.startswith(" test"))
        values = next(line.split() for line in terminal.lines() if line.startswith(" mlp "))
        shown = dict(zip(names[1:], map(float, values[1:])))
        for name, value in self.metrics(SHARED / "model")["test"]["mlp"].items():
            self.assertAlmostEqual(shown[name], value, 4, name)
        printed = self.good("watch", SHARED / "model/log.jsonl")
        self.assertRegex(printed.out, r"(?m)^epoch 1/2  loss 0\.\d+ .*validation log_loss 0\.\d+\nepoch 2/2 .*\nfinished$")

    def test_run_of_another_terminal(self):
        self.slow()
        run = start(["run", "-q", "p.toml"], self.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(run.kill)
        deadline = time.monotonic() + TIMEOUT_S
        while not (self.folder / "model.work").exists():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        terminal = Terminal(self, "watch", "model.work")
        plain = start(["watch", "model"], self.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(plain.kill)
        self.assertEqual(terminal.end(), 0, terminal.lines())
        out, err = finish(plain)
        self.assertEqual(plain.returncode, 0, (out, err))
        self.assertEqual(re.findall(r"(?m)^epoch (\d)/5 ", out.decode()), list("12345"))
        self.shows(terminal, epoch=5, epochs=5)
        _, err = finish(run)
        self.assertEqual(run.returncode, 0, err)

    def test_killed_run(self):
        self.slow()
        run = start(["run", "-q", "p.toml"], self.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(run.kill)
        log, deadline = self.folder / "model.work/log.jsonl", time.monotonic() + TIMEOUT_S
        while not (log.exists() and '"epoch":1,' in log.read_text()):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        run.send_signal(signal.SIGSTOP)
        terminal = Terminal(self, "watch", "model")
        terminal.until("training loss")
        run.kill()
        finish(run)
        self.assertEqual(terminal.end(), 1)
        self.assertTrue(any("ended without a word" in line for line in terminal.lines()), terminal.lines())

    def test_watching_is_left(self):
        log = self.folder / "log.jsonl"
        log.write_text('{"event": "start", "run": "r", "pipeline": "far.toml", "model": "mlp", "epochs": 9, "host": "elsewhere", "process": 1}\n')
        terminal = Terminal(self, "watch", "log.jsonl")
        terminal.until("far.toml")
        terminal.press(b"\x03")
        self.assertEqual(terminal.end(), 130)
        terminal.cursor_is_back()

    def test_log_with_anything_in_it(self):
        (self.folder / "log.jsonl").write_bytes(
            b'no json\n[1]\n{"event": 3}\n{"event": "end", "run": "r"}\n\xff\xfe\n\n'
            b'{"event": "start", "run": "r", "epochs": "nine", "model": ["m"], "pipeline": "a\\u001b[31mb\\u0085\\n.toml"}\n'
            b'{"event": "epoch", "run": "other", "epoch": 1, "loss": 7}\n'
            b'{"event": "epoch", "run": "r", "epoch": 1, "loss": null, "validation": "x", "metric": "\\u001b]0;t\\u0007"}\n'
            b'{"event": "epoch", "run": "r", "epoch": 2, "loss": 1e308, "rows_per_second": null}\n'
            b'{"event": "epoch", "run": "r", "epoch": 3, "loss": -1e308}\n'
            b'{"event": "progress", "run": "r", "epoch": -5, "rows": 1, "rows_total": 0, "loss": {}}\n'
            b'{"event": "end", "run": "r", "state": "failed", "error": "\\u001b[2Jwhy", "test": {"m": 3, "n": {"auc": "x"}}}\n{"event": "cut')
        terminal = Terminal(self, "watch", "log.jsonl")
        self.assertEqual(terminal.end(), 1)
        for control in (b"\x1b[31mb", b"\x1b]", b"\x07", b"\x1b[2J", b"\xc2\x85"):
            self.assertNotIn(control, terminal.bytes)
        self.assertTrue(any("why" in line for line in terminal.lines()), terminal.lines())
        self.assertEqual(self.call("watch", "log.jsonl").code, 1)

    def test_nothing_to_watch(self):
        self.refused("PATH_NOT_FOUND", "absent", call=["watch", "absent"])
        self.refused("PATH_NOT_FOUND", "temp", "log.jsonl", call=["watch", "temp"])

    def test_small_terminal(self):
        for columns, rows in ((20, 5), (45, 12), (1, 1), (300, 80)):
            Terminal.COLUMNS, Terminal.ROWS = columns, rows
            try:
                terminal = Terminal(self, "watch", SHARED / "model")
                self.assertEqual(terminal.end(), 0)
                self.assertLess(max(map(len, terminal.lines())), max(columns, 2))
                self.assertLessEqual(len(terminal.lines()), rows)
            finally:
                Terminal.COLUMNS, Terminal.ROWS = 100, 30


NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def forward(self, x, *, mask=None):
        return self.layer(x)

def make():
    return Net(), torch.randn(3, 4)

def number():
    return 3
"""


class Export(Case):
    """`export` of a module of the user's own, in the Python of the build, which has torch."""

    PYTHON = pathlib.Path(__file__).resolve().parents[2] / ".deps/venv/bin/python"

    def setUp(self):
        super().setUp()
        (self.folder / "nets.py").write_text(NET)

    def export(self, *arguments):
        return self.call("export", "--python", self.PYTHON, *arguments)

    def test_own_module(self):
        for source, inputs in (("nets.py:make", []), ("nets.py:Net", ["--input", "x=4"]), ("nets:make", ["--static"])):
            made = self.export(source, "net.pt2", *inputs)
            self.assertEqual(made.code, 0, made.err)
            self.assertIn("net.pt2: Net, 10 parameters, inputs x (3, 4)", made.out)
            with zipfile.ZipFile(self.folder / "net.pt2") as archive:
                records = {name.partition("/")[2] for name in archive.namelist()}
                self.assertLessEqual({"models/model.json", "extra/train.json", "data/weights/weight_0"}, records)
            self.assertEqual(self.files(), [f for f in self.files() if "part" not in f])

    def test_refusals(self):
        python = ["export", "--python", self.PYTHON]
        self.refused("INVALID_OPTION", "nets.py", "made", call=[*python, "nets.py:made", "net.pt2"])
        self.refused("INVALID_OPTION", "int", call=[*python, "nets.py:number", "net.pt2"])
        self.refused("INVALID_OPTION", "example inputs", call=[*python, "nets.py:Net", "net.pt2"])
        self.refused("INVALID_OPTION", "--input", "x=four", call=[*python, "nets.py:Net", "net.pt2", "--input", "x=four"])
        self.refused("INVALID_OPTION", "neither a folder", call=[*python, "resnet18", "net.pt2"])
        self.refused("PYTHON_NOT_FOUND", "no-python", "--python", call=["export", "--python", "no-python", "nets.py:make", "net.pt2"])


class Commands(Case):
    """show, explain, functions, doctor, completion, help and the options of the command line."""

    def test_show(self):
        self.write(sql="SELECT *, x1 * 2 AS twice FROM raw")
        out = self.good("show", "p.toml", "examples", "-n", 3).out
        for text in ("|-- twice: double", "20000 rows", "only showing top 3 rows", "nulls", "distinct", "75%"):
            self.assertIn(text, out)
        self.assertNotIn("twice", self.good("show", "p.toml", "raw").out)
        self.refused("INVALID_OPTION", "p.toml", "`exampls`", "Did you mean `examples`?", call=["show", "p.toml", "exampls"])

    def test_show_batch(self):
        self.write()
        out = self.good("show", "p.toml", "--batch", "-n", 3).out
        self.assertIn("3 rows x 3 columns", out)
        for name, kind in (("x1", "number"), ("x2", "number"), ("kind", "id"), ("late", "label")):
            self.assertRegex(out, rf"(?m)^{name} +{kind}( +-?[0-9.]+){{3}}$")

    def test_functions(self):
        out = self.good("functions").out
        for name in ("instr", "regexp_extract", "date_add", "percentile"):
            self.assertRegex(out, rf"(?m)^  {name} ")
        out = self.good("functions", "instr").out
        self.assertIn("instr(str: string, substr: string) -> int", out)
        self.assertIn("SELECT instr(", out)
        self.refused("UNRESOLVED_ROUTINE", "`instrr`", "Did you mean `instr`?", call=["functions", "instrr"])

    def test_explain(self):
        out = self.good("explain", "SELECT id + 1 AS n FROM range(3) WHERE id > 1").out
        for text in ("|-- n: long", "== SQL ==", "== Physical Plan =="):
            self.assertIn(text, out)
        self.refused("UNRESOLVED_COLUMN", "`nope`", call=["explain", "SELECT nope FROM range(3)"])

    def test_explain_of_a_step(self):
        self.write(sql="SELECT *, x1 * 2 AS twice FROM raw")
        out = self.good("explain", "p.toml", "examples").out
        self.assertIn("twice", out)
        self.assertIn("== Physical Plan ==", out)

    def test_doctor(self):
        out = self.good("doctor").out
        for text in ("firesteel", "duckdb", "libtorch", "threads", "memory", "temp folder", "gpu", "engine         answers"):
            self.assertIn(text, out)

    def commands(self):
        listed = self.good("--help").out.split("Subcommands:")[1].split("\n\n")[0]
        return re.findall(r"(?m)^  ([a-z]+) ", listed)

    def test_help_has_examples(self):
        self.assertIn("Examples:", self.good("--help").out)
        names = self.commands()
        self.assertGreaterEqual(len(names), 8)
        for name in names:
            out = self.good(name, "--help").out
            self.assertRegex(out, r"Examples:\n  .*firesteel", name)
        self.assertEqual(self.good().out, self.good("--help").out)
        self.assertRegex(self.good("--version").out, r"^\d+\.\d+\.\d+")

    def test_completion(self):
        for shell in ("bash", "zsh"):
            script = self.good("completion", shell).out
            self.assertIn("_firesteel", script)
            checked = subprocess.run(["bash", "-n"], input=script.encode(), capture_output=True, timeout=TIMEOUT_S)
            self.assertEqual((checked.returncode, checked.stderr), (0, b""))
        asked = 'COMP_WORDS=(firesteel pre); COMP_CWORD=1; _firesteel; echo "${COMPREPLY[@]}"'
        found = subprocess.run(["bash", "-c", self.good("completion", "bash").out + asked], capture_output=True, timeout=TIMEOUT_S)
        self.assertEqual(found.stdout.decode().strip(), "predict", found.stderr)

    def test_wrong_command_line(self):
        for arguments in (["sql", "--formt", "csv", "SELECT 1"], ["sql", "--format", "xml", "SELECT 1"], ["rum"], ["run"], ["--threads", "0", "doctor"]):
            result = self.call(*arguments)
            self.assertEqual(result.code, 2, arguments)
            self.assertTrue(result.err.strip(), arguments)

    def test_write_modes(self):
        predict = ["predict", SHARED / "model", "--in", SHARED / "d.parquet", "--out", "predictions"]
        count = "SELECT count(*) AS n FROM parquet.`predictions`"
        self.good(*predict)
        self.assertEqual(self.sql_rows(count), [{"n": "20000"}])
        self.assertTrue((self.folder / "predictions/_SUCCESS").exists())
        before = self.files()
        self.refused("PATH_ALREADY_EXISTS", "predictions", call=predict)
        self.good(*predict, "--mode", "ignore")
        self.assertEqual(self.files(), before)
        self.good(*predict, "--mode", "append")
        self.assertEqual(self.sql_rows(count), [{"n": "40000"}])
        self.good(*predict, "--mode", "overwrite")
        self.assertEqual(self.sql_rows(count), [{"n": "20000"}])
        self.assertFalse([f for f in self.files() if "_temporary" in f or f.endswith((".part", ".tmp"))])

    def test_failed_overwrite_keeps_the_old_rows(self):
        self.good("predict", SHARED / "model", "--in", SHARED / "d.parquet", "--out", "predictions")
        before = self.files()
        (self.folder / "bad.csv").write_text("id,x1,kind\n1,2,c1\n")
        self.refused("UNRESOLVED_COLUMN", "`x2`",
                     call=["predict", SHARED / "model", "--in", "bad.csv", "--out", "predictions", "--mode", "overwrite"])
        self.assertEqual(self.files(), sorted([*before, "bad.csv"]))

    def test_predictions_in_other_formats(self):
        predict = ["predict", SHARED / "model", "--in", SHARED / "d.csv"]
        self.good(*predict, "--out", "rows", "--out-format", "json")
        part = next((self.folder / "rows").glob("part-*"))
        self.assertEqual(len([json.loads(line) for line in part.read_text().splitlines()]), 4000)
        self.good(*predict, "--out", "more", "--out-format", "csv")
        with open(next((self.folder / "more").glob("part-*"))) as lines:
            self.assertEqual(len(list(csv.DictReader(lines))), 4000)

    def test_reader_options_of_predict(self):
        predict = ["predict", SHARED / "model", "--in", SHARED / "d.csv", "--out", "predictions"]
        self.refused("INVALID_OPTION", "key=value", "sep;", call=[*predict, "--option", "sep;"])
        result = self.refused("INVALID_OPTION", "Did you mean", call=[*predict, "--option", "heder=true"])
        self.assertIn("`heder`", result.err)
        self.assertIn("`header`", result.err)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else a background job's programs ignore it
    try:
        make_shared()
        unittest.main()
    finally:
        if SHARED:
            shutil.rmtree(SHARED, ignore_errors=True)
