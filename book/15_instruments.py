# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 15 · Instruments
#
# *How do you watch a training run without staring at numbers?*
#
# **Read** 40 min · **Run** 25 s on two CPU cores · **Before this** lessons 8, 9 and 14
#
# ## What you will be able to do
#
# 1. Keep a log that survives a crash, and draw curves from it.
# 2. Write numbers, pictures, a graph, an embedding and curves for TensorBoard, and read them back.
# 3. Check a summary of a network against hooks, and print the graph that autograd keeps.
# 4. Say what a measured time contains, and list the devices of a machine.
# 5. Run training as a program that refuses nonsensical options.
# 6. Tell from its curves what is wrong with a run.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("15_instruments")

# %%
import argparse
import csv
import io
import shutil
import subprocess
import sys
import tempfile
import time
import types
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
import torchinfo
import torchviz
from PIL import Image
from torchvision.utils import make_grid

from course_utils import (
    agree, batches, check, claim, count_macs, count_parameters, load,
    mean_and_spread, plots, predict, recorded_runs,
)
from course_utils.inside import feature_maps
from course_utils.networks import small_fashion_net

# %% [markdown]
# These numbers are yours to change. Everything is seeded from `SEED`, and small enough for the CPU.

# %% nbmake={"mock": {"IMAGES": 400, "EVERY": 10}}
SEED = 0
IMAGES = 8_000  # of FashionMNIST
EVERY = 100  # steps between two entries of the log

# %% [markdown]
# ## A flight recorder
#
# You start a training run in the evening and go home. At two in the morning its loss becomes infinite. When you come
# back, the browser has lost the connection, and with it everything that the cell had printed. What do you wish you
# had? An aeroplane has a flight recorder for such a case: it writes down a few numbers all the time, to a place that
# survives the crash. A training run deserves one too, and a few lines of Python will do. First it needs a folder.

# %%
LOGS = Path(tempfile.mkdtemp())  # one of your own, to keep the logs

# %% [markdown]
# Will what we write survive? Let a small program write three lines and then crash, once with `flush` after each line
# and once without.
#
# > **Predict before you run.** What will be in the file in each case?

# %% tags=["answer"]
crash = """
import os, sys
file = open("crash.txt", "w")
for step in range(3):
    print(step, file=file, flush=sys.argv[1] == "flush")
os._exit(1)  # no time to close the file
"""
for how in ("flush", "no flush"):
    subprocess.run([sys.executable, "-c", crash, how], cwd=LOGS)
    print(f"{how}: {(LOGS / 'crash.txt').read_text().split()}")

# %% [markdown]
# Without `flush`, lines wait in memory until there are enough of them, and the crash takes them along. They are the
# very lines that you would want.
#
# The network comes from PyTorch's own TensorBoard example: a LeNet with ReLU, trained on FashionMNIST. Its recipe is
# unusual: batches of only four images, and a small learning rate.

# %%
garments = load("fashion_mnist").normalised([0.5], [0.5])
loader = batches(garments.train.take(IMAGES), 4, shuffle=True)
parameters = count_parameters(small_fashion_net())
print(f"{parameters:,} parameters, {len(loader):,} steps")

# %% [markdown]
# The loss of a single batch of four images jumps up and down, so we record the mean of the last `EVERY` losses.

# %%
def record(model, loader, optimizer, write):
    """Train for one epoch; call write(step, mean loss) now and then."""
    model.train()
    losses = []
    for step, (x, y) in enumerate(loader, start=1):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % EVERY == 0:
            write(step, sum(losses) / len(losses))
            losses.clear()

# %% [markdown]
# The log is a text file with one row for each entry, which every spreadsheet can read. At the same time we send each
# entry to TensorBoard, the instrument of the next section.

# %%
# Tells TensorBoard not to look for TensorFlow, which is slow to import.
sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")
from torch.utils.tensorboard import SummaryWriter

# %% [markdown]
# Now the run itself. It starts from the beginning whenever you run the cell.

# %%
torch.manual_seed(SEED)
model = small_fashion_net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
folder = tempfile.mkdtemp(prefix="run", dir=LOGS)  # one for each run
writer = SummaryWriter(folder, flush_secs=5)  # at the latest
with open(LOGS / "log.csv", "w", newline="") as file:
    table = csv.writer(file)
    table.writerow(["step", "loss"])

    def write(step, loss):
        table.writerow([step, loss])
        file.flush()
        writer.add_scalar("training loss", loss, global_step=step)

    record(model, loader, optimizer, write)

# %% [markdown]
# Whether the run is still alive or long dead, a few lines draw its curve from the file.

# %% mystnb={"image": {"alt": "The training loss over the steps: nearly flat at first, then a steep fall, then a slow one with some noise."}}
with open(LOGS / "log.csv", newline="") as file:
    rows = list(csv.DictReader(file))
steps = [int(row["step"]) for row in rows]
losses = [float(row["loss"]) for row in rows]
plots.curves(steps, {"train": losses}, title="A loss, read from a file",
             xlabel="step", ylabel="loss")

# %% [markdown]
# PyTorch's example trains for one epoch over all 60,000 images. We have recorded this with five seeds, less the
# images that we keep for validation. With batches of only four, a single epoch takes many steps.

# %%
runs = recorded_runs("small_fashion")
final = [run["test_accuracy"] for run in runs]
print(f"{len(garments.train) // 4:,} steps, accuracy on test images: "
      f"{mean_and_spread(final)}")

# %% tags=["claim"]
claim("PyTorch's example has {value:,} steps.",
      60_000 // 4, equals=15_000)

# %% [markdown]
# ## TensorBoard, call by call
#
# A file of numbers is enough for a curve, but a training run also has pictures to show. *TensorBoard* is a web page
# that reads a folder of log files, and draws what it finds there while training goes on. It began as a part of
# TensorFlow, but the package `tensorboard` alone is enough. You need not install TensorFlow, although some tutorials
# tell you to, and even name a version from 2023. PyTorch writes the files with `torch.utils.tensorboard`.
#
# Each kind of entry has a method of the writer. **A picture** is a tensor C×H×W with pixels from 0 to 1. (`batches`
# has normalised the pixels. In `garments.valid.x` they are still from 0 to 255.)

# %%
x, y = next(iter(batches(garments.valid, 4)))
grid = make_grid(x / 2 + 0.5)  # back to 0 … 1
writer.add_image("four garments", grid)

# %% [markdown]
# **A graph** of the network is found by sending one batch through it. PyTorch warns that the tracing behind this is
# deprecated. The graph is drawn all the same, so we silence that one warning.

# %%
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message=".*torch.jit")
    with torch.no_grad():
        writer.add_graph(model, x)

# %% [markdown]
# **A figure** from Matplotlib can be logged, too. Here each title is the network's answer and the probability that
# the network gives it, in green where the answer is right and in red where it is wrong.

# %%
probabilities = predict(model, batches(garments.valid, 500)).softmax(1)
sure, answers = probabilities.max(1)
figure, panels = plt.subplots(1, 4, figsize=(8, 2.4))
for k, panel in enumerate(panels):
    panel.imshow(garments.valid.x[k, 0], cmap="gray")
    panel.axis("off")
    name = garments.classes[answers[k]]
    right = answers[k] == garments.valid.y[k]
    panel.set_title(f"{name}, {sure[k]:.0%}",
                    color="green" if right else "red")
writer.add_figure("answers", figure)  # it also closes the figure

# %% [markdown]
# **An embedding** is a cloud of points in many dimensions, here a hundred images of 784 pixels each. TensorBoard's
# *projector* shows the cloud in three dimensions, found by principal component analysis (lesson 14), and lets you
# turn it. `metadata` gives each point a label, and `label_img` a small picture, a *sprite*.

# %%
chosen = garments.valid.take(100, seed=SEED)
writer.add_embedding(chosen.x.flatten(1) / 255,
                     metadata=[garments.classes[k] for k in chosen.y],
                     label_img=chosen.x / 255, tag="garments")

# %% [markdown]
# **A precision-recall curve** asks of one class: was this image a bag, yes or no, and how probable did the network
# think it was? Ten classes make ten curves (lesson 9).

# %%
for k, name in enumerate(garments.classes):
    writer.add_pr_curve(name, garments.valid.y == k, probabilities[:, k])
writer.close()

# %% [markdown]
# ## Reading it back
#
# What have we written? A page that needs a running server is of no use in a report, or on the page that you may be
# reading now. But the log is a file, and TensorBoard's own `EventAccumulator` reads it.

# %%
import logging

from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator)

# Else it complains if you have run a cell twice and so logged twice.
logging.getLogger("tensorboard").setLevel("ERROR")
board = EventAccumulator(folder)
board.Reload()
tags = board.Tags()
print({kind: tags[kind] for kind in ("scalars", "images", "graph")})
print("curves:", tags["tensors"])
print("nodes of the graph:", len(board.Graph().node))

# %% [markdown]
# The scalars are what we have written to our own file. They agree to seven significant digits only, because a log
# stores them in `float32`.

# %%
scalars = board.Scalars("training loss")
agree("the losses in our file and in TensorBoard's",
      np.array([event.value for event in scalars]), np.array(losses),
      within=1e-6)

# %% [markdown]
# Pictures are stored as PNG files, which we can open and show.

# %% mystnb={"image": {"alt": "Two pictures from the log: four garments in a row, and four garments with the network's answers as titles, green where right."}}
for tag in tags["images"]:
    stored = board.Images(tag)[-1].encoded_image_string
    picture = np.array(Image.open(io.BytesIO(stored)).convert("RGB"))
    plots.images([picture.transpose(2, 0, 1)], columns=1, title=tag)

# %% [markdown]
# The embedding is stored beside the log, as two tables and a sprite with all hundred pictures. Here is the sprite,
# and the view that the projector would open with, along its first two directions.

# %% mystnb={"image": {"alt": "A square of ten by ten small garments, and a cloud of a hundred points, marked by class: shoes on one side, coats and pullovers on the other."}}
from sklearn.decomposition import PCA

stored = next(Path(folder).rglob("tensors.tsv")).parent
sprite = np.array(Image.open(stored / "sprite.png").convert("RGB"))
plots.images([sprite.transpose(2, 0, 1)], columns=2, title="The sprite")
points = np.loadtxt(stored / "tensors.tsv", delimiter="\t")
labels = np.array((stored / "metadata.tsv").read_text().splitlines())
plane = PCA(2).fit_transform(points)
plots.scatter({name: plane[labels == name].T for name in garments.classes},
              title="A hundred garments, by their pixels",
              xlabel="first direction", ylabel="second direction")

# %% [markdown]
# Each curve is a tensor of six rows: true positives, false positives, true negatives, false negatives, precision and
# recall, each at 127 thresholds from 0 to 1. PyTorch has computed them when it wrote the log.
#
# > **Predict before you run.** For which garment will the curve be the worst?

# %% tags=["answer"] mystnb={"image": {"alt": "Precision against recall for ten classes. Trousers, bags and shoes are near the upper right corner; shirts are far below all others."}}
from tensorboard.util.tensor_util import make_ndarray

curves = {}
for name in garments.classes:
    stored = make_ndarray(board.Tensors(name)[-1].tensor_proto)
    found = stored[0] + stored[1] > 0  # where any answer is yes
    precision, recall = stored[4:, found]
    curves[name] = (recall, precision)
plots.scatter(curves, title="Ten curves from the log",
              xlabel="recall", ylabel="precision")

# %% [markdown]
# It is the shirts again. They look like T-shirts, pullovers and coats, and a network that is not sure has to give up
# precision or recall.
#
# Are the curves right? To find out, we take the recall for shirts at a threshold of one half, and count the same
# number for ourselves.

# %%
shirt = garments.classes.index("Shirt")
truth = garments.valid.y == shirt
counts = make_ndarray(board.Tensors("Shirt")[-1].tensor_proto)
half = counts.shape[1] // 2  # the threshold 63/126
says = probabilities[:, shirt] >= 0.5
agree("recall of shirts at one half, from the log and by counting",
      float(counts[5, half]), float((says & truth).sum() / truth.sum()),
      within=1e-6)

# %% [markdown]
# Now to the page itself. In Colab and in JupyterLab the next cell opens TensorBoard below it. The book leaves it out,
# since its server would be gone when you read this. In a terminal, `tensorboard --logdir FOLDER` does the same.

# %% tags=["skip-execution"]
from tensorboard import notebook

notebook.start(f'--logdir "{LOGS.as_posix()}"')

# %% [markdown]
# ## Look at a network before you train it
#
# A summary tells you what a network is made of. Ours is trained by now, but its summary would have been the same
# before. `torchinfo` prints one, and wants the shape of a whole batch. Its predecessor `torchsummary`, which many
# tutorials still use, wants the shape of a single image. There the 1 in `(1, 28, 28)` is the number of channels,
# although one tutorial takes it for the batch. (By `Units.MEGABYTES` torchinfo means millions.)

# %%
summary = torchinfo.summary(model, (1, 1, 28, 28), device="cpu", verbose=0)
print(summary)

# %% [markdown]
# We can check it: do the hooks of lesson 14 see the same output sizes, and does our own counter find as many
# parameters? A row of the summary knows its layer's name, which is also the key in `feature_maps`.

# %%
layers = [row for row in summary.summary_list if row.is_leaf_layer]
maps = feature_maps(model, torch.zeros(1, 1, 28, 28))
same = [tuple(row.output_size) == tuple(maps[row.var_name].shape)
        for row in layers]
agree("the parameters, by torchinfo and by our counter",
      summary.total_params, count_parameters(model), within=0)
print(f"{sum(same)} of {len(same)} layers have the output size that the "
      "hooks report")

# %% tags=["claim"]
more = summary.total_mult_adds - count_macs(model, (1, 1, 28, 28))
biased = sum(maps[row.var_name].numel() for row in layers if row.num_params)
claim("torchinfo counts {value:,} more multiply-adds than we do, "
      "one for each time a bias is added.", more, equals=biased)

# %% [markdown]
# The other thing to look at is the graph that autograd keeps for the backward pass, as in lesson 1. `torchviz` writes
# it in the language of Graphviz. Where the program `dot` is installed, we turn this into a drawing; otherwise we
# print a few of its lines, from the loss back towards the weights.

# %%
loss = F.cross_entropy(model(x), y)
dot = torchviz.make_dot(loss, params=dict(model.named_parameters()))
if shutil.which("dot"):
    from IPython.display import SVG, display
    display(SVG(dot.pipe(format="svg")))
else:
    operations = [line for line in dot.source.splitlines()
                  if "Backward" in line]
    print(*operations[:8], "…", sep="\n")

# %% [markdown]
# ## What a clock tells you
#
# A cell that begins with `%%time` prints how long it took. The answer is honest, but to which question? We time the
# same step, forward and backward, of a fresh network five times.
#
# > **Predict before you run.** By what factor will the first be slower than the last?

# %% tags=["answer"]
torch.manual_seed(SEED)
fresh = small_fashion_net()
images = torch.randn(64, 1, 28, 28)
milliseconds = []
for _ in range(5):
    start = time.perf_counter()
    fresh(images).sum().backward()
    milliseconds.append(1_000 * (time.perf_counter() - start))
print("milliseconds:", [round(value, 1) for value in milliseconds])

# %% [markdown]
# Usually the first is the slowest, because memory has to be allocated, and each operation has to choose the method
# that suits this machine. `%%time` prints the time that the processor has worked for this cell, and the *wall time*,
# which contains everything: this warm-up, the loading of data, whatever else the computer does at that moment. On a
# GPU both leave something out, because work is only ordered there, *asynchronously*, and the program goes on while
# the GPU is still busy. Lesson 16 measures properly.
#
# And which machine was it? A time without its machine means nothing, so list what there is, in code that also works
# where there is no GPU:

# %%
print("torch", torch.__version__, "with", torch.get_num_threads(), "threads")
print("CPU capability:", torch.backends.cpu.get_cpu_capability())
print("Apple GPU:", torch.backends.mps.is_available())
print("CUDA GPUs:", [torch.cuda.get_device_name(k)
                     for k in range(torch.cuda.device_count())])

# %% [markdown]
# ## From a notebook to a program
#
# A notebook is a good place to think, and a bad place for a run of twelve hours: it needs a browser, its cells have
# been run in an order that nobody remembers, and for ten runs with ten seeds somebody has to click ten times. A
# program is started by one line, with *options* that say what is different this time. PyTorch's own MNIST example is
# such a program. Here is ours, with its recipe, its default numbers and much the same options. Two things differ: it
# keeps 5,000 of the training images for validation, and always shuffles the others.

# %%
def program(*options):
    """Run the course's training program in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "course_utils.training", *options],
        cwd=LOGS, capture_output=True, encoding="utf-8", errors="replace")
    print(done.stdout + (done.stderr if done.returncode else ""))


program("--help")

# %% [markdown]
# `argparse`, from Python's standard library, writes this page from the list of options. Each option is one line. Its
# `type` may be any function that makes a value of a text:

# %%
toy = argparse.ArgumentParser(prog="toy")
toy.add_argument("--epochs", type=int, default=14)
print(toy.parse_args([]), toy.parse_args(["--epochs", "3"]))

# %% [markdown]
# `--dry-run` trains on a single batch, and scores everything once. It is the first thing to try, since it finds in
# seconds what would otherwise stop you after an hour, such as a typo in the lines that save the model.

# %%
load("mnist")  # so that the program finds it
program("--dry-run", "--log-interval", "1", "--save-model")
print([file.name for file in LOGS.glob("*.pt")])

# %% [markdown]
# > **Predict before you run.** What should a good program do with `--epochs 0`: train nothing, or something else?

# %% tags=["answer"]
program("--epochs", "0")

# %% [markdown]
# It refuses, in one line that says what was wrong and what it expected. A program that quietly does nothing costs its
# user a night.
#
# Without any options it runs the recipe in full: 14 epochs, which take about twenty minutes on two cores. We have
# recorded it:

# %% mystnb={"image": {"alt": "Two panels, loss and accuracy over 14 epochs for training and validation images. Both splits improve quickly and then level off. At first validation is better than training, later they change places."}}
[run] = recorded_runs("mnist_program")
parts = {part: {split: run[f"{split}_{part}"] for split in ("train", "valid")}
         for part in ("loss", "accuracy")}
plots.curves(range(1, 15), parts, percent="accuracy", columns=2,
             title="PyTorch's MNIST example, 14 epochs", xlabel="epoch")

# %% tags=["claim"]
claim("The example reads {value:.2%} of the test digits correctly.",
      run["test_accuracy"], at_least=0.985)

# %% [markdown]
# Why are the validation digits read better than the training digits, in the first epochs? For two reasons, and both
# are in the instrument. The network has dropout, which is switched on only in training (lesson 8). And the training
# score is collected during the epoch, by weights that are still improving, while the validation score comes
# afterwards. An instrument tells you what it has measured, and how it was measured is for you to know.
#
# ## Four flights
#
# Here are four recorded runs of this lesson's network, on 2,000 images. One is healthy. In another the learning rate
# is too high, in a third all units of the first ReLU are dead from the start, and in the last the validation images
# are also training images. Which is which? Take your time, for this is what a flight recorder is read for.

# %% mystnb={"image": {"alt": "Two panels with the training loss and the validation loss of four runs, A to D. D is flat at 2.3 in both. B jumps far above A and C. A and C have the same training loss; of their validation losses, that of C levels off, that of A goes on falling."}}
flights = recorded_runs("flights")
plots.curves(range(1, len(flights[0]["train_loss"]) + 1),
             {f"{split} loss": {run["flight"]: run[f"{split}_loss"]
                                for run in flights}
              for split in ("train", "valid")},
             columns=2, title="Four flights", xlabel="epoch")

# %% [markdown]
# In the left panel A and C coincide, so one of them covers the other. What would you look at first? We would ask
# whether a loss moves at all, then where it settles, and then compare the two panels. The exercise below asks for
# your verdict.
#
# ## Exercises
#
# Replace the dots and run the cell. The solution follows each exercise, folded away.
#
# ### Exercise 15.1 · Four flights
#
# Look at the four flights above, and give a dict with a cause for each: `{"A": …, "B": …, "C": …, "D": …}`. The
# causes are `"healthy"`, `"rate"`, `"dead"` and `"leak"`.

# %%
flight_causes = ...
check("15.1", flight_causes)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 15.1
flight_causes_solution = {
    "A": "leak",  # it learns as C does, but no gap opens
    "B": "rate",  # it jumps, and stays far above C
    "C": "healthy",  # after a few epochs a gap opens
    "D": "dead"}  # flat, at ln 10
assert check("15.1", flight_causes_solution)

# %% [markdown]
# ### Exercise 15.2 · One more instrument
#
# Write `gradient_norms(model)`, which is called after `backward()` and returns a dict. It maps the name of each
# parameter, as `named_parameters()` gives it, to the norm of its gradient, a plain number. Parameters without a
# gradient (`None`) are left out.

# %%
def gradient_norms(model):
    ...


check("15.2", gradient_norms)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 15.2
def gradient_norms_solution(model):
    return {name: value.grad.norm().item()
            for name, value in model.named_parameters()
            if value.grad is not None}


assert check("15.2", gradient_norms_solution)

# %% [markdown]
# ### Exercise 15.3 · The smoothing slider
#
# TensorBoard draws smoothed curves. With the slider at `weight`, it starts from `last = 0` and updates `last = weight
# · last + (1 − weight) · value` at each value. What it shows after the n-th value is `last / (1 − weightⁿ)`, so that
# the zero at the start does not pull the curve down: an *exponential moving average* without bias. Write
# `smoothed(values, weight)`, which returns the values that are shown, as a list, for a weight from 0 to below 1.

# %%
def smoothed(values, weight):
    ...


check("15.3", smoothed)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 15.3
def smoothed_solution(values, weight):
    last, shown = 0, []
    for n, value in enumerate(values, start=1):
        last = weight * last + (1 - weight) * value
        shown.append(last / (1 - weight**n))
    return shown


assert check("15.3", smoothed_solution)

# %% [markdown]
# ### Exercise 15.4 · A new option
#
# The program has no weight decay. Write `add_weight_decay(parser)`, which gets an `argparse.ArgumentParser` and adds
# the option `--weight-decay`, a number that defaults to 0. A negative number must be refused by the parser itself:
# give `add_argument` a `type` that is a function of your own, which raises `argparse.ArgumentTypeError`. Return the
# parser.

# %%
def add_weight_decay(parser):
    ...


check("15.4", add_weight_decay)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 15.4
def decay_solution(text):
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be at least 0; got {text}")
    return value


def add_weight_decay_solution(parser):
    parser.add_argument("--weight-decay", type=decay_solution, default=0.0)
    return parser


assert check("15.4", add_weight_decay_solution)

# %% [markdown]
# ### An open question
#
# No checker answers this one, so argue about it with somebody. Everything can be logged: each weight, each gradient,
# each image that went wrong. In a run that takes a week, what would you log, how often, and what would you leave out?
# Name one number that you would look at every morning, and one that would only tempt you to stop too early.

# %% [markdown]
# ## What you can do now
#
# 1. A log is a file that is flushed, and its curve can be drawn while the run goes on, or after it has died.
# 2. TensorBoard's file holds scalars, pictures, a graph, an embedding and curves, and can be read without a server.
# 3. Hooks and counters confirm torchinfo's summary, except that it also counts the additions of biases.
# 4. A measured time contains the warm-up, the loading and whatever else happens, and needs its machine beside it.
# 5. A program has options with defaults, a dry run, and one clear line for a wrong value.
# 6. A failure shows in its curve: flat, jumping, or suspiciously without a gap.
#
# ## Further reading
#
# - PyTorch, *Visualizing models, data, and training with TensorBoard*: the example that this lesson follows.
# - Python documentation, *argparse tutorial*.
# - A. Karpathy, *A recipe for training neural networks* (2019): what to look at, in which order.
