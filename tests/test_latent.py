"""Latent diffusion beside closed forms: Gaussian codes, and a codec that changes nothing but the scale."""

import pytest
import torch
from torch import nn

from minigen.codec import Codec
from minigen.core import Generative
from minigen.ddpm import DDPM
from minigen.diffusion import Schedule, at, cosine_betas
from minigen.latent import Latent, encode_once, knowing, redraw, shrink_mask, to_codes, to_images
from minigen.samplers import few_steps
from minigen.train import train

CHAIN = Schedule(cosine_betas(200))


class Fivefold(Generative):
    """A codec whose codes are the images times 5: nothing is to be learned, and only the scale matters."""

    factor, code = 1, 1

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.tensor(0.2))

    def encode(self, x):
        return 5 * x, torch.full_like(x, -60.0)

    def draw(self, mu, logvar):
        return mu + (logvar / 2).exp() * torch.randn_like(mu)

    def decode(self, z):
        return z / 5


class OfGaussian(nn.Module):
    """The noise in codes that are N(m, 1), each number by itself, in closed form."""

    def __init__(self, mean):
        super().__init__()
        self.mean = nn.Parameter(torch.tensor(mean))

    def forward(self, x_t, t):
        a_bar = at(CHAIN.alpha_bar, t, x_t)
        return (1 - a_bar).sqrt() * (x_t - a_bar.sqrt() * self.mean)


def normal(seed):
    generator = torch.Generator().manual_seed(seed)
    return lambda t: torch.randn(4000, 1, 1, 1, generator=generator)


def test_the_prior_sees_codes_of_unit_variance_and_the_decoder_codes_as_the_encoder_gave_them():
    codec, x = Fivefold(), torch.randn(500, 1, 2, 2)
    z = to_codes(codec, x)
    assert (z - x).abs().max() < 1e-5  # 5 · 0.2
    assert (to_images(codec, z) - x).abs().max() < 1e-5


def test_samples_have_the_distribution_of_the_images():
    torch.manual_seed(0)
    latent = Latent(Fivefold(), DDPM(OfGaussian(1.5), CHAIN, (1, 4, 4)))
    made = latent.sample(500, steps=60)
    assert made.shape == (500, 1, 4, 4)
    assert abs(made.mean() - 1.5) < 0.05 and abs(made.std() - 1) < 0.05
    larger = latent.sample(20, steps=20, size=(6, 8))
    assert larger.shape == (20, 1, 6, 8)


def test_the_loss_is_that_of_the_prior_on_the_codes():
    prior = DDPM(OfGaussian(0.3), CHAIN, (1, 2, 2))
    latent, x = Latent(Fivefold(), prior), torch.randn(50, 1, 2, 2)
    torch.manual_seed(0)
    torch.randn_like(x)  # what the code is drawn with
    wanted = prior.loss((x, None))
    torch.manual_seed(0)
    ((player, loss),) = latent.losses((x, None))
    assert player == "model" and abs(loss - wanted) < 1e-4


def test_training_leaves_the_codec_as_it_is():
    codec = Codec(factor=4, code=1, width=8)
    latent = Latent(codec, DDPM(OfGaussian(0.0), CHAIN, (1, 2, 2)))
    before = {name: value.clone() for name, value in codec.state_dict().items()}
    x = torch.rand(4, 3, 8, 8)
    *_, (_, _, averaged) = train(latent, lambda g: (x, None), 3, progress=False)
    for name, value in before.items():
        assert torch.equal(codec.state_dict()[name], value)
        assert torch.equal(averaged.codec.state_dict()[name], value)
    assert latent.prior.network.mean != 0


def test_codes_that_are_made_once_are_those_that_the_encoder_gives():
    codec, x = Codec(factor=4, code=2, width=8), torch.rand(7, 3, 8, 8)
    mu, logvar = encode_once(codec, x, batch=3)
    wanted = codec.encode(x)
    assert torch.allclose(mu, wanted[0], atol=1e-6) and torch.allclose(logvar, wanted[1], atol=1e-6)
    assert not mu.requires_grad


@pytest.mark.parametrize("t", [20, 100, 200])
def test_redrawn_data_has_the_distribution_of_the_data_and_remembers_as_much_as_the_chain_leaves(t):
    z = torch.randn(4000, 1, 1, 1, generator=torch.Generator().manual_seed(1))
    again = redraw(OfGaussian(0.0), z, t, CHAIN.alpha_bar, 20, normal(2)).flatten()
    kept = torch.corrcoef(torch.stack([z.flatten(), again]))[0, 1]
    assert abs(again.std() - 1) < 0.05 and abs(again.mean()) < 0.06
    assert abs(kept - CHAIN.alpha_bar[t]) < 0.05  # of x' with x, both N(0, 1), through x_t


def test_known_data_come_back_as_they_are_and_the_rest_as_it_would_without():
    chain = Schedule(cosine_betas(100))
    z = torch.randn(30, 1, 4, 4)
    known = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    known[..., :2] = True
    predict = OfGaussian(0.0)

    def noise(t):
        return torch.randn(z.shape, generator=torch.Generator().manual_seed(t))

    with torch.no_grad():
        made, free = (
            few_steps(p, noise(0), chain.alpha_bar, 20, 1.0, noise, second_order=True)
            for p in (knowing(predict, z, known, chain.alpha_bar), predict)
        )
    assert (made - z)[..., :2].abs().max() < 1e-5
    assert torch.equal(made[..., 2:], free[..., 2:])  # here each number is by itself


def test_what_is_known_says_something_about_what_is_not():
    rho, a_bar = 0.9, CHAIN.alpha_bar
    covariance = torch.tensor([[1, rho], [rho, 1]])

    def predict(x_t, t):  # the noise in pairs of correlated numbers, in closed form
        a = a_bar[t].float()
        inverse = torch.linalg.inv(a * covariance + (1 - a) * torch.eye(2))
        return (1 - a).sqrt() * x_t @ inverse

    z = torch.tensor([[1.0, 0.0]]).expand(4000, 2)
    generator = torch.Generator().manual_seed(0)

    def noise(t):
        return torch.randn(4000, 2, generator=generator)

    known = torch.tensor([[True, False]])
    made = few_steps(knowing(predict, z, known, a_bar), noise(0), a_bar, 200, 1.0, noise)
    assert (made[:, 0] - 1).abs().max() < 1e-5
    assert (
        0.6 < made[:, 1].mean() < 0.95
    )  # 0.9 for one who knows; to replace a part alone falls a little short


@pytest.mark.parametrize("factor", [2, 4])
def test_a_place_of_the_code_is_known_where_all_its_pixels_are(factor):
    known = torch.rand(3, 1, 8, 16, generator=torch.Generator().manual_seed(0)) < 0.9
    small = shrink_mask(known, factor)
    assert small.shape == (3, 1, 8 // factor, 16 // factor)
    for n in range(3):
        for i in range(8 // factor):
            for j in range(16 // factor):
                block = known[n, 0, i * factor : (i + 1) * factor, j * factor : (j + 1) * factor]
                assert small[n, 0, i, j] == block.all()
