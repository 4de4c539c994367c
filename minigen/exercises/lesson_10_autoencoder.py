"""The exercises of lesson 10: principal components and autoencoders."""

import torch

from minigen import autoencoder
from minigen.course.catalogue import lesson
from minigen.course.source import edited

exercise = lesson("10_autoencoder")


def probe_pca(answer, rng):
    n, d = rng.size(12, 20), rng.size(5, 8)
    spread = torch.arange(
        d, 0, -1, device=rng.device
    )  # no two directions vary equally, so that axes are unique
    mean, axes = answer(rng.normal(n, d) * spread + rng.normal(d), 3)
    return {"mean": mean, "axes": axes}


def judge_pca(raw):
    """The sign of each axis is free."""
    first = raw["axes"][:, :1]
    return {"mean": raw["mean"], "axes": raw["axes"] * torch.where(first < 0, -1.0, 1.0)}


def pca_by_covariance(x, k):
    mean = x.mean(dim=0)
    _, vectors = torch.linalg.eigh((x - mean).T @ (x - mean))
    return mean, vectors.flip(1)[:, :k].T


def pca_with_left_vectors(x, k):
    mean = x.mean(0)
    u, _, _ = torch.linalg.svd(x - mean, full_matrices=False)
    return mean, u[:, :k].T


def pca_without_transpose(x, k):
    mean = x.mean(0)
    _, _, vh = torch.linalg.svd(x - mean, full_matrices=False)
    return mean, vh.T[:k]


def pca_standardised(x, k):
    mean = x.mean(0)
    _, _, vh = torch.linalg.svd((x - mean) / x.std(0), full_matrices=False)
    return mean, vh[:k]


def pca_scaled(x, k):
    mean = x.mean(0)
    _, s, vh = torch.linalg.svd(x - mean, full_matrices=False)
    return mean, s[:k, None] * vh[:k]


def pca_smallest_first(x, k):
    mean = x.mean(0)
    _, vectors = torch.linalg.eigh((x - mean).T @ (x - mean))
    return mean, vectors[:, :k].T


exercise(
    target=autoencoder.pca,
    title="Principal components by SVD",
    probe=probe_pca,
    judge=judge_pca,
    mistakes={
        "not centred": (
            edited(autoencoder.pca, "x - mean, full", "x, full"),
            "You take the SVD of x itself. Its first axis then points at the mean of the data, which says nothing about "
            "how the data varies. Subtract the mean first.",
        ),
        "one mean for all pixels": (
            edited(autoencoder.pca, "x.mean(0)", "x.mean()"),
            "Your mean is one number. The mean picture has a value for every pixel: average over the pictures, dimension 0.",
        ),
        "mean over the pixels": (
            edited(autoencoder.pca, "x.mean(0)", "x.mean(1, keepdim=True)"),
            "You averaged over the pixels of each picture. The mean picture averages over the pictures, dimension 0.",
        ),
        "left singular vectors": (
            pca_with_left_vectors,
            "Your axes have N numbers, one for each picture. They need D, one for each pixel: that is Vh of the centred "
            "data with the pictures as rows.",
        ),
        "standardised": (
            pca_standardised,
            "You divided every pixel by its own spread. Then a pixel that is almost always black counts as much as one in "
            "the middle, and the axes are others. Only subtract the mean.",
        ),
        "axes scaled by the singular values": (
            pca_scaled,
            "Your axes are multiplied by the singular values. They should have length 1: they are directions.",
        ),
        "smallest variance first": (
            pca_smallest_first,
            "These are the directions in which the data varies least. The principal axes are at the other end: `svd` "
            "sorts downwards, `eigh` upwards.",
        ),
        "columns for rows": (
            pca_without_transpose,
            "You took the first k rows of V. The axes are the columns of V, which are the rows of Vh.",
        ),
        "first axis left out": (
            edited(autoencoder.pca, "axes[:k]", "axes[1 : k + 1]"),
            "The first k axes are rows 0 to k - 1. You left row 0 out, which is the direction of largest variance.",
        ),
        "axes as columns": (
            edited(autoencoder.pca, "axes[:k]", "axes[:k].T"),
            "The right axes, as columns. They are wanted as rows, (k, D): one axis reads like one flattened picture.",
        ),
        "cut inside the axes": (
            edited(autoencoder.pca, "axes[:k]", "axes[:, :k]"),
            "You kept k numbers of every axis. Keep the first k axes, whole: they are the rows.",
        ),
        "median for the mean": (
            edited(autoencoder.pca, "x.mean(0)", "x.median(0).values"),
            "You subtract the median picture. Squared distances are smallest around the mean.",
        ),
    },
    accepts=[pca_by_covariance],
    equivalents={
        "_, _, axes = torch.linalg.svd(x - mean)": "the further rows that a full SVD gives are cut off",
        "_, _, axes = torch.linalg.svd(x - mean, full_matrices=True)": "the further rows are cut off",
    },
    hints=[
        "Two lines of work: the mean over the pictures, then the SVD of what is left.",
        "`torch.linalg.svd(…, full_matrices=False)` returns U, S and Vh. Which of them has D numbers in a row?",
        "The rows of Vh come sorted, the direction of largest variance first. You need the first k.",
    ],
    points=2,
    minutes=15,
)


def compression_ratio() -> float:
    """Saved as bytes, a digit is 64 pixels of 8 bits each.
    Its code is 8 numbers, each a float32 of 32 bits.
    How many times smaller is the code than the picture?
    """
    return (64 * 8) / (8 * 32)


exercise(
    target=compression_ratio,
    title="Is a small code a small file?",
    mistakes={
        "numbers counted": (
            8,
            "Eight times fewer *numbers*, yes. But each of them is a float of 32 bits, and a pixel has only 8. Count bits.",
        ),
        "the other way round": (
            0.5,
            "You divided the code by the picture. The question is how many times the code fits into the picture.",
        ),
        "a float is a byte": (64, "You count 8 bits for the whole code. It has 8 numbers of 32 bits each."),
    },
    hints=["Bits of a picture: 64 · 8. And bits of a code?"],
    minutes=3,
)


def probe_reconstruction_error(answer, rng):
    n, c, h = rng.size(2, 5), rng.size(1, 3), rng.size(6, 8)
    x, y = rng.images(n, c, h, leaf=True), rng.images(n, c, h, leaf=True)
    return {"error": answer(x, y)}


exercise(
    target=autoencoder.reconstruction_error,
    title="Repair: an error that is not what it says",
    probe=probe_reconstruction_error,
    repair="mean over everything",
    mistakes={
        "mean over everything": (
            edited(autoencoder.reconstruction_error, ".flatten(1).sum(1).mean()", ".mean()"),
            "This is the mean over pixels too, so it is smaller by the number of pixels: compared with anything that is "
            "summed over pixels, it counts for almost nothing. Sum over the pixels, then average over the batch.",
        ),
        "sum over everything": (
            edited(autoencoder.reconstruction_error, ".flatten(1).sum(1).mean()", ".sum()"),
            "You sum over the batch too, so a larger batch has a larger error, and takes larger steps. Average over it.",
        ),
        "sum over one side": (
            edited(autoencoder.reconstruction_error, ".flatten(1).sum(1).mean()", ".sum(-1).mean()"),
            "You sum over the last dimension only, the columns of the picture, and average over its rows and channels. "
            "All of a picture's numbers belong in the sum.",
        ),
        "mean and sum swapped": (
            edited(autoencoder.reconstruction_error, ".sum(1).mean()", ".mean(1).sum()"),
            "You average over the pixels and sum over the pictures. It is the other way round.",
        ),
        "not squared": (
            edited(autoencoder.reconstruction_error, ".square()", ".abs()"),
            "You sum distances, not their squares. A squared error is what PCA makes smallest, so we compare in it.",
        ),
        "root taken": (
            edited(autoencoder.reconstruction_error, ".sum(1).mean()", ".sum(1).sqrt().mean()"),
            "You take the root of each picture's error. The squared error has no root.",
        ),
        "not squared at all": (
            edited(autoencoder.reconstruction_error, ".square()", ""),
            "Differences of both signs cancel: a picture too bright on the left and too dark on the right would count as "
            "perfect. Square each difference first.",
        ),
        "squared after the sum": (
            lambda x, y: (x - y).flatten(1).sum(1).square().mean(),
            "You square the sum of a picture's differences, in which both signs cancel. Square each difference, then sum.",
        ),
        "difference of the squares": (
            edited(autoencoder.reconstruction_error, "(x - y).square()", "(x.square() - y.square())"),
            "x² − y² is not (x − y)²: a pixel of 1 rebuilt as −1 would count as perfect. Subtract first, then square.",
        ),
    },
    accepts=[
        lambda x, y: ((x - y) ** 2).sum() / len(x),
        lambda x, y: torch.nn.functional.mse_loss(y, x, reduction="sum") / x.shape[0],
        lambda x, y: ((x - y) ** 2).sum(dim=(1, 2, 3)).mean(),
    ],
    hints=[
        "Read the docstring: what is summed, and what is averaged?",
        "`flatten(1)` makes one row of all the numbers of each picture.",
    ],
    points=1,
    minutes=5,
)


def probe_linear(answer, rng):
    n, k = rng.size(6, 9), rng.size(3, 4)
    shape = rng.size(1, 2), rng.size(3, 4), 5
    model = answer(rng.normal(*shape), k)
    x, z = rng.normal(n, *shape, leaf="x"), rng.normal(n, k, leaf="z")
    codes, pictures = model.encode(x), model.decode(z)
    usable = codes.shape == z.shape and pictures.shape == x.shape
    return {
        "codes": codes,
        "pictures": pictures,
        "loss": model.loss((x, None)) if usable else x.new_zeros(()),
    }


exercise(
    target=autoencoder.LinearAutoencoder,
    title="A linear autoencoder",
    probe=probe_linear,
    blank=("encode", "decode"),
    mistakes={
        "mean not subtracted": (
            edited(autoencoder.LinearAutoencoder, "(x - self.mean).flatten(1)", "x.flatten(1)"),
            "The encoder gets the picture with its mean. Like PCA, it should get what is left without the mean.",
        ),
        "mean not added": (
            edited(autoencoder.LinearAutoencoder, "self.mean + self.decoder(z)", "self.decoder(z)"),
            "The mean picture is missing from your reconstruction: code 0 should decode to the mean.",
        ),
        "mean of the batch": (
            edited(autoencoder.LinearAutoencoder, "(x - self.mean).flatten(1)", "(x - x.mean(0)).flatten(1)"),
            "You subtract the mean of the batch, so the code of a picture depends on the pictures beside it. Use the mean "
            "that the model was given.",
        ),
        "codes cut off at 0": (
            edited(autoencoder.LinearAutoencoder, "self.encoder((x - self.mean).flatten(1))",
                   "self.encoder((x - self.mean).flatten(1)).relu()"),
            "Your encoder ends in a ReLU, so half of all codes are 0. A linear autoencoder has no such step.",
        ),
        "not a picture": (
            edited(autoencoder.LinearAutoencoder, "self.mean + self.decoder(z).view(-1, *self.mean.shape)",
                   "self.mean.flatten() + self.decoder(z)"),
            "Your decoder returns rows of pixels (N, C·H·W). It should return pictures (N, C, H, W).",
        ),
        "mean subtracted twice": (
            edited(autoencoder.LinearAutoencoder, "self.mean + self.decoder(z).view(-1, *self.mean.shape)",
                   "self.decoder(z).view(-1, *self.mean.shape) - self.mean"),
            "Your decoder subtracts the mean, as the encoder did. It should give back what the encoder took away.",
        ),
        "one number for the mean": (
            edited(autoencoder.LinearAutoencoder, "x - self.mean", "x - self.mean.mean()"),
            "You subtract one grey level everywhere. The mean is a picture: each pixel has its own.",
        ),
        "grey level of each picture": (
            edited(autoencoder.LinearAutoencoder, "x - self.mean", "x - x.flatten(1).mean(1).view(-1, 1, 1, 1)"),
            "You subtract each picture's own brightness, so a dark and a bright copy of it get the same code. Subtract the "
            "mean picture that the model was given.",
        ),
        "codes squashed": (
            edited(autoencoder.LinearAutoencoder, "self.encoder((x - self.mean).flatten(1))",
                   "self.encoder((x - self.mean).flatten(1)).sigmoid()"),
            "Your encoder ends in a sigmoid, so every number of a code lies between 0 and 1. A linear autoencoder has no "
            "such step.",
        ),
        "pictures squashed": (
            edited(autoencoder.LinearAutoencoder, "self.mean + self.decoder(z).view(-1, *self.mean.shape)",
                   "(self.mean + self.decoder(z).view(-1, *self.mean.shape)).tanh()"),
            "Your decoder ends in a tanh. It keeps pixels in [-1, 1], but it is not linear any more, so it cannot be PCA.",
        ),
        "codes cut off from the gradient": (
            edited(autoencoder.LinearAutoencoder, "self.encoder((x - self.mean).flatten(1))",
                   "self.encoder((x - self.mean).flatten(1)).detach()"),
            "You detach the codes, so the loss cannot reach the encoder, and it would never learn.",
        ),
    },
    hints=[
        "PCA's `project` and `reconstruct` are your model; a Linear layer stands where the axes stood.",
        "A Linear layer takes rows: flatten every picture into one, but keep the batch.",
        "After the decoder, `view(-1, *self.mean.shape)` makes pictures of rows.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def probe_principal_angles(answer, rng):
    k, d = rng.size(2, 3), rng.size(6, 9)
    a = rng.normal(k, d)
    near = a + 0.2 * rng.normal(k, d)
    same = [answer(a, rng.normal(k, k) @ a) for _ in range(8)]  # rounding takes some of the cosines above 1
    return {
        "angles": answer(a, rng.normal(k, d)),
        "small angles": answer(2 * a, near),
        "equal subspaces": torch.stack(same),
    }


def judge_principal_angles(raw):
    """Angles of 0 are found up to 1e-6 degrees only, since the arccosine is steep there."""
    return raw | {"equal subspaces": raw["equal subspaces"] < 1e-3}


def angles_between_pairs(a, b):
    a, b = (m.double() / m.double().norm(dim=1, keepdim=True) for m in (a, b))
    return (a * b).sum(1).clamp(-1, 1).arccos().rad2deg().sort().values


def angles_without_orthonormal_rows(a, b):
    a, b = (m.double() / m.double().norm(dim=1, keepdim=True) for m in (a, b))
    return torch.linalg.svdvals(a @ b.T).clamp(max=1).arccos().rad2deg()


def angles_by_projectors(a, b):
    q, r = (torch.linalg.svd(m.double(), full_matrices=False).Vh for m in (a, b))
    squared = torch.linalg.eigvalsh(q @ r.T @ r @ q.T).flip(0)
    return squared.clamp(0, 1).sqrt().arccos().rad2deg()


exercise(
    target=autoencoder.principal_angles,
    title="How far apart are two subspaces?",
    probe=probe_principal_angles,
    judge=judge_principal_angles,
    tolerance=1e-6,
    mistakes={
        "row by row": (
            angles_between_pairs,
            "You compare the first row with the first, the second with the second. Both sets may span the *same* subspace "
            "with quite different rows; the answer must then be 0.",
        ),
        "rows not made orthonormal": (
            angles_without_orthonormal_rows,
            "The singular values are cosines only when the rows of each matrix are orthonormal. Yours have length 1, but "
            "are not at right angles: QR makes them so.",
        ),
        "in radians": (
            edited(autoencoder.principal_angles, ".rad2deg()", ""),
            "These are radians; degrees are wanted.",
        ),
        "cosines": (
            edited(autoencoder.principal_angles, ".arccos().rad2deg()", ""),
            "These are the cosines of the angles.",
        ),
        "sines for cosines": (
            edited(autoencoder.principal_angles, ".arccos()", ".arcsin()"),
            "The singular values are the cosines of the angles. You took them for sines.",
        ),
        "used as they are": (
            lambda a, b: torch.linalg.svdvals(a.double() @ b.double().T).clamp(max=1).arccos().rad2deg(),
            "The entries of a @ b.T are cosines only for rows of length 1 that are at right angles to each other. Make the "
            "rows of both orthonormal first.",
        ),
        "only one made orthonormal": (
            edited(autoencoder.principal_angles, "r, _ = torch.linalg.qr(b.double().T)", "r = b.double().T"),
            "You made the one basis orthonormal and left the other as it came.",
        ),
        "rows for columns": (
            lambda a, b: (
                torch.linalg.svdvals(torch.linalg.qr(a.double()).Q @ torch.linalg.qr(b.double()).Q.T)
                .clamp(max=1)
                .arccos()
                .rad2deg()
            ),
            "`qr` works on columns. Of a (k, D) matrix it gives a basis of all columns, (k, k), which says nothing about "
            "the span of the rows: your angles are all 0. Give it the transpose.",
        ),
        "bases paired as they come": (
            lambda a, b: (
                (torch.linalg.qr(a.double().T).Q * torch.linalg.qr(b.double().T).Q)
                .sum(0)
                .clamp(-1, 1)
                .arccos()
                .rad2deg()
                .sort()
                .values
            ),
            "You compare the first axis of one basis with the first of the other. Each basis may be turned within its own "
            "subspace: the SVD of the product finds the turns that pair them best.",
        ),
        "largest first": (
            edited(autoencoder.principal_angles, ".rad2deg()", ".rad2deg().flip(0)"),
            "Right angles, wrong order: the smallest comes first.",
        ),
    },
    accepts=[angles_by_projectors],
    hints=[
        "Suppose both matrices had orthonormal rows. Then the entries of a @ b.T are cosines between pairs of directions.",
        "Inside each subspace you may turn the axes freely. The SVD of that matrix turns them so that they pair up best.",
        "So: orthonormal bases by `torch.linalg.qr` (it works on columns), the singular values of their product, arccos.",
    ],
    points=3,
    minutes=20,
)


def probe_quantise(answer, rng):
    n, k = rng.size(6, 9), rng.size(2, 4)
    low = -1 - rng.uniform(k)
    high = 1 + rng.uniform(k)
    return {
        "codes": answer(2 * rng.normal(n, k), low, high, 3),
        "one bit": answer(rng.normal(n, k), low, high, 1),
    }


def truncates(codes, low, high, bits):
    step = (high - low) / (2**bits - 1)
    return low + step * ((codes.clamp(low, high) - low) / step).floor()


exercise(
    target=autoencoder.quantise,
    title="Fewer bits for each number",
    probe=probe_quantise,
    mistakes={
        "cut, not rounded": (
            truncates,
            "You always take the level below, never the nearest: every number becomes smaller, by half a step on average.",
        ),
        "always the level above": (
            edited(autoencoder.quantise, ".round()", ".ceil()"),
            "You always take the level above, never the nearest: every number grows, by half a step on average.",
        ),
        "to whole numbers": (
            lambda codes, low, high, bits: codes.clamp(low, high).round(),
            "You round to whole numbers, however many bits there are. The levels lie between `low` and `high`, 2**bits of "
            "them: measure in steps from `low`, and round that.",
        ),
        "as many steps as bits": (
            edited(autoencoder.quantise, "(2**bits - 1)", "bits"),
            "You have as many steps as bits. Each further bit doubles the number of levels: there are 2**bits of them.",
        ),
        "levels of this batch": (
            lambda codes, low, high, bits: autoencoder.quantise(codes, codes.amin(0), codes.amax(0), bits),
            "You spread the levels between the smallest and the largest code of this batch. Whoever decodes does not know "
            "this batch; both sides know `low` and `high`.",
        ),
        "levels counted from 0": (
            lambda codes, low, high, bits: (high - low) / (2**bits - 1)
            * (codes.clamp(low, high) / ((high - low) / (2**bits - 1))).round(),
            "Your levels are the multiples of the step, and `low` is not among them. Measure from `low`: subtract it before "
            "you round, and add it afterwards.",
        ),
        "intervals for levels": (
            lambda codes, low, high, bits: low + (high - low) / (2**bits - 1)
            * ((codes - low) / (high - low) * 2**bits).floor().clamp(0, 2**bits - 1),
            "You cut the range into 2**bits intervals, and give each one a level that is not in its middle. The nearest "
            "level is wanted: measure in steps between levels, and round.",
        ),
        "a level too many": (
            edited(autoencoder.quantise, "2**bits - 1", "2**bits"),
            "2**bits levels have 2**bits - 1 steps between them. Your levels are too close, and there is one too many.",
        ),
        "not limited": (
            edited(autoencoder.quantise, "codes.clamp(low, high)", "codes"),
            "A code outside [low, high] gets a level of its own, which the bits cannot tell apart. Limit it first.",
        ),
        "half the levels": (
            edited(autoencoder.quantise, "2**bits - 1", "2 ** (bits - 1)"),
            "You have 2**(bits - 1) steps. With `bits` bits there are 2**bits levels, and one step fewer.",
        ),
        "middles of intervals": (
            lambda codes, low, high, bits: low
            + (high - low) / 2**bits * (((codes.clamp(low, high) - low) / (high - low) * 2**bits).floor().clamp(max=2**bits - 1) + 0.5),
            "Your levels are the middles of 2**bits intervals, so `low` and `high` are no levels. Here they are the first "
            "and the last.",
        ),
        "not moved back": (
            edited(autoencoder.quantise, "low + step", "step"),
            "Your levels start at 0, not at `low`.",
        ),
        "level numbers": (
            edited(autoencoder.quantise, "low + step * ((codes.clamp(low, high) - low) / step).round()",
                   "((codes.clamp(low, high) - low) / step).round()"),
            "These are the numbers of the levels, 0, 1, 2, …. The decoder needs the values: multiply by the step and "
            "start at `low`.",
        ),
    },
    hints=[
        "With 1 bit there are two levels, `low` and `high`, and one step between them. How many steps with `bits` bits?",
        "Which level a number belongs to: (number - low) / step, rounded.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def why_noise_fails() -> str:
    """Codes drawn from N(0, I) decode to scribbles, though every training digit decodes well. Why?
    "a": the decoder has too few layers to draw digits
    "b": nothing in the training asked the codes to fill the space as N(0, I) does
    "c": 8 numbers are too few to tell the digits apart
    """
    return "b"


exercise(
    target=why_noise_fails,
    title="Why are they scribbles?",
    mistakes={
        "too few layers": (
            "a",
            "The same decoder draws good digits from the codes of real digits, so it can draw. What differs is the codes.",
        ),
        "too few numbers": (
            "c",
            "Eight numbers were enough to rebuild digits that the model had never seen. What differs is which codes it gets.",
        ),
    },
    hints=[
        "How far from 0 are the codes of digits, and how far the random ones? Who asked them to be there?"
    ],
    minutes=3,
)
