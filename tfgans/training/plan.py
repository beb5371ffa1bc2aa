"""What a run will do, said before it does it."""

import os
from collections.abc import Mapping
from typing import Any

from tfgans.callbacks import Backup
from tfgans.data import Source
from tfgans.gan import GAN
from tfgans.players import Player
from tfgans.training import memory
from tfgans.training.directory import RunDirectory
from tfgans.training.settings import check_sizes, describe


def plan(
    gan: GAN,
    source: Source,
    *,
    run_dir: str | os.PathLike[str],
    steps: int,
    batch_size: int,
    epoch_steps: int = 100,
    settings: Mapping[str, Any] | None = None,
    resume: bool = True,
) -> str:
    """Returns a table of the data, the networks, the memory and the steps of a run.

    It refuses what `train` would refuse with the same arguments, and what does not fit into memory
    by the estimate of `memory.estimate`; it writes nothing.
    """
    check_sizes(gan, source, steps=steps, batch_size=batch_size, epoch_steps=epoch_steps)
    described = describe(gan, source, batch_size=batch_size, given=settings)
    run = RunDirectory(run_dir)
    run.check(described, resume=resume)
    done = Backup(run.backups).newest_step() or 0
    if done > steps:
        raise ValueError(
            f"{run.path} has done {done} steps already. Received: steps={steps}. Ask for more"
        )
    needed = memory.refuse_too_large(gan, source, batch_size=batch_size)
    examples = "endless" if source.num_examples is None else f"{source.num_examples} examples"
    seen = steps * batch_size * gan.discriminator_steps
    rows = {
        "data": f"{source.name}, {examples} of shape {source.data_shape}",
        "model": f"{type(gan).__name__}, objective {type(gan.objective).__name__}, penalty "
        + ("none" if gan.penalty is None else type(gan.penalty).__name__),
        "generator": _network(gan.players["generator"]),
        "discriminator": _network(gan.players["discriminator"]),
        "memory": f"about {memory.megabytes(needed.total)}: "
        f"{memory.megabytes(needed.weights)} for weights and optimizers, "
        f"{memory.megabytes(needed.update)} for one update in {gan.accumulate_steps} parts, "
        f"{memory.megabytes(needed.batches)} for batches, the rest TensorFlow's own",
        "steps": f"{steps} of {gan.discriminator_steps} discriminator updates and one of the "
        f"generator, batch {batch_size}: {seen:,} real examples; {done} steps are done",
        "run directory": os.fspath(run_dir),
    }
    return "\n".join(f"{name:>14}  {text}" for name, text in rows.items())


def _network(player: Player) -> str:
    text = f"{player.network.name}, {player.network.count_params():,} parameters"
    if player.is_mixture:
        text += f", {player.num_components} components"
        text += f", routing {player.routing}"
    return text
