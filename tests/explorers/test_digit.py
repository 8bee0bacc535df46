"""The explorer that reads digits computes what torch computes with its numbers, and what was recorded."""

import base64
import math
import random
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils import batches, load, recorded
from experiments.digit_reader import CONFIG, PAGE, build, page_with
from tests.explorers.conftest import number

pytestmark = pytest.mark.browser
SHOWN = """{
  seen: transformed(state.pixels), pixels: state.pixels,
  rows: [...document.getElementById('digits').rows].map(
    row => [...row.cells].slice(1, 3).map(cell => cell.textContent)),
  best: [...document.querySelectorAll('#digits .best')].map(row => row.rowIndex - 1),
}"""


def numbers():
    """All numbers of the network in the page, in the order of its layers."""
    text = re.search('const WEIGHTS = "(.*)";', PAGE.read_text(encoding="utf-8"))[1]
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), dtype=np.float16).astype(np.float32))


@pytest.fixture(scope="module")
def network():
    """The network of exercise 6.7 with the page's numbers."""
    model, at = build(CONFIG["maps"]).eval(), 0
    for layer in model:
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_var.fill_(1 - layer.eps)
    for parameter in model.parameters():
        parameter.data.copy_(numbers()[at : at + parameter.numel()].view_as(parameter))
        at += parameter.numel()
    assert at == len(numbers()) <= 10_000
    return model


def test_the_page_holds_the_recorded_network():
    [run] = recorded("digit_reader")["runs"]
    page = PAGE.read_text(encoding="utf-8")
    assert page_with(page, run) == page and run["numbers"] == len(numbers())
    assert run["test_accuracy"] >= 0.985


def test_it_reads_500_digits_as_torch_does(show, network):
    explorer = show("digit")
    x, y = next(iter(batches(load("mnist").test, 500)))
    mean, std = explorer.evaluate("[MEAN, STD]")
    pixels = x[:, 0].double() * load("mnist").train.std[0] + load("mnist").train.mean[0]
    some = "({ layers, ...rest }, k) => (k < 20 ? { layers, ...rest } : rest)"  # maps are many numbers
    read = explorer.evaluate(f"images => images.map(pixels => read(pixels)).map({some})", pixels.tolist())
    with torch.no_grad():
        normalised = ((pixels - mean) / std).float()[:, None]
        layers = [normalised]
        for layer in network:
            layers.append(layer(layers[-1]))
    maps = [layers[k] for k in (4, 8, 12)]
    for k, name in enumerate(("first", "second", "third")):
        seen = torch.tensor([each["layers"][k] for each in read[:20]])
        assert (seen - maps[k][:20]).abs().max() < 1e-4, name
    logits = torch.tensor([each["logits"] for each in read])
    assert (logits - layers[-1]).abs().max() < 1e-4
    probabilities = torch.tensor([each["probabilities"] for each in read])
    assert (probabilities - layers[-1].softmax(1)).abs().max() < 1e-4
    right = (logits.argmax(1) == y).float().mean()
    assert right >= (0.85 if load("mnist").source == "sample" else 0.97)  # the sample is drawn by other hands


def random_setting(draw):
    setting = {
        "across": draw.randint(-8, 8),
        "down": draw.randint(-8, 8),
        "turn": 5 * draw.randint(-36, 36),
        "thickness": draw.randint(-1, 2),
        "cover": draw.choice([0, 3, 5, 7, 9, 11]),
        "at": [draw.randint(0, 20), draw.randint(0, 20)],
        "centre": draw.random() < 0.5,
    }
    if draw.random() < 0.5:
        return setting | {"digit": draw.randint(0, 9)}
    rows = [[0] * 28 for _ in range(28)]
    for _ in range(3):  # rectangles
        top, left = draw.randint(0, 24), draw.randint(0, 24)
        for i in range(top, min(28, top + draw.randint(1, 12))):
            for j in range(left, min(28, left + draw.randint(1, 12))):
                rows[i][j] = draw.randint(1, 15)
    return setting | {"drawing": "".join(f"{x:x}" for row in rows for x in row)}


def transformed(pixels, setting):
    """What the network sees, by torch: pooling makes thicker, `grid_sample` centres, turns and shifts."""
    x = pixels[None, None]
    for _ in range(abs(setting["thickness"])):
        sign = 1 if setting["thickness"] > 0 else -1
        x = sign * F.max_pool2d(sign * x, 3, stride=1, padding=1)
    scale, middle = 1.0, torch.tensor([13.5, 13.5], dtype=torch.float64)
    ink = x[0, 0].nonzero()
    if setting["centre"] and len(ink):
        scale = 20 / (ink.amax(0) - ink.amin(0) + 1).max().item()
        weights = x[0, 0][ink[:, 0], ink[:, 1]]
        middle = (weights[:, None] * ink).sum(0) / weights.sum()
    angle = math.radians(setting["turn"])
    cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
    back = torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)  # from (down, across) to its source
    places = torch.cartesian_prod(*2 * [torch.arange(28.0, dtype=torch.float64)])
    offsets = places - 13.5 - torch.tensor([setting["down"], setting["across"]])
    source = middle + offsets @ back.T
    grid = ((2 * source + 1) / 28 - 1).flip(1).view(1, 28, 28, 2)
    seen = F.grid_sample(x, grid, align_corners=False)[0, 0]
    side = setting["cover"]
    row, column = (min(place, 28 - side) for place in setting["at"])
    seen[row : row + side, column : column + side] = 0
    return seen


def test_every_number_is_torchs(read, network):
    draw = random.Random(0)
    settings = [random_setting(draw) for _ in range(220)]
    [run] = recorded("digit_reader")["runs"]
    mean, std = run["mean"], run["std"]
    empty = 0
    for setting, seen in zip(settings, read("digit", settings, SHOWN), strict=True):
        pixels = torch.tensor(seen["pixels"], dtype=torch.float64)
        if "drawing" in setting:
            assert [round(15 * x) for x in pixels.flatten().tolist()] == [int(x, 16) for x in setting["drawing"]]
        expected = transformed(pixels, setting)
        assert (torch.tensor(seen["seen"], dtype=torch.float64) - expected).abs().max() < 1e-9, setting
        if expected.max() < 1 / 255:
            empty += 1
            assert "nothing to read" in seen["said"] and not seen["best"] and seen["rows"] == 10 * [["–", "–"]]
            continue
        with torch.no_grad():
            logits = network.double()((expected[None, None] - mean) / std)[0]
        shown = torch.tensor([[number(logit), number(share.removesuffix(" %"))] for logit, share in seen["rows"]])
        assert (shown[:, 0] - logits).abs().max() < 1e-4
        assert (shown[:, 1] - 100 * logits.softmax(0)).abs().max() < 0.006
        [best] = seen["best"]
        assert best == logits.argmax() and f"reads a{'n' * (best == 8)} {best}," in seen["said"]
    assert empty < 20


def test_an_empty_drawing_gets_a_sentence_and_a_stroke_an_answer(show):
    explorer = show("digit")
    explorer.get_by_text("Draw your own").click()
    assert "nothing to read" in explorer.locator("#say").inner_text()
    explorer.locator("#picture").focus()
    for _ in range(12):
        explorer.page.keyboard.press("ArrowDown")
    assert "It reads a" in explorer.locator("#say").inner_text()
    explorer.get_by_text("Clear").click()
    assert "nothing to read" in explorer.locator("#say").inner_text()


def test_the_covered_square_goes_where_it_is_put(show):
    explorer = show("digit", digit=8, cover=7)
    box = explorer.locator("#seen").bounding_box()
    explorer.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    explorer.page.mouse.down()
    explorer.page.mouse.up()
    assert explorer.evaluate("state.at") == [4, 11]
    explorer.locator("#seen").focus()
    explorer.page.keyboard.press("ArrowLeft")
    assert explorer.evaluate("explorer.get().at") == [4, 10]


def test_sliders_move_by_keys_say_their_values_and_can_be_undone(show):
    explorer = show("digit", at=[25, 25])
    cover = explorer.get_by_label("cover a square", exact=True)
    said = []
    for _ in range(5):
        cover.press("ArrowRight")
        said.append(cover.get_attribute("aria-valuetext"))
    assert said == ["3", "5", "7", "9", "11"] and explorer.evaluate("state.at") == [17, 17]  # still on the picture
    explorer.get_by_text("Undo all").click()
    assert explorer.evaluate("explorer.get()") == {}


def test_a_finger_that_scrolls_and_keys_that_move_leave_the_digit_alone(show):
    explorer = show("digit", width=390)
    box = explorer.locator("#picture").bounding_box()
    explorer.page.touchscreen.tap(box["x"] + 50, box["y"] + 50)
    explorer.locator("#picture").press("Shift+ArrowRight")
    explorer.page.mouse.click(box["x"] + 50, box["y"] + 50, button="right")
    assert explorer.evaluate("explorer.get()") == {}
    explorer.page.mouse.click(box["x"] + 50, box["y"] + 50)  # but the mouse may begin
    assert explorer.evaluate("state.digit") is None and "drawing" in explorer.evaluate("explorer.get()")
