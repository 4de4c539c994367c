"""The network in whose features the Fréchet Inception distance is defined, written out.

It is Inception v3 as TensorFlow published it in 2015: average pools do not count the padding, and the last
block has a max pool. Names are those of the published weights file.
Source: Szegedy et al. 2016, Rethinking the Inception Architecture for Computer Vision; Heusel et al. 2017.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Step = tuple  # (channels out, kernel) or (channels out, kernel, stride)


class Convolution(nn.Module):
    """A convolution without bias, batch normalisation, ReLU; padded to keep the size, unless it strides."""

    def __init__(
        self, channels: int, out: int, kernel: int | tuple[int, int], stride: int = 1, pad: bool = True
    ):
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (height // 2, width // 2) if pad and stride == 1 else 0
        self.conv = nn.Conv2d(channels, out, (height, width), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Branches(nn.Module):
    """Chains of convolutions and a pool, all over the same input, joined along the channels.

    pool: what the branch without convolutions before it does to x.  branches: {name: its steps}; a list as
    the last step is a fork, whose ends are joined too.  `branch_pool` follows the pool.
    """

    def __init__(self, channels: int, pool: nn.Module, **branches: list[Step | list[Step]]):
        super().__init__()
        self.pool = pool
        self.chains: dict[str, list[list[str]]] = {}  # of each branch: the names of each step's convolutions
        for branch, steps in branches.items():
            self.chains[branch], before = [], channels
            for i, step in enumerate(steps, 1):
                ends = step if isinstance(step, list) else [step]
                letters = "ab" if len(ends) > 1 else [""]
                names = [f"{branch}_{i}{letter}" if len(steps) > 1 else branch for letter in letters]
                for name, end in zip(names, ends, strict=True):
                    self.add_module(name, Convolution(before, *end))
                self.chains[branch].append(names)
                before = ends[0][0]

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for branch, chain in self.chains.items():
            ends = [self.pool(x) if branch == "branch_pool" else x]
            for names in chain:
                ends = [getattr(self, name)(ends[0]) for name in names]
            outputs += ends
        if "branch_pool" not in self.chains:
            outputs.append(self.pool(x))
        return torch.cat(outputs, dim=1)


def mean_pool() -> nn.Module:
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)


def block_5(channels: int, pooled: int) -> Branches:
    """At 35 × 35: 5×5, and two 3×3 that see as far."""
    return Branches(
        channels,
        mean_pool(),
        branch1x1=[(64, 1)],
        branch5x5=[(48, 1), (64, 5)],
        branch3x3dbl=[(64, 1), (96, 3), (96, 3)],
        branch_pool=[(pooled, 1)],
    )


def block_6(inner: int) -> Branches:
    """At 17 × 17: a 7×7 convolution split into 1×7 and 7×1."""
    row, column = (1, 7), (7, 1)
    return Branches(
        768,
        mean_pool(),
        branch1x1=[(192, 1)],
        branch7x7=[(inner, 1), (inner, row), (192, column)],
        branch7x7dbl=[(inner, 1), (inner, column), (inner, row), (inner, column), (192, row)],
        branch_pool=[(192, 1)],
    )


def block_7(channels: int, pool: nn.Module) -> Branches:
    """At 8 × 8: 3×3 convolutions that fork into 1×3 and 3×1."""
    fork = [(384, (1, 3)), (384, (3, 1))]
    return Branches(
        channels,
        pool,
        branch1x1=[(320, 1)],
        branch3x3=[(384, 1), fork],
        branch3x3dbl=[(448, 1), (384, 3), fork],
        branch_pool=[(192, 1)],
    )


class Inception(nn.Module):
    """A classifier of photographs (N, 3, 299, 299) in [-1, 1]: ImageNet's 1000 classes and 8 unused ones."""

    def __init__(self):
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)  # (N, 32, 149, 149)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3, pad=False)  # (N, 32, 147, 147)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)  # after a pool: (N, 80, 73, 73)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3, pad=False)  # (N, 192, 71, 71)
        self.Mixed_5b = block_5(192, 32)  # after a pool: (N, 256, 35, 35)
        self.Mixed_5c = block_5(256, 64)
        self.Mixed_5d = block_5(288, 64)
        self.Mixed_6a = Branches(  # (N, 768, 17, 17)
            288,
            nn.MaxPool2d(3, stride=2),
            branch3x3=[(384, 3, 2)],
            branch3x3dbl=[(64, 1), (96, 3), (96, 3, 2)],
        )
        self.Mixed_6b = block_6(128)
        self.Mixed_6c = block_6(160)
        self.Mixed_6d = block_6(160)
        self.Mixed_6e = block_6(192)
        self.Mixed_7a = Branches(  # (N, 1280, 8, 8)
            768,
            nn.MaxPool2d(3, stride=2),
            branch3x3=[(192, 1), (320, 3, 2)],
            branch7x7x3=[(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)],
        )
        self.Mixed_7b = block_7(1280, mean_pool())
        self.Mixed_7c = block_7(2048, nn.MaxPool2d(3, stride=1, padding=1))  # (N, 2048, 8, 8)

        self.fc = nn.Linear(2048, 1008)

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits (N, 1008)."""
        return self.fc(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Images to what stands before the last layer: (N, 2048)."""
        pool = F.max_pool2d
        x = pool(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))), 3, stride=2)
        x = pool(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)), 3, stride=2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return x.mean(dim=(2, 3))
