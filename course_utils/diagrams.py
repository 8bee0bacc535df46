"""Diagrams drawn from the numbers that they explain. All functions show a figure and return None."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.patches import Rectangle

from .plots import COLOURS, WIDTH, draw_picture, show_figure
from .shapes import conv_output_size


def _frame(axes, row, column, height, width):
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), width, height, fill=False, color=COLOURS["frame"], linewidth=3))


def sliding_window(image, kernel, answer, places, *, title):
    """A strip of pictures: the kernel lies on the image at each of the places, and on the right stands its answer.

    Args:
        image: H×W tensor.
        kernel: K×L tensor.
        answer: (H−K+1)×(W−L+1) tensor, the convolution of the two.
        places: sequence of (row, column) in the answer.
    """
    (K, L), count = kernel.shape, len(places)
    figure, grid = plt.subplots(
        count, 3, figsize=(WIDTH, 1.95 * count + 0.5), width_ratios=[image.shape[1], L + 1.5, answer.shape[1]]
    )
    for k, (row, column) in enumerate(places):
        left, middle, right = np.atleast_2d(grid)[k]
        window = image[row : row + K, column : column + L]
        draw_picture(left, image, numbers=True)
        _frame(left, row, column, K, L)
        draw_picture(
            middle, window * kernel, signed=True, numbers=True, limit=float(image.max() * kernel.abs().max())
        )
        draw_picture(right, answer, signed=True, numbers=True)
        _frame(right, row, column, 1, 1)
        middle.set_xlabel(f"sum: {(window * kernel).sum():g}")
        if not k:
            for axes, name in zip((left, middle, right), ("picture", "window × kernel", "answer"), strict=True):
                axes.set_title(name, loc="center", fontsize=11)
    show_figure(figure, title)


def im2col(image, kernel, *, at, title):
    """The image, its windows as the columns of a matrix, and the kernel as a row that multiplies them.

    Args:
        image: H×W tensor.
        kernel: K×L tensor.
        at: number of the column that is framed in both.
    """
    K, L = kernel.shape
    columns = torch.nn.functional.unfold(image[None, None], (K, L))[0]
    across = image.shape[1] - L + 1
    figure, (top, bottom) = plt.subplots(2, 2, figsize=(WIDTH, 4.4), width_ratios=[1, 2.6], height_ratios=[1.25, 1])
    draw_picture(top[0], image, numbers=True)
    _frame(top[0], at // across, at % across, K, L)
    top[0].set_title("picture", loc="center", fontsize=11)
    draw_picture(top[1], columns, numbers=True)
    _frame(top[1], 0, at, K * L, 1)
    top[1].set_title("its windows, one in each column", loc="center", fontsize=11)
    draw_picture(bottom[0], kernel.reshape(1, -1), signed=True, numbers=True)
    bottom[0].set_title("kernel, as a row", loc="center", fontsize=11)
    draw_picture(bottom[1], kernel.reshape(1, -1) @ columns, signed=True, numbers=True)
    _frame(bottom[1], 0, at, 1, 1)
    bottom[1].set_title("row × matrix: all answers at once", loc="center", fontsize=11)
    show_figure(figure, title)


def places(settings, *, title):
    """Every place that a kernel takes along a line of pixels, one place below the other; two panels in a row.

    White squares are pixels, grey ones padding, orange ones what the kernel reads. A cross marks a pixel that it reads
    nowhere.

    Args:
        settings: for each panel the arguments of `conv_output_size`, such as {"size": 5, "kernel_size": 3}.
    """
    counts = [conv_output_size(**setting) for setting in settings]
    heights = [max(counts[row : row + 2]) + 2 for row in range(0, len(counts), 2)]
    size = (WIDTH, 0.3 * sum(heights) + 0.4)
    figure, grid = plt.subplots(len(heights), 2, figsize=size, squeeze=False, height_ratios=heights)
    first = min(-setting.get("padding", 0) for setting in settings)
    end = max(setting["size"] + setting.get("padding", 0) for setting in settings)
    for k, axes in enumerate(grid.flat):
        axes.set(xlim=(first - 1, end + 1), ylim=(1 - heights[k // 2], 1.1))
        axes.axis("off")
        if k < len(settings):
            _line_of_places(axes, settings[k], counts[k])
    show_figure(figure, title)


def _line_of_places(axes, setting, count):
    """One panel of `places`: the line of pixels at the top, and below it what the kernel reads at each place."""
    signs = {"size": "H", "kernel_size": "K", "stride": "S", "padding": "P", "dilation": "D"}
    sizes = ", ".join(f"{sign} = {setting[name]}" for name, sign in signs.items() if name in setting)
    axes.set_title(f"{sizes}  →  {count}", fontsize=11, loc="center")
    padding = setting.get("padding", 0)
    taps = np.arange(setting["kernel_size"]) * setting.get("dilation", 1) - padding
    read = np.arange(count)[:, None] * setting.get("stride", 1) + taps  # place × weight: the pixel that they meet
    for x in range(-padding, setting["size"] + padding):
        inside = 0 <= x < setting["size"]
        axes.add_patch(Rectangle((x, 0), 1, 1, facecolor="white" if inside else "#CCCCCC", edgecolor="#666666"))
        if inside and x not in read:
            axes.plot([x + 0.2, x + 0.8, np.nan, x + 0.2, x + 0.8], [0.2, 0.8, np.nan, 0.8, 0.2], color="black")
    for (place, _), x in np.ndenumerate(read):
        axes.add_patch(Rectangle((x, -place - 1), 1, 0.75, facecolor=COLOURS["frame"], edgecolor="white"))


def architecture(model, input_shape, *, title):
    """A network as a row of blocks, one for each layer that changes the shape, with shapes and parameters from a real
    forward pass.

    Args:
        model: an `nn.Sequential`.
        input_shape: with the batch axis, such as (1, 1, 28, 28).
    """
    x = torch.zeros(input_shape)
    blocks = [("input", tuple(x.shape[1:]), 0)]
    for layer in model:
        shape, x = x.shape, layer(x)
        count = sum(parameter.numel() for parameter in layer.parameters())
        if x.shape != shape or count:
            blocks.append((type(layer).__name__, tuple(x.shape[1:]), count))
    figure, axes = plt.subplots(figsize=(WIDTH, 0.5 * len(blocks) + 0.5))
    largest = max(np.prod(shape) for _, shape, _ in blocks)
    for k, (name, shape, count) in enumerate(blocks):
        length = 0.06 + 0.94 * (np.prod(shape) / largest) ** 0.5
        axes.barh(-k, length, height=0.6, color=COLOURS["train"] if count else "#BBBBBB")
        axes.text(-0.03, -k, name, ha="right", va="center")
        axes.text(1.04, -k, " × ".join(map(str, shape)), ha="left", va="center")
        axes.text(1.62, -k, f"{count:,}" if count else "–", ha="right", va="center")
    axes.text(1.04, 0.75, "shape", ha="left", color="#666666")
    axes.text(1.62, 0.75, "parameters", ha="right", color="#666666")
    axes.set(xlim=(-0.42, 1.65), ylim=(-len(blocks) + 0.4, 1.1))
    axes.axis("off")
    show_figure(figure, title)
