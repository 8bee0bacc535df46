# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 16 · Speed and scale
#
# *Where does the time go, and what would really save it?*
#
# **Read** 40 min · **Run** 55 s on two CPU cores · **Before this** lessons 3, 11 and 15
#
# ## What you will be able to do
#
# 1. Measure how fast a machine can be, and time code without fooling yourself.
# 2. Find out which of two ceilings a network is under: arithmetic or memory.
# 3. Read a profile, and tell a loop that computes from one that waits for its images.
# 4. Try a remedy fairly, and say what it was worth on your machine.
# 5. Explain what a second busy process costs.
# 6. Train one network in two processes, and check that it is the same network.
# 7. Search with several workers, and lose no finished trial when one of them dies.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("16_speed_and_scale")

# %%
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch.profiler import profile
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from course_utils import (
    Augment, agree, as_dataset, batches, check, claim, count_macs,
    count_parameters, load, mean_and_spread, networks, plots, recorded_runs,
)
from course_utils.inside import feature_maps
from course_utils.networks import cifar_net, fast_cifar_net, lenet
from course_utils.search import open_study

# %% [markdown]
# These numbers are yours to change. Everything is seeded from `SEED`, and small enough for the CPU.

# %% nbmake={"mock": {"IMAGES": 128, "PATIENCE": 0.05, "TRIALS": 6}}
SEED = 0
IMAGES = 1_024  # of CIFAR-10, to time the loading with
PATIENCE = 0.5  # seconds that the timer spends on one measurement
TRIALS = 16  # of a search by two workers

# %% [markdown]
# ## How fast can this machine be?
#
# Your training takes an hour, and you would like it to take ten minutes. Before you change anything, ask what your
# machine could do at best. If a program already runs at nine tenths of that speed, no trick will help: you need less
# work or another machine. If it runs at a twentieth, something is holding it up, and it pays to find out what.
#
# The best case is the product of two large n×n matrices, because processors and their libraries are made for it. Each
# of the n² answers is a dot product: n multiplications and n additions. We count both as *operations*, as
# manufacturers do; a multiply-add (lesson 3) is two of them.

# %% tags=["claim"]
claim("The product of two 1,000×1,000 matrices takes {value:,} operations.",
      1_000**2 * (1_000 + 1_000), equals=2_000_000_000)

# %% [markdown]
# > **Find the bug.** Some notes on the foundations of PyTorch time such products, a hundred at once, with the lines
# > below, then again on a GPU. What is wrong with the measurement? There are at least three mistakes.

# %%
start = time.perf_counter()
x = torch.FloatTensor(100, 1_000, 1_000)
x @ x
print(f"{time.perf_counter() - start:.2f} s")

# %% [markdown]
# The tensor was never filled: `FloatTensor`, given sizes, takes whatever happens to be in memory. The clock also runs
# while it is made. The product was timed once, and the first run pays for warming up, as you saw in lesson 15. And on
# a GPU nobody waited for the answer. A GPU works *asynchronously*: the program orders a product, and goes on at once.
# The notes found that on a GPU the time "hardly changes" with the size, and took this for strength. They had timed
# the order, not the product. They also say that their tensors hold up to 1,000 matrices, but their `range(1, 10)`
# leaves out its end.

# %% tags=["claim"]
claim("Their largest tensor holds {value} matrices.",
      max(i * 100 for i in range(1, 10)), equals=900)

# %% [markdown]
# `torch.utils.benchmark` warms up, repeats until the measurement is long enough, and lets a GPU finish. We take the
# median, because one slow run only shows that the machine was busy.

# %%
# Silences a note on machines with NVIDIA's compiler, but no NVIDIA GPU.
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
from torch.utils import benchmark

# %% [markdown]
# In one function:

# %%
def seconds(statement, **names):
    """The median time that a statement takes."""
    timer = benchmark.Timer(statement, globals=names,
                            num_threads=torch.get_num_threads())
    return timer.blocked_autorange(min_run_time=PATIENCE).median

# %% [markdown]
# Now the ceiling, from two 1,024×1,024 matrices:

# %%
torch.manual_seed(SEED)
a, b = torch.randn(2, 1_024, 1_024)
ceiling = 2 * 1_024**3 / seconds("a @ b", a=a, b=b)  # operations a second
print(f"{torch.backends.cpu.get_cpu_capability()}, "
      f"{torch.get_num_threads()} threads: {ceiling / 1e9:.0f} GFLOP/s")

# %% [markdown]
# A GFLOP/s is a billion floating-point operations per second. A graphics card reaches thousands of them, because its
# many small, slower cores all do the same to different numbers. If you have an NVIDIA GPU, the next cell shows the
# effect of not waiting.

# %%
if torch.cuda.is_available():
    large = torch.randn(100, 1_000, 1_000, device="cuda")
    large @ large  # warms up
    torch.cuda.synchronize()
    start = time.perf_counter()
    large @ large
    ordered = 1_000 * (time.perf_counter() - start)
    torch.cuda.synchronize()
    done = 1_000 * (time.perf_counter() - start)
    print(f"ordered after {ordered:.3f} ms, done after {done:.3f} ms")
else:
    print("There is no NVIDIA GPU here, so this cell measures nothing.")

# %% [markdown]
# ## The second ceiling
#
# A kitchen with ten cooks and one narrow door can serve no more than fits through the door. A processor's door is its
# memory: numbers have to be brought in before they can be multiplied, and answers carried out. How much fits through
# in a second? Copying a large tensor tells us, because a copy computes nothing.

# %%
source = torch.randn(2**25)
target = torch.empty_like(source)
took = seconds("target.copy_(source)", source=source, target=target)
bandwidth = 2 * 4 * len(source) / took  # four bytes, read and written
print(f"{bandwidth / 1e9:.0f} GB/s")

# %% [markdown]
# Which of the two ceilings a piece of work is under depends on its *arithmetic intensity*: how many operations it
# does for each byte that it moves. In a matrix product each number, once fetched, is used a thousand times. A ReLU
# uses each number once, so for one operation it moves eight bytes: four in, four out.
#
# > **Predict before you run.** What share of the matrix product's ceiling will a ReLU reach?

# %% tags=["answer"]
relu = len(source) / seconds("torch.clamp(source, min=0, out=target)",
                             source=source, target=target)
print(f"{relu / 1e9:.1f} GFLOP/s, {relu / ceiling:.1%} of the ceiling")

# %% [markdown]
# Hardly any, and a faster processor would not help: the cooks are waiting at the door. This picture of two ceilings
# is called the *roofline*. With an intensity of I operations per byte, a machine can do no more than
#
# $$\min(\text{peak},\; I \cdot \text{bandwidth})$$
#
# operations a second. Where do our networks fall? For each of them we count the operations of a forward pass, and
# estimate the bytes: weights are read once, and each layer's output is written once and read once.

# %%
def roofline(model, x):
    """Operations per byte, operations per second, and what is possible."""
    operations = 2 * len(x) * count_macs(model, (1, *x.shape[1:]))
    outputs = sum(maps.numel() for maps in feature_maps(model, x).values())
    moved = 4 * (count_parameters(model) + x.numel() + 2 * outputs)
    with torch.inference_mode():
        reached = operations / seconds("model(x)", model=model.eval(), x=x)
    intensity = operations / moved
    return intensity, reached, min(ceiling, intensity * bandwidth)

# %% [markdown]
# Three of the course's networks, in batches of 128, from the fewest multiply-adds to the most:

# %%
grey, colour = torch.randn(128, 1, 28, 28), torch.randn(128, 3, 32, 32)
found = {"LeNet": roofline(lenet(), grey),
         "fast CIFAR": roofline(fast_cifar_net(), colour),
         "FashionMNIST": roofline(networks.fashion_net(), grey)}

# %% [markdown]
# The brackets give the operations per byte.

# %% mystnb={"image": {"alt": "Two bars for each of three networks: what the two ceilings allow, and what the network reaches. LeNet reaches the least."}}
print(f"The ceilings meet at {ceiling / bandwidth:.0f} operations per byte.")
bars = {"the two ceilings allow": {}, "the network reaches": {}}
for name, (intensity, reached, possible) in found.items():
    label = f"{name} ({intensity:.0f})"
    bars["the two ceilings allow"][label] = possible / 1e9
    bars["the network reaches"][label] = reached / 1e9
plots.bars(bars, title="What three networks could reach, and do reach",
           ylabel="GFLOP/s", horizontal=True)

# %% [markdown]
# All three have enough operations per byte to be under the ceiling of arithmetic. No network reaches it, and LeNet,
# the smallest, falls furthest short. So a network with a tenth of the multiply-adds does not take a tenth of the
# time. The roofline is a bound. It says what a machine will hardly exceed, and here it is generous, because it
# averages over the layers. A convolution with many channels comes close to a matrix product. The ReLU after it moves
# as many numbers, for hardly any operations. And the first layers of LeNet have so few channels that the processor,
# which works on eight or sixteen numbers at once, runs half empty. Which of these takes the time? To see, we must
# look inside a step.
#
# ## Where does a step go?
#
# A *profiler* records what a program does, operation by operation, and how long each takes by itself. We watch twenty
# training steps of LeNet with batches of 64.

# %%
digits, labels = torch.randn(64, 1, 28, 28), torch.randint(10, (64,))
model = lenet()
optimizer = torch.optim.Adam(model.parameters())

# %% [markdown]
# A step is what it has been since lesson 1:

# %%
def step():
    loss = F.cross_entropy(model(digits), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% [markdown]
# All the profiler needs is a `with`:

# %%
step()  # warms up
os.environ["KINETO_LOG_LEVEL"] = "99"  # keeps the profiler quiet
with profile() as record:
    for _ in range(20):
        step()

# %% [markdown]
# > **Predict before you run.** Which takes longest: the convolutions, the linear layers, the pooling, or Adam?

# %% tags=["answer"] mystnb={"image": {"alt": "A bar for each of eight operations of a training step, with its share of the time. The backward pass of the convolution has the longest."}}
events = record.key_averages()
total = sum(event.self_cpu_time_total for event in events)
events.sort(key=lambda event: event.self_cpu_time_total, reverse=True)
shares = {event.key.removeprefix("aten::"): event.self_cpu_time_total / total
          for event in events[:8]}
plots.bars({"share": shares}, title="A step of LeNet, by operation",
           ylabel="share of the time", horizontal=True)

# %% [markdown]
# Look at what is *not* a convolution. In a small network average pooling and Adam's bookkeeping take a real share,
# while the linear layers (`mm`, `addmm`), which hold most of the parameters, hardly count. `self_cpu_time_total`
# leaves out the operations that an operation calls. Otherwise the outermost would always seem to take everything.
#
# ## Does the loop wait for its images?
#
# Our profile began with the batch ready. In a real loop its images must be read, turned, recoloured and stacked. The
# published CIFAR-10 study (lesson 11) trained eight networks for ten epochs each, in 49 minutes and 44 seconds on a
# graphics card.

# %% tags=["claim"]
claim("An epoch of the study's search took {value:.1f} s on average.",
      (49 * 60 + 44) / (8 * 10), equals=37.3, within=0.05)

# %% tags=["claim"]
macs = [count_macs(cifar_net(c1=c1, c2=c2), (1, 3, 32, 32))
        for c1, c2 in ((48, 96), (96, 192))]
claim("The widest network does {value:.1f} times the work of the "
      "narrowest.", macs[1] / macs[0], equals=3.8, within=0.05)

# %% [markdown]
# Yet the narrowest network, too, took 37 seconds an epoch, the mean of all eight. If the work hardly matters, the
# time went elsewhere. The study augments images one by one, with the image library PIL, in the same process that
# trains, so the graphics card waits for every batch. Our loop below times the waiting, from asking for a batch to
# getting it, and the rest.

# %%
def one_epoch(loader, model):
    """Train for an epoch; return the seconds of waiting and the rest."""
    optimizer = torch.optim.Adam(model.parameters())
    waiting, start = 0, time.perf_counter()
    asked = start
    for x, y in loader:
        waiting += time.perf_counter() - asked
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        asked = time.perf_counter()
    return waiting, time.perf_counter() - start - waiting

# %% [markdown]
# A processor is no graphics card, so our networks are as small for it as the study's were for its card. The same
# augmentation is done in two ways: by PIL, picture by picture, and on the whole batch at once (lesson 10).

# %%
cifar = load("cifar10").train.take(IMAGES)
pil = v2.Compose([v2.RandomRotation(20), v2.RandomHorizontalFlip(),
                  v2.ColorJitter(brightness=0.2, hue=0.1)])
whole = Augment(flip=0.5, rotation=20, brightness=0.2, hue=0.1)

# %% [markdown]
# Two ways, two widths:

# %%
ways = {"one by one": DataLoader(as_dataset(cifar, pil), 128, shuffle=True),
        "whole batches": batches(cifar, 128, shuffle=True, augment=whole)}
for way, loader in ways.items():
    for width in (4, 8):
        model = cifar_net(c1=width, c2=2 * width, hidden=4 * width)
        waited, computed = one_epoch(loader, model)
        print(f"{way:13}, width {width}: waiting {waited:.2f} s, "
              f"computing {computed:.2f} s")

# %% [markdown]
# One by one, most of the time is waiting, and the network's width hardly matters. With whole batches the waiting is
# gone, and the network sets the time. We have recorded this with more rounds and two more ways: PIL in two workers,
# and torchvision's transforms on one tensor at a time.

# %% mystnb={"image": {"alt": "Seconds for 2,048 images in four ways to load them, for two widths. One tensor at a time is slowest, PIL next, with two workers or without; whole batches take a fraction, and only there the two widths differ clearly."}}
runs = recorded_runs("loading")
times = {f"width {width}": {run["pipeline"]: run["seconds"]["total"]
                            for run in runs if run["width"] == width}
         for width in (4, 8)}
plots.intervals(times, title="Four ways to bring 2,048 images to a network",
                xlabel="seconds, in all")

# %% [markdown]
# *Workers*, which a `DataLoader` starts with `num_workers=2`, are separate processes that prepare batches in advance.
# They are the usual advice, and good advice where cores are idle, as beside a graphics card. On two cores they
# compete with the network, although a more careful setting could gain a little.
#
# ## Remedies, one at a time
#
# Every list of tips for faster training names the same few remedies, each a line or two:
#
# - `model.to(memory_format=…)` with `torch.channels_last`, and the same for the images: a pixel's channels
#   are then next to each other in memory. The tensor keeps its shape.

# %%
last = colour.to(memory_format=torch.channels_last)
print(colour.shape, colour.stride(), "becomes", last.shape, last.stride())
net = fast_cifar_net().eval()
with torch.inference_mode():
    agree("the answers with channels last and without", net(last),
          net(colour), within=1e-4)

# %% tags=["claim"]
claim("With channels last, a pixel's next channel is {value} place away.",
      last.stride(1), equals=1)

# %% [markdown]
# - `torch.set_num_threads(n)`: how many cores one operation is spread over.
# - `Adam(…, fused=True)`: one pass over all weights instead of several.
# - Another batch size: larger batches mean fewer steps, but larger tensors.
# - `torch.compile(model)`: reads the program, and writes a faster one. It needs a C++ compiler, and time.
# - `torch.autocast("cpu", torch.bfloat16)` around the forward pass: two-byte numbers, so half the
#   load at the door. Processors that know this format also multiply it faster; others have to emulate it. (On a
#   graphics card the same line with `"cuda"` is known as *mixed precision*.)
#
# The last remedy is quickly measured, for a forward pass on your machine:

# %%
def half():
    with torch.autocast("cpu", torch.bfloat16):
        net(colour)


with torch.inference_mode():
    plain = seconds("net(colour)", net=net, colour=colour)
    print(f"{plain / seconds('half()', half=half):.2f} times the plain speed")

# %% [markdown]
# To compare several remedies fairly, we time them *in turn*: one round of each, then the next round. A slow minute
# then slows all of them, and the ratios within a round hardly change. Here are recorded training steps of three
# networks, each beside a plain one with batches of 128. Right of 1 is faster.

# %% mystnb={"image": {"alt": "For three networks and seven remedies, the speed of a step relative to the plain one. Which remedy helps differs from network to network."}}
runs = recorded_runs("step_times")
groups = {}
for run in runs:
    rounds = run["seconds"]["rounds"]
    groups[run["network"]] = {
        name: [plain / mine
               for plain, mine in zip(rounds["plain"], taken, strict=True)]
        for name, taken in rounds.items() if name != "plain"}
plots.intervals(groups, title="Which remedy helps depends on the network",
                xlabel="images a second, relative to the plain step")

# %% [markdown]
# That machine's processor, by its widest instructions, and the seconds of the first compiled step:

# %%
for run in runs:
    compiled = run["seconds"]["first step"]["compiled"]
    print(f"{run['network']}, {run['capability']}: {compiled:.0f} s")

# %% [markdown]
# Look for remedies whose dots are all on one side of 1. Channels last helps all three networks in every round.
# Batches of 1,024 save steps, yet make the CIFAR network slower, probably because tensors so large are fetched from
# the operating system, page by page, in each step. Where the dots are on both sides of 1, as for fused Adam, we claim
# nothing. And `torch.compile` has to win back its slow first step before it saves any time.
#
# And `bfloat16`, which every list recommends? This processor takes many times as long with it, because it does not
# know the format, and PyTorch falls back on a slow convolution. On one that knows it, the same line can help a lot. A
# tip is something to measure.
#
# ## The neighbour
#
# > **Predict before you run.** Two training runs share two cores, each with two threads. By what factor will each
# > slow down?

# %% tags=["answer"] mystnb={"image": {"alt": "How many times as long a step takes beside another training, in three rounds for each of two networks: little more than once with one thread each, between three and more than thirty times with two threads each."}}
runs = recorded_runs("busy_machine")
times = {}
for run in runs:
    own = f"{run['network']}, threads: {run['own']}"
    times[own, run["beside"] > 0] = run["seconds"]  # of three rounds
factors = {own: [value / median(times[own, False]) for value in taken]
           for (own, beside), taken in times.items() if beside}
plots.intervals({"factor": factors}, xlabel="times as long as alone",
                title="Beside a second training, a step takes")

# %% [markdown]
# Twice as slow would be fair. With two threads each, it is far worse, and no two rounds agree. An operation on two
# threads is split in two, and the next one begins when both halves are done. Four busy threads cannot all run on two
# cores, so one half or the other waits for its turn, and the cores are probably busy waiting most of the time. With
# *one* thread each, the two runs hardly notice each other, and together they get more done than a single one with two
# threads.
#
# So look at what else your machine is doing before you believe a time. If you run several things at once, give each
# fewer threads, with `torch.set_num_threads(1)` or with `OMP_NUM_THREADS=1` in its environment.
#
# ## One network, two processes
#
# What if one machine is no longer enough? The usual way is to start several processes, each on its own card or its
# own computer, and to give each a part of every batch. Each has a copy of the network. After the backward pass they
# average their gradients, and then all take the same step, so the copies stay equal. This is *distributed data
# parallel* training. The loss of a batch is the mean over its images, so, without batch norm, its gradient is the
# mean of those of its halves:

# %%
model = lenet()


def gradient(x, y):
    model.zero_grad()
    F.cross_entropy(model(x), y).backward()
    return torch.cat([w.grad.flatten() for w in model.parameters()])


first = gradient(digits[:32], labels[:32])
second = gradient(digits[32:], labels[32:])
agree("the mean of two halves' gradients and the whole batch's",
      (first + second) / 2, gradient(digits, labels), within=1e-6)

# %% [markdown]
# The rest is engineering, and PyTorch has done it. `torchrun` starts the processes and tells each its number.
# `DistributedDataParallel` wraps a network, and averages the gradients while the backward pass is still running. The
# processes talk through *gloo* or, on NVIDIA cards, through *NCCL*. The program of lesson 15 notices when `torchrun`
# has started it. It then calls `init_process_group()`, wraps its network, and takes every second image of each batch.
# That is all.

# %%
work = Path(tempfile.mkdtemp())
load("mnist")  # so that the program finds it

# %% [markdown]
# `--dry-run` takes one step, and the weights come back in the file that `--save-model` writes.

# %%
def program(*launcher):
    """Take one step in a process of its own; return the weights it saved."""
    options = "--network lenet --dry-run --save-model --no-cuda --no-mps"
    done = subprocess.run(
        [sys.executable, *launcher, "-m", "course_utils.training",
         *options.split()],
        cwd=work, env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True, encoding="utf-8", errors="replace")
    print(done.stdout + (done.stderr if done.returncode else ""))
    done.check_returncode()
    return torch.load(work / "mnist_cnn.pt", weights_only=True)

# %% [markdown]
# The command `torchrun` is short for `python -m torch.distributed.run`. (PyTorch's Windows build lacks it: read on
# there.)
#
# > **Predict before you run.** We train for one step in one process, and for one step in two. Will the weights be the
# > same to the last bit?

# %% tags=["answer"]
alone = program()
together = program("-m", "torch.distributed.run", "--standalone",
                   "--nproc-per-node=2")
agree("the first filters, after a step of one process and of two",
      together["0.weight"], alone["0.weight"], within=1e-5)

# %% [markdown]
# Not to the last bit: the two halves are added in a different order, and floating-point addition is rounded. (The
# printed training losses differ for another reason. Each process knows its own half's loss, and only the first one
# prints.) So the second step starts from weights that differ in the last digits. Do the networks stay together? We
# have recorded this with two halves of each batch and, for comparison, with only the number of threads changed.

# %% mystnb={"image": {"alt": "The largest difference of a weight, against steps, both on logarithmic axes. For two threads and for two halves it rises from less than a millionth to a tenth within an epoch."}}
runs = recorded_runs("rounding")
looks = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 859]
lines = {}
for way in ("two threads", "two halves"):
    table = [run["difference"][way] for run in runs]  # seeds × looks
    lines[way] = [median(column) for column in zip(*table, strict=True)]
plots.curves(looks, lines, title="A difference in the last digit grows",
             xlabel="step", ylabel="largest difference of a weight", log="xy")

# %% [markdown]
# In most runs the weights agree to six decimal places for a dozen steps. Then the difference explodes. Training is a
# little like the weather: somewhere a ReLU lands on the other side of zero, the next gradients differ, and each step
# enlarges the difference. But look at the other curve. A second thread alone does the same, so the two processes are
# not to blame. This is what "the same training" means on a computer: the same arithmetic in each step, up to
# rounding.

# %% tags=["claim"]
claim("After one step of two halves no weight is off by more than "
      "{value:.0e}.", max(run["difference"]["two halves"][0] for run in runs),
      at_most=1e-6)

# %% tags=["claim"]
claim("After an epoch the largest difference is {value:.2f}.",
      lines["two halves"][-1], at_least=0.01)

# %% [markdown]
# Have we trained a worse network, then? No: a different one, just as good.

# %%
for way in ("one thread", "two threads", "two halves"):
    scores = [run["valid_accuracy"][way] for run in runs]
    print(f"{way:12} {mean_and_spread(scores, '.2%')}")

# %% [markdown]
# Were two processes faster? Here they share the two cores that one process can use alone, with two threads. We have
# recorded an epoch in three ways:

# %%
runs = recorded_runs("processes")
for way in runs[0]["seconds"]:
    epochs = [run["seconds"][way]["epoch"] for run in runs
              if run["network"] == "lenet"]
    print(f"{way:26} {mean_and_spread(epochs, '.1f')} s")

# %% [markdown]
# Once started, two processes do about as well as two threads, but no better: there is no third core. More processes
# pay where each has its own cores or card.
#
# ## One search, many workers
#
# A search over hyperparameters is much easier to spread than training: the trials do not need each other. All that
# the workers share is the record of what was tried. In lesson 11 this was a file, which `open_study` opens for any
# number of workers. Here is a worker, as a program of its own. To keep the bookkeeping in view, its objective is a
# parabola and a short sleep.

# %%
worker = """
import sys
import time
import optuna
from course_utils.search import open_study
from optuna.trial import TrialState

optuna.logging.disable_default_handler()

def objective(trial):
    x = trial.suggest_float("x", -10, 10)
    time.sleep(0.2)  # your training goes here
    return -((x - 2) ** 2)

place, trials = sys.argv[1:]
if place.isdigit():  # the port of a server, see below
    storage = optuna.storages.GrpcStorageProxy(
        host="127.0.0.1", port=int(place))
    study = optuna.load_study(study_name="parabola", storage=storage)
else:
    study = open_study(place, "parabola")
enough = optuna.study.MaxTrialsCallback(
    int(trials), states=[TrialState.COMPLETE])
study.optimize(objective, callbacks=[enough])
"""
with open(work / "worker.py", "w") as program_file:
    program_file.write(worker)

# %% [markdown]
# Our notebook looks at the same study:

# %%
import optuna
from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.WARNING)  # no line for each trial

# %% [markdown]
# The study knows what is finished:

# %%
def finished(study):
    """Numbers and values of the trials that are done."""
    trials = study.get_trials(states=[TrialState.COMPLETE])
    return {trial.number: trial.value for trial in trials}

# %% [markdown]
# Two workers start, and once a quarter of the trials are finished, one is killed, as if its machine lost power. The
# other knows nothing of it.

# %%
def search(study, place):
    """Let two workers search, kill one; return what was finished then."""
    command = [sys.executable, "-W", "ignore", "worker.py"]
    workers = [subprocess.Popen([*command, place, str(TRIALS)], cwd=work)
               for _ in range(2)]
    while len(finished(study)) < TRIALS // 4 and workers[1].poll() is None:
        time.sleep(0.05)
    workers[0].kill()
    known = finished(study)
    for one in workers:
        one.wait()
    return known

# %% [markdown]
# > **Predict before you run.** How many trials will be finished in the end, and how many finished ones lost?

# %% tags=["answer"]
file = Path(tempfile.mkdtemp()) / "search.journal"
study = open_study(file, "parabola")
before = search(study, str(file))
after = finished(study)
running = len(study.get_trials(states=[TrialState.RUNNING]))
print("finished:", len(before), "then", len(after), "running:", running)

# %% [markdown]
# The trial that the dead worker had begun stays in the study as RUNNING, and nobody will ever finish it. If every
# candidate counts, as in a grid, `put_back` from lesson 11 returns it to the queue.

# %% tags=["claim"]
claim("The kill cost {value} finished trials.",
      len(before.items() - after.items()), equals=0)

# %% [markdown]
# A file is enough as long as all workers see the same disk. Machines without a shared disk need a server. Optuna has
# a small one, the *storage proxy*: it alone opens a database, and workers talk to it over the network. It does not
# take a journal file, so we give it SQLite. The workers are the same, but are given a port instead of a file.

# %%
import socket

import grpc

server = """
import sys
import optuna
from optuna.storages import get_storage, run_grpc_proxy_server

optuna.logging.disable_default_handler()
storage = get_storage("sqlite:///search.db")
run_grpc_proxy_server(storage, host="127.0.0.1", port=int(sys.argv[1]))
"""

# %% [markdown]
# We start the server at a port that nothing else uses, and wait until it answers. Where the way to the internet is a
# proxy, gRPC would send even the calls to our own machine there. One variable tells it, and our workers, not to.

# %%
os.environ["no_grpc_proxy"] = "127.0.0.1"
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))  # 0: any port that is free
    port = free.getsockname()[1]
proxy = subprocess.Popen([sys.executable, "-W", "ignore", "-c", server,
                          str(port)], cwd=tempfile.mkdtemp())
channel = grpc.insecure_channel(f"127.0.0.1:{port}")
grpc.channel_ready_future(channel).result(timeout=60)

# %% [markdown]
# Like the workers, we reach the study through the port:

# %%
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Optuna calls its proxy experimental
    storage = optuna.storages.GrpcStorageProxy(host="127.0.0.1", port=port)
study = optuna.create_study(study_name="parabola", storage=storage,
                            direction="maximize", load_if_exists=True)

# %% [markdown]
# The same again, through the server:

# %%
before = search(study, str(port))
after = finished(study)
print(f"finished at the kill: {len(before)}, in the end: {len(after)}")

# %% tags=["claim"]
claim("Through the server, too, the kill cost {value} finished trials.",
      len(before.items() - after.items()), equals=0)

# %% [markdown]
# The server has done its work:

# %%
proxy.kill()
print("the server ended with", proxy.wait())

# %% [markdown]
# `torchrun` and a study behind a server work just the same on a cluster. The page *Beyond one machine*, in the
# reference part of the book, gives the commands.
#
# ## Exercises
#
# Replace the dots and run the cell. The solution follows each exercise, folded away.
#
# ### Exercise 16.1 · Their processor
#
# The notes timed the products of a hundred pairs of 1,000×1,000 matrices at 1.65 s. How many GFLOP/s did their
# processor reach?

# %%
their_gflops = ...
check("16.1", their_gflops)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 16.1
their_gflops_solution = 100 * 2 * 1_000**3 / 1.65 / 1e9
assert check("16.1", their_gflops_solution)

# %% [markdown]
# ### Exercise 16.2 · A stopwatch
#
# Write `stopwatch(work, synchronize, repeats)`. `work()` orders something from a device that works asynchronously,
# and `synchronize()` waits until everything ordered is done. Warm up once. Then measure `repeats` runs, one by one,
# so that no run contains work from another, and return the median of their times, using `time.perf_counter()`.

# %%
def stopwatch(work, synchronize, repeats):
    ...


check("16.2", stopwatch)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 16.2
def stopwatch_solution(work, synchronize, repeats):
    work()
    taken = []
    for _ in range(repeats):
        synchronize()  # nothing is left from before
        start = time.perf_counter()
        work()
        synchronize()
        taken.append(time.perf_counter() - start)
    return median(taken)


assert check("16.2", stopwatch_solution)

# %% [markdown]
# ### Exercise 16.3 · Read a trace
#
# A profiler's trace is a list of events `(name, start, end)`, in milliseconds, in any order. Events can contain
# others, as a step contains its forward pass; two events never overlap partially. Write `bottleneck(trace)`, which
# returns the name with the largest time *by itself*: the time of its events without that of the events directly
# inside them, summed over all events of that name.

# %%
def bottleneck(trace):
    ...


check("16.3", bottleneck)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 16.3
def bottleneck_solution(trace):
    own = {}
    inside = []  # the events that are open, the innermost last
    for name, start, end in sorted(trace, key=lambda e: (e[1], -e[2])):
        while inside and inside[-1][2] <= start:
            inside.pop()
        own[name] = own.get(name, 0) + end - start
        if inside:
            own[inside[-1][0]] -= end - start
        inside.append((name, start, end))
    return max(own, key=own.get)


assert check("16.3", bottleneck_solution)

# %% [markdown]
# ### Exercise 16.4 · Before you buy
#
# An epoch takes 40 s. For 10 s of that, one process prepares images and nothing else happens; the other 30 s go on
# computing. Suppose that several processes share the computing perfectly, but that all wait while the images are
# prepared. Write `speed_up(processes)`, the factor by which the epoch gets faster.

# %%
def speed_up(processes):
    ...


check("16.4", speed_up)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 16.4
def speed_up_solution(processes):
    return 40 / (10 + 30 / processes)


assert check("16.4", speed_up_solution)

# %% [markdown]
# ### An open question
#
# No checker answers this one, so argue about it with somebody. In 2024 a program trained a network in 3.29 seconds,
# on one A100 graphics card, to read 94 % of CIFAR-10's test images. Much of its speed comes from changes that fit
# this data set and this card. Is that progress? What of it would you adopt for your own task, and how would you find
# out whether it helps?

# %% [markdown]
# ## What you can do now
#
# 1. A large matrix product shows the ceiling of a machine; a timer warms up, repeats, and waits.
# 2. Work with few operations per byte is under the memory ceiling, where a faster processor will not help.
# 3. A profile shows the time of each operation by itself, but not the wait for the batch.
# 4. A remedy is timed in turn with what it replaces, and what it is worth depends on your machine.
# 5. Two busy processes on the same cores can cost far more than a factor of two.
# 6. Averaged gradients let several processes train one network: without batch norm and dropout the same one, up to
#    rounding.
# 7. A study in shared storage loses no finished trial when a worker dies.
#
# ## Further reading
#
# - PyTorch, *Performance tuning guide*, and the tutorials on `torch.utils.benchmark` and the profiler.
# - S. Williams, A. Waterman, D. Patterson, *Roofline: an insightful visual performance model* (2009).
# - K. Jordan, *94 % on CIFAR-10 in 3.29 seconds on a single GPU*, arXiv 2404.00498.
# - T. Akiba et al., *Optuna* (2019): its chapter on distributed optimization.
