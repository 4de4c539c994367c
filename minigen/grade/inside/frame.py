"""What a sandbox says of one run: a fixed binary form, so that nothing has to be parsed that could lie.

    magic 4 bytes · status u8 · flags u8 · number of draws u8
    for each draw: number of tensors u16; for each tensor: index of its name u16 · dtype u8 · dimensions u8 ·
    sizes u32 each · data
    length u32 and UTF-8 of the message, the same of what was printed

All little-endian. Names are indices into a list that both sides have.
"""

import struct
from dataclasses import dataclass, field
from enum import IntEnum

import torch
from torch import Tensor

MAGIC = b"mgf1"
DTYPES = (
    torch.float32, torch.float64, torch.int64, torch.bool, torch.int32, torch.float16, torch.uint8,
    torch.int16, torch.int8, torch.bfloat16, torch.complex64, torch.complex128,
)  # fmt: skip
DIMENSIONS = 6
MESSAGE, PRINTED = 2_000, 10_000  # bytes


class Status(IntEnum):
    """What a run says of itself. Only VALUES can earn points, and only by its values."""

    VALUES = 0
    RAISED = 1
    NOT_ATTEMPTED = 2
    NOT_YOURS = 3
    TIMED_OUT = 4
    OUT_OF_MEMORY = 5
    WRONG_KIND = 6


class Malformed(ValueError):
    """The bytes are not a frame."""


@dataclass
class Frame:
    """One run: the values of each draw by the index of their name, and words for the feedback."""

    status: Status
    draws: list[dict[int, Tensor]] = field(default_factory=list)
    modified: bool = False  # whether the answer changed other inputs in place than the library's does
    message: str = ""
    printed: str = ""
    other_kind: bool = False  # whether it gave back another kind of thing; then message says which


def encode(frame: Frame) -> bytes:
    """The bytes of a frame.  Raises ValueError for a tensor that has no place in one."""
    flags = frame.modified | frame.other_kind << 1
    parts = [MAGIC, struct.pack("<BBB", frame.status, flags, len(frame.draws))]
    for values in frame.draws:
        parts.append(struct.pack("<H", len(values)))
        for index, value in values.items():
            x = value.detach().cpu().contiguous()
            if x.dtype not in DTYPES or x.ndim > DIMENSIONS:
                raise ValueError(f"a tensor of {x.dtype} with {x.ndim} dimensions cannot be sent")
            parts.append(struct.pack("<HBB", index, DTYPES.index(x.dtype), x.ndim))
            parts.append(struct.pack(f"<{x.ndim}I", *x.shape))
            parts.append(x.reshape(-1).view(torch.uint8).numpy().tobytes())
    for text, most in (frame.message, MESSAGE), (frame.printed, PRINTED):
        said = text.encode("utf-8", "replace")[:most]
        parts += [struct.pack("<I", len(said)), said]
    return b"".join(parts)


def decode(data: bytes, names: int) -> Frame:
    """The frame in these bytes.  names: how many there are.

    Raises Malformed for anything else. Nothing is allocated that the bytes do not hold.
    """
    reader = _Reader(data)
    if reader.take(4) != MAGIC:
        raise Malformed("it does not begin as a frame does")
    status, flags, draws = reader.unpack("<BBB")
    if status not in list(Status):
        raise Malformed(f"there is no status {status}")
    frame = Frame(Status(status), modified=bool(flags & 1), other_kind=bool(flags & 2))
    for _ in range(draws):
        values: dict[int, Tensor] = {}
        (count,) = reader.unpack("<H")
        for _ in range(count):
            index, value = _tensor(reader)
            if index >= names or index in values:
                raise Malformed(f"value {index} is not one of {names}, or there twice")
            values[index] = value
        frame.draws.append(values)
    texts = []
    for most in MESSAGE, PRINTED:
        (length,) = reader.unpack("<I")
        if length > most:
            raise Malformed(f"a text of {length:,} bytes is longer than {most:,}")
        texts.append(reader.take(length).decode("utf-8", "replace"))
    if reader.left:
        raise Malformed(f"{reader.left:,} bytes follow its end")
    frame.message, frame.printed = texts
    return frame


class _Reader:
    def __init__(self, data: bytes):
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise Malformed(f"it ends {size - self.left:,} bytes too early")
        self._at += size
        return self._data[self._at - size : self._at]

    def unpack(self, form: str) -> tuple:
        return struct.unpack(form, self.take(struct.calcsize(form)))


def _tensor(reader: _Reader) -> tuple[int, Tensor]:
    index, kind, dimensions = reader.unpack("<HBB")
    if kind >= len(DTYPES) or dimensions > DIMENSIONS:
        raise Malformed(f"there is no tensor of kind {kind} with {dimensions} dimensions")
    shape = reader.unpack(f"<{dimensions}I")
    size = DTYPES[kind].itemsize
    for length in shape:
        size *= length  # a whole number in Python: it cannot overflow
    data = bytearray(reader.take(size))
    if not data and max(shape) > 2**16:
        raise Malformed(f"an empty tensor of shape {shape} is not believed")
    if not data:
        return index, torch.empty(shape, dtype=DTYPES[kind])
    if DTYPES[kind] is torch.bool and max(data) > 1:
        raise Malformed("a truth value is neither 0 nor 1")
    return index, torch.frombuffer(data, dtype=DTYPES[kind]).reshape(shape)
