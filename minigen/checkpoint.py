"""A training run in one safetensors file: tensors as they are, the rest as JSON in its header; no pickle."""

import json
import zlib
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from minigen.core import Generative, replacing

VERSION = 1  # of the format; raise it when the minigen of today could not read the file


class Run:
    """A training run that can be saved after any step, and taken up again as if it had never stopped.

    optimizers: {player: its optimizer}, just made; a file must agree with how they are set now.
    settings: {name: JSON value}, in which a file must agree as well.
    """

    def __init__(
        self,
        model: Generative,
        averaged: Generative,
        optimizers: dict[str, Optimizer],
        settings: dict[str, Any],
    ):
        self.model, self.averaged, self.optimizers = model, averaged, optimizers
        of_optimizers: dict[str, Any] = {"players": list(optimizers)}
        for player, optimizer in self.optimizers.items():
            groups = optimizer.state_dict()["param_groups"]
            of_optimizers[f"optimizer of {player}"] = type(optimizer).__name__
            of_optimizers |= {f"{name} of {player}": [group[name] for group in groups] for name in groups[0]}
        self.asked = json.loads(to_json(settings))  # as a file gives them back: tuples have become lists
        self.settings = self.asked | json.loads(to_json(of_optimizers))

    def state(self) -> dict[str, Any]:
        """All that a step changes: {name: tensor, or a plain number that some optimizers keep}."""
        state = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        state |= {f"averaged.{name}": value for name, value in self.averaged.state_dict().items()}
        for player, optimizer in self.optimizers.items():
            for i, slots in optimizer.state_dict()["state"].items():
                state |= {f"optimizer.{player}.{i}.{name}": value for name, value in slots.items()}
        return state

    def save(self, path: str | Path, step: int, losses: dict[str, float]) -> None:
        """Writes the run to path, where the file is whole at every moment: the old one, then this one."""
        state = self.state()
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        header = {
            "version": VERSION,
            "step": step,
            "losses": losses,
            "settings": self.settings,
            "groups": {player: o.state_dict()["param_groups"] for player, o in self.optimizers.items()},
            "numbers": {name: value for name, value in state.items() if name not in tensors},
        }
        write(path, header, tensors)

    def load(self, path: str | Path) -> tuple[int, dict[str, float]]:
        """Puts everything back as it was saved, and returns the (step, losses) of that moment.

        Raises a ValueError, with nothing changed, for a damaged, foreign or newer file, or another run's.
        """
        header, tensors = read(path)
        if lacking := {"step", "losses", "settings", "groups", "numbers"} - header.keys():
            raise refusal(path, f"holds no run to go on with (it has no {', '.join(sorted(lacking))})")
        self.check_same_run(path, header["settings"], tensors)
        state = tensors | header["numbers"]
        self.model.load_state_dict(below("model.", state))
        self.averaged.load_state_dict(below("averaged.", state))
        for player, optimizer in self.optimizers.items():
            slots: dict[int, dict[str, Any]] = {}
            for key, value in below(f"optimizer.{player}.", state).items():
                i, name = key.split(".")
                slots.setdefault(int(i), {})[name] = value
            optimizer.load_state_dict({"state": slots, "param_groups": header["groups"][player]})
        return header["step"], header["losses"]

    def check_same_run(self, path: str | Path, settings: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Raises a ValueError for the first difference between a file and this run, before its first step."""
        theirs, ours = weights(tensors), weights(self.state())
        others = {name: settings.get(name, here) for name, here in self.settings.items()}
        checks = (  # what is set by name comes first: it says why the weights differ
            ("has other settings", self.asked, {name: others[name] for name in self.asked}),
            ("is of another model", ours | dict.fromkeys(theirs.keys() - ours, "missing"), theirs),
            ("has other settings", self.settings, others),  # torch's versions have not all the same ones
        )
        for why, here, there in checks:
            for name, value in here.items():
                if there.get(name, "missing") != value:
                    said = f"{name}: {there.get(name, 'missing')} in the file, {value} here"
                    raise refusal(path, f"{why} ({said})")


def write(path: str | Path, header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Writes one safetensors file, whole or not at all, with a header of JSON values and a checksum."""
    text = to_json(header)
    tensors = {  # copies, because safetensors wants no two tensors to share memory, as tied weights do
        name: value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, value in tensors.items()
    }
    with replacing(path) as temporary:
        try:
            save_file(tensors, temporary, {"minigen": text, "checksum": checksum(text, tensors)})
        except SafetensorError as error:  # a full disk, for one
            raise OSError(f"cannot write {path}: {error}") from error


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The (header, tensors) that `write` wrote; for any other file, a ValueError that says what to do.

    Raises OSError for a file that is not there, or that one may not read.
    """
    if Path(path).is_dir():
        raise refusal(path, "is a folder")
    open(path, "rb").close()
    try:
        with safe_open(path, framework="pt") as file:
            text, sum_then = file.metadata()["minigen"], file.metadata()["checksum"]
            names = file.keys()  # (the tensors are cloned, not to stay views of a file that will be replaced)
            tensors = {name: file.get_tensor(name).clone() for name in names}
        header = json.loads(text)
        version = int(header["version"])
    except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
        raise refusal(path, "is damaged, or was not written by minigen") from error
    if version > VERSION:
        raise refusal(path, f"has format {version}, this minigen reads up to {VERSION} (update minigen)")
    if checksum(text, tensors) != sum_then:
        raise refusal(path, "is damaged (its checksum is wrong)")
    return header, tensors


def checksum(text: str, tensors: dict[str, Tensor]) -> str:
    """CRC-32 of a text, and of the names and bytes of tensors, contiguous and on the CPU."""
    crc = zlib.crc32(text.encode())
    for name in sorted(tensors):
        crc = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy(), zlib.crc32(name.encode(), crc))
    return f"{crc:08x}"


def weights(state: dict[str, Any]) -> dict[str, str]:
    """Shape and type, in words, of each tensor of a state that is not an optimizer's."""
    return {
        name: f"{tuple(tensor.shape)} of {tensor.dtype}"
        for name, tensor in state.items()
        if not name.startswith("optimizer.")
    }


def below(prefix: str, state: dict[str, Any]) -> dict[str, Any]:
    """The entries whose names start with the prefix, under the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def to_json(thing: Any) -> str:
    """JSON, from which every float comes back bit for bit; a tensor of one number is written as a number."""
    return json.dumps(thing, default=float)


def refusal(path: str | Path, why: str) -> ValueError:
    """The error of a checkpoint that cannot be used, which ends by saying what to do."""
    return ValueError(f"checkpoint {path} {why}; give another path, or move the file away and train anew")
