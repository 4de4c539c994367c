"""A model that learns what noise is in an image: its loss at random times, and images out of pure noise."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigen.core import Generative
from minigen.diffusion import Predict, Schedule, Times, at, q_sample, target_weights, unmix
from minigen.guidance import classifier_free, drop_labels
from minigen.samplers import ancestral


class DDPM(Generative):
    """A network that is shown noisy images and told the time, and says what noise is in them.

    network: (x_t, t) -> as x_t, with t: (N,), whole numbers from 1 to T.  schedule: of the chain.  shape:
    (C, H, W) of an image.  target: what the network gives, one of `target_weights`; in the paper, noise.
    Source: Ho et al. 2020, algorithm 1 and equation 14.
    """

    def __init__(self, network: nn.Module, schedule: Schedule, shape: tuple[int, ...], target: str = "noise"):
        super().__init__()
        self.network, self.schedule, self.shape, self.target = network, schedule, shape, target

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> Tensor:
        """The squared error of what the network gives, at random times: mean over pixels, mean over batch.

        batch: (x, condition); x: (N, C, H, W) in [-1, 1].  Each image gets a time of its own, drawn evenly
        from 1 to T.  Returns one scalar.
        """
        x, *_ = batch
        t = torch.randint(1, self.schedule.steps + 1, (len(x),), device=x.device)
        noise = torch.randn_like(x)
        x_t = q_sample(x, t, noise, self.schedule.alpha_bar)
        p, q = target_weights(self.target, *self.rates(t, x))
        return F.mse_loss(self.network(x_t, t), p * x + q * noise)

    def rates(self, t: Times, x: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ of x_t = α · data + σ · noise, each in a shape that multiplies x: (N, ...)."""
        a_bar = self.schedule.alpha_bar
        return at(a_bar.sqrt(), t, x), at((1 - a_bar).sqrt(), t, x)

    def predict(self, x_t: Tensor, t: Times) -> Tensor:
        """The noise in images (N, ...), whatever the target of the network is: (N, ...)."""
        t = torch.as_tensor(t, device=x_t.device).expand(len(x_t))
        rates = self.rates(t, x_t)
        return unmix(x_t, self.network(x_t, t), *rates, *target_weights(self.target, *rates))[1]

    def noise(self, n: int) -> Tensor:
        """Draws from N(0, I) of the shape of n images, where the network is."""
        return torch.randn(n, *self.shape, device=next(self.network.parameters()).device)

    def sample(self, n: int, condition: Tensor | None = None) -> Tensor:
        """n images (n, C, H, W) in [-1, 1], all T steps back."""
        variances = self.schedule.variance
        x = ancestral(
            self.predict, self.noise(n), self.schedule, lambda t: self.noise(n), variances, clip=True
        )
        return x.clamp(-1, 1)


class ConditionalDDPM(Generative):
    """A diffusion model that draws what a label asks for: one network, told the label or that there is none.

    network: (x_t, t, labels) -> as x_t, where the label network.classes says that there is none.  schedule,
    shape, target: as for DDPM.  dropped: the share of the labels that are taken away in training.
    Source: Ho and Salimans 2022, Classifier-Free Diffusion Guidance, algorithms 1 and 2.
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        shape: tuple[int, ...],
        target: str = "noise",
        dropped: float = 0.1,
    ):
        super().__init__()
        self.network, self.schedule, self.shape, self.target = network, schedule, shape, target
        self.dropped = dropped

    def told(self, labels: Tensor) -> DDPM:
        """The model whose network is told these labels: (N,)."""
        return DDPM(lambda x_t, t: self.network(x_t, t, labels), self.schedule, self.shape, self.target)

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> Tensor:
        """That of DDPM, with the labels told but for those that are dropped.  batch: (x, labels)."""
        x, labels = batch
        draws = torch.rand(len(x), device=x.device)
        return self.told(drop_labels(labels, draws, self.dropped, self.network.classes)).loss((x, None))

    def guided(self, labels: Tensor, w: float) -> Predict:
        """The prediction of the noise for these labels: (N,), guided by w as in `classifier_free`."""
        nothing = torch.full_like(labels, self.network.classes)
        return classifier_free(self.told(nothing).predict, self.told(labels).predict, w)

    def sample(self, n: int, condition: Tensor | None = None, w: float = 1.0) -> Tensor:
        """n images (n, C, H, W) in [-1, 1], all T steps back.  condition: labels (n,); None is without."""
        where = next(self.network.parameters()).device
        labels = torch.full((n,), self.network.classes) if condition is None else condition
        predict, variances = self.guided(labels.to(where), w), self.schedule.variance

        def noise(t: int) -> Tensor:
            return torch.randn(n, *self.shape, device=where)

        return ancestral(predict, noise(0), self.schedule, noise, variances, clip=True).clamp(-1, 1)
