# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 9 · Reading results
#
# *What does one accuracy hide?*
#
# **Read** 55 min · **Run** 45 s on two CPU cores · **Before this** lesson 6
#
# ## What you will be able to do
#
# 1. Say what an accuracy hides where a class is rare, and what to print next to it.
# 2. Compute a confusion matrix, precision, recall, F1 and average precision by hand.
# 3. Find bugs by numbers that do not fit, and say how far a number can be trusted.
# 4. Test whether a network's probabilities are true, and mend them.
# 5. Look at errors, and suspect the label too.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("09_results")

# %%
from math import comb
from statistics import mean

import torch
import torch.nn.functional as F
from sklearn.metrics import (
    average_precision_score, classification_report, confusion_matrix,
    precision_recall_fscore_support,
)
from torch import nn

from course_utils import (
    agree, batches, calibration_error, check, claim, device, fit,
    fit_temperature, load, plots, predict, recorded, wilson_interval,
)
from course_utils.data import Images
from course_utils.networks import lenet

# %% [markdown]
# These numbers are yours to change. With a GPU, take all 55,000 images.

# %% nbmake={"mock": {"IMAGES": 1000, "EPOCHS": 5, "BELT_EPOCHS": 1}}
SEED = 0
IMAGES, EPOCHS = 10_000, 15  # to learn ten classes from
BELT_EPOCHS = 12  # for the warehouse

# %% [markdown]
# ## A belt in a warehouse
#
# A warehouse sends its clothes along a belt, and one item in fifty is a shirt that ended up there by mistake. A camera
# looks at each item, and a network is asked to pull the shirts out. Its builder reports an accuracy of 98 %. Would
# you buy it?
#
# Let us build that network. Fashion-MNIST has the format of MNIST, but its ten classes are things to wear or carry. We
# make one belt of its training images and another of its validation images: everything but shirts, plus enough shirts
# to make two in a hundred.

# %%
fashion = load("fashion_mnist")
SHIRT = fashion.classes.index("Shirt")


def belt(images):
    others = images[images.y != SHIRT]
    shirts = images[images.y == SHIRT].take(round(len(others) / 49))
    pixels = torch.cat([shirts.x, others.x])
    labels = torch.tensor([1] * len(shirts) + [0] * len(others))
    return Images(pixels, labels, images.mean, images.std)

# %% [markdown]
# The network is the LeNet of lesson 6 with two outputs, "something else" and "shirt".

# %%
DEVICE = device()
on_belt = belt(fashion.valid)
inspect = batches(on_belt, 1_000, device=DEVICE)
train = batches(belt(fashion.train.take(IMAGES)), 64, shuffle=True,
                device=DEVICE)
torch.manual_seed(SEED)
sorter = lenet(pool=nn.MaxPool2d)
sorter[-1] = nn.Linear(84, 2)
sorter.to(DEVICE)
belt_run = fit(sorter, train, inspect,
               torch.optim.Adam(sorter.parameters()),
               epochs=BELT_EPOCHS)

# %% [markdown]
# > **Predict before you run.** Beside it we put a *dummy*, which looks at nothing and always says "something else".
# > What is the dummy's accuracy on the belt? And will the network find more than half of the shirts?

# %% tags=["answer"]
is_shirt = on_belt.y == 1
shirt_logits = predict(sorter, inspect).cpu()
says_shirt = shirt_logits.argmax(1) == 1
found = (says_shirt & is_shirt).sum()
print(f"network: accuracy {(says_shirt == is_shirt).float().mean():.1%}")
print(f"dummy:   accuracy {(~is_shirt).float().mean():.1%}")
print(f"of {is_shirt.sum()} shirts the network finds {found}, the dummy "
      f"0; its false alarms are {says_shirt.sum() - found}")

# %% tags=["answer", "claim"]
claim.measured("The network for the belt finds {value:.0%} of the shirts.",
               found / is_shirt.sum(), data=fashion,
               stated=(IMAGES, BELT_EPOCHS) == (10_000, 12),
               at_least=0.05, at_most=0.5)

# %% [markdown]
# Three numbers tell three stories. By its accuracy the network is excellent, yet by the same accuracy it is about as
# good as a box with no camera in it. And of the shirts it was bought for, it misses most. All three are computed
# correctly, but only the last answers our question. We will come back to this network.
#
# Because accuracy counts every image once, 98 % of it is decided by everything but shirts. So print beside an accuracy
# what a dummy would get, and a count for each class. The rest of this lesson is about such counts.
#
# ## One network, asked once
#
# Now for all ten classes, in equal numbers: T-shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag and
# ankle boot. A LeNet sees 10,000 images fifteen times, with a learning rate that rises and falls as in lesson 6. This
# is one run; another seed would move every number, some by more than a little. After each epoch we also keep its logits
# on the validation images, for a riddle to come. We do so in a *callback*, which `fit` calls:

# %%
class KeepLogits:
    def __init__(self, loader):
        self.loader, self.logits = loader, []

    def on_epoch_end(self, state):
        self.logits.append(predict(state.model, self.loader).cpu())

# %% [markdown]
# Now the training.

# %%
train = batches(fashion.train.take(IMAGES), 64, shuffle=True, device=DEVICE)
valid = batches(fashion.valid, 1_000, device=DEVICE)
torch.manual_seed(SEED)
model = lenet(pool=nn.MaxPool2d).to(DEVICE)
optimizer = torch.optim.Adam(model.parameters())
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, max_lr=0.006, total_steps=EPOCHS * len(train))
after_epoch = KeepLogits(valid)
run = fit(model, train, valid, optimizer, epochs=EPOCHS,
          scheduler=scheduler, scheduler_step="batch",
          callbacks=[after_epoch])

# %% [markdown]
# The training accuracy ends far above the validation accuracy, so the network has memorised some of its images. And
# there is a riddle. Towards the end the validation *loss* grows, and yet the validation *accuracy* does not fall. How
# can that be?

# %% tags=["claim"]
stated = (IMAGES, EPOCHS) == (10_000, 15)  # the size of these sentences
losses = run.column("valid", "loss")
claim.measured("From its lowest value to the last epoch, the validation "
               "loss grows by {value:.0%}.",
               losses[-1] / min(losses) - 1, data=fashion, stated=stated)

# %% [markdown]
# The last logits give us the probabilities, the *answer* (the class with the largest probability) and the *confidence*
# (how large that probability is).

# %%
logits = after_epoch.logits[-1].double()  # N×10
truth = fashion.valid.y
confidence, answer = logits.softmax(1).max(1)
correct = answer == truth

# %% [markdown]
# ## Count
#
# An image has a true class and an answer, so there are a hundred possible pairs. Number them `10 * truth + answer` and
# count each: that is the whole *confusion matrix*. A row holds the images of one true class, a column those that got
# one answer.
#
# > **Predict before you run.** Which of the ten classes troubles the network most?

# %% tags=["answer"] mystnb={"image": {"alt": "Confusion matrix of ten kinds of clothes. Most of the 500 images of each class are on the diagonal, of the shirts fewest: many are taken for T-shirts, pullovers, coats or dresses. Shoes are almost only mixed up with shoes."}}
pairs = 10 * truth + answer
counts = torch.bincount(pairs, minlength=100).view(10, 10)
plots.confusion(counts, fashion.classes,
                title="Shirts are taken for other tops")

# %% [markdown]
# The two darkest cells are in the row and the column of the shirts, so our warehouse picked the hardest class. Shoes
# are mixed up almost only with each other.
#
# Before you believe a matrix, check that it adds up. One of these sums would have caught the next bug that we meet.

# %%
share = counts.trace() / counts.sum()
agree("the sums of the rows and the images of each class",
      counts.sum(1), truth.bincount(), within=0)
agree("diagonal over total and the accuracy that `fit` printed",
      share, run[-1].valid.accuracy, within=1e-6)
agree("our cells and scikit-learn's",
      counts, torch.from_numpy(confusion_matrix(truth, answer)), within=0)

# %% [markdown]
# ## By row, and by column
#
# Two people ask about shirts. The first owns the shirts and wants to know how many of them are found. She divides each
# row by its sum, and the diagonal then holds the **recall**. The second sees only the answers: when the network says
# "shirt", can he believe it? He divides each column by its sum, and his diagonal is the **precision**. Here is her
# matrix, in per cent. (His looks much the same here, where all classes are equally large.)

# %% mystnb={"image": {"alt": "Recall matrix in per cent, each row adding up to 100. Nearly all trousers, sandals and bags are found, but only about seven in ten shirts."}}
recall_matrix = counts / counts.sum(1, keepdim=True)
plots.confusion(recall_matrix, fashion.classes,
                title="By row: lost shirts turn into T-shirts")

# %% [markdown]
# Either one is easy to make perfect. Call everything a shirt, and all shirts are found: the recall is 1. Name only the
# surest one, and if it is a shirt, the precision is 1. So state both, or a number that neither trick can raise. **F1**
# is the *harmonic* mean of precision P and recall R, 2PR / (P + R), which stays small when either of them is.

# %%
def scores(counts):
    precision = counts.diag() / counts.sum(0)
    recall = counts.diag() / counts.sum(1)
    f1 = 2 * precision * recall / (precision + recall)
    return precision, recall, f1

# %% [markdown]
# scikit-learn should find the same.

# %%
theirs = precision_recall_fscore_support(truth, answer)
ours = scores(counts)
for k, name in enumerate(["precision", "recall", "F1"]):
    agree(f"our {name} and scikit-learn's",
          ours[k], theirs[k].tolist(), within=1e-6)

# %% [markdown]
# Now let scikit-learn print the table. *Support* is the number of images. The *macro average* is the plain mean over
# the classes, and in the *weighted* one each class counts by its support. From 73 % to 74 % is one *point*.

# %%
print(classification_report(truth, answer, digits=3,
                            target_names=fashion.classes))

# %% tags=["claim"]
recall = scores(counts)[1]
claim.measured("Between the class found best and the one found worst, "
               "recall differs by {value:.0f} points.",
               100 * (recall.max() - recall.min()),
               data=fashion, stated=stated)

# %% [markdown]
# One accuracy hid ten numbers, and they are far apart. But one measure has a catch. Recall asks about the shirts alone,
# so it stays the same whether shirts are common or rare; precision does not. Suppose that this network watched the belt
# of the first section. The rows of its matrix would keep their shares, but for each shirt there would be far more
# things to mistake for one.
#
# > **Predict before you run.** Here one image in ten is a shirt. What happens to the precision of "shirt" when one in
# > fifty is?

# %% tags=["answer"]
of_belt = counts.double()
of_belt[SHIRT] *= 9 / 49  # among 4,500 others, 92 shirts instead of 500
for name, table in {"1 in 10": counts, "1 in 50": of_belt}.items():
    precision, recall, f1 = (values[SHIRT] for values in scores(table))
    print(f"{name}: recall {recall:.0%}, precision {precision:.0%}, "
          f"F1 {f1:.0%}")

# %% [markdown]
# The network has not changed, and neither has its recall, but its precision collapses, because the few remaining shirts
# are outnumbered by mistaken T-shirts and coats. So a precision from a balanced test set says little about a place
# where the class is rare.
#
# ## A published matrix
#
# A tutorial on CIFAR-10, ten classes of small colour photographs, printed the confusion matrix of its 10,000 test
# images. That is all we need to check what it says.

# %% mystnb={"image": {"alt": "The published confusion matrix of CIFAR-10. The strongest colours: 176 dogs called cats, 113 cats called dogs, 100 cats called birds."}}
published = recorded("published_cifar10_confusion")
matrix, classes = torch.tensor(published["matrix"]), published["classes"]
print(published["source"])
plots.confusion(matrix, classes,
                title="Cats and dogs are hard, and so are birds")

# %% [markdown]
# > **Predict before you run.** The tutorial calls dogs and cats its worst classes, and says that an earlier network had
# > failed on birds and cats. Which two are worst in this matrix?

# %% tags=["answer"]
precision, recall, f1 = scores(matrix)
print(f"{'':11} recall precision     F1")
for k, name in enumerate(classes):
    print(f"{name:11} {recall[k]:6.1%} {precision[k]:9.1%} {f1[k]:6.1%}")

# %% tags=["answer", "claim"]
lowest = {name: sorted(classes[k] for k in values.argsort()[:2])
          for name, values in [("recall", recall), ("F1", f1)]}
claim("The worst two are {value}.",
      " by recall, ".join(" and ".join(lowest[k]) for k in lowest)
      + " by F1", equals="cat and dog by recall, bird and cat by F1")

# %% [markdown]
# Dogs and cats, or birds and cats: "worst" means nothing without the name of a measure. Here are both matrices of
# shares.

# %% mystnb={"image": {"alt": "Recall of the published matrix in per cent. Automobiles are found best, at 91 per cent, cats worst, at 64."}}
by_row = matrix / matrix.sum(1, keepdim=True)
plots.confusion(by_row, classes,
                title="By row: one dog in six is called a cat")

# %% [markdown]
# And by column:

# %% mystnb={"image": {"alt": "Precision of the published matrix in per cent. The answers bird and cat are believed least, at about 60 per cent."}}
by_column = matrix / matrix.sum(0, keepdim=True)
plots.confusion(by_column, classes,
                title="By column: “bird” and “cat” are often wrong")

# %% [markdown]
# ## Find the bug: a number that does not fit
#
# The same tutorial prints an accuracy for each class. The accuracy on airplanes *is* the recall of airplanes, so its
# list and its matrix should hold the same ten numbers.

# %%
printed = published["per_class_accuracy"]
for k, name in enumerate(classes):
    print(f"{name:11} printed {printed[k]:.1%}, by matrix {recall[k]:.1%}")

# %% [markdown]
# Ten classes, and ten contradictions. Here is how the tutorial counted, in our own words but with the bug kept, judging
# our network.
#
# > **Find the bug.** Each line is right by itself. So what gets counted?

# %%
@torch.inference_mode()
def accuracy_by_class(model, loader):
    for x, y in loader:
        answer, truth = model(x).argmax(1), y
    right = truth[answer == truth].bincount(minlength=10)
    return (right / truth.bincount(minlength=10)).cpu()

# %% tags=["claim"]
in_512 = batches(fashion.valid, published["batch_size"], device=DEVICE)
off = (accuracy_by_class(model, in_512) - scores(counts)[1]).abs().max()
claim.measured("For one of our classes this is wrong by {value:.0f} points.",
               100 * off, data=fashion, stated=stated)

# %% [markdown]
# The counting comes after the loop instead of inside it, so it sees only the last batch. When 10,000 images come in
# batches of 512, the last holds 272, about 27 of each class. Can ten printed percentages prove that this is what
# happened? One of them proves nothing: 85.3 % may be 29 of 34 airplanes, or 853 of 1,000. But small classes cannot show
# every percentage.

# %%
def sizes_that_fit(share):
    """The class sizes near 27 of which some whole number is this share."""
    return [n for n in range(12, 43)
            if any(round(k / n, 3) == share for k in range(n + 1))]


possible = [sizes_that_fit(share) for share in printed]
for name, sizes in zip(classes, possible, strict=True):
    print(f"{name:11}", *sizes)

# %% [markdown]
# Every class has a size that fits. How surprising is that? Counted over a thousand images each, any percentage from
# 50.0 to 95.0 could have turned up, and many of those fit no small class.

# %%
every = [k / 1000 for k in range(500, 951)]
fitting = mean(bool(sizes_that_fit(share)) for share in every)
print(f"{fitting:.0%} of such shares fit a small class, "
      f"and ten in ten would fit by luck with {fitting**10:.1%}")

# %% [markdown]
# That is strong evidence that *few* images were counted. How many? Add up the ten sizes in every possible way, and
# compare with what the usual batch sizes leave of 10,000 images.

# %%
sums = {0}
for sizes in possible:
    sums = {total + size for total in sums for size in sizes}
usual = [32, 64, 100, 128, 256, 500, 512, 1_000, 1_024]
left_over = [size for size in usual if 10_000 % size in sums]

# %% tags=["claim"]
claim("Of the usual batch sizes, only {value} leaves a last batch to which "
      "the ten sizes can add up.", ", ".join(map(str, left_over)),
      equals="512")

# %% [markdown]
# The numbers themselves point to the last batch, and the code confirms it. So add up the images behind your shares, and
# compare the sum with the test set. (The tutorial's accuracy, 77.6 %, does not fit its matrix either, 77.85 %; lesson 8
# found out why.)
#
# Two more of its mistakes wait in exercises 9.5 and 9.6.
#
# ## How far can you trust it?
#
# A share from 500 images is less certain than one from 5,000, and the Wilson interval of lesson 6 says how certain.

# %%
for k, name in enumerate(fashion.classes):
    low, high = wilson_interval(counts[k, k].item(), counts[k].sum().item())
    print(f"{name:12} recall between {low:.1%} and {high:.1%}")

# %% [markdown]
# Even with 500 images, the widest of these intervals spans eight points. Now to the published matrix: is the recall of
# cats really lower than that of dogs? If their intervals overlap a little, that settles nothing, because the two are
# seldom both that far off, and towards each other. So we want an interval for the *difference*. The cats and dogs are
# different images, so their two variances add.

# %%
cat, dog = recall[classes.index("cat")], recall[classes.index("dog")]
variance = (cat * (1 - cat) + dog * (1 - dog)) / 1_000
half = 1.96 * variance.sqrt()
print(f"the dog's recall is {dog - cat:+.1%} against the cat's, "
      f"95 % interval {dog - cat - half:+.1%} to {dog - cat + half:+.1%}")

# %% [markdown]
# The interval reaches across 0, so a thousand images of each do not settle whose recall is lower. With the 34
# airplanes of the bug, next to nothing is settled (exercise 9.2).
#
# ## Every threshold at once
#
# Back to the belt. Our network called an item a shirt if its probability of "shirt" was above one half. The warehouse
# may choose otherwise: pull out each item above a lower threshold, and let a person look through the pile. A low
# threshold finds more shirts, which raises recall, but puts more mistakes into the pile, which usually costs precision.
# To see all thresholds, sort the images by that probability and walk down. When you meet the *k*-th real shirt of *n*,
# you have found *k / n* of them, and precision is *k* divided by the number of images that you have passed.

# %%
def precision_at_hits(score, positive):
    hits = positive[score.argsort(descending=True)]
    passed = hits.nonzero().flatten() + 1
    return torch.arange(1, len(passed) + 1) / passed


score = shirt_logits.double().softmax(1)[:, 1]
line = precision_at_hits(score, is_shirt)

# %% [markdown]
# This is the *precision-recall curve*, and its mean height is the *average precision*. A dummy that picks at random
# stays at 2 %.

# %% mystnb={"image": {"alt": "Precision against recall for the network on the belt and for a dummy. The network's curve starts high and falls to a few per cent when nearly all shirts are found; the dummy's is level at 2 per cent."}}
share = is_shirt.double().mean().item()
recalls = torch.arange(1, len(line) + 1) / len(line)
plots.curves(recalls, {f"network, mean {line.mean():.0%}": line,
                       "random dummy": [share] * len(line)},
             percent=True, xlabel="recall", ylabel="precision",
             title="Each further shirt costs precision")

# %% [markdown]
# And what does a person get to see?

# %%
agree("our average precision and scikit-learn's", line.mean().item(),
      average_precision_score(is_shirt, score), within=1e-6)
for threshold in (0.5, 0.1, 0.03):
    pile = score > threshold
    print(f"above {threshold:4}: {(pile & is_shirt).sum()} of "
          f"{is_shirt.sum()} shirts in a pile of {pile.sum()}")

# %% [markdown]
# So the network was no empty box: whoever looks through the largest pile finds most of the shirts. Accuracy saw only
# one threshold.
#
# ## Is it as sure as it should be?
#
# Tutorials print probabilities such as 99.998 % beside their answers. If a doctor's machine says "99 % benign", you
# want to know whether one in a hundred such cases is malignant, or six.
#
# > **Predict before you run.** Of our network's answers with more than 99 % confidence, how many in a hundred are
# > wrong?

# %% tags=["answer"]
sure = confidence > 0.99
print(f"{sure.double().mean():.0%} of the answers have more than 99 %, "
      f"and {(~correct[sure]).double().mean():.1%} of those are wrong")

# %% tags=["answer", "claim"]
excess = confidence.mean() - correct.double().mean()
claim.measured("Its mean confidence lies {value:.1f} points above its "
               "accuracy.", 100 * excess, data=fashion, stated=stated)

# %% [markdown]
# More than 99 % promises fewer than one error in a hundred, but the promise is broken. A network is *calibrated* if, of
# its answers given with 80 %, eighty in a hundred are right, and likewise for every number. To measure this, sort the
# answers into ten bins by their confidence. A bin's gap is the distance between its mean confidence and its accuracy,
# and the mean of these gaps, each weighted by the images in its bin, is the *expected calibration error*.

# %%
bins = (confidence * 10).ceil()  # 1 to 10
by_hand = 0.0
for k in bins.unique():
    here = bins == k
    gap = confidence[here].mean() - correct[here].double().mean()
    by_hand += here.double().mean() * gap.abs()
agree("our calibration error and `calibration_error`", by_hand,
      calibration_error(confidence, correct), within=1e-9)
print(f"expected calibration error: {by_hand:.1%}")

# %% [markdown]
# How would you make an over-confident person honest without teaching them anything new? You might ask them to tone
# everything down equally. That works here: divide all logits by one number, the *temperature*. Above 1, it brings the
# logits closer together, and every answer becomes less sure. The largest logit stays the largest, so no answer changes.
# We take the temperature with the lowest cross-entropy on the validation split.

# %%
temperatures = torch.arange(0.2, 5, 0.01)
by_temperature = torch.stack([F.cross_entropy(logits / t, truth)
                              for t in temperatures])
ours = temperatures[by_temperature.argmin()]
temperature = fit_temperature(logits, truth)
agree("our search and `fit_temperature`", ours, temperature, within=0.01)

# %% tags=["claim"]
claim.measured("The best temperature is {value:.2f}.",
               temperature, data=fashion, stated=stated)

# %% [markdown]
# A *reliability diagram* shows what the temperature does. Each dot is a bin, larger where it holds more answers, and
# the line from dot to diagonal is its gap.

# %% mystnb={"image": {"alt": "Two reliability diagrams. As trained, most dots are below the diagonal: accuracy is lower than confidence. With the temperature they are close to the diagonal."}}
softened = (logits / temperature).softmax(1).amax(1)
plots.reliability({"as trained": (confidence, correct),
                   "softened": (softened, correct)},
                  title="Too sure, until one number mends it")

# %% [markdown]
# How much of the remaining error is chance? A fair coin, tossed ten times, seldom shows exactly five heads, so even a
# perfect forecaster does not reach 0. Let dice decide which answers are right, with exactly the stated confidence, a
# hundred times:

# %%
def of_perfect(sureness):
    """Calibration errors of a forecaster whose confidence is true."""
    torch.manual_seed(SEED)
    errors = [calibration_error(sureness, torch.rand(len(sureness))
                                < sureness) for _ in range(100)]
    return f"{mean(errors):.1%}, and in 95 of 100 cases at most " \
           f"{sorted(errors)[94]:.1%}"


print(f"as trained {calibration_error(confidence, correct):.1%}")
print(f"softened   {calibration_error(softened, correct):.1%}")
print("perfect   ", of_perfect(softened))

# %% [markdown]
# So compare a calibration error with that of a perfect forecaster on as many images, not with 0. Ours flatters us a
# little, because the temperature was chosen on these very images. The test will tell.
#
# ## The riddle of the growing loss
#
# Cross-entropy punishes an error by the confidence with which it was made. Suppose that late in the training the
# answers hardly change, and the network only becomes surer of each. The right answers then cost a little less, and the
# wrong ones more and more, so the loss may rise while the accuracy stays put.
#
# > **Predict before you run.** If this is what happens, what will the loss curve look like when each epoch's logits are
# > first divided by that epoch's own best temperature?

# %% tags=["answer"] mystnb={"image": {"alt": "Validation loss over fifteen epochs. As trained, it falls at first and rises later. Softened by each epoch's own temperature, it goes on falling and then stays level."}}
softest = [F.cross_entropy(epoch / fit_temperature(epoch, truth), truth)
           for epoch in after_epoch.logits]
plots.curves(range(1, EPOCHS + 1),
             {"as trained": losses, "softened": softest},
             title="Softened, the late rise is gone",
             xlabel="epoch", ylabel="validation loss")

# %% tags=["answer"]
for k in (losses.index(min(losses)), EPOCHS - 1):
    each = F.cross_entropy(after_epoch.logits[k], truth, reduction="none")
    hit = after_epoch.logits[k].argmax(1) == truth
    print(f"epoch {k + 1:2}: loss {each.mean():.3f}, of which right answers "
          f"{each[hit].sum() / len(each):.3f} and wrong ones "
          f"{each[~hit].sum() / len(each):.3f}; accuracy "
          f"{hit.double().mean():.1%}")

# %% [markdown]
# The loss even falls: the answers had become a little better, as the accuracy says, but over-confidence in the wrong
# ones had hidden this. The network had a reason to be so sure: on the training images, nearly all of them right by
# then, more confidence lowers the loss. If you use only the answers and the accuracy holds, such a rise need not worry
# you. If you use the probabilities, it should.
#
# ## Look at the errors
#
# No table replaces looking. First twelve images at random, each with answer, confidence and label.

# %% mystnb={"image": {"alt": "Twelve random validation images, each with the answer and its probability; right ones in green with a tick, wrong ones in red with a cross."}}
generator = torch.Generator().manual_seed(SEED)
some = torch.randperm(len(truth), generator=generator)[:12]
names = fashion.classes
titles = [f"{names[answer[k]]} {confidence[k]:.0%}\nis {names[truth[k]]}"
          for k in some]
plots.images(fashion.valid.x[some], titles, correct=correct[some],
             columns=4)

# %% [markdown]
# Errors teach more, and the surest errors most. So we sort all images: the errors, surest first, then the right
# answers, least sure first.

# %%
order = torch.where(correct, -confidence, confidence)
order = order.argsort(descending=True)

# %% [markdown]
# When a network insists, who says that the label is right? Below each of the five surest errors (label → answer) we
# show the training image whose pixels are nearest, with its label.

# %% mystnb={"image": {"alt": "Two rows of five images: above, the five surest errors with label and answer; below each, the training image most like it, some with the network's answer as their label."}}
training_pixels = fashion.train.x.flatten(1).float()


def nearest_image(images):
    distances = torch.cdist(images.flatten(1).float(), training_pixels)
    return distances.argmin(1)


five = order[:5]
twins = nearest_image(fashion.valid.x[five])
above = [f"{names[truth[k]]}\n→ {names[answer[k]]}" for k in five]
below = [names[fashion.train.y[k]] for k in twins]
plots.images(torch.cat([fashion.valid.x[five], fashion.train.x[twins]]),
             above + below, columns=5,
             title="Below each error, the most similar training image")

# %% [markdown]
# Five images are an anecdote. What of the 300 surest errors and, to compare, 300 random right answers?

# %%
right = correct.nonzero().flatten()
some_right = right[torch.randperm(len(right), generator=generator)[:300]]
for group, some in {"errors": order[:300], "right": some_right}.items():
    nearest = fashion.train.y[nearest_image(fashion.valid.x[some])]
    with_label = (nearest == truth[some]).double().mean()
    with_answer = (nearest == answer[some]).double().mean()
    print(f"{group:6}: the nearest has the label in {with_label:.0%}, "
          f"the network's answer in {with_answer:.0%}")

# %% [markdown]
# Among the errors, the nearest image sides with the network more often than with the label. This does not prove those
# labels wrong, because nearness in pixels is fooled by the same things as the network, such as a sneaker as high as a
# boot. But some of them deserve a second look. Northcutt and others had people check suspicious images in ten
# well-known test splits, and found wrong labels in each, MNIST included.
#
# ## One look at the test
#
# All choices are made, the temperature included. Now the test split, once.

# %%
test = batches(fashion.test, 1_000, device=DEVICE)
test_logits = predict(model, test).cpu().double()
hits = test_logits.argmax(1) == fashion.test.y
low, high = wilson_interval(hits.sum().item(), len(hits))
print(f"95 % interval from {low:.2%} to {high:.2%}")

# %% tags=["claim"]
claim.measured("It recognises {value:.1%} of the test images.",
               hits.double().mean(), data=fashion, stated=stated)

# %% [markdown]
# And does the temperature help on images that it was not chosen on?

# %%
before, after = (
    calibration_error((test_logits / t).softmax(1).amax(1), hits)
    for t in (1, temperature))
print(f"calibration error {before:.1%} as trained, {after:.1%} softened")
print("perfect:", of_perfect((test_logits / temperature).softmax(1).amax(1)))

# %% tags=["claim"]
claim.measured("The temperature takes {value:.1f} points off the "
               "calibration error of new images.",
               100 * (before - after), data=fashion, stated=stated)

# %% [markdown]
# One number, fitted on other images, has made the confidence nearly honest on average, but no answer better.
#
# **On Monday.** When you report a network, print the dummy beside it, recall and precision for each class with the
# number of images behind them, and one interval. Add up the counts. Look at the twenty surest errors, and if anyone
# will act on the probabilities, fit a temperature first, on images in which the classes are as rare as where they will
# be used.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. A folded solution follows each exercise.
#
# ### Exercise 9.1 · With a pencil
#
# A network for three classes has the matrix `[[4, 6, 0], [0, 4, 1], [0, 2, 3]]`, truth in rows. Give
# `(precision, recall, F1)` of the middle class, to three decimal places.

# %%
middle = ...
check("9.1", middle)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.1
precision_solution = 4 / (6 + 4 + 2)  # its column
recall_solution = 4 / (0 + 4 + 1)  # its row
f1_solution = 2 / (1 / precision_solution + 1 / recall_solution)
middle_solution = (precision_solution, recall_solution, f1_solution)
assert check("9.1", middle_solution)

# %% [markdown]
# ### Exercise 9.2 · Four images
#
# A published page calls looking at four random images the best check. Say that all four are right. Where does the
# 95 % Wilson interval begin? Where does it begin for 29 right of 34 airplanes? And how many images, all of them right,
# does it take until it begins at 0.95 or above? Give these three numbers in this order; two decimal places will do.

# %%
four = ...
check("9.2", four)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.2
enough_solution = 1
while wilson_interval(enough_solution, enough_solution)[0] < 0.95:
    enough_solution += 1
four_solution = (wilson_interval(4, 4)[0], wilson_interval(29, 34)[0],
                 enough_solution)
assert check("9.2", four_solution)

# %% [markdown]
# ### Exercise 9.3 · Macro F1
#
# Write `macro_f1(counts)`: the mean of the classes' F1, from a tensor of counts with truth in rows. A class that was
# never right has an F1 of 0, even if no answer named it. (Each class has at least one image.)

# %%
def macro_f1(counts):
    ...


check("9.3", macro_f1)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.3
def macro_f1_solution(counts):
    # 2PR / (P + R), multiplied out: no division by zero is left
    f1 = 2 * counts.diag() / (counts.sum(0) + counts.sum(1))
    return f1.mean()


print(f"the published matrix: {macro_f1_solution(matrix):.3f}")
assert check("9.3", macro_f1_solution)

# %% [markdown]
# ### Exercise 9.4 · Mend the bug
#
# Write `per_class_accuracy(model, loader, classes)`: the accuracy of each class over *all* batches, a tensor of
# `classes` numbers. The model may come in training mode, and need not be given back in it.

# %%
def per_class_accuracy(model, loader, classes):
    ...


check("9.4", per_class_accuracy)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.4
@torch.inference_mode()
def per_class_accuracy_solution(model, loader, classes):
    model.eval()
    right, total = torch.zeros(2, classes)
    for x, y in loader:
        hit = model(x).argmax(1) == y
        right += y[hit].bincount(minlength=classes).cpu()
        total += y.bincount(minlength=classes).cpu()
    return right / total


assert check("9.4", per_class_accuracy_solution)

# %% [markdown]
# ### Exercise 9.5 · A slip that hides
#
# The tutorial computed its recall matrix as `matrix / matrix.sum(1)`. A vector is laid along each *row* of a matrix, so
# *column* 3 is divided by the number of cats. Since every class has 1,000 images there, not one number is wrong. Write
# `shares(counts)` that returns two matrices, recall and precision, for classes of any number and size. Every class has
# an image, and was answered at least once.

# %%
def shares(counts):
    ...


check("9.5", shares)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.5
def shares_solution(counts):
    by_row = counts / counts.sum(1, keepdim=True)
    by_column = counts / counts.sum(0, keepdim=True)
    return by_row, by_column


assert check("9.5", shares_solution)

# %% [markdown]
# Take nine of ten cats out of the published test, and the slip shows, though not on the diagonal:

# %%
fewer = matrix.clone()
fewer[3] = (matrix[3] / 10).round()  # row 3: the cats
slipped = fewer / fewer.sum(1)
print(f"dogs called cats: {slipped[5, 3]:.0%}")
print(f"cats that are found: {slipped[3, 3]:.0%}")

# %% [markdown]
# ### Exercise 9.6 · Twelve unlucky images
#
# The tutorial shows twelve test images with its network's answers. Six are right, from a network that is right in 78 of
# 100 cases. For this figure the images come straight from the file, with pixels from 0 to 1; the network had learnt
# from normalised ones. Write `probabilities_of(model, pictures, images)` for a figure: `pictures` are `uint8` from 0 to
# 255, N×C×H×W, and `images` is the training split, whose `images.mean` and `images.std` (C numbers each, for pixels
# from 0 to 1) the model has learnt with. Return N×M probabilities. The model may come in training mode, and need not be
# given back in it.

# %%
def probabilities_of(model, pictures, images):
    ...


check("9.6", probabilities_of)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.6
@torch.inference_mode()
def probabilities_of_solution(model, pictures, images):
    model.eval()
    mean = images.mean.view(-1, 1, 1)  # one for each channel
    std = images.std.view(-1, 1, 1)
    return model((pictures / 255 - mean) / std).softmax(1)


assert check("9.6", probabilities_of_solution)

# %% [markdown]
# Bad luck, or the bug? We put the bug into our own network, and compare the chances of six or fewer right. No error is
# raised, and most answers are still right.

# %%
def at_most_six(accuracy):
    return sum(comb(12, k) * accuracy**k * (1 - accuracy)**(12 - k)
               for k in range(7))


accuracy = (matrix.trace() / matrix.sum()).item()
pixels = (fashion.valid.x / 255).to(DEVICE)  # never normalised
raw = predict(model, [(pixels, truth.to(DEVICE))]).cpu().argmax(1)
fall = (correct.double().mean() - (raw == truth).double().mean()).item()
print(f"if its accuracy fell like ours: {at_most_six(accuracy - fall):.0%}")

# %% tags=["claim"]
claim("The chance of six or fewer of twelve is {value:.1%}.",
      at_most_six(accuracy), equals=0.0314, within=0.0001)

# %% tags=["claim"]
claim.measured("Without normalisation, the accuracy of our network falls "
               "by {value:.0f} points.",
               100 * fall, data=fashion, stated=stated)

# %% [markdown]
# ### Exercise 9.7 · Answer only when sure
#
# A network may leave the images it is least sure of to a person. Write `coverage(confidence, correct, target)`:
# the largest share of images that it can keep, the surest first, so that its accuracy on those is at least `target`.
# It is 0 if there is none. `confidence` and `correct` are tensors like ours, and no two images are equally sure.

# %%
def coverage(confidence, correct, target):
    ...


check("9.7", coverage)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.7
def coverage_solution(confidence, correct, target):
    kept = torch.arange(1, len(correct) + 1)
    surest_first = correct[confidence.argsort(descending=True)]
    accuracy = surest_first.cumsum(0) / kept
    return (kept * (accuracy >= target)).max().item() / len(correct)


kept_solution = coverage_solution(confidence, correct, 0.97)
print(f"ours can keep {kept_solution:.0%} here and be right in 97 %")
assert check("9.7", coverage_solution)

# %% [markdown]
# ### An open question
#
# The warehouse loses 1 coin for each item that a person checks in vain, and 30 coins for each shirt that leaves in the
# wrong parcel. Which threshold would you set? Now suppose that the shirts are tumours. Who should set the two prices?
#
# ## What you can do now
#
# 1. Put a dummy beside every accuracy, and counts for each class, and check that the counts add up.
# 2. Say which question a measure answers: recall reads rows, precision reads columns and depends on how rare a class
#    is, F1 wants both, average precision looks at all thresholds.
# 3. Name the interval of a share and of a difference, measure calibration, and doubt a label.
#
# ## Further reading
#
# - C. Guo, G. Pleiss, Y. Sun, K. Weinberger, *On calibration of modern neural networks* (2017).
# - C. Northcutt, A. Athalye, J. Mueller, *Pervasive label errors in test sets destabilize machine learning benchmarks*
#   (2021).
