"""Two networks and their optimizers: compiled and saved together."""

from typing import Any, Self, TypedDict

import keras
import numpy as np
import tensorflow as tf

from tfgans import checks, shapes
from tfgans.layers import InstanceNoise
from tfgans.models import fit, optimizers, replicas, state


class PairOptions(TypedDict, total=False):
    """Arguments of `GAN` that are about the two networks, not about their game."""

    num_classes: int | None
    ema: float | None
    seed: int
    name: str | None


class Options(PairOptions, total=False):
    """Arguments of `GAN` that every named method passes on."""

    instance_noise: InstanceNoise | None


class NetworkPair(keras.Model):
    """A generator and a discriminator that fit each other, their optimizers, and a step count.

    It holds what must be saved; the game that the two play, and the training step, are `GAN`'s.

    Args:
        generator: Built Keras model, latents [batch, ...] -> examples [batch, ...].
        discriminator: Built Keras model, examples -> logits [batch, 1].
        num_classes: Int or None, see `GAN`.
        ema: Float in [0, 1) or None, see `GAN`.
        seed: Int, of all noise.
        name: String, optional.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        num_classes: int | None = None,
        ema: float | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        if num_classes is not None:
            checks.int_at_least("num_classes", num_classes, 2)
        fit.check_networks(generator, discriminator, num_classes=num_classes)
        if ema is not None and checks.non_negative("ema", ema) >= 1:
            raise ValueError(f"`ema` must be None or a float in [0, 1). Received: {ema!r}")
        super().__init__(name=name)
        self.generator = generator
        self.discriminator = discriminator
        self.num_classes = num_classes
        self.ema = None if ema is None else float(ema)
        self.seed = checks.integer("seed", seed)
        self.latent_shape = fit.latent_shape(generator)
        self.data_shape = shapes.input_shape(discriminator, "discriminator")
        for network in (generator, discriminator):
            replicas.fit_for_replicas(network)
        self.ema_generator = None if ema is None else state.copy_network(generator)
        self._step = self.add_weight(
            name="step",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )
        self._rollbacks = 0
        self.built = True

    @property
    def step(self) -> int:
        """Training steps done so far; saved and resumed with the weights."""
        return int(tf.convert_to_tensor(self._step.value))

    @property
    def rollbacks(self) -> int:
        """How often `lower_learning_rates` was called; saved and resumed with the weights."""
        return self._rollbacks

    @property
    def sampling_generator(self) -> Any:
        """The network that samples: the moving average if there is one, else the generator."""
        return self.generator if self.ema_generator is None else self.ema_generator

    def default_optimizers(self) -> tuple[Any, Any]:
        """Returns a new (generator, discriminator) optimizer pair: Adam of the DCGAN paper."""
        return optimizers.adam_pair(2e-4, beta_1=0.5, beta_2=0.999)

    def compile(
        self,
        generator_optimizer: Any = None,
        discriminator_optimizer: Any = None,
        *,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool = False,
        accumulate_steps: int = 1,
    ) -> None:
        """Sets the optimizers (those of the method's paper by default) and how steps are run.

        Args:
            generator_optimizer: `keras.optimizers.Optimizer` or its name. Schedules go inside.
            discriminator_optimizer: The same; not the same object.
            run_eagerly: Bool, for debugging.
            steps_per_execution: Int, training steps in one call; callbacks see only the last one.
            jit_compile: Bool, whether to compile the step with XLA.
            accumulate_steps: Int of at least 1. Each update sums its gradient over so many equal
                parts of its batch, one in memory at a time, for batches larger than memory. The
                update is that of the whole batch up to the order of summation, but for what looks
                at the batch: batch statistics, the power iterations of spectral normalization, a
                mixture's slices (with "exact" routing the noise and the points of penalties),
                `KLWGAN`'s weights, the spread of `DRAGAN`, a penalty's `fraction`, dropout. They
                are then of each part. Default: 1, the whole batch at once.

        A network in `mixed_float16` gets its optimizer wrapped in a `LossScaleOptimizer`.
        """
        given = (generator_optimizer, discriminator_optimizer)
        pair = [
            default if one is None else one
            for one, default in zip(given, self.default_optimizers(), strict=True)
        ]
        if pair[0] is pair[1] and not isinstance(pair[0], str):
            raise ValueError("Each player needs its own optimizer. Received the same object twice")
        checks.positive_int("steps_per_execution", steps_per_execution)
        self.accumulate_steps = checks.positive_int("accumulate_steps", accumulate_steps)
        networks = (self.generator, self.discriminator)
        if jit_compile and any(getattr(one, "routing", None) == "categorical" for one in networks):
            raise ValueError(
                "routing='categorical' changes batch sizes, which XLA cannot compile. Received: "
                "jit_compile=True. Use routing='slices', or no XLA"
            )
        replicas.check_execution(
            networks, jit_compile=jit_compile, accumulate_steps=self.accumulate_steps
        )
        ready = [optimizers.prepare(*one) for one in zip(pair, networks, strict=True)]
        # `optimizer=None` keeps Keras from adding a phantom RMSprop to every checkpoint.
        super().compile(
            optimizer=None,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
        )
        self.generator_optimizer, self.discriminator_optimizer = ready
        self._execution = {
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
            "accumulate_steps": accumulate_steps,
        }

    def get_compile_config(self) -> dict[str, Any] | None:
        """Returns the arguments of `compile`, so that a loaded model is compiled again."""
        if not self.compiled:
            return None
        serialize = keras.saving.serialize_keras_object
        return {
            "generator_optimizer": serialize(self.generator_optimizer),
            "discriminator_optimizer": serialize(self.discriminator_optimizer),
            **self._execution,
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles the model with the result of `get_compile_config`."""
        self.compile(
            **{
                name: keras.saving.deserialize_keras_object(value)
                if isinstance(value, dict)
                else value
                for name, value in config.items()
            }
        )

    def lower_learning_rates(self, factor: float) -> None:
        """Multiplies both players' learning rates, once after each rollback, and counts it.

        The rate of a mixture's own weights, which no optimizer moves, stays.

        Args:
            factor: Float above 0.

        Raises:
            ValueError: If a learning rate is a schedule, which would set it anew.
        """
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            optimizers.check_constant_rate(optimizer)
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            optimizer.learning_rate.assign(optimizer.learning_rate * factor)
        self._rollbacks += 1

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """Returns the examples that `sampling_generator` makes of its inputs."""
        return self.sampling_generator(inputs, training=training)

    def save_own_variables(self, store: Any) -> None:
        """Saves what networks and optimizers do not: step, rollbacks and the dropout states."""
        state.remember_optimizer_attributes()
        store["step"] = np.asarray(self.step, np.int64)
        store["rollbacks"] = np.asarray(self.rollbacks, np.int64)
        state.save_seed_states(self, store)

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved."""
        names = list(store.keys())
        if "step" not in names:
            raise ValueError(
                "The file must be of a tfgans model. Received: a weights file without a step count"
            )
        self._step.assign(np.asarray(store["step"]))
        # Older files have none.
        self._rollbacks = int(np.asarray(store["rollbacks"])) if "rollbacks" in names else 0
        state.load_seed_states(self, store)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, networks included."""
        return {
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "num_classes": self.num_classes,
            "ema": self.ema,
            "seed": self.seed,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Makes a model from the result of `get_config`; weights come separately."""
        made = {
            name: keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)
            if isinstance(value, dict) and "class_name" in value
            else value
            for name, value in config.items()
        }
        return cls(**made)
