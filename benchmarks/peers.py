"""What other programs need before they are imported, which is why this is imported first."""

import os
import warnings

os.environ["USE_TF"] = os.environ["USE_FLAX"] = "0"  # for diffusers: torch alone, and nothing from its hub
os.environ["HF_HUB_OFFLINE"] = "1"

import torch

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
