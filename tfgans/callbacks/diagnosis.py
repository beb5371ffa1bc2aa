"""Applies the checks for symptoms to a series of readings."""

from collections.abc import Mapping

from tfgans.callbacks import symptoms
from tfgans.callbacks.readings import Reading
from tfgans.callbacks.symptoms import Finding, Limits


class Diagnosis:
    """The readings of a run and the symptoms in them.

    The findings depend on the readings alone, so a resumed run that loads its readings from a table
    makes the same decisions as an uninterrupted run.

    Args:
        limits: Where symptoms begin.
        advice: What to change if a component of a mixture dies, by player, and by "overfitting".

    Attributes:
        readings: List of `Reading`, oldest first.
        healthy_step: Int, the last step without a finding that a rollback may cure. None if there
            is no such step.
    """

    def __init__(self, limits: Limits, advice: Mapping[str, str]) -> None:
        self._limits = limits
        self._advice = advice
        self.readings: list[Reading] = []
        self._normal_penalties: list[float] = []
        self._present: set[str] = set()
        self.healthy_step: int | None = None

    def add(self, reading: Reading) -> list[Finding]:
        """Adds a reading, and returns the symptoms that begin with it."""
        findings = self._findings(reading)
        before, self._present = self._present, {finding.symptom for finding in findings}
        self.readings.append(reading)
        if reading.penalty is not None and symptoms.PENALTY not in self._present:
            self._normal_penalties.append(reading.penalty)
        if not any(finding.rollback_may_cure for finding in findings):
            self.healthy_step = reading.step
        return [finding for finding in findings if finding.symptom not in before]

    def _findings(self, reading: Reading) -> list[Finding]:
        earlier, limits = self.readings, self._limits
        findings = [
            symptoms.discriminator_won(reading, earlier, limits),
            symptoms.samples_collapsed(reading, earlier, limits),
            symptoms.penalty_exploded(reading, self._normal_penalties, limits),
            symptoms.discriminator_overfits(
                reading, earlier, limits, advice=self._advice.get("overfitting", "")
            ),
            *symptoms.collapsed_components(reading, earlier),
        ]
        for player in ("generator", "discriminator"):
            weights = getattr(reading, f"{player}_weights")
            advice = self._advice.get(player, "")
            findings += symptoms.dead_components(player, weights, advice=advice)
        return [finding for finding in findings if finding is not None]
