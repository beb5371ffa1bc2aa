"""Keras's `fit` and `evaluate`, over what a user hands to them."""

from typing import Any

import keras

from tfgans import checks
from tfgans.data import plain_errors
from tfgans.models import inputs, mixing, state
from tfgans.models.game import Game


class FittedGame(Game):
    """A game that is trained on arrays, datasets and sources of real examples.

    The arguments are those of `Game`.
    """

    # Updates of the discriminator in a training step; given by `GAN`.
    discriminator_steps: int

    @plain_errors()
    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        validation_data: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> keras.callbacks.History:
        """Trains the model; as `keras.Model.fit`, but for what is said here.

        Args:
            x: A `tfgans.data.Source`; an array [num_examples, ...]: floats, images in [-1, 1], or
                uint8; or a `tf.data.Dataset` of batches. One training step takes
                `discriminator_steps` batches. Of a source or an array they are a function of its
                seed (for an array `seed`) and `step`: training resumes where it was. A dataset of
                known length is repeated.
            y: Of a conditional model with an array: ints [num_examples], the classes. A dataset
                then holds pairs (examples, labels). Else None.
            batch_size: Int, examples in one update, of all replicas together; for sources and
                arrays. Default: 32.
            epochs: Int, the epoch to stop at.
            verbose: "auto", 0, 1 or 2.
            callbacks: List of `keras.callbacks.Callback`.
            validation_data: Array or dataset of examples, for `evaluate` after an epoch; of a
                conditional model a pair of arrays, or a dataset of pairs.
            initial_epoch: Int, the epoch to begin at.
            steps_per_epoch: Int, training steps in an epoch. Default: one pass over the data.
            validation_steps: Int, batches of an evaluation. Default: all.
            validation_batch_size: Int, for an array. Default: `batch_size`.
            validation_freq: Int, epochs between evaluations.

        Raises:
            ValueError: If the data does not fit the networks, or its first batch is not finite.
        """
        checks.positive_int("epochs", epochs)
        dataset, steps = inputs.training_dataset(
            x,
            y,
            batch_size=batch_size,
            discriminator_steps=self.discriminator_steps,
            data_shape=self.data_shape,
            num_classes=self.num_classes,
            seed=self.seed,
            start_step=self.step,
            steps_per_epoch=steps_per_epoch,
            steps_per_execution=self.steps_per_execution,
            check_batch=self.check_batch,
            strategy=self.distribute_strategy,
        )
        held_out_size = None if batch_size is None else batch_size // self.accumulate_steps
        if validation_data is not None:
            held_out, labels = self._evaluation_data(validation_data, None, validation_steps)
            validation_data = held_out if labels is None else (held_out, labels)
        with state.steady_rounding():
            return super().fit(
                dataset,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                shuffle=False,  # The dataset has its order; Keras would warn of shuffling it.
                validation_data=validation_data,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps,
                validation_steps=validation_steps,
                validation_batch_size=validation_batch_size or held_out_size,
                validation_freq=validation_freq,
            )

    @plain_errors()
    def evaluate(self, x: Any = None, y: Any = None, **options: Any) -> Any:
        """Returns the logs' values on held-out examples, without training; see `test_step`.

        Args:
            x: Array or dataset of examples, as for `fit`.
            y: The labels of an array, as for `fit`.
            **options: Those of `keras.Model.evaluate` (`batch_size`, `steps`, `return_dict`, ...).

        Raises:
            ValueError: If the data does not fit, is endless and `steps` is not given, or an option
                is not known.
        """
        # `fit` has already checked the data that it evaluates on.
        if not options.get("_use_cached_eval_dataset"):
            x, y = self._evaluation_data(x, y, options.get("steps"))
        return super().evaluate(x, y, **options)

    def check_batch(self, num: int) -> bool:
        """Returns whether all batches of `fit` should be of one size, which they are then cut to.

        Raises:
            ValueError: If an update cannot have `num` examples: they are shared out among the
                replicas, `accumulate_steps` parts and a mixture's components.
        """
        return mixing.check_batch(
            num,
            self.generator,
            self.discriminator,
            num_replicas=self.distribute_strategy.num_replicas_in_sync,
            parts=self.accumulate_steps,
        )

    def _evaluation_data(self, x: Any, y: Any, steps: int | None) -> tuple[Any, Any]:
        return inputs.evaluation_data(
            x, y, data_shape=self.data_shape, num_classes=self.num_classes, steps=steps
        )
