"""Evaluations: the numbers, their errors, what they depend on, and what is refused."""

import dataclasses
import json
import weakref

import numpy as np
import pytest
import tiny
from scipy import stats

import tfgans
from tfgans import evaluation, metrics
from tfgans.cli.options import evaluation as cli_options
from tfgans.evaluation import Evaluator, evaluate
from tfgans.evaluation.examples import Needs, Real, View
from tfgans.evaluation.intervals import interval

RING = tfgans.data.load("ring")
# Read at once, while endless data cost TensorFlow half a second.
STORED = tfgans.data.from_array(RING.sample(300, 9))
STORED_ARRAY = RING.sample(100, 8)
FRECHET = {"metrics": ["frechet_distance"]}
NAME = "frechet_distance[identity]"


@pytest.fixture(scope="module")
def extractor():
    return evaluation.DigitsClassifier()


@pytest.fixture(scope="module")
def digits():
    return tfgans.data.from_array(tiny.digits(300), name="digits300")


def test_numbers_are_those_of_the_metrics(digits, extractor):
    fakes = tiny.digits(600)[300:] * 0.9
    record = evaluate(fakes, digits, extractor)
    real, fake = (extractor(images).features for images in (tiny.digits(300), fakes))
    values = {name: number.value for name, number in record.metrics.items()}
    expected = {
        "frechet_distance": metrics.frechet_distance(real, fake),
        "kernel_distance": metrics.kernel_distance(real, fake).value,
        **metrics.precision_recall(real, fake),
    }
    for name, value in expected.items():
        assert values[f"{name}[digits_classifier]"] == pytest.approx(value, rel=1e-6), name
    # In an order of the seed.
    batches = np.array_split(fakes[np.random.default_rng(0).permutation(300)], 4)
    assert values["ms_ssim"] == pytest.approx(np.mean([metrics.ms_ssim(x) for x in batches]))
    copies = metrics.nearest_neighbors(fakes, tiny.digits(300)).copy_share
    assert values["near_copies"] == copies
    assert values["classifier_mode_coverage.modes"] == 10
    for number in record.metrics.values():
        assert number.interval[0] <= number.value <= number.interval[1]
        assert number.method
        assert (number.num_real, number.num_fake) == (300, 300)


def test_vectors_have_the_metrics_that_suit_them():
    assert Evaluator(RING).real.num == 10_000
    record = evaluate(RING.sample(500, 7), RING, num_real=500)
    assert record.metrics["mode_coverage.modes"].value == 8
    assert record.real["num_examples"] == 500
    assert "sliced_wasserstein_distance" in record.metrics
    assert not {"wasserstein_distance", "ms_ssim"} & record.metrics.keys()
    named = evaluate(RING.sample(200, 7), RING, num_real=100, metrics=["wasserstein_distance"])
    assert named.metrics["wasserstein_distance"].num_real == 100


def test_the_order_of_metrics_does_not_depend_on_imports():
    """The first number decides which model is the best by default."""
    names = list(evaluation.METRICS)
    assert names == list(cli_options.METRICS)
    assert names[:3] == ["frechet_distance", "kernel_distance", "precision_recall"]
    measured = [metric.name for metric in Evaluator(RING).metrics]
    assert measured == [name for name in names if name in measured]


def test_held_out_examples_stand_in_for_samples():
    train, test = (tfgans.data.load("digits", split=split) for split in ("train", "test"))
    record = evaluate(test, train, **FRECHET, num_real=500)
    assert record.fake["model"] == "real examples"
    assert (record.fake["split"], record.fake["num_examples"]) == ("test", 360)
    by_hand = evaluate(test.array, train, **FRECHET, num_real=500)
    assert record.metrics[NAME].value == pytest.approx(by_hand.metrics[NAME].value, rel=1e-6)
    assert by_hand.incompatibilities(record) == []
    with pytest.raises(ValueError, match="holds the real examples themselves"):
        evaluate(train, train, **FRECHET)
    with pytest.raises(ValueError, match=r"must have the shape .*\(8, 8, 1\). Received"):
        evaluate(tfgans.data.from_array(np.zeros([9, 6, 6, 1], "float32")), train, **FRECHET)
    part = tfgans.data.load("digits", split="train[:50%]")
    with pytest.warns(UserWarning, match="may overlap with the real examples"):
        evaluate(part, train, **FRECHET)
    other = tfgans.data.load("digits", split="train[50%:]")
    evaluate(part, other, **FRECHET)


def test_the_split_is_that_of_the_source(digits):
    assert Evaluator(tfgans.data.load("digits", split="test[:50%]")).split == "test[:50%]"
    assert Evaluator(digits).split == "unknown"
    assert Evaluator(RING, split="mine").split == "mine"


class Shades(evaluation.Extractor):
    """A classifier of a user: dark or bright."""

    num_classes = 2

    def extract(self, examples):
        means = examples.reshape(len(examples), -1).mean(axis=1)
        return evaluation.Features(means[:, None], np.eye(2)[(means > 0).astype(int)])


class Pair(tfgans.data.ArraySource):
    """A mixture of a user."""

    gaussian_modes = (np.array([[-3.0], [3.0]]), 0.1, np.array([0.5, 0.5]))


def test_modes_of_other_classifiers_and_mixtures():
    images = np.concatenate([np.full([30, 4, 4, 3], -0.5), np.full([30, 4, 4, 3], 0.5)])
    source, extractor = tfgans.data.from_array(images), Shades("shades", checksum=None)
    coverage = evaluate(images, source, extractor, metrics=["classifier_mode_coverage"])
    assert coverage.metrics["classifier_mode_coverage.modes"].value == 2
    # Of unequal classes, a generator that draws them alike is not the best.
    gray = np.concatenate([np.full([90, 4, 4, 1], -0.5), np.full([10, 4, 4, 1], 0.5)])
    labeled = tfgans.data.from_array(gray, labels=[0] * 90 + [1] * 10)
    options = {"metrics": ["classifier_mode_coverage"]}
    copies, balanced = (
        evaluate(images, labeled, extractor, **options).metrics["classifier_mode_coverage.kl"].value
        for images in (gray, np.concatenate([gray[:50], gray[-10:].repeat(5, axis=0)]))
    )
    assert copies == pytest.approx(0, abs=1e-12)
    assert balanced == pytest.approx(stats.entropy([0.5, 0.5], [0.9, 0.1]))
    # A single bright sample may be missing in other draws; there is no third class.
    rare = evaluate(gray[:91], labeled, extractor, **options)
    low, high = rare.metrics["classifier_mode_coverage.modes"].interval
    assert 0.5 < low < high == 2
    # Of data without a class, the others count by their shares; samples of that class do not.
    alone = tfgans.data.from_array(gray[:90], labels=[0] * 90, class_names=["dark", "light"])
    for samples in (gray[:90], gray):
        coverage = evaluate(samples, alone, extractor, **options).metrics
        assert coverage["classifier_mode_coverage.modes"].value == 1
        assert coverage["classifier_mode_coverage.kl"].value == pytest.approx(0, abs=1e-12)
    threes = np.full([60, 1], 3.0, np.float32)
    coverage = evaluate(threes, Pair(threes), metrics=["mode_coverage"])
    number = coverage.metrics["mode_coverage.modes"]
    assert (number.value, number.interval) == (1, (pytest.approx(1, abs=1e-3), 1))


@dataclasses.dataclass(frozen=True)
class Scaled(metrics.Metric):
    """A user's metric with a parameter."""

    factor: object
    name = "scaled"
    quantities = (metrics.Quantity("scaled"),)
    reads = "examples"

    def compute(self, real, fake, context):
        return {"scaled": float(np.abs(fake).mean())}


def test_parameters_of_metrics_are_recorded_and_compared():
    evaluators = [Evaluator(STORED, metrics=[Scaled(factor)]) for factor in (1.0, 2.0)]
    first, second = (each.evaluate(STORED_ARRAY) for each in evaluators)
    assert evaluators[0].protocol() != evaluators[1].protocol()
    assert first.metrics["scaled"].parameters == {"factor": 1.0}
    assert evaluation.Record.from_dict(first.to_dict()) == first
    for refused in (first.compare, first.merge):
        with pytest.raises(ValueError, match=r"parameters of scaled is \{'factor': 1.0\} in the f"):
            refused(second)


MANY = np.arange(2000.0)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        # NumPy's repr leaves out the middle of an array.
        (MANY, np.where(MANY == 1000, 0, MANY), False),
        (MANY, MANY.copy(), True),
        (MANY[:3], [0.0, 1.0, 2.0], True),
        (np.float32(0.5), 0.5, True),
        ((1, np.int64(2)), [1, 2], True),
        (np.nan, np.inf, False),
        (lambda: 1, lambda: 1, True),
    ],
    ids=["arrays", "copies", "lists", "floats", "tuples", "not_finite", "functions"],
)
def test_values_of_parameters(first, second, same):
    parameters = [Scaled(factor).parameters for factor in (first, second)]
    assert (parameters[0] == parameters[1]) == same
    assert json.loads(json.dumps(parameters, allow_nan=False)) == parameters


@pytest.mark.parametrize("num", [2000, 10_000])
def test_error_of_the_number_of_modes_is_that_of_other_samples(num):
    """A mode of share .007 counts from .05 / 8 = .00625 on: about half of the draws."""
    rng, modes = np.random.default_rng(0), 10.0 * np.arange(8)[:, np.newaxis]
    shares = np.append(0.007, np.full(7, 0.993 / 7))
    drawn = [
        metrics.mode_coverage(modes[rng.choice(8, num, p=shares)], modes, 0.1) for _ in range(200)
    ]
    spread = np.std([coverage.modes for coverage in drawn])
    stated = np.sqrt(np.mean([coverage.modes_error**2 for coverage in drawn]))
    # The spread of 200 draws is known to 5 %; the error is an estimate from a single draw.
    assert 0.3 < spread < 0.6
    assert stated == pytest.approx(spread, rel=0.25)


def test_records_of_all_seeds_have_the_same_directions():
    """Along others, the distance of the same samples differs by more than its error."""
    source, samples = tfgans.data.from_array(np.zeros([100, 50])), np.ones([100, 50])
    options = {"metrics": ["sliced_wasserstein_distance"]}
    values = {
        evaluate(samples, source, seed=seed, **options).metrics["sliced_wasserstein_distance"].value
        for seed in range(3)
    }
    assert len(values) == 1


def test_only_the_examples_that_are_read_stay_in_memory():
    class Chunks:
        def __init__(self):
            self.alive = []

        def chunks(self):
            chunks = []
            for _ in range(5):
                chunk = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
                chunks.append(weakref.ref(chunk))
                yield chunk
                del chunk
                self.alive.append(sum(chunk() is not None for chunk in chunks))

    for part in ("features", "examples"):
        examples, sizes = Chunks(), {"features": 0, "examples": 0, part: 25}
        view = View(
            examples,
            evaluation.Identity(),
            Needs(False, probabilities=False, **sizes),
            lambda *_: None,
        )
        assert len(getattr(view, part)) == 25
        # The caller holds the last chunk.
        assert max(examples.alive) <= 1


@dataclasses.dataclass(frozen=True)
class Shift(metrics.Metric):
    """A user's metric: the distance of the means, and what it was given."""

    reads: str
    seen: list = dataclasses.field(default_factory=list, compare=False)
    name = "shift"
    quantities = (metrics.Quantity("shift", high=2.0),)
    max_examples = 150

    def compute(self, real, fake, context):
        self.seen.append((len(real), len(fake), context))
        return {"shift": np.linalg.norm(real.mean(axis=0) - fake.mean(axis=0))}


@pytest.mark.parametrize("reads", ["features", "examples"])
def test_a_metric_of_the_user(reads):
    """The jackknife of a mean of n draws of variance s^2 has an error of s / sqrt(n)."""
    rng, metric = np.random.default_rng(0), Shift(reads)
    source = tfgans.data.from_array(rng.normal(size=(200, 1)))
    evaluator = Evaluator(source, metrics=["frechet_distance", metric], num_samples=170, seed=4)
    record = evaluator.evaluate(rng.normal(size=(190, 1)) + 1.9)
    assert evaluator.protocol()["metrics"] == ["frechet_distance", "shift"]
    number = record.metrics["shift[identity]" if reads == "features" else "shift"]
    # Each of 10 groups has a tenth of the examples: its spread has an error of a quarter.
    assert number.standard_error == pytest.approx((2 / 150) ** 0.5, rel=0.8)
    assert number.interval[1] == 2
    assert (number.num_real, number.num_fake) == (150, 150)
    assert [seen[:2] for seen in metric.seen] == [(150, 150), *[(135, 135)] * 10]
    expected = metrics.Context(data_shape=(1,), feature_dim=1, seed=4)
    assert metric.seen[0][2] == expected
    assert not evaluator.higher_is_better("shift[identity]" if reads == "features" else "shift")


@dataclasses.dataclass(frozen=True)
class Returns(Shift):
    """A metric of a fixed result."""

    result: object = None
    max_examples = None

    def compute(self, real, fake, context):
        return self.result


def test_a_metric_that_knows_its_error(tmp_path):
    result = {"shift": metrics.Estimate(np.float32(1), np.float32(0.25), "known")}
    record = evaluate(
        STORED_ARRAY, STORED, metrics=[Returns("features", result=result)], path=tmp_path / "a.json"
    )
    assert record.metrics["shift[identity]"].standard_error == 0.25
    assert evaluation.Record.load(tmp_path / "a.json") == record


def test_numbers_that_no_group_of_examples_changes():
    """The jackknife says nothing of their error; a share has the interval of Wilson."""
    record = evaluate(
        STORED_ARRAY + 9.0,
        STORED,
        metrics=[Returns("examples", result={"shift": 1.0}), "precision_recall"],
        split="train",
    )
    number = record.metrics["shift"]
    assert (number.interval, number.standard_error) == (None, None)
    assert number.method == "no error: the same without each of 10 groups"
    assert record.compare(record)["shift"].is_clear is None
    recall = record.metrics["recall[identity]"]
    square = stats.norm.ppf(0.975) ** 2
    high = square / (len(STORED_ARRAY) + square)
    assert (recall.value, recall.interval) == (0.0, pytest.approx((0.0, high)))


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"distance": 1.0}, r"'shift' must return shift\. Received: distance"),
        (1.0, r"'shift' must return shift\. Received: 1\.0"),
        ({"shift": "far"}, "value of 'shift' must be a number. Received: 'far'"),
        ({"shift": None}, "value of 'shift' must be a number. Received: None"),
        ({"shift": np.ones(2)}, "value of 'shift' must be a number"),
        ({"shift": np.inf}, "shift is not finite: inf"),
        ({"shift": metrics.Estimate(1.0, np.nan, "")}, "'shift' must be finite, with a standard"),
        ({"shift": metrics.Estimate(1.0, -0.1, "")}, "'shift' must be finite, with a standard"),
        ({"shift": metrics.Estimate(1.0, 0.1, "", bias=np.nan)}, "'shift' must be finite"),
        ({"shift": metrics.Estimate(1.0, 0.1, "", degrees=0)}, "degrees of freedom above 0"),
    ],
)
def test_results_that_are_no_numbers(result, message):
    with pytest.raises(ValueError, match=message):
        evaluate(STORED_ARRAY, STORED, metrics=[Returns("examples", result=result)])


@dataclasses.dataclass(frozen=True)
class OfAll(metrics.Metric):
    """A metric that fails without any of the examples."""

    name = "of_all"
    quantities = (metrics.Quantity("of_all"),)

    def compute(self, real, fake, context):
        return {"of_all": 1.0 if len(real) == len(STORED_ARRAY) else np.nan}


def test_a_number_that_needs_all_examples_has_no_error(tmp_path):
    samples, source = STORED_ARRAY, tfgans.data.from_array(STORED_ARRAY)
    record = evaluate(samples, source, metrics=[OfAll()], path=tmp_path / "a.json")
    number = evaluation.Record.load(tmp_path / "a.json").metrics["of_all[identity]"]
    assert number == record.metrics["of_all[identity]"]
    assert number.interval is number.standard_error is None
    assert "not finite without some" in number.method


def test_a_source_without_end_stands_in_for_samples():
    """Though it has classes, it is asked for none."""
    record = evaluate(tfgans.data.Ring(seed=5), STORED, num_samples=100, **FRECHET)
    assert (record.fake["classes"], record.fake["model"]) == (None, "Ring")


def test_unbounded_images_of_a_model_are_clipped(digits):
    generator = tfgans.networks.mlp_generator(
        (8, 8, 1), latent_dim=4, width=8, output_activation="linear"
    )
    gan = tfgans.NonSaturatingGAN(generator, tiny.discriminator())
    generator.set_weights([20 * weight for weight in generator.get_weights()])
    with pytest.warns(UserWarning, match=r"clipped to \[-1, 1\]"):
        record = evaluate(gan, digits, metrics=["near_copies"], num_samples=300)
    assert record.metrics["near_copies"].value <= 1
    with pytest.raises(ValueError, match=r"must lie in \[-1, 1\]"):
        evaluate(tiny.digits(300) * 5, digits, metrics=["near_copies"])


def test_only_the_network_of_2015_gives_fid_kid_and_is(digits):
    def features(images):
        return images.reshape(len(images), -1)[:, :4], np.full([len(images), 2], 0.5)

    class Canonical(evaluation.FunctionExtractor):
        is_inception_2015 = True

    wanted = ["frechet_distance", "kernel_distance", "inception_score", "precision_recall"]
    canonical, other = (
        Evaluator(digits, kind(features), metrics=wanted)
        for kind in (Canonical, evaluation.FunctionExtractor)
    )
    names = list(canonical.evaluate(tiny.digits(300)).metrics)
    assert names[:4] == ["FID", "KID", "IS", "precision[features]"]
    names = list(other.evaluate(tiny.digits(300)).metrics)
    assert names[:2] == ["frechet_distance[features]", "kernel_distance[features]"]
    better = {"FID": False, "IS": True, "precision[features]": True, "KID": False}
    assert {name: canonical.higher_is_better(name) for name in better} == better
    with pytest.raises(ValueError, match="must be one of 'frechet_distance"):
        other.higher_is_better("FID")


def test_intervals_cover_the_truth():
    """Half of N(0, 1) against N(1, 1) in 5 dimensions: 40 records, 95 % intervals of a shift of 5.

    Of 40, 33 or fewer hold it with probability .3 % if 95 % do; a bias of 5 * 2 / 400 is allowed.
    """
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(40):
        source = tfgans.data.from_array(rng.normal(size=(400, 5)))
        low, high = (
            evaluate(rng.normal(size=(400, 5)) + 1, source, **FRECHET).metrics[NAME].interval
        )
        held += low <= 5 <= high
    assert held > 33


def test_quantile_of_an_interval_is_that_of_the_degrees_of_freedom():
    """Student's 97.5 % quantiles: 12.706 at 1, 2.262 at 9; 1.960 of the normal distribution."""
    shift = metrics.Quantity("shift", low=-np.inf)
    for degrees, expected in ((1, 12.706), (9, 2.262), (None, 1.960)):
        estimate = metrics.Estimate(0.0, 1.0, "", degrees=degrees)
        assert interval(estimate, shift) == pytest.approx((-expected, expected), abs=1e-3)
    # Cut at the ends of the range, but never at the value, which may round beyond them.
    share = metrics.Quantity("share", high=1.0)
    for value, expected in ((0.5, (0, 1)), (-1e-9, (-1e-9, 1)), (1 + 1e-9, (0, 1 + 1e-9))):
        assert interval(metrics.Estimate(value, 1.0, ""), share) == expected


def test_seeds_draw_other_real_examples():
    drawn = [np.concatenate([*Real(RING, 600, if_endless=None, seed=s).chunks()]) for s in (0, 1)]
    assert len(np.unique(np.concatenate(drawn), axis=0)) == 1200


def test_bias_of_few_examples_is_told():
    """Equal distributions in 30 dimensions: the distance is 0, its estimate about 30 * 31 / 400."""
    rng = np.random.default_rng(0)
    source = tfgans.data.from_array(rng.normal(size=(400, 30)))
    number = evaluate(rng.normal(size=(400, 30)), source, **FRECHET).metrics[NAME]
    assert number.value > 1
    assert number.value - number.bias == pytest.approx(0, abs=4 * number.standard_error)


@pytest.mark.parametrize("num", [2, 19])
def test_few_examples_have_no_errors(num):
    number = evaluate(RING.sample(num, 1), STORED, num_real=num, **FRECHET).metrics[NAME]
    assert number.standard_error is number.interval is number.bias is None


def test_shares_have_at_least_the_error_of_a_binomial():
    options = {"metrics": ["precision_recall"]}
    six = evaluate(RING.sample(6, 1), STORED, num_real=6, **options)
    far = evaluate(RING.sample(40, 1) + 9, STORED, num_real=100, **options)
    for record, share, num in ((six, 6, 6), (far, 0, 40)):
        number = record.metrics["precision[identity]"]
        wilson = stats.binomtest(share, num).proportion_ci(method="wilson")
        assert number.interval == pytest.approx(wilson, abs=1e-6)
        assert number.method.startswith("binomial")


def test_copies_are_looked_for_among_all_real_examples():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(3000, 5))
    evaluator = Evaluator(tfgans.data.from_array(real), metrics=["near_copies"])
    copies = evaluator.evaluate(real[2000:]).metrics["near_copies"]
    assert (copies.value, copies.num_real, copies.num_fake) == (1, 3000, 1000)
    fresh = evaluator.evaluate(rng.normal(size=(1000, 5))).metrics["near_copies"]
    # Binomial: 1 % of 1000 draws, and 4 standard errors with that of the threshold.
    assert fresh.value < 0.03


def test_samples_repeat_and_the_first_do_not_depend_on_their_number():
    calls = []

    class Sampler:
        def sample(self, n, seed):
            calls.append((n, seed))
            return RING.sample(n, seed)

    records = [evaluate(Sampler(), STORED, num_samples=num, **FRECHET) for num in (300, 600, 300)]
    assert records[0] == records[2] != records[1]
    # Two are drawn first, to be checked.
    assert {num for num, _ in calls} == {2, 256}
    assert len({seed for num, seed in calls if num == 256}) == 3


def test_endless_data_are_one_dataset_however_often_they_are_read(monkeypatch):
    """TensorFlow keeps the functions of each dataset that is made."""
    source, datasets = tfgans.data.Ring(seed=0), []
    batches = source.batches
    monkeypatch.setattr(
        source, "batches", lambda *args, **options: datasets.append(1) or batches(*args, **options)
    )
    evaluator = Evaluator(source, num_samples=300, metrics=["near_copies"])
    for _ in range(2):
        evaluator.evaluate(RING.sample(300, 1))
    assert len(datasets) == 1


def test_a_model_is_known_by_its_weights(digits):
    gan = tiny.gan(ema=0.9, run_eagerly=True)
    tiny.train(gan, steps=2)
    evaluator = Evaluator(digits, num_samples=30, seed=5, **FRECHET)
    fake = evaluator.evaluate(gan).fake
    assert fake["checksum"] == evaluation.model_checksum(gan, refined=False)
    assert fake == {
        **{"num_examples": 30, "classes": None, "model": "WGANGP", "step": 2, "ema": 0.9},
        **{"refinement": None, "seed": 5, "checksum": fake["checksum"]},
    }
    tiny.train(gan)
    assert evaluation.model_checksum(gan, refined=False) != fake["checksum"]
    tuned = tfgans.DCD.from_gan(tiny.gan())
    before = evaluator.evaluate(tuned).fake
    assert "Langevin" in before["refinement"]
    assert before["checksum"] == evaluation.model_checksum(tuned, refined=True)
    # The discriminator refines the samples.
    tuned.discriminator.set_weights([2 * array for array in tuned.discriminator.get_weights()])
    assert evaluation.model_checksum(tuned, refined=True) != before["checksum"]


def test_an_array_is_known_by_its_bytes_and_notes(digits):
    options = {"metrics": ["near_copies"], "notes": {"path": "somewhere"}}
    first, second = (evaluate(tiny.digits(300), digits, seed=seed, **options) for seed in (0, 1))
    assert first.fake == second.fake
    assert first.fake["path"] == "somewhere"


def test_files_that_come_class_by_class_are_mixed():
    """The first 320 of sorted files would all be of one kind."""
    kinds = np.concatenate([np.full([400, 8, 8, 1], -0.5), np.full([400, 8, 8, 1], 0.5)])
    record = evaluate(kinds, tfgans.data.from_array(kinds), metrics=["ms_ssim"])
    for number in record.metrics.values():
        assert number.value < 0.9 * metrics.ms_ssim(kinds[:64])


def test_uint8_is_mapped_alike_on_both_sides():
    pixels = np.random.default_rng(0).integers(0, 256, size=(400, 6), dtype=np.uint8)
    options = {"metrics": ["frechet_distance", "precision_recall"]}
    record = evaluate(pixels, tfgans.data.from_array(pixels[::-1].copy()), **options)
    # The same set, in floating point: the features are of size 1.
    assert record.metrics[NAME].value < 1e-9
    # The same bits: each fake lies in the balls of 4 others and of its copy.
    assert record.metrics["density[identity]"].value == pytest.approx(1)


def test_images_that_are_not_in_memory_give_the_same_record(tmp_path):
    (tmp_path / "images").mkdir()
    for index, pixels in enumerate(tfgans.images.to_uint8(tiny.digits(40))):
        tfgans.pictures.write_png(tmp_path / "images" / f"{index}.png", pixels)
    records = []
    for cache in ("memory", "disk", "none"):
        source = tfgans.data.load(
            f"folder:{tmp_path / 'images'}", image_size=8, cache=cache, cache_dir=tmp_path / "cache"
        )
        records.append(evaluate(tiny.digits(60)[20:], source, num_real=30))
    assert records[0] == records[1] == records[2]
    # That of the settings of a run.
    options = {"batch_size": 4}
    settings = tfgans.training.settings.describe(tiny.gan(compiled=True), source, **options)
    assert records[0].real["checksum"] == settings["data"]


def test_neighbors_to_look_at(digits):
    evaluator = Evaluator(digits, metrics=["near_copies"])
    with pytest.raises(ValueError, match="before"):
        evaluator.neighbors()
    evaluator.evaluate(tiny.digits(300))
    with pytest.raises(ValueError, match="at most 1000"):
        evaluator.neighbors(1001)
    samples, closest = evaluator.neighbors(9)
    np.testing.assert_array_equal(samples, closest)
    small, picture = (evaluation.neighbors_picture(samples[:n], closest[:n]) for n in (5, 9))
    assert picture.dtype == np.uint8
    assert picture.shape[0] > 1.8 * small.shape[0]
    # Copies: the row of samples and that of neighbors are the same pixels, but for the titles.
    height, margin = small.shape[0] // 2, small.shape[1] - 5 * 50
    top, bottom = small[2 : height - 1, margin:], small[height + 1 : 2 * height - 2, margin:]
    np.testing.assert_array_equal(top[:40], bottom[:40])
    with pytest.raises(ValueError, match="images"):
        evaluation.neighbors_picture(np.zeros([3, 4]), np.zeros([3, 4]))


def large_images():
    return tfgans.data.from_array(np.zeros([50, 32, 33, 1], np.uint8))


def test_the_frechet_distance_of_many_pixels_is_not_measured():
    """But that of as many features is."""
    names = {metric.name for metric in Evaluator(large_images()).metrics}
    assert "frechet_distance" not in names
    of_features = Evaluator(large_images(), lambda images: images.reshape(len(images), -1))
    assert names | {"frechet_distance"} == {metric.name for metric in of_features.metrics}


def test_costs_are_of_all_parts(digits, extractor):
    evaluator = Evaluator(digits, extractor)
    costs = evaluator.costs(tiny.digits(300))
    metrics_of_it = [metric.name for metric in evaluator.metrics]
    assert list(costs) == ["real examples", "generated examples", *metrics_of_it]
    assert all(0 < seconds < 600 for seconds in costs.values())
    untrained = Evaluator(
        digits, evaluation.ImageClassifier((8, 8, 1), 10), metrics=["frechet_distance"]
    )
    assert next(iter(untrained.costs(tiny.digits(300)))) == "training of the classifier"


def test_costs_of_as_few_examples_as_the_metrics_take(digits, extractor):
    names = ["inception_score", "precision_recall", "kernel_distance"]
    evaluator = Evaluator(digits, extractor, metrics=names, num_samples=12, num_real=12)
    assert list(evaluator.costs(tiny.digits(12)))[2:] == names


class Short:
    def sample(self, n, seed):
        return RING.sample(max(2, n // 2), seed)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evaluate(np.zeros([300, 3]), RING), "shape of the real .* data or extractor"),
        (lambda: evaluate(np.full([300, 2], np.nan), RING), "finite"),
        (lambda: evaluate(np.zeros([1, 2]), RING), "at least two"),
        (lambda: evaluate("samples", RING), "at least two"),
        (lambda: evaluate(np.ones([9, 2], bool), RING), "array of numbers .* dtype bool"),
        (lambda: evaluate(np.zeros([300, 2]), "ring"), "Source"),
        (lambda: evaluate(Short(), RING, num_samples=300), "Expected 256 generated examples"),
        (lambda: evaluate(STORED_ARRAY, STORED, num_samples=101), "at most .* samples, 100. .*101"),
        (lambda: evaluate(STORED, STORED, num_samples=301), "at most .* samples, 300. .*301"),
        (lambda: evaluate(np.zeros([5, 2]), RING, num_real=9), "at least 6 real and generated"),
        (lambda: Evaluator(STORED, num_samples=5), "'precision_recall' needs at least 6 .*: 5"),
        (lambda: evaluate(STORED_ARRAY, STORED, notes={"step": 3}), "other names .*: step"),
        (lambda: evaluate(STORED_ARRAY, STORED, notes={"at": np.int64(3)}), "JSON values.*int64"),
        (lambda: evaluate(STORED_ARRAY, STORED, path="."), "JSON file. Received: .*a folder"),
        (lambda: Evaluator(RING, metrics=["fid"]), "must be one of 'frechet_distance'"),
        (lambda: Evaluator(RING, metrics=["recall"]), "'recall', a number of 'precision_recall'"),
        (lambda: Evaluator(RING, metrics=["FID"]), "'FID', a number of 'frechet_distance'"),
        (
            lambda: Evaluator(RING, lambda x: x - x.mean(axis=0)),
            "by itself.*training=Fal",
        ),
        (lambda: Evaluator(RING, metrics=["ms_ssim"]), "needs images"),
        (
            lambda: Evaluator(large_images(), metrics=["frechet_distance"]),
            "more than 1024 values: an extractor such as ImageClassifier",
        ),
        (lambda: Evaluator(RING, metrics=[]), r"at least one of frechet_distance.*Received: \[\]"),
        (lambda: Evaluator(RING, metrics=[Shift("statistics")]), "no `max_examples`.*d: 150"),
        (lambda: Evaluator(RING, metrics=[Shift("pixels")]), "`reads of shift` must be one of 'f"),
        (
            lambda: Evaluator(RING, metrics=[Returns("probabilities")]),
            "'shift' reads probabilities",
        ),
        (
            lambda: Evaluator(RING, metrics=[Shift("features"), Shift("examples")]),
            r"different names\. Received: shift, shift",
        ),
        (lambda: Evaluator(RING, metrics="frechet_distance"), "`metrics` must be a list"),
        (lambda: Evaluator(RING, split=3), "`split` must be"),
        (lambda: Evaluator(RING, num_samples=1), "num_samples"),
        (lambda: Evaluator(RING, num_real=1), "num_real"),
        (lambda: evaluate(np.zeros([9, 2]), Pair(np.zeros([64, 2])), num_real=99), "at most.*64"),
        (lambda: Evaluator(RING, seed="a"), "seed"),
        (lambda: Evaluator(RING, "inception"), "function of examples"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_images_of_another_range(digits, tmp_path):
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        evaluate(tiny.digits(300) * 255, digits, path=tmp_path / "a.json")
    assert not list(tmp_path.iterdir())
    unit = (tiny.digits(300) + 1) / 2
    unit[0, 0, 0] = -0.01  # As resizing leaves it.
    with pytest.warns(UserWarning, match=r"No generated image .*\[0, 1\]"):
        evaluate(unit, digits, metrics=["near_copies"])
    with pytest.warns(UserWarning, match=r"No real image .*\[0, 1\]"):
        evaluate(tiny.digits(300), tfgans.data.from_array(unit), metrics=["near_copies"])
    # Those of an untrained generator are near 0.
    evaluate(0.01 * tiny.digits(300), digits, metrics=["near_copies"])


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((8, 8), r"images\[..., np.newaxis\]"),
        ((1, 8, 8), r"np.moveaxis\(images, 1, -1\)"),
        ((8, 8, 3), "same number of channels"),
        ((16, 16, 1), "at that size"),
    ],
)
def test_images_of_another_shape(digits, shape, remedy):
    with pytest.raises(ValueError, match=rf"real examples, \(8, 8, 1\)\. .*{remedy}"):
        evaluate(np.zeros([9, *shape]), digits)
