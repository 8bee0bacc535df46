"""How much code there is: the package stays small enough to be read.

Counted are lines that hold code, as `ruff format` lays them out: no docstrings, comments and blank lines.
"""

import ast
import io
import tokenize

from tools.common import ROOT, read

PACKAGE = ROOT / "course_utils"
IMAGES = 600  # lines of what fetches, checks and keeps data sets
PUBLIC = 2_940  # lines of all else that lessons can import, private modules included
MODULE = 260  # lines of one module: a larger one does two things
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def code_lines(text):
    """How many lines of a Python file hold code."""
    docstrings = set()
    for node in ast.walk(ast.parse(text)):
        holds = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if holds and ast.get_docstring(node) is not None:
            docstrings |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in LAYOUT]
    return len({line for token in tokens for line in range(token.start[0], token.end[0] + 1)} - docstrings)


def counted(paths):
    return {path.relative_to(PACKAGE).as_posix(): code_lines(read(path)) for path in paths}


def public_part():
    """Everything in course_utils but the images and the checkers of single lessons."""
    return counted([*PACKAGE.glob("*.py"), *(PACKAGE / "checks").glob("_*.py")])


def images_part():
    return counted((PACKAGE / "_images").glob("*.py"))


def largest(lines):
    return ", ".join(f"{name} {count}" for name, count in sorted(lines.items(), key=lambda item: -item[1])[:8])


def test_code_is_counted_without_docstrings_comments_and_blank_lines():
    assert code_lines('"""Module."""\n\nx = """two\nlines"""  # a comment\n') == 2
    assert code_lines('def f():\n    """Function."""\n\n    # nothing\n    return (\n        1\n    )\n') == 4


def test_what_lessons_import_stays_within_its_budget():
    lines = public_part()
    assert sum(lines.values()) <= PUBLIC, f"{sum(lines.values())} lines; {largest(lines)}"


def test_what_fetches_images_stays_within_its_budget():
    lines = images_part()
    assert sum(lines.values()) <= IMAGES, f"{sum(lines.values())} lines; {largest(lines)}"


def test_no_module_does_two_things():
    too_large = {name: count for name, count in (public_part() | images_part()).items() if count > MODULE}
    assert not too_large
