"""Data sets by their names, as training takes them."""

import pytest
import torch

from minigen.data import digits, draw, random_factors
from minigen.data.named import DATASETS, supply
from minigen.data.shapes import held_out, indices


def batch(source, n, seed=0):
    return source.batches(n)(torch.Generator().manual_seed(seed))


def test_digits_come_as_they_are():
    source, (x, labels) = supply("digits"), digits("train")
    assert (source.kind.channels, source.kind.size, source.kind.crop, source.kind.classes) == (1, 8, 8, 10)
    assert torch.equal(source.kind.mean, x.mean(0))
    images, theirs = batch(source, 200)
    rows = [int((x == image).flatten(1).all(1).nonzero()[0]) for image in images]
    assert torch.equal(x[rows], images) and torch.equal(labels[rows], theirs)


def test_images_of_28_pixels_get_a_dark_frame_of_two(monkeypatch):
    x = torch.rand(5, 1, 28, 28)
    monkeypatch.setitem(DATASETS, "mnist", lambda split: (x, torch.arange(5)))
    source = supply("mnist")
    assert (source.kind.size, source.kind.crop, source.kind.classes) == (32, 28, 5)
    images, labels = batch(source, 20)
    assert torch.equal(images[:, :, 2:-2, 2:-2], x[labels])
    images[:, :, 2:-2, 2:-2] = -1
    assert (images == -1).all()


def test_shapes_never_end_and_their_class_is_their_shape():
    source = supply("shapes:16")
    assert (source.kind.channels, source.kind.size, source.kind.crop, source.kind.classes) == (3, 16, 16, 6)
    images, labels = batch(source, 40)
    again, _ = batch(source, 40)
    others, _ = batch(source, 40, seed=1)
    assert torch.equal(images, again) and not torch.equal(images, others)
    start = int(torch.randint(2**31, (), generator=torch.Generator().manual_seed(0)))
    factors = random_factors(40, 1, start)
    assert torch.equal(labels, factors.shape) and torch.equal(images, draw(factors, 16))
    assert source.kind.mean.shape == (3, 16, 16) and supply("shapes").kind.size == 32


def test_scenes_are_shapes_with_all_that_is_named_and_without_the_pairs_that_are_held_out():
    images, told = batch(supply("scenes:16"), 300)
    start = int(torch.randint(2**31, (), generator=torch.Generator().manual_seed(0)))
    factors = random_factors(620, 1, start)
    factors = factors[~held_out(factors)][:300]
    assert torch.equal(told, indices(factors)) and torch.equal(images, draw(factors, 16))
    assert ((told[:, 1] - told[:, 0]) % 6 != 2).all()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("minst", "there is no data set minst, did you mean mnist"),
        ("digits:test", "there is no data set digits:test, did you mean digits"),
        ("shapes:20", "shapes should have a size that is a power of two, at least 8; got 20"),
        ("shapes:4", "got 4"),
    ],
)
def test_what_is_not_there_is_refused(name, said):
    with pytest.raises(ValueError, match=said):
        supply(name)
