"""One contract table for objectives: a new game is one row."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tfgans import objectives
from tfgans.objectives import FDivergence, KLWasserstein, f_divergence

LOG_2 = np.log(2.0)
EVERYWHERE = (-np.inf, np.inf)


@dataclasses.dataclass(frozen=True)
class Row:
    """An objective, its closed forms, and the logits between which its gradients have their sign.

    The signs: more real is less loss for the discriminator on the real and for the generator on the
    fake, and more loss for the discriminator on the fake. Beyond the interval the sign is the other
    one. None: a logit's slope depends on the other logits, and so may its sign.
    """

    objective: objectives.Objective
    at_zero: tuple[float, float, float]  # discriminator on real, on fake; generator
    generator_slope: Callable  # d sum of generator losses / d fake logit, of the column of logits
    threshold: float | None = 0.0
    real_falls: tuple[float, float] | None = EVERYWHERE
    fake_rises: tuple[float, float] | None = EVERYWHERE
    generator_falls: tuple[float, float] | None = EVERYWHERE


def _sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


def _ratios(logits, temperature=1.0):
    powers = np.exp(logits / temperature)
    return powers / powers.mean(axis=0)


def _kl_wasserstein_slope(temperature):
    """-d/df_k sum_i r_i f_i = -r_k (1 + (f_k - mean r f) / temperature)."""

    def slope(logits):
        ratios = _ratios(logits, temperature)
        return -ratios * (1 + (logits - (ratios * logits).mean(axis=0)) / temperature)

    return slope


# Pulled by r, the fakes far below the others are not pushed up; they have almost no weight.
_WEIGHTED = {"threshold": None, "fake_rises": None, "generator_falls": None}
# (f*)' of Pearson's f, which goes on to negative density ratios, is below 0 there.
_PEARSON = {"fake_rises": (-2.0, np.inf), "generator_falls": (-2.0, np.inf)}

ROWS = [
    Row(objectives.Minimax(), (LOG_2, LOG_2, -LOG_2), lambda v: -_sigmoid(v)),
    Row(
        objectives.Minimax(label_smoothing=0.25),
        (LOG_2, LOG_2, -LOG_2),
        lambda v: -_sigmoid(v),
        threshold=np.log(0.6),
        real_falls=(-np.inf, np.log(3)),  # up to sigma(v) = 1 - s
    ),
    Row(objectives.NonSaturating(), (LOG_2, LOG_2, LOG_2), lambda v: _sigmoid(v) - 1),
    Row(
        objectives.NonSaturating(label_smoothing=0.1),
        (LOG_2, LOG_2, LOG_2),
        lambda v: _sigmoid(v) - 1,
        threshold=np.log(0.9 / 1.1),
        real_falls=(-np.inf, np.log(9)),
    ),
    Row(
        objectives.LeastSquares(),
        (0.5, 0.0, 0.5),
        lambda v: v - 1,
        threshold=0.5,
        real_falls=(-np.inf, 1.0),  # each label is pulled to from both sides
        fake_rises=(0.0, np.inf),
        generator_falls=(-np.inf, 1.0),
    ),
    Row(
        objectives.LeastSquares(label_smoothing=0.25),
        (0.28125, 0.0, 0.5),
        lambda v: v - 1,
        threshold=0.375,
        real_falls=(-np.inf, 0.75),
        fake_rises=(0.0, np.inf),
        generator_falls=(-np.inf, 1.0),
    ),
    Row(objectives.Hinge(), (1.0, 1.0, 0.0), lambda v: -1.0),
    Row(objectives.Wasserstein(), (0.0, 0.0, 0.0), lambda v: -1.0, threshold=None),
    Row(KLWasserstein(), (1.0, 1.0, 0.0), _kl_wasserstein_slope(1.0), **_WEIGHTED),
    Row(
        KLWasserstein(form="linear", temperature=5.0),
        (0.0, 0.0, 0.0),
        _kl_wasserstein_slope(5.0),
        **_WEIGHTED,
    ),
    Row(
        KLWasserstein(form="linear", weight_gradient=False),
        (0.0, 0.0, 0.0),
        lambda v: -_ratios(v),
        threshold=None,
    ),
    Row(
        objectives.Relativistic(),
        (LOG_2, 0.0, LOG_2),
        lambda v: _sigmoid(v) - 1,  # beside real logits of 0
        threshold=None,
    ),
    Row(FDivergence("kl"), (0, np.exp(-1), -np.exp(-1)), lambda v: -np.exp(v - 1), threshold=1.0),
    Row(FDivergence("reverse_kl"), (1.0, -1.0, 1.0), lambda v: -1.0),
    Row(FDivergence("pearson"), (0.0, 0.0, 0.0), lambda v: -(1 + v / 2), **_PEARSON),
    Row(FDivergence("squared_hellinger"), (0.0, 0.0, 0.0), lambda v: -np.exp(v)),
    Row(FDivergence("jensen_shannon"), (0.0, 0.0, 0.0), lambda v: -_sigmoid(v)),
    Row(FDivergence("gan"), (LOG_2, LOG_2, -LOG_2), lambda v: -_sigmoid(v)),
    Row(FDivergence("total_variation"), (0.0, 0.0, 0.0), lambda v: (np.tanh(v) ** 2 - 1) / 2),
    Row(
        FDivergence("squared_hellinger", non_saturating=True),
        (0.0, 0.0, 0.0),
        lambda v: -np.exp(-v),
    ),
]
table = pytest.mark.parametrize("row", ROWS, ids=lambda row: repr(row.objective))


def _terms(objective, real, fake):
    """The discriminator's terms on real and on fake, and the generator's."""
    for_generator = real if objective.pairs_real_with_fake else None
    terms = objective.discriminator_loss(real, fake)
    return (*terms, objective.generator_loss(for_generator, fake))


def _slopes(objective, real, fake):
    """The terms, and for each player the slopes of its summed loss in the logits."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((real, fake))
        terms = _terms(objective, real, fake)
        discriminator = tf.reduce_sum(terms[0] + terms[1])
    in_real, in_fake = tape.gradient(discriminator, (real, fake))
    return terms, in_real, in_fake, tape.gradient(terms[2], fake)


def test_every_public_objective_has_a_row():
    exported = (getattr(objectives, name) for name in objectives.__all__)
    public = {item for item in exported if isinstance(item, type)} - {objectives.Objective}
    assert {type(row.objective) for row in ROWS} == public
    games = [row.objective for row in ROWS if isinstance(row.objective, FDivergence)]
    assert {game.name for game in games if not game.non_saturating} == set(f_divergence.NAMES)


@table
def test_values_at_zero_shapes_and_dtypes(row):
    for dtype, width in ((tf.float16, 1), (tf.float32, 3), (tf.float64, 1)):
        zero = tf.zeros([5, width], dtype)
        for term, expected in zip(_terms(row.objective, zero, zero), row.at_zero, strict=True):
            assert term.dtype == dtype
            assert term.shape == (5, width)
            np.testing.assert_allclose(term, expected, atol=1e-3 if dtype == tf.float16 else 1e-6)


@table
def test_columns_and_rows_by_themselves_and_the_same_in_a_graph(row):
    """Rows that depend on each other are of an objective that says so."""
    rng = np.random.default_rng(0)
    real, fake = (tf.constant(rng.normal(size=(6, 3)), tf.float32) for _ in range(2))
    wide = _terms(row.objective, real, fake)
    signature = [tf.TensorSpec([None, 1]), tf.TensorSpec([None, 1])]
    graph = tf.function(lambda *logits: _terms(row.objective, *logits), input_signature=signature)
    for column in range(3):
        pair = real[:, column : column + 1], fake[:, column : column + 1]
        for term, expected in zip(graph(*pair), wide, strict=True):
            np.testing.assert_allclose(term, expected[:, column : column + 1], rtol=1e-5, atol=1e-6)
    apart = [_terms(row.objective, real[i : i + 1], fake[i : i + 1]) for i in range(6)]
    apart = [tf.concat(terms, axis=0) for terms in zip(*apart, strict=True)]
    same = [np.allclose(*terms, atol=1e-6) for terms in zip(wide, apart, strict=True)]
    assert same == [True, not row.objective.weighs_fakes, not row.objective.weighs_fakes]


@table
def test_generator_slope(row):
    logits = tf.constant([[-10.0], [-5.0], [0.0], [0.3], [7.0]], tf.float64)
    *_, measured = _slopes(row.objective, tf.zeros_like(logits), logits)
    expected = np.broadcast_to(row.generator_slope(logits.numpy()), (5, 1))
    np.testing.assert_allclose(measured, expected, rtol=1e-6)


@table
def test_signs_of_the_gradients(row):
    logits = np.linspace(-6, 6, 25)[:, np.newaxis]
    _, in_real, in_fake, generator = _slopes(
        row.objective, *(tf.constant(logits, tf.float32) for _ in range(2))
    )
    for slopes, between in (
        (in_real, row.real_falls),
        (-in_fake, row.fake_rises),
        (generator, row.generator_falls),
    ):
        if between is not None:
            inside = (between[0] <= logits) & (logits <= between[1])
            assert (slopes.numpy()[inside] <= 0).all()
            assert (slopes.numpy()[inside] < 0).any()
            assert (slopes.numpy()[~inside] > 0).all()


@table
def test_finite_at_extreme_logits(row):
    for dtype, size in ((tf.float32, 1e4), (tf.float16, 50.0)):
        logits = np.array([[-size], [size]])
        for real in (logits, -logits):
            pair = (tf.constant(real, dtype), tf.constant(logits, dtype))
            terms, *slopes = _slopes(row.objective, *pair)
            for result in (*terms, *slopes):
                assert np.isfinite(result).all()


@table
def test_decision_threshold(row):
    """There a best discriminator puts what is as likely real as fake; it calls it fake."""
    threshold = row.objective.decision_threshold
    assert threshold == (None if row.threshold is None else pytest.approx(row.threshold, abs=1e-12))
    if threshold is not None:
        undecided = tf.fill([8, 1], tf.constant(threshold, tf.float64))
        assert not (undecided > threshold).numpy().any()
        _, in_real, in_fake, _ = _slopes(row.objective, undecided, tf.identity(undecided))
        np.testing.assert_allclose(in_real + in_fake, 0, atol=1e-12)


def test_a_game_of_pairs_has_no_threshold():
    class Paired(objectives.Hinge):
        pairs_real_with_fake = True

    assert Paired().decision_threshold is None


ZERO = tf.zeros([4, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        *(
            (lambda game=game, value=value: game(label_smoothing=value), "`label_smoothing` must")
            for game in (objectives.Minimax, objectives.NonSaturating, objectives.LeastSquares)
            for value in (-0.1, 1.0, float("nan"))
        ),
        (lambda: KLWasserstein(temperature=0.0), "`temperature` must be above 0"),
        (lambda: KLWasserstein(temperature=float("inf")), "`temperature` must be a finite"),
        (lambda: KLWasserstein(form="logistic"), "`form` must be one of 'hinge', 'linear'"),
        (
            lambda: KLWasserstein().generator_loss(None, ZERO, fake_weights=tf.ones([4])),
            r"`fake_weights` must be \[batch, 1\].*\(4,\)",
        ),
        (
            lambda: KLWasserstein().discriminator_loss(ZERO, ZERO, fake_weights=tf.ones([3, 1])),
            r"`fake_weights` must be \[batch, 1\].*\(3, 1\)",
        ),
        (lambda: objectives.Relativistic().generator_loss(None, ZERO), "pairs.*real None"),
        (
            lambda: objectives.Relativistic().discriminator_loss(ZERO[:1], ZERO),
            r"pairs.*real \(1, 1\), fake \(4, 1\)",
        ),
        (lambda: FDivergence("js"), "'kl', 'reverse_kl', 'pearson'.*Received: 'js'"),
        (lambda: FDivergence(["kl"]), "`name` must be one of"),
        (lambda: FDivergence("total_variation").density_ratio(ZERO), "side of 1"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
