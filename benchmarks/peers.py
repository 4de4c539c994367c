"""What other programs need before they are imported, and how to use their metrics on features and weights."""

# ruff: noqa: E402

import os
import warnings

os.environ["USE_TF"] = os.environ["USE_FLAX"] = "0"  # for diffusers: torch alone, and nothing from its hub
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from torch import Tensor, nn

warnings.filterwarnings("ignore", message=".*`disp` argument is deprecated")  # by SciPy, to the peers
warnings.filterwarnings("ignore", module="torchmetrics")  # memory, and deviations of a single split

try:
    import torchvision  # noqa: F401
except RuntimeError:
    # It was compiled for CUDA and this torch was not, so its own operators are absent. Nothing here calls
    # them, but their names have to exist before it can be imported.
    LIBRARY = torch.library.Library("torchvision", "DEF")
    for name in "nms", "qnms":
        LIBRARY.define(f"{name}(Tensor x) -> Tensor")

import pytorch_fid.inception
from cleanfid.fid import frechet_distance as cleanfid_frechet
from cleanfid.fid import kernel_distance as cleanfid_kid
from pytorch_fid.fid_score import calculate_frechet_distance as pytorch_fid_frechet
from torchmetrics.image.fid import _compute_fid as torchmetrics_frechet
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance, poly_mmd

__all__ = ["cleanfid_frechet", "cleanfid_kid", "poly_mmd", "pytorch_fid_frechet", "torchmetrics_frechet"]


def pytorch_fid_inception(state: dict[str, Tensor]) -> nn.Module:
    """pytorch-fid's network with weights of ours: images in [0, 1] to a list of one (N, 2048, 1, 1)."""
    pytorch_fid.inception.load_state_dict_from_url = lambda *_, **__: state
    return pytorch_fid.inception.InceptionV3().eval()


def torchmetrics_kid(a: Tensor, b: Tensor, subsets: int, size: int) -> float:
    """torchmetrics' KID of features (N, D), in their precision."""
    metric = KernelInceptionDistance(feature=nn.Identity(), subsets=subsets, subset_size=size)
    metric.update(a, real=True)
    metric.update(b, real=False)
    return float(metric.compute()[0])


def torchmetrics_inception_score(logits: Tensor, splits: int, seed: int) -> float:
    """torchmetrics' inception score of logits (N, classes), which it shuffles by torch's own generator."""
    metric = InceptionScore(feature=nn.Identity(), splits=splits)
    metric.update(logits)
    torch.manual_seed(seed)
    return float(metric.compute()[0])
