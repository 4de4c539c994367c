"""Three data sets that everybody compares on, fetched when first used: MNIST, Fashion-MNIST and CIFAR-10."""

import gzip
import math
import tarfile
import zlib
from pathlib import Path

import torch
from torch import Tensor

from minigen.data.download import Source, fetch
from minigen.data.rows import choose_split
from minigen.images import from_levels

FASHION_CLASSES = (
    *("T-shirt", "trousers", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

MNIST = Source(
    "mnist",
    (
        "https://storage.googleapis.com/cvdf-datasets/mnist",
        "https://ossci-datasets.s3.amazonaws.com/mnist",
    ),
    {
        "train-images-idx3-ubyte.gz": (
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        "train-labels-idx1-ubyte.gz": (
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        "t10k-images-idx3-ubyte.gz": (
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    },
)
FASHION_MNIST = Source(
    "fashion_mnist",
    (
        "https://fashion-mnist.s3.eu-central-1.amazonaws.com",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    ),
    {
        "train-images-idx3-ubyte.gz": ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",),
        "train-labels-idx1-ubyte.gz": ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",),
        "t10k-images-idx3-ubyte.gz": ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",),
        "t10k-labels-idx1-ubyte.gz": ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",),
    },
)
CIFAR10 = Source(
    "cifar10",
    ("https://www.cs.toronto.edu/~kriz",),
    {"cifar-10-binary.tar.gz": ("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",)},
)


def mnist(split: str = "train", source: Source = MNIST) -> tuple[Tensor, Tensor]:
    """Handwritten digits of 28×28 pixels, 12 MB to fetch.

    split: "train" (60,000 pictures) or "test" (10,000).  source: where the files come from, see `fetch`.
    Returns images (N, 1, 28, 28) float32 in [-1, 1], ink bright; labels (N,) int64 in 0..9.
    Raises ValueError for another split or a file of another form, DownloadError as `fetch` does.
    Source: LeCun, Cortes & Burges 1998, The MNIST Database of Handwritten Digits.
    """
    part = choose_split(split, {"train": "train", "test": "t10k"})
    images = read_idx(fetch(source, f"{part}-images-idx3-ubyte.gz"))
    labels = read_idx(fetch(source, f"{part}-labels-idx1-ubyte.gz"))
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"the {split} files of {source.name} should hold N images and N labels; "
            f"got {tuple(images.shape)} and {tuple(labels.shape)}"
        )
    return from_levels(images[:, None]), labels.long()


def fashion_mnist(split: str = "train", source: Source = FASHION_MNIST) -> tuple[Tensor, Tensor]:
    """Pictures of clothes, 31 MB to fetch, in the form and splits of `mnist`; labels index FASHION_CLASSES.

    Source: Xiao, Rasul & Vollgraf 2017, Fashion-MNIST: a Novel Image Dataset for Benchmarking.
    """
    return mnist(split, source)


def cifar10(split: str = "train", source: Source = CIFAR10) -> tuple[Tensor, Tensor]:
    """Colour photographs of 32×32 pixels, 170 MB to fetch.

    split: "train" (50,000 pictures, 614 MB in memory) or "test" (10,000).  source: where the file comes from.
    Returns images (N, 3, 32, 32) float32 in [-1, 1]; labels (N,) int64, index into CIFAR10_CLASSES.
    Raises ValueError for another split or a file of another form, DownloadError as `fetch` does.
    Source: Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images.
    """
    batches = choose_split(split, {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]})
    archive = fetch(source, "cifar-10-binary.tar.gz")
    content = _read_members(archive, [f"cifar-10-batches-bin/{batch}.bin" for batch in batches])
    record = 1 + 3 * 32 * 32  # bytes: the label, then a plane each of red, green and blue
    if not content or len(content) % record:
        raise ValueError(f"{archive} should hold records of {record} bytes; got {len(content):,} bytes")
    records = torch.frombuffer(content, dtype=torch.uint8).reshape(-1, record)
    return from_levels(records[:, 1:].reshape(-1, 3, 32, 32)), records[:, 0].long()


def read_idx(path: str | Path) -> Tensor:
    """The array of bytes in an IDX file, packed by gzip or not.

    The file starts with two zero bytes, the type (8: unsigned byte), the number of dimensions, and each
    dimension as four bytes, highest first; then come the values, the last index running fastest.
    Returns uint8 of the shape that the file states.
    Raises ValueError, which names the file, when it is not such a file or is cut short.
    Source: LeCun, Cortes & Burges 1998, The MNIST Database, "the IDX file format".
    """
    content = _unpacked(Path(path))
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        start = content[:4].hex(" ") or "nothing"
        raise ValueError(f"{path} should be an IDX file of bytes (00 00 08 …); it starts with {start}")
    header = 4 + 4 * content[3]
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, header, 4)]
    wanted = header + math.prod(shape)
    if len(content) != wanted:
        raise ValueError(f"{path} should have {wanted:,} bytes for shape {shape}; got {len(content):,}")
    return torch.frombuffer(content, dtype=torch.uint8)[header:].reshape(shape)


def _unpacked(path: Path) -> bytearray:
    """What a file holds; a bytearray, because a tensor may share only memory that can be written."""
    content = bytearray(path.read_bytes())
    if content[:2] != b"\x1f\x8b":  # the mark of gzip
        return content
    try:
        return bytearray(gzip.decompress(content))
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is a broken gzip file: {error}") from error


def _read_members(path: Path, names: list[str]) -> bytearray:
    """Some files of a .tar.gz archive, one after the other, without unpacking anything to the disk."""
    found = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:  # in the order of the file: going back would unpack from the start again
                if member.name in names and member.isfile():
                    found[member.name] = archive.extractfile(member).read()
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise ValueError(f"{path} is a broken .tar.gz archive: {error}") from error
    if missing := [name for name in names if name not in found]:
        raise ValueError(f"{path} should contain {', '.join(missing)}; it does not")
    return bytearray().join(found[name] for name in names)
