"""Writes Spark Connect's protocol, as found in the installed Python client, as a FileDescriptorSet.

usage: extract_protocol.py OUTPUT.  The build feeds it to `protoc --descriptor_set_in`.
The descriptors are read from the generated modules' source, so that neither pandas nor gRPC is imported.
"""
import ast
import importlib
import importlib.util
import os
import pathlib
import sys

from google.protobuf import descriptor_pb2

package = pathlib.Path(importlib.util.find_spec("pyspark").origin).parent / "sql/connect/proto"
files = {}
for path in sorted(package.glob("*_pb2.py")):
    if path.name == "example_plugins_pb2.py":
        continue
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile":
            file = descriptor_pb2.FileDescriptorProto.FromString(ast.literal_eval(node.args[0]))
            files[file.name] = file

def file_of(name):
    if name not in files:  # Google's own, which the client imports
        module = importlib.import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
        files[name] = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(files[name])
    return files[name]


ordered, seen = descriptor_pb2.FileDescriptorSet(), set()

def add(name):
    if name not in seen:
        seen.add(name)
        for dependency in file_of(name).dependency:
            add(dependency)
        ordered.file.add().CopyFrom(files[name])
for name in list(files):
    add(name)

output = pathlib.Path(sys.argv[1])
aside = output.with_suffix(".part")
aside.write_bytes(ordered.SerializeToString())
os.replace(aside, output)
