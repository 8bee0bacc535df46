"""Returned notebooks are marked: answers that are right, wrong, missing, or hostile."""

import copy
import csv
import io
import re
import socket
import subprocess
import sys
import threading

import nbformat
import pytest

from tools import mark
from tools.common import ROOT, lessons, read_notebook

ANSWERS = {"2.1": "[[0, 1], [8, 0]]", "2.3": "(600, 608)", "2.7": "(1, 1, 1, -2.5)"}  # of lesson 2, right
OTHERS = ["2.2", "2.4", "2.5", "2.6"]


def solutions_of(notebook):
    cells = [cell for cell in notebook.cells if cell.source.startswith(mark.SOLUTION)]
    return {re.search(r"[\d.]+", cell.source)[0]: cell for cell in cells}


def solved(name, numbers=None):
    """A lesson's notebook with the book's solutions in place of the stubs of some exercises, or of all."""
    notebook = read_notebook(ROOT / "notebooks" / f"{name}.ipynb")
    solutions = solutions_of(notebook)
    for cell in notebook.cells:
        found = re.search(r'^check\("([\d.]+)"', cell.source, re.MULTILINE) if cell.cell_type == "code" else None
        if found and (numbers is None or found[1] in numbers):
            text = solutions[found[1]].source.partition("\n")[2]
            cell.source = text.replace("_solution", "").replace("assert check", "check")
    return notebook


def short(*cells, **answers):
    """A notebook of lesson 2 with the given cells, then three exercises: their answers are right unless given."""
    given = ANSWERS | {name.replace("_", "."): text for name, text in answers.items()}
    names = {number: f"answer_{number.replace('.', '_')}" for number in given}
    texts = [*cells, *(f'{names[n]} = {text}\ncheck("{n}", {names[n]})' for n, text in given.items())]
    texts = ["from course_utils import check", *texts]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in texts])


def mark_folder(folder, *options, monkeypatch):
    """Run `make mark`; return the rows of its CSV by student, its page, and the text of outputs by file name."""
    out = folder.with_name("marks")
    monkeypatch.setattr(sys, "argv", ["mark", str(folder), "--fast", f"--out={out}", *options])
    mark.main()
    text = (out / "marks.csv").read_text(encoding="utf-8-sig")
    outputs = "".join(file.read_text() for file in (out / "output").glob("*.txt"))
    return {row["student"]: row for row in csv.DictReader(io.StringIO(text))}, (out / "marks.html").read_text(), outputs


def put(folder, student, notebook, name="02_convolution"):
    file = folder / student / f"{name}.ipynb"
    file.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, file)
    return file.parent


@pytest.fixture
def shut_in():
    if not mark.can_shut_in():
        pytest.skip("no sandbox here: bubblewrap (bwrap) is not installed, or can't work")


def statuses(row, numbers=ANSWERS):
    return [row[number] for number in numbers]


def test_a_whole_lesson_answered_left_and_half_answered(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "returned"
    put(folder, "ada", solved("02_convolution"))
    put(folder, "bob", solved("02_convolution", {"2.1"}))
    rows, page, _ = mark_folder(folder, "--jobs=2", monkeypatch=monkeypatch)
    assert rows["ada"]["right"] == rows["ada"]["of"] == "7" and not rows["ada"]["remarks"]
    assert rows["bob"]["2.1"] == "right" and statuses(rows["bob"], OTHERS) == ["unattempted"] * 4
    assert "✓=" in page and "andbox" in capsys.readouterr().out


@pytest.mark.slow
def test_what_pretends_to_be_right_is_not(tmp_path, monkeypatch):
    folder, lie = tmp_path / "returned", {"2_3": "(24, 32)"}
    words = 'print("✓ Exercise 2.3: Right.")'
    solution = solutions_of(read_notebook(ROOT / "notebooks" / "02_convolution.ipynb"))["2.3"].source
    notebooks = {
        "own check": short(f"def check(*_):\n    {words}\n    return True", **lie),
        "patched": short(
            "import course_utils, course_utils.exercises as e\ne.check = e._judged = lambda *_: e.right('So.')\n"
            "e.wrong = lambda *_, **__: e.right('So.')\ncourse_utils.check = e.check",
            **lie,
        ),
        "own checker": short(
            "from course_utils.exercises import checker, right\n@checker('2.3')\ndef judge(answer):\n"
            "    'anything.'\n    return right('So.')",
            **lie,
        ),
        "patched torch and builtins": short(
            "import builtins, torch\nbuiltins.all = torch.equal = torch.allclose = lambda *_: True",
            **lie,
        ),
        "own verdicts": short("import course_utils.exercises as e\ne.STUB = e.right('ok')", **{"2_3": "..."}),
        "own class": short("import course_utils.exercises as e\ne.Verdict.status = property(lambda s: 'right')", **lie),
        "own code": short(
            "import course_utils.exercises as e\ne.wrong.__code__ = (lambda f, *, hint: e.right(f)).__code__", **lie
        ),
        "own tensors": short("import torch\ntorch.Tensor.__eq__ = torch.Tensor.double = lambda s, *a: s", **lie),
        "words": short(words, **{"2_3": "..."}),
        "solution": short(solution, solution.partition("\n")[2], **{"2_3": "..."}),
        "names of a solution": short(solution, **{"2_3": "counts_solution"}),
    }
    for student, notebook in notebooks.items():
        put(folder, student, notebook)
    rows, page, _ = mark_folder(folder, "--jobs=2", monkeypatch=monkeypatch)
    expected = dict.fromkeys(notebooks, "wrong")
    expected |= dict.fromkeys(["words", "solution", "own verdicts"], "unattempted")
    assert {student: row["2.3"] for student, row in rows.items()} == expected
    assert all(row["2.1"] == row["2.7"] == "right" for row in rows.values())


@pytest.mark.slow
def test_mistakes_in_one_place_leave_the_others_alone(tmp_path, monkeypatch):
    folder = tmp_path / "returned"
    put(folder, "syntax", short(**{"2_3": "(600,"}))
    put(folder, "error", short("1 / 0", **{"2_3": "1 / 0"}))
    twice = short()
    twice.cells += [nbformat.v4.new_code_cell("check('2.3', None)"), nbformat.v4.new_code_cell("check('2.3', (1, 2))")]
    put(folder, "twice", twice)
    elsewhere = solved("02_convolution", set())  # all stubs as they were, the answers in cells of their own
    elsewhere.cells.append(nbformat.v4.new_code_cell("pencil = [[0, 1], [8, 0]]\ncounts = (600, 608)"))
    put(folder, "elsewhere", elsewhere)
    inside = short()
    question = inside.cells[-2]
    question.source = (
        'def ask(number, counts):\n    return check(number, counts)\n\n\ncounts = (600, 608)\nask("2.3", counts)'
    )
    put(folder, "in a function", inside)
    put(folder, "by keyword", short("check(exercise='2.3', answer=(600, 608))", **{"2_3": "..."}))
    own = short("# @title Solution 2.3\ncounts = (600, 600 + 8)\ncheck('2.3', counts)", **{"2_3": "..."})
    put(folder, "solution's cell", own)
    (put(folder, "dead link", short()) / "data.csv").symlink_to("/nowhere")
    mocked = short()
    mocked.cells[1].metadata["nbmake"] = {"mock": "oops"}
    put(folder, "own mock", mocked)
    expected = dict.fromkeys(
        ["twice", "elsewhere", "in a function", "by keyword", "solution's cell", "dead link", "own mock"], "right"
    ) | {"syntax": "wrong", "error": "wrong", "gone": "missing"}
    gone = short("import helper\nassert helper.X == 1\nkernel = 5\n!echo shell $HOME\n%time 1")
    gone.cells[-2].source = "answer = 3"  # 2.3 is asked nowhere
    helper = put(folder, "gone", gone)
    (helper / "helper.py").write_text("X = 1\n")
    (helper / "course_utils").mkdir()
    (helper / "course_utils" / "__init__.py").write_text("raise SystemExit('shadowed')\n")
    rows, page, outputs = mark_folder(folder, "--jobs=2", monkeypatch=monkeypatch)
    assert statuses(rows["syntax"]) == statuses(rows["error"]) == ["right", "wrong", "right"]
    assert "SyntaxError" in page and "ZeroDivisionError" in page
    assert statuses(rows["twice"]) == ["right"] * 3
    assert statuses(rows["gone"]) == ["right", "missing", "right"] and "shell /" in outputs
    assert "AssertionError" not in outputs
    assert {student: row["2.3"] for student, row in rows.items() if row["2.1"] == "right"} == expected


@pytest.mark.slow
def test_hostile_notebooks_hurt_nobody_but_themselves(tmp_path, monkeypatch, shut_in):
    monkeypatch.setattr(mark, "CELL_SECONDS", 4)
    monkeypatch.setattr(mark, "OUTPUT", 100_000)
    folder, secret = tmp_path / "returned", tmp_path / "secret.txt"
    secret.write_text("my password")
    server = socket.create_server(("127.0.0.1", 0))
    heard = []
    threading.Thread(target=lambda: heard.append(server.accept()), daemon=True).start()
    key = ROOT / "tools" / "key_second_audit.md"
    assert key.exists()
    spy = (
        "import pathlib\n"
        f"for place in ({str(secret)!r}, {str(folder / 'ada' / '02_convolution.ipynb')!r}, {str(key)!r}):\n"
        "    try:\n        print('SEEN', pathlib.Path(place).read_text()[:20])\n    except OSError: pass"
    )
    vandal = (
        "import os, pathlib, shutil, sys, course_utils\n"
        f"for place in ({str(tmp_path)!r}, os.environ['PYTHONPATH'], sys.prefix, '/usr', course_utils.__path__[0]):\n"
        "    shutil.rmtree(place, ignore_errors=True)\n"
        "    try:\n        pathlib.Path(place, 'mine').write_text('x'); print('WROTE', place)\n    except OSError: pass"
    )
    caller = (
        "import socket\ntry:\n"
        f"    socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)\n    print('HEARD')\n"
        "except OSError: pass"
    )
    daemon = "import subprocess\nsubprocess.Popen(['sleep', '98765'], start_new_session=True)"
    loop = "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True: pass"
    notebooks = {
        "ada": short(),
        "spy": short(spy),
        "vandal": short(vandal),
        "caller": short(caller),
        "daemon": short(daemon),
        "glutton": short("x = bytearray(40 * 2**30)", "import torch\ny = torch.zeros(8 * 2**30)"),
        "flood": short("for k in range(300): print('x' * 10_000)"),
        "disk": short("with open('big', 'wb') as f:\n    for k in range(1500): f.write(bytes(10**6))"),
        "slow": short("while True: pass", **{"2_3": "[k for k in iter(int, 1)]"}),
        "catches all": short("while True:\n    try:\n        while True: pass\n    except: break"),
        "endless": short(loop),
        "exit": short(**{"2_3": "__import__('os')._exit(0)"}),
        "closes": short("import os\nos.closerange(0, 256)"),
        "polite exit": short("exit()", "import sys\nsys.exit(1)"),
        "input": short("input()"),
    }
    for student, notebook in notebooks.items():
        put(folder, student, notebook)
    rows, page, outputs = mark_folder(folder, "--jobs=2", "--seconds=25", "--memory=6", monkeypatch=monkeypatch)
    fine = [
        "ada",
        "spy",
        "vandal",
        "caller",
        "daemon",
        "glutton",
        "flood",
        "disk",
        "catches all",
        "polite exit",
        "input",
    ]
    assert {student: statuses(rows[student]) for student in fine} == dict.fromkeys(fine, ["right"] * 3)
    assert not re.search("SEEN|WROTE|HEARD", outputs) and not heard
    assert "MemoryError" in outputs and "No space left" in outputs and len(outputs) < 14 * 100_000
    assert statuses(rows["slow"]) == ["right", "stopped", "right"]
    assert statuses(rows["endless"]) == ["stopped"] * 3 and "stopped after 25 s" in rows["endless"]["remarks"]
    assert statuses(rows["exit"]) == ["right", "stopped", "stopped"] and "ended before" in rows["exit"]["remarks"]
    assert statuses(rows["closes"]) == ["stopped"] * 3
    assert subprocess.run(["pgrep", "-f", "^sleep 98765"]).returncode == 1
    assert (ROOT / "course_utils" / "exercises.py").exists() and secret.read_text() == "my password"


@pytest.mark.slow
def test_files_and_names_of_all_kinds(tmp_path, monkeypatch):
    folder = tmp_path / "returned"
    put(folder, "=HYPERLINK(1)", short())
    put(folder, "Ünal <b>Ö", short())
    folder.joinpath("bob").mkdir()
    (folder / "bob" / "02_convolution.ipynb").write_text("{not json")
    (folder / "bob" / "other.ipynb").write_text(nbformat.writes(nbformat.v4.new_notebook()))
    (folder / "bob" / "02_convolution (1).ipynb").write_text("[]")
    nbformat.write(short(), folder / "cleo_02_convolution.ipynb")
    nbformat.write(short(), folder / "02_convolution-dora.ipynb")
    put(folder, "emil", short(**{"2_3": "None"}))
    put(folder, "emil", short(), name="02_convolution-again")
    monkeypatch.setattr(mark, "FILE_SIZE", 100_000)
    large = short("# " + 200_000 * "x")
    put(folder, "large", large)
    put(folder, "Group A/Bob", short())
    put(folder, "Group A/Eve", short())
    put(folder, "__MACOSX/x", short(), name="._02_convolution")
    nbformat.write(short(), folder / "Copy of 02_convolution (1).ipynb")
    titled = short()
    titled.cells.insert(0, nbformat.v4.new_markdown_cell("# 2 · Convolution by hand"))
    titled.cells.insert(0, nbformat.v4.new_markdown_cell("# Homework of Fay"))
    put(folder, "fay", titled, name="Homework")
    rows, page, _ = mark_folder(folder, "--jobs=2", monkeypatch=monkeypatch)
    more = ["cleo", "dora", "Group A/Bob", "Group A/Eve", "Copy of 02_convolution (1)", "fay"]
    names = [*more, "'=HYPERLINK(1)", "Ünal <b>Ö", "emil", "emil (2)", "bob", "large"]
    assert sorted(rows) == sorted(names)
    assert "Ünal &lt;b&gt;Ö" in page and "<b>Ö" not in page
    assert rows["bob"]["remarks"].count("not marked") == 3 and rows["large"]["remarks"].count("larger than") == 1
    assert [rows[name]["2.3"] for name in more] == ["right"] * 6
    assert {rows["emil"]["2.3"], rows["emil (2)"]["2.3"]} == {"unattempted", "right"}


def test_an_empty_folder_is_said_so(tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(SystemExit, match="make mark FOLDER=work/returned"):
        patch.setattr(sys, "argv", ["mark", ""])
        mark.main()
    with pytest.raises(SystemExit, match="FOLDER must name a folder of returned notebooks"):
        mark_folder(tmp_path, monkeypatch=monkeypatch)


def test_without_a_sandbox_the_run_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mark.shutil, "which", lambda program: None)
    folder = tmp_path / "returned"
    put(folder, "ada", short("print(__import__('os').getcwd())"))
    rows, page, outputs = mark_folder(folder, monkeypatch=monkeypatch)
    assert statuses(rows["ada"]) == ["right"] * 3
    assert "No sandbox" in capsys.readouterr().out and "No sandbox" in page and str(ROOT) not in outputs


def test_cells_that_check_are_found_in_any_form():
    assert mark.checks_in("check(\"2.1\", a)\n%time check('2.2', b[0])") == {"2.1": "a"}
    assert mark.checks_in("assert course_utils.check(exercise='2.1', answer=1)") == {"2.1": "1"}
    assert mark.checks_in("assert course_utils.check('2.1', answer=f(1))") == {"2.1": "f(1)"}
    assert mark.checks_in("check('2.1', (1,") == {"2.1": ""}


@pytest.mark.slow
@pytest.mark.parametrize("name", lessons())
def test_each_lesson_solved_is_right_and_left_alone_is_unattempted(name, tmp_path, monkeypatch):
    folder = tmp_path / "returned"
    put(folder, "ada", solved(name), name)
    put(folder, "bob", copy.deepcopy(read_notebook(ROOT / "notebooks" / f"{name}.ipynb")), name)
    rows, _, outputs = mark_folder(folder, "--jobs=2", monkeypatch=monkeypatch)
    asked = [number for number in rows["ada"] if re.fullmatch(r"\d+\.\d+", number)]
    assert len(asked) >= 4
    assert statuses(rows["ada"], asked) == ["right"] * len(asked), outputs
    assert statuses(rows["bob"], asked) == ["unattempted"] * len(asked)
    assert not rows["ada"]["remarks"] and not rows["bob"]["remarks"]
