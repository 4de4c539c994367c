"""How each model of the course is made for images of any kind: what comes after `kind` are its settings."""

import math
from dataclasses import replace
from functools import partial
from typing import Literal

import torch
from torch import nn

from minigen.autoencoder import ConvAutoencoder, LinearAutoencoder
from minigen.codec import Codec, PerceptualCodec
from minigen.core import Generative
from minigen.data.named import Kind
from minigen.ddpm import DDPM, ConditionalDDPM
from minigen.denoising import Restorer, hourglass
from minigen.diffusion import Schedule, cosine_betas, linear_betas, middle_betas
from minigen.features import ShapeEyes
from minigen.gan import (
    GAN,
    WGAN,
    WGANGP,
    ConditionalGenerator,
    MinimaxGAN,
    ProjectionCritic,
    image_critic,
    image_generator,
)
from minigen.guidance import NoisyClassifier
from minigen.latent import Latent
from minigen.latent_space import ConditionalVAE, SwapAutoencoder
from minigen.text import TextDDPM, TextEncoder
from minigen.unet import LabelledUNet, TextUNet, UNet
from minigen.vae import VAE, BernoulliVAE

SMALL = 8  # pixels: up to here the lessons' own networks and learning rates serve


def linear_autoencoder(kind: Kind, latent: int = 8) -> LinearAutoencoder:
    """Two matrices, which find the principal components; lesson 10."""
    mean = torch.zeros(kind.channels, kind.size, kind.size) if kind.mean is None else kind.mean
    return LinearAutoencoder(mean, latent)


def autoencoder(kind: Kind, latent: int = 8, width: int = 16) -> ConvAutoencoder:
    """A convolutional autoencoder; lesson 10."""
    return awake(ConvAutoencoder(latent, width, kind.channels, kind.size), kind)


def denoiser(kind: Kind, width: int = 16) -> Restorer:
    """A network that takes noise out of pictures; lesson 11."""
    return Restorer(hourglass(kind.channels, kind.channels, width))


def vae(kind: Kind, latent: int = 8, width: int = 16, beta: float = 1.0) -> VAE:
    """A variational autoencoder; lesson 13."""
    return awake(VAE(kind.channels, kind.size, latent, width, beta), kind)


def bernoulli_vae(kind: Kind, latent: int = 8, width: int = 16, beta: float = 1.0) -> BernoulliVAE:
    """A VAE of black and white pictures: what is brighter than the middle is white; lesson 13."""
    return awake(BernoulliVAE(kind.channels, kind.size, latent, width, beta), kind)


def conditional_vae(kind: Kind, latent: int = 8, width: int = 16) -> ConditionalVAE:
    """A VAE that is told the class; lesson 14."""
    return awake(ConditionalVAE(kind.classes, kind.channels, kind.size, latent, width), kind)


def swap_autoencoder(kind: Kind, latent: int = 8, width: int = 16) -> SwapAutoencoder:
    """One encoder and two decoders, for the even and the odd classes; lesson 14."""
    return awake(SwapAutoencoder(kind.channels, kind.size, latent, width), kind)


def gan(kind: Kind, latent: int = 16, width: int = 16, critic_steps: int = 1) -> GAN:
    """A generator and a critic; lesson 30."""
    return game(GAN, kind, latent, width, critic_steps)


def minimax_gan(kind: Kind, latent: int = 16, width: int = 16, critic_steps: int = 1) -> MinimaxGAN:
    """The same, where one gains what the other loses; lesson 30."""
    return game(MinimaxGAN, kind, latent, width, critic_steps)


def wgan(kind: Kind, latent: int = 16, width: int = 16, critic_steps: int = 5) -> WGAN:
    """A critic that estimates a distance, with clipped weights; lesson 31."""
    return game(WGAN, kind, latent, width, critic_steps)


def wgan_gp(kind: Kind, latent: int = 16, width: int = 16, critic_steps: int = 3) -> WGANGP:
    """The same with a gradient penalty; lesson 31."""
    return game(WGANGP, kind, latent, width, critic_steps)


def conditional_gan(kind: Kind, latent: int = 16, width: int = 16, critic_steps: int = 1) -> GAN:
    """A generator and a critic that are both told the class; lesson 32."""
    return told_game(GAN, kind, latent, width, critic_steps)


def conditional_wgan_gp(kind: Kind, latent: int = 16, width: int = 16, critic_steps: int = 2) -> WGANGP:
    """The same, with a gradient penalty; lesson 32."""
    return told_game(WGANGP, kind, latent, width, critic_steps)


def game(of: type[GAN], kind: Kind, latent: int, width: int, critic_steps: int) -> GAN:
    """Two convolutional players."""
    image = (kind.channels, kind.size, width)
    return awake(of(image_generator(latent, *image), image_critic(*image), latent, critic_steps), kind)


def told_game(of: type[GAN], kind: Kind, latent: int, width: int, critic_steps: int) -> GAN:
    """Two convolutional players that are told the class."""
    image = (kind.channels, kind.size, width)
    players = ConditionalGenerator(kind.classes, latent, *image), ProjectionCritic(kind.classes, *image)
    model = of(*players, latent, critic_steps)
    model.classes = kind.classes
    return awake(model, kind)


def ddpm(
    kind: Kind,
    width: int = 32,
    multiples: tuple[int, ...] = (1, 2),
    patch: int = 1,
    schedule: Literal["cosine", "linear", "middle"] = "cosine",
    target: Literal["noise", "data", "velocity"] = "noise",
) -> DDPM:
    """A diffusion model, whose network sees squares of `patch` pixels as one; lesson 51."""
    check_unet(kind, width, multiples, patch)
    shape = (kind.channels, kind.size, kind.size)
    return DDPM(UNet(kind.channels, width, multiples, patch), chain(schedule, shape), shape, target)


def conditional_ddpm(
    kind: Kind,
    width: int = 32,
    multiples: tuple[int, ...] = (1, 2),
    patch: int = 1,
    schedule: Literal["cosine", "linear", "middle"] = "cosine",
    target: Literal["noise", "data", "velocity"] = "noise",
    dropped: float = 0.1,
) -> ConditionalDDPM:
    """A diffusion model that is told the class, or that there is none, and can be guided; lesson 55."""
    check_unet(kind, width, multiples, patch)
    check_share("dropped", dropped)
    network = LabelledUNet(kind.classes, kind.channels, width, multiples, patch)
    shape = (kind.channels, kind.size, kind.size)
    model = ConditionalDDPM(network, chain(schedule, shape), shape, target, dropped)
    model.classes = kind.classes
    return model


def noisy_classifier(
    kind: Kind, width: int = 32, schedule: Literal["cosine", "linear"] = "cosine"
) -> NoisyClassifier:
    """Names the class of a picture in any noise of a chain; lesson 54."""
    check_unet(kind, width, (1, 2))
    return NoisyClassifier(chain(schedule), kind.classes, kind.channels, kind.size, width)


def codec(kind: Kind, factor: int = 4, code: int = 4, codec_width: int = 32, kl: float = 1e-6) -> Codec:
    """Makes pictures small and large again, by the error of their pixels; lesson 60."""
    check_codec(kind, factor, codec_width)
    return Codec(kind.channels, factor, code, codec_width, kl)


def perceptual_codec(
    kind: Kind,
    factor: int = 4,
    code: int = 4,
    codec_width: int = 32,
    kl: float = 1e-6,
    perceptual: float = 0.1,
    adversarial: float = 0.1,
    start: int = 1500,
) -> PerceptualCodec:
    """The same, so that they also look right to a network and to a critic of patches; lesson 60."""
    check_codec(kind, factor, codec_width)
    of_codec = {"channels": kind.channels, "factor": factor, "code": code, "width": codec_width, "kl": kl}
    return PerceptualCodec(ShapeEyes(), start, perceptual, adversarial, **of_codec)


def latent_ddpm(
    kind: Kind,
    factor: int = 4,
    code: int = 4,
    codec_width: int = 32,
    width: int = 48,
    multiples: tuple[int, ...] = (1, 2),
    schedule: Literal["cosine", "linear", "middle"] = "cosine",
    target: Literal["velocity", "noise", "data"] = "velocity",
) -> Latent:
    """A diffusion model of the codes of a codec, which is trained first; lesson 61."""
    shape = codes(kind, factor, code, width, multiples)
    prior = DDPM(UNet(code, width, multiples), chain(schedule), shape, target)
    return Latent(codec(kind, factor, code, codec_width), prior)


def text_to_image(
    kind: Kind,
    factor: int = 4,
    code: int = 4,
    codec_width: int = 32,
    width: int = 48,
    multiples: tuple[int, ...] = (1, 2),
    schedule: Literal["middle", "cosine", "linear"] = "middle",
    target: Literal["velocity", "noise", "data"] = "velocity",
    dropped: float = 0.1,
) -> Latent:
    """The same, told what to draw in words; lesson 63."""
    check_share("dropped", dropped)
    shape = codes(kind, factor, code, width, multiples)
    network = TextUNet(TextEncoder(), code, width, multiples)
    prior = TextDDPM(network, chain(schedule), shape, target, dropped)
    return Latent(codec(kind, factor, code, codec_width), prior)


def codes(kind: Kind, factor: int, code: int, width: int, multiples: tuple[int, ...]) -> tuple[int, int, int]:
    """The shape of the codes of such images; a ValueError if the U-Net could not halve them."""
    side = kind.size // factor
    check_unet(replace(kind, size=side), width, multiples)
    return code, side, side


def awake(model: Generative, kind: Kind) -> Generative:
    """The model, with first weights from which it learns where images are large, or mostly background.

    The larger the images, the deeper the networks, and torch's own first weights let a signal fade from layer
    to layer: He's keep its size.  And a decoder or generator that starts at grey and ends in tanh runs to the
    background so fast that the slope of tanh is gone by then: these start at the mean brightness.
    Source: He et al. 2015, Delving Deep into Rectifiers, equation 10.
    """
    if kind.size <= SMALL or kind.mean is None:
        return model
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    with torch.no_grad():
        for decoder in decoders(model):
            *_, last = (layer for layer in decoder.modules() if isinstance(layer, nn.Conv2d))
            last.weight.mul_(0.1)
            last.bias.copy_(kind.mean.mean((1, 2)).clamp(-0.99, 0.99).atanh())
    return model


def decoders(model: Generative) -> list[nn.Module]:
    """The networks of a model that end in images."""
    if isinstance(model, SwapAutoencoder):
        return list(model.decoders)
    return [model.generator if isinstance(model, GAN) else model.decoder]


def chain(schedule: str, shape: tuple[int, ...] = ()) -> Schedule:
    """A chain of 1,000 steps by its name, for images of a shape, or codes.

    How bright an image of D numbers is shows through √D times as much noise as one of them does. So the
    strongest noise of the middle chain, but for the last step, grows as √D above 16×16; its weakest stays.
    """
    further = max(0.0, 0.5 * math.log(math.prod(shape) / 16**2))  # in log(σ/α)
    ends = 3.09  # standard deviations from the centre to the quantiles of 1/1000 and 999/1000
    middle = partial(middle_betas, centre=0.4 + further / 2, spread=0.8 + further / (2 * ends))
    return Schedule({"cosine": cosine_betas, "linear": linear_betas, "middle": middle}[schedule]())


def check_share(name: str, value: float) -> None:
    """Raises a ValueError for a number that is no share."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} should be a share, in [0, 1]; got {value}")


def check_codec(kind: Kind, factor: int, width: int) -> None:
    """Raises a ValueError for settings that no codec can have on such images."""
    if factor < 2 or factor & (factor - 1) or kind.size % factor:
        raise ValueError(f"factor should be a power of two from 2 to {kind.size}, the size; got {factor}")
    if width % 8:
        raise ValueError(f"codec_width should be a multiple of 8; got {width}")


def check_unet(kind: Kind, width: int, multiples: tuple[int, ...], patch: int = 1) -> None:
    """Raises a ValueError for settings that no U-Net can have on such images."""
    if width % 8 or width <= 8:
        raise ValueError(f"width should be a multiple of 8 above 8; got {width}")
    if patch & (patch - 1) or patch > kind.size:
        raise ValueError(f"patch should be a power of two, at most {kind.size}, the size; got {patch}")
    most = (kind.size // patch).bit_length()
    if not 1 <= len(multiples) <= most or min(multiples) < 1:
        wanted = (
            f"1 to {most} whole numbers from 1, one for each time that {kind.size // patch} pixels are halved"
        )
        raise ValueError(f"multiples should be {wanted}; got {multiples}")
