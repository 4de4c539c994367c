"""Settings from the command line: what is read, and what each mistake is told."""

import inspect
import re
from typing import Literal

import pytest

from minigen import settings


def example(
    kind, width: int = 32, lr: float = 1e-3, multiples: tuple[int, ...] = (1, 2),
    schedule: Literal["cosine", "linear"] = "cosine", seed: int = 0,
):  # fmt: skip
    """What settings are of."""


_, *PARAMETERS = inspect.signature(example).parameters.values()
KNOWN = {parameter.name: parameter for parameter in PARAMETERS}


def test_values_have_the_types_of_their_settings():
    words = ["width=64", "lr=3e-4", "multiples=1,2,4", "schedule=linear", "seed=0"]
    read = settings.read(words, KNOWN)
    assert read == {"width": 64, "lr": 3e-4, "multiples": (1, 2, 4), "schedule": "linear", "seed": 0}
    assert [type(value) for value in read.values()] == [int, float, tuple, str, int]
    assert settings.read(["lr=1", "multiples=3"], KNOWN) == {"lr": 1.0, "multiples": (3,)}
    assert settings.read([], KNOWN) == {}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("widht=64", "there is no setting widht, did you mean width? (there is: width, lr, "),
        ("width", "a setting should be NAME=VALUE, as in width=64; got 'width'"),
        ("--width=64", "there is no option --width=64; settings are NAME=VALUE, as in width=64"),
        ("seed=9223372036854775808", "seed should be a whole number, at least 0; got '9223372036854775808'"),
        ("width=big", "width should be a whole number, at least 1; got 'big'"),
        ("width=6.5", "width should be a whole number, at least 1; got '6.5'"),
        ("width=0", "width should be a whole number, at least 1; got '0'"),
        ("width=", "width should be a whole number, at least 1; got ''"),
        ("seed=-1", "seed should be a whole number, at least 0; got '-1'"),
        ("lr=-1e-3", "lr should be a number, at least 0; got '-1e-3'"),
        ("lr=nan", "lr should be a number, at least 0; got 'nan'"),
        ("lr=inf", "lr should be a number, at least 0; got 'inf'"),
        ("multiples=1,x", "multiples should be a whole number, at least 1, or several with "),
        ("multiples=", "multiples should be a whole number, at least 1"),
        ("schedule=cosin", "schedule should be one of cosine, linear; got 'cosin'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_what_was_wanted(word, said):
    with pytest.raises(ValueError) as caught:
        settings.read([word], KNOWN)
    assert str(caught.value).startswith(said)


def test_a_name_that_comes_twice_is_refused():
    with pytest.raises(ValueError, match="width should be set once; it is set to 1 and to 2"):
        settings.read(["width=1", "width=2"], KNOWN)


def test_the_table_can_be_typed_again():
    words = re.findall(r"\w+=\S+", settings.table(KNOWN))
    assert settings.read(words, KNOWN) == {k: p.default for k, p in KNOWN.items()}
