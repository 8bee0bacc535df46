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
# **Read** 25 min · **Run** 10 s on two CPU cores · **Before this** lesson 1
#
# ## What you will be able to do
#
# 1. Compute a convolution with a pencil, with loops, and with one matrix product, and get PyTorch's numbers each time.
# 2. Say what `Conv2d` computes that the convolution of a mathematics book does not.
# 3. Count the weights of a convolution, and of the dense layer that it replaces.
# 4. Say why two correct programs differ in the fourteenth place in `float64`, and in the sixth in `float32`.
# 5. Predict where moving the picture moves the answer, and where it does not.
# 6. Write down the gradients of a convolution.

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

from course_utils import agree, check, claim, count_parameters, diagrams, load, plots

# %% [markdown]
# These numbers are yours to change. Everything below is seeded from `SEED`, and computed on the CPU on purpose: this
# lesson is about arithmetic.

# %%
SEED = 0
TRIALS = 100  # random convolutions to compare with PyTorch's

# %% [markdown]
# ## A vector forgets the picture
#
# A *dense* layer (in PyTorch `nn.Linear`) reads a picture as one long list of pixels. Here is a digit, and the same
# digit one pixel further to the right. To you nothing has happened. What happens to the list?

# %% mystnb={"image": {"alt": "A handwritten digit two, and the same digit moved by one pixel to the right. They look alike."}}
mnist = load("mnist")
digit = mnist.train.x[mnist.train.y == 2][0, 0].double() / 255
moved = digit.roll(1, dims=1)
plots.images([digit, moved], ["a digit", "moved by one pixel"], columns=3)

# %% [markdown]
# We count the pixels of the pen stroke, and how many of them have kept their value. The sentence with a bar at its
# side is a *claim*: if its number were false, the cell would fail. This is how the course states what it has
# computed.

# %%
ink = (digit > 0) | (moved > 0)
kept = (digit == moved)[ink].double().mean()
claim("Of the inked pixels, {value:.0%} keep their value when the digit moves.", kept, at_most=0.5)

# %% [markdown]
# For a dense layer these are two different inputs, and it must learn the digit anew at every place. It also does not
# care how the pixels are ordered: shuffle them, shuffle its weights in the same way, and it answers as before. The
# list still holds every pixel. What is lost is the idea that neighbours belong together.

# %%
torch.manual_seed(SEED)
dense = nn.Linear(28 * 28, 10).double()
order = torch.randperm(28 * 28)
shuffled = F.linear(digit.flatten()[order], dense.weight[:, order], dense.bias)
difference = (shuffled - dense(digit.flatten())).abs().max()
claim("Pixels and weights shuffled, a dense layer's answer changes by {value:.0e}.",
      difference, at_most=1e-12)

# %% [markdown]
# And it is expensive. Suppose we want six new pictures of 28×28 from one. A dense layer joins each new pixel to each
# old one, and adds to each new pixel one more number, its *bias*. A convolution joins it to a small window only
# (*local connectivity*), and uses the same weights at every place (*weight sharing*): six *kernels* of 5×5, with one
# bias each.
#
# > **Predict before you run.** How many numbers must each of the two learn?

# %%
joined = count_parameters(nn.Linear(28 * 28, 6 * 28 * 28))
shared = count_parameters(nn.Conv2d(1, 6, kernel_size=5, padding=2))  # padding: see below
claim("The dense layer has {value:,} parameters.", joined, equals=3_692_640)
claim("The convolution has {value} parameters.", shared, equals=156)

# %% [markdown]
# ## One window, one number
#
# Take a picture of five by five pixels with a corner in it, and a *kernel*: a smaller array of weights.

# %%
picture = torch.tensor([[0., 0, 0, 0, 0],
                        [0., 5, 5, 5, 0],
                        [0., 5, 0, 0, 0],
                        [0., 5, 0, 0, 0],
                        [0., 0, 0, 0, 0]])
kernel = torch.tensor([[1., 1],
                       [1., -3]])

# %% [markdown]
# Lay the kernel on the picture. Multiply what lies on top of each other, then add.
#
# > **Predict before you run.** What comes out with the kernel's top left weight on the corner, at row 1 and column 1
# > (counted from 0)? And at row 3, column 3?

# %%
for row, column in [(1, 1), (3, 3)]:
    window = picture[row:row + 2, column:column + 2]
    print(f"row {row}, column {column}: {(window * kernel).sum():g}")

# %% [markdown]
# The weights add up to 0, so a flat spot, where all pixels are equal, answers 0. Three bright pixels around a dark one
# answer most. **A kernel is a question**, and this one asks: *is here the inside of a corner?*
#
# Note that this is no matrix product. `window @ kernel` is something else; `(window * kernel).sum()` is the dot
# product of two lists of four numbers.
#
# ## Ask it everywhere
#
# Two loops carry the question to every place where the kernel fits.

# %%
def correlate2d(image, kernel):
    """Slide `kernel` (K×L) over `image` (H×W): a dot product at each place where it fits."""
    (H, W), (K, L) = image.shape, kernel.shape
    answer = image.new_empty(H - K + 1, W - L + 1)
    for i in range(H - K + 1):
        for j in range(W - L + 1):
            answer[i, j] = (image[i:i + K, j:j + L] * kernel).sum()
    return answer


corners = correlate2d(picture, kernel)
corners

# %% [markdown]
# Below are three of these sixteen steps. Red is a positive number, blue a negative one. Look for the window that gives
# the largest answer, and for one that answers with a minus.

# %% mystnb={"image": {"alt": "Three rows, each with the picture and a framed window, the products of window and kernel, and the answer with one framed pixel: 15 on the corner, minus 15 outside of it, 5 at the end of the stroke."}}
diagrams.sliding_window(picture, kernel, corners, places=[(1, 1), (0, 0), (3, 1)],
                        title="The corner answers 15, its outer side −15")

# %% [markdown]
# The answer has four by four pixels: a kernel of width 2 fits at four places along a line of five. Lesson 3 makes a
# formula of that.
#
# PyTorch has this operation too. It wants a batch of images with channels, so we add two axes with `[None, None]`, and
# take them away again with `[0, 0]`. If ours is the same, no pixel may differ by more than rounding: on the little
# picture, and on the digit with a kernel that is neither square nor symmetric. `agree` compares the two, says in one
# line how far apart they are, and fails if that is more than we allow.

# %%
lopsided = torch.tensor([[1.0, 2, 3], [4, 5, 6]], dtype=torch.float64)
theirs = F.conv2d(picture[None, None], kernel[None, None])[0, 0]
agree("our loops and `F.conv2d`, on the little picture", corners, theirs, within=0)
theirs = F.conv2d(digit[None, None], lopsided[None, None])[0, 0]
agree("our loops and `F.conv2d`, on the digit",
      correlate2d(digit, lopsided), theirs, within=1e-12)

# %% [markdown]
# ## Is it a convolution?
#
# Send the simplest of all pictures through: one bright pixel in the dark. The answer to it is called the *impulse
# response*.
#
# > **Predict before you run.** The picture is 3×3, the kernel 1, 2, 3, 4 in reading order. Which four numbers come
# > out, and in which order?

# %% mystnb={"image": {"alt": "Three small pictures with numbers: a single one among zeros, the kernel 1 2 3 4, and the answer, in which the kernel appears turned by half a turn as 4 3 2 1."}}
impulse = torch.zeros(3, 3, dtype=torch.float64)
impulse[1, 1] = 1
counting = torch.tensor([[1., 2], [3, 4]], dtype=torch.float64)
response = correlate2d(impulse, counting)
plots.images([impulse, counting, response], ["picture", "kernel", "answer"], columns=3,
             numbers=True, shared=True,
             title="One bright pixel is answered by the kernel, turned around")

# %%
claim("The impulse response is the kernel turned by 180 degrees: {value}.",
      torch.equal(response, counting.flip(0, 1)), equals=True)

# %% [markdown]
# A mathematician's *convolution* answers an impulse with the kernel as it is. So it must turn the kernel first. What
# we have slid is called *cross-correlation*; PyTorch computes that too and calls it `conv2d`, as nearly everyone in
# deep learning does. Nothing is lost: a network that learns its kernels learns them turned or not.
#
# Turning has one beauty. Counted at every place where the two touch, true convolution does not care which of them is
# the picture and which the kernel. (`F.pad` takes left, right, top, bottom.)

# %%
def convolve2d(image, kernel):
    """True convolution, wherever the two touch: turn the kernel, pad the image, slide."""
    K, L = kernel.shape
    padded = F.pad(image, (L - 1, L - 1, K - 1, K - 1))
    return correlate2d(padded, kernel.flip(0, 1))


agree("a picture convolved with a kernel, and the kernel with the picture",
      convolve2d(digit, counting), convolve2d(counting, digit), within=1e-12)

# %% [markdown]
# ## Kernels that people have written
#
# Before kernels were learned, they were designed. These four are classics. *Sobel* kernels compare the two sides of a
# pixel; *blur* takes a mean; *sharpen* adds to a pixel what sets it off from its four neighbours.

# %%
sobel_x = torch.tensor([[-1., 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=torch.float64)
blur = torch.full((5, 5), 1 / 25, dtype=torch.float64)
sharpen = torch.tensor([[0., -1, 0], [-1, 5, -1], [0, -1, 0]], dtype=torch.float64)
kernels = {"Sobel left-right": sobel_x, "Sobel top-down": sobel_x.T,
           "blur": blur, "sharpen": sharpen}

# %% [markdown]
# First on our digit.
#
# > **Predict before you run.** Which strokes of the digit light up under the first Sobel kernel, and which vanish?

# %% mystnb={"image": {"alt": "The digit two under four kernels. Left-right Sobel shows its upright strokes with a red and a blue side, top-down Sobel the level ones; blur softens it, sharpen hardens its edges."}}
answers = [correlate2d(digit, kernel) for kernel in kernels.values()]
plots.images(answers, list(kernels), signed=True, title="The same digit, asked four questions")

# %% [markdown]
# Upright strokes answer the first, level ones the second, slanting ones both: red where it gets brighter, blue where
# it gets darker. Now a photograph, as grey values; for the edges, the size of the answer without its sign. `F.conv2d`
# is faster than our loops, and we know by now that it computes the same.

# %% mystnb={"image": {"alt": "A photograph of a Chinese tower: the original in grey, its left-right edges drawn dark on white, its top-down edges, and a sharpened version."}}
photo = torch.tensor(load_sample_image("china.jpg"), dtype=torch.float64).mean(2) / 255
tower = photo[40:310, 20:350]
edges = [F.conv2d(tower[None, None], sobel[None, None])[0, 0].abs()
         for sobel in (sobel_x, sobel_x.T)]
crisp = F.conv2d(tower[None, None], sharpen[None, None])[0, 0].clamp(0, 1)
titles = ["photograph", "left-right edges", "top-down edges", "sharpened"]
plots.images([tower, *(1 - edge.clamp(0, 1) for edge in edges), crisp], titles, columns=2,
             title="Nine weights find posts and roof lines")

# %% [markdown]
# Posts show under the first Sobel kernel, eaves under the second. Nobody told the kernel about towers.
#
# ## Channels, filters, bias, batches
#
# Colour pictures have three *channels*. The rule grows by one axis: a *filter* has one kernel for each channel; we
# convolve channel by channel and add up, and then add the filter's bias. One filter makes one new picture, a *feature
# map*.

# %%
torch.manual_seed(SEED)
colour = torch.rand(3, 12, 12, dtype=torch.float64)  # C×H×W
conv = nn.Conv2d(in_channels=3, out_channels=16, kernel_size=3).double()
one_filter = conv.weight[0].detach()  # C×K×K
first_map = sum(correlate2d(colour[c], one_filter[c]) for c in range(3)) + conv.bias[0]
agree("the first map, summed over channels by hand, and `Conv2d`'s",
      first_map, conv(colour[None])[0, 0], within=1e-12)

# %% [markdown]
# Sixteen filters make sixteen feature maps. Read the shapes below aloud.

# %%
batch = torch.rand(8, 3, 12, 12, dtype=torch.float64)
print("filters      F×C×K×K", tuple(conv.weight.shape))
print("biases       F      ", tuple(conv.bias.shape))
print("images       N×C×H×W", tuple(batch.shape))
print("feature maps N×F×H×W", tuple(conv(batch).shape))
claim("Weights 16·3·3·3 and 16 biases make {value} parameters.", count_parameters(conv), equals=448)

# %% [markdown]
# So the "2d" in `Conv2d` does not say that its input has two axes. It has four. Two is the number of axes along which
# the kernel slides.
#
# The channels of picture and filter must match. Read this error once in peace; you will meet it again.

# %%
try:
    conv(torch.rand(8, 1, 12, 12, dtype=torch.float64))
except RuntimeError as error:
    print(error)

# %% [markdown]
# `N×C×H×W` is how PyTorch *names* the axes. How the numbers *lie* in memory is another matter: `Tensor.stride()` (not
# the stride of a convolution, which comes below) says how far to jump for the next image, channel, row and column. In
# the *channels-last* format, in which some networks run faster (lesson 6 uses it), the channels of one pixel lie side
# by side. The shape is the same.

# %%
last = batch.to(memory_format=torch.channels_last)
print("usual:        ", tuple(batch.shape), "jumps", batch.stride())
print("channels last:", tuple(last.shape), "jumps", last.stride())
claim("Both hold the same numbers: {value}.", torch.equal(batch, last), equals=True)

# %% [markdown]
# ## One matrix product
#
# Loops explain, but they are slow. Computers are fastest at one thing, the product of two large matrices. So we lay
# out every window as a column, places in reading order; the kernel becomes a row, and *row × matrix* asks the question
# everywhere at once. The trick is called *im2col*.

# %% mystnb={"image": {"alt": "The five by five picture with a framed window; the matrix whose sixteen columns are its windows, the same one framed; the kernel as a row of four; and their product, the sixteen answers, with 15 framed."}}
diagrams.im2col(picture, kernel, at=5,
                title="A convolution is a matrix product, once the windows are columns")

# %% [markdown]
# PyTorch calls the layout `F.unfold`. With channels, a column is a whole block of C·K·K numbers, and each filter is
# one row.

# %%
columns = F.unfold(batch, kernel_size=3)  # N × C·K·K × places
rows = conv.weight.flatten(1)  # F × C·K·K
product = (rows @ columns + conv.bias[:, None]).view(8, 16, 10, 10)
agree("one matrix product and `Conv2d`", product, conv(batch), within=1e-12)

# %% [markdown]
# This is *one* way to compute a convolution. Libraries choose among several, from case to case.
#
# One example proves little. The course's package holds the loops and the matrix product for any number of channels,
# and for two more options: a *padding* of zeros around the picture, and a *stride*, the step from place to place
# (lesson 3). Here both meet PyTorch on random shapes, in `float64` and in `float32`, which networks use.

# %%
from course_utils.convolution import conv2d_im2col, conv2d_loops


def worst_difference(dtype):
    """The largest difference to F.conv2d, of loops or matrix product, in TRIALS convolutions."""
    torch.manual_seed(SEED)
    worst = 0.0
    for _ in range(TRIALS):
        C, filters, K, stride = torch.randint(1, 5, (4,)).tolist()
        x = torch.randn(2, C, 7, 8, dtype=dtype)
        weight = torch.randn(filters, C, K, K, dtype=dtype)
        expected = F.conv2d(x, weight, stride=stride, padding=1)
        for by_hand in (conv2d_loops, conv2d_im2col):
            ours = by_hand(x, weight, stride=stride, padding=1)
            worst = max(worst, (ours - expected).abs().max().item())
    return worst


claim("In `float64`, {value:.0e} is the largest difference.",
      worst_difference(torch.float64), at_most=1e-12)

# %%
claim("In `float32`, {value:.0e} is the largest difference.",
      worst_difference(torch.float32), at_most=1e-4)

# %% [markdown]
# ## Why not exactly equal?
#
# Are our loops a little wrong, then? No. A `float32` keeps about seven digits and rounds after *every* addition. So
# the order of additions matters. The clearest case adds two ones to a large number.
#
# > **Predict before you run.** Both lines below add the same three numbers. Will they agree?

# %%
large, one = torch.tensor(2.0**24), torch.tensor(1.0)
print(f"(large + one) + one = {(large + one) + one:.0f}")
print(f"large + (one + one) = {large + (one + one):.0f}")

# %% [markdown]
# Next to 2²⁴ there is no `float32` that is larger by 1, so a lone one is rounded away, twice. A convolution adds up
# hundreds of products, and each algorithm has its own order. Here is a whole layer, computed in two ways and in both
# precisions. The axis counts digits: −6 means that the two ways differ in the sixth place behind the point. (Pixels
# that agree exactly have no logarithm and are left out.)

# %% mystnb={"image": {"alt": "Two separate groups on an axis of powers of ten: the differences in float64 lie around minus fourteen, those in float32 between minus six and minus five."}}
torch.manual_seed(SEED)
x = torch.randn(2, 64, 12, 12, dtype=torch.float64)
weight = torch.randn(16, 64, 3, 3, dtype=torch.float64)
spread = {}
for dtype in (torch.float64, torch.float32):
    a, b = x.to(dtype), weight.to(dtype)
    difference = (conv2d_loops(a, b) - F.conv2d(a, b)).abs().flatten()
    spread[str(dtype)[6:]] = difference[difference > 0].log10()
plots.distribution(spread, title="The two precisions lie more than eight powers of ten apart",
                   xlabel="log10 of the difference")

# %%
apart = spread["float32"].median() - spread["float64"].median()
steps = torch.tensor(torch.finfo(torch.float32).eps / torch.finfo(torch.float64).eps).log10()
print(f"float32 rounds in steps that are 10^{steps:.1f} times larger")
claim("The medians lie {value:.1f} powers of ten apart.", apart, equals=8.7, within=0.5)

# %% [markdown]
# That is why this course asks for 10⁻¹² in `float64` and is content with 10⁻⁴ in `float32`, with a margin for long
# sums. A real mistake, such as a lopsided kernel turned the wrong way, is thousands of times larger than either.
#
# ## Move the picture, and the answer moves
#
# The same kernel asks everywhere. So if the picture moves, the answer should move along and stay the same otherwise.
# This is *equivariance*, and it is the reason for convolutions. Is it true? We roll a picture by one column, once
# before the convolution and once after it. The picture wraps around: what leaves on the right comes back on the left.

# %%
torch.manual_seed(SEED)
noise = torch.randn(1, 1, 16, 16, dtype=torch.float64)
weight = torch.randn(1, 1, 3, 3, dtype=torch.float64)


def defect(layer, image):
    """layer(moved image) minus moved layer(image), N×C×H×W: zero where the layer is equivariant."""
    return layer(image.roll(1, dims=3)) - layer(image).roll(1, dims=3)


def wrapping(image):
    return F.conv2d(F.pad(image, (1, 1, 1, 1), mode="circular"), weight)


circular = defect(wrapping, noise)
claim("With a border that wraps around, the defect is {value:.0e}.",
      circular.abs().max(), at_most=1e-12)

# %% [markdown]
# Exact. But networks hardly ever wrap; they pad with zeros, so that the answer keeps the size of the picture.
#
# > **Predict before you run.** With zeros around the picture, in which of the 16 columns will moving before and moving
# > after disagree?

# %% mystnb={"image": {"alt": "Two maps of 16 by 16 pixels. With a border that wraps around the defect is zero everywhere. With zero padding it is zero but for the columns 0, 1 and 15."}}
zeros = defect(lambda image: F.conv2d(image, weight, padding=1), noise)
plots.images([circular[0, 0], zeros[0, 0]], ["wrapping border", "zero padding"], columns=2,
             signed=True, shared=True, title="Zero padding breaks the symmetry near the border")

# %%
broken = (zeros[0, 0].abs() > 1e-12).any(0).nonzero().flatten().tolist()
claim("Zero padding breaks equivariance in the columns {value}.", str(broken), equals="[0, 1, 15]")

# %% [markdown]
# Zeros spoil the answer's first and last columns, 0 and 15. Move the picture first: still 0 and 15 are spoiled. Move
# the answer afterwards: the spoiled columns move along, to 1 and 0. Together: 0, 1, 15. Each further layer widens this
# band. So padding tells a network where the border is, for good or ill.
#
# ## Backwards
#
# Training needs two gradients: how the loss changes with each weight, and with each pixel. Suppose that we know the
# gradient `g` of the answer: `g[i, j]` says how the loss changes with `answer[i, j]`.
#
# The weight `kernel[a, b]` has met, at place `(i, j)`, the pixel `image[i + a, j + b]`. So its gradient is the sum of
# `g[i, j] * image[i + a, j + b]` over all places. Read that again: it is `g`, slid over the image. **A
# cross-correlation, with `g` as the kernel.**
#
# The pixel `image[p, q]` was met by `kernel[a, b]` at place `(p − a, q − b)`. So its gradient is the sum of
# `g[p − a, q − b] * kernel[a, b]` over all weights. The minus signs turn the kernel: **a true convolution of `g` and
# `kernel`.** And the bias is added everywhere, so its gradient is the sum of `g`.
#
# `answer.backward(g)` hands `g` to autograd, which then works out the same gradients in its own way.

# %%
torch.manual_seed(SEED)
pixels = torch.randn(9, 8, dtype=torch.float64, requires_grad=True)
weights = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
answer = F.conv2d(pixels[None, None], weights[None, None])[0, 0]
g = torch.randn_like(answer)
answer.backward(g)

with torch.no_grad():
    for_weights, for_pixels = correlate2d(pixels, g), convolve2d(g, weights)
agree("the weights' gradient by hand and by autograd", for_weights, weights.grad, within=1e-12)
agree("the pixels' gradient by hand and by autograd", for_pixels, pixels.grad, within=1e-12)

# %% [markdown]
# Both gradients are the operation that you have slid by hand, so what makes it fast forwards can make it fast
# backwards. The package does the same for batches, channels, stride and padding.

# %%
from course_utils.convolution import conv2d_backward

layer = nn.Conv2d(3, 4, kernel_size=3, stride=2, padding=1).double()
images = torch.randn(2, 3, 9, 9, dtype=torch.float64, requires_grad=True)
answer = layer(images)
g = torch.randn_like(answer)
answer.backward(g)
by_hand = conv2d_backward(g, images.detach(), layer.weight.detach(), stride=2, padding=1)
by_autograd = (images.grad, layer.weight.grad, layer.bias.grad)
for name, ours, theirs in zip(("images", "weights", "biases"), by_hand, by_autograd, strict=True):
    agree(f"a whole layer: the gradient of its {name}", ours, theirs, within=1e-12)

# %% [markdown]
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
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
pencil_solution = [[0, 1], [8, 0]]  # first window: 1·1 + 2·0 + 0·2 + 1·(−1) = 0
assert check("2.1", pencil_solution)

# %% [markdown]
# ### Exercise 2.2 · True convolution
#
# Write `true_convolution(image, kernel)` for an image H×W and a kernel K×L: only the places where the kernel fits
# (unlike `convolve2d` above), but *true* convolution. Use `correlate2d` or `F.conv2d`. An impulse must be answered by
# the kernel as it is.

# %%
def true_convolution(image, kernel):
    ...


check("2.2", true_convolution)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 2.2
def true_convolution_solution(image, kernel):
    return correlate2d(image, kernel.flip(0, 1))  # turned, that is: flipped along both axes


assert check("2.2", true_convolution_solution)

# %% [markdown]
# ### Exercise 2.3 · Count
#
# How many weights and how many parameters has `nn.Conv2d(3, 8, 5)`? Give both, `(weights, parameters)`. Do it in your
# head.

# %%
counts = ...
check("2.3", counts)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 2.3
counts_solution = (8 * 3 * 5 * 5, 8 * 3 * 5 * 5 + 8)  # each filter has 3·5·5 weights and one bias
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
detector_solution = torch.tensor([[-1., 0, 1]] * 3) / 3  # each row says 1/3; the middle has no say
assert check("2.4", detector_solution)

# %% [markdown]
# ### Exercise 2.5 · Break it on purpose
#
# Write `position_aware(image)` for N×1×H×W images in `float64`. It must return the same shape. And when the picture
# moves by one column to the right, its answer must differ from the moved answer, **not only at the border** but in
# every column. Start from a 3×3 convolution and change one thing. The same picture must always get the same answer.

# %%
def position_aware(image):
    ...


check("2.5", position_aware)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 2.5
def position_aware_solution(image):
    column = torch.linspace(0, 1, image.shape[3], dtype=image.dtype)  # where is each pixel?
    return F.conv2d(image * column, torch.ones(1, 1, 3, 3, dtype=image.dtype), padding=1)


assert check("2.5", position_aware_solution)

# %% [markdown]
# ### Exercise 2.6 · The gradient, with a step
#
# Write `kernel_gradient(image, g, stride)` for a single image H×W and a square kernel, slid with a `stride` of 1 or 2
# (the kernel moves by that many pixels). `g` is the gradient of the answer. Return the K×K gradient of the kernel.
# Each weight still collects `g[i, j]` times the pixel it has met. Which pixel is that now? You may assume that no
# pixel is left over, so K = H − stride·(rows of `g` − 1).

# %%
def kernel_gradient(image, g, stride):
    ...


check("2.6", kernel_gradient)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 2.6
def kernel_gradient_solution(image, g, stride):
    spread = g.new_zeros(stride * (g.shape[0] - 1) + 1, stride * (g.shape[1] - 1) + 1)
    spread[::stride, ::stride] = g  # g, with gaps between its pixels: a dilated kernel
    return correlate2d(image, spread)


assert check("2.6", kernel_gradient_solution)

# %% [markdown]
# ## What you can do now
#
# 1. Compute a convolution with a pencil, with loops, and with one matrix product, and get PyTorch's numbers each time.
# 2. Say that `Conv2d` computes a cross-correlation: a true convolution turns the kernel first.
# 3. Count: F·C·K·K weights and F biases, whatever the size of the picture.
# 4. Say why the order of additions decides the last digits, and so what "equal" can mean.
# 5. Predict that the answer moves with the picture, and that zero padding breaks this near the border.
# 6. Write the gradients: `g` slid over the image for the kernel, a true convolution of `g` and kernel for the pixels.
#
# ## Further reading
#
# - V. Dumoulin and F. Visin, *A guide to convolution arithmetic for deep learning* (arXiv 1603.07285): every case,
#   drawn.
# - I. Goodfellow, Y. Bengio, A. Courville, *Deep Learning*, chapter 9: the idea, and its gradients in section 9.5.
# - O. S. Kayhan and J. C. van Gemert, *On translation invariance in CNNs* (arXiv 2003.07064): what networks do with
#   the border.
# - K. Chellapilla, S. Puri, P. Simard, *High performance convolutional neural networks for document processing*
#   (2006): im2col, brought to convolutional networks.
