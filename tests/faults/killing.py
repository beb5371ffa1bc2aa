"""Kills a command at chosen moments, and gives it again until it ends."""

import dataclasses
import random
import re
import subprocess
import time

# What a moment may wait for: a file that is being written, as the run's folder shows it.
BACKUP, PICTURE = "backups/.tmp-*", "grids/.tmp-*"
LOG, BEST, FINAL = ".tmp-*-log.csv", ".tmp-*-best.keras", ".tmp-*-final.keras"
_PATIENCE = 180
_MOST_STARTS = 12
# Steps after which what was waited for is taken as missed: the run must not come to its end, where
# nothing but the final model is written. The log is cut once, when a run goes on.
_MOST_STEPS = {LOG: 16}
_MOST_OTHER_STEPS = 120


@dataclasses.dataclass(frozen=True)
class Moment:
    """When to kill: `delay` seconds after a backup of `step` is there, and then `seen`.

    `step` 0 is the start of the process; `seen` is a pattern below the folder of the run.
    """

    step: int = 0
    seen: str | None = None
    delay: float = 0.0


def moments(steps, kinds, *, seed):
    """A moment for each of `kinds` (what is seen; None for any time), spread over a run.

    The last steps are of those who wait for the final model, which is written once.
    """
    rng = random.Random(seed)
    kinds = sorted(kinds, key=lambda kind: (kind == FINAL, rng.random()))
    if LOG in kinds:  # Some way into the run: before, there is no log to go on with.
        kinds.insert(len(kinds) // 2, kinds.pop(kinds.index(LOG)))
    last = 0.9 * steps / len(kinds)
    # Inside a file the delay decides how much of it is written, and whether it is in its place;
    # behind the final model the process ends.
    longest = {None: 0.3, FINAL: 0.004}
    return [
        # A start that goes on has the step of the moment before.
        Moment(int((index - (kind == LOG)) * last), kind, rng.uniform(0, longest.get(kind, 0.02)))
        for index, kind in enumerate(kinds)
    ]


def survive(arguments, run_dir, planned, *, finish=True):
    """Gives a command until it ends, killed once at each of `planned`; returns what it said.

    Without `finish` it is left as the last kill left it.

    The moment of a small file may be missed: then the command is killed somewhat later, or comes to
    its end, and is given again, which a finished run must bear.
    """
    said, kills = [], []
    for moment in planned:
        for _ in range(_MOST_STARTS):
            killed, errors = _kill(arguments, run_dir, moment)
            said.append(errors)
            if killed:
                kills.append(moment)
                break
    assert kills == list(planned), "a moment was missed at each start"
    if not finish:
        return said
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return [*said, done.stderr]


def resumed_at(said):
    """The steps at which the starts went on, of the lines that say so."""
    found = (re.search(r"Going on with .* at step (\d+) of", errors) for errors in said)
    return [int(match[1]) for match in found if match]


def newest_step(run_dir):
    """The step of the newest backup; 0 if there is none."""
    names = [path.name for path in (run_dir / "backups").glob("step-*")]
    return max((int(name.split("-")[1]) for name in names), default=0)


def _kill(arguments, run_dir, moment):
    # What a kill has left is not what is waited for.
    left = set() if moment.seen is None else set(run_dir.glob(moment.seen))
    most = _MOST_STEPS.get(moment.seen, _MOST_OTHER_STEPS)
    latest = max(newest_step(run_dir), moment.step) + most

    def seen():
        return moment.seen is None or bool(set(run_dir.glob(moment.seen)) - left)

    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        deadline, missed = time.monotonic() + _PATIENCE, False
        while process.poll() is None and newest_step(run_dir) < moment.step:
            _wait(deadline)
        while process.poll() is None and not seen() and not missed:
            missed = newest_step(run_dir) > latest
            _wait(deadline)
        time.sleep(moment.delay)
        process.kill()
        errors = process.communicate()[1]
    assert process.returncode in (0, -9), errors
    return process.returncode == -9 and not missed, errors


def _wait(deadline):
    assert time.monotonic() < deadline
    time.sleep(0.001)
