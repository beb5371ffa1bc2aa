"""The doctor's memory: earlier readings, and what follows from them."""

from collections.abc import Iterable, Mapping

from tfgans.callbacks import symptoms
from tfgans.callbacks.readings import Reading
from tfgans.callbacks.symptoms import Finding, Limits


class Chart:
    """All that decides what the doctor finds: a function of the readings and of nothing else.

    So a resumed run, which reads its readings from a table, decides as the undisturbed one.

    Args:
        limits: Where symptoms begin.
        advice: What to change where a component dies, by player.

    Attributes:
        readings: List of `Reading`, oldest first.
        healthy_step: Int, the last step at which nothing was found that going back may cure; None
            before the first.
    """

    def __init__(self, limits: Limits, advice: Mapping[str, str]) -> None:
        self._limits = limits
        self._advice = advice
        self.readings: list[Reading] = []
        self._calm_penalties: list[float] = []
        self._present: set[str] = set()
        self.healthy_step: int | None = None

    def add(self, reading: Reading) -> list[Finding]:
        """Takes one more reading, and returns the symptoms that begin with it."""
        found = self._find(reading)
        before, self._present = self._present, {finding.symptom for finding in found}
        self.readings.append(reading)
        if reading.penalty is not None and symptoms.PENALTY not in self._present:
            self._calm_penalties.append(reading.penalty)
        if not any(finding.cured_by_going_back for finding in found):
            self.healthy_step = reading.step
        return [finding for finding in found if finding.symptom not in before]

    def add_all(self, readings: Iterable[Reading]) -> None:
        """Takes readings whose findings are known already."""
        for reading in readings:
            self.add(reading)

    def _find(self, reading: Reading) -> list[Finding]:
        earlier, limits = self.readings, self._limits
        found = [
            symptoms.won(reading, earlier, limits),
            symptoms.collapsed(reading, earlier, limits),
            symptoms.exploded(reading, self._calm_penalties, limits),
        ]
        for player in ("generator", "discriminator"):
            weights = getattr(reading, f"{player}_weights")
            advice = self._advice.get(player, "")
            found += symptoms.dead_components(player, weights, advice=advice)
        return [finding for finding in found if finding is not None]
