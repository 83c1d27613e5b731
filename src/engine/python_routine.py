"""Functions that SQL stores as text, CREATE FUNCTION … LANGUAGE PYTHON: made where a worker runs them."""
import ast
import linecache
import textwrap

from pyspark.sql.types import _parse_datatype_json_string


def names_of(name, tree, text):
    """What the text defines. Tracebacks show its lines."""
    file = f"<function {name}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    names = {"__name__": name}
    exec(compile(tree, file, "exec"), names)
    return names


def defined(name, text, handler):
    """A function or class that the text defines."""
    names = names_of(name, ast.parse(text, f"<function {name}>"), text)
    if handler not in names:
        raise NameError(f"the text of the function {name} does not define its handler {handler}")
    return names[handler]


def scalar(name, text, handler, parameters, returns):
    """A function and the type of what it returns. Without a handler the text is its body."""
    text, returns = textwrap.dedent(text), _parse_datatype_json_string(returns).fields[0].dataType
    if handler:
        return defined(name, text, handler), returns
    tree = ast.parse("def body(): pass")
    tree.body[0].args.args = [ast.arg(arg=parameter) for parameter in parameters.split("\n") if parameter]
    tree.body[0].body = ast.parse(text, f"<function {name}>").body or tree.body[0].body
    return names_of(name, ast.fix_missing_locations(tree), text)["body"], returns


def table(name, text, handler):
    return defined(name, textwrap.dedent(text), handler)
