"""The tutorial of the page *A second tutorial* runs, and what can be checked in seconds of its key is true."""

import contextlib
import io
import re

import pytest
import torch
import torch.nn.functional as F

from course_utils import batches, evaluate, load, receptive_field, wilson_interval
from tools.common import ROOT, read

PAGE = read(ROOT / "book" / "second_audit.md")
KEY = read(ROOT / "tools" / "key_second_audit.md")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def world():
    """The tutorial as it runs, with fewer epochs and images; what it printed is under "said"."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as said:
        patch.setenv("COURSE_DATA", "sample")
        names: dict = {}
        for block in BLOCKS:
            exec(block.replace("EPOCHS = 6", "EPOCHS = 2").replace("10_000", "600"), names)
    return names | {"said": said.getvalue()}


def test_it_runs_and_reports_a_number(world):
    assert re.search(r"^test accuracy [\d.]+% ± [\d.]+%$", world["said"], re.MULTILINE)


def test_the_key_is_in_neither_the_page_nor_the_notebooks():
    assert len(re.findall(r"^\| \d+ \|", KEY, re.MULTILINE)) == 12
    assert "key_second_audit" not in PAGE
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert "second_audit" not in read(path) or "key_second_audit" not in read(path)


def test_1_and_2_the_validation_images_are_mirrored_and_change_from_one_look_to_the_next(world):
    assert world["augment"].flip == 0.5
    [first, *_], [second, *_] = (list(world["valid"]) for _ in range(2))
    assert not torch.equal(first[0], second[0])


def test_3_no_logit_is_below_zero(world):
    model = world["digit_net"]().eval()
    assert model(torch.randn(50, 1, 28, 28)).min() == 0


def test_3_a_unit_that_is_zero_for_all_images_gets_no_gradient(world):
    model, x = world["digit_net"](), torch.randn(50, 1, 28, 28)
    with torch.no_grad():
        model[-2].bias[6] = -100.0
    F.cross_entropy(model(x), torch.full((50,), 6)).backward()
    assert model[-2].weight.grad[6].abs().max() == 0 and model[-2].weight.grad[5].abs().max() > 0


def test_3_about_half_of_all_fresh_networks_have_such_a_unit(world):
    [(x, _), *_] = batches(world["digits"].valid.take(200), 200)
    torch.manual_seed(0)
    with torch.no_grad():
        dead = [(world["digit_net"]()(x).amax(0) == 0).any().item() for _ in range(200)]
    assert 0.3 < sum(dead) / len(dead) < 0.7


def test_4_a_number_of_the_last_maps_sees_sixteen_pixels(world):
    assert receptive_field(world["digit_net"]()) == 16


def test_5_the_rate_swings_within_an_epoch():
    text = next(block for block in BLOCKS if "CosineAnnealingLR" in block)
    assert re.search(r"^            scheduler\.step\(\)$", text, re.MULTILINE)  # in the loop over batches
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)
    rates = []
    for _ in range(25):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[0] == pytest.approx(0.1) and rates[6] == pytest.approx(0, abs=1e-9)
    assert [rates[12], rates[24]] == pytest.approx([0.1, 0.1])


def test_6_and_7_what_is_reported_is_the_best_of_all_looks_at_the_test_images(world):
    tested = [float(text) for text in re.findall(r"test ([\d.]+)%", world["said"])]
    assert len(tested) == 6 and 100 * world["accuracy"] == pytest.approx(max(tested), abs=0.06)
    again = [evaluate(model, world["test"]).accuracy for _, model in world["runs"]]
    assert all(score <= best for score, (best, _) in zip(again, world["runs"], strict=True))


def test_8_and_9_the_interval_is_too_narrow(world):
    low, high = wilson_interval(round(world["accuracy"] * len(world["digits"].test)), len(world["digits"].test))
    assert world["n"] == len(world["digits"].train) and 2 * world["error"] < (high - low) / 2


def test_10_the_digits_cannot_be_told_apart_by_thirty_images_each(world, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "sample")
    assert len(world["few"]) == 300 and set(torch.bincount(world["few"].y).tolist()) <= {29, 30, 31}
    assert wilson_interval(27, 30) == pytest.approx((0.74, 0.97), abs=0.01)


def test_11_augmentation_adds_no_images(world):
    assert sum(len(y) for _, y in world["train"]) == 600


def test_what_the_key_calls_right_is_right(world, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "sample")
    model = world["digit_net"]().train()
    score = evaluate(model, batches(load("mnist").valid, 100))
    assert model.training and score == evaluate(model, batches(load("mnist").valid, 100))
