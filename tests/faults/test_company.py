"""What a bot leaves behind that belongs to no case: charges, errors in its log, secrets, files."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.faults.company import UNTHOUGHT_OF, Company, left_over, marker_of, nobodys
from tests.sandbox.driver import Json, Workspace
from tests.scenarios.bot import Bot
from tests.support.verdict import Column

OURS = f"a red panda {marker_of(7)} ask1"


def _state(*prompts: str) -> Json:
    ledger = [{"task_id": f"task-{number}", "prompt": prompt} for number, prompt in enumerate(prompts, start=1)]
    return {"providers": {"hiapi": {"ledger": []}, "muapi": {"ledger": ledger}}}


def test_a_charge_bears_the_marker_of_a_case() -> None:
    assert list(nobodys(_state(OURS, f"a dog {marker_of(12)}"))) == []
    assert list(nobodys(_state(OURS, "warming up", "case-x"))) == [
        "nobody asked for “warming up”, which muapi charged as task task-2",
        "nobody asked for “case-x”, which muapi charged as task task-3",
    ]


class _People:
    """A sandbox with these charges."""

    def __init__(self, *prompts: str) -> None:
        self.prompts = prompts

    async def get(self, path: str, **_: object) -> Json:
        return _state(*self.prompts)


async def test_a_charge_that_belongs_to_no_case_is_told_of_once(tmp_path: Path) -> None:
    """It is the case's at which it came, and no later one's."""
    people = _People(OURS, "warming up")
    company = Company(place=tmp_path, _people=cast("Workspace", people))
    assert [column for column, _ in await company._nobodys()] == [Column.DOUBLE_CHARGES]
    assert await company._nobodys() == []
    people.prompts = (*people.prompts, "warming up")
    assert len(await company._nobodys()) == 1


def _bot(media: Path, log: str) -> Bot:
    return cast("Bot", SimpleNamespace(log=lambda: log, environment={"HIAPI_API_KEY": "hush-hush"}, media=media))


def test_a_bot_that_leaves_nothing(tmp_path: Path) -> None:
    assert (
        left_over(_bot(tmp_path, '{"event": "dailies.started"}\n{"event": "step.done", "why": "no step.failed"}')) == []
    )


@pytest.mark.parametrize("event", UNTHOUGHT_OF)
def test_an_error_that_nobody_had_thought_of_is_left_over(tmp_path: Path, event: str) -> None:
    line = f'{{"event": "{event}", "exception": "KeyError"}}'
    assert left_over(_bot(tmp_path, f"{line}\n{line}")) == [f"{event} stands in the log 2 times, first: {line}"]


def test_secrets_and_unfinished_files_are_left_over(tmp_path: Path) -> None:
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "1.mp4").touch()
    assert left_over(_bot(tmp_path, "hush-hush")) == ["the log shows HIAPI_API_KEY", "1.mp4 was left unfinished"]
