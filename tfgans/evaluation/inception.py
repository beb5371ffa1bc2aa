"""The Inception network of 2015, on which FID, IS and KID are defined."""

import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfgans import files
from tfgans.evaluation.extractors import Extractor, Features

TFHUB_URL = "https://tfhub.dev/tensorflow/tfgan/eval/inception/1"
_SIDE, _DIM = 299, 2048
# Nodes of both frozen graphs in use: `classify_image_graph_def.pb` and TF-GAN's module.
_INPUT, _POOL, _WEIGHTS = "Mul", "pool_3", "softmax/logits/MatMul"

_Network = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def inception_2015(
    path_or_url: str | os.PathLike[str] = TFHUB_URL, *, sha256: str | None = None
) -> Extractor:
    """Returns the extractor of FID, IS and KID: `pool_3` [num, 2048] of the 2015 network.

    Only numbers through this network have these names. Images of any size are resized to 299 x 299
    as in its graph, bilinear without antialiasing and with TensorFlow 1's corners; gray images are
    repeated over three channels. To check that it is the right network, compute the Inception score
    of CIFAR-10's training set: it is 11.24 with a spread of 0.12 over ten splits (Salimans et al.
    2016). Nothing is downloaded.

    Args:
        path_or_url: String or path:
            - the address of TF-GAN's module on TF-Hub, the default: the module must lie in the
              folder `TFHUB_CACHE_DIR`, where `tensorflow_hub` keeps it;
            - a folder with `saved_model.pb`, that module unpacked;
            - the frozen graph of 2015-12-05, `classify_image_graph_def.pb` (from
              `inception-2015-12-05.tgz`), with `sha256`.
        sha256: String, the expected SHA-256 of the frozen graph, or of all files of a folder (an
            error that refuses it shows the present one). It is required for a frozen graph, since
            a graph is a program. Default: None.

    Raises:
        ValueError: If the file is missing (the error says where to put it), its checksum differs,
            or it lacks parts of the network.

    Reference: Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local
    Nash Equilibrium"; Salimans et al. 2016, "Improved Techniques for Training GANs".
    """
    address = os.fspath(path_or_url)
    is_url = address.startswith(("http://", "https://"))
    path = _hub_folder(address) if is_url else files.path(address)
    file = path / "saved_model.pb" if path.is_dir() else path
    if not file.exists():
        raise ValueError(_missing(address, path))
    if is_url and path.stat().st_uid not in (0, os.getuid()):
        # By default the folder is in /tmp, where every user may write.
        raise ValueError(f"{path} belongs to another user, and a SavedModel is a program. Copy it")
    checksum = _checksum_of(path)
    if sha256 is not None and sha256.lower() != checksum:
        raise ValueError(
            f"{path} must have the SHA-256 {sha256}. Received: {checksum}. Download it again"
        )
    if sha256 is None and not path.is_dir():
        raise ValueError(
            f"A frozen graph is read only with its checksum, `sha256=`. {file} has {checksum}: "
            "pass that if you trust the file"
        )
    return _Inception(path, checksum)


def _checksum_of(path: Path) -> str:
    """Returns the SHA-256 of a frozen graph, or of a folder with all weights."""
    return files.sha256_of_folder(path) if path.is_dir() else files.sha256(path)


class _Inception(Extractor):
    """See `inception_2015`; a copy reads the network again."""

    is_inception_2015 = True
    _transient = ("_network", "_outputs")

    def __init__(self, path: Path, checksum: str) -> None:
        resizing = f"({_SIDE}, {_SIDE}), bilinear, not antialiased, TensorFlow 1 corners"
        super().__init__("inception_2015", checksum=checksum, resizing=resizing)
        self._path = path.absolute()
        self._network  # noqa: B018 (reads the file, and raises its errors here)

    @functools.cached_property
    def _network(self) -> _Network:
        checksum = _checksum_of(self._path)
        if checksum != self.checksum:
            raise ValueError(
                f"{self._path} must have the SHA-256 {self.checksum}. Received: {checksum}. The "
                "network was replaced after the extractor was made"
            )
        read = _from_saved_model if self._path.is_dir() else _from_frozen_graph
        return read(self._path)

    @functools.cached_property
    def _outputs(self) -> _Network:
        return tf.function(self._compute, autograph=False, reduce_retracing=True)

    def _compute(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        resized = tf.compat.v1.image.resize_bilinear(images, [_SIDE, _SIDE])
        # As TF-GAN and the authors of the FID feed it: pixels x as (x - 128) / 128.
        pool, logits = self._network(((resized + 1.0) * 127.5 - 128.0) / 128.0)
        return tf.reshape(pool, [tf.shape(images)[0], -1]), tf.nn.softmax(logits)

    def extract(self, examples: np.ndarray) -> Features:
        """Returns `pool_3` and the probabilities."""
        if examples.ndim != 4 or examples.shape[-1] not in (1, 3):
            raise ValueError(
                "`inception_2015` takes images [num, height, width, 1 or 3]. Received shape: "
                f"{examples.shape}"
            )
        color = np.broadcast_to(examples, (*examples.shape[:3], 3))
        return Features(*(output.numpy() for output in self._outputs(tf.constant(color))))


def _from_saved_model(path: Path) -> _Network:
    module = tf.saved_model.load(os.fspath(path))

    def network(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        outputs = module(images)
        return outputs["pool_3"], outputs["logits"]

    try:
        spec = tf.function(network).get_concrete_function(tf.TensorSpec([None, _SIDE, _SIDE, 3]))
        depths = [output.shape[-1] for output in spec.structured_outputs]
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is not TF-GAN's Inception module: {error}") from error
    if depths[0] not in (_DIM, None):
        raise ValueError(f"{path} must give `pool_3` of {_DIM} features. Received: {depths[0]}")
    return network


def _from_frozen_graph(path: Path) -> _Network:
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(path.read_bytes())
    except Exception as error:
        raise ValueError(f"{path} is not a frozen graph: {error}") from error
    names = {node.name for node in definition.node}
    missing = sorted({_INPUT, _POOL, _WEIGHTS} - names)
    if missing:
        raise ValueError(
            f"{path} must have the nodes of the 2015 network. Received a graph without: "
            f"{', '.join(missing)}"
        )
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
    graph = wrapped.graph
    kernel = graph.get_operation_by_name(_WEIGHTS).inputs[1]
    pruned = wrapped.prune(f"{_INPUT}:0", [f"{_POOL}:0", kernel])

    def network(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pool, weights = pruned(images)
        # Without the bias, as in the authors' code of the Inception score.
        return pool, tf.reshape(pool, [tf.shape(images)[0], -1]) @ weights

    return network


def _hub_folder(url: str) -> Path:
    """Returns where `tensorflow_hub` keeps a module."""
    cache = os.environ.get("TFHUB_CACHE_DIR") or os.path.join(
        tempfile.gettempdir(), "tfhub_modules"
    )
    return Path(cache) / hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()


def _missing(address: str, path: Path) -> str:
    return (
        f"The Inception network of 2015 is not there: {path} is missing. Unpack TF-GAN's module "
        f"{TFHUB_URL} into {_hub_folder(TFHUB_URL)} (TFHUB_CACHE_DIR names the folder above), or "
        "pass the path of classify_image_graph_def.pb from inception-2015-12-05.tgz with its "
        f"checksum. Received: {address}"
    )
