"""The playground of kernels shows what torch computes."""

import random

import pytest
import torch
import torch.nn.functional as F

from tests.explorers.conftest import number

pytestmark = pytest.mark.browser
SHOWN = """{
  maps: result(),
  about: Object.fromEntries(
    Object.keys(result()).map(name => [name, document.getElementById(`about-${name}`).textContent])),
  painted: (() => { const canvas = document.getElementById('pooled')
    return [canvas.width, ...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.width).data] })(),
}"""


def random_setting(draw):
    setting = {"padding": draw.randint(0, 2)}
    n = draw.choice([3, 5])
    setting["kernel"] = [[round(draw.uniform(-3, 3), 2) for _ in range(n)] for _ in range(n)]
    kind = draw.choices(["photograph", "digit", "drawing"], [1, 5, 5])[0]
    drawing = "".join(draw.choice("0000000123456789abcdef") for _ in range(784))
    return setting | ({"drawing": drawing} if kind == "drawing" else {"picture": kind})


def test_every_map_is_torchs(read):
    draw = random.Random(0)
    settings = [random_setting(draw) for _ in range(210)]
    for setting, seen in zip(settings, read("kernels", settings, SHOWN), strict=True):
        maps = {name: torch.tensor(values, dtype=torch.float64) for name, values in seen["maps"].items()}
        picture = maps["picture"]
        if "drawing" in setting:
            told = torch.tensor([int(digit, 16) / 15 for digit in setting["drawing"]], dtype=torch.float64)
            assert torch.equal(picture.flatten(), told.view(-1))
        kernel = torch.tensor(setting["kernel"], dtype=torch.float64)
        filtered = F.conv2d(picture[None, None], kernel[None, None], padding=setting["padding"])
        expected = {"picture": picture, "filtered": filtered[0, 0], "relu": filtered.relu()[0, 0]}
        expected["pooled"] = F.max_pool2d(filtered.relu(), 2)[0, 0]
        for name, map in expected.items():
            assert maps[name].shape == map.shape and (maps[name] - map).abs().max() < 1e-9
            size, least, most = seen["about"][name].replace(", from", "").replace(" to", "").split(" ")
            assert size == "×".join(map_size(map))
            assert [number(least), number(most)] == pytest.approx([map.min().item(), map.max().item()], abs=6e-5)
        width, *painted = seen["painted"]
        shades = torch.tensor(painted).view(width, width, 4)[:, :, 3]  # how opaque: the value, by the largest answer
        assert (shades - 255 * expected["pooled"] / expected["filtered"].abs().max()).abs().max() <= 1


def map_size(map):
    return [str(length) for length in map.shape]


def test_a_finger_draws_and_so_do_the_keys(show):
    explorer = show("kernels", picture="drawing")
    assert "empty" in explorer.locator("#say").inner_text()
    canvas = explorer.locator("#picture")
    canvas.focus()
    explorer.page.keyboard.press("Space")
    explorer.page.keyboard.press("ArrowRight")
    assert explorer.locator("#say").inner_text() == "" and explorer.evaluate("state.pixels[14][15]") == 1
    explorer.get_by_text("Clear").click()
    box = canvas.bounding_box()
    explorer.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert explorer.evaluate("state.pixels[14][14]") == 1


def test_a_line_has_no_gaps(show):
    explorer = show("kernels", picture="drawing")
    box = explorer.locator("#picture").bounding_box()
    mouse = explorer.page.mouse
    mouse.move(box["x"] + 20, box["y"] + 20)
    mouse.down()
    mouse.move(box["x"] + box["width"] - 20, box["y"] + box["height"] - 20)
    mouse.up()
    diagonal = torch.tensor(explorer.evaluate("state.pixels")).diagonal()
    assert (diagonal[4:24] == 1).all()


def test_a_bad_kernel_and_a_bad_drawing_get_a_sentence(show):
    assert "3 rows of 3" in show("kernels", kernel=[[1, 2], [3, 4]]).locator("#say").inner_text()
    assert "784 hexadecimal digits" in show("kernels", drawing="07x").locator("#say").inner_text()
    explorer = show("kernels")
    explorer.locator("#kernel input").first.fill("1e9")
    assert "no number below 10,000" in explorer.locator("#say").inner_text()


def test_the_pointer_reads_a_number(show):
    explorer = show("kernels", padding=1)
    explorer.locator("#filtered").hover()
    text = explorer.locator("#here").inner_text()
    row, column = (int(word) for word in text.replace(",", "").replace(":", "").split()[1:4:2])
    value = explorer.evaluate(f"result().filtered[{row - 1}][{column - 1}]")
    assert number(text.split("answers ")[1].split(";")[0]) == pytest.approx(value, abs=6e-5)
