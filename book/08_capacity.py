# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 8 · A deeper CNN on FashionMNIST: capacity and forgetting
#
# *A larger network does better on images it has seen. Does it do better on others?*
#
# **Read** 50 min · **Run** 1.5 min on two CPU cores · **Before this** lesson 7
#
# ## What you will be able to do
#
# 1. Say where a network's parameters are, and what they buy.
# 2. Tell underfitting from overfitting by two numbers, and choose a remedy that fits.
# 3. Show that a network can memorise labels that mean nothing.
# 4. Write dropout yourself, and say what it zeroes and what it scales.
# 5. Find dropout that was left on in evaluation, and measure the damage.
# 6. Say what a convolution assumes about images before it has seen one.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("08_capacity")

# %%
import copy
from statistics import mean, median

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import (
    agree, batches, check, claim, count_macs, count_parameters, diagrams,
    evaluate, fit, load, mean_and_spread, networks, plots, recorded_runs,
)
from course_utils.data import Images

# %% [markdown]
# These numbers are yours to change. `FEW` images are too few on purpose.

# %% nbmake={"mock": {"FEW": 128, "EPOCHS": 2, "MORE": 2, "NOISE_IMAGES": 64, "NOISE_EPOCHS": 2, "PIXEL_IMAGES": 128, "PIXEL_EPOCHS": 1}}
SEED = 0
FEW, EPOCHS = 1_000, 30
MORE = 10  # times as many images, in about as many steps
NOISE_IMAGES, NOISE_EPOCHS = 400, 60  # with random labels
PIXEL_IMAGES, PIXEL_EPOCHS = 4_000, 4  # with scrambled pixels

# %% [markdown]
# ## From 44 thousand to 25.8 million
#
# Suppose you want to recognise clothes, and you look for a network that others have used on small grey pictures. You
# find four, and the largest has almost six hundred times as many parameters as the smallest. Is it six hundred times
# better, or better at all? And what would you pay for it?
#
# The pictures are FashionMNIST: 60,000 + 10,000 grey images of 28×28 pixels, like MNIST, but of ten kinds of things to
# wear or carry, which are harder to tell apart than digits.

# %% mystnb={"image": {"alt": "Twelve grey pictures of clothes, shoes and bags with the names of their classes."}}
fashion = load("fashion_mnist")
names = [fashion.classes[label] for label in fashion.train.y[:12]]
plots.images(fashion.train.x[:12], names, columns=6)

# %% [markdown]
# The four are `small_fashion_net` from PyTorch's TensorBoard tutorial, `fashion_net` from Chinese course notes,
# `mnist_net` from PyTorch's MNIST example, and `wide_mnist_net` from other notes. Here is what each of them costs.

# %%
built = {name: getattr(networks, name)()
         for name in ("small_fashion_net", "fashion_net", "mnist_net",
                      "wide_mnist_net")}
for name, model in built.items():
    macs = count_macs(model, (1, 1, 28, 28)) / 1e6
    print(f"{name:17} {count_parameters(model):10,} parameters, "
          f"{macs:5.1f} million multiply-adds an image")

# %% [markdown]
# Where are all the parameters? The second network has 64 and 128 filters of 3×3, each set followed by pooling, and two
# linear layers, from 3,200 to 256 and from 256 to 10. With lesson 3 you can do its arithmetic by hand. A convolution
# has (channels · K · K + 1) · filters parameters, and a linear layer (inputs + 1) · outputs.
#
# > **Predict before you run.** What share of its 896,522 parameters is in its largest layer?

# %% tags=["answer"] mystnb={"image": {"alt": "The layers of fashion_net as bars: 64 maps of 26 by 26, pooled to 13 by 13, 128 maps of 11 by 11, pooled to 5 by 5, then 3,200, 256 and 10 numbers. The first linear layer has 819,456 parameters."}}
diagrams.architecture(built["fashion_net"], (1, 1, 28, 28),
                      title="One layer holds nine parameters in ten")

# %% tags=["answer"]
by_hand = [(1 * 9 + 1) * 64, (64 * 9 + 1) * 128,
           (3_200 + 1) * 256, (256 + 1) * 10]
agree("the four layers by hand and PyTorch's count", sum(by_hand),
      count_parameters(built["fashion_net"]), within=0)
print(f"in the largest: {max(by_hand) / sum(by_hand):.1%}")

# %% [markdown]
# The fourth network takes this to the extreme. It pads its convolutions to keep 28×28 pixels, pools only once, and
# joins 128 maps of 14×14 numbers to 1,024 outputs.

# %% tags=["claim"]
wide = built["wide_mnist_net"]
largest = max(count_parameters(layer) for layer in wide)
claim("{value:.1%} of the largest network's parameters sit in one linear "
      "layer.", largest / count_parameters(wide),
      equals=0.997, within=0.0005)

# %% [markdown]
# Its notes gave a recipe (MNIST, five epochs, Adam, batches of 64) and left the accuracy blank. We followed the recipe
# once, with 5,000 images set aside, and recorded what belongs there.

# %%
[run] = recorded_runs("wide_mnist")
print(f"test accuracy after five epochs: {run['test_accuracy']:.2%}, "
      f"in {sum(run['seconds']) / 60:.0f} minutes")

# %% [markdown]
# That is a good score, but an expensive one: the last exercise of lesson 6 gets 98.5 % from a sixth of LeNet's
# parameters. So parameters are not skill. What are they, then?
#
# ## Too small, too large
#
# *Capacity* is what a network could learn if it had to. Think of two students before an exam. One can hold only ten
# facts in his head, and will fail however good his textbook is. The other could learn the textbook by heart, and nobody
# knows whether she will understand it or just recite it. Capacity is the size of the head. To see what it does, we take
# networks of one shape, make them wider step by step, and give them only 1,000 images.

# %%
def two_convolutions(width, dropout=0.0):
    return nn.Sequential(
        nn.Conv2d(1, width, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(dropout),
        nn.Linear(2 * width * 5 * 5, 10),
    )

# %% [markdown]
# We recorded seven widths from 1 to 64 in this way. Since a rate that suits a narrow network may be bad for a wide one,
# each width was trained at three learning rates, with five seeds each, for 60 epochs. For the accuracy we draw each at
# the rate that did best on new images, and for the loss all at .001.
#
# > **Predict before you run.** The narrowest has 540 parameters for 1,000 images, the widest over a hundred thousand.
# > Draw two curves over the width: accuracy on the 1,000 images, and on new ones. Does the second turn down again?

# %% tags=["answer"]
sweep = {}
for run in recorded_runs("capacity_sweep"):
    by_rate = sweep.setdefault(run["parameters"], {})
    by_rate.setdefault(run["lr"], []).append(run)


def accuracies(runs, split):
    return [run[split]["accuracy"] for run in runs]

# %% tags=["answer"]
best = {size: max(by_rate.values(),
                  key=lambda runs: mean(accuracies(runs, "valid")))
        for size, by_rate in sweep.items()}

# %% tags=["answer"] mystnb={"image": {"alt": "Two panels over the number of parameters, logarithmic, for seven networks. Left, accuracy at each network's best rate: on seen images it rises to 100 per cent, on new images it rises and then levels off. Right, loss at a rate of .001: on seen images it falls to zero, on new images it falls and then rises again."}}
panels = {"accuracy": {}, "loss": {}}
for split in ("train", "valid"):
    panels["accuracy"][split] = [mean(accuracies(runs, split))
                                 for runs in best.values()]
    panels["loss"][split] = [
        mean(run[split]["loss"] for run in by_rate[0.001])
        for by_rate in sweep.values()]
plots.curves(list(best), panels, log="x", percent="accuracy", columns=2,
             xlabel="parameters",
             title="The accuracy on new images levels off, the loss turns")

# %% tags=["answer"]
for size, runs in best.items():
    print(f"width {runs[0]['width']:2}, {size:7,} parameters, rate "
          f"{runs[0]['lr']}: {mean_and_spread(accuracies(runs, 'valid'))}")

# %% [markdown]
# The left panel takes each network at its best rate. On the seen images it goes as you would expect, from four fifths
# of the 1,000 up to every one of them. (The dip on the way is no mistake: from there on, the smallest of the three
# rates is best for new images, and it memorises more slowly.) On new images the accuracy rises too, then levels off,
# but it does not turn down. The widest network has a hundred parameters for each image it has seen and has memorised
# them all, yet on new ones it is as good as any. So "a larger network is worse on new images" is too simple.
#
# The textbook curve that turns does appear, in the right panel, where all networks share one rate. From 16 maps on, the
# loss on new images climbs, although the accuracy does not fall. How can that be? Look at the losses while two of these
# networks learn. (With a rate of .01 for all, the accuracy would turn as well: a network that looks too large may just
# be badly tuned.)
#
# ## Two ways to fail
#
# A network can fail because it cannot learn enough, or because it learns the wrong thing. Its two losses tell you
# which. One function trains all networks below and watches 2,000 validation images. Its optimiser, AdamW, is Adam with
# *weight decay*, a remedy we will need soon, which 0 switches off.

# %%
valid = batches(fashion.valid.take(2_000), 1_000)


def train(model, images, epochs, weight_decay=0.0):
    torch.manual_seed(SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003,
                                  weight_decay=weight_decay)
    return fit(model, batches(images, 64, shuffle=True), valid,
               optimizer, epochs=epochs)


def scores(model, images):
    """Both splits, in evaluation mode."""
    return {"train": evaluate(model, batches(images, 1_000)),
            "valid": evaluate(model, valid)}

# %% [markdown]
# We train a narrow and a wide network, of widths 2 and 16.

# %%
WIDTHS = {"narrow": 2, "wide": 16}
few = fashion.train.take(FEW)
models, runs, reached = {}, {}, {}
for name, width in WIDTHS.items():
    torch.manual_seed(SEED)
    models[name] = two_convolutions(width)
    runs[name] = train(models[name], few, EPOCHS)
    reached[name] = scores(models[name], few)

# %% [markdown]
# Here are their two losses after each epoch.

# %% mystnb={"image": {"alt": "Two panels of loss over epochs. Left, the narrow network: both losses fall and stay high, training somewhat below validation. Right, the wide network: the training loss goes to zero, the validation loss falls for a few epochs and then rises."}}
panels = {f"{count_parameters(models[name]):,} parameters":
          {split: run.column(split, "loss") for split in ("train", "valid")}
          for name, run in runs.items()}
plots.curves(range(1, EPOCHS + 1), panels, columns=2, xlabel="epoch",
             ylabel="loss",
             title="The narrow one stays poor, the wide one memorises")

# %% [markdown]
# Mind the scales: each panel has its own. The narrow network on the left cannot learn all that it has seen, and the
# little that it has memorised opens a gap. On the right is **overfitting**: the training loss falls to nothing while
# the validation loss rises. Here is the student who has memorised the answers to old exams. In a new exam she gives at
# least as many right answers as she did weeks before, but she grows ever surer of the wrong ones, and cross-entropy
# charges for that (lesson 9 shows how).

# %%
losses = runs["wide"].column("valid", "loss")
lowest = runs["wide"][losses.index(min(losses))]
last = reached["wide"]["valid"]
print(f"lowest loss {lowest.valid.loss:.3f} in epoch {lowest.epoch}, "
      f"accuracy {lowest.valid.accuracy:.1%}")
print(f"at the end  {last.loss:.3f}, accuracy {last.accuracy:.1%}")

# %% tags=["claim"]
stated = (FEW, EPOCHS) == (1_000, 30)
claim.measured("At the end, the wide network's validation loss is "
               "{value:.2f} times its lowest.", losses[-1] / min(losses),
               data=fashion, stated=stated)

# %% [markdown]
# ## Which remedy for which?
#
# A tutorial advises *more data* against underfitting. It sounds right, since more of a good thing seldom hurts. Try it
# with ten times the images in a tenth of the epochs, which keeps the number of steps about the same.
#
# > **Predict before you run.** Which network will gain on new images: the narrow one, the wide one, or both? And what
# > happens to their accuracy on the images they have seen?

# %% tags=["answer"]
more = fashion.train.take(MORE * FEW)
for name, width in WIDTHS.items():
    torch.manual_seed(SEED)
    model = two_convolutions(width)
    train(model, more, max(1, EPOCHS // MORE))
    reached[name, "more"] = scores(model, more)

# %% tags=["answer"]
for name in ("narrow", "wide"):
    for count, key in ((len(few), name), (len(more), (name, "more"))):
        seen, new = reached[key]["train"], reached[key]["valid"]
        print(f"{name:6} {count:6,} images: seen {seen.accuracy:.1%}, "
              f"new {new.accuracy:.1%}, loss on new {new.loss:.3f}")

# %% tags=["answer", "claim"]
gap = {key: score["train"].accuracy - score["valid"].accuracy
       for key, score in reached.items()}
claim.measured("More images shrink the wide network's gap by {value:.1%} "
               "of the images.", gap["wide"] - gap["wide", "more"],
               data=fashion, stated=stated and MORE == 10)

# %% tags=["answer", "claim"]
claim.measured("On their common training images, the narrow one then "
               "knows {value:.1%} fewer.",
               reached["wide", "more"]["train"].accuracy
               - reached["narrow", "more"]["train"].accuracy,
               data=fashion, stated=stated and MORE == 10)

# %% [markdown]
# The *gap* between seen and new images is a sign of memorising, and more images close it, because there is too much to
# memorise. For the wide network this is the cure. The narrow one gains less, and ends up as poor on the images it has
# seen as on new ones. That is pure **underfitting**: images are not what it lacks. We recorded the same with 500 to
# 32,000 images, 800 steps each and five seeds.

# %%
curve = recorded_runs("learning_curve")
sizes = sorted({run["size"] for run in curve})


def of_size(width, size, split):
    some = [run for run in curve
            if (run["width"], run["size"]) == (width, size)]
    return accuracies(some, split)

# %% [markdown]
# Two curves for each network, on the images that it has seen and on new ones:

# %% mystnb={"image": {"alt": "Accuracy over the number of training images, four curves. For each network the curve of seen images falls and that of new images rises until they meet, for the narrow one at about 81 per cent, for the wide one at about 86."}}
lines = {f"width {width}, {word}": [mean(of_size(width, size, split))
                                    for size in sizes]
         for width in (2, 16)
         for split, word in (("train", "seen"), ("valid", "new"))}
plots.curves(sizes, lines, log="x", percent=True,
             xlabel="training images", ylabel="accuracy",
             title="More images close the gap, at two heights")

# %% [markdown]
# With the spread over the seeds:

# %%
for width in (2, 16):
    for size in sizes:
        new = mean_and_spread(of_size(width, size, "valid"))
        print(f"width {width:2}, {size:6,} images: new {new}")

# %% [markdown]
# Both networks profit from more images as long as there is a gap to close. The narrow one's closes at about 81 %, where
# seen and new images meet, and more images cannot help a network that gets wrong even what it has seen. The wide one is
# ahead at every size. So the tutorial's advice is half true: more data takes you as far as the network can learn, and
# only more capacity or longer training takes you further. The wide network's last step, from 8,000 to 32,000 images,
# brought nothing, although it could hold more. In 800 batches of 64 it has seen each image once or twice, so time is
# probably what it lacks.
#
# And if you cannot get more images? *Weight decay* pulls all weights a little towards zero in every step, so that only
# what pays off again and again stays large. *Dropout* hides some numbers from the next layer, different ones each time.
# *Early stopping* (lesson 7) ends near the lowest validation loss. Here are the first two, on the few images.
#
# > **Predict before you run.** Will they raise the accuracy, lower the loss, or both?

# %% tags=["answer"]
for name, p, decay in (("dropout", 0.5, 0.0), ("weight decay", 0.0, 0.3)):
    torch.manual_seed(SEED)
    models[name] = two_convolutions(16, p)
    runs[name] = train(models[name], few, EPOCHS, decay)

# %% tags=["answer"] mystnb={"image": {"alt": "Validation loss over epochs for the wide network without a remedy, with dropout and with weight decay. Without a remedy it rises most."}}
lines = {"none": losses} | {name: runs[name].column("valid", "loss")
                            for name in ("dropout", "weight decay")}
plots.curves(range(1, EPOCHS + 1), lines, xlabel="epoch",
             ylabel="validation loss",
             title="Dropout holds the loss down, weight decay slows its rise")

# %% tags=["answer", "claim"]
claim.measured("With dropout, the validation loss ends {value:.2f} lower.",
               losses[-1] - runs["dropout"][-1].valid.loss, data=fashion,
               stated=stated)

# %% [markdown]
# Dropout holds the loss down, and weight decay slows its rise. One run on 2,000 images cannot settle the accuracy, so
# we recorded five seeds on all 5,000 validation images.

# %%
remedies = recorded_runs("remedies")
for remedy in ("none", "dropout", "weight decay", "10,000 images"):
    some = [run for run in remedies if run["remedy"] == remedy]
    accuracy = mean_and_spread(accuracies(some, "valid"), ".1%")
    loss = mean_and_spread([run["valid"]["loss"] for run in some], ".2f")
    early = [min(zip(run["valid_loss"], run["valid_accuracy"], strict=True))
             for run in some]  # the epoch of the lowest loss
    print(f"{remedy:13} accuracy {accuracy}, loss {loss}; early end "
          f"{mean(a for _, a in early):.1%}, {mean(l for l, _ in early):.2f}")

# %% [markdown]
# Both remedies lower the loss by far more than the spread, and neither moves the accuracy by more than the seeds
# explain. Here they cure false confidence, not wrong answers. Only more images cure both. The last two columns show an
# early end at the lowest loss. With no other remedy, this brings the loss below what dropout leaves, but costs a point
# of accuracy, because the network was still learning while it grew too sure.
#
# Now the four published networks, on 2,000 images for ten epochs, three seeds each. (With 10,000 images, three runs of
# the largest alone would have taken half an hour.)

# %%
published = recorded_runs("capacity")
for name in built:
    some = [run for run in published if run["network"] == name]
    seen, new = (accuracies(some, split) for split in ("train", "valid"))
    print(f"{name:17} seen {mean_and_spread(seen)}, "
          f"new {mean_and_spread(new)}")

# %% [markdown]
# The largest network has the widest gap, and the smallest has not finished learning. But none is worse on new images
# than a smaller one: the largest, with over twenty times the parameters of the third, is about as good, and no better.
# The four differ in more than size (two of them have dropout), so this shows what you get, but not why.
#
# ## Labels that mean nothing
#
# How far can memorising go? Shuffle the labels, and one coat may be called a sandal, another a bag: there is nothing
# left to understand.
#
# > **Predict before you run.** Will the training loss fall? How many validation images will the network get right?

# %% tags=["answer"]
torch.manual_seed(SEED)
some = fashion.train.take(NOISE_IMAGES)
nonsense = Images(some.x, some.y[torch.randperm(len(some))],
                  some.mean, some.std)
model = two_convolutions(16)
run = train(model, nonsense, NOISE_EPOCHS)
noise = scores(model, nonsense)

# %% tags=["answer", "claim"]
noise_stated = (NOISE_IMAGES, NOISE_EPOCHS) == (400, 60)
claim.measured("The network knows {value:.0%} of the labels that mean "
               "nothing.", noise["train"].accuracy, data=fashion,
               stated=noise_stated)

# %% tags=["answer", "claim"]
claim.measured("Of the validation images it gets {value:.0%} wrong.",
               1 - noise["valid"].accuracy, data=fashion,
               stated=noise_stated)

# %% [markdown]
# Guessing would get nine in ten wrong. (If you ever see 100 % on seen and 10 % on new images, suspect the labels.) So a
# low training loss proves nothing about understanding, not even with a convolutional network. C. Zhang and others
# showed this in 2017 on ImageNet, and a riddle remains: what these networks *can* memorise does not explain why they
# generalise when the labels are true.
#
# ## Dropout, by hand
#
# In a team where one person knows everything, a cold stops the project. If anyone may be ill on any day, knowledge has
# to be spread. Dropout treats the numbers inside a network the same way. It tosses a coin for each: with probability p
# the number becomes 0, and the survivors are divided by 1 − p, so that the next layer receives, on average, what it
# would have received without dropout.

# %%
def dropout(x, p=0.5, training=True):
    if not training:
        return x
    mask = torch.empty_like(x).bernoulli_(1 - p)  # 1: stays, 0: goes
    return x * mask / (1 - p)


million = torch.ones(1_000_000)
torch.manual_seed(SEED)
ours = dropout(million, p=0.25)
torch.manual_seed(SEED)
agree("our dropout and F.dropout", ours, F.dropout(million, p=0.25),
      within=1e-6)
print(f"mean {ours.mean():.3f}, survivors {ours.max():.4f}")

# %% [markdown]
# What is zeroed? Some notes say *parameters*, but it is *activations*, the numbers that pass through. The dropout layer
# has no parameters, other layers' weights stay as they are, and the next batch meets different zeros.

# %% mystnb={"image": {"alt": "One ankle boot as it is, then three times with random pixels black: a quarter of them, half of them, and half of them once more, other ones."}}
boot = fashion.train.x[fashion.train.y == 9][0] / 255
plots.images([boot, dropout(boot, 0.25), dropout(boot), dropout(boot)],
             ["p = 0", "p = ¼", "p = ½", "p = ½, again"], shared=True,
             title="Others go every time, and the rest grow brighter")

# %% [markdown]
# In the network that we have just trained, compare what goes into its layer of dropout with what comes out.

# %%
trained = models["dropout"].train()
features = trained[:7](boot[None])  # trained[7] is its dropout
kept = trained[7](features)
alive = features > 0
print(f"zeroed {(kept[alive] == 0).float().mean():.0%} of "
      f"{alive.sum()} positive features")
print("the others were multiplied by",
      (kept / features)[alive & (kept > 0)].unique().tolist())

# %% [markdown]
# So no number can rely on any other, which may be missing. In G. Hinton's picture, each image trains a different
# thinned network, and evaluation asks them all at once, approximately. That is why `eval()` must switch dropout off.
#
# ## Find the bug: dropout that never sleeps
#
# A published CIFAR-10 study used dropout as a function, like this. The same checkpoint got 77.6 % of the test images
# right in one cell of its notebook and 77.85 % in the next.
#
# > **Find the bug.** We put our trained weights into it and score them twenty times; `evaluate` calls `eval()` each
# > time. Will the scores agree, and on which side of the true one will they be?

# %%
class Published(nn.Module):
    def __init__(self, trained):
        super().__init__()
        self.features = trained[:7]
        self.last = trained[8]

    def forward(self, x):
        return self.last(F.dropout(self.features(x), 0.5))

# %% tags=["answer"] mystnb={"image": {"alt": "Accuracy of twenty evaluations of one network. With dropout left on it jumps from one to the next and stays below the line of evaluation mode, which is straight."}}
torch.manual_seed(SEED)
left_on = [evaluate(Published(trained), valid).accuracy
           for _ in range(20)]
exact = [evaluate(trained, valid).accuracy for _ in range(20)]
plots.curves(range(1, 21), {"dropout left on": left_on,
                            "evaluation mode": exact}, percent=True,
             xlabel="evaluation", ylabel="accuracy",
             title="One network, twenty scores, and all of them too low")

# %% tags=["answer", "claim"]
claim.measured("Dropout left on costs {value:.1%} of the images on "
               "average.", exact[0] - mean(left_on), data=fashion,
               stated=stated)

# %% [markdown]
# `F.dropout` does not know your module's mode: its default is `training=True`. Say
# `training=self.training`, or use `nn.Dropout`, which `eval()` reaches. Other seeds pay about as much:

# %%
for run in remedies:
    if run["remedy"] == "dropout":
        exactly = run["valid"]["accuracy"]
        print(f"seed {run['seed']}: evaluation mode {exactly:.2%}, "
              f"left on {mean_and_spread(run['left_on'], '.2%')}")

# %% [markdown]
# In evaluation mode, the same question must get the same answer. That is a check worth having in your tests.

# %%
x = next(iter(valid))[0][:8]
for name, network in (("published", Published(trained)),
                      ("mended", trained)):
    network.eval()
    print(name, "answers twice alike:", torch.equal(network(x), network(x)))

# %% [markdown]
# ## Does flattening lose the picture?
#
# "Flattening destroys spatial information", tutorials say, to explain why dense layers do worse on images. We can test
# that: scramble the 784 pixels, in the same way for every image, so nobody can read them.

# %% mystnb={"image": {"alt": "Three pieces of clothing, and the same with their pixels scrambled: grey noise."}}
torch.manual_seed(SEED)
order = torch.randperm(784)


def scramble(images):
    x = images.x.flatten(1)[:, order].view(-1, 1, 28, 28)
    return Images(x, images.y, images.mean, images.std)


three = fashion.train[:3]
plots.images(torch.cat([three.x, scramble(three).x]), columns=3,
             title="The same pixels, elsewhere")

# %% [markdown]
# A dense layer has a weight for each pixel. Move the weights along with the pixels, and nothing is lost.

# %%
def dense():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(),
                         nn.Linear(64, 10))


torch.manual_seed(SEED)
plain = dense().double()
moved = copy.deepcopy(plain)
moved[1].weight.data = plain[1].weight.data[:, order]
x = fashion.valid[:200].x.flatten(1).double() / 255

# %% tags=["claim"]
claim("The moved network's answers on scrambled pixels differ by "
      "{value:.0e}.", (plain(x) - moved(x[:, order])).abs().max(),
      at_most=1e-12)

# %% [markdown]
# So whatever a dense network can learn from images, it can learn from scrambled ones. And a convolutional one? We
# train both on both kinds, with three seeds.
#
# > **Predict before you run.** Which of the four combinations will be worst?

# %% tags=["answer"]
def loss_of(build, change, seed):
    torch.manual_seed(seed)
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    pixels = change(fashion.train.take(PIXEL_IMAGES))
    new = batches(change(fashion.valid.take(2_000)), 1_000)
    run = fit(model, batches(pixels, 64, shuffle=True), new, optimizer,
              epochs=PIXEL_EPOCHS)
    return run[-1].valid.loss

# %% tags=["answer"]
builds = {"dense": dense, "convolutions": lambda: two_convolutions(8)}
changes = {"as they are": lambda images: images, "scrambled": scramble}
loss = {(name, kind): [loss_of(build, change, SEED + k) for k in range(3)]
        for name, build in builds.items()
        for kind, change in changes.items()}

# %% tags=["answer"]
for (name, kind), values in loss.items():
    print(f"{name:12} {kind:11} loss {mean_and_spread(values, '.3f')}")
harm = {name: mean(loss[name, "scrambled"])
        - mean(loss[name, "as they are"]) for name in builds}

# %% tags=["answer", "claim"]
claim.measured("Scrambling raises the loss of convolutions by {value:.3f} "
               "more than that of dense layers.",
               harm["convolutions"] - harm["dense"], data=fashion,
               stated=(PIXEL_IMAGES, PIXEL_EPOCHS) == (4_000, 4))

# %% [markdown]
# Flattening loses no information, and neither does scrambling: both can be undone. What the convolution loses is its
# *prior*, a bet made before any image is seen. It bets that neighbours belong together, and that what is worth seeing
# here is worth seeing there. Dense layers bet on nothing. Where the bet is right, the convolutions win, narrowly here,
# with a tenth of the parameters. Where it is wrong, they lose clearly: compare the two scrambled lines.
#
# ## One network, two loops
#
# Back to the network of 896,522 parameters. Its authors trained for five epochs with Adam at .001 and batches of 32,
# and used the test split as validation; the curves are lost. We ran that loop again, with a validation split, and then
# ours: normalised pixels, batches of 128, a learning rate that rises and falls, channels last, three epochs. One run
# each, recorded.

# %% mystnb={"image": {"alt": "Training and validation loss of the 896,522-parameter network over epochs, in the published loop and in ours. In both the training loss falls all the way."}}
loops = recorded_runs("fashion_loops")
panels = {}
for run in loops[:2]:
    name = {"published": "published loop", "ours": "our loop"}[run["loop"]]
    panels[name] = {"train": run["train_loss"], "valid": run["valid_loss"]}
    print(f"{name:14}: {sum(run['seconds']):4.0f} s, test accuracy "
          f"{run['test_accuracy']:.2%}")
plots.curves(range(1, 6), panels, columns=2, xlabel="epoch",
             ylabel="loss", title="Three epochs reach what five did")

# %% [markdown]
# Where does the time go? The published loop makes a second forward pass after each step, only to count right answers.
# Here single changes are timed in turns, and each line keeps those above it. Each number is the median of five
# rounds, on the machine of the record.

# %%
for name, seconds in loops[2]["seconds"].items():
    print(f"{name:17} {median(seconds):.2f} s for 1,000 images "
          f"({min(seconds):.2f} to {max(seconds):.2f})")

# %% [markdown]
# The rest of the saving is three epochs instead of five, and perhaps that took none of our changes: in the left panel
# the published loop, too, had arrived after three.
#
# **On Monday.** Print both losses before you choose a remedy. If the training loss is poor, make the network larger or
# train it longer. If only the validation loss is poor, first get more images. Dropout, weight decay or an earlier end
# will lower the loss, but perhaps not the errors. And before you trust any score, ask the same question twice.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. A folded solution follows each exercise.
#
# ### Exercise 8.1 · The survivors
#
# In training, a layer of dropout has p = 0.2. By what number does it multiply what it lets through?

# %%
factor = ...
check("8.1", factor)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 8.1
factor_solution = 1 / (1 - 0.2)  # 4 of 5 stay, each counts for 5 fourths
assert check("8.1", factor_solution)

# %% [markdown]
# ### Exercise 8.2 · One more pooling
#
# Put one more 2×2 pooling right before the `Flatten` of `wide_mnist_net`, and fit its first linear layer to what then
# arrives; the 1,024 stay. How many parameters does the network have? Its convolutions read 1 and 64 channels and
# have 64 and 128 filters of 3×3, and the last layer joins 1,024 to 10.

# %%
pooled = ...
check("8.2", pooled)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 8.2
convolutions_solution = (1 * 9 + 1) * 64 + (64 * 9 + 1) * 128
linear_solution = (128 * 7 * 7 + 1) * 1_024 + (1_024 + 1) * 10
pooled_solution = convolutions_solution + linear_solution
assert check("8.2", pooled_solution)

# %% [markdown]
# ### Exercise 8.3 · Which remedy?
#
# Four networks for ten classes, equally many images of each. Accuracy on the images they were trained on, and on
# validation images:
#
# - A: 62 % and 61 %, both level for twenty epochs.
# - B: 100 % and 78 %, while the validation loss rises.
# - C: 97 %; and, scored three times with the same weights and images, 81.3 %, 80.2 % and 81.9 %.
# - D: 100 % and 10 %.
#
# Give each one remedy, all four different: `"larger network"`, `"more images"`, `"evaluation mode"`,
# `"check the labels"`.

# %%
remedy = {"A": ..., "B": ..., "C": ..., "D": ...}
check("8.3", remedy)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 8.3
remedy_solution = {
    "A": "larger network",  # poor on both, and level: underfitting
    "B": "more images",  # overfitting
    "C": "evaluation mode",  # dropout was left on
    "D": "check the labels",  # it has memorised what means nothing
}
assert check("8.3", remedy_solution)

# %% [markdown]
# ### Exercise 8.4 · Drop whole maps
#
# Neighbours in a feature map look alike, so hiding one pixel hides little. Write `drop_maps(x, p, training)`: for `x`
# of shape N×C×H×W, drop whole maps with probability p (below 1), each map of each image by a coin of its own. Scale as
# dropout does, leave `x` as it is, and do nothing outside of training. (Without `F.dropout2d`, which does this.)

# %%
def drop_maps(x, p, training):
    ...


check("8.4", drop_maps)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 8.4
def drop_maps_solution(x, p, training):
    if not training:
        return x
    images, channels = x.shape[:2]
    coins = x.new_empty(images, channels, 1, 1).bernoulli_(1 - p)
    return x * coins / (1 - p)


assert check("8.4", drop_maps_solution)

# %% [markdown]
# ### Exercise 8.5 · Let it sleep
#
# Write `Mended`, a class like `Published`, to be built from a trained network of the same nine layers, of any width. In
# training mode it drops each feature with probability ½, in evaluation mode it gives the trained network's own answers.

# %%
class Mended(Published):
    def forward(self, x):
        ...


check("8.5", Mended)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 8.5
class Mended_solution(Published):
    def forward(self, x):
        features = self.features(x)
        return self.last(F.dropout(features, 0.5, self.training))


assert check("8.5", Mended_solution)

# %% [markdown]
# ### Exercise 8.6 · Unscramble a network
#
# A dense layer was trained on scrambled pixels, `x[:, order]`, and has the weight matrix `weight`, outputs × pixels.
# Write `unscramble(weight, order)`: the matrix that gives the same answers on plain pixels `x`.

# %%
def unscramble(weight, order):
    ...


check("8.6", unscramble)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 8.6
def unscramble_solution(weight, order):
    plain = torch.empty_like(weight)
    plain[:, order] = weight  # column k belongs to pixel order[k]
    return plain  # the same as weight[:, order.argsort()]


assert check("8.6", unscramble_solution)

# %% [markdown]
# ### An open question
#
# A network that can memorise random labels still generalises when the labels are true. Nothing in its size stops it
# from memorising the true ones instead of understanding them. What, then, makes it prefer the rule to the list? Think
# of the order in which it learns, of what a convolution bets on, and of what a small weight costs.
#
# ## What you can do now
#
# 1. Say where a network's parameters are, mostly in the first linear layer, and what they buy: capacity, not skill.
# 2. Tell underfitting, poor on both splits, from overfitting, a gap and a rising validation loss, and choose a remedy.
# 3. Show that a network memorises random labels, so that a low training loss proves nothing.
# 4. Write dropout: it zeroes activations with probability p, and divides the rest by 1 − p, in training only.
# 5. Find dropout that was left on: the same question gets different answers.
# 6. Say what flattening keeps (everything) and what a convolution brings: a bet on neighbours.
#
# ## Further reading
#
# - N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, *Dropout: a simple way to prevent neural
#   networks from overfitting* (2014).
# - C. Zhang, S. Bengio, M. Hardt, B. Recht, O. Vinyals, *Understanding deep learning requires rethinking
#   generalization* (2017).
# - M. Belkin, D. Hsu, S. Ma, S. Mandal, *Reconciling modern machine-learning practice and the classical bias–variance
#   trade-off* (2019): why the largest network need not be the worst.
