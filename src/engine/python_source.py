"""Users' data sources: a PySpark worker that makes them, plans what they read and write, and keeps their stream readers.

It answers requests until it is told to end. A request is JSON and pickles, each behind its length; so is an answer,
behind a 0. What users raise goes back as PySpark's workers say it. Reading and writing themselves are functions over
Arrow batches, which are pickled here and run by other workers.
"""
import functools
import inspect
import io
import json
import os
import sys

import pyarrow as pa
from pyspark.errors import PySparkAssertionError, PySparkNotImplementedError, PySparkRuntimeError, PySparkTypeError
from pyspark.serializers import read_int, write_int, write_with_length
from pyspark.sql.conversion import ArrowTableToRowsConversion
from pyspark.sql.datasource import (CaseInsensitiveDict, DataSource, DataSourceReader, DataSourceStreamWriter,
                                    DataSourceWriter, InputPartition, WriterCommitMessage)
from pyspark.sql.datasource_internal import _SimpleStreamReaderWrapper, _streamReader
from pyspark.sql.types import BinaryType, StructField, StructType
from pyspark.sql.worker.plan_data_source_read import records_to_arrow_batches
from pyspark.util import handle_worker_exception
from pyspark.worker_util import (check_python_version, pickleSer, setup_broadcasts, setup_memory_limits, setup_spark_files,
                                 utf8_deserializer)

END_OF_STREAM = -4
MESSAGES = StructType([StructField("message", BinaryType())])
try:
    from pyspark.sql.datasource import DataSourceArrowWriter, DataSourceStreamArrowWriter
    ARROW_WRITERS = (DataSourceArrowWriter, DataSourceStreamArrowWriter)
    STREAM_WRITERS = (DataSourceStreamWriter, DataSourceStreamArrowWriter)
except ImportError:  # PySpark 4.0
    ARROW_WRITERS, STREAM_WRITERS = (), (DataSourceStreamWriter,)


def mismatch(expected, actual, error=PySparkAssertionError):
    return error(errorClass="DATA_SOURCE_TYPE_MISMATCH", messageParameters={"expected": expected, "actual": actual})


def kind_of(value):
    return f"'{type(value).__name__}'"


def made(request, pickled):
    """A data source of a user's class with the request's options."""
    kind = pickleSer.loads(pickled)
    if not (isinstance(kind, type) and issubclass(kind, DataSource)):
        raise mismatch("a subclass of DataSource", kind_of(kind))
    if not inspect.ismethod(kind.name):
        raise mismatch("'name()' method to be a classmethod", kind_of(kind.name), PySparkTypeError)
    return kind(options=CaseInsensitiveDict(request["options"]))


def schema_of(request):
    return StructType.fromJson(json.loads(request["schema"]))


def describe(request, pickled):
    source = made(request, pickled)
    schema = source.schema() if request["schema"] is None else schema_of(request)
    if not isinstance(schema, (str, StructType)):
        raise mismatch("'schema' to return a 'StructType' or a DDL string", kind_of(schema))
    ddl = isinstance(schema, str)
    return {"ddl": ddl, "schema": schema if ddl else schema.json()}, pickleSer.dumps(source)


def read(reader, source, schema, batch_rows, batches):
    """Rows of partitions, each read by a reader of its own, as Spark's tasks do."""
    for batch in batches:
        for pickled in batch.column(0).to_pylist():
            partition = pickleSer.loads(pickled)
            assert isinstance(partition, InputPartition), \
                f"Expected the partition value to be of type 'InputPartition', but found {kind_of(partition)}."
            rows = pickleSer.loads(reader).read(partition)
            if not hasattr(rows, "__next__"):
                raise PySparkRuntimeError(
                    errorClass="DATA_SOURCE_INVALID_RETURN_TYPE",
                    messageParameters={"type": type(rows).__name__, "name": source.name(), "supported_types": "iterator"})
            yield from records_to_arrow_batches(rows, batch_rows, schema, source)


def read_command(request, source, reader):
    function = functools.partial(read, pickleSer.dumps(reader), source, schema_of(request), request["batch_rows"])
    return pickleSer.dumps((function, schema_of(request)))


def read_plan(request, pickled):
    """A function that reads partitions, and how to ask for them."""
    source = pickleSer.loads(pickled)
    reader = source.reader(schema=schema_of(request))
    if not isinstance(reader, DataSourceReader):
        raise mismatch("an instance of DataSourceReader", kind_of(reader))
    pushes = getattr(DataSourceReader, "pushFilters", None)
    if pushes and getattr(reader.pushFilters, "__func__", None) is not pushes and not request["pushdown"]:
        raise PySparkAssertionError(
            errorClass="DATA_SOURCE_PUSHDOWN_DISABLED",
            messageParameters={"type": type(reader).__name__, "conf": "spark.sql.python.filterPushdown.enabled"})
    return {}, read_command(request, source, reader), pickleSer.dumps(reader)


def read_partitions(request, pickled):
    reader = pickleSer.loads(pickled)
    try:
        partitions = reader.partitions()
    except NotImplementedError:  # the base class of old clients
        partitions = [InputPartition(None)]
    if not isinstance(partitions, list):
        raise mismatch("'partitions' to return a list", kind_of(partitions), PySparkRuntimeError)
    if not all(isinstance(partition, InputPartition) for partition in partitions):
        raise mismatch("elements in 'partitions' to be of type 'InputPartition'",
                       ", ".join(map(kind_of, partitions)), PySparkRuntimeError)
    return {}, *map(pickleSer.dumps, partitions or [InputPartition(None)])


def write(writer, schema, batches):
    """Gives rows to a user's writer, and its message on."""
    def rows():
        for batch in batches:
            yield from ArrowTableToRowsConversion.convert(pa.Table.from_batches([batch]), schema)

    message = writer.write(batches if isinstance(writer, ARROW_WRITERS) else rows())
    if not isinstance(message, WriterCommitMessage):
        raise mismatch("'WriterCommitMessage' as the return type of the `write` method", type(message).__name__,
                       PySparkRuntimeError)
    yield pa.record_batch([pa.array([pickleSer.dumps(message)])], names=["message"])


def write_plan(request, pickled):
    source, streams = made(request, pickled), request["streams"]
    writer = (source.streamWriter if streams else source.writer)(schema_of(request), request["overwrite"])
    if not isinstance(writer, STREAM_WRITERS if streams else DataSourceWriter):
        raise mismatch("an instance of " + " or ".join(kind.__name__ for kind in STREAM_WRITERS) if streams
                       else "an instance of DataSourceWriter", kind_of(writer))
    return {}, pickleSer.dumps((functools.partial(write, writer, schema_of(request)), MESSAGES)), pickleSer.dumps(writer)


def commit(request, writer, *messages):
    writer = pickleSer.loads(writer)
    batch = [] if request["batch"] is None else [request["batch"]]
    (writer.abort if request["abort"] else writer.commit)([pickleSer.loads(message) if message else None
                                                           for message in messages], *batch)
    return {},


class Stream:
    """A user's stream reader. Offsets are JSON text."""

    def open(self, request, pickled):
        self.source, self.request = pickleSer.loads(pickled), request
        self.reader = _streamReader(self.source, schema_of(request))
        # Rows are read by another reader: this one may hold some, which cannot be pickled.
        return {}, read_command(request, self.source, _streamReader(self.source, schema_of(request)))

    def initial(self, request):
        return {"offset": json.dumps(self.reader.initialOffset())},

    def latest(self, request):
        start = json.loads(request["start"])
        if inspect.signature(self.reader.latestOffset).parameters:
            offset = self.reader.latestOffset(start, self.reader.getDefaultReadLimit())
        else:
            # PySpark's own readers around simple ones began anew when the query did.
            if isinstance(self.reader, _SimpleStreamReaderWrapper) and self.reader.current_offset is None:
                self.reader.current_offset = start
            offset = self.reader.latestOffset()
        return {"offset": json.dumps(offset)},

    def prepare(self, request):
        """Trigger.AvailableNow, when the reader knows of it."""
        reader = getattr(self.reader, "simple_reader", self.reader)
        knows = hasattr(reader, "prepareForTriggerAvailableNow")
        if knows:
            reader.prepareForTriggerAvailableNow()
        return {"knows": knows},

    def partitions(self, request):
        """The partitions between two offsets, or the rows themselves as an Arrow stream when they are read already."""
        start, end = json.loads(request["start"]), json.loads(request["end"])
        partitions = self.reader.partitions(start, end)
        rows = self.reader.getCache(start, end) if isinstance(self.reader, _SimpleStreamReaderWrapper) else None
        if rows is None:
            return {"rows": False}, *map(pickleSer.dumps, partitions)
        batches = list(records_to_arrow_batches(rows, self.request["batch_rows"], schema_of(self.request), self.source))
        if not batches:
            return {"rows": True},
        out = io.BytesIO()
        with pa.ipc.new_stream(out, batches[0].schema) as stream:
            for batch in batches:
                stream.write_batch(batch)
        return {"rows": True}, out.getvalue()

    def commit(self, request):
        self.reader.commit(json.loads(request["end"]))
        return {},

    def stop(self, request):
        self.reader.stop()
        return {},


def main(infile, outfile):
    try:
        check_python_version(infile)
        setup_memory_limits(int(os.environ.get("PYSPARK_PLANNER_MEMORY_MB", "-1")))
        setup_spark_files(infile)
        setup_broadcasts(infile)
        stream = Stream()
        calls = {call.__name__: call for call in (describe, read_plan, read_partitions, write_plan, commit)}
        calls.update({f"stream_{name}": getattr(stream, name) for name in dir(stream) if name[0] != "_"})
        while True:
            request = json.loads(utf8_deserializer.loads(infile))
            pickles = [infile.read(read_int(infile)) for _ in range(read_int(infile))]
            if request["call"] == "end":
                break
            answer, *pickles = calls[request["call"]](request, *pickles)
            write_int(0, outfile)
            write_with_length(json.dumps(answer).encode(), outfile)
            write_int(len(pickles), outfile)
            for pickled in pickles:
                write_with_length(pickled, outfile)
            outfile.flush()
    except BaseException as error:
        handle_worker_exception(error, outfile)
        outfile.flush()
        sys.exit(-1)
    write_int(END_OF_STREAM, outfile)
    outfile.flush()
