"""Pictures as tensors: from grey levels to [-1, 1] and back, and many pictures as one."""

import torch
from torch import Tensor


def from_levels(levels: Tensor, brightest: int = 255) -> Tensor:
    """Grey levels as numbers in [-1, 1], evenly spaced: level 0 gives -1, the brightest level gives 1.

    levels: whole numbers from 0 to `brightest`, of any shape and any dtype.  brightest: 255 for bytes.
    Returns float32 of the same shape.
    """
    return levels.float() / (brightest / 2) - 1


def to_bytes(x: Tensor) -> Tensor:
    """Numbers in [-1, 1] as bytes, each the nearest one; what lies outside becomes black or white.

    x: floating point, of any shape.  Returns uint8 of the same shape, 0 to 255.
    """
    return ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def tile(images: Tensor, columns: int) -> Tensor:
    """Many images as one: side by side in rows of `columns`, from left to right and from top to bottom.

    images: (N, C, H, W).  columns: at least 1; a last row that is not full is filled with -1.
    Returns (C, rows * H, columns * W).
    """
    n, c, h, w = images.shape
    rows = -(-n // columns)  # n / columns, rounded up
    sheet = images.new_full((rows * columns, c, h, w), -1)
    sheet[:n] = images
    return sheet.view(rows, columns, c, h, w).permute(2, 0, 3, 1, 4).reshape(c, rows * h, columns * w)
