"""The flags: each is taken by a method or refused, and help knows what the library has."""

import inspect
import re
import shlex

import numpy as np
import pytest
from commands import run

import tfgans
from tfgans import labs, objectives, penalties
from tfgans.augmentation import AdaptiveAugment, DiffAugment
from tfgans.augmentation.augmentation import PENALTY_AT
from tfgans.cli import experiment, main, serve
from tfgans.cli.options import (
    data,
    devices,
    evaluation,
    limited_data,
    method,
    mixtures,
    model,
    networks,
    noise,
    runs,
)
from tfgans.cli.options import run as run_flags
from tfgans.cli.parser import Parser
from tfgans.data.image_source import CACHES
from tfgans.data.resize import FITS
from tfgans.layers.instance_noise import SCHEDULES
from tfgans.mixtures.mixture import ROUTINGS, WEIGHT_UPDATES
from tfgans.networks.blocks import NORMALIZATIONS
from tfgans.networks.r3gan import PRESETS
from tfgans.objectives.f_divergence import NAMES
from tfgans.objectives.kl_wasserstein import FORMS
from tfgans.penalties.dragan_penalty import NOISES
from tfgans.regularizers import ConsistencyRegularization, LeCam
from tfgans.regularizers.consistency import KINDS
from tfgans.serving.server.server import Limits

# A value of each flag that no method has by default.
VALUES = {
    "penalty": "r2",
    "discriminator_steps": 7,
    "penalty_weight": 0.7,
    "dragan_noise": "gaussian",
    "dragan_scale": 0.7,
    "penalty_target": 0.7,
    "penalty_one_sided": True,
    "penalty_every": 7,
    "penalty_fraction": 0.7,
    "minimax": True,
    "weight_clip": 0.7,
    "critic_warmup": True,
    "label_smoothing": 0.7,
    "divergence": "pearson",
    "non_saturating": True,
    "form": "linear",
    "temperature": 0.7,
    "weight_gradient": False,
    "gamma": 0.7,
    "updates_per_batch": 7,
}
CHOICES = [
    *({"model": name} for name in method.METHODS if name != "gan"),
    *({"objective": name} for name in method.OBJECTIVES),
    *({"model": "hinge", "penalty": name} for name in method.PENALTIES),
]


def parsed(**flags):
    parser = Parser()
    method.define(parser)
    parser.parse([f"--{name}={value}" for name, value in flags.items()])
    return parser


def arguments(**flags):
    """The arguments of the method, as text, so that those of frozen objects count."""
    made = method.arguments(parsed(**flags))
    return {name: repr(value) for name, value in made.items()}


def test_every_flag_of_a_method_has_a_value():
    assert VALUES.keys() == set(method.ARGUMENTS)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: ",".join(choice.values()))
def test_every_flag_is_taken_or_refused(choice):
    plain = arguments(**choice)
    refused = {}
    for flag in VALUES.keys() - choice.keys():
        try:
            # Not ignored: something that the method is made from is another.
            assert arguments(**choice, **{flag: VALUES[flag]}) != plain, flag
        except ValueError as error:
            refused[flag] = str(error)
    for flag, message in refused.items():
        if flag == "penalty_one_sided" and "target of 0" in message:
            continue  # R1 and R2 know the argument, and refuse it themselves.
        assert f"--{flag} does not apply to --model=" in message
        assert "It applies to --" in message
    assert len(refused) < len(VALUES) - len(choice)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"model": "wgan", "objective": "hinge"}, "--objective goes with --model=gan"),
        ({"model": "gan"}, "--objective goes with --model=gan, which needs it"),
        ({"model": "r3gan", "penalty": "r1"}, "--penalty does not apply"),
        ({"objective": "hinge", "penalty_weight": 3}, "applies to .*--penalty=gradient"),
        ({"model": "kl_wgan", "penalty": "r1", "penalty_weight": -0.0, "gamma": 1}, "--gamma"),
    ],
)
def test_refused(flags, message):
    with pytest.raises(ValueError, match=message):
        arguments(**flags)


def all_parsed(flags):
    parser = Parser()
    main.load("train").define(parser)
    parser.parse(["--run_dir=x", *flags.split()])
    method.choose_defaults(parser)
    return parser


def limited(flags, shape=(8, 8, 1)):
    """The augmentation and the regularizers of a command line."""
    parser = all_parsed(flags)
    limited_data.check(parser, method.name(parser))
    source = tfgans.data.from_array(np.random.default_rng(0).uniform(size=(4, *shape)))
    return limited_data.augmentation(parser, source), limited_data.regularizers(parser)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", (None, [])),
        ("--augmentation=diffaugment", (DiffAugment(), [])),
        (
            "--augmentation=diffaugment --augmentation_policy=cutout --augmentation_penalty=raw",
            (DiffAugment("cutout", penalty_at="raw"), []),
        ),
        ("--model=sngan --augmentation=ada", (AdaptiveAugment("bg", kimg=50.0), [])),
        (
            "--model=sngan --augmentation=ada --augmentation_policy=blit,color "
            "--augmentation_target=0.5 --augmentation_kimg=7",
            (AdaptiveAugment("blit,color", target=0.5, kimg=7.0), []),
        ),
        (
            "--augmentation=ada --augmentation_p=0.9 --lecam_weight=0.1 --consistency=cr",
            (
                AdaptiveAugment("bg", target=None, p_max=1.0, initial_p=0.9, kimg=50.0),
                [LeCam(weight=0.1), ConsistencyRegularization("cr")],
            ),
        ),
        (
            "--consistency=bcr --consistency_policy=translation",
            (None, [ConsistencyRegularization("bcr", augmentation=DiffAugment("translation"))]),
        ),
        (
            "--augmentation=ada --augmentation_p=0.9 --schedule_images=1000",
            (AdaptiveAugment("bg", target=None, p_max=1.0, kimg=50.0), []),
        ),
    ],
)
def test_flags_for_few_images(flags, expected):
    assert limited(flags) == expected


def test_ada_changes_the_color_of_color_images_and_needs_logits_of_a_level():
    assert limited("--model=sngan --augmentation=ada", (8, 8, 3))[0].transforms == "bgc"
    for flags in ["--model=r3gan", *(f"--objective={name}" for name in method.OBJECTIVES)]:
        parser = parsed(**dict([flags[2:].split("=")]))
        objective = method.arguments(parser).get("objective", objectives.Relativistic())
        if objective.decision_threshold is None:
            with pytest.raises(
                ValueError, match=r"decision threshold. Received: --(model|objective)="
            ):
                limited(f"--augmentation=ada {flags}")
        else:
            assert limited(f"--augmentation=ada {flags}")[0].is_adaptive


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--augmentation=ada", ("non_saturating", "r1", 0.01)),
        ("--augmentation=ada --penalty_weight=2", ("non_saturating", "r1", 2.0)),
        ("--augmentation=ada --penalty=gradient", ("non_saturating", "gradient", None)),
        ("--augmentation=ada --model=hinge", ("hinge", None, None)),
        ("--augmentation=ada --objective=minimax", ("gan", None, None)),
        ("--augmentation=ada --augmentation_p=0.3", ("r3gan", None, None)),
        ("--augmentation=ada --schedule_images=9", ("r3gan", None, None)),
        ("--augmentation=diffaugment", ("r3gan", None, None)),
    ],
)
def test_default_method_is_one_that_the_augmentation_can_follow(flags, expected):
    values = all_parsed(flags).values
    assert (values.model, values.penalty, values.penalty_weight) == expected


def test_a_grid_cell_without_a_model_is_gan():
    assert method.name(parsed()) == method.DEFAULT
    flags = {"objective": "f_divergence", "divergence": "kl", "penalty": "dragan"}
    assert method.name(parsed(**flags)) == "gan"
    made = arguments(**flags, penalty_every=3)
    assert made["objective"] == "FDivergence(name='kl', non_saturating=False)"
    assert made["penalty"].startswith("DRAGANPenalty(weight=10.0, target=1.0, one_sided=False, ev")


@pytest.mark.parametrize("name", method.METHODS)
def test_help_tells_the_defaults_of_a_method(name):
    renamed = {value: key for key, value in method._OTHER_NAMES.items()}
    parameters = method.parameters(method.method_class(name))
    told = ", ".join(f"{renamed.get(key, key)}={value}" for key, value in parameters.items())
    assert method.METHODS[name].defaults == told


def test_names_in_help_are_those_of_the_library():
    assert {row.name for row in method.METHODS.values()} == {"GAN", *tfgans.methods.__all__}
    classes = {name for name in objectives.__all__ if inspect.isclass(getattr(objectives, name))}
    assert set(method.OBJECTIVES.values()) == classes - {"Objective"}
    assert set(method.PENALTIES.values()) <= set(penalties.__all__)
    for told, known in [
        (method.DIVERGENCES, NAMES),
        (method.FORMS, FORMS),
        (method.NOISES, NOISES),
        (data.NAMES, tfgans.data.NAMES),
        (data.CACHES, CACHES),
        (data.FITS, FITS),
        (networks.NORMALIZATIONS, NORMALIZATIONS),
        (networks.PRESETS, PRESETS),
        (mixtures.ROUTINGS, ROUTINGS),
        (mixtures.WEIGHT_UPDATES, WEIGHT_UPDATES),
        (noise.SCHEDULES, SCHEDULES),
        (limited_data.PENALTY_AT, PENALTY_AT),
        (limited_data.CONSISTENCIES, ("none", *KINDS)),
        (devices.STRATEGIES, tfgans.training.STRATEGIES),
        (evaluation.METRICS, tfgans.evaluation.METRICS),
        (runs.CHECKPOINTS, tfgans.training.CHECKPOINTS),
        (experiment.NAMES, labs.NAMES),
    ]:
        assert sorted(told) == sorted(known)
    limits = Limits(int(serve.MAX_BODY_MB * 2**20), serve.MAX_ROWS, serve.MAX_WAITING_ROWS)
    assert limits == Limits()


def test_defaults_in_help_are_those_of_the_library():
    """An empty command line makes the arguments that the library has by default."""
    parser = Parser()
    main.load("train").define(parser)
    parser.parse(["--run_dir=x"])
    defaults = tfgans.training.Run.__init__.__kwdefaults__
    intervals = ("steps_per_epoch", "backup_every", "grid_every", "doctor_every")
    for name in (*intervals, "rollbacks", "resume"):
        assert parser.values[name].value == defaults[name], name
    for name, value in tfgans.data.load.__kwdefaults__.items():
        assert parser.values[name].value == value, name
    parser = Parser()
    main.load("export").define(parser)
    parser.parse(["--run_dir=x", "--out=y"])
    assert parser.values.verify


@pytest.mark.parametrize("name", main.COMMANDS)
def test_help_and_examples_of_a_command(name):
    done = run(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    chosen = main.load(name)
    assert chosen.name == name
    assert max(map(len, done.stdout.splitlines())) <= 160
    assert len(chosen.examples) == 3
    for example in chosen.examples:
        parser = Parser()
        chosen.define(parser)
        parser.parse(shlex.split(example), known_only=chosen.passes_on)
    elsewhere = Parser()
    if chosen.separates:
        main.load("train").define(elsewhere)
    for flag in set(parser.values) - set(elsewhere.values):
        assert f"--{flag}=" in done.stdout or f"--[no]{flag}" in done.stdout


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--server=http://x --name=x --out=x.npy", False),
        ("--server=http://x --name=x --out=x.npy --show=3", True),
        ("--server=http://x --name=x --out=x.png", True),
        ("--server=grpc://x --name=x --out=x.npy", True),
        ("--run_dir=x --out=x.npy", True),
    ],
)
def test_samples_of_a_server_need_tensorflow_to_be_drawn(flags, expected):
    chosen, parser = main.load("sample"), Parser()
    chosen.define(parser)
    parser.parse(flags.split())
    assert chosen.tensorflow(parser) is expected


def test_flag_file_of_a_command_line_is_taken(tmp_path):
    """Also where it holds the default of a flag that needs another, which is off."""
    file = tmp_path / "flags.txt"
    first, second = Parser(), Parser()
    for parser in (first, second):
        main.load("train").define(parser)
    first.parse(["--run_dir=x", "--doctor_every=0"])
    file.write_text(first.flag_file())
    second.parse([f"--flagfile={file}"])
    assert second.is_set("rollbacks")
    assert second.flag_file() == first.flag_file()


def test_flag_file_of_a_fine_tuned_run_is_taken(tmp_path):
    """It holds the defaults of the networks, which are those of the other run."""
    file = tmp_path / "flags.txt"
    first, second = Parser(), Parser()
    for parser in (first, second):
        main.load("train").define(parser)
    first.parse(["--run_dir=x", "--model=dcd", "--pretrained=y"])
    file.write_text(first.flag_file())
    second.parse([f"--flagfile={file}"])
    for parser in (first, second):
        model.check(parser)


@pytest.mark.parametrize(
    ("there", "here", "message"),
    [
        # Files may be moved: what the library says is the reason.
        ("folder:a --width=8", "folder:b --width=8", "other examples"),
        # The files may be other ones too: with another flag beside it, the path is listed.
        (
            "folder:a --width=8",
            "folder:b",
            r"=folder:a there and --dataset=folder:b here; --width=8 there and no --width here\.",
        ),
        ("folder:a", "zip:a", "--dataset=folder:a there and --dataset=zip:a here"),
        ("hf:a", "hf:b", "--dataset=hf:a there and --dataset=hf:b here"),
        ("digits", "ring", "--dataset=digits there and --dataset=ring here"),
    ],
)
def test_the_flags_that_make_another_run(there, here, message, tmp_path):
    first, second = Parser(), Parser()
    for parser, flags in ((first, there), (second, here)):
        main.load("train").define(parser)
        parser.parse([f"--run_dir={tmp_path}", *f"--dataset={flags}".split()])
    (tmp_path / "flags.txt").write_text(first.flag_file())
    error = run_flags.error_of_another_run(second, ValueError("other examples"))
    assert re.search(message, str(error))


def test_flags_beside_a_file_have_priority(tmp_path):
    (tmp_path / "outer").write_text(f"--model=wgan\n--flagfile={tmp_path / 'inner'}\n")
    (tmp_path / "inner").write_text("--weight_clip=0.5\n--critic_warmup\n")
    file = f"--flagfile={tmp_path / 'outer'}"
    for words in ([file, "--weight_clip=0.1"], ["--weight_clip=0.1", "--flagfile", file[11:]]):
        parser = Parser()
        method.define(parser)
        parser.parse([*words, "--nocritic_warmup"])
        values = parser.values
        assert (values.model, values.weight_clip, values.critic_warmup) == ("wgan", 0.1, False)
