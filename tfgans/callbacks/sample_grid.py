"""Pictures of generated samples during training."""

import os
import re
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfgans import checks, files, pictures, random
from tfgans import class_names as names
from tfgans.callbacks.callback import Callback, Logs
from tfgans.callbacks.source_checks import check_source
from tfgans.callbacks.step_interval import StepInterval
from tfgans.data import Source
from tfgans.random import ReservedStep

_NAME = re.compile(r"step-(?P<step>\d+)\.png")
# Rows of more classes would have few samples each.
_MAX_CLASSES = 16


class SampleGrid(Callback):
    """Writes a picture of the same latents at the beginning, every N steps and at the end.

    Images become a grid, vectors a scatter plot. The files are named `step-00000500.png`. A resumed
    run, which has earlier pictures, writes none at its beginning.

    A mixture of several components gets a row of images per component, with its weight at the left
    (for vectors: a color per component). Each component makes `num // num_components` examples, at
    least 1, of the same latents. A conditional model of up to 16 classes that is no mixture gets a
    row per class in the same way, with the name of the class.

    Args:
        directory: Folder of the pictures. Made if missing.
        num: Int of at least 1, examples in a picture. Default: 64.
        every_steps: Int of at least 1, training steps between pictures. Default: 500.
        seed: Int, decides the latents. Default: 0.
        log_dir: Folder of TensorBoard events, which then show the pictures too. Default: None.
        last_step: Int, the last step of a run that calls `fit` several times. Default: None, the
            step at which `fit` ends.
        class_names: List of strings, the names of the classes of a conditional model, as
            `source.class_names`. Default: None, numbers.
        augmented: `tfgans.data.Source` of real images, of which a second picture then shows how the
            model's augmentation changes them, `augmented-00000500.png`: the same images and draws
            in each, so only the probability of an adaptive augmentation makes a difference.
            Default: None.

    Raises:
        ValueError: If an argument is out of range. When training begins, if there is `augmented`
            and the model has no augmentation, or takes examples of another shape.

    Example:

    ```python
    grid = tfgans.callbacks.SampleGrid("runs/x/samples", every_steps=100)
    gan.fit(data, steps_per_epoch=1000, callbacks=[grid])
    ```
    """

    _transient = ("_events",)
    _events: tf.summary.SummaryWriter | None = None

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        num: int = 64,
        every_steps: int = 500,
        seed: int = 0,
        log_dir: str | os.PathLike[str] | None = None,
        last_step: int | None = None,
        class_names: Sequence[str] | None = None,
        augmented: Source | None = None,
    ) -> None:
        super().__init__()
        self.directory = files.path(directory)
        self.num = checks.positive_int("num", num)
        self.seed = checks.integer("seed", seed)
        self.log_dir = log_dir if log_dir is None else files.path(log_dir)
        if last_step is not None:
            checks.int_at_least("last_step", last_step, 0)
        self.last_step = last_step
        self.class_names = class_names
        if augmented is not None:
            checks.instance("augmented", augmented, Source, "tfgans.data.load('digits')")
        self.augmented = augmented
        self._interval = StepInterval(every_steps)
        self.every_steps = self._interval.steps
        self._written: int | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Writes the first picture."""
        if self.augmented is not None:
            check_source("augmented", self.augmented, self.model)
        self._interval.begin(self.model.step)
        if self._written is not None and self._written > self.model.step:
            self._written = None  # The model was rolled back.
        if self.log_dir is not None:
            self._events = tf.summary.create_file_writer(os.fspath(self.log_dir))
        # A resumed run leaves the same pictures as an uninterrupted run.
        earlier = (_NAME.fullmatch(path.name) for path in self.directory.glob("step-*"))
        if not any(match and int(match["step"]) < self.model.step for match in earlier):
            self._write()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Writes a picture when it is due."""
        if self._interval.due(self.model.step):
            self._write()

    def on_train_end(self, logs: Logs = None) -> None:
        """Writes the last picture."""
        if self.last_step in (None, self.model.step):
            self._write()
        if self._events is not None:
            self._events.close()

    def _write(self) -> None:
        step = self.model.step
        if step == self._written:
            return
        pixels = self._picture()
        pictures.write_png(self.directory / f"step-{step:08d}.png", pixels)
        drawn = {"samples": pixels}
        if self.augmented is not None:
            drawn["augmented"] = self._augmented_picture(self.augmented)
            pictures.write_png(self.directory / f"augmented-{step:08d}.png", drawn["augmented"])
        if self._events is not None:
            with self._events.as_default():
                for name, image in drawn.items():
                    tf.summary.image(name, image[tf.newaxis], step=step)
        self._written = step

    def _augmented_picture(self, source: Source) -> np.ndarray:
        """Returns the same real images with the same draws at every step."""
        if self.model.augmentation is None:
            raise ValueError(
                "`augmented` shows real images after the augmentation. Received: a model without. "
                "Pass `augmentation` to the model, or leave `augmented` out"
            )
        images = next(iter(source.batches(min(self.num, source.num_examples or self.num))))
        key = random.key(self.seed, ReservedStep.SHOWN_EXAMPLES)
        return pictures.picture(np.clip(self.model.augmentation(images, key), -1.0, 1.0))

    def _picture(self) -> np.ndarray:
        sampler, num_classes = self.model.sampler, self.model.num_classes
        if sampler.num_components > 1:
            num = max(1, self.num // sampler.num_components)
            rows = [
                self.model.sample(num, seed=self.seed, component=component)
                for component in range(sampler.num_components)
            ]
            return pictures.component_rows(np.stack(rows), sampler.component_weights().numpy())
        if num_classes is not None and num_classes <= _MAX_CLASSES:
            num = max(1, self.num // num_classes)
            rows = [
                self.model.sample(num, seed=self.seed, labels=label) for label in range(num_classes)
            ]
            return pictures.class_rows(
                np.concatenate(rows),
                np.repeat(np.arange(num_classes), num),
                names.fill(num_classes, self.class_names),
            )
        return pictures.picture(self.model.sample(self.num, seed=self.seed))
