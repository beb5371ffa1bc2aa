"""The record: what it says, that it repeats, what is refused, and what two of them say."""

import copy
import importlib
import json
import warnings

import numpy as np
import pytest
import tiny

import tfgans
from tfgans import evaluation, metrics
from tfgans.evaluation import Evaluator, compare, evaluate
from tfgans.evaluation.examples import Real

RING = tfgans.data.load("ring")


@pytest.fixture(scope="module")
def extractor():
    return evaluation.DigitsClassifier()


@pytest.fixture(scope="module")
def digits():
    return tfgans.data.from_array(tiny.digits(300), name="digits300")


def test_endless_data_are_one_dataset_however_often_they_are_looked_at(monkeypatch):
    """TensorFlow keeps the functions of each dataset that is made."""
    source, made = tfgans.data.Ring(seed=0), []
    draw = source.batches
    monkeypatch.setattr(
        source, "batches", lambda *args, **options: made.append(args) or draw(*args, **options)
    )
    real = Real(source, 300, if_endless=None, seed=0)
    first, second = (np.concatenate([*real.chunks()]) for _ in range(2))
    assert len(made) == 1
    np.testing.assert_array_equal(first, second)


def test_numbers_are_those_of_the_metrics(digits, extractor):
    fakes = tiny.digits(600)[300:] * 0.9
    record = evaluate(fakes, digits, extractor, split="train")
    real, fake = (extractor(images).features for images in (tiny.digits(300), fakes))
    found = {name: one["value"] for name, one in record["metrics"].items()}
    expected = {
        "frechet_distance": metrics.frechet_distance(real, fake),
        "kernel_distance": metrics.kernel_distance(real, fake).value,
        **metrics.precision_recall(real, fake),
    }
    for name, value in expected.items():
        assert found[f"{name}[digits_classifier]"] == pytest.approx(value, rel=1e-6), name
    # In an order of the seed.
    batches = np.array_split(fakes[np.random.default_rng(0).permutation(300)], 4)
    assert found["ms_ssim"] == pytest.approx(np.mean([metrics.ms_ssim(one) for one in batches]))
    copies = metrics.nearest_neighbours(fakes, tiny.digits(300)).copy_share
    assert found["near_copies"] == copies
    assert found["classifier_mode_coverage.modes"] == 10
    for one in record["metrics"].values():
        low, high = one["interval"]
        assert low <= one["value"] <= high
        assert one["how"]
    # Each number says of how many.
    counts = {name: (one["num_real"], one["num_fake"]) for name, one in record["metrics"].items()}
    assert set(counts.values()) == {(300, 300)}


def test_record_is_complete_and_repeats(tmp_path, digits, extractor):
    gan = tiny.gan(ema=0.9)
    gan.fit(tiny.digits(), batch_size=16, steps_per_epoch=2, verbose=0)
    how = {"num_samples": 300, "seed": 5, "metrics": ["frechet_distance", "near_copies"]}
    record = evaluate(gan, digits, extractor, path=tmp_path / "a.json", **how)
    assert evaluation.read(tmp_path / "a.json") == record
    assert record["fake"] == {
        "num_examples": 300,
        "classes": None,
        "model": "WGANGP",
        "checksum": record["fake"]["checksum"],
        "step": 2,
        "ema": 0.9,
        "refinement": None,
        "seed": 5,
    }
    assert record["extractor"] == {
        "name": "digits_classifier",
        "checksum": extractor.checksum,
        "resizing": "none",
        "dim": 64,
    }
    assert record["real"]["num_examples"] == 300
    assert record["versions"]["tfgans"] == tfgans.__version__
    assert evaluate(gan, digits, extractor, **how) == record
    alone = evaluate(gan, digits, extractor, num_samples=300, seed=5, metrics=["frechet_distance"])
    name = "frechet_distance[digits_classifier]"
    assert alone["metrics"][name] == record["metrics"][name]
    gan.fit(tiny.digits(), batch_size=16, steps_per_epoch=1, verbose=0)
    assert evaluate(gan, digits, extractor, **how)["fake"]["checksum"] != record["fake"]["checksum"]
    text = evaluation.table(record)
    assert all(part in text for part in ("digits300", "WGANGP", name, "95% interval"))


def test_first_samples_do_not_depend_on_their_number():
    asked = []

    class Sampler:
        def sample(self, n, seed):
            asked.append((n, seed))
            return RING.sample(n, seed)

    evaluate(Sampler(), RING, num_samples=300, metrics=["frechet_distance"])
    evaluate(Sampler(), RING, num_samples=600, metrics=["frechet_distance"])
    numbers, _ = zip(*asked, strict=True)
    # Two are drawn first, to look at.
    assert set(numbers) == {2, 256}
    assert len({seed for num, seed in asked if num == 256}) == 3


def test_vectors_are_measured_by_what_is_known_of_them():
    assert Evaluator(RING).real.num == 10_000
    record = evaluate(RING.sample(1000, 7), RING, num_real=1000)
    found = {name: one["value"] for name, one in record["metrics"].items()}
    assert found["mode_coverage.modes"] == 8
    assert record["real"]["num_examples"] == 1000
    assert "sliced_wasserstein_distance" in found
    assert "wasserstein_distance" not in found
    assert "ms_ssim" not in found
    asked = evaluate(RING.sample(200, 7), RING, num_real=100, metrics=["wasserstein_distance"])
    assert asked["metrics"]["wasserstein_distance"]["num_real"] == 100


def test_only_the_network_of_2015_gives_fid_kid_and_is(digits):
    def features(images):
        return images.reshape(len(images), -1)[:, :4], np.full([len(images), 2], 0.5)

    class Canonical(evaluation.FunctionExtractor):
        is_inception_2015 = True

    wanted = ["frechet_distance", "kernel_distance", "inception_score", "precision_recall"]
    named = [
        set(evaluate(tiny.digits(300), digits, one(features), metrics=wanted)["metrics"])
        for one in (Canonical, evaluation.FunctionExtractor)
    ]
    assert {"FID", "KID", "IS", "precision[features]"} < named[0]
    expected = {"frechet_distance", "kernel_distance", "inception_score", "precision"}
    assert {f"{name}[features]" for name in expected} < named[1]
    assert named[0] & {"frechet_distance[features]"} == set()


def test_intervals_cover_the_truth():
    """Half of N(0, 1) against N(1, 1) in 5 dimensions: 40 records, 95 % intervals of a shift of 5.

    Of 40, 33 or fewer hold it with probability .3 % if 95 % do; a bias of 5 * 2 / 400 is allowed.
    """
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(40):
        source = tfgans.data.from_array(rng.normal(size=(400, 5)))
        record = evaluate(rng.normal(size=(400, 5)) + 1, source, metrics=["frechet_distance"])
        low, high = record["metrics"]["frechet_distance[identity]"]["interval"]
        held += low <= 5 <= high
    assert held > 33


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evaluate(np.zeros([300, 3]), RING), "shape of the real ones"),
        (lambda: evaluate(np.full([300, 2], np.nan), RING), "finite"),
        (lambda: evaluate(np.zeros([1, 2]), RING), "at least two"),
        (lambda: evaluate("samples", RING), "at least two|sample"),
        (lambda: evaluate(np.zeros([300, 2]), "ring"), "Source"),
        (lambda: evaluate(np.zeros([300, 2]), RING, metrics=["fid"]), "'frechet_distance'"),
        (lambda: evaluate(np.zeros([300, 2]), RING, metrics=["ms_ssim"]), "needs images"),
        (lambda: evaluate(np.zeros([300, 2]), RING, num_samples=1), "num_samples"),
        (lambda: evaluate(np.zeros([300, 2]), RING, num_real=1), "num_real"),
        (lambda: evaluate(np.zeros([300, 2]), RING, seed="a"), "seed"),
        (lambda: evaluate(np.zeros([5, 2]), RING), "at least"),
        (lambda: Evaluator(RING, "inception"), "function of examples"),
    ],
)
def test_nothing_is_written_of_bad_input(call, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        call()
    assert not list(tmp_path.iterdir())


def test_images_out_of_range_are_refused(digits, tmp_path):
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        evaluate(tiny.digits(300) * 255, digits, path=tmp_path / "a.json")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def record(digits):
    return evaluate(tiny.digits(300) * 0.9, digits, metrics=["frechet_distance"], split="train")


def changed(record, *path, value):
    other = copy.deepcopy(record)
    part = other
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return other


NAME = "frechet_distance[identity]"


def test_comparable_records(record, digits):
    other = evaluate(tiny.digits(300) * 0.5, digits, metrics=["frechet_distance"], split="train")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        difference = compare(record, other)[NAME]
    values = [one["metrics"][NAME]["value"] for one in (record, other)]
    errors = [one["metrics"][NAME]["standard_error"] for one in (record, other)]
    assert difference == (*values, pytest.approx(np.hypot(*errors)))
    assert difference.is_clear
    assert compare(record, record)[NAME].is_clear is False
    unknown = changed(record, "metrics", NAME, "standard_error", value=None)
    assert compare(record, unknown)[NAME].is_clear is None


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("extractor", "name"), "other", "extractor name is identity in one and other"),
        (("extractor", "checksum"), "0", "extractor checksum"),
        (("extractor", "resizing"), "nearest", "resizing"),
        (("real", "source"), "mnist", "real source"),
        (("real", "split"), "test", "real split is train in one and test"),
        (("real", "num_examples"), 7, "num_examples"),
        (("metrics", NAME, "num_fake"), 7, r"\(300, 300\) and of \(300, 7\)"),
        (("metrics",), {}, "no metric in common"),
        (("format",), 2, "format"),
    ],
)
def test_records_that_do_not_compare(record, path, value, message):
    with pytest.raises(ValueError, match=message):
        compare(record, changed(record, *path, value=value))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("versions", "numpy"), "1.0", "numpy"),
        (("fake", "ema"), 0.9, "averaged"),
    ],
)
def test_records_that_may_not_compare(record, path, value, message):
    with pytest.warns(UserWarning, match=message):
        compare(record, changed(record, *path, value=value))


def test_an_extractor_without_checksum_is_doubted(digits):
    how = {"metrics": ["frechet_distance"], "split": "train"}
    one = evaluate(tiny.digits(300), digits, lambda images: images[:, :, 0, 0], **how)
    with pytest.warns(UserWarning, match="no checksum"):
        compare(one, one)


def test_files_that_are_no_records(tmp_path):
    for text in ("{", "[]", json.dumps({"format": 1})):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(ValueError, match="no record"):
            evaluation.read(tmp_path / "a.json")


def test_refined_samples_rest_on_the_discriminator_too(digits):
    tuned = tfgans.DCD.from_gan(tiny.gan())
    tuned.compile()
    how = {"num_samples": 300, "metrics": ["frechet_distance"]}
    before = evaluate(tuned, digits, **how)["fake"]
    assert "Langevin" in before["refinement"]
    tuned.discriminator.set_weights([2 * one for one in tuned.discriminator.get_weights()])
    assert evaluate(tuned, digits, **how)["fake"]["checksum"] != before["checksum"]


def test_which_is_better():
    better = {"FID": False, "IS": True, "precision[x]": True, "kernel_distance[x]": False}
    assert {name: evaluation.higher_is_better(name) for name in better} == better


def test_examples_that_come_class_by_class_are_mixed():
    """The first 320 of sorted files would all be of one kind."""
    kinds = np.concatenate([np.full([400, 8, 8, 1], -0.5), np.full([400, 8, 8, 1], 0.5)])
    source = tfgans.data.from_array(kinds)
    record = evaluate(kinds, source, metrics=["ms_ssim"])
    same = metrics.ms_ssim(kinds[:64])
    for one in record["metrics"].values():
        assert one["value"] < 0.9 * same


def test_names_that_would_break_a_table():
    for name in ("", "a,b", "a[b]"):
        with pytest.raises(ValueError, match="name"):
            evaluation.FunctionExtractor(lambda x: x, name=name)


def test_bias_of_few_examples_is_told():
    """Equal distributions in 30 dimensions: the distance is 0, its estimate about 30 * 31 / 400."""
    rng = np.random.default_rng(0)
    source = tfgans.data.from_array(rng.normal(size=(400, 30)))
    record = evaluate(rng.normal(size=(400, 30)), source, metrics=["frechet_distance"])
    found = record["metrics"]["frechet_distance[identity]"]
    assert found["value"] > 1
    assert found["value"] - found["bias"] == pytest.approx(0, abs=4 * found["standard_error"])


def test_bytes_are_mapped_on_both_sides():
    pixels = np.random.default_rng(0).integers(0, 256, size=(400, 6), dtype=np.uint8)
    record = evaluate(pixels, tfgans.data.from_array(pixels), metrics=["frechet_distance"])
    # The same set, in floating point: the features are of size 1.
    assert record["metrics"]["frechet_distance[identity]"]["value"] < 1e-9


def test_other_data_of_the_same_name_does_not_compare():
    rng = np.random.default_rng(0)
    how = {"metrics": ["frechet_distance"], "split": "train"}
    arrays = [tfgans.data.from_array(rng.normal(size=(300, 2)) + shift) for shift in (0, 9)]
    rings = [tfgans.data.Ring(), tfgans.data.Ring(num_modes=25, std=0.5)]
    for one, other in (arrays, rings):
        records = [
            evaluate(RING.sample(300, 1), data, num_real=300, **how) for data in (one, other)
        ]
        with pytest.raises(ValueError, match="real checksum"):
            compare(*records)
    # Another seed of the draws is no other distribution.
    seeds = [tfgans.data.Ring(seed=seed) for seed in (0, 1)]
    records = [evaluate(RING.sample(300, 1), data, num_real=300, **how) for data in seeds]
    assert compare(*records)


def test_an_unknown_split_is_doubted(digits):
    one = evaluate(tiny.digits(300), digits, metrics=["frechet_distance"])
    with pytest.warns(UserWarning, match="which split"):
        compare(one, one)


def test_copies_are_looked_for_among_all_real_examples(monkeypatch):
    table = importlib.import_module("tfgans.evaluation.table")
    monkeypatch.setattr(table, "NUM_KEPT", 100)
    rng = np.random.default_rng(0)
    real = rng.normal(size=(3000, 5))
    record = evaluate(real[2000:], tfgans.data.from_array(real), metrics=["near_copies"])
    found = record["metrics"]["near_copies"]
    assert found["value"] == 1
    assert (found["num_real"], found["num_fake"]) == (3000, 1000)
    fresh = evaluate(
        rng.normal(size=(1000, 5)), tfgans.data.from_array(real), metrics=["near_copies"]
    )
    # Binomial: 1 % of 1000 draws, and 4 standard errors with that of the threshold.
    assert fresh["metrics"]["near_copies"]["value"] < 0.03


def test_only_what_is_needed_is_kept():
    evaluator = Evaluator(RING, num_samples=3000, metrics=["frechet_distance"])
    evaluator.evaluate(RING.sample(3000, 3))
    real, _ = evaluator._views
    assert (len(real.features), len(real.examples)) == (0, 1000)
    evaluator = Evaluator(RING, num_samples=3000, metrics=["precision_recall"])
    evaluator.evaluate(RING.sample(3000, 3))
    real, _ = evaluator._views
    assert (len(real.features), real.statistics) == (3000, [])
    wide = tfgans.data.from_array(np.zeros([3, 5000], np.float32))
    assert "frechet_distance" not in Evaluator(wide).metrics


def test_few_examples_have_no_errors():
    for num in (2, 6, 19):
        record = evaluate(RING.sample(num, 1), RING, num_real=num, metrics=["frechet_distance"])
        found = record["metrics"]["frechet_distance[identity]"]
        assert found["standard_error"] is found["interval"] is found["bias"] is None
    six = evaluate(RING.sample(6, 1), RING, num_real=6, metrics=["precision_recall"])
    assert six["metrics"]["precision[identity]"]["standard_error"] > 0.1
    far = evaluate(RING.sample(40, 1) + 9, RING, num_real=100, metrics=["precision_recall"])
    # None of 40: up to three could be by chance.
    assert far["metrics"]["precision[identity]"]["interval"][1] > 0.05


def test_samples_that_are_not_what_was_asked_for(digits):
    class Short:
        def sample(self, n, seed):
            return RING.sample(max(2, n // 2), seed)

    with pytest.raises(ValueError, match="Expected 256 generated examples"):
        evaluate(Short(), RING, num_samples=300)
    with pytest.warns(UserWarning, match=r"\[0, 1\]"):
        evaluate((tiny.digits(300) + 1) / 2, digits, metrics=["near_copies"])


def test_the_checksum_of_an_array_does_not_depend_on_the_seed(digits):
    how = {"metrics": ["near_copies"], "notes": {"path": "somewhere"}}
    one, other = (evaluate(tiny.digits(300), digits, seed=seed, **how)["fake"] for seed in (0, 1))
    assert one == other
    assert one["path"] == "somewhere"


def test_neighbours_to_look_at(digits):
    evaluator = Evaluator(digits, metrics=["near_copies"])
    with pytest.raises(ValueError, match="before"):
        evaluator.neighbours()
    evaluator.evaluate(tiny.digits(300))
    samples, closest = evaluator.neighbours(5)
    np.testing.assert_array_equal(samples, closest)


def test_images_that_are_not_in_memory_give_the_same_record(tmp_path):
    for index, image in enumerate(tiny.digits(40)):
        (tmp_path / "images").mkdir(exist_ok=True)
        pixels = np.rint((image + 1) * 127.5).astype(np.uint8)
        tfgans.pictures.write_png(tmp_path / "images" / f"{index}.png", pixels)
    records = []
    for cache in ("memory", "disk", "none"):
        source = tfgans.data.load(
            f"folder:{tmp_path / 'images'}", image_size=8, cache=cache, cache_dir=tmp_path / "cache"
        )
        record = tfgans.evaluation.evaluate(tiny.digits(60)[20:], source, num_real=30)
        records.append({part: record[part] for part in ("metrics", "real")})
    assert records[0] == records[1] == records[2]
    whole = tfgans.data.load(f"folder:{tmp_path / 'images'}", cache="memory")
    assert records[0]["real"]["checksum"] == tfgans.evaluation.extractors.checksum([whole.array])
