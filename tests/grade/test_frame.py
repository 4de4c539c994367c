"""The form in which a sandbox speaks: what goes in comes out, and anything else is refused at once."""

import struct

import pytest
import torch

from minigen.grade.inside.frame import DTYPES, Frame, Malformed, Status, decode, encode


def values():
    torch.manual_seed(0)
    made = [(10 * torch.randn(2, 3, 4)).to(kind) for kind in DTYPES]
    return {i: v for i, v in enumerate([*made, torch.tensor(2.5), torch.zeros(0, 3), made[0].mT])}


def test_what_is_sent_arrives():
    sent = Frame(Status.VALUES, [values(), {0: torch.ones(1)}], True, "a message · é", "printed")
    got = decode(encode(sent), 20)
    assert (got.status, got.modified, got.message, got.printed) == (0, True, "a message · é", "printed")
    for mine, theirs in zip(got.draws, sent.draws, strict=True):
        assert mine.keys() == theirs.keys()
        for i, value in theirs.items():
            assert mine[i].dtype == value.dtype and torch.equal(mine[i], value)


def test_every_cut_and_every_longer_frame_is_malformed():
    whole = encode(Frame(Status.VALUES, [{0: torch.arange(3.0)}], message="said"))
    for size in range(len(whole)):
        with pytest.raises(Malformed):
            decode(whole[:size], 1)
    with pytest.raises(Malformed, match="1 bytes follow its end"):
        decode(whole + b"x", 1)


def head(*tensor, draws=1, count=1):
    return b"mgf1" + struct.pack("<BBBH", 0, 0, draws, count) + b"".join(tensor)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "ends 4 bytes too early"),
        (b"no frame at all", "does not begin as a frame does"),
        (b"mgf1" + bytes([99, 0, 0]), "no status 99"),
        (head(struct.pack("<HBB", 5, 0, 0) + bytes(4)), "value 5 is not one of 2"),
        (
            head(struct.pack("<HBB", 0, 0, 0) + bytes(4), struct.pack("<HBB", 0, 0, 0) + bytes(4), count=2),
            "twice",
        ),
        (head(struct.pack("<HBB", 0, 200, 0)), "no tensor of kind 200"),
        (head(struct.pack("<HBB", 0, 0, 7)), "with 7 dimensions"),
        (head(struct.pack("<HBB6I", 0, 1, 6, *[2**32 - 1] * 6)), "too early"),  # 10⁵⁸ bytes were announced
        (head(struct.pack("<HBB2I", 0, 0, 2, 2**32 - 1, 0)), "is not believed"),
        (head(struct.pack("<HBB1I", 0, 3, 1, 2) + b"\1\2"), "neither 0 nor 1"),
        (b"mgf1" + bytes(3) + struct.pack("<I", 2**31), "a text of 2,147,483,648 bytes"),
    ],
)
def test_what_lies_about_itself_is_malformed(data, said):
    with pytest.raises(Malformed, match=said):
        decode(data, 2)


def test_random_bytes_never_do_anything_else():
    torch.manual_seed(0)
    for _ in range(2000):
        noise = bytes(torch.randint(256, (60,), dtype=torch.uint8).tolist())
        with pytest.raises(Malformed):
            decode(b"mgf1" + noise, 3)


def test_nan_arrives_as_nan():
    (got,) = decode(encode(Frame(Status.VALUES, [{0: torch.tensor([torch.nan, 1])}])), 1).draws
    assert got[0].isnan().tolist() == [True, False]
