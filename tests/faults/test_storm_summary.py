"""The storm's summary adds up what scripts say of themselves, and names those that failed and the seed."""

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Literal, cast

import pytest

from tests.support.storm import PROPERTY, Storm
from tests.support.verdict import Column

Outcome = Literal["passed", "failed"]


def _report(
    name: str,
    outcome: Outcome,
    *,
    when: Literal["setup", "call"] = "call",
    progress: Sequence[float] = (0.5,),
    **broken: int,
) -> pytest.TestReport:
    columns = {one.value: broken.get(one.name.lower(), 0) for one in Column}
    figures = {
        "restarts": 2,
        "moved": 1,
        "idle": 0,
        "seconds": 4.0,
        "progress": [*progress],
        "over_after": 3.0,
        "columns": columns,
    }
    said = {"family": "kills", "name": name, "figures": figures}
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
    assert cells[:6] == ["kills", "2", "4", "2", "0", "3"]
    assert cells[-4:] == ["1", "4.0", "0.50 s / 0.50 s", "3.00 s / 3.00 s"]
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
