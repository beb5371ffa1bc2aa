"""Wraps the internals of Keras 3.15 and TensorFlow 2.21 that have no public equivalent.

Each function states its purpose and the missing public interface. `tests/test_compat.py`
fails when an internal disappears, or a public equivalent appears.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias, TypeVar

import keras
import tensorflow as tf
from keras.src.backend import AutocastScope
from keras.src.backend.common import global_state
from keras.src.saving.serialization_lib import ObjectSharingScope, SafeModeScope
from keras.src.trainers.epoch_iterator import EpochIterator
from tensorflow.python.framework import op_def_registry
from tensorflow.python.ops import control_flow_util

Model = TypeVar("Model", bound=keras.Model)
# From the steps until the end of the epoch, or None, to the steps of the next call.
ChooseCount: TypeAlias = Callable[[int | None], int]

# The argument that tells `evaluate` that `fit` has prepared the validation data.
CACHED_EVALUATION = "_use_cached_eval_dataset"

__all__ = [
    "CACHED_EVALUATION",
    "SafeModeScope",
    "adam_moments",
    "all_layers",
    "inside_xla",
    "is_loss_tracker",
    "op_def_registry",
    "optimized_variables",
    "optimizer_slots",
    "producer",
    "profiles_batches",
    "refuses_saved_model",
    "remember_optimizer_attributes",
    "saves_to_hdf5",
    "shares_objects",
    "stored_precision",
    "tunes_steps_per_execution",
    "untrack_layer",
    "uses_weight_decay",
]


def tunes_steps_per_execution(
    choice: Callable[[Model], ChooseCount | None],
) -> Callable[[type[Model]], type[Model]]:
    """Lets models of a class choose how many steps `fit` takes in a call of the train function.

    Keras 3.15 takes a fixed number: unlike Keras 2 it has no `steps_per_execution="auto"`. It
    passes its iterator over the epochs only to the method that builds a model before training or
    evaluation. That method is replaced, and must be: under a `tf.distribute.Strategy` it averages
    the first batches of the replicas, which fails if they have different numbers of examples, even
    for a built model.

    Args:
        choice: Function of the model, called before each training and evaluation. It returns a
            function of the steps until the end of the epoch (None if the data decide) to the steps
            of the next call, for which the model must have `steps_per_execution=1`; or None, to
            leave the number to Keras.
    """

    def decorate(cls: type[Model]) -> type[Model]:
        def _maybe_symbolic_build(
            self: Model, iterator: EpochIterator | None = None, data_batch: object = None
        ) -> None:
            del data_batch
            choose = choice(self)
            if iterator is not None and choose is not None:
                _choose_executions(iterator, choose)

        cls._maybe_symbolic_build = _maybe_symbolic_build
        return cls

    return decorate


def _choose_executions(epochs: EpochIterator, choose: ChooseCount) -> None:
    enumerate_steps = epochs._enumerate_iterator

    def enumerate_executions() -> Iterator[tuple[int, int, tf.data.Iterator]]:
        steps = enumerate_steps()
        for first, _, iterator in steps:
            total = epochs.num_batches
            count = choose(None if total is None else total - first)
            yield first, first + count - 1, iterator
            for _ in range(count - 1):
                next(steps, None)

    epochs._enumerate_iterator = enumerate_executions


def shares_objects() -> AbstractContextManager[None]:
    """Returns a context in which an object that is serialized twice is loaded as the same object.

    Keras has its scope in `save_model`, `load_model` and functional models only. That scope forgets
    the objects of a scope around it, so within one there is nothing to do.
    """
    is_shared = global_state.get_global_attribute("shared_objects/id_to_obj_map") is not None
    return contextlib.nullcontext() if is_shared else ObjectSharingScope()


def refuses_saved_model(cls: type[Model]) -> type[Model]:
    """Makes `tf.saved_model.save` of a class raise ValueError before it writes.

    In Keras 3.15 only functional models have a signature. Of any other model TensorFlow 2.21
    silently writes a SavedModel that cannot be called. TensorFlow asks the model for its children
    by `_trackable_children`, and has no public hook.
    """
    children = cls._trackable_children

    def _trackable_children(
        self: keras.Model, save_type: str = "checkpoint", **options: object
    ) -> dict[str, object]:
        if save_type == "savedmodel":
            raise ValueError(
                f"`tf.saved_model.save` cannot write a {type(self).__name__}: it would have no "
                "signature. Call `export(path)` of the model, which writes a SavedModel for serving"
            )
        return children(self, save_type, **options)

    cls._trackable_children = _trackable_children
    return cls


def is_loss_tracker(model: keras.Model, metric: keras.metrics.Metric) -> bool:
    """Returns whether a metric is the mean of the loss that Keras gives each compiled model."""
    return metric is getattr(model, "_loss_tracker", None)


def all_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns the layer and all layers nested in it.

    Keras has no public way to list nested layers.
    """
    return list(layer._flatten_layers())


def producer(
    tensor: keras.KerasTensor,
) -> tuple[keras.Operation, Sequence[keras.KerasTensor]]:
    """Returns the operation or layer that makes a symbolic tensor, and the inputs of this call.

    `Operation.output` and `Operation.input` are those of the first call alone.
    """
    operation, index, _ = tensor._keras_history
    return operation, operation._inbound_nodes[index].input_tensors


def optimized_variables(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Returns the variables that an optimizer was built for.

    `Optimizer.variables` lists the optimizer's state, not the variables that it updates.
    """
    return list(optimizer._trainable_variables)


def adam_moments(
    optimizer: keras.optimizers.Adam, variable: keras.Variable
) -> tuple[keras.Variable, keras.Variable]:
    """Returns the first and the second moment of a variable in an Adam optimizer.

    `Optimizer.variables` lists all moments, in an order that is an implementation detail of Keras.
    """
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index], optimizer._velocities[index]


def inside_xla() -> bool:
    """Returns whether XLA will compile the graph that is being traced.

    XLA refuses operations whose output shapes depend on values. TensorFlow has no public test.
    """
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def remember_optimizer_attributes() -> None:
    """Makes Keras build a reference optimizer once, not in each save.

    On saving, Keras skips the attributes that a new optimizer has. Keras 3.15 stores their names
    under a different key than it looks up, so each save builds another optimizer. TensorFlow keeps
    35 KB for each new variable name: 140 KB per backup of two optimizers, never freed.
    """
    names = global_state.get_global_attribute("saving_attr_skipset_Optimizer")
    global_state.set_global_attribute("saving_attr_skiplist_Optimizer", names)


def saves_to_hdf5() -> bool:
    """Returns whether Keras is writing a model to an HDF5 file, the format before `.keras`.

    Keras 3.15 calls `get_config` for both formats, and does not pass the format to the model.
    """
    return bool(global_state.get_global_attribute("use_legacy_config"))


def stored_precision() -> contextlib.AbstractContextManager[None]:
    """Returns a context in which variables are read in their stored dtype.

    In the `call` of a layer with a mixed policy Keras casts every float variable to the compute
    dtype. `add_weight(autocast=False)` switches that off for the variables of the layer, but not
    for those of a layer that it wraps.
    """
    return AutocastScope(None)


def uses_weight_decay(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> bool:
    """Returns whether an optimizer does not exclude a variable from weight decay.

    Keras 3.15 keeps the exclusions in private attributes, which are not in the config.
    """
    return bool(optimizer._use_weight_decay(variable))


def profiles_batches(callback: keras.callbacks.TensorBoard) -> bool:
    """Returns whether TensorBoard profiles batches, which Keras keeps in a private attribute."""
    return bool(callback._should_trace)


def untrack_layer(model: keras.Model, layer: keras.layers.Layer) -> None:
    """Makes a model forget a layer, before its attribute gets another one.

    Keras 3.15 keeps a layer that was an attribute once: its weights stay among those of the model,
    also after `del`.
    """
    model._tracker.untrack(layer)


def optimizer_slots(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]
) -> list[list[keras.Variable]]:
    """Returns each variable with its slots in the optimizer.

    A Keras optimizer keeps a list for each kind of slot, in the order of the variables, under
    private names.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    shapes = [tuple(variable.shape) for variable in variables]
    slots = [
        value
        for name, value in vars(optimizer).items()
        if name != "_trainable_variables"
        and isinstance(value, list)
        and [tuple(getattr(slot, "shape", (None,))) for slot in value] == shapes
    ]
    return [list(group) for group in zip(variables, *slots, strict=True)]
