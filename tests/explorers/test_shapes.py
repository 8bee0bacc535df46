"""The explorer of shapes says what torch says; its code is the network that it shows."""

import random
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import count_macs, count_parameters, receptive_field
from tests.explorers.conftest import number

pytestmark = pytest.mark.browser
SHOWN = """{
  rows: [...document.getElementById('layers').rows].map(row => [...row.cells].map(cell => cell.textContent)),
  total: [...document.getElementById('total').cells].map(cell => cell.textContent),
  lost: document.querySelectorAll('#bar .lost').length,
  field: document.getElementById('field').textContent,
  conventions: [...document.querySelectorAll('#conventions p')].map(line => line.textContent),
  code: document.getElementById('code').textContent,
}"""


def random_layer(draw):
    layer = {"kind": draw.choice(["conv", "pool"]), "kernel_size": draw.choice([1, 2, 2, 3, 3, 5, 7, 11])}
    layer |= {"padding": draw.choice([0, 0, 1, 2]), "stride": draw.choice([1, 1, 2, 2, 3])}
    layer |= {"dilation": draw.choice([1, 1, 1, 2, 3])}
    return layer | (
        {"channels": draw.randint(1, 64)} if layer["kind"] == "conv" else {"ceil_mode": draw.random() < 0.5}
    )


def random_setting(draw):
    layers = [random_layer(draw) for _ in range(draw.randint(1, 6))]
    chosen = draw.randrange(len(layers))
    return {"size": draw.randint(8, 64), "channels": draw.randint(1, 3), "layers": layers, "chosen": chosen}


def never_read(layer, size):
    """How many of the pixels along one side are under no window: changing them changes nothing."""
    options = {name: layer[name] for name in ("padding", "stride", "dilation")}
    one_hot = torch.eye(size)[:, None]  # image × channel × pixel
    if layer["kind"] == "conv":
        answers = F.conv1d(one_hot, torch.ones(1, 1, layer["kernel_size"]), **options)
    else:
        answers = F.max_pool1d(one_hot, layer["kernel_size"], ceil_mode=layer["ceil_mode"], **options)
    return int((answers.amax((1, 2)) != 1).sum())


def test_every_number_is_torchs(read):
    draw = random.Random(0)
    settings = [random_setting(draw) for _ in range(480)]
    whole = 0
    for setting, seen in zip(settings, read("shapes", settings, SHOWN), strict=True):
        model = eval(seen["code"], {"nn": nn})
        assert len(model) == len(setting["layers"])
        x, parameters, macs = torch.zeros(1, setting["channels"], setting["size"], setting["size"]), 0, 0
        for at, (layer, told, row) in enumerate(zip(model, setting["layers"], seen["rows"], strict=True)):
            try:
                y = layer(x)
            except RuntimeError:
                assert row[1:] == 5 * ["–"] and seen["wrong"] and f"Layer {at + 1}:" in seen["said"]
                break
            dropped = never_read(told, x.shape[-1])
            field = receptive_field(model[: at + 1])
            _, size, *numbers = row
            assert size == "×".join(map(str, y.shape[1:]))
            expected = [dropped, f"{field}×{field}", count_parameters(layer), count_macs(layer, tuple(x.shape))]
            assert [number(numbers[0]), numbers[1], *map(number, numbers[2:])] == expected
            parameters, macs = parameters + expected[2], macs + expected[3]
            if at == setting["chosen"]:
                assert seen["lost"] == dropped and seen["field"].startswith(f"{field}×{field} pixels")
                assert ("more than the image has" in seen["field"]) == (field > setting["size"])
                compare_conventions(seen["conventions"], told, x.shape[-1], y.shape[-1])
            x = y
        else:
            whole += 1
            assert not seen["wrong"]
        assert [number(text) for text in seen["total"][4:]] == [parameters, macs]
    assert whole >= 200


def compare_conventions(lines, layer, before, after):
    """PyTorch, Dive into Deep Learning, which counts the padding of both ends, and CS231n, which does not round."""
    spans, padding, stride = layer["dilation"] * (layer["kernel_size"] - 1) + 1, layer["padding"], layer["stride"]
    pytorch, d2l, cs231n = (re.findall(r"= ([^ ,]+)", line)[-1] for line in lines)
    assert number(pytorch) == after
    assert number(d2l) == (before - spans + 2 * padding + stride) // stride
    exact = (before - spans + 2 * padding) / stride + 1
    assert number(cs231n) == pytest.approx(exact, abs=6e-5) and ("invalid" in lines[2]) == (exact % 1 > 0)


def test_the_slider_changes_the_layer_that_is_chosen(show):
    explorer = show("shapes")
    explorer.locator("#layers button").nth(2).click()
    explorer.get_by_label("stride", exact=True).press("ArrowRight")
    assert explorer.locator("#layers td").nth(10).inner_text() == "16×6×6"
    assert explorer.evaluate("explorer.get().layers[2]") == {"kind": "conv", "channels": 16, "stride": 2}


def test_layers_come_and_go_but_never_more_than_six_or_none(show):
    explorer = show("shapes")
    for _ in range(2):
        explorer.get_by_text("Add conv").click()
    assert explorer.locator("#layers tr").count() == 6 and explorer.get_by_text("Add pool").is_disabled()
    for _ in range(5):
        explorer.get_by_text("Remove this layer").click()
    assert explorer.locator("#layers tr").count() == 1 and explorer.get_by_text("Remove this layer").is_disabled()


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([], "1 to 6 layers"),
        (7 * [{"kind": "conv"}], "1 to 6 layers"),
        ([{"kind": "linear"}], "conv or pool"),
        ([{"kind": "conv", "stride": 0}], "stride of layer 1 must be 1 to 5; got 0"),
        ([{"kind": "pool", "groups": 2}], "groups of layer 1 must be left out"),
        ("conv", "1 to 6 layers"),
    ],
)
def test_layers_that_it_does_not_know_get_a_sentence(show, layers, reason):
    explorer = show("shapes", layers=layers)
    assert reason in explorer.locator("#say").inner_text() and explorer.locator("#layers tr").count() == 4
