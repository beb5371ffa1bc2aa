"""What the named methods share: a GAN whose objective is the method's own."""

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import keras

from tfgans.models.gan import GAN
from tfgans.models.pair import Options
from tfgans.objectives import Objective
from tfgans.penalties import GradientPenalty, Penalty, PenaltySum

_NETWORKS = ("generator", "discriminator")


class FixedGame(GAN):
    """A GAN of one paper: a named method makes its objective and penalty from few arguments.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        own: The method's own arguments by name; kept as attributes and in the config.
        options: What the caller has given besides: `num_classes`, `instance_noise`, `ema`, `seed`
            and `name`.
        **game: Arguments of `GAN` that the method decides.

    Raises:
        TypeError: If an option is another argument of `GAN`: the config would not hold it.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        own: Mapping[str, Any],
        options: Options,
        **game: Any,
    ) -> None:
        for name in options.keys() - Options.__annotations__.keys():
            raise TypeError(
                f"{type(self).__name__} got an unexpected keyword argument {name!r}. It takes "
                f"{', '.join([*own, *Options.__annotations__])}; the rest is the method's own"
            )
        super().__init__(generator, discriminator, **game, **options)
        self._own_arguments = tuple(own)
        for name, value in own.items():
            setattr(self, name, value)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, networks included."""
        config = super().get_config()
        taken = (*_NETWORKS, *Options.__annotations__, *self._own_arguments)
        return {
            name: config[name]
            if name in config
            else keras.saving.serialize_keras_object(getattr(self, name))
            for name in taken
        }


class PlainGame(FixedGame):
    """A method that is one objective, with any penalty.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int. Default: 1.
        **options: `num_classes`, `instance_noise`, `ema`, `seed` and `name`, as for `GAN`.
    """

    game: ClassVar[type[Objective]]

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        penalty: Penalty | PenaltySum | None = None,
        discriminator_steps: int = 1,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            own={"penalty": penalty, "discriminator_steps": discriminator_steps},
            options=options,
            objective=self.game(),
            penalty=penalty,
            discriminator_steps=discriminator_steps,
        )


class SmoothedGame(FixedGame):
    """A method that is one objective whose real target may be smoothed, with any penalty.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int. Default: 1.
        label_smoothing: Float in [0, 1), default 0.
        **options: `num_classes`, `instance_noise`, `ema`, `seed` and `name`, as for `GAN`.
    """

    game: ClassVar[Any]

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        penalty: Penalty | PenaltySum | None = None,
        discriminator_steps: int = 1,
        label_smoothing: float = 0.0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            own={
                "penalty": penalty,
                "discriminator_steps": discriminator_steps,
                "label_smoothing": label_smoothing,
            },
            options=options,
            objective=self.game(label_smoothing=label_smoothing),
            penalty=penalty,
            discriminator_steps=discriminator_steps,
        )


class PenalizedGame(FixedGame):
    """A method that is one objective with the gradient penalty of WGAN-GP.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty_weight: Float of at least 0. Default: 10.
        discriminator_steps: Int. Default: 1.
        **options: `num_classes`, `instance_noise`, `ema`, `seed` and `name`, as for `GAN`.
    """

    game: ClassVar[type[Objective]]

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        penalty_weight: float = 10.0,
        discriminator_steps: int = 1,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            own={"penalty_weight": penalty_weight, "discriminator_steps": discriminator_steps},
            options=options,
            objective=self.game(),
            penalty=GradientPenalty(weight=penalty_weight),
            discriminator_steps=discriminator_steps,
        )
