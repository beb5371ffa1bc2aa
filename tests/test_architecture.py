"""The house keeps its shape: who may import whom, and how large a thing may grow."""

import ast
from pathlib import Path

import pytest

import tfgans

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tfgans"
# A room imports only from lower floors. Single modules of the package are the ground: for all.
FLOORS = {
    "ground": -1,
    "objectives": 0,
    "penalties": 0,
    "layers": 0,
    "mixtures": 0,
    "data": 0,
    "serving": 0,
    "refinement": 0,
    "networks": 1,
    "models": 1,
    "metrics": 2,
    "callbacks": 3,
    "labs": 3,
    "runs": 4,
}
# `models` exports through `serving`, and a model's data are read by `data`: both floor 0.
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "bin").glob("*.py"))
LIMITS = {**dict.fromkeys(MODULES, 300), **dict.fromkeys(SCRIPTS, 80)}


def room(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and (PACKAGE / parts[1]).is_dir() else "ground"


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tfgans"):
            for alias in node.names:
                yield f"{node.module}.{alias.name}" if node.module == "tfgans" else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("tfgans"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts == ("tfgans", "__init__"):
        return
    here = room(".".join(parts))
    for module in imported(path):
        there = room(module)
        if there != here and module != "tfgans.__version__":
            assert FLOORS[there] < FLOORS[here], f"{here} imports {module}"


def test_every_room_has_a_floor():
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms <= FLOORS.keys()


@pytest.mark.parametrize("path", LIMITS, ids=lambda path: str(path.relative_to(ROOT)))
def test_sizes(path):
    text = path.read_text()
    assert len(text.splitlines()) <= LIMITS[path]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert length < 40, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_assert_and_no_wildcard(path):
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.Assert)
        if isinstance(node, ast.ImportFrom):
            assert all(alias.name != "*" for alias in node.names)


def test_public_names_are_documented():
    for name in tfgans.__all__:
        assert (getattr(tfgans, name).__doc__ or "").strip(), name
