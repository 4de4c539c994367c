"""The device, the budget, the protocol of a model, and files that are whole at every moment."""

import errno
import os

import pytest
import torch

from minigen.core import Generative, budget, check_images, device, replacing


def test_the_device_is_the_one_that_the_environment_names(monkeypatch):
    monkeypatch.setenv("MINIGEN_DEVICE", "meta")
    assert device() == torch.device("meta")


@pytest.mark.parametrize("name", ["tpu-of-my-dreams", "cuda:99"])
def test_a_device_that_is_not_here_is_refused_by_name(monkeypatch, name):
    monkeypatch.setenv("MINIGEN_DEVICE", name)
    with pytest.raises(ValueError, match=f"MINIGEN_DEVICE should be .* got '{name}'"):
        device()


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_without_a_name_the_device_is_the_gpu_that_is_there(monkeypatch, cuda, mps, expected):
    monkeypatch.delenv("MINIGEN_DEVICE", raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
    assert device().type == expected


def test_the_budget_is_normal_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.delenv("MINIGEN_BUDGET", raising=False)
    assert budget(smoke=1, normal=2, full=3) == 2
    chosen = []
    for name in ("smoke", "normal", "full"):
        monkeypatch.setenv("MINIGEN_BUDGET", name)
        chosen.append(budget(smoke=1, normal=2, full=3))
    assert chosen == [1, 2, 3]


def test_a_budget_that_does_not_exist_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("MINIGEN_BUDGET", "huge")
    with pytest.raises(ValueError, match="smoke, normal, full; got 'huge'"):
        budget(1, 2, 3)


def test_a_model_is_its_own_only_player_and_its_loss_the_only_one():
    class Model(Generative):
        def loss(self, batch):
            return batch[0].sum()

    model = Model()
    assert model.players() == {"model": model}
    assert list(model.losses((torch.ones(3), None))) == [("model", torch.tensor(3.0))]


def test_what_a_model_does_not_define_is_named_with_the_model():
    class Half(Generative):
        pass

    with pytest.raises(NotImplementedError, match="Half defines no loss"):
        list(Half().losses((torch.ones(1), None)))
    with pytest.raises(NotImplementedError, match="Half cannot sample"):
        Half().sample(1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_images_pass_up_to_rounding(dtype):
    assert check_images("x", torch.full((2, 3, 4, 5), 1.0, dtype=dtype)) is None
    assert check_images("x", torch.full((1, 1, 1, 1), -1.0005, dtype=dtype)) is None


@pytest.mark.parametrize(
    ("x", "got"),
    [
        ([[0.0]], "got list"),
        (torch.zeros(3, 8, 8), r"got shape \(3, 8, 8\), torch.float32"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "torch.uint8"),
        (torch.zeros(0, 3, 8, 8), r"got shape \(0, 3, 8, 8\), which is empty"),
        (torch.zeros(2, 3, 0, 8), r"got shape \(2, 3, 0, 8\), which is empty"),
        (torch.full((1, 1, 2, 2), float("nan")), "not finite"),
        (torch.full((1, 1, 2, 2), float("-inf")), "not finite"),
        (torch.full((1, 1, 2, 2), 255.0), "got values from 255 to 255"),
        (torch.tensor([0.0, -1.5]).reshape(1, 1, 1, 2), "got values from -1.5 to 0"),
    ],
)
def test_what_is_no_batch_of_images_is_refused_by_name(x, got):
    with pytest.raises(ValueError, match=f"picture should be images .*{got}"):
        check_images("picture", x)


def test_the_new_file_takes_the_old_ones_place_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    for text in ("old", "new"):
        with replacing(path) as temporary:
            temporary.write_text(text)
            assert temporary.parent == path.parent  # a rename is only atomic on one file system
            assert not path.exists() or path.read_text() == "old"
        assert path.read_text() == text
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(type(error)) as caught, replacing(path) as temporary:
        temporary.write_text("half of the n")
        raise error
    assert not isinstance(error, OSError) or f"No space left on device: '{path}'" in str(caught.value)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]


def test_the_bytes_are_on_disk_before_the_name_changes(tmp_path, monkeypatch):
    calls, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr("os.fsync", lambda fd: (calls.append("fsync"), fsync(fd)))
    monkeypatch.setattr("os.replace", lambda a, b: (calls.append("replace"), replace(a, b)))
    with replacing(tmp_path / "file") as temporary:
        temporary.write_text("new")
    assert calls == ["fsync", "replace"]
