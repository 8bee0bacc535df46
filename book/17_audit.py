# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 17 · The audit
#
# *Somebody else's tutorial runs without an error. What would you have to check before you believe it?*
#
# **Read** 40 min · **Run** 70 s on two CPU cores · **Before this** all lessons up to 11
#
# ## What you will be able to do
#
# 1. Read a program as a reviewer does: line by line, asking what each number would be if the line that computes it
#    were wrong.
# 2. Show by a small experiment whether a suspected mistake matters.
# 3. Mend a mistake so that a test would notice if it came back.
# 4. State the honest result, with its interval.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("17_audit")

# %%
import copy
from statistics import mean, variance

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import (
    agree, check, claim, count_parameters, load, mean_and_spread, plots,
    recorded_runs, wilson_interval,
)

# %% [markdown]
# These numbers, which the tutorial below uses, are yours to change.

# %% nbmake={"mock": {"IMAGES": 600, "EPOCHS": 1}}
SEED = 0
IMAGES = 10_000  # of FashionMNIST
EPOCHS = 4

# %% [markdown]
# ## The case
#
# This is the last lesson, and it is also the exam of the course. You have learned how a convolutional network works,
# how it is trained, and how a result is measured. Now somebody sends you a tutorial and asks whether they can teach
# from it. It is short and friendly, it runs without an error, and it reports a good number. Still, much of it is
# wrong.
#
# Its mistakes are of the kind that people have really published, most of them in the tutorials that this course grew
# from. A program that crashes tells you that it is wrong, whereas one that runs can be wrong in ten places without
# telling you about any of them.
#
# Twelve places are marked with letters, `A` to `L`: ten of them are mistakes, and two look wrong but are right. There
# are also smaller sins, which have no letter. Read the whole tutorial first, as a reviewer would: slowly, and with a
# pencil in your hand. You may run whatever you like. At every letter, ask two things: what the line, its function or
# the sentence that it prints promises, and what you would compute to find out whether that promise is kept. Ask also
# whether it is used later for something that it cannot do. Sometimes the line itself is fine, and the mistake is that
# something is missing.
#
# ---
#
# ## *Fashion in five minutes* (the tutorial)
#
# *Hi! In this notebook we'll teach a network to tell shirts from shoes. You don't need any theory. Let's go! First we
# load the images.*

# %% tags=["tutorial"]
torch.manual_seed(SEED)
garments = load("fashion_mnist")

# %% [markdown]
# *We put some of them aside, so that we can see how well the network does on images that it has never seen.*

# %% tags=["tutorial"]
def split(images):
    """Training images and validation images."""
    n = len(images)
    order = torch.randperm(n)
    return images[order[: n * 8 // 10]], images[order[n * 7 // 10 :]]  # A

# %% [markdown]
# *Eight tenths to train with, the rest to check:*

# %% tags=["tutorial"]
train_images, valid_images = split(garments.train.take(IMAGES))
print(len(train_images), "to train,", len(valid_images), "to validate")

# %% [markdown]
# *Networks like numbers around zero, so we scale the pixels to mean 0 and standard deviation 1.*

# %% tags=["tutorial"]
def prepare(images):
    """Pixels with mean 0 and standard deviation 1, and labels."""
    x = images.x.float() / 255
    return (x - x.mean()) / x.std(), images.y  # B

# %% [markdown]
# *All our sets go through it:*

# %% tags=["tutorial"]
train_set = prepare(train_images)
valid_set = prepare(valid_images)
test_set = prepare(garments.test)

# %% [markdown]
# *Our network has two convolutions. Pooling comes before the ReLU, which saves time. There is no softmax at the end,
# because the loss brings its own. Half of the last hidden numbers are dropped, so that the network can't learn the
# images by heart.*

# %% tags=["tutorial"]
def network(dropout=0.5):
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),  # C
        nn.Conv2d(16, 32, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(),
        nn.Dropout(dropout), nn.Linear(128, 10))

# %% [markdown]
# *How big is it?*

# %% tags=["tutorial"]
weights = sum(weight.numel() for weight in network().parameters())
print(f"Our network has {weights:,} weights, nearly all of them in its "
      "convolutions. That is why it is so good with images!")  # D

# %% [markdown]
# *Two small functions tell us how well it does: the share of right answers, and the loss. Both go through the images in
# pieces that fit into memory.*

# %% tags=["tutorial"]
def accuracy(model, x, y):
    """The share of right answers."""
    with torch.no_grad():
        answers = torch.cat([model(some).argmax(1)  # E
                             for some in x.split(900)])
    return (answers == y).float().mean().item()

# %% [markdown]
# *And the loss:*

# %% tags=["tutorial"]
def mean_loss(model, x, y):
    """The mean loss over all images."""
    losses = []
    with torch.no_grad():
        for k in range(0, len(x), 900):
            some, labels = x[k : k + 900], y[k : k + 900]
            losses.append(F.cross_entropy(model(some), labels))
    return torch.stack(losses).mean().item()  # F

# %% [markdown]
# *Now the training loop. It remembers the weights of the best epoch, and goes back to them at the end.*

# %% tags=["tutorial"]
def train(model, lr, x, y, valid_set):
    """Train, keep the best epoch; return the accuracy after each."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    curve, best = [], None
    for _ in range(EPOCHS):
        model.train()
        for batch in torch.randperm(len(x)).split(64):
            loss = F.cross_entropy(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()  # G
        curve.append(accuracy(model, *valid_set))
        if curve[-1] == max(curve):
            best = keep(model)
    model.load_state_dict(best)
    return curve

# %% [markdown]
# *Remembering is one line:*

# %% tags=["tutorial"]
def keep(model):
    """The weights as they are now."""
    return model.state_dict()  # H

# %% [markdown]
# *Which learning rate is best? We simply try three, and take the winner.*

# %% tags=["tutorial"]
def choose(results):
    """The learning rate with the best score."""
    return max(results, key=lambda lr: results[lr]["test"])  # I

# %% [markdown]
# *Ready? Three networks, please:*

# %% tags=["tutorial"]
results, models, curves = {}, {}, {}
for lr in (0.0003, 0.001, 0.003):
    torch.manual_seed(SEED)
    models[lr] = network()
    curves[lr] = train(models[lr], lr, *train_set, valid_set)
    results[lr] = {"valid": accuracy(models[lr], *valid_set),
                   "test": accuracy(models[lr], *test_set)}

# %% [markdown]
# *And the winner is:*

# %% tags=["tutorial"]
best = choose(results)
model = models[best]
print(f"The best learning rate is {best}. Our network reads "
      f"{results[best]['test']:.1%} of the test images, "
      f"with a loss of {mean_loss(model, *test_set):.3f}!")

# %% [markdown]
# *How sure is it? The softmax turns its scores into probabilities, and we take the one that belongs to its answer.*

# %% tags=["tutorial"]
def confidence(logits):
    """The probability of each image's answer."""
    return logits.softmax(0).max(1).values  # J

# %% [markdown]
# *Let's ask for the first ten test images:*

# %% tags=["tutorial"]
with torch.no_grad():
    logits = torch.cat([model(some) for some in test_set[0].split(900)])
print(f"mean confidence: {confidence(logits[:10]).mean():.1%}")

# %% [markdown]
# *And the precision: when it says "shirt", how often is it right? `counts` has a row for each true class, and a column
# for each answer.*

# %% tags=["tutorial"]
def precision(counts):
    """For each answer, the share of times that it was right."""
    return counts.diag() / counts.sum(1)  # K

# %% [markdown]
# *We count all answers, and look at the shirts:*

# %% tags=["tutorial"]
counts = torch.zeros(10, 10)
for truth, answer in zip(test_set[1], logits.argmax(1), strict=True):
    counts[truth, answer] += 1
shirt = garments.classes.index("Shirt")
print(f"precision for shirts: {precision(counts)[shirt]:.1%}")

# %% [markdown]
# *Finally: is half the right amount to drop? We tried both settings a few times. The validation accuracies speak for
# themselves: no dropout is better, so throw it out!*

# %% tags=["tutorial"]
def is_better(ours, theirs):
    """Whether our runs are better than theirs."""
    return max(ours) > max(theirs)  # L

# %% [markdown]
# *Here are our runs:*

# %% tags=["tutorial"]
without = [0.8797, 0.8920, 0.8820]
with_dropout = [0.8330, 0.8620, 0.8467]
print("Better without dropout:", is_better(without, with_dropout))

# %% [markdown]
# *That's it! In five minutes you have built a network, found its best settings, and measured it. Happy coding!*
#
# ---

# %% [markdown]
# ## Your report
#
# Now it is your turn. Take your time with the first exercise before you scroll on, because the exercises below it
# take up the mistakes one by one, and their headings give the letters away. For each mistake it is worth making a
# cell of your own and running the tutorial's line beside yours before you write the mended version.
#
# ## Exercises
#
# In each exercise, replace the dots and run the cell; the solution follows, folded away. A mended function keeps its
# old name, with `mended_` in front of it.
#
# ### Exercise 17.1 · Ten of twelve
#
# Which letters mark a mistake? Give one text, such as `"ACF"`.

# %%
suspects = ...
check("17.1", suspects)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 17.1
# C is right: the largest number is the same before a ReLU as after it.
# G is right: gradients are cleared before the next step adds to them.
suspects_solution = "ABDEFHIJKL"
assert check("17.1", suspects_solution)

# %% [markdown]
# ### Exercise 17.2 · Place A
#
# Write `mended_split(images)`, which returns eight tenths of the images for training and two tenths for validation.

# %%
def mended_split(images):
    ...


check("17.2", mended_split)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 17.2
# The tutorial also trained on some of its validation images (lesson 5).
def mended_split_solution(images):
    order = torch.randperm(len(images))
    cut = len(images) * 8 // 10
    return images[order[:cut]], images[order[cut:]]


assert check("17.2", mended_split_solution)

# %% [markdown]
# ### Exercise 17.3 · Place B
#
# Write `mended_prepare(images, mean, std)`, which returns pixels and labels. The numbers `mean` and `std` are meant
# for pixels from 0 to 1. From which images would you compute them?

# %%
def mended_prepare(images, mean, std):
    ...


check("17.3", mended_prepare)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 17.3
# Each set is scaled by itself, the test set too (lesson 5).
def mended_prepare_solution(images, mean, std):
    return (images.x.float() / 255 - mean) / std, images.y


assert check("17.3", mended_prepare_solution)

# %% [markdown]
# ### Exercise 17.4 · Place D
#
# Write `share_in_convolutions(model)`, which returns the share of the model's weights that are in layers of the class
# `nn.Conv2d`, as a number from 0 to 1. Biases count as weights here.

# %%
def share_in_convolutions(model):
    ...


check("17.4", share_in_convolutions)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 17.4
# Nearly all weights are in the first linear layer (lessons 3 and 8).
def share_in_convolutions_solution(model):
    found = [count_parameters(layer) for layer in model.modules()
             if isinstance(layer, nn.Conv2d)]
    return sum(found) / count_parameters(model)


assert check("17.4", share_in_convolutions_solution)

# %% [markdown]
# ### Exercise 17.5 · Place E
#
# Write `mended_accuracy(model, x, y)`. The code that calls it may be in the middle of training.

# %%
def mended_accuracy(model, x, y):
    ...


check("17.5", mended_accuracy)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 17.5
# Dropout is still switched on (lesson 8).
def mended_accuracy_solution(model, x, y):
    training = model.training
    model.eval()
    with torch.no_grad():
        answers = torch.cat([model(some).argmax(1) for some in x.split(900)])
    model.train(training)
    return (answers == y).float().mean().item()


assert check("17.5", mended_accuracy_solution)

# %% [markdown]
# ### Exercise 17.6 · Place F
#
# Write `mended_mean_loss(model, x, y)`, which should still work in batches. Whether the model is in training or
# evaluation mode is up to the caller.

# %%
def mended_mean_loss(model, x, y):
    ...


check("17.6", mended_mean_loss)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 17.6
# In the tutorial a small last batch counts as much as a large one (lesson 6).
def mended_mean_loss_solution(model, x, y):
    total = 0.0
    with torch.no_grad():
        for k in range(0, len(x), 900):
            some, labels = x[k : k + 900], y[k : k + 900]
            total += F.cross_entropy(model(some), labels, reduction="sum")
    return total.item() / len(x)


assert check("17.6", mended_mean_loss_solution)

# %% [markdown]
# ### Exercise 17.7 · Place H
#
# Write `mended_keep(model)`, which returns the weights as they are now.

# %%
def mended_keep(model):
    ...


check("17.7", mended_keep)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 17.7
# The dict holds the living weights, which go on changing (lesson 7).
def mended_keep_solution(model):
    return copy.deepcopy(model.state_dict())


assert check("17.7", mended_keep_solution)

# %% [markdown]
# ### Exercise 17.8 · Place I
#
# Write `mended_choose(results)`, where `results` is a dict that holds, for each learning rate, a dict of its scores,
# as in the tutorial.

# %%
def mended_choose(results):
    ...


check("17.8", mended_choose)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 17.8
# The tutorial chose by the test images, then reported on them (lesson 11).
def mended_choose_solution(results):
    return max(results, key=lambda lr: results[lr]["valid"])


assert check("17.8", mended_choose_solution)

# %% [markdown]
# ### Exercise 17.9 · Place J
#
# Write `mended_confidence(logits)`: for each image, the probability of the network's answer.

# %%
def mended_confidence(logits):
    ...


check("17.9", mended_confidence)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 17.9
# The tutorial's softmax ran over the images, not the classes (lesson 9).
def mended_confidence_solution(logits):
    return logits.softmax(1).max(1).values


assert check("17.9", mended_confidence_solution)

# %% [markdown]
# ### Exercise 17.10 · Place K
#
# Write `mended_precision(counts)`, for a matrix with a row for each truth and a column for each answer. What should a
# class get if it was never an answer? Leave it at NaN, which is what the division gives.

# %%
def mended_precision(counts):
    ...


check("17.10", mended_precision)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 17.10
# Divided by the rows it is the recall (lesson 9).
def mended_precision_solution(counts):
    return counts.diag() / counts.sum(0)


assert check("17.10", mended_precision_solution)

# %% [markdown]
# ### Exercise 17.11 · Place L
#
# Write `mended_is_better(ours, theirs)`, which compares two lists of accuracies by a careful rule. It returns true if
# there are at least five runs on each side and our mean is higher by more than 2.5 standard deviations of the
# difference, $\sqrt{s_1^2/n_1 + s_2^2/n_2}$. Here $n$ is the number of runs in a list, and $s$ is their standard
# deviation, which `statistics.stdev` computes.

# %%
def mended_is_better(ours, theirs):
    ...


check("17.11", mended_is_better)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 17.11
# The luckiest of three runs was compared (lesson 11).
def mended_is_better_solution(ours, theirs):
    if len(ours) < 5 or len(theirs) < 5:
        return False
    squared = variance(ours) / len(ours) + variance(theirs) / len(theirs)
    return mean(ours) - mean(theirs) > 2.5 * squared**0.5


assert check("17.11", mended_is_better_solution)

# %% [markdown]
# ### Your score
#
# The sheet below asks the checkers again and counts what you found and mended. Add the letters for which you have
# *shown*, by an experiment of your own, what the mistake costs, here or in a case that you build. Finding a mistake
# takes a sharp eye and mending it takes skill, but an author is convinced only by what you have shown.

# %%
shown = ""  # the letters for which you made an experiment
mended = {"A": mended_split, "B": mended_prepare, "D": share_in_convolutions,
          "E": mended_accuracy, "F": mended_mean_loss, "H": mended_keep,
          "I": mended_choose, "J": mended_confidence, "K": mended_precision,
          "L": mended_is_better}
right = [letter for number, letter in enumerate(mended, start=2)
         if check(f"17.{number}", mended[letter])]
named = "" if suspects is ... else str(suspects).upper()
found = [letter for letter in mended if letter in named]
alarms = [letter for letter in "CG" if letter in named]
print(f"found {len(found)} with {len(alarms)} false alarms, "
      f"shown {len(set(shown.upper()) & set(mended))}, "
      f"mended {len(right)} of {len(mended)}")

# %% [markdown]
# ## What each mistake did
#
# The exam is over, so here are our own experiments. We begin with A: a third of the images that were supposed to be
# new to the network had been trained on.

# %%
known = {picture.numpy().tobytes() for picture in train_images.x}
twice = [picture.numpy().tobytes() in known for picture in valid_images.x]
print(f"{sum(twice):,} of {len(twice):,} validation images were trained on")

# %% [markdown]
# B: if a set is scaled by its own mean and standard deviation, the pixels of each image depend on all the others in
# the set. The same image on its own is scaled differently, and sometimes gets a different answer.

# %%
model.eval()
with torch.no_grad():
    together = model(test_set[0][:200]).argmax(1)
    alone = torch.cat([model(prepare(garments.test[k])[0]).argmax(1)
                       for k in range(200)])
print(f"{(together != alone).sum()} of 200 answers change")

# %% [markdown]
# D: a convolution uses the same weights at every place of the image, so it needs only a few. Nearly all the weights
# of this network are in its first linear layer.

# %% tags=["claim"]
claim("Only {value:.1%} of the network's weights are in its convolutions.",
      share_in_convolutions_solution(network()), equals=0.023, within=0.0005)

# %% [markdown]
# E: with dropout still switched on, the network does worse than it could, and answers differently each time it is
# asked. The loss and the logits are computed in the same mode and suffer too, and mending `accuracy` does not help
# them: they need a `model.eval()` of their own.

# %%
model.train()
scores = [accuracy(model, *valid_set) for _ in range(3)]
print([f"{score:.2%}" for score in scores], "as published,",
      f"{mended_accuracy_solution(model, *valid_set):.2%} without dropout")

# %% [markdown]
# F: a small last batch counts as much as a full one. With 10,000 images and a last batch of 100 the difference is
# small, but with a last batch of one image it is not, which shows that a mistake can sleep until somebody changes a
# number.

# %%
model.eval()
hard = (model(test_set[0][:900]).argmax(1) != test_set[1][:900]).nonzero()[0]
few = [torch.cat([part[:900], part[hard]]) for part in test_set]
print(f"{mean_loss(model, *few):.3f} as published,",
      f"{mended_mean_loss_solution(model, *few):.3f} in truth")

# %% [markdown]
# H: `state_dict` gives the weights themselves and not a copy, so what was kept goes on changing as the network
# trains. This is why the tutorial always ended with its last epoch, and called it the best.

# %%
with torch.no_grad():
    layer = nn.Linear(1, 1)
    kept, copied = keep(layer), mended_keep_solution(layer)
    layer.weight += 1
print("kept:", kept["weight"].item(), "copied:", copied["weight"].item())

# %% [markdown]
# J and K: both numbers looked plausible, although the softmax ran over ten images instead of ten classes, and what
# was called the precision was really the recall. To see the truth we must also ask the network again, without
# dropout.

# %%
model.eval()
with torch.no_grad():
    clean = torch.cat([model(some) for some in test_set[0].split(900)])
clean_counts = torch.zeros(10, 10)
for truth, answer in zip(test_set[1], clean.argmax(1), strict=True):
    clean_counts[truth, answer] += 1
print(f"confidence {confidence(logits[:10]).mean():.1%}, in truth "
      f"{mended_confidence_solution(clean[:10]).mean():.1%}")
print(f"precision for shirts {precision(counts)[shirt]:.1%}, in truth "
      f"{mended_precision_solution(clean_counts)[shirt]:.1%}")

# %% [markdown]
# I and L need many runs, so they come further down. And the two places that are right? At C, pooling and the ReLU can
# change places, because the largest of four numbers stays the largest when all those below zero become zero.

# %%
x = torch.randn(8, 16, 28, 28)
agree("pooling before the ReLU and after it", F.relu(F.max_pool2d(x, 2)),
      F.max_pool2d(F.relu(x), 2), within=0)

# %% [markdown]
# G: PyTorch adds new gradients to those that are already there, so they must be cleared once between two steps.
# Whether this happens at the beginning or at the end of a step does not matter.
#
# ## The honest result
#
# What would the tutorial have reported without its mistakes? To find out, we put the mended functions in place of the
# published ones and run the tutorial's own loop again. The test images come in only once, at the very end.
#
# > **Predict before you run.** Will the honest accuracy be lower or higher than the one that the tutorial reports?

# %% tags=["answer"]
accuracy, keep = mended_accuracy_solution, mended_keep_solution
torch.manual_seed(SEED)
parts = mended_split_solution(garments.train.take(IMAGES))
pixels = parts[0].x.float() / 255
scale = pixels.mean(), pixels.std()  # of the training images alone
train_set, valid_set, test_set = (
    mended_prepare_solution(images, *scale)
    for images in (*parts, garments.test))
results, models = {}, {}
for lr in (0.0003, 0.001, 0.003):
    torch.manual_seed(SEED)
    models[lr] = network()
    curve = train(models[lr], lr, *train_set, valid_set)
    results[lr] = {"valid": max(curve)}
best = mended_choose_solution(results)
honest = accuracy(models[best], *test_set)
low, high = wilson_interval(round(honest * len(test_set[1])),
                            len(test_set[1]))
print(f"{honest:.1%} of the test images, interval {low:.1%} to {high:.1%}")

# %% [markdown]
# All our runs choose the largest of the three rates. Would a larger one do better? Nobody has asked, which is one of
# the smaller sins. And this is only one run, so we have recorded five runs of the tutorial as it was published, and
# five with the mistakes mended.

# %%
runs = recorded_runs("audit")
every = "ABEFHIJK"  # D and L change no number of the others


def reported(letters, column):
    """What five runs report when the mistakes at these places are mended."""
    return [run[column] for run in runs if run["mended"] == letters]

# %% [markdown]
# Here are three of the numbers that the tutorial reports:

# %% mystnb={"image": {"alt": "Three numbers of five runs each, as the tutorial reports them and with all mistakes mended: validation accuracy, test accuracy and precision for shirts. The mended accuracies are higher; the precisions overlap."}}
columns = {"validation accuracy": "valid_accuracy",
           "test accuracy": "test_accuracy",
           "precision for shirts": "shirts"}
plots.intervals(
    {name: {title: reported(letters, column)
            for title, column in columns.items()}
     for name, letters in (("the tutorial", ""), ("mended", every))},
    title="Mended, the tutorial reads more images", xlabel="share",
    percent=True)

# %% [markdown]
# The honest accuracies are the *higher* ones. Did you expect that? We tend to think that mistakes flatter a result,
# but they can push it in either direction. Here the network had to answer with half of its last hidden numbers
# missing, and that cost far more than the flattering mistakes could add. (About the precision these runs say little:
# they scatter too much, and what was published was another quantity.)

# %% tags=["claim"]
before, after = (mean(reported(letters, "test_accuracy"))
                 for letters in ("", every))
claim("Mended, the tutorial reads {value:.1f} points more of the test "
      "images.",
      100 * (after - before), at_least=2)

# %% tags=["claim"]
above = mended_is_better_solution(reported(every, "test_accuracy"),
                                  reported("", "test_accuracy"))
claim("By the rule of place L, the mended tutorial is {value}.",
      "better" if above else "not better", equals="better")

# %% [markdown]
# Which mistake did what? We have mended E alone, and then, with E mended, each of A, B, H and I. The next cell prints
# by how many points each accuracy changed, new minus old, where the two runs of a pair have the same seed.
#
# > **Predict before you run.** Which of the five changes the validation accuracy, and which the test accuracy?

# %% tags=["answer"]
pairs = ("", "E"), ("E", "AE"), ("E", "BE"), ("E", "EH"), ("E", "EI")
for old, new in pairs:
    for column in ("valid_accuracy", "test_accuracy"):
        seeds = zip(reported(old, column), reported(new, column), strict=True)
        points = mean_and_spread([100 * (b - a) for a, b in seeds], "+.2f")
        print(f"{new.replace(old, '', 1)} mended: {points} {column}")

# %% [markdown]
# E cost two to four points of both. Mending A takes points off the validation accuracy in every run, and leaves the
# test accuracy exactly as it was. What it takes off was flattery: the network had seen a third of the images. B moved
# single images. H and I did nothing at all, because the last epoch was nearly always the best, and the same learning
# rate won on both splits.
#
# Were H and I harmless, then? They did nothing *here*. With three hundred learning rates, or with a network that gets
# worse in the end, they might well, and nothing in the tutorial would have warned its author. That is why an audit says
# both what is wrong and what it has cost in this case.
#
# You may wonder why we mended E first. With dropout left on, even the scoring draws random numbers, so that every
# other mend changes the training that follows, and its small effect drowns in that noise. Mistakes can hide one
# another. The last one, L, is hidden even better.
#
# > **Predict before you run.** The tutorial says that no dropout is better. It has three runs of each. With five runs
# > and our careful rule from exercise 17.11, will it be right?

# %% tags=["answer"]
for name, letters in (("E as published", ""), ("E mended", every)):
    without = reported(letters + "0", "valid_accuracy")
    with_dropout = reported(letters, "valid_accuracy")
    print(f"{name}: without {mean_and_spread(without)}, "
          f"with dropout {mean_and_spread(with_dropout)}, "
          f"better: {mended_is_better_solution(without, with_dropout)}")

# %% [markdown]
# As long as E is in the program, even the careful rule says yes. The comparison itself is unfair: while it is scored,
# the network with dropout must do without half of its last numbers, and the other one keeps all of them. With E
# mended the lead shrinks to less than a point, and by our rule five runs can't tell. That does not show that the two
# are equal, since no dropout was never behind. It only means that nobody should throw anything out because of these
# runs. No rule for comparing numbers can make up for a mistake in how they were measured.
#
# ### An open question
#
# No checker answers this one, so argue about it with somebody. You have found ten mistakes in a tutorial that
# thousands of people have read and been grateful for. What are the first three sentences that you write to its
# author? And what would have had to be different about the code for the author to find the mistakes without you?

# %% [markdown]
# ## What you can do now
#
# 1. For each line of somebody's program you can say what it promises, and find out by an experiment whether it keeps
#    that promise.
# 2. An experiment turns a suspicion into a number, and may show that it was unfounded, as it did for two of the
#    twelve here.
# 3. A mended function passes a test that the published one fails, so the mistake cannot come back unnoticed.
# 4. An honest result names its split, its seeds and its interval, and may well be better than the one it replaces.
#
# ## Further reading
#
# - S. Kapoor, A. Narayanan, *Leakage and the reproducibility crisis in machine-learning-based science* (2023).
# - Z. Lipton, J. Steinhardt, *Troubling trends in machine learning scholarship* (2018).
# - A. Karpathy, *A recipe for training neural networks* (2019): mistakes that fail silently.
