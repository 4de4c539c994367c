"""Bringing a file to this machine, once: from the first place that has it, checked, resumed, whole or not."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from filelock import FileLock
from tqdm import tqdm

TIMEOUT = 20  # seconds of silence after which a server counts as gone
BLOCK = 1 << 16  # bytes read at a time


@dataclass(frozen=True)
class Source:
    """Where the files of a data set come from, and how the right ones are recognised."""

    name: str  # the folder of its files, in the cache and in a mirror
    places: tuple[str, ...]  # public addresses that have the files, tried in order
    sha256: dict[str, tuple[str, ...]]  # file: hash as published and, where known, hash of what it unpacks to


class DownloadError(OSError):
    """A file could not be brought here; the message says why, and what to do."""


class _NotThere(Exception):
    """One place did not deliver; the next one may."""


def cache_folder() -> Path:
    """Where downloads are kept: $MINIGEN_DATA when set, else datasets/cache of the repository.

    A minigen that was installed without its repository keeps them in .cache/minigen of the home folder.
    """
    if folder := os.environ.get("MINIGEN_DATA"):
        return Path(folder).expanduser()
    datasets = Path(__file__).resolve().parents[2] / "datasets"
    return datasets / "cache" if datasets.is_dir() else Path.home() / ".cache" / "minigen"


def fetch(source: Source, file: str) -> Path:
    """The path of a checked copy of `file`, downloaded when it is not here yet.

    Looks in the cache, then in $MINIGEN_MIRROR (a folder or an address) when that is set, then at the public
    places of the source; in the first two the file is <source.name>/<file>.  A file counts only if its sha256
    is a known one or, because archives get packed anew, if that of what it unpacks to is.  A download that
    was cut goes on where it stopped, in this call or in the next.
    Raises DownloadError when no place has the right file, or the cache cannot be written.
    """
    path, known = cache_folder() / source.name / file, source.sha256[file]
    try:
        if not _is_right(path, known):
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{path}.lock"):  # several notebooks may ask at once
                if not _is_right(path, known):
                    os.replace(_download_from_anywhere(source, path, known), path)
    except DownloadError:
        raise
    except OSError as error:
        advice = "make room there, or set MINIGEN_DATA to another folder"
        raise DownloadError(f"cannot use {path.parent} ({error.strerror or error}): {advice}") from error
    return path


def verify(source: Source, file: str, path: Path) -> Path:
    """`path`, a copy of `file` that someone already has.  Raises ValueError unless it is the right file."""
    known = source.sha256[file]
    if not path.is_file():
        raise ValueError(f"there is no file {path}; wanted: {file}")
    if not _is_right(path, known):
        raise ValueError(f"{path} should be {file}, but {_mismatch(path, known)}")
    return path


def _download_from_anywhere(source: Source, path: Path, known: tuple[str, ...]) -> Path:
    part = path.with_name(f"{path.name}.part")
    troubles = [f"{path} is there, but {_mismatch(path, known)}"] if path.exists() else []
    for place in _places(source):
        try:
            _download(f"{place}/{path.name}", part, known)
            return part
        except _NotThere as trouble:
            troubles.append(f"{place}: {trouble}")
    file, offline = f"{source.name}/{path.name}", "digits, shapes or the 2-D toys"
    raise DownloadError(
        f"could not get {file} ({'; '.join(troubles)}): put the file at {path}, or set MINIGEN_MIRROR to a "
        f"folder or an address that has {file}, or use a data set that needs no network: {offline}"
    )


def _places(source: Source) -> Iterator[str]:
    if mirror := os.environ.get("MINIGEN_MIRROR"):
        yield f"{os.path.expanduser(mirror).rstrip('/')}/{source.name}"
    yield from source.places


def _download(address: str, part: Path, known: tuple[str, ...]) -> None:
    """Makes `part` the right file, or raises _NotThere and keeps only what a later try may complete."""
    resumed = part.exists()
    while True:
        before = _size(part)
        try:
            _receive(address, part)
            break
        except _NotThere:
            if _size(part) <= before:  # this try brought nothing, so another one would not
                raise
    if _is_right(part, known):
        return
    trouble = _mismatch(part, known)
    part.unlink()
    if not resumed:
        raise _NotThere(trouble)
    _download(address, part, known)  # the older half may have been of another file: once more, from the start


def _receive(address: str, part: Path) -> None:
    """Appends to `part` what it lacks, for as long as the connection holds."""
    stream, start, total = _connect(address, _size(part))
    with stream:
        try:
            with open(part, "ab" if start else "wb") as file:
                file.writelines(_blocks(stream, start, total, part.stem))
        except OSError:  # of the disk: trouble in the network is _NotThere
            part.unlink(missing_ok=True)
            raise


def _connect(address: str, start: int) -> tuple[BinaryIO, int, int | None]:
    """Opens an address: the stream, the byte at which it really starts, the length of the file if known."""
    try:
        if not address.startswith(("http://", "https://")):
            return open(address.removeprefix("file://"), "rb"), 0, None
        headers = {"User-Agent": "minigen", **({"Range": f"bytes={start}-"} if start else {})}
        response = urlopen(Request(address, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        if error.code == 416 and start:  # there is nothing after `start`: what we have is of another file
            return _connect(address, 0)
        raise _NotThere(f"the server answered {error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: not an address
        cause = getattr(error, "reason", error)  # what urllib wraps
        raise _NotThere(getattr(cause, "strerror", None) or cause) from error
    start = start if response.status == 206 else 0  # some servers send the whole file whatever they are asked
    return response, start, None if response.length is None else start + response.length


def _blocks(stream: BinaryIO, start: int, total: int | None, name: str) -> Iterator[bytes]:
    """What a stream delivers, block by block.  Raises _NotThere when it ends before byte `total`."""
    received = start
    with tqdm(desc=name, initial=start, total=total, unit="B", unit_scale=True, delay=1, leave=False) as bar:
        try:
            while block := stream.read(BLOCK):
                yield block
                received += len(block)
                bar.update(len(block))
        except (OSError, HTTPException) as error:
            raise _NotThere(f"the connection was cut after {received:,} bytes ({error})") from error
    if total is not None and received < total:
        raise _NotThere(f"the connection was cut after {received:,} of {total:,} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_right(path: Path, known: tuple[str, ...]) -> bool:
    return path.is_file() and (_sha256(path) in known or _unpacked_sha256(path) in known[1:])


def _mismatch(path: Path, known: tuple[str, ...]) -> str:
    return f"its sha256 is {_sha256(path)}, expected {known[0]}"


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpacked_sha256(path: Path) -> str | None:
    """The hash of what a .gz file holds; None when it is no such file, or a broken one."""
    try:
        with gzip.open(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, EOFError, zlib.error):
        return None
