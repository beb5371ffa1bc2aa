"""Every code block of README.md, of the pages in docs/ and of the docstrings runs.

Python blocks of a page share a namespace and an empty folder; the settings on the pages are small
enough to run as they stand. The pages of `SLOW_PAGES` run in `make test-slow`. While a block after
the comment `<!-- served: FOLDER -->` runs, `tfgans serve` serves that folder, on a free port
instead of 8501. Of bash blocks, lines that begin with `tfgans` are parsed by the command that they
name, and targets of `make` are looked up.

Examples of docstrings start from the names in `NAMES`, and their calls of `fit` are cut short.
"""

import ast
import contextlib
import dataclasses
import importlib.util
import inspect
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.region import Lexeme

import tfgans
from tfgans.cli import main as cli
from tfgans.cli.parser import Parser

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# Pages whose blocks take more than two seconds together.
SLOW_PAGES = {
    "README",
    "data",
    "evaluate",
    "from-keras",
    "from-tf-gan",
    "getting-started",
    "index",
    "limited-data",
    "methods",
    "mixtures",
    "serve",
    "train",
}
SERVED = re.compile(r"<!-- served: (\S+) -->\n\Z")


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# Pages.


def parse_commands(block):
    """Parses the command lines of a bash block."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in block.replace("\\\n", " ").splitlines():
        program, *words = shlex.split(line, comments=True)
        if program == "make":
            assert set(words) <= set(targets), line
        if program == "tfgans":
            command, parser = cli.load(words[0]), Parser()
            command.define(parser)
            action = [command.action] if command.action else []
            assert words[1 : 1 + len(action)] == action, line
            left = parser.parse(words[1 + len(action) :], known_only=command.passes_on)
            if command.separates:
                train = Parser()
                cli.load("train").define(train)
                left = train.parse([*left, "--run_dir=x"])
            several = command.operand.endswith("...") and left
            assert command.passes_on or several or len(left) == bool(command.operand), line


@contextlib.contextmanager
def serve(folder):
    """Serves a folder of versions; yields the address."""
    command = [sys.executable, "-m", "tfgans", "serve", f"--model_dir={folder}", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield re.search(r"http://\S+", process.stdout.readline())[0].rstrip("/")
        finally:
            process.terminate()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_of_page_parse(path):
    parser = CodeBlockParser("bash", lambda example: parse_commands(example.parsed))
    for example in Sybil([parser], pattern="*.md", path=str(ROOT)).parse(path).examples():
        example.evaluate()


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=pytest.mark.slow if path.stem in SLOW_PAGES else ())
        for path in PAGES
        if "```python" in path.read_text(encoding="utf-8")
    ],
)
def test_python_of_page_runs(path):
    document = Sybil([PythonCodeBlockParser()], pattern="*.md", path=str(ROOT)).parse(path)
    for example in document.examples():
        folder = SERVED.search(document.text, 0, example.start)
        with serve(folder[1]) if folder else contextlib.nullcontext("") as address:
            if folder:
                source = example.parsed
                example.parsed = Lexeme(
                    source.replace("http://localhost:8501", address),
                    source.offset,
                    source.line_offset,
                )
            example.evaluate()


@pytest.mark.slow
def test_five_commands_of_readme():
    (block,) = re.findall(
        r"```bash\n(tfgans train .*?)```",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    *lines, serving = [shlex.split(line)[1:] for line in block.splitlines()]
    lines[0].append("--minutes=0.2")
    for words in lines:
        assert cli.main(words) == 0, words
    assert Path("samples.png").exists()
    folder = dict(word.split("=") for word in serving[1:] if "=" in word)["--model_dir"]
    with serve(folder) as address, tfgans.serving.Client(address, model="digits") as client:
        assert client.generate(4, seed=1).shape == (4, 8, 8, 1)


def test_every_public_name_of_tf_gan_has_a_row():
    root = Path(importlib.util.find_spec("tensorflow_gan").submodule_search_locations[0], "python")
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs/from-tf-gan.md").read_text(), re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(rows)))
    packages = ("", "estimator", "eval", "features", "losses", "tpu")
    public = set()
    for package in packages:
        for path in (root / package).glob("*.py"):
            if path.stem in ("__init__", "losses_impl", "losses_wargs", "cross_replica_ops"):
                continue  # Lists of lists, and what `tuple_losses` wraps.
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                    public |= set(ast.literal_eval(node.value))
    assert len(public) > 80
    assert named == public


def test_table_of_papers_has_every_method_and_only_names_that_exist():
    rows = re.findall(
        r"^\| .*?[12]\d{3}, .*? \| (.*?) \|", (ROOT / "docs/papers.md").read_text(), re.MULTILINE
    )
    named = set(re.findall(r"(\w+)(?:\([^`]*\))?`", " ".join(rows)))
    of_papers = (tfgans.methods, tfgans.objectives, tfgans.penalties, tfgans.regularizers)
    classes = {name for part in of_papers for name in part.__all__ if name[0].isupper()}
    ours = {"Objective", "Penalty", "PenaltySum", "Regularizer", "RegularizerInputs"}
    assert not classes - ours - named
    others = (tfgans.augmentation, tfgans.evaluation, tfgans.games, tfgans.layers, tfgans.metrics)
    others += (tfgans.mixtures, tfgans.networks, tfgans.refinement, tfgans.schedules)
    known = {name for part in (*of_papers, *others) for name in part.__all__}
    known |= {path.stem for path in ROOT.glob("tfgans/labs/*.py")} | {"near_copies", "sample"}
    known |= {
        *inspect.signature(tfgans.GAN).parameters,
        *inspect.signature(tfgans.GAN.sample).parameters,
    }
    assert not named - known


_NAME = re.compile(r"(?<![\w:/.\"'-])tfgans(?:\.\w+)+")


def test_names_in_text_and_code_exist():
    """Of a name in the package that was renamed or removed no mention is left."""
    files = [*ROOT.glob("tfgans/**/*.py"), *ROOT.glob("docs/*.md"), ROOT / "README.md"]
    files += [*ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/*.py")]
    missing = set()
    for path in files:
        for name in _NAME.findall(path.read_text()):
            try:
                pkgutil.resolve_name(name)
            except (AttributeError, ImportError):
                missing.add(f"{path.relative_to(ROOT)}: {name}")
    assert not missing


@pytest.mark.slow
def test_site_builds_without_warnings_and_has_every_public_name(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", f"--site-dir={tmp_path}"],
        cwd=ROOT,
        check=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    packages = {page.stem: f"tfgans.{page.stem}" for page in (ROOT / "docs/api").glob("*.md")}
    packages |= {"client": "tfgans.serving.client"}
    # These pages choose what they show.
    del packages["index"], packages["gan"], packages["optimizers"], packages["random"]
    for page, package in packages.items():
        text = (tmp_path / "api" / f"{page}.html").read_text(encoding="utf-8")
        headings = set(re.findall(r'<h\d id="tfgans\.[\w.]*?(\w+)"', text))
        module = importlib.import_module(package)
        # A module without `__all__` has its functions.
        names = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == package
        ]
        functions = [name for name in names if callable(getattr(module, name))]
        assert headings.issuperset(functions), package


# Docstrings.

# Examples that no test can run, and why.
NOT_RUN = {
    "data/batches.py: after_data": "a fragment of `GAN.train_step`",
    "data/batches.py: batches_of_step": "a fragment of `GAN.train_step`",
    "serving/client/client.py: Client": "needs a server; docs/serve.md runs the same lines",
    "training/directory.py: load_checkpoint": "needs a finished run; docs/train.md has one",
    "training/settings.py: draw_labels": "needs a finished run",
}
# Examples that take more than three seconds.
SLOW = {
    "augmentation/adaptive_augment.py: AdaptiveAugment",
    "callbacks/backup.py: Backup",
    "callbacks/doctor.py: Doctor",
    "callbacks/evaluation.py: Evaluation",
    "callbacks/mixture_monitor.py: MixtureMonitor",
    "evaluation/digits_classifier.py: DigitsClassifier",
    "evaluation/evaluator.py: evaluate",
    "evaluation/image_classifier.py: train",
    "evaluation/record.py: Record",
    "games/neural_net_distance.py: neural_net_distance",
    "games/wasserstein_critic.py: wasserstein_critic",
    "methods/dcd.py: DCD",
    "training/run.py: Run",
}


def networks():
    generator = tfgans.networks.mlp_generator((8, 8, 1), latent_dim=4, width=8, depth=1)
    return generator, tfgans.networks.mlp_discriminator((8, 8, 1), width=8, depth=1)


def compiled(gan):
    """Compiles a model for the few steps that an example trains: no graph is faster."""
    gan.compile(run_eagerly=True)
    return gan


def plain():
    return compiled(tfgans.NonSaturatingGAN(*networks()))


def mixture():
    generator = tfgans.MixtureGenerator.from_builder(lambda: networks()[0], 2)
    return compiled(tfgans.NonSaturatingGAN(generator, networks()[1]))


def conditional():
    players = tiny.conditional_generator(), tiny.conditional_discriminator()
    return compiled(tfgans.NonSaturatingGAN(*players, num_classes=10))


def source():
    return tfgans.data.from_array(tiny.digits(64), labels=tiny.digit_labels(64), name="digits")


def classifier():
    inputs = keras.Input((8, 8, 1))
    hidden = keras.layers.Dense(4, name="penultimate")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(10, "softmax")(hidden))


def points():
    return np.random.default_rng(0).normal(size=(256, 2)).astype("float32")


# What a name stands for, unless the example defines it.
NAMES = {
    "backup": lambda: tfgans.callbacks.Backup("backups"),
    "batches": lambda: [tiny.digits(64)],
    "classifier": classifier,
    "data": lambda: source().batches(16),
    "dataclasses": lambda: dataclasses,
    "discriminator": lambda: networks()[1],
    "extractor": tfgans.evaluation.Identity,
    "fake": lambda: tiny.digits(32)[16:],
    "fakes": lambda: tiny.digits(16),
    "gan": plain,
    "generator": lambda: networks()[0],
    "held_out": lambda: tiny.digits(64),
    "images": lambda: tiny.digits(64),
    "keras": lambda: keras,
    "key": lambda: tfgans.random.key(0),
    "latents": lambda: np.zeros([2, 4], "float32"),
    "np": lambda: np,
    "onnxruntime": lambda: pytest.importorskip("onnxruntime"),
    "real": lambda: tiny.digits(16),
    "source": source,
    "tf": lambda: tf,
    "tfgans": lambda: tfgans,
    "z": lambda: tf.zeros([2, 4]),
}
# The same for the names of a single example.
POINTS = {"real": points, "fake": points, "held_out_real": points}
SPECIAL_NAMES = {
    "callbacks/adapt_components.py: AdaptComponents": {"gan": mixture},
    "gan.py: drop_component": {"gan": mixture},
    "gan.py: split_component": {"gan": mixture},
    "callbacks/mixture_monitor.py: MixtureMonitor": {"gan": mixture},
    "games/neural_net_distance.py: neural_net_distance": POINTS,
    "games/payoff.py: equilibrium": {"gan": mixture},
    "games/wasserstein_critic.py: wasserstein_critic": POINTS,
    "sampling.py: draw_labels": {"gan": conditional},
}


def docstring_examples():
    """Yields a name and the code of each block in a docstring of the package."""
    for path in sorted((ROOT / "tfgans").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                continue
            blocks = re.findall(r"```python\n(.*?)```", ast.get_docstring(node) or "", re.DOTALL)
            for block in blocks:
                place = path.relative_to(ROOT / "tfgans").as_posix()
                yield f"{place}: {getattr(node, 'name', 'module')}", block


EXAMPLES = list(docstring_examples())


@pytest.fixture
def short_training(monkeypatch):
    """Makes `fit` take two steps an epoch, of two epochs, at most, and without a graph."""
    fit, compile_ = tfgans.GAN.fit, tfgans.GAN.compile

    def short_fit(self, *args, epochs=1, steps_per_epoch=None, **options):
        steps = min(steps_per_epoch or 2, 2)
        return fit(self, *args, epochs=min(epochs, 2), steps_per_epoch=steps, **options)

    def compile_without_graph(self, *args, **options):
        return compile_(self, *args, **{"run_eagerly": "jit_compile" not in options, **options})

    monkeypatch.setattr(tfgans.GAN, "fit", short_fit)
    monkeypatch.setattr(tfgans.GAN, "compile", compile_without_graph)


@pytest.mark.parametrize(
    ("name", "block"),
    [
        pytest.param(name, block, id=name, marks=pytest.mark.slow if name in SLOW else ())
        for name, block in EXAMPLES
        if name not in NOT_RUN
    ],
)
@pytest.mark.usefixtures("short_training")
def test_example_of_docstring_runs(name, block):
    used = {node.id for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Name)}
    makers = {**NAMES, **SPECIAL_NAMES.get(name, {})}
    namespace = {name: make() for name, make in makers.items() if name in used}
    prepared = {*namespace, "__builtins__"}
    exec(compile(block, name, "exec"), namespace)
    for name in namespace.keys() - prepared:
        value = namespace[name]
        if isinstance(value, type) and issubclass(value, tfgans.GAN):
            tiny.train(compiled(value(*networks())), 1)


def test_examples_of_the_tables_exist():
    assert {*NOT_RUN, *SLOW, *SPECIAL_NAMES} <= {name for name, _ in EXAMPLES}
