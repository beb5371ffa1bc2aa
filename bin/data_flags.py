"""Flags that name the real data, and the source they make."""

from collections.abc import Mapping
from typing import Any

from absl import flags

import tfgans

FLAGS = flags.FLAGS
flags.DEFINE_string("dataset", "digits", f"one of {', '.join(tfgans.data.NAMES)}")
flags.DEFINE_string("split", "train", "part of the dataset")
flags.DEFINE_list("image_size", None, "side, or height,width, that images are resized to")
flags.DEFINE_string("data_dir", None, "folder of tensorflow-datasets")
flags.DEFINE_bool("download", False, "whether an absent dataset may be downloaded")
flags.DEFINE_bool("skip_bad", False, "whether to leave out unreadable images of a folder")
flags.DEFINE_enum(
    "cache",
    "auto",
    ["auto", "memory", "disk", "none"],
    "where decoded images of a folder are held; auto: the first that has room",
)
flags.DEFINE_string(
    "cache_dir",
    None,
    "folder of images on disk; default: $TFGANS_CACHE_DIR or ~/.cache/tfgans/folders",
)
flags.DEFINE_bool("follow_links", False, "whether links may lead out of a folder of images")
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
        cache=FLAGS.cache,
        cache_dir=FLAGS.cache_dir,
        follow_links=FLAGS.follow_links,
    )


def load_source_of(settings: Mapping[str, Any]) -> tfgans.data.Source:
    """Returns the source that the flags name; of those not given, the run's settings decide."""
    own = not FLAGS["dataset"].present
    if own and "dataset" not in settings:
        raise ValueError(
            f"The run was not started by bin/train.py, so its data ({settings.get('source')}) are "
            "not known by name. Say what to measure against: --dataset"
        )
    for name in ("dataset", "image_size", "split") if own else ():
        if not FLAGS[name].present and settings.get(name) is not None:
            FLAGS[name].value = settings[name]
    source = load_source()
    if own and not FLAGS["split"].present and source.num_examples != settings.get("num_examples"):
        raise ValueError(
            f"{source.name!r} has {source.num_examples} examples, and the run was trained on "
            f"{settings.get('num_examples')}: the data have changed. Name them by --dataset to "
            "measure against what there is now"
        )
    return source
