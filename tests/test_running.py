"""`minigen train`: what it prints, what it keeps, and what it refuses."""

import json
import re

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from minigen import checkpoint, running
from minigen.cli import app
from minigen.recipes import RECIPES


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIGEN_BUDGET", "smoke")
    monkeypatch.setenv("MINIGEN_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)


def train(*words):
    return CliRunner().invoke(app, ["train", *map(str, words)], catch_exceptions=False).stdout


def refusal(*words):
    with pytest.raises(ValueError) as caught:
        train(*words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def header(out):
    return checkpoint.read(out / "run.safetensors")[0]


def test_without_a_recipe_all_are_listed_with_their_settings():
    said = train()
    for name, recipe in RECIPES.items():
        assert f"\n{name}: " in said
        assert all(f"{setting}=" in said for setting in recipe.settings())
    assert "multiples=1,2  patch=1  schedule=cosine (or linear, middle)  target=noise (or data, velo" in said
    assert "\n    above 8 pixels: patch=2  schedule=middle  target=velocity  betas=0.9,0.99  decay" in said


def test_a_run_says_how_far_it_is_and_keeps_a_checkpoint_and_pictures(tmp_path):
    said = train("conditional_vae", "width=4", "lr=1e-3", "--steps", 6, "--every", 3)
    out = tmp_path / "runs" / "conditional_vae-digits"
    pattern = r"step (\d) of 6  loss [-\d.]+  reconstruction [-\d.]+  kl [\d.]+  .* ms a step  (\S+)\n"
    lines = re.findall(pattern, said)
    assert [step for step, _ in lines] == ["3", "6"] and len(said.splitlines()) == 3
    assert said.endswith("draw from it with: minigen sample runs/conditional_vae-digits\n")
    for step, path in lines:
        assert path == f"runs/conditional_vae-digits/pictures/00000{step}.png"
        assert Image.open(path).size == (10 * 34 + 2, 6 * 34 + 2)
    kept = header(out)
    assert kept["step"] == 6
    wanted = {"recipe": "conditional_vae", "data": "digits", "width": 4, "latent": 8, "lr": 1e-3, "seed": 0}
    assert wanted.items() <= kept["settings"].items()


def test_the_same_command_goes_on_and_more_steps_may_be_asked_for(tmp_path):
    run = ["vae", "width=4", "--out", tmp_path / "a", "--every", 4]
    train(*run, "--steps", 4)
    assert "a/run.safetensors is at step 4 of 4: nothing is left to do; --steps asks for more" in train(
        *run, "--steps", 4
    )
    assert "a/run.safetensors is at step 4 of 8, and goes on\nstep 8 of 8" in train(*run, "--steps", 8)
    train("vae", "width=4", "--out", tmp_path / "b", "--steps", 8)
    a, b = (checkpoint.read(tmp_path / name / "run.safetensors")[1] for name in "ab")
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_another_run_in_the_same_folder_is_refused_by_what_differs(tmp_path):
    run = ["--out", tmp_path, "--steps", 2]
    train("vae", "width=4", *run)
    before = (tmp_path / "run.safetensors").read_bytes()
    for words, said in (
        (["vae", "width=8"], "has other settings (width: 4 in the file, 8 here)"),
        (["vae", "width=4", "lr=1"], "has other settings (lr: 0.003 in the file, 1.0 here)"),
        (["vae", "width=4", "batch=2"], "has other settings (batch: 128 in the file, 2 here)"),
        (["bernoulli_vae", "width=4"], "has other settings (recipe: vae in the file, bernoulli_vae here)"),
        (["vae", "width=4", "--data", "shapes:8"], "(data: digits in the file, shapes:8 here)"),
    ):  # fmt: skip
        refused = refusal(*words, *run)
        assert said in refused and "give another path, or move the file away and train anew" in refused
    assert (tmp_path / "run.safetensors").read_bytes() == before


def test_a_model_that_draws_nothing_shows_what_it_makes_of_images_or_no_picture(tmp_path):
    train("denoiser", "width=4", "--steps", 2, "--out", tmp_path / "a")
    assert Image.open(tmp_path / "a" / "pictures" / "000002.png").size == (10 * 34 + 2, 6 * 34 + 2)
    train("noisy_classifier", "width=16", "--steps", 2, "--out", tmp_path / "b")
    assert not (tmp_path / "b" / "pictures").exists()


def test_pictures_of_an_autoencoder_are_rows_of_data_above_what_becomes_of_them():
    source = running.supply("digits")

    class Negative(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        sample = running.Generative.sample

        def encode(self, x):
            return x

        def decode(self, z):
            return -z

    images = running.progress(Negative(), source, RECIPES["autoencoder"])
    assert images.shape == (running.PICTURES, 1, 8, 8)
    for above, below in zip(images.split(10)[::2], images.split(10)[1::2], strict=True):
        assert torch.equal(above, -below)


def test_a_latent_model_trains_its_codec_first_and_once(tmp_path, monkeypatch):
    words = ("latent_ddpm", "width=16", "codec_width=8", "batch=4", "--every", 2, "--out", tmp_path / "run")
    said = train(*words, "--steps", 2)
    assert said.startswith(f"first its codec, in {tmp_path}/run/first.safetensors\n") and "pixels" in said
    codec = checkpoint.below("averaged.", checkpoint.read(tmp_path / "run" / "first.safetensors")[1])
    kept = checkpoint.below("averaged.codec.", checkpoint.read(tmp_path / "run" / "run.safetensors")[1])
    assert all(torch.equal(kept[name], codec[name]) for name in kept if name != "scale")
    assert kept["scale"] != 1
    monkeypatch.setattr(running, "train_first", lambda *_, **__: pytest.fail("trained again"))
    assert train(*words, "--steps", 4).endswith(f"minigen sample {tmp_path}/run\n")


def test_a_codec_whose_training_was_stopped_goes_on(tmp_path, monkeypatch):
    words = ("latent_ddpm", "width=16", "codec_width=8", "batch=4", "--steps", 2, "--out", tmp_path)
    wanted = tmp_path / "wanted"
    train(*words[:-1], wanted)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(running.Recipe, "adopt", stop)
        running.train(words[0], list(words[1:4]), steps=2, out=tmp_path / "run")
    said = train(*words[:-1], tmp_path / "run")
    assert "first its codec" in said
    parts = [checkpoint.read(out / "run.safetensors")[1] for out in (wanted, tmp_path / "run")]
    assert all(torch.equal(parts[0][name], parts[1][name]) for name in parts[0])


def test_words_are_learned_from_scenes_alone(tmp_path):
    said = train("text_to_image", "width=16", "codec_width=8", "batch=4", "--steps", 2)
    assert "runs/text_to_image-scenes/pictures/000002.png" in said
    assert Image.open("runs/text_to_image-scenes/pictures/000002.png").size == (10 * 34 + 2, 6 * 34 + 2)


def test_someone_who_stops_a_run_is_told_how_it_goes_on(tmp_path, monkeypatch, capsys):
    def stop(model, *_):
        if stop.called:
            raise KeyboardInterrupt
        stop.called = True

    stop.called = False
    monkeypatch.setattr(running, "progress", stop)
    with pytest.raises(KeyboardInterrupt):
        running.train("vae", ["width=4"], steps=9, every=2, out=tmp_path)
    assert capsys.readouterr().out.endswith("stopped; the same command goes on from step 4\n")
    assert header(tmp_path)["step"] == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["vea"], "there is no recipe vea, did you mean vae? (there is: linear_autoencoder"),
        (["vae", "widht=3"], "there is no setting widht, did you mean width? (there is: latent, width, beta"),
        (["vae", "width=big"], "width should be a whole number, at least 1; got 'big'"),
        (["vae", "--data", "minst"], "there is no data set minst, did you mean mnist"),
        (["vae", "--device", "gpu"], "device should be a device that torch has here"),
        (["ddpm", "width=20"], "width should be a multiple of 8 above 8; got 20"),
        (["ddpm", "multiples=1,2,2,2,2"], "multiples should be 1 to 4 whole numbers from 1"),
        (["ddpm", "patch=2", "multiples=1,2,2,2"], "multiples should be 1 to 3 whole numbers from 1"),
        (["ddpm", "patch=3"], "patch should be a power of two, at most 8, the size; got 3"),
        (["ddpm", "patch=16"], "patch should be a power of two, at most 8, the size; got 16"),
        (["ddpm", "betas=0.9"], "betas should be two numbers below 1, as in betas=0.9,0.99; got 0.9"),
        (["ddpm", "betas=0.9,1"], "betas should be two numbers below 1, as in betas=0.9,0.99; got 0.9,1.0"),
        (["ddpm", "decay=1"], "decay should be in [0, 1); got 1.0"),
        (["ddpm", "cooldown=2"], "cooldown should be a share, in [0, 1]; got 2.0"),
        (["wgan_gp", "critic_steps=5"], "batch should be a multiple of 5 turns of the critic; got 192"),
        (["vae", "--width", "4"], "there is no option --width; settings are NAME=VALUE, as in width=64"),
        (["conditional_ddpm", "dropped=2"], "dropped should be a share, in [0, 1]; got 2.0"),
        (["text_to_image", "--data", "digits"], "text_to_image learns from scenes, in which pictures have"),
        (["vae", "--data", "scenes"], "scenes have captions, not classes; for vae take shapes"),
        (["codec", "factor=3"], "factor should be a power of two from 2 to 8, the size; got 3"),
        (["latent_ddpm", "codec_width=12"], "codec_width should be a multiple of 8; got 12"),
        (["vae", "--data", "shapes:"], "there is no data set shapes:, did you mean shapes"),
        (["ddpm", "schedule=sine"], "schedule should be one of cosine, linear, middle; got 'sine'"),
    ],
)  # fmt: skip
def test_bad_input_is_told_what_was_wanted_and_leaves_nothing(words, said, tmp_path):
    assert refusal(*words).startswith(said)
    assert list(tmp_path.iterdir()) == []


def test_another_training_in_the_same_folder_is_refused_until_the_first_has_ended(tmp_path):
    with running.alone(tmp_path):
        assert "another training is at work in" in refusal("vae", "--steps", 2, "--out", tmp_path)
    train("vae", "width=4", "--steps", 2, "--out", tmp_path)
    assert header(tmp_path)["step"] == 2


def test_what_a_killed_save_has_left_is_removed(tmp_path):
    (tmp_path / ".run.safetensors.123.tmp").write_bytes(b"half")
    train("vae", "width=4", "--steps", 2, "--out", tmp_path)
    assert {p.name for p in tmp_path.iterdir()} <= {"run.safetensors", "pictures", ".lock"}


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_first_step(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr(running, "Report", lambda *_: pytest.fail("it has begun"))
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        assert "--out should be a folder that can be written to; got" in refusal("vae", "--out", out)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_is_full_is_said_in_a_sentence_that_names_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise checkpoint.SafetensorError("No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match=r"cannot write .*run.safetensors: No space left on device"):
        train("vae", "width=4", "--steps", 2, "--out", tmp_path)


def test_everyone_who_may_read_pictures_may_read_the_checkpoint(tmp_path):
    train("vae", "width=4", "--steps", 2, "--out", tmp_path)
    picture, run = tmp_path / "pictures" / "000002.png", tmp_path / "run.safetensors"
    (tmp_path / "mine").write_text("x")
    assert len({path.stat().st_mode for path in (tmp_path / "mine", picture, run)}) == 1


def test_a_file_of_minigen_that_is_no_run_is_refused(tmp_path):
    checkpoint.write(tmp_path / "run.safetensors", {"version": 1, "accuracy": 1.0}, {"x": torch.zeros(2)})
    said = refusal("vae", "--out", tmp_path)
    assert "run.safetensors holds no run to go on with (it has no groups, losses" in said


def test_the_pictures_of_a_step_that_was_killed_before_them_are_drawn_when_the_run_goes_on(tmp_path):
    train("vae", "width=4", "--steps", 1, "--out", tmp_path)
    picture = tmp_path / "pictures" / "000001.png"
    picture.unlink()
    assert "is at step 1 of 3, and goes on" in train("vae", "width=4", "--steps", 3, "--out", tmp_path)
    assert picture.exists()


def test_the_device_that_is_asked_for_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGEN_DEVICE", "nonsense")
    train("vae", "width=4", "--steps", 2, "--out", tmp_path / "run", "--device", "cpu")
    run = CliRunner().invoke(
        app, ["sample", str(tmp_path / "run"), "--out", str(tmp_path / "a.png"), "--device", "cpu"]
    )
    assert run.exit_code == 0, run.exception


def test_only_the_first_of_several_processes_writes_and_speaks(tmp_path, monkeypatch):
    monkeypatch.setattr(running.processes, "rank", lambda: 1)
    assert train("vae", "width=4", "--steps", 2, "--every", 1, "--out", tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def test_processes_that_resume_from_different_steps_do_not_begin(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(running.processes, "agree", lambda what, value, where: asked.append(value))
    train("vae", "width=4", "--steps", 3, "--out", tmp_path)
    train("vae", "width=4", "--steps", 4, "--out", tmp_path)
    assert asked == [0, 3]


def test_the_optimizer_of_a_gan_has_little_momentum(tmp_path):
    train("gan", "width=4", "--steps", 1, "--out", tmp_path)
    assert [group["betas"] for group in header(tmp_path)["groups"]["critic"]] == [[0.5, 0.9]]


def test_a_file_is_json_and_tensors_alone(tmp_path):
    train("gan", "width=4", "--steps", 2, "--out", tmp_path)
    content = (tmp_path / "run.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert set(json.loads(content[8 : 8 + length])["__metadata__"]) == {"minigen", "checksum"}
    assert b"pickle" not in content and b"torch._utils" not in content
