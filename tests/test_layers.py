"""The building blocks of networks."""

import pytest
import torch

from minigen.layers import downsample, image_decoder, image_encoder, upsample


@pytest.mark.parametrize("height, width", [(8, 8), (4, 10)])
def test_downsample_halves_and_upsample_doubles(height, width):
    x = torch.randn(2, 3, height, width)
    assert downsample(3, 5)(x).shape == (2, 5, height // 2, width // 2)
    assert upsample(3, 5)(x).shape == (2, 5, 2 * height, 2 * width)


def test_upsample_leaves_no_checkerboard():
    """On a constant image every pixel away from the border gets the same contributions.

    A transposed convolution of size 3 and stride 2, beside it, alternates.
    """
    torch.manual_seed(0)
    x = torch.ones(1, 2, 6, 6)
    inside = upsample(2, 3)(x)[..., 1:-1, 1:-1].flatten(2)
    assert (inside - inside[..., :1]).abs().max() < 1e-6  # float32 sums of 18 terms below 1
    transposed = torch.nn.ConvTranspose2d(2, 3, 3, stride=2)(x)[..., 2:-2, 2:-2].flatten(2)
    assert (transposed - transposed[..., :1]).abs().max() > 1e-2


def test_upsample_sees_every_pixel_as_two_by_two():
    x = torch.randn(1, 1, 2, 3)
    layer = upsample(1, 1)
    layer[-1].weight.data.zero_()[0, 0, 1, 1] = 1  # the convolution passes its centre on
    layer[-1].bias.data.zero_()
    assert torch.equal(layer(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize("channels, size", [(1, 4), (1, 8), (3, 16), (3, 32)])
def test_encoder_and_decoder_mirror_each_other(channels, size):
    x = torch.randn(2, channels, size, size)
    codes = image_encoder(channels, size, 4, 6)(x)
    assert codes.shape == (2, 6)
    assert image_decoder(6, channels, size, 4)(codes).shape == x.shape


@pytest.mark.parametrize("size", [0, 2, 6, 28])
def test_a_size_that_cannot_be_halved_to_2_is_refused(size):
    for make in image_encoder, image_decoder:
        with pytest.raises(ValueError, match=f"size should be a power of two, at least 4; got {size}"):
            make(1, 6, size, 4) if make is image_decoder else make(1, size, 4, 6)
