"""Guidance: a denoiser that draws what it is asked for, made of others. Samplers do not know of it.

`classifier_guided`, `classifier_shifted` and `classifier_free` take predictions of the noise,
predict(x_t, t), and give another one of the same kind.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigen.core import Generative
from minigen.diffusion import Predict, Schedule, Times, at, q_sample
from minigen.layers import downsample
from minigen.unet import ResidualBlock, time_embedding

Score = Callable[[Tensor, Times], Tensor]  # images x_t (N, ...) and their times to log p(y | x_t): (N,)


def classifier_gradient(log_probability: Score, x_t: Tensor, t: Times) -> Tensor:
    """The slope of log p(y | x_t) in x_t, for each image by itself: where the class gets more probable.

    log_probability: (x_t, t) to (N,), that of the class wanted for each image.  x_t: (N, ...).  t: whole
    numbers, (N,), or one for all.  Returns as x_t, detached; no gradient reaches the classifier's weights.
    Source: Dhariwal and Nichol 2021, Diffusion Models Beat GANs on Image Synthesis, section 4.
    """
    x = x_t.detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(log_probability(x, t).sum(), x)
    return slope


def classifier_guided(
    predict: Predict, log_probability: Score, alpha_bar: Tensor, scale: float = 1.0
) -> Predict:
    """The prediction of a denoiser that does not know of classes, bent towards a class by a classifier.

    predict: (x_t, t) to the noise: (N, ...).  log_probability: as in `classifier_gradient`.  alpha_bar:
    (T + 1,), the table.  scale: 0 is without guidance, 1 is Bayes' rule, more asks for more than that.
    Source: Dhariwal and Nichol 2021, algorithm 2.
    """

    def guided(x_t: Tensor, t: Times) -> Tensor:
        sigma = at((1 - alpha_bar).sqrt(), t, x_t)
        return predict(x_t, t) - scale * sigma * classifier_gradient(log_probability, x_t, t)

    return guided


def classifier_shifted(
    predict: Predict, log_probability: Score, schedule: Schedule, variances: Tensor, scale: float = 1.0
) -> Predict:
    """The prediction whose step back is the one that is asked for, moved: by scale times Σ ∇ log p(y | x_t).

    predict, log_probability, scale: as in `classifier_guided`.  schedule: of the chain.  variances: (T + 1,),
    Σ_t of each step back, such as schedule.variance or schedule.beta.
    Source: Dhariwal and Nichol 2021, algorithm 1.
    """
    mean_to_noise = schedule.alpha.sqrt() * (1 - schedule.alpha_bar).sqrt() / schedule.beta

    def guided(x_t: Tensor, t: Times) -> Tensor:
        shift = scale * at(variances, t, x_t) * classifier_gradient(log_probability, x_t, t)
        return predict(x_t, t) - at(mean_to_noise, t, x_t) * shift

    return guided


def classifier_free(unconditional: Predict, conditional: Predict, w: float) -> Predict:
    """The way from what is predicted without the class to what is predicted with it, walked w times as far.

    unconditional, conditional: (x_t, t) to the noise: (N, ...).  w: 0 is without the class, 1 with it, and
    above 1 it is guided.
    Source: Ho and Salimans 2022, Classifier-Free Diffusion Guidance, equation 6, whose w is one less.
    """

    def guided(x_t: Tensor, t: Times) -> Tensor:
        return torch.lerp(unconditional(x_t, t), conditional(x_t, t), w)

    return guided


def tilted(
    mean: Tensor, variance: Tensor, told_mean: Tensor, told_variance: Tensor, gamma: float
) -> tuple[Tensor, Tensor]:
    """What guidance asks for, p(x) p(y | x)^γ brought to area 1, where p(x) and p(x | y) are Gaussians.

    mean, variance: of p(x), each number by itself.  told_mean, told_variance: of p(x | y); all of one shape.
    gamma: 0 gives p(x) back, 1 gives p(x | y).  Returns the mean and the variance, of that shape.
    Raises ValueError when there is no such density, since the product grows without end.
    Source: Ho and Salimans 2022, section 3.1; the product of Gaussians: Bishop 2006, section 2.3.3.
    """
    precision = (1 - gamma) / variance + gamma / told_variance
    if not (precision > 0).all():
        raise ValueError(f"p(x) p(y | x)^γ should have an end; with γ = {gamma} it has precision {precision}")
    pulls = (1 - gamma) * mean / variance + gamma * told_mean / told_variance
    return pulls / precision, 1 / precision


def drop_labels(labels: Tensor, draws: Tensor, chance: float, nothing: int) -> Tensor:
    """Labels of which some are taken away, each by itself: so one network learns with labels and without.

    labels: (N,), whole numbers.  draws: (N,), each from [0, 1), evenly.  chance: the share to take away.
    nothing: the label that says that there is none.  Returns (N,), whole numbers.
    Source: Ho and Salimans 2022, algorithm 1.
    """
    return torch.where(draws < chance, nothing, labels)


class NoisyClassifier(Generative):
    """A network that names the class of a noisy image, and is told the time.

    schedule: of the chain whose images it is shown.  classes: how many.  channels, size: of the images, size
    even.  width: channels at full resolution, a multiple of 8 above 8.
    Source: Dhariwal and Nichol 2021, section 4; it is half of a U-Net.
    """

    def __init__(
        self, schedule: Schedule, classes: int = 10, channels: int = 1, size: int = 8, width: int = 32
    ):
        super().__init__()
        self.schedule, self.width, time = schedule, width, 4 * width
        self.time = nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time))
        self.into = nn.Conv2d(channels, width, 3, padding=1)
        self.first = ResidualBlock(width, width, time)
        self.shrink = downsample(width, 2 * width)
        self.second = ResidualBlock(2 * width, 2 * width, time)
        numbers = 2 * width * (size // 2) ** 2
        self.out = nn.Sequential(
            nn.GroupNorm(8, 2 * width), nn.SiLU(), nn.Flatten(), nn.Linear(numbers, classes)
        )

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x_t: (N, channels, size, size), t: (N,) in steps -> logits (N, classes)."""
        e = self.time(time_embedding(t, self.width))
        h = self.shrink(self.first(self.into(x_t), e))
        return self.out(self.second(h, e))

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> Tensor:
        """Cross-entropy at random times from 0 to T, in nats, mean over the batch.  batch: (x, labels)."""
        x, labels = batch
        t = torch.randint(self.schedule.steps + 1, (len(x),), device=x.device)
        x_t = q_sample(x, t, torch.randn_like(x), self.schedule.alpha_bar)
        return F.cross_entropy(self(x_t, t), labels)

    def log_probability(self, labels: Tensor) -> Score:
        """log p(y | x_t) of the class wanted for each image, for `classifier_guided`.  labels: (N,)."""

        def score(x_t: Tensor, t: Times) -> Tensor:
            t = torch.as_tensor(t, device=x_t.device).expand(len(x_t))
            return self(x_t, t).log_softmax(1).gather(1, labels[:, None]).squeeze(1)

        return score
