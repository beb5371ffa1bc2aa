"""Flags of the devices and machines that a run trains on."""

import contextlib
from collections.abc import Iterator

from tfgans.cli.parser import Parser

STRATEGIES = ("default", "mirrored", "multi_worker")


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Devices")
    group.choice(
        "strategy",
        "default",
        STRATEGIES,
        "a single device, those of this machine, or those of all machines in TF_CONFIG; "
        "--batch_size counts the examples of all of them together",
    )
    group.integer(
        "num_replicas",
        None,
        "mirrored: number of devices; default: all GPUs; without a GPU the CPU is divided",
        at_least=1,
    )


@contextlib.contextmanager
def scope(parser: Parser) -> Iterator[None]:
    """Opens the scope of the strategy, before TensorFlow runs anything."""
    from tfgans import training
    from tfgans.training.cluster import Cluster

    values = parser.values
    strategy = training.make_strategy(values.strategy, num_replicas=values.num_replicas)
    with Cluster(strategy).translate_worker_errors(), strategy.scope():
        yield
