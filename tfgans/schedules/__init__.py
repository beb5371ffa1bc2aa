"""Settings that change during a training, as functions of the images seen."""

from tfgans.schedules.r3gan_schedule import R3GANSchedule, ScheduledValues

__all__ = [
    "R3GANSchedule",
    "ScheduledValues",
]
