"""Other programs' metrics, used on features and weights."""

import peers  # noqa: F401  (first: it makes the others importable)
import pytorch_fid.inception
import torch
from cleanfid.fid import frechet_distance as cleanfid_frechet
from cleanfid.fid import kernel_distance as cleanfid_kid
from pytorch_fid.fid_score import calculate_frechet_distance as pytorch_fid_frechet
from torch import Tensor, nn
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
