"""The optimizers of two players: the papers' defaults, checks and shared learning rates."""

import warnings
from collections.abc import Callable, Sequence
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tfgans import compat, replicas
from tfgans.types import Config

Optimizer: TypeAlias = keras.optimizers.Optimizer
Schedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule


class _Scalars(dict[tf.DType, dict[str, tf.Tensor]]):
    """A dictionary that Keras does not track: it wraps plain ones, to save what they hold."""


@keras.saving.register_keras_serializable(package="tfgans")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` that updates a variable in a single TensorFlow kernel.

    The arguments, the state and the formula are Keras's; the result is the same up to rounding.
    Keras's update takes about twenty operations per variable, each a pass over its memory, which is
    most of the extra cost of a mixture of k networks. With `amsgrad`, and for sparse gradients, it
    is Keras's update.

    Reference: Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", section 2, the form
    with the corrected learning rate.
    """

    def apply(
        self,
        grads: Sequence[tf.Tensor | None],
        trainable_variables: Sequence[keras.Variable] | None = None,
    ) -> None:
        """Moves all variables."""
        # Tensors of this call belong to the same graph.
        self._scalars = _Scalars()
        super().apply(grads, trainable_variables)
        self._scalars = _Scalars()

    def update_step(
        self,
        gradient: tf.Tensor | tf.IndexedSlices,
        variable: keras.Variable,
        learning_rate: tf.Tensor,
    ) -> None:
        """Moves a variable."""
        if self.amsgrad or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        target, momentum, velocity = (
            state.value if isinstance(state, keras.Variable) else state
            for state in (variable, *compat.adam_moments(self, variable))
        )
        tf.raw_ops.ResourceApplyAdam(
            var=target.handle,
            m=momentum.handle,
            v=velocity.handle,
            grad=tf.cast(gradient, target.dtype),
            use_locking=True,
            **self._scalars_of(target.dtype, learning_rate),
        )

    def _scalars_of(self, dtype: tf.DType, learning_rate: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the numbers of an update, computed once for all variables of a type."""
        if dtype not in self._scalars:
            # With `gradient_accumulation_steps` it is a tensor.
            iterations = getattr(self.iterations, "value", self.iterations)
            count = tf.cast(tf.convert_to_tensor(iterations) + 1, dtype)
            beta_1, beta_2 = (tf.cast(beta, dtype) for beta in (self.beta_1, self.beta_2))
            scalars = {
                "lr": tf.cast(learning_rate, dtype),
                "beta1": beta_1,
                "beta2": beta_2,
                "beta1_power": tf.pow(beta_1, count),
                "beta2_power": tf.pow(beta_2, count),
                "epsilon": tf.cast(self.epsilon, dtype),
            }
            if replicas.count() > 1:  # Each replica has a separate device.
                return scalars
            self._scalars[dtype] = scalars
        return self._scalars[dtype]


@keras.saving.register_keras_serializable(package="tfgans")
class ScheduledAdam(FusedAdam):
    """`FusedAdam` whose `beta_2` is a variable, as its learning rate is.

    The correction of the second moment is that of the present value, as in PyTorch. The arguments
    are those of `keras.optimizers.Adam`.
    """

    _beta_2: keras.Variable

    @property
    def beta_2(self) -> keras.Variable:
        """The decay of the second moment: a float32 scalar, part of the optimizer's state."""
        return self._beta_2

    @beta_2.setter
    def beta_2(self, value: float) -> None:
        if hasattr(self, "_beta_2"):
            self._beta_2.assign(value)
            return
        self._beta_2 = self.add_variable(
            shape=(),
            initializer=keras.initializers.Constant(value),
            dtype="float32",
            aggregation="only_first_replica",
            name="beta_2",
        )

    def get_config(self) -> Config:
        """Returns the constructor's arguments, with the present values."""
        return {**super().get_config(), "beta_2": float(tf.convert_to_tensor(self.beta_2.value))}


def adam_pair(
    learning_rate: float | Schedule, *, beta_1: float, beta_2: float
) -> tuple[FusedAdam, FusedAdam]:
    """Returns two new Adam optimizers, for the generator and the discriminator."""
    return (
        FusedAdam(learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2),
        FusedAdam(learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2),
    )


# Of PyTorch's RMSprop, outside of the root.
_TORCH_EPSILON = 1e-8


def rmsprop_pair(
    learning_rate: float,
) -> tuple[keras.optimizers.RMSprop, keras.optimizers.RMSprop]:
    """Returns two new RMSprop optimizers with PyTorch's settings, as the WGAN authors use.

    PyTorch divides by `sqrt(v) + 1e-8`, Keras by `sqrt(v + epsilon)`: with the square as epsilon,
    the steps are the same but where v is about as small.
    """
    return (
        keras.optimizers.RMSprop(learning_rate, rho=0.99, epsilon=_TORCH_EPSILON**2),
        keras.optimizers.RMSprop(learning_rate, rho=0.99, epsilon=_TORCH_EPSILON**2),
    )


def prepare(optimizer: Optimizer | str, network: keras.Model) -> Optimizer:
    """Returns `optimizer`, ready for the trainable variables of `network`.

    It is built here, not in the first step: a checkpoint can only restore what exists, and
    `MirroredStrategy` cannot create slots inside a step. A network that computes in float16 gets
    a `LossScaleOptimizer` around it.

    Args:
        optimizer: `keras.optimizers.Optimizer`, or its name.
        network: Keras model whose variables it updates.

    Raises:
        ValueError: If it was built for other variables, its name is not known, its learning rate
            cannot be saved, or it clips gradients under several replicas.
    """
    optimizer = keras.optimizers.get(optimizer)
    _check_learning_rate(optimizer)
    wrapped = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if not wrapped and _computes_in_float16(network):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    variables = network.trainable_variables
    clips = ("clipnorm", "global_clipnorm", "clipvalue")
    inner = inner_optimizer(optimizer)
    if replicas.count() > 1 and any(getattr(inner, name, None) is not None for name in clips):
        raise ValueError(
            "Under several replicas Keras clips before the gradients are summed, unlike on a "
            f"single device. Received: {optimizer.name!r} with {' or '.join(clips)}. Leave it out"
        )
    if replicas.count() > 1 and not replicas.made_in_scope(inner.variables[0]):
        raise ValueError(
            "An optimizer that was made outside of `strategy.scope()` counts its iterations once "
            f"for each replica. Received: {optimizer.name!r}. Make it inside, or pass its name"
        )
    if not optimizer.built:
        optimizer.build(variables)
        return optimizer
    if not updates(optimizer, variables):
        raise ValueError(
            f"The optimizer {optimizer.name!r} already belongs to other variables than those of "
            f"{network.name!r}. Pass a new one"
        )
    return optimizer


def updates(optimizer: Optimizer, variables: Sequence[keras.Variable]) -> bool:
    """Returns whether a built optimizer is for these variables, in this order."""
    built_for = [id(variable) for variable in compat.optimized_variables(optimizer)]
    return built_for == [id(variable) for variable in variables]


def carry_over(
    optimizer: Optimizer,
    sources: Sequence[tuple[keras.Variable, keras.Variable]],
    resize: Callable[[np.ndarray], np.ndarray],
) -> Optimizer:
    """Returns an optimizer for other variables that continues from the state of `optimizer`.

    Args:
        optimizer: Built `keras.optimizers.Optimizer`; it stays as it is.
        sources: For each new variable the pair (new variable, variable of `optimizer`), the slots
            of which it takes over.
        resize: Function of a slot to the slot of a new variable of another shape.

    Raises:
        ValueError: If the optimizer keeps state that does not belong to single variables.
    """
    before, slots = _divided_state(optimizer)
    copy = type(optimizer).from_config(optimizer.get_config())
    optimized = compat.optimized_variables(inner_optimizer(optimizer))
    excluded = {id(optimized[number]) for number in excluded_from_weight_decay(optimizer)}
    numbers = [number for number, (_, source) in enumerate(sources) if id(source) in excluded]
    variables = [variable for variable, _ in sources]
    exclude_from_weight_decay(copy, variables, numbers)
    copy.build(variables)
    after, new_slots = _divided_state(copy)
    for old, new in zip(before, after, strict=True):
        new.assign(old.value)
    for (variable, source), group in zip(sources, new_slots.values(), strict=True):
        for old, new in zip(slots[id(source)], group, strict=True):
            value = old.numpy()
            new.assign(value if variable.shape == source.shape else resize(value))
    return copy


def excluded_from_weight_decay(optimizer: Optimizer) -> list[int]:
    """Returns the numbers of the variables that a built optimizer excludes from weight decay."""
    inner = inner_optimizer(optimizer)
    if inner.weight_decay is None:
        return []
    return [
        number
        for number, variable in enumerate(compat.optimized_variables(inner))
        if not compat.uses_weight_decay(inner, variable)
    ]


def exclude_from_weight_decay(
    optimizer: Optimizer, variables: Sequence[keras.Variable], numbers: Sequence[int]
) -> None:
    """Excludes some of the variables that an optimizer will be built for from weight decay."""
    if numbers:
        excluded = [variables[number] for number in numbers]
        inner_optimizer(optimizer).exclude_from_weight_decay(var_list=excluded)


def check_carry_over(optimizer: Optimizer) -> None:
    """Raises ValueError if `carry_over` would."""
    _divided_state(optimizer)


def _divided_state(
    optimizer: Optimizer,
) -> tuple[list[keras.Variable], dict[int, list[keras.Variable]]]:
    """Returns the variables that are of no slot, all scalars, and the slots by variable."""
    variables = compat.optimized_variables(inner_optimizer(optimizer))
    groups = compat.optimizer_slots(optimizer, variables)
    slots = {id(variable): group for variable, *group in groups}
    of_slots = {id(slot) for group in slots.values() for slot in group}
    others = [variable for variable in optimizer.variables if id(variable) not in of_slots]
    shared = next((variable for variable in others if len(variable.shape)), None)
    if shared is not None:
        raise ValueError(
            "The state of this optimizer must belong to single weights, in their shape, since "
            "components of a mixture can be idle or change. "
            f"Received: a {type(optimizer).__name__} with {shared.path!r}. Use say "
            "Adam, RMSprop or SGD"
        )
    return others, slots


def all_finite(gradients: Sequence[tf.Tensor | None]) -> tf.Tensor:
    """Returns whether no number in the gradients is NaN or infinite: a bool scalar."""
    checks = [
        tf.reduce_all(tf.math.is_finite(gradient)) for gradient in gradients if gradient is not None
    ]
    return tf.reduce_all(checks)


def check_constant_rate(optimizer: Optimizer) -> None:
    """Raises ValueError unless the learning rate is a variable, which can be changed and saved."""
    scheduled = isinstance(inner_optimizer(optimizer), ScheduledAdam)
    if scheduled or not isinstance(optimizer.learning_rate, keras.Variable):
        reason = "a `ScheduledAdam`, whose rate a schedule sets" if scheduled else "with a schedule"
        raise ValueError(
            "A learning rate that is changed during training must be a number, not a schedule. "
            f"Received: {optimizer.name!r}, {reason}. Use, for example, "
            "`keras.optimizers.Adam(2e-4)` for both players"
        )


def inner_optimizer(optimizer: Optimizer) -> Optimizer:
    """Returns the optimizer itself, or what a `LossScaleOptimizer` wraps."""
    wraps = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return optimizer.inner_optimizer if wraps else optimizer


_PLAYERS = ("generator", "discriminator")


class _SharedRate(keras.Variable):
    """The generator's learning rate. Assigning a value also changes the discriminator's."""

    def __init__(self, rate: keras.Variable, rates: "LearningRates") -> None:
        # A variable made of a `tf.Variable` shares its value.
        super().__init__(rate.value, trainable=False, name="learning_rate")
        self._rates = rates

    def assign(self, value: float | tf.Tensor) -> tf.Tensor:
        self._rates.learning_rate = value
        return self.value


class LearningRates:
    """Both players' learning rates, changed together: the value of `gan.optimizer`.

    Keras's callbacks read and set `model.optimizer.learning_rate`. Reading returns
    the generator's rate. Setting it, or assigning a value to it, changes both rates and keeps their
    ratio.

    Args:
        generator_optimizer: `keras.optimizers.Optimizer`.
        discriminator_optimizer: The same, of the other player.

    Example:

    ```python
    gan.compile(keras.optimizers.Adam(1e-4), keras.optimizers.Adam(4e-4))
    gan.optimizer.learning_rate = 5e-5  # The discriminator's is now 2e-4.
    ```
    """

    # A misspelled or missing attribute, say `lr`, raises AttributeError.
    __slots__ = ("_last_positive", "_optimizers")

    built = True  # Keras reads it before training; `GAN.compile` builds both optimizers.

    def __init__(self, generator_optimizer: Optimizer, discriminator_optimizer: Optimizer) -> None:
        self._optimizers = (generator_optimizer, discriminator_optimizer)
        # The last pair of rates in which the generator's was not 0: a warm-up may begin at 0.
        self._last_positive: tuple[float, ...] | None = None

    @property
    def learning_rate(self) -> keras.Variable | tf.Tensor:
        """The generator's learning rate; of a schedule, that of the present iteration."""
        rate = self._optimizers[0].learning_rate
        return _SharedRate(rate, self) if isinstance(rate, keras.Variable) else rate

    @learning_rate.setter
    def learning_rate(self, value: float | tf.Tensor) -> None:
        if tf.inside_function():
            raise ValueError(
                "The learning rates of both players cannot be set together inside a compiled "
                "function. Assign `gan.generator_optimizer.learning_rate` and "
                "`gan.discriminator_optimizer.learning_rate`, or set `gan.optimizer.learning_rate` "
                "in a callback"
            )
        new = float(keras.ops.convert_to_numpy(value))
        self.check_constant()
        before = tuple(
            float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            for optimizer in self._optimizers
        )
        if before[0] != 0:
            self._last_positive = before
        if self._last_positive is None:
            raise ValueError(
                "The ratio of the learning rates is undefined, because the generator's learning "
                f"rate is 0. Received: a new learning rate of {new}. Set "
                "`gan.generator_optimizer.learning_rate` and "
                "`gan.discriminator_optimizer.learning_rate`"
            )
        generator, discriminator = self._last_positive
        self._optimizers[0].learning_rate.assign(new)
        self._optimizers[1].learning_rate.assign(discriminator * (new / generator))

    @property
    def iterations(self) -> keras.Variable:
        """The updates of the generator so far."""
        return self._optimizers[0].iterations

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables of both optimizers, which `gan.summary` counts."""
        return [variable for optimizer in self._optimizers for variable in optimizer.variables]

    def get_config(self) -> Config:
        """Returns the settings of both optimizers, for callbacks that log them."""
        return {
            f"{player}_{name}": value
            for player, optimizer in zip(_PLAYERS, self._optimizers, strict=True)
            for name, value in optimizer.get_config().items()
        }

    def check_constant(self) -> None:
        """Raises ValueError if a learning rate is a schedule, which would set it anew."""
        for optimizer in self._optimizers:
            check_constant_rate(optimizer)

    def scale(self, factor: float) -> None:
        """Multiplies both learning rates.

        Raises:
            ValueError: If a learning rate is a schedule, which would set it anew.
        """
        self.check_constant()
        for optimizer in self._optimizers:
            optimizer.learning_rate.assign(optimizer.learning_rate * factor)

    def __repr__(self) -> str:
        names = ", ".join(type(optimizer).__name__ for optimizer in self._optimizers)
        return f"<LearningRates of generator and discriminator: {names}>"


def _check_learning_rate(optimizer: Optimizer) -> None:
    """Raises ValueError for a learning rate that a saved model could not be loaded with."""
    with warnings.catch_warnings():
        # Keras warns of a lambda; the error below says what to do.
        warnings.simplefilter("ignore")
        rate = inner_optimizer(optimizer).get_config().get("learning_rate")
    if not isinstance(rate, dict):
        return
    try:
        keras.saving.deserialize_keras_object(rate, safe_mode=True)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "A learning rate must be a number or a `keras.optimizers.schedules` object, so that a "
            f"saved model can be loaded again. Received: {optimizer.name!r} with "
            f"a {rate.get('class_name')!r} as its rate. Use a schedule, or register yours with "
            "`keras.saving.register_keras_serializable`"
        ) from error


def _computes_in_float16(network: keras.Model) -> bool:
    return any(layer.compute_dtype == "float16" for layer in compat.all_layers(network))
