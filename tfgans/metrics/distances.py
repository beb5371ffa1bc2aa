"""Squared Euclidean distances between the rows of two arrays, block by block."""

import numpy as np

ROWS = 1024


def blocks(num: int) -> list[slice]:
    """Returns the slices that cut `num` rows into blocks of at most 1024."""
    return [slice(start, min(start + ROWS, num)) for start in range(0, num, ROWS)]


def squared_norms(rows: np.ndarray) -> np.ndarray:
    """Returns [num], the squared norm of each row."""
    return np.einsum("ij,ij->i", rows, rows)


def squared_distances(rows: np.ndarray, others: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Returns [num_rows, num_others], squared distances; `norms` are those of the others."""
    squares = rows @ others.T
    squares *= -2
    squares += squared_norms(rows)[:, np.newaxis]
    squares += norms
    return np.maximum(squares, 0, out=squares)


def centered(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns both moved to mean 0 and divided by their largest entry: products round less."""
    middle = (first.mean(axis=0) + second.mean(axis=0)) / 2
    scale = max(np.abs(first - middle).max(), np.abs(second - middle).max()) or 1.0
    return (first - middle) / scale, (second - middle) / scale
