"""Pictures: what was drawn is read back from the figure."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba

from minigen import show

GREY = torch.linspace(-1, 1, 5 * 6 * 4).view(5, 1, 6, 4)
COLOUR = torch.linspace(-1, 1, 4 * 3 * 2 * 2).view(4, 3, 2, 2)


def drawn(figure):
    """The pictures of a figure as float64 in [-1, 1], (3, H, W), and the box of each on the paper."""
    pictures = []
    for image in figure.axes[0].images:
        pixels = image.get_array()
        assert image.get_interpolation() == "nearest" and pixels.dtype == np.uint8 and pixels.shape[2] == 3
        pictures.append((np.moveaxis(pixels, -1, 0) / 127.5 - 1, image.get_extent()))
    return pictures


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def rendered(figure):
    """The pixels of the figure as a file would hold them, (H, W, 4) in 0..255."""
    file = io.BytesIO()
    figure.savefig(file, format="rgba")
    width, height = (figure.get_size_inches() * figure.dpi).astype(int)
    return np.frombuffer(file.getvalue(), np.uint8).reshape(height, width, 4)


FIGURES = {
    "grid": lambda: show.grid(GREY, title="t"),
    "rows": lambda: show.rows({"a": GREY}, title="t"),
    "curves": lambda: show.curves({"a": [3, 2, 1], "b": [1, 2, 3]}, ylabel="loss", title="t", log=True),
    "bars": lambda: show.bars({"a": 1, "b": 2}, ylabel="error", title="t"),
    "scatter": lambda: show.scatter(torch.randn(9, 2), title="t"),
}


@pytest.mark.parametrize("images", [GREY, COLOUR])
def test_grid_draws_every_image_as_it_is_in_reading_order(images):
    figure = show.grid(images, columns=3)
    pictures = drawn(figure)
    assert len(pictures) == len(images)
    for (pixels, _), image in zip(pictures, images.numpy(), strict=True):
        assert np.abs(pixels - image).max() <= 1.001 / 255  # half a grey level
    lefts = [left for _, (left, _, _, _) in pictures]
    tops = [top for _, (_, _, _, top) in pictures]
    assert lefts[0] == lefts[3] < lefts[1] < lefts[2] and tops[0] == tops[2] < tops[3]
    bottom, top = figure.axes[0].get_ylim()
    assert bottom > top  # further down is larger, so the first row is the upper one


def test_a_picture_keeps_its_shape_and_overlaps_no_other():
    figure = show.grid(GREY, columns=2, labels=["a", "two\nlines", "c", "d", "e"])
    boxes = [box for _, box in drawn(figure)]
    assert figure.axes[0].get_aspect() == 1
    for left, right, bottom, top in boxes:
        assert abs((bottom - top) / (right - left) - 6 / 4) < 1e-9
    for i, (left, right, bottom, top) in enumerate(boxes):
        for other in boxes[i + 1 :]:
            assert other[0] >= right or other[1] <= left or other[3] >= bottom or other[2] <= top


def test_labels_of_any_kind_are_written_above_their_pictures():
    assert texts(show.grid(GREY, labels=torch.arange(5))) == ["0", "1", "2", "3", "4"]
    long = show.grid(COLOUR, labels=["a big red circle on a dark background"] * 4)
    assert {text.replace("\n", " ") for text in texts(long)} == {"a big red circle on a dark background"}
    for text, (_, (left, right, _, top)) in zip(long.axes[0].texts, drawn(long), strict=True):
        x, y = text.get_position()
        assert x == (left + right) / 2 and y < top and text.get_va() == "bottom"


def test_rows_stack_batches_of_different_sizes_with_their_names():
    figure = show.rows({"grey": GREY[:2], "colour": COLOUR})
    pictures = drawn(figure)
    assert [p.shape for p, _ in pictures] == [(3, 6, 4)] * 2 + [(3, 2, 2)] * 4
    assert texts(figure) == ["grey", "colour"]
    assert pictures[2][1][3] >= pictures[0][1][2]  # the second row starts where the first has ended


def test_images_may_need_a_gradient_be_half_precision_or_lie_a_rounding_error_outside():
    images = (1.0005 * GREY).requires_grad_()
    assert max(pixels.max() for pixels, _ in drawn(show.grid(images))) == 1
    assert np.abs(drawn(show.grid(GREY.half()))[0][0] - GREY[0].numpy()).max() < 5e-3


@pytest.mark.parametrize(
    "images, said",
    [
        (255 * torch.rand(2, 1, 8, 8), r"values from .* to 2\d\d"),
        (torch.rand(8, 8), r"shape \(8, 8\)"),
        (torch.full((1, 1, 8, 8), torch.nan), "not finite"),
        (torch.rand(0, 1, 8, 8), "empty"),
        (np.zeros((2, 1, 8, 8)), "ndarray"),
        (torch.zeros(2, 2, 8, 8), r"1 channel \(grey\) or 3 .* got 2"),
    ],
)
def test_bad_images_are_named_and_described(images, said):
    with pytest.raises(ValueError, match=f"^images should .*{said}"):
        show.grid(images)
    with pytest.raises(ValueError, match=rf"^images\['second'\] should .*{said}"):
        show.rows({"first": GREY, "second": images})


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: show.grid(GREY, labels=[1, 2]), "labels should be 5 values, one for each; got 2"),
        (lambda: show.grid(GREY, columns=0), "columns should be at least 1; got 0"),
        (lambda: show.scatter(torch.zeros(4, 2), labels="abc"), "labels should be 4 values.*got 3"),
        (lambda: show.scatter(torch.zeros(4, 3)), r"points should be \(N, 2\).*got shape \(4, 3\)"),
        (lambda: show.scatter(torch.zeros(0, 2)), r"points should be .*got shape \(0, 2\)"),
        (lambda: show.rows({}), "images should have at least one entry"),
        (lambda: show.curves({}), "values should have at least one entry"),
        (lambda: show.bars({}), "values should have at least one entry"),
    ],
)
def test_other_bad_arguments_are_named_too(call, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        call()


def test_curves_take_heights_or_points():
    figure = show.curves(
        {"train": torch.tensor([3.0, 2.0, 1.0]), "test": {10: 5.0, 20: 4.0}},
        xlabel="step",
        ylabel="error (sum over pixels)",
        title="Errors",
        log=True,
    )
    axes = figure.axes[0]
    train, test = axes.lines
    assert train.get_xydata().tolist() == [[1, 3], [2, 2], [3, 1]]
    assert test.get_xydata().tolist() == [[10, 5], [20, 4]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["train", "test"]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title(), axes.get_yscale()) == (
        "step",
        "error (sum over pixels)",
        "Errors",
        "log",
    )


def test_bars_have_the_heights_and_the_values_written_on_them():
    axes = show.bars({"PCA": 6.118, "conv": torch.tensor(2.15)}).axes[0]
    assert np.allclose([bar.get_height() for bar in axes.patches], [6.118, 2.15])
    assert [text.get_text() for text in axes.texts] == ["6.12", "2.15"]


def test_scatter_gives_each_class_its_points_its_colour_and_its_mark():
    points = torch.arange(12.0).view(6, 2)
    digits = show.scatter(points, torch.tensor([3, 1, 3, 1, 1, 0])).axes[0]
    names = [cloud.get_label() for cloud in digits.collections]
    assert names == ["0", "1", "3"] and digits.get_legend() is None  # a digit is its own mark
    assert digits.collections[1].get_offsets().tolist() == points[[1, 3, 4]].tolist()

    clouds = show.scatter(points, ["real"] * 2 + ["made"] * 4).axes[0]
    assert [text.get_text() for text in clouds.get_legend().get_texts()] == ["real", "made"]
    for axes in digits, clouds:
        marks = [cloud.get_paths()[0].vertices for cloud in axes.collections]
        colours = [tuple(cloud.get_facecolor()[0]) for cloud in axes.collections]
        assert len(set(colours)) == len(colours) and axes.get_aspect() == 1
        assert not any(np.array_equal(marks[0], mark) for mark in marks[1:])


@pytest.mark.parametrize("mark", ["$", "_", "\\", "^", "{"])
def test_a_label_that_is_no_letter_is_not_taken_for_a_formula(mark):
    figure = show.scatter(torch.zeros(2, 2), [mark, "a"])
    assert [cloud.get_label() for cloud in figure.axes[0].collections] == [mark, "a"]
    assert rendered(figure).min() < 255


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_titled_and_left_to_jupyter_to_show_once(name):
    figure = FIGURES[name]()
    assert figure.axes[0].get_title() == "t"
    assert plt.get_fignums() == []  # pyplot shows what it holds at the end of a cell: a second time


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_looks_the_same_whatever_the_reader_has_set(name):
    torch.manual_seed(0)
    light = rendered(FIGURES[name]())
    assert (light[..., 3] == 255).all() and (light[0, 0] == 255).all()  # opaque, on white
    with plt.style.context(["dark_background", {"figure.facecolor": "none", "font.size": 30}]):
        before = dict(plt.rcParams)
        torch.manual_seed(0)
        dark = rendered(FIGURES[name]())
        assert dict(plt.rcParams) == before
    ink, other_ink = (light[..., :3].min(-1) < 128).mean(), (dark[..., :3].min(-1) < 128).mean()
    assert abs(ink - other_ink) < 0.02  # nothing turned white on white, or black all over


def test_the_palette_is_readable_on_white():
    """Contrast of at least 2 to 1 (WCAG's formula), and no two colours alike."""

    def luminance(colour):
        channels = np.array(to_rgba(colour)[:3])
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    assert all(1.05 / (luminance(colour) + 0.05) > 2 for colour in show.PALETTE)
    assert len(set(show.PALETTE)) == len(show.PALETTE)


def test_a_picture_is_one_image_and_as_wide_as_asked():
    figure = show.picture(COLOUR[0], title="one", width=3)
    ((pixels, _),) = drawn(figure)
    np.testing.assert_allclose(pixels, COLOUR[0].numpy(), atol=1.001 / 255)
    assert 2.9 < figure.get_size_inches()[0] < 3.3
    with pytest.raises(ValueError, match=r"one image \(C, H, W\); got \(4, 3, 2, 2\)"):
        show.picture(COLOUR)


def test_a_histogram_gives_every_name_area_one_over_the_same_bins():
    values = {"narrow": torch.rand(500), "wide": 4 * torch.rand(300)}
    axes = show.histogram(values, bins=20).axes[0]
    for patch, array in zip(axes.patches, values.values(), strict=True):
        xy = patch.get_xy()
        steps = np.unique(xy[:, 0])
        assert len(steps) == 21
        heights, _ = np.histogram(array.double().numpy(), steps, density=True)
        assert abs((heights * np.diff(steps)).sum() - 1) < 1e-9
        assert abs(xy[:, 1].max() - heights.max()) < 1e-9


def test_clouds_put_every_crowd_in_its_cell_upright_and_leave_out_what_is_beyond_reach():
    crowd = torch.tensor([[0.5, 0.25], [9.0, 0.0]])
    mark = torch.tensor([[0.0, 1.0]])
    figure = show.clouds({"up": {"a": crowd, "b": crowd}, "down": {"a": crowd, "b": -crowd}}, mark, reach=1)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["a", "b"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["up", "down"]
    assert axes.yaxis_inverted() and axes.get_aspect() == 1
    found = [drawn.get_offsets().tolist() for drawn in axes.collections[:8]]
    middles, signs = [(0, 0), (2, 0), (0, 2), (2, 2)], [1, 1, 1, -1]
    assert found[::2] == [[[x + 0.5 * s, y - 0.25 * s]] for (x, y), s in zip(middles, signs, strict=True)]
    assert found[1::2] == [[[x, y - 1]] for x, y in middles]


def test_clouds_refuse_other_shapes_and_rows_with_other_columns():
    crowd = torch.zeros(5, 2)
    with pytest.raises(ValueError, match=r"points\['r'\]\['a'\] should be \(N, 2\); got shape \(5, 3\)"):
        show.clouds({"r": {"a": torch.zeros(5, 3)}})
    with pytest.raises(ValueError, match=r"columns \['a'\]; points\['s'\] has \['b'\]"):
        show.clouds({"r": {"a": crowd}, "s": {"b": crowd}})
    with pytest.raises(ValueError, match="points"):
        show.clouds({})
