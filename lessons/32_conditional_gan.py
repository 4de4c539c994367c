# %% [markdown]
# # 32 · Draw me a seven
#
# **The GANs of the last two lessons draw digits. Which digit? Whichever the noise happens to give.** How do you ask for a 7, and how
# do you know that you get one?
#
# You tell both players the class of each image: a **conditional GAN** (Mirza and Osindero, 2014). That sounds like one line
# of code in each of them. But tell only one player, or hand the label over in the wrong place, or mix up two lists of labels, and
# you get a model that trains without any error and does something else. In this lesson you see each of these happen, and
# measure it: with a classifier that the GAN never saw, with the table of what is taken for what, and with recall, since a
# model can be right every time and still have hardly anything to say.
#
# About 75 minutes · 6 exercises · needs: lesson 31; precision and recall, from lesson 21; it helps to have seen the conditional VAE of
# lesson 14.

# %%
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal
from torch.nn import functional as F

from minigen import show
from minigen.core import budget
from minigen.course import check, hint, measured, measured_model, measured_models, progress, results, solution
from minigen.data import batches, digits
from minigen.features import DigitFeatures
from minigen.gan import WGANGP, between, gradient_penalty, image_critic, image_generator, wasserstein_loss
from minigen.layers import image_encoder
from minigen.metrics import fid, precision_recall
from minigen.train import train

# %%
x, labels = digits("train")  # (1438, 1, 8, 8) in [-1, 1], and (1438,) whole numbers from 0 to 9
CLASSES = torch.arange(10)
by_class = {f"labelled {k}": x[labels == k][:12] for k in range(10)}
show.rows(by_class, title="What we want: a row for each label, and many hands in each row")

# %% [markdown]
# ## 1 · What would be right?
#
# A model without labels has to draw images as they come: its distribution $q(x)$ should be that of the data, $p(x)$. With a
# label $y$ it should draw the images *of that label*: $q(x \mid y)$ should be $p(x \mid y)$, for each $y$.
#
# Two ways need no new idea. Train ten GANs, one for each digit: then each of them sees only 140 images, and what a stroke
# looks like is learned ten times. Or draw, ask a classifier, and throw away what is no 7: then nine of ten drawings are for
# nothing, and with a thousand classes 999 of a thousand. So we want one generator that is told what to draw:
#
# $$ x = G(z, y), \qquad z \sim N(0, I) . $$
#
# How does a label get into a network? Not as the number 7: a 7 is not between a 6 and an 8. In lesson 14 it was ten numbers, a 1
# at the class and 0 elsewhere. Here it is an **embedding**: a list of $k$ numbers for each class, learned like any other weight.
# The two are close relatives: to look up row $y$ of a matrix is to multiply it by those ten numbers.

# %%
embedding = nn.Embedding(10, 4)
seven = torch.tensor([7])
print("row 7 of the matrix:      ", embedding(seven).detach().numpy().round(3))
print(
    "one-hot times the matrix: ", (F.one_hot(seven, 10).float() @ embedding.weight).detach().numpy().round(3)
)

# %% [markdown]
# A row of random numbers, and after it a row of learned ones: that is all that the generator's network sees. (The other order
# would train as well. We put the noise first.)
#
# **Your turn.** Noise `z`, (N, latent), and labels, (N,), go in. Images (N, channels, size, size) come out. The layers are made
# already; write `forward`.

# %% exercise
from minigen.gan import ConditionalGenerator

# %%
ConditionalGenerator = check("ConditionalGenerator", ConditionalGenerator)

# %% [markdown]
# ## 2 · Only one player is told
#
# Suppose we stop here. The generator is told the class, and the critic is the one of lesson 31. It sees images and nothing else.

# %% exercise
from minigen.exercises.lesson_32_conditional_gan import one_player_told

# %%
one_player_told = check("one_player_told", one_player_told)


# %% [markdown]
# Let us measure it. Who says which digit an image shows? The course's judge of digits, which you know from lesson 20. It is
# **independent**: a classifier that was trained before, on real digits. The GAN never saw it, no gradient goes from it to a GAN,
# and no choice was made by it in training. (It learned from the same digits as our GANs. What counts is that neither has learned
# from the other. The GAN's own critic would be no witness: the generator learns to please it.) First ask how good a witness it is,
# with real digits that it has not seen:

# %%
judge = DigitFeatures()
measured("accuracy of the judge on real test digits", judge.accuracy(*digits("test")), at_least=0.97)

# %% [markdown]
# The **class accuracy** of a model: ask for as many images of each class, and count how many the judge takes for what was asked.
# To save time, the critic has two turns for each one of the generator in the contests that follow, not three as in lesson 31.


# %%
def asked_for(model: WGANGP, wanted: Tensor, noise: Tensor | None = None, seed: int = 1) -> Tensor:
    """Images of the wanted classes (N,), from this noise (N, latent), or from new noise; on the CPU."""
    if noise is None:
        noise = torch.randn(len(wanted), model.latent, generator=torch.Generator().manual_seed(seed))
    device = next(model.parameters()).device
    with torch.no_grad():
        return model.generator(noise.to(device), wanted.to(device)).cpu()


def contest(model: WGANGP, steps: int, size: int = 64) -> tuple[WGANGP, dict[int, float]]:
    """Trains a model; returns the one with averaged weights, on the CPU, and {step: its class accuracy}."""
    course, wanted = {}, CLASSES.repeat(40)
    data = batches(x, labels, size * model.critic_steps)
    for step, _, averaged in train(model, data, steps, optimizer=adam, decay=0.99):
        if step % max(1, steps // 8) == 0:
            course[step] = judge.accuracy(asked_for(averaged, wanted), wanted)
    return averaged.cpu(), course


def adam(weights):
    return torch.optim.Adam(weights, lr=1e-3, betas=(0.5, 0.9))  # little momentum, as in lesson 30


class Unaware(nn.Module):
    """The critic of lesson 31, which gets the labels and does not look at them."""

    def __init__(self):
        super().__init__()
        self.network = image_critic()

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.network(x)


STEPS, LATENT = budget(2, 300, 2000), 16


def told(make_critic: Callable[[], nn.Module], kind: type = WGANGP, **settings) -> tuple[WGANGP, dict]:
    """The contest of a conditional generator and such a critic, always from the same random state."""
    torch.manual_seed(0)
    model = kind(ConditionalGenerator(10, LATENT), make_critic(), LATENT, critic_steps=2, **settings)
    return contest(model, STEPS)


courses = {}
deaf, courses["critic is not told"] = told(Unaware)

# %% [markdown]
# A row for each label that was asked for. Down a column the *noise* is the same, and only the label changes.

# %%
hands = torch.randn(14, LATENT, generator=torch.Generator().manual_seed(3))


def table_of(model: WGANGP, title: str):
    """A row for each class; the same noise down a column."""
    each = {f"asked for {k}": asked_for(model, torch.full((14,), k), hands) for k in range(10)}
    return show.rows(each, title=title)


table_of(deaf, "Only the generator is told the label")

# %%
everything = CLASSES.repeat(budget(2, 100, 100))  # a hundred of each class
real_seen = judge.features(x)


def scores(model: WGANGP) -> dict[str, float]:
    """What the judge says of a thousand images, a hundred of each class."""
    images = asked_for(model, everything)
    features, p = judge.look(images)  # (1000, 64), and the probabilities of the classes, (1000, 10)
    right = p.argmax(1) == everything
    precision, recall = precision_recall(real_seen, features)
    each = right.view(-1, 10).double().mean(0)
    rest = {"fid": fid(real_seen, features), "precision": precision, "recall": recall}
    return {"accuracy": float(right.double().mean()), "least": float(each.min())} | rest


measured("class accuracy when only the generator is told", scores(deaf)["accuracy"], at_most=0.35)

# %% [markdown]
# The training was short, and many of these are poor digits. But look down a column: the label does change a picture, as noise does, and
# not into what was asked for. Nobody ever punishes a 3 that should have been a 7: the critic asks only whether it is real. So to
# this generator the label is more noise, and which digit it makes of it is a matter of luck. One training may give much less than a
# tenth, or more, since the pictures of a row are often right or wrong together. But no digit is preferred for any label, so the
# average over many trainings is one in ten, as for a guess.
#
# The other way round is no better. If only the *critic* is told, the generator cannot know which class its image will be
# judged as. The label must reach both.
#
# ## 3 · The critic is told
#
# How should a critic use a label? The same trick again, one would think: put the label's numbers beside something and go on. Before
# you do that, ask what the best critic *is*. For the best discriminator of lesson 30 it was the logarithm of a ratio, real over fake.
# Now it is told a pair, an image and its label, so the ratio is of pairs; and what is known of pairs can be taken apart:
#
# $$ \log \frac{p(x, y)}{q(x, y)} = \log \frac{p(x)}{q(x)} + \Big( \log p(y \mid x) - \log q(y \mid x) \Big) . $$
#
# The first term asks: *is it real?* It knows no label. The second asks: *does it suit its label, compared with the fakes?* Both
# $p(y \mid x)$ and $q(y \mid x)$ are classifiers. And what does a classifier look like? A network makes features
# $\varphi(x)$, each class $y$ has a vector $v_y$, and the probabilities are the softmax of the scalar products:
# $\log p(y \mid x) = v_y \cdot \varphi(x) - \log Z(x)$. Put two of them, that share their features $\varphi$, into the bracket, with
# vectors $v^p$ and $v^q$:
#
# $$ \log p(y \mid x) - \log q(y \mid x) = (v^p_y - v^q_y) \cdot \varphi(x) + (\text{a number without } y) . $$
#
# So, as far as both are linear in the same features, whatever depends on the label is **linear in the features**, with one vector for
# each class. The number without $y$ can go into the first term. The features are learned, so one linear layer is enough for that
# term too. This is the **projection critic** (Miyato and Koyama, 2018): features, one term without the label, and one scalar product
# with the label's vector.
#
# All this is about the best *discriminator*. A WGAN-GP's best critic is another function, for which this is no theorem. There the
# form is a good guess, and the table below tests it.
#
# First let us check the claim where everything is known. Three classes in the plane, each a Gaussian; the fakes are Gaussians too, in
# somewhat other places. The features are the two coordinates themselves. We compute the best discriminator from the densities, and
# see how far the part that depends on the label (what is left after the mean over the three labels is taken off) is from a plane:


# %%
def log_joint(means: Tensor, points: Tensor) -> Tensor:
    """log density of points (N, 2) together with each of three equally likely classes: (N, 3)."""
    spread = torch.tensor([[0.6, 0.2], [0.2, 0.4]], dtype=torch.float64)
    return MultivariateNormal(means, spread).log_prob(points[:, None]) - torch.tensor(3.0).log()


random = torch.Generator().manual_seed(0)
points = 2 * torch.randn(500, 2, generator=random, dtype=torch.float64)
real_means, fake_means = torch.randn(2, 3, 2, generator=random, dtype=torch.float64)
# (500, 3): of each point with each label
best = log_joint(real_means, points) - log_joint(fake_means, points)
plane = torch.cat([points, torch.ones(500, 1, dtype=torch.float64)], dim=1)
by_label = best - best.mean(1, keepdim=True)  # what depends on the label
left_over = by_label - plane @ torch.linalg.lstsq(plane, by_label).solution
measured("what the label does to the best discriminator, standard deviation", by_label.std())
measured("how far that is from a linear function, at most", left_over.abs().max(), at_most=1e-9)

# %% [markdown]
# (It is exact because the classes have one and the same spread, and then two coordinates are features enough. In general the
# network has to find features in which it is true.)
#
# **Your turn.** Images (N, channels, size, size) and labels (N,) go in; (N,) comes out. `self.network` makes the features,
# `self.real` is the first term, and `self.embedding` holds the vectors $v_y$.

# %% exercise
from minigen.gan import ProjectionCritic

# %%
ProjectionCritic = check("ProjectionCritic", ProjectionCritic)

# %% [markdown]
# And the simple way, to put the label beside something and go on? It depends on the place. Two critics to compare with:
#
# - **beside the features**: label and features go through the last linear layer together;
# - **beside the pixels**: the label fills ten planes, as for the encoder of lesson 14, and goes through the whole network with the
#   image.


# %%
class BesideFeatures(nn.Module):
    def __init__(self, features: int = 64):
        super().__init__()
        self.network = nn.Sequential(image_encoder(1, 8, 16, features), nn.SiLU())
        self.embedding = nn.Embedding(10, features)
        self.last = nn.Linear(2 * features, 1)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.last(torch.cat([self.network(x), self.embedding(labels)], dim=1)).squeeze(1)


class BesidePixels(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = image_critic(channels=1 + 10)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        planes = F.one_hot(labels, 10).to(x)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return self.network(torch.cat([x, planes], dim=1))


beside, courses["beside the features"] = told(BesideFeatures)
planes, courses["beside the pixels"] = told(BesidePixels)
projected, courses["projection"] = told(lambda: ProjectionCritic(10))

# %%
figure = show.curves(
    courses, ylabel="class accuracy, by the judge", title="How the critic is told, and what it is worth"
)
figure.axes[0].set_ylim(0, 1.03)
figure

# %%
by_critic = {
    "not told": deaf,
    "beside the features": beside,
    "beside the pixels": planes,
    "projection": projected,
}
table = {name: scores(model) for name, model in by_critic.items()}
columns = "accuracy", "least", "fid", "precision", "recall"  # least: of the class with the least accuracy
print(" " * 20 + "".join(f"{column:>11}" for column in columns))
for name, row in table.items():
    print(f"{name:20}" + "".join(f"{row[column]:11.3f}" for column in columns))
pixels, projection = table["beside the pixels"], table["projection"]
measured("class accuracy, label beside the features", table["beside the features"]["accuracy"], at_most=0.35)
measured("class accuracy, label beside the pixels", pixels["accuracy"], at_least=0.85)
measured("class accuracy, projection, in this short training", projection["accuracy"], at_least=0.85)
measured("FID, beside the pixels minus projection", pixels["fid"] - projection["fid"], at_least=0.2)
measured("recall, projection minus beside the pixels", projection["recall"] - pixels["recall"], at_least=0.1)

# %% [markdown]
# *Beside the features* is as good as nothing. Look at its last layer: it is $w \cdot \varphi(x) + u \cdot v_y$. The label adds a
# number of its own, the same for every image, so the slope with respect to the image, which is all that a generator learns from,
# does not know the label. There is no product of the two in it, and a product is what the formula asks for.
#
# *Beside the pixels* works, because many layers come after: they can build products themselves, once they find out that they
# need them. In the projection the product is built in. At the end of this short training both are right about equally often, and
# the projection has the better FID and recall.
#
# ## 4 · Right every time
#
# A colleague writes the turn of the critic by hand. The fakes are asked for classes of their own, `asked`, drawn at random; they
# need not be those of the real images in the batch. Here is the program around it; no fault is hidden in it. It is WGAN-GP, with a
# given `turn`:


# %%
class OwnClasses(WGANGP):
    """A conditional WGAN-GP whose fakes have classes of their own.

    turn: (generator, critic, x, labels, z, asked) to what the critic gives to real images and to fakes.
    """

    def __init__(self, *players, turn, **settings):
        super().__init__(*players, **settings)
        self.turn = turn

    def losses(self, batch):
        for x, labels in self.turns(batch):
            asked = labels[torch.randperm(len(labels), device=labels.device)]
            z = torch.randn(len(x), self.latent, device=x.device)
            distance = wasserstein_loss(*self.turn(self.generator, self.critic, x, labels, z, asked))
            eps = torch.rand(len(x), device=x.device)
            # new fakes; any points between the crowds will do, judged by the labels of the real ones
            points = between(x, self.fakes(x, asked).detach(), eps)
            penalty = gradient_penalty(lambda points, labels=labels: self.critic(points, labels), points)
            yield "critic", {"distance": distance, "penalty": self.weight * penalty}
        yield "generator", self.generator_loss(self.fakes(x, asked), asked)


# %% [markdown]
# And here is the colleague's turn. Read it slowly. It runs, nothing is reported, and the class accuracy afterwards is the best
# that we have seen.


# %%
def turn_of_a_colleague(generator, critic, x, labels, z, asked):
    with torch.no_grad():
        fake = generator(z, asked)
    return critic(x, labels), critic(fake, labels)


proud, _ = told(lambda: ProjectionCritic(10), OwnClasses, turn=turn_of_a_colleague)
s = scores(proud)
measured("class accuracy of the colleague's GAN", s["accuracy"], at_least=0.95)
measured("recall of the colleague's GAN", s["recall"], at_most=0.15)
table_of(proud, "The colleague's GAN: right every time")

# %% [markdown]
# Every row obeys. But look along a row: nearly the same picture, again and again, whatever the noise is. The recall has noticed
# what the accuracy cannot see.
#
# **Your turn.** Find out what is wrong, and repair it. Real images and their labels go in, noise, and the classes that the fakes
# are to show; out comes what the critic says of the real images and of the fakes.

# %% exercise
from minigen.gan import class_turn

# %%
class_turn = check("class_turn", class_turn)

# %%
modest, _ = told(lambda: ProjectionCritic(10), OwnClasses, turn=class_turn)
s = scores(modest)
measured("class accuracy after the repair", s["accuracy"], at_least=0.85)
measured("recall after the repair", s["recall"], at_least=0.25)
table_of(modest, "The same program, with your turn")

# %% [markdown]
# Why does the fault look so good? With wrong labels on the fakes, the critic compares a *real image with its label* with a
# *fake of any class*. The best discriminator would answer $\log p(x \mid y) - \log q(x)$, where $q$ is all fakes together, and this
# critic leans the same way. A generator that climbs it draws, for each label, the image that speaks most clearly for it, as far
# from the other nine as it can get. Nothing ever stops it: even where $q(x \mid y)$ is right, there is still a slope. So the class
# accuracy is high *because* of the fault. Remember this when you read a class accuracy that stands alone.
#
# ## 5 · The model that we keep
#
# Now the real thing: projection, WGAN-GP as in lesson 31 with three turns of the critic, and more steps. (We did choose the projection
# by this judge: not by class accuracy, where two were nearly level, but by FID and recall, where the gap is tenths. With four candidates
# that flatters the numbers little. For a close race, keep a second judge.)

# %%
torch.manual_seed(0)
gan = WGANGP(ConditionalGenerator(10, LATENT), ProjectionCritic(10), LATENT, critic_steps=3)
gan, _ = contest(gan, budget(2, 650, 6000))

# %% picture
table_of(gan, "One noise down each column, one label along each row")

# %% [markdown]
# Which of them obey? We could look at the share of right ones alone. The **confusion matrix** says more: row $i$ holds what the
# images that were asked for as $i$ are taken for, as shares. On its diagonal stands the accuracy of each class, and beside it
# who is mistaken for whom.
#
# **Your turn.** Two lists of labels go in, asked and found, and the number of classes. A table (classes, classes) comes out, in
# which each row sums to 1. Mind a class that nobody asked for.

# %% exercise
from minigen.metrics import confusion

# %%
confusion = check("confusion", confusion)

# %%
images = asked_for(gan, everything)
features, p = judge.look(images)
matrix = confusion(everything, p.argmax(1), 10)


@show.styled
def as_picture(matrix: Tensor, title: str):
    figure, axes = plt.subplots(figsize=(5.6, 4.8))
    plt.close(figure)
    shades = axes.imshow(matrix, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(matrix.tolist()):
        for j, share in enumerate(row):
            if share > 0:
                colour = "white" if share > 0.5 else show.INK
                axes.text(j, i, f"{100 * share:.0f}", ha="center", va="center", fontsize=9, color=colour)
    axes.set(xlabel="taken for", ylabel="asked for", xticks=range(10), yticks=range(10), title=title)
    figure.colorbar(shades, label="share of the row")
    return figure


as_picture(matrix, "What is taken for what, in percent")

# %%
accuracies = matrix.diagonal()
precision, recall = precision_recall(real_seen, features)
measured("class accuracy, by a judge that the GAN never saw", accuracies.mean(), at_least=0.9)
measured("least accuracy of a class, on the diagonal", accuracies.min(), at_least=0.8)
measured("classes that are generated, of 10", int((accuracies > 0.5).sum()), at_least=10)
measured("recall of the conditional GAN, a hundred images of each class", recall, at_least=0.5)

# %% [markdown]
# What about the ones that are not right? Here are all images of the thousand that the judge takes for another class, up to 20, with
# what was asked and what was found. Some are poor digits; others could pass for what was asked. The judge is not always right about
# real digits either.

# %%
wrong = (p.argmax(1) != everything).nonzero()[:, 0][:20]
if len(wrong):
    names = [f"{everything[i]}, seen {p[i].argmax()}" for i in wrong]
    figure = show.grid(images[wrong], labels=names, title="Asked for, and what the judge sees")
else:
    figure = show.grid(images[:20], labels=everything[:20], title="All are taken for what was asked")
figure

# %% [markdown]
# ## 6 · Style against label
#
# If the label says *which* digit, what is left for the noise? *How* it is written. Nobody asked for that: the loss does not say that one
# and the same noise should mean the same hand in every class. But one network draws all ten classes, and it is simplest for it to do
# alike what is alike. Let us measure two things of each image: its **ink**, the mean of the pixels, and its
# **slant**, how far the ink moves to the right from row to row. From each we take off the mean of its class. Does the rest go
# together between classes that share their noise?


# %%
def ink(images: Tensor) -> Tensor:
    """Images (N, 1, H, W) to their mean pixel (N,)."""
    return images.flatten(1).mean(1)


def slant(images: Tensor) -> Tensor:
    """Images (N, 1, H, W) to how many pixels the ink moves to the right, for each row upwards: (N,)."""
    weight = (images[:, 0] + 1).double()
    weight = weight / weight.sum((1, 2), keepdim=True)
    up = torch.arange(images.shape[2], 0, -1).double()[:, None]
    right = torch.arange(images.shape[3]).double()
    up, right = (place - (weight * place).sum((1, 2), keepdim=True) for place in (up, right))
    return (weight * up * right).sum((1, 2)) / (weight * up.square()).sum((1, 2))


noise = torch.randn(300, LATENT, generator=torch.Generator().manual_seed(5))
same_noise = [asked_for(gan, torch.full((300,), k), noise) for k in range(10)]
shares = {}
for name, measure in {"ink": ink, "slant": slant}.items():
    of_class = torch.stack([measure(drawn) for drawn in same_noise])  # (10, 300)
    together = torch.corrcoef(of_class)  # (10, 10): each class with each other one
    shares[name] = float((together.sum() - 10) / 90)
    least = float(together.min())  # the diagonal is 1, so it does not matter
    bounds = [{"at_least": 0.5}, {"at_least": 0.3}] if name == "slant" else [{}, {}]
    measured(
        f"correlation of {name} between two classes with the same noise, mean", shares[name], **bounds[0]
    )
    measured(f"correlation of {name}, of the two classes that share least", least, **bounds[1])
measured("correlation of slant minus that of ink, mean", shares["slant"] - shares["ink"], at_least=0.15)

# %% [markdown]
# 0 would be no common hand at all, and 1 a noise that always means the same. So a hand that leans does so in every class, more or
# less; how much ink it takes is shared less. Go back to the picture with one noise down each column, and look down its columns.
#
# ## 7 · Right, or varied?
#
# A last guess.

# %% exercise
from minigen.exercises.lesson_32_conditional_gan import one_picture_each

# %%
one_picture_each = check("one_picture_each", one_picture_each)

# %% [markdown]
# There is a knob for that on every GAN. Multiply the noise by a number below 1, and all draws come from near 0. The
# density is highest there, but lesson 14 showed that in many dimensions hardly a draw of training lies there. What you get is near
# the average of each class. It is known as the *truncation trick* (Brock, Donahue and Simonyan, 2019, who cut the noise off instead).

# %%
free = torch.randn(len(everything), LATENT, generator=torch.Generator().manual_seed(1))
knob = {}
for scale in (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0):
    drawn = asked_for(gan, everything, scale * free)
    seen, opinion = judge.look(drawn)
    knob[scale] = float((opinion.argmax(1) == everything).double().mean()), *precision_recall(real_seen, seen)
lines = {
    name: {scale: row[i] for scale, row in knob.items()}
    for i, name in enumerate(("class accuracy", "precision", "recall"))
}
figure = show.curves(lines, xlabel="the noise is multiplied by", ylabel="share", title="Right, or varied?")
figure.axes[0].set_ylim(0, 1.03)
figure

# %%
measured("class accuracy with a quarter of the noise", knob[0.25][0], at_least=0.97)
measured("recall lost with a quarter of the noise", knob[1.0][2] - knob[0.25][2], at_least=0.4)
measured("class accuracy lost with twice the noise", knob[1.0][0] - knob[2.0][0], at_least=0.05)

# %% [markdown]
# Less noise: everything is right, everything looks real, and hardly any real digit is within reach. More noise: more of the real digits
# are, and more and more of what is drawn is taken for something else, or looks like nothing. No place on these curves is the right
# one for all purposes. But a class accuracy alone says little: ask for the recall beside it, and say which noise it was measured with.
#
# Even with all of its noise, does the model show the whole variety *within* a class? For each class, take the spread of the
# features: the mean squared distance from their own mean, for fakes and for real digits.


# %%
def spread(features: Tensor) -> float:
    return float((features - features.mean(0)).square().sum(1).mean())


variety = {str(k): spread(features[everything == k]) / spread(real_seen[labels == k]) for k in range(10)}
show.bars(
    variety,
    ylabel="spread of fakes / of real digits",
    title="Variety within each class (1: as much as real digits)",
)

# %%
measured(
    "variety within a class / that of real digits, mean",
    sum(variety.values()) / 10,
    at_least=0.5,
    at_most=0.95,
)

# %% [markdown]
# Below 1: within its classes, this model draws less variety than people do.

# %% [markdown]
# ## 8 · Beside the other models
#
# The last step is the same for every model of digits in this course: a thousand of them, of classes drawn at random, against the real
# ones.

# %%
torch.manual_seed(0)
row = measured_model("conditional WGAN-GP", lambda n: gan.sample(n, torch.randint(10, (n,))))

# %%
told_classes = "samples that the judge takes for the class that was asked for"
class_accuracy = {
    "conditional VAE": results().get("14_vae_latent_space", {}).get(told_classes),
    "conditional WGAN-GP": float(accuracies.mean()),
}
wanted = ("VAE", "GAN", "minimax GAN", "WGAN-GP", "conditional VAE", "conditional WGAN-GP")
entries = {entry["model"]: entry for entry in measured_models([row | {"lesson": "32"}])}
print(f"{'model':20}    FID   precision  recall   class accuracy")
for name in (name for name in wanted if name in entries):
    entry, share = entries[name], class_accuracy.get(name)
    right = "no labels" if share is None else f"{share:.3f}"
    print(f"{name:20} {entry['fid']:6.3f}  {entry['precision']:9.3f}  {entry['recall']:6.3f}   {right}")

# %% [markdown]
# The rows of other lessons are what their authors measured, and they appear when those lessons have been executed. Labels help in
# two ways: we can ask for a digit, and each image becomes better, perhaps because "a 7" is a simpler thing to learn than "some
# digit". What they cost, here and in the conditional VAE, stands in the column of recall, beside the models without labels.
#
# And the two models with labels, side by side? Class accuracy and precision are nearly the same, so neither number tells them apart.
# The GAN has the lower FID: on the whole, its digits are closer to the real ones. In recall it has no advantage: in this table the
# VAE has more of the real digits within reach.
#
# ## What goes wrong in practice
#
# - **A label for one player only.** Everything trains, and the label does nothing. Measure the class accuracy early.
# - **A label beside the features of a linear layer.** It adds a constant, and the generator never hears of it.
# - **Two lists of labels.** Fakes judged under other labels than they were made with: the accuracy may even rise. Look along a
#   row.
# - **A column added to a row.** (N, 1) + (N,) is a table (N, N), without any error, and its mean is a fine loss. Check shapes.
# - **A judge that is not independent.** Do not measure with the critic, nor with a classifier that took part in training; and
#   where it chose the model in a close race, ask a second one.
# - **Rare classes.** A class with few images is drawn few times, and its vector hardly learns. Look at the least number on the
#   diagonal, not at the mean.
# - **Accuracy without recall.** One picture for each class is right every time.
# - **Wrong labels in the data.** The model will draw them, in the right share.
#
# ## Where to read on
#
# - Mirza and Osindero, 2014, *Conditional Generative Adversarial Nets*.
# - Odena, Olah and Shlens, 2017, *Conditional Image Synthesis with Auxiliary Classifier GANs*: the critic names the class as well.
# - Miyato and Koyama, 2018, *cGANs with Projection Discriminator*.
# - Brock, Donahue and Simonyan, 2019, *Large Scale GAN Training for High Fidelity Natural Image Synthesis*: a thousand classes, and
#   the truncation trick.
# - Ravuri and Vinyals, 2019, *Classification Accuracy Score for Conditional Generative Models*: train the classifier on the
#   fakes, and test it on real images.

# %%
progress()
