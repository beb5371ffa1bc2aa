"""What the named methods share: a GAN whose objective is the method's own."""

from typing import Any, ClassVar, Unpack

from tfgans.models.gan import GAN
from tfgans.models.pair import Options
from tfgans.objectives import Objective
from tfgans.penalties import Penalty


class FixedGame(GAN):
    """A GAN that plays one game; a named method says which, and documents the rest.

    Args:
        generator: Built Keras model, latents -> examples.
        discriminator: Built Keras model, examples -> logits [batch, 1].
        penalty: `tfgans.penalties.Penalty`, or None (the default).
        discriminator_steps: Int. Default: 1.
        **options: `ema`, `seed` and `name`, as for `GAN`.
    """

    game: ClassVar[type[Objective]]

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        *,
        penalty: Penalty | None = None,
        discriminator_steps: int = 1,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            objective=self.game(),
            penalty=penalty,
            discriminator_steps=discriminator_steps,
            **options,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, networks included."""
        config = super().get_config()
        del config["objective"]
        return config
