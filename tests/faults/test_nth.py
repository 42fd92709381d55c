"""The loop over each n-th operation excuses no more than it must, and goes on past a life that had one less."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.faults.failing_bot import Failure
from tests.faults.nth import Failing, one_after_the_other
from tests.faults.rig import Rig
from tests.support.history import Card

ORDER = {"kind": "lost", "number": 1, "what": "POST /v1/tasks"}
LOOK = {"kind": "lost", "number": 2, "what": "GET /v1/tasks/task-1"}
WRITE = {"kind": "write", "number": 3, "what": "UPDATE jobs"}
UNSENT = {"kind": "unsent", "number": 4, "what": "POST /v1/tasks"}
UNCERTAIN = Card(ask_id="ask-1", ts="1.0", thread_ts=None, rows={1: "uncertain"}, text="#1 is uncertain")


class _Doubtful:
    """A case on whose card an order is uncertain until it was made again so often."""

    channel = "#case"

    def __init__(self, times: int) -> None:
        self.left = times

    async def _until(self, *_: object, **__: object) -> tuple[list[object], list[Card]]:
        self.left -= 1
        return [], [UNCERTAIN] if self.left >= 0 else []


def _failing(folder: Path, *struck: object, keyed: bool, monkeypatch: pytest.MonkeyPatch) -> Failing:
    report = folder / "report.jsonl"
    report.write_text("".join(f"{json.dumps(one)}\n" for one in ({"read": 1}, *struck)), encoding="utf-8")
    failing = Failing(rig=cast("Rig", SimpleNamespace()), plan=folder / "plan.json", report=report, keyed=keyed)

    async def taken(*_: object) -> None:
        return None

    monkeypatch.setattr(failing, "_order_again", taken)
    return failing


@pytest.mark.parametrize(
    ("keyed", "struck", "times"),
    [
        (True, [ORDER], 1),
        (True, [WRITE], 1),
        (False, [WRITE], 1),
        (False, [LOOK], 1),
        (False, [UNSENT], 1),
        (False, [ORDER], 2),
    ],
)
async def test_an_order_that_can_be_known_may_not_be_uncertain(
    keyed: bool, struck: list[object], times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = _failing(tmp_path, *struck, keyed=keyed, monkeypatch=monkeypatch)
    with pytest.raises(AssertionError, match="is uncertain"):
        await failing._clips(cast("Rig", _Doubtful(times)), 0)


async def test_an_order_whose_answer_is_lost_for_good_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = _failing(tmp_path, ORDER, keyed=False, monkeypatch=monkeypatch)
    assert await failing._clips(cast("Rig", _Doubtful(1)), 0) == ([], 1)


@pytest.mark.parametrize(
    ("had", "count"), [([True, True, False, True, False, False, True], 3), ([False, True, False, False], 1)]
)
async def test_one_life_without_the_failure_ends_nothing(had: list[bool], count: int) -> None:
    coming = iter(had)

    async def happen(failure: Failure) -> list[str]:
        return [str(failure)] if next(coming) else []

    assert await one_after_the_other((Failure("write", nth) for nth in range(1, len(had) + 1)), happen) == count


async def test_what_never_comes_was_not_tried() -> None:
    async def never(_: Failure) -> list[str]:
        return []

    with pytest.raises(AssertionError, match="never comes"):
        await one_after_the_other([Failure("write", 1), Failure("write", 2)], never)
