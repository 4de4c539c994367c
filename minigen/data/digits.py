"""The embedded default: 1,797 real handwritten digits of 8×8 pixels, which scikit-learn installs."""

import numpy as np
import torch
from torch import Tensor

from minigen.data.rows import choose_split
from minigen.images import from_levels

TEST_SHARE = 0.2
SPLIT_SEED = 0  # part of the data set: another seed is another split, and numbers can no longer be compared


def digits(split: str = "train") -> tuple[Tensor, Tensor]:
    """Handwritten digits, without a download.

    split: "train" (1,438 pictures), "test" (359) or "all" (1,797); every class is split in the same
    proportion, always in the same way, and rows keep the order of the file.
    Returns images (N, 1, 8, 8) float32 in [-1, 1], of 17 grey levels, ink bright; labels (N,) int64 in 0..9.
    Raises ValueError for another split.
    Source: Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits (UCI), the copy in scikit-learn.
    """
    from sklearn.datasets import load_digits  # slow to import, and most users of this package do not need it

    pixels, labels = load_digits(return_X_y=True)
    test = _is_test(labels)
    rows = choose_split(split, {"train": ~test, "test": test, "all": np.full(len(labels), True)})
    images = from_levels(torch.from_numpy(pixels[rows]).view(-1, 1, 8, 8), brightest=16)
    return images, torch.from_numpy(labels[rows]).long()


def _is_test(labels: np.ndarray) -> np.ndarray:
    """Which rows are the test set: the same share of every class, drawn at random once and for all."""
    random = np.random.RandomState(SPLIT_SEED)  # the legacy generator: its numbers are frozen for ever
    test = np.full(len(labels), False)
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        test[rows[: round(TEST_SHARE * len(rows))]] = True
    return test
