"""The exercises of lesson 00: pictures as tensors."""

import torch

from minigen import images
from minigen.course.catalogue import lesson
from minigen.course.source import edited

exercise = lesson("00_start_here")


def probe_from_levels(answer, rng):
    n, h = rng.size(2, 4), rng.size(5, 7)
    levels = rng.integers(n, 1, h, 8, high=17)
    ends = torch.tensor([0, 8, 16], device=rng.device)
    return {
        "image": answer(levels, 16),
        "byte image": answer(rng.integers(h, high=256).to(torch.uint8)),
        "darkest, middle and brightest": answer(ends.double(), 16),
    }


def divides_bytes(levels, brightest=255):
    return levels.float() / 255 * 2 - 1


exercise(
    target=images.from_levels,
    title="Grey levels to numbers in [-1, 1]",
    probe=probe_from_levels,
    mistakes={
        "range 0 to 1": (
            lambda levels, brightest=255: levels.float() / brightest,
            "Your numbers go from 0 to 1. The course keeps images in [-1, 1], so that grey is 0: stretch and shift.",
        ),
        "brightest is always 255": (
            divides_bytes,
            "You divide by 255 whatever `brightest` is. These digits have levels 0 to 16, so they come out almost black.",
        ),
        "a level too many": (
            edited(images.from_levels, "brightest / 2", "(brightest + 1) / 2"),
            "You divide by the number of levels, which is brightest + 1. The brightest level must land on 1 exactly.",
        ),
        "not shifted": (
            edited(images.from_levels, " - 1", ""),
            "Your numbers go from 0 to 2: the right spread, not yet centred on 0.",
        ),
        "brightest one found": (
            lambda levels, brightest=255: levels.float() / (levels.max() / 2) - 1,
            "You divide by the brightest level of these pictures. A dark picture would come out as bright as all others: "
            "`brightest` says what white is.",
        ),
        "standardised": (
            lambda levels, brightest=255: (levels.float() - levels.float().mean()) / levels.float().std(),
            "You centred these pictures on their own mean and divided by their own spread. Then the same grey is another "
            "number in every batch. A fixed line is wanted: 0 gives -1, and `brightest` gives 1.",
        ),
        "divided by 128": (
            lambda levels, brightest=255: levels.float() / ((brightest + 1) // 2) - 1,
            "You divide by half the number of *levels*, so the brightest one stops a little short of 1.",
        ),
    },
    accepts=[
        lambda levels, brightest=255: 2 * levels.to(torch.float32) / brightest - 1,
        lambda levels, brightest=255: (levels.float() - brightest / 2) / (brightest / 2),
    ],
    hints=[
        "You want a straight line through two points: 0 gives -1, and `brightest` gives 1.",
        "Divide by `brightest` to get 0 … 1. What takes 0 … 1 to -1 … 1?",
    ],
    points=1,
    minutes=5,
)


def probe_to_bytes(answer, rng):
    n = rng.size(4, 9)
    return {
        "bytes": answer(rng.uniform(n, 1, 3, 3, low=-1, high=1)),
        "too bright": answer(rng.uniform(n, low=1.02, high=2)),
        "too dark": answer(rng.uniform(n, low=-2, high=-1.02)),
    }


def wraps(x):
    levels = ((x + 1) * 127.5).round().long()
    return (levels % 256).to(torch.uint8)


exercise(
    target=images.to_bytes,
    title="Repair: white pixels turn black",
    probe=probe_to_bytes,
    repair="wraps around",
    mistakes={
        "wraps around": (
            wraps,
            "A byte has no 256: it starts again at 0, so what is a little too bright turns black. Limit it first.",
        ),
        "cut, not rounded": (
            edited(images.to_bytes, ".round()", ""),
            "Turning a float into a whole number cuts: 127.9 becomes 127. All your pixels are half a level too dark.",
        ),
        "limited before stretching": (
            lambda x: ((x.clamp(0, 1) + 1) * 127.5).round().to(torch.uint8),
            "You limit x to [0, 1], so everything darker than middle grey is lost. Images lie in [-1, 1].",
        ),
        "taken for [0, 1]": (
            lambda x: (x * 255).round().clamp(0, 255).to(torch.uint8),
            "That is right for images in [0, 1]. Ours lie in [-1, 1]: 0 is middle grey, not black.",
        ),
        "256 levels between": (
            edited(images.to_bytes, "127.5", "128"),
            "You stretch by 128. From 0 to 255 there are 255 steps, so -1 … 1 is stretched by 127.5.",
        ),
        "stretched by 256 and cut": (
            lambda x: ((x + 1) * 128).clamp(0, 255).to(torch.uint8),
            "You cut [-1, 1] into 256 intervals of equal width. The nearest byte is wanted: stretch by 127.5 and round.",
        ),
        "contrast stretched": (
            lambda x: ((x - x.min()) / (x.max() - x.min()) * 255).round().to(torch.uint8),
            "You stretch each tensor between its own darkest and brightest number, so a grey picture comes out black and "
            "white. -1 is black and 1 is white, whatever is in the picture.",
        ),
    },
    accepts=[
        lambda x: ((x.clamp(-1, 1) + 1) / 2 * 255).round().to(torch.uint8),
        lambda x: (x.clamp(-1, 1) * 127.5 + 127.5).round().byte(),
    ],
    hints=[
        "Print the values for x = 1.1. Which bytes do they become?",
        "`clamp(low, high)` limits a tensor. Where does it have to stand?",
    ],
    points=1,
    minutes=5,
)


def numbers_in_a_batch() -> int:
    """A batch of 64 colour pictures of 32 × 32 pixels is one tensor (N, C, H, W).
    How many numbers does it hold?
    """
    return 64 * 3 * 32 * 32


exercise(
    target=numbers_in_a_batch,
    title="How many numbers",
    mistakes={
        "grey": (
            64 * 32 * 32,
            "That is a batch of grey pictures. A colour picture has three numbers a pixel.",
        ),
        "one picture": (3 * 32 * 32, "That is one picture. The batch holds 64 of them."),
        "bytes": (
            64 * 3 * 32 * 32 * 4,
            "That is how many bytes they take. The question is how many numbers there are.",
        ),
        "one side": (64 * 3 * 32, "A picture of 32 × 32 has 32 · 32 pixels, not 32."),
    },
    hints=["Write the shape (N, C, H, W) first, then multiply."],
    minutes=2,
)


def probe_tile(answer, rng):
    columns = rng.size(2, 4)
    n = columns * rng.size(1, 3) + rng.size(1, columns - 1)  # the last row is never full
    pictures = rng.images(n, rng.size(1, 3), 4)[..., : rng.size(2, 3)]
    full = rng.images(2 * columns, 1, 3)
    return {"sheet": answer(pictures, columns), "full sheet": answer(full, columns)}


def without_permute(images, columns):
    n, c, h, w = images.shape
    rows = -(-n // columns)
    sheet = images.new_full((rows * columns, c, h, w), -1)
    sheet[:n] = images
    return sheet.reshape(c, rows * h, columns * w)


def down_the_columns(images, columns):
    n, c, h, w = images.shape
    rows = -(-n // columns)
    sheet = images.new_full((rows * columns, c, h, w), -1)
    sheet[:n] = images
    return sheet.view(columns, rows, c, h, w).permute(2, 1, 3, 0, 4).reshape(c, rows * h, columns * w)


def by_rows_of_pictures(images, columns):
    blank = torch.full_like(images[:1], -1).expand(-len(images) % columns, -1, -1, -1)
    rows = torch.cat([images, blank]).split(columns)
    return torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)


exercise(
    target=images.tile,
    title="Many pictures as one",
    probe=probe_tile,
    mistakes={
        "only reshaped": (
            without_permute,
            "A reshape keeps the order of the numbers in memory, where all lines of one picture come before the next "
            "picture. On the sheet, the top line of the next picture comes before the second line of this one: the "
            "dimensions must change places first.",
        ),
        "down instead of across": (
            down_the_columns,
            "Your pictures run down the columns. They should run like text: along a row, then the next row.",
        ),
        "last row dropped": (
            lambda images, columns: by_rows_of_pictures(images[: len(images) // columns * columns], columns),
            "When the last row is not full, its pictures are missing from your sheet. Round the rows up.",
        ),
        "filled with 0": (
            edited(images.tile, "(rows * columns, c, h, w), -1", "(rows * columns, c, h, w), 0"),
            "You fill the empty places with 0, which is middle grey in [-1, 1]. Black is -1.",
        ),
        "height and width swapped": (
            edited(
                images.tile,
                "permute(2, 0, 3, 1, 4).reshape(c, rows * h, columns * w)",
                "permute(2, 1, 3, 0, 4).reshape(c, columns * h, rows * w)",
            ),
            "Your sheet is `columns` pictures high. It should be `columns` pictures wide.",
        ),
        "a row too many": (
            edited(images.tile, "-(-n // columns)", "n // columns + 1"),
            "When the last row is full, yours has an empty row below it. Round N / columns up, do not add 1.",
        ),
        "all in one row": (
            lambda images, columns: torch.cat(list(images), dim=2),
            "Your pictures stand in one long row. After `columns` of them a new row begins.",
        ),
    },
    accepts=[by_rows_of_pictures],
    hints=[
        "How many rows are needed? Fill up with black pictures until N = rows · columns.",
        "View the sheet as (rows, columns, C, H, W). Which two dimensions make up the height of the result?",
        "In the result the height is (rows, H) and the width is (columns, W): permute to (C, rows, H, columns, W).",
    ],
    points=2,
    minutes=15,
)
