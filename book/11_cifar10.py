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
# **Read** 30 min · **Run** 3 min on two CPU cores · **Before this** lessons 7, 9 and 10
#
# ## What you will be able to do
#
# 1. Keep training, validation and test images apart, and say what each may decide.
# 2. Read a table of results: what changed, how often it was run, who chose the winner.
# 3. Say by how much the best of several runs flatters itself.
# 4. Search by grid, by random draws and by successive halving, at equal cost.
# 5. Keep a search in a file, go on after a kill, and share it among workers.
# 6. Find out which of several changes brought a gain.

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
from itertools import accumulate, product
from math import comb
from pathlib import Path
from statistics import mean, stdev

import torch
from torch import nn

from course_utils import (Augment, Checkpoint, EarlyStopping, batches, check, claim,
                          count_macs, count_parameters, device, diagrams, evaluate, fit, load,
                          mean_and_spread, plots, predict, receptive_field, recorded, recorded_runs,
                          train_epoch, wilson_interval)
from course_utils.networks import cifar_net
from course_utils.search import open_study, put_back

import optuna
optuna.logging.set_verbosity(optuna.logging.WARNING)  # no line for each trial

# %% [markdown]
# These numbers are yours to change. With a GPU, search with more images and epochs.

# %% nbmake={"mock": {"IMAGES": 64, "EPOCHS": 2, "BUDGET": 6, "CHOOSE": 100, "FINAL_IMAGES": 200, "FINAL_EPOCHS": 2}}
SEED = 0
IMAGES, EPOCHS = 2_500, 4  # for each candidate of a search
BUDGET = 32  # epochs for each search
CHOOSE = 2_000  # validation images to choose by
FINAL_IMAGES, FINAL_EPOCHS = 10_000, 5  # for the network that was chosen

# %% [markdown]
# ## Three heaps
#
# CIFAR-10: colour photographs of 32×32 pixels, ten classes.

# %% mystnb={"image": {"alt": "Twelve small colour photographs with the names of their classes."}}
data = load("cifar10")
print(data)
names = [data.classes[label] for label in data.train.y[:12]]
plots.images(data.train.x[:12], names, columns=6)

# %% [markdown]
# From `train` networks learn. By `valid` we choose: when to stop, which network, which learning rate. `test` stays
# closed until the end of this lesson, and is opened once.
#
# Before any convolution, a *baseline*. Guessing gets 10 %. What does a fully connected network get?

# %%
DEVICE = device()
learn = data.train.take(FINAL_IMAGES)
valid = batches(data.valid, 500, device=DEVICE)
torch.manual_seed(SEED)
baseline = nn.Sequential(nn.Flatten(), nn.Linear(3_072, 64), nn.ReLU(), nn.Linear(64, 10))
baseline = baseline.to(DEVICE)
optimizer = torch.optim.Adam(baseline.parameters())
shuffled = batches(learn, 64, shuffle=True, device=DEVICE)
run = fit(baseline, shuffled, valid, optimizer, epochs=FINAL_EPOCHS)

# %%
stated = (FINAL_IMAGES, FINAL_EPOCHS) == (10_000, 5)
claim.measured("A fully connected network recognises {value:.0%} of the validation images.",
               run[-1].valid.accuracy, data=data, stated=stated)

# %% [markdown]
# ## A published network
#
# We repeat a study that T. Flores published in 2023. It, too, began with a fully connected network: 53 %, trained on
# all images. Then came this one. Three of its widths can be set:

# %%
def published_net(c1=48, c2=96, hidden=256):
    side = 12  # of the last maps: 32 → 30 → 28 → 26 → 12
    return nn.Sequential(
        nn.Conv2d(3, c1, 3), nn.ReLU(),
        nn.Conv2d(c1, c1, 3), nn.ReLU(), nn.Dropout(0.1),
        nn.Conv2d(c1, c2, 3), nn.ReLU(),
        nn.Conv2d(c2, c2, 3, stride=2), nn.ReLU(), nn.Dropout(0.5),
        nn.Flatten(), nn.BatchNorm1d(c2 * side**2), nn.ReLU(),
        nn.Linear(c2 * side**2, hidden), nn.ReLU(),
        nn.Linear(hidden, 10),
    )

# %%
claim("`cifar_net`, in `course_utils.networks`, has the same layers: {value}.",
      str(cifar_net(6, 12, 32)) == str(published_net(6, 12, 32)), equals=True)

# %% [markdown]
# Its shapes and its parameters:

# %% mystnb={"image": {"alt": "The published network as bars: four convolutions with maps of 30, 28, 26 and 12 pixels a side, then 13,824 numbers, 256 and 10. The first linear layer has 3,539,200 parameters, the convolutions have few."}}
torch.manual_seed(SEED)
net = published_net().eval()
diagrams.architecture(net, (1, 3, 32, 32), title="One layer holds nearly all parameters")

# %% [markdown]
# Its numbers (lesson 3):

# %%
x, sides = torch.zeros(1, 3, 32, 32), []
for layer in net:
    x = layer(x)
    sides += [x.shape[-1]] if isinstance(layer, nn.Conv2d) else []
claim("Its maps have sides of {value}.", str(sides), equals="[30, 28, 26, 12]")
claim("It has {value:,} parameters.", count_parameters(net), equals=3_716_154)
claim("{value:.1%} of them sit in the first linear layer.",
      count_parameters(net[13]) / count_parameters(net), equals=0.952, within=0.0005)
claim("One image costs {value:.1f} million multiply-adds.",
      count_macs(net, (1, 3, 32, 32)) / 1e6, equals=60.9, within=0.05)
claim("Behind the last convolution, a number has seen {value} pixels a side.",
      receptive_field(net), equals=9)

# %% [markdown]
# So no convolution sees a whole cat. One linear layer must assemble it, from pieces of 9×9 pixels at fixed places.
#
# One more flaw: behind dropout stands *batch normalisation*. This layer divides each number by the spread that the
# number had in training (lesson 12). In use, dropout is off. Is the spread still the same?

# %%
torch.manual_seed(SEED)
x = next(iter(batches(data.train.take(64), 64)))[0]
before_norm = net[:11]
with torch.no_grad():
    variance = {mode: before_norm.train(mode)(x).var(0).mean() for mode in (True, False)}
claim("With dropout on, the variance before batch norm is {value:.1f} times as large.",
      variance[True] / variance[False], at_least=2)

# %% [markdown]
# It is not. Exercise 11.6 finds out why.
#
# ## Eight runs
#
# The study then tried two values for each of the three widths. Accuracies and losses are its own; we count the rest.
#
# > **Predict before you run.** The two largest networks differ by a hundredth of their size. By how many points of
# > accuracy?

# %%
published = recorded("published_cifar10_runs")
rows, sizes = published["grid"]["runs"], []
for row in rows:
    net = cifar_net(row["c1"], row["c2"], row["hidden"])
    sizes.append(count_parameters(net))
    macs = count_macs(net, (1, 3, 32, 32)) / 1e6
    print(f"{row['c1']:2} and {row['c2']:3} channels, {row['hidden']} hidden: "
          f"{row['accuracy']:.2%}, loss {row['loss']:.2f}   "
          f"{sizes[-1]:10,} parameters, {macs:3.0f} million multiply-adds")

# %% [markdown]
# The study concludes that 512 hidden numbers and 192 channels are worse, and that tuning lifted the accuracy: before,
# it had been 61.7 % (says the article; its notebook does not show that run). All eight in order of size:

# %% mystnb={"image": {"alt": "Published test accuracy of eight networks over their millions of parameters. The points jump between 59 and 71 per cent, also between networks of nearly equal size."}}
order = sorted(range(8), key=lambda k: sizes[k])
accuracies = [rows[k]["accuracy"] for k in order]
plots.curves([sizes[k] / 1e6 for k in order], {"published": accuracies}, percent=True,
             xlabel="million parameters", ylabel="test accuracy",
             title="Nearly equal sizes, far apart")

# %%
first = max(rows, key=lambda row: row["accuracy"])
claim("The two largest are {value:.1f} points apart.",
      100 * abs(accuracies[-1] - accuracies[-2]), equals=7.7, within=0.05)
claim("The winner has {value:,} parameters: it is the network that the study began with.",
      count_parameters(cifar_net(first["c1"], first["c2"], first["hidden"])),
      equals=count_parameters(cifar_net()))
claim("The search reached {value} channels; the article speaks of up to 96.",
      max(row["c2"] for row in rows), equals=192)

# %% [markdown]
# Four questions for any such table:
#
# 1. *How often was each run?* Once. `manual_seed` makes a run repeatable (on one CPU; a GPU may differ from run to
#    run). It does not make it typical.
# 2. *What else could have moved the numbers?* The seed, and which 10,000 images happen to be the test.
# 3. *Who chose?* The test images: they could stop the runs, they chose the winner, and then gave it its mark.
# 4. *What changed between the two numbers that are compared?*
#
# ## The best of eight
#
# Take questions 2 and 3 first. Suppose that all eight are equally good: each is right on 67 % of all the photographs
# of the world, and independently of the others. We test each and keep the best, many thousand times.
#
# > **Predict before you run.** How many points too high is the winner's test accuracy, on average?

# %%
def flattery(runs, images, seed_sd=0.0, accuracy=0.67, times=20_000):
    torch.manual_seed(SEED)
    true = accuracy + seed_sd * torch.randn(times, runs)
    measured = torch.binomial(torch.full_like(true, images), true) / images
    return 100 * (measured.amax(1) - accuracy).mean().item()


cases = ((8, 10_000, 0), (8, 2_000, 0), (100, 2_000, 0), (8, 10_000, 0.015))
for runs, images, seed_sd in cases:
    print(f"best of {runs:3} on {images:6,} images, seeds ± {100 * seed_sd:.1f} points: "
          f"{flattery(runs, images, seed_sd):.2f} points too good")
claim("The best of eight equal networks looks {value:.2f} points too good.",
      flattery(8, 10_000), equals=0.67, within=0.02)

# %% [markdown]
# The more runs and the fewer images, the more luck wins. Seeds add to it: a lucky seed makes one network better, not
# its widths. (The last line assumes 1.5 points; we come to that.) Whoever chooses by images must be judged by others.
#
# Question 1: how much do seeds do? A script repeats the eight runs with three seeds each, small: an eighth of all
# widths, a tenth of the images, ten epochs. Validation accuracy, mean ± standard deviation; each seed's winner:

# %%
small, scores = recorded_runs("cifar_grid"), {}
for run in small:
    widths = f"{run['c1']:2} and {run['c2']:2} channels, {run['hidden']} hidden"
    scores.setdefault(widths, []).append(run["valid_accuracy"][-1])
for widths, some in scores.items():
    print(f"{widths}: {mean_and_spread(some, '.2%')}")
for k, seed in enumerate(dict.fromkeys(run["seed"] for run in small)):
    print(f"seed {seed} crowns: {max(scores, key=lambda widths: scores[widths][k])}")

# %%
claim("Seeds alone scatter an accuracy by {value:.1f} points (root mean square).",
      100 * mean(stdev(some) ** 2 for some in scores.values()) ** 0.5, equals=1.6, within=0.05)
claim("The published winner, the narrowest, comes last here: {value}.",
      min(scores, key=lambda widths: mean(scores[widths])).strip(),
      equals="6 and 12 channels, 32 hidden")

# %% [markdown]
# Whoever has one run each can't tell neighbours apart: not all seeds crown the same network. Here more channels win on
# average, the opposite of what the study concludes; what more hidden numbers bring may be luck. (At this size; at its
# own, nobody can say.)
#
# ## What changed?
#
# Question 4. The recipe that reached 61.7 %, that of the eight runs, and that of a last training, 77.6 %:

# %%
before, after, last = published["base"], published["grid"], published["final"]
recipe = ("augmented", "batch_size", "lr", "epochs")
for key in recipe:
    print(f"{key:10}  {before[key]!s:>5} → {after[key]!s:>5} → {last[key]}")

# %% [markdown]
# > **Find the bug.** The article says that tuning lifted its accuracy from 61.7 % to 71.2 %. Which lines differ there,
# > and which of these did the search try?

# %%
changed = [key for key in recipe if before[key] != after[key]]
claim("The recipes differ in {value}.", " and ".join(changed),
      equals="augmented and batch_size")

# %% [markdown]
# The search tried neither: it varied widths, and its winner is where it began. Tuning lifted nothing. Augmentation did
# it, or batches of 512 instead of 24, or both, or the seed. To know, change *one at a time*: an **ablation**. Two
# factors make four recipes, each with three seeds: all training images, ten epochs, the network at an eighth of its
# widths. Accuracy, mean ± standard deviation:

# %% mystnb={"image": {"alt": "Validation accuracy of four recipes, a dot for each of three runs, with means and standard deviations: batches of 24 and of 512, without and with augmentation. Batches of 512 are higher in both, augmentation lower in both, by about as much as the lines are long."}}
ablation, found = recorded_runs("cifar_ablation"), {}
for run in ablation:
    series = "augmentation" if run["augmented"] else "no augmentation"
    batch = f"batches of {run['batch_size']}"
    found.setdefault(series, {}).setdefault(batch, []).append(run)
for size, steps in sorted({(run["batch_size"], run["steps"]) for run in ablation}):
    print(f"batches of {size}: {steps:,} steps")


def reached(some, split="valid"):
    return [run[split]["accuracy"] for run in some]


for series, group in found.items():
    for batch, some in group.items():
        print(f"{series:15}  {batch:14}  validation {mean_and_spread(reached(some), '.2%')}, "
              f"training {mean_and_spread(reached(some, 'train'), '.2%')}")
scores_of = {series: {batch: reached(some) for batch, some in group.items()} for series, group in found.items()}
plots.intervals(scores_of, xlabel="validation accuracy", percent=True,
                title="Larger batches help, augmentation does not")

# %% [markdown]
# The seeds scatter as much as the recipes. But each seed ran all four, so compare within it:

# %%
points = {(run["augmented"], run["batch_size"], run["seed"]): 100 * run["valid"]["accuracy"]
          for run in ablation}
gains = {"augmentation": [], "batches of 512": [], "both": []}
for seed in dict.fromkeys(run["seed"] for run in ablation):
    small_off, small_on, large_off, large_on = (
        points[augmented, size, seed] for size in (24, 512) for augmented in (False, True))
    gains["augmentation"].append((small_on - small_off + large_on - large_off) / 2)
    gains["batches of 512"].append((large_off - small_off + large_on - small_on) / 2)
    gains["both"].append(large_on - small_off)
for name, some in gains.items():
    print(f"{name:14}", *(f"{gain:+.1f}" for gain in some), "points, seed by seed")

# %%
claim("With each seed, batches of 512 bring {value:.1f} points or more.",
      min(gains["batches of 512"]), at_least=0.5)
claim("With each seed, augmentation brings {value:.1f} points or less.",
      max(gains["augmentation"]), at_most=-0.5)
claim("Both at once, as in the study, bring {value:.1f} points at most.",
      max(gains["both"]), at_most=2.5)

# %% [markdown]
# At this size, the study's 9.5 points do not come back. Larger batches help each seed, with a twentieth of the steps;
# augmentation helps none. (Three coins agree one time in four.) Augmentation is against learning images by heart,
# which this narrow network can't: it reads those it has seen only a few points better. The full one can, so it may be
# otherwise. Its four recipes wait for a GPU, at the end. (Two changes can *interact*: exercise 11.5.)
#
# ## Three ways to spend 32 epochs
#
# The study left the learning rate as it was. Our candidates have a learning rate, `c1` (`c2` is twice that) and
# `hidden`: small versions of the network, on 2,500 images. Each gets at most four epochs.
#
# - **Grid**: two values for each of the three. Eight candidates, two learning rates.
# - **Random**: eight draws. Eight candidates, eight learning rates, for the same price.
# - **Successive halving**: begin with many. Those who are not in the better half after one epoch end there; the same
#   after two.

# %%
grid = [{"lr": lr, "c1": c1, "hidden": hidden}
        for lr, c1, hidden in product((0.001, 0.01), (6, 12), (32, 64))]
draws = random.Random(SEED)
drawn = [{"lr": 0.0001 * 1000 ** draws.random(), "c1": draws.randint(4, 12),
          "hidden": draws.randint(32, 128)} for _ in range(2 * BUDGET)]
claim("The largest candidate costs {value:.1f} million multiply-adds.",
      count_macs(cifar_net(12, 24, 128), (1, 3, 32, 32)) / 1e6, at_most=10)

# %% [markdown]
# The learning rate is drawn so that each factor of ten, from .0001 to .1, is equally likely. (We draw more than the
# epochs can pay for.)
#
# Optuna, a library for searches, keeps the books. It hands our function a *trial*; we ask it for the candidate's
# values, tell it the accuracy after each epoch, and ask whether to go on; if not, Optuna *prunes* it. We
# never show it the test images.

# %%
folder = Path(tempfile.mkdtemp())  # in your own work: a place that lasts
train = batches(data.train.take(IMAGES), 64, shuffle=True, device=DEVICE)
choose = batches(data.valid.take(CHOOSE), 500, device=DEVICE)


def objective(trial):
    lr = trial.suggest_float("lr", 0.0001, 0.1, log=True)
    c1, hidden = trial.suggest_int("c1", 4, 12), trial.suggest_int("hidden", 32, 128)
    torch.manual_seed(SEED)
    model = cifar_net(c1, 2 * c1, hidden).to(DEVICE)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for epoch in range(1, EPOCHS + 1):
        train_epoch(model, train, optimizer)
        accuracy = evaluate(model, choose).accuracy
        trial.report(accuracy, epoch)
        if epoch < EPOCHS and trial.should_prune():
            raise optuna.TrialPruned
    return accuracy

# %% [markdown]
# `open_study`, from `course_utils.search`, opens one of Optuna's *studies* in a file, or makes it. The file is a
# journal: whatever happens is one more line, written by one process at a time, on network drives too. Candidates wait
# in the study's queue, so that no restart changes them.

# %%
pruner_of_halves = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
searches = {"grid": (grid, None), "random": (drawn[:BUDGET], None),
            "halving": (drawn[BUDGET:], pruner_of_halves)}


def spent(study):
    return sum(len(trial.intermediate_values) for trial in study.trials)


def waiting(study):
    return study.get_trials(states=[optuna.trial.TrialState.WAITING])


studies = {}
for name, (candidates, pruner) in searches.items():
    study = studies[name] = open_study(folder / "searches.journal", name, pruner=pruner)
    for candidate in candidates:
        study.enqueue_trial(candidate, skip_if_exists=True)
    while spent(study) < BUDGET and waiting(study):
        study.optimize(objective, n_trials=1)

# %% [markdown]
# > **Predict before you run.** What did each get for its epochs: how many candidates, and which accuracy?
#
# (The *standard error* is how far an accuracy scatters from one sample of images to another: exercise 11.2. The last
# trial of halving may overspend by up to three epochs.)

# %%
def tried(study):
    return [trial for trial in study.trials if trial.intermediate_values]


for name, study in studies.items():
    best = study.best_value
    error = (best * (1 - best) / CHOOSE) ** 0.5
    print(f"{name:8} {len(tried(study)):2} candidates, {spent(study)} epochs, best {best:.1%}, "
          f"standard error {error:.1%}: {study.best_params}")
searched = (IMAGES, EPOCHS, BUDGET, CHOOSE) == (2_500, 4, 32, 2_000)
claim.measured("For about as many epochs, halving tries {value} more candidates than random draws.",
               len(tried(studies["halving"])) - len(tried(studies["random"])),
               data=data, stated=searched, at_least=1)

# %% [markdown]
# The best accuracy so far, over the epochs spent:

# %% mystnb={"image": {"alt": "Best validation accuracy so far over the epochs spent, for grid, random draws and successive halving. Each curve rises in steps."}}
best_so_far = {name: list(accumulate((value for trial in study.trials
                                      for value in trial.intermediate_values.values()), max))
               for name, study in studies.items()}
longest = max(len(values) for values in best_so_far.values())
plots.curves(range(1, longest + 1), best_so_far, percent=True,
             xlabel="epochs spent", ylabel="best so far",
             title="Three ways to spend the same epochs")

# %% [markdown]
# Is the distance between the winners larger than the standard error? If not, luck may have decided. Each candidate of
# halving, after its first epoch, by its learning rate:

# %% mystnb={"image": {"alt": "Accuracy after one epoch over the learning rate, logarithmic, for the candidates of successive halving. It is lower at both ends of the range; in the middle, neighbours differ by many points."}}
firsts = sorted((trial.params["lr"], trial.intermediate_values[1])
                for trial in tried(studies["halving"]))
rates, accuracies = zip(*firsts, strict=True)
plots.curves(rates, {"each corner is a candidate": accuracies}, log="x", percent=True,
             xlabel="learning rate", ylabel="after one epoch",
             title="Less is learnt at both ends, and neighbours differ")

# %%
claim.measured("Between the best and the worst of them lie {value:.0f} points.",
               100 * (max(accuracies) - min(accuracies)), data=data, stated=searched)

# %% [markdown]
# The ends of the range learn little, whatever the widths. A grid spends its eight runs on two learning rates, the
# study's grid on one; draws test a new one each time (J. Bergstra and Y. Bengio, 2012). Who is unlucky in the first
# epoch is gone: the price of halving.
#
# The pruner does not wait until all are there. It compares each trial with those that came as far *before* it, so that
# workers need not wait for each other. We replay this rule on the numbers in the journal.

# %%
def goes_on(value, reported):
    better_half = sorted(reported, reverse=True)[:max(1, len(reported) // 2)]
    return value >= better_half[-1]


def last_epoch(values, so_far):
    for epoch, reported in so_far.items():
        reported.append(values[epoch])
        if not goes_on(values[epoch], reported):
            return epoch
    return EPOCHS


so_far = {epoch: [] for epoch in (1, 2) if epoch < EPOCHS}
replayed = [last_epoch(trial.intermediate_values, so_far)
            for trial in tried(studies["halving"])]
ended = [max(trial.intermediate_values) for trial in tried(studies["halving"])]
print(ended)
claim("Our rule ends each trial where Optuna ended it: {value}.",
      replayed == ended, equals=True)

# %% [markdown]
# A script runs all three searches with three seeds on 5,000 images (random and halving draw the same). Half of the
# validation images chooses. The other half, which chose nothing, *judges* the winner. From the difference we subtract
# what finished candidates lose on average: the rest is the flattery of choosing.

# %%
full_searches = recorded_runs("cifar_searches")
finished = [trial for run in full_searches for trial in run["trials"]
            if trial["judged_accuracy"] is not None]
easier = mean(trial["valid_accuracy"][-1] - trial["judged_accuracy"] for trial in finished)
for name in dict.fromkeys(run["search"] for run in full_searches):
    chosen, judged = ([run[key] for run in full_searches if run["search"] == name]
                      for key in ("valid_accuracy", "judged_accuracy"))
    lost = [100 * (a - b - easier) for a, b in zip(chosen, judged, strict=True)]
    print(f"{name:8} chosen at {mean_and_spread(chosen, '.2%')}, judged {mean_and_spread(judged, '.2%')}, "
          f"{mean_and_spread(lost, '+.2f')} points of flattery")
ends = [trial["valid_accuracy"][-1] for trial in finished]
print(f"finished candidates: {min(ends):.0%} to {max(ends):.0%}")

# %% [markdown]
# None of the three wins: the distances lie within the spreads. Nor does the flattery show: these networks differ by
# far more than luck. Where the best are close, as in the study, luck chooses.
#
# ## Killed, and shared
#
# Here is a worker in a process of its own, on a study of eight candidates. Its training is a nap.

# %%
WORKER = """
import sys, time, optuna
from course_utils.search import open_study

optuna.logging.set_verbosity(optuna.logging.WARNING)
file, nap, name = sys.argv[1:]

def objective(trial):
    trial.set_user_attr("worker", name)
    time.sleep(float(nap))
    return trial.suggest_float("lr", 0.0001, 0.1, log=True)

study = open_study(file, "shared")
if study.get_trials(states=[optuna.trial.TrialState.WAITING]):  # a second call finds nothing to do
    study.optimize(objective, n_trials=4)
"""
rates = [0.001 * (k + 1) for k in range(8)]


def start(nap, name):
    return subprocess.Popen([sys.executable, "-c", WORKER, str(file), str(nap), name])


def states():
    return dict(Counter(trial.state.name for trial in shared.trials))

# %% [markdown]
# The first naps for a minute; once it has a trial, we kill it.
#
# > **Predict before you run.** What will the file say about its trial?

# %%
file = Path(tempfile.mkdtemp()) / "shared.journal"
shared = open_study(file, "shared")
for lr in rates:
    shared.enqueue_trial({"lr": lr})

victim = start(nap=60, name="victim")
while "RUNNING" not in states() and victim.poll() is None:
    time.sleep(0.1)
time.sleep(0.5)  # until it naps: a kill while it writes leaves a lock, which is broken after 5 s
victim.kill()
victim.wait()
print(states())

# %% [markdown]
# The process is gone, and its trial still "runs": nobody told the file. `put_back` marks such trials as failed and
# asks for their candidates again. (Call it before any worker starts: it can't tell a live trial from a dead one.) Then
# two workers at once, on one file:

# %%
put_back(shared)
workers = [start(nap=0.1, name=name) for name in ("first", "second")]
for worker in workers:
    worker.wait()
done = [trial for trial in shared.trials if trial.state.name == "COMPLETE"]
lost = [trial for trial in shared.trials if trial.state.name == "FAIL"]
print(states(), dict(Counter(trial.user_attrs["worker"] for trial in done)))
claim("Candidates that were lost and tried again: {value}.", len(lost), equals=1)
claim("Each of the eight candidates is done once: {value}.",
      sorted(trial.params["lr"] for trial in done) == rates, equals=True)
claim("Workers that did them: {value}.",
      len({trial.user_attrs["worker"] for trial in done}), equals=2)

# %% [markdown]
# ## The network that was chosen
#
# We take the best of the three searches, by its validation accuracy, and train it anew on more images, with early
# stopping and the study's augmentation, though our ablation speaks against it: we repeat the study. Two of its bugs
# are mended: the checkpoint holds the weights that were trained (lesson 7), and dropout sleeps when it should (lesson
# 8).

# %%
winner = max((study.best_trial for study in studies.values()), key=lambda trial: trial.value)
print(winner.params)
torch.manual_seed(SEED)
c1 = winner.params["c1"]
model = cifar_net(c1, 2 * c1, winner.params["hidden"]).to(DEVICE)
augment = Augment(rotation=20, brightness=0.2, hue=0.1, flip=0.5)
final = batches(learn, 64, shuffle=True, augment=augment, device=DEVICE)
optimizer = torch.optim.Adam(model.parameters(), lr=winner.params["lr"])
checkpoint = Checkpoint(folder / "final.pt")
run = fit(model, final, valid, optimizer, epochs=FINAL_EPOCHS,
          callbacks=[EarlyStopping(patience=3), checkpoint])

# %%
row = checkpoint.load_best(model)
claim("The loaded weights score what their epoch did: {value}.",
      abs(evaluate(model, valid).accuracy - row.valid.accuracy) < 1e-3, equals=True)
claim.measured("On validation images, it is {value:.0f} points above the baseline.",
               100 * (row.valid.accuracy - evaluate(baseline, valid).accuracy),
               data=data, stated=stated and searched, at_least=0)

# %% [markdown]
# ## The test, once
#
# All choices are made. One pass; this section comes from its answers.

# %%
logits = predict(model, batches(data.test, 500, device=DEVICE)).cpu()
answer, truth = logits.argmax(1), data.test.y
correct = answer == truth
low, high = wilson_interval(correct.sum().item(), len(correct))
print(f"validation {row.valid.accuracy:.2%}, test {correct.double().mean():.2%}, "
      f"95 % interval {low:.2%} to {high:.2%}")
claim.measured("It recognises {value:.0%} of the test images.", correct.double().mean(),
               data=data, stated=stated and searched)

# %% [markdown]
# A test far below the validation would warn us that we chose too long by those images. Both are far below the study's
# 77.6 %: a small network, few images, a short time. But this number means what it says. Where does it err? (Lesson 9
# shows the study's own matrix.)

# %% mystnb={"image": {"alt": "Confusion matrix of the chosen network on the test images, truth in rows. Most errors stay among animals or among vehicles: cats and dogs are taken for each other, and so are trucks and automobiles."}}
counts = torch.bincount(10 * truth + answer, minlength=100).view(10, 10)
plots.confusion(counts, data.classes,
                title="Animals are taken for animals, vehicles for vehicles")

# %%
animals = ("bird", "cat", "deer", "dog", "frog", "horse")
animal = torch.tensor([name in animals for name in data.classes])
same_kind = animal[answer] == animal[truth]
claim.measured("Of its errors, {value:.0%} stay among animals or among vehicles.",
               same_kind[~correct].double().mean(), data=data, stated=stated and searched)

# %% [markdown]
# Errors at random would leave .6 · 5/9 + .4 · 3/9 = 47 % there. By row, recall; then by column, precision; in per
# cent.

# %% mystnb={"image": {"alt": "Recall matrix in per cent: each row adds up to 100. Cats are among the classes found least."}}
recall = counts / counts.sum(1, keepdim=True)
plots.confusion(recall, data.classes, title="By row: what becomes of each class")

# %% [markdown]
# And the other way round:

# %% mystnb={"image": {"alt": "Precision matrix in per cent: each column adds up to 100."}}
precision = counts / counts.sum(0, keepdim=True).clamp(min=1)
plots.confusion(precision, data.classes, title="By column: what is behind each answer")

# %% [markdown]
# Class by class, beside the study's network:

# %%
theirs = torch.tensor(recorded("published_cifar10_confusion")["matrix"])
theirs_recall, theirs_precision = theirs.diag() / theirs.sum(1), theirs.diag() / theirs.sum(0)
print(f"right on {correct.double().mean():.2%} and {theirs.diag().sum() / theirs.sum():.2%}")
print(f"{'':12} recall: ours, theirs   precision: ours, theirs")
for k, name in enumerate(data.classes):
    print(f"{name:12} {recall[k, k]:12.1%}  {theirs_recall[k]:6.1%} "
          f"{precision[k, k]:17.1%}  {theirs_precision[k]:6.1%}")

# %% [markdown]
# The study's network finds cats least, then dogs, deer and birds. Ours? And twelve test images at random, as the study
# showed (unnormalised, with six right: lesson 9):

# %% mystnb={"image": {"alt": "Twelve random test images with answer and truth above each; right answers with a tick, wrong ones with a cross."}}
some = torch.randperm(len(truth), generator=torch.Generator().manual_seed(SEED))[:12]
titles = [f"{data.classes[answer[k]]}\nis {data.classes[truth[k]]}" for k in some]
plots.images(data.test.x[some], titles, correct=correct[some], columns=4)

# %% [markdown]
# ## In full size
#
# The study's network itself, under its own recipes but with a validation split. What has run, on what, and how far
# (the rest waits for a GPU):

# %%
full = recorded_runs("cifar_published")
for run in full:
    print(f"{run['run']}: {len(run['seconds'])} epochs, {sum(run['seconds']) / 60:.0f} min "
          f"({run['machine']}), test accuracy {run['test_accuracy']:.2%}")
whole = {(run["run"], run["seed"]) for run in full if not run["out_of_time"]}
factorial = ("base", "augmented", "large-batch", "grid-0")  # the ablation, in full size
for name in (*factorial, *(f"grid-{k}" for k in range(1, 8)), "wide-kernel", "final"):
    missing = [seed for seed in range(3 if name in factorial else 1) if (name, seed) not in whole]
    if missing:
        print("not run to its end: python -m experiments.cifar_published --run", name,
              "--seed", *missing)

# %% [markdown]
# The study gives 61.7 % for `base`, 58.4 % for `wide-kernel` (5×5 in the first layer), and 77.6 % for `final`, after
# 41 epochs. One run each, on the official copy. Compare with care: there, the test images chose.

# %%
claim("With 5×5 in its first layer, the network has {value:,} parameters.",
      count_parameters(cifar_net(first_kernel=5)), equals=3_148_794)

# %% [markdown]
# The study's own curve of its 5×5 network, test images, and ours as far as there are any, validation images:

# %% mystnb={"image": {"alt": "Accuracy over epochs of the study's network under its own recipes: the published 5×5 curve rises from 41 to 58 per cent in ten epochs; ours, under the last recipe, from 48 to 72 in fourteen."}}
lines = {"published, 5×5": published["wide_kernel"]["accuracy"]}
for run in sorted(full, key=lambda run: len(run["seconds"])):
    lines[f"{run['run']}, seed {run['seed']}"] = run["valid_accuracy"]
longest = max(len(line) for line in lines.values())
plots.curves(range(1, longest + 1), lines, percent=True, xlabel="epoch",
             ylabel="accuracy", title="The study's network, as far as it has run")

# %% [markdown]
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
chosen_solution = (row_solution["c1"], row_solution["c2"], row_solution["hidden"])
assert check("11.1", chosen_solution)

# %% [markdown]
# ### Exercise 11.2 · The error of a test
#
# A network is right on a share p of all images. On n of them its accuracy scatters with the *standard error*
# √(p·(1−p)/n). For p = .7: how many points is it on 10,000 images, to two places? How many images would bring it down
# to a tenth of a point? Give both numbers.

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
# On an RTX 3070 the eight runs took 49 min 44 s for 80 epochs, and the last training, of the winner alone, 25 min 20 s
# for 41. How many seconds, to one place, did an epoch take in each? Compare the eight networks' multiply-adds above
# with the winner's: what sets the pace, the `"network"`, or the preparing of the `"images"`, one by one? Give all
# three.

# %%
pace = ...
check("11.3", pace)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 11.3
search_solution, last_solution = (49 * 60 + 44) / 80, (25 * 60 + 20) / 41
pace_solution = (search_solution, last_solution, "images")  # as long, for up to four times the work
assert check("11.3", pace_solution)

# %% [markdown]
# ### Exercise 11.4 · What the test may do
#
# Which of these leave the test images a fair judge? Give the set of letters.
#
# - A: compute the mean for normalising from training and test images together.
# - B: stop training at the epoch with the lowest test loss.
# - C: score the finished network once, and report it.
# - D: train two networks, decide to report both, then score both.
# - E: the score disappoints. Change the learning rate, and score again.
# - F: after reporting, look at the errors, and describe them.

# %%
fair = ...
check("11.4", fair)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 11.4
fair_solution = {"C", "D", "F"}  # A reads test images before the test; B and E choose by their score
assert check("11.4", fair_solution)

# %% [markdown]
# ### Exercise 11.5 · Two changes at once
#
# Four invented accuracies: batches of 24: 60 % without augmentation, 68 % with it. Batches of 512: 62 % without, 65 %
# with. Give three numbers in points: what augmentation brings on average, what batches of 512 bring on average, and
# how much more augmentation brings with batches of 512 than with 24 (their interaction).

# %%
effects = ...
check("11.5", effects)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 11.5
augmentation_solution = ((68 - 60) + (65 - 62)) / 2
batch_solution = ((62 - 60) + (65 - 68)) / 2
effects_solution = (augmentation_solution, batch_solution, (65 - 62) - (68 - 60))
assert check("11.5", effects_solution)

# %% [markdown]
# ### Exercise 11.6 · Behind dropout
#
# Numbers with this `mean` and this `variance` go through dropout: each is zeroed with probability p, the others are
# divided by 1 − p. Write `variance_after(mean, variance, p)`. (The variance is the mean of the squares, less the
# square of the mean.)

# %%
def variance_after(mean, variance, p):
    ...


check("11.6", variance_after)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 11.6
def variance_after_solution(mean, variance, p):
    squares = variance + mean**2
    return squares * (1 - p) / (1 - p) ** 2 - mean**2  # fewer, each larger; the mean stays


for mean_solution in (0, 1, 2):
    times_solution = variance_after_solution(mean_solution, 1, 0.5)
    print(f"p = .5, variance 1, mean {mean_solution}: {times_solution:g} times the variance")
assert check("11.6", variance_after_solution)

# %% [markdown]
# ### Exercise 11.7 · Halving, with waiting
#
# Write `halving(candidates, score)`. `score(candidate, epochs)` trains a candidate until it has had so many epochs in
# all, and returns its validation accuracy. Give all candidates one epoch, keep the better half (of 7, keep 3), give
# those two in all, halve again, then four, and so on. Return the last one left, and leave the list as it is.

# %%
def halving(candidates, score):
    ...


check("11.7", halving)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 11.7
def halving_solution(candidates, score):
    epochs = 1
    while len(candidates) > 1:
        scores = [score(candidate, epochs) for candidate in candidates]
        order = sorted(range(len(candidates)), key=lambda k: scores[k], reverse=True)
        candidates = [candidates[k] for k in order[: len(order) // 2]]
        epochs *= 2
    return candidates[0]


assert check("11.7", halving_solution)

# %% [markdown]
# ### Exercise 11.8 · Two networks, the same images
#
# Two networks answered the same images. Where both are right, or neither, an image says nothing about which is better.
# On n images only one was right, A on a of them. If they were equally good, each of the n would be a coin. Write
# `p_value(right_a, right_b)`, for two tensors of truth values: how likely is a split at least as uneven, to either
# side? Twice the chance of at most min(a, n − a) heads in n throws, and never above 1. (`comb` helps. Q. McNemar,
# 1947.)

# %%
def p_value(right_a, right_b):
    ...


check("11.8", p_value)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 11.8
def p_value_solution(right_a, right_b):
    only_a, only_b = (right_a & ~right_b).sum().item(), (right_b & ~right_a).sum().item()
    n = only_a + only_b
    heads = sum(comb(n, k) for k in range(min(only_a, only_b) + 1))
    return min(1.0, 2 * heads / 2**n)


ours_solution, baseline_solution = (predict(each_solution, valid).argmax(1).cpu() == data.valid.y
                                    for each_solution in (model, baseline))
print(f"chosen network against baseline: p = {p_value_solution(ours_solution, baseline_solution):.1g}")
assert check("11.8", p_value_solution)

# %% [markdown]
# ## What you can do now
#
# 1. Learn from the training images, choose by the validation images, and open the test once.
# 2. Ask of a table: how often, what else, who chose, what changed?
# 3. The best of several runs looks too good; the more runs, the more so.
# 4. At equal cost, draws try more values of what matters than a grid, and halving more candidates.
# 5. Queue the candidates, keep the study in a file, put lost trials back, and let workers share it.
# 6. Ablate: one change at a time, several seeds, and look for interactions.
#
# ## Further reading
#
# - T. Flores, *Intro to PyTorch 2: convolutional neural networks* (2023): the study.
# - J. Bergstra and Y. Bengio, *Random search for hyper-parameter optimization* (2012).
# - K. Jamieson and A. Talwalkar, *Non-stochastic best arm identification and hyperparameter optimization* (2016):
#   successive halving; L. Li and others, *A system for massively parallel hyperparameter tuning* (2020): without
#   waiting.
# - G. Cawley and N. Talbot, *On over-fitting in model selection and subsequent selection bias in performance
#   evaluation* (2010).
# - X. Bouthillier and others, *Accounting for variance in machine learning benchmarks* (2021).
# - B. Recht and others, *Do CIFAR-10 classifiers generalize to CIFAR-10?* (2018): a new test set, years later.
