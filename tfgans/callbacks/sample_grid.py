"""Pictures of what the generator makes, while it learns."""

import os
import re
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans import checks, files, pictures
from tfgans.callbacks.callback import Callback
from tfgans.callbacks.every import Every

_NAME = re.compile(r"step-(?P<step>\d+)\.png")
# More would be rows of few samples each.
_MOST_CLASSES = 16


class SampleGrid(Callback):
    """Writes a picture of the same latents at the beginning, every N steps and at the end.

    The beginning is that of the run: there is none where training goes on after earlier pictures.
    Images become a grid, vectors a scatter plot. Of a mixture of several components each makes
    its own `num // num_components` examples (one at least) of the same latents, whatever its
    weight: images in a row a component with its weight at the left, vectors in a colour each. A
    conditional model of up to 16 classes makes `num // num_classes` examples of each class in the
    same way, unless it is a mixture.
    Files are `step-00000500.png`.

    Args:
        directory: Folder of the pictures; made if missing.
        num: Int, examples in a picture. Default: 64.
        every_steps: Int, training steps between pictures. Default: 500.
        seed: Int, which latents. Default: 0.
        log_dir: Folder of TensorBoard events, where the pictures are shown too. Default: None.
        last_step: Int, the step that is the end, where one run is several calls of `fit`. Default:
            None, wherever `fit` ends.
    """

    _left_out = ("_events",)
    _events: Any = None

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        num: int = 64,
        every_steps: int = 500,
        seed: int = 0,
        log_dir: str | os.PathLike[str] | None = None,
        last_step: int | None = None,
    ) -> None:
        super().__init__()
        self.directory = files.path(directory)
        self.num = checks.positive_int("num", num)
        self.seed = checks.integer("seed", seed)
        self.log_dir = log_dir if log_dir is None else files.path(log_dir)
        self.last_step = last_step
        self.every_steps = checks.positive_int("every_steps", every_steps)
        self._every = Every(self.every_steps)
        self._written: int | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Writes the first picture."""
        self._every.begin(self.model.step)
        if self._written is not None and self._written > self.model.step:
            self._written = None  # The model was rolled back.
        if self.log_dir is not None:
            self._events = tf.summary.create_file_writer(os.fspath(self.log_dir))
        # Training that goes on leaves no more pictures than one that was never stopped.
        earlier = (_NAME.fullmatch(path.name) for path in self.directory.glob("step-*"))
        if not any(match and int(match["step"]) < self.model.step for match in earlier):
            self._write()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Writes a picture when one is due."""
        if self._every.due(self.model.step):
            self._write()

    def on_train_end(self, logs: Any = None) -> None:
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
        if self._events is not None:
            with self._events.as_default():
                tf.summary.image("samples", pixels[tf.newaxis], step=step)
        self._written = step

    def _picture(self) -> np.ndarray:
        sampler, classes = self.model.sampler, self.model.num_classes
        if sampler.num_components > 1:
            rows = self._rows("component", sampler.num_components)
            return pictures.component_rows(rows, sampler.component_weights().numpy())
        if classes is not None and classes <= _MOST_CLASSES:
            return pictures.titled_rows(self._rows("labels", classes), [*map(str, range(classes))])
        return pictures.picture(self.model.sample(self.num, seed=self.seed))

    def _rows(self, option: str, count: int) -> np.ndarray:
        """Returns samples [count, num // count, ...] of the same latents, a row an option."""
        num = max(1, self.num // count)
        rows = [self.model.sample(num, seed=self.seed, **{option: index}) for index in range(count)]
        return np.stack(rows)
