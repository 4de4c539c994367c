"""The parts of the U-Net against torch's own, and what it must not mix up."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minigen.unet import Attention, LabelledUNet, ResidualBlock, UNet, time_embedding


def awake(module):
    """The module with no weight left at zero, so that nothing hides."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.2)
    return module


def test_the_embedding_has_the_waves_of_the_paper():
    t = torch.tensor([0, 1, 37, 1000])
    found = time_embedding(t, 8)
    for i, time in enumerate(t.tolist()):
        angles = [time * 10_000 ** (-k / 3) for k in range(4)]
        wanted = [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
        assert (found[i] - torch.tensor(wanted)).abs().max() < 1e-3  # float32 angles up to 1000
    assert found.shape == (4, 8)


def test_the_embeddings_of_all_times_differ():
    e = time_embedding(torch.arange(1, 1001), 32)
    apart = torch.cdist(e, e) + 9 * torch.eye(1000)
    assert apart.min() > 0.1


def test_attention_is_that_of_torch():
    layer = awake(Attention(8)).double()
    x = torch.randn(3, 8, 4, 5, dtype=torch.float64)
    h = layer.norm(x)
    query, key, value = (part(h).flatten(2).mT[:, None] for part in (layer.query, layer.key, layer.value))
    mixed = F.scaled_dot_product_attention(query, key, value)[:, 0].mT.view_as(x)
    assert (layer(x) - (x + layer.out(mixed))).abs().max() < 1e-12


def test_attention_does_not_know_where_a_pixel_is():
    layer = awake(Attention(8))
    x = torch.randn(2, 8, 3, 3)
    order = torch.randperm(9)
    moved = x.flatten(2)[..., order].view_as(x)
    assert (layer(moved).flatten(2) - layer(x).flatten(2)[..., order]).abs().max() < 1e-5


@pytest.mark.parametrize("channels", [(16, 16), (8, 16)])
def test_a_fresh_block_adds_nothing_and_a_trained_one_hears_the_time(channels):
    block = ResidualBlock(*channels, 6)
    x, e = torch.randn(2, channels[0], 4, 4), torch.randn(2, 6)
    assert torch.equal(block(x, e), block.around(x))
    awake(block)
    assert (block(x, e) - block(x, e.flip(0))).abs().max() > 1e-2


@pytest.mark.parametrize("multiples, size", [((1,), 6), ((1, 2), 8), ((1, 2, 2), 16)])
def test_shapes_and_the_zeros_of_a_fresh_network(multiples, size):
    network = UNet(3, 16, multiples)
    x, t = torch.randn(2, 3, size, size), torch.tensor([1, 900])
    assert network(x, t).shape == x.shape and network(x, t).abs().max() == 0


@pytest.mark.parametrize("network", [UNet(3, 16, (1, 2), patch=2), LabelledUNet(5, 3, 16, (1, 2), patch=2)])
def test_squares_of_pixels_are_the_pixels_of_a_network_with_more_channels(network):
    inner = UNet(12, 16, (1, 2)) if type(network) is UNet else LabelledUNet(5, 12, 16, (1, 2))
    inner.load_state_dict(awake(network).state_dict())
    x, t = torch.randn(2, 3, 16, 16), torch.tensor([1, 900])
    told = (torch.tensor([0, 5]),) if type(network) is LabelledUNet else ()
    # (N, C, H, W) to (N, C · 2 · 2, H / 2, W / 2): a channel, the row in the square, the column in it
    squares = x.view(2, 3, 8, 2, 8, 2).permute(0, 1, 3, 5, 2, 4).reshape(2, 12, 8, 8)
    found = inner(squares, t, *told).view(2, 3, 2, 2, 8, 8).permute(0, 1, 4, 2, 5, 3).reshape(2, 3, 16, 16)
    assert (network(x, t, *told) - found).abs().max() < 1e-5


def test_every_image_is_denoised_at_its_own_time_and_alone():
    network = awake(UNet(1, 16, (1, 2))).eval()
    x, t = torch.randn(3, 1, 8, 8), torch.tensor([5, 300, 900])
    together = network(x, t)
    for i in range(3):
        assert (network(x[i : i + 1], t[i : i + 1]) - together[i]).abs().max() < 1e-4
    assert (network(x, t.flip(0)) - together)[0].abs().max() > 1e-3


def test_every_weight_gets_a_gradient():
    network = awake(UNet(1, 16, (1, 2)))
    network(torch.randn(2, 1, 8, 8), torch.tensor([1, 2])).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
