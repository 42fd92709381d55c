"""Every row of the fault matrix is played by a test, or `docs/fault-matrix.md` says why it cannot arise; and what that
page says of tests is so."""

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "fault-matrix.md"

ALL = [f"F{number:02}" for number in range(1, 91)]
"""The matrix."""

_LINE = re.compile(r"^\| (?P<row>F\d+) \| (?P<what>[^|]+) \| (?P<shown>[^|]+) \| (?P<runs>[^|]*) ?\|$", re.MULTILINE)
_TEST = re.compile(r"\btest_\w+\b(?!\.py)")
_REASON = "Reason: "


@functools.cache
def marked() -> Mapping[str, set[str]]:
    """The names of the tests that play each row, read from their sources: nothing is imported or run."""
    found = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for row in _rows_of(node):
                    found[row].add(node.name)
    return found


def _rows_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """The rows that the function's marks name, on the whole of it or on some of its parameters."""
    for decorator in function.decorator_list:
        for node in ast.walk(decorator):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"row", "mark.row", "pytest.mark.row"}:
                yield from (str(ast.literal_eval(one)) for one in node.args)


def listed() -> Mapping[str, str]:
    """What the page says of who plays each row, or why nobody does."""
    return {line["row"]: line["shown"] for line in _LINE.finditer(PAGE.read_text(encoding="utf-8"))}


def test_no_mark_names_a_row_that_is_not_there() -> None:
    assert marked().keys() - set(ALL) == set()


def test_every_row_is_played_or_has_a_reason() -> None:
    marks, page = marked(), listed()
    assert [*page] == ALL
    assert [row for row in ALL if not marks[row] and not page[row].startswith(_REASON)] == []


def test_the_tests_that_the_page_names_play_those_rows() -> None:
    marks = marked()
    named = {row: set(_TEST.findall(shown)) for row, shown in listed().items() if not shown.startswith(_REASON)}
    assert {row: tests - marks[row] for row, tests in named.items() if not tests or tests - marks[row]} == {}
