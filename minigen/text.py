"""Text for pictures: the tokens of captions, an encoder of them, and a diffusion model that is told them."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from minigen.data.rows import nearest
from minigen.data.shapes import WORDS
from minigen.ddpm import ConditionalDDPM
from minigen.diffusion import Predict
from minigen.guidance import classifier_free
from minigen.layers import MultiHeadAttention
from minigen.unet import WORD

LENGTH = 16  # tokens in a caption, with the one that says that it begins
PAD, START = 0, 1  # tokens that are no words


def tokenize(captions: Iterable[str], words: Sequence[str] = WORDS, length: int = LENGTH) -> Tensor:
    """Captions as whole numbers: START, then 2 for the first of the words, 3 for the second …; PAD fills up.

    captions: of words with spaces between them; capitals, commas and full stops do not count.  length: of
    each row.  Returns (N, length), int64.
    Raises ValueError for a word that is not known, with the nearest that is, and for a caption that is too
    long.
    """
    token = {word: i for i, word in enumerate(words, start=2)}
    rows = []
    for caption in captions:
        found = caption.lower().replace(",", " ").replace(".", " ").split()
        for word in found:
            if word not in token:
                raise ValueError(f"there is no word {word!r}{nearest(word, words)}")
        if len(found) >= length:
            most = f"a caption should have at most {length - 1} words"
            raise ValueError(f"{most}; got {len(found)}: {caption!r}")
        row = [START, *(token[word] for word in found)]
        rows.append(row + [PAD] * (length - len(row)))
    return torch.tensor(rows).view(-1, length)


def drop_captions(tokens: Tensor, draws: Tensor, chance: float) -> Tensor:
    """Captions of which some are emptied, each as a whole: START alone is left.

    tokens: (N, L).  draws: (N,), each from [0, 1), evenly.  chance: the share to empty.  Returns (N, L).
    Source: Ho and Salimans 2022, Classifier-Free Diffusion Guidance, algorithm 1.
    """
    return torch.where(draws[:, None] < chance, empty(tokens), tokens)


def empty(tokens: Tensor) -> Tensor:
    """As many captions without a word: as tokens, (N, L)."""
    return torch.where(torch.arange(tokens.shape[1], device=tokens.device) == 0, START, PAD).expand_as(tokens)


class TextLayer(nn.Module):
    """Every word looks at all words of its caption, and then each is worked on by itself.

    dim: numbers for a word.
    Source: Vaswani et al. 2017, section 3.1; the norms come first, as in Radford et al. 2019.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.before, self.between = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = MultiHeadAttention(dim, dim)
        self.alone = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, h: Tensor, keep: Tensor) -> Tensor:
        """h: (N, L, dim), keep: (N, L) -> as h."""
        normed = self.before(h)
        h = h + self.attention(normed, normed, keep)
        return h + self.alone(self.between(h))


class TextEncoder(nn.Module):
    """Tokens to one vector a word, which knows the words around it.

    tokens: how many there are.  dim: numbers for a word.  depth: layers.
    Source: Vaswani et al. 2017; its size here is a thousandth of the one in Rombach et al. 2022.
    """

    def __init__(self, tokens: int = len(WORDS) + 2, dim: int = WORD, depth: int = 2, length: int = LENGTH):
        super().__init__()
        self.word, self.place = nn.Embedding(tokens, dim), nn.Embedding(length, dim)
        self.layers = nn.ModuleList(TextLayer(dim) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """tokens: (N, L) -> words (N, L, dim), and which of them are not PAD (N, L)."""
        keep = tokens != PAD
        h = self.word(tokens) + self.place.weight[: tokens.shape[1]]
        for layer in self.layers:
            h = layer(h, keep)
        return self.norm(h), keep


class TextDDPM(ConditionalDDPM):
    """A diffusion model that draws what a caption asks for.

    network: (x_t, t, tokens) -> as x_t.  The rest is as for ConditionalDDPM, with captions for labels.
    Source: Rombach et al. 2022, section 3.3; Ho and Salimans 2022, algorithms 1 and 2.
    """

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> Tensor:
        """That of DDPM, with the captions told but for those that are emptied.  batch: (x, tokens)."""
        x, tokens = batch
        draws = torch.rand(len(x), device=x.device)
        return self.told(drop_captions(tokens, draws, self.dropped)).loss((x, None))

    def guided(self, tokens: Tensor, w: float) -> Predict:
        """The prediction of the noise for these captions: (N, L), guided by w as in `classifier_free`."""
        return classifier_free(self.told(empty(tokens)).predict, self.told(tokens).predict, w)
