"""The small classifier that judges samples."""

import math

import pytest
import torch

from minigen.data import batches, digits
from minigen.features import Classifier
from minigen.train import train


def test_an_undecided_classifier_has_the_loss_of_a_guess():
    model = Classifier(classes=7)
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.zeros_(model.head.bias)
    loss = model.loss((torch.zeros(5, 1, 8, 8), torch.arange(5)))
    assert float(loss.detach()) == pytest.approx(math.log(7))


def test_logits_are_linear_in_the_features():
    torch.manual_seed(0)
    model, x = Classifier(channels=3, size=16, features=9), torch.rand(4, 3, 16, 16) * 2 - 1
    assert model.features(x).shape == (4, 9)
    assert torch.allclose(model(x), model.features(x) @ model.head.weight.T + model.head.bias, atol=1e-6)


def test_accuracy_is_the_share_of_right_labels():
    torch.manual_seed(0)
    model, x = Classifier(), torch.rand(4, 1, 8, 8) * 2 - 1
    named = model(x).argmax(1)
    assert model.accuracy(x, named) == 1
    wrong = torch.cat([named[:3], (named[3:] + 1) % 10])
    assert model.accuracy(x, wrong) == 0.75


def test_it_learns_digits():
    torch.manual_seed(0)
    x, labels = digits("train")
    *_, (_, _, model) = train(Classifier(), batches(x, labels), 150, lr=2e-3, decay=0.9, progress=False)
    assert model.cpu().accuracy(*digits("test")) > 0.85
