"""What `make release` makes: archives that hold what they should, and nothing that they should not."""

import hashlib
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import nbformat
import pytest

from tools import release
from tools.common import ROOT, lessons, manuscripts, read_notebook, tokens
from tools.mark import Lesson, checks_in

NAME = f"kernel-by-kernel-{tokens()['version']}"


def ran(name):
    """A lesson's notebook as if it had run: each code cell with an output."""
    notebook = read_notebook(ROOT / "notebooks" / f"{name}.ipynb")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", text="it ran\n")]
    return notebook


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a release, made twice, from a small site and small data."""
    folder = tmp_path_factory.mktemp("release")
    (folder / "site" / "_static").mkdir(parents=True)
    (folder / "site" / "index.html").write_text("<h1>The book</h1>")
    (folder / "site" / "_static" / "x.css").write_text("body {}")
    (folder / "data").mkdir()
    for name in ("mnist", "fashion_mnist", "cifar10"):
        (folder / "data" / f"{name}.npz").write_bytes(b"not really " + name.encode())
    patch = pytest.MonkeyPatch()
    patch.setattr(release, "SITE", folder / "site")
    patch.setattr(release, "with_present_prose", ran)
    patch.setattr(release, "kept", lambda name: None)
    patch.setenv("COURSE_DATA_DIR", str(folder / "data"))
    for place in ("first", "second"):
        patch.setattr(release, "OUT", folder / place)
        release.make(data=True)
    patch.undo()
    return folder / "second"


def members(made, kind):
    with zipfile.ZipFile(made / f"{NAME}-{kind}.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def notebooks_in(files, place=""):
    return {Path(name).stem: nbformat.reads(text.decode(), 4) for name, text in files.items() if name.startswith(place)}


def test_the_same_course_makes_the_same_bytes(made):
    for file in made.iterdir():
        assert file.read_bytes() == (made.parent / "first" / file.name).read_bytes(), file.name


def test_the_sums_are_those_of_the_files(made):
    listed = dict(reversed(line.split("  ")) for line in (made / "SHA256SUMS").read_text().splitlines())
    assert listed == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in made.glob("*.zip")}
    assert len(listed) == 4


def test_students_get_every_stub_and_no_solution(made):
    notebooks = notebooks_in(members(made, "students"))
    assert sorted(notebooks) == manuscripts()
    for name, notebook in notebooks.items():
        nbformat.validate(notebook)
        text = "\n".join(cell.source for cell in notebook.cells)
        assert "_solution" not in text and not re.search(r"solutions?\s+(follow|below)", text, re.IGNORECASE), name
        assert {e for cell in notebook.cells for e in checks_in(cell.source)} == set(Lesson(name).asked), name
        plain = read_notebook(ROOT / "notebooks" / f"{name}.ipynb")
        removed = len(plain.cells) - len(notebook.cells)
        heads = [cell.source for cell in plain.cells]
        first, end = (
            [n for n, text in enumerate(heads) if head in text] for head in (release.TELLING, release.AFTERWARDS)
        )
        telling = end[0] - first[0] if first else 0  # cells of the audit that show what each mistake did
        assert removed == len(Lesson(name).asked) + telling and bool(telling) == (name == "17_audit")
        assert {cell.id for cell in notebook.cells} < {cell.id for cell in plain.cells} or not removed


def test_the_sentence_that_promises_solutions_is_gone_and_the_text_whole(made):
    before = read_notebook(ROOT / "notebooks" / "17_audit.ipynb")
    assert any(release.PROMISE.search(cell.source) for cell in before.cells)
    after = notebooks_in(members(made, "students"))["17_audit"]
    text = " ".join("\n".join(cell.source for cell in after.cells).split())
    assert "replace the dots and run the cell. A mended" in text
    assert "What each mistake did" not in text and "### An open question No checker" in text and "Your score" in text


def test_instructors_get_outputs_and_the_key_and_nobody_else_the_key(made):
    files = members(made, "instructors")
    notebooks = notebooks_in(files, "solutions-and-outputs/")
    assert sorted(notebooks) == manuscripts() and "key_second_audit.md" in files
    assert all(cell.outputs for cell in notebooks["02_convolution"].cells if cell.cell_type == "code")
    assert "Solution 2.1" in str(notebooks["02_convolution"])
    for kind in ("students", "site", "offline"):
        assert not [name for name in members(made, kind) if "key_second_audit" in name]


def test_nbgrader_finds_a_locked_cell_of_one_point_for_each_exercise(made):
    files = {n: text for n, text in members(made, "instructors").items() if n.startswith("nbgrader/")}
    assert sorted(files) == [f"nbgrader/source/{name}/{name}.ipynb" for name in lessons()]
    for name, notebook in notebooks_in(files).items():
        nbformat.validate(notebook)
        graded = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
        assert [*checks_in(graded[0].source)] and len(graded) == len(Lesson(name).asked)
        ids = [cell.metadata.nbgrader.grade_id for cell in graded]
        assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[\w-]+", each) for each in ids)
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
        for cell in graded:
            assert cell.source.startswith("assert check(") and cell.metadata.nbgrader.locked


@pytest.mark.slow
def test_the_bundle_runs_where_it_is_unpacked(made, run_python, tmp_path):
    with zipfile.ZipFile(made / f"{NAME}-offline.zip") as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / NAME
    assert {"site", "data", "notebooks", "course_utils", "Makefile"} <= {path.name for path in folder.iterdir()}
    page = (folder / "OFFLINE.md").read_text()
    assert (
        "COURSE_DATA=real" in page and "make lab" in page and "wheels" not in page and "the data sets (`data/`)" in page
    )
    listed = run_python("-m", "course_utils.data", "where", cwd=folder, COURSE_DATA_DIR=folder / "data")
    assert listed.stdout.strip() == str(folder / "data")
    lesson = f"notebooks/{lessons()[1]}.ipynb"
    done = run_python("-m", "pytest", "--nbmake", "-p", "no:cacheprovider", lesson, cwd=folder, COURSE_DATA="sample")
    assert done.returncode == 0, done.stdout


def test_the_page_of_a_bundle_says_only_what_is_in_it():
    small, large = release.read_me(data=False, wheels=False), release.read_me(data=True, wheels=True)
    assert "COURSE_DATA=sample" in small and "built-in sample" in small and "--no-index" not in small
    assert "COURSE_DATA=real" in large and "--no-index --find-links=wheels" in large and "built-in sample" not in large


def test_the_text_of_a_release_is_its_part_of_the_change_log():
    changes = "# Change log\n\nHead.\n\n## Unreleased\n\nnew\n\n## 0.2.0 (soon)\n\nours\n\n## 0.1.0\n\nold\n"
    assert release.text_of_release(changes, "0.2.0") == "new\n\n## 0.2.0 (soon)\n\nours\n"
    assert release.text_of_release(changes, "0.1.0").endswith("## 0.1.0\n\nold\n")
    with pytest.raises(SystemExit, match="no part that begins with `## 0.3.0`"):
        release.text_of_release(changes, "0.3.0")
    assert tokens()["version"] in release.text_of_release((ROOT / "CHANGELOG.md").read_text(), tokens()["version"])


def used(copy):
    """As much of the record of a kept run as counts here."""
    return {"used": {"data": {"mnist": {"copy": copy, "fingerprint": "x"}}}}


def test_what_is_missing_stops_it_before_anything_is_lost(monkeypatch, tmp_path):
    monkeypatch.setattr(release, "OUT", tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.zip").touch()
    monkeypatch.setattr(release, "SITE", tmp_path)
    with pytest.raises(SystemExit, match="run `make book` first"):
        release.make()
    (tmp_path / "index.html").touch()
    monkeypatch.setattr(release, "kept", lambda name: used("sample" if name == "06_lenet" else "official"))
    with pytest.raises(SystemExit, match=r"made on the sample \(06_lenet\)"):
        release.make()
    monkeypatch.setattr(release, "kept", lambda name: used("official"))
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    with pytest.raises(SystemExit, match="mnist, fashion_mnist, cifar10 is not here"):
        release.make(data=True)
    assert (tmp_path / "out" / "old.zip").exists()


@pytest.mark.slow
def test_nbgrader_itself_grades_them(made, tmp_path):
    nbgrader = shutil.which("nbgrader")
    if nbgrader is None:
        pytest.skip("nbgrader is not installed")
    course, name = tmp_path / "course", "02_convolution"
    with zipfile.ZipFile(made / f"{NAME}-instructors.zip") as archive:
        archive.extractall(tmp_path / "zip")
    source = tmp_path / "zip" / "nbgrader" / "source" / name
    shutil.copytree(source, course / "source" / name)
    (course / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'looms'\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COURSE_DATA": "sample"}

    def call(*arguments):
        done = subprocess.run([nbgrader, *arguments], cwd=course, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    call("generate_assignment", name)
    released = course / "release" / name / f"{name}.ipynb"
    assert "check(" in released.read_text()
    answered = nbformat.read(released, 4)
    for cell in answered.cells:
        if cell.source.startswith("counts") and 'check("2.3"' in cell.source:
            cell.source = 'counts = (600, 608)\ncheck("2.3", counts)'
    for student, notebook in (("ada", answered), ("bob", nbformat.read(released, 4))):
        place = course / "submitted" / student / name
        place.mkdir(parents=True)
        nbformat.write(notebook, place / f"{name}.ipynb")
    call("autograde", name)
    call("export")
    rows = (course / "grades.csv").read_text().splitlines()
    scores = [dict(zip(rows[0].split(","), row.split(","), strict=True)) for row in rows[1:]]
    assert {row["student_id"]: float(row["score"]) for row in scores} == {"ada": 1.0, "bob": 0.0}
    assert {float(row["max_score"]) for row in scores} == {7.0}
