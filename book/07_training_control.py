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
# **Read** 30 min · **Run** 65 s on two CPU cores · **Before this** lessons 5 and 6
#
# ## What you will be able to do
#
# 1. Choose and draw a learning-rate schedule, and step it at the right moment.
# 2. Build early stopping, and say what its criterion does to it.
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
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import torch
from skorch import NeuralNetClassifier
from skorch import callbacks as skorch_callbacks
from skorch.helper import predefined_split
from torch import nn
from torch.nn.utils import parameters_to_vector
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

from course_utils import (Checkpoint, EarlyStopping, as_dataset, batches, check, claim,
                          evaluate, fit, load, mean_and_spread, plots, predict, recorded, recorded_runs,
                          train_epoch, wilson_interval)
from course_utils.networks import lenet

# %% [markdown]
# These numbers are yours to change. Files go to a temporary folder.

# %% nbmake={"mock": {"IMAGES": 256, "EPOCHS": 2, "FEW": 256, "FEW_EPOCHS": 6, "PATIENCE": 2}}
SEED = 0
IMAGES, EPOCHS, LR = 10_000, 3, 0.005  # to compare schedules
FEW, FEW_EPOCHS = 1_000, 30  # to learn for too long
PATIENCE = 5

# %% [markdown]
# The network is lesson 6's LeNet with ReLU. It runs on the CPU here, so that equal bits can be asked for.

# %%
mnist = load("mnist")
print(mnist)
train = batches(mnist.train.take(IMAGES), 64, shuffle=True)
valid = batches(mnist.valid, 1_000)
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## A learning rate that falls
#
# A large learning rate gets far quickly, and then jumps around the goal. A small one settles, but arrives late. A
# *schedule* gives each step its rate; most begin large and end small. Here are six, for a training of `steps` steps.
# *Step* keeps the share `gamma` of the rate after each third. *Exponential* loses the same share at every step, and
# ends at 1 %. *One-cycle* rises before it falls.

# %%
SCHEDULES = {
    "constant": lambda opt, steps: lr_scheduler.ConstantLR(opt, factor=1.0),
    "step": lambda opt, steps: lr_scheduler.StepLR(opt, steps // 3 + 1, gamma=0.3),
    "exponential": lambda opt, steps: lr_scheduler.ExponentialLR(opt, 0.01 ** (1 / steps)),
    "linear": lambda opt, steps: lr_scheduler.LinearLR(opt, 1.0, 0.0, total_iters=steps),
    "cosine": lambda opt, steps: lr_scheduler.CosineAnnealingLR(opt, T_max=steps),
    "one-cycle": lambda opt, steps: lr_scheduler.OneCycleLR(opt, max_lr=LR, total_steps=steps),
}

# %% [markdown]
# A scheduler writes the next rate into its optimiser each time its `step()` is called, after `optimizer.step()`. It
# looks at no image, so we can draw one without any training. (`OneCycleLR` moves Adam's momentum too, the other way.)

# %% mystnb={"image": {"alt": "The learning rate over 100 steps. Constant stays at 0.005. Step falls twice, each time to three tenths. Exponential falls fast at first. Linear is a straight line to 0. Cosine starts and ends flat. One-cycle rises to 0.005 in the first 30 steps and then falls to 0 like the cosine."}}
def rates(schedule, steps, lr=LR):
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = schedule(optimizer, steps)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


lines = {name: rates(schedule, 100) for name, schedule in SCHEDULES.items()}
plots.curves(range(100), lines, xlabel="steps done", ylabel="learning rate",
             title="Five ways down, and one that stays")

# %% [markdown]
# Cosine is half a wave. With the first rate $\eta_0$ and $T$ steps in all, the rate after $t$ steps is
# $\eta_t = \tfrac12 \eta_0 (1 + \cos(\pi t / T))$.

# %%
by_formula = [LR / 2 * (1 + math.cos(math.pi * t / 100)) for t in range(100)]
gap = max(abs(a - b) for a, b in zip(by_formula, lines["cosine"], strict=True))
claim("PyTorch's cosine differs from the formula by {value:.0e} at most.", gap, at_most=1e-12)

# %% [markdown]
# Lesson 6 quoted a tutorial whose cosine was made for 70 epochs, one step an epoch. A rule for stopping (more below)
# ended it after 59. A cosine that is cut off never reaches its smallest rates:

# %%
left = (1 + math.cos(math.pi * 59 / 70)) / 2
claim("After 59 of 70 steps a cosine still has {value:.1%} of its first rate.",
      left, equals=0.06, within=0.001)

# %% [markdown]
# > **Predict before you run.** Three epochs on 10,000 images, one step of the schedule for each *batch*. Which
# > schedule ends with the highest validation loss?

# %%
runs = {}
for name, schedule in SCHEDULES.items():
    torch.manual_seed(SEED)
    model = lenet()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    scheduler = schedule(optimizer, EPOCHS * len(train))
    print(name)
    runs[name] = fit(model, train, valid, optimizer, epochs=EPOCHS,
                     scheduler=scheduler, scheduler_step="batch")

# %% [markdown]
# `scheduler_step` says who calls `step()`, and when. A one-cycle schedule stepped once an epoch would spend the whole
# training in its first three steps.

# %% mystnb={"image": {"alt": "Validation loss after each of three epochs for six schedules. One-cycle begins highest. Exponential ends highest or near it. The others end close together."}}
losses = {name: run.column("valid", "loss") for name, run in runs.items()}
plots.curves(range(1, EPOCHS + 1), losses, xlabel="epoch", ylabel="validation loss",
             title="Most schedules end close together")

# %% [markdown]
# Exponential falls too early: half of its steps are less than a tenth of the first. One-cycle is behind while its rate
# is still high, and makes up for it when the rate falls. The others differ by little. Is one of them *the best*?

# %%
for name, run in runs.items():
    print(f"{name:12} {run[-1].valid.accuracy:.2%} of the validation digits")
stated = (IMAGES, EPOCHS, LR) == (10_000, 3, 0.005)
claim.measured("Cosine reads {value:.1%} of the validation digits after three epochs.",
               runs["cosine"][-1].valid.accuracy, data=mnist, stated=stated)
claim.measured("Cosine reads {value:.1%} of the digits more than exponential.",
               runs["cosine"][-1].valid.accuracy - runs["exponential"][-1].valid.accuracy,
               data=mnist, stated=stated)

# %% [markdown]
# One run of each cannot tell. On all 55,000 images, in one epoch, with three seeds (mean ± standard deviation):

# %%
by_schedule = {}
for run in recorded_runs("schedules"):
    by_schedule.setdefault(run["schedule"], []).append(run["valid_accuracy"][-1])
for name, values in by_schedule.items():
    print(f"{name:12} {mean_and_spread(values, '.2%')}")

# %% [markdown]
# Exponential is last again: falling too early hurts. Constant comes next, but it lies behind the rest by no more than
# its own spread. So ending small may help a little; three seeds do not prove it. The other four differ by less than
# any of them does from seed to seed: these runs name no best one. "Prefer cosine", a tutorial says, since it "escapes
# local optima". No schedule can promise that.
#
# PyTorch's own MNIST example takes *Adadelta*. It divides each slope by its recent size, as Adam does, and multiplies
# it by the recent size of the steps, so that its learning rate of 1 is no giant. `StepLR(step_size=1, gamma=0.7)`
# lowers it once an epoch:

# %%
torch.manual_seed(SEED)
model = lenet()
optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
scheduler = lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
run = fit(model, train, valid, optimizer, epochs=EPOCHS, scheduler=scheduler)
off = max(abs(row.lr - 0.7 ** (row.epoch - 1)) for row in run)
claim(
    "Each rate in the history differs from 0.7 to the power of the steps by {value:.0e} at most.",
    off, at_most=1e-12)

# %% [markdown]
# ## When is it done?
#
# 1,000 images are few. LeNet can learn them by heart. We let it run for 30 epochs. After each we score it a second
# time, on only 200 of the validation images, to see later what so few are worth. A *callback* does that: an object
# whose `on_epoch_end` is called by `fit` after each epoch, with the `state` of the training.

# %%
class ScoreOn:
    """A callback: the accuracy on some images after each epoch."""

    def __init__(self, images):
        self.batches, self.scores = batches(images, 200), []

    def on_epoch_end(self, state):
        self.scores.append(evaluate(state.model, self.batches).accuracy)


def lenet_and_adam():
    torch.manual_seed(SEED)
    model = lenet()
    return model, torch.optim.Adam(model.parameters(), lr=LR)


few_train = batches(mnist.train.take(FEW), 64, shuffle=True)
on_200 = ScoreOn(mnist.valid.take(200))
model, optimizer = lenet_and_adam()
long = fit(model, few_train, valid, optimizer, epochs=FEW_EPOCHS, callbacks=[on_200])

# %% [markdown]
# > **Predict before you look.** The training loss falls towards 0. What do validation loss and validation accuracy do?

# %% mystnb={"image": {"alt": "Left: the training loss falls towards 0; the validation loss is lowest within the first half and is mostly higher after that. Right: training accuracy comes close to 100 per cent, validation accuracy stays below 95 per cent and still rises a little."}}
plots.history(long, title="The validation loss turns; the accuracy creeps on")

# %% [markdown]
# (The curves jitter, since the rate stays high to the end.) The loss punishes an error the more, the surer the network
# is of it. A network that learns its images by heart grows surer of everything, its errors included, as we shall
# measure: the loss rises while the errors become no more. *Overfitting* means getting better on the training images
# and worse on others; when it begins depends on what you watch.
#
# *Early stopping* is a rule: stop when nothing has become better for some epochs, its *patience*. By hand:

# %%
def stopping(scores, patience):
    """The best epoch, and the one after which training stops. Higher scores are better."""
    best_epoch, best = 0, -math.inf
    for epoch, score in enumerate(scores, 1):
        if score > best:
            best_epoch, best = epoch, score
        elif epoch - best_epoch >= patience:
            return best_epoch, epoch
    return best_epoch, None

# %% [markdown]
# > **Predict before you run.** Loss, accuracy, accuracy on 200 images: which stops first?

# %%
watched = {
    "loss": [-loss for loss in long.column("valid", "loss")],
    "accuracy": long.column("valid", "accuracy"),
    "accuracy on 200": on_200.scores,
}
for name, scores in watched.items():
    best, stop = stopping(scores, PATIENCE)
    print(f"{name:16} best epoch {best:2}, stop after epoch {stop or '–':2}:"
          f" {long[best - 1].valid.accuracy:.2%} of all validation digits")
print(f"without a stop: {long[-1].valid.accuracy:.2%} after epoch {len(long)}")

# %% [markdown]
# The rules disagree. None is right in itself: watch what you will be judged by, and on as many images as you can. Look
# at the last line too: stopping saves time, and it does not always buy accuracy.
#
# On 200 images, one image is half a per cent. Ties are frequent, and the best score of a noisy series is partly luck:

# %%
best, _ = stopping(on_200.scores, patience=FEW_EPOCHS)  # so patient that it never stops
print(f"best score on 200: {on_200.scores[best - 1]:.1%} in epoch {best}")
print(f"same weights, all {len(mnist.valid):,}: {long[best - 1].valid.accuracy:.1%}")

# %% [markdown]
# There is another way to let two rules disagree. One published search ranked its networks by their *last* epoch, and
# kept the weights of their *best* one. Rank and file then speak of different networks:

# %%
accuracy = watched["accuracy"]
behind = [max(accuracy[:end]) - accuracy[end - 1] for end in range(1, len(accuracy) + 1)]
print(f"wherever it had ended, the last epoch lies {sum(behind) / len(behind):.2%} behind"
      f" the best one on average, {max(behind):.2%} at most")

# %% [markdown]
# Choose one rule and use it for both. Here it is `History.best`, as in `long.best("valid accuracy")`.
#
# The tutorial of the 59 epochs watched the accuracy with a patience of 6, and kept epoch 53. Lesson 6's recording of
# its recipe went through the same 59 epochs, without a rule. What would each rule have done?

# %%
plateau = recorded("lenet_plateau")["runs"]
rerun = next(run for run in plateau if run["schedule"] == "cosine")
reached = rerun["valid_accuracy"]
for name, sign in (("valid_accuracy", 1), ("valid_loss", -1)):
    best, stop = stopping([sign * value for value in rerun[name]], patience=6)
    print(f"{name:15} best epoch {best}, stop after epoch {stop}: {reached[best - 1]:.2%}")
print(f"without a stop: {reached[-1]:.2%} after epoch {len(reached)}")

# %% [markdown]
# In our run the tutorial's own rule stops ten epochs earlier, and neither rule costs or brings anything that
# 10,000 validation digits could show.
#
# The tutorial printed 95.44 % of the test digits after ten epochs at a constant rate, and 98.78 % after the long run.
# Is that a difference? (Its plots write "accuracy (%)" beside values from 0 to 1.)

# %%
for epochs, correct in ((10, 9_544), (59, 9_878)):
    low, high = wilson_interval(correct, 10_000)
    print(f"published, {epochs} epochs: {low:.2%} to {high:.2%}")
ten = [run["test_accuracy"] for run in plateau if run["schedule"] == "constant"]
print(f"ours, 10 epochs, {len(ten)} seeds: {mean_and_spread(ten, '.2%')}")
print(f"ours, 59 epochs, one seed: {rerun['test_accuracy']:.2%}")

# %% [markdown]
# It is: more than images or seeds explain. And is a rule worth it? Three seeds, all 70 epochs, and one look at the
# test split for each rule (*few*: 500 validation digits). Compare each line with *none*, and the gap with the interval
# above.

# %%
for run in recorded_runs("lenet_long"):
    for name, rule in run["rules"].items():
        stop = rule["stop_epoch"] or len(run["valid_loss"])
        print(f"seed {run['seed']}, rule {name:15} stop after epoch {stop}:"
              f" {rule['test_accuracy']:.2%} of the test digits")

# %% [markdown]
# Stopped by loss or accuracy on 10,000 digits, a run is as good as a whole one within the interval, many epochs
# earlier. With few digits the rule stops earliest, and is lowest with each seed: it followed noise.
#
# Now the course's own callbacks. `EarlyStopping` is `stopping`, with `min_delta`: by how much an epoch must be better
# to count. `Checkpoint` writes a file after each epoch, with the best weights so far in it.

# %%
kept = Checkpoint(folder / "few.pt", monitor="valid loss")
model, optimizer = lenet_and_adam()
stopped = fit(model, few_train, valid, optimizer, epochs=FEW_EPOCHS,
              callbacks=[EarlyStopping(PATIENCE, monitor="valid loss"), kept])

# %%
same = [row.valid for row in stopped] == [row.valid for row in long[:len(stopped)]]
claim("Up to its stop it is the long run again, score by score: {value}.", same, equals=True)
stop = stopping(watched["loss"], PATIENCE)[1] or FEW_EPOCHS
claim("It stopped where our rule says: {value}.", len(stopped) == stop, equals=True)

# %% [markdown]
# When it stops, the weights are those of the *last* epoch, a few too late. `load_best` fetches the best ones. Are
# these the right ones? There is only one proof: score them again. And how sure is the network of its errors, before
# and after?

# %%
def sureness_of_errors(model):
    logits = predict(model, valid)
    errors = logits.argmax(1) != mnist.valid.y
    return logits.softmax(1).amax(1)[errors].mean()


print(f"after the stop: {sureness_of_errors(model):.0%} sure of its errors, on average")
row = kept.load_best(model)
again = evaluate(model, valid)
print(f"best epoch {row.epoch}: training loss {row.train.loss:.3f},"
      f" validation loss {row.valid.loss:.3f}")
print(f"best weights: {sureness_of_errors(model):.0%} sure of their errors")
claim("Scored again, the best weights give the score of their epoch: {value}.",
      again == row.valid, equals=True)

# %% [markdown]
# The longer it learnt by heart, the surer it erred. Early stopping "avoids overfitting", tutorials say. It limits it:
# compare the two losses of the best epoch.
#
# ## What is in the file?
#
# A *state dict* holds each weight under its name. It does not hold the network: you must build that yourself.

# %%
torch.save(model.state_dict(), folder / "lenet.pt")
state = torch.load(folder / "lenet.pt", map_location="cpu")
print(list(state))
reader = lenet()
print(reader.load_state_dict(state))

# %% [markdown]
# `map_location` brings weights from a GPU to a machine without one. Now the usual use of a loaded network: answers in
# batches, in evaluation mode, glued together; `predict` does that.

# %%
probabilities = predict(reader, batches(mnist.valid, 1_000)).softmax(1)
confidence, answer = probabilities.max(1)
print("sure of the first five:", [f"{value:.5f}" for value in confidence[:5]])
claim("The loaded network reads {value:.1%} of the digits, as before.",
      (answer == mnist.valid.y).float().mean(), equals=again.accuracy, within=1e-6)

# %% [markdown]
# Many tutorials save the whole model instead: `torch.save(model, file)`. Since version 2.6, PyTorch refuses to load
# such a file.

# %%
torch.save(model, folder / "whole.pt")
try:
    torch.load(folder / "whole.pt")
except Exception as problem:
    print(type(problem).__name__)
    for line in str(problem).splitlines():
        if "Sequential" in line:
            print(line.strip().split(". ")[0])

# %% [markdown]
# Why? A whole object is stored by Python's *pickle*, and unpickling can call any function. An object may say by
# `__reduce__` what to call, and with what, to build it again. This one says `print`:

# %%
class Surprise:
    def __reduce__(self):
        return print, ("This line was printed by a file that was merely loaded.",)


torch.save(Surprise(), folder / "surprise.pt")
torch.load(folder / "surprise.pt", weights_only=False)

# %% [markdown]
# It could have deleted your files. Keep `weights_only=True`, the default, and state dicts. (A whole model also breaks
# as soon as its class is renamed or moved.) "A `.pth` file holds parameters, not structure", one text says two lines
# below a `torch.save(model)`: an ending says nothing of what is inside.
#
# ### Find the bug: the best checkpoint
#
# A class like this one was published, inside a search over many networks.

# %%
class PublishedStopping:
    def __init__(self, file):
        self.file, self.lowest = file, math.inf

    def __call__(self, loss):
        if loss < self.lowest:
            self.lowest = loss
            torch.save(model.state_dict(), self.file)


model = lenet()  # an earlier cell of that notebook


def search(file):
    stopper, network = PublishedStopping(file), lenet()
    optimizer = torch.optim.Adam(network.parameters(), lr=LR)
    for _ in range(3):
        train_epoch(network, few_train, optimizer)
        stopper(evaluate(network, valid).loss)
    return evaluate(network, valid).accuracy

# %% [markdown]
# > **Predict before you run.** What will the file's weights score?

# %%
torch.manual_seed(SEED)
trained = search(folder / "published.pt")
restored = lenet()
print(restored.load_state_dict(torch.load(folder / "published.pt")))
score = evaluate(restored, valid).accuracy
print(f"trained {trained:.1%}, restored {score:.1%}")
claim.data("The best checkpoint reads {value:.0%} of the digits.",
           score, data=mnist, at_most=0.35)

# %% [markdown]
# "All keys matched": of course, an untrained LeNet has the same keys. `model` inside the class is no argument, so
# Python takes the *global* one. Every file of that search held the same untrained network. Pass the model in, and
# score what you have loaded: exercise 7.4.
#
# ## Resume, to the last bit
#
# A training of four epochs, on a cosine made for six, is cut off after two. What must the file hold, so that the rest
# ends as if nothing had happened?

# %%
def new_training():
    torch.manual_seed(SEED)
    model = lenet()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    return model, optimizer, lr_scheduler.CosineAnnealingLR(optimizer, T_max=6)


def go_on(parts, epochs):
    model, optimizer, scheduler = parts
    for _ in epochs:
        train_epoch(model, few_train, optimizer)
        scheduler.step()

# %% [markdown]
# Four things change during training: weights, the optimiser's memory (Adam keeps two averages for each weight), the
# scheduler's count, and the random generator that draws each epoch's order.

# %%
parts = new_training()
go_on(parts, [1, 2])
names = ("model", "optimizer", "scheduler")
saved = {name: part.state_dict() for name, part in zip(names, parts, strict=True)}
torch.save(saved | {"random": torch.get_rng_state(), "epoch": 2}, folder / "half.pt")
go_on(parts, [3, 4])
uninterrupted = parameters_to_vector(parts[0].parameters()).detach()

# %% [markdown]
# Now pretend to be a new process, and leave one thing out.
#
# > **Predict before you run.** Which of the four can be left out?

# %%
def resumed(without=None, first=3):
    saved, parts = torch.load(folder / "half.pt"), new_training()
    for name, part in zip(names, parts, strict=True):
        if name != without:
            part.load_state_dict(saved[name])
    if without != "random":
        torch.set_rng_state(saved["random"])
    go_on(parts, range(first, 5))
    return parameters_to_vector(parts[0].parameters()).detach()


for without in (None, "random", "scheduler", "optimizer", "model"):
    far = (resumed(without) - uninterrupted).abs().max()
    print(f"without {without or 'nothing'}: a weight is off by up to {far:.3g}")

# %%
claim("With all four, every bit is the same: {value}.",
      torch.equal(resumed(), uninterrupted), equals=True)
claim(
    "Published code begins at the saved epoch, not after it: a weight is off by {value:.2f}.",
    (resumed(first=2) - uninterrupted).abs().max(), at_least=1e-4)

# %% [markdown]
# None can. `Checkpoint` keeps all four, Python's and NumPy's generators as well, and writes beside the old file before
# it replaces it. We cut the power in epoch 3:

# %%
class PowerCut:
    def on_epoch_end(self, state):
        if state.epoch == 3:
            raise RuntimeError("power cut")


model, optimizer, scheduler = new_training()
try:
    fit(model, few_train, valid, optimizer, epochs=4, scheduler=scheduler,
        callbacks=[PowerCut(), Checkpoint(folder / "cut.pt")])
except RuntimeError as problem:
    print(problem)

# %% [markdown]
# The file knows two whole epochs; the third is lost. A new start, with `resume=True`:

# %%
model, optimizer, scheduler = new_training()
run = fit(model, few_train, valid, optimizer, epochs=4, scheduler=scheduler,
          callbacks=[Checkpoint(folder / "cut.pt", resume=True)])

# %%
claim("The run with a power cut ends with the bits of the one without: {value}.",
      torch.equal(parameters_to_vector(model.parameters()), uninterrupted), equals=True)

# %% [markdown]
# Equal bits need the same machine, as many threads, and a CPU. A GPU may add in another order each time: expect scores
# that are close, not equal. The same holds for random transforms in a `DataLoader` with `persistent_workers=True`,
# because its workers keep generators of their own, which no file can hold.
#
# ## The same with skorch
#
# *skorch* wraps a PyTorch network as a scikit-learn *estimator*, an object with `fit` and `predict`.
# (`NeuralNetClassifier` is for classes, `NeuralNetRegressor` for numbers, and both are a `NeuralNet`, which leaves the
# loss to you.) Its defaults first: optimiser, learning rate, batch size, epochs.

# %%
x, y = next(iter(few_train))
plain = NeuralNetClassifier(lenet(), verbose=0)
print(plain.optimizer.__name__, plain.lr, plain.batch_size, plain.max_epochs)
print("set aside for validation: one image in", plain.train_split.cv)
plain.set_params(train_split=None).fit(x, y)
claim("With its default criterion, our logits give it a loss that is not a number: {value}.",
      math.isnan(plain.history[-1]["train_loss"]), equals=True)

# %% [markdown]
# That default, `NLLLoss`, takes the logarithm of what the network answers: skorch expects probabilities there. So
# name the loss. And name the classes, where labels come inside a `Dataset` (`y=None`): skorch cannot list them, and
# scikit-learn's tools ask for them.

# %%
data, held_out = as_dataset(mnist.train.take(FEW)), as_dataset(mnist.valid.take(1_000))
plain = NeuralNetClassifier(lenet(), criterion=nn.CrossEntropyLoss, max_epochs=1,
                            train_split=None, verbose=0)
plain.fit(data, y=None)
claim("Without `classes`, it knows its classes: {value}.",
      hasattr(plain, "classes_"), equals=False)

# %% [markdown]
# Now the real thing. A published text says "lr 0.01, 100 epochs" above code with 0.005 and 70. So we write settings
# once, use them on both sides, and let the notebook print them. (`EpochScoring` takes a score after each epoch.)

# %%
settings = {"lr": LR, "batch_size": 64, "max_epochs": 3}
callbacks = [
    skorch_callbacks.ProgressBar(detect_notebook=False),
    skorch_callbacks.LRScheduler(lr_scheduler.CosineAnnealingLR, T_max=settings["max_epochs"]),
    skorch_callbacks.EpochScoring("accuracy", name="train_acc", on_train=True,
                                  lower_is_better=False),
    skorch_callbacks.EpochScoring("accuracy", name="published", on_train=True),
    skorch_callbacks.EarlyStopping("valid_acc", patience=6, lower_is_better=False),
    skorch_callbacks.Checkpoint("valid_acc_best", dirname=str(folder / "skorch"),
                                load_best=True),
]
print(settings)

# %% [markdown]
# The second `EpochScoring` is written as the tutorial wrote it, and its text called the score "test accuracy".
#
# > **Predict before you run.** `on_train=True`: accuracy on which split? And `lower_is_better`, left out, is `True`:
# > which epoch will be marked as the best?

# %%
torch.manual_seed(SEED)
start = lenet()
net = NeuralNetClassifier(
    copy.deepcopy(start), criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, **settings,
    iterator_train__shuffle=True, train_split=predefined_split(held_out), classes=range(10),
    callbacks=callbacks, verbose=0)
torch.manual_seed(SEED)
with redirect_stderr(StringIO()) as bar:
    net.fit(data, y=None)
print("the bar, as last drawn:", bar.getvalue().split("\r")[-3])

# %%
print("training accuracy:", net.history[:, "train_acc"])
print("best, as published:", net.history[:, "published_best"])
worst = min(net.history, key=lambda row: row["published"])["epoch"]
marked = max(row["epoch"] for row in net.history if row["published_best"])
claim("The last epoch that it marks as the best is the worst: {value}.",
      marked == worst, equals=True)

# %% [markdown]
# And our loop, fed by the same `DataLoader`s, so that both draw the same orders.

# %%
lr, size, epochs = settings["lr"], settings["batch_size"], settings["max_epochs"]
ours = copy.deepcopy(start)
optimizer = torch.optim.Adam(ours.parameters(), lr=lr)
best = Checkpoint(folder / "ours.pt", monitor="valid accuracy")
torch.manual_seed(SEED)
run = fit(ours, DataLoader(data, size, shuffle=True), DataLoader(held_out, size), optimizer,
          epochs=epochs, scheduler=lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs),
          callbacks=[EarlyStopping(6, monitor="valid accuracy"), best])
row = best.load_best(ours)
print("best epoch:", row.epoch)

# %%
theirs = net.history[:, ("train_acc", "valid_acc", "valid_loss", "event_lr")]
mine = [(each.train.accuracy, each.valid.accuracy, each.valid.loss, each.lr)
        for each in run[:len(theirs)]]
off = (torch.tensor(theirs) - torch.tensor(mine)).abs().max()
claim("Up to the best epoch, all scores and rates agree to {value:.0e}.", off, at_most=1e-5)
same = torch.equal(parameters_to_vector(net.module_.parameters()),
                   parameters_to_vector(ours.parameters()))
claim("The best weights are equal in every bit: {value}.", same, equals=True)

# %% [markdown]
# Equal seeds, equal loops. (A trap: where the best epoch is not the last, skorch's `load_best` takes the history
# back to it as well.) So you can read each callback as a part of yours:
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
# The last row, and what skorch's checkpoint holds:

# %%
ours_says = predict(ours, DataLoader(held_out, 64)).softmax(1)
far = (torch.tensor(net.predict_proba(held_out)) - ours_says).abs().max()
claim("`predict_proba` and our softmax differ by {value:.0e} at most.", far, at_most=1e-5)
print("same answers:", (net.predict(held_out) == ours_says.argmax(1).numpy()).all())
print("files:", *sorted(file.name for file in (folder / "skorch").iterdir()))

# %% [markdown]
# No scheduler, no generators: enough to answer, not enough to resume to the bit.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
#
# ### Exercise 7.1 · Two rates
#
# Which rate does the tutorial use *in* epoch 58: a cosine from 0.005, made for 70 epochs, one step after each? And
# PyTorch's example *in* epoch 14: 1.0, times 0.7 after each? Give `(cosine, step)`, to three significant digits.

# %%
two_rates = ...
check("7.1", two_rates)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 7.1
two_rates_solution = (0.005 / 2 * (1 + math.cos(math.pi * 57 / 70)), 0.7**13)  # steps done: 57, 13
assert check("7.1", two_rates_solution)

# %% [markdown]
# ### Exercise 7.2 · Patience
#
# The validation accuracies of epochs 1 to 14. The rule watches them with a patience of 6. Without code: which epoch is
# the best when it stops, and after which does it stop? Give `(best, stop)`.

# %%
series = [0.90, 0.93, 0.95, 0.95, 0.94, 0.96, 0.95,
          0.955, 0.96, 0.95, 0.958, 0.957, 0.96, 0.97]
patience = ...
check("7.2", patience)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 7.2
patience_solution = stopping(series, 6)  # epoch 9 equals epoch 6 and is no better
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
    return peak / 2 * (1 + math.cos(math.pi * (t - warm) / (steps - warm)))


assert check("7.3", warm_cosine_solution)

# %% [markdown]
# ### Exercise 7.4 · Keep the best, really
#
# Write `keep_best(state, best)`. It is called after each epoch with what it returned the time before (`None` at first)
# and returns `{"loss": …, "weights": …}` of the epoch with the lowest validation loss so far, of equal ones the first;
# the weights as a state dict. `state.model` is the network; `state.history[-1].valid.loss` the loss. Training goes on
# afterwards, and a state dict holds the living weights, not copies of them.

# %%
def keep_best(state, best):
    ...


check("7.4", keep_best)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 7.4
def keep_best_solution(state, best):
    loss = state.history[-1].valid.loss
    if best is None or loss < best["loss"]:
        return {"loss": loss, "weights": copy.deepcopy(state.model.state_dict())}
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
# Write `stop_epoch(losses, patience, min_delta)`: the epoch after which training stops, or 0 if it never does. An
# epoch is a new best one if its loss is lower than that of the best one before it by *more* than `min_delta`.

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
# ## What you can do now
#
# 1. Draw a schedule before you train with it, and say who calls `step()`, and when.
# 2. Build early stopping, and say why loss, accuracy and a noisy score stop it in different epochs.
# 3. Keep the best weights, and prove it by scoring them again after loading.
# 4. Resume a training to the last bit: weights, optimiser, scheduler, generators, and the next epoch's number.
# 5. Load weights without running a file's code.
# 6. Read skorch's callbacks as parts of your own loop.
#
# ## Further reading
#
# - I. Loshchilov and F. Hutter, *SGDR: stochastic gradient descent with warm restarts* (2017): the cosine.
# - L. N. Smith and N. Topin, *Super-convergence* (2017): one cycle.
# - M. D. Zeiler, *Adadelta: an adaptive learning rate method* (2012).
# - L. Prechelt, *Early stopping – but when?* (1998): rules for it, compared.
# - PyTorch, *Serialization semantics*: what `weights_only=True` admits, and why.
# - M. Tietz et al., *skorch: a scikit-learn compatible neural network library that wraps PyTorch* (2017).
