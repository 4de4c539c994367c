"""The networks that judge samples."""

import hashlib
import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from minigen import checkpoint, features
from minigen.data import VOCABULARY, DownloadError, batches, digits, shapes
from minigen.features import (
    WEIGHTS,
    Classifier,
    DigitFeatures,
    FactorClassifier,
    InceptionFeatures,
    ShapeEyes,
    ShapeFeatures,
)
from minigen.inception import Inception
from minigen.train import train


def test_an_undecided_classifier_has_the_loss_of_a_guess():
    model = Classifier(classes=7)
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.zeros_(model.head.bias)
    loss = model.loss((torch.zeros(5, 1, 8, 8), torch.arange(5)))
    assert float(loss.detach()) == pytest.approx(math.log(7))


def test_logits_are_linear_in_the_features():
    torch.manual_seed(0)
    model, x = Classifier(channels=3, size=16, dim=9), torch.rand(4, 3, 16, 16) * 2 - 1
    assert model.features(x).shape == (4, 9)
    logits = model.head(model.features(x))  # their unit is 1 until it is set
    assert torch.allclose(model(x), logits, atol=1e-6)
    assert torch.allclose(model.probabilities(x), logits.softmax(1), atol=1e-6)


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


def test_the_shipped_judge_of_digits_is_as_good_as_its_file_says():
    header, _ = checkpoint.read(WEIGHTS / "digits.safetensors")
    accuracy = DigitFeatures().accuracy(*digits("test"))
    assert accuracy == pytest.approx(header["accuracy"]["digit"], abs=0.003)  # one picture of 359
    assert accuracy >= 0.97


def test_the_shipped_judge_of_shapes_knows_every_factor_at_two_sizes():
    header, _ = checkpoint.read(WEIGHTS / "shapes.safetensors")
    assert min(header["accuracy"].values()) >= 0.99 and set(header["accuracy"]) == set(VOCABULARY)
    judge = ShapeFeatures()
    images, factors, _ = shapes(1000, seed=3)
    assert min(judge.accuracy(images, factors).values()) >= 0.985  # of 1,000 images, for 0.99 of endless ones
    larger, factors, _ = shapes(200, size=64, seed=3)
    assert min(judge.accuracy(larger, factors).values()) >= 0.97


def test_the_eyes_know_every_factor_and_are_not_the_judges():
    header, _ = checkpoint.read(WEIGHTS / "eyes.safetensors")
    images, factors, _ = shapes(1000, seed=3)
    accuracy = ShapeEyes().accuracy(images, factors)
    for name in VOCABULARY:
        assert accuracy[name] == pytest.approx(header["accuracy"][name], abs=0.01) and accuracy[name] > 0.97
    mine, theirs = (dict(model().named_parameters()) for model in (ShapeEyes, ShapeFeatures))
    assert not any(torch.allclose(mine[name], theirs[name], atol=1e-3) for name in mine)


@pytest.mark.parametrize("judge", [DigitFeatures, ShapeFeatures, ShapeEyes])
def test_a_shipped_judge_is_small_only_judges_and_works_in_batches(judge, monkeypatch):
    model = judge()
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    assert all(
        (WEIGHTS / f"{name}.safetensors").stat().st_size < 1e6 for name in ("digits", "shapes", "eyes")
    )
    x = torch.rand(7, *model.shape) * 2 - 1
    whole = model.features(x)
    monkeypatch.setattr(features, "BATCH", 3)
    assert torch.allclose(model.features(x), whole, atol=1e-5) and whole.shape == (7, 64)
    assert torch.allclose(model.probabilities(x).sum(1), torch.ones(7))
    seen, named = model.look(x)
    assert torch.equal(seen, model.features(x)) and torch.equal(named, model.probabilities(x))


def test_features_have_the_size_that_the_kernel_of_kid_is_made_for():
    assert float(DigitFeatures().features(digits()[0]).square().mean()) == pytest.approx(1, rel=1e-3)
    assert float(ShapeFeatures().features(shapes(2000)[0]).square().mean()) == pytest.approx(1, rel=0.03)
    torch.manual_seed(0)
    model, x = Classifier(), torch.rand(9, 1, 8, 8) * 2 - 1
    before = model.probabilities(x)
    model.set_unit(x)
    model.set_unit(x)  # does not depend on what it was
    assert float(model.features(x).square().mean()) == pytest.approx(1, rel=1e-5)
    assert torch.allclose(model.probabilities(x), before, atol=1e-6)


def test_digits_of_another_size_are_resized_and_still_named():
    x, labels = digits("test")
    larger = F.interpolate(x, (28, 28), mode="bicubic").clamp(-1, 1)
    assert DigitFeatures().accuracy(larger, labels) >= 0.95


def test_the_factors_of_shapes_are_judged_one_by_one():
    torch.manual_seed(0)
    model, (images, factors, _) = FactorClassifier(), shapes(6, seed=0)
    labels = torch.stack([getattr(factors, name) for name in VOCABULARY], 1)
    losses = model.loss((images, labels))
    for i, name in enumerate(VOCABULARY):
        p = model.probabilities(images, name)
        assert p.shape == (6, len(VOCABULARY[name]))
        assert float(losses[name].detach()) == pytest.approx(
            float(F.nll_loss(p.log(), labels[:, i])), rel=1e-4
        )


@pytest.mark.parametrize(
    "judge, x, said",
    [
        (
            DigitFeatures,
            torch.zeros(2, 3, 8, 8),
            r"should be grey images \(N, 1, H, W\); got shape \(2, 3, 8, 8\)",
        ),
        (DigitFeatures, torch.full((2, 1, 8, 8), 255.0), "got values from 255 to 255"),
        (DigitFeatures, torch.zeros(0, 1, 8, 8), "empty"),
        (
            ShapeFeatures,
            torch.zeros(2, 1, 32, 32),
            r"colour images \(N, 3, H, W\); got shape \(2, 1, 32, 32\)",
        ),
        (ShapeFeatures, torch.full((1, 3, 32, 32), torch.nan), "not finite"),
    ],
)
def test_images_that_a_judge_cannot_see_are_refused(judge, x, said):
    with pytest.raises(ValueError, match=said):
        judge().features(x)


def test_an_unknown_factor_is_told_the_known_ones():
    with pytest.raises(ValueError, match=r"factor should be one of shape, colour, size, .*; got 'age'"):
        ShapeFeatures().probabilities(torch.zeros(1, 3, 32, 32), "age")


def test_inception_has_the_names_and_sizes_of_the_published_weights():
    """Of its 94 convolutions and its last layer. What it computes with those weights is not compared here."""
    state = Inception().state_dict()
    assert len([name for name in state if name.endswith("conv.weight")]) == 94
    assert state["Mixed_6c.branch7x7dbl_3.conv.weight"].shape == (160, 160, 1, 7)
    assert state["Mixed_7a.branch7x7x3_4.conv.weight"].shape == (192, 192, 3, 3)
    assert state["Mixed_7c.branch3x3dbl_3b.conv.weight"].shape == (384, 384, 3, 1)
    assert state["fc.weight"].shape == (1008, 2048)
    assert sum(v.numel() for v in state.values() if v.is_floating_point()) == 23_885_392


def publish(monkeypatch, path):
    """Makes the file at path the published one."""
    (name,) = features.INCEPTION.sha256
    known = {name: (hashlib.sha256(path.read_bytes()).hexdigest(),)}
    monkeypatch.setattr(features, "INCEPTION", replace(features.INCEPTION, sha256=known))


def test_inception_features_come_from_a_weights_file_and_resize_any_image(tmp_path, monkeypatch):
    torch.manual_seed(0)
    network = Inception().eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    publish(monkeypatch, tmp_path / "weights.pth")
    judge = InceptionFeatures(tmp_path / "weights.pth")
    grey = torch.rand(2, 1, 20, 30) * 2 - 1
    seen = judge.features(grey)
    assert seen.shape == (2, 2048) and seen.isfinite().all()
    assert torch.allclose(seen, judge.features(grey.repeat(1, 3, 1, 1)), atol=1e-5)
    with torch.no_grad():
        resized = F.interpolate(grey, (299, 299), mode="bilinear").repeat(1, 3, 1, 1)
        assert torch.allclose(seen, network.features(resized), atol=1e-5)
        assert torch.allclose(judge.probabilities(grey), network(resized).softmax(1), atol=1e-5)


def test_inception_without_weights_says_which_file_is_wanted():
    with pytest.raises(ValueError, match=r"path of pt_inception-2015-12-05-6726825d\.pth, or download=True"):
        InceptionFeatures()


def test_another_file_than_the_published_weights_is_refused_by_its_hash(tmp_path):
    torch.save(Inception().state_dict(), tmp_path / "weights.pth")
    with pytest.raises(
        ValueError, match=r"weights\.pth should be pt_inception.*its sha256 is .*expected 6726"
    ):
        InceptionFeatures(tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=r"there is no file .*nowhere\.pth"):
        InceptionFeatures(tmp_path / "nowhere.pth")


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror with weights that were made here, under the published name; no public place has any."""
    (name,) = features.INCEPTION.sha256
    path = tmp_path / "mirror" / "inception" / name
    path.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(Inception().state_dict(), path)
    monkeypatch.setenv("MINIGEN_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("MINIGEN_DATA", str(tmp_path / "cache"))
    nowhere = replace(features.INCEPTION, places=(str(tmp_path / "nowhere"),))
    monkeypatch.setattr(features, "INCEPTION", nowhere)
    return path


def test_the_weights_come_from_a_mirror_and_are_then_kept(mirror, monkeypatch, tmp_path):
    publish(monkeypatch, mirror)
    judge, published = InceptionFeatures(download=True), torch.load(mirror, weights_only=True)
    assert all(torch.equal(value, published[key]) for key, value in judge.network.state_dict().items())
    kept = tmp_path / "cache" / "inception" / mirror.name
    assert kept.read_bytes() == mirror.read_bytes()
    mirror.unlink()
    InceptionFeatures(download=True)


def test_other_weights_in_a_mirror_are_refused_by_their_hash(mirror, tmp_path):
    with pytest.raises(DownloadError, match=r"its sha256 is .*expected 6726"):
        InceptionFeatures(download=True)
    assert not (tmp_path / "cache" / "inception" / mirror.name).exists()


def test_a_weights_file_with_code_in_it_is_not_run(tmp_path, monkeypatch):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "trapped"), "w")

    torch.save({"fc.weight": Trap()}, tmp_path / "weights.pth")
    publish(monkeypatch, tmp_path / "weights.pth")
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        InceptionFeatures(tmp_path / "weights.pth")
    assert not (tmp_path / "trapped").exists()
