"""The exercises of lesson 13: variational autoencoders."""

import math
from contextlib import contextmanager

import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence
from torch.nn import functional as F

from minigen import vae
from minigen.course.catalogue import lesson
from minigen.course.source import edited
from minigen.probing.observe import unwatched

exercise = lesson("13_vae")

REFUSES = "what is refused is the library's manner, and not asked for"


def probe_kl_1d(answer, rng):
    n, m = rng.size(3, 6), rng.size(2, 4)
    mean_q, mean_p = rng.normal(n, m, leaf="mean_q"), rng.normal(n, m, leaf="mean_p")
    std_q, std_p = (rng.uniform(n, m, low=0.4, high=2.5, leaf=name) for name in ("std_q", "std_p"))
    zero, one = torch.zeros((), device=rng.device), torch.ones((), device=rng.device)
    mean, std = rng.normal(n, dtype=torch.float64), rng.uniform(n, low=0.4, high=2.5, dtype=torch.float64)
    return {
        "kl": answer(mean_q, std_q, mean_p, std_p),
        "kl of equal Gaussians": answer(mean, std, mean.clone(), std.clone()),
        "kl to the standard normal": answer(rng.normal(n), 0.3 + rng.uniform(n), zero, one),
    }


exercise(
    target=vae.kl_1d,
    title="How far is one Gaussian from another?",
    probe=probe_kl_1d,
    mistakes={
        "the other way round": (
            lambda mq, sq, mp, sp: vae.kl_1d(mp, sp, mq, sq),
            "This is KL(p ‖ q). The average is taken over draws of the first one, q, so the two ways differ.",
        ),
        "sign of the logarithm": (
            edited(vae.kl_1d, "- ratio.log()", "+ ratio.log()"),
            "Your logarithm has the wrong sign. A q that is too narrow must cost as well: log(σp/σq) grows as σq shrinks.",
        ),
        "1 not subtracted": (
            edited(vae.kl_1d, " - 1", ""),
            "Two equal Gaussians get 1/2 from you, and should get 0. The entropy of q also gives a −1/2: the average of "
            "(z − μq)² / σq² is 1.",
        ),
        "half missing": (
            edited(vae.kl_1d, "0.5 * (", "("),
            "This is twice the KL: a Gaussian's log-density has the square with a factor 1/2.",
        ),
        "half of the logarithm of σ": (
            edited(vae.kl_1d, "ratio.log()", "(std_q / std_p).log()"),
            "Your logarithm counts half. Inside the factor 1/2 stands the log of the ratio of *variances*; outside of it, "
            "the log of the ratio of standard deviations.",
        ),
        "log of the variances, whole": (
            lambda mq, sq, mp, sp: 0.5 * ((sq / sp) ** 2 + ((mq - mp) / sp) ** 2 - 1) - 2 * (sq / sp).log(),
            "Your logarithm counts twice. Outside of the factor 1/2 it is the log of the ratio of standard deviations, "
            "not of variances.",
        ),
        "no logarithm": (
            edited(vae.kl_1d, " - ratio.log()", ""),
            "The logarithm of the two normalising constants is missing. Without it, the narrowest q would be the nearest.",
        ),
        "distance not squared": (
            edited(vae.kl_1d, "((mean_q - mean_p) / std_p).square()", "((mean_q - mean_p) / std_p)"),
            "The distance of the means is not squared, so that a q on the left would be rewarded.",
        ),
        "difference of the squares": (
            edited(vae.kl_1d, "((mean_q - mean_p) / std_p).square()", "(mean_q**2 - mean_p**2) / std_p**2"),
            "You have μq² − μp². It is the distance of the means that is squared: (μq − μp)².",
        ),
        "at the mean only": (
            lambda mq, sq, mp, sp: (sp / sq).log() + ((mq - mp) / sp) ** 2 / 2,
            "This is log q(z) − log p(z) at the one point z = μq. Average over draws of q, whose squared distance from μq is "
            "σq² on average.",
        ),
        "both ways, averaged": (
            lambda mq, sq, mp, sp: (vae.kl_1d(mq, sq, mp, sp) + vae.kl_1d(mp, sp, mq, sq)) / 2,
            "You average KL(q ‖ p) and KL(p ‖ q). Only the first is wanted, the average over draws of q.",
        ),
        "both ways, added": (
            lambda mq, sq, mp, sp: vae.kl_1d(mq, sq, mp, sp) + vae.kl_1d(mp, sp, mq, sq),
            "You add KL(q ‖ p) and KL(p ‖ q). Only the first is wanted, the average over draws of q.",
        ),
        "kept above 0": (
            lambda mq, sq, mp, sp: vae.kl_1d(mq, sq, mp, sp).clamp(min=1e-6),
            "You keep the KL above a small number. It is 0 for equal Gaussians, and by itself never below.",
        ),
        "distance over σ, not σ²": (
            edited(vae.kl_1d, "((mean_q - mean_p) / std_p).square()", "(mean_q - mean_p).square() / std_p"),
            "You divide the squared distance of the means by σp. The log-density of p divides it by the variance σp².",
        ),
        "distance not divided": (
            edited(vae.kl_1d, "((mean_q - mean_p) / std_p).square()", "(mean_q - mean_p).square()"),
            "The distance of the means is not measured in units of σp. A wide p hardly minds where q is.",
        ),
        "distance in units of q": (
            edited(vae.kl_1d, "(mean_q - mean_p) / std_p", "(mean_q - mean_p) / std_q"),
            "You measure the distance of the means in units of σq. It comes from log p, so p's own σ counts.",
        ),
        "both over σp": (
            lambda mq, sq, mp, sp: (sp / sq).log() + (sq**2 + (mq - mp) ** 2) / (2 * sp) - 0.5,
            "You divide by σp where p's variance belongs: the log-density of p has (z − μp)² / (2σp²).",
        ),
        "both in units of q": (
            lambda mq, sq, mp, sp: (sp / sq).log() + (sq**2 + (mq - mp) ** 2) / (2 * sq**2) - 0.5,
            "You divide by q's variance. The average of (z − μp)² comes from log p, so p's variance divides it.",
        ),
        "σq not squared": (
            lambda mq, sq, mp, sp: (sp / sq).log() + (sq + (mq - mp) ** 2) / (2 * sp**2) - 0.5,
            "σq is not squared. The average of (z − μq)² over draws of q is the variance, σq².",
        ),
        "half missing in the fraction": (
            lambda mq, sq, mp, sp: (sp / sq).log() + (sq**2 + (mq - mp) ** 2) / sp**2 - 0.5,
            "The fraction lacks its factor 1/2: two equal Gaussians get 1/2 from you, and should get 0.",
        ),
        "multiplied by the variance": (
            lambda mq, sq, mp, sp: (sp / sq).log() + (sq**2 + (mq - mp) ** 2) / 2 * sp**2 - 0.5,
            "You multiply by p's variance where you should divide. In Python, `a / 2 * b` is (a / 2) · b.",
        ),
        "one term not divided": (
            lambda mq, sq, mp, sp: (sp / sq).log() + sq**2 + (mq - mp) ** 2 / (2 * sp**2) - 0.5,
            "σq² is not divided by 2σp². In Python, `a + b / c` divides b alone: put the sum in parentheses.",
        ),
        "log to the base 2": (
            lambda mq, sq, mp, sp: (sp / sq).log2() + (sq**2 + (mq - mp) ** 2) / (2 * sp**2) - 0.5,
            "You take the logarithm to the base 2. In nats, all logarithms are natural.",
        ),
        "N(0, 1) for p": (
            lambda mq, sq, mp, sp: 0.5 * (sq**2 + mq**2 - 1 - 2 * sq.log()) + 0 * (mp + sp),
            "This is the KL to N(0, 1), whatever p is. Here p has a mean and a spread of its own.",
        ),
        "no distance": (
            edited(vae.kl_1d, " + ((mean_q - mean_p) / std_p).square()", ""),
            "The means do not enter. Draws of q are on average σq² + (μq − μp)² away from μp, squared.",
        ),
        "standard deviations for variances": (
            edited(vae.kl_1d, "ratio = (std_q / std_p).square()", "ratio = std_q / std_p"),
            "You use the ratio of the standard deviations where the ratio of the variances belongs: std is σ, and a "
            "density holds σ².",
        ),
        "taken for variances": (
            lambda mq, sq, mp, sp: 0.5 * (sq / sp + (mq - mp) ** 2 / sp - 1 - (sq / sp).log()),
            "You take `std_q` and `std_p` for variances. They are standard deviations: square them.",
        ),
        "in bits": (
            lambda mq, sq, mp, sp: vae.kl_1d(mq, sq, mp, sp) / math.log(2),
            "This is in bits. Nats are wanted: the natural logarithm.",
        ),
        "cross-entropy": (
            lambda mq, sq, mp, sp: 0.5 * (
                (sq / sp) ** 2 + ((mq - mp) / sp) ** 2 + (2 * math.pi * sp**2).log()
            ),
            "This is the average of −log p alone. The KL adds the average of log q to it.",
        ),
        "summed": (
            lambda *a: vae.kl_1d(*a).sum(),
            "You add everything up. One KL for each pair of Gaussians is wanted: what goes in as (N, k) comes out as (N, k).",
        ),
        "averaged": (
            lambda *a: vae.kl_1d(*a).mean(),
            "You average over everything. One KL for each pair of Gaussians is wanted.",
        ),
    },
    accepts=[
        lambda mq, sq, mp, sp: kl_divergence(Normal(mq, sq), Normal(mp, sp)),
        lambda mq, sq, mp, sp: (sp / sq).log() + (sq**2 + (mq - mp) ** 2) / (2 * sp**2) - 0.5,
        lambda mq, sq, mp, sp: sp.log() - sq.log() + ((sq / sp) ** 2 + ((mq - mp) / sp) ** 2 - 1) / 2,
    ],
    hints=[
        "log N(z; μ, σ²) = −(z − μ)² / (2σ²) − log σ − log √(2π). Write it down for q and for p, and subtract: √(2π) is gone.",
        "Now average over draws z of q. The average of (z − μq)² is σq². And the average of (z − μp)², which is around "
        "another centre?",
        "It is σq² + (μq − μp)². What is left: a difference of two log σ, and two fractions, one of which is just 1/2.",
    ],
    points=2,
    minutes=15,
)  # fmt: skip


def probe_kl_standard(answer, rng):
    n, k = rng.size(3, 6), rng.size(2, 5)
    same = rng.normal(n, k)
    return {
        "kl": answer(rng.normal(n, k, leaf=True), rng.uniform(n, k, low=0.1, high=2, leaf=True)),
        "kl of N(mu, I)": answer(same, torch.zeros_like(same)),
    }


PRICE = "mu.square() + logvar.exp() - 1 - logvar"

exercise(
    target=vae.kl_standard,
    title="Repair: a distance from N(0, I)",
    probe=probe_kl_standard,
    repair="sign, and log σ for log σ²",
    mistakes={
        "sign, and log σ for log σ²": (
            edited(vae.kl_standard, PRICE, "1 + 2 * logvar - mu.square() - (2 * logvar).exp()"),
            "Two bugs are left. This is −KL, and it takes `logvar` for log σ where it is log σ².",
        ),
        "sign, and 2 left in the exponential": (
            edited(vae.kl_standard, PRICE, "1 + logvar - mu.square() - (2 * logvar).exp()"),
            "One 2 is gone, the one in the exponential is left: σ² = exp(logvar). And the sign is still wrong: this is −KL.",
        ),
        "sign, and 2 left before logvar": (
            edited(vae.kl_standard, PRICE, "1 + 2 * logvar - mu.square() - logvar.exp()"),
            "One 2 is gone, the other is left: log σ² is `logvar` itself. And the sign is still wrong: this is −KL.",
        ),
        "log σ for log σ²": (
            edited(vae.kl_standard, "logvar.exp() - 1 - logvar", "(2 * logvar).exp() - 1 - 2 * logvar"),
            "This takes `logvar` for log σ. It is the log of the variance, log σ², so σ² = exp(logvar), and no 2 is needed.",
        ),
        "sign of mu": (
            lambda mu, logvar: 0.5 * (logvar.exp() - 1 - logvar - mu.square()).sum(1),
            "mu² has the wrong sign: a code far from 0 should cost, and you reward it.",
        ),
        "sign of logvar, and log σ for log σ²": (
            lambda mu, logvar: 0.5 * (mu.square() + (2 * logvar).exp() - 1 + 2 * logvar).sum(1),
            "The sign of `logvar` is wrong: a q that is too narrow should cost. And it is taken for log σ where it is log σ².",
        ),
        "sign, and halved for doubled": (
            lambda mu, logvar: 0.5 * (1 + logvar / 2 - mu.square() - (logvar / 2).exp()).sum(1),
            "This is of the wrong sign, and has σ and log σ where σ² and log σ² belong: no half of `logvar` is needed.",
        ),
        "mean over the code": (
            edited(vae.kl_standard, ".sum(1)", ".mean(1)"),
            "You average over the numbers of the code. Independent numbers add their KLs, so sum: else a code of 8 numbers "
            "weighs 8 times too little beside an error that is summed over pixels.",
        ),
        "mean over everything": (
            edited(vae.kl_standard, ".sum(1)", ".mean()"),
            "You average over everything. Sum over the numbers of a code, and keep one value for each picture.",
        ),
        "sum over everything": (
            edited(vae.kl_standard, ".sum(1)", ".sum()"),
            "You add up the pictures of the batch too. Sum over the numbers of each code, dimension 1: one value a picture.",
        ),
        "averaged over the batch already": (
            edited(vae.kl_standard, ".sum(1)", ".sum(1).mean()"),
            "You also average over the batch. Here one value for each picture is wanted; `loss` averages later.",
        ),
        "sum over the batch": (
            edited(vae.kl_standard, ".sum(1)", ".sum(0)"),
            "You add up the pictures and keep the numbers of the code apart. It is the other way round: dimension 1.",
        ),
        "not summed": (
            edited(vae.kl_standard, ".sum(1)", ""),
            "You have one KL for each number of the code. Add up those of a picture.",
        ),
        "sign": (
            lambda mu, logvar: -vae.kl_standard(mu, logvar),
            "This is −KL. A KL is never below 0; with this sign, training would push the codes away from N(0, I).",
        ),
        "half missing": (
            edited(vae.kl_standard, "0.5 * (", "("),
            "This is twice the KL: the factor 1/2 of the Gaussian's exponent is missing.",
        ),
        "σ for σ²": (
            edited(vae.kl_standard, "logvar.exp()", "(logvar / 2).exp()"),
            "You have σ where the variance belongs: exp(logvar / 2) is σ, and exp(logvar) is σ².",
        ),
        "1 not subtracted": (
            edited(vae.kl_standard, " - 1", ""),
            "N(0, I) itself gets more than 0 from you: a 1 must be subtracted for each number.",
        ),
        "sign of logvar": (
            edited(vae.kl_standard, "- logvar)", "+ logvar)"),
            "logvar has the wrong sign: a q that is too narrow should cost, and you reward it.",
        ),
        "exponential missing": (
            edited(vae.kl_standard, "logvar.exp() - 1 - logvar", "logvar - 1 - (logvar + 1e-9).log()"),
            "You take `logvar` for the variance itself. It is the log of it: σ² = exp(logvar).",
        ),
        "2 left in the exponential": (
            edited(vae.kl_standard, "logvar.exp()", "(2 * logvar).exp()"),
            "One 2 is gone, the one in the exponential is left: σ² = exp(logvar).",
        ),
        "2 left before logvar": (
            edited(vae.kl_standard, "- logvar)", "- 2 * logvar)"),
            "One 2 is gone, the other is left: log σ² is `logvar` itself.",
        ),
        "halved for doubled": (
            edited(vae.kl_standard, "logvar.exp() - 1 - logvar", "(logvar / 2).exp() - 1 - logvar / 2"),
            "You have σ and log σ where σ² and log σ² belong: no half of `logvar` is needed.",
        ),
        "1 subtracted once": (
            lambda mu, logvar: 0.5 * ((mu.square() + logvar.exp() - logvar).sum(1) - 1),
            "You subtract the 1 once for a picture. Every number of the code has its own.",
        ),
        "mu not squared": (
            edited(vae.kl_standard, "mu.square()", "mu"),
            "mu is not squared, so a code far below 0 would count as better than one at 0.",
        ),
        "size of mu for its square": (
            edited(vae.kl_standard, "mu.square()", "mu.abs()"),
            "You have |mu|. The log-density of N(0, 1) falls with the square.",
        ),
        "the other way round": (
            lambda mu, logvar: 0.5 * (((-logvar).exp() * (1 + mu**2)) - 1 + logvar).sum(1),
            "This is KL(N(0, I) ‖ q). The ELBO has the average over q, so q comes first.",
        ),
    },
    accepts=[
        lambda mu, logvar: -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1),
        lambda mu, logvar: kl_divergence(
            Normal(mu, (logvar / 2).exp()), Normal(torch.zeros_like(mu), torch.ones_like(mu))
        ).sum(-1),
        lambda mu, logvar: vae.kl_1d(mu, (0.5 * logvar).exp(), mu.new_zeros(()), mu.new_ones(())).sum(dim=1),
    ],
    hints=[
        "Take your `kl_1d` with μp = 0 and σp = 1. What is left of it?",
        "What are σ², and log σ², in terms of `logvar`?",
    ],
    points=1,
    minutes=8,
)


def probe_kl_full(answer, rng):
    k = rng.size(2, 5)
    roots = [rng.normal(k, k + 4, dtype=torch.float64) for _ in range(2)]
    covariance_q, covariance_p = (root @ root.T / k for root in roots)
    mean_q, mean_p = (rng.normal(k, dtype=torch.float64) for _ in range(2))
    return {
        "kl": answer(mean_q, covariance_q, mean_p, covariance_p),
        "kl at equal means": answer(mean_p, covariance_q, mean_p, covariance_p),
    }


def kl_full_by_inverse(mean_q, covariance_q, mean_p, covariance_p):
    inverse, away = torch.linalg.inv(covariance_p), mean_q - mean_p
    log_ratio = torch.logdet(covariance_p) - torch.logdet(covariance_q)
    return 0.5 * ((inverse @ covariance_q).trace() + away @ inverse @ away - len(away) + log_ratio)


def kl_full_by_slogdet(mean_q, covariance_q, mean_p, covariance_p):
    away = mean_q - mean_p
    trace = torch.linalg.solve(covariance_p, covariance_q).diagonal().sum()
    distance = away.dot(torch.linalg.solve(covariance_p, away))
    logs = torch.linalg.slogdet(covariance_p).logabsdet - torch.linalg.slogdet(covariance_q).logabsdet
    return (trace + distance - away.shape[0] + logs) / 2


def kl_full_on_the_diagonal(mean_q, covariance_q, mean_p, covariance_p):
    stds = (c.diagonal().sqrt() for c in (covariance_q, covariance_p))
    std_q, std_p = stds
    return vae.kl_1d(mean_q, std_q, mean_p, std_p).sum()


exercise(
    target=vae.kl_full,
    title="The same, with correlations",
    probe=probe_kl_full,
    tolerance=1e-7,
    mistakes={
        "the other way round": (
            lambda mq, cq, mp, cp: kl_full_by_inverse(mp, cp, mq, cq),
            "This is KL(p ‖ q): the trace and the distance need the inverse of p's covariance, not of q's.",
        ),
        "sign of the logarithm": (
            edited(kl_full_by_inverse, "torch.logdet(covariance_p) - torch.logdet(covariance_q)",
                   "torch.logdet(covariance_q) - torch.logdet(covariance_p)"),
            "The log-determinants stand the wrong way round. In one dimension the term is log(σp² / σq²).",
        ),
        "determinant of one missing": (
            edited(kl_full_by_inverse, "torch.logdet(covariance_p) - torch.logdet(covariance_q)",
                   "-torch.logdet(covariance_q)"),
            "log |Σp| is missing; it is 0 only for a p of volume 1, as N(0, I).",
        ),
        "no logarithm": (
            edited(kl_full_by_inverse, " + log_ratio", ""),
            "The log-determinants are missing. They are the normalising constants of the two densities.",
        ),
        "logarithm not halved": (
            edited(kl_full_by_inverse, " + log_ratio)", ") + log_ratio"),
            "The logarithm counts twice. Outside of the factor 1/2 it would be the log-determinant of the Cholesky "
            "factors, which is half of that of the covariances.",
        ),
        "logarithm halved twice": (
            edited(kl_full_by_inverse, " + log_ratio", " + log_ratio / 2"),
            "The logarithm counts half. The log-determinant of a Cholesky factor is half of the covariance's: inside the "
            "factor 1/2, double it.",
        ),
        "k not subtracted": (
            edited(kl_full_by_inverse, " - len(away)", ""),
            "Two equal Gaussians get k/2 from you, and should get 0. In one dimension a 1 was subtracted; here it is k.",
        ),
        "1 for k": (
            edited(kl_full_by_inverse, "len(away)", "1"),
            "You subtract 1. Every one of the k dimensions gives a 1: the trace of the identity is k.",
        ),
        "half missing": (
            edited(kl_full_by_inverse, "0.5 * (", "("),
            "This is twice the KL: the factor 1/2 is missing.",
        ),
        "diagonals only": (
            kl_full_on_the_diagonal,
            "You use the diagonals of the covariances. That is right only where nothing is correlated.",
        ),
        "number by number": (
            edited(kl_full_by_inverse, "(inverse @ covariance_q).trace()", "(covariance_q / covariance_p).trace()"),
            "You divide the covariances number by number. To divide by a matrix is to multiply by its inverse.",
        ),
        "inverse number by number": (
            edited(kl_full_by_inverse, "torch.linalg.inv(covariance_p)", "1 / covariance_p"),
            "1 / Σ takes one over each number. The inverse of the matrix is `torch.linalg.inv`, or better a `solve`.",
        ),
        "product without inverse": (
            edited(kl_full_by_inverse, "torch.linalg.inv(covariance_p)", "covariance_p"),
            "You multiply by Σp where you should divide by it: its inverse is wanted in the trace and in the distance.",
        ),
        "sum for trace": (
            edited(kl_full_by_inverse, "(inverse @ covariance_q).trace()", "(inverse @ covariance_q).sum()"),
            "You add up the whole matrix Σp⁻¹ Σq. The average of a quadratic form is the sum of its diagonal, the trace.",
        ),
        "distance in units of q": (
            edited(kl_full_by_inverse, "away @ inverse @ away", "away @ torch.linalg.inv(covariance_q) @ away"),
            "You measure the distance of the means with Σq. It comes from log p, so it is Σp that counts.",
        ),
        "distance as the crow flies": (
            edited(kl_full_by_inverse, "away @ inverse @ away", "away @ away"),
            "The distance of the means is not measured in p's units: where p is wide, a step counts less.",
        ),
        "trace the other way round": (
            edited(kl_full_by_inverse, "(inverse @ covariance_q)", "(torch.linalg.inv(covariance_q) @ covariance_p)"),
            "The trace stands the wrong way round: it is Σp that divides. In one dimension it is σq² / σp².",
        ),
        "trace without inverse": (
            edited(kl_full_by_inverse, "(inverse @ covariance_q)", "(covariance_p @ covariance_q)"),
            "You multiply by Σp in the trace. In one dimension the term is σq² / σp²: multiply by the inverse.",
        ),
        "trace of products number by number": (
            edited(kl_full_by_inverse, "(inverse @ covariance_q)", "(inverse * covariance_q)"),
            "You multiply the two matrices number by number (`*`). The trace is that of their matrix product (`@`).",
        ),
        "trace averaged": (
            edited(kl_full_by_inverse, "(inverse @ covariance_q).trace()", "(inverse @ covariance_q).diagonal().mean()"),
            "You average the diagonal. The trace is its sum.",
        ),
        "product of the traces": (
            edited(kl_full_by_inverse, "(inverse @ covariance_q).trace()", "inverse.trace() * covariance_q.trace()"),
            "You multiply two traces. The trace of a product is not the product of the traces: multiply the matrices first.",
        ),
        "ratio of the traces": (
            edited(kl_full_by_inverse, "(inverse @ covariance_q).trace()", "covariance_q.trace() / covariance_p.trace()"),
            "You divide one trace by the other. Each direction has its own ratio: take the trace of Σp⁻¹ Σq.",
        ),
        "trace alone halved": (
            edited(kl_full_by_inverse, "0.5 * ((inverse @ covariance_q).trace()", "(0.5 * (inverse @ covariance_q).trace()"),
            "Only the trace is halved. The factor 1/2 stands before all the terms: put their sum in parentheses.",
        ),
        "trace not halved": (
            edited(kl_full_by_inverse, "(inverse @ covariance_q).trace()", "2 * (inverse @ covariance_q).trace()"),
            "The trace counts twice: the factor 1/2 stands before it too.",
        ),
        "distance not halved": (
            edited(kl_full_by_inverse, "away @ inverse @ away", "2 * away @ inverse @ away"),
            "The distance of the means counts twice: the factor 1/2 stands before it too.",
        ),
        "k not halved": (
            edited(kl_full_by_inverse, "len(away)", "2 * len(away)"),
            "You subtract k, and should subtract k/2: the factor 1/2 stands before it too.",
        ),
        "k halved twice": (
            edited(kl_full_by_inverse, "len(away)", "len(away) / 2"),
            "You subtract k/2 inside the factor 1/2, so k is halved twice. Two equal Gaussians should get 0.",
        ),
        "trace left out": (
            edited(kl_full_by_inverse, "(inverse @ covariance_q).trace() + ", ""),
            "The trace is missing: how wide q is, measured in p's units.",
        ),
        "determinants for their logarithms": (
            edited(kl_full_by_inverse, "torch.logdet(covariance_p) - torch.logdet(covariance_q)",
                   "torch.det(covariance_p) / torch.det(covariance_q)"),
            "You have the ratio of the determinants; its logarithm is wanted.",
        ),
        "ratio of the logarithms": (
            edited(kl_full_by_inverse, "torch.logdet(covariance_p) - torch.logdet(covariance_q)",
                   "torch.logdet(covariance_p) / torch.logdet(covariance_q)"),
            "You divide two logarithms. The logarithm of a ratio is their difference.",
        ),
        "determinants of the diagonals": (
            edited(kl_full_by_inverse, "torch.logdet(covariance_p) - torch.logdet(covariance_q)",
                   "covariance_p.diagonal().log().sum() - covariance_q.diagonal().log().sum()"),
            "Your determinants are products of the diagonals. That is right for a triangle, as a Cholesky factor is, and not "
            "for a covariance.",
        ),
        "distance on the diagonal": (
            edited(kl_full_by_inverse, "away @ inverse @ away", "(away * inverse.diagonal() * away).sum()"),
            "You use the diagonal of Σp⁻¹ for the distance of the means. What is beside it counts too: dᵀ Σp⁻¹ d.",
        ),
        "distance broadcast": (
            edited(kl_full_by_inverse, "away @ inverse @ away", "(away * inverse * away).sum()"),
            "`*` multiplies every column by a number, twice. For dᵀ Σp⁻¹ d use `@`.",
        ),
        "inverse applied twice": (
            edited(kl_full_by_inverse, "away @ inverse @ away", "(inverse @ away).square().sum()"),
            "You square Σp⁻¹ d, and so apply the inverse twice. It is dᵀ Σp⁻¹ d: d on both sides, the inverse once.",
        ),
        "distance without inverse": (
            edited(kl_full_by_inverse, "away @ inverse @ away", "away @ covariance_p @ away"),
            "The distance is multiplied by Σp where it should be divided: dᵀ Σp⁻¹ d.",
        ),
        "root of the distance": (
            edited(kl_full_by_inverse, "away @ inverse @ away", "(away @ inverse @ away).sqrt()"),
            "You take the root of dᵀ Σp⁻¹ d, as for a distance. The exponent of a Gaussian has the square.",
        ),
        "no distance": (
            edited(kl_full_by_inverse, " + away @ inverse @ away", ""),
            "The means do not enter.",
        ),
        "covariances for factors": (
            lambda mq, cq, mp, cp: kl_full_by_inverse(mq, cq @ cq, mp, cp @ cp),
            "You take the covariances for standard deviations, and square them once more.",
        ),
        "factors for covariances": (
            lambda mq, cq, mp, cp: kl_full_by_inverse(mq, torch.linalg.cholesky(cq), mp, torch.linalg.cholesky(cp)),
            "You put the Cholesky factors where the covariances belong: L Lᵀ is the covariance, as σ² is the variance.",
        ),
    },
    accepts=[
        kl_full_by_inverse,
        kl_full_by_slogdet,
        lambda mq, cq, mp, cp: kl_divergence(MultivariateNormal(mq, cq), MultivariateNormal(mp, cp)),
    ],
    hints=[
        "Go through `kl_1d` term by term. σq²/σp² becomes the trace of Σp⁻¹ Σq; what stands for the other terms?",
        "(μq − μp)²/σp² becomes dᵀ Σp⁻¹ d; log σ² becomes log |Σ|; and 1, the trace of a 1×1 identity, becomes k.",
        "`torch.linalg.solve(A, B)` is A⁻¹ B, `torch.logdet(A)` is log |A|. (Our version takes Cholesky factors, which stay "
        "exact for longer when a covariance is nearly flat.)",
    ],
    points=3,
    minutes=20,
)  # fmt: skip


def probe_reparameterize(answer, rng):
    n, k = rng.size(2, 5), rng.size(6, 9)
    variances = torch.tensor([[4.0, 9.0]], device=rng.device)
    zeros, ones = torch.zeros_like(variances), torch.ones_like(variances)
    return {
        "z for σ² = 4 and σ² = 9": answer(zeros, variances.log(), ones),
        "z": answer(
            rng.normal(n, k, leaf=True), rng.uniform(n, k, low=0.2, high=2, leaf=True), rng.normal(n, k)
        ),
    }


exercise(
    target=vae.reparameterize,
    title="Sample so that gradients flow",
    probe=probe_reparameterize,
    mistakes={
        "std = exp(logvar)": (
            edited(vae.reparameterize, "(logvar / 2).exp()", "logvar.exp()"),
            "std grows like σ², not σ: logvar is the log of the variance, so σ = exp(logvar / 2).",
        ),
        "exp(logvar) / 2": (
            edited(vae.reparameterize, "(logvar / 2).exp()", "logvar.exp() / 2"),
            "You halve the variance; its root is wanted. The 2 belongs inside: exp(logvar / 2) = √exp(logvar).",
        ),
        "logvar for std": (
            edited(vae.reparameterize, "(logvar / 2).exp()", "logvar"),
            "You stretch the noise by `logvar` itself. It is a logarithm, and may be negative: take the exponential first.",
        ),
        "half of logvar for std": (
            edited(vae.reparameterize, "(logvar / 2).exp()", "(logvar / 2)"),
            "logvar / 2 is log σ. The exponential is missing: σ = exp(logvar / 2).",
        ),
        "root of logvar": (
            edited(vae.reparameterize, "(logvar / 2).exp()", "logvar.sqrt()"),
            "You take the root of `logvar`. It is a logarithm, and may be negative: the root is to be taken of the variance, "
            "√exp(logvar), which is exp(logvar / 2).",
        ),
        "softplus": (
            edited(vae.reparameterize, "(logvar / 2).exp()", "F.softplus(logvar)"),
            "softplus makes a positive number, but not σ. `logvar` is log σ², so σ = exp(logvar / 2).",
        ),
        "noise added": (
            lambda mu, logvar, eps: mu + (logvar / 2).exp() + eps,
            "You add σ and the noise. Then the spread is 1 everywhere: multiply the noise by σ.",
        ),
        "mu stretched, not the noise": (
            lambda mu, logvar, eps: mu * (logvar / 2).exp() + eps,
            "You multiply mu by σ, and leave the noise as it is. It is the noise that gets the spread.",
        ),
        "noise subtracted": (
            edited(vae.reparameterize, "mu + ", "mu - "),
            "You subtract the noise. The distribution is the right one, but this `eps` should move the code upwards by σ·eps.",
        ),
        "one σ for all": (
            edited(vae.reparameterize, "(logvar / 2).exp()", "(logvar / 2).exp().mean()"),
            "You use one σ for all. Every number of every code has its own.",
        ),
        "σ² squared": (
            edited(vae.reparameterize, "logvar / 2", "logvar * 2"),
            "exp(2 · logvar) is the variance squared. The root of the variance is wanted: exp(logvar / 2).",
        ),
        "divided by σ": (
            edited(vae.reparameterize, "(logvar / 2)", "(-logvar / 2)"),
            "You divide the noise by σ. To get a spread of σ out of a spread of 1, multiply.",
        ),
        "size of the noise": (
            edited(vae.reparameterize, "* eps", "* eps.abs()"),
            "You take |eps|, so every draw lies above mu. The noise must go both ways.",
        ),
        "noise squared": (
            edited(vae.reparameterize, "* eps", "* eps**2"),
            "You square the noise. Then it is no longer normal, and every draw lies above mu.",
        ),
        "base 10": (
            edited(vae.reparameterize, "(logvar / 2).exp()", "10 ** (logvar / 2)"),
            "You raise 10 to a power. `logvar` is a natural logarithm: use `exp`.",
        ),
        "mu stretched too": (
            lambda mu, logvar, eps: (mu + eps) * (logvar / 2).exp(),
            "You stretch mu as well. Stretch the noise alone, then shift it by mu.",
        ),
        "noise around 1": (
            lambda mu, logvar, eps: mu * eps + (logvar / 2).exp(),
            "mu and σ have changed places: the noise is multiplied by σ, and mu is added.",
        ),
        "not shifted": (
            edited(vae.reparameterize, "mu + ", ""),
            "Your draws are centred on 0. Add mu.",
        ),
        "not stretched": (
            edited(vae.reparameterize, "(logvar / 2).exp() * ", ""),
            "Your draws have a spread of 1 everywhere. Multiply the noise by σ.",
        ),
        "no noise": (
            edited(vae.reparameterize, " * eps", ""),
            "The noise is missing: this is one fixed point, one σ above mu, and not a draw.",
        ),
        "mu alone": (
            lambda mu, logvar, eps: mu + 0 * logvar,
            "You return the mean and no draw. Without noise, nothing makes neighbouring codes mean similar pictures.",
        ),
        "noise of its own": (
            lambda mu, logvar, eps: mu + (logvar / 2).exp() * torch.randn_like(mu),
            "You draw noise of your own. The noise comes in as `eps`, so that the same call gives the same result.",
        ),
        "a draw without gradient": (
            lambda mu, logvar, eps: torch.normal(mu, (logvar / 2).exp()).detach(),
            "You ask torch for a draw from N(mu, σ²). It has the right distribution, and no gradient: the draw does not say "
            "how it would move with mu and σ. Build it out of `eps`.",
        ),
        "code detached": (
            lambda mu, logvar, eps: (mu + (logvar / 2).exp() * eps).detach(),
            "The values are right, but the code is cut off from the gradient (`detach`, `no_grad`, `.data`): what the decoder "
            "wants would never reach the encoder. The whole point of this function is that gradients pass.",
        ),
        "spread detached": (
            edited(vae.reparameterize, "(logvar / 2).exp()", "(logvar / 2).exp().detach()"),
            "The values are right, but no gradient reaches `logvar`: the noise term is detached. The encoder could then never "
            "learn how sure it should be.",
        ),
        "mean detached": (
            edited(vae.reparameterize, "mu + ", "mu.detach() + "),
            "The values are right, but no gradient reaches `mu`: it is detached, so that the encoder cannot move its codes.",
        ),
    },
    accepts=[
        lambda mu, logvar, eps: mu + eps * torch.exp(0.5 * logvar),
        lambda mu, logvar, eps: mu + logvar.exp().sqrt() * eps,
        lambda mu, logvar, eps: torch.addcmul(mu, (logvar * 0.5).exp(), eps),
    ],
    hints=[
        "If ε is drawn from N(0, 1), what are the mean and the spread of a + b·ε?",
        "So you need σ. You have logvar = log σ². What is its half?",
    ],
    points=2,
    minutes=8,
)  # fmt: skip


def probe_gaussian_nll(answer, rng):
    n, c, h = rng.size(2, 5), rng.size(2, 3), rng.size(3, 5)
    x, mean = rng.images(n, c, h, leaf=True), rng.images(n, c, h, leaf=True)
    log_std = rng.normal(leaf="log_std") / 2 - 1
    return {
        "nll": answer(x, mean, log_std),
    }


exercise(
    target=vae.gaussian_nll,
    title="A Gaussian for every pixel",
    probe=probe_gaussian_nll,
    mistakes={
        "mean over the pixels": (
            edited(vae.gaussian_nll, ".sum(1)", ".mean(1)"),
            "You average over the pixels. The probabilities of independent pixels multiply, so their logarithms add: sum.",
        ),
        "mean over everything": (
            edited(vae.gaussian_nll, ".flatten(1).sum(1)", ".mean()"),
            "You average over everything. Sum over the pixels of a picture, and keep one value for each picture.",
        ),
        "sum over everything": (
            edited(vae.gaussian_nll, ".flatten(1).sum(1)", ".sum()"),
            "You add up the pictures of the batch too. One value for each picture is wanted.",
        ),
        "averaged over the batch already": (
            edited(vae.gaussian_nll, ".sum(1)", ".sum(1).mean()"),
            "You also average over the batch. One value for each picture is wanted.",
        ),
        "sum over the columns": (
            edited(vae.gaussian_nll, ".flatten(1).sum(1)", ".sum(-1)"),
            "You sum over the last dimension only, the columns. All pixels and channels of a picture belong in the sum.",
        ),
        "log-likelihood": (
            lambda x, mean, log_std: -vae.gaussian_nll(x, mean, log_std),
            "This is log p. Its negative is wanted, which training makes small.",
        ),
        "constant forgotten": (
            edited(vae.gaussian_nll, " + 0.5 * math.log(2 * math.pi)", ""),
            "The constant log √(2π) of each pixel is missing. Training does not notice; but then the result is no "
            "log-density, and cannot be compared with another model's.",
        ),
        "constant once": (
            lambda x, mean, log_std: (0.5 * ((x - mean) / log_std.exp()) ** 2 + log_std).flatten(1).sum(1)
            + 0.5 * math.log(2 * math.pi),
            "You add log √(2π) once for a picture. Every pixel has a Gaussian of its own, with its own constant.",
        ),
        "whole constant": (
            edited(vae.gaussian_nll, "0.5 * math.log(2 * math.pi)", "math.log(2 * math.pi)"),
            "The constant is log √(2π), which is half of log 2π.",
        ),
        "log σ once": (
            lambda x, mean, log_std: (0.5 * ((x - mean) / log_std.exp()) ** 2 + 0.5 * math.log(2 * math.pi))
            .flatten(1).sum(1) + log_std.mean(),
            "You add log σ once for a picture. Every pixel has a Gaussian of its own, so it counts once for each pixel.",
        ),
        "log σ forgotten": (
            edited(vae.gaussian_nll, " + log_std", ""),
            "log σ is missing. Without it an ever larger σ makes the error ever smaller, for nothing.",
        ),
        "log σ and constant forgotten": (
            lambda x, mean, log_std: (0.5 * ((x - mean) / log_std.exp()) ** 2).flatten(1).sum(1),
            "This is the exponent alone. The factor 1 / (σ √(2π)) of the density gives log σ + log √(2π) for every pixel.",
        ),
        "log σ and constant once": (
            lambda x, mean, log_std: (0.5 * ((x - mean) / log_std.exp()) ** 2).flatten(1).sum(1)
            + log_std + 0.5 * math.log(2 * math.pi),
            "You add log σ and the constant once for a picture. Every pixel has a Gaussian of its own, with its own constants.",
        ),
        "log σ² in the sum": (
            edited(vae.gaussian_nll, " + log_std", " + 2 * log_std"),
            "You add log σ² for every pixel. The density has 1/σ, which is half of that.",
        ),
        "σ in the sum": (
            edited(vae.gaussian_nll, " + log_std", " + log_std.exp()"),
            "You add σ where log σ belongs: the negative logarithm of 1/σ.",
        ),
        "multiplied by the variance": (
            edited(vae.gaussian_nll, "((x - mean) / log_std.exp())", "((x - mean) * log_std.exp())"),
            "You multiply the squared error by σ². The wider the Gaussian, the less an error counts: divide. (In Python, "
            "`a / 2 * b` is (a / 2) · b.)",
        ),
        "root for the logarithm": (
            edited(vae.gaussian_nll, "0.5 * math.log(2 * math.pi)", "math.sqrt(2 * math.pi)"),
            "You add √(2π) itself. Its logarithm is wanted.",
        ),
        "density": (
            lambda x, mean, log_std: (-vae.gaussian_nll(x, mean, log_std)).exp(),
            "This is the density itself. On a picture it is so small or so large that a float cannot hold it: stay with the "
            "logarithm.",
        ),
        "sum over the batch": (
            edited(vae.gaussian_nll, ".sum(1)", ".sum(0)"),
            "You add up the pictures and keep the pixels apart. It is the other way round: dimension 1 after `flatten(1)`.",
        ),
        "sign of log σ": (
            edited(vae.gaussian_nll, " + log_std", " - log_std"),
            "log σ has the wrong sign: the density has a 1/σ, so −log p has + log σ. A wide Gaussian is low everywhere.",
        ),
        "log σ² for log σ": (
            edited(vae.gaussian_nll, "log_std.exp()", "(log_std / 2).exp()", "+ log_std +", "+ log_std / 2 +"),
            "You take `log_std` for the log of the variance. It is log σ: σ = exp(log_std).",
        ),
        "error over σ, not σ²": (
            edited(vae.gaussian_nll, "((x - mean) / log_std.exp()).square()", "(x - mean).square() / log_std.exp()"),
            "You divide the squared error by σ. A Gaussian divides it by the variance, σ².",
        ),
        "error not divided": (
            edited(vae.gaussian_nll, "((x - mean) / log_std.exp())", "(x - mean)"),
            "The error is not measured in units of σ. This is the squared error, as if σ were 1.",
        ),
        "σ without gradient": (
            edited(vae.gaussian_nll, "log_std.exp()", "log_std.exp().detach()"),
            "The values are right, but where you divide by σ it is cut off from the gradient: a Python float (`math.exp`, "
            "`.item()`) carries none, and neither does `detach`. Use `log_std.exp()`, or the spread is not learned rightly.",
        ),
        "log σ without gradient": (
            edited(vae.gaussian_nll, "+ log_std", "+ log_std.detach()"),
            "The values are right, but log σ in the sum is cut off from the gradient: a Python float (`math.log`, `.item()`) "
            "carries none, and neither does `detach`. Then training makes σ grow for ever.",
        ),
        "no gradient for log σ": (
            lambda x, mean, log_std: vae.gaussian_nll(x, mean, log_std.detach()),
            "The values are right, but no gradient reaches `log_std`: a Python float (`math.exp`, `.item()`) carries none, and "
            "neither does `detach`. Stay with tensors, or the spread is never learned.",
        ),
        "2σ squared": (
            edited(vae.gaussian_nll, "0.5 * squares", "squares / 4"),
            "You square the 2 too: (d / 2σ)² is d² / 4σ². The exponent of a Gaussian is d² / 2σ².",
        ),
        "channels forgotten in the constants": (
            lambda x, mean, log_std: (0.5 * ((x - mean) / log_std.exp()) ** 2).flatten(1).sum(1)
            + x.shape[2] * x.shape[3] * (log_std + 0.5 * math.log(2 * math.pi)),
            "You count log σ and the constant H · W times. Every channel of a pixel has a Gaussian of its own: C · H · W.",
        ),
        "log σ for σ": (
            edited(vae.gaussian_nll, "log_std.exp()", "log_std"),
            "You divide by log σ. The exponential of it is σ.",
        ),
        "half missing": (
            edited(vae.gaussian_nll, "0.5 * squares", "squares"),
            "The factor 1/2 of the Gaussian's exponent is missing before the squared error.",
        ),
        "not squared": (
            edited(vae.gaussian_nll, ".square()", ".abs()"),
            "You have the size of the error; a Gaussian has its square. (The size would be a Laplace distribution.)",
        ),
        "squared error": (
            lambda x, mean, log_std: ((x - mean) ** 2).flatten(1).sum(1) + 0 * log_std.mean(),
            "This is the squared error of lesson 10. The Gaussian divides it by 2σ², and adds log σ and a constant for "
            "every pixel.",
        ),
    },
    accepts=[
        lambda x, mean, log_std: -Normal(mean, log_std.exp().expand_as(x)).log_prob(x).flatten(1).sum(1),
        lambda x, mean, log_std: ((x - mean) ** 2 / (2 * torch.exp(2 * log_std)) + log_std
                                  + math.log(math.sqrt(2 * math.pi))).sum(dim=(1, 2, 3)),
        lambda x, mean, log_std: ((x - mean).square().sum((1, 2, 3)) * (-2 * log_std).exp()
                                  + x[0].numel() * (2 * log_std + math.log(2 * math.pi))) / 2,
        lambda x, mean, log_std: F.gaussian_nll_loss(
            mean, x, (2 * log_std).exp().expand_as(x), full=True, reduction="none").flatten(1).sum(1),
    ],
    hints=[
        "Take the negative logarithm of the density of one pixel: a product becomes a sum, and the exponential goes away.",
        "Three parts for each pixel: a squared error over 2σ², log σ, and half of log 2π.",
        "Add up all three over the pixels: `flatten(1)`, then a sum over dimension 1.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def probe_bernoulli_nll(answer, rng):
    n, c, h = rng.size(2, 5), rng.size(2, 3), rng.size(3, 5)
    x = 2.0 * rng.integers(n, c, h, h, high=2) - 1
    return {
        "nll": answer(x, 1.5 * rng.normal(n, c, h, h, leaf="logits")),
        "nll of a sure decoder": answer(x, 1000 * rng.normal(n, c, h, h)),
    }


def judge_bernoulli_nll(raw):
    """Whether rounding spoils large logits is compared by itself: so it can be told of a formula that is right."""
    sure = raw["nll of a sure decoder"]
    return {
        "nll": raw["nll"],
        "finite for a sure decoder": sure.isfinite(),
        "nll of a sure decoder": sure.where(sure.isfinite(), 0),
    }


def bce(x, logits):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


exercise(
    target=vae.bernoulli_nll,
    title="A coin for every pixel",
    probe=probe_bernoulli_nll,
    judge=judge_bernoulli_nll,
    mistakes={
        "logarithm of a rounded probability": (
            lambda x, logits: -(x * logits).sigmoid().log().flatten(1).sum(1),
            "The formula is right, but rounding breaks it: for a large logit a probability becomes exactly 0 or 1, or an `exp` "
            "overflows, and the logarithm is not finite. Stay with the logits: `softplus`, `logsigmoid`, or "
            "`binary_cross_entropy_with_logits`.",
        ),
        "logits clamped": (
            lambda x, logits: F.softplus(-x * logits.clamp(-20, 20)).flatten(1).sum(1),
            "You clamp the logits. A decoder that is sure and wrong then pays too little, and gets no gradient. `softplus` "
            "and `logsigmoid` need no clamp.",
        ),
        "x + 1 for (x + 1) / 2": (
            lambda x, logits: bce(x + 1, logits),
            "Your target is x + 1, which is 2 for white. The formula wants 0 or 1: (x + 1) / 2.",
        ),
        "in bits": (
            lambda x, logits: vae.bernoulli_nll(x, logits) / math.log(2),
            "This is in bits. Nats are wanted: the natural logarithm.",
        ),
        "−1 for 0": (
            lambda x, logits: bce(x, logits),
            "You use x as it is in a formula that wants 0 for black and 1 for white. Here black is −1: use (x + 1) / 2, or "
            "the symmetry between white and black.",
        ),
        "black and white swapped": (
            edited(vae.bernoulli_nll, "-x * logits", "x * logits"),
            "The sign is wrong: a white pixel with a large logit was probable, and you call it improbable. The logits are "
            "the log-odds of white, x = 1.",
        ),
        "mean over the pixels": (
            edited(vae.bernoulli_nll, ".sum(1)", ".mean(1)"),
            "You average over the pixels. The probabilities of independent pixels multiply, so their logarithms add: sum.",
        ),
        "mean over everything": (
            edited(vae.bernoulli_nll, ".flatten(1).sum(1)", ".mean()"),
            "You average over everything (torch's cross-entropy does that unless `reduction` says otherwise). Sum over the "
            "pixels of a picture, and keep one value for each picture.",
        ),
        "sum over everything": (
            edited(vae.bernoulli_nll, ".flatten(1).sum(1)", ".sum()"),
            "You add up the pictures of the batch too. One value for each picture is wanted.",
        ),
        "averaged over the batch already": (
            edited(vae.bernoulli_nll, ".sum(1)", ".sum(1).mean()"),
            "You also average over the batch. One value for each picture is wanted.",
        ),
        "sum over the columns": (
            edited(vae.bernoulli_nll, ".flatten(1).sum(1)", ".sum(-1)"),
            "You sum over the last dimension only, the columns. All pixels of a picture belong in the sum.",
        ),
        "not summed": (
            edited(vae.bernoulli_nll, ".flatten(1).sum(1)", ""),
            "You have one value for each pixel. Add up those of a picture.",
        ),
        "log-likelihood": (
            lambda x, logits: -vae.bernoulli_nll(x, logits),
            "This is log p. Its negative is wanted, which is never below 0.",
        ),
        "logits for probabilities": (
            lambda x, logits: F.binary_cross_entropy(logits.sigmoid().clamp(1e-6, 1 - 1e-6), (x + 1) / 2,
                                                     reduction="none").flatten(1).sum(1),
            "You turn the logits into probabilities, keep these away from 0 and 1, and take the logarithm. A decoder that is "
            "sure and wrong then pays too little, and gets no gradient. Stay with the logits: `softplus`, `logsigmoid`.",
        ),
        "torch's own clamp": (
            lambda x, logits: F.binary_cross_entropy(logits.sigmoid(), (x + 1) / 2, reduction="none")
            .flatten(1).sum(1),
            "You turn the logits into probabilities first. Rounding makes them exactly 0 or 1, whose logarithm torch stops at "
            "−100. Stay with the logits: `softplus`, `logsigmoid`, or `binary_cross_entropy_with_logits`.",
        ),
        "a small number added": (
            lambda x, logits: -((x + 1) / 2 * (logits.sigmoid() + 1e-8).log()
                                + (1 - x) / 2 * (1 - logits.sigmoid() + 1e-8).log()).flatten(1).sum(1),
            "You turn the logits into probabilities, and add a small number before the logarithm. A decoder that is sure and "
            "wrong then pays too little, and gets no gradient. Stay with the logits: `softplus`, `logsigmoid`.",
        ),
        "picture and logits swapped": (
            lambda x, logits: bce(logits, (x + 1) / 2),
            "The picture and the logits have changed places: torch's function takes the logits first, then the target.",
        ),
        "probability without logarithm": (
            lambda x, logits: -(x * logits).sigmoid().flatten(1).sum(1),
            "You add up probabilities. Those of independent pixels multiply, so it is their logarithms that add.",
        ),
        "black pixels count log 2": (
            lambda x, logits: F.softplus(-(x + 1) / 2 * logits).flatten(1).sum(1),
            "A black pixel costs log 2 whatever its logit is: you multiply by 0. With −1 for black the symmetry serves: "
            "the probability of x is sigmoid(x · logit).",
        ),
        "sigmoid twice": (
            lambda x, logits: bce((x + 1) / 2, logits.sigmoid()),
            "You apply the sigmoid, and then a function that applies it once more: then no pixel can be surer than 0.73.",
        ),
        "half of the logits": (
            edited(vae.bernoulli_nll, "-x * logits", "-x * logits / 2"),
            "Your log-odds are halved. From black (−1) to white (1) is a step of 2, but the logits are whole.",
        ),
        "twice the logits": (
            edited(vae.bernoulli_nll, "-x * logits", "-2 * x * logits"),
            "Your log-odds are doubled.",
        ),
        "white pixels only": (
            lambda x, logits: (F.softplus(-logits) * (x + 1) / 2).flatten(1).sum(1),
            "Only white pixels count. A black pixel has a probability too, 1 − p.",
        ),
        "squared error": (
            lambda x, logits: (x - (logits / 2).tanh()).square().flatten(1).sum(1),
            "This is a squared error between the picture and its mean. A Bernoulli pixel has probability p or 1 − p: take the "
            "logarithm of that.",
        ),
    },
    accepts=[
        lambda x, logits: bce((x + 1) / 2, logits),
        lambda x, logits: -F.logsigmoid(x * logits).sum(dim=(1, 2, 3)),
        lambda x, logits: torch.where(x > 0, F.softplus(-logits), F.softplus(logits)).flatten(1).sum(1),
        lambda x, logits: torch.logaddexp(torch.zeros_like(logits), -x * logits).sum((1, 2, 3)),
    ],
    hints=[
        "The probability of white is sigmoid(logit). And of black? Use sigmoid(−a) = 1 − sigmoid(a): one formula serves both.",
        "−log sigmoid(a) = log(1 + exp(−a)). torch calls it `softplus(-a)`, and computes it without overflow.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


@contextmanager
def scaled(layer, factor):
    """A block in which a layer gives `factor` times as much, by other weights: gradients of before need the old ones."""
    weights = dict(layer.named_parameters())
    for name, weight in weights.items():
        setattr(layer, name, nn.Parameter(factor * weight.detach()))
    yield
    for name, weight in weights.items():
        setattr(layer, name, weight)


class Silent(nn.Module):
    """A network that answers zeros of one shape to whatever it hears, and keeps what it heard."""

    def __init__(self, *shape):
        super().__init__()
        self.shape, self.heard = shape, []

    def forward(self, x):
        self.heard.append(x.detach())
        return x.new_zeros(len(x), *self.shape)


def probe_vae(answer, rng):
    n, latent, channels = rng.size(3, 5), rng.size(2, 4), rng.size(1, 2)
    model = unwatched(answer(channels, 8, latent, width=4, beta=rng.size(3, 5) / 2))
    x = rng.images(n, channels, leaf="x")
    nll, kl = model.terms(x, rng.normal(n, latent))  # eps is data: what its gradient is does not matter
    encodes, decodes = model.encoder[-1], model.decoder[0]
    with scaled(decodes, 0):  # the same picture for every code: no draw matters
        with scaled(encodes, 0.3):
            near = model.loss((x.detach(), None))  # a KL near 0
        with scaled(encodes, 10):
            loss = model.loss((x, None))  # its gradient is not lost beside that of the reconstruction

    # with an encoder that answers N(0, I), the codes that reach the decoder are the noise that the loss draws
    model.encoder, model.decoder = Silent(2 * latent), Silent(channels, 8, 8)
    model.loss((rng.images(500, channels), None))
    terms = {"terms: −log p(x | z)": nll, "terms: KL": kl}
    losses = {f"loss: {name}": value for name, value in loss.items()}
    losses |= {f"loss near N(0, I): {name}": value for name, value in near.items()}
    return terms | losses | {"noise": model.decoder.heard[0]}


def judge_vae(raw):
    """Any draw of N(0, I) will do: its 500 rows have mean 0 and covariance I, within 5 standard errors."""
    codes = raw.pop("noise")
    raw["noise in the loss: a draw for each picture"] = codes.std(0) > 0.01
    raw["noise in the loss: mean 0"] = codes.mean(0).abs() < 0.25
    raw["noise in the loss: covariance I"] = (codes.T.cov() - torch.eye(codes.shape[1])).abs() < 0.35
    return raw


TERMS = "return self.nll(x, reparameterize(mu, logvar, eps)), kl_standard(mu, logvar)"
LOSS = 'return {"reconstruction": nll.mean(), "kl": self.beta * kl.mean()}'

SPREAD = "The noise is multiplied by exp(logvar), which is the variance σ². It is to be multiplied by σ, which is exp(logvar / 2)."
NOISE = (
    "The noise, or σ in it, is detached, so no gradient of the reconstruction reaches `logvar`. The encoder cannot learn how sure "
    "to be: only the KL is heard, and it wants σ = 1."
)
MEAN = (
    "The reconstruction is a mean over the pixels, the KL a sum over the code. On pictures of 64 pixels the KL then counts 64 "
    "times too much, and wins: every code becomes N(0, I), and tells nothing. Both are sums."
)


CODE = (
    "The whole code is detached, mu too, so the reconstruction cannot teach the encoder. Only the KL reaches it, and that wants "
    "every code to be N(0, I)."
)
MEANS = (
    "Both terms are means, one over many pixels and the other over few numbers of a code. So the KL counts (pixels / numbers) "
    "times too much: 64 / 8 = 8 times on the digits. Both are sums."
)
PIXELS = (
    "Both terms are divided by the number of pixels. The balance is right, and the minimum is the same; but the loss is not what "
    "its docstring says, and its steps have another size. Divide neither."
)


def with_bugs(*bugs):
    """The class with some of the bugs above, written without `reparameterize` as what the repair starts from."""
    code = "logvar.exp() * eps" if SPREAD in bugs else "(logvar / 2).exp() * eps"
    code = f"mu + ({code}).detach()" if NOISE in bugs else f"mu + {code}"
    code = f"({code}).detach()" if CODE in bugs else code
    changes = [TERMS, f"z = {code}\n        return self.nll(x, z), kl_standard(mu, logvar)"]
    if MEAN in bugs or MEANS in bugs or PIXELS in bugs:
        changes += ['"reconstruction": nll.mean()', '"reconstruction": (nll / x[0].numel()).mean()']
    if MEANS in bugs or PIXELS in bugs:
        by = "self.latent" if MEANS in bugs else "x[0].numel()"
        changes += ["self.beta * kl.mean()", f"self.beta * kl.mean() / {by}"]
    return edited(vae.VAE, *changes)


def half_repaired():
    """Mistakes of two and three bugs: one bug gone and another come, or made worse."""
    names = {SPREAD: "std = exp(logvar)", NOISE: "noise detached", CODE: "code detached",
             MEAN: "mean over the pixels", MEANS: "means in both terms", PIXELS: "both divided by the pixels"}  # fmt: skip
    sets = [
        (*code, *loss) for code in ((SPREAD,), (NOISE,), (SPREAD, NOISE)) for loss in ((MEANS,), (PIXELS,))
    ]
    sets += [(*code, CODE, *loss) for code in ((), (SPREAD,)) for loss in ((), (MEAN,), (MEANS,), (PIXELS,))]
    return {
        ", and ".join(names[b] for b in bugs): (
            with_bugs(*bugs), " ".join(["Two" if len(bugs) == 2 else "Three", "bugs are left.", *bugs]),
        )
        for bugs in sets if len(bugs) > 1
    }  # fmt: skip


exercise(
    target=vae.VAE,
    title="Repair: a VAE that forgets its pictures",
    probe=probe_vae,
    judge=judge_vae,
    blank=("terms", "loss"),
    repair="three bugs",
    mistakes={
        "three bugs": (
            with_bugs(SPREAD, NOISE, MEAN),
            f"All three bugs are left. {SPREAD} {NOISE} {MEAN}",
        ),
        "mean, and noise detached": (with_bugs(NOISE, MEAN), f"Two bugs are left. {NOISE} {MEAN}"),
        "mean, and std = exp(logvar)": (with_bugs(SPREAD, MEAN), f"Two bugs are left. {SPREAD} {MEAN}"),
        "noise detached, and std = exp(logvar)": (with_bugs(SPREAD, NOISE), f"Two bugs are left. {SPREAD} {NOISE}"),
        "mean over the pixels in one term": (with_bugs(MEAN), MEAN),
        "std = exp(logvar)": (with_bugs(SPREAD), SPREAD),
        "noise detached": (with_bugs(NOISE), NOISE),
        **half_repaired(),
        "free bits": (
            edited(vae.VAE, "self.beta * kl.mean()", "self.beta * kl.clamp(min=0.5).mean()"),
            "You clamp the KL, so that a small one costs the same as none. That is a trick of section 10; the loss here is the "
            "negative ELBO, with the KL as it is.",
        ),
        "half of σ": (
            edited(vae.VAE, "reparameterize(mu, logvar, eps)", "mu + (logvar / 2).exp() / 2 * eps"),
            "You halve twice: exp(logvar / 2) is σ already.",
        ),
        "log σ for log σ² in the KL": (
            edited(vae.VAE, "kl_standard(mu, logvar)", "kl_standard(mu, 2 * logvar)"),
            "You give 2 · logvar to `kl_standard`. It takes log σ² too, which is `logvar` as it is.",
        ),
        "divided by 64": (
            edited(vae.VAE, '"reconstruction": nll.mean()', '"reconstruction": nll.mean() / 64'),
            "The reconstruction is divided by 64, as for a mean over the pixels of a digit, and the KL is a sum over the code. "
            "The KL then counts 64 times too much, and wins. Both are sums.",
        ),
        "mean over the pixels in terms": (
            edited(vae.VAE, TERMS, TERMS.replace("eps)),", "eps)) / x[0].numel(),")),
            "The first term is a mean over the pixels, and the KL a sum over the code. Both are sums: divide neither.",
        ),
        "mean over the code in one term": (
            edited(vae.VAE, TERMS, TERMS + " / self.latent"),
            "The KL is a mean over the numbers of the code, and the reconstruction a sum over the pixels. Both are sums: "
            "divided by the size of the code, the KL is too weak to keep the codes near N(0, I).",
        ),
        "mean over the code in the loss": (
            edited(vae.VAE, "self.beta * kl.mean()", "self.beta * kl.mean() / self.latent"),
            "The loss divides the KL by the size of the code, and nothing divides the reconstruction. Both are sums.",
        ),
        "means in both terms": (with_bugs(MEANS), MEANS),
        "both divided by the pixels": (with_bugs(PIXELS), PIXELS),
        "averaged in terms already": (
            edited(vae.VAE, TERMS, TERMS.replace("eps))", "eps)).mean()") + ".mean()"),
            "You average over the batch in `terms` already. It returns one value for each picture; the loss averages.",
        ),
        "terms swapped": (
            edited(vae.VAE, TERMS, "return kl_standard(mu, logvar), self.nll(x, reparameterize(mu, logvar, eps))"),
            "The two terms have changed places: first −log p(x | z), then the KL.",
        ),
        "squared error": (
            edited(vae.VAE, "self.nll(x, reparameterize(mu, logvar, eps))",
                   "(x - self.decode(reparameterize(mu, logvar, eps))).square().flatten(1).sum(1)"),
            "Your first term is a squared error. The decoder is a Gaussian with a learned σ: −log p(x | z) is `self.nll`.",
        ),
        "KL of the draw": (
            edited(vae.VAE, "kl_standard(mu, logvar)", "kl_standard(reparameterize(mu, logvar, eps), logvar)"),
            "You put the drawn code where mu belongs in the KL. The KL is of the whole distribution, not of one draw.",
        ),
        "KL detached in the loss": (
            edited(vae.VAE, "self.beta * kl.mean()", "self.beta * kl.mean().detach()"),
            "The KL is detached in the loss. It is printed and changes nothing: nothing asks the codes to be like N(0, I).",
        ),
        "reconstruction detached": (
            edited(vae.VAE, '"reconstruction": nll.mean()', '"reconstruction": nll.mean().detach()'),
            "The reconstruction is detached, so nothing learns to draw. Only the KL is left to train.",
        ),
        "loss without noise": (
            edited(vae.VAE, "torch.randn(len(x)", "torch.zeros(len(x)"),
            "The loss puts noise 0 in, so it decodes mu alone. Then nothing makes neighbouring codes mean similar pictures, "
            "and it is no bound. Draw the noise from N(0, I).",
        ),
        "uniform noise": (
            edited(vae.VAE, "torch.randn(len(x)", "torch.rand(len(x)"),
            "`torch.rand` draws from 0 to 1. N(0, I) is `torch.randn`.",
        ),
        "one noise for all pictures": (
            edited(vae.VAE, "torch.randn(len(x), self.latent, device=x.device)",
                   "torch.randn(1, self.latent, device=x.device).expand(len(x), -1)"),
            "All pictures of the batch get the same noise. Each one needs a draw of its own.",
        ),
        "one noise for the whole code": (
            edited(vae.VAE, "torch.randn(len(x), self.latent, device=x.device)",
                   "torch.randn(len(x), 1, device=x.device).expand(-1, self.latent)"),
            "All numbers of a code get the same noise. Each one needs a draw of its own.",
        ),
        "code detached": (with_bugs(CODE), CODE),
        "encoder detached from the KL": (
            edited(vae.VAE, "kl_standard(mu, logvar)", "kl_standard(mu.detach(), logvar.detach())"),
            "The KL is detached from the encoder. It is in the loss and changes nothing: nothing asks the codes to be like "
            "N(0, I).",
        ),
        "no noise": (
            edited(vae.VAE, "reparameterize(mu, logvar, eps)", "mu"),
            "You decode mu, without noise. Then σ costs a KL and serves nothing, and the result is no bound on log p(x): "
            "that is an average over draws of q.",
        ),
        "noise for the code": (
            edited(vae.VAE, "reparameterize(mu, logvar, eps)", "eps"),
            "You decode the noise itself. It knows nothing of the picture: draw the code from q(z | x).",
        ),
        "noise of its own": (
            edited(vae.VAE, "reparameterize(mu, logvar, eps)", "reparameterize(mu, logvar, torch.randn_like(mu))"),
            "You draw noise of your own in `terms`. It comes in as `eps`.",
        ),
        "mu and logvar swapped": (
            edited(vae.VAE, "reparameterize(mu, logvar, eps)", "reparameterize(logvar, mu, eps)"),
            "mu and logvar have changed places where the code is drawn.",
        ),
        "sign of the KL": (
            edited(vae.VAE, "self.beta * kl.mean()", "-self.beta * kl.mean()"),
            "The KL has the wrong sign in the loss. It is the *negative* ELBO that is made small, and −ELBO = −log p(x | z) "
            "+ KL. With this sign, training drives the codes away from N(0, I), for ever.",
        ),
        "sign of the KL in terms": (
            edited(vae.VAE, TERMS, TERMS.replace("kl_standard", "-kl_standard")),
            "The KL has the wrong sign. These are the terms of the *negative* ELBO, and −ELBO = −log p(x | z) + KL.",
        ),
        "sign of the likelihood": (
            edited(vae.VAE, "return self.nll", "return -self.nll"),
            "The first term has the wrong sign: `nll` is −log p already. With this, training makes pictures improbable.",
        ),
        "ELBO itself": (
            edited(vae.VAE, LOSS, 'return {"reconstruction": -nll.mean(), "kl": -self.beta * kl.mean()}'),
            "This is the ELBO. Training makes its loss small, so the loss must be the negative ELBO.",
        ),
        "sum over the batch": (
            edited(vae.VAE, LOSS, 'return {"reconstruction": nll.sum(), "kl": self.beta * kl.sum()}'),
            "You add up the pictures of the batch, so a larger batch takes larger steps. Average over the batch; the sums are "
            "over pixels and over the code.",
        ),
        "reconstruction added up over the batch": (
            edited(vae.VAE, '"reconstruction": nll.mean()', '"reconstruction": nll.sum()'),
            "The reconstruction is added up over the batch, and the KL averaged: the KL then counts as many times too little as "
            "there are pictures in the batch.",
        ),
        "exp(logvar) / 2": (
            edited(vae.VAE, "reparameterize(mu, logvar, eps)", "mu + logvar.exp() / 2 * eps"),
            "You halve the variance; its root is wanted. The 2 belongs inside: exp(logvar / 2) = √exp(logvar).",
        ),
        "mean detached": (
            edited(vae.VAE, "reparameterize(mu, logvar, eps)", "reparameterize(mu.detach(), logvar, eps)"),
            "mu is detached where the code is drawn, so the reconstruction cannot move the codes. Only the KL reaches mu, and "
            "wants it to be 0.",
        ),
        "sum over the batch in one term": (
            edited(vae.VAE, "self.beta * kl.mean()", "self.beta * kl.sum()"),
            "The KL is added up over the batch, and the reconstruction averaged: the KL then counts as many times too much "
            "as there are pictures in the batch.",
        ),
        "beta forgotten": (
            edited(vae.VAE, "self.beta * kl.mean()", "kl.mean()"),
            "`beta` does not enter: the KL in the loss is to be multiplied by it.",
        ),
        "beta on the other term": (
            edited(vae.VAE, LOSS, 'return {"reconstruction": self.beta * nll.mean(), "kl": kl.mean()}'),
            "`beta` multiplies the reconstruction. It is the weight of the KL.",
        ),
        "beta in terms": (
            edited(vae.VAE, TERMS, TERMS.replace("kl_standard", "self.beta * kl_standard"), "self.beta * kl.mean()",
                   "kl.mean()"),
            "`beta` stands in `terms` already. Those are the terms of the ELBO, which has no beta; only the loss has.",
        ),
    },
    accepts=[
        edited(vae.VAE, "reparameterize(mu, logvar, eps)", "mu + (logvar / 2).exp() * eps.detach()"),
        edited(vae.VAE, "self.nll(x, reparam", "gaussian_nll(x, self.decode(reparam", "eps)), kl", "eps)), self.log_std), kl"),
        edited(vae.VAE, "nll, kl = self.terms(x, torch.randn(len(x), self.latent, device=x.device))",
               "mu, logvar = self.encode(x)\n        z = mu + (logvar / 2).exp() * torch.randn_like(mu)\n"
               "        nll, kl = self.nll(x, z), kl_standard(mu, logvar)"),
    ],
    equivalents={
        "": REFUSES,
        "self": REFUSES,
        "nll, kl = self.terms(x, torch.randn(len(x), self.latent))": "nothing changes on a CPU, where checks run"
    },
    hints=[
        "Read the two docstrings word by word: what is summed, and what is averaged?",
        "You have written a function that draws a code. Is the line in `terms` the same?",
        "Each term of the loss is the mean over the batch of what `terms` returns; the KL is multiplied by beta. Is that all "
        "that happens to them?",
    ],
    points=3,
    minutes=12,
)  # fmt: skip


def collapsed() -> str:
    """A decoder no longer listens: whatever the code, it gives the same p(x). And for every picture the encoder
    answers q(z | x) = N(0, I). How far is the ELBO below log p(x), and what do decoded draws of N(0, I) show?
    "a": far below, since the encoder says nothing about x; the pictures differ from draw to draw
    "b": far below, since the encoder says nothing about x; the pictures are all the same
    "c": not below at all, they are equal; the pictures differ from draw to draw
    "d": not below at all, they are equal; the pictures are all the same
    """
    return "d"


exercise(
    target=collapsed,
    title="How good is the bound when all is lost?",
    mistakes={
        "far below, different": (
            "a",
            "Neither. The gap is KL(q ‖ p(z | x)), and by Bayes' rule p(z | x) is p(z) when x does not depend on z. And a "
            "decoder that does not listen draws one picture from all codes.",
        ),
        "far below": (
            "b",
            "The pictures are right. The gap is the KL from q(z | x) to the true posterior: by Bayes' rule, p(z | x) = "
            "p(x | z) p(z) / p(x). What is that when p(x | z) is the same for all z?",
        ),
        "equal, different": (
            "c",
            "The gap is right. But what can differ between two draws, if the decoder gives the same for every code?",
        ),
    },
    hints=[
        "The gap between log p(x) and the ELBO is KL(q(z | x) ‖ p(z | x)).",
        "Bayes' rule: p(z | x) = p(x | z) p(z) / p(x). Here p(x | z) = p(x) for every z.",
    ],
    minutes=5,
)
