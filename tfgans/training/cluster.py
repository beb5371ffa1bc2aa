"""The devices and machines that a run trains on, and agreement between its processes."""

import contextlib
import json
import os
import re
from collections.abc import Iterator

import tensorflow as tf

from tfgans import checks, replicas

STRATEGIES = ("default", "mirrored", "multi_worker")
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
# Other errors whose text shows that another process was lost.
_UNREACHABLE = re.compile(r"recvmsg|[Cc]onnection (reset|refused|closed)|Socket closed|heartbeat")
_TASK = re.compile(r"/job:(?P<kind>\w+)/(?:replica:\d+/)?task:(?P<index>\d+)")


class WorkerLost(ConnectionError):  # noqa: N818 (named like `ConnectionError`'s own kinds)
    """Another process of the cluster is gone, and this process cannot train without it."""


def make_strategy(name: str, *, num_replicas: int | None = None) -> tf.distribute.Strategy:
    """Returns the `tf.distribute` strategy in whose scope a model is built and compiled.

    The batch of a run is global: each replica trains on its equal share of it, and the gradients
    are summed. Call this first: TensorFlow must not have run an operation yet.

    Args:
        name: "default", a single device; "mirrored", the devices of this machine; "multi_worker",
            this machine's part of the cluster in the environment variable `TF_CONFIG`.
        num_replicas: Int, with "mirrored" the number of devices. Default: all GPUs. Without a GPU
            the CPU is divided, to try it out.

    Raises:
        ValueError: If the name is unknown, there are not so many devices, or `TF_CONFIG` is missing
            or no cluster.
        WorkerLost: If TensorFlow cannot start its server, or reach those of the other workers.
    """
    checks.choice("strategy", name, STRATEGIES)
    if num_replicas is not None and name != "mirrored":
        raise ValueError(
            f"`num_replicas` goes with strategy='mirrored'. Received: strategy={name!r}, "
            f"num_replicas={num_replicas}. Leave it out"
        )
    if name == "default":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return _mirrored(num_replicas)
    _check_tf_config()
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise ValueError(
            "A 'multi_worker' strategy must be made before TensorFlow runs anything. Make it first"
        ) from error
    except tf.errors.OpError as error:
        raise WorkerLost(
            "The cluster cannot be started: another worker cannot be reached, or the port of this "
            f"worker in TF_CONFIG is taken. Received: {error.message.splitlines()[0]}"
        ) from error


def _mirrored(num_replicas: int | None) -> tf.distribute.Strategy:
    gpus = tf.config.list_physical_devices("GPU")
    usual = max(1, len(gpus))
    count = checks.positive_int("num_replicas", usual if num_replicas is None else num_replicas)
    if gpus and count > len(gpus):
        raise ValueError(
            f"`num_replicas` must be at most the number of GPUs, {len(gpus)}. Received: {count}"
        )
    if gpus:
        return tf.distribute.MirroredStrategy([f"GPU:{index}" for index in range(count)])
    cpu = tf.config.list_physical_devices("CPU")[0]
    if len(tf.config.get_logical_device_configuration(cpu) or [None]) < count:
        parts = [tf.config.LogicalDeviceConfiguration()] * count
        try:
            tf.config.set_logical_device_configuration(cpu, parts)
        except RuntimeError as error:
            raise ValueError(
                "The CPU must be divided before TensorFlow runs anything. Make the strategy first"
            ) from error
    # Sums in the same order each time, to the same bits.
    reduction = tf.distribute.ReductionToOneDevice()
    devices = [f"CPU:{index}" for index in range(count)]
    return tf.distribute.MirroredStrategy(devices, cross_device_ops=reduction)


def _check_tf_config() -> None:
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text or "null")
        cluster, task = config["cluster"], config["task"]
        workers = [*cluster.get("chief", ()), *cluster.get("worker", ())]
        address = cluster[task["type"]][task["index"]]
        if not set(cluster) <= {"chief", "worker"} or address not in workers:
            raise ValueError("only chief and worker train")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(
            "A 'multi_worker' strategy needs TF_CONFIG in the environment, as TensorFlow defines "
            'it: {"cluster": {"worker": ["host0:port", "host1:port"]}, "task": {"type": "worker", '
            f'"index": 0}}}}. Received: {text[:200] or "nothing"}. To try it on this machine, use '
            "`tfgans launch`"
        ) from error


class Cluster:
    """The processes that train a model together; often a single process.

    Args:
        strategy: The model's `distribute_strategy`.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        resolver = getattr(strategy, "cluster_resolver", None)
        self._addresses: dict[str, list[str]] = (
            {} if resolver is None else resolver.cluster_spec().as_dict()
        )
        self._task = None if resolver is None else (resolver.task_type, resolver.task_id)

    @property
    def num_workers(self) -> int:
        """The number of processes."""
        return replicas.num_workers(self._strategy)

    @property
    def is_chief(self) -> bool:
        """Whether this process writes files, measures and draws for all."""
        kind = "chief" if "chief" in self._addresses else "worker"
        return not self._addresses or self._task == (kind, 0)

    def sum_over_workers(self, value: float) -> float:
        """Returns the sum of the values of all processes; each waits here for the others."""
        if self.num_workers == 1:
            return float(value)
        local = self._strategy.num_replicas_in_sync // self.num_workers
        return float(self._summed(tf.constant(value, tf.float64))) / local

    def wait(self) -> None:
        """Waits until all processes have called this."""
        self.sum_over_workers(0.0)

    @tf.function(autograph=False)
    def _summed(self, value: tf.Tensor) -> tf.Tensor:
        copies = self._strategy.run(tf.identity, args=(value,))
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, copies, axis=None)

    @contextlib.contextmanager
    def translate_worker_errors(self) -> Iterator[None]:
        """Turns TensorFlow's error about a lost process into `WorkerLost`, which names it."""
        try:
            yield
        except tf.errors.OpError as error:
            lost = isinstance(error, _LOST) or _UNREACHABLE.search(str(error))
            if self.num_workers == 1 or not lost:
                raise
            raise WorkerLost(
                f"{self._name_of_lost(str(error))} of the cluster has ended or cannot be reached, "
                "so this worker stops. Give all workers the same command again: they continue from "
                "the last backup"
            ) from error

    def _name_of_lost(self, text: str) -> str:
        others = [
            (kind, index)
            for kind, addresses in self._addresses.items()
            for index in range(len(addresses))
            if (kind, index) != self._task
        ]
        named = [(match["kind"], int(match["index"])) for match in _TASK.finditer(text)]
        lost = others if len(others) == 1 else [worker for worker in others if worker in named]
        names = [f"{kind} {index} ({self._addresses[kind][index]})" for kind, index in lost]
        return " or ".join(names) or "Another worker"
