"""Encoded images of TFRecord files, read by TensorFlow once and by position afterwards."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError

from tfgans.data import shards
from tfgans.data.load_options import LoadOptions
from tfgans.data.shards import ShardStore, Span

# A record is its length in 8 bytes, a checksum of it in 4, the data, and a checksum in 4.
_BEFORE, _AFTER = 12, 4
_IMAGE_KEYS = ("image", "image/encoded", "image_raw", "img", "jpeg", "png")
_LABEL_KEYS = ("label", "image/class/label", "labels", "class")


class TFRecordStore(ShardStore):
    """The encoded images in records of `tf.train.Example`.

    All records are read once, by `tf.data.TFRecordDataset`, which checks their checksums. Then
    each image is found by its position.

    Args:
        pattern: Glob of the files, see `shards.find`.
        options: The split, and `image_key` and `label_key`, the features of the image and the
            label. Default of None: `image`, `image/encoded`, ..., and `label`,
            `image/class/label`, ..., no labels if there is none.

    Raises:
        ValueError: If there are no files, a file is damaged or compressed, a record has no such
            feature, or only some records have labels.
    """

    def __init__(self, pattern: str, options: LoadOptions) -> None:
        files = shards.find("tfrecord", pattern, options.split)
        image_key, label_key = "", options.label_key
        spans, labels = [], []
        for number, file in enumerate(files):
            offset = 0
            for index, record in enumerate(_records(file)):
                place = f"record {index} of {file}"
                example = _example(record, place)
                if not image_key:
                    features = example.features.feature
                    image_key = _key(features, options.image_key, _IMAGE_KEYS, "image_key", file)
                    if label_key is not None or any(key in features for key in _LABEL_KEYS):
                        label_key = _key(features, label_key, _LABEL_KEYS, "label_key", file)
                image = _image(example, image_key, place)
                if label_key is None:
                    _refuse_label(example, place)
                else:
                    labels.append(_label(example, label_key, place))
                spans.append(Span(number, offset + _BEFORE + record.index(image), len(image)))
                offset += _BEFORE + len(record) + _AFTER
        if not spans:
            raise ValueError(f"TFRecord files must hold a record. Received: {pattern} with none")
        super().__init__(pattern, "record", files, spans, labels=labels)


def _records(file: Path) -> Iterator[bytes]:
    try:
        yield from tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        raise ValueError(
            f"A TFRecord file must be whole. Received: {file} ({error.message.splitlines()[0]}). "
            "Copy it again"
        ) from error


def _example(record: bytes, place: str) -> tf.train.Example:
    try:
        return tf.train.Example.FromString(record)
    except DecodeError as error:
        raise ValueError(
            f"Records must be of `tf.train.Example`. Received: {place} with other data ({error})"
        ) from error


def _key(
    features: Mapping[str, tf.train.Feature],
    key: str | None,
    candidates: Sequence[str],
    option: str,
    file: Path,
) -> str:
    if key is None:
        key = next((name for name in candidates if name in features), None)
    if key is None or key not in features:
        raise ValueError(
            f"`{option}` must be a feature of the records. Received: {key!r} with "
            f"{file}, whose features are {_listed(features)}"
        )
    return key


def _image(example: tf.train.Example, key: str, place: str) -> bytes:
    features = example.features.feature
    # Reading a key that is absent would add it.
    values = [*features[key].bytes_list.value] if key in features else []
    if len(values) != 1:
        raise ValueError(
            f"A record must hold one encoded image in the feature {key!r}. Received: {place} with "
            f"the features {_listed(features)} and {len(values)} byte strings there"
        )
    return values[0]


def _label(example: tf.train.Example, key: str, place: str) -> int:
    values = example.features.feature[key].int64_list.value
    if len(values) != 1:
        raise ValueError(
            f"A record must hold one integer label in the feature {key!r}. Received: {place} with "
            f"{len(values)} there. Name another by `label_key`"
        )
    return values[0]


def _refuse_label(example: tf.train.Example, place: str) -> None:
    """Raises ValueError if a record has a label, though the first of all records has none."""
    key = next((key for key in _LABEL_KEYS if key in example.features.feature), None)
    if key is not None:
        raise ValueError(
            f"All records must hold a label, or none. Received: {place} with the feature {key!r}, "
            "and a first record without. Write the labels of all records"
        )


def _listed(features: Mapping[str, tf.train.Feature]) -> str:
    return ", ".join(sorted(features)) or "none"
