"""Runs side by side: groups of runs that differ by their seeds alone, and tests between groups."""

import dataclasses
import functools
import math
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from tfgans import checks
from tfgans.comparison.recorded_run import RecordedRun
from tfgans.comparison.settings import Value, differing, distinguishing, is_seed
from tfgans.evaluation import MetricValue, Record, quantity_of, short_name
from tfgans.reports.seeds import rank_test, sign_test, summary

TESTS = ("sign", "rank")
# Flags that tell no groups apart: the folder of a run, and its steps, which the table shows anyway.
_UNTOLD = ("run_dir", "steps")
# Columns of `Comparison.rows`, and flags that end a run.
_MEASURED = ("steps", "cpu_seconds")
# The flags of an evaluation.
_EVALUATION = ("extractor", "extractor_sha256", "metrics", "num_samples", "num_real")
# `--extractor` of the extractors that need no file.
_EXTRACTORS = {"digits_classifier": "digits", "identity": "identity"}


class SignificanceTest(NamedTuple):
    """A two-sided test of a number between two groups.

    Attributes:
        name: "sign", of the pairs of runs with the same seed, or "rank".
        p_value: Float.
        num: Pair of ints. For a sign test: the number of pairs without ties, and the number of
            these in which the first group is better (larger, if the metric has no direction). For a
            rank test: the numbers of values in the first and in the second group.
    """

    name: str
    p_value: float
    num: tuple[int, int]

    @property
    def least_p_value(self) -> float:
        """The smallest p value that as many different numbers can give."""
        count = self.num[0]
        ways = 2**count if self.name == "sign" else math.comb(sum(self.num), count)
        return min(1.0, 2 / ways)

    def text(self) -> str:
        """Returns the result in words: "p = 0.25 (3 of 3)"."""
        join = "of" if self.name == "sign" else "and"
        pair = reversed(self.num) if self.name == "sign" else self.num
        return f"p = {self.p_value:.2g} ({f' {join} '.join(map(str, pair))})"


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs whose settings are the same but for the seeds.

    Attributes:
        values: Dict of the values of the settings that tell the groups apart, as text.
        runs: Tuple of `RecordedRun`, by seed.
        records: Dict of the records that count, by the name of the run; see `Comparison`.
    """

    values: Mapping[str, str]
    runs: tuple[RecordedRun, ...]
    records: Mapping[str, Record]

    @property
    def label(self) -> str:
        """The values in a line: "r3gan, num_generators=4"."""
        return ", ".join(
            value if name == "model" else f"{name}={value}" for name, value in self.values.items()
        )

    @property
    def columns(self) -> dict[str, str]:
        """The values by the name of their column: "--steps" is beside the steps that were done."""
        return {
            f"--{name}" if name in _MEASURED else name: value for name, value in self.values.items()
        }

    def interval(self, name: str) -> tuple[float, float] | None:
        """Returns the interval of a number by the record of the only run that has it.

        None if there are several such runs, or the record has none.

        Args:
            name: String, a name in the records.
        """
        known = [record.metrics[name] for record in self.records.values() if name in record.metrics]
        return known[0].interval if len(known) == 1 else None

    def numbers(self, name: str) -> pd.Series:
        """Returns a number of the records by seed: float64, without the runs that lack it.

        Repetitions of a run, with all seeds the same, count as their mean.

        Args:
            name: String, a name in the records.
        """
        return self._numbers.get(name, pd.Series(dtype="float64"))

    @functools.cached_property
    def _numbers(self) -> dict[str, pd.Series]:
        """All numbers by name."""
        known: dict[str, list[tuple[int | None, str, float]]] = {}
        for run in self.runs:
            if run.name in self.records:
                for name, number in self.records[run.name].metrics.items():
                    row = run.seed, repr(run.seeds), number.value
                    known.setdefault(name, []).append(row)
        return {
            name: pd.DataFrame(rows, columns=["seed", "seeds", "value"])
            .groupby(["seed", "seeds"], dropna=False)["value"]
            .mean()
            .droplevel("seeds")
            for name, rows in known.items()
        }


class Comparison:
    """Runs side by side.

    The numbers of a run that has not finished are those of an earlier step, often the best before
    a failure. So they count only if no run has finished; otherwise they are shown with the run, but
    enter no median and no test.

    Args:
        runs: List of `RecordedRun`.
        metrics: Names of numbers in the records, with or without the extractor, in the order of the
            table. Default: None, all.
        baseline: `RecordedRun` out of `runs`: the other groups are tested against its group.
            Default: None, the group of the first run.
        absent: Dict of the states of runs that cannot be compared, by path, as of `search_runs`.
            Default: none.
        reference: `Record` that the table shows below the groups, as of real examples in the place
            of samples; it must compare with the others. Default: None, without.
        test: "sign", the paired sign test of the runs with the same seed; or "rank", the test of
            Mann, Whitney and Wilcoxon, which takes over as well if no seed is in both groups.

    Attributes:
        runs: Tuple of the runs.
        groups: Tuple of `Group`, the baseline first.
        metrics: Tuple of names of numbers in the records.
        records: Dict of the records by the name of the run: that of `tfgans evaluate`, or else the
            last evaluation during training. If all runs with the former also have the latter, and
            further runs have only the latter, all records are evaluations during training. A run
            whose record is damaged has none.
        reference: The `Record` below the groups, or None.
        unfinished: Set of the names of the runs whose records do not count.
        in_training: Set of the names of the runs whose records are evaluations in training.
        settings: Dict of all settings that are not the same in all groups: their values by group.
        notes: List of strings, what else may make a difference between records, and which
            records do not count.

    Raises:
        ValueError: If records do not compare, with the reason and the runs; or a name is unknown.
    """

    def __init__(
        self,
        runs: Sequence[RecordedRun],
        *,
        metrics: Sequence[str] | None = None,
        baseline: RecordedRun | None = None,
        absent: Mapping[str, str] | None = None,
        reference: Record | None = None,
        test: Literal["sign", "rank"] = "sign",
    ) -> None:
        checks.choice("test", test, TESTS)
        self.runs = tuple(runs)
        self._test = test
        self.absent = dict(absent or {})
        self.reference = reference
        self.records, self.in_training = _records(self.runs, reference, metrics)
        compared = {"the reference": reference} if reference is not None else {}
        doubts = _check_records(self.records | compared)
        recorded = [run for run in self.runs if run.name in self.records]
        running = [run.name for run in recorded if not run.is_finished]
        self.unfinished = frozenset(running if len(running) < len(recorded) else ())
        self.notes = [*doubts, *self._notes_on_runs(running)]
        grouped = _by_settings([*([] if baseline is None else [baseline]), *self.runs])
        self.settings = differing([ours[0].settings for ours in grouped])
        told = distinguishing(self.settings, _flags_of(grouped))
        counted = {
            name: record for name, record in self.records.items() if name not in self.unfinished
        }
        self.groups = tuple(
            Group(
                {name: values[index] for name, values in told.items()},
                tuple(ours),
                {run.name: counted[run.name] for run in ours if run.name in counted},
            )
            for index, ours in enumerate(grouped)
        )
        self.metrics = _chosen(list(self._known()), metrics)

    def _notes_on_runs(self, running: Sequence[str]) -> list[str]:
        """Returns which runs or records do not count, and why, in words.

        Args:
            running: The names of the runs with records that have not finished.
        """
        replaced = [
            run.name for run in self.runs if run.name in self.in_training and run.record is not None
        ]
        failed = [
            run.name
            for run in self.runs
            if run.is_failed and (run.name in self.unfinished or run.name not in self.records)
        ]
        if not any(run.is_finished for run in self.runs):
            failed = []
        counted = "do not count" if self.unfinished else "count, since no run has finished"
        notes = {
            f"the numbers of unfinished runs {counted}": running,
            "records of `tfgans evaluate` do not count, since other runs have only evaluations "
            "during training": replaced,
            "failed runs enter no median and no test: if their training diverged, their groups "
            "look better than they are": failed,
            "runs whose settings are not known belong to no group here": [*self.absent],
        }
        return [f"{note} ({abbreviated(names)})" for note, names in notes.items() if names]

    def _known(self) -> dict[str, MetricValue]:
        """Returns all numbers by name, in the order of the records."""
        known: dict[str, MetricValue] = {}
        for record in self.records.values():
            known |= record.metrics
        return known

    @property
    def record(self) -> Record | None:
        """A record of the runs; they all have its protocol. None if no run has any."""
        return next(iter(self.records.values()), None)

    @property
    def reference_label(self) -> str:
        """What the reference is of: "real examples, split test"."""
        fake = {} if self.reference is None else self.reference.fake
        split = f", split {fake['split']}" if "split" in fake else ""
        return f"{fake.get('model', 'unknown samples')}{split}"

    @property
    def repeated(self) -> list[str]:
        """The runs that have the settings and the seeds of another, in words."""
        texts = []
        for group in self.groups:
            by_seeds: dict[tuple[tuple[str, str], ...], list[str]] = {}
            for run in group.runs:
                by_seeds.setdefault(run.seeds, []).append(run.name)
            texts += [
                f"{' and '.join(names)} have the same settings and seeds, and count as their mean"
                for names in by_seeds.values()
                if len(names) > 1
            ]
        return texts

    def summary(self, group: Group, name: str) -> tuple[float, float, float]:
        """Returns the median of a number and its interval, as of `tfgans.reports.seeds.summary`.

        Args:
            group: `Group`.
            name: String, a name in the records.
        """
        return summary(group.numbers(name))

    def best(self, name: str) -> list[Group]:
        """Returns the groups with the best median; none if all tie, or the metric has no direction.

        Args:
            name: String, a name in the records.
        """
        quantity = quantity_of(name)
        medians = {
            index: self.summary(group, name)[0]
            for index, group in enumerate(self.groups)
            if len(group.numbers(name))
        }
        if quantity is None or quantity.higher_is_better is None:
            return []
        if len(set(medians.values())) < 2:
            return []
        best = max(medians.values()) if quantity.higher_is_better else min(medians.values())
        return [self.groups[index] for index, median in medians.items() if median == best]

    def test(self, name: str, first: Group, second: Group) -> SignificanceTest | None:
        """Returns a two-sided test of a number between two groups; None if a group lacks it.

        Args:
            name: String, a name in the records.
            first: `Group`.
            second: `Group`.
        """
        ours, others = first.numbers(name), second.numbers(name)
        if not len(ours) or not len(others):
            return None
        # A seed that several runs of a group have, which differ by other seeds, makes no pair.
        paired = [values.index[~values.index.duplicated(keep=False)] for values in (ours, others)]
        shared = paired[0].intersection(paired[1]).dropna()
        if self._test == "rank" or not len(shared):
            return SignificanceTest("rank", rank_test(ours, others), (len(ours), len(others)))
        quantity = quantity_of(name)
        sign = -1 if quantity is not None and quantity.higher_is_better is False else 1
        gains = sign * (ours[shared] - others[shared]).to_numpy()
        wins, num = int((gains > 0).sum()), int(np.count_nonzero(gains))
        return SignificanceTest("sign", sign_test(wins, num), (num, wins))

    @functools.cached_property
    def rows(self) -> pd.DataFrame:
        """A table with one row per run: its settings, its state, its times and its numbers."""
        rows: list[dict[str, object]] = []
        for group in self.groups:
            for run in group.runs:
                record = self.records.get(run.name)
                row: dict[str, object] = {"run": run.name, **group.columns, "seed": run.seed}
                row |= {"state": run.state, "steps": run.steps, "seconds": run.seconds}
                row |= {"cpu_seconds": run.cpu_seconds}
                row |= {"evaluated_step": None if record is None else record.fake.get("step")}
                for name in self.metrics:
                    number = None if record is None else record.metrics.get(name)
                    row[name] = None if number is None else number.value
                    low, high = (None, None) if number is None else number.interval or (None, None)
                    row |= {f"{name}.low": low, f"{name}.high": high}
                rows.append(row)
        rows += [{"run": name, "state": state} for name, state in self.absent.items()]
        return pd.DataFrame(rows)

    def missing_records(self) -> list[str]:
        """Returns the commands that add the records which runs lack, for a shell.

        Runs without a model cannot be evaluated.
        """
        record = self.record
        return [
            evaluate_command(run, like=record)
            for run in self.runs
            if run.name not in self.records and run.has_checkpoint
        ]

    def without_model(self) -> list[str]:
        """Returns the names of trained runs with neither a record, even if damaged, nor a model."""
        return [
            run.name
            for run in self.runs
            if run.name not in self.records
            and run.steps > 0
            and not (run.has_checkpoint or run.has_damaged_record)
        ]

    def damage(self) -> list[str]:
        """Returns which files of runs cannot be read, and what to do, in words."""
        return [text for run in self.runs for text in run.damage.values()]

    def stale_records(self) -> list[str]:
        """Returns which runs have continued since their record, in words."""
        return [
            f"the record of {run.name} is of step {self.records[run.name].fake['step']}, and the "
            f"run is at {run.steps}"
            for run in self.runs
            if self.is_stale(run)
        ]

    def is_stale(self, run: RecordedRun) -> bool:
        """Returns whether the record of a run is of an earlier step than its last."""
        record = self.records.get(run.name)
        step = None if record is None else record.fake.get("step")
        return step is not None and step < run.steps


def evaluate_command(run: RecordedRun, *, like: Record | None) -> str:
    """Returns the command line that adds a record to a run.

    Args:
        run: `RecordedRun`.
        like: `Record` that it is to compare with; None for what the run's flags say.
    """
    words = ["tfgans", "evaluate", f"--run_dir={os.fspath(run.path)}"]
    if like is None:
        words += [f"--{name}={run.flags[name]}" for name in _EVALUATION if name in run.flags]
    else:
        extractor = _EXTRACTORS.get(like.extractor["name"])
        if "accuracy" in like.extractor and extractor is None:
            extractor = "classifier"
        if extractor is not None:
            words.append(f"--extractor={extractor}")
        else:
            named = ("extractor", "extractor_sha256")
            words += [f"--{name}={run.flags[name]}" for name in named if name in run.flags]
        if like.real["split"] not in ("unknown", run.settings.get("split")):
            words.append(f"--split={like.real['split']}")
        counts = like.real["num_examples"], like.fake["num_examples"]
        if counts[0] != run.settings.get("num_examples"):
            words.append(f"--num_real={counts[0]}")
        if counts[1] != counts[0]:
            words.append(f"--num_samples={counts[1]}")
    return shlex.join(words)


def _records(
    runs: Sequence[RecordedRun], reference: Record | None, metrics: Sequence[str] | None
) -> tuple[dict[str, Record], frozenset[str]]:
    """Returns the records of runs by name, and which of them are of evaluations in training."""
    evaluated = {run.name: run.record for run in runs if run.record is not None}
    trained = {
        run.name: run.last_evaluation
        for run in runs
        if run.last_evaluation is not None and not run.has_damaged_record
    }
    # Evaluations in training do not know the counts of each number; those of records are the same.
    counts = {
        (name, record.real["num_examples"], record.fake["num_examples"]): number
        for record in [*evaluated.values(), *([] if reference is None else [reference])]
        for name, number in record.metrics.items()
    }
    names = {name for record in trained.values() for name in record.metrics}
    wanted = metrics or ()
    if trained.keys() > evaluated.keys() and all(_matching(names, name) for name in wanted):
        evaluated = {}
    records: dict[str, Record] = {}
    for run in runs:
        if run.name in evaluated:
            records[run.name] = evaluated[run.name]
        elif run.name in trained:
            record = trained[run.name]
            total = record.real["num_examples"], record.fake["num_examples"]
            numbers = {
                name: dataclasses.replace(
                    number,
                    num_real=counts.get((name, *total), number).num_real,
                    num_fake=counts.get((name, *total), number).num_fake,
                )
                for name, number in record.metrics.items()
            }
            records[run.name] = dataclasses.replace(record, metrics=numbers)
    return records, frozenset(records.keys() - evaluated.keys())


def _check_records(records: Mapping[str, Record]) -> list[str]:
    """Raises ValueError unless all records compare; returns what else may make a difference."""
    doubts: dict[str, list[str]] = {}
    # Two records may compare with a third and not with each other. Those of equal protocols compare
    # with the same ones, so the first of each protocol stands for them.
    bases: dict[str, str] = {}
    for name, record in records.items():
        bases.setdefault(_protocol(record), name)
    for base in bases.values():
        refused: dict[str, list[str]] = {}
        for name, record in records.items():
            reasons = records[base].incompatibilities(record) if name != base else []
            if reasons:
                refused.setdefault("; ".join(reasons), []).append(name)
        if refused:
            listed = ". ".join(
                f"{abbreviated(names)}: {reasons}" for reasons, names in refused.items()
            )
            raise ValueError(
                f"These records are not comparable with that of {base}, the first here. {listed}. "
                "Evaluate all runs with the same protocol, or leave these out"
            )
    for name, record in list(records.items())[1:]:
        for doubt in next(iter(records.values())).possible_differences(record):
            doubts.setdefault(doubt, []).append(name)
    return [f"{doubt} ({abbreviated(names)})" for doubt, names in doubts.items()]


def _protocol(record: Record) -> str:
    """Returns what of a record decides which others it compares with."""
    of_model = ("model", "checksum", "step", "seed", "ema")
    fake = {name: value for name, value in record.fake.items() if name not in of_model}
    counts = {name: (number.num_real, number.num_fake) for name, number in record.metrics.items()}
    return repr((record.real, fake, record.extractor, record.versions, counts))


def abbreviated(names: Sequence[str], most: int = 4) -> str:
    """Returns the first names, and how many more there are: "a, b and 3 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _by_settings(runs: Iterable[RecordedRun]) -> list[list[RecordedRun]]:
    """Returns the runs by their settings, in the order of the first of each, sorted by seed."""
    groups: dict[tuple[tuple[str, str], ...], list[RecordedRun]] = {}
    for run in runs:
        ours = groups.setdefault(run.deciding, [])
        if run not in ours:
            ours.append(run)
    return [
        sorted(ours, key=lambda run: (run.seed is None, run.seed or 0, run.name))
        for ours in groups.values()
    ]


def _flags_of(groups: Sequence[Sequence[RecordedRun]]) -> dict[str, list[str]]:
    """Returns the flags that are the same within each group and not in all: values by group."""
    if not all(run.flags for ours in groups for run in ours):
        return {}
    names = dict.fromkeys(name for ours in groups for run in ours for name in run.flags)
    flags: dict[str, list[str]] = {}
    for name in names:
        values = [{run.flags.get(name, "-") for run in ours} for ours in groups]
        within = all(len(each) == 1 for each in values)
        if within and len(set().union(*values)) > 1 and name not in _UNTOLD and not is_seed(name):
            flags[name] = [each.pop() for each in values]
    return flags


def _chosen(known: Sequence[str], chosen: Sequence[str] | None) -> tuple[str, ...]:
    """Returns the names of numbers that are asked for."""
    if chosen is None:
        return tuple(known)
    names: list[str] = []
    for wanted in chosen:
        matching = _matching(known, wanted)
        if not matching:
            listed = ", ".join(short_name(name) for name in known) or "none"
            raise ValueError(f"The records have {listed}. Received: metric {wanted!r}")
        names += matching
    return tuple(dict.fromkeys(names))


def _matching(names: Iterable[str], wanted: str) -> list[str]:
    """Returns the names of numbers that are, with or without the extractor, the wanted one."""
    return [name for name in names if wanted in (name, short_name(name))]


def common_settings(runs: Sequence[RecordedRun]) -> dict[str, Value]:
    """Returns the settings that all runs share."""
    first, *others = runs
    return {
        name: value
        for name, value in first.settings.items()
        if all(name in run.settings and run.settings[name] == value for run in others)
    }
