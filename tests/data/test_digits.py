"""Handwritten digits: the right pixels, and a split that never changes."""

import hashlib

import pytest
import torch
from sklearn.datasets import load_digits

from minigen.core import check_images
from minigen.data import digits


def test_images_are_scikit_learns_grey_levels_scaled_to_minus_one_and_one():
    images, labels = digits("all")
    check_images("digits", images)
    original = load_digits()
    assert images.shape == (1797, 1, 8, 8)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert torch.equal((images[:, 0].double() + 1) * 8, torch.from_numpy(original.images))  # exact: eighths
    assert torch.equal(labels, torch.from_numpy(original.target))
    assert images.aminmax() == (-1, 1)


def as_set(images):
    return {tuple(image) for image in images.flatten(1).tolist()}


def test_train_and_test_are_disjoint_and_make_up_the_whole():
    train, test, everything = (digits(split)[0] for split in ("train", "test", "all"))
    assert len(train) + len(test) == len(everything)
    assert not as_set(train) & as_set(test)
    assert as_set(train) | as_set(test) == as_set(everything)


def test_every_class_has_a_fifth_of_its_pictures_in_the_test_set():
    tested = torch.bincount(digits("test")[1], minlength=10)
    total = torch.bincount(digits("all")[1], minlength=10)
    assert (tested - total / 5).abs().max() <= 0.5  # the nearest whole number


def test_the_split_is_the_one_that_published_numbers_refer_to():
    digest = hashlib.sha256(digits("test")[0].numpy().tobytes()).hexdigest()
    assert digest == "c9d381f36e47967e5a54781468541b7d81fca3de0ef147e3f2e3b620f17b7f8a"


def test_an_unknown_split_is_a_clear_error():
    with pytest.raises(ValueError, match="split should be one of train, test, all; got 'valid'"):
        digits("valid")
