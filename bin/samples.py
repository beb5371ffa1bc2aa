"""Samples of any origin from a folder or a file, for bin/evaluate.py."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

import tfgans

FLAGS = flags.FLAGS


def load(place: str, *, like: tfgans.data.Source) -> tuple[np.ndarray, dict[str, Any]]:
    """Returns samples and what a record should tell of them.

    Of a folder they are the images, cropped and resized to the shape of `like`; of a file its
    array.
    """
    path, notes = Path(place), {"path": place, "samples_resizing": "none"}
    if path.suffix not in (".npy", ".npz"):
        size = like.data_shape[:2] if len(like.data_shape) == 3 else None
        folder: Any = tfgans.data.load(
            f"folder:{place}",
            image_size=size,
            skip_bad=FLAGS.skip_bad,
            cache="memory",
            follow_links=FLAGS.follow_links,
        )
        if size is not None:
            notes["samples_resizing"] = f"centre crop, then bicubic, to {size}"
        return folder.array, notes
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded, notes
            if len(loaded.files) != 1:
                raise ValueError(f"it holds {len(loaded.files)} arrays instead of one")
            return loaded[loaded.files[0]], notes
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no array of numbers: {error}") from error
