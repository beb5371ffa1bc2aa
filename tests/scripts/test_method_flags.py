"""Every flag of a method with every method, in this process: taken by it, or refused."""

import sys
from pathlib import Path

import pytest
from absl import flags

sys.path.append(str(Path(__file__).parents[2] / "bin"))

import method_flags
import methods

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
    *({"model": name} for name in methods.MODELS if name != "gan"),
    *({"objective": name} for name in methods.OBJECTIVES),
    *({"model": "hinge", "penalty": name} for name in methods.PENALTIES),
]


def options(**given):
    """What the flags make: arguments of the method."""
    values = flags.FLAGS
    values.unparse_flags()
    for name in method_flags.DECISIVE:
        values[name].unparse()
    values(["test", *(f"--{name}={value}" for name, value in given.items())])
    return method_flags.options()


def text(value):
    """Frozen objects as text, so that what lies inside counts."""
    return {name: repr(one) for name, one in value.items()}


def test_every_flag_has_a_value():
    assert VALUES.keys() | {"model", "objective"} == set(method_flags.DECISIVE)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda one: ",".join(one.values()))
def test_every_flag_is_taken_or_refused(choice):
    plain = options(**choice)
    refused = {}
    for flag in VALUES.keys() - choice.keys():
        try:
            changed = options(**choice, **{flag: VALUES[flag]})
        except ValueError as error:
            refused[flag] = str(error)
        else:
            # Not ignored: something that the method is made from is another.
            assert text(changed) != text(plain), flag
    for flag, message in refused.items():
        if flag == "penalty_one_sided" and "target of 0" in message:
            continue  # R1 and R2 know the argument, and refuse it themselves.
        assert f"--{flag} does not apply to this --model=" in message
        assert "it is of --" in message
    assert len(refused) < len(VALUES) - len(choice)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "wgan", "objective": "hinge"}, "--objective is of --model=gan"),
        ({"model": "gan"}, "--objective is of --model=gan, which needs it"),
        ({"model": "r3gan", "penalty": "r1"}, "--penalty does not apply"),
        ({"objective": "hinge", "penalty_weight": 3}, "it is of .*--penalty=gradient"),
        ({"model": "kl_wgan", "penalty": "r1", "penalty_weight": -0.0, "gamma": 1}, "--gamma"),
        ({"objective": "kl_wasserstein", "temperature": 0}, "`temperature` must be above 0"),
        ({"objective": "hinge", "penalty": "r1", "penalty_fraction": 2}, "`fraction` must be in"),
    ],
)
def test_refused(given, message):
    with pytest.raises(ValueError, match=message):
        options(**given)


def test_default_is_wgan_gp_and_a_grid_cell_without_a_model_is_gan():
    options()
    assert method_flags.model_name() == "wgan_gp"
    made = options(objective="f_divergence", divergence="kl", penalty="dragan", penalty_every=3)
    assert method_flags.model_name() == "gan"
    assert text(made) == {
        "objective": "FDivergence(name='kl', non_saturating=False)",
        "penalty": "DRAGANPenalty(weight=10.0, target=1.0, one_sided=False, every=3, fraction=1.0, "
        "epsilon=1e-12, noise='uniform', scale=0.5)",
    }


def test_help_tells_the_defaults_of_each():
    lines = list(methods.describe())
    assert len(lines) == len(methods.MODELS)
    assert any(line.startswith("- dragan: penalty_weight=10.0, noise=uniform") for line in lines)
