"""Every figure is drawn, returns None, and refuses what it cannot draw."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course_utils import diagrams, plots
from course_utils.networks import lenet
from course_utils.training import Epoch, History, Score

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def figures(monkeypatch):
    """The figures that were drawn; `plt.show` in a notebook draws them to the page."""
    drawn = []
    monkeypatch.setattr(plt, "show", lambda: drawn.append(plt.gcf()))
    yield drawn
    for figure in drawn:
        figure.canvas.draw()
    assert len(drawn) == 1
    plt.close("all")


PICTURE, KERNEL = torch.arange(20.0).view(4, 5), torch.tensor([[1.0, -1], [0, 2]])


@pytest.mark.parametrize(
    "pictures",
    [
        torch.rand(5, 1, 8, 8),
        torch.rand(3, 3, 8, 8),
        [torch.rand(8, 8), np.zeros((8, 8))],
        torch.randint(0, 256, (2, 1, 4, 4)).byte(),
    ],
)
def test_images_takes_every_kind_of_picture(pictures, figures):
    titles = [str(k) for k in range(len(pictures))]
    assert plots.images(pictures, titles, columns=3, title="Pictures") is None
    assert sum(bool(axes.images) for axes in figures[0].axes) == len(pictures)


def test_numbers_are_written_into_the_pixels(figures):
    plots.images([torch.tensor([[1.0, -0.0]])], numbers=True)
    assert [text.get_text() for text in figures[0].axes[0].texts] == ["1", "0"]


def test_curves_in_one_and_in_two_panels(figures):
    assert (
        plots.curves(
            [1, 2, 3],
            {"a": {"train": [1, 2, 3]}, "b": {"train": [1, 2], "published": [3]}},
            title="T",
            xlabel="x",
            columns=2,
        )
        is None
    )
    assert [len(axes.lines) for axes in figures[0].axes] == [1, 2]


def test_one_panel_of_curves(figures):
    plots.curves(range(3), {"train": [0.1, 0.2, 0.3]}, title="T", xlabel="x", percent=True)
    assert figures[0].axes[0].lines[0].get_color() == plots.COLOURS["train"]


def test_a_history(figures):
    run = History([Epoch(k, Score(1 / k, 0.5), Score(2 / k, 0.4), 0.1, 1.0) for k in (1, 2)])
    assert plots.history(run, title="T") is None
    assert figures[0].axes[0].lines[1].get_ydata().tolist() == [2.0, 1.0]


def test_bars(figures):
    assert plots.bars({"tanh": {"a": 1, "b": 2}, "relu": {"a": 3, "b": 4}}, title="T", ylabel="y", log=True) is None
    assert [bar.get_height() for bar in figures[0].axes[0].patches] == [1, 2, 3, 4]


def test_a_confusion_matrix_writes_every_count(figures):
    matrix = np.array([[5, 1], [0, 9]])
    assert plots.confusion(matrix, ["cat", "dog"], title="T") is None
    assert [text.get_text() for text in figures[0].axes[0].texts] == ["5", "1", "0", "9"]


def test_a_distribution(figures):
    assert plots.distribution({"a": torch.randn(100), "b": torch.randn(100)}, title="T", xlabel="x") is None
    assert figures[0].axes[0].get_legend() is not None


def test_the_sliding_window_writes_the_sum_of_each_window(figures):
    answer = torch.nn.functional.conv2d(PICTURE[None, None], KERNEL[None, None])[0, 0]
    assert diagrams.sliding_window(PICTURE, KERNEL, answer, [(0, 0), (2, 3)], title="T") is None
    assert [axes.get_xlabel() for axes in figures[0].axes[1::3]] == [f"sum: {answer[0, 0]:g}", f"sum: {answer[2, 3]:g}"]


def test_im2col_shows_the_answer_of_the_convolution(figures):
    assert diagrams.im2col(PICTURE, KERNEL, at=3, title="T") is None
    answer = torch.nn.functional.conv2d(PICTURE[None, None], KERNEL[None, None]).flatten().tolist()
    assert [float(text.get_text()) for text in figures[0].axes[3].texts] == answer


def test_the_architecture_shows_shapes_and_counts(figures):
    assert diagrams.architecture(lenet(), (1, 1, 28, 28), title="T") is None
    words = [text.get_text() for text in figures[0].axes[0].texts]
    assert {"16 × 5 × 5", "48,120", "6 × 28 × 28"} <= set(words)


@pytest.mark.parametrize(("pictures", "words"), [([], "no pictures"), ([torch.zeros(2, 4, 4)], "H×W")])
def test_what_is_no_picture_is_refused(pictures, words, figures):
    with pytest.raises(ValueError, match=words):
        plots.images(pictures)
    figures.append(plt.figure())


@pytest.mark.parametrize(("percent", "written"), [(True, [True, True]), ("b", [False, True]), (False, [False, False])])
def test_percentages_stand_where_they_are_asked(percent, written, figures):
    plots.curves([0, 1], {"a": {"x": [0, 1]}, "b": {"x": [0, 1]}}, title="T", xlabel="x", percent=percent, columns=2)
    figures[0].canvas.draw()
    labels = [[label.get_text() for label in axes.get_yticklabels()] for axes in figures[0].axes]
    assert [all(text.endswith("%") for text in texts) for texts in labels] == written


def test_sides_frame_each_picture_in_the_colour_of_its_split(figures):
    pictures = torch.rand(2, 3, 1, 4, 4)
    in_valid = torch.tensor([[True, False, False], [False, False, True]])
    assert diagrams.sides(pictures, {"a": in_valid, "b": ~in_valid}, title="T") is None
    colours = [axes.spines["left"].get_edgecolor() for axes in figures[0].axes]
    expected = [*in_valid.flatten(), *(~in_valid).flatten()]
    assert colours == [matplotlib.colors.to_rgba(plots.COLOURS["valid" if k else "train"]) for k in expected]
