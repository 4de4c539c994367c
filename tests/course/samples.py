"""Small library functions of every shape that exercises have, and their exercises, for tests of the engine.

Loaded as the module `minigen.samples`, so that installing works on it as on the library.
"""

import itertools

import torch
from torch import Tensor, nn

from minigen.course.catalogue import lesson
from minigen.course.source import edited

CATALOGUE = {}
exercise = lesson("99_samples", CATALOGUE)


# A plain function with gradients.
def reparameterize(mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
    """A sample of N(mu, exp(logvar)). Shapes: all (N, D)."""
    std = (logvar / 2).exp()
    return mu + std * eps


def encode_and_sample(mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
    """Uses the target through the module's globals, as the library does."""
    return reparameterize(mu, logvar, eps)


def probe_reparameterize(answer, rng):
    n, d = rng.size(2, 5), rng.size(6, 9)
    return {"z": answer(rng.normal(n, d, leaf=True), rng.normal(n, d, leaf=True), rng.normal(n, d))}


exercise(
    target=reparameterize,
    title="Sample a Gaussian so that gradients flow",
    probe=probe_reparameterize,
    mistakes={
        "std = exp(logvar)": (
            edited(reparameterize, "(logvar / 2).exp()", "logvar.exp()"),
            "The spread grows like σ², not σ: logvar is log σ², so σ = exp(logvar / 2).",
        ),
        "std = logvar": (lambda mu, logvar, eps: mu + logvar * eps, "logvar is a logarithm: take exp."),
        "detached": (
            lambda mu, logvar, eps: mu.detach() + (logvar / 2).exp() * eps,
            "The values are right, but mu was detached.",
        ),
    },
    accepts=[lambda mu, logvar, eps: torch.addcmul(mu, logvar.mul(0.5).exp(), eps)],
    hints=["What is the variance, in terms of logvar?", "σ is its square root."],
)


# Free choices: the axes of PCA have free signs.
def pca_axes(x: Tensor, k: int) -> Tensor:
    """The k principal axes of x, as orthonormal rows. x: (N, D).  Returns (k, D)."""
    centred = x - x.mean(dim=0)
    return torch.linalg.svd(centred, full_matrices=False).Vh[:k]


def probe_pca_axes(answer, rng):
    n, d = rng.size(12, 20), rng.size(4, 7)
    return {"axes": answer(rng.normal(n, d) * torch.arange(1, d + 1, device=rng.device) + 3, 2)}


exercise(
    target=pca_axes,
    title="Principal axes",
    probe=probe_pca_axes,
    judge=lambda raw: {"projector": raw["axes"].mT @ raw["axes"], "lengths": raw["axes"] @ raw["axes"].mT},
    mistakes={
        "not centred": (edited(pca_axes, "x - x.mean(dim=0)", "x"), "Take the mean off first."),
        "left singular vectors": (
            lambda x, k: torch.linalg.svd(x - x.mean(0), full_matrices=False).U[:, :k].mT,
            "U lives in the space of samples.",
        ),
        "centred by row": (edited(pca_axes, "dim=0", "dim=1, keepdim=True"), "The mean is over samples."),
    },
    equivalents={
        "return torch.linalg.svd(centred).Vh[:k]": "only slower: k never exceeds the smaller side",
        "return torch.linalg.svd(centred, full_matrices=True).Vh[:k]": "only slower, for the same reason",
    },
    accepts=[lambda x, k: torch.linalg.eigh(torch.cov(x.mT)).eigenvectors.mT.flip(0)[:k]],
    hints=["Look at the shape of Vh."],
)


# A class with random weights.
class TinyAutoencoder(nn.Module):
    """x (N, 6) → code (N, 2) → (N, 6), with one ReLU between two linear layers."""

    def __init__(self, width: int):
        super().__init__()
        self.encoder = nn.Linear(6, width)
        self.decoder = nn.Linear(width, 6)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the reconstruction (N, 6)."""
        return self.decoder(self.encoder(x).relu())


def probe_tiny(answer, rng):
    model = answer(rng.size(2, 4))
    return {"reconstruction": model(rng.normal(rng.size(3, 6), 6, leaf=True))}


class OtherNames(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.out = nn.Linear(width, 6)
        self.steps = nn.Sequential(nn.Linear(6, width), nn.ReLU())

    def forward(self, x):
        return self.out(self.steps(x))


exercise(
    target=TinyAutoencoder,
    title="An autoencoder",
    probe=probe_tiny,
    mistakes={
        "no ReLU": (edited(TinyAutoencoder, ".relu()", ""), "Two linear layers in a row are one."),
        "ReLU at the end": (
            edited(
                TinyAutoencoder,
                "self.encoder(x).relu()",
                "self.encoder(x)",
                "return self.decoder(self.encoder(x))",
                "return self.decoder(self.encoder(x)).relu()",
            ),
            "A ReLU at the end cannot give negative numbers.",
        ),
        "input added": (edited(TinyAutoencoder, "relu())", "relu()) + x"), "The input must pass the code."),
    },
    accepts=[OtherNames],
    blank=("forward",),
    hints=["Encoder, ReLU, decoder."],
)


# Two players and their optimizers: a step is run twice, with SGD.
def critic_step(critic: nn.Module, generator: nn.Module, optimizer, real: Tensor, z: Tensor) -> Tensor:
    """One step of the critic on E[D(fake)] - E[D(real)]; the generator gets no gradient. Returns the loss."""
    fake = generator(z).detach()
    loss = critic(fake).mean() - critic(real).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def probe_critic_step(answer, rng):
    critic, generator = nn.Linear(3, 1).to(rng.device), nn.Linear(2, 3).to(rng.device)
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.1)
    n = rng.size(3, 9)
    losses = [answer(critic, generator, optimizer, rng.normal(n, 3), rng.normal(n, 2)) for _ in range(2)]
    pushed = torch.stack(
        [torch.zeros(()) if p.grad is None else p.grad.norm() for p in generator.parameters()]
    )
    return {
        "losses": torch.stack(losses),
        "weights": critic.weight,
        "gradient pushed into the generator": pushed,
    }


exercise(
    target=critic_step,
    title="One step of a critic",
    probe=probe_critic_step,
    mistakes={
        "no detach": (
            edited(critic_step, ".detach()\n    loss =", "\n    loss ="),
            "The generator gets gradients.",
        ),
        "no zero_grad": (edited(critic_step, "    optimizer.zero_grad()\n", ""), "Gradients pile up."),
        "wrong sign": (
            edited(
                critic_step,
                "critic(fake).mean() - critic(real).mean()",
                "critic(real).mean() - critic(fake).mean()",
            ),
            "The critic should rise on real data.",
        ),
    },
    accepts=[],
    equivalents={"return loss": "a loss that still has its graph has the same value"},
    hints=["Which of the two networks may change here?"],
)


# A sampler, judged with an exact denoiser and noise(t) as an argument.
def ancestral(denoise, x: Tensor, times: Tensor, noise) -> Tensor:
    """Steps x from times[0] down to times[-1]; denoise(x, t) gives the clean estimate."""
    for t, s in itertools.pairwise(times):
        x = denoise(x, t) + s * noise(t)
    return x


def probe_ancestral(answer, rng):
    draws = {}

    def noise(t):
        return draws.setdefault(float(t), rng.normal(n, 2))

    n, times = rng.size(3, 9), torch.linspace(1, 0, rng.size(3, 6))
    for t in times:  # drawn beforehand, so that an answer may ask in any order and as often as it likes
        noise(t)
    return {"x": answer(lambda x, t: x / (1 + t**2), rng.normal(n, 2), times, noise)}


exercise(
    target=ancestral,
    title="A sampler",
    probe=probe_ancestral,
    mistakes={
        "noise at the wrong time": (edited(ancestral, "s * noise(t)", "t * noise(t)"), "s, not t."),
        "no noise": (edited(ancestral, " + s * noise(t)", ""), "Noise must come back in."),
        "denoised at s": (edited(ancestral, "denoise(x, t)", "denoise(x, s)"), "x is at time t."),
    },
    hints=["x is at time t before the step and at time s after it."],
)


# A decorated function.
@torch.no_grad()
def ema_update(averaged: Tensor, current: Tensor, decay: float) -> None:
    """Moves `averaged` towards `current` in place."""
    averaged.mul_(decay).add_((1 - decay) * current)


def probe_ema(answer, rng):
    d = rng.size(3, 6)
    averaged, current = rng.normal(d), rng.normal(d)
    answer(averaged, current, 0.9)
    answer(averaged, current, 0.7)
    return {"averaged": averaged}


def rebinds(averaged, current, decay):
    averaged = decay * averaged + (1 - decay) * current


exercise(
    target=ema_update,
    title="An average in place",
    probe=probe_ema,
    mistakes={
        "a new tensor": (rebinds, "The name now means a new tensor; the caller's is unchanged."),
        "decay and 1 - decay swapped": (
            edited(ema_update, "mul_(decay)", "mul_(1 - decay)", "(1 - decay) *", "decay *"),
            "decay is the share that stays.",
        ),
        "replaced": (
            edited(ema_update, ".mul_(decay).add_((1 - decay) * current)", ".copy_(current)"),
            "Average.",
        ),
    },
    hints=["Which methods of a tensor end in _?"],
)


# A repair exercise: the stub is one of its mistakes.
def sum_squares(x: Tensor, y: Tensor) -> Tensor:
    """Squared error, summed over a row, averaged over rows. x, y: (N, D).  Returns ()."""
    return (x - y).square().sum(dim=1).mean()


exercise(
    target=sum_squares,
    title="The error of a row",
    probe=lambda answer, rng: (lambda n, d: {"error": answer(rng.normal(n, d, leaf=True), rng.normal(n, d))})(
        rng.size(2, 4), rng.size(5, 9)
    ),
    repair="mean over everything",
    mistakes={
        "mean over everything": (edited(sum_squares, ".sum(dim=1).mean()", ".mean()"), "Divided by D."),
        "sum over everything": (edited(sum_squares, ".sum(dim=1).mean()", ".sum()"), "Multiplied by N."),
        "not squared": (edited(sum_squares, ".square()", ".abs()"), "Square it."),
    },
    hints=["Sum over what, mean over what?"],
)


# A predict exercise.
def compression() -> float:
    """An image of 8 × 8 pixels becomes a code of 8 numbers.
    How many times smaller is the code?
    """
    return 8 * 8 / 8


exercise(
    target=compression,
    title="How much smaller",
    mistakes={"one side": (1, "An image has 8 × 8 = 64 pixels, not 8.")},
    hints=["Count the pixels."],
)
