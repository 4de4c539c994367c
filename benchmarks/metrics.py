"""minigen's metrics beside those of pytorch-fid, torchmetrics and clean-fid: the same numbers? how fast?

    PYTHONPATH=. .venv-peers/bin/python benchmarks/metrics.py [--quick]

Exits with 1 when minigen's numbers are off; else writes its section of RESULTS.md. --quick: small, in
seconds, writes nothing. The environment: peers.txt.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import report
import rulers
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from minigen import metrics
from minigen.computer import taken
from minigen.features import InceptionFeatures
from minigen.inception import Inception

THREADS = 2  # of torch, NumPy and SciPy alike
TOLERANCE = 1e-6  # relative, of distances and scores
COLUMNS = ["minigen", "pytorch-fid", "torchmetrics", "clean-fid"]  # of the table of times
PACKAGES = ["torch", "numpy", "scipy", "pytorch-fid", "torchmetrics", "clean-fid"]
wrong: list[str] = []  # what is off, in words


def rows(n: int, d: int, seed: int, scale: float | Tensor = 1.0, shift: float = 0.0) -> Tensor:
    """Gaussian features (n, d) in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64) * scale + shift


def error(value: float, truth: float, scale: float) -> float:
    return abs(float(value) - truth) / scale


def attempt(call: Callable[[], object]) -> float:
    """What a peer's function returns, nan when it raises."""
    try:
        return float(call())
    except ValueError:
        return math.nan


def compare(
    name: str, ours: dict[str, float], theirs: dict[str, float], truth: float, scale: float
) -> list[str]:
    """A row of errors relative to `scale`; ours have to be small, and so has that of one peer at least."""
    errors = {key: error(value, truth, scale) for key, value in (ours | theirs).items()}
    for key in ours:
        if not errors[key] <= TOLERANCE:
            wrong.append(f"{name}: {key} is off by {errors[key]:.1e}")
    if not any(errors[key] <= TOLERANCE for key in theirs):
        wrong.append(f"{name}: no peer confirms the reference")
    row = [name, *("raises" if math.isnan(e) else f"{e:.0e}" for e in errors.values())]
    print(*row, sep="  ", flush=True)
    return row


# Fréchet distance


def reference(a: Tensor, b: Tensor) -> float:
    """The Fréchet distance of features without their covariances, from QR and a sum of singular values.

    Nothing is squared but the means and the traces, so singular and ill-scaled covariances lose no digits.
    """
    mean = (a.mean(0) - b.mean(0)).square().sum()
    root_a, root_b = (torch.linalg.qr(x - x.mean(0)).R / math.sqrt(len(x) - 1) for x in (a, b))
    cross = torch.linalg.svdvals(root_a @ root_b.T).sum()
    return float(mean + root_a.square().sum() + root_b.square().sum() - 2 * cross)


def transported(a: Tensor, seed: int) -> tuple[Tensor, float]:
    """Features b = aT + 1 with T positive semidefinite, and their exact distance from a.

    Such a T is the optimal transport of one Gaussian to the other: the distance is the mean squared way.
    """
    root = rows(a.shape[1], a.shape[1], seed)
    b = a @ (root @ root.T / len(root)) + 1
    moved = (b - b.mean(0)) - (a - a.mean(0))
    return b, float((a.mean(0) - b.mean(0)).square().sum() + moved.square().sum() / (len(a) - 1))


def frechet_peers(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> dict[str, Callable[[], object]]:
    """The peers' Fréchet distances of two means and covariances, ready to call."""
    arrays = [t.numpy() for t in (*a, *b)]
    return {
        "pytorch-fid": lambda: rulers.pytorch_fid_frechet(*arrays),
        "torchmetrics": lambda: rulers.torchmetrics_frechet(*a, *b),
        "clean-fid": lambda: rulers.cleanfid_frechet(*arrays),
    }


def frechet_agreement(n: int, few: int, d: int) -> str:
    """The table of errors; relative to the distance, or for a set and itself to the traces."""
    a, spread = rows(n, d, 0), torch.logspace(-4, 4, d, dtype=torch.float64)
    part = a[:few]
    small = rows(1000, 64, 2)
    mapped, exact = transported(small, 3)
    if not error(reference(small, mapped), exact, exact) <= 1e-12:
        wrong.append("the reference is not the exact distance of a transported set")
    cases = {
        "D = 1": (rows(1000, 1, 0), rows(800, 1, 1, 2, 1)),
        "D = 64": (rows(1000, 64, 0), rows(800, 64, 1, 1.5, 0.3)),
        "D = 64, exact by optimal transport": (small, mapped),
        f"D = {d}, N = {n}": (a, rows(n, d, 1, 1.5, 0.3)),
        f"D = {d}, N = {few}": (part, rows(few, d, 1, 1.5, 0.3)),
        f"D = {d}, N = {n} and {few}": (a, rows(few, d, 1, 1.5, 0.3)),
        f"D = {d}, N = {n}, columns scaled by 1e-4 to 1e4": (a * spread, rows(n, d, 1, 1.5) * spread),
        f"D = {d}, N = {n}, a set and itself": (a, a),
        f"D = {d}, N = {few}, a set and itself": (part, part),
    }
    table = []
    for name, (x, y) in cases.items():
        s, t = metrics.gaussian_statistics(x), metrics.gaussian_statistics(y)
        ours = {"fid": metrics.fid(x, y), "frechet_distance": metrics.frechet_distance(*s, *t)}
        if min(ours.values()) < 0:
            wrong.append(f"{name}: a distance below 0")
        theirs = {key: attempt(call) for key, call in frechet_peers(s, t).items()}
        truth = exact if y is mapped else 0.0 if x is y else reference(x, y)
        scale = float(s[1].trace() + t[1].trace()) if x is y else truth
        table.append(compare(name, ours, theirs, truth, scale))
    return report.table(["", "`fid`", "`frechet_distance`", *theirs], table)


# Kernel distance and inception score


def mmd_reference(a: Tensor, b: Tensor) -> float:
    """The unbiased estimate by its definition, in NumPy's longest floats."""
    x, y = (t.numpy().astype(np.longdouble) for t in (a, b))
    k = {key: (p @ q.T / p.shape[1] + 1) ** 3 for key, p, q in (("xx", x, x), ("yy", y, y), ("xy", x, y))}
    pairs = (np.sum(k[key]) - np.trace(k[key]) for key in ("xx", "yy"))
    return float(sum(pairs) / (len(x) * (len(x) - 1)) - 2 * np.mean(k["xy"]))


def kid_agreement(n: int, d: int) -> str:
    """One subset, of all rows: then nothing is random but the order of the rows."""
    spread = torch.logspace(-4, 4, d, dtype=torch.float64)
    a, table = rows(n, d, 0), []
    cases = {
        "D = 1": (rows(n, 1, 0), rows(n, 1, 1, 2, 1)),
        "D = 64": (rows(n, 64, 0), rows(n, 64, 1, 1.5, 0.3)),
        f"D = {d}": (a, rows(n, d, 1, 1.5, 0.3)),
        f"D = {d}, columns scaled by 1e-4 to 1e4": (a * spread, rows(n, d, 1, 1.5) * spread),
        f"D = {d}, a set and itself": (a, a),
    }
    for name, (x, y) in cases.items():
        ours = {"kid": metrics.kid(x, y, torch.Generator(), subsets=1, size=n)[0]}
        theirs = {
            "torchmetrics": float(rulers.poly_mmd(x, y)),
            "clean-fid": rulers.cleanfid_kid(x.numpy(), y.numpy(), num_subsets=1, max_subset_size=n),
        }
        truth = mmd_reference(x, y)
        table.append(compare(f"{name}, N = {n}", ours, theirs, truth, abs(truth)))
    return report.table(["", "`kid`", *theirs], table)


def inception_score_agreement() -> str:
    """The same probabilities in the same order, in which torchmetrics shuffles them."""
    table = []
    for n, classes, splits in (1000, 10, 1), (1000, 1008, 10):
        logits = rows(n, classes, 0, 3)
        value = rulers.torchmetrics_inception_score(logits, splits, seed=0)
        torch.manual_seed(0)
        order = torch.randperm(n)
        ours = metrics.inception_score(logits[order].softmax(1), splits)[0]
        difference = error(ours, value, value)
        if not difference <= TOLERANCE:
            wrong.append(f"inception_score is off by {difference:.1e}")
        table.append([f"{classes} classes, splits = {splits}, N = {n}", f"{difference:.0e}"])
    return report.table(["", "`inception_score` against torchmetrics"], table)


# Inception


def inception_agreement() -> str:
    """The same random weights, with the statistics of a batch, in both networks; each resizes for itself."""
    torch.manual_seed(0)
    network = Inception()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.3)
            module.momentum = 1.0  # takes over the statistics of the batch, so that no layer goes silent
    with torch.no_grad():
        network.train()(torch.rand(4, 3, 299, 299) * 2 - 1)
        theirs = rulers.pytorch_fid_inception(network.state_dict())
    with tempfile.TemporaryDirectory() as folder:
        torch.save(network.state_dict(), path := Path(folder) / "weights.pth")
        with mock.patch("minigen.features.verify", lambda source, name, path: path):  # not the published file
            ours = InceptionFeatures(path)
    table = []
    for height, width in (32, 32), (64, 48), (299, 299):
        x = torch.rand(4, 3, height, width)
        with torch.no_grad():
            value = theirs(x)[0].flatten(1)
        difference = float((ours.features(2 * x - 1) - value).abs().max() / value.abs().max())
        spread = float(value.std(0).mean() / value.abs().max())
        if not difference <= 1e-5 or spread < 1e-3:
            wrong.append(f"Inception's features of {height} × {width} are off by {difference:.1e}")
        table.append([f"{height} × {width}", f"{difference:.0e}", f"{spread:.0e}"])
        print("Inception", *table[-1], sep="  ", flush=True)
    return report.table(["images", "largest difference", "spread between images"], table)


# Speed and memory


def race(name: str, calls: dict[str, Callable[[], object]], seconds: float = 60) -> list[str]:
    """A row of times: all in turn, 5 rounds, or as many as begin within the seconds."""
    times: dict[str, list[float]] = {key: [] for key in calls}
    start = time.perf_counter()
    while len(times["minigen"]) < 5 and time.perf_counter() - start < seconds:
        for key, call in calls.items():
            time.sleep(0.3)  # threads of the one before still spin, waiting for more of its work
            before = time.perf_counter()
            call()
            times[key].append(time.perf_counter() - before)
    middle = {key: statistics.median(values) for key, values in times.items()}
    row = [name]
    for key in COLUMNS:
        if key not in times:
            row.append("has none")
            continue
        ratio = "" if key == "minigen" else f", **{middle[key] / middle['minigen']:.1f}×**"
        row.append(f"{middle[key]:.2g} s ({min(times[key]):.2g}–{max(times[key]):.2g}){ratio}")
    row.append(str(len(times["minigen"])))
    print(*row, sep="  ", flush=True)
    return row


def numpy_statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As pytorch-fid and clean-fid compute them."""
    return np.mean(x, axis=0), np.cov(x, rowvar=False)


def speed(n: int, few: int, d: int, subsets: int, size: int) -> str:
    """The table of times. The peers' FID of features is their distance of the statistics they would take."""
    a, b = rows(n, d, 0), rows(n, d, 1, 1.5, 0.3)
    s, t = metrics.gaussian_statistics(a), metrics.gaussian_statistics(b)
    table = [
        race(
            f"Fréchet distance of statistics, D = {d}, full rank",
            {"minigen": lambda: metrics.frechet_distance(*s, *t), **frechet_peers(s, t)},
        )
    ]
    x, y = a[:few], b[:few]
    p, q = x.numpy(), y.numpy()
    calls = {
        "minigen": lambda: metrics.fid(x, y),
        "pytorch-fid": lambda: rulers.pytorch_fid_frechet(*numpy_statistics(p), *numpy_statistics(q)),
        "torchmetrics": lambda: rulers.torchmetrics_frechet(x.mean(0), x.T.cov(), y.mean(0), y.T.cov()),
        "clean-fid": lambda: rulers.cleanfid_frechet(*numpy_statistics(p), *numpy_statistics(q)),
    }
    table.append(race(f"FID of features, N = {few}, D = {d}", calls))
    for kind in torch.float64, torch.float32:
        u, v = a.to(kind), b.to(kind)
        calls = {
            "minigen": lambda u=u, v=v: metrics.kid(u, v, torch.Generator(), subsets, size),
            "torchmetrics": lambda u=u, v=v: rulers.torchmetrics_kid(u, v, subsets, size),
            "clean-fid": lambda u=u, v=v: rulers.cleanfid_kid(u.numpy(), v.numpy(), subsets, size),
        }
        name = f"KID, {subsets} subsets of {size}, D = {d}, {str(kind)[6:]} features"
        table.append(race(name, calls, seconds=60))
    return report.table(["", *COLUMNS, "rounds"], table)


def precision_recall_alone(n: int, d: int) -> None:
    """Prints the seconds and the megabytes of one call, for which it is run in a process of its own."""
    metrics.precision_recall(rows(10, d, 0), rows(10, d, 1))  # loads what torch loads when first used
    real, fake = rows(n, d, 0).float(), rows(n, d, 1).float()
    before, start = taken("VmRSS"), time.perf_counter()
    metrics.precision_recall(real, fake)
    seconds = time.perf_counter() - start
    print(json.dumps([seconds, taken("VmHWM") - before]))


def precision_recall_cost(n: int, d: int) -> str:
    """A sentence."""
    if not Path("/proc/self/status").exists():
        return "The memory of `precision_recall` is measured on Linux only.\n\n"
    command = [sys.executable, __file__, "--precision-recall", str(n), str(d)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, megabytes = json.loads(out.splitlines()[-1])
    cost = f"{seconds:.3g} s, and {megabytes:.0f} MB beyond its input"
    text = f"`precision_recall` of {n} and {n} rows, D = {d}: {cost}"
    print(text, flush=True)
    return f"{text} (float32; the most that its process ever held, less what it held before the call).\n\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small, in seconds, writes nothing")
    parser.add_argument("--precision-recall", nargs=2, type=int, metavar=("N", "D"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(THREADS)
    threadpool_limits(THREADS)
    if args.precision_recall:
        return precision_recall_alone(*args.precision_recall)
    n, few, d, subsets, size, many = (
        (256, 32, 128, 3, 100, 500) if args.quick else (4096, 500, 2048, 100, 1000, 10_000)
    )
    text = report.circumstances(PACKAGES, THREADS)
    text += "### Agreement\n\n" + AGREEMENT
    text += frechet_agreement(n, few, d) + KID + kid_agreement(few, d)
    text += inception_score_agreement() + INCEPTION + inception_agreement()
    if wrong:
        sys.exit("wrong:\n  " + "\n  ".join(wrong))
    text += "### Speed\n\n" + SPEED + speed(n, few, d, subsets, size) + precision_recall_cost(many, d)
    if not args.quick:
        report.write("Metrics", text)


AGREEMENT = f"""Errors of the Fréchet distance: relative to the distance, and for a set and itself, relative
to the traces. The reference is computed from the features by QR and singular values, without a covariance.
minigen has to be within {TOLERANCE:.0e} everywhere, with at least one of the others.

"""
KID = """Errors of the kernel distance (one subset, of all rows), relative to the definition in NumPy's
longest floats; and the difference of inception scores of the same probabilities. No peer has precision and
recall; the tests compare them with scikit-learn's neighbours.

"""
INCEPTION = """Inception's 2048 features in minigen and in pytorch-fid, with the same random weights, resizing
included: the largest difference, and the spread between images, both relative to the largest feature.

"""
SPEED = """The median of the rounds (fastest–slowest), and how many times minigen's time that is. In a round,
all take their turn. Features are float64 where nothing else is said; minigen always computes in float64.
That is where a peer is ahead in the kernel distance: the others compute float32 features in float32, which
costs half; and clean-fid is NumPy, which knows a matrix times its own transpose, two of the three products
here, and does half the work for it (TRIALS.md). A small difference of large sums, exact, is worth more to a
course than these seconds.

"""

if __name__ == "__main__":
    main()
