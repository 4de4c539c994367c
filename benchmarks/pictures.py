"""What the programs learn from, and who judges what they draw."""

import zlib

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from minigen import checkpoint
from minigen.data import DownloadError, batches, cache_folder, digits, mnist
from minigen.features import Classifier
from minigen.metrics import fid
from minigen.train import train

SIDE, SEEN = 16, 8000  # pixels; how many of MNIST's are learned from, the others are held out
Labelled = tuple[Tensor, Tensor]  # images (N, 1, 16, 16) in [-1, 1], labels (N,)


def pictures() -> tuple[str, Labelled, Labelled]:
    """What they are, those to learn from, and others.

    MNIST's test set in half of its size, where it is here or can be fetched; else the digits of the course.
    """
    try:
        x, labels = mnist("test")
    except DownloadError:
        seen, others = (
            (interpolate(x, scale_factor=SIDE / x.shape[-1], mode="bilinear"), labels)
            for x, labels in (digits("train"), digits("test"))
        )
        return "the course's digits, enlarged to 16×16", seen, others
    # in any order: the file has the digits of some writers first, and then those of others
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, labels = avg_pool2d(pad(x[order], [2] * 4, value=-1), 2), labels[order]
    return f"{SEEN:,} of MNIST's test images at 16×16", (x[:SEEN], labels[:SEEN]), (x[SEEN:], labels[SEEN:])


class Judge:
    """A classifier of the pictures, trained once, and the Fréchet distance in its features."""

    def __init__(self, seen: Labelled, others: Labelled):
        x, labels = seen
        name = f"judge-{zlib.crc32(x.numpy().tobytes()):08x}.safetensors"  # of these very pictures
        path = cache_folder() / "benchmarks" / name
        self.network = Classifier(10, 1, SIDE, 32, 64)
        if not path.exists():
            torch.manual_seed(0)
            *_, (_, _, network) = train(
                Classifier(10, 1, SIDE, 32, 64), batches(x, labels, 128), 1500, lr=2e-3, device="cpu"
            )
            network.set_unit(x)
            checkpoint.write(path, {"version": checkpoint.VERSION}, network.state_dict())
        self.network.load_state_dict(checkpoint.read(path)[1])
        self.network.eval()
        self.seen = self.network.features(x)
        self.accuracy = self.network.accuracy(*others)
        self.of_others = self.distance(others[0][:1000])

    def distance(self, images: Tensor) -> float:
        """Fréchet distance of images (N, 1, 16, 16) to all that the programs learn from."""
        return fid(self.seen, self.network.features(images))
