"""A course of a few lessons: `make book LESSONS="…"`."""

import re

import pytest
from bs4 import BeautifulSoup

from tools import build
from tools.common import RUN, manuscripts, read_notebook


def test_lessons_are_chosen_by_their_numbers():
    some = build.chosen("02, 6")
    assert [name for name in some if name[:2].isdigit()] == ["02_convolution", "06_lenet"] and "old_code" in some
    assert build.chosen("") == manuscripts()
    with pytest.raises(SystemExit, match="there is no 99, x"):
        build.chosen("02 99 x")


def test_the_contents_of_all_lessons_are_the_file_itself():
    text = (build.ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert build.contents_of(text, dict.fromkeys(manuscripts())) == text


@pytest.mark.slow
def test_a_part_of_the_course_is_a_strict_site_without_dead_links(tmp_path, site):
    about = {"date": "2026-01-01", "machine": "torch", "data": {}}
    runs = {
        name: (read_notebook(RUN / "test" / "notebooks" / f"{name}.ipynb"), about) for name in build.chosen("02 06")
    }
    builder = build.start_builder()
    build.gather(tmp_path / "part", runs)
    build.build(tmp_path / "part", tmp_path / "html", builder)
    pages = {path.relative_to(tmp_path / "html").as_posix(): path for path in (tmp_path / "html").rglob("*.html")}
    lessons = [name for name in pages if re.match(r"notebooks/\d\d", name)]
    assert sorted(lessons) == ["notebooks/02_convolution.html", "notebooks/06_lenet.html"]
    dead = []
    for name, path in pages.items():
        if name.startswith("_static"):
            continue
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for link in page.select("a[href]"):
            goal = re.split(r"[#?]", link["href"])[0]
            if goal.endswith(".html") and not re.match(r"[a-z]+:|/", goal) and not (path.parent / goal).exists():
                dead.append((name, link["href"]))
    assert not dead
    cards = BeautifulSoup(pages["book/index.html"].read_text(encoding="utf-8"), "html.parser").select("ul.cards li")
    assert len(cards) == 2
