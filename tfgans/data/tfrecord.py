"""Encoded images of TFRecord files, read by TensorFlow once and by position afterwards."""

import io
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from tfgans.data import shards
from tfgans.data.image_store import ImageStore
from tfgans.data.load_options import LoadOptions

# A record is its length in 8 bytes, a checksum of it in 4, the data, and a checksum in 4.
_BEFORE, _AFTER = 12, 4
_IMAGE_KEYS = ("image", "image/encoded", "image_raw", "img", "jpeg", "png")
_LABEL_KEYS = ("label", "image/class/label", "labels", "class")


class TFRecordStore(ImageStore):
    """The encoded images in records of `tf.train.Example`.

    All records are read once, by `tf.data.TFRecordDataset`, which checks their checksums. Then
    each is found by its position.

    Args:
        pattern: Glob of the files.
        split: `"train"` (default), `"test"`, ...: if a file's name contains its split, as in
            `mnist-train.tfrecord-00000-of-00010`, the names of all files must, and the files of
            other splits are left out.
        image_key: Feature of the encoded image. Default: None, `image`, `image/encoded`, ...
        label_key: Feature of the label. Default: None, `label`, `image/class/label`, ...; no
            labels if there is none.

    Raises:
        ValueError: If there are no files, a file is damaged or compressed, a record has no such
            feature, or only some records have labels.
    """

    def __init__(
        self,
        pattern: str,
        *,
        split: str = "train",
        image_key: str | None = None,
        label_key: str | None = None,
    ) -> None:
        self._files = shards.find("tfrecord", pattern, split)
        self._image_key = ""
        file_numbers, offsets, lengths, labels = [], [], [], []
        for number, file in enumerate(self._files):
            offset = 0
            for index, record in enumerate(_records(file)):
                place = f"record {index} of {file}"
                example = _example(record, place)
                if not self._image_key:
                    features = example.features.feature
                    self._image_key = _key(features, image_key, _IMAGE_KEYS, "image_key", file)
                    has_labels = label_key is not None or any(
                        key in features for key in _LABEL_KEYS
                    )
                    if has_labels:
                        label_key = _key(features, label_key, _LABEL_KEYS, "label_key", file)
                self._image(example, place)
                if label_key is None:
                    _refuse_label(example, place)
                else:
                    labels.append(_label(example, label_key, place))
                file_numbers.append(number)
                offsets.append(offset + _BEFORE)
                lengths.append(len(record))
                offset += _BEFORE + len(record) + _AFTER
        if not lengths:
            raise ValueError(f"TFRecord files must hold a record. Received: {pattern} with none")
        self._file_numbers = np.asarray(file_numbers)
        self._offsets, self._lengths = np.asarray(offsets), np.asarray(lengths)
        super().__init__(
            pattern,
            shards.Names("record", self._files, self._file_numbers),
            labels=np.asarray(labels, np.int64) if labels else None,
        )

    def open(self, index: int) -> BinaryIO:
        """Returns the encoded image of a record."""
        file = self._files[self._file_numbers[index]]
        with file.open("rb") as opened:
            opened.seek(int(self._offsets[index]))
            record = opened.read(int(self._lengths[index]))
        place = self.names[index]
        return io.BytesIO(self._image(_example(record, place), place))

    def state(self) -> Hashable:
        """Returns the feature of the images, and the names, sizes and times of the files."""
        stats = [(str(file), file.stat()) for file in self._files]
        files = tuple((name, status.st_size, status.st_mtime_ns) for name, status in stats)
        return self._image_key, files

    def _image(self, example: tf.train.Example, place: str) -> bytes:
        features, key = example.features.feature, self._image_key
        # Reading a key that is absent would add it.
        values = [*features[key].bytes_list.value] if key in features else []
        if len(values) != 1:
            raise ValueError(
                f"A record must hold one encoded image in the feature {key!r}. "
                f"Received: {place} with the features "
                f"{_listed(features)} and {len(values)} byte strings there"
            )
        return values[0]


def open_tfrecord(pattern: str, options: LoadOptions) -> TFRecordStore:
    """Returns the store of `"tfrecord:GLOB"`."""
    return TFRecordStore(
        pattern,
        split=options.split,
        image_key=options.image_key,
        label_key=options.label_key,
    )


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
