"""Every figure is drawn, returns None, and refuses what it cannot draw."""

import base64
import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from course_utils import _figure, diagrams, plots
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


def luminance(colour):
    """Relative luminance as WCAG 2 defines it, from 0 to 1."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


CYCLE = {f"line {k}": colour for k, colour in enumerate(matplotlib.rcParams["axes.prop_cycle"].by_key()["color"])}
LETTERS = {name: matplotlib.rcParams[name] for name in ("text.color", "axes.labelcolor", "xtick.labelcolor")}


@pytest.mark.parametrize(
    "colour", (plots.COLOURS | CYCLE | LETTERS).values(), ids=(plots.COLOURS | CYCLE | LETTERS).keys()
)
@pytest.mark.parametrize("page", ["#ffffff", "#14181e"])
def test_colours_stand_out_from_light_pages_and_from_dark_ones(colour, page, figures):
    dark, bright = sorted([luminance(to_rgb(colour)), luminance(page)])
    assert (bright + 0.05) / (dark + 0.05) >= 3
    figures.append(plt.figure())


@pytest.fixture
def shown(monkeypatch, figures):
    """What a notebook is given to show: (data of each kind, sizes)."""
    outputs = []
    monkeypatch.setattr(_figure, "get_ipython", lambda: "a notebook's shell")
    monkeypatch.setattr(_figure, "display", lambda data, raw, metadata: outputs.append((data, metadata)))
    yield outputs
    figures.append(plt.figure())


def test_in_a_notebook_a_chart_is_a_drawing_below_its_title(shown):
    plots.curves([1, 2], {"train": [1, 2]}, title="a < b", xlabel="x")
    (title, _), (chart, size) = shown
    assert "a &lt; b" in title["text/html"] and title["text/plain"] == "a < b"
    assert chart["image/svg+xml"].count("<svg") == 1 and "a < b" not in chart["image/svg+xml"]
    assert size["image/svg+xml"]["width"] == round(96 * _figure.WIDTH) <= 560


def test_in_a_notebook_pictures_are_pixels_twice_as_many_as_the_page_shows(shown):
    plots.images(torch.rand(4, 1, 8, 8))
    [(picture, size)] = shown
    pixels = Image.open(io.BytesIO(base64.b64decode(picture["image/png"])))
    assert pixels.mode == "P" and abs(pixels.width - 2 * size["image/png"]["width"]) <= 2
    assert "transparency" in pixels.info


def test_a_heavy_chart_is_pixels(shown):
    x = torch.rand(5_000)
    plots.scatter({"many": (x, x)}, title="T", xlabel="x", ylabel="y")
    assert "image/png" in shown[1][0] and not plt.get_fignums()  # shown once: nothing is left for Jupyter to show


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


def test_horizontal_bars_begin_at_the_top_and_need_no_legend_for_one_series(figures):
    plots.bars({"x": {"a": 1, "b": 2}}, title="T", ylabel="y", horizontal=True)
    axes = figures[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"] and axes.yaxis_inverted()
    assert [bar.get_width() for bar in axes.patches] == [1, 2] and axes.get_xlabel() == "y"
    assert axes.get_legend() is None


def test_intervals_show_each_run_their_mean_and_one_standard_deviation(figures):
    plots.intervals({"valid": {"a": [1, 2, 3], "b": [5]}, "train": {"a": [4, 6], "b": [7, 7]}}, title="T", xlabel="x")
    axes = figures[0].axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [dot.get_xdata().tolist() for dot in dots] == [[1, 2, 3], [5], [4, 6], [7, 7]]
    assert [line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "|"] == [[2], [5], [5], [7]]
    spans = [part.get_segments()[0][:, 0].tolist() for part in axes.collections]
    assert spans == [[1, 3], pytest.approx([5 - 2**0.5, 5 + 2**0.5]), [7, 7]]  # none for the single run
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"] and axes.yaxis_inverted()


@pytest.mark.parametrize("other", [{"x": [1]}, {"x": [1], "y": [1], "z": [1]}, {}])
@pytest.mark.parametrize(
    "plot",
    [
        lambda groups: plots.intervals(groups, title="T", xlabel="x"),
        lambda groups: plots.bars(groups, title="T", ylabel="y"),
    ],
)
def test_series_with_other_categories_are_refused(plot, other, figures):
    with pytest.raises(ValueError, match="must share the categories|at least one entry"):
        plot({"a": {"x": [1], "y": [2]}, "b": other})
    figures.append(plt.figure())


def test_points_of_each_group(figures):
    plots.scatter({str(k): ([k, 1], torch.tensor([2.0, k])) for k in range(6)}, title="T", xlabel="x", ylabel="y")
    groups = figures[0].axes[0].lines
    assert [group.get_xydata().tolist() for group in groups] == [[[k, 2], [1, k]] for k in range(6)]
    assert len({(group.get_color(), group.get_marker()) for group in groups}) == 6, "two groups look alike"
    assert {group.get_linewidth() for group in groups} == {0}


VALLEY = [[x**2 + 9 * y**2 for x in (-1, 0, 1, 2)] for y in (-1, 0, 1)]
LABELS = {"title": "T", "xlabel": "x", "ylabel": "y"}


def test_paths_over_a_landscape(figures):
    plots.scatter({"down": ([2, 0], [1, 0])}, **LABELS, heights=([-1, 0, 1, 2], [-1, 0, 1], VALLEY))
    axes = figures[0].axes[0]
    [lines] = axes.collections
    assert len(lines.get_paths()) == 16 and axes.lines[0].get_linewidth() > 0


@pytest.mark.parametrize("x, y", [([-1, 0, 1], [-1, 0, 1, 2]), ([-1, 0, 1, 2], [0, 1])])
def test_a_landscape_needs_its_axes(x, y, figures):
    with pytest.raises(ValueError, match=r"len\(y\) × len\(x\)"):
        plots.scatter({"down": ([2, 0], [1, 0])}, **LABELS, heights=(x, y, VALLEY))
    figures.append(plt.figure())


def test_as_many_x_as_y(figures):
    with pytest.raises(ValueError, match="as many x as y"):
        plots.scatter({"a": ([1, 2], [3])}, title="T", xlabel="x", ylabel="y")
    figures.append(plt.figure())


def test_a_confusion_matrix_writes_every_count(figures):
    matrix = np.array([[5, 1], [0, 9]])
    assert plots.confusion(matrix, ["cat", "dog"], title="T") is None
    assert [text.get_text() for text in figures[0].axes[0].texts] == ["5", "1", "0", "9"]


def test_shares_are_written_in_per_cent_and_what_rounds_to_0_is_left_out(figures):
    plots.confusion(torch.tensor([[0.996, 0.004], [0.126, 0.874]]), ["cat", "dog"], title="T")
    assert [text.get_text() for text in figures[0].axes[0].texts] == ["100", "", "13", "87"]


@pytest.mark.parametrize("matrix", [np.eye(3, dtype=int), np.ones((2, 3)), np.ones(2)])
def test_a_matrix_that_does_not_fit_its_classes_is_refused(matrix, figures):
    with pytest.raises(ValueError, match="matrix must be square|one name for each of 3"):
        plots.confusion(matrix, ["cat", "dog"], title="T")
    figures.append(plt.figure())


def test_reliability_puts_a_dot_where_confidence_meets_accuracy(figures):
    answers = torch.tensor([0.2, 0.9, 0.4, 1.0]), torch.tensor([False, True, True, True])
    assert plots.reliability({"before": answers, "after": answers}, bins=2, title="T") is None
    for axes in figures[0].axes:
        assert axes.collections[1].get_offsets().data == pytest.approx(np.array([[0.3, 0.5], [0.95, 1.0]]))


def test_right_and_wrong_titles_differ_in_colour_and_without_it(figures):
    plots.images(torch.rand(2, 1, 4, 4), ["a", "b"], correct=torch.tensor([True, False]))
    titles = [axes.title for axes in figures[0].axes[:2]]
    assert [title.get_text() for title in titles] == ["✓ a", "✗ b"]
    assert [title.get_color() for title in titles] == [plots.COLOURS["right"], plots.COLOURS["wrong"]]


@pytest.mark.parametrize("options", [{"titles": ["one"]}, {"titles": ["a", "b"], "correct": [True]}])
def test_each_picture_has_its_title_and_truth_value(options, figures):
    with pytest.raises(ValueError, match="one for each of 2 pictures"):
        plots.images(torch.rand(2, 1, 4, 4), **options)
    figures.append(plt.figure())


def test_a_distribution(figures):
    assert plots.distribution({"a": torch.randn(100), "b": torch.randn(100)}, title="T", xlabel="x") is None
    assert figures[0].axes[0].get_legend() is not None


def test_im2col_shows_the_answer_of_the_convolution(figures):
    assert diagrams.im2col(PICTURE, KERNEL, at=3, title="T") is None
    answer = torch.nn.functional.conv2d(PICTURE[None, None], KERNEL[None, None]).flatten().tolist()
    assert [float(text.get_text()) for text in figures[0].axes[3].texts] == answer


def test_each_job_is_coloured_in_the_column_of_its_split(figures):
    jobs = {"learns": ["train", "test"], "chooses": "test", "judges": "test"}
    assert diagrams.who_sees_what({"train": 45_000, "test": 10_000}, {"A": jobs, "B": jobs}, title="T") is None
    for axes in figures[0].axes:
        assert [text.get_text() for text in axes.get_xticklabels()] == ["train\n45,000", "test\n10,000"]
        filled = [patch.get_xy() for patch in axes.patches if patch.get_facecolor()[3]]
        assert [(int(x), int(y)) for x, y in filled] == [(0, 0), (1, 0), (1, 1), (1, 2)]
    with pytest.raises(ValueError, match="judges"):
        diagrams.who_sees_what({"train": 45_000}, {"A": {"judges": "exam"}}, title="T")


def test_the_architecture_shows_shapes_and_counts(figures):
    assert diagrams.architecture(lenet(), (1, 1, 28, 28), title="T") is None
    words = [text.get_text() for text in figures[0].axes[0].texts]
    assert {"16 × 5 × 5", "48,120", "6 × 28 × 28"} <= set(words)


def test_logarithmic_axes_where_they_are_asked(figures):
    plots.curves([1, 10], {"a": [1, 100]}, title="T", xlabel="x", log="y")
    assert (figures[0].axes[0].get_xscale(), figures[0].axes[0].get_yscale()) == ("linear", "log")


def test_one_legend_names_what_any_panel_shows_and_a_name_has_one_colour(figures):
    lines = {"early": {"train": [1, 2], "a": [2, 3]}, "late": {"b": [3, 4], "a": [4, 5]}}
    plots.curves([1, 2], lines, title="Two panels, three names", xlabel="epoch", columns=2)
    left, right = figures[0].axes
    names = [text.get_text() for text in left.get_legend().get_texts()]
    assert names == ["train", "a", "b"] and right.get_legend() is None
    colours = {(axes, line.get_label()): line.get_color() for axes in (left, right) for line in axes.lines}
    assert colours[left, "a"] == colours[right, "a"] and len(set(colours.values())) == 3


def test_many_curves_have_their_names_below(figures):
    plots.curves([1, 2], {name: [1, 2] for name in "abcd"}, title="T", xlabel="x")
    assert [text.get_text() for text in figures[0].legends[0].get_texts()] == list("abcd")
    assert figures[0].axes[0].get_legend() is None


def test_the_graph_shows_operations_and_gradients_and_leaves_them_alone(figures):
    w, b = torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    loss = (w * 3 + b - 9) ** 2
    assert diagrams.graph(loss, {"w": w, "b": b}, title="T") is None
    words = [text.get_text() for text in figures[0].axes[0].texts if text.get_text()]
    assert sorted(words) == sorted(["w = 1", "b = 2", "Mul", "Add", "Sub", "Pow", "16", "← −24", "← 1"] + ["← −8"] * 4)
    assert w.grad is None
    loss.backward()
    assert (w.grad.item(), b.grad.item()) == (-24, -8)


def test_the_graph_shows_values_on_the_way(figures):
    w = torch.tensor(1.0, requires_grad=True)
    error = w * 3 - 9
    diagrams.graph(error**2, {"w": w, "error": error}, title="T")
    words = [text.get_text() for text in figures[0].axes[0].texts if text.get_text()]
    assert {"w = 1", "Mul", "Sub\n= −6", "Pow", "36"} <= set(words)


def test_a_graph_with_two_paths_shows_both(figures):
    w = torch.tensor(2.0, requires_grad=True)
    diagrams.graph((5 * w + w**2 - 11) ** 2, {"w": w}, title="T")
    texts = [text for text in figures[0].axes[0].texts if text.get_text()]
    assert {"← 30", "← 24"} <= {text.get_text() for text in texts}
    assert len({text.get_position() for text in texts}) == len(texts)


@pytest.mark.parametrize(
    ("result", "error", "words"),
    [
        (3.0, TypeError, "result must be a tensor"),
        (torch.zeros(()), ValueError, "requires_grad=True"),
        (torch.ones((), requires_grad=True) * 2, ValueError, "must name all"),
    ],
)
def test_what_has_no_graph_is_refused(result, error, words, figures):
    with pytest.raises(error, match=words):
        diagrams.graph(result, {"w": torch.ones((), requires_grad=True)}, title="T")
    figures.append(plt.figure())


@pytest.mark.parametrize(("pictures", "words"), [([], "at least one picture"), ([torch.zeros(2, 4, 4)], "H×W")])
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


def test_places_mark_what_is_read_and_what_is_not(figures):
    settings = [{"size": 6, "kernel_size": 3, "stride": 2}, {"size": 5, "kernel_size": 3, "padding": 1, "dilation": 2}]
    assert diagrams.places([*settings, settings[0]], title="T") is None
    drawn = [(len(axes.patches), len(axes.lines)) for axes in figures[0].axes]
    assert drawn == [(6 + 2 * 3, 1), (5 + 2 + 3 * 3, 0), (6 + 2 * 3, 1), (0, 0)]  # squares, crosses


def test_arithmetic_writes_arrays_and_signs_in_cells_of_one_size(figures):
    picture, answer = torch.tensor([[1.0, -2.0, 0.12345]]), torch.tensor(0.5, requires_grad=True)
    rows = [[("picture", picture, (0, 1, 1, 2)), "→", ("answer", answer)], ["again", ("answer", 0.5)]]
    assert diagrams.arithmetic(rows, title="T") is None
    first, second, third = figures[0].axes
    assert [text.get_text() for text in first.texts] == ["1", "-2", "0.123"]
    assert {"→", "again"} <= {text.get_text() for text in figures[0].texts}
    assert [len(axes.patches) for axes in (first, second, third)] == [1, 0, 0]
    sizes = [axes.get_position().transformed(figures[0].transSubfigure) for axes in (first, second)]
    assert sizes[0].width == pytest.approx(3 * sizes[1].width) and sizes[0].height == pytest.approx(sizes[1].height)


@pytest.mark.parametrize("rows", [[["only a sign"]], [[("cube", torch.zeros(2, 2, 2))]]])
def test_arithmetic_wants_arrays_of_two_axes(rows, figures):
    with pytest.raises(ValueError, match="at least one array|H×W"):
        diagrams.arithmetic(rows, title="T")
    figures.append(plt.figure())


def test_groups_of_a_distribution_share_their_bins(figures):
    plots.distribution({"a": torch.tensor([0.0, 0.0, 0.0]), "b": torch.tensor([6.0, 6.0])}, title="T", xlabel="x")
    a, b = (line.get_xydata() for line in figures[0].axes[0].lines)
    assert a[:, 0].tolist() == b[:, 0].tolist() and (a[:, 1].max(), b[:, 1].max()) == (3, 2)


def test_sides_frame_each_picture_in_the_colour_of_its_split(figures):
    pictures = torch.rand(2, 3, 1, 4, 4)
    in_valid = torch.tensor([[True, False, False], [False, False, True]])
    assert diagrams.sides(pictures, {"a": in_valid, "b": ~in_valid}, title="T") is None
    colours = [axes.spines["left"].get_edgecolor() for axes in figures[0].axes]
    expected = [*in_valid.flatten(), *(~in_valid).flatten()]
    assert colours == [matplotlib.colors.to_rgba(plots.COLOURS["valid" if k else "train"]) for k in expected]
