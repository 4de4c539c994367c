"""Codecs: each loss beside another way of computing it, and what must not be trained along."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minigen.codec import (
    Codec,
    PerceptualCodec,
    adaptive_weight,
    hinge_loss,
    patch_critic,
    perceptual_distance,
    receptive_field,
    unit_scale,
)
from minigen.data import shapes
from minigen.features import ShapeEyes
from minigen.train import train


def images(n=4, size=16, seed=0):
    return shapes(n, size, seed)[0]


def test_the_perceptual_distance_is_that_of_loops_over_places():
    torch.manual_seed(0)
    maps = [torch.randn(3, c, h, h, dtype=torch.float64) for c, h in ((2, 4), (5, 2))]
    others = [torch.randn_like(m) for m in maps]
    wanted = torch.zeros(3, dtype=torch.float64)
    for a, b in zip(maps, others, strict=True):
        for n in range(3):
            apart = [
                (a[n, :, i, j] / a[n, :, i, j].norm() - b[n, :, i, j] / b[n, :, i, j].norm()).square().sum()
                for i in range(a.shape[2])
                for j in range(a.shape[3])
            ]
            wanted[n] += sum(apart) / len(apart)
    assert (perceptual_distance(maps, others) - wanted).abs().max() < 1e-12


def test_the_perceptual_distance_knows_directions_and_not_lengths():
    a = [torch.randn(2, 3, 4, 4)]
    assert perceptual_distance(a, [5 * a[0]]).abs().max() < 1e-10
    assert (perceptual_distance(a, [-a[0]]) - 4).abs().max() < 1e-5


def test_a_critic_that_is_sure_enough_has_no_hinge_loss_and_one_that_says_nothing_has_one():
    assert hinge_loss(torch.tensor([1.0, 3.0]), torch.tensor([-1.0, -2.0])) == 0
    assert hinge_loss(torch.zeros(2, 1, 3, 3), torch.zeros(4, 1, 3, 3)) == 1
    assert hinge_loss(torch.tensor([0.5]), torch.tensor([-2.0])) == 0.25
    assert hinge_loss(torch.tensor([2.0]), torch.tensor([0.5])) == 0.75


def test_the_adaptive_weight_makes_both_pulls_on_the_last_layer_equal():
    torch.manual_seed(0)
    last, x = (
        torch.randn(3, 3, dtype=torch.float64, requires_grad=True),
        torch.randn(5, 3, dtype=torch.float64),
    )
    y = x @ last
    reconstruction, adversarial = (y - x).square().mean(), 40 * y.sum()
    weight = adaptive_weight(reconstruction, adversarial, last)
    pulls = [
        torch.autograd.grad(loss, last, retain_graph=True)[0].norm()
        for loss in (reconstruction, weight * adversarial)
    ]
    assert not weight.requires_grad
    assert abs(pulls[0] - pulls[1]) < 1e-4 * pulls[0]
    assert adaptive_weight(reconstruction, 0 * adversarial, last) == 10_000


def test_a_number_of_the_critic_depends_on_18_by_18_pixels():
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64, requires_grad=True)
    critic = nn.Sequential(
        *(layer for layer in patch_critic().double() if not isinstance(layer, nn.GroupNorm))
    )
    scores = critic(x)
    assert scores.shape == (1, 1, 16, 16)
    (slope,) = torch.autograd.grad(scores[0, 0, 8, 8], x)
    rows = slope[0].abs().sum((0, 2)).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 == 18


@pytest.mark.parametrize(
    "kernels, strides", [((4, 4, 3), (2, 2, 1)), ((3,), (1,)), ((3, 5, 2, 3), (1, 3, 2, 1)), ((7, 1), (4, 2))]
)
def test_the_receptive_field_is_where_the_slope_of_one_number_is_not_zero(kernels, strides):
    torch.manual_seed(0)
    layers = [nn.Conv1d(1, 1, k, s).double() for k, s in zip(kernels, strides, strict=True)]
    x = torch.randn(1, 1, 80, dtype=torch.float64, requires_grad=True)
    y = nn.Sequential(*layers)(x)
    (slope,) = torch.autograd.grad(y[0, 0, 1], x)
    places = slope[0, 0].nonzero().flatten()
    assert receptive_field(kernels, strides) == places[-1] - places[0] + 1


@pytest.mark.parametrize("factor, channels, size", [(2, 1, 8), (4, 3, 32), (4, 3, 48), (8, 3, 32)])
def test_a_code_keeps_the_layout_and_images_come_back_in_range(factor, channels, size):
    codec = Codec(channels, factor, code=3, width=8)
    x = torch.rand(2, channels, size, size) * 2 - 1
    mu, logvar = codec.encode(x)
    assert mu.shape == logvar.shape == (2, 3, size // factor, size // factor)
    y = codec.decode(codec.draw(mu, logvar))
    assert y.shape == x.shape and y.abs().max() <= 1


def test_the_loss_of_a_codec_is_the_error_of_pixels_and_the_divergence_that_torch_has():
    torch.manual_seed(0)
    codec, x = Codec(factor=4, width=8, kl=0.3).double(), images().double()
    mu, logvar = codec.encode(x)
    q = torch.distributions.Normal(mu, (logvar / 2).exp())
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum((1, 2, 3)).mean()
    torch.manual_seed(1)
    z = mu + (logvar / 2).exp() * torch.randn_like(mu)
    torch.manual_seed(1)
    terms = codec.loss((x, None))
    assert abs(terms["kl"] - 0.3 * kl) < 1e-12 * kl
    assert abs(terms["pixels"] - ((codec.decode(z) - x) ** 2).mean()) < 1e-12


def test_a_factor_that_is_no_power_of_two_is_refused():
    with pytest.raises(ValueError, match="factor should be a power of two, at least 2; got 6"):
        Codec(factor=6)


def test_the_scale_brings_codes_to_unit_variance_and_leaves_ratios():
    z = 7 * torch.randn(50, 4, 8, 8) + 1
    assert (unit_scale(z) * z).std() == pytest.approx(1, abs=1e-5)
    codec = Codec(width=8)
    codec.set_scale(images(100, 32))
    z = codec.scale * codec.draw(*codec.encode(images(100, 32, seed=1)))
    assert float(z.detach().std()) == pytest.approx(1, abs=0.05)


def test_a_codec_learns_to_give_pictures_back():
    torch.manual_seed(0)
    x = images(64)
    codec = Codec(factor=4, width=16)
    first = F.mse_loss(codec.rebuild(x)[0], x).item()
    *_, (_, losses, _) = train(codec, lambda g: (x, None), 60, lr=2e-3, progress=False)
    assert losses["pixels"] < first / 4


def perceptual(start):
    torch.manual_seed(0)
    return PerceptualCodec(ShapeEyes(), start, factor=4, code=2, width=8)


def test_the_critic_takes_part_after_the_start_and_not_before():
    codec, batch = perceptual(start=2), (images(), None)
    yielded = [
        [(who, set(loss) if isinstance(loss, dict) else None) for who, loss in codec.losses(batch)]
        for _ in range(4)
    ]
    alone = [("codec", {"pixels", "perceptual", "kl"})]
    both = [("codec", {"pixels", "perceptual", "kl", "adversarial"}), ("critic", None)]
    assert yielded == [alone, alone, both, both]


def test_the_step_that_the_start_is_counted_from_is_part_of_a_checkpoint():
    codec = perceptual(start=2)
    for _ in range(3):
        list(codec.losses((images(), None)))
    again = perceptual(start=2)
    again.load_state_dict(codec.state_dict())
    assert [who for who, _ in again.losses((images(), None))] == ["codec", "critic"]


def test_each_player_is_trained_by_its_own_loss_and_the_eyes_by_none():
    codec = perceptual(start=0)
    before = {name: p.clone() for name, p in codec.named_parameters()}
    for _ in train(codec, lambda g: (images(), None), 2, lr=1e-3, progress=False):
        pass
    moved = {name.split(".")[0] for name, p in codec.named_parameters() if not torch.equal(p, before[name])}
    still = {name.split(".")[0] for name, p in codec.named_parameters() if torch.equal(p, before[name])}
    assert moved == {"encoder", "decoder", "critic"} and still == {"eyes"}
    sets = [{id(p) for p in module.parameters()} for module in codec.players().values()]
    assert not sets[0] & sets[1]


def test_the_critic_sees_the_very_images_that_the_codec_made_and_sends_it_no_gradient():
    codec = perceptual(start=0)
    turns = codec.losses((images(), None))
    next(turns)
    _, loss = next(turns)
    loss.backward()
    assert all(p.grad is None for p in codec.decoder.parameters())
    assert all(p.grad is not None for p in codec.critic.parameters())


def test_the_eyes_see_images_of_any_size_and_grey_ones_at_five_depths():
    eyes = ShapeEyes()
    for channels, size in (1, 8), (3, 32), (3, 64):
        maps = eyes.maps(torch.rand(2, channels, size, size) * 2 - 1)
        assert [m.shape[-1] for m in maps] == [max(1, -(-size // 2**i)) for i in range(5)]
    x = images(3, 32).requires_grad_()
    seen = eyes.maps(x)
    assert torch.autograd.grad(seen[-1].sum(), x)[0].abs().max() > 0
    assert torch.equal(
        eyes.body[0][-2:](seen[-1]), eyes.body[0](x)
    )  # nothing but the last layers comes after
