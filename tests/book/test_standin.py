"""Lessons run to their end on a device that refuses float64, as Apple's does; the CPU plays it."""

import nbformat
import pytest
import torch

from tests.book import standin
from tests.book.test_repeated import LESSONS, insert_behind, without_figures
from tools.common import ROOT, read_notebook
from tools.rehearse import run_in_fast_mode

START = "from tests.book import standin\n\nstandin.start()"
SHOW = "from tests.book import standin\n\nassert course_utils.device() == standin.NAME"


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_runs_on_a_device_without_float64(name, tmp_path):
    notebook = without_figures(read_notebook(ROOT / "notebooks" / f"{name}.ipynb"))
    insert_behind(1, START, notebook)
    notebook.cells.append(nbformat.v4.new_code_cell(SHOW))
    file = tmp_path / f"{name}.ipynb"
    nbformat.write(notebook, file)
    assert run_in_fast_mode(file, "--overwrite") == 0


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x.double(),
        lambda x: x.to(torch.float64),
        lambda x: torch.zeros(2, device=standin.NAME, dtype=torch.float64),
        lambda x: torch.zeros(2, dtype=torch.float64).to(standin.NAME),
        lambda x: x + torch.ones(3),
        lambda x: x.numpy(),
    ],
)
def test_the_stand_in_refuses_what_such_a_device_refuses(use):
    with standin.Mode():
        x = torch.ones(3).to(standin.NAME)
        assert (x + 1).device.type == standin.NAME and (x + 1).sum().item() == 6 and x.cpu().double().sum() == 3
        with pytest.raises((TypeError, RuntimeError)):
            use(x)
