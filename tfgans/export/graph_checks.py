"""What a server would trip over, found in the graph of a SavedModel before it is published."""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfgans import compat

# Ops that TensorFlow counts as stateful, and that only read, call, look up or check.
_HARMLESS = re.compile(
    r"VarHandleOp|ReadVariableOp|ResourceGather(Nd)?|VarIsInitializedOp|(Stateful)?PartitionedCall"
    r"|If|While|Case|Assert|Print(V2)?|NoOp|Placeholder"
    r"|(Anonymous)?(Mutable)?(Dense)?HashTable(V2)?|LookupTable(Find|Size)(V2)?"
)
_OUTPUTS = (tf.float32, tf.int32, tf.string)


def check_graph(folder: Path) -> None:
    """Raises ValueError unless TF Serving can run every signature of a SavedModel, repeatably.

    Refused are functions that must be compiled by XLA, which TF Serving switches off; ops with a
    state, as random ones, assignments to variables or the clock; outputs that are not float32,
    int32 or string; and paths of this machine, which do not exist on the server.
    """
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (meta_graph,) = saved.meta_graphs
    graph = meta_graph.graph_def
    functions = {one.signature.name: one for one in graph.library.function}
    places = _own_places()
    for name, signature in meta_graph.signature_def.items():
        if name.startswith("__"):  # TensorFlow's own, of the loader
            continue
        for output, info in signature.outputs.items():
            if tf.as_dtype(info.dtype) not in _OUTPUTS:
                dtype = tf.as_dtype(info.dtype).name
                _refuse(name, f"its output {output!r} is {dtype}", "float32, int32 or string")
        outputs = [info.name for info in signature.outputs.values()]
        for node in _reachable(graph.node, functions, outputs):
            _check_node(name, node, functions)
            for text in _texts(node):
                if any(place in text for place in places):
                    _refuse(name, f"{node.name} holds {text!r}", "no path of this machine")


def _check_node(signature: str, node: Any, functions: dict[str, Any]) -> None:
    called = [functions[name] for name in _called(node) if name in functions]
    if any(_must_compile(one) for one in [node, *called]):
        _refuse(signature, f"{node.name} must be compiled by XLA", "no jit_compile=True")
    definition = compat.op_def_registry.get(node.op)
    if definition is not None and definition.is_stateful and not _HARMLESS.fullmatch(node.op):
        found = f"{node.name} ({node.op}) draws at random, changes a state or acts outside"
        _refuse(signature, found, "a pure function of the inputs")


def _own_places() -> set[str]:
    """Returns the beginnings of paths that only this machine has."""
    places = {os.path.expanduser("~"), tempfile.gettempdir()}
    with contextlib.suppress(FileNotFoundError):  # the working directory may be gone
        places.add(os.getcwd())
    return {f"{place}{os.sep}" for place in places if len(place) > 1}


def _refuse(signature: str, found: str, expected: str) -> None:
    raise ValueError(
        f"The generator cannot be served: expected {expected}. Received, in the signature "
        f"{signature!r}: {found}"
    )


def _reachable(nodes: Any, functions: dict[str, Any], outputs: list[str]) -> Iterator[Any]:
    """Yields the nodes that tensors depend on, and all of the functions these call."""
    graph = {node.name: node for node in nodes}
    names = [_node_of(one) for one in outputs]
    seen, entered = set(names), set()
    while names:
        node = graph[names.pop()]
        yield node
        inputs = {_node_of(one) for one in node.input} - seen
        seen |= inputs
        names += inputs
        calls = set(_called(node))
        while calls:
            function = calls.pop()
            if function not in functions or function in entered:
                continue
            entered.add(function)
            for inner in functions[function].node_def:
                yield inner
                calls.update(_called(inner))


def _node_of(tensor: str) -> str:
    return tensor.removeprefix("^").split(":", 1)[0]


def _called(node: Any) -> list[str]:
    # A call by name is an op of that name; all others name functions in attributes.
    found = [node.op]
    for value in node.attr.values():
        found += [value.func.name] if value.HasField("func") else []
        found += [one.name for one in value.list.func]
    return found


def _must_compile(item: Any) -> bool:
    return "_XlaMustCompile" in item.attr and item.attr["_XlaMustCompile"].b


def _texts(node: Any) -> Iterator[str]:
    for name, value in node.attr.items():
        held = [value.s, *value.list.s]
        if name == "value" and value.tensor.dtype == tf.string.as_datatype_enum:
            held += tf.make_ndarray(value.tensor).ravel().tolist()
        yield from (text.decode(errors="replace") for text in held if text)
