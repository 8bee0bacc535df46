"""Every figure style of the book, once. All functions draw and show a figure, and return None."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from . import _figure
from ._arguments import kind, shown, whole
from ._figure import COLOURS, WIDTH, Numbers, Pictures, draw_picture, show_figure

if TYPE_CHECKING:
    from .history import History

Bars: TypeAlias = Mapping[str, Mapping[str, float]]
MARKS = {None: ("", COLOURS["text"]), True: ("✓ ", COLOURS["right"]), False: ("✗ ", COLOURS["wrong"])}


def images(
    pictures: Pictures,
    titles: Sequence[str] | None = None,
    *,
    columns: int = 4,
    signed: bool = False,
    numbers: bool = False,
    shared: bool = False,
    correct: Sequence[bool] | np.ndarray | torch.Tensor | None = None,
    title: str | None = None,
) -> None:
    """A grid of pictures.

    Args:
        pictures: sequence of pictures (see `draw_picture`), or one tensor N×1×H×W or N×3×H×W.
        titles: one short text above each.
        columns: pictures in a row.
        signed, numbers: see `draw_picture`.
        shared: one grey scale (or colour scale, if signed) for all pictures instead of one for each.
        correct: one truth value for each title: green with a tick in front, or red with a cross.
        title: what the figure shows, one sentence.

    Raises:
        TypeError, ValueError: no pictures, a picture of another shape; another number of titles or truth values.

    Example:
        >>> images(torch.rand(8, 1, 28, 28), titles=list("abcdefgh"), title="Noise is not a digit")
    """
    columns = whole("columns", columns, least=1)
    sequence = list | tuple | np.ndarray | torch.Tensor
    kind("pictures", pictures, sequence, "a sequence of pictures")
    if getattr(pictures, "ndim", 1) == 0 or len(pictures) == 0:
        raise ValueError(f"pictures must hold at least one picture; got {shown(pictures)}.")
    for name, values in (("titles", titles), ("correct", correct)):
        if values is not None and len(kind(name, values, sequence, "one for each picture")) != len(pictures):
            raise ValueError(f"{name} must hold one for each of {len(pictures)} pictures; got {len(values)}.")
    rows = math.ceil(len(pictures) / columns)
    height, width, *_ = _figure.array_of(pictures[0]).shape
    above = 0.05 if titles is None else 0.14 + 0.18 * max(1 + str(text).count("\n") for text in titles)
    figure, grid = _figure.make_panels(rows, columns, rows * (WIDTH / columns * height / width + above) + 0.1)
    limit = max(float(np.abs(_figure.array_of(picture)).max()) for picture in pictures) if shared else None
    for axes in grid.flat[len(pictures) :]:
        axes.axis("off")
    for k, (axes, picture) in enumerate(zip(grid.flat, pictures, strict=False)):
        mark, colour = MARKS[None if correct is None else bool(correct[k])]
        name = "" if titles is None else f"{mark}{titles[k]}"
        draw_picture(axes, picture, signed=signed, numbers=numbers, limit=limit, name=name)
        axes.title.set_color(colour)
    show_figure(figure, title)


def curves(
    x: Numbers,
    lines: Mapping[str, Numbers | Mapping[str, Numbers]],
    *,
    title: str,
    xlabel: str,
    ylabel: str = "",
    percent: bool | str = False,
    log: str = "",
    columns: int = 1,
) -> None:
    """Curves over a common axis, in one panel or several side by side.

    Args:
        x: the values along the axis.
        lines: {name: values}, or {panel title: {name: values}} for several panels. A name that is a key of
            `COLOURS` gets that colour; values shorter than x start at its beginning.
        percent: write values from 0 to 1 as percentages: in all panels (True), or in the panel of this title.
        columns: panels in a row.
        log: which axes are logarithmic: "", "x", "y" or "xy".

    Raises:
        TypeError, ValueError: no line, values that are no numbers, or more of them than x has.

    Example:
        >>> curves([1, 2, 3], {"train": [0.9, 0.5, 0.3], "valid": [1.0, 0.7, 0.6]}, title="Both fall", xlabel="epoch")
    """
    x, columns, scales = _figure.numbers_of("x", x), whole("columns", columns, least=1), _figure.scales(log)
    parts: Mapping = lines if isinstance(next(iter(_figure.groups_of("lines", lines).values())), dict) else {"": lines}
    colours = _figure.colours_of(label for part in parts.values() for label in _figure.groups_of("lines", part))
    rows, handles = math.ceil(len(parts) / columns), {}
    figure, grid = _figure.make_panels(rows, columns, 2.9 * rows, sharex="x" in log)
    for axes, (name, part) in zip(grid.flat, parts.items(), strict=False):
        for label, values in part.items():
            if len(_figure.numbers_of(f"lines[{label!r}]", values)) > len(x):
                raise ValueError(f"lines[{label!r}] must hold at most {len(x)} values, as x does; got {len(values)}.")
            marker = "." if sum(value == value for value in values) < 10 else ""  # few: where does each one lie?
            style = {"label": label, "color": colours[label], "linewidth": 2, "marker": marker}
            if label == "published":
                style |= {"marker": "o", "linestyle": ":"}
            [handles[label]] = axes.plot(x[: len(values)], values, **style)
        axes.set(xlabel=xlabel, **scales)
        axes.set_title(name)
        if percent is True or percent == name != "":
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        if "x" not in log and all(float(value).is_integer() for value in x):
            axes.xaxis.set_major_locator(MaxNLocator(10 // columns, steps=[1, 2, 5, 10], integer=True))
    grid[0, 0].set_ylabel(ylabel)
    legend = list(handles.values())  # one for all panels
    if len(legend) > 3:
        _figure.legend_below(figure, legend)
    else:
        grid[0, 0].legend(handles=legend)
    show_figure(figure, title)


def history(run: "History", *, title: str) -> None:
    """Loss and accuracy of a training, epoch by epoch: training and validation split.

    Args:
        run: a `course_utils.history.History` with at least one row.

    Raises:
        TypeError, ValueError: run is no history, or an empty one.

    Example:
        >>> from course_utils.history import Epoch, History, Score
        >>> rows = [Epoch(k, Score(1 / k, 0.8), Score(2 / k, 0.7), lr=0.1, seconds=2.0) for k in (1, 2, 3)]
        >>> history(History(rows), title="The loss falls")
    """
    from .history import History

    if not kind("run", run, History, "a History, as fit returns it"):
        raise ValueError("run must hold at least one epoch; got an empty history.")
    epochs = [row.epoch for row in run]
    parts = {part: {split: run.column(split, part) for split in ("train", "valid")} for part in ("loss", "accuracy")}
    curves(epochs, parts, title=title, xlabel="epoch", percent="accuracy", columns=2)


def bars(groups: Bars, *, title: str, ylabel: str, log: bool = False, horizontal: bool = False) -> None:
    """Groups of bars.

    Args:
        groups: {series: {category: value}}; every series has the same categories. A series that is a key of
            `COLOURS` gets that colour.
        log: logarithmic axis.
        horizontal: one row for each category, the first on top: for many of them, or long names.

    Raises:
        TypeError, ValueError: groups is no such dict, or its series differ in their categories.

    Example:
        >>> bars({"ours": {"MNIST": 0.99, "CIFAR-10": 0.8}}, title="Digits are easier", ylabel="accuracy")
    """
    categories = _categories(groups)
    figure, [[axes]] = _figure.make_panels(1, 1, 0.8 + 0.3 * len(categories) if horizontal else 3.1)
    width = 0.8 / len(groups)
    draw, across, along = (axes.barh, "y", "x") if horizontal else (axes.bar, "x", "y")
    for k, (name, values) in enumerate(groups.items()):
        places = np.arange(len(categories)) + (k - (len(groups) - 1) / 2) * width
        lengths = _figure.numbers_of(f"groups[{name!r}]", [values[category] for category in categories])
        draw(places, lengths, width, label=name, color=COLOURS.get(name))
    if horizontal:
        axes.invert_yaxis()
    axes.set(**{f"{across}ticks": range(len(categories)), f"{across}ticklabels": categories})
    axes.set(**{f"{along}label": ylabel, f"{along}scale": "log" if log else "linear"})
    axes.grid(axis=across, visible=False)
    if len(groups) > 1 or not horizontal:
        _figure.legend_below(figure, axes.containers)
    show_figure(figure, title)


def intervals(groups: Mapping[str, Mapping[str, Numbers]], *, title: str, xlabel: str, percent: bool = False) -> None:
    """Several runs of each thing: a dot for each run, a bar at their mean, a line one standard deviation to both sides.

    One run has no standard deviation, and gets no line.

    Args:
        groups: {series: {category: values of its runs}}; every series has the same categories, one row each, the first
            on top. A series that is a key of `COLOURS` gets that colour.
        percent: write values from 0 to 1 as percentages.

    Raises:
        TypeError, ValueError: groups is no such dict, holds no numbers, or its series differ in their categories.

    Example:
        >>> runs = {"validation": {"plain": [0.61, 0.64, 0.62], "augmented": [0.66, 0.65, 0.69]}}
        >>> intervals(runs, title="Augmentation pays, in three runs", xlabel="accuracy", percent=True)
    """
    categories, colours, handles = _categories(groups), _figure.colours_of(groups), []
    figure, [[axes]] = _figure.make_panels(1, 1, 0.9 + (0.2 + 0.2 * len(groups)) * len(categories))
    for k, (name, rows) in enumerate(groups.items()):
        style = {"markersize": 12, "markeredgewidth": 3, "linewidth": 2, "color": colours[name], "label": name}
        for row, category in enumerate(categories):
            values = _figure.numbers_of(f"groups[{name!r}][{category!r}]", rows[category])
            y = row + 0.8 * (k + 0.5) / len(groups) - 0.4
            sd = values.std(ddof=1) if len(values) > 1 else None
            middle = axes.errorbar(values.mean(), y, xerr=sd, marker="|", **style)
            axes.plot(values, np.full(len(values), y), "o", color=colours[name], markersize=4, alpha=0.6)
        handles.append(middle)
    axes.set(yticks=range(len(categories)), yticklabels=categories, ylim=(len(categories) - 0.5, -0.5), xlabel=xlabel)
    axes.grid(axis="y", visible=False)
    if percent:
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    if len(groups) > 1:
        _figure.legend_below(figure, handles)
    show_figure(figure, title)


def _categories(groups: Mapping[str, Mapping[str, object]]) -> list[str]:
    """The categories that all series share. Raises: TypeError, ValueError."""
    series = _figure.groups_of("groups", groups)
    categories = [list(_figure.groups_of(f"groups[{name!r}]", rows)) for name, rows in series.items()]
    if strange := [name for name, own in zip(series, categories, strict=True) if set(own) != set(categories[0])]:
        raise ValueError(f"groups must share the categories {categories[0]}; got others in {strange[0]!r}.")
    return categories[0]


def scatter(
    groups: Mapping[str, tuple[Numbers, Numbers]],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    log: str = "",
    heights: tuple[Numbers, Numbers, Numbers] | None = None,
) -> None:
    """Points in a plane, one colour for each group; or, with `heights`, paths over a landscape.

    Args:
        groups: {name: (x, y)}, two lists of equally many numbers. A name that is a key of `COLOURS` gets that colour;
            every five groups have another marker.
        log: which axes are logarithmic: "", "x", "y" or "xy".
        heights: (x, y, z), the axes of a map and its height at each place, len(y) × len(x). It is drawn as contour
            lines, and the points of a group are joined in their order.

    Raises:
        TypeError, ValueError: groups is no such dict, x and y are no equally many numbers, or heights no such map.

    Example:
        >>> x = torch.randn(100)
        >>> scatter({"noisy": (x, x + torch.randn(100))}, title="y follows x", xlabel="x", ylabel="y")
    """
    colours, scales = _figure.colours_of(_figure.groups_of("groups", groups)), _figure.scales(log)
    figure, [[axes]] = _figure.make_panels(1, 1, 3.6)
    if heights is not None:
        *sides, z = (_figure.numbers_of("heights", part) for part in kind("heights", heights, tuple, "(x, y, z)"))
        if [len(side) for side in reversed(sides)] != list(z.shape):
            raise ValueError(f"heights must be (x, y, z) with z of shape len(y) × len(x); got {shown(heights)}.")
        levels = z.min() + np.ptp(z) * np.geomspace(1e-4, 1, 16)  # closer together where the ground is low
        axes.contour(*sides, z, levels=levels, colors=COLOURS["line"], linewidths=0.8)
        axes.grid(False)
    for k, (name, pair) in enumerate(groups.items()):
        x, y = (_figure.numbers_of(f"groups[{name!r}]", part) for part in pair)
        if x.shape != y.shape:
            raise ValueError(f"groups[{name!r}] must hold as many x as y; got shapes {x.shape} and {y.shape}.")
        style = {"markersize": 4, "linewidth": 0 if heights is None else 1.5, "color": colours[name]}
        axes.plot(x, y, marker="os^Dv"[k // 5 % 5], alpha=0.7, label=name, **style)
    axes.set(xlabel=xlabel, ylabel=ylabel, **scales)
    if len(groups) > 1:
        figure.legend(loc="outside right upper")
    show_figure(figure, title)


def confusion(matrix: np.ndarray | torch.Tensor, classes: Sequence[str], *, title: str) -> None:
    """A confusion matrix as a heat-map: rows are the true classes, columns the answers.

    Off the diagonal the colours are scaled to the largest confusion, so that a few errors among many right answers
    still show.

    Args:
        matrix: classes × classes. Whole numbers are counts; others are shares from 0 to 1, such as recall or
            precision, and are written in per cent, those below one half left out.
        classes: their names.

    Raises:
        TypeError, ValueError: a matrix that is not square or holds no numbers, or not one name for each row.

    Example:
        >>> confusion(np.array([[48, 2], [5, 45]]), ["cat", "dog"], title="Dogs are taken for cats")
    """
    import seaborn

    matrix = _figure.numbers_of("matrix", matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"matrix must be square, classes × classes; got shape {matrix.shape}.")
    if len(kind("classes", classes, list | tuple, "a list of names")) != len(matrix):
        raise ValueError(f"classes must hold one name for each of {len(matrix)} rows; got {len(classes)}.")
    written = matrix.astype(str)
    if not np.issubdtype(matrix.dtype, np.integer):
        percent = np.round(100 * matrix).astype(int)
        written = np.where(percent == 0, "", percent.astype(str))
    errors = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    figure, [[axes]] = _figure.make_panels(1, 1, 0.78 * WIDTH)
    names = {"xticklabels": classes, "yticklabels": classes}
    style = {"cmap": "Oranges", "cbar": False, "square": True, "linewidths": 0.5, "linecolor": COLOURS["line"]}
    seaborn.heatmap(errors, annot=written, fmt="", ax=axes, **style, **names)
    axes.set(xlabel="answer", ylabel="truth")
    axes.tick_params(length=0)
    axes.grid(False)
    show_figure(figure, title)


def reliability(answers: Mapping[str, tuple[torch.Tensor, torch.Tensor]], *, bins: int = 10, title: str) -> None:
    """Reliability diagrams side by side: how often the answers of each confidence are right.

    Dots on the diagonal are well calibrated; the area of a dot grows with the number of answers in its bin.

    Args:
        answers: {panel title: (confidence, correct)}, as for `metrics.reliability`.
        bins: equal parts of the range from 0 to 1.

    Raises:
        TypeError, ValueError: answers is no such dict, or holds what `metrics.reliability` refuses.

    Example:
        >>> confidence = torch.rand(200)
        >>> correct = torch.rand(200) < confidence
        >>> reliability({"before": (confidence, correct)}, title="Well calibrated")
    """
    from .metrics import reliability as bins_of  # the other figures have no use for it

    for name, pair in _figure.groups_of("answers", answers).items():
        if len(kind(f"answers[{name!r}]", pair, tuple | list, "a pair (confidence, correct)")) != 2:
            raise ValueError(f"answers[{name!r}] must be a pair (confidence, correct); got {shown(pair)}.")
    parts = {name: bins_of(*pair, bins=bins) for name, pair in answers.items()}
    figure, grid = _figure.make_panels(1, len(parts), 3.3, sharey=True)
    for axes, (name, rows) in zip(grid[0], parts.items(), strict=True):
        stated, reached, shares = ([getattr(row, key) for row in rows] for key in ("confidence", "accuracy", "share"))
        areas = [20 + 400 * share for share in shares]
        axes.plot([0, 1], [0, 1], linestyle="--", color=COLOURS["published"])
        axes.vlines(stated, stated, reached, color=COLOURS["wrong"], linewidth=2)
        axes.scatter(stated, reached, s=areas, color=COLOURS["valid"], zorder=3, clip_on=False)
        axes.set(title=name, xlabel="confidence", xlim=(0, 1.04), ylim=(0, 1.04), aspect="equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1))
    grid[0, 0].set_ylabel("accuracy")
    show_figure(figure, title)


def distribution(groups: Mapping[str, Numbers], *, title: str, xlabel: str) -> None:
    """How values are spread: one histogram in outline for each group, all with the same bins.

    Args:
        groups: {name: values}.

    Raises:
        TypeError, ValueError: groups is no such dict, or values are no numbers.

    Example:
        >>> distribution({"narrow": torch.randn(500), "wide": 3 * torch.randn(500)}, title="Two widths", xlabel="value")
    """
    import seaborn

    groups = _figure.groups_of("groups", groups)
    arrays = {name: _figure.numbers_of(f"groups[{name!r}]", group).ravel() for name, group in groups.items()}
    figure, [[axes]] = _figure.make_panels(1, 1, 2.9)
    style = {"bins": np.histogram_bin_edges(np.concatenate(list(arrays.values())), bins=60), "linewidth": 2}
    for name, values in arrays.items():
        seaborn.histplot(x=values, element="step", fill=False, label=name, color=COLOURS.get(name), ax=axes, **style)
    axes.set(xlabel=xlabel, ylabel="count")
    axes.legend()
    show_figure(figure, title)
