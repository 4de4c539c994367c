"""All scores at once, and the command that prints them."""

import json

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from minigen import evaluation, metrics, recipes
from minigen.cli import app
from minigen.data import digits
from minigen.features import DigitFeatures
from minigen.images import to_bytes

NAMES = ["fid", "fid_infinity", "kid", "inception_score", "precision", "recall"]


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("MINIGEN_DATA", str(tmp_path_factory.mktemp("data")))
    monkeypatch.setenv("MINIGEN_BUDGET", "smoke")


def save(folder, images):
    folder.mkdir(exist_ok=True)
    for i, image in enumerate(to_bytes(images)):
        pixels = image[0] if len(image) == 1 else image.permute(1, 2, 0)
        Image.fromarray(pixels.numpy()).save(folder / f"{i:04}.png")
    return str(folder)


def evaluate(*arguments):
    """What the command prints as JSON."""
    run = CliRunner().invoke(app, ["evaluate", *arguments, "--json"], catch_exceptions=False)
    assert run.exit_code == 0
    return json.loads(run.stdout)


def refusal(*arguments):
    with pytest.raises(ValueError) as caught:
        CliRunner().invoke(app, ["evaluate", *map(str, arguments)], catch_exceptions=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_two_folders_get_the_scores_of_the_functions_of_metrics(tmp_path):
    x, y = digits("test")[0], digits("train")[0][:300]
    noisy = (y + 0.2 * torch.randn(y.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    found = evaluate(save(tmp_path / "real", x), save(tmp_path / "fake", noisy))
    assert [found[side]["pictures"] for side in ("real", "fake")] == [359, 300]
    assert found["features"] == {"name": "DigitFeatures", "numbers": 64}
    assert list(found["scores"]) == NAMES
    judge = DigitFeatures()
    quantised = [to_bytes(images).float() / 127.5 - 1 for images in (x, noisy)]
    real, fake = (judge.features(images) for images in quantised)
    assert found["scores"]["fid"]["value"] == pytest.approx(metrics.fid(real, fake), rel=1e-5)
    precision, recall = metrics.precision_recall(real, fake, 3)
    assert found["scores"]["precision"]["value"] == precision
    assert found["scores"]["recall"]["value"] == recall
    whole, _ = metrics.inception_score(judge.probabilities(quantised[1]), 1)
    assert found["scores"]["inception_score"]["value"] == pytest.approx(whole, rel=1e-5)
    assert 0 < found["scores"]["kid"]["value"] < 1


def test_a_crowd_compared_with_itself_is_perfect():
    scores = evaluate("digits:test", "digits:test")["scores"]
    assert scores["fid"]["value"] == pytest.approx(0, abs=1e-9)
    assert scores["precision"]["value"] == scores["recall"]["value"] == 1


def test_a_better_crowd_is_seen_to_be_better():
    good, bad = (evaluate("digits", name)["scores"] for name in ("digits:test", "digit_vae"))
    assert good["fid"]["value"] < bad["fid"]["value"] / 5  # a VAE of ten steps
    assert good["recall"]["value"] > bad["recall"]["value"]


def test_a_recipe_and_its_checkpoint_give_the_same_scores(tmp_path):
    path = tmp_path / "mine.safetensors"
    recipes.save("digit_conditional_vae", recipes.trained("digit_conditional_vae"), path)
    by_file = evaluate("digits:test", str(path), "--draws", "50")
    by_name = evaluate("digits:test", "digit_conditional_vae", "--draws", "50")
    assert by_file["scores"] == by_name["scores"] and by_file["fake"]["pictures"] == 50
    other = evaluate("digits:test", str(path), "--draws", "50", "--seed", "1")
    assert other["scores"]["fid"] != by_file["scores"]["fid"]


def test_drawing_leaves_the_random_stream_alone_and_takes_every_class_in_turn():
    before = torch.get_rng_state()
    crowd = evaluation.crowd("digit_conditional_vae", draws=25)
    assert torch.equal(before, torch.get_rng_state())
    assert crowd.shape == (1, 8, 8) and crowd.size == 25
    assert sum(len(part) for part in crowd.parts()) == 25


def test_few_pictures_get_the_scores_that_they_can_have():
    scores = evaluate("shapes:16", "shapes:16", "--draws", "3")["scores"]
    missing = [name for name, score in scores.items() if score["value"] is None]
    assert missing == ["fid_infinity", "precision", "recall"]
    assert scores["inception_score"]["error"] is None  # one part has no spread
    table = CliRunner().invoke(app, ["evaluate", "shapes:16", "shapes:16", "--draws", "3"]).stdout
    assert "precision                –" in table and "needs 4 pictures on either side" in table


def test_the_table_has_every_score_and_the_numbers_of_pictures():
    table = CliRunner().invoke(app, ["evaluate", "digits", "digits:test"]).stdout
    assert "1,438 pictures  grey, 8×8  digits\n" in table and "359 pictures  grey, 8×8  digits:test" in table
    assert [line.split()[0] for line in table.splitlines()[-8:-2]] == NAMES


def test_a_bar_shows_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    evaluation.look(DigitFeatures(), evaluation.crowd("digits:test"))
    assert "359/359" in capsys.readouterr().err


def test_what_cannot_be_compared_is_refused_in_a_sentence(tmp_path):
    x = torch.zeros(3, 1, 8, 8)
    grey, large = save(tmp_path / "grey", x), save(tmp_path / "large", torch.zeros(2, 1, 9, 8))
    colour, one = save(tmp_path / "colour", x.repeat(1, 3, 1, 1)), save(tmp_path / "one", x[:1])
    same = "only pictures of one kind and size can be compared"
    assert refusal(grey, colour).startswith(same) and "colour, 8×8" in refusal(grey, colour)
    assert refusal(large, grey).startswith(same) and "grey, 9×8" in refusal(large, grey)
    assert refusal(grey, one) == f"{one} should have at least 2 pictures; it has 1"
    (tmp_path / "grey" / "0001.png").write_bytes(b"no picture")
    assert "0001.png" in refusal(grey, grey) and "cannot identify" in refusal(grey, grey)


def test_what_is_not_there_is_refused_with_what_there_is(tmp_path):
    assert "there is no digts, did you mean digits?" in refusal("digts", "digits")
    assert "a folder of images and a checkpoint will do too" in refusal("digits", "nowhere")
    assert "split should be one of train, test, all; got 'tset'" in refusal("digits:tset", "digits")
    (tmp_path / "empty").mkdir()
    assert "has no images" in refusal(tmp_path / "empty", "digits")
    (tmp_path / "a.txt").write_text("words")
    assert "a.txt is damaged, or was not written by minigen" in refusal("digits", tmp_path / "a.txt")
    assert "digit_autoencoder cannot be evaluated: ConvAutoencoder cannot sample" in refusal(
        "digits", "digit_autoencoder"
    )


def test_features_that_do_not_fit_are_refused():
    assert "the features shapes do not see such pictures (grey, 8×8)" in refusal(
        "digits", "digits", "--features", "shapes"
    )
    assert "one of digits, shapes, inception; got 'clip'" in refusal("digits", "digits", "--features", "clip")
    assert "needs --weights pt_inception" in refusal("digits", "digits", "--features", "inception")
    assert "should be pt_inception" in refusal("digits", "digits", "--weights", __file__)
