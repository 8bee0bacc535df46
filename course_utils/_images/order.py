"""A random order of labels of which every beginning holds each class in proportion."""

import numpy as np


def stratified_order(y: np.ndarray, seed: int) -> np.ndarray:
    """All positions of the labels y, in a random order of which every beginning holds each class in proportion.

    The k-th image of a class of n, in random order, stands at (k − 1/2) / n of the way. The random order comes from
    the raw output of PCG64, which NumPy promises to keep, on every platform and in every version.
    """
    shuffled = np.random.PCG64(seed).random_raw(len(y)).argsort(kind="stable")
    labels = y[shuffled]
    counts = np.bincount(labels)
    rank = np.empty(len(y))
    rank[labels.argsort(kind="stable")] = np.arange(len(y)) - np.repeat(counts.cumsum() - counts, counts)
    return shuffled[((rank + 0.5) / counts[labels]).argsort(kind="stable")]
