"""Generative adversarial networks: two players, what each of them minimises, and small networks for both.

A critic gives each image one number, high for what it takes for real. In the first GANs it is called a
discriminator, and its number is the log-odds that the image is real: the probability is their sigmoid.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigen.core import Generative
from minigen.layers import image_decoder, image_encoder

# ---- what the players minimise


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """What a discriminator minimises, in nats: −V, the negative of the value of the game.

    real, fake: (N,), log-odds that it gives to real and to generated images.  Returns the mean over the real
    ones plus the mean over the fakes, a scalar, finite for large log-odds too.
    Source: Goodfellow et al. 2014, Generative Adversarial Nets, eq. 1.
    """
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def minimax_loss(fake: Tensor) -> Tensor:
    """What the generator minimises in the minimax game: the part of the value that depends on it.

    fake: (N,), log-odds of being real that a discriminator gives to generated images.  Returns the mean, a
    scalar, at most 0, in nats.
    Source: Goodfellow et al. 2014, eq. 1.
    """
    return -F.softplus(fake).mean()


def non_saturating_loss(fake: Tensor) -> Tensor:
    """What the generator minimises instead: surprise that its images were taken for real.

    fake: (N,), log-odds of being real that a discriminator gives to generated images.  Returns the mean, a
    scalar, at least 0, in nats.
    Source: Goodfellow et al. 2014, section 3.
    """
    return F.softplus(-fake).mean()


def wasserstein_loss(real: Tensor, fake: Tensor) -> Tensor:
    """What a critic of slope at most 1 minimises: the negative of its estimate of the Wasserstein-1 distance.

    real: (N,), fake: (M,), what it gives to real and to generated images; N and M may differ.
    Returns a scalar, in units of the data.
    Source: Arjovsky, Chintala and Bottou 2017, Wasserstein GAN, eq. 2.
    """
    return fake.mean() - real.mean()


def clip_weights(critic: nn.Module, limit: float) -> None:
    """Moves every weight of a critic to the nearest number in [−limit, limit], in place.

    Source: Arjovsky, Chintala and Bottou 2017, algorithm 1.
    """
    with torch.no_grad():
        for weight in critic.parameters():
            weight.clamp_(-limit, limit)


def between(real: Tensor, fake: Tensor, eps: Tensor) -> Tensor:
    """Points on the straight lines from fakes to real images, one for each pair.

    real, fake: (N, …), of one shape.  eps: (N,), drawn uniformly from [0, 1], how far from the fake each
    point lies.  Returns (N, …).
    Source: Gulrajani et al. 2017, Improved Training of Wasserstein GANs, algorithm 1.
    """
    eps = eps.unflatten(0, (-1, *[1] * (real.ndim - 1)))  # (N, 1, …, 1)
    return fake + eps * (real - fake)


def gradient_penalty(critic: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """How far the slope of a critic is from 1 at some points: the mean of squared differences.

    critic: (N, …) to (N,), each from its own point alone.  points: (N, …).  Returns a scalar, which is
    differentiable with respect to the critic's weights.
    Source: Gulrajani et al. 2017, eq. 3.
    """
    points = points.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (gradients.flatten(1).norm(dim=1) - 1).square().mean()


# ---- the two players


class GAN(Generative):
    """A generator of images, and a critic that learns to tell them from real ones, in turns.

    generator: draws from N(0, I) (N, latent) to images.  critic: images to (N,).  Both take the condition as
    a second argument when batches have one.  critic_steps: turns of the critic for one of the generator; a
    batch is shared out among them.
    Its losses are the non-saturating ones: other GANs differ by their losses and nothing else.
    Source: Goodfellow et al. 2014, Generative Adversarial Nets, algorithm 1.
    """

    def __init__(self, generator: nn.Module, critic: nn.Module, latent: int, critic_steps: int = 1):
        super().__init__()
        self.generator, self.critic = generator, critic
        self.latent, self.critic_steps = latent, critic_steps

    def players(self) -> dict[str, nn.Module]:
        return {"critic": self.critic, "generator": self.generator}

    def losses(self, batch: tuple[Tensor, Tensor | None]) -> Iterator[tuple[str, Tensor | dict[str, Tensor]]]:
        """Yields ("critic", its loss) at each of its turns, then ("generator", its loss).

        Whoever asks for the next one has taken the player's step by then.
        batch: (x, condition or None), x (N, …) with N a multiple of critic_steps.
        """
        for real, *condition in self.turns(batch):
            fake = self.fakes(real, *condition).detach()
            yield "critic", self.critic_loss(real, fake, *condition)
        yield "generator", self.generator_loss(self.fakes(real, *condition), *condition)

    def critic_loss(self, real: Tensor, fake: Tensor, *condition: Tensor) -> Tensor | dict[str, Tensor]:
        """real, fake: (N, …).  A scalar, or {term: scalar}."""
        return discriminator_loss(self.critic(real, *condition), self.critic(fake, *condition))

    def generator_loss(self, fake: Tensor, *condition: Tensor) -> Tensor:
        """fake: (N, …).  A scalar."""
        return non_saturating_loss(self.critic(fake, *condition))

    def turns(self, batch: tuple[Tensor, Tensor | None]) -> list[tuple[Tensor, ...]]:
        """A batch in equal parts, one for each turn of the critic: (x,) or (x, condition)."""
        given = [part for part in batch if part is not None]
        if len(given[0]) % self.critic_steps or not len(given[0]):
            wanted = f"x should have a multiple of critic_steps = {self.critic_steps} images"
            raise ValueError(f"{wanted}; got {len(given[0])}")
        return list(zip(*(part.chunk(self.critic_steps) for part in given), strict=True))

    def fakes(self, real: Tensor, *condition: Tensor) -> Tensor:
        """As many generated images as there are real ones.  Raises ValueError unless they are alike."""
        fake = self.generator(torch.randn(len(real), self.latent, device=real.device), *condition)
        if fake.shape != real.shape:
            wanted = ", ".join(map(str, fake.shape[1:]))
            raise ValueError(f"x should be (N, {wanted}), as this generator makes; got {tuple(real.shape)}")
        return fake

    @torch.no_grad()
    def sample(self, n: int, condition: Tensor | None = None) -> Tensor:
        """n images (n, C, H, W) in [-1, 1], of the condition (n,) when the players take one."""
        noise = torch.randn(n, self.latent, device=next(self.parameters()).device)
        return self.generator(noise, *(() if condition is None else (condition,)))


class MinimaxGAN(GAN):
    """Both players play for one value: what one gains the other loses.

    Source: Goodfellow et al. 2014, eq. 1.
    """

    def generator_loss(self, fake: Tensor, *condition: Tensor) -> Tensor:
        return minimax_loss(self.critic(fake, *condition))


class WGAN(GAN):
    """The critic estimates a distance, and its weights are clipped so that its slope stays bounded.

    Source: Arjovsky, Chintala and Bottou 2017, Wasserstein GAN, algorithm 1.
    """

    limit = 0.01  # of a weight, as in the paper

    def critic_loss(self, real: Tensor, fake: Tensor, *condition: Tensor) -> Tensor:
        clip_weights(self.critic, self.limit)
        return wasserstein_loss(self.critic(real, *condition), self.critic(fake, *condition))

    def generator_loss(self, fake: Tensor, *condition: Tensor) -> Tensor:
        clip_weights(self.critic, self.limit)
        return -self.critic(fake, *condition).mean()


class WGANGP(GAN):
    """The critic estimates a distance, and pays where its slope between real images and fakes is not 1.

    Source: Gulrajani et al. 2017, Improved Training of Wasserstein GANs, algorithm 1.
    """

    weight = 10.0  # of the penalty, as in the paper

    def critic_loss(self, real: Tensor, fake: Tensor, *condition: Tensor) -> dict[str, Tensor]:
        points = between(real, fake, torch.rand(len(real), device=real.device))
        penalty = gradient_penalty(lambda x: self.critic(x, *condition), points)
        distance = wasserstein_loss(self.critic(real, *condition), self.critic(fake, *condition))
        return {"distance": distance, "penalty": self.weight * penalty}

    def generator_loss(self, fake: Tensor, *condition: Tensor) -> Tensor:
        return -self.critic(fake, *condition).mean()


# ---- networks for them


def image_generator(latent: int, channels: int = 1, size: int = 8, width: int = 16) -> nn.Sequential:
    """(N, latent) to images (N, channels, size, size) in [-1, 1], of the kind that DCGAN made usual.

    Source: Radford, Metz and Chintala 2016, Unsupervised Representation Learning with Deep Convolutional
    GANs.
    """
    return nn.Sequential(image_decoder(latent, channels, size, width), nn.Tanh())


def image_critic(channels: int = 1, size: int = 8, width: int = 16) -> nn.Sequential:
    """Images (N, channels, size, size) to one number each: (N,)."""
    return nn.Sequential(image_encoder(channels, size, width, 1), nn.Flatten(0))


class ConditionalGenerator(nn.Module):
    """Draws and labels to images: a label becomes a learned vector, which goes in beside the noise, after it.

    classes: how many.  latent: numbers of noise.  channels, size, width: as for `image_generator`.
    Source: Mirza and Osindero 2014, Conditional Generative Adversarial Nets.
    """

    def __init__(self, classes: int, latent: int, channels: int = 1, size: int = 8, width: int = 16):
        super().__init__()
        self.embedding = nn.Embedding(classes, latent)
        self.network = image_generator(2 * latent, channels, size, width)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """z: (N, latent).  labels: (N,), int64.  Returns images (N, channels, size, size) in [-1, 1]."""
        return self.network(torch.cat([z, self.embedding(labels)], dim=1))


class ProjectionCritic(nn.Module):
    """Images and labels to one number each: how real the image is, and how well it suits its label.

    classes: how many.  features: numbers that the network makes of an image.  The rest as for `image_critic`.
    Source: Miyato and Koyama 2018, cGANs with Projection Discriminator, eq. 5.
    """

    def __init__(self, classes: int, channels: int = 1, size: int = 8, width: int = 16, features: int = 64):
        super().__init__()
        self.network = nn.Sequential(image_encoder(channels, size, width, features), nn.SiLU())
        self.real = nn.Linear(features, 1)
        self.embedding = nn.Embedding(classes, features)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """x: (N, channels, size, size).  labels: (N,), int64.  Returns (N,)."""
        phi = self.network(x)  # (N, features)
        return self.real(phi).squeeze(1) + (self.embedding(labels) * phi).sum(1)


def class_turn(
    generator: nn.Module, critic: nn.Module, x: Tensor, labels: Tensor, z: Tensor, asked: Tensor
) -> tuple[Tensor, Tensor]:
    """What a critic gives, at its own turn, to real images and to fakes that have classes of their own.

    generator, critic: of images with labels.  x: (N, C, H, W), real images, of the classes labels: (N,).
    z: (N, latent), draws for the fakes, which are to show the classes asked: (N,).
    Returns (N,) for the real images and (N,) for the fakes.  No gradient reaches the generator.
    Source: Mirza and Osindero 2014, Conditional Generative Adversarial Nets, eq. 2.
    """
    with torch.no_grad():
        fake = generator(z, asked)
    return critic(x, labels), critic(fake, asked)
