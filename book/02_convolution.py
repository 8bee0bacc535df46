# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2 · Convolution by hand
#
# *One small dot product, slid over a picture. How much of seeing fits into that?*
#
# **Read** 50 min · **Run** 20 s on two CPU cores · **Before this** lesson 1
#
# ## What you will be able to do
#
# 1. Say what a dense layer misses in a picture, and what each assumption of a convolution saves.
# 2. Compute a convolution with a pencil, with loops, and with one matrix product.
# 3. Say what `Conv2d` computes that the convolution of a mathematics book does not.
# 4. Follow a filter through several channels, and count its weights.
# 5. Say why two correct programs differ in their last digits.
# 6. Predict where moving the picture moves the answer, and where it does not.
# 7. Write down the gradients of a convolution, and search for a kernel with them.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("02_convolution")

# %%
import torch
import torch.nn.functional as F
from sklearn.datasets import load_sample_image
from torch import nn

from course_utils import agree, check, claim, diagrams, explore, load, plots
from course_utils.shapes import count_parameters

# %% [markdown]
# These numbers are yours to change. Everything below is seeded from `SEED`, and computed on the CPU on purpose.

# %% nbmake={"mock": {"TRIALS": 10}}
SEED = 0
TRIALS = 100  # random convolutions to compare with PyTorch's
STEPS, LR = 1_000, 2  # of the search for a kernel, at the end

# %% [markdown]
# ## A list forgets the picture
#
# In lesson 1 a layer read every input as a list of numbers, which was fine for a taxi ride. But almost everything
# that we see in a picture, be it an edge, a corner or a face, is a pattern among neighbours. What becomes of
# neighbours when the pixels are written one after the other, as a *dense* layer, PyTorch's `nn.Linear`, reads them?
#
# Here is a handwritten digit with nine neighbouring pixels marked, and beside it the same 784 numbers as one long
# list, drawn as a band.

# %% mystnb={"image": {"alt": "Left: a handwritten two with a small square of three by three pixels marked. Right: the same pixels as one long band, in which the square has become three short pieces with wide gaps between them."}}
mnist = load("mnist")
digit = mnist.train.x[mnist.train.y == 2][0, 0].double() / 255
marked = digit / 4
marked[12:15, 12:15] = 1
band = marked.flatten().expand(300, -1)  # 300 times on top of itself
plots.images([marked, band], ["a picture", "the same as a list"], columns=2,
             title="Flattening tears neighbours apart")

# %% [markdown]
# A pixel and the one below it are now 28 steps apart. The list still holds every pixel, but not the idea that
# neighbours belong together. To see this, shuffle the pixels of the digit like a deck of cards, and the columns of
# the layer's weights in the same way.
#
# > **Predict before you run.** How much does the dense layer's answer change?

# %% tags=["answer"]
torch.manual_seed(SEED)
dense = nn.Linear(28 * 28, 10).double()
order = torch.randperm(28 * 28)
shuffled = F.linear(digit.flatten()[order],
                    dense.weight[:, order], dense.bias)
agree("a dense layer's answer to the digit, and to the digit shuffled",
      shuffled, dense(digit.flatten()), within=1e-12)

# %% [markdown]
# It does not change, because a sum does not care about the order of its terms. So a dense layer would learn just as
# well, or as badly, if every picture in the world were shuffled in the same way. (`agree` stops the lesson if two
# results are too far apart.)
#
# The other trouble is movement: push the digit one pixel to the right, and to your eye nothing has happened.

# %% mystnb={"image": {"alt": "A handwritten digit two, and the same digit moved by one pixel to the right. They look alike."}}
moved = digit.roll(1, dims=1)
ink = (digit > 0) | (moved > 0)
same = (digit == moved)[ink].double().mean()
plots.images([digit, moved], ["a digit", "moved by one pixel"], columns=3)

# %% tags=["claim"]
claim("When it moves, only {value:.0%} of the inked pixels keep their value.",
      same, at_most=0.5)

# %% [markdown]
# That line is a *claim*: the cell has just computed its number, and fails if the number is wrong. For the dense layer
# the two digits are different inputs that meet different weights, so what it has learned about a two in one place
# need not help it in another.
#
# ## What each assumption saves
#
# A convolution builds in two things that we know about pictures before we have seen any, its *inductive bias*. To see
# what each is worth, suppose that we turn one picture of 28×28 into six.
#
# - **No assumption.** A dense layer joins each new pixel to every old one, and adds one more number, its *bias*.
# - **Locality.** What matters for a pixel is near it, so a new pixel is joined only to a window of 5×5.
# - **Weight sharing.** What is worth looking for in one place is worth looking for everywhere, so all pixels of a new
#   picture use the *same* 25 weights, called a *kernel*, and the same bias.
#
# > **Predict before you run.** How many numbers must be learned in each case?

# %% tags=["answer"]
new_pixels = 6 * 28 * 28
full = count_parameters(nn.Linear(28 * 28, new_pixels))
local = new_pixels * (5 * 5 + 1)
conv = nn.Conv2d(1, 6, kernel_size=5, padding=2)  # 2 zeros on each side
shared = count_parameters(conv)
print(f"no assumption  {full:9,}")
print(f"locality       {local:9,}")
print(f"weight sharing {shared:9,}")

# %% tags=["answer", "claim"]
claim("Together the two assumptions leave one parameter in {value:,.0f}.",
      full / shared, equals=23_671, within=0.5)

# %% [markdown]
# Locality divides the number by thirty, and sharing divides the rest by almost eight hundred. But this has its price:
# if what matters were *not* local, as in our shuffled digits, a convolution would look in the wrong place and do
# worse than the dense layer.
#
# ## One window, one number
#
# Take a picture of five by five pixels with a corner in it, and a kernel of two by two.

# %%
picture = torch.tensor([[0., 0, 0, 0, 0],
                        [0., 5, 5, 5, 0],
                        [0., 5, 0, 0, 0],
                        [0., 5, 0, 0, 0],
                        [0., 0, 0, 0, 0]])
kernel = torch.tensor([[1., 1], [1., -3]])

# %% [markdown]
# Think of the kernel as a transparent sheet with four numbers on it. Lay it on the picture, multiply each number by
# the pixel under it, and add up the four products.
#
# > **Predict before you run.** What comes out when the sheet's upper left number is on the corner, at row 1, column 1
# > (counted from 0)? And at row 3, column 3?

# %% tags=["answer"]
for row, column in [(1, 1), (3, 3)]:
    window = picture[row:row + 2, column:column + 2]
    print(f"row {row}, column {column}: {(window * kernel).sum():g}")

# %% [markdown]
# At the corner, 5 + 5 + 5 − 3·0 makes 15. A flat spot, dark or bright, gives 0 because the four weights sum to 0,
# while three bright pixels around a dark one give most. So **a kernel is a question**, and ours asks: *is this the
# inside of a corner?*
#
# ## Ask it everywhere
#
# Two loops carry the question to every place where the kernel fits.

# %%
def correlate2d(image, kernel):
    """Slide a K×L kernel over an H×W image: a dot product at each place."""
    (H, W), (K, L) = image.shape, kernel.shape
    answer = image.new_empty(H - K + 1, W - L + 1)
    for i in range(H - K + 1):
        for j in range(W - L + 1):
            answer[i, j] = (image[i:i + K, j:j + L] * kernel).sum()
    return answer


corners = correlate2d(picture, kernel)
corners

# %% [markdown]
# Visit all sixteen places: red is positive, blue negative.
#
# > **Try this.** Where is the answer most negative, and why there?

# %%
explore("convolution", image=picture.tolist(), kernel=kernel.tolist())

# %% [markdown]
# Just outside of the corner, the kernel finds a bright pixel where it asks for a dark one. The answer has four by four
# pixels, because a kernel of width 2 fits at four places along a line of five.
#
# PyTorch's own version expects a batch of images with channels, so we add two axes with `[None, None]` and take them
# away with `[0, 0]`. If our loops are right, no pixel differs by more than rounding.

# %%
def ask(image, kernel):
    return F.conv2d(image[None, None], kernel[None, None])[0, 0]


lopsided = torch.tensor([[1., 2, 3], [4, 5, 6]]).double()
agree("our loops and `F.conv2d`, on the little picture",
      corners, ask(picture, kernel), within=0)
agree("our loops and `F.conv2d`, on the digit",
      correlate2d(digit, lopsided), ask(digit, lopsided), within=1e-12)

# %% [markdown]
# ## Is it a convolution?
#
# Mathematics has an operation called convolution. To find out whether our loops compute the same, send them one
# bright pixel in the dark, and look at what comes out, the *impulse response*.
#
# > **Predict before you run.** The picture is 3×3 with a one in the middle, and the kernel holds 1, 2, 3, 4 in reading
# > order. Which four numbers come out, and in which order?

# %% tags=["answer"] mystnb={"image": {"alt": "Three small pictures with numbers: a single one among zeros, the kernel 1 2 3 4, and the answer, in which the kernel appears turned by half a turn as 4 3 2 1."}}
impulse = torch.zeros(3, 3).double()
impulse[1, 1] = 1
counting = torch.tensor([[1., 2], [3, 4]]).double()
response = correlate2d(impulse, counting)
plots.images([impulse, counting, response], ["picture", "kernel", "answer"],
             columns=3, numbers=True, shared=True,
             title="One bright pixel is answered by the turned kernel")

# %% tags=["answer"]
agree("the impulse response, and the kernel turned by half a turn",
      response, counting.flip(0, 1), within=0)

# %% [markdown]
# The kernel comes out *flipped* by half a turn, because its last number slides over the bright pixel first. A
# mathematician's *convolution* answers an impulse with the kernel as it is, so it must turn the kernel before it
# slides. What we have computed is called *cross-correlation*, though PyTorch, like nearly everyone in deep learning,
# calls it convolution. That does no harm, since a network learns its kernels.
#
# What is the turning good for? If we count every place where picture and kernel overlap at all, with zeros around the
# picture, swapping the two does not change the true convolution.

# %%
def convolve2d(image, kernel):
    """True convolution, wherever the two overlap: pad, turn, slide."""
    K, L = kernel.shape
    padded = F.pad(image, (L - 1, L - 1, K - 1, K - 1))  # left, right, ...
    return correlate2d(padded, kernel.flip(0, 1))


agree("digit convolved with kernel, and kernel convolved with digit",
      convolve2d(digit, counting), convolve2d(counting, digit), within=1e-12)

# %% [markdown]
# ## Kernels that people have written
#
# Before kernels were learned, people designed them by hand. Each *Sobel* kernel compares two opposite sides of a
# pixel, *blur* takes the mean of a neighbourhood, and *sharpen* adds to a pixel what sets it off from its four
# neighbours.

# %%
sobel = torch.tensor([[-1., 0, 1], [-2, 0, 2], [-1, 0, 1]]).double()
blur = torch.full((5, 5), 1 / 25, dtype=torch.float64)
sharpen = torch.tensor([[0., -1, 0], [-1, 5, -1], [0, -1, 0]]).double()
kernels = {"Sobel left-right": sobel, "Sobel top-down": sobel.T,
           "blur": blur, "sharpen": sharpen}

# %% [markdown]
# > **Predict before you run.** Which strokes of our digit light up under the first Sobel kernel, and which vanish?

# %% tags=["answer"] mystnb={"image": {"alt": "The digit two under four kernels. Left-right Sobel shows its upright strokes with a red and a blue side, top-down Sobel the level ones; blur softens it, sharpen hardens its edges."}}
answers = [correlate2d(digit, kernel) for kernel in kernels.values()]
plots.images(answers, list(kernels), signed=True,
             title="The same digit, asked four questions")

# %% [markdown]
# Upright strokes answer the first kernel, in red where the picture gets brighter from left to right and in blue where
# it gets darker. Level strokes answer the second, and slanting ones both. Now we try a photograph, ignoring the sign.

# %% mystnb={"image": {"alt": "A photograph of a Chinese tower: the original in grey, its left-right edges drawn dark on white, its top-down edges, and a sharpened version."}}
photo = torch.tensor(load_sample_image("china.jpg")).double().mean(2) / 255
tower = photo[40:310, 20:350]
edges = [1 - ask(tower, kernel).abs().clamp(max=1)
         for kernel in (sobel, sobel.T)]
names = ["photograph", "left-right edges", "top-down edges", "sharpened"]
plots.images([tower, *edges, ask(tower, sharpen).clamp(0, 1)], names,
             columns=2, title="Two Sobel kernels, two kinds of edges")

# %% [markdown]
# Posts appear under the first kernel, the edges of the roofs under the second, although nobody has told these nine
# numbers what a tower is. Now you ask.
#
# > **Try this.** Draw a circle. Which side of its line survives the ReLU, which makes negative numbers 0? Which weights
# > keep the other?

# %%
explore("kernels", picture="drawing", preset="top to bottom")

# %% [markdown]
# ## A berry among leaves: channels and filters
#
# A colour picture is three grids of numbers, the *channels* red, green and blue, so a *filter* has one kernel for
# each channel. Each kernel slides over its own channel, and the three answers are added up, pixel by pixel, into
# *one* new picture, a *feature map*. Then the filter's bias is added everywhere.
#
# Here is something to find: a red berry among green leaves, and on one leaf a white spot where the sun shines.

# %% mystnb={"image": {"alt": "A small green picture with a red square, the berry, and one white pixel."}}
colour = torch.zeros(3, 6, 8)  # C×H×W: red, green, blue
colour[1] = 1  # leaves
colour[:, 1, 1] = 1  # a white spot
colour[0, 3:5, 4:6] = 1  # a berry: red,
colour[1, 3:5, 4:6] = 0  # and not green
plots.images([colour], ["a berry among leaves"], columns=3)

# %% [markdown]
# Our filter says yes to red and no to green, and does not care about blue.

# %%
berry = torch.zeros(3, 2, 2)  # a filter, C×K×K
berry[0] = 1
berry[1] = -1

# %% [markdown]
# > **Predict before you run.** The white spot is as red as the berry. Will the filter fall for it?

# %% tags=["answer"] mystnb={"image": {"alt": "A grid of pictures with numbers. In three columns for red, green and blue: the channel, its kernel, and its answer. Below, the sum of the three answers: it is largest at the berry, where it is 4, and negative everywhere else, also at the white spot."}}
by_channel = [correlate2d(colour[c], berry[c]) for c in range(3)]
feature_map = sum(by_channel)
shown = [*colour, *berry, *by_channel, feature_map]
names = ["red", "green", "blue", *3 * ["its kernel"], *3 * ["its answer"],
         "the sum: a feature map"]
plots.images(shown, names, columns=3, signed=True, numbers=True, shared=True,
             title="One filter, three kernels, one feature map")

# %% tags=["answer"]
conv = nn.Conv2d(in_channels=3, out_channels=1, kernel_size=2, bias=False)
with torch.no_grad():
    conv.weight[0] = berry
agree("the feature map, added up by hand, and `Conv2d`'s",
      feature_map, conv(colour[None])[0, 0], within=1e-6)

# %% [markdown]
# It does not, because white is red *and* green: the second kernel takes away what the first has given, and only the
# berry answers above zero. Since the three answers are summed, the result is a single map.
#
# A layer has many filters, each with its own kernels and bias, and their maps become the channels of the next layer.
# Read the four shapes below aloud: N images, C channels, F filters.

# %%
torch.manual_seed(SEED)
conv = nn.Conv2d(in_channels=3, out_channels=16, kernel_size=3).double()
batch = torch.rand(8, 3, 12, 12).double()
print("filters      F×C×K×K", tuple(conv.weight.shape))
print("biases       F      ", tuple(conv.bias.shape))
print("images       N×C×H×W", tuple(batch.shape))
print("feature maps N×F×H×W", tuple(conv(batch).shape))

# %% tags=["claim"]
claim("Weights 16·3·3·3 and 16 biases make {value} parameters.",
      count_parameters(conv), equals=448)

# %% [markdown]
# So the "2d" in `Conv2d` does not mean that its input has two axes. A batch has four and a single image three, and
# the kernel slides along two of them. PyTorch refuses any other number of channels. Read its error calmly now,
# because you will meet it again.

# %%
try:
    conv(torch.rand(8, 1, 12, 12).double())
except RuntimeError as error:
    print(error)

# %% [markdown]
# `N×C×H×W` only *names* the axes. In memory a pixel's neighbour on the right is one step away, or C steps if the
# channels of a pixel are kept together, a layout called *channels last* that makes some networks faster.

# %%
last = batch.to(memory_format=torch.channels_last)
print("steps to the right:", batch.stride(3), "or", last.stride(3))

# %% [markdown]
# ## One matrix product
#
# Loops explain well but run slowly. Computers are fastest at multiplying two large matrices, and we can turn a whole
# convolution into one such product. Copy every window out of the picture as a column, in reading order, and write the
# kernel as a row, so that *row × matrix* asks the question at all places at once. The price of this trick, called
# *im2col*, is memory, since a pixel is copied up to K·K times.

# %% mystnb={"image": {"alt": "Four by four pixels of the picture with a framed window; the matrix whose nine columns are its windows, the same one framed; the kernel as a row of four; and their product, the nine answers, with 15 framed."}}
diagrams.im2col(picture[:4, :4], kernel, at=4,
                title="With windows as columns, it is a matrix product")

# %% [markdown]
# PyTorch calls this layout `F.unfold`. With channels, a column holds a whole block of C·K·K numbers, and each filter
# is one row.

# %%
columns = F.unfold(batch, kernel_size=3)  # N × C·K·K × places
rows = conv.weight.flatten(1)  # F × C·K·K
product = (rows @ columns + conv.bias[:, None]).view(8, 16, 10, 10)
agree("one matrix product and `Conv2d`", product, conv(batch), within=1e-12)

# %% [markdown]
# One example proves little, so we compare loops and product with PyTorch on random shapes, in `float64` and in
# `float32`, the precision that networks use. The package adds two options from lesson 3, a *padding* of zeros around
# the picture and a *stride*, the step from place to place.

# %%
from course_utils.convolution import conv2d_im2col, conv2d_loops


def worst_difference(dtype):
    """The largest difference to F.conv2d in TRIALS random convolutions."""
    torch.manual_seed(SEED)
    differences = []
    for _ in range(TRIALS):
        C, F_, K, stride, padding = torch.randint(1, 5, (5,)).tolist()
        x = torch.randn(2, C, 7, 8, dtype=dtype)
        weight = torch.randn(F_, C, K, K, dtype=dtype)
        options = {"stride": stride, "padding": padding}
        expected = F.conv2d(x, weight, **options)
        for by_hand in (conv2d_loops, conv2d_im2col):
            ours = by_hand(x, weight, **options)
            differences.append((ours - expected).abs().max())
    return torch.stack(differences).max()

# %% tags=["claim"]
claim("In `float64`, both and PyTorch differ by {value:.0e} at most.",
      worst_difference(torch.float64), at_most=1e-12)

# %% tags=["claim"]
claim("In `float32`, they differ by {value:.0e} at most.",
      worst_difference(torch.float32), at_most=1e-4)

# %% [markdown]
# ## Why not exactly equal?
#
# Which program is right? None is, because a `float32` keeps about seven digits and rounds after *every* addition, as
# you see best by adding two ones to a large number.
#
# > **Predict before you run.** Both lines below add the same three numbers. How far apart are they?

# %% tags=["answer"]
large, one = torch.tensor(2.0**24), torch.tensor(1.0)
print(f"(large + one) + one = {(large + one) + one:.0f}")
print(f"large + (one + one) = {large + (one + one):.0f}")

# %% [markdown]
# By 2, because just above 2²⁴ the `float32` numbers are 2 apart, so a single 1 is rounded away, and then the next
# one. The order of the additions therefore matters, and each algorithm has its own. To see how much, take a layer
# that adds 576 products at each place, computed in two ways and in both precisions. The axis counts digits: at −6 the
# two ways differ in the sixth decimal place.

# %% mystnb={"image": {"alt": "Two separate groups on an axis of powers of ten: the differences in float64 lie around minus fourteen, those in float32 between minus six and minus five."}}
torch.manual_seed(SEED)
x = torch.randn(2, 64, 12, 12, dtype=torch.float64)
weight = torch.randn(16, 64, 3, 3, dtype=torch.float64)
spread = {}
for dtype in (torch.float64, torch.float32):
    a, b = x.to(dtype), weight.to(dtype)
    difference = (conv2d_loops(a, b) - F.conv2d(a, b)).abs().flatten()
    spread[str(dtype)[6:]] = difference[difference > 0].log10()
plots.distribution(spread, xlabel="log10 of the difference",
                   title="The two precisions are far apart")

# %% tags=["claim"]
claim("The medians are {value:.1f} powers of ten apart.",
      spread["float32"].median() - spread["float64"].median(),
      equals=8.7, within=0.5)

# %% [markdown]
# If rounding is the reason, the steps to which the two precisions round must be equally far apart.

# %%
ratio = torch.finfo(torch.float32).eps / torch.finfo(torch.float64).eps
print(f"log10 of the ratio of their steps: {torch.tensor(ratio).log10():.1f}")

# %% [markdown]
# They are, so for numbers of this size the course allows differences of 10⁻¹² in `float64` and 10⁻⁴ in `float32`. A
# real mistake, such as a lopsided kernel turned the wrong way, is thousands of times larger.
#
# ## Move the picture, and the answer moves
#
# A convolution asks the same question everywhere, so when the digit is pushed by one pixel, the answer should simply
# be pushed along. This *equivariance* is a main reason for using convolutions. (*Invariance*, always the same answer,
# follows in lesson 10.) Does equivariance hold up to the border? We move a picture of noise one column to the right,
# once before the convolution and once after it, and let what leaves on the right come back on the left.

# %%
torch.manual_seed(SEED)
noise = torch.randn(1, 1, 16, 16, dtype=torch.float64)
weight = torch.randn(1, 1, 3, 3, dtype=torch.float64)


def defect(layer, image):
    """layer(moved image) minus moved layer(image), N×C×H×W."""
    return layer(image.roll(1, dims=3)) - layer(image).roll(1, dims=3)


def wrapping(image):
    return F.conv2d(F.pad(image, (1, 1, 1, 1), mode="circular"), weight)


agree("moved before and after, with a border that wraps around",
      defect(wrapping, noise), torch.zeros_like(noise), within=1e-12)

# %% [markdown]
# On a picture that wraps around, equivariance is exact, at least for a stride of 1. But networks hardly ever wrap:
# they pad with zeros, so that the answer keeps the size of the picture.
#
# > **Predict before you run.** With zeros around the picture, in which of the 16 columns will moving before and moving
# > after disagree?

# %% tags=["answer"] mystnb={"image": {"alt": "Two maps of 16 by 16 pixels. With a border that wraps around the defect is zero everywhere. With zero padding it is zero but for the columns 0, 1 and 15."}}
def padded(image):
    return F.conv2d(image, weight, padding=1)


zeros = defect(padded, noise)[0, 0]
plots.images([defect(wrapping, noise)[0, 0], zeros],
             ["wrapping border", "zero padding"], columns=2,
             signed=True, shared=True,
             title="On noise, zero padding breaks the symmetry")

# %% tags=["answer", "claim"]
broken = (zeros.abs() > 1e-12).any(0).nonzero().flatten().tolist()
claim("Zero padding breaks equivariance in the columns {value}.",
      str(broken), equals="[0, 1, 15]")

# %% [markdown]
# Zeros spoil the first and the last column of every answer, 0 and 15. If the picture is moved first, the same two are
# spoiled, but if the answer is moved afterwards, its spoiled columns move along, 0 to 1 and 15 around to 0. Each
# further layer widens this band, so padding tells a network where the border is.
#
# ## Backwards
#
# To train a kernel we need to know how the loss changes with each of its weights and, for the layers before it, with
# each pixel. Suppose we know this for each pixel of the answer: `g[i, j]` says how the loss changes with
# `answer[i, j]`.
#
# Ask what a single weight has done. `kernel[a, b]` was on top of the pixel `image[i + a, j + b]` when `answer[i, j]`
# was computed, so its gradient is the sum of `g[i, j] * image[i + a, j + b]` over all places. This sum slides `g`
# over the image, so **the gradient of the kernel is a cross-correlation, with `g` as the kernel.**
#
# Now ask a single pixel. `image[p, q]` was under `kernel[a, b]` when the window was at `(p − a, q − b)`, so its
# gradient is the sum of `g[p − a, q − b] * kernel[a, b]` over all weights, with 0 outside of `g`. The minus signs
# turn the kernel: **the gradient of the picture is a true convolution of `g` and `kernel`.** The bias is added
# everywhere, so its gradient is the sum of `g`.
#
# Let autograd judge, for a `g` drawn at random, which `answer.backward(g)` takes as the gradient of the answer.

# %%
torch.manual_seed(SEED)
pixels = torch.randn(9, 8, dtype=torch.float64, requires_grad=True)
weights = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
answer = ask(pixels, weights)
g = torch.randn_like(answer)
answer.backward(g)

with torch.no_grad():
    for_weights = correlate2d(pixels, g)
    for_pixels = convolve2d(g, weights)
agree("the weights' gradient by hand and by autograd",
      for_weights, weights.grad, within=1e-12)
agree("the pixels' gradient by hand and by autograd",
      for_pixels, pixels.grad, within=1e-12)
transposed = F.conv_transpose2d(g[None, None], weights[None, None])[0, 0]
agree("the pixels' gradient and `F.conv_transpose2d`",
      for_pixels, transposed, within=1e-12)

# %% [markdown]
# Both gradients are the sliding that you have done by hand. The one for the pixels has its own name, *transposed
# convolution*, and networks use it to make small pictures large. The package does the same for batches, channels,
# stride and padding.

# %%
from course_utils.convolution import conv2d_backward

layer = nn.Conv2d(3, 4, kernel_size=3, stride=2, padding=1).double()
images = torch.randn(2, 3, 9, 9, dtype=torch.float64, requires_grad=True)
answer = layer(images)
g = torch.randn_like(answer)
answer.backward(g)
for_images, for_weights, for_biases = conv2d_backward(
    g, images.detach(), layer.weight.detach(), stride=2, padding=1)
agree("a whole layer: the gradient of its images",
      for_images, images.grad, within=1e-12)
agree("a whole layer: the gradient of its weights",
      for_weights, layer.weight.grad, within=1e-12)
agree("a whole layer: the gradient of its biases",
      for_biases, layer.bias.grad, within=1e-12)

# %% [markdown]
# ## Can a kernel be learned?
#
# Every kernel so far was written by a person who knew what to look for. But nobody can write down the numbers that
# say "this is the sleeve of a coat", so a network begins with random kernels, and the gradient moves them until the
# answers are right. Can the gradient that we have just derived do that?
#
# Imagine a camera that changes its pictures in a way that its maker keeps secret. You see the scene and the picture
# that comes out, and would like to find the kernel inside. Begin with a random guess, look how far its answer is from
# the camera's, and step downhill on the mean of the squared errors, as in lesson 1.

# %%
scene = tower[60:140, 100:180]
scene = scene - scene.mean()  # or this LR would be too large
secret = torch.tensor([[-2., -1, 0], [-1, 1, 1], [0, 1, 2]]).double()
from_camera = ask(scene, secret)

# %% [markdown]
# > **Predict before you run.** Will the search end at these nine numbers, or at another kernel that gives the same
# > picture?

# %% tags=["answer"]
torch.manual_seed(SEED)
guess = torch.randn(3, 3).double()
snapshots = {"start": guess}
for step in range(1, STEPS + 1):
    error = ask(scene, guess) - from_camera
    gradient = ask(scene, 2 * error / error.numel())  # g, slid over it
    guess = guess - LR * gradient
    if step in (10, 100, STEPS):
        snapshots[f"step {step}"] = guess

# %% tags=["answer"] mystnb={"image": {"alt": "Five kernels of three by three numbers: random at the start, then after 10, 100 and 1,000 steps, and the camera's own. The last two show the same numbers."}}
rounded = [kernel.round(decimals=1) for kernel in snapshots.values()]
plots.images([*rounded, secret], [*snapshots, "the camera's"],
             columns=5, signed=True, numbers=True, shared=True,
             title="The gradient finds a kernel that nobody has shown it")

# %% tags=["answer", "claim"]
claim("At the end no weight is further than {value:.0e} from the camera's.",
      (guess - secret).abs().max(), at_most=1e-3)

# %% [markdown]
# It finds these numbers, because every place in the picture gives one equation for the same nine unknowns, and a
# photograph is varied enough that only the true kernel solves them all. A wall with vertical stripes would give the
# same few equations over and over, so many kernels would pass.
#
# So this loss is a bowl with one lowest point. A network gets its filters in the same way, but its loss is no bowl,
# and nobody shows it what any filter should answer. It is only told whether the class at the very end was right, and
# the gradient has to work out, back through all layers, what each filter should have said.
#
# ## Exercises
#
# Replace the dots and run the cell. The solution follows each exercise, folded away.
#
# ### Exercise 2.1 · With a pencil
#
# The picture is `[[1, 2, 0], [0, 1, 3], [4, 0, 1]]`, the kernel `[[1, 0], [2, -1]]`. Compute the answer that
# `correlate2d` gives (two rows, two columns) on paper, and type it in as a list of lists.

# %%
pencil = ...
check("2.1", pencil)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 2.1
pencil_solution = [[0, 1], [8, 0]]  # first: 1·1 + 2·0 + 0·2 + 1·(−1) = 0
assert check("2.1", pencil_solution)

# %% [markdown]
# ### Exercise 2.2 · True convolution
#
# Write `true_convolution(image, kernel)` for an image H×W and a kernel K×L: only the places where the kernel fits,
# but *true* convolution. Use `correlate2d` or `F.conv2d`. An impulse must be answered by the kernel as it is.

# %%
def true_convolution(image, kernel):
    ...


check("2.2", true_convolution)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 2.2
def true_convolution_solution(image, kernel):
    return correlate2d(image, kernel.flip(0, 1))  # half a turn


assert check("2.2", true_convolution_solution)

# %% [markdown]
# ### Exercise 2.3 · Count
#
# How many weights and how many parameters does `nn.Conv2d(3, 8, 5)` have? Give both, `(weights, parameters)`.

# %%
counts = ...
check("2.3", counts)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 2.3
counts_solution = (8 * 3 * 5 * 5, 8 * 3 * 5 * 5 + 8)  # one bias a filter
assert check("2.3", counts_solution)

# %% [markdown]
# ### Exercise 2.4 · An edge detector with a scale
#
# Write a 3×3 kernel that answers exactly **1** where the picture rises from 0 to 1 from left to right (with the step
# anywhere in the window), −1 where it falls, and 0 on flat spots and on steps from top to bottom.

# %%
detector = ...
check("2.4", detector)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 2.4
detector_solution = torch.tensor([[-1., 0, 1]] * 3) / 3  # a third a row
assert check("2.4", detector_solution)

# %% [markdown]
# ### Exercise 2.5 · Break it on purpose
#
# Write `position_aware(image)` for N×1×H×W images in `float64`. It must return the same shape, and when the picture
# is rolled by one column to the right, its answer must differ from the moved answer, **not only at the border** but
# in every column. Start from a 3×3 convolution and change one thing. The same picture must always get the same
# answer.

# %%
def position_aware(image):
    ...


check("2.5", position_aware)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 2.5
def position_aware_solution(image):
    column = torch.linspace(0, 1, image.shape[3]).double()  # where it is
    ones = torch.ones(1, 1, 3, 3).double()
    return F.conv2d(image * column, ones, padding=1)


assert check("2.5", position_aware_solution)

# %% [markdown]
# ### Exercise 2.6 · The gradient, with a step
#
# Write `kernel_gradient(image, g, stride)` for a single image H×W and a square kernel, slid with a `stride` of 1 or
# 2. `g` is the gradient of the answer. Return the K×K gradient of the kernel. Each weight still collects `g[i, j]`
# times the pixel it has met. Which pixel is that now? You may assume that no pixel is left over, so K = H −
# stride·(rows of `g` − 1).

# %%
def kernel_gradient(image, g, stride):
    ...


check("2.6", kernel_gradient)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 2.6
def kernel_gradient_solution(image, g, stride):
    height, width = (stride * (size - 1) + 1 for size in g.shape)
    spread = g.new_zeros(height, width)
    spread[::stride, ::stride] = g  # with gaps between its pixels
    return correlate2d(image, spread)


assert check("2.6", kernel_gradient_solution)

# %% [markdown]
# ### Exercise 2.7 · Design a filter for the sun
#
# Our filter finds the berry. Design one that finds the white spot: with a 1×1 kernel for each channel, its answer is
# above 0 on white, and at most 0 on the seven other pure colours, black, red, green, blue, yellow, cyan and magenta.
# Give `(red, green, blue, bias)`.

# %%
sun = ...
check("2.7", sun)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 2.7
sun_solution = (1, 1, 1, -2.5)  # two colours reach 2, white 3
assert check("2.7", sun_solution)

# %% [markdown]
# ### An open question
#
# No checker answers this one, so argue about it with somebody. A dense layer could learn every kernel of a
# convolution, since it only has to set most of its weights to 0. Why is it not simply the better choice, given enough
# memory? Name a kind of picture, real or invented, for which you *would* take the dense layer.

# %% [markdown]
# ## What you can do now
#
# 1. A list forgets neighbours; locality and sharing leave 156 of 3,692,640 parameters.
# 2. Pencil, loops and one matrix product give PyTorch's numbers.
# 3. `Conv2d` computes a cross-correlation; a true convolution turns the kernel first.
# 4. A filter has one kernel for each channel and makes one map; F filters have F·C·K·K weights and F biases.
# 5. The order of additions decides the last digits, and so what "equal" can mean.
# 6. The answer moves with the picture; zero padding breaks this near the border.
# 7. The kernel's gradient is `g` slid over the image, and finds the camera's secret; the pixels' is a true convolution.
#
# ## Further reading
#
# - I. Goodfellow, Y. Bengio, A. Courville, *Deep Learning*, chapter 9: the idea, and its gradients in section 9.5.
# - O. S. Kayhan and J. C. van Gemert, *On translation invariance in CNNs* (arXiv 2003.07064).
# - K. Chellapilla, S. Puri, P. Simard, *High performance convolutional neural networks for document processing* (2006):
#   im2col, brought to convolutional networks.
