"""TensorBoard as lesson 15 uses it: its page opens on a free port, and a TensorFlow beside it stays out of the way."""

import json
import re
import subprocess
import sys
import urllib.request

import pytest

from course_utils._files import PACKAGE

pytest.importorskip("tensorboard")
LESSON = PACKAGE.parent / "book" / "15_instruments.py"
STUB = [line for line in LESSON.read_text(encoding="utf-8").splitlines() if line.startswith("sys.modules[")]
WRITE = """
import sys, types
{stub}
import torch
from torch.utils.tensorboard import SummaryWriter
writer = SummaryWriter(sys.argv[1])
writer.add_scalar("training loss", 0.5, global_step=1)
writer.add_embedding(torch.rand(9, 4), metadata=list("abcdefghi"), label_img=torch.rand(9, 1, 4, 4))
writer.close()
print("tensorflow" in sys.modules)
"""


def written(folder, stub="", path=""):
    command = [sys.executable, "-c", WRITE.format(stub=stub), str(folder)]
    return subprocess.run(command, env={"PYTHONPATH": str(path)}, capture_output=True, text=True, timeout=120)


@pytest.mark.timeout(180)
def test_the_page_opens_on_a_free_port_and_shows_what_was_written(tmp_path):
    assert written(tmp_path).returncode == 0
    command = [
        sys.executable,
        "-m",
        "tensorboard.main",
        "--logdir",
        str(tmp_path),
        "--port",
        "0",
        "--host",
        "127.0.0.1",
    ]
    server = subprocess.Popen([*command, "--load_fast", "false"], stderr=subprocess.PIPE, text=True)
    try:
        said = iter(server.stderr.readline, "")
        address = next(found[0] for line in said if (found := re.search(r"http://127\.0\.0\.1:\d+/", line)))
        with urllib.request.urlopen(address, timeout=60) as page:
            assert b"TensorBoard" in page.read()
        with urllib.request.urlopen(f"{address}data/plugin/scalars/tags", timeout=60) as tags:
            assert "training loss" in json.dumps(json.load(tags))
    finally:
        server.kill()
        server.wait()
        server.stderr.close()


@pytest.fixture
def tensorflow(tmp_path):
    """A folder with a TensorFlow whose file layer is not that of TensorBoard's own."""
    package = tmp_path / "path" / "tensorflow"
    package.mkdir(parents=True)
    text = "from types import SimpleNamespace\nio = SimpleNamespace(gfile=SimpleNamespace())\n__version__ = '2.99'\n"
    (package / "__init__.py").write_text(text, encoding="utf-8")
    return package.parent


def test_a_tensorflow_beside_it_is_left_alone(tensorflow, tmp_path):
    assert len(STUB) == 1
    done = written(tmp_path / "log", stub=STUB[0], path=tensorflow)
    assert done.returncode == 0 and done.stdout.split()[-1] == "False", done.stderr
    assert {"metadata.tsv", "sprite.png"} < {file.name for file in (tmp_path / "log").rglob("*.*")}


def test_without_that_line_the_other_file_layer_is_taken(tensorflow, tmp_path):
    done = written(tmp_path / "log", path=tensorflow)
    assert done.returncode != 0 and "gfile" in done.stderr
