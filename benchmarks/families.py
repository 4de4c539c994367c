"""Time to quality for the other families: minigen's VAE beside pythae's, its GANs beside PyTorch's tutorial.

    PYTHONPATH=. .venv-peers/bin/python benchmarks/families.py [--seconds 60] [--seeds 0 1 2] [--only …]

See quality.py.  --quick: as little as can be, and writes nothing.  The environment: peers.txt.
"""

import statistics
from functools import partial

import torch
from pictures import SIDE, pictures
from quality import contest
from racing import Learner
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.optim import Adam

VAES = ["minigen `vae`", "pythae's VAE, tuned", "pythae's VAE, documented"]
GANS = ["minigen `gan`", "minigen `wgan_gp`", "DCGAN of PyTorch's tutorial"]
SAID = """pythae's VAE has its default networks, with the training settings of its README or, tuned, with
those of minigen's recipe. The DCGAN is that of PyTorch's tutorial, with two layers fewer on each side."""


class Pythae(Learner):
    """pythae's VAE with its default networks, and samples from the prior."""

    def __init__(self, images: Tensor, latent: int, batch: int, lr: float):
        from pythae.models import VAE, VAEConfig

        self.model = VAE(VAEConfig(input_dim=(1, SIDE, SIDE), latent_dim=latent))
        self.networks = (self.model,)
        self.optimizer = Adam(self.model.parameters(), lr=lr)
        self.images, self.batch, self.latent = (images + 1) / 2, batch, latent

    def step(self, share: float) -> bool:
        x = self.images[torch.randint(len(self.images), (self.batch,))]
        self.optimizer.zero_grad()
        self.model({"data": x}).loss.backward()
        self.optimizer.step()
        return True

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        return self.model.decoder(torch.randn(n, self.latent))["reconstruction"] * 2 - 1


class Tutorial(Learner):
    """The two players of PyTorch's DCGAN tutorial and its training, for images of 16 pixels."""

    def __init__(self, images: Tensor, latent: int = 100, width: int = 64, batch: int = 128):
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
        self.optimizers = [Adam(player.parameters(), lr=2e-4, betas=(0.5, 0.999)) for player in self.networks]
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


def make(program: str, seed: int) -> Learner:
    """A program, ready to learn; called in a process of its own."""
    import painters

    torch.manual_seed(seed)
    images = pictures()[1][0]
    makers = {
        "minigen `vae`": partial(painters.Minigen, "vae", seed=seed),
        "minigen `gan`": partial(painters.Minigen, "gan", seed=seed),
        "minigen `wgan_gp`": partial(painters.Minigen, "wgan_gp", seed=seed),
        "pythae's VAE, documented": partial(Pythae, latent=16, batch=64, lr=1e-3),
        "pythae's VAE, tuned": partial(Pythae, latent=8, batch=128, lr=1e-3),
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
                said.append(
                    f"- After {budget:g} s {first} is best with {found[first]:.3g}, "
                    f"then {second}: {found[second]:.3g}."
                )
    return "\n".join(said) + "\n"


if __name__ == "__main__":
    contest(__doc__, "Families", make, {"VAE": VAES, "GAN": GANS}, [60.0], ["torch", "pythae"], SAID, goals)
