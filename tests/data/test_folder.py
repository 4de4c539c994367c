"""Pictures from a folder of image files."""

import numpy as np
import pytest
import torch
from PIL import Image

from minigen.data.folder import image_files, in_words, read_images, shape_of
from minigen.images import to_bytes

LEVELS = np.arange(5 * 7, dtype=np.uint8).reshape(5, 7) * 7


def read(folder, size=200):
    return torch.cat(list(read_images(image_files(folder), size)))


@pytest.mark.parametrize(("mode", "ending"), [("L", "png"), ("L", "bmp"), ("RGB", "png"), ("RGB", "tiff")])
def test_pixels_come_back_as_they_were_saved(tmp_path, mode, ending):
    levels = LEVELS if mode == "L" else np.stack([LEVELS, LEVELS.T.reshape(5, 7), LEVELS[::-1]], 2)
    for i in range(5):
        Image.fromarray(levels + np.uint8(i)).save(tmp_path / f"{i}.{ending}")
    x = read(tmp_path, size=2)
    channels = 1 if mode == "L" else 3
    assert x.shape == (5, channels, 5, 7) and x.dtype == torch.float32
    assert shape_of(image_files(tmp_path)) == (channels, 5, 7)
    wanted = torch.stack([torch.from_numpy(levels + np.uint8(i)) for i in range(5)])
    assert torch.equal(to_bytes(x), wanted.reshape(5, 5, 7, channels).permute(0, 3, 1, 2))


def test_folders_below_are_read_too_and_other_files_are_passed_over(tmp_path):
    (tmp_path / "cats").mkdir()
    for name in ("b.png", "cats/a.PNG", ".hidden.png"):
        Image.fromarray(LEVELS).save(tmp_path / name)
    (tmp_path / "labels.csv").write_text("a,1")
    assert [file.name for file in image_files(tmp_path)] == ["b.png", "a.PNG"]


def test_palettes_become_colours_and_opaque_pictures_lose_their_opacity(tmp_path):
    colour = Image.fromarray(np.stack([LEVELS] * 3, 2))
    colour.convert("RGBA").save(tmp_path / "a.png")
    colour.convert("P").save(tmp_path / "b.png")
    assert shape_of(image_files(tmp_path)) == (3, 5, 7)
    x = read(tmp_path)
    assert torch.equal(to_bytes(x[0, 0]), torch.from_numpy(LEVELS))
    Image.fromarray(LEVELS).convert("LA").save(tmp_path / "a.png")
    assert shape_of([tmp_path / "a.png"]) == (1, 5, 7)


def test_words_for_a_shape():
    assert in_words((1, 28, 30)) == "grey, 28×30" and in_words((3, 8, 8)) == "colour, 8×8"


def damaged(path):
    Image.fromarray(np.random.RandomState(0).randint(0, 255, (64, 64), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])


def no_image(path):
    path.write_text("a page that says: not found")


def transparent(path):
    Image.fromarray(np.full((5, 7, 4), 100, np.uint8)).save(path)


def deep(path):
    Image.fromarray(LEVELS.astype(np.uint16) * 256).save(path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (damaged, "truncated"),
        (no_image, "cannot identify"),
        (transparent, "transparent pixels"),
        (deep, "8 bits a channel"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, make, said):
    make(tmp_path / "strange.png")
    with pytest.raises(ValueError, match=rf"cannot use the image .*strange\.png: .*{said}"):
        shape_of(image_files(tmp_path)), read(tmp_path)


def test_pictures_that_differ_are_named(tmp_path):
    Image.fromarray(LEVELS).save(tmp_path / "a.png")
    Image.fromarray(LEVELS.T.copy()).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match=r"a\.png is grey, 5×7, .*b\.png is grey, 7×5"):
        shape_of(image_files(tmp_path))
    Image.fromarray(LEVELS).convert("RGB").save(tmp_path / "b.png")
    with pytest.raises(ValueError, match=r"a\.png is grey, 5×7, .*b\.png is colour, 5×7"):
        shape_of(image_files(tmp_path))


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has no images \(files that end in \.bmp"):
        image_files(tmp_path)
    with pytest.raises(ValueError, match=r"there is no folder .*nowhere"):
        image_files(tmp_path / "nowhere")
