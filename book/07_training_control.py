# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 7 · Controlling training
#
# *Who decides when a network has learnt enough?*
#
# **Read** 55 min · **Run** 55 s on two CPU cores · **Before this** lessons 5 and 6
#
# ## What you will be able to do
#
# 1. Choose and draw a learning-rate schedule, and step it at the right moment.
# 2. Build early stopping, and say why it quarrels with a schedule.
# 3. Keep the best weights, and prove that you did.
# 4. Resume an interrupted training to the last bit.
# 5. Load a file of weights without running code that it may hold.
# 6. Read the callbacks of a framework, skorch, as parts of your own loop.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("07_training_control")

# %%
import copy
import math
import tempfile
from pathlib import Path
from statistics import mean

import torch
from skorch import NeuralNetClassifier, callbacks as skorch_callbacks
from skorch.helper import predefined_split
from torch import nn
from torch.nn.utils import parameters_to_vector
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

from course_utils import (
    Checkpoint, EarlyStopping, agree, as_dataset, batches, check, claim,
    evaluate, fit, load, mean_and_spread, plots, predict, recorded_runs,
    train_epoch,
)
from course_utils.networks import lenet

# %% [markdown]
# These numbers are yours to change. Files go to a temporary folder.

# %% nbmake={"mock": {"IMAGES": 256, "EPOCHS": 2, "FEW": 256, "FEW_EPOCHS": 6, "PATIENCE": 2}}
SEED = 0
IMAGES, EPOCHS, LR = 10_000, 3, 0.005  # to compare schedules
FEW, FEW_EPOCHS = 1_000, 30  # to learn for too long
PATIENCE = 5

# %% [markdown]
# ## A learning rate that falls
#
# Think of parking a car. You drive to the right street fast, and over the last metre you crawl. Nobody drives the whole
# way at one speed: at a crawl it takes an hour, and at full speed you hit the wall or swing back and forth past the
# gap. A learning rate has the same two jobs. A large one gets far quickly and then jumps around the goal. A small one
# settles, but arrives late. So we let the rate change on the way: a *schedule* gives each step its rate, and most begin
# large and end small.
#
# Here are six of them, for a training of `steps` steps. *Step* multiplies the rate by `gamma` after each third,
# *exponential* loses the same share each step and ends at 1 %, and *one-cycle* rises before it falls.

# %%
SCHEDULES = {
    "constant": lambda opt, steps: lr_scheduler.ConstantLR(opt, factor=1.0),
    "step": lambda opt, steps: lr_scheduler.StepLR(
        opt, steps // 3 + 1, gamma=0.3),
    "exponential": lambda opt, steps: lr_scheduler.ExponentialLR(
        opt, 0.01 ** (1 / steps)),
    "linear": lambda opt, steps: lr_scheduler.LinearLR(
        opt, 1.0, 0.0, total_iters=steps),
    "cosine": lambda opt, steps: lr_scheduler.CosineAnnealingLR(
        opt, T_max=steps),
    "one-cycle": lambda opt, steps: lr_scheduler.OneCycleLR(
        opt, max_lr=LR, total_steps=steps),
}

# %% [markdown]
# A scheduler writes the next rate into its optimiser each time its `step()` is called, after `optimizer.step()`. It
# never looks at an image, so we can draw its whole plan without any training. (`ReduceLROnPlateau` has no plan: it
# watches a score.)

# %% mystnb={"image": {"alt": "The learning rate over 100 steps. Constant stays at 0.005. Step falls twice, each time to three tenths. Exponential falls fast at first. Linear is a straight line to 0. Cosine starts and ends flat. One-cycle rises to 0.005 in the first 30 steps and then falls to 0 like the cosine."}}
def rates(schedule, steps):
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=LR)
    scheduler = schedule(optimizer, steps)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


plans = {name: rates(schedule, 100)
         for name, schedule in SCHEDULES.items()}
plots.curves(range(100), plans, xlabel="steps done",
             ylabel="learning rate",
             title="Five ways down, and one that stays")

# %% [markdown]
# The cosine is half a wave. With the first rate $\eta_0$ and $T$ steps in all, the rate after $t$ steps is
# $\eta_t = \tfrac12 \eta_0 (1 + \cos(\pi t / T))$.

# %%
agree("the formula and PyTorch's cosine after 59 of 100 steps",
      LR / 2 * (1 + math.cos(math.pi * 59 / 100)), plans["cosine"][59],
      within=1e-12)

# %% [markdown]
# Now let LeNet train under each of them, for three epochs on 10,000 digits. `scheduler_step` tells `fit` when to call
# `scheduler.step()`, here after each batch. This matters more than it seems: a one-cycle schedule made for all 471
# steps but stepped once an epoch would spend the whole training in its first three steps.
#
# > **Predict before you run.** Which schedule will have the highest validation loss at the end, and which after the
# > first epoch?

# %% tags=["answer"]
mnist = load("mnist")
train = batches(mnist.train.take(IMAGES), 64, shuffle=True)
valid = batches(mnist.valid, 1_000)

# %% tags=["answer"]
runs = {}
for name, schedule in SCHEDULES.items():
    torch.manual_seed(SEED)
    model = lenet()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    scheduler = schedule(optimizer, EPOCHS * len(train))
    print(name)
    runs[name] = fit(model, train, valid, optimizer, epochs=EPOCHS,
                     scheduler=scheduler, scheduler_step="batch")

# %% tags=["answer"] mystnb={"image": {"alt": "Validation loss after each of three epochs for six schedules. One-cycle begins highest. Exponential ends highest or near it. The others end close together."}}
losses = {name: run.column("valid", "loss") for name, run in runs.items()}
plots.curves(range(1, EPOCHS + 1), losses, xlabel="epoch",
             ylabel="validation loss",
             title="Most schedules end close together")

# %% [markdown]
# One-cycle is behind after the first epoch because its rate began small, at a twenty-fifth of its peak, and needed most
# of that epoch to rise. It catches up later. Exponential is behind at the end, because half of its rates were less than
# a tenth of the first: it slowed down while there was still a long way to go. The others hardly differ. Is one of them
# *the best*?
#
# But this was one run of each, at one rate that nobody had tuned. A fair race gives each schedule its own best first
# rate, and several seeds. We recorded that race on all 55,000 digits for one epoch: four rates, five seeds.

# %%
by_schedule = {}
for run in recorded_runs("schedules"):
    per_rate = by_schedule.setdefault(run["schedule"], {})
    per_rate.setdefault(run["lr"], []).append(run["valid_accuracy"][-1])
print(f"{'':12}", *(f"{lr:>8}" for lr in by_schedule["cosine"]))
for name, per_rate in by_schedule.items():
    best = max(per_rate.values(), key=mean)
    print(f"{name:12}", *(f"{mean(some):8.2%}" for some in per_rate.values()),
          f"  at best {mean_and_spread(best, '.2%')}")

# %% [markdown]
# Read each row at its best place. Four of the five schedules that fall beat the constant rate by more than the seeds
# explain. They lead even from .005. Exponential, which falls
# so early, wins with four seeds of five, and that is not enough. The other four differ by less than their spread, so
# these runs name no best one. "Prefer cosine", a tutorial says, because it "escapes local optima". No schedule can
# promise that. Now read the last column. At .02 most rows lose a point or more, and one-cycle loses nothing. It warms
# up first, which is probably why it forgives a high peak. (Its best rate may be higher still.)
#
# PyTorch's own MNIST example has yet another pair: the optimiser *Adadelta* at a rate of 1, and a `StepLR` that
# multiplies it by 0.7 after each epoch. Exercise 7.1 follows its rate, and lesson 15 runs the whole program.
#
# ## When is it done?
#
# A schedule says how fast to go, but not how far. So let us give LeNet only 1,000 images, which it can memorise, and
# watch it for 30 epochs. After each epoch we score it a second time, on only 200 of the validation images, to see later
# what so few are worth. For this we need a *callback*: an object whose `on_epoch_end` is called by `fit` after each
# epoch, with the `state` of the training.

# %%
class ScoreOn:
    def __init__(self, images):
        self.batches, self.scores = batches(images, 200), []

    def on_epoch_end(self, state):
        self.scores.append(evaluate(state.model, self.batches).accuracy)


def lenet_and_adam():
    torch.manual_seed(SEED)
    model = lenet()
    return model, torch.optim.Adam(model.parameters(), lr=LR)

# %% [markdown]
# > **Predict before you run.** The training loss will fall towards 0. What will the validation loss and the validation
# > accuracy do?

# %% tags=["answer"]
few_train = batches(mnist.train.take(FEW), 64, shuffle=True)
on_200 = ScoreOn(mnist.valid.take(200))
model, optimizer = lenet_and_adam()
long = fit(model, few_train, valid, optimizer, epochs=FEW_EPOCHS,
           callbacks=[on_200])

# %% tags=["answer"] mystnb={"image": {"alt": "Left: the training loss falls towards 0; the validation loss falls for some epochs, then jitters about a level and drifts upwards. Right: training accuracy comes close to 100 per cent, validation accuracy stays below 95 per cent and still rises a little."}}
plots.history(long,
              title="The validation loss stops falling; accuracy creeps on")

# %% [markdown]
# The curves jitter because the rate stays high to the end. Behind the jitter, the training loss falls a hundredfold.
# The validation loss stops falling after a few epochs and drifts upwards, while the validation accuracy still creeps
# on. The loss punishes an error more the surer the network is of it, and a network that memorises its images grows
# surer of everything, its errors included (lesson 9 shows it). *Overfitting* means getting better on the training
# images without getting better on others, and when it begins depends on what you watch.
#
# *Early stopping* turns this into a rule: stop when nothing has improved for a number of epochs, the *patience*. The
# rule is short.

# %%
def stopping(scores, patience):
    """Best epoch and last epoch (None: no stop); higher is better."""
    best_epoch, best = 0, -math.inf
    for epoch, score in enumerate(scores, 1):
        if score > best:
            best_epoch, best = epoch, score
        elif epoch - best_epoch >= patience:
            return best_epoch, epoch
    return best_epoch, None

# %% [markdown]
# > **Predict before you run.** Let one rule watch the loss, one the accuracy, and one the accuracy on 200 images. Which
# > of them stops first?

# %% tags=["answer"]
watched = {
    "loss": [-loss for loss in long.column("valid", "loss")],
    "accuracy": long.column("valid", "accuracy"),
    "accuracy on 200": on_200.scores,
}

# %% tags=["answer"]
for name, scores in watched.items():
    best, stop = stopping(scores, PATIENCE)
    print(f"{name:16} best epoch {best:2}, stop after {stop or 'none':4}:"
          f" {long[best - 1].valid.accuracy:.2%} of all digits")
print(f"without a stop: {long[-1].valid.accuracy:.2%}")

# %% [markdown]
# The rules disagree, and none is right in itself, so watch what you will be judged by, on as many images as you can.
# With 200 images, each counts half a point, so ties are frequent, and what looks like the best epoch is partly a lucky
# one. Look at the last line, too: stopping saves time, but it does not always buy accuracy.
#
# Two rules can disagree in another way. One published search ranked its networks by their *last* epoch but kept the
# weights of their *best* one, so its table and its files speak of different networks. Choose one rule for both. In this
# course that rule is `History.best`, as in `long.best("valid accuracy")`.
#
# ## Early stopping against a schedule
#
# Now the two ideas of this lesson meet, and they do not get along. A cosine has a plan: it goes slowly over the last
# third, because that is where the weights settle. Early stopping has no plan: it looks at the scores and leaves when
# they stop improving. But while the rate is high, scores jump and stall all the time, so the rule may well leave in the
# middle of the fast part, like a driver who gives up because the car will not park at forty.
#
# A published LeNet was trained like this: its cosine was made for 70 epochs, and a rule with a patience of 6 ended
# training after 59, with 6 % of the first rate left. We recorded three seeds of its recipe to the plan's end, and
# looked up what three rules would have kept. The last rule watches only 500 digits.

# %%
for run in recorded_runs("lenet_long"):
    whole = run["rules"]["none"]["test_accuracy"]
    for name, rule in run["rules"].items():
        lost = round(10_000 * (whole - rule["test_accuracy"]))
        print(f"seed {run['seed']}, {name:15} stop after "
              f"{rule['stop_epoch']}, {lost:+3} digits lost")

# %% [markdown]
# Against the end of the plan, the first two rules lose fifteen of 10,000 test digits at most, and once they win. The
# rule that watched few digits stopped with half to three quarters of the rate left, and it loses far more. So what does
# a rule that leaves early cost? We recorded LeNet on 5,000 digits under cosines planned for 5, 10, 20 and 30 epochs,
# and at a constant rate, with five seeds and four first rates each. All went to their end, though at .02 the networks
# died. Rules may watch one half of the validation digits, while the other half judges what they would have kept.
#
# > **Predict before you run.** What does it cost to leave after a third of the plan: nothing, a tenth of a point, a
# > whole point?

# %% tags=["answer"]
by_plan = {}  # each holds five runs, one for each seed
for run in recorded_runs("stopping"):
    plan = (run["schedule"], run["epochs"], run["lr"])
    by_plan.setdefault(plan, []).append(run)

# %% tags=["answer"]
def mean_curve(plan):
    curves = [run["judged_accuracy"] for run in by_plan[plan]]
    return [mean(values) for values in zip(*curves, strict=True)]

# %% tags=["answer"]
curves = {}
for plan in sorted(by_plan):
    name, curve = f"{plan[0]}, {plan[1]} epochs", mean_curve(plan)[2:]
    if name not in curves or curve[-1] > curves[name][-1]:
        curves[name] = curve  # of four rates, the one that ends best

# %% tags=["answer"] mystnb={"image": {"alt": "Accuracy from epoch 3 to 30. Cosines planned for 5 and 10 epochs climb steeply to their own end and are then above the plans for 20 and 30 epochs, which end level. The constant rate is lowest nearly all the way."}}
plots.curves(range(3, 31), curves, percent=True, xlabel="epoch",
             ylabel="accuracy",
             title="A cosine pays at its end, and not before")

# %% [markdown]
# Look at the fifth and the tenth epoch. The cosine that ends there is ahead of those planned for three times as long or
# more, because it has been going slowly for a while and they are still going fast. The plans for twenty and thirty end
# level. Now let rules end the plan for thirty and, to compare, the constant rate. With a patience of 99 a rule never
# stops, and only chooses which weights to keep.

# %%
def kept_by(run, measure, patience):
    sign = -1 if measure == "valid_loss" else 1
    scores = [sign * value for value in run[measure]]
    best, stop = stopping(scores, patience)
    return run["judged_accuracy"][best - 1], stop or run["epochs"]


for plan in (("cosine", 30, 0.01), ("constant", 30, 0.003)):
    for measure in ("valid_loss", "valid_accuracy"):
        for patience in (3, 6, 99):
            kept, stops = zip(*[kept_by(run, measure, patience)
                                for run in by_plan[plan]], strict=True)
            cost = [100 * (run["judged_accuracy"][-1] - accuracy) for
                    run, accuracy in zip(by_plan[plan], kept, strict=True)]
            print(f"{plan[0]:8} {measure:14} patience {patience}: stop after "
                  f"{mean(stops):.0f}, cost {mean_and_spread(cost, '.2f')}")

# %% tags=["claim"]
gains = [ten["judged_accuracy"][-1] - kept_by(thirty, "valid_loss", 3)[0]
         for ten, thirty in zip(by_plan["cosine", 10, 0.01],
                                by_plan["cosine", 30, 0.01], strict=True)]
claim("With every seed, a plan for ten epochs beats the plan for thirty that "
      "the first rule cut off, by {value:.1%} or more.", min(gains),
      at_least=0.003)

# %% [markdown]
# The costs are in points. An impatient rule on the loss costs about one, on the cosine as at the constant rate. Part of
# that is the measure's fault. The loss stands still long before the accuracy does, and to keep the epoch of the lowest
# loss costs half a point even at the end. A patient rule on the accuracy costs next to nothing, but on the cosine it
# runs until the slow part is nearly over. If time is short, a plan is better than a rule: in the figure, the cosine for
# ten epochs ends where the constant rate is after thirty.
#
# ## Keep the best weights
#
# When a rule stops the training, the weights are those of the *last* epoch, a few epochs too late. So somebody has to
# keep the best ones on the way, and it seems that a variable will do.
#
# > **Find the bug.** This loop remembers the weights with the lowest validation loss, trains on, and puts them back at
# > the end. What will the network score?

# %%
model, optimizer = lenet_and_adam()
lowest = math.inf
for _ in range(12):
    train_epoch(model, few_train, optimizer)
    loss = evaluate(model, valid).loss
    if loss < lowest:
        lowest, best_weights = loss, model.state_dict()
model.load_state_dict(best_weights)
print(f"lowest loss {lowest:.3f}, last epoch {loss:.3f}, "
      f"put back {evaluate(model, valid).loss:.3f}")

# %% tags=["claim"]
claim("What was put back is {value:g} away from the last epoch's loss.",
      evaluate(model, valid).loss - loss, equals=0)

# %% [markdown]
# The network scores like the last epoch, because `state_dict()` hands out the *living* weights. The optimiser changes
# tensors in place, and the dictionary holds the same tensors, like a photograph that ages with the person. Copy it:
# `copy.deepcopy(model.state_dict())`, or write it to a file.
#
# The course's own callbacks do this. `EarlyStopping` is our `stopping`, with a `min_delta` by which an epoch must be
# better to count. `Checkpoint` writes a file after each epoch, with the best weights so far in it.

# %%
folder = Path(tempfile.mkdtemp())
kept = Checkpoint(folder / "few.pt", monitor="valid loss")
model, optimizer = lenet_and_adam()
run = fit(model, few_train, valid, optimizer, epochs=FEW_EPOCHS,
          callbacks=[EarlyStopping(PATIENCE, monitor="valid loss"), kept])

# %% [markdown]
# `load_best` fetches the weights of the best epoch. After that bug, we know the only proof that they are the right
# ones: score them again.

# %%
row = kept.load_best(model)
agree("the best weights' loss, scored again, and the history's",
      evaluate(model, valid).loss, row.valid.loss, within=0)
print(f"best epoch {row.epoch}: training loss {row.train.loss:.3f}, "
      f"validation loss {row.valid.loss:.3f}")

# %% [markdown]
# Tutorials say that early stopping "avoids overfitting", but compare the best epoch's two losses: a gap is left.
#
# ## What is in the file?
#
# A *state dict* holds each weight and each *buffer* under its name. (A buffer is a number that a layer keeps without
# learning it by gradients; lesson 12 has some.) It does not hold the network, which you must build yourself.

# %%
torch.save(model.state_dict(), folder / "lenet.pt")
state = torch.load(folder / "lenet.pt", map_location="cpu")
print(list(state))
reader = lenet()
print(reader.load_state_dict(state))

# %% [markdown]
# `map_location` brings weights from a GPU to a machine without one. Now the loaded network's usual job: answers in
# batches, in evaluation mode, joined together.

# %%
probabilities = predict(reader, batches(mnist.valid, 1_000)).softmax(1)
confidence, answer = probabilities.max(1)
print("sure of the first five:",
      [f"{value:.5f}" for value in confidence[:5]])
print(f"right: {(answer == mnist.valid.y).float().mean():.2%}")

# %% [markdown]
# Many tutorials save the whole model instead: `torch.save(model, file)`. "A `.pth` file holds parameters, not
# structure", one text says two lines below such a call, but an extension says nothing about what is inside. Since
# version 2.6, PyTorch refuses by default to load such a file.

# %%
torch.save(model, folder / "whole.pt")
try:
    torch.load(folder / "whole.pt")
except Exception as problem:
    print(type(problem).__name__)

# %% [markdown]
# Why? A whole object is stored by Python's *pickle*, and unpickling can call any function: through `__reduce__`, an
# object may say what to call, and with what, to rebuild it. This one says `print`:

# %%
class Surprise:
    def __reduce__(self):
        return print, ("Printed by a file that was merely loaded.",)


torch.save(Surprise(), folder / "surprise.pt")
torch.load(folder / "surprise.pt", weights_only=False)

# %% [markdown]
# It could have deleted your files. So keep `weights_only=True`, the default, and save state dicts; a whole model also
# breaks when its class is renamed or moved.
#
# ## Find the bug: the best checkpoint
#
# A class like this was published, inside a search over many networks. It does write to a file, so its weights cannot
# age.
#
# > **Find the bug.** What will the weights in the file score?

# %%
class PublishedStopping:
    def __init__(self, file):
        self.file, self.lowest = file, math.inf

    def __call__(self, loss):
        if loss < self.lowest:
            self.lowest = loss
            torch.save(model.state_dict(), self.file)


model = lenet()  # an earlier cell of that notebook

# %% [markdown]
# Here is the search, cut down to one network.

# %%
def search(file):
    stopper, network = PublishedStopping(file), lenet()
    optimizer = torch.optim.Adam(network.parameters(), lr=LR)
    for _ in range(3):
        train_epoch(network, few_train, optimizer)
        stopper(evaluate(network, valid).loss)
    print(f"trained: {evaluate(network, valid).accuracy:.1%}")


torch.manual_seed(SEED)
search(folder / "published.pt")
restored = lenet()
print(restored.load_state_dict(torch.load(folder / "published.pt")))

# %% tags=["claim"]
claim.data("The best checkpoint reads {value:.0%} of the digits.",
           evaluate(restored, valid).accuracy, data=mnist, at_most=0.35)

# %% [markdown]
# "All keys matched", and of course they did: an untrained LeNet has the same keys. `model` is not passed to the class,
# so Python takes the *global* one, and every file of that search held the same untrained network. Pass the model in,
# and score what you have loaded.
#
# ## Resume, to the last bit
#
# A training of four epochs, on a cosine made for six, is cut off after two. What must the file hold for the rest to end
# as if nothing had happened? Four things change during training: the weights, the optimiser's memory (Adam's two
# averages for each weight, and the present rate), the scheduler's count, and the random generator that draws each
# epoch's order.

# %%
def new_training():
    model, optimizer = lenet_and_adam()
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=6)
    return {"model": model, "optimizer": optimizer, "scheduler": scheduler}


def go_on(parts, epochs):
    for _ in epochs:
        train_epoch(parts["model"], few_train, parts["optimizer"])
        parts["scheduler"].step()
    return parameters_to_vector(parts["model"].parameters()).detach()

# %% [markdown]
# We save all four after the second epoch, and let this training go on to its end, for the comparison.

# %%
parts = new_training()
go_on(parts, [1, 2])
saved = {name: part.state_dict() for name, part in parts.items()}
saved |= {"random": torch.get_rng_state(), "epoch": 2}
torch.save(saved, folder / "half.pt")
uninterrupted = go_on(parts, [3, 4])

# %% [markdown]
# Now pretend to be a new process, and leave one thing out.
#
# > **Predict before you run.** Which of the four does the most harm when it is left out? Can any be?

# %% tags=["answer"]
def resumed(without=None, first=3):
    saved, parts = torch.load(folder / "half.pt"), new_training()
    for name, part in parts.items():
        if name != without:
            part.load_state_dict(saved[name])
    if without != "random":
        torch.set_rng_state(saved["random"])
    return go_on(parts, range(first, 5))

# %% tags=["answer"]
for without in ("random", "scheduler", "optimizer", "model"):
    far = (resumed(without) - uninterrupted).abs().max()
    print(f"without {without:9}: a weight is off by up to {far:.2g}")
agree("all four put back and no interruption", resumed(), uninterrupted,
      within=0)

# %% [markdown]
# None of them can. One more thing easily goes wrong: published code begins again *at* the saved epoch, and so runs that
# epoch twice.

# %% tags=["claim"]
claim("With one epoch too many, a weight is off by {value:.2f}.",
      (resumed(first=2) - uninterrupted).abs().max(), at_least=1e-4)

# %% [markdown]
# `Checkpoint` keeps all four, and Python's and NumPy's generators as well. It writes beside the old file before
# replacing it, so a crash never leaves half a file. Here the first training ends after two epochs, and a new one goes
# on with `resume=True`.

# %%
for epochs in (2, 4):
    parts = new_training()
    kept = Checkpoint(folder / "cut.pt", resume=epochs == 4)
    fit(parts["model"], few_train, valid, parts["optimizer"],
        epochs=epochs, scheduler=parts["scheduler"], callbacks=[kept])
final = parameters_to_vector(parts["model"].parameters()).detach()
agree("interrupted and uninterrupted", final, uninterrupted, within=0)

# %% [markdown]
# Equal bits need the same machine, thread count and PyTorch. A GPU may add in another order each time, unless it is
# told to be deterministic. Random transforms in a `DataLoader` with `persistent_workers=True` cannot be resumed to the
# bit, because its workers keep generators of their own.
#
# ## The same with skorch
#
# You have now built what frameworks call callbacks. *skorch* wraps a PyTorch network as a scikit-learn *estimator*, an
# object with `fit` and `predict`, and it brings such callbacks along. `NeuralNetClassifier` is for classes and
# `NeuralNetRegressor` for numbers. First its defaults, since a framework decides whatever you leave open.

# %%
x, y = next(iter(few_train))
plain = NeuralNetClassifier(lenet(), train_split=None, verbose=0)
print(plain.optimizer.__name__, plain.lr, plain.batch_size,
      plain.max_epochs, plain.criterion.__name__)
plain.fit(x, y)
print("loss with this criterion:", plain.history[-1]["train_loss"])

# %% [markdown]
# With the default criterion, `NLLLoss`, skorch takes the logarithm of what the network answers, because it expects
# probabilities. Our network answers with logits, some of them negative, and the loss is not a number. So name the loss,
# and the classes too where labels come inside a `Dataset` of your own, which skorch cannot list.
#
# Now the real thing, set up as a published notebook did. Its text says "lr 0.01, 100 epochs" above code with 0.005 and
# 70, so we write the settings once, use them on both sides, and let our notebook print them. `EpochScoring` takes a
# score after each epoch; ours, named *published*, copies one that was published as "test accuracy".
#
# > **Predict before you run.** With `on_train=True`, on which split is it taken? Left out, `lower_is_better` is `True`,
# > so which epoch will skorch mark as best?

# %% tags=["answer"]
settings = {"lr": LR, "batch_size": 64, "max_epochs": 3}
size, epochs = settings["batch_size"], settings["max_epochs"]
callbacks = [
    skorch_callbacks.LRScheduler(
        lr_scheduler.CosineAnnealingLR, T_max=epochs),
    skorch_callbacks.EpochScoring(
        "accuracy", name="published", on_train=True),
    skorch_callbacks.EarlyStopping(
        "valid_acc", patience=6, lower_is_better=False),
    skorch_callbacks.Checkpoint(
        "valid_acc_best", dirname=str(folder / "skorch"), load_best=True),
]
print(settings)

# %% tags=["answer"]
few_data = as_dataset(mnist.train.take(FEW))
held_out = as_dataset(mnist.valid.take(1_000))
torch.manual_seed(SEED)
start = lenet()
net = NeuralNetClassifier(
    copy.deepcopy(start), criterion=nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam, **settings, iterator_train__shuffle=True,
    train_split=predefined_split(held_out), classes=range(10),
    callbacks=callbacks, verbose=0)
torch.manual_seed(SEED)
net.fit(few_data, y=None)
for row in net.history:
    mark = "marked as the best" if row["published_best"] else ""
    print(row["epoch"], f"{row['published']:.1%} of training", mark)

# %% [markdown]
# It is the training accuracy, and skorch marks each new *lowest* value, so the worst epoch carries the last mark, and
# whoever keeps the marked weights keeps the worst. Now our loop, fed by the same `DataLoader`s, so that both draw the
# same orders.

# %%
ours = copy.deepcopy(start)
optimizer = torch.optim.Adam(ours.parameters(), lr=settings["lr"])
best = Checkpoint(folder / "ours.pt", monitor="valid accuracy")
torch.manual_seed(SEED)
run = fit(ours, DataLoader(few_data, size, shuffle=True),
          DataLoader(held_out, size), optimizer, epochs=epochs,
          scheduler=lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs),
          callbacks=[EarlyStopping(6, monitor="valid accuracy"), best])
row = best.load_best(ours)

# %% [markdown]
# Are both the same?

# %%
agree("the best weights of both",
      parameters_to_vector(ours.parameters()).detach(),
      parameters_to_vector(net.module_.parameters()).detach(), within=0)
agree("`predict_proba` and our softmax",
      predict(ours, DataLoader(held_out, size)).softmax(1),
      net.predict_proba(held_out), within=1e-5)
print("files:", *sorted(f.name for f in (folder / "skorch").iterdir()))

# %% [markdown]
# Equal seeds and equal loops give equal bits, so you can read each callback as a part of your own loop. skorch's
# checkpoint holds weights, optimiser and history, but no scheduler or generators: enough to answer with, but not to
# resume to the bit.
#
# | skorch | ours |
# |---|---|
# | `predefined_split(valid)` | `valid_batches` |
# | `ProgressBar` | the bar that `fit` shows on terminals |
# | `LRScheduler(CosineAnnealingLR, T_max=3)` | `scheduler=`, `scheduler_step="epoch"` |
# | `EpochScoring(…, on_train=True)` | `row.train.accuracy` |
# | `EarlyStopping`; also asks for 0.01 % of progress | `EarlyStopping`, `min_delta` |
# | `Checkpoint(…, load_best=True)` | `Checkpoint`, then `load_best(model)` |
# | `history` | `History` |
# | `predict_proba`, `predict` | `predict(…).softmax(1)`, `.argmax(1)` |
#
# **On Monday.** Decide how long you can train, and plan a schedule for just that time. Keep the best weights in a file
# together with everything needed to go on, watch what you will be judged by, and score what you load. Early stopping is
# a safety net: make it patient, and do not let it cut a schedule short.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. A folded solution follows each exercise.
#
# ### Exercise 7.1 · Two rates
#
# Which rate does the published LeNet use *in* epoch 58: a cosine from 0.005, made for 70 epochs, one step after each?
# And PyTorch's example *in* epoch 14: 1.0, times 0.7 after each epoch? Give `(cosine, step)`, to three significant
# digits.

# %%
two_rates = ...
check("7.1", two_rates)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 7.1
cosine_solution = 0.005 / 2 * (1 + math.cos(math.pi * 57 / 70))
two_rates_solution = (cosine_solution, 0.7**13)  # steps done: 57, 13
assert check("7.1", two_rates_solution)

# %% [markdown]
# ### Exercise 7.2 · Patience
#
# These are the validation accuracies of epochs 1 to 14: .90, .93, .95, .95, .94, .96, .95, .955, .96, .95, .958, .957,
# .96, .97. A rule watches them with a patience of 6. Without code: which epoch is the best when it stops, and after
# which epoch does it stop? Give `(best, stop)`.

# %%
patience = ...
check("7.2", patience)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 7.2
series_solution = [0.90, 0.93, 0.95, 0.95, 0.94, 0.96, 0.95,
                   0.955, 0.96, 0.95, 0.958, 0.957, 0.96, 0.97]
# epoch 9 equals epoch 6, and so it is no better
patience_solution = stopping(series_solution, 6)
assert check("7.2", patience_solution)

# %% [markdown]
# ### Exercise 7.3 · Warm up, then cool down
#
# Write `warm_cosine(t, steps, warm, peak)`: the rate after `t` of `steps` steps. It rises in a straight line from 0 at
# `t = 0` to `peak` at `t = warm`, then falls along a cosine, to 0 at `t = steps` (0 < warm < steps).

# %%
def warm_cosine(t, steps, warm, peak):
    ...


check("7.3", warm_cosine)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 7.3
def warm_cosine_solution(t, steps, warm, peak):
    if t < warm:
        return peak * t / warm
    done = (t - warm) / (steps - warm)
    return peak / 2 * (1 + math.cos(math.pi * done))


assert check("7.3", warm_cosine_solution)

# %% [markdown]
# ### Exercise 7.4 · Keep the best, really
#
# Write `keep_best(state, best)`. It is called after each epoch with what it returned last time (`None` at first) and
# returns `{"loss": …, "weights": …}` of the epoch with the lowest validation loss so far; of equal ones, the first. The
# weights are a state dict. `state.model` is the network, and `state.history[-1].valid.loss` the loss.

# %%
def keep_best(state, best):
    ...


check("7.4", keep_best)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 7.4
def keep_best_solution(state, best):
    loss = state.history[-1].valid.loss
    if best is None or loss < best["loss"]:
        weights = copy.deepcopy(state.model.state_dict())
        return {"loss": loss, "weights": weights}
    return best


assert check("7.4", keep_best_solution)

# %% [markdown]
# ### Exercise 7.5 · Go on
#
# Write `resume(saved, model, optimizer, scheduler)` for a dictionary like that in `half.pt`: put everything back, and
# return the number of the first epoch to run.

# %%
def resume(saved, model, optimizer, scheduler):
    ...


check("7.5", resume)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 7.5
def resume_solution(saved, model, optimizer, scheduler):
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    scheduler.load_state_dict(saved["scheduler"])
    torch.set_rng_state(saved["random"])
    return saved["epoch"] + 1


assert check("7.5", resume_solution)

# %% [markdown]
# ### Exercise 7.6 · A patience that wants more
#
# Write `stop_epoch(losses, patience, min_delta)`: the epoch after which training stops, or 0 if it never does. The
# first epoch is the best one at first. Another becomes the new best one if its loss is lower than that of the present
# best one by *more* than `min_delta`.

# %%
def stop_epoch(losses, patience, min_delta):
    ...


check("7.6", stop_epoch)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 7.6
def stop_epoch_solution(losses, patience, min_delta):
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(losses, 1):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        elif epoch - best_epoch >= patience:
            return epoch
    return 0


assert check("7.6", stop_epoch_solution)

# %% [markdown]
# ### An open question
#
# Your cosine was planned for ten epochs and has ended, and the loss is still falling. You may go on at the last, tiny
# rate, start a new cosine from the weights that you have, or train again from the beginning with a plan for twenty.
# What would you expect of each, and what does each cost?
#
# ## What you can do now
#
# 1. Draw a schedule before you train with it, and say when it is stepped.
# 2. Say why a planned schedule should reach its end, and what a stopping rule costs.
# 3. Keep the best weights, and prove it by scoring them again.
# 4. Resume a training to the last bit, and load weights without running a file's code.
#
# ## Further reading
#
# - I. Loshchilov and F. Hutter, *SGDR: stochastic gradient descent with warm restarts* (2017): the cosine.
# - L. N. Smith and N. Topin, *Super-convergence* (2017): one cycle.
# - L. Prechelt, *Early stopping – but when?* (1998): rules for it, compared.
# - PyTorch, *Serialization semantics*: what `weights_only=True` admits.
