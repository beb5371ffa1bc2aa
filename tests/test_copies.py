"""Everything public that holds settings can be copied and pickled, also after it was used."""

import copy
import pickle
import re
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from PIL import Image

import tfgans
from tfgans import callbacks, evaluation, objectives, penalties

WAYS = {"copy": copy.deepcopy, "pickle": lambda value: pickle.loads(pickle.dumps(value))}


@pytest.fixture(params=WAYS)
def copied(request):
    return WAYS[request.param]


def source():
    return tfgans.data.from_array(tiny.digits(64), labels=tiny.digit_labels(64))


def brightness(images):
    return images.mean(axis=(1, 2))


def keras_extractor():
    inputs = keras.Input((8, 8, 1))
    features = keras.layers.Dense(3, name="features")(keras.layers.Flatten()(inputs))
    return evaluation.keras_model(keras.Model(inputs, features), "features")


def evaluator(extractor=None):
    return evaluation.Evaluator(source(), extractor, metrics=["frechet_distance"], num_samples=40)


CALLBACKS = {
    "Backup": lambda folder: callbacks.Backup(folder / "backups", every_steps=1),
    "Doctor": lambda folder: callbacks.Doctor(
        source(), path=folder / "doctor.csv", every_steps=1, num=8, log_dir=folder / "events"
    ),
    "Evaluation": lambda folder: callbacks.Evaluation(
        evaluator(keras_extractor()), path=folder / "table.csv"
    ),
    "GracefulStop": lambda folder: callbacks.GracefulStop(),
    "MixtureMonitor": lambda folder: callbacks.MixtureMonitor(
        folder / "mixture.csv", every_steps=1, log_dir=folder / "events"
    ),
    "Progress": lambda folder: callbacks.Progress(100),
    "SampleGrid": lambda folder: callbacks.SampleGrid(
        folder / "samples", num=4, every_steps=1, log_dir=folder / "events"
    ),
    "StopOnNaN": lambda folder: callbacks.StopOnNaN(),
}


def test_every_callback_is_here():
    assert CALLBACKS.keys() == set(callbacks.__all__)


def fit(callback, *, mixture):
    """Trains for two steps."""
    generator = tiny.mixtures(2, 2)[0] if mixture else tiny.generator()
    gan = tfgans.NonSaturatingGAN(generator, tiny.discriminator())
    gan.compile()
    gan.fit(tiny.digits(64), batch_size=8, steps_per_epoch=2, verbose=0, callbacks=[callback])
    if isinstance(callback, callbacks.Progress):
        callback.close()
    return gan


def take_files(folder):
    """Removes what a callback wrote, and returns the names; what makes them unique is cut off."""
    names = set()
    for path in folder.rglob("*"):
        if path.is_file():
            names.add(re.sub(r"-[0-9a-f]{16}\.|\.tfevents\..*", ".", path.name))
            path.unlink()
    return names


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_copied_callback_does_the_same(name, copied, tmp_path):
    original = CALLBACKS[name](tmp_path)
    mixture = name == "MixtureMonitor"
    gan = fit(original, mixture=mixture)
    written = take_files(tmp_path)
    assert written or name in ("GracefulStop", "Progress", "StopOnNaN")
    # After a training, when it holds the most.
    again = copied(original)
    assert original.model is gan
    assert again is original or again.model is None
    assert repr(again) == repr(original)
    assert fit(again, mixture=mixture).step == 2
    assert take_files(tmp_path) == written


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_new_callback_is_copied(name, copied, tmp_path):
    original = CALLBACKS[name](tmp_path)
    assert repr(copied(original)) == repr(original)


def test_a_copy_hears_the_signal():
    with callbacks.GracefulStop() as stop:
        again = copy.deepcopy([stop])[0]
        signal.raise_signal(signal.SIGINT)
    assert fit(again, mixture=False).step == 1


EXTRACTORS = {
    "Identity": evaluation.Identity,
    "FunctionExtractor": lambda: evaluation.FunctionExtractor(brightness),
    "DigitsClassifier": evaluation.DigitsClassifier,
    "keras_model": keras_extractor,
}


@pytest.mark.parametrize("name", EXTRACTORS)
def test_a_copied_extractor_gives_the_same_features(name, copied):
    extractor = EXTRACTORS[name]()
    expected = extractor(tiny.digits(5))
    again = copied(extractor)
    np.testing.assert_array_equal(again(tiny.digits(5)).features, expected.features)
    assert (again.name, again.checksum) == (extractor.name, extractor.checksum)


def test_a_copied_keras_extractor_has_its_own_network():
    extractor = keras_extractor()
    expected = extractor(tiny.digits(5)).features
    again = copy.deepcopy(extractor)
    extractor._model.set_weights([0 * weight for weight in extractor._model.get_weights()])
    np.testing.assert_array_equal(again(tiny.digits(5)).features, expected)


def test_a_copied_evaluator_gives_the_same_record(copied):
    original = evaluator(keras_extractor())
    gan = tiny.gan()
    expected = original.evaluate(gan)
    again = copied(original)
    with pytest.raises(ValueError, match="evaluate"):
        again.neighbours()
    assert again.evaluate(gan) == expected


def test_a_drawn_source_in_a_copied_evaluator(copied):
    original = evaluation.Evaluator(
        tfgans.data.Ring(), metrics=["frechet_distance"], num_samples=40
    )
    samples = np.random.default_rng(0).normal(size=(40, 2))
    assert copied(original).evaluate(samples) == original.evaluate(samples)


SOURCES = {
    "array": source,
    "ring": tfgans.data.Ring,
    "stacked": lambda: tfgans.data.StackedImages(source()),
    "swiss_roll": tfgans.data.SwissRoll,
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_copied_source_gives_the_same_batches(name, copied):
    original = SOURCES[name]()
    batches = [next(iter(one.batches(4))) for one in (original, copied(original))]
    np.testing.assert_array_equal(*batches)


def test_a_copied_folder_keeps_its_cache_open(copied, tmp_path):
    for index in range(3):
        Image.fromarray(np.full([8, 8], index, np.uint8)).save(tmp_path / f"{index}.png")
    original = tfgans.data.load(
        f"folder:{tmp_path}", image_size=8, cache="disk", cache_dir=tmp_path / "cache"
    )
    expected = original.raw(np.arange(3))
    again = copied(original)
    del original
    for path in tmp_path.glob("*.png"):
        path.write_bytes(b"no image any more")
    np.testing.assert_array_equal(again.raw(np.arange(3)), expected)


VALUES = [
    *(
        getattr(objectives, name)()
        for name in objectives.__all__
        if name not in ("Objective", "FDivergence", "donsker_varadhan")
    ),
    objectives.FDivergence("kl"),
    penalties.GradientPenalty(weight=3.0),
    penalties.DRAGANPenalty(),
    penalties.R1Penalty(),
    penalties.R2Penalty(),
    penalties.PenaltySum([penalties.R1Penalty(), penalties.R2Penalty()]),
    tfgans.refinement.Langevin(steps=3),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_settings_are_equal_to_their_copies(value, copied):
    assert copied(value) == value
    assert repr(copied(value)) == repr(value)


def test_a_copied_refinement_takes_the_same_steps(copied):
    settings = tfgans.refinement.Langevin(steps=3, step_size=0.1)
    start, key = tf.ones([2, 3]), tf.constant([1, 2], tf.int64)
    ends = [
        one.run(start, lambda x: -tf.reduce_sum(x**2, axis=1), key=key)
        for one in (settings, copied(settings))
    ]
    np.testing.assert_array_equal(*ends)
