"""Building blocks that several networks of the course share."""

from torch import nn


def downsample(channels_in: int, channels_out: int) -> nn.Module:
    """A layer that halves height and width: a 3×3 convolution that visits every second pixel.

    (N, channels_in, H, W) -> (N, channels_out, H/2, W/2), for even H and W.
    """
    return nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1)


def upsample(channels_in: int, channels_out: int) -> nn.Module:
    """A layer that doubles height and width: every pixel is repeated as 2×2, then a 3×3 convolution.

    (N, channels_in, H, W) -> (N, channels_out, 2H, 2W).
    Source: Odena et al. 2016, Deconvolution and Checkerboard Artifacts: a transposed convolution gives some
    pixels more contributions than their neighbours, and leaves a checkerboard; this does not.
    """
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(channels_in, channels_out, 3, padding=1))
