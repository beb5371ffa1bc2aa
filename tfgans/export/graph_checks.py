"""Checks the graph of a SavedModel for what TensorFlow Serving cannot run or would not repeat."""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import tensorflow as tf
from tensorflow.core.framework import function_pb2, node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2

from tfgans import compat

Functions = Mapping[str, function_pb2.FunctionDef]

# Operations that TensorFlow marks as stateful, but that only read, call, look up or check.
_HARMLESS = re.compile(
    r"VarHandleOp|ReadVariableOp|ResourceGather(Nd)?|VarIsInitializedOp|(Stateful)?PartitionedCall"
    r"|If|While|Case|Assert|Print(V2)?|NoOp|Placeholder"
    r"|(Anonymous)?(Mutable)?(Dense)?HashTable(V2)?|LookupTable(Find|Size)(V2)?"
)
# Operations that read files or call Python, which TensorFlow marks as stateful only in part.
_READING = frozenset({"ReadFile", "MatchingFiles"})
_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
_OUTPUT_DTYPES = (tf.float32, tf.int32, tf.string)


def check_graph(folder: Path) -> None:
    """Raises ValueError unless TensorFlow Serving can run each signature of a SavedModel.

    It refuses:
        * functions that XLA must compile, since TensorFlow Serving switches XLA off;
        * stateful operations: random draws, assignments to variables, the clock, files;
        * calls of Python, as by `tf.py_function`;
        * outputs of other types than float32, int32 and string;
        * constants with paths of this machine.
    """
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (meta_graph,) = saved.meta_graphs
    graph = meta_graph.graph_def
    functions = {function.signature.name: function for function in graph.library.function}
    local_path = _local_path_pattern()
    for name, signature in meta_graph.signature_def.items():
        if name.startswith("__"):  # The loader's internal signatures.
            continue
        for output, info in signature.outputs.items():
            dtype = tf.as_dtype(info.dtype)
            if dtype not in _OUTPUT_DTYPES:
                _refuse(name, f"its output {output!r} is {dtype.name}", "float32, int32 or string")
        outputs = [info.name for info in signature.outputs.values()]
        for node in _reachable(graph.node, functions, outputs):
            _check_node(name, node, functions)
            for text in _texts(node):
                if local_path.search(text):
                    _refuse(name, f"{node.name} holds {text!r}", "no path of this machine")


def _check_node(signature: str, node: node_def_pb2.NodeDef, functions: Functions) -> None:
    called = [functions[name] for name in _called(node) if name in functions]
    if any(_must_compile(item) for item in [node, *called]):
        _refuse(signature, f"{node.name} must be compiled by XLA", "no jit_compile=True")
    definition = compat.op_def_registry.get(node.op)
    if node.op in _READING:
        _refuse(signature, f"{node.name} ({node.op}), which reads a file", "no files but its own")
    if node.op in _PYTHON:
        _refuse(signature, f"{node.name} ({node.op}), which calls Python", "no Python")
    if definition is not None and definition.is_stateful and not _HARMLESS.fullmatch(node.op):
        received = f"{node.name} ({node.op}), which draws at random or has side effects"
        _refuse(signature, received, "a pure function of the inputs")


def _local_path_pattern() -> re.Pattern[str]:
    """Returns a pattern of absolute paths in the home, temporary and working directories."""
    places = {os.path.expanduser("~"), tempfile.gettempdir()}
    with contextlib.suppress(FileNotFoundError):  # The working directory may be removed.
        places.add(os.getcwd())
    prefixes = "|".join(re.escape(f"{place}{os.sep}") for place in places if len(place) > 1)
    # Not inside another path, as in "a/tmp/b", but in the address "file:///tmp/b".
    return re.compile(rf"(?:(?<![\w./~-])|(?<=://))(?:{prefixes})")


def _refuse(signature: str, received: str, expected: str) -> None:
    raise ValueError(
        f"The generator cannot be served: expected {expected}. Received, in the signature "
        f"{signature!r}: {received}"
    )


def _reachable(
    nodes: Iterable[node_def_pb2.NodeDef], functions: Functions, outputs: Iterable[str]
) -> Iterator[node_def_pb2.NodeDef]:
    """Yields the nodes that outputs depend on, and all nodes of the functions they call."""
    graph = {node.name: node for node in nodes}
    pending = [_node_name(output) for output in outputs]
    seen, entered = set(pending), set()
    while pending:
        node = graph[pending.pop()]
        yield node
        inputs = {_node_name(tensor) for tensor in node.input} - seen
        seen |= inputs
        pending += inputs
        calls = set(_called(node))
        while calls:
            function = calls.pop()
            if function not in functions or function in entered:
                continue
            entered.add(function)
            for inner in functions[function].node_def:
                yield inner
                calls.update(_called(inner))


def _node_name(tensor: str) -> str:
    return tensor.removeprefix("^").split(":", 1)[0]


def _called(node: node_def_pb2.NodeDef) -> list[str]:
    """Returns the names of the functions that a node may call."""
    # A call by name has the function's name as its op. Other calls name it in an attribute.
    names = [node.op]
    for value in node.attr.values():
        names += [value.func.name] if value.HasField("func") else []
        names += [function.name for function in value.list.func]
    return names


def _must_compile(item: node_def_pb2.NodeDef | function_pb2.FunctionDef) -> bool:
    return "_XlaMustCompile" in item.attr and item.attr["_XlaMustCompile"].b


def _texts(node: node_def_pb2.NodeDef) -> Iterator[str]:
    for name, value in node.attr.items():
        strings = [value.s, *value.list.s]
        if name == "value" and value.tensor.dtype == tf.string.as_datatype_enum:
            strings += tf.make_ndarray(value.tensor).ravel().tolist()
        yield from (text.decode(errors="replace") for text in strings if text)
