"""Labels in StyleGAN's file `dataset.json`: `{"labels": [["00000/img00000000.png", 6], ...]}`."""

import json
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfgans import checks
from tfgans.data import unreadable

NAME = "dataset.json"
_MAX_BYTES = 2**30


def read_labels(
    read: Callable[[], bytes], names: Sequence[str], *, num_bytes: int, place: str
) -> np.ndarray | None:
    """Returns the labels of images, or None if the file says that there are none.

    Args:
        read: Function that returns the content of the file.
        names: Paths of the images, relative to the folder of the file.
        num_bytes: Size of the file.
        place: The path of the file, for errors.

    Raises:
        ValueError: If the file is damaged or of another form, or an image has no label.
    """
    if num_bytes > _MAX_BYTES:
        raise ValueError(f"{place} may have 1 GB at most. Received: {num_bytes} bytes. Remove it")
    try:
        content: Any = json.loads(read())
        pairs = content["labels"]
        labels = None if pairs is None else dict(pairs)
    except (*unreadable.ERRORS, zipfile.BadZipFile, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f'{place} must hold {{"labels": [["name", class], ...]}} or {{"labels": null}}, as '
            f"StyleGAN's. Received: {error!r}. Rename it if it is something else"
        ) from error
    if labels is None:
        return None
    absent = [name for name in names if name not in labels]
    if absent:
        raise ValueError(
            f"{place} must hold a label for each image. Received: none for {len(absent)}, such as "
            f"{absent[0]}"
        )
    values = [labels[name] for name in names]
    other = next((value for value in values if type(value) is not int), None)
    if other is not None:
        raise ValueError(f"The labels in {place} must be integers. Received: {checks.short(other)}")
    return np.asarray(values)
