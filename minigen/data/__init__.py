"""Data sets: handwritten digits, drawn shapes, 2-D toys with exact densities, and three classics to download.

Images are float32 (N, C, H, W) in [-1, 1]; labels are int64 (N,). Each data set has a card in `datasets/`.
"""

from minigen.data.classics import CIFAR10_CLASSES, FASHION_CLASSES, cifar10, fashion_mnist, mnist, read_idx
from minigen.data.digits import digits
from minigen.data.download import DownloadError, Source, cache_folder, fetch, verify
from minigen.data.rows import batches
from minigen.data.shapes import (
    BACKGROUNDS,
    COLOURS,
    POSITIONS,
    SHAPES,
    SIZES,
    VOCABULARY,
    Factors,
    captions,
    draw,
    mask,
    random_factors,
    scene,
    shape_stream,
    shapes,
)
from minigen.data.toys import Checkerboard, GaussianMixture, checkerboard, moons, ring

__all__ = [
    "BACKGROUNDS",
    "CIFAR10_CLASSES",
    "COLOURS",
    "FASHION_CLASSES",
    "POSITIONS",
    "SHAPES",
    "SIZES",
    "VOCABULARY",
    "Checkerboard",
    "DownloadError",
    "Factors",
    "GaussianMixture",
    "Source",
    "batches",
    "cache_folder",
    "captions",
    "checkerboard",
    "cifar10",
    "digits",
    "draw",
    "fashion_mnist",
    "fetch",
    "mask",
    "mnist",
    "moons",
    "random_factors",
    "read_idx",
    "ring",
    "scene",
    "shape_stream",
    "shapes",
    "verify",
]
