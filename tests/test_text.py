"""Text: tokens, attention and the encoder against torch's own, and what captions must not mix up."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minigen.data.shapes import (
    SHAPES,
    VOCABULARY,
    WORDS,
    captions,
    held_out,
    indices,
    random_factors,
    scene,
    some_named,
)
from minigen.ddpm import DDPM
from minigen.diffusion import Schedule, cosine_betas
from minigen.layers import MultiHeadAttention, attend
from minigen.text import PAD, START, TextDDPM, TextEncoder, TextLayer, drop_captions, empty, tokenize
from minigen.unet import CrossAttention, TextUNet


def awake(module):
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.2)
    return module.double()


# ---- captions and tokens


def test_a_caption_names_what_it_is_told_to_name():
    picture = scene("ring", "blue", "small", "grey", "top left")
    every = torch.ones(1, 5, dtype=torch.bool)
    assert captions(picture, named=every) == captions(picture, position=True)
    assert captions(picture, named=every) == ["a small blue ring at the top left on a grey background"]
    assert captions(picture, named=~every) == ["a shape"]
    some = torch.tensor([[True, False, False, True, False]])
    assert captions(picture, named=some) == ["a ring on a grey background"]


def test_each_factor_is_named_in_its_share_and_by_itself():
    named = some_named(20_000, torch.Generator().manual_seed(0), 0.7).double()
    assert (named.mean(0) - 0.7).abs().max() < 0.02
    assert (torch.corrcoef(named.T) - torch.eye(5)).abs().max() < 0.03


def test_six_pairs_are_held_out_one_of_each_shape_and_of_each_colour():
    factors = random_factors(20_000)
    pairs = set(map(tuple, indices(factors)[held_out(factors)][:, :2].tolist()))
    assert len(pairs) == 6
    assert {shape for shape, _ in pairs} == {colour for _, colour in pairs} == set(range(6))


def test_every_caption_has_tokens_and_can_be_read_back():
    factors = random_factors(500)
    told = captions(factors, named=some_named(500, torch.Generator().manual_seed(0)))
    tokens = tokenize(told)
    assert tokens.shape == (500, 16) and (tokens[:, 0] == START).all()
    back = [" ".join(WORDS[i - 2] for i in row if i not in (PAD, START)) for row in tokens.tolist()]
    assert back == told
    longest = captions(factors, position=True)
    assert tokenize(longest).shape == (500, 16)


def test_tokens_count_from_two_and_pad_fills_up():
    tokens = tokenize(["Yes, no.", "", "no no no"], words=("no", "yes"), length=4)
    assert tokens.tolist() == [[START, 3, 2, PAD], [START, PAD, PAD, PAD], [START, 2, 2, 2]]
    assert tokenize([], length=4).shape == (0, 4)


@pytest.mark.parametrize(
    "caption, said",
    [
        ("a big orange circle", "there is no word 'orange'"),
        ("a circel", "there is no word 'circel', did you mean circle?"),
        ("at the center", "did you mean centre?"),
        ("a " * 16, "a caption should have at most 15 words; got 16: 'a a a"),
    ],
)
def test_a_caption_that_cannot_be_read_is_told_why(caption, said):
    with pytest.raises(ValueError, match=said.replace("?", r"\?")):
        tokenize([caption])


def test_captions_are_dropped_as_a_whole_each_by_itself():
    tokens = tokenize(["a red circle", "a ring"]).repeat(2000, 1)
    draws = torch.rand(4000, generator=torch.Generator().manual_seed(0))
    kept = drop_captions(tokens, draws, 0.25)
    gone = (kept == tokenize([""])).all(1)
    assert abs(gone.double().mean() - 0.25) < 0.03
    assert torch.equal(kept[~gone], tokens[~gone])
    assert torch.equal(empty(tokens), tokenize([""] * 4000))


# ---- attention


def test_attention_with_a_mask_is_that_of_torch():
    torch.manual_seed(0)
    query, key, value = (torch.randn(3, n, d, dtype=torch.float64) for n, d in ((5, 4), (7, 4), (7, 6)))
    keep = torch.rand(3, 7) < 0.6
    keep[:, 0] = True
    wanted = F.scaled_dot_product_attention(query, key, value, attn_mask=keep[:, None])
    assert (attend(query, key, value, keep) - wanted).abs().max() < 1e-12


def test_several_heads_are_those_of_torch():
    torch.manual_seed(0)
    layer = awake(MultiHeadAttention(8, 6, heads=2))
    theirs = nn.MultiheadAttention(8, 2, kdim=6, vdim=6, batch_first=True, dtype=torch.float64)
    parts = (layer.query, layer.key, layer.value)
    with torch.no_grad():
        for name, part in zip("qkv", parts, strict=True):
            getattr(theirs, f"{name}_proj_weight").copy_(part.weight)
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.load_state_dict(layer.out.state_dict())
    x, context = torch.randn(3, 5, 8, dtype=torch.float64), torch.randn(3, 4, 6, dtype=torch.float64)
    keep = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 1]]).bool()
    wanted, _ = theirs(x, context, context, key_padding_mask=~keep)
    assert (layer(x, context, keep) - wanted).abs().max() < 1e-12


def test_a_layer_of_the_encoder_is_that_of_torch():
    torch.manual_seed(0)
    layer = awake(TextLayer(8))
    theirs = nn.TransformerEncoderLayer(
        8, 4, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=True, dtype=torch.float64
    )
    look = layer.attention
    with torch.no_grad():
        theirs.self_attn.in_proj_weight.copy_(
            torch.cat([p.weight for p in (look.query, look.key, look.value)])
        )
        theirs.self_attn.in_proj_bias.copy_(torch.cat([p.bias for p in (look.query, look.key, look.value)]))
        theirs.self_attn.out_proj.load_state_dict(look.out.state_dict())
        for mine, other in ((layer.before, theirs.norm1), (layer.between, theirs.norm2)):
            other.load_state_dict(mine.state_dict())
        theirs.linear1.load_state_dict(layer.alone[0].state_dict())
        theirs.linear2.load_state_dict(layer.alone[2].state_dict())
    h, keep = (
        torch.randn(2, 5, 8, dtype=torch.float64),
        torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]).bool(),
    )
    assert (layer(h, keep) - theirs(h, src_key_padding_mask=~keep))[keep].abs().max() < 1e-12


def test_what_fills_up_a_caption_changes_no_word_and_order_does():
    torch.manual_seed(0)
    encoder = awake(TextEncoder(dim=16))
    words, keep = encoder(tokenize(["a red circle"]))
    short, _ = encoder(tokenize(["a red circle"], length=4))
    assert keep.sum() == 4 and (words[:, :4] - short).abs().max() < 1e-12
    turned, _ = encoder(tokenize(["a circle red"]))
    assert (words[:, 2] - turned[:, 3]).abs().max() > 1e-3  # the same word elsewhere


def test_pixels_look_at_words_and_not_at_what_fills_up():
    torch.manual_seed(0)
    layer = awake(CrossAttention(8, 6))
    x, words = torch.randn(2, 8, 3, 3, dtype=torch.float64), torch.randn(2, 4, 6, dtype=torch.float64)
    keep = torch.tensor([[True, True, False, False]] * 2)
    other = words.clone()
    other[:, 2:] = 9.0
    assert torch.equal(layer(x, words, keep), layer(x, other, keep))
    other[:, 1] = 9.0
    assert (layer(x, words, keep) - layer(x, other, keep)).abs().max() > 1e-3
    fresh = CrossAttention(8, 6).double()
    assert torch.equal(fresh(x, words, keep), x)


# ---- the model


def tiny():
    torch.manual_seed(0)
    return TextUNet(TextEncoder(depth=1), channels=2, width=16, multiples=(1, 2))


def test_a_network_with_words_starts_as_zeros_and_learns_to_tell_them_apart():
    network, x, t = tiny(), torch.randn(1, 2, 4, 4), torch.tensor([5])
    one, two = tokenize(["a red circle"]), tokenize(["a blue circle"])
    assert network(x, t, one).abs().max() == 0
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    assert (network(x, t, one) - network(x, t, two)).abs().max() > 1e-4


class Listener(nn.Module):
    """Stands for a network: it keeps what it is told, and answers with how many words that has."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))
        self.told = []

    def forward(self, x_t, t, tokens):
        self.told.append(tokens)
        return self.gain * (tokens > START).sum(1)[:, None, None, None] * torch.ones_like(x_t)


def test_a_model_is_told_its_captions_but_for_those_that_are_dropped():
    model = TextDDPM(Listener(), Schedule(cosine_betas(50)), (1, 2, 2), dropped=0.3)
    tokens = tokenize(["a red circle"]).repeat(3000, 1)
    model.loss((torch.zeros(3000, 1, 2, 2), tokens))
    (told,) = model.network.told
    gone = (told > START).sum(1) == 0
    assert abs(gone.double().mean() - 0.3) < 0.03 and torch.equal(told[~gone], tokens[~gone])


def test_guidance_goes_from_no_words_to_the_caption_and_beyond():
    model = TextDDPM(Listener(), Schedule(cosine_betas(50)), (1, 2, 2))
    x, tokens = torch.zeros(1, 1, 2, 2), tokenize(["a red circle"])
    found = {w: model.guided(tokens, w)(x, 20).mean().item() for w in (0.0, 1.0, 3.0)}
    assert found[0.0] == 0 and found[1.0] == pytest.approx(3) and found[3.0] == pytest.approx(9)
    assert isinstance(model.told(tokens), DDPM)


def test_the_vocabulary_has_every_name():
    assert {word for names in VOCABULARY.values() for name in names for word in name.split()} <= set(WORDS)
    assert len(set(WORDS)) == len(WORDS) and set(SHAPES) <= set(WORDS)
