"""Programs that learn to draw by diffusion: minigen's recipe, and three others as documented and as tuned.

"Documented" is what a program's own guide says, but for levels that would halve images of 16 pixels too
often, and for what a class below says.  "Tuned" is the program's network, target, chain and sampler with the
loop that was good for minigen (Adam in one call with an even cooldown, averaged weights), and the widths,
targets, samplers, rates, batches and layout that were best of those tried in 60 seconds: see TRIALS.md.
"""

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import peers  # noqa: F401  (first: it makes the others importable)
import torch
from denoising_diffusion_pytorch import GaussianDiffusion, Unet
from diffusers import DDIMPipeline, DDPMScheduler, DPMSolverMultistepScheduler, UNet2DModel
from diffusers.training_utils import compute_density_for_timestep_sampling
from ema_pytorch import EMA
from pictures import SIDE
from racing import Learner
from smalldiffusion import (
    PredFlow,
    Scaled,
    ScheduleLogLinear,
    ScheduleLogNormalFlow,
    generate_train_sample,
    samples,
    training_loop,
)
from smalldiffusion import Unet as SmallUnet
from smalldiffusion.model import TimestepEmbedder
from torch import Tensor, nn
from torch.nn.functional import mse_loss, pixel_shuffle, pixel_unshuffle
from torch.optim import Adam, AdamW, Optimizer
from torch.utils.data import DataLoader

from minigen import speed
from minigen.data.named import Kind
from minigen.data.rows import batches
from minigen.drawing import draw
from minigen.recipes import RECIPES
from minigen.train import train


def cool(optimizers: list[Optimizer], lr: float, cooldown: float, share: float) -> None:
    """Sets the learning rates: lr, which falls to 0 along a line over the last part of the time."""
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["lr"] = lr * (min(1.0, (1 - share) / cooldown) if cooldown else 1.0)


class Minigen(Learner):
    """minigen's `train` with the settings of a recipe, whose cooldown goes by time and not by steps."""

    def __init__(self, recipe: str, images: Tensor, seed: int = 0, **settings: Any):
        kind = Kind("mnist", images.shape[1], SIDE, SIDE, 10, images.mean(0))
        self.chosen = chosen = RECIPES[recipe].defaults(SIDE) | settings | {"seed": seed}
        self.batch = chosen["batch"]
        self.model, self.optimizers = RECIPES[recipe].make(kind, chosen), []
        self.networks = (self.model,)
        self.run = train(
            self.model, batches(images, size=chosen["batch"]), 10**9, optimizer=self.adam,
            decay=chosen["decay"], seed=seed, fast=True, progress=False, device="cpu",
        )  # fmt: skip

    def adam(self, parameters: list[nn.Parameter]) -> Adam:
        lr, betas = self.chosen["lr"], tuple(self.chosen["betas"])
        self.optimizers.append(Adam(parameters, lr=lr, betas=betas, fused=True))
        return self.optimizers[-1]

    def step(self, share: float) -> bool:
        cool(self.optimizers, self.chosen["lr"], self.chosen["cooldown"], share)
        _, _, self.model = next(self.run)
        return True

    def draw(self, n: int) -> Tensor:
        return draw(self.model, n, seed=int(torch.randint(2**31, ())))


class Tuned(Learner):
    """The loop that was good for minigen, around another program's network and loss."""

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[nn.Module, Tensor], Tensor],
        sampler: Callable[[nn.Module, int], Tensor],
        images: Tensor,
        lr: float = 2e-3,
        batch: int = 32,
        decay: float = 0.99,
        cooldown: float = 0.4,
    ):
        self.model, self.loss, self.sampler, self.images = model.train(), loss, sampler, images
        self.networks, self.averaged = (model,), copy.deepcopy(model).eval().requires_grad_(False)
        self.average = speed.Average(self.averaged, model)
        self.optimizer = Adam(model.parameters(), lr=lr, betas=(0.9, 0.99), fused=True)
        self.lr, self.batch, self.decay, self.cooldown, self.steps = lr, batch, decay, cooldown, 0

    def step(self, share: float) -> bool:
        cool([self.optimizer], self.lr, self.cooldown, share)
        self.optimizer.zero_grad()
        with speed.precision(torch.device("cpu")):  # as minigen's `train`
            loss = self.loss(self.model, self.images[torch.randint(len(self.images), (self.batch,))])
        loss.backward()
        self.optimizer.step()
        self.steps += 1
        self.average.move(min(self.decay, (1 + self.steps) / (10 + self.steps)))
        return True

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        return self.sampler(self.averaged, n)


# ---- denoising-diffusion-pytorch


class LucidDocumented(Learner):
    """denoising-diffusion-pytorch as its README has it: its Trainer's steps, without flipping digits over."""

    batch = 64  # in two parts

    def __init__(self, images: Tensor):
        network = Unet(dim=64, dim_mults=(1, 2, 4, 8), channels=1, flash_attn=True)
        self.model = GaussianDiffusion(network, image_size=SIDE, timesteps=1000, sampling_timesteps=250)
        self.networks = (self.model,)
        self.optimizer = Adam(self.model.parameters(), lr=8e-5, betas=(0.9, 0.99))
        self.ema = EMA(self.model, beta=0.995, update_every=10)
        self.images = (images + 1) / 2

    def step(self, share: float) -> bool:
        for _ in range(2):
            x = self.images[torch.randint(len(self.images), (self.batch // 2,))]
            (self.model(x) / 2).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.update()
        return True

    def draw(self, n: int) -> Tensor:
        self.ema.ema_model.eval()
        return self.ema.ema_model.sample(batch_size=n) * 2 - 1


def lucid_tuned(
    images: Tensor, width: int = 16, mults: tuple[int, ...] = (1, 2, 4), heads: int = 1, **settings: Any
) -> Tuned:
    """A narrow network, its own target (velocity) and chain, 50 steps with all fresh noise (η = 1)."""
    network = Unet(
        dim=width, dim_mults=mults, channels=1, flash_attn=True, attn_heads=heads, attn_dim_head=16
    )
    model = GaussianDiffusion(
        network, image_size=SIDE, sampling_timesteps=50, ddim_sampling_eta=1.0, auto_normalize=False
    )
    model.to(memory_format=torch.channels_last)
    settings = {"batch": 16, "lr": 1e-3} | settings
    return Tuned(model, lambda m, x: m(x), lambda m, n: m.sample(batch_size=n), images, **settings)


# ---- diffusers


class HuggingDocumented(Learner):
    """diffusers as its tutorial "Train a diffusion model" has it, with the first four levels.

    The cosine of the learning rate goes by time, and 50 steps of DDIM draw: all 1,000 would take minutes.
    """

    batch = 16

    def __init__(self, images: Tensor):
        self.model = UNet2DModel(
            sample_size=SIDE, in_channels=1, out_channels=1, layers_per_block=2,
            block_out_channels=(128, 128, 256, 256), down_block_types=("DownBlock2D",) * 4,
            up_block_types=("UpBlock2D",) * 4,
        )  # fmt: skip
        self.networks, self.chain = (self.model,), DDPMScheduler(num_train_timesteps=1000)
        self.optimizer = AdamW(self.model.parameters(), lr=1e-4)
        self.images, self.steps = images, 0

    def step(self, share: float) -> bool:
        self.steps += 1
        for group in self.optimizer.param_groups:  # as get_cosine_schedule_with_warmup
            group["lr"] = 1e-4 * min(self.steps / 500, 0.5 + 0.5 * math.cos(math.pi * share))
        x = self.images[torch.randint(len(self.images), (self.batch,))]
        noise, t = torch.randn_like(x), torch.randint(1000, (len(x),))
        predicted = self.model(self.chain.add_noise(x, noise, t), t, return_dict=False)[0]
        mse_loss(predicted, noise).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return True

    def draw(self, n: int) -> Tensor:
        pipeline = DDIMPipeline(self.model.eval(), self.chain)
        pipeline.set_progress_bar_config(disable=True)
        images = pipeline(batch_size=n, output_type="np").images
        self.model.train()
        return torch.from_numpy(images).permute(0, 3, 1, 2) * 2 - 1


def hugging_tuned(
    images: Tensor, widths: tuple[int, ...] = (16, 32, 64), squares: int = 1, **settings: Any
) -> Tuned:
    """A narrow network, velocity, the cosine chain, times from its middle, 10 steps of SDE-DPM-Solver++.

    Their times are evenly spaced in the root of the noise over the signal, as minigen's are.
    squares: the side of those that images are cut into, whose pixels are channels then.
    """
    images, last = pixel_unshuffle(images, squares), len(widths) - 1
    network = UNet2DModel(
        sample_size=SIDE // squares, in_channels=squares**2, out_channels=squares**2, layers_per_block=1,
        block_out_channels=widths, norm_num_groups=8,
        down_block_types=("DownBlock2D",) * last + ("AttnDownBlock2D",),
        up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * last,
    ).to(memory_format=torch.channels_last)  # fmt: skip
    chain = DDPMScheduler(1000, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")

    ratios = (1 / chain.alphas_cumprod - 1).sqrt()
    wanted = torch.linspace(10**0.5, 0.05**0.5, 10) ** 2
    times = sorted({int((ratios - ratio).abs().argmin()) for ratio in wanted}, reverse=True)

    def loss(model: nn.Module, x: Tensor) -> Tensor:
        shares = compute_density_for_timestep_sampling("logit_normal", len(x), logit_mean=0.0, logit_std=1.0)
        noise, t = torch.randn_like(x), (1000 * shares).long().clamp(max=999)
        predicted = model(chain.add_noise(x, noise, t), t, return_dict=False)[0]
        return mse_loss(predicted, chain.get_velocity(x, noise, t))

    def sampler(model: nn.Module, n: int) -> Tensor:
        solver = DPMSolverMultistepScheduler.from_config(chain.config, algorithm_type="sde-dpmsolver++")
        solver.set_timesteps(timesteps=times)
        x = torch.randn(n, *images.shape[1:])
        for t in solver.timesteps:
            x = solver.step(model(x, t, return_dict=False)[0], t, x, return_dict=False)[0]
        return pixel_shuffle(x, squares)

    return Tuned(network, loss, sampler, images, **settings)


# ---- smalldiffusion


class SmallDocumented(Learner):
    """smalldiffusion as its example for Fashion-MNIST has it, with attention where images are halved once."""

    batch = 1024

    def __init__(self, images: Tensor):
        self.chain = ScheduleLogLinear(sigma_min=0.01, sigma_max=20, N=800)
        self.model = Scaled(SmallUnet)(SIDE, 1, 1, ch=64, ch_mult=(1, 1, 2), attn_resolutions=(8,))
        self.networks, self.averaged = (self.model,), copy.deepcopy(self.model).requires_grad_(False)
        self.average, self.steps = speed.Average(self.averaged, self.model), 0
        loader = DataLoader(images, batch_size=self.batch, shuffle=True)
        self.loop = training_loop(loader, self.model, self.chain, epochs=10_000, lr=7e-4)
        next(self.loop)  # a step is taken when the next one is asked for

    def step(self, share: float) -> bool:
        next(self.loop)
        self.steps += 1
        self.average.move(min(0.999, (1 + self.steps) / (10 + self.steps)))
        return True

    def draw(self, n: int) -> Tensor:
        *_, x = samples(self.averaged, self.chain.sample_sigmas(20), gam=1.6, batchsize=n)
        return x


def small_tuned(
    images: Tensor,
    width: int = 32,
    mults: tuple[int, ...] = (1, 1),
    squares: int = 1,
    groups: int = 32,
    **settings: Any,
) -> Tuned:
    """One block a level, a rectified flow with times from its middle, 10 accelerated steps.

    squares: the side of those that images are cut into, whose pixels are channels then.
    groups: of its norms; its own 32, at 32 channels, take the time away again, which comes as a shift of each
    channel. Where images are not cut, they are worse with 8 groups all the same (TRIALS.md).
    """
    images, chain = pixel_unshuffle(images, squares), ScheduleLogNormalFlow()
    with mock.patch("smalldiffusion.model_unet.Normalize", partial(nn.GroupNorm, groups, eps=1e-6)):
        network = PredFlow(SmallUnet)(
            SIDE // squares, squares**2, squares**2, ch=width, ch_mult=mults, num_res_blocks=1,
            attn_resolutions=(), dropout=0.0, sig_embed=TimestepEmbedder(4 * width),
        ).to(memory_format=torch.channels_last)  # fmt: skip

    def loss(model: nn.Module, x: Tensor) -> Tensor:
        x, sigma, noise, _ = generate_train_sample(x, chain)
        return type(model).get_loss(model, x, sigma, noise)

    def sampler(model: nn.Module, n: int) -> Tensor:
        *_, x = samples(model, chain.sample_sigmas(10), gam=2.0, batchsize=n)
        return pixel_shuffle(x, squares)

    return Tuned(network, loss, sampler, images, **settings)
