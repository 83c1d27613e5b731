"""Takes the error conditions that our code names from Apache Spark's jar, with their SQLSTATEs and messages, as
src/base/conditions.inc.

usage: .deps/reference/bin/python tests/reference/record_conditions.py
"""
import json
import pathlib
import re
import zipfile

import pyspark

ROOT = pathlib.Path(__file__).parents[2]


def spark_conditions():
    """{condition: (SQLSTATE, message)}; the message of a subclass is its class's and its own."""
    jar = next(pathlib.Path(pyspark.__file__).parent.glob("jars/spark-common-utils_*.jar"))
    with zipfile.ZipFile(jar) as files:
        known = json.loads(files.read("error/error-conditions.json"))
    out = {}
    for name, row in known.items():
        if "sqlState" not in row:  # Spark's own of long ago
            continue
        own = "\n".join(row["message"])
        out[name] = row["sqlState"], own
        for sub, more in row.get("subClass", {}).items():
            out[f"{name}.{sub}"] = row["sqlState"], own + " " + "\n".join(more["message"])
    return out


def named():
    """What stands as a text in our sources; of `CLASS.{}` every subclass."""
    found = set()
    for path in (ROOT / "src").rglob("*"):
        if path.suffix in (".cpp", ".h"):
            found.update(re.findall(r'"([A-Z][A-Z0-9_]+(?:\.[A-Z0-9_]+|\.\{\})?)[":]', path.read_text()))
    return found


def main():
    known, names = spark_conditions(), named()
    wanted = {name for name in known
              if name in names or name.split(".")[0] + ".{}" in names or any(each.startswith(name + ".") for each in names)}
    rows = []
    for name in sorted(wanted):
        state, message = known[name]
        text = json.dumps(message.rstrip(), ensure_ascii=False)
        rows.append(f'{{"{name}", "{state}", {text}}},\n')
    (ROOT / "src/base/conditions.inc").write_text(
        "// Written by tests/reference/record_conditions.py from Apache Spark: condition, SQLSTATE, message.\n" + "".join(rows))
    print(len(rows), "conditions of", len(known))


if __name__ == "__main__":
    main()
