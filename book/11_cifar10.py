# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 11 · CIFAR-10 and honest tuning
#
# *Did the search find something, or did it find luck?*
#
# **Read** 55 min · **Run** 3 min on two CPU cores · **Before this** lessons 7, 9 and 10
#
# ## What you will be able to do
#
# 1. Keep training, validation and test images apart, and say what each may decide.
# 2. Read a table of results: what changed, how often it was run, who chose the winner.
# 3. Say how much too good the best of several runs looks.
# 4. Find out which of several changes brought a gain.
# 5. Search by grid, by random draws and by successive halving, at equal cost.
# 6. Keep a search in a file, resume it after a kill, and share it among workers.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("11_cifar10")

# %%
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import product
from math import comb
from pathlib import Path
from statistics import mean, stdev

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from course_utils import (
    agree, batches, check, claim, count_macs, count_parameters,
    device, diagrams, evaluate, fit, load, mean_and_spread, plots, predict,
    receptive_field, recorded, recorded_runs, train_epoch, wilson_interval,
)
from course_utils.networks import cifar_net, three_convolutions
from course_utils.search import open_study, put_back

import optuna
optuna.logging.set_verbosity(optuna.logging.WARNING)  # no line for each trial

# %% [markdown]
# These numbers are yours to change. With a GPU, search with more images and epochs.

# %% nbmake={"mock": {"IMAGES": 64, "EPOCHS": 2, "BUDGET": 6, "CHOOSE": 100, "FINAL_IMAGES": 200, "FINAL_EPOCHS": 2}}
SEED = 0
IMAGES, EPOCHS = 2_500, 4  # for each candidate of a search
BUDGET = 32  # epochs for each search
CHOOSE = 1_000  # validation images to choose by
FINAL_IMAGES, FINAL_EPOCHS = 45_000, 3  # for the network that was chosen

# %% [markdown]
# ## Who sees what
#
# Until now, most of our settings fell from the sky: a width of 6, a rate of .003. In practice you try several and keep
# the best, which is called *tuning*. It easily leads to wrong conclusions, because the best of many tries is partly the
# best and partly the luckiest. We take apart a published study that was misled, then tune a network of our own, and end
# with a number that we can defend.
#
# Its data are CIFAR-10: colour photographs of 32×32 pixels, in ten classes.

# %% mystnb={"image": {"alt": "Twelve small colour photographs with the names of their classes."}}
data = load("cifar10")
print(data)
names = [data.classes[label] for label in data.train.y[:12]]
plots.images(data.train.x[:12], names, columns=6)

# %% [markdown]
# Think of a student before an exam. She learns from a textbook, and takes mock exams as often as she likes, to find out
# which way of learning suits her. The exam itself comes once, and its questions are new. Our three splits have the same
# jobs: networks *learn* from `train`, we *choose* by `valid` (which network, which rate, which epoch), and `test`
# *judges* our choice, once.

# %% mystnb={"image": {"alt": "Two panels with a row each for learning, choosing and judging, and a column for each split. In this course, training images learn, validation images choose, and test images judge. In the study, the test images both choose and judge."}}
splits = {"train": len(data.train), "valid": len(data.valid),
          "test": len(data.test)}
ours = {"learns": "train", "chooses": "valid", "judges": "test"}
theirs = {"learns": ["train", "valid"], "chooses": "test", "judges": "test"}
diagrams.who_sees_what(splits, {"this course": ours, "the study": theirs},
                       title="The study chooses by its exam")

# %% [markdown]
# The study, on the right, is a student who sits the exam eight times and reports her best mark. How much does that
# flatter her?
#
# First we want a *baseline*, the score of something simple that a better idea has to beat. Guessing would get 10 %.
# What does a fully connected network get?

# %%
DEVICE, LAST = device(), torch.channels_last
options = {"channels_last": True, "device": DEVICE}
few = batches(data.train.take(10_000), 64, shuffle=True, **options)
valid = batches(data.valid, 500, **options)
torch.manual_seed(SEED)
baseline = nn.Sequential(nn.Flatten(), nn.Linear(3_072, 64), nn.ReLU(),
                         nn.Linear(64, 10)).to(DEVICE)
optimizer = torch.optim.Adam(baseline.parameters())
run = fit(baseline, few, valid, optimizer, epochs=5)

# %% tags=["claim"]
claim.measured("A fully connected network recognises {value:.0%} of the "
               "validation images.", run[-1].valid.accuracy, data=data)

# %% [markdown]
# ## A published network
#
# A study of CIFAR-10 that T. Flores published in 2023 starts from a fully connected network as well, which gets 53 %
# with all training images. Next comes this network, whose three widths and dropout can be set:

# %%
def published_net(c1=48, c2=96, hidden=256, dropout=0.1):
    side = 12  # of the last maps: 32 → 30 → 28 → 26 → 12
    return nn.Sequential(
        nn.Conv2d(3, c1, 3), nn.ReLU(),
        nn.Conv2d(c1, c1, 3), nn.ReLU(), nn.Dropout(dropout),
        nn.Conv2d(c1, c2, 3), nn.ReLU(),
        nn.Conv2d(c2, c2, 3, stride=2), nn.ReLU(), nn.Dropout(0.5),
        nn.Flatten(), nn.BatchNorm1d(c2 * side**2), nn.ReLU(),
        nn.Linear(c2 * side**2, hidden), nn.ReLU(),
        nn.Linear(hidden, 10),
    )

# %% [markdown]
# One of its layers is new here. `BatchNorm1d` rescales each number so that, over the images of a batch, its mean is 0
# and its variance 1. (Lesson 12 builds such a layer.) Training this network for an epoch would take minutes, but we can
# see where its parameters are. `cifar_net`, in `course_utils.networks`, is the same.

# %% mystnb={"image": {"alt": "The published network as bars: four convolutions with maps of 30, 28, 26 and 12 pixels a side, then 13,824 numbers, 256 and 10. The first linear layer has 3,539,200 parameters, the convolutions have few."}}
net = published_net()
assert str(net) == str(cifar_net())  # the same layers
diagrams.architecture(net.eval(), (1, 3, 32, 32),
                      title="One layer holds 95 % of the parameters")
share = count_parameters(net[13]) / count_parameters(net)
print(f"{share:.1%} of all parameters are in the first linear layer")

# %% tags=["claim"]
claim("It has {value:,} parameters.", count_parameters(net),
      equals=3_716_154)

# %% tags=["claim"]
claim("After the last convolution, a number has seen {value} pixels a side.",
      receptive_field(net), equals=9)

# %% [markdown]
# So no convolution ever sees a whole cat. It sees patches of 9×9 pixels, and a single linear layer has to learn, for
# each of 144 places separately, which patches belong to a cat.
#
# ## Eight runs
#
# The study then tried two values for each of the three widths, which makes eight networks, and trained each of them
# once. Accuracies and losses are its own; we count the rest.
#
# > **Predict before you run.** The two largest of the eight networks differ in size by one per cent. By how many
# > points of accuracy will they differ?

# %% tags=["answer"]
published = recorded("published_cifar10_runs")
rows, sizes = published["grid"]["runs"], []
for row in rows:
    net = cifar_net(row["c1"], row["c2"], row["hidden"])
    sizes.append(count_parameters(net))
    macs = count_macs(net, (1, 3, 32, 32)) / 1e6
    print(f"c1 {row['c1']}, c2 {row['c2']:3}, hidden {row['hidden']}: "
          f"{row['accuracy']:.2%}, loss {row['loss']:.2f}   "
          f"{sizes[-1] / 1e6:4.1f} M parameters, {macs:3.0f} M macs")

# %% tags=["answer"] mystnb={"image": {"alt": "Published test accuracy of eight networks over their millions of parameters, one point each. They jump between 59 and 71 per cent, also between networks of nearly equal size."}}
points = [100 * row["accuracy"] for row in rows]
plots.scatter({"published": ([size / 1e6 for size in sizes], points)},
              xlabel="million parameters", ylabel="test accuracy, %",
              title="Nearly equal sizes, very different scores")

# %% tags=["answer", "claim"]
second, largest = sorted(range(8), key=lambda k: sizes[k])[-2:]
claim("The two largest are {value:.1f} points apart.",
      abs(points[largest] - points[second]), equals=7.7, within=0.05)

# %% [markdown]
# From such points the study concludes that 512 hidden numbers and 192 channels are worse than fewer, and that its
# tuning lifted the accuracy from 61.7 % to 71.2 %. Which network won?

# %%
first = max(rows, key=lambda row: row["accuracy"])
winner = cifar_net(first["c1"], first["c2"], first["hidden"])

# %% tags=["claim"]
claim("The winner has {value:,} parameters: it is the network that the "
      "study began with.", count_parameters(winner),
      equals=count_parameters(published_net()))

# %% [markdown]
# So the search ended where it began, and yet the accuracy went up by 9.5 points. How can that be? Four questions help
# with any table of results.
#
# 1. *How often was each network trained?* Here, once. `manual_seed` makes a run repeatable on a CPU, but not typical.
# 2. *What else could have moved the numbers?* The seed, and which 10,000 images happen to be the test.
# 3. *Who chose?* The test images: they could stop the runs, they chose the winner, and then they gave it its mark.
# 4. *What changed between the two numbers that are compared?*
#
# ## The best of eight
#
# We start with the third question. Suppose that all eight networks are equally good: each would be right on 67 % of all
# the photographs in the world. Scored on n images, each misses its true share p a little, typically by the *standard
# error* √(p·(1−p)/n), and the best of eight is the one that overshot it by most. Here is that competition, held 20,000
# times. `shared` is the share of the luck's variance that the networks have in common.
#
# > **Predict before you run.** All eight are worth 67 %. On 10,000 test images, how many points too many will the best
# > of them show, on average?

# %%
def flattery(runs, images, shared=0.0, accuracy=0.67, times=20_000):
    torch.manual_seed(0)
    error = (accuracy * (1 - accuracy) / images) ** 0.5
    common, own = torch.randn(times, 1), torch.randn(times, runs)
    luck = shared**0.5 * common + (1 - shared) ** 0.5 * own  # variance 1
    return 100 * error * luck.amax(1).mean().item()  # in points

# %% tags=["answer"]
for runs, images, shared in ((8, 10_000, 0), (8, 2_000, 0),
                             (100, 2_000, 0), (8, 10_000, 0.5)):
    print(f"best of {runs:3} on {images:6,} images, {shared:.0%} shared: "
          f"{flattery(runs, images, shared):.2f} points too good")

# %% tags=["answer", "claim"]
claim("The best of eight equal networks looks {value:.2f} points too good.",
      flattery(8, 10_000), equals=0.67, within=0.02)

# %% [markdown]
# More runs and fewer images give luck more to work with. The claim assumes that the networks err independently, and
# real ones do not: some cats are hard for all of them, and luck that all share crowns nobody. If half of it is shared,
# half a point remains. The cure is the same: whoever chooses by some images must be judged by others.
#
# Still, two thirds of a point does not explain gaps of seven. So we turn to the first question: how far does another
# seed move a score? We repeated the eight runs with three seeds, scaled down: an eighth of the widths, a tenth of the
# images, and 2,500 validation images to score them. Behind ± is the standard deviation over seeds.

# %%
small, scores = recorded_runs("cifar_grid"), {}
for run in small:
    name = f"c1 {run['c1']:2}, c2 {run['c2']:2}, hidden {run['hidden']}"
    scores.setdefault(name, []).append(run["valid_accuracy"][-1])
for name, some in scores.items():
    print(f"{name}: {mean_and_spread(some, '.1%')}")
for k in range(3):
    print(f"seed {k} crowns", max(scores, key=lambda name: scores[name][k]))

# %% tags=["claim"]
spread = mean(stdev(some) ** 2 for some in scores.values()) ** 0.5
claim("Seeds alone scatter an accuracy by {value:.1f} points (root mean "
      "square).", 100 * spread, equals=1.6, within=0.05)

# %% [markdown]
# Eight networks that differ only by such luck would spread over four or five points, and the study's spread over
# twelve. So something else is in them, or large networks scatter more. Without more seeds nobody can say. At our small
# size, all three seeds crown a network with the most channels, the opposite of what the study concludes, but they don't
# agree on the hidden numbers.
#
# ## What changed?
#
# The fourth question remains. Here are the recipes behind 61.7 %, behind the eight runs, and behind the study's last
# training, which reached 77.6 %.

# %%
before, after, last = (published[name] for name in ("base", "grid", "final"))
recipe = ("augmented", "batch_size", "patience", "lr", "epochs")
for key in recipe:
    print(f"{key:10}  {before[key]!s:>5} → {after[key]!s:>5} → {last[key]}")

# %% [markdown]
# > **Find the bug.** The article says that tuning lifted its accuracy from 61.7 % to 71.2 %. Which lines differ between
# > the first two recipes, and which of them did the search try?

# %% tags=["answer"]
changed = [key for key in recipe if before[key] != after[key]]
print("changed:", changed, " searched: c1, c2, hidden")

# %% [markdown]
# The search tried none of these changes. Between the two numbers, the study augmented its training images (turned,
# recoloured, mirrored), raised the batch size from 24 to 512, and added early stopping with a patience of 3. The gain
# came from these, from the seed, or from being the best of eight. To find out which, change *one thing at a time*. Such
# an experiment is called an **ablation**, a word from surgery: one takes a part out, and looks at what no longer works.
#
# Early stopping never ended a run: all eight reached their tenth epoch. That leaves augmentation and the batch size,
# which make four recipes. We ran each with five seeds, on all training images, for ten epochs, at an eighth of the
# widths.

# %%
ablation, found = recorded_runs("cifar_ablation"), {}
for run in sorted(ablation, key=lambda run: run["seed"]):
    pair = run["augmented"], run["batch_size"]
    found.setdefault(pair, []).append(100 * run["valid"]["accuracy"])

# %% [markdown]
# All four recipes ran with each seed, so we can subtract within a seed, and luck that they share cancels. The line is
# the mean with one standard deviation.
#
# > **Predict before you run.** The study gained 9.5 points with both changes. How much does each bring here? And would
# > three seeds have been enough to know?

# %% tags=["answer"]
pairs = ((False, 24), (True, 24), (False, 512), (True, 512))
base, augmented, large, both = (torch.tensor(found[pair])
                                for pair in pairs)
gains = {
    "augmentation": ((augmented - base) + (both - large)) / 2,
    "batches of 512": ((large - base) + (both - augmented)) / 2,
    "both": both - base,
}

# %% tags=["answer"] mystnb={"image": {"alt": "Gains in points of validation accuracy, a dot for each of five seeds, with means and standard deviations. Augmentation is below zero with every seed; batches of 512 and both together have dots on either side of zero."}}
plots.intervals({"gain": gains}, xlabel="points of validation accuracy",
                title="One change seems to cost, the other may do nothing")

# %% tags=["answer"]
for name, gain in gains.items():
    error = gain.std() / len(gain) ** 0.5
    print(f"{name:15}", *(f"{one:+.1f}" for one in gain),
          f"points, mean {gain.mean() / error:+.1f} standard errors")

# %% tags=["answer", "claim"]
claim("Augmentation costs {value:.1f} points or more with each of five "
      "seeds.", -gains["augmentation"].max(), at_least=0.5)

# %% tags=["answer", "claim"]
claim("Both at once, as in the study, bring {value:.1f} points at most with "
      "any of these seeds.", gains["both"].max(), at_most=2.5)

# %% [markdown]
# At this size, the study's 9.5 points do not come back. Augmentation even *costs* two points on average, and something
# with every seed. The mean is three standard errors below zero, just past our threshold for five seeds, which chance
# alone would pass one time in 25. Why would it cost? Augmentation makes memorising harder, but a network this narrow
# memorises little anyway. The full-size network may gain.
#
# Batches of 512 taught us a lesson of our own. With our first three seeds they had helped each time, and we wrote that
# down as a result. (Three coins agree one time in four.) The fourth seed disagreed. With five, the gain is less than
# two standard errors from zero, and that is no finding. (Five was fixed beforehand: whoever adds seeds until a result
# appears will get one.) There is a second trap: changes can *interact*, as in exercise 11.5.
#
# ## Three ways to spend 32 epochs
#
# Now it is our turn. We take padding and pooling, so that deeper layers see most of the image (lesson 3), and a
# learning rate that rises and falls (lesson 7). The study listed the rate and the dropout as well, but commented them
# out in its code. We search over the peak of the rate, the width and the dropout.

# %%
def our_net(width, dropout):
    layers = []
    for before, after in ((3, width), (width, 2 * width),
                          (2 * width, 4 * width)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(),
                   nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(dropout),
                         nn.Linear(4 * width * 4 * 4, 10))


assert str(our_net(8, 0.5)) == str(three_convolutions(8, 0.5))  # the same

# %% [markdown]
# The budget is 32 epochs on 2,500 images, at most four for each candidate. There are three classic ways to spend it.
#
# - A **grid** tries two values for each of the three: eight candidates, but only two learning rates.
# - **Random draws** make eight candidates for the same price, with eight learning rates.
# - **Successive halving** starts the same draws, but after one epoch only the better half goes on, and again after two.
#   Optuna does not wait for all of them: a candidate must be in the better half of those that came as far before it.
#
# We draw a rate's *exponent*, since the step from .001 to .002 matters as much as the one from .01 to .02.

# %%
grid = [{"lr": lr, "width": width, "dropout": dropout}
        for lr, width, dropout in product((0.001, 0.01), (12, 24), (0, 0.25))]
draws, drawn = random.Random(SEED), []
for _ in range(BUDGET):  # enough, even if each had only one epoch
    drawn.append({"lr": 10 ** draws.uniform(-4, -1),
                  "width": draws.randint(8, 32),
                  "dropout": draws.uniform(0, 0.5)})

# %% [markdown]
# The eight of each, by two of their settings:

# %% mystnb={"image": {"alt": "Learning rate, logarithmic, and dropout of eight candidates of a grid and of eight random ones. The grid's eight lie on four points, two on each; the random ones are spread over the plane."}}
candidates = {"grid": grid, "random": drawn[:8]}
plots.scatter({name: ([each["lr"] for each in some],
                      [each["dropout"] for each in some])
               for name, some in candidates.items()},
              log="x", xlabel="peak of the learning rate", ylabel="dropout",
              title="The grid's eight candidates lie on four points")

# %% [markdown]
# The picture shows the argument for random draws. If only the learning rate mattered, the grid would have tried two
# values of it, and the draws eight (J. Bergstra and Y. Bengio, 2012).
#
# Optuna, a library for searches, keeps the books. It hands our function a *trial*. We ask the trial for the candidate's
# values, tell it the accuracy after each epoch, and ask whether to go on. If not, Optuna *prunes* the candidate.

# %%
def objective(trial, train, choose):
    lr = trial.suggest_float("lr", 0.0001, 0.1, log=True)  # the candidate's
    width = trial.suggest_int("width", 8, 32)
    dropout = trial.suggest_float("dropout", 0, 0.5)
    torch.manual_seed(SEED)
    model = our_net(width, dropout).to(DEVICE, memory_format=LAST)
    optimizer = torch.optim.Adam(model.parameters())
    cycle = OneCycleLR(optimizer, lr, total_steps=EPOCHS * len(train))
    for epoch in range(1, EPOCHS + 1):
        train_epoch(model, train, optimizer, after_step=cycle.step)
        accuracy = evaluate(model, choose).accuracy
        trial.report(accuracy, epoch)
        if epoch < EPOCHS and trial.should_prune():
            raise optuna.TrialPruned
    return accuracy

# %% [markdown]
# `open_study`, from `course_utils.search`, opens one of Optuna's *studies* in a file, or makes a new one. All
# candidates wait in its queue, and each event adds a line to the file, so that a search that was stopped can go on.

# %%
folder = Path(tempfile.mkdtemp())  # in your own work: a place that lasts
train = batches(data.train.take(IMAGES), 64, shuffle=True, **options)
choose = batches(data.valid.take(CHOOSE), 500, **options)


def spent(study):
    return sum(len(trial.intermediate_values) for trial in study.trials)


def waiting(study):
    return study.get_trials(states=[optuna.trial.TrialState.WAITING])

# %% [markdown]
# Only halving prunes.

# %%
halves = optuna.pruners.SuccessiveHalvingPruner(min_resource=1,
                                                reduction_factor=2)
searches = {"grid": (grid, None), "random": (drawn, None),
            "halving": (drawn, halves)}
studies = {}
for name, (candidates, pruner) in searches.items():
    study = open_study(folder / "searches.journal", name, pruner=pruner)
    for candidate in candidates:
        study.enqueue_trial(candidate, skip_if_exists=True)
    while spent(study) < BUDGET and waiting(study):
        study.optimize(lambda trial: objective(trial, train, choose),
                       n_trials=1)
    studies[name] = study

# %% [markdown]
# > **Predict before you run.** For its 32 epochs, the grid tried eight candidates, and so did the draws. How many did
# > halving try? Which of the three found the best?

# %% tags=["answer"]
def tried(study):
    return [trial for trial in study.trials if trial.intermediate_values]


for name, study in studies.items():
    best = study.best_value
    error = (best * (1 - best) / CHOOSE) ** 0.5
    print(f"{name:8} {len(tried(study)):2} candidates, "
          f"{spent(study)} epochs, best {best:.1%} ± {error:.1%}")

# %% [markdown]
# Here, ± gives the standard error of one accuracy. A difference of two varies more, √2 times as much if their luck is
# independent, and each winner is the luckiest of several. So a lead of two points means little. Here is more to learn
# from: every candidate of halving, after its first epoch.

# %% mystnb={"image": {"alt": "Accuracy after one epoch over the peak of the learning rate, logarithmic, one point for each candidate of successive halving, in two colours for low and high dropout. Candidates at both ends of the range learn little, and those with high dropout less than their neighbours."}}
groups = {"dropout < .25": ([], []), "dropout ≥ .25": ([], [])}
for trial in tried(studies["halving"]):
    low = trial.params["dropout"] < 0.25
    peaks, firsts = groups["dropout < .25" if low else "dropout ≥ .25"]
    peaks.append(trial.params["lr"])
    firsts.append(100 * trial.intermediate_values[1])
plots.scatter(groups, log="x", xlabel="peak of the learning rate",
              ylabel="after one epoch, %",
              title="Rate and dropout both matter")

# %% tags=["claim"]
searched = (IMAGES, EPOCHS, BUDGET, CHOOSE) == (2_500, 4, 32, 1_000)
firsts = groups["dropout < .25"][1] + groups["dropout ≥ .25"][1]
claim.measured("The best and the worst of them are {value:.0f} points apart.",
               max(firsts) - min(firsts), data=data, stated=searched)

# %% [markdown]
# Very small and very large rates learn little, and so do candidates with much dropout, for their rate. This is the
# quiet advantage of random draws: each run says something about all settings at once.
#
# Which way is best? One race can't tell, so we ran all three with five seeds, on 5,000 images. Half of the validation
# images chose the winner. The other half, which had no say, *judged* it.

# %%
recorded_searches = recorded_runs("cifar_searches")
for name in ("grid", "random", "halving"):
    own = [run for run in recorded_searches if run["search"] == name]
    chosen = [run["valid_accuracy"] for run in own]
    judged = [run["judged_accuracy"] for run in own]
    print(f"{name:8} chosen at {mean_and_spread(chosen, '.1%')}, "
          f"judged {mean_and_spread(judged, '.1%')}")

# %% [markdown]
# None of the three clearly wins. The grid is steady because we had placed it well. The draws once missed the good
# rates, and halving, which goes on through the same draws, found them. Nor does the judge take much off: where
# candidates differ this much, the best is rarely just the luckiest.
#
# ## A final heat
#
# The three winners were chosen in a sprint, on 2,500 images. They need not suit the real race, and they disagree about
# the rate. So the three run once more at a size nearer to it, with four times the images. There is no augmentation,
# since three epochs of 45,000 images leave no time for memorising.

# %%
def trained(candidate, images, epochs):
    torch.manual_seed(SEED)
    model = our_net(candidate["width"], candidate["dropout"])
    model = model.to(DEVICE, memory_format=LAST)
    optimizer = torch.optim.Adam(model.parameters())
    loader = batches(images, 64, shuffle=True, **options)
    cycle = OneCycleLR(optimizer, candidate["lr"],
                       total_steps=epochs * len(loader))
    run = fit(model, loader, valid, optimizer, epochs=epochs,
              scheduler=cycle, scheduler_step="batch")
    return model, run[-1].valid.accuracy

# %% [markdown]
# The best of them is our choice.

# %%
nearer, heat = data.train.take(4 * IMAGES), {}
for name, study in studies.items():
    print(name, study.best_params)
    _, heat[name] = trained(study.best_params, nearer, EPOCHS // 2)
best = studies[max(heat, key=heat.get)].best_params

# %% [markdown]
# Did the heat confirm the sprint? Which of the two would you trust, and why?
#
# ## The test, once
#
# The winner now learns from all training images.

# %%
model, accuracy = trained(best, data.train.take(FINAL_IMAGES), FINAL_EPOCHS)

# %% [markdown]
# All choices are made. Now the test images, once.

# %%
logits = predict(model, batches(data.test, 500, **options)).cpu()
correct = logits.argmax(1) == data.test.y
low, high = wilson_interval(correct.sum().item(), len(correct))
print(f"validation {accuracy:.1%}, test "
      f"{correct.double().mean():.1%}, 95 % interval {low:.1%} to {high:.1%}")

# %% [markdown]
# The interval covers other test images, but not other seeds. So we ran all of this lesson five times, searches
# included:

# %%
again = recorded("bounds_11")["claims"][
    "It recognises {value:.0%} of the test images."]["values"]
print("the same procedure with five seeds:",
      *(f"{score:.1%}" for score in sorted(again)))

# %% tags=["claim"]
stated = searched and (FINAL_IMAGES, FINAL_EPOCHS) == (45_000, 3)
claim.measured("It recognises {value:.0%} of the test images.",
               correct.double().mean(), data=data, stated=stated)

# %% [markdown]
# So the number is a fair score of this network, and a rough one of our procedure: with some seeds, even the heat chose
# a rate that is too high. It is below the study's 77.6 %, but that network learned for 41 epochs on a GPU, and its test
# images chose the epoch to report. Ours is far smaller, and took about a minute. Lesson 12 has better parts for it.
#
# ### At full size
#
# What do the changes do to the study's network at its own size? With a GPU, this script will tell.

# %%
full = recorded_runs("cifar_full_ablation")

# %% [markdown]
# ## Shared, and killed
#
# Our searches took a minute. Real ones take days, and sooner or later the power fails. They also invite helpers, since
# trials don't depend on each other. The study's file helps with both. Here is a worker, a script of its own:

# %%
WORKER = """
import sys, optuna, torch
from course_utils import batches, evaluate, load, train_epoch
from course_utils.networks import three_convolutions
from course_utils.search import open_study

optuna.logging.set_verbosity(optuna.logging.WARNING)
torch.set_num_threads(1)  # so that workers don't fight for cores
file, epochs, name = sys.argv[1:]
data = load("cifar10")
train = batches(data.train.take(1_000), 64, shuffle=True)
choose = batches(data.valid.take(1_000), 500)

def objective(trial):
    trial.set_user_attr("worker", name)
    torch.manual_seed(0)
    model = three_convolutions(width=8)  # the same as our_net(8, 0)
    lr = trial.suggest_float("lr", 0.0001, 0.1, log=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(int(epochs)):
        train_epoch(model, train, optimizer)
    return evaluate(model, choose).accuracy

open_study(file, "shared").optimize(objective, n_trials=4)
"""

# %% [markdown]
# Each worker is a process of its own.

# %%
def start(file, epochs, name):
    return subprocess.Popen([sys.executable, "-c", WORKER, str(file),
                             str(epochs), name])


def states(study):
    return dict(Counter(trial.state.name for trial in study.trials))

# %% [markdown]
# We give the first worker a very long training, and kill it once it has begun.
#
# > **Predict before you run.** What will the file say about the trial of a worker that is dead?

# %% tags=["answer"]
file = Path(tempfile.mkdtemp()) / "shared.journal"
shared = open_study(file, "shared")
for k in range(8):
    shared.enqueue_trial({"lr": 0.001 * (k + 1)})
victim = start(file, epochs=10_000, name="victim")

# %% tags=["answer"]
while "RUNNING" not in states(shared) and victim.poll() is None:
    time.sleep(0.1)
time.sleep(0.5)  # a kill while it writes would leave a lock for 5 s
victim.kill()
victim.wait()
print(states(shared))

# %% [markdown]
# The process is gone, but its trial is still "running", because nobody told the file. `put_back` marks such trials as
# failed and puts their candidates back into the queue. Call it before any worker starts: it cannot tell a live trial
# from a dead one. Then two workers share the file.

# %%
put_back(shared)
names = ("first", "second") if waiting(shared) else ()  # if run again
workers = [start(file, epochs=1, name=name) for name in names]
for worker in workers:
    worker.wait()
print(states(shared))
done = [trial for trial in shared.trials if trial.state.name == "COMPLETE"]
print(Counter(trial.user_attrs["worker"] for trial in done))
agree("the candidates in the queue and those done, each once", [
    0.001 * (k + 1) for k in range(8)],
    sorted(trial.params["lr"] for trial in done), within=0)

# %% [markdown]
# With a database in place of the file, workers can share several machines.
#
# ## On Monday
#
# With data of your own:
#
# 1. Split first, and lock the test images away. Get a baseline.
# 2. Search on a part of the data, the learning rate first, over its exponent. Keep the study in a file.
# 3. Run the best few again, nearer to the real size. Train the winner on all training images.
# 4. Claim a difference only with five seeds or more, and a mean three standard errors from zero.
# 5. Score the test images once. Report the number, its interval, and how many candidates you tried.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
#
# ### Exercise 11.1 · The winner
#
# Which network did the published search choose? Give `(c1, c2, hidden)`.

# %%
chosen = ...
check("11.1", chosen)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 11.1
row_solution = max(rows, key=lambda row: row["accuracy"])
chosen_solution = (row_solution["c1"], row_solution["c2"],
                   row_solution["hidden"])
assert check("11.1", chosen_solution)

# %% [markdown]
# ### Exercise 11.2 · The error of a test
#
# A network is right on a share p of all images. Its accuracy on n of them scatters with the standard error
# √(p·(1−p)/n). For p = .7 and n = 10,000: how many points is that, to two decimal places? And how many images would
# bring the standard error down to a tenth of a point? Give both numbers.

# %%
error_and_images = ...
check("11.2", error_and_images)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 11.2
error_solution = 100 * (0.7 * 0.3 / 10_000) ** 0.5
error_and_images_solution = (error_solution, 0.7 * 0.3 / 0.001**2)
print("{:.2f} points, {:,.0f} images".format(*error_and_images_solution))
assert check("11.2", error_and_images_solution)

# %% [markdown]
# ### Exercise 11.3 · Who sets the pace?
#
# On an RTX 3070 the study's eight runs took 49 min 44 s for 80 epochs, and its last training, of the winner alone, 25
# min 20 s for 41. How many seconds, to one decimal place, did an epoch take in each? Compare the eight networks'
# multiply-adds above with the winner's. What sets the pace: the `"network"`, or the preparing of the `"images"`, one by
# one? Give all three.

# %%
pace = ...
check("11.3", pace)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 11.3
search_solution, last_solution = (49 * 60 + 44) / 80, (25 * 60 + 20) / 41
# up to four times the multiply-adds, and no longer: the images set the pace
pace_solution = (search_solution, last_solution, "images")
assert check("11.3", pace_solution)

# %% [markdown]
# ### Exercise 11.4 · What the test may do
#
# Which of these leave the test images a fair judge? Give the set of letters.
#
# - A: Compute the mean for normalising from training and test images together.
# - B: Stop training at the epoch with the lowest test loss.
# - C: Score the finished network once, and report the score.
# - D: Train two networks, decide to report both, then score both.
# - E: The score disappoints, so change the learning rate, and score again.
# - F: After reporting, look at the errors, and describe them.

# %%
fair = ...
check("11.4", fair)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 11.4
# A reads test images before the test; B and E choose by their score
fair_solution = {"C", "D", "F"}
assert check("11.4", fair_solution)

# %% [markdown]
# ### Exercise 11.5 · Two changes at once
#
# Here are four invented accuracies. With batches of 24: 60 % without augmentation, 68 % with it. With batches of 512:
# 62 % without, 65 % with it. Give three numbers, in points: what augmentation brings on average, what batches of 512
# bring on average, and how much more augmentation brings with batches of 512 than with batches of 24. The last is
# called their *interaction*.

# %%
effects = ...
check("11.5", effects)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 11.5
augmentation_solution = ((68 - 60) + (65 - 62)) / 2
batch_solution = ((62 - 60) + (65 - 68)) / 2
effects_solution = (augmentation_solution, batch_solution,
                    (65 - 62) - (68 - 60))
assert check("11.5", effects_solution)

# %% [markdown]
# ### Exercise 11.6 · Halving, with waiting
#
# The original halving waits for all candidates. Write
# `halving(candidates, score)`. `score(candidate, epochs)` trains a candidate until it has had that many epochs in all,
# and returns its validation accuracy. Give all candidates one epoch and keep the better half (of 7, keep 3). Give those
# two epochs in all and halve again, then four, and so on. Return the last one left, and leave the list unchanged.

# %%
def halving(candidates, score):
    ...


check("11.6", halving)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 11.6
def halving_solution(candidates, score):
    epochs = 1
    while len(candidates) > 1:
        scores = [score(candidate, epochs) for candidate in candidates]
        best_first = sorted(range(len(candidates)), reverse=True,
                            key=lambda k: scores[k])
        kept = best_first[: len(candidates) // 2]
        candidates = [candidates[k] for k in kept]
        epochs *= 2
    return candidates[0]


assert check("11.6", halving_solution)

# %% [markdown]
# ### Exercise 11.7 · Two networks, the same images
#
# Two networks answered the same images. On n images exactly one of the two was right, and on a of these it was network
# A. If they were equally good, each of the n would be a fair coin. How likely, then, is a split at least this uneven,
# in either direction? It is twice the chance of at most min(a, n − a) heads in n throws, but never more than 1. Write
# `p_value(right_a, right_b)` for two tensors of truth values; `comb`, imported above, helps. (Q. McNemar's test, 1947.)

# %%
def p_value(right_a, right_b):
    ...


check("11.7", p_value)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 11.7
def p_value_solution(right_a, right_b):
    only_a = (right_a & ~right_b).sum().item()
    only_b = (right_b & ~right_a).sum().item()
    n = only_a + only_b
    heads = sum(comb(n, k) for k in range(min(only_a, only_b) + 1))
    return min(1.0, 2 * heads / 2**n)


right_solution = []
for each_solution in (model, baseline):
    read_solution = predict(each_solution, valid).argmax(1).cpu()
    right_solution.append(read_solution == data.valid.y)
print(f"p = {p_value_solution(*right_solution):.1g}")
assert check("11.7", p_value_solution)

# %% [markdown]
# ### An open question
#
# No checker answers this one, so argue about it with somebody. CIFAR-10's test images have been public since 2009.
# Suppose that a thousand authors scored them once each, and each built on the best network so far. Is that test still a
# fair judge? How would you find out?
#
# ## What you can do now
#
# 1. Learn from `train`, choose by `valid`, and open `test` once.
# 2. Ask of a table: how often, who chose, what changed?
# 3. Know that the best of several runs looks too good.
# 4. Ablate: change one thing at a time, with several seeds, and compare within each seed.
# 5. At equal cost, draws try more values than a grid does, and halving more candidates.
# 6. Keep a study in a file, and let workers share it.
#
# ## Further reading
#
# - T. Flores, *Intro to PyTorch 2: convolutional neural networks* (2023): the study.
# - J. Bergstra and Y. Bengio, *Random search for hyper-parameter optimization* (2012).
# - K. Jamieson and A. Talwalkar, *Non-stochastic best arm identification and hyperparameter optimization* (2016), on
#   successive halving.
# - B. Recht and others, *Do CIFAR-10 classifiers generalize to CIFAR-10?* (2018): a new test set, years later.
