"""Random expressions over the functions' rows, evaluated by firesteel and by Apache Spark; a difference is shrunk to the
smallest part of it that differs.

usage: .deps/reference/bin/python tests/reference/differential.py [--seed N] [--count N] [--keep FILE.slt]

The functions and the types of their arguments come from `firesteel functions --markdown`. With --keep the smallest
differences are appended to a file as blocks with Spark's answer, as `run_slt` reads them.
"""
import argparse
import pathlib
import random
import re
import subprocess
import tempfile

from record_slt import answer, condition, session

ROOT = pathlib.Path(__file__).parents[2]
# Not functions of their arguments, or with an answer that is allowed to differ.
LEFT_OUT = re.compile(
    r"^(and|or|not|like|ilike|in|case|between|any|some|every)$|rand|uuid|current_|now$|localtime|version|shuffle|monotonic|input_file|spark_partition|raise_error|sketch|approx_"
    r"|kll_|hll_|theta_|tuple_|java_method|reflect|uniform|schema_of|assert_true|user|session|st_|window|grouping|measure"
    r"|python|sql_keywords|collations|from_xml|xpath|bitmap|histogram|aes_|lead|lag|_rank|rank$|row_number|ntile|nth_value"
    r"|cume_dist|unix_timestamp|sleep|vector|collation|collate|from_avro|protobuf|counter_diff|count_min|percentile|mode"
    r"|from_json|from_csv|to_xml|variant|repeat|space|pad$|factorial|sequence")
LEAVES = {
    "boolean": ["true", "false", "NULL"],
    "byte": ["1Y", "-128Y", "127Y"],
    "short": ["1S", "-32768S"],
    "int": ["0", "1", "-1", "7", "2147483647", "-2147483648", "NULL", "100"],
    "long": ["0L", "3L", "-5L", "9223372036854775807L", "NULL"],
    "float": ["1.5F", "FLOAT('NaN')", "0.0F"],
    "double": ["0.0D", "-0.0D", "1.5D", "-2.25D", "1e308D", "DOUBLE('NaN')", "DOUBLE('Infinity')", "NULL"],
    "decimal": ["1.50BD", "-0.01BD", "99999.999BD", "NULL"],
    "string": ["''", "'abc'", "' A b '", "'été'", "'😀x'", "'12'", "'1.5'", "'2024-02-29'", "'2024-02-29 12:30:45'", "NULL",
               "'a,b,c'", "'{\"a\": 1}'", "'%_'", "'true'"],
    "binary": ["X''", "X'00FF41'", "NULL"],
    "date": ["DATE'2024-02-29'", "DATE'1969-12-31'", "DATE'0001-01-01'", "NULL", "DATE'2023-12-31'"],
    "timestamp": ["TIMESTAMP'2024-02-29 12:30:45.123456'", "TIMESTAMP'1969-12-31 23:59:59'", "NULL",
                  "TIMESTAMP'2024-03-31 01:30:00'"],
    "timestamp_ntz": ["TIMESTAMP_NTZ'2024-02-29 12:30:45'", "NULL"],
    "array<int>": ["array(3, 1, 2)", "array()", "array(1, NULL, 1)", "NULL"],
    "array<string>": ["array('b', 'a')", "array('', NULL)"],
    "map": ["map('a', 1, 'b', 2)", "map()", "NULL"],
    "struct": ["named_struct('a', 1, 'b', 'x')"],
    "interval": ["INTERVAL '1 02:03:04' DAY TO SECOND", "INTERVAL '1-2' YEAR TO MONTH"],
}
NUMBERS = ["int", "long", "double", "decimal", "short", "byte", "float"]


class Expression:
    """A call or a leaf: its text, and its parts."""

    def __init__(self, text, parts=()):
        self.text, self.parts = text, list(parts)

    def all(self):
        yield self
        for part in self.parts:
            yield from part.all()


class Generator:
    def __init__(self, firesteel, seed):
        self.random = random.Random(seed)
        text = subprocess.run([firesteel, "functions", "--markdown"], capture_output=True, text=True, check=True).stdout
        self.rows = []
        for line in text.splitlines():
            found = re.match(r"\| `([a-z_0-9]+)` \| `\((.*)\) -> ([^`]*)` \| (.*)", line)
            if found and not LEFT_OUT.search(found.group(1)) and "Not supported" not in found.group(4) and "fn(" not in line:
                self.rows.append((found.group(1), found.group(2), found.group(3)))

    def leaf(self, kind):
        return Expression(self.random.choice(LEAVES[kind]))

    def value(self, kind, depth):
        if kind in ("any", "ordered") or len(kind) == 1:
            kind = self.random.choice(list(LEAVES))
        elif kind == "numeric":
            kind = self.random.choice(NUMBERS)
        elif kind == "integral":
            kind = self.random.choice(["int", "long", "short", "byte"])
        elif kind == "fractional":
            kind = self.random.choice(["float", "double"])
        elif kind.startswith("array"):
            kind = self.random.choice(["array<int>", "array<string>"])
        elif kind.startswith("map"):
            kind = "map"
        elif kind not in LEAVES:
            kind = "string"
        if depth > 0 and self.random.random() < 0.5:
            makers = [row for row in self.rows if row[2] == kind or (kind == "array<int>" and row[2] == "array<T>")]
            if makers:
                return self.call(self.random.choice(makers), depth - 1)
        return self.leaf(kind)

    def call(self, row, depth):
        name, signature, _ = row
        parts = []
        for optional, kind, repeats in re.findall(r"(\[?)\w+: ([\w<>, ]+?)(\.\.\.)?\]?(?:,|$)", signature):
            if optional and self.random.random() < 0.5:
                break
            for _ in range(self.random.randint(1, 3) if repeats else 1):
                parts.append(self.value(kind.strip(), depth))
        return Expression(f"{name}({', '.join(part.text for part in parts)})", parts)

    def query(self):
        row = self.random.choice(self.rows)
        return self.call(row, 2)


def block(expression):
    return f"SELECT {expression.text} AS x"


def differing(spark, run_slt, expressions):
    """The expressions that are not answered alike."""
    lines, recorded = [], []
    for expression in expressions:
        sql = block(expression)
        try:
            header, rows = answer(spark, sql)
            recorded.append("\n".join([header, sql, "----", *rows]))
        except Exception as error:  # an answer too
            recorded.append(f"error {condition(error)}\n{sql}")
    with tempfile.NamedTemporaryFile("w", suffix=".slt", delete=False, encoding="utf-8") as file:
        file.write("\n\n".join(recorded) + "\n")
    out = subprocess.run([run_slt, file.name], capture_output=True, text=True, timeout=300).stdout
    pathlib.Path(file.name).unlink()
    failed = {}
    for part in re.split(r"(?m)^" + re.escape(file.name) + r":\d+: ", out)[1:]:
        sql, _, difference = part.partition("\n")
        failed[sql] = difference
    for expression, text in zip(expressions, recorded):
        if block(expression) in failed:
            lines.append((expression, text, failed[block(expression)]))
    return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--keep")
    options = parser.parse_args()
    spark = session()
    spark.sparkContext.setLogLevel("OFF")
    spark.sql("SET spark.sql.timeType.enabled = true")
    run_slt = ROOT / "build/release/tests/run_slt"
    generator = Generator(ROOT / "build/release/bin/firesteel", options.seed)
    found = differing(spark, run_slt, [generator.query() for _ in range(options.count)])
    # Every part of what differs is tried alone: the smallest that differs is the one to look at.
    parts = {part.text: part for expression, _, _ in found for part in expression.all() if part.parts}
    smallest = sorted(differing(spark, run_slt, list(parts.values())), key=lambda item: len(item[0].text))
    kept, covered = [], set()
    for expression, text, difference in smallest:
        inner = {part.text for part in expression.all() if part is not expression}
        if inner & covered:
            continue
        covered.add(expression.text)
        kept.append(text)
        print(f"{expression.text}\n{difference}", end="")
    print(f"{options.count} expressions, {len(found)} differ, {len(kept)} smallest parts")
    if options.keep and kept:
        with open(options.keep, "a", encoding="utf-8") as file:
            file.write("\n" + "\n\n".join(kept) + "\n")


if __name__ == "__main__":
    main()
