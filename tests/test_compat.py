"""Each entry of `tfgans.compat` works, and Keras still has no public equivalent.

When the second part of a test fails, replace the entry by the public equivalent.
"""

import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfgans import compat


def test_every_entry_has_a_test():
    tested = {name.removeprefix("test_of_") for name in globals() if name.startswith("test_of_")}
    assert tested == set(compat.__all__)


def test_of_is_loss_tracker():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.mine = keras.metrics.Mean("loss")
    assert [compat.is_loss_tracker(model, metric) for metric in model.metrics] == [True, False]
    assert not hasattr(model, "loss_tracker")


def test_of_all_layers():
    inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    wrapped = keras.layers.TimeDistributed(inner)
    outer = keras.Sequential([keras.Input((4, 2)), wrapped, keras.layers.ReLU()])
    layers = compat.all_layers(outer)
    assert layers[0] is outer
    assert {wrapped, inner, *inner.layers, *outer.layers} <= set(layers)
    assert len(layers) == len(set(layers))
    # `Model.layers` is of the outermost level, and a Layer that is no Model has none.
    assert inner not in outer.layers
    assert not hasattr(keras.layers.Layer, "layers")
    assert not hasattr(keras.layers.Layer, "flatten_layers")


def test_of_producer():
    inputs = keras.Input((2,))
    shared = keras.layers.Dense(2)
    first = shared(inputs)
    second = shared(keras.ops.tanh(first))
    operation, (source,) = compat.producer(second)
    assert operation is shared
    assert compat.producer(source)[1][0] is first
    assert shared.output is first
    assert not hasattr(second, "operation")


def test_of_untrack_layer():
    model = keras.Model()
    model.first = layer = keras.layers.Dense(2)
    layer.build((None, 3))
    del model.first
    assert len(model.variables) == 2  # Keras does not forget it.
    compat.untrack_layer(model, layer)
    model.first = keras.layers.Dense(1)
    assert model.layers == [model.first]
    assert not hasattr(model, "untrack_layer")


def test_of_optimized_variables():
    variables = [keras.Variable([1.0]), keras.Variable([2.0])]
    optimizer = keras.optimizers.SGD()
    optimizer.build(variables)
    received = compat.optimized_variables(optimizer)
    assert [id(variable) for variable in received] == [id(variable) for variable in variables]
    assert not {id(variable) for variable in optimizer.variables} & {id(v) for v in variables}
    assert not hasattr(keras.optimizers.Optimizer, "trainable_variables")
    assert not hasattr(keras.optimizers.Optimizer, "optimized_variables")


def test_of_adam_moments():
    variables = [keras.Variable([1.0]), keras.Variable([2.0])]
    optimizer = keras.optimizers.Adam(beta_1=0.5, beta_2=0.75)
    optimizer.apply([tf.constant([3.0]), tf.constant([4.0])], variables)
    for variable, gradient in zip(variables, (3.0, 4.0), strict=True):
        first, second = compat.adam_moments(optimizer, variable)
        assert first.numpy() == pytest.approx(0.5 * gradient)
        assert second.numpy() == pytest.approx(0.25 * gradient**2)
    for name in ("momentums", "velocities", "get_variable_index", "slots", "get_slot"):
        assert not hasattr(optimizer, name)


def test_of_optimizer_slots():
    variables = [keras.Variable([1.0]), keras.Variable([[2.0, 3.0]])]
    inner = keras.optimizers.Adam()
    for optimizer in (inner, keras.optimizers.LossScaleOptimizer(inner)):
        optimizer.build(variables)
        slots = compat.optimizer_slots(optimizer, variables)
        for variable, group in zip(variables, slots, strict=True):
            assert group[0] is variable
            assert len(group) == 3  # And its two moments.
            moments = compat.adam_moments(inner, variable)
            assert {id(slot) for slot in group[1:]} == {id(moment) for moment in moments}


def test_of_uses_weight_decay():
    kernel, bias = (keras.Variable([1.0], name=name) for name in ("kernel", "bias"))
    optimizer = keras.optimizers.AdamW(weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.build([kernel, bias])
    assert compat.uses_weight_decay(optimizer, kernel)
    assert not compat.uses_weight_decay(optimizer, bias)
    # The config does not have it.
    copy = type(optimizer).from_config(optimizer.get_config())
    assert compat.uses_weight_decay(copy, bias)


def test_of_profiles_batches(tmp_path):
    for batches, expected in ((0, False), (5, True), ((2, 3), True)):
        callback = keras.callbacks.TensorBoard(tmp_path, profile_batch=batches)
        assert compat.profiles_batches(callback) is expected
    assert not hasattr(callback, "should_trace")


def test_of_inside_xla():
    seen = []

    def look(x):
        seen.append(compat.inside_xla())
        return x

    look(tf.ones([]))
    tf.function(look)(tf.ones([]))
    tf.function(look, jit_compile=True)(tf.ones([]))
    assert seen == [False, False, True]
    assert {name for name in dir(tf.xla.experimental) if not name.startswith("_")} == {
        "compile",
        "jit_scope",
    }


def saved_twice(model, path, monkeypatch):
    """How many optimizers Keras builds in the second save of a model."""
    model.save_weights(path)
    made, start = [], keras.optimizers.Optimizer.__init__

    def count(self, *args, **options):
        made.append(type(self))
        start(self, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(keras.optimizers.Optimizer, "__init__", count)
        model.save_weights(path)
    return len(made)


def test_of_remember_optimizer_attributes(tmp_path, monkeypatch):
    keras.backend.clear_session()  # Forgets what other tests made Keras remember.
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    path = tmp_path / "model.weights.h5"
    assert saved_twice(model, path, monkeypatch) > 0  # The fault of Keras.
    compat.remember_optimizer_attributes()
    assert saved_twice(model, path, monkeypatch) == 0


def test_of_stored_precision():
    read = {}

    class Wrapper(keras.layers.Wrapper):
        def call(self, x):
            with compat.stored_precision():
                read["inside"] = tf.convert_to_tensor(self.layer.kernel).dtype
            read["outside"] = tf.convert_to_tensor(self.layer.kernel).dtype
            return self.layer(x)

    wrapper = Wrapper(keras.layers.Dense(1, dtype="mixed_bfloat16"), dtype="mixed_bfloat16")
    wrapper(tf.ones([1, 2]))
    wrapper(tf.ones([1, 2]))
    assert read == {"inside": tf.float32, "outside": tf.bfloat16}
    for module in (keras, keras.backend, keras.config, keras.utils):
        assert not [name for name in dir(module) if "autocast" in name.lower()]


def test_of_SafeModeScope():
    network = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda x: x)])
    text = network.to_json()
    with compat.SafeModeScope(False):
        keras.saving.deserialize_keras_object(json.loads(text), safe_mode=None)
        with compat.SafeModeScope(True), pytest.raises(ValueError, match="unsafe"):
            keras.saving.deserialize_keras_object(json.loads(text), safe_mode=None)
    for module in (keras, keras.saving, keras.config):
        assert not [name for name in dir(module) if "safemode" in name.lower().replace("_", "")]


class Measuring(keras.Model):
    """Has nothing to build."""

    def __init__(self):
        super().__init__()
        self.built = True

    def test_step(self, data):
        return {"mean": tf.reduce_mean(data)}


class Counting(keras.Model):
    """Counts its training steps and those of each call of the train function."""

    def __init__(self):
        super().__init__()
        self.built = True
        self.left, self.ranges, self.count = [], [], 1

    def choose(self, left):
        self.left.append(left)
        self.count = min(3, left or 3)
        return self.count

    def make_train_function(self, force=False):
        self.train_function = lambda iterator: [next(iterator) for _ in range(self.count)] and {}


def test_of_tunes_steps_per_execution():
    class Ranges(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.ranges.append([batch])

        def on_train_batch_end(self, batch, logs=None):
            self.model.ranges[-1].append(batch)

    counting = compat.tunes_steps_per_execution(lambda model: model.choose)(Counting)()
    counting.compile()
    data = tf.data.Dataset.range(99).batch(1)
    options = {"shuffle": False, "verbose": 0}
    counting.fit(data, epochs=2, steps_per_epoch=7, callbacks=[Ranges()], **options)
    assert counting.left == [7, 4, 1] * 2
    assert counting.ranges == [[0, 2], [3, 5], [6, 6]] * 2
    counting.compile(steps_per_execution="auto")
    with pytest.raises(TypeError):
        counting.fit(data, **options)


def test_models_of_a_class_that_chooses_executions_are_not_built():
    @compat.tunes_steps_per_execution(lambda model: None)
    class Built(Measuring):
        pass

    def evaluated(kind):
        with tiny.replicas(2).scope():
            model = kind()
            model.compile(loss=None)
        data = tf.data.Dataset.from_tensor_slices(np.ones((3, 1), "float32")).batch(3)
        return model.evaluate(data, verbose=0, return_dict=True)["mean"]

    assert evaluated(Built) == 1.0
    with pytest.raises(tf.errors.InvalidArgumentError, match="same size and shape"):
        evaluated(Measuring)  # The fault of Keras.
    assert not hasattr(keras.Model, "maybe_symbolic_build")


def test_of_refuses_saved_model(tmp_path):
    @compat.refuses_saved_model
    class Refusing(Measuring):
        pass

    with pytest.raises(ValueError, match="Refusing"):
        tf.saved_model.save(Refusing(), str(tmp_path / "refused"))
    assert not (tmp_path / "refused").exists()
    tf.saved_model.save(Measuring(), str(tmp_path / "written"))  # The fault of Keras.
    assert not tf.saved_model.load(str(tmp_path / "written")).signatures


def test_of_saves_to_hdf5(tmp_path):
    seen = []

    @keras.saving.register_keras_serializable(package="tests")
    class Asking(keras.layers.Layer):
        def get_config(self):
            seen.append(compat.saves_to_hdf5())
            return super().get_config()

    network = keras.Sequential([keras.Input((1,)), Asking()])
    network.save(tmp_path / "network.keras")
    assert not any(seen)
    seen.clear()
    network.save(tmp_path / "network.h5")
    assert seen
    assert all(seen)
    assert not compat.saves_to_hdf5()
    assert not [name for name in dir(keras.saving) if "hdf5" in name or "legacy" in name]


def test_of_shares_objects():
    policy = keras.DTypePolicy("mixed_float16")
    serialize, deserialize = (
        keras.saving.serialize_keras_object,
        keras.saving.deserialize_keras_object,
    )
    with compat.shares_objects():
        with compat.shares_objects():
            configs = [serialize(policy)]
        configs += [serialize(policy)]
    with compat.shares_objects():
        first, second = map(deserialize, configs)
    assert first is second
    assert deserialize(configs[0]) is not deserialize(configs[1])
    assert not [name for name in dir(keras.saving) if "shar" in name.lower()]


def test_of_op_def_registry():
    assert not compat.op_def_registry.get("MatMul").is_stateful
    assert compat.op_def_registry.get("ReadFile") is not None
    assert compat.op_def_registry.get("NoSuchOperation") is None
    for module in (tf, tf.raw_ops, tf.experimental):
        assert not [name for name in dir(module) if "op_def" in name.lower()]


def test_of_CACHED_EVALUATION():
    passed = []

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def evaluate(self, *arguments, **options):
            passed.append(options.get(compat.CACHED_EVALUATION))
            return super().evaluate(*arguments, **options)

    model = Model()
    model.compile("sgd", "mse")
    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
    model.fit(x, y, validation_data=(x, y), verbose=0)
    model.evaluate(x, y, verbose=0)
    assert passed == [True, None]
    assert not [
        name for name in inspect.signature(keras.Model.evaluate).parameters if "cach" in name
    ]
