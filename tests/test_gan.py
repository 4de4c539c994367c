"""The losses and penalties of GANs against closed forms, and the two players against what each may move."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD

from minigen.data import digits, ring
from minigen.gan import (
    GAN,
    WGAN,
    WGANGP,
    ConditionalGenerator,
    MinimaxGAN,
    ProjectionCritic,
    between,
    class_turn,
    clip_weights,
    discriminator_loss,
    gradient_penalty,
    image_critic,
    image_generator,
    minimax_loss,
    non_saturating_loss,
    wasserstein_loss,
)
from minigen.layers import ManyLinear, point_networks
from minigen.train import train

ROUNDING = 1e-12
KINDS = GAN, MinimaxGAN, WGAN, WGANGP


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def players(kind=GAN, critic_steps=1, width=8):
    torch.manual_seed(0)
    critic = nn.Sequential(point_networks(1, 2, 1, width), nn.Flatten(0))
    return kind(point_networks(1, 3, 2, width), critic, 3, critic_steps)


# ---- losses


def test_discriminator_loss_is_two_cross_entropies():
    real, fake = normal(50), 2 * normal(50, seed=1)
    entropy = F.binary_cross_entropy_with_logits
    wanted = entropy(real, torch.ones(50).double()) + entropy(fake, torch.zeros(50).double())
    assert abs(discriminator_loss(real, fake) - wanted) < ROUNDING


def test_the_losses_are_logarithms_of_probabilities():
    real, fake = normal(50), normal(50, seed=1)
    d, of_fake = torch.sigmoid(real), torch.sigmoid(fake)
    value = d.log().mean() + (1 - of_fake).log().mean()
    assert abs(discriminator_loss(real, fake) + value) < ROUNDING
    assert abs(minimax_loss(fake) - (1 - of_fake).log().mean()) < ROUNDING
    assert abs(non_saturating_loss(fake) + of_fake.log().mean()) < ROUNDING


@pytest.mark.parametrize("size", [200.0, -200.0])
def test_the_losses_are_finite_and_right_for_large_log_odds(size):
    x = torch.tensor([size])
    assert discriminator_loss(x, -x) == 2 * max(-size, 0)
    assert minimax_loss(x) == -max(size, 0)
    assert non_saturating_loss(x) == max(-size, 0)


def test_what_the_discriminator_gains_the_minimax_generator_loses():
    """Their gradients at the same fakes are opposite: it is one value."""
    fake = normal(20).requires_grad_()
    (up,) = torch.autograd.grad(discriminator_loss(normal(20, seed=1), fake), fake)
    (down,) = torch.autograd.grad(minimax_loss(fake), fake)
    assert (up + down).abs().max() < ROUNDING


def test_where_the_discriminator_is_sure_only_one_loss_still_has_a_slope():
    fake = torch.tensor([-10.0], dtype=torch.float64, requires_grad=True)
    (minimax,) = torch.autograd.grad(minimax_loss(fake), fake)
    (other,) = torch.autograd.grad(non_saturating_loss(fake), fake)
    assert abs(minimax + 1 / (1 + math.exp(10))) < ROUNDING
    assert abs(other + 1 / (1 + math.exp(-10))) < ROUNDING


def test_the_wasserstein_loss_of_the_best_critic_is_minus_the_distance():
    """Of two points at −1 and 2, whose best critic of slope 1 is f(x) = −x."""
    assert wasserstein_loss(torch.tensor([1.0]), torch.tensor([-2.0])) == -3


# ---- penalties


def test_points_lie_between_a_real_image_and_its_fake():
    real, fake, eps = normal(6, 1, 4, 4), normal(6, 1, 4, 4, seed=1), torch.rand(6).double()
    points = between(real, fake, eps)
    way = (points - fake) / (real - fake)
    assert (way - eps[:, None, None, None]).abs().max() < 1e-9  # of a quotient of small differences
    assert torch.equal(between(real, fake, torch.zeros(6).double()), fake)
    assert (between(real, fake, torch.ones(6).double()) - real).abs().max() < ROUNDING


@pytest.mark.parametrize("shape", [(5, 2), (5, 1, 4, 4)])
def test_the_penalty_of_a_linear_critic_is_known(shape):
    w = normal(*shape[1:])
    penalty = gradient_penalty(lambda x: (x * w).flatten(1).sum(1), normal(*shape, seed=1))
    assert abs(penalty - (w.norm() - 1) ** 2) < ROUNDING


def test_each_point_has_a_slope_of_its_own():
    """Of |x|² / 2 the slope at x is |x|; one slope for the whole batch would be another number."""
    points = normal(7, 3)
    wanted = (points.norm(dim=1) - 1).square().mean()
    assert abs(gradient_penalty(lambda x: x.square().sum(1) / 2, points) - wanted) < ROUNDING
    assert abs((points.norm() - 1) ** 2 - wanted) > 1


def test_the_penalty_moves_the_weights_of_the_critic():
    w = normal(4).requires_grad_()
    (found,) = torch.autograd.grad(gradient_penalty(lambda x: x @ w, normal(9, 4, seed=1)), w)
    wanted = 2 * (w.norm() - 1) * w / w.norm()
    assert (found - wanted).abs().max() < ROUNDING


def test_the_penalty_leaves_no_gradient_at_the_points():
    points = normal(3, 2).requires_grad_()
    w = normal(2).requires_grad_()
    gradient_penalty(lambda x: (x @ w).square(), 2 * points).backward()
    assert points.grad is None and w.grad is not None


def test_clipped_weights_stay_within_the_limit_and_others_as_they_were():
    critic = nn.Linear(50, 2)
    before = copy.deepcopy(critic)
    clip_weights(critic, 0.05)
    for clipped, weight in zip(critic.parameters(), before.parameters(), strict=True):
        assert clipped.abs().max() <= 0.05
        assert torch.equal(clipped[weight.abs() <= 0.05], weight[weight.abs() <= 0.05])


# ---- the two players


@pytest.mark.parametrize("kind", KINDS)
def test_each_loss_moves_its_own_player_alone(kind):
    model = players(kind)
    for player, loss in model.losses((torch.randn(6, 2), None)):
        total = sum(loss.values()) if isinstance(loss, dict) else loss
        model.zero_grad()
        total.backward()
        moved = {name: any(p.grad is not None for p in m.parameters()) for name, m in model.players().items()}
        if player == "critic":
            assert moved == {"critic": True, "generator": False}
        else:
            assert moved["generator"]  # through the critic, whose own gradients `train` leaves out


def test_train_takes_the_step_of_one_player_before_the_loss_of_the_other():
    """By hand: the generator's loss is seen by the critic as it is after its own step."""
    model, lr, noise, x = players(), 0.1, torch.randn(2, 6, 3), torch.randn(6, 2)
    by_hand = copy.deepcopy(model)
    draws = iter(noise)
    model.fakes = lambda real, *_: model.generator(next(draws))
    (_, losses, _), = train(
        model, lambda _: (x, None), 1, optimizer=lambda p: SGD(p, lr), progress=False, device="cpu"
    )  # fmt: skip

    generator, critic = by_hand.generator, by_hand.critic
    first = discriminator_loss(critic(x), critic(generator(noise[0]).detach()))
    gradients = torch.autograd.grad(first, list(critic.parameters()))
    with torch.no_grad():
        for weight, slope in zip(critic.parameters(), gradients, strict=True):
            weight -= lr * slope
    second = non_saturating_loss(critic(generator(noise[1])))
    gradients = torch.autograd.grad(second, list(generator.parameters()))
    assert abs(losses["critic"] - first) < 1e-6 and abs(losses["generator"] - second) < 1e-6  # float32
    for weight, old, slope in zip(
        model.generator.parameters(), generator.parameters(), gradients, strict=True
    ):
        assert (weight - (old - lr * slope)).abs().max() < 1e-6


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_kind_of_gan_differs_by_its_losses_and_nothing_else(kind):
    own = {name for name, value in vars(kind).items() if callable(value)}
    assert own and own <= {"critic_loss", "generator_loss"} and kind.__bases__ == (GAN,)


def test_the_critic_sees_other_images_at_each_of_its_turns():
    model, x = players(critic_steps=3), torch.arange(12.0).view(6, 2)
    seen = []
    model.critic_loss = lambda real, fake: seen.append((real, fake)) or fake.sum()
    assert [player for player, _ in model.losses((x, None))] == ["critic"] * 3 + ["generator"]
    assert torch.equal(torch.cat([real for real, _ in seen]), x)
    assert not torch.equal(seen[0][1], seen[1][1])


def test_labels_go_with_their_images():
    model = players(critic_steps=2)
    model.fakes = lambda real, labels: real
    seen = []
    model.critic_loss = lambda real, fake, labels: seen.append((real, labels)) or real.sum()
    model.generator_loss = lambda fake, labels: fake.sum()
    x, labels = torch.arange(8.0).view(4, 2), torch.arange(4)
    list(model.losses((x, labels)))
    assert [part.tolist() for _, part in seen] == [[0, 1], [2, 3]]
    assert torch.equal(seen[1][0], x[2:])


@pytest.mark.parametrize(
    ("x", "said"), [(torch.randn(5, 2), "multiple of critic_steps = 2"), (torch.randn(4, 3), r"\(N, 2\)")]
)
def test_a_batch_that_does_not_fit_is_refused_in_a_sentence(x, said):
    with pytest.raises(ValueError, match=said):
        list(players(critic_steps=2).losses((x, None)))


def test_divergence_is_said_with_the_step_and_the_player():
    model = players()
    batch = lambda _: (torch.full((4, 2), float("nan")), None)  # noqa: E731
    with pytest.raises(FloatingPointError, match="step 1: the loss of 'critic' is not finite"):
        list(train(model, batch, 3, progress=False))


@pytest.mark.parametrize("kind", KINDS)
def test_training_brings_the_generator_nearer(kind):
    torch.manual_seed(0)
    far = ring(1, radius=3.0)  # one Gaussian at (3, 0)
    model = players(kind, critic_steps=4, width=32)
    draw = lambda generator: (far.sample(64, generator).float(), None)  # noqa: E731
    before = (model.sample(500).mean(0) - torch.tensor([3.0, 0.0])).norm()
    optimizer = lambda p: torch.optim.Adam(p, 2e-3, betas=(0.5, 0.9))  # noqa: E731
    *_, (_, _, after) = train(model, draw, 400, optimizer=optimizer, progress=False, device="cpu")
    assert (after.sample(500).mean(0) - torch.tensor([3.0, 0.0])).norm() < 0.5 * before


# ---- networks


def test_many_layers_are_as_many_linear_layers():
    many = ManyLinear(3, 4, 5).double()
    x = normal(6, 4)
    for i in range(3):
        alone = x[2 * i : 2 * i + 2] @ many.weight[i] + many.bias[i]
        assert (many(x)[2 * i : 2 * i + 2] - alone).abs().max() < ROUNDING
    with pytest.raises(ValueError, match=r"\(3 · n, 4\); got \(5, 4\)"):
        many(normal(5, 4))


def test_networks_side_by_side_train_as_they_would_alone():
    """A mean over all rows makes each gradient smaller, by the number of networks."""
    torch.manual_seed(0)
    together = point_networks(2, 3, 1, width=4).double()
    alone = copy.deepcopy(together)
    for layer in alone:
        if isinstance(layer, ManyLinear):
            layer.weight, layer.bias = (nn.Parameter(p[1:].detach()) for p in (layer.weight, layer.bias))
    x = normal(10, 3)
    together(x).square().mean().backward()
    alone(x[5:]).square().mean().backward()
    for a, b in zip(together.parameters(), alone.parameters(), strict=True):
        assert (2 * a.grad[1:] - b.grad).abs().max() < ROUNDING


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, 16)])
def test_image_players_fit_each_other(channels, size):
    images = image_generator(7, channels, size, width=4)(torch.randn(5, 7))
    assert images.shape == (5, channels, size, size) and images.abs().max() <= 1
    assert image_critic(channels, size, width=4)(images).shape == (5,)


def test_a_projection_critic_adds_what_suits_the_label():
    critic = ProjectionCritic(3, width=4, features=6)
    x, labels = torch.randn(4, 1, 8, 8).tanh(), torch.tensor([0, 1, 2, 1])
    phi = critic.network(x)
    for row, label in enumerate(labels):
        wanted = (
            critic.real.weight[0] @ phi[row] + critic.real.bias + critic.embedding.weight[label] @ phi[row]
        )
        assert abs(critic(x, labels)[row] - wanted) < 1e-5  # float32


def test_a_conditional_gan_trains_with_the_same_class():
    x, labels = (part[:32] for part in digits())
    model = WGANGP(ConditionalGenerator(10, 5, width=4), ProjectionCritic(10, width=4), 5, critic_steps=2)
    *_, (_, losses, averaged) = train(model, lambda _: (x, labels), 2, progress=False)
    assert set(losses) == {"critic", "critic.distance", "critic.penalty", "generator"}
    assert averaged.sample(3, torch.tensor([1, 2, 3])).shape == (3, 1, 8, 8)


def test_each_fake_is_judged_under_the_label_that_it_was_drawn_for():
    torch.manual_seed(0)
    generator, critic = ConditionalGenerator(4, 3, width=4), ProjectionCritic(4, width=4)
    x, z = torch.rand(6, 1, 8, 8) * 2 - 1, torch.randn(6, 3)
    labels, asked = torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([3, 3, 2, 1, 0, 0])
    real, fake = class_turn(generator, critic, x, labels, z, asked)
    for i in range(6):  # one image at a time: no label can stray to another one
        assert torch.allclose(real[i], critic(x[i : i + 1], labels[i : i + 1])[0], atol=1e-5)
        own = generator(z[i : i + 1], asked[i : i + 1])
        assert torch.allclose(fake[i], critic(own, asked[i : i + 1])[0], atol=1e-5)


def test_the_critics_turn_moves_the_critic_alone():
    torch.manual_seed(0)
    generator, critic = ConditionalGenerator(4, 3, width=4), ProjectionCritic(4, width=4)
    labels = torch.arange(4)
    real, fake = class_turn(generator, critic, torch.zeros(4, 1, 8, 8), labels, torch.randn(4, 3), labels)
    (fake.mean() - real.mean()).backward()
    assert all(weight.grad is None for weight in generator.parameters())
    assert critic.embedding.weight.grad.abs().max() > 0
