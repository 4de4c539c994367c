"""Time to quality for the other families: minigen's VAE beside pythae's, its GANs beside PyTorch's tutorial.

    PYTHONPATH=. .venv-peers/bin/python benchmarks/families.py [--seconds 60] [--seeds 0 1 2] [--only …]

See quality.py.  --quick: as little as can be, and writes nothing.  The environment: peers.txt.
"""

import copy
import statistics
from functools import partial
from typing import Any

import torch
from pictures import SIDE, pictures
from quality import contest
from racing import Learner
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.optim import Adam, AdamW
from torch.optim.lr_scheduler import ReduceLROnPlateau

from minigen.data.named import Kind
from minigen.layers import image_decoder, image_encoder
from minigen.models import awake
from minigen.recipes import RECIPES
from minigen.speed import Average

VAES = ["minigen `vae`", "minigen `vae beta=8`", "pythae's VAE, tuned", "pythae's VAE, documented"]
GANS = ["minigen `gan`", "minigen `wgan_gp`", "DCGAN, tuned", "DCGAN of PyTorch's tutorial"]
CRITIC_STEPS = RECIPES["wgan_gp"].defaults(SIDE)["critic_steps"]
SAID = f"""pythae's VAE is that of its README, or, tuned, its β-VAE around minigen's networks with the loop
of the tuned diffusion models. The DCGAN is that of PyTorch's tutorial, with two layers fewer on each side,
or, tuned, with other widths and rates and averaged weights. A step of `wgan_gp` has
{CRITIC_STEPS} of its critic, each with second derivatives for the penalty, so it takes fewer in the same
time; `gan` has no normalisation, as in lesson 30."""


class PythaeDocumented(Learner):
    """pythae's VAE with its default networks, and the training settings that its README shows."""

    def __init__(self, images: Tensor):
        from pythae.models import VAE, VAEConfig

        self.model = VAE(VAEConfig(input_dim=(1, SIDE, SIDE), latent_dim=10))
        self.networks = (self.model,)
        self.optimizer = AdamW(self.model.parameters(), lr=1e-3, weight_decay=0.05, betas=(0.91, 0.995))
        self.plateau = ReduceLROnPlateau(self.optimizer, patience=5, factor=0.5)
        self.images, self.losses, self.batch = (images + 1) / 2, [], 200

    def step(self, share: float) -> bool:
        self.optimizer.zero_grad()
        loss = self.model({"data": self.images[torch.randint(len(self.images), (self.batch,))]}).loss
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())
        if len(self.losses) == len(self.images) // self.batch:  # an epoch
            self.plateau.step(statistics.mean(self.losses))
            self.losses.clear()
        return True

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        return self.model.decoder(torch.randn(n, 10))["reconstruction"] * 2 - 1


def pythae_tuned(
    images: Tensor, latent: int = 8, width: int = 16, beta: float = 1.0, **settings: Any
) -> Learner:
    """pythae's β-VAE around minigen's networks and their first weights, with the loop of the tuned ones.

    Each pixel is a probability of white: with squared errors it soon draws nothing but black.
    """
    from painters import Tuned
    from pythae.models import BetaVAE, BetaVAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.layers = image_encoder(1, SIDE, width, 2 * latent)

        def forward(self, x: Tensor) -> ModelOutput:
            mu, logvar = self.layers(x).chunk(2, dim=1)
            return ModelOutput(embedding=mu, log_covariance=logvar)

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.layers = image_decoder(latent, 1, SIDE, width)

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.layers(z).sigmoid())

    config = BetaVAEConfig(input_dim=(1, SIDE, SIDE), latent_dim=latent, beta=beta, reconstruction_loss="bce")
    model = awake(BetaVAE(config, Encoder(), Decoder()), Kind("mnist", 1, SIDE, SIDE, 10, images.mean(0)))
    *_, last = (layer for layer in model.decoder.modules() if isinstance(layer, nn.Conv2d))
    last.bias.data.mul_(2)  # a sigmoid, where minigen's decoder has tanh(x) = 2 sigmoid(2x) - 1
    model.to(memory_format=torch.channels_last)

    def loss(model: nn.Module, x: Tensor) -> Tensor:
        return model({"data": (x + 1) / 2}).loss

    def sampler(model: nn.Module, n: int) -> Tensor:
        return model.decoder(torch.randn(n, latent))["reconstruction"] * 2 - 1

    return Tuned(model, loss, sampler, images, **settings)


class Tutorial(Learner):
    """The two players of PyTorch's DCGAN tutorial and its training, for images of 16 pixels."""

    def __init__(
        self, images: Tensor, latent: int = 100, width: int = 64, batch: int = 128, lr: float = 2e-4
    ):
        def grow(a: int, b: int, stride: int = 2, padding: int = 1) -> list[nn.Module]:
            return [nn.ConvTranspose2d(a, b, 4, stride, padding, bias=False)]

        def shrink(a: int, b: int, stride: int = 2, padding: int = 1) -> list[nn.Module]:
            return [nn.Conv2d(a, b, 4, stride, padding, bias=False)]

        self.generator = nn.Sequential(
            *grow(latent, 2 * width, 1, 0), nn.BatchNorm2d(2 * width), nn.ReLU(),
            *grow(2 * width, width), nn.BatchNorm2d(width), nn.ReLU(),
            *grow(width, 1), nn.Tanh(),
        )  # fmt: skip
        self.critic = nn.Sequential(
            *shrink(1, width), nn.LeakyReLU(0.2),
            *shrink(width, 2 * width), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2),
            *shrink(2 * width, 1, 1, 0), nn.Flatten(0),
        )  # fmt: skip
        self.networks = self.generator, self.critic
        for layer in (*self.generator, *self.critic):
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, 0.0, 0.02)
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.normal_(layer.weight, 1.0, 0.02)
        self.optimizers = [Adam(player.parameters(), lr=lr, betas=(0.5, 0.999)) for player in self.networks]
        self.images, self.latent, self.batch = images, latent, batch

    def step(self, share: float) -> bool:
        of_generator, of_critic = self.optimizers
        x = self.images[torch.randint(len(self.images), (self.batch,))]
        one, zero = torch.ones(len(x)), torch.zeros(len(x))
        fake = self.generator(torch.randn(len(x), self.latent, 1, 1))
        of_critic.zero_grad()
        (cross_entropy(self.critic(x), one) + cross_entropy(self.critic(fake.detach()), zero)).backward()
        of_critic.step()
        of_generator.zero_grad()
        cross_entropy(self.critic(fake), one).backward()
        of_generator.step()
        return True

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        return self.generator(torch.randn(n, self.latent, 1, 1))


class TutorialTuned(Tutorial):
    """The same with other settings, Adam in one call, and the generator's averaged weights."""

    def __init__(self, images: Tensor, decay: float = 0.995, **settings: Any):
        super().__init__(images, **settings)
        for player, optimizer in zip(self.networks, self.optimizers, strict=True):
            player.to(memory_format=torch.channels_last)
            optimizer.param_groups[0]["fused"] = True
        self.averaged = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.average, self.decay, self.steps = Average(self.averaged, self.generator), decay, 0

    def step(self, share: float) -> bool:
        super().step(share)
        self.steps += 1
        self.average.move(min(self.decay, (1 + self.steps) / (10 + self.steps)))
        return True

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        return self.averaged(torch.randn(n, self.latent, 1, 1))


def make(program: str, seed: int) -> Learner:
    """A program, ready to learn; called in a process of its own."""
    import painters

    torch.manual_seed(seed)
    images = pictures()[1][0]
    makers = {
        "minigen `vae`": partial(painters.Minigen, "vae", seed=seed),
        "minigen `vae beta=8`": partial(painters.Minigen, "vae", seed=seed, beta=8.0),
        "minigen `gan`": partial(painters.Minigen, "gan", seed=seed),
        "minigen `wgan_gp`": partial(painters.Minigen, "wgan_gp", seed=seed),
        "pythae's VAE, documented": PythaeDocumented,
        "pythae's VAE, tuned": pythae_tuned,
        "DCGAN, tuned": partial(TutorialTuned, width=32, batch=64, lr=5e-4),
        "DCGAN of PyTorch's tutorial": Tutorial,
    }
    return makers[program](images)


def goals(rows: list[dict]) -> str:
    """Who was best in each group."""
    said = []
    for programs in VAES, GANS:
        for budget in sorted({r["budget"] for r in rows}):
            here = [r for r in rows if r["budget"] == budget]
            found = {
                p: statistics.median(d)
                for p in programs
                if (d := [r["distance"] for r in here if r["program"] == p])
            }
            if len(found) > 1:
                first, second, *_ = sorted(found, key=found.get)
                worst = max(r["distance"] for r in here if r["program"] == first)
                overlap = worst > min(r["distance"] for r in here if r["program"] == second)
                said.append(
                    f"- After {budget:g} s {first} is best with {found[first]:.3g}, "
                    f"then {second}: {found[second]:.3g}{'; their runs overlap' if overlap else ''}."
                )
    return "\n".join(said) + "\n"


if __name__ == "__main__":
    contest(__doc__, "Families", make, {"VAE": VAES, "GAN": GANS}, [60.0], ["torch", "pythae"], SAID, goals)
