"""Pictures as tensors, against numpy and against their own inverse."""

import numpy as np
import pytest
import torch

from minigen.images import from_levels, tile, to_bytes


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float64])
def test_levels_are_spread_evenly_over_minus_one_to_one(dtype):
    x = from_levels(torch.arange(17).to(dtype), brightest=16)
    assert x.dtype == torch.float32
    np.testing.assert_array_equal(x.numpy(), np.linspace(-1, 1, 17, dtype=np.float32))  # eighths are exact


def test_bytes_survive_the_way_there_and_back():
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_bytes(from_levels(levels)), levels)


def test_each_number_becomes_the_nearest_byte_and_never_wraps_around():
    x = torch.linspace(-3, 3, 4001, dtype=torch.float64)
    exact = ((x.numpy() + 1) * 127.5).clip(0, 255)
    assert np.abs(to_bytes(x).numpy() - exact).max() <= 0.5
    assert to_bytes(x).dtype == torch.uint8


@pytest.mark.parametrize(("n", "columns"), [(1, 1), (6, 3), (7, 3), (2, 5)])
def test_a_sheet_has_every_picture_in_its_place_and_black_elsewhere(n, columns):
    images = torch.rand(n, 2, 3, 4)
    sheet = tile(images, columns)
    assert sheet.shape == (2, -(-n // columns) * 3, columns * 4)
    for i in range(sheet.shape[1] // 3 * columns):
        row, column = divmod(i, columns)
        place = sheet[:, 3 * row : 3 * row + 3, 4 * column : 4 * column + 4]
        assert torch.equal(place, images[i] if i < n else torch.full((2, 3, 4), -1.0))
