"""What `fit`, `evaluate` and `validation_data` take, and in what order it is trained on."""

import h5py
import keras
import numpy as np
import pandas
import pytest
import tensorflow as tf
import tiny
import toy

import tfgans
from tfgans import data
from tfgans.data import adapters, array_inputs, batches

POINTS = np.random.default_rng(0).normal(size=(48, 2)).astype("float32")
DIGITS = tiny.digits()
LABELS = tiny.digit_labels()
PIXELS = np.round((DIGITS + 1) * 127.5).astype(np.uint8)


class Batched(keras.utils.PyDataset):
    """Arrays in batches; counts the calls of the hooks."""

    def __init__(self, *arrays, size=8, **options):
        super().__init__(**options)
        self.arrays, self.size, self.begun, self.ended = arrays, size, 0, 0

    def __len__(self):
        return -(-len(self.arrays[0]) // self.size)

    def __getitem__(self, index):
        rows = slice(index * self.size, (index + 1) * self.size)
        return tuple(array[rows] for array in self.arrays)

    def on_epoch_begin(self):
        self.begun += 1

    def on_epoch_end(self):
        self.ended += 1


def generator(*arrays, size=8):
    for first in range(0, len(arrays[0]), size):
        yield tuple(array[first : first + size] for array in arrays)


def dataset(array, size=8):
    return tf.data.Dataset.from_tensor_slices(array).batch(size)


def of_unknown_length(array, size=8):
    return dataset(array, size).filter(lambda *_: True)


def of_unknown_rank(array, size=8):
    def load(index):
        return tf.numpy_function(lambda i: array[i * size : (i + 1) * size], [index], tf.float32)

    return tf.data.Dataset.range(len(array) // size).map(load)


def in_file(array):
    """An h5py dataset in memory."""
    return h5py.File("rows.h5", "w", driver="core", backing_store=False).create_dataset(
        "x", data=array
    )


# Of arrays, and of things that come in batches.
ARRAYS = {
    "array": lambda x: x,
    "tensor": tf.constant,
    "nested list": lambda x: x.tolist(),
    "list of arrays": list,
    "array in a list": lambda x: [x],
    "data frame": pandas.DataFrame,
    "h5py": in_file,
}
BATCHED = {
    "dataset": dataset,
    "dataset of 1-tuples": lambda x: tf.data.Dataset.from_tensor_slices((x,)).batch(8),
    "unknown length": of_unknown_length,
    "unknown rank": of_unknown_rank,
    "generator": generator,
    "generator of arrays": lambda x: (x[i : i + 8] for i in range(0, len(x), 8)),
    "PyDataset": Batched,
    "PyDataset by threads": lambda x: Batched(x, workers=3, max_queue_size=2),
}


def steps_of(x, num=None, *, shape=(2,), size=8, **options):
    """The elements that a train step takes, as one array."""
    batch_size = size if array_inputs.is_array_like(x) or isinstance(x, data.Source) else None
    made, _ = adapters.training_data(
        x, batch_size=batch_size, data_shape=shape, shuffle=False, **options
    )
    return np.stack(list(made.take(num or len(POINTS) // size).as_numpy_iterator()))


def evaluated(x, *, shape=(2,), **options):
    made = adapters.evaluation_data(x, data_shape=shape, **options)
    return np.concatenate(list(made.as_numpy_iterator()))


@pytest.mark.parametrize("make", (ARRAYS | BATCHED).values(), ids=(ARRAYS | BATCHED).keys())
def test_containers(make):
    steps = steps_of(make(POINTS))
    assert steps.dtype == np.float32
    np.testing.assert_array_equal(steps.reshape(POINTS.shape), POINTS)
    np.testing.assert_array_equal(evaluated(make(POINTS)), POINTS)


def test_forms_of_arrays():
    for values in (POINTS[:, 0], pandas.Series(POINTS[:, 0]), POINTS[:, 0].tolist()):
        np.testing.assert_array_equal(evaluated(values, shape=(1,)), POINTS[:, :1])
    np.testing.assert_array_equal(evaluated([[0, 1], [2, 3]]), [[0.0, 1.0], [2.0, 3.0]])
    # A pair of examples and labels is no list of examples.
    held_out = adapters.evaluation_data((DIGITS, LABELS), data_shape=(8, 8, 1), num_classes=10)
    assert len(next(iter(held_out))) == 2
    np.testing.assert_array_equal(evaluated([POINTS[0], POINTS[1]]), POINTS[:2])
    np.testing.assert_array_equal(evaluated([POINTS[0].tolist()] * 3), POINTS[[0, 0, 0]])


@pytest.mark.parametrize("make", [lambda x: x, dataset, generator, Batched])
class TestScale:
    def test_uint8_is_scaled(self, make):
        expected = PIXELS.astype("float32") / np.float32(127.5) - 1
        np.testing.assert_allclose(evaluated(make(PIXELS), shape=(8, 8, 1)), expected, atol=1e-6)
        steps = steps_of(make(PIXELS), num=32, shape=(8, 8, 1))
        np.testing.assert_allclose(steps.reshape(expected.shape), expected, atol=1e-6)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ((PIXELS > 99).astype(np.uint8), r"maximum of 1.*2 \* tf.cast"),
            (PIXELS > 99, r"bool.*2 \* tf.cast"),
            (PIXELS.astype(np.int32), "int32.*127.5 - 1"),
            (PIXELS.astype("float32"), r"in \[-1, 1\]"),
            (np.where(DIGITS > 0.9, np.nan, DIGITS), "NaN"),
        ],
    )
    def test_values_without_a_scale_are_refused(self, make, values, message):
        with pytest.raises(ValueError, match=message):
            evaluated(make(values), shape=(8, 8, 1))


def test_images_from_0_to_1_are_noticed():
    with pytest.warns(UserWarning, match=r"first batch lies in \[0, 1\]"):
        evaluated(dataset((DIGITS + 1) / 2), shape=(8, 8, 1))


LABELED = {
    "series": lambda x, y: (x, pandas.Series(y)),
    "columns in a dataset": lambda x, y: (dataset((x, y[:, np.newaxis]), 16), None),
    "generator": lambda x, y: (generator(x, y, size=16), None),
    "PyDataset": lambda x, y: (Batched(x, y, size=16), None),
    "source": lambda x, y: (data.from_array(x, labels=y), None),
}


class TestLabels:
    @pytest.mark.parametrize("make", LABELED.values(), ids=LABELED.keys())
    def test_stay_with_their_examples(self, make):
        x, y = make(DIGITS, LABELS)
        held_out = adapters.evaluation_data(x, y, data_shape=(8, 8, 1), num_classes=10)
        examples, labels = map(np.concatenate, zip(*held_out.as_numpy_iterator(), strict=True))
        np.testing.assert_array_equal(examples, DIGITS)
        np.testing.assert_array_equal(labels, LABELS)
        x, y = make(DIGITS, LABELS)
        size = None if y is None and not isinstance(x, data.Source) else 16
        options = {"discriminator_steps": 2, "data_shape": (8, 8, 1), "num_classes": 10}
        made, _ = adapters.training_data(x, y, batch_size=size, **options)
        examples, labels = next(made.as_numpy_iterator())
        assert labels.dtype == np.int32
        for example, label in zip(examples.reshape(-1, 64), labels.ravel(), strict=True):
            row = np.flatnonzero((DIGITS.reshape(-1, 64) == example).all(axis=1))
            assert label in LABELS[row]

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: (DIGITS, None), "needs a label"),
            (lambda: (generator(DIGITS), None), "needs a label"),
            (lambda: (DIGITS, LABELS + 1), "from 0 to 9"),
            (lambda: (dataset((DIGITS, LABELS + 9)), None), "from 0 to 9"),
            (lambda: (DIGITS, LABELS / 2), r"integers.*shape \(256,\)$"),
            (lambda: (DIGITS, LABELS.astype(str)), r"pd.factorize\(y\)\[0\]` or `np.unique\(y, re"),
            (lambda: (DIGITS, pandas.Series(LABELS).astype(str)), "pd.factorize"),
            (lambda: (DIGITS, LABELS > 4), r"Received: bool .*`y.astype\('int32'\)`"),
            (lambda: (DIGITS, LABELS * 1.0), r"Received: float64 .*`y.astype\('int32'\)`"),
            (lambda: (DIGITS, np.eye(10)[LABELS]), r"`y.argmax\(axis=1\)`"),
            (lambda: (DIGITS, np.ma.masked_equal(LABELS, 3)), "`y` must not be masked"),
            (lambda: (generator(DIGITS, np.eye(10)[LABELS]), None), r"`y.argmax\(axis=1\)`"),
            (lambda: (Batched(DIGITS, np.ma.masked_equal(LABELS, 3)), None), "not be masked"),
            (lambda: (dataset((DIGITS, np.eye(10)[LABELS])), None), "`tf.argmax"),
            (lambda: (DIGITS, LABELS[:9]), r"shape \(256,\)"),
            (lambda: (dataset((DIGITS, LABELS / 2)), None), "integer"),
            (lambda: (dataset((DIGITS, LABELS, LABELS)), None), "sample_weight"),
            (lambda: (data.from_array(DIGITS), None), "label"),
        ],
    )
    def test_are_checked(self, make, message):
        with pytest.raises(ValueError, match=message):
            adapters.training_data(*make(), data_shape=(8, 8, 1), num_classes=10)

    def test_bad_label_after_the_first_batch_ends_training(self):
        labels = LABELS.copy()
        labels[200] = 10
        made, _ = adapters.training_data(
            dataset((DIGITS, labels), 64), data_shape=(8, 8, 1), num_classes=10
        )
        with pytest.raises(tf.errors.InvalidArgumentError, match="from 0 to 9"):
            list(made.take(4))


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda: DIGITS[:, :7], {}, r"input shape \(None, 8, 8, 1\). Received: \(None, 7, 8, 1\)"),
        (lambda: dataset(DIGITS[:, :7]), {}, "input shape"),
        (lambda: generator(DIGITS[:, :7]), {}, "input shape"),
        (lambda: data.load("ring"), {"steps_per_epoch": 1}, "input shape"),
        (lambda: of_unknown_rank(DIGITS[:, :7]), {}, "input shape"),
        (lambda: dataset(DIGITS).unbatch(), {}, r"`dataset.batch\(batch_size\)`"),
        (lambda: dataset({"image": DIGITS}), {}, "dictionary.*image"),
        (lambda: dataset(DIGITS).take(0), {}, "empty"),
        (lambda: iter(()), {}, "at least one batch"),
        (lambda: DIGITS[:0], {}, "at least one example"),
        (lambda: [DIGITS, DIGITS], {}, "must be one array"),
        (lambda: [DIGITS[0], DIGITS[0, :7]], {}, "equal shape"),
        (lambda: np.full((8, 8, 8, 1), "a"), {}, "must be numbers"),
        (lambda: np.ma.masked_greater(DIGITS, 0.9), {}, "must not be masked.*`x.filled"),
        (lambda: [*np.ma.masked_greater(DIGITS, -2)], {}, "must not be masked.*`x.filled"),
        (lambda: generator(np.ma.masked_greater(DIGITS, -2)), {}, "must not be masked"),
        (lambda: {"a": DIGITS}, {}, "Received: dict"),
        (lambda: tf.RaggedTensor.from_tensor(DIGITS[:, 0, :, 0]), {}, "Received: RaggedTensor"),
        (lambda: dataset(DIGITS), {"batch_size": 8}, "`batch_size` is for arrays"),
        (lambda: DIGITS, {"batch_size": 257}, "257"),
        (lambda: dataset(DIGITS).repeat(), {}, "`steps_per_epoch`"),
        (lambda: generator(DIGITS), {"epochs": 2}, "generator cannot be repeated"),
        (lambda: DIGITS, {"steps_per_epoch": 0}, "`steps_per_epoch` must be"),
        (lambda: DIGITS, {"steps_per_epoch": 6, "steps_per_execution": 4}, "multiple of"),
        (lambda: DIGITS, {"shuffle": "batch"}, "`shuffle` must be"),
        (lambda: of_unknown_length(DIGITS, 64), {"discriminator_steps": 5}, "takes 5 batches"),
    ],
)
def test_bad_data_is_refused_without_printing_it(make, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        adapters.training_data(make(), data_shape=(8, 8, 1), **options)
    assert len(str(caught.value)) < 500


TABLE = pandas.DataFrame(POINTS[:3], columns=["size", "age"])
TEXT, FLAG = TABLE.assign(age=["a", "b", "c"]), TABLE.assign(age=[True, False, True])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            TEXT,
            r"of type object in the columns 'age' \((object|str)\)\. Drop or encode .*`df.astype",
        ),
        (FLAG, r"of type object in the columns 'age' \(bool\)\. .*`df.astype\('float32'\)`"),
        (TABLE.assign(age=pandas.array([1, None, 2])), r"in the columns 'age' \(Int64\)"),
        (TABLE.replace(TABLE["size"][1], np.nan), r"in the columns 'size' \(1\)\. .*`df.dropna"),
        (TABLE.to_records(index=False), "Examples must be numbers. Received: recarray"),
        (TABLE.age.astype(str), r"Series of type (object|str).*`x.astype\('float32'\)`"),
    ],
)
def test_bad_tables(table, message):
    shape = (table.ndim,)
    for make in (lambda: table, lambda: iter([table])):
        with pytest.raises(ValueError, match=message):
            adapters.evaluation_data(make(), data_shape=shape)


def test_endless_data_is_evaluated_for_some_steps_only():
    for source in (dataset(POINTS).repeat(), data.load("ring")):
        with pytest.raises(ValueError, match="`validation_steps`"):
            adapters.evaluation_data(source, data_shape=(2,))
        assert len(list(adapters.evaluation_data(source, data_shape=(2,), steps=3).take(3))) == 3


class TestOrder:
    def test_array_follows_its_seed_and_step(self):
        expected = data.from_array(POINTS, seed=3).batches(8, start_step=6)
        options = {"discriminator_steps": 2, "data_shape": (2,), "seed": 3}
        made, steps = adapters.training_data(POINTS, batch_size=8, start_step=lambda: 3, **options)
        assert steps == 3
        element = next(made.as_numpy_iterator())
        assert element.shape == (8, 2, 2)
        for update, batch in enumerate(expected.take(2).as_numpy_iterator()):
            np.testing.assert_array_equal(element[:, update], batch)

    @pytest.mark.parametrize("start", [0, 1000])
    def test_without_shuffling_rows_come_in_order(self, start):
        steps = steps_of(POINTS[:10], num=4, size=4, start_step=lambda: start)
        rows = np.arange(start * 4, start * 4 + 16) % 10
        np.testing.assert_array_equal(steps.reshape(16, 2), POINTS[rows])

    @pytest.mark.parametrize(
        "make", [lambda: POINTS, lambda: Batched(POINTS), lambda: dataset(POINTS)]
    )
    def test_restored_step_is_read_with_the_first_batch(self, make):
        step = 0
        options = {"discriminator_steps": 2, "data_shape": (2,), "start_step": lambda: step}

        def steps(num, start):
            nonlocal step
            step = 0
            size = 8 if isinstance(x := make(), np.ndarray) else None
            made, _ = adapters.training_data(x, batch_size=size, **options)
            step = start
            return np.stack(list(made.take(num).as_numpy_iterator()))

        np.testing.assert_array_equal(steps(7, 0)[4:], steps(3, 4))

    def test_py_dataset_is_shuffled_by_pass_and_told_of_passes(self):
        numbers = np.arange(6, dtype="float32")[:, np.newaxis]
        source = Batched(numbers, size=1)
        made, steps = adapters.training_data(source, data_shape=(1,), seed=1)
        assert steps == 6
        passes = np.stack(list(made.take(18).as_numpy_iterator())).reshape(3, 6)
        for order in passes:
            np.testing.assert_array_equal(np.sort(order), np.arange(6))
        assert not np.array_equal(passes[0], passes[1])
        assert source.begun >= 3
        assert source.ended >= 2

    def test_leftover_of_a_pass_comes_first_in_the_next(self):
        steps = steps_of(dataset(POINTS[:20], 4), num=5, discriminator_steps=2)
        rows = np.moveaxis(steps, 2, 1).reshape(40, 2)
        np.testing.assert_array_equal(rows, np.concatenate([POINTS[:20]] * 2))

    def test_batches_are_cut_to_one_size_where_they_must_be(self):
        options = {"needs_equal_batches": True, "steps_per_epoch": 5}
        steps = steps_of(dataset(POINTS[:10], 4), num=5, **options)
        np.testing.assert_array_equal(steps.reshape(20, 2), np.concatenate([POINTS[:10]] * 2))

    def test_worker_loads_its_rows_only(self, monkeypatch):
        class Cluster(tf.distribute.MultiWorkerMirroredStrategy):
            """Two workers, of which only the input function is asked."""

            def __init__(self):
                pass

            cluster_resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
                tf.train.ClusterSpec({"worker": ["a:1", "b:1"]})
            )

            def distribute_datasets_from_function(self, make):
                contexts = [tf.distribute.InputContext(2, index, 2) for index in range(2)]
                return [next(make(context).as_numpy_iterator()) for context in contexts]

        options = {"batch_size": 8, "discriminator_steps": 2, "data_shape": (2,)}
        parts, _ = adapters.training_data(POINTS, strategy=Cluster(), **options)
        whole = next(adapters.training_data(POINTS, **options)[0].as_numpy_iterator())
        assert [len(part) for part in parts] == [4, 4]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


class TestGenerator:
    def test_first_batches_survive_being_looked_at(self):
        made, steps = adapters.training_data(
            generator(POINTS), data_shape=(2,), discriminator_steps=2
        )
        assert steps is None
        for _ in range(2):  # An iterator from which nothing is trained.
            next(iter(made))
        rows = np.moveaxis(np.stack(list(made.as_numpy_iterator())), 2, 1)
        np.testing.assert_array_equal(rows.reshape(POINTS.shape), POINTS)

    def test_is_not_rewound_once_training_goes_on(self):
        step = 0
        made, _ = adapters.training_data(
            generator(POINTS), data_shape=(2,), start_step=lambda: step, steps_per_epoch=2
        )
        iterator = iter(made)
        seen = [next(iterator)]
        step = 1
        seen += list(iterator)
        np.testing.assert_array_equal(np.concatenate(seen).reshape(POINTS.shape), POINTS)
        assert not list(made)

    def test_an_error_is_not_the_end(self):
        def failing():
            yield POINTS[:8]
            raise KeyError("no file")

        made, _ = adapters.training_data(failing(), data_shape=(2,), steps_per_epoch=2)
        for _ in range(2):  # The first iterator looks ahead only.
            with pytest.raises(tf.errors.UnknownError, match="no file"):
                list(made)

    def test_evaluations_are_of_the_same_batches(self):
        made = adapters.evaluation_data(endless_points(), data_shape=(2,), steps=3)
        first, second = (np.stack(list(made.as_numpy_iterator())) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        assert len(first) == 3


def endless_points():
    random = np.random.default_rng(0)
    while True:
        yield random.normal(size=(8, 2))


class TestValidationSplit:
    def test_takes_the_last_rows(self):
        train, held_out = array_inputs.split_validation(DIGITS, LABELS, 0.2, data_shape=(8, 8, 1))
        # Keras: floor(256 * 0.8) = 204.
        np.testing.assert_array_equal(train[0], DIGITS[:204])
        np.testing.assert_array_equal(train[1], LABELS[:204])
        np.testing.assert_array_equal(held_out[0], DIGITS[204:])
        np.testing.assert_array_equal(held_out[1], LABELS[204:])

    @pytest.mark.parametrize(
        ("x", "fraction", "message"),
        [
            (lambda: dataset(DIGITS), 0.2, "for arrays only"),
            (lambda: DIGITS, 1.0, "between 0 and 1"),
            (lambda: DIGITS[:1], 0.5, "for training and for validation"),
        ],
    )
    def test_refusals(self, x, fraction, message):
        with pytest.raises(ValueError, match=message):
            array_inputs.split_validation(x(), None, fraction, data_shape=(8, 8, 1))


def test_batch_passed_to_train_on_batch_follows_the_same_rule():
    examples, _ = batches.unpack_batch(
        (PIXELS[:2], None, None), data_shape=(8, 8, 1), num_classes=None
    )
    np.testing.assert_allclose(examples, PIXELS[:2] / 127.5 - 1, atol=1e-6)
    with pytest.raises(ValueError, match="bool"):
        batches.unpack_batch(PIXELS[:2] > 99, data_shape=(8, 8, 1), num_classes=None)
    with pytest.raises(ValueError, match="sample_weight"):
        batches.unpack_batch((PIXELS, None, LABELS), data_shape=(8, 8, 1), num_classes=None)


# From here on through `fit` and `evaluate`.


def fitted(x, *, steps_per_execution=1, run_eagerly=True, **options):
    gan = toy.gan(discriminator_steps=2)
    gan.compile(steps_per_execution=steps_per_execution, run_eagerly=run_eagerly)
    gan.fit(x, verbose=0, **options)
    return gan


class TestUnknownLength:
    """Steps are batches trained: Keras would run one more at the end of each epoch."""

    def test_trains_as_known_length_does(self):
        options = {"steps_per_execution": 4, "epochs": 2}
        gan = fitted(of_unknown_length(POINTS, 6), **options)
        assert int(gan.generator_optimizer.iterations) == gan.step == 2 * 8 // 2
        tiny.assert_same_state(gan, fitted(dataset(POINTS, 6), **options))

    def test_last_execution_may_be_shorter(self):
        options = {"steps_per_execution": 2, "run_eagerly": False}
        gan = fitted(of_unknown_length(POINTS, 8), epochs=2, **options)
        assert gan.step == 2 * 3

    @pytest.mark.slow
    def test_on_replicas(self):
        with tiny.replicas(2).scope():
            gan = tfgans.WGANGP(
                tiny.generator(normalization=False), tiny.discriminator(), discriminator_steps=2
            )
            gan.compile()
        gan.fit(of_unknown_length(DIGITS[:128], 16), epochs=2, verbose=0)
        assert gan.step == int(tf.convert_to_tensor(gan.generator_optimizer.iterations.value)) == 8

    def test_is_evaluated_as_known_length(self):
        gan = toy.gan()
        results = [
            gan.evaluate(make(POINTS[:40], 16), verbose=0, return_dict=True)
            for make in (dataset, of_unknown_length)
        ]
        assert results[0] == results[1]

    def test_endless_in_fact_is_not_counted(self):
        spec = tf.TensorSpec([None, 2], tf.float64)
        made = tf.data.Dataset.from_generator(endless_points, output_signature=spec)
        assert fitted(made, steps_per_epoch=3).step == 3


def test_fit_and_evaluate_of_a_source_log_no_warning(caplog):
    source = data.from_array(POINTS)
    gan = fitted(source, batch_size=8, steps_per_epoch=2)
    gan.evaluate(source, verbose=0)
    assert not caplog.records


def test_fit_takes_what_keras_takes_beside_the_data():
    options = {"validation_split": 0.25, "validation_batch_size": 64, "validation_freq": 2}
    options |= {"shuffle": False, "epochs": 2, "verbose": 0}
    history = toy.gan().fit(POINTS, batch_size=12, **options)
    assert len(history.history["val_generator_loss"]) == 1
