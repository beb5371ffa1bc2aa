"""Everything that reaches behind the public interfaces of Keras 3.15 and TensorFlow 2.21.

Each function says what it is for and why the public interface does not do. `tests/test_compat.py`
fails when one of them is no longer needed, or no longer there.
"""

import contextlib
from collections.abc import Sequence
from typing import TypeVar

import keras
import tensorflow as tf
from keras.src.backend import AutocastScope
from keras.src.backend.common import global_state
from keras.src.saving.serialization_lib import SafeModeScope
from tensorflow.python.framework import op_def_registry
from tensorflow.python.ops import control_flow_util

Model = TypeVar("Model", bound=keras.Model)

# The argument by which `fit` tells `evaluate` that it has prepared the data already.
CACHED_EVALUATION = "_use_cached_eval_dataset"

__all__ = [
    "CACHED_EVALUATION",
    "SafeModeScope",
    "adam_moments",
    "all_layers",
    "inside_xla",
    "needs_no_build",
    "op_def_registry",
    "optimized_variables",
    "optimizer_slots",
    "refuses_saved_model",
    "remember_optimizer_attributes",
    "saves_to_hdf5",
    "stored_precision",
]


def needs_no_build(cls: type[Model]) -> type[Model]:
    """Keeps Keras from building models of a class before it trains or evaluates them.

    Under a `tf.distribute.Strategy` Keras 3.15 takes the mean of the replicas' first batches, to
    build what is not built yet. Where one replica has more examples than another that fails, also
    for a model that is built. There is no public hook.
    """

    def _maybe_symbolic_build(
        self: keras.Model, iterator: object = None, data_batch: object = None
    ) -> None:
        """Does nothing."""

    cls._maybe_symbolic_build = _maybe_symbolic_build
    return cls


def refuses_saved_model(cls: type[Model]) -> type[Model]:
    """Makes `tf.saved_model.save(model)` of a class end in a sentence, before it writes.

    Keras 3.15 gives only its functional models a signature. Of any other model TensorFlow 2.21
    writes a SavedModel that nothing can call, without a word. It asks the model for its parts by
    `_trackable_children`, and has no public hook.
    """
    children = cls._trackable_children

    def _trackable_children(
        self: keras.Model, save_type: str = "checkpoint", **options: object
    ) -> dict[str, object]:
        if save_type == "savedmodel":
            raise ValueError(
                f"`tf.saved_model.save` cannot write a {type(self).__name__}: it would have no "
                "signature. Use `export(path)` of the model, which writes a SavedModel for serving"
            )
        return children(self, save_type, **options)

    cls._trackable_children = _trackable_children
    return cls


def all_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns the layer and all layers nested in it.

    Keras has no public way to walk the layers nested in a layer.
    """
    return list(layer._flatten_layers())


def optimized_variables(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Returns the variables that an optimizer was built for.

    `Optimizer.variables` lists its slots, not what they belong to.
    """
    return list(optimizer._trainable_variables)


def adam_moments(
    optimizer: keras.optimizers.Adam, variable: keras.Variable
) -> tuple[keras.Variable, keras.Variable]:
    """Returns the first and the second moment that an Adam optimizer keeps of a variable.

    `Optimizer.variables` lists them all, in an order that is an implementation detail of Keras.
    """
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index], optimizer._velocities[index]


def inside_xla() -> bool:
    """Returns whether the graph that is being traced will be compiled by XLA.

    TensorFlow does not tell, and XLA refuses operations whose output shapes depend on values.
    """
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def remember_optimizer_attributes() -> None:
    """Makes Keras build one sample optimizer, whose attributes it skips on saving, not one a save.

    Keras 3.15 keeps their names under one key and looks for them under another. The variables of
    each sample have names of their own, and for each name TensorFlow keeps 35 KB: with two
    optimizers 140 KB a backup, for ever.
    """
    names = global_state.get_global_attribute("saving_attr_skipset_Optimizer")
    global_state.set_global_attribute("saving_attr_skiplist_Optimizer", names)


def saves_to_hdf5() -> bool:
    """Returns whether Keras is writing a model to an HDF5 file, the format before `.keras`.

    `keras.saving.save_model` does not tell the model which format it writes: Keras 3.15 asks for
    the config in both.
    """
    return bool(global_state.get_global_attribute("use_legacy_config"))


def stored_precision() -> contextlib.AbstractContextManager[None]:
    """Returns a context in which variables read as they are stored, not in the compute dtype.

    In the `call` of a layer with a mixed policy Keras casts every float variable that is read to
    the compute dtype. A layer can switch that off for variables that it makes, with
    `add_weight(autocast=False)`, but not for those of a layer that it wraps.
    """
    return AutocastScope(None)


def optimizer_slots(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]
) -> list[list[keras.Variable]]:
    """Returns each variable with what the optimizer keeps of it.

    Keras's optimizers keep a list a kind of slot, in the order of the variables, under names of
    their own.
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
