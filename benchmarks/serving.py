"""Compares bin/serve.py with the same SavedModel called in this process.

benchmarks/serving.py --rounds=5

The model is an untrained DCGAN generator of 32x32x3 images. Server and client share the cores.
"""

import asyncio
import contextlib
import io
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import numpy as np
import tensorflow as tf
import timing
from absl import app, flags

import tfgans
from tfgans.serving.client.rest_format import NPY

FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 5, "number of alternated rounds", lower_bound=1)
flags.DEFINE_integer("clients", 64, "number of concurrent clients", lower_bound=1)
flags.DEFINE_integer(
    "requests",
    512,
    "single-row requests per round, over all clients",
    lower_bound=64,
)

SERVE = Path(__file__).parents[1] / "bin" / "serve.py"
LARGE = 64


def export(folder: Path) -> Path:
    """Returns the first version of an untrained generator."""
    networks = tfgans.networks
    generator = networks.dcgan_generator((32, 32, 3), latent_dim=64)
    gan = tfgans.NonSaturatingGAN(generator, networks.dcgan_discriminator((32, 32, 3)))
    gan.compile()
    return gan.export(folder / "images", verify=False)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """Runs bin/serve.py; yields the address for predictions."""
    command = [sys.executable, str(SERVE), f"--model_dir={folder}", "--port=0"]
    # The access log goes nowhere.
    with subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout is not None else ""
            address = re.search(r"http://\S+", line)
            if address is None:
                raise RuntimeError(f"the server did not start: it wrote {line!r}")
            yield f"{address[0]}v1/models/{folder.name}:predict"
        finally:
            process.terminate()


async def ask(
    session: aiohttp.ClientSession, address: str, signature: str, seeds: list[int]
) -> None:
    """Requests the samples of seeds and parses the reply: JSON, or arrays."""
    body = {"signature_name": signature, "inputs": {"seed": seeds}}
    async with session.post(address, json=body) as reply:
        content = await reply.read()
        if reply.content_type == NPY:
            stream = io.BytesIO(content)
            for _ in ("components", "images"):
                np.load(stream)
        else:
            json.loads(content)["outputs"]


async def load(
    address: str, signature: str, seeds: list[list[int]], clients: int, accept: str
) -> float:
    """Returns the seconds that `clients` take for all requests."""
    waiting = iter(seeds)

    async def client(session: aiohttp.ClientSession) -> None:
        for rows in waiting:
            await ask(session, address, signature, rows)

    connector = aiohttp.TCPConnector(limit=clients)
    headers = {"Accept": accept}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        started = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(clients)))
        return time.perf_counter() - started


def runners(version: Path, address: str) -> dict[str, Callable[[], timing.Cost]]:
    """Returns the functions to time, in seconds per row, by name."""
    signatures = tf.saved_model.load(str(version)).signatures
    single, large = FLAGS.requests, FLAGS.requests // LARGE

    def direct(signature: str, rows: int, calls: int) -> timing.Cost:
        seeds = tf.range(rows, dtype=tf.int64)
        cost = timing.time_calls(lambda: signatures[signature](seed=seeds), calls)
        return timing.Cost(cost.wall / rows, cost.cpu / rows)

    def served(
        signature: str, rows: int, calls: int, clients: int = 1, accept: str = "application/json"
    ) -> timing.Cost:
        seeds = [list(range(rows))] * calls
        wall = asyncio.run(load(address, signature, seeds, clients, accept)) / (calls * rows)
        return timing.Cost(wall, wall)

    return {
        "direct, 1 row a call": lambda: direct("sample", 1, single),
        f"direct, {LARGE} rows a call": lambda: direct("sample", LARGE, large),
        "served, 1 row, 1 client": lambda: served("sample", 1, single),
        f"served, 1 row, {FLAGS.clients} clients": lambda: served(
            "sample", 1, single, FLAGS.clients
        ),
        f"served, {LARGE} rows, 1 client": lambda: served("sample", LARGE, large),
        f"served, {LARGE} rows as arrays, 1 client": lambda: served(
            "sample", LARGE, large, accept=NPY
        ),
        f"served, {LARGE} rows as PNG, 1 client": lambda: served("sample_png", LARGE, large),
    }


def main(argv: list[str]) -> None:
    """Prints milliseconds per row, and speeds relative to the direct call of as many rows."""
    if len(argv) > 1:
        raise app.UsageError(f"Flags only. Received: {argv[1:]}")
    with tempfile.TemporaryDirectory() as folder:
        version = export(Path(folder))
        with server(version.parent) as address:
            costs = timing.alternate(runners(version, address), FLAGS.rounds)
    print(f"wall-clock: median (min..max) of {FLAGS.rounds} alternated rounds")
    for name, measured in costs.items():
        spread = timing.Spread.of([1000 * cost.wall for cost in measured])
        reference = costs[
            f"direct, {LARGE} rows a call" if f" {LARGE} rows" in name else "direct, 1 row a call"
        ]
        ratio = timing.speed_ratio(measured, reference, "wall")
        print(f"  {name:32} {spread} ms a row, {ratio} of the direct speed")


if __name__ == "__main__":
    app.run(main)
