# %% [markdown]
# # 00 · Start here
#
# **What is a picture, to a network?** Before a network can make pictures, we must agree on what a picture is made of.
# In this lesson you turn real handwritten digits into tensors and back, and you meet the tools that every lesson of
# the course uses: a check that tells you *which* mistake you made, hints, and your progress.
#
# About 40 minutes · 4 exercises · needs: a little Python and PyTorch.

# %%
import torch
from torch import Tensor

from minigen import show
from minigen.core import budget, device
from minigen.course import check, hint, measured, progress, solution
from minigen.data import digits, shapes

# %% [markdown]
# ## Twenty digits
#
# People wrote these numbers by hand, on a form. They are pictures of 8 × 8 pixels: small enough that a model learns
# from them in a minute on a laptop, and real enough that you see at once whether it learned anything.

# %%
images, labels = digits("train")
show.grid(images[:20], columns=10, labels=labels[:20], title="Handwritten digits, and what the writers meant")

# %% [markdown]
# All 1,438 training pictures are *one* tensor. Its shape is the first thing to look at in any program about images:

# %%
images.shape, images.dtype

# %% [markdown]
# Read it as **(N, C, H, W)**: N pictures, C channels (1 for grey, 3 for red, green and blue), H rows, W columns.
# PyTorch's layers for images expect this order. Other programs put the channels last, and mixing the two up is a classic
# way to train on garbage, since often nothing crashes.
#
# And this is what one picture looks like from inside. The bright pixels of the ink are the large numbers:

# %%
from sklearn.datasets import load_digits

levels = torch.from_numpy(load_digits().images)[:, None]  # (1797, 1, 8, 8)
print(levels[0, 0].long().numpy())

# %% [markdown]
# ## 1 · One range for all pictures
#
# The file has grey **levels** from 0 (black) to 16 (white). Photographs have levels from 0 to 255. A network should not
# have to care, so the course keeps every image in **[−1, 1]**: −1 is black, 1 is white, and 0 is the grey in the middle.
# Why not [0, 1]? Later lessons mix pictures with random numbers that are centred on 0, and both should live on the same
# scale.
#
# **Your turn.** Write `from_levels`. A cell below it checks your answer.
#
# - First run both cells as they are. The card says *not attempted*, and the lesson goes on with the library's version:
#   you can always read ahead.
# - Then replace the last line with `return levels / brightest` and run both again. This is wrong, and the card tells you
#   in which way.
# - Now make it right. From then on the whole library runs on *your* function.

# %% exercise
from minigen.images import from_levels

# %%
from_levels = check("from_levels", from_levels)

# %% [markdown]
# The check ran your function on random inputs of several sizes and compared the results with those of the course's own
# library, `minigen`, which is the answer key. If you are stuck, open a hint on the card, or type `hint()` in a new cell.
# `solution()` shows the library's source: it is there to be read, best after your own attempt.
#
# Here is what a wrong range looks like. All three rows are the same digits, drawn by a program that expects [−1, 1]:

# %%
show.rows(
    {
        "levels / 16, so [0, 1]": levels[:10] / 16,
        "levels / 255 · 2 − 1": levels[:10] / 255 * 2 - 1,
        "from_levels(levels, 16)": from_levels(levels[:10], 16),
    },
    title="One range is right, two are not",
)

# %% [markdown]
# The first row is pale, the second almost black. Nothing crashed! A model would train on either, and only its samples
# would look strange, days later. The functions of `minigen` look at what they are given, but they can only notice what
# leaves the range, as these raw levels do:

# %%
try:
    show.grid(levels[:10])
except ValueError as error:
    print(error)

# %% [markdown]
# ## 2 · Back to bytes, and a bug
#
# To save a picture, or to put it on a screen, we need bytes again: whole numbers from 0 to 255. A byte cannot hold
# anything else. The function below has a **bug** that real programs have had. A *repair* exercise gives you running code
# with a fault, like this one; find it and fix it.
#
# Look at the symptom first. We make the digits a little brighter than white (a network's output often leaves [−1, 1]
# by a little) and convert them with the faulty code:

# %%
bright = images[:10] + 0.1
faulty = (((bright + 1) * 127.5).round().long() % 256).to(torch.uint8)
show.rows(
    {"before": images[:10], "after, with the bug": from_levels(faulty)},
    title="The brightest ink turns black",
)

# %% exercise
from minigen.images import to_bytes

# %%
to_bytes = check("to_bytes", to_bytes)

# %%
show.rows(
    {"before": images[:10], "with to_bytes": from_levels(to_bytes(bright))},
    title="Too bright is white, and stays white",
)

# %% [markdown]
# One more detail hides in this function: **rounding**. Turning a float into a whole number *cuts* it, so 127.9 becomes
# 127. Without `round`, some levels become one darker whenever a picture is saved and loaded. Let us measure it, saving and
# loading the digits 50 times:

# %%
cut, rounded = images.clone(), images.clone()
for _ in range(50):
    cut = from_levels(((cut + 1) * 127.5).clamp(0, 255).to(torch.uint8))
    rounded = from_levels(to_bytes(rounded))
print(
    f"mean of the pictures: {images.mean():.3f}   rounded 50 times: {rounded.mean():.3f}   cut 50 times: {cut.mean():.3f}"
)

# %% [markdown]
# ## 3 · Colour, and how large a batch is
#
# The course's second data set is drawn by our own code, at any size and in any number, and it knows what it drew:

# %% picture
drawn, factors, captions = shapes(8, size=32, seed=1)
show.grid(drawn, columns=4, labels=captions, title="Shapes, with their captions")

# %% [markdown]
# A *predict* exercise asks what you expect, before you compute it. Only the first answer you give is remembered as your
# prediction; it earns no points, so guess freely. Replace the `...`.

# %% exercise
from minigen.exercises.lesson_00_start_here import numbers_in_a_batch

# %%
numbers_in_a_batch = check("numbers_in_a_batch", numbers_in_a_batch)

# %% [markdown]
# Each number takes 4 bytes as float32. For these small pictures that is nothing; with a thousand pixels on each side, a
# batch is a thousand times larger, and inside a network it grows many times again. That is why a later part of this course
# makes its pictures in a space of small codes.

# %%
megabytes = numbers_in_a_batch * 4 / 1e6
print(
    f"{numbers_in_a_batch:,} numbers: {megabytes:.2f} MB; at 1024 × 1024 pixels: {megabytes * 32 * 32:,.0f} MB"
)

# %% [markdown]
# ## 4 · Many pictures as one
#
# We will look at thousands of generated pictures, so we want them on one sheet. `tile` takes N pictures (N, C, H, W) and
# lays them out like words on a page. It sounds like a job for `reshape`, but watch what a plain reshape does to 16 digits:

# %%
plain = images[:16].reshape(1, 1, 32, 32)
show.picture(plain[0], title="16 digits, only reshaped")

# %% [markdown]
# A reshape never moves numbers; it only cuts the same long row of numbers at other places. In memory, all 64 pixels of
# the first digit come before the second digit. On the sheet, the top line of the second digit comes before the second line
# of the first. So the dimensions have to change places, and `permute` does that.
#
# **Your turn.** Write `tile`. When the last row is not full, fill it with black (−1).

# %% exercise
from minigen.images import tile

# %%
tile = check("tile", tile)

# %%
padded = torch.nn.functional.pad(
    images[:96], (1, 1, 1, 1), value=-1
)  # a black frame, so that they stay apart
show.picture(tile(padded, 16), title="96 digits on one sheet", width=9)

# %% [markdown]
# Look at the sheet for a moment. These pictures are all different, and yet you would recognise another one at once.
# *What* do they have in common, and could a program make more of them? That is the question of this course.
#
# ## 5 · Where the numbers live
#
# A tensor lives on a **device**: the CPU, or a GPU that computes much faster. Two tensors can only meet on the same one.
# `device()` picks the best one of this machine, and the lessons put data and models there:

# %%
x = images[:4].to(device())
x.device

# %% [markdown]
# Code that creates a tensor inside a function should create it *where the input is*, with `device=x.device` (or with
# `x.new_full(…)`, `torch.zeros_like(x)` and their like). On your laptop a forgotten `device=` does no harm, and then fails
# on the day you rent a GPU. The check tries this too, without a GPU, and adds a note to the card when your answer is right
# but would fail there.
#
# ## 6 · How long, and how good?
#
# Two small functions come back in every lesson. Networks are trained in steps, and `budget` says how many: in a quick test of
# the course, in a normal run (yours), and for somebody with a GPU and patience. (The environment variable `MINIGEN_BUDGET`,
# one of `smoke`, `normal` and `full`, chooses.)

# %%
budget(10, 1000, 10_000)

# %% [markdown]
# And `measured` prints a number together with what the course promises of it. The authors' machine must keep the promise before
# a lesson is published; if yours does not, something has changed that is worth knowing.

# %%
black = (images == -1).float().mean()
measured("share of the pixels that are black", black, at_least=0.4)

# %% [markdown]
# ## What you have done
#
# `progress()` shows your exercises. It is kept in your workbook folder, and stays there when you update the course.

# %%
progress()

# %% [markdown]
# ## What goes wrong in practice
#
# - **The range is wrong**: data in [0, 255] or [0, 1] where [−1, 1] is expected. Print `x.min()` and `x.max()` first.
# - **Channels last**: a photograph read from a file is usually (H, W, C). `movedim(-1, -3)` brings the channels forward.
# - **`view` where `permute` is needed**: the shape is right and the picture is scrambled. Always look at a picture.
# - **Levels are cut instead of rounded**, and everything becomes a little darker.
#
# ## Where to read on
#
# - Alpaydin and Kaynak, 1998, *Optical Recognition of Handwritten Digits* (UCI machine learning repository): the digits.
# - PyTorch's documentation of *tensor views* says which operations move numbers and which only look at them in another way.
#
# **Next: 01 · What is a generative model?** What would a program have to know, to write a digit that nobody has written?
