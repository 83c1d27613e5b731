"""Trains PyTorch modules on the rows of Spark Connect's DataFrames, and runs functions on executors together.

    from firesteel import TorchEstimator

    net = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    model = TorchEstimator(torchObj=net, featuresCols=["x1", "x2"], labelCol="y", numWorkers=4).fit(df)
    model.transform(df).show()

An estimator exports its module (torch.export), writes a pipeline file, and starts the program `firesteel`, which joins
the session of the DataFrame and trains on the executors. They need no torch and no Python for it.
TorchDistributor (distributor.py) runs functions of Python. See docs/spark-python.md.
"""
import collections
import copy
import difflib
import inspect
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import uuid

from pyspark.ml import Estimator, Model
from pyspark.ml.param import Param, Params, TypeConverters

from .distributor import TorchDistributor

__all__ = ["TorchEstimator", "TorchModel", "TorchDistributor", "TorchObject", "serialize_torch_obj"]

PROPERTIES = "estimator.json"  # beside the artifact's own files: what a TorchModel knows besides
STEP = "_step"  # The program makes a view of each step; the user's own views keep their names.
NUMBERS = {"boolean", "byte", "short", "integer", "long", "float", "double", "decimal"}


# What one estimator and one model are told: a row per parameter, from which attributes, getX and setX are made.
Row = collections.namedtuple("Row", "name default convert doc")
_any, _text, _texts = TypeConverters.identity, TypeConverters.toString, TypeConverters.toListString
_int, _float, _bool = TypeConverters.toInt, TypeConverters.toFloat, TypeConverters.toBoolean
SHARED = [
    Row("predictionCol", "prediction", _text, "column of the predictions"),
    Row("program", None, _text, "the program firesteel (default: the variable FIRESTEEL, else the PATH)"),
    Row("verbose", 0, int, "above 0: what the program says goes to stderr"),
]
ESTIMATOR = SHARED + [
    Row("torchObj", None, _any, "a torch.nn.Module, or what serialize_torch_obj gives"),
    Row("inputCol", None, _text, "a column of vectors or arrays of numbers"),
    Row("featuresCols", None, _texts, "columns of numbers, in place of inputCol"),
    Row("categoricalCols", None, _texts, "columns of categories: the module's input after the numbers, ids [B, C]"),
    Row("labelCol", "label", _text, "the column to predict"),
    Row("weightCol", None, _text, "a number per row, its weight in the loss"),
    Row("task", None, _text, "binary, multiclass or regression (default: by the loss, the outputs and the label)"),
    Row("loss", None, _text, "[train] loss of the pipeline file (default: by the task)"),
    Row("optimizer", "adamw", _text, "adamw, adam, sgd or lion"),
    Row("learningRate", 1e-3, _float, "the highest rate of the schedule"),
    Row("epochs", 10, _int, "passes over the rows"),
    Row("batchSize", 1024, _int, "rows of a batch, of all workers together"),
    Row("numWorkers", 1, _int, "tasks of a barrier stage that train together"),
    Row("validationShare", 0.1, _float, "share of the rows that choose the best epoch"),
    Row("testShare", 0.1, _float, "share of the rows that the metrics are of"),
    Row("patience", 0, _int, "epochs without a better validation metric before training ends; 0: never"),
    Row("seed", 0, _int, "of the split, the shuffle and dropout"),
    Row("settings", {}, _any, "more keys of the pipeline file: {'train.schedule': 'cosine'}"),
    Row("output", None, _text, "folder of the artifact, which all executors share where there are several workers "
                               "(default: a temporary one of this machine, which goes with the model)"),
]
# SparkTorch's names of the same things.
ALIASES = {"iters": "epochs", "miniBatch": "batchSize", "partitions": "numWorkers", "validationPct": "validationShare",
           "earlyStopPatience": "patience"}
# torch's losses: task, [train] loss, and its keys.
LOSSES = {
    "CrossEntropyLoss": (None, "cross_entropy", {"label_smoothing": "label_smoothing"}),
    "NLLLoss": (None, "cross_entropy", {}),  # Behind a LogSoftmax, which a second one leaves as it is.
    "BCEWithLogitsLoss": ("binary", "cross_entropy", {}),
    "MSELoss": ("regression", "squared_error", {}),
    "L1Loss": ("regression", "absolute_error", {}),
    "HuberLoss": ("regression", "huber", {"delta": "huber_delta"}),
    "SmoothL1Loss": ("regression", "huber", {"beta": "huber_delta"}),
}
# torch's optimizers: their names here, and the weight decay that torch gives them.
OPTIMIZERS = {"AdamW": ("adamw", 0.01), "Adam": ("adam", 0.0), "SGD": ("sgd", 0.0)}
OPTIMIZER_KEYS = {"lr": "learning_rate", "weight_decay": "weight_decay", "momentum": "momentum", "nesterov": "nesterov"}


def _parameters(rows):
    """Gives a class pyspark.ml's Param, getX and setX for each row, and __init__ its signature."""

    def add(cls):
        for row in rows:
            title = row.name[0].upper() + row.name[1:]
            setattr(cls, row.name, Param(Params._dummy(), row.name, row.doc, row.convert))
            setattr(cls, "get" + title, lambda self, name=row.name: self.getOrDefault(getattr(self, name)))
            setattr(cls, "set" + title, lambda self, value, name=row.name: self.setParams(**{name: value}))
        named = [one for one in inspect.signature(cls).parameters.values() if one.kind != one.VAR_KEYWORD]
        kind = inspect.Parameter.KEYWORD_ONLY
        cls.__signature__ = inspect.Signature(
            named + [inspect.Parameter(row.name, kind, default=row.default) for row in rows])
        return cls

    return add


class _WithParams(Params):
    def __init__(self, rows, given):
        super().__init__()
        self._setDefault(**{row.name: row.default for row in rows})
        self.setParams(**given)

    def setParams(self, **given):
        """Sets parameters by name; SparkTorch's names are understood too."""
        names = [param.name for param in self.params]
        for name in given:
            if name not in names and name not in ALIASES:
                raise TypeError(f"{type(self).__name__} has no parameter `{name}`.{_near(name, names)}")
        values = {ALIASES.get(name, name): value for name, value in given.items()}
        return self._set(**{name: value for name, value in values.items() if value is not None})


class TorchObject(collections.namedtuple("TorchObject", "module task train")):
    """A module, the task of its loss, and the keys of [train] that its loss and optimizer are."""


def serialize_torch_obj(model, criterion, optimizer, **params):
    """A module with its loss (an instance) and its optimizer (a class of torch.optim and its parameters), as SparkTorch
    takes them together. The module gives logits, or values of a regression."""
    task, loss, keys = LOSSES.get(type(criterion).__name__, (None, None, None))
    if loss is None:
        hint = " Use BCEWithLogitsLoss, and no Sigmoid in the module." if type(criterion).__name__ == "BCELoss" else ""
        raise ValueError(f"{type(criterion).__name__} is none of the losses {', '.join(LOSSES)}.{hint}")
    if optimizer.__name__ not in OPTIMIZERS:
        raise ValueError(f"{optimizer.__name__} is none of the optimizers {', '.join(OPTIMIZERS)}.")
    name, decay = OPTIMIZERS[optimizer.__name__]
    train = {"optimizer": name, "loss": loss, "weight_decay": decay}
    train.update((ours, getattr(criterion, theirs)) for theirs, ours in keys.items() if getattr(criterion, theirs))
    for key, value in params.items():
        if key not in OPTIMIZER_KEYS:
            raise ValueError(f"Of {optimizer.__name__} {', '.join(OPTIMIZER_KEYS)} can be given, not `{key}`.")
        train[OPTIMIZER_KEYS[key]] = value
    return TorchObject(model, task, train)


@_parameters(ESTIMATOR)
class TorchEstimator(_WithParams, Estimator):
    """Trains a torch.nn.Module on a DataFrame of a Spark Connect session, on the cluster's executors.

    The module maps numbers [B, N] (and, with categoricalCols, ids [B, C]) to logits [B, classes], one logit [B] or
    [B, 1] of two classes, or the value of a regression. It sees numbers as (x - mean) / deviation of the training rows.
    """

    def __init__(self, **params):
        super().__init__(ESTIMATOR, params)

    def _fit(self, dataset):
        spark = _connect_session(dataset)
        program = _program(self.getProgram())
        dataset = _as_arrays(dataset)
        _check_columns(self, dataset)
        output = self.getOutput()
        owned = None if output else tempfile.TemporaryDirectory(prefix="firesteel-")
        artifact = pathlib.Path(output).absolute() if output else pathlib.Path(owned.name, "model")
        settings = [part for key, value in self.getSettings().items() for part in ("--set", f"{key}={_toml(value)}")]
        view = _view_name()
        with tempfile.TemporaryDirectory(prefix="firesteel-") as folder:
            file = pathlib.Path(folder, "pipeline.toml")
            inputs, outputs = _export(self, _width(self, dataset), file.with_name("model.pt2"))
            file.write_text(_pipeline(self, dataset.schema, view, inputs, outputs))
            dataset.createOrReplaceTempView(view)
            try:
                _run(program, spark, ["run", file, "--workers", self.getNumWorkers(), "--output", artifact, *settings],
                     self.getVerbose())
            finally:
                for name in (view, view + STEP):
                    spark.catalog.dropTempView(name)
        model = TorchModel(artifact, **{row.name: self.getOrDefault(row.name) for row in SHARED})
        model._owned = owned
        return model


@_parameters(SHARED)
class TorchModel(_WithParams, Model):
    """A fitted module: the folder that the program wrote. `transform` runs it on the executors."""

    def __init__(self, path, **params):
        super().__init__(SHARED, params)
        self.path = pathlib.Path(path)
        self._owned = None  # a temporary folder, which goes with the model
        if not self.path.is_dir():
            raise FileNotFoundError(f"There is no model at {path}.")

    def _transform(self, dataset):
        spark = _connect_session(dataset)
        vectors = _vectors(dataset.schema)
        prediction = self.getPredictionCol()
        if prediction in dataset.columns:
            raise ValueError(f"The DataFrame has a column `{prediction}` already: give another predictionCol.")
        rows, hidden = _as_arrays(dataset), _view_name()
        if "prediction" in dataset.columns:  # of another model
            rows = rows.withColumnRenamed("prediction", hidden)
        view, predicted = _view_name(), _view_name()
        rows.createOrReplaceTempView(view)  # The result is made of it when it is asked for, so it stays.
        _run(_program(self.getProgram()), spark, ["predict", self.path, "--table", view, "--view", predicted],
             self.getVerbose())
        result = spark.table(predicted).withColumnRenamed("prediction", prediction)
        result = result.withColumnRenamed(hidden, "prediction")
        if vectors:
            from pyspark.ml.functions import array_to_vector
            result = result.withColumns({name: array_to_vector(result[name]) for name in vectors})
        return result

    @property
    def metrics(self):
        """metrics.json of the artifact: metrics of the test rows, and the epochs."""
        return json.loads((self.path / "metrics.json").read_text())

    def getPytorchModel(self):
        """The trained module. Its inputs have names, those of `forward`, and are standardised as in encoders.json."""
        import torch
        return torch.export.load(str(self.path / "model.pt2")).module()

    def save(self, path, overwrite=False):
        """Writes the model into a folder of this machine, which `firesteel predict` and `serve` read too."""
        target = pathlib.Path(path)
        if target.exists() and not overwrite:
            raise FileExistsError(f"{path} is there already: save(path, overwrite=True) takes its place.")
        aside = target.with_name(f"{target.name}.part{uuid.uuid4().hex}")
        shutil.copytree(self.path, aside)
        (aside / PROPERTIES).write_text(json.dumps({"predictionCol": self.getPredictionCol()}))
        if target.exists():
            shutil.rmtree(target)
        aside.rename(target)

    @classmethod
    def load(cls, path, **params):
        properties = pathlib.Path(path, PROPERTIES)
        return cls(path, **{**(json.loads(properties.read_text()) if properties.exists() else {}), **params})


def _near(name, names):
    near = difflib.get_close_matches(name, names, 1)
    return f" Did you mean `{near[0]}`?" if near else ""


def _view_name():
    return f"firesteel_{uuid.uuid4().hex}"


def _connect_session(dataset):
    spark = dataset.sparkSession
    if not any(kind.__module__.startswith("pyspark.sql.connect") for kind in type(spark).__mro__):
        raise RuntimeError(
            "Firesteel joins Spark Connect sessions, and this DataFrame is of a classic one. Make it with "
            "SparkSession.builder.remote('sc://HOST:15002').getOrCreate(); $SPARK_HOME/sbin/start-connect-server.sh "
            "starts the server on a cluster.")
    return spark


def _connection(spark):
    """The connection string of a session that is there."""
    client, builder = spark.client, spark.client._builder
    if not hasattr(builder, "endpoint"):
        raise RuntimeError(f"A channel made by {type(builder).__name__} has no address to give to another program: "
                           "connect with a string, as in SparkSession.builder.remote('sc://HOST:15002').")
    # All that the string had, headers too. Sessions are found by user and id; a client may have no user.
    parts = {**builder._params, "user_id": client._user_id or "", "session_id": client._session_id}
    parts.pop("user_agent", None)
    parts = {name: value for name, value in parts.items() if not name.startswith("grpc_")}
    if builder.token:
        parts["token"] = builder.token
    text = ";".join(f"{name}={urllib.parse.quote(value, '')}" for name, value in parts.items())
    return f"sc://{builder.endpoint}/;{text}"


def _program(given):
    given = given or os.environ.get("FIRESTEEL")
    found = shutil.which(given or "firesteel")
    if not found:
        why = f"`{given}` is no program" if given else "It is not on PATH"
        raise RuntimeError(f"The program firesteel was not found. {why}: name it by program=..., by the environment "
                           "variable FIRESTEEL, or put it on PATH.")
    return found


def _run(program, spark, arguments, verbose):
    """Runs the program in the session; when it fails, RuntimeError says why in its own words."""
    # In the environment, since a command line can be read by all users of a machine, and a token is in it.
    environment = {**os.environ, "SPARK_REMOTE": _connection(spark)}
    lines = collections.deque(maxlen=1000)
    with subprocess.Popen([program, *map(str, arguments)], env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        try:
            for line in process.stdout:
                lines.append(line)
                if verbose:
                    sys.stderr.write(line)
        except BaseException:  # Ctrl-C
            process.terminate()
            raise
    if process.returncode:
        lines = list(lines)
        errors = [number for number, line in enumerate(lines) if re.match(r"\[[A-Z][A-Z0-9_.]+\] ", line)]
        said = "".join(lines[errors[-1]:] if errors else lines[-20:]).strip() or "It said nothing."
        raise RuntimeError(f"firesteel {arguments[0]} failed ({process.returncode}): {said}")


def _vectors(schema):
    return [field.name for field in schema if type(field.dataType).__name__ == "VectorUDT"]


def _as_arrays(dataset):
    """pyspark.ml's vectors, which are no type of SQL, as arrays."""
    vectors = _vectors(dataset.schema)
    if not vectors:
        return dataset
    from pyspark.ml.functions import vector_to_array
    return dataset.withColumns({name: vector_to_array(dataset[name]) for name in vectors})


def _check_columns(estimator, dataset):
    numbers, array = estimator.getFeaturesCols() or [], estimator.getInputCol()
    if not numbers and not array and not estimator.getCategoricalCols():
        raise ValueError("TorchEstimator needs features: inputCol, featuresCols or categoricalCols.")
    if numbers and array:
        raise ValueError("TorchEstimator takes inputCol or featuresCols, not both.")
    others = [estimator.getLabelCol(), estimator.getWeightCol(), *(estimator.getCategoricalCols() or [])]
    types = {field.name: field.dataType for field in dataset.schema}
    for name in [*numbers, array, *others]:
        if name and name not in types:
            raise ValueError(f"The DataFrame has no column `{name}`.{_near(name, types)} It has {', '.join(types)}.")
    for name in numbers:
        if types[name].typeName() not in NUMBERS:
            raise ValueError(f"`{name}` is of type {types[name].simpleString()}, and featuresCols are numbers: strings "
                             "are categoricalCols, arrays and vectors an inputCol.")
    if array and types[array].typeName() != "array":
        raise ValueError(f"`{array}` is of type {types[array].simpleString()}, and an inputCol is a vector or an array "
                         "of numbers; numbers in columns of their own are featuresCols.")


def _quoted(name):
    return "`" + name.replace("`", "``") + "`"


def _width(estimator, dataset):
    """How many numbers a row has."""
    name = estimator.getInputCol()
    if not name:
        return len(estimator.getFeaturesCols() or [])
    row = dataset.where(f"{_quoted(name)} IS NOT NULL").selectExpr(f"size({_quoted(name)}) AS width").first()
    if row is None:
        raise ValueError(f"`{name}` has no row.")
    return row.width


def _export(estimator, width, path):
    """Writes the module as a program. Gives its inputs, by what they are, and how many outputs it has."""
    given = estimator.getTorchObj()
    module = given.module if isinstance(given, TorchObject) else given
    import torch
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"torchObj is a torch.nn.Module or of serialize_torch_obj, not {type(module).__name__}.")
    from . import export
    module = copy.deepcopy(module).cpu()
    categories = len(estimator.getCategoricalCols() or [])
    examples = {"numeric": torch.randn(export.BATCH, width),
                "categorical": torch.zeros(export.BATCH, categories, dtype=torch.int64)}
    examples = {part: example for part, example in examples.items() if example.shape[1]}
    shapes = " and ".join(f"{part} {list(example.shape)}" for part, example in examples.items())
    try:
        inputs = export.named_inputs(module, tuple(examples.values()))
        with torch.no_grad():
            outputs = copy.deepcopy(module).eval()(*examples.values())
    except Exception as error:
        raise ValueError(f"The module does not take {shapes}: {error}") from error
    try:
        notes = export.export(module, inputs, path)
    except Exception as error:
        raise ValueError(f"torch.export cannot make a program of {type(module).__name__}: {error}") from error
    for note in notes if estimator.getVerbose() else []:
        print(f"note: {note}", file=sys.stderr)
    while not isinstance(outputs, torch.Tensor):
        outputs = next(iter(outputs.values() if isinstance(outputs, dict) else outputs))
    return dict(zip(inputs, examples)), outputs.shape[1] if outputs.dim() > 1 else 1


def _toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(part)}" for key, part in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)  # JSON's strings, numbers and booleans are TOML's too.


def _pipeline(estimator, schema, view, inputs, outputs):
    """The pipeline file (docs/pipeline.md), whose rows are those of a temporary view."""
    given = estimator.getTorchObj()
    task, train = (given.task, given.train) if isinstance(given, TorchObject) else (None, {})
    task = estimator.getTask() or task
    if not task and (outputs > 1 or train.get("loss") == "cross_entropy"):  # One output of no loss: the label decides.
        task = "multiclass" if outputs > 2 else "binary"
    numbers, categories = estimator.getFeaturesCols() or [], estimator.getCategoricalCols() or []
    array, label, weight = estimator.getInputCol(), estimator.getLabelCol(), estimator.getWeightCol()
    types = {field.name: field.dataType.typeName() for field in schema}
    columns = [_present(name, types[name]) for name in numbers]
    columns += [_quoted(name) for name in [array, *categories, label, weight] if name]
    named = {"optimizer": "optimizer", "learning_rate": "learningRate", "loss": "loss"}
    train = {**train, **{key: estimator.getOrDefault(name) for key, name in named.items()
                         if estimator.isSet(name) or key not in train}}
    tables = {
        "[step]": {"name": view + STEP, "sql": f"SELECT {', '.join(columns)} FROM {view}"},
        "split": {"test": estimator.getTestShare(), "validation": estimator.getValidationShare(),
                  "seed": estimator.getSeed()},
        "features": {"label": label, "numeric": numbers, "vector": [array] if array else [], "categorical": categories,
                     "weight": weight, "task": task},
        "model": {"kind": "pt2", "path": "model.pt2", "inputs": inputs},
        "train": {**train, "epochs": estimator.getEpochs(), "batch_size": estimator.getBatchSize(),
                  "patience": estimator.getPatience(), "seed": estimator.getSeed()},
        "output": {"path": "model"},
    }
    lines = []
    for table, keys in tables.items():
        lines.append(f"[{table}]")
        lines += [f"{key} = {_toml(value)}" for key, value in keys.items() if value is not None and value != []]
    return "\n".join(lines) + "\n"


def _present(name, kind):
    """A column of numbers, or an error: missing ones would be one more feature, for which the module has no input."""
    column = _quoted(name)
    missing = f"{column} IS NULL" + (f" OR isnan({column})" if kind in ("float", "double") else "")
    text = f"Column {name} has missing values: fill them (df.fillna) or leave those rows out."
    text = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"if({missing}, raise_error('{text}'), {column}) AS {column}"
