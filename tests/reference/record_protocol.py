"""Records which fields of Spark Connect's protocol are newer than Spark 3.5, and since when, as src/connect/client/fields.inc.

usage: .deps/reference/bin/python tests/reference/record_protocol.py
The descriptors are those in PySpark's packages: the newest patch of each version, by pip (3.5's is 300 MB, in a folder that is
removed), and the installed PySpark as the newest version. Fields and values of enumerations that .deps/spark_connect.fds does
not have are left out: our code cannot fill them.
"""
import ast
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import pyspark
from google.protobuf import descriptor_pb2

ROOT = pathlib.Path(__file__).parents[2]
OLDER = {"3.5": "pyspark", "4.0": "pyspark-client", "4.1": "pyspark-client", "4.2": "pyspark-client"}
NEWEST = "4.3"
REACHED_FROM = ["Relation", "Expression", "Command", "Plan", "DataType", "AnalyzePlanRequest", "ExecutePlanRequest"]


def sources_of(package, version, folder):
    """Texts of the *_pb2.py modules in a package's newest patch of a version."""
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", folder,
                    f"{package}=={version}.*"], check=True, timeout=900)
    archive = next(pathlib.Path(folder).iterdir())
    wanted = lambda name: "sql/connect/proto/" in name and name.endswith("_pb2.py")
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as files:
            return [files.read(name).decode() for name in files.namelist() if wanted(name)]
    with tarfile.open(archive) as files:
        return [files.extractfile(member).read().decode() for member in files if wanted(member.name)]


def read(files):
    """{message or enumeration: {(field or value, number): name of the message or enumeration that it holds, or ""}}"""
    out = {}

    def add_enum(scope, enum):
        out[f"{scope}.{enum.name}"] = {(value.name, value.number): "" for value in enum.value}

    def add_message(scope, message):
        name = f"{scope}.{message.name}"
        out[name] = {(field.name, field.number): field.type_name.lstrip(".") for field in message.field}
        for nested in message.nested_type:
            add_message(name, nested)
        for enum in message.enum_type:
            add_enum(name, enum)

    for file in files:
        for message in file.message_type:
            add_message(file.package, message)
        for enum in file.enum_type:
            add_enum(file.package, enum)
    return out


def protocol(sources):
    calls = [node for source in sources for node in ast.walk(ast.parse(source))
             if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile"]
    return read(descriptor_pb2.FileDescriptorProto.FromString(ast.literal_eval(call.args[0])) for call in calls)


def reachable(types):
    found, todo = set(), [f"spark.connect.{name}" for name in REACHED_FROM]
    while todo:
        name = todo.pop()
        if name in types and name.startswith("spark.connect.") and name not in found:  # and none of Google's
            found.add(name)
            todo.extend(types[name].values())
    return found


def newer_fields(versions, ours):
    """Rows of fields that came after the message they stand in: the others cannot be reached but through such a field."""
    rows = []
    for name in sorted(reachable(ours)):
        first = next((version for version, types in versions.items() if name in types), None)
        if first is None:
            raise SystemExit(f"no version has {name}")
        for field in ours[name]:
            since = next((version for version, types in versions.items() if field in types.get(name, {})), None)
            if since is None:
                raise SystemExit(f"no version has {name}.{field[0]}")
            if since != first:
                rows.append((f"{name}.{field[0]}", since))
    return sorted(rows)


def main():
    versions = {}
    for version, package in OLDER.items():
        with tempfile.TemporaryDirectory() as folder:
            versions[version] = protocol(sources_of(package, version, folder))
        print(f"{version}: {len(versions[version])} messages and enumerations")
    installed = pathlib.Path(pyspark.__file__).parent / "sql/connect/proto"
    assert pyspark.__version__.startswith(NEWEST + ".")
    versions[NEWEST] = protocol(path.read_text() for path in installed.glob("*_pb2.py"))
    ours = read(descriptor_pb2.FileDescriptorSet.FromString((ROOT / ".deps/spark_connect.fds").read_bytes()).file)
    rows = newer_fields(versions, ours)
    text = ("// Fields of Spark Connect's plans and values of its enumerations that Spark 3.5 does not have, and since when.\n"
            "// Recorded by tests/reference/record_protocol.py; read by protocol_version.cpp.\n")
    (ROOT / "src/connect/client/fields.inc").write_text(text + "".join(f'{{"{name}", "{since}"}},\n' for name, since in rows))
    print(f"{len(rows)} rows")


if __name__ == "__main__":
    main()
