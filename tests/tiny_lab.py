"""A lab that takes no time, in a module that other processes can import."""

import os

import numpy as np
from matplotlib.figure import Figure

from tfgans.labs.lab import Claim, Drawing, Lab
from tfgans.reports.seeds import summaries

MEASURES = {"path": "a list", "end": "its last entry"}


def cells(quick):
    return [{"arm": arm, "scale": scale} for arm in ("up", "none") for scale in (0.1, 1 / 3)]


def measure(*, arm, scale, seed):
    if arm == "raises" and seed == 1:
        raise RuntimeError("one, on\ntwo lines | with a bar")
    if arm == "dies" and seed == 1:
        os._exit(7)
    if arm == "forgets":
        return {"path": [1.0]}
    path = [0.0, scale, scale + np.random.default_rng(seed).uniform() * (arm == "up")]
    return {"path": path, "end": path[-1]}


def draw():
    """Returns what Keras draws without a seed of its own."""
    import keras

    return {"end": float(keras.random.normal(())), "path": [float(keras.random.uniform(()))]}


def drawn(rows):
    figure = Figure()
    figure.subplots().plot(rows["path"][0])
    return figure


def lab(*arms, **changes):
    made = {
        "name": "tiny",
        "title": "A tiny <lab>",
        "protocol": "We did *this*.",
        "measures": MEASURES,
        "cells": cells if not arms else lambda quick: [{"arm": arm, "scale": 0.5} for arm in arms],
        "measure": measure,
        "claims": (
            Claim(
                "It rises",
                "Nobody",
                "end",
                lambda rows: list(rows.groupby("seed")["end"].min()),
                above=0.0,
            ),
            Claim("It flies", "Nobody", "needs wings"),
        ),
        "drawings": {"path": Drawing("The path.", drawn)},
        "tables": {"Ends": lambda rows: summaries(rows, ["arm", "scale"], ["end"])},
    }
    return Lab(**{**made, **changes})
