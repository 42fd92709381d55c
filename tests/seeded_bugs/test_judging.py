"""Whether a bug counts as caught: by a test that fails, and fails by itself too. However else pytest may end, that
shows nothing, and is not counted."""

from pathlib import Path

import pytest

from tests.seeded_bugs import __main__ as judging
from tests.seeded_bugs.__main__ import NothingShown, Verdict, exit_code, first_failure

PASSES = "def test_passes():\n    assert True\n"
FAILS = "def test_fails():\n    assert False\n"
FIXTURE_FAILS = """
import pytest

@pytest.fixture
def broken():
    raise OSError("no place")

def test_with_it(broken):
    assert True
"""
ONCE = """
from pathlib import Path

def test_once():
    seen = Path(__file__).with_name("seen")
    there = seen.exists()
    seen.touch()
    assert there
"""
ONLY_IN_COMPANY = """
import pytest

@pytest.mark.parametrize("number", range(20))
def test_in_company(number, worker_id):
    assert worker_id == "master"
"""


def tree(place: Path, **files: str) -> Path:
    """A folder ``suite`` with these files of tests."""
    (place / "suite").mkdir()
    for name, text in files.items():
        (place / "suite" / f"test_{name}.py").write_text(text, encoding="utf-8")
    return place


async def found(place: Path, folder: str = "suite", workers: int = 0) -> str | None:
    return await first_failure(place, [folder], workers=workers, within=60)


@pytest.mark.parametrize("workers", [0, 2])
async def test_a_test_that_fails_catches(tmp_path: Path, workers: int) -> None:
    tree(tmp_path, passing=PASSES, failing=FAILS)
    assert await found(tmp_path, workers=workers) == "suite/test_failing.py::test_fails"


async def test_so_does_a_fixture_that_fails(tmp_path: Path) -> None:
    assert await found(tree(tmp_path, fixture=FIXTURE_FAILS)) == "suite/test_fixture.py::test_with_it"


async def test_tests_that_pass_catch_nothing_nor_does_one_that_passes_by_itself(tmp_path: Path) -> None:
    assert await found(tree(tmp_path, passing=PASSES, once=ONCE)) is None


@pytest.mark.parametrize(
    ("files", "folder", "workers"),
    [
        ({"cannot_be_read": "import nothing_of_that_name\n"}, "suite", 2),
        ({"no_python": "def test_(:\n"}, "suite", 0),
        ({}, "suite", 0),
        ({"passing": PASSES}, "nowhere", 0),
        ({"passing": PASSES}, "--no-such-option", 0),
    ],
    ids=["not imported", "not parsed", "no tests", "no folder", "wrong usage"],
)
async def test_any_other_end_shows_nothing(tmp_path: Path, files: dict[str, str], folder: str, workers: int) -> None:
    tree(tmp_path, **files)
    with pytest.raises(NothingShown) as shown:
        await found(tmp_path, folder, workers)
    assert shown.value.code not in {0, 1}
    assert f"exit code {shown.value.code}, no test failed" in shown.value.line


async def test_nor_does_an_error_of_pytest_s_own(tmp_path: Path) -> None:
    tree(tmp_path, passing=PASSES)
    (tmp_path / "conftest.py").write_text(
        "def pytest_runtest_logreport(report):\n    raise OSError\n", encoding="utf-8"
    )
    with pytest.raises(NothingShown) as shown:
        await found(tmp_path)
    assert shown.value.code == pytest.ExitCode.INTERNAL_ERROR


async def test_nor_do_tests_of_which_one_after_the_other_passes_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "MOST_UNSTEADY", 1)
    tree(tmp_path, company=ONLY_IN_COMPANY)
    with pytest.raises(NothingShown, match="2 tests failed that pass by themselves"):
        await found(tmp_path, workers=1)


def test_what_shows_nothing_is_said_and_is_not_caught() -> None:
    caught = Verdict(name="a", promise="P.", seconds=1, step="unit", test="t.py::t")
    missed = Verdict(name="b", promise="P.", seconds=1)
    nothing = Verdict(name="c_d", promise="P.", seconds=1, step="unit", nothing="exit code 4, no test failed: ERROR: x")
    assert [one.caught for one in (caught, missed, nothing)] == [True, False, False]
    assert nothing.line == "| c d | P. | NOTHING SHOWN (unit): exit code 4, no test failed: ERROR: x | 1 s |"
    assert [exit_code(these) for these in ([caught], [caught, missed], [caught, missed, nothing])] == [0, 1, 2]
