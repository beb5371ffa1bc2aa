"""The rules of the source: who may import whom, and where some names may stand."""

import ast
import functools
import graphlib
import inspect
import re
from pathlib import Path

import keras
import pytest

import tfgans

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tfgans"
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "bin").glob("*.py"))
SOURCES = MODULES + SCRIPTS
# A unit is a folder or a module of the package. Every unit may import these, which import no other.
COMMON = {
    "checks",
    "class_names",
    "configs",
    "copies",
    "files",
    "images",
    "compat",
    "random",
    "reprs",
    "settings",
    "shapes",
    "state",
    "types",
    "versions",
    "weighted",
}
# The other units that each unit imports.
TABLE = """
__main__: cli
augmentation:
averages:
backend:
callback_checks: optimizers
callbacks: data evaluation gan logs optimizers pictures players
cli: augmentation comparison data engines evaluation export freed_memory gan labs layers \
    metrics objectives penalties pictures quiet refinement regularizers schedules \
    serving serving.server sweep tfgans training
comparison: callbacks evaluation reports sweep training
data: replicas
determinism:
engines: freed_memory quiet
evaluation: data gan metrics pictures sampling
export: mixtures pictures players sampling serving.client
freed_memory:
game_checks: augmentation last_activation layers objectives penalties players \
    regularizers
games: data gan layers metrics objectives optimizers penalties
gan: augmentation averages callback_checks data determinism export game_checks layers \
    logs mixtures objectives optimizers penalties players refinement regularizers \
    replicas sampling seed_states state steps_per_execution views
labs: augmentation callbacks data engines evaluation games gan layers methods metrics \
    mixtures networks objectives optimizers penalties refinement regularizers reports \
    step_clock
last_activation:
layers:
logs:
methods: augmentation averages data game_checks gan layers objectives optimizers \
    penalties players refinement regularizers replicas schedules
metrics:
mixtures: averages seed_states
networks: layers
objectives:
optimizers: replicas
penalties:
pictures:
players: layers mixtures optimizers penalties replicas
quiet:
refinement:
regularizers: augmentation
replicas:
reports:
sampling: players refinement
schedules:
seed_states:
serving: serving.client
serving.client:
serving.server: export serving.client
step_clock:
steps_per_execution:
sweep: evaluation training
tfgans: backend
training: callbacks data evaluation freed_memory gan optimizers players replicas \
    sampling step_clock
views: augmentation layers logs
"""
IMPORTS = {
    unit: set(others.split())
    for unit, others in (line.split(":") for line in TABLE.strip().splitlines())
}
# The files of the model, its training and its samples.
CORE = [
    *(PACKAGE / name for name in ("gan.py", "players.py", "game_checks.py", "sampling.py")),
    *(PACKAGE / name for name in ("random.py", "views.py", "weighted.py", "logs.py")),
    *sorted((PACKAGE / "methods").glob("*.py")),
    *sorted((PACKAGE / "mixtures").glob("*.py")),
]
VAGUE = {"one", "own", "given", "found", "how", "sides", "room"}
METHODS = [
    value
    for value in (getattr(tfgans, name) for name in tfgans.__all__)
    if inspect.isclass(value) and issubclass(value, tfgans.GAN) and value is not tfgans.GAN
]


def relative(path):
    return str(path.relative_to(ROOT))


@functools.cache
def nodes(path):
    return list(ast.walk(ast.parse(path.read_text())))


def where(path, node):
    return f"{relative(path)}, line {node.lineno}"


def unit(module):
    """`tfgans.data.source` -> `data`; client and server are units; `tfgans` itself -> `tfgans`."""
    names = module.split(".")
    if names[1:2] == ["serving"]:
        return ".".join(names[1:3]) if len(names) > 2 else "serving"
    return names[1] if len(names) > 1 else module


def imported(path):
    """The modules of the package that a file imports, also within functions."""
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            if node.module == "tfgans":
                yield from (f"tfgans.{alias.name}" for alias in node.names)
            elif node.module.startswith("tfgans."):
                yield node.module
        elif isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
            yield from (name for name in names if name.partition(".")[0] == "tfgans")


@functools.cache
def edges():
    """The imports between units: pairs (unit, imported unit)."""
    pairs = set()
    for path in MODULES:
        parts = path.relative_to(ROOT).with_suffix("").parts
        here = unit(".".join(part for part in parts if part != "__init__"))
        for module in imported(path):
            there = unit(module)
            if there not in (here, "__version__"):
                pairs.add((here, there))
    return pairs


def test_units_import_what_the_table_allows():
    extra = {
        (here, there)
        for here, there in edges()
        if there not in COMMON and there not in IMPORTS.get(here, set())
    }
    assert not extra


def test_table_of_imports_is_that_of_the_source():
    units = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"} | {"tfgans"}
    units |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    units |= {f"serving.{path.parent.name}" for path in PACKAGE.glob("serving/*/__init__.py")}
    assert units == IMPORTS.keys() | COMMON
    unused = {(here, there) for here, several in IMPORTS.items() for there in several}
    assert not unused - edges()


def test_imports_have_no_cycle():
    graph = {}
    for here, there in edges():
        graph.setdefault(here, set()).add(there)
    graphlib.TopologicalSorter(graph).prepare()  # Raises CycleError.


def test_only_players_and_mixtures_tell_a_mixture_from_a_network():
    mixtures = {"Mixture", "MixtureGenerator", "MixtureDiscriminator"}
    for path in SOURCES:
        if path.parent.name == "mixtures" or path == PACKAGE / "players.py":
            continue
        for node in nodes(path):
            function = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if function in ("isinstance", "issubclass"):
                parts = list(ast.walk(node.args[1]))
                names = {part.id for part in parts if isinstance(part, ast.Name)}
                names |= {part.attr for part in parts if isinstance(part, ast.Attribute)}
                assert not names & mixtures, where(path, node)


def test_names_say_what_they_name():
    fields = {ast.Name: "id", ast.arg: "arg", ast.Attribute: "attr", ast.FunctionDef: "name"}
    for path in MODULES:
        for node in nodes(path):
            name = getattr(node, fields.get(type(node), ""), None)
            assert name not in VAGUE, f"{where(path, node)}: {name}"


def defined_names():
    """The names of all attributes and functions of the package, and those of a NamedTuple."""
    names = {"_replace", "_asdict", "_fields"}
    for node in (node for path in SOURCES for node in nodes(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.attr if isinstance(node, ast.Attribute) else node.id)
    return names


def imported_modules(node):
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def test_private_names_of_keras_and_tensorflow_are_in_compat_alone():
    """Every private name that is read must be defined in the package."""
    defined = defined_names()
    for path in SOURCES:
        if path == PACKAGE / "compat.py":
            continue
        for node in nodes(path):
            for module in imported_modules(node):
                assert not module.startswith(("keras.src", "tensorflow.python")), where(path, node)
            if isinstance(node, ast.Attribute):
                private = node.attr.startswith("_") and not node.attr.startswith("__")
                assert not private or node.attr in defined, where(path, node)
                assert ast.unparse(node) not in ("keras.src", "tf.python"), where(path, node)


def test_nothing_in_the_code_runs_what_it_reads():
    banned = {"pickle", "marshal", "shelve", "dill", "joblib", "yaml", "cloudpickle"}
    for path in SOURCES:
        for node in nodes(path):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found = [one.name for one in node.names] + [getattr(node, "module", None) or ""]
                assert not banned & {name.split(".")[0] for name in found}, path
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                given = {one.arg: ast.unparse(one.value) for one in node.keywords}
                assert called not in ("eval", "exec", "os.system"), path
                assert "shell" not in given, path
                if called == "np.load" or called.endswith(("np.save", "np.savez")):
                    assert given.get("allow_pickle") == "False", (path, called)
                if called.endswith("saving.load_model"):
                    assert given.get("safe_mode") == "True", path


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_a_method_is_a_gan_and_nothing_between(method):
    between = method.__mro__[1 : method.__mro__.index(keras.Model)]
    assert between == (tfgans.GAN,)


def test_signatures_of_the_core_have_real_types():
    annotations = [
        annotation
        for path in CORE
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef)
        for annotation in [
            node.returns,
            *(argument.annotation for argument in ast.walk(node.args) if hasattr(argument, "arg")),
        ]
        if annotation is not None
    ]
    vague = [
        annotation
        for annotation in annotations
        if any(isinstance(part, ast.Name) and part.id == "Any" for part in ast.walk(annotation))
    ]
    assert len(annotations) > 500
    assert len(vague) < 0.05 * len(annotations)


def test_public_names_are_documented_and_documented_packages_are_public():
    for name in tfgans.__all__:
        assert (getattr(tfgans, name).__doc__ or "").strip(), name
    # Without another import before it: `import tfgans` alone must give them.
    documented = set(re.findall(r"`tfgans\.(\w+)", (ROOT / "docs/api/index.md").read_text()))
    assert documented <= set(tfgans.__all__)


def test_advice_to_install_names_this_distribution_and_its_extras():
    extras = set()
    for path in [*SOURCES, *(ROOT / "docs").glob("*.md"), ROOT / "README.md"]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\btfgans\[|pip install (?!'?tfgans-keras|'\.\[)", text), path
        extras |= set(re.findall(r"extra `(\w+)`", text))
        extras |= set(re.findall(r"install_command\([\"'](\w+)[\"']\)", text))
    assert extras == {"exchange", "hf", "labs", "loggers", "ray", "search", "serving"}
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    assert all(f'"{extra}": [' in setup for extra in extras)
