"""What counts as a restarted bot's going on: an effect that moves the case, and nothing that any start does."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.faults.rig import Rig
from tests.sandbox.driver import Workspace

HERE, ELSEWHERE = "C1", "C2"


class _Studio:
    """A sandbox that has seen these calls and requests."""

    def __init__(self, *calls: dict[str, Any], **requests: int) -> None:
        self._answers = {"/calls": {"calls": calls}, "/providers/hiapi/requests": requests}

    async def get(self, path: str, **_: object) -> Any:
        return self._answers[path]


def _call(method: str, channel: str = HERE, text: str = "") -> dict[str, Any]:
    return {"method": method, "arguments": {"channel": channel, "text": text}}


def _rig(studio: _Studio) -> Rig:
    return Rig(
        studio=cast("Workspace", studio),
        bot=cast("Any", SimpleNamespace()),
        channel="#case",
        channel_id=HERE,
        marker="case-1x",
        rendered=Path(),
    )


@pytest.mark.parametrize(
    "studio",
    [
        _Studio(_call("auth.test", ""), _call("apps.connections.open", ""), _call("users.info", "")),
        _Studio(_call("chat.postMessage", ELSEWHERE)),
        _Studio(_call("chat.update", text="*#1* · mini · *rendering* · $0.32: at work")),
        _Studio(balance=1, callback=2, catalog=1),
    ],
)
async def test_what_any_start_does_moves_nothing(studio: _Studio) -> None:
    assert await _rig(studio).effects(0.0) == 0


@pytest.mark.parametrize(
    "studio",
    [
        _Studio(_call("chat.postMessage")),
        _Studio(_call("chat.update", text="*#1* · mini · *delivered* · $0.32: posted")),
        _Studio(_call("files.info", "")),
        _Studio(get=1, callback=1),
        _Studio(create=1),
    ],
)
async def test_what_moves_the_case_does(studio: _Studio) -> None:
    assert await _rig(studio).effects(0.0) == 1
