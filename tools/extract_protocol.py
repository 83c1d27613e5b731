"""Writes Spark Connect's protocol, as found in the installed Python client, as a FileDescriptorSet.

usage: extract_protocol.py OUTPUT.  The build feeds it to `protoc --descriptor_set_in`.
The descriptors are read from the generated modules' source, so that neither pandas nor gRPC is imported.
What Spark 4.3 added to the protocol is put in, as long as the installed client is older.
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

Field = descriptor_pb2.FieldDescriptorProto
TYPES = {"int32": Field.TYPE_INT32, "uint32": Field.TYPE_UINT32, "int64": Field.TYPE_INT64}

def add_message(parent, name, *fields):
    """A message of `fields`: (name, number, type), the type ending in `?` for an optional field."""
    message = parent.add(name=name)
    optional = []
    for field_name, number, type_name in fields:
        field = message.field.add(name=field_name, number=number, label=Field.LABEL_OPTIONAL)
        kind = type_name.removesuffix("?")
        if kind in TYPES:
            field.type = TYPES[kind]
        else:
            field.type, field.type_name = Field.TYPE_MESSAGE, kind
        if kind != type_name:
            field.proto3_optional, field.oneof_index = True, len(optional)
            optional.append(field_name)
    for field_name in optional:
        message.oneof_decl.add(name="_" + field_name)

def add_choice(message, name, number, type_name):
    """One more field of a message's first oneof, whose fields must stand together."""
    last = max(i for i, f in enumerate(message.field) if f.HasField("oneof_index") and f.oneof_index == 0)
    message.field.insert(last + 1, Field(name=name, number=number, label=Field.LABEL_OPTIONAL,
                                         type=Field.TYPE_MESSAGE, type_name=type_name, oneof_index=0))

def add_what_4_3_added():
    relations = files["spark/connect/relations.proto"]
    if any(message.name == "Zip" for message in relations.message_type):
        return
    relation = next(m for m in relations.message_type if m.name == "Relation")
    add_choice(relation, "zip", 48, ".spark.connect.Zip")
    add_message(relations.message_type, "Zip", ("left", 1, ".spark.connect.Relation"),
                ("right", 2, ".spark.connect.Relation"))
    types = files["spark/connect/types.proto"]
    data_type = next(m for m in types.message_type if m.name == "DataType")
    expressions = files["spark/connect/expressions.proto"]
    expression = next(m for m in expressions.message_type if m.name == "Expression")
    literal = next(m for m in expression.nested_type if m.name == "Literal")
    for number, zone in ((29, "NTZ"), (30, "LTZ")):
        message, field = f"Timestamp{zone}Nanos", f"timestamp_{zone.lower()}_nanos"
        add_choice(data_type, field, number, f".spark.connect.DataType.{message}")
        add_message(data_type.nested_type, message, ("precision", 1, "int32?"),
                    ("type_variation_reference", 2, "uint32"))
        add_choice(literal, field, number, f".spark.connect.Expression.Literal.{message}")
        add_message(literal.nested_type, message, ("epoch_micros", 1, "int64"),
                    ("nanos_within_micro", 2, "int32"), ("precision", 3, "int32?"))

add_what_4_3_added()

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
for name in [*files, "google/rpc/status.proto", "google/rpc/error_details.proto"]:  # and errors' own
    add(name)

output = pathlib.Path(sys.argv[1])
aside = output.with_suffix(".part")
aside.write_bytes(ordered.SerializeToString())
os.replace(aside, output)
