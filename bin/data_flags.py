"""Flags that name the real data, and the source they make."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

import tfgans

FLAGS = flags.FLAGS
flags.DEFINE_string("dataset", "digits", f"one of {', '.join(tfgans.data.NAMES)}")
flags.DEFINE_string("split", "train", "part of the dataset")
flags.DEFINE_list("image_size", None, "side, or height,width, that images are resized to")
flags.DEFINE_string("data_dir", None, "folder of tensorflow-datasets")
flags.DEFINE_bool("download", False, "whether an absent dataset may be downloaded")
flags.DEFINE_bool("skip_bad", False, "whether to leave out unreadable images of a folder")
flags.DEFINE_integer("seed", 0, "of the data, the first weights and the noise", lower_bound=0)

# What decides the numbers of a run: a resumed run must have the same.
DECISIVE = ("dataset", "split", "image_size", "seed")


def load_source() -> tfgans.data.Source:
    """Returns the source that the flags name."""
    sides = [int(side) for side in FLAGS.image_size or ()]
    if len(sides) > 2:
        raise ValueError(f"--image_size takes one side or two. Received: {sides}")
    return tfgans.data.load(
        FLAGS.dataset,
        split=FLAGS.split,
        image_size=None if not sides else sides[0] if len(sides) == 1 else (sides[0], sides[1]),
        data_dir=FLAGS.data_dir,
        download=FLAGS.download,
        seed=FLAGS.seed,
        skip_bad=FLAGS.skip_bad,
    )


def default_to(settings: Mapping[str, Any]) -> None:
    """Lets the settings of a run stand for the data flags that are not given."""
    for name in ("dataset", "image_size"):
        if not FLAGS[name].present and settings.get(name) is not None:
            FLAGS[name].value = settings[name]


def load_samples(place: str, like: tfgans.data.Source) -> np.ndarray:
    """Returns the images of a folder, at the size of `like`, or the array of a file."""
    path = Path(place)
    if path.suffix not in (".npy", ".npz"):
        size = like.data_shape[:2] if len(like.data_shape) == 3 else None
        folder: Any = tfgans.data.load(f"folder:{place}", image_size=size, skip_bad=FLAGS.skip_bad)
        return folder.array
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            if len(loaded.files) != 1:
                raise ValueError(f"it holds {len(loaded.files)} arrays instead of one")
            return loaded[loaded.files[0]]
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no array of numbers: {error}") from error
