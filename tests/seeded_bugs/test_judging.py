"""Whether a bug counts as caught: by a test that fails, and fails by itself too. However else pytest may end, that
shows nothing, and is not counted. The test that a patch names comes first; where it does not fail, all do. The test of
the harness that it names has to fail besides."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.seeded_bugs import __main__ as judging
from tests.seeded_bugs.__main__ import NothingShown, Sight, Verdict, exit_code, first_failure, judge, summary

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
OF_THE_STORM = """
import pytest

@pytest.mark.storm
def test_of_the_storm():
    assert False
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


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.storm)])
async def test_a_test_that_fails_catches(tmp_path: Path, workers: int) -> None:
    tree(tmp_path, passing=PASSES, failing=FAILS)
    assert await found(tmp_path, workers=workers) == "suite/test_failing.py::test_fails"


async def test_one_of_the_storm_catches_where_the_storm_runs_too(tmp_path: Path) -> None:
    tree(tmp_path, storm=OF_THE_STORM)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = -ra -m 'not storm'\nmarkers = storm: the long rest\n", encoding="utf-8"
    )
    with pytest.raises(NothingShown, match="1 deselected"):
        await found(tmp_path)
    failure = await first_failure(tmp_path, ["suite"], workers=0, within=60, storm=True)
    assert failure == "suite/test_storm.py::test_of_the_storm"


@pytest.mark.storm
async def test_so_does_a_fixture_that_fails(tmp_path: Path) -> None:
    assert await found(tree(tmp_path, fixture=FIXTURE_FAILS)) == "suite/test_fixture.py::test_with_it"


async def test_tests_that_pass_catch_nothing_nor_does_one_that_passes_by_itself(tmp_path: Path) -> None:
    assert await found(tree(tmp_path, passing=PASSES, once=ONCE)) is None


@pytest.mark.storm
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


@pytest.mark.storm
async def test_nor_does_an_error_of_pytest_s_own(tmp_path: Path) -> None:
    tree(tmp_path, passing=PASSES)
    (tmp_path / "conftest.py").write_text(
        "def pytest_runtest_logreport(report):\n    raise OSError\n", encoding="utf-8"
    )
    with pytest.raises(NothingShown) as shown:
        await found(tmp_path)
    assert shown.value.code == pytest.ExitCode.INTERNAL_ERROR


@pytest.mark.storm
async def test_nor_do_tests_of_which_one_after_the_other_passes_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "MOST_UNSTEADY", 1)
    tree(tmp_path, company=ONLY_IN_COMPANY)
    with pytest.raises(NothingShown, match="2 tests failed that pass by themselves"):
        await found(tmp_path, workers=1)


class Suite:
    """In place of pytest: ``failing`` and, among all the tests, one fail; ``gone`` is not there."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, ...]] = []
        self.storms: list[bool] = []

    async def first_failure(
        self, tree: Path, paths: Sequence[str], *, workers: int, within: float, storm: bool = False
    ) -> str | None:
        self.ran.append((*paths,))
        self.storms.append(storm)
        if "gone" in paths:
            raise NothingShown(4, "no test failed", "ERROR: not found: gone")
        if "hanging" in paths:
            raise TimeoutError
        return {"failing": "failing", "all": "one of all"}.get(paths[0])

    async def judge(self, *named: str, search: bool, seen_by: Sequence[str] = ()) -> Verdict:
        return await judge("a_bug", "P.", {}, named=named, seen_by=seen_by, search=search, workers=2, limit=60)


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Suite:
    suite = Suite()
    monkeypatch.setattr(judging, "first_failure", suite.first_failure)
    monkeypatch.setattr(judging, "copy_tree", lambda to, files: (to / "all").mkdir())
    monkeypatch.setattr(judging, "STEPS", {"every": ("all",), "more": ("nowhere",)})
    return suite


async def test_the_named_test_alone_catches(suite: Suite) -> None:
    verdict = await suite.judge("failing", search=True)
    assert (verdict.step, verdict.suite.test, verdict.stale) == ("named", "failing", None)
    assert suite.ran == [("failing",)]


@pytest.mark.parametrize("named", ["passing", "gone"])
async def test_where_the_named_test_does_not_fail_all_are_searched_and_it_is_said(suite: Suite, named: str) -> None:
    verdict = await suite.judge(named, search=True)
    assert (verdict.step, verdict.suite.test, verdict.stale) == ("every", "one of all", named)
    assert f"every: `one of all` (its patch is out of date: `{named}` does not fail)" in verdict.line
    assert suite.ran == [(named,), ("all",)]


async def test_a_search_has_no_name_to_begin_with(suite: Suite) -> None:
    verdict = await suite.judge(search=True)
    assert (verdict.step, verdict.suite.test, verdict.stale) == ("every", "one of all", None)
    assert suite.ran == [("all",)]


async def test_over_the_sound_tree_run_the_named_tests_alone_and_all_have_to_be_there(suite: Suite) -> None:
    sound, lacking = (
        await suite.judge("passing", "more", search=False),
        await suite.judge("passing", "gone", search=False),
    )
    assert (sound.suite, sound.stale) == (Sight(), None)
    assert (lacking.suite.nothing, lacking.stale) == ("exit code 4, no test failed: ERROR: not found: gone", None)
    assert suite.ran == [("passing", "more"), ("passing", "gone")]


@pytest.mark.parametrize(
    ("harness", "sight", "cell"),
    [
        ("failing", Sight(test="failing"), "`failing`"),
        ("passing", Sight(), "NOT SEEN"),
        ("hanging", Sight(over=True), "NOT SEEN in time"),
        (
            "gone",
            Sight(nothing="exit code 4, no test failed: ERROR: not found: gone"),
            "NOTHING SHOWN: exit code 4, no test failed: ERROR: not found: gone",
        ),
    ],
)
@pytest.mark.parametrize("named", ["failing", "hanging"])
async def test_the_harness_looks_too_whatever_the_quick_test_shows(
    suite: Suite, named: str, harness: str, sight: Sight, cell: str
) -> None:
    verdict = await suite.judge(named, search=True, seen_by=[harness])
    assert suite.ran == [(named,), (harness,)]
    assert suite.storms == [False, True], "what is named of the harness may be of the storm"
    assert (verdict.caught, verdict.harness) == (named == "failing", sight)
    assert f"| {cell} |" in verdict.line


@pytest.mark.parametrize(("harness", "sound"), [("passing", True), ("failing", False), ("hanging", False)])
async def test_the_tree_without_a_bug_passes_the_tests_of_the_harness_too(
    suite: Suite, harness: str, sound: bool
) -> None:
    verdict = await suite.judge("passing", "more", search=False, seen_by=[harness, "more"])
    assert suite.ran == [("passing", "more"), (harness, "more")]
    assert verdict.sound is sound


@pytest.mark.parametrize("named", ["failing", "hanging", "gone"])
async def test_it_is_not_sound_either_where_a_quick_test_does_not_pass(suite: Suite, named: str) -> None:
    assert not (await suite.judge(named, search=False, seen_by=["passing"])).sound


def test_what_the_harness_does_not_see_counts_as_what_is_not_caught() -> None:
    seen, unseen, unclear, unasked = (
        Verdict(name="a", promise="P.", seconds=1, step="named", suite=Sight(test="t.py::t"), harness=sight)
        for sight in (Sight(test="f.py::f"), Sight(), Sight(nothing="exit code 4"), None)
    )
    assert [exit_code(these) for these in ([seen, unasked], [seen, unseen], [seen, unseen, unclear])] == [0, 1, 2]
    assert summary([seen, unasked]) == "Caught 2 of 2. The harness saw 1 of 1."
    assert summary([seen, unseen, unclear]) == "Caught 3 of 3. The harness saw 1 of 3. Of 1 nothing can be said."
    assert summary([unasked]) == "Caught 1 of 1."
    assert unasked.line == "| a | P. | named: `t.py::t` |  | 1 s |"


def test_what_shows_nothing_is_said_and_is_not_caught() -> None:
    caught = Verdict(name="a", promise="P.", seconds=1, step="unit", suite=Sight(test="t.py::t"))
    missed = Verdict(name="b", promise="P.", seconds=1)
    unread = Sight(nothing="exit code 4, no test failed: ERROR: x")
    nothing = Verdict(name="c_d", promise="P.", seconds=1, step="unit", suite=unread)
    assert [one.caught for one in (caught, missed, nothing)] == [True, False, False]
    assert nothing.line == "| c d | P. | NOTHING SHOWN (unit): exit code 4, no test failed: ERROR: x |  | 1 s |"
    assert [exit_code(these) for these in ([caught], [caught, missed], [caught, missed, nothing])] == [0, 1, 2]
