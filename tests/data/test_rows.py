"""Splits and batches: which rows are chosen, and that the generator alone decides."""

import pytest
import torch

from minigen.data import batches
from minigen.data.rows import choose_split


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_rows_stay_with_their_condition():
    x = torch.arange(50.0).reshape(50, 1, 1, 1)
    rows, condition = batches(x, condition=torch.arange(50) * 10, size=200)(generator())
    assert rows.shape == (200, 1, 1, 1)
    assert torch.equal(rows.flatten().long() * 10, condition)


def test_without_a_condition_the_second_element_is_none():
    rows, condition = batches(torch.zeros(5, 2), size=3)(generator())
    assert rows.shape == (3, 2)
    assert condition is None


def test_the_same_generator_state_gives_the_same_batch_and_another_gives_another():
    draw = batches(torch.arange(1000), size=64)
    draw(generator(7))  # what was drawn before must not matter: that is how training resumes at any step
    assert torch.equal(draw(generator(1))[0], draw(generator(1))[0])
    assert not torch.equal(draw(generator(1))[0], draw(generator(2))[0])


def test_a_batch_may_be_larger_than_the_data():
    rows, _ = batches(torch.arange(3), size=100)(generator())
    assert len(rows) == 100
    assert set(rows.tolist()) == {0, 1, 2}


def test_every_row_is_drawn_equally_often():
    draw, g = batches(torch.arange(10), size=1000), generator()
    counts = torch.bincount(torch.cat([draw(g)[0] for _ in range(20)]), minlength=10)
    # 20,000 draws, 2,000 expected each, standard deviation √(20000 · 0.1 · 0.9) = 42; five of them are 212
    assert (counts - 2000).abs().max() < 212


def test_rows_stay_on_the_device_of_the_data():
    rows, condition = batches(torch.zeros(5, 2, device="meta"), torch.zeros(5), size=3)(generator())
    assert rows.device.type == "meta"
    assert condition.device.type == "cpu"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": torch.zeros(0, 1)}, "x should have at least one row"),
        ({"x": torch.zeros(3), "size": 0}, "size should be at least 1; got 0"),
        ({"x": torch.zeros(3), "condition": torch.zeros(4)}, "one row for each of the 3 rows of x; got 4"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        batches(**arguments)


def test_an_unknown_split_is_answered_with_the_names_that_exist():
    with pytest.raises(ValueError, match="split should be one of train, test; got 'validation'"):
        choose_split("validation", {"train": 1, "test": 2})
