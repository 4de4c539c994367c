"""Pictures out of models, on sheets and in files: `minigen sample`."""

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from minigen import drawing, evaluation, recipes
from minigen.cli import app
from minigen.core import Generative
from minigen.data.folder import image_files, read_images
from minigen.data.named import DATASETS, supply
from minigen.images import to_bytes
from minigen.recipes import RECIPES, Kind, about
from minigen.samplers import few_steps, times_by_noise


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("MINIGEN_DATA", str(tmp_path_factory.mktemp("data")))
    monkeypatch.setenv("MINIGEN_BUDGET", "smoke")
    monkeypatch.setenv("MINIGEN_DEVICE", "cpu")


def model_of(name):
    model = RECIPES[name].make(Kind("digits", 1, 8, 8, 10), {"width": 16})
    return model.eval().requires_grad_(False)


class Told(Generative):
    """Draws flat images whose brightness is the label."""

    classes = 5

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def sample(self, n, condition=None):
        return (condition.float() / 5)[:, None, None, None].expand(n, 1, 2, 2)


def labels_of(images):
    return (images[:, 0, 0, 0] * 5).round().int().tolist()


def minigen(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def refusal(*words):
    with pytest.raises(ValueError) as caught:
        minigen(*words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_same_seed_gives_the_same_images_and_the_callers_stream_stays():
    model = model_of("vae")
    before = torch.get_rng_state()
    a, b, c = (drawing.draw(model, 5, seed) for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert torch.equal(torch.get_rng_state(), before)


def test_classes_come_in_turn_across_parts(monkeypatch):
    monkeypatch.setattr(drawing, "BATCH", 4)
    assert labels_of(drawing.draw(Told(), 11)) == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0]
    assert labels_of(drawing.draw(Told(), 6, labels=[3, 1, 1, 0])) == [3, 1, 1, 0, 3, 1]


def test_a_diffusion_model_draws_in_as_many_steps_as_asked_for():
    model, calls = model_of("ddpm"), []
    model.network.register_forward_hook(lambda *_: calls.append(1))
    drawing.draw(model, 2)
    drawing.draw(model, 2, steps=7)
    assert len(calls) == drawing.STEPS + 7
    model.shape = 1, 16, 16
    drawing.draw(model, 2)
    assert len(calls) == drawing.STEPS + 7 + drawing.LARGE_STEPS
    model.shape = 1, 8, 8
    torch.manual_seed(3)
    noise = torch.randn(2, 1, 8, 8)
    expected = few_steps(
        model.predict, noise, model.schedule.alpha_bar, 7, 1.0, lambda t: torch.randn(2, 1, 8, 8),
        second_order=True, clip=True,
    )  # fmt: skip
    assert torch.allclose(drawing.draw(model, 2, seed=3, steps=7), expected.clamp(-1, 1))


def test_large_images_are_drawn_at_times_that_lie_close_where_there_is_noise():
    model, asked = model_of("ddpm"), []
    model.shape = 1, 16, 16
    model.network.register_forward_hook(lambda _, given, __: asked.append(int(given[1][0])))
    drawing.draw(model, 2, steps=9)
    assert [*asked, 0] == times_by_noise(model.schedule.alpha_bar, 9)


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 32, 32)])
def test_large_images_are_dark_grey_and_light_as_often_as_the_data(shape, monkeypatch):
    """With the exact noise of pictures that are dark, grey or light all over."""
    kind = Kind("any", shape[0], shape[1], shape[2], 10)
    brightness = torch.tensor([-0.8, 0.0, 0.8])

    def share_of_grey():
        model = RECIPES["ddpm"].make(kind, RECIPES["ddpm"].defaults(shape[1]) | {"width": 16})

        def predict(x_t, t):
            a = model.schedule.alpha_bar[t]
            fit = (
                a.sqrt() * brightness * x_t.sum((1, 2, 3))[:, None] - a * brightness**2 * x_t[0].numel() / 2
            ) / (1 - a)
            data = (fit.softmax(1) * brightness).sum(1)[:, None, None, None].float()
            return (x_t - a.sqrt() * data) / (1 - a).sqrt()

        model.predict = predict
        return (drawing.draw(model, 1000).mean((1, 2, 3)).abs() < 0.4).float().mean()

    assert abs(share_of_grey() - 1 / 3) < 0.1
    if shape == (3, 32, 32):
        chain = recipes.models.chain
        monkeypatch.setattr(recipes.models, "chain", lambda schedule, shape: chain(schedule))
        assert share_of_grey() > 0.6


def test_guidance_reaches_the_model():
    torch.manual_seed(0)
    model = model_of("conditional_ddpm")
    for parameter in model.parameters():
        parameter.normal_(0, 0.1)  # at first it predicts 0 for every class
    asked = [drawing.draw(model, 2, labels=[7], steps=5, guidance=w) for w in (None, 1.0, 3.0)]
    assert torch.equal(asked[0], asked[1]) and not torch.allclose(asked[0], asked[2])
    assert not torch.allclose(asked[0], drawing.draw(model, 2, labels=[2], steps=5))


def reader():
    """A model that is told words, not trained, whose answers depend on them."""
    recipe = RECIPES["text_to_image"]
    model = recipe.make(supply("scenes").kind, {"width": 16, "codec_width": 8}).eval()
    torch.manual_seed(0)
    for parameter in model.prior.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model.requires_grad_(False)


def test_a_model_that_reads_draws_what_words_and_guidance_ask_for():
    model = reader()

    def drawn(*prompts, **options):
        return drawing.draw(model, 4, steps=3, prompts=prompts or None, **options)

    assert drawn("a red ring").shape == (4, 3, 32, 32)
    assert torch.equal(drawn("a red ring"), drawn("a red ring", guidance=drawing.GUIDANCE))
    for other in drawn("a blue ring"), drawn("a red ring", guidance=1.0), drawn():
        assert not torch.allclose(other, drawn("a red ring"))
    assert torch.equal(drawn(), drawn(""))  # without words it draws as if nothing were asked for
    in_turn = drawn("a red ring", "a blue ring")
    assert torch.allclose(in_turn[::2], drawn("a red ring")[::2], atol=1e-5)
    assert torch.allclose(in_turn[1::2], drawn("a blue ring")[1::2], atol=1e-5)
    with pytest.raises(ValueError, match=r"this model is told words, as in .*; got labels"):
        drawing.draw(model, 2, labels=[1])


@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("vae", {"prompts": ["a ring"]}, "prompts are for a model that is told words; this is a VAE"),
        ("vae", {"labels": [1]}, "labels are for a model that is told what to draw; this is a VAE"),
        ("vae", {"steps": 5}, "steps are for a diffusion model; a VAE draws in one"),
        ("conditional_vae", {"labels": [10]}, "labels should be whole numbers from 0 to 9; got [10]"),
        ("conditional_gan", {"labels": [-1]}, "labels should be whole numbers from 0 to 9; got [-1]"),
        ("conditional_ddpm", {"guidance": float("nan")}, "guidance should be a finite number; got nan"),
        ("ddpm", {"guidance": 2.0}, "guidance is for a diffusion model with classes or words; this is a"),
        ("ddpm", {"steps": 2000}, "steps should be from 1 to 1000, the number of steps in the chain"),
    ],
)  # fmt: skip
def test_what_a_model_cannot_be_asked_for_is_refused(name, asked, said):
    with pytest.raises(ValueError) as caught:
        drawing.draw(model_of(name), 2, **asked)
    assert str(caught.value).startswith(said)


def test_a_sheet_shows_every_picture_in_order_with_lines_between_them():
    images = torch.linspace(-1, 1, 10).view(10, 1, 1, 1).expand(10, 1, 16, 16)
    found = drawing.sheet(images, columns=4)
    assert found.shape == (1, 3 * 34 + 2, 4 * 34 + 2)  # 16 pixels are shown as 32
    for i in range(10):
        row, column = divmod(i, 4)
        part = found[0, 2 + 34 * row : 34 * (row + 1), 2 + 34 * column : 34 * (column + 1)]
        assert (part == images[i, 0, 0, 0]).all(), i
    assert (found[0, :2] == 0).all() and (found[0, :, :2] == 0).all()


def test_one_class_stands_in_one_column_of_a_sheet():
    of_five, of_none = Told(), model_of("vae")
    assert [drawing.across(of_five, labels) for labels in (None, [3], [3, 4, 1])] == [10, 10, 9]
    assert drawing.across(of_none) == 10
    of_five.classes = 6
    assert drawing.across(of_five) == 6
    of_five.classes = 100
    assert drawing.across(of_five) == 10


def test_single_files_hold_the_pictures_byte_for_byte(tmp_path):
    out = tmp_path / "drawn"
    run = minigen("sample", "digit_conditional_vae", "--out", out, "-n", 12, "--labels", "4,2")
    assert run.stdout == f"{out}/: 12 pictures\n"
    files = image_files(out)
    assert [f.name for f in files[:2]] == ["000000.png", "000001.png"] and len(files) == 12
    (read,) = read_images(files)
    drawn = drawing.draw(recipes.trained("digit_conditional_vae"), 12, 0, [4, 2])
    assert torch.equal(to_bytes(read), to_bytes(drawn))


def test_a_sheet_is_written_and_nothing_is_replaced_without_force(tmp_path):
    out = tmp_path / "sheet.png"
    assert minigen("sample", "digit_vae", "--out", out).stdout == f"{out}: 60 pictures on a sheet\n"
    assert Image.open(out).size == (10 * 34 + 2, 6 * 34 + 2)
    first = out.read_bytes()
    assert refusal("sample", "digit_vae", "--out", out, "--seed", 1) == (
        f"{out} is already there; --force replaces it, or give another --out"
    )
    assert out.read_bytes() == first
    minigen("sample", "digit_vae", "--out", out, "--seed", 1, "--force")
    assert out.read_bytes() != first
    minigen("sample", "digit_vae", "--out", out, "--force")
    assert out.read_bytes() == first


def test_a_folder_with_files_is_not_written_to_without_force(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    assert "is already there" in refusal("sample", "digit_vae", "--out", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    minigen("sample", "digit_vae", "--out", tmp_path, "-n", 2, "--force")
    assert {p.name for p in tmp_path.iterdir()} == {"mine.txt", "000000.png", "000001.png"}


def test_what_cannot_be_drawn_is_refused_before_anything_is_written(tmp_path):
    out = tmp_path / "a.png"
    said = [
        ("digit_vea", [], "there is no digit_vea, did you mean digit_vae"),
        (tmp_path, [], "has no run.safetensors, so it is not that of a run"),
        ("digit_autoencoder", [], "digit_autoencoder draws nothing: ConvAutoencoder cannot sample"),
        ("digit_vae", ["--labels", "two"], "labels should be whole numbers, as in 3,7; got 'two'"),
    ]
    for name, options, why in said:
        assert why in refusal("sample", name, "--out", out, *options)
        assert why in refusal("sample", name, "--out", tmp_path / "not" / "made", *options)
    assert "--out should be FILE.png, for a sheet, or a folder" in refusal(
        "sample", "digit_vae", "--out", tmp_path / "a.jpg"
    )
    (tmp_path / "file").write_text("x")
    assert "--out should be a folder" in refusal("sample", "digit_vae", "--out", tmp_path / "file", "--force")
    (tmp_path / "b.png").mkdir()
    assert "--out should be a file" in refusal("sample", "digit_vae", "--out", tmp_path / "b.png", "--force")
    assert not out.exists() and not (tmp_path / "not").exists()


def test_a_damaged_a_foreign_and_a_newer_checkpoint_are_refused_by_name(tmp_path):
    path, out = tmp_path / "mine.safetensors", tmp_path / "a.png"
    recipes.save("digit_vae", recipes.trained("digit_vae"), path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "mine.safetensors is damaged (its checksum is wrong)" in refusal("sample", path, "--out", out)
    path.write_bytes(whole[: len(whole) // 2])
    assert "mine.safetensors is damaged, or was not written by minigen" in refusal(
        "sample", path, "--out", out
    )
    torch.save({"weights": torch.zeros(2)}, path)  # a pickle, which nobody opens
    assert "mine.safetensors is damaged, or was not written by minigen" in refusal(
        "sample", path, "--out", out
    )
    settings = about("vae", Kind("digits", 1, 8, 8, 10), {})
    recipes.checkpoint.write(path, {"version": 2, "settings": settings}, {"x": torch.zeros(1)})
    said = refusal("sample", path, "--out", out)
    assert "mine.safetensors has format 2" in said and "update minigen" in said


def test_what_is_asked_for_on_the_command_line_is_drawn(tmp_path):
    out = tmp_path / "drawn"
    asked = ["--labels", "7,1", "--guidance", 4, "--steps", 3, "--seed", 5, "-n", 4]
    minigen("sample", "digit_conditional_ddpm", "--out", out, *asked)
    model = recipes.trained("digit_conditional_ddpm")
    images = drawing.draw(model, 4, seed=5, labels=[7, 1], steps=3, guidance=4.0)
    (read,) = read_images(image_files(out))
    assert torch.equal(to_bytes(read), to_bytes(images))
    for other in ({"guidance": 1.0}, {"steps": 4}, {"seed": 6}, {"labels": [7]}):
        options = {"seed": 5, "labels": [7, 1], "steps": 3, "guidance": 4.0} | other
        assert not torch.equal(to_bytes(drawing.draw(model, 4, **options)), to_bytes(images))


def test_force_leaves_no_older_picture_beside_the_new_ones(tmp_path):
    (tmp_path / "mine.png").write_bytes(b"mine")
    minigen("sample", "digit_vae", "--out", tmp_path, "-n", 5, "--force")
    minigen("sample", "digit_vae", "--out", tmp_path, "-n", 2, "--force")
    assert {p.name for p in tmp_path.iterdir()} == {"mine.png", "000000.png", "000001.png"}


def test_a_place_that_is_taken_is_refused_before_anything_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "find_model", lambda *_: pytest.fail("it has begun"))
    (tmp_path / "a.PNG").write_bytes(b"mine")
    assert "is already there" in refusal("sample", "digit_vae", "--out", tmp_path / "a.PNG")
    below = tmp_path / "a.PNG" / "b.png"
    assert "--out should be a folder that can be written to" in refusal("sample", "digit_vae", "--out", below)


def test_a_run_is_drawn_from_by_its_folder_in_the_size_of_its_data(tmp_path, monkeypatch):
    x = torch.rand(40, 1, 28, 28) * 2 - 1
    monkeypatch.setitem(DATASETS, "mnist", lambda split: (x, torch.arange(40) % 10))
    run, out = tmp_path / "run", tmp_path / "drawn"
    minigen("train", "vae", "width=4", "--data", "mnist", "--steps", 2, "--out", run)
    minigen("sample", run, "--out", out, "-n", 3)
    (images,) = read_images(image_files(out))
    assert images.shape == (3, 1, 28, 28)
    (framed,) = drawing.draw(recipes.load(run / "run.safetensors"), 3).split(3)
    assert torch.equal(to_bytes(framed[..., 2:-2, 2:-2]), to_bytes(images))
    assert evaluation.crowd(str(run), draws=4).shape == (1, 28, 28)
    assert Image.open(run / "pictures" / "000002.png").size == (10 * 58 + 2, 6 * 58 + 2)
