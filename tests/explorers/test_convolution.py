"""The explorer of convolution says what torch says."""

import random

import pytest
import torch

from tests.explorers.conftest import number

pytestmark = pytest.mark.browser
SHOWN = """{
  answers: [...document.querySelectorAll('#answer tr')].map(row => [...row.cells].map(cell => cell.innerText)),
  sums: [...document.querySelectorAll('#numbers strong')].map(sum => sum.textContent),
  products: [...document.querySelectorAll('#numbers p')].map(line => line.textContent),
  column: document.getElementById('column').textContent,
  kernel: [...document.querySelectorAll('#kernel table')].map(table => [...table.rows].map(
    row => [...row.cells].map(cell => cell.firstElementChild.value))),
  taps: [...document.querySelectorAll('#image td.tap')].map(cell => cell.dataset.weight),
}"""


def random_setting(draw):
    channels = draw.choice([1, 3])
    size, kernel_size = draw.randint(4, 8), draw.randint(1, 5)

    def numbers(n, reach):
        square = range(n)
        return [[[round(draw.uniform(-reach, reach), 2) for _ in square] for _ in square] for _ in range(channels)]

    return {
        "image": numbers(size, 9),
        "kernel": numbers(kernel_size, 3),
        "padding": draw.randint(0, 2),
        "stride": draw.randint(1, 3),
        "dilation": draw.randint(1, 2),
        "operation": draw.choice(["cross-correlation", "convolution"]),
        "at": [draw.randint(0, 5), draw.randint(0, 5)],
    }


def test_every_number_is_torchs(read):
    draw = random.Random(0)
    settings = [random_setting(draw) for _ in range(240)]
    fitting = 0
    for setting, seen in zip(settings, read("convolution", settings, SHOWN), strict=True):
        image, kernel = (torch.tensor(setting[name], dtype=torch.float64) for name in ("image", "kernel"))
        weights = kernel.flip(1, 2) if setting["operation"] == "convolution" else kernel
        options = {name: setting[name] for name in ("padding", "stride", "dilation")}
        try:
            answer = torch.nn.functional.conv2d(image[None], weights[None], **options)[0, 0]
        except RuntimeError:  # the kernel does not fit
            assert seen["wrong"] and "does not fit" in seen["said"] and not seen["answers"] and not seen["sums"]
            continue
        fitting += 1
        shown = torch.tensor([[number(text) for text in row] for row in seen["answers"]]).double()
        assert shown.shape == answer.shape and (shown - answer).abs().max() < 6e-5
        kernels = torch.tensor([[[number(text) for text in row] for row in square] for square in seen["kernel"]])
        assert torch.equal(kernels, kernel.float())
        row, column = (min(place, len(answer) - 1) for place in setting["at"])
        windows = torch.nn.functional.unfold(image[None], kernel.shape[1:], **options)[0].T
        window = windows.view(*answer.shape, *kernel.shape)[row, column]
        assert [number(text) for text in seen["column"].split(", ")] == pytest.approx(window.flatten().tolist())
        sums = (window * weights).sum((1, 2)).tolist()
        expected = [*sums, answer[row, column].item()] if len(sums) > 1 else sums
        assert [number(text) for text in seen["sums"]] == pytest.approx(expected, abs=6e-5)
        first = f"{window[0, 0, 0]:g}·".replace("-", "−")
        assert first.strip("(") in seen["products"][0].replace(")", "")
        assert len(seen["taps"]) == weights.numel()  # in the padding too
        assert sorted(map(number, (tap[1:] for tap in seen["taps"]))) == pytest.approx(
            sorted(weights.flatten().tolist())
        )
    assert fitting >= 200


def test_presets_keep_their_names_until_a_cell_is_edited(show):
    explorer = show("convolution", preset="blur", picture="square")
    assert explorer.evaluate("explorer.get()") == {"preset": "blur", "picture": "square"}
    explorer.locator("#kernel input").first.fill("2")
    assert (
        explorer.evaluate("explorer.get().kernel[0][0][0]") == 2
        and explorer.evaluate("'preset' in explorer.get()") is False
    )
    assert explorer.locator("#preset option:checked").inner_text() == "your own"


def test_letters_in_a_cell_get_a_sentence_and_change_nothing(show):
    explorer = show("convolution")
    before = explorer.locator("#answer").inner_text()
    cell = explorer.locator("#image input").first
    cell.fill("seven")
    assert "“seven” is no number" in explorer.locator("#say").inner_text()
    assert explorer.locator("#answer").inner_text() == before
    cell.blur()
    assert cell.input_value() == "1" and explorer.locator("#say").inner_text() == ""


def test_keys_step_through_the_answer_and_the_window_follows(show):
    explorer = show("convolution")
    explorer.locator("#answer button").first.focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        explorer.page.keyboard.press(key)
    assert explorer.evaluate("explorer.get().at") == [2, 1]
    tap = explorer.locator("#image td.tap").first
    assert (tap.get_attribute("data-y"), tap.get_attribute("data-x")) == ("2", "1")
    explorer.get_by_text("Step").click()
    assert explorer.evaluate("explorer.get().at") == [2, 2]


def test_the_window_can_be_dragged(show):
    explorer = show("convolution")
    start, end = (explorer.locator("#image td").nth(k).bounding_box() for k in (7, 22))
    mouse = explorer.page.mouse
    mouse.move(start["x"] + 9, start["y"] + 9)
    mouse.down()
    mouse.move(end["x"] + 9, end["y"] + 9, steps=8)
    mouse.up()
    assert "image" not in explorer.evaluate("explorer.get()")  # no number was dragged off as text
    assert explorer.evaluate("explorer.get().at") == [2, 3]


def test_it_plays_where_motion_is_welcome_and_only_there(show):
    assert show("convolution").locator("#play").count() == 0
    explorer = show("convolution", motion="no-preference")
    explorer.locator("#play").click()
    explorer.wait_for_function("explorer.get().at?.[1] >= 2", timeout=10_000)
    explorer.locator("#play").click()
    assert explorer.locator("#play").inner_text() == "Play"
    place = explorer.evaluate("explorer.get().at")
    explorer.page.wait_for_timeout(900)  # a step takes 700 ms
    assert explorer.evaluate("explorer.get().at") == place
