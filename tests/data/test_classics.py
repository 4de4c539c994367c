"""The three classics: strict readers, tried on tiny archives, and on the real MNIST where that is at hand."""

import gzip
import hashlib
import io
import os
import shutil
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from minigen.core import check_images
from minigen.data import CIFAR10_CLASSES, FASHION_CLASSES, Source, cifar10, fashion_mnist, mnist, read_idx
from minigen.data.classics import CIFAR10, FASHION_MNIST, MNIST

REPOSITORY = Path(__file__).parents[2]
REAL_MNIST = Path(os.environ.get("MINIGEN_TEST_MNIST", REPOSITORY.parent / "shared" / "data" / "mnist"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGEN_DATA", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIGEN_MIRROR", raising=False)
    return tmp_path / "cache"


def idx(array):
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def random_bytes(*shape, high=256, seed=0):
    return np.random.default_rng(seed).integers(0, high, shape, dtype=np.uint8)


def published(tmp_path, name, files):
    """A source of some files (name -> content) that lie in a folder of this machine."""
    folder = tmp_path / "published" / name
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    known = {file: (hashlib.sha256(content).hexdigest(),) for file, content in files.items()}
    return Source(name, (str(folder),), known)


def tiny_mnist(tmp_path, name="mnist", seed=0):
    arrays = {
        "train-images-idx3-ubyte.gz": random_bytes(7, 28, 28, seed=seed),
        "train-labels-idx1-ubyte.gz": random_bytes(7, high=10, seed=seed),
        "t10k-images-idx3-ubyte.gz": random_bytes(3, 28, 28, seed=seed + 1),
        "t10k-labels-idx1-ubyte.gz": random_bytes(3, high=10, seed=seed + 1),
    }
    return arrays, published(
        tmp_path, name, {file: gzip.compress(idx(array)) for file, array in arrays.items()}
    )


@pytest.mark.parametrize(("split", "part"), [("train", "train"), ("test", "t10k")])
def test_mnist_gives_the_pictures_and_labels_of_a_split(tmp_path, split, part):
    arrays, source = tiny_mnist(tmp_path)
    images, labels = mnist(split, source)
    check_images("mnist", images)
    pixels = arrays[f"{part}-images-idx3-ubyte.gz"]
    assert images.shape == (len(pixels), 1, 28, 28)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    expected = torch.from_numpy(pixels)[:, None].double() / 127.5 - 1
    assert (images - expected).abs().max() < 1e-7  # one rounding of float32
    assert labels.tolist() == arrays[f"{part}-labels-idx1-ubyte.gz"].tolist()


def test_fashion_mnist_has_the_same_file_names_but_its_own_folder(tmp_path, cache):
    _, digits = tiny_mnist(tmp_path)
    arrays, clothes = tiny_mnist(tmp_path, "fashion_mnist", seed=5)
    mnist("test", digits)
    assert fashion_mnist("test", clothes)[1].tolist() == arrays["t10k-labels-idx1-ubyte.gz"].tolist()
    assert {path.name for path in cache.iterdir()} == {"mnist", "fashion_mnist"}


def test_images_without_as_many_labels_are_refused(tmp_path):
    files = {
        "t10k-images-idx3-ubyte.gz": gzip.compress(idx(random_bytes(3, 28, 28))),
        "t10k-labels-idx1-ubyte.gz": gzip.compress(idx(random_bytes(4, high=10))),
    }
    with pytest.raises(ValueError, match=r"N images and N labels; got \(3, 28, 28\) and \(4,\)"):
        mnist("test", published(tmp_path, "mnist", files))


@pytest.mark.parametrize("load", [mnist, fashion_mnist, cifar10])
def test_an_unknown_split_is_refused_before_anything_is_fetched(load):
    with pytest.raises(ValueError, match="split should be one of train, test; got 'all'"):
        load("all")


@pytest.mark.parametrize("shape", [(5,), (3, 28, 28), (2, 3, 4, 5), (0, 28, 28)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_read_idx_gives_back_what_was_written(tmp_path, shape, pack):
    array = random_bytes(*shape)
    (tmp_path / "array").write_bytes(pack(idx(array)))
    result = read_idx(tmp_path / "array")
    assert result.dtype == torch.uint8
    assert torch.equal(result, torch.from_numpy(array))


GOOD = idx(random_bytes(3, 4, 4))
BAD_FILES = {
    "empty": (b"", "should be an IDX file of bytes .* starts with nothing"),
    "a web page": (b"<html>not found</html>", "should be an IDX file of bytes .* starts with 3c 68 74 6d"),
    "floats": (b"\0\0\x0d\1" + GOOD[4:], "should be an IDX file of bytes .* starts with 00 00 0d 01"),
    "cut in the header": (GOOD[:9], r"should have 16 bytes for shape \[3, 0, 0\]; got 9"),
    "cut in the values": (GOOD[:-1], r"should have 64 bytes for shape \[3, 4, 4\]; got 63"),
    "too long": (GOOD + b"\0", r"should have 64 bytes for shape \[3, 4, 4\]; got 65"),
    "a boastful header": (
        b"\0\0\x08\3" + b"\xff" * 12,
        "should have 79,228,162,458,924,105,385,300,197,391 bytes",
    ),
    "cut gzip": (gzip.compress(GOOD)[:-9], "is a broken gzip file"),
    "damaged gzip": (gzip.compress(GOOD)[:-8] + b"\0" * 8, "is a broken gzip file"),
    "gzip of nonsense": (gzip.compress(GOOD)[:10] + b"\xff" * 30, "is a broken gzip file"),
    "gzip mark only": (b"\x1f\x8b", "is a broken gzip file"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_read_idx_names_a_file_that_is_not_what_it_should_be(tmp_path, name):
    content, message = BAD_FILES[name]
    (tmp_path / "some-file").write_bytes(content)
    with pytest.raises(ValueError, match=f"some-file {message}"):
        read_idx(tmp_path / "some-file")


def tiny_cifar(tmp_path, records, content=None):
    """A source whose archive has these batches (name -> bytes), or is these bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, record in records.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            member.size = len(record)
            archive.addfile(member, io.BytesIO(record))
    return published(tmp_path, "cifar10", {"cifar-10-binary.tar.gz": content or packed.getvalue()})


def test_cifar10_joins_its_batches_in_order_whatever_their_order_in_the_archive(tmp_path):
    labels, pixels = random_bytes(12, 1, high=10), random_bytes(12, 3, 32, 32)
    records = [bytes(label) + picture.tobytes() for label, picture in zip(labels, pixels, strict=True)]
    names = [f"data_batch_{i}" for i in (1, 2, 3, 4, 5)] + ["test_batch"]
    batches = {name: b"".join(records[2 * i : 2 * i + 2]) for i, name in enumerate(names)}
    source = tiny_cifar(tmp_path, {"readme": b"hello", **dict(reversed(batches.items()))})
    for split, rows in (("train", slice(0, 10)), ("test", slice(10, 12))):
        images, found = cifar10(split, source)
        check_images("cifar10", images)
        assert images.dtype == torch.float32
        assert images.is_contiguous()
        expected = torch.from_numpy(pixels[rows]).double() / 127.5 - 1
        assert (images - expected).abs().max() < 1e-7  # one rounding of float32
        assert found.tolist() == labels[rows, 0].tolist()


@pytest.mark.parametrize(
    ("records", "content", "message"),
    [
        ({"data_batch_1": bytes(3073)}, None, r"should contain cifar-10-batches-bin/test_batch\.bin"),
        ({"test_batch": bytes(3072)}, None, "should hold records of 3073 bytes; got 3,072 bytes"),
        ({"test_batch": b""}, None, "should hold records of 3073 bytes; got 0 bytes"),
        ({}, b"no archive", "is a broken .tar.gz archive"),
        ({}, gzip.compress(bytes(700) + b"x" * 700), "is a broken .tar.gz archive|should contain"),
    ],
    ids=["missing", "cut", "empty", "text", "not a tar"],
)
def test_cifar10_names_an_archive_that_is_not_what_it_should_be(tmp_path, records, content, message):
    with pytest.raises(ValueError, match=rf"cifar-10-binary\.tar\.gz {message}"):
        cifar10("test", tiny_cifar(tmp_path, records, content))


def test_cifar10_takes_a_batch_only_from_a_file_in_the_archive(tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        folder = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    with pytest.raises(ValueError, match=r"should contain cifar-10-batches-bin/test_batch\.bin"):
        cifar10("test", tiny_cifar(tmp_path, {}, packed.getvalue()))


def test_a_cut_cifar10_archive_is_named(tmp_path):
    whole = tiny_cifar(tmp_path / "whole", {"test_batch": random_bytes(3073).tobytes()})
    content = Path(whole.places[0], "cifar-10-binary.tar.gz").read_bytes()
    with pytest.raises(ValueError, match=r"cifar-10-binary\.tar\.gz is a broken \.tar\.gz archive"):
        cifar10("test", tiny_cifar(tmp_path / "cut", {}, content[: len(content) // 2]))


def test_there_is_a_name_for_each_of_ten_classes():
    assert len(set(FASHION_CLASSES)) == len(set(CIFAR10_CLASSES)) == 10


def test_every_published_file_has_whole_hashes():
    for source in (MNIST, FASHION_MNIST, CIFAR10):
        hashes = [hash for known in source.sha256.values() for hash in known]
        assert len(set(hashes)) == len(hashes)
        assert all(len(hash) == 64 and set(hash) <= set("0123456789abcdef") for hash in hashes)


@pytest.mark.skipif(
    not (REAL_MNIST / "t10k-images-idx3-ubyte.gz").is_file(),
    reason=f"no MNIST test set in {REAL_MNIST}; set MINIGEN_TEST_MNIST to a folder that has it",
)
def test_the_real_mnist_test_set_is_recognised_and_read(cache):
    shutil.copytree(REAL_MNIST, cache / "mnist")
    images, labels = mnist("test", source=Source("mnist", (), MNIST.sha256))
    check_images("mnist", images)
    assert images.shape == (10_000, 1, 28, 28)
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert torch.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert images.aminmax() == (-1, 1)
    with gzip.open(REAL_MNIST / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16)
    assert torch.equal(((images.flatten() + 1) * 127.5).round(), torch.from_numpy(pixels.astype(np.float32)))
