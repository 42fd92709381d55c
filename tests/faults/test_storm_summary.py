"""The storm's summary adds up what scripts say of themselves, and names those that failed and the seed."""

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Literal, cast

import pytest

from tests.support.storm import PROPERTY, STRUCK_AT_LEAST, WHOLE, Storm
from tests.support.verdict import Column

Outcome = Literal["passed", "failed"]


def _report(
    name: str,
    outcome: Outcome,
    *,
    when: Literal["setup", "call"] = "call",
    progress: Sequence[float] = (0.5,),
    family: str = "kills",
    moved: int = 1,
    idle: int = 0,
    **broken: int,
) -> pytest.TestReport:
    columns = {one.value: broken.get(one.name.lower(), 0) for one in Column}
    figures = {
        "restarts": 2,
        "moved": moved,
        "idle": idle,
        "seconds": 4.0,
        "progress": [*progress],
        "since_spawn": [2 * seconds for seconds in progress],
        "over_after": 3.0,
        "columns": columns,
    }
    said = {"family": family, "name": name, "figures": figures}
    return pytest.TestReport(
        nodeid=name,
        location=("test_x.py", 1, name),
        keywords={},
        outcome=outcome,
        longrepr=None,
        when=when,
        user_properties=[(PROPERTY, json.dumps(said))],
    )


def _storm() -> Storm:
    return Storm(cast("pytest.Config", SimpleNamespace(getoption={"seed": 42}.__getitem__)))


def test_figures_are_added_up_and_failures_named() -> None:
    storm = _storm()
    storm.pytest_runtest_logreport(_report("one", "passed"))
    storm.pytest_runtest_logreport(_report("one", "passed", when="setup"))
    storm.pytest_runtest_logreport(_report("two", "failed", double_charges=3))
    text = storm.markdown()
    assert storm.pytest_report_header() == "storm: --seed 42"
    assert "SEED=42" in text
    row = next(line for line in text.splitlines() if line.startswith("| kills "))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:7] == ["kills", "2", "4", "2", "0", "0", "3"]
    assert cells[-5:] == ["1", "4.0", "0.50 s / 0.50 s", "1.00 s / 1.00 s", "3.00 s / 3.00 s"]
    assert "- failed, kills: two" in text
    assert "failed, kills: one" not in text


@pytest.mark.parametrize(
    ("progress", "slow", "before", "after"),
    [
        ([[0.1] * 11, [9.0] * 9], False, pytest.ExitCode.OK, pytest.ExitCode.OK),
        ([[0.1] * 9, [2.1] * 11], True, pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED),
        ([[2.1] * 20], True, pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERRUPTED),
        ([[9.0] * 3], False, pytest.ExitCode.OK, pytest.ExitCode.OK),
        ([[]], False, pytest.ExitCode.OK, pytest.ExitCode.OK),
    ],
)
def test_a_family_whose_restarts_are_slow_fails(
    progress: list[list[float]], slow: bool, before: pytest.ExitCode, after: pytest.ExitCode
) -> None:
    """One may be, and a few of a few: half of many may not."""
    storm = _storm()
    for index, one in enumerate(progress):
        storm.pytest_runtest_logreport(_report(f"script {index}", "passed", progress=one))
    session = cast("pytest.Session", SimpleNamespace(exitstatus=before))
    storm.pytest_sessionfinish(session)
    assert session.exitstatus == after
    assert ("- failed, kills: half of the restarts" in storm.markdown()) == slow


@pytest.mark.parametrize("family", WHOLE)
@pytest.mark.parametrize("harm", [(1, 0), (0, 1)], ids=["moved", "idle"])
@pytest.mark.parametrize(
    ("struck", "left_out", "after"),
    [
        (STRUCK_AT_LEAST, 0, pytest.ExitCode.OK),
        (STRUCK_AT_LEAST - 1, 0, pytest.ExitCode.TESTS_FAILED),
        (STRUCK_AT_LEAST - 1, 1, pytest.ExitCode.OK),
    ],
)
def test_a_whole_family_of_which_too_little_struck_fails(
    family: str, harm: tuple[int, int], struck: int, left_out: int, after: pytest.ExitCode
) -> None:
    """Of a part of it nothing is demanded."""
    storm = _storm()
    for index in range(WHOLE[family] - left_out):
        moved, idle = (0, 0) if index < struck else harm
        report = _report(f"script {index}", "passed", progress=(), family=family, moved=moved, idle=idle)
        storm.pytest_runtest_logreport(report)
    session = cast("pytest.Session", SimpleNamespace(exitstatus=pytest.ExitCode.OK))
    storm.pytest_sessionfinish(session)
    assert session.exitstatus == after
    assert (f"- failed, {family}: {struck} scripts struck" in storm.markdown()) == (after != pytest.ExitCode.OK)
