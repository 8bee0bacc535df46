"""The explorer of lesson 4's network computes what torch computes: forwards, backwards, and through a training."""

import random

import pytest
import torch
import torch.nn.functional as F

from tests.explorers.conftest import number

pytestmark = pytest.mark.browser
SHOWN = (
    """Object.fromEntries([...document.querySelectorAll('#sheet td[id]')].map(cell => [cell.id, cell.textContent]))"""
)
TRAINED = """steps => {
  train(steps)
  return { inputs: [...document.querySelectorAll('#sheet input')].slice(16).map(box => box.value),
           verdict: document.getElementById('trained').textContent }
}"""


def random_setting(draw):
    def square(n, reach):
        return [[round(draw.uniform(-reach, reach), 3) for _ in range(n)] for _ in range(n)]

    rest = {name: round(draw.uniform(-2, 2), 3) for name in ("bias", "w", "b")}
    return {
        "picture": draw.randint(0, 1),
        "step": 7,
        "parameters": {"kernel": square(3, 1)} | rest,
        "pictures": [square(4, 1), square(4, 1)],
    }


def tensors(setting):
    """Kernel, bias, w and b, ready for gradients; and both pictures."""
    parameters = [
        torch.tensor(setting["parameters"][name], dtype=torch.float64) for name in ("kernel", "bias", "w", "b")
    ]
    return [p.requires_grad_() for p in parameters], torch.tensor(setting["pictures"], dtype=torch.float64)


def forwards(parameters, picture, label):
    kernel, bias, w, b = parameters
    map = F.conv2d(picture[None, None], kernel[None, None], bias[None])[0, 0]
    pooled = F.max_pool2d(map[None], 2)[0, 0, 0]
    heard = pooled.relu()
    logit = w * heard + b
    loss = F.binary_cross_entropy_with_logits(logit, torch.tensor(float(label), dtype=torch.float64))
    return {"map": map, "pooled": pooled, "heard": heard, "logit": logit, "answer": logit.sigmoid(), "loss": loss}


def test_every_number_is_torchs(read):
    draw = random.Random(0)
    settings = [random_setting(draw) for _ in range(240)]
    silent = 0
    for setting, seen in zip(settings, read("twelve-parameters", settings, SHOWN), strict=True):
        parameters, pictures = tensors(setting)
        picture = pictures[setting["picture"]].clone().requires_grad_()
        all = forwards(parameters, picture, setting["picture"])
        for name in ("map", "pooled", "heard", "logit"):
            all[name].retain_grad()
        all["loss"].backward()
        named = dict(zip(("kernel", "bias", "w", "b"), parameters, strict=True)) | {"picture": picture}
        slopes = {name: x.grad for name, x in (named | all).items() if name not in ("answer", "loss")}
        shown = {**all, **{f"d-{name}": slope for name, slope in slopes.items()}}
        for name, value in shown.items():
            places = (
                {f"{name}-{i}{j}": value[i, j] for i in range(len(value)) for j in range(len(value))}
                if value.ndim
                else {name: value}
            )
            for place, x in places.items():
                assert number(seen[place]) == pytest.approx(x.item(), abs=6e-5), (setting, place)
        silent += all["heard"] == 0
        assert ("silent" in seen["said"]) == bool(all["heard"] == 0)
    assert 20 < silent < 220


@pytest.mark.parametrize("rate", [0.01, 0.1])
@pytest.mark.parametrize("seed", range(5))
def test_a_training_ends_where_adam_ends(show, seed, rate):
    setting = random_setting(random.Random(seed)) | {"rate": rate}
    explorer = show("twelve-parameters", **setting)
    parameters, pictures = tensors(setting)
    optimizer = torch.optim.Adam(parameters, lr=rate)
    for steps in (100, 1_000):
        seen = explorer.evaluate(TRAINED, steps)
        for step in range(steps):
            optimizer.zero_grad()
            forwards(parameters, pictures[step % 2], step % 2)["loss"].backward()
            optimizer.step()
        expected = [x for parameter in parameters for x in parameter.detach().flatten().tolist()]
        assert [number(text) for text in seen["inputs"]] == pytest.approx(expected, abs=2e-4)
        with torch.no_grad():
            smooth, chequered = (forwards(parameters, pictures[label], label) for label in (0, 1))
        dead = not smooth["heard"] and not chequered["heard"]
        apart = smooth["answer"] < 0.5 < chequered["answer"]
        words = "it is dead" if dead else "are told apart" if apart else "not told apart yet"
        assert words in seen["verdict"]


def test_a_changed_weight_frames_what_it_changes(show):
    explorer = show("twelve-parameters", step=7)
    explorer.locator("#sheet input").nth(16 + 9 + 1).fill("3")  # w
    framed = explorer.evaluate("[...document.querySelectorAll('#sheet .changed')].map(cell => cell.id)")
    assert {"logit", "answer", "loss", "d-w", "d-b", "d-logit", "d-bias"} <= set(framed)
    assert not {"map-00", "pooled", "heard"} & set(framed)
    assert f"{sum(name.startswith('d-') for name in framed)} slopes changed" in explorer.locator("#say").inner_text()
    explorer.locator("#sheet input").nth(16 + 9 + 1).press_sequentially(".0")  # the same number, typed on
    assert framed == explorer.evaluate("[...document.querySelectorAll('#sheet .changed')].map(cell => cell.id)")


def test_a_training_can_be_handed_on(show):
    explorer = show("twelve-parameters", parameters={"kernel": [[0.1, -0.2, 0.3]] * 3, "bias": 0.1, "w": 0.5, "b": 0})
    explorer.get_by_text("100 steps", exact=True).click()
    explorer.locator("#rate").select_option("0.1")
    explorer.get_by_text("1,000 steps").click()
    inputs = "[...document.querySelectorAll('input')].map(box => box.value)"
    seen = f"() => [document.querySelector('main').textContent, {inputs}]"
    before = explorer.evaluate(seen)
    assert explorer.evaluate("explorer.get().trained") == [[0.01, 100], [0.1, 1000]] and "1,100 steps" in before[0]
    explorer.evaluate("explorer.set(explorer.get())")
    assert explorer.evaluate(seen) == before


def test_a_step_shows_one_more_line(show):
    explorer = show("twelve-parameters")
    seen = []
    for _ in range(7):
        seen.append(explorer.locator("#sheet td[id]:visible").count())
        explorer.locator("#next").click()
    assert seen == [0, 4, 5, 6, 7, 8, 9] and explorer.locator("#next").get_attribute("aria-disabled") == "true"
    assert explorer.locator("#d-kernel-00").is_visible()


def test_bad_numbers_get_a_sentence(show):
    explorer = show("twelve-parameters", parameters={"kernel": [[1]], "bias": 0, "w": 0, "b": 0})
    assert "three rows of three numbers" in explorer.locator("#say").inner_text()
    box = explorer.locator("#sheet input").nth(20)
    box.fill("two")
    assert "is no number" in explorer.locator("#say").inner_text()
