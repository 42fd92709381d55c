"""Every row of the fault matrix is played by a test, or `docs/fault-matrix.md` says why it is not; and the tests that
the page names are those that play it."""

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
_FILE = re.compile(r"`(?P<path>tests/\w+/test_\w+\.py)`: (?P<tests>`test_\w+`(?:, `test_\w+`)*)")
_TEST = re.compile(r"`(test_\w+)`")
_REASON = "Reason: "


@functools.cache
def marked() -> Mapping[str, set[tuple[str, str]]]:
    """The tests that play each row, each its file and its name, read from their sources: nothing is imported or run."""
    found = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for row in _rows_of(node):
                    found[row].add((path.relative_to(ROOT).as_posix(), node.name))
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


def named(shown: str) -> set[tuple[str, str]]:
    """The tests in such a text, each its file and its name."""
    return {(one["path"], test) for one in _FILE.finditer(shown) for test in _TEST.findall(one["tests"])}


def test_no_mark_names_a_row_that_is_not_there() -> None:
    assert marked().keys() - set(ALL) == set()


def test_every_row_is_played_or_has_a_reason() -> None:
    marks, page = marked(), listed()
    assert [*page] == ALL
    assert [row for row in ALL if not marks[row] and not page[row].startswith(_REASON)] == []


def test_the_page_names_the_tests_that_play_each_row_and_no_others() -> None:
    marks, page = marked(), listed()
    played = {row: marks[row] for row, shown in page.items() if not shown.startswith(_REASON)}
    assert {row: named(page[row]) ^ tests for row, tests in played.items() if named(page[row]) != tests} == {}
