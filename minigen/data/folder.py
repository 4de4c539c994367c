"""Pictures in files: every image file in a folder and below it, all of one size; and pictures written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from minigen.core import replacing
from minigen.images import from_levels, to_bytes

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
GREY = {"1", "L", "LA"}  # Pillow's names: black and white, grey, grey with opacity
COLOUR = {"P", "RGB", "RGBA", "CMYK", "YCbCr"}


def image_files(folder: str | Path) -> list[Path]:
    """The image files in a folder and below it, by name; hidden ones and files with other endings are not.

    Raises ValueError when the folder is none or has no images.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.name[0] != ".")
    if not files:
        raise ValueError(f"{folder} has no images (files that end in {', '.join(sorted(ENDINGS))})")
    return files


def shape_of(files: list[Path]) -> tuple[int, int, int]:
    """(channels, height, width) of images that are all alike, from the heads of their files.

    channels: 1 for grey, 3 for colour.
    Raises ValueError, naming the files, for one that cannot be read and for two that differ.
    """
    first, *others = files
    shape = _shape(first)
    for other in others:
        if _shape(other) != shape:
            unlike = f"{first} is {in_words(shape)}, {other} is {in_words(_shape(other))}"
            raise ValueError(f"images of one folder should be alike; {unlike}")
    return shape


def read_images(files: list[Path], size: int = 200) -> Iterator[Tensor]:
    """The images of files that are all alike, `size` at a time: (n, 1 or 3, H, W) float32 in [-1, 1].

    Raises ValueError, naming the file, for one that cannot be read or has transparent pixels.
    """
    for start in range(0, len(files), size):
        pictures = [_read(file) for file in files[start : start + size]]
        yield from_levels(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2))


def write_image(path: str | Path, image: Tensor) -> None:
    """Writes one image (1 or 3, H, W) in [-1, 1] as a PNG file, whole or not at all."""
    pixels = to_bytes(image).permute(1, 2, 0).cpu().numpy()
    with replacing(path) as temporary:
        Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(temporary, "png")


def in_words(shape: tuple[int, int, int]) -> str:
    """As in: grey, 28×28."""
    channels, height, width = shape
    return f"{'grey' if channels == 1 else 'colour'}, {height}×{width}"


def _shape(file: Path) -> tuple[int, int, int]:
    with _opened(file) as image:
        return (1 if image.mode in GREY else 3, image.height, image.width)


def _read(file: Path) -> np.ndarray:
    """(H, W, 1 or 3) bytes."""
    with _opened(file) as image:
        if image.has_transparency_data:
            image = image.convert("RGBA")
            if image.getextrema()[3][0] < 255:
                raise ValueError("it has transparent pixels: save it on a background first")
        pixels = np.asarray(image.convert("L" if image.mode in GREY else "RGB"))
        return pixels.reshape(*pixels.shape[:2], -1)


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """An open image; whatever goes wrong with it in the block is said in one sentence that names the file."""
    try:
        with Image.open(file) as image:
            if image.mode not in GREY | COLOUR:
                raise ValueError(f"its pixels are {image.mode}: save it with 8 bits a channel")
            yield image
    except Exception as error:  # Pillow raises nearly every kind for files that end early, or lie
        raise ValueError(f"cannot use the image {file}: {error}") from error
