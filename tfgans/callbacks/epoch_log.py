"""Keras's CSV file of the logs of the epochs, without columns that stay empty."""

import csv
from pathlib import Path

import keras

from tfgans.callbacks.callback import Logs


class EpochLog(keras.callbacks.CSVLogger):
    """Writes a row for each epoch, with the columns of the logs of the first.

    `CSVLogger` adds an empty column `val_NAME` for each log if the first epoch has no validation.
    When it continues a file, it writes the logs of its next epoch under the old header, whatever
    columns that has. Here a row always has the columns of the header.

    Args:
        path: The CSV file, which is continued if it exists.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), append=True)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Opens the file, and reads the header if there is one."""
        super().on_train_begin(logs)
        with Path(self.filename).open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file), None)
        if header is not None:
            self.keys = header[1:]

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Writes a row."""
        if not self.keys:
            self.keys = sorted(logs or {})
        super().on_epoch_end(epoch, logs)
