"""The random inputs of a probe: one seed gives the library's object and the learner's the same."""

import torch
from torch import Tensor


class Rng:
    """Makes every input of one draw, on one device, and remembers those that gradients are wanted for.

    seed:   the draw; sizes and values follow from it alone.
    device: where the inputs live. On "meta" they have shapes and no values.
    """

    def __init__(self, seed: int, device: str = "cpu"):
        self.device = torch.device(device)
        self.leaves: list[Tensor] = []
        self.names: list[str] = []  # of the leaves; empty when the answer's signature names them
        scattered = (
            (seed + 1) * 0x9E3779B97F4A7C15 % 2**63
        )  # neighbouring seeds alone give sizes that look alike
        self._generator = torch.Generator().manual_seed(scattered)  # on the CPU: the same on every device

    def size(self, low: int, high: int) -> int:
        """A whole number in [low, high], for a size that changes from draw to draw."""
        return int(torch.randint(low, high + 1, (), generator=self._generator))

    def normal(self, *shape: int, leaf: bool | str = False, dtype: torch.dtype = torch.float32) -> Tensor:
        """Standard normal numbers. leaf: gradients by them are compared; a string also names them."""
        return self._made(torch.randn(shape, generator=self._generator, dtype=dtype), leaf)

    def uniform(
        self, *shape: int, low: float = 0.0, high: float = 1.0, leaf: bool | str = False, dtype=torch.float32
    ) -> Tensor:
        """Numbers uniform in [low, high). leaf: as for normal."""
        x = torch.rand(shape, generator=self._generator, dtype=dtype)
        return self._made(low + (high - low) * x, leaf)

    def images(self, n: int, channels: int = 1, size: int = 8, leaf: bool | str = False) -> Tensor:
        """n images (n, channels, size, size) in [-1, 1)."""
        return self.uniform(n, channels, size, size, low=-1.0, high=1.0, leaf=leaf)

    def integers(self, *shape: int, low: int = 0, high: int) -> Tensor:
        """Whole numbers in [low, high), int64."""
        return self._made(torch.randint(low, high, shape, generator=self._generator), False)

    def generator(self) -> torch.Generator:
        """A CPU generator of its own, seeded from this draw."""
        return torch.Generator().manual_seed(self.size(0, 2**31 - 1))

    def _made(self, x: Tensor, leaf: bool | str) -> Tensor:
        x = x.to(self.device).requires_grad_(bool(leaf))
        if leaf:
            self.leaves.append(x)
            self.names.append(leaf if isinstance(leaf, str) else "")
        return x
