"""Writes src/dataframe/functions.inc: a line for every function of pyspark.sql.functions that Firesteel has.

usage: .deps/reference/bin/python tests/reference/record_functions.py
A line says the C++ name, the SQL name and, as bits, which arguments are constants when they are given as text.
"""
import inspect
import pathlib
import re

import pyspark.sql.functions as F

ROOT = pathlib.Path(__file__).parents[2]
OUT = ROOT / "src/dataframe/functions.inc"
KEYWORDS = {"char", "inline", "struct", "typeof"}
# PySpark's names of what SQL calls otherwise.
RENAMED = {"bitwise_not": "~", "negate": "negative", "create_map": "map", "mean": "avg", "pow": "power"}
# Written out in functions.h, since they are no plain calls.
BY_HAND = {"col", "column", "lit", "expr", "when", "asc", "asc_nulls_first", "asc_nulls_last", "desc", "desc_nulls_first",
           "desc_nulls_last", "call_function", "count_distinct", "sum_distinct", "listagg_distinct", "string_agg_distinct",
           "log"}
ARGUMENTS_MAX = 31


def is_text(parameter):
    kind = str(parameter.annotation)
    return "ColumnOrName" not in kind and ("str" in kind or "bytes" in kind) and "Mapping" not in kind


def main():
    rows = set()
    for path in (ROOT / "src/functions").glob("*.cpp"):
        rows |= set(re.findall(r'\.name = "([^"]+)"', path.read_text()))
    lines = []
    for name in sorted(F.__all__):
        function = getattr(F, name)
        sql = RENAMED.get(name, name)
        if not inspect.isfunction(function) or name in BY_HAND or sql not in rows:
            continue
        parameters = list(inspect.signature(function).parameters.values())
        places = {i for i, parameter in enumerate(parameters) if is_text(parameter)}
        if parameters and parameters[-1].kind == inspect.Parameter.VAR_POSITIONAL and is_text(parameters[-1]):
            places |= set(range(len(parameters), ARGUMENTS_MAX))
        texts = sum(1 << place for place in places)
        # Text or a column comes first, which tells a call from one of the C library's function of that name.
        column_first = parameters and "Column" in str(parameters[0].annotation)
        optional = all(parameter.default is not parameter.empty or parameter.kind == parameter.VAR_POSITIONAL
                       for parameter in parameters)
        kind = "FIRESTEEL_FUNCTION" if column_first and not optional else "FIRESTEEL_FUNCTION_ANY"
        lines.append(f'{kind}({name}{"_" if name in KEYWORDS else ""}, "{sql}", {texts}u)\n')
    OUT.write_text("// Written by tests/reference/record_functions.py; read by functions.h.\n" + "".join(lines))
    print(len(lines), "functions")


if __name__ == "__main__":
    main()
