"""Slack reaches the bot over Socket Mode or over HTTP, and what people live through is the same: a scenario takes
`stage`, and so runs in both. `test_modes` lists the modules that do not, and says why."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, get_args

import pytest

from tests.scenarios import bot
from tests.scenarios.bot import Mode, Stage


class MakeStage(Protocol):
    """`tests.scenarios.bot.stage`, whose mode is chosen."""

    def __call__(
        self, place: Path, *, sandbox: Mapping[str, Any] | None = None, start: bool = True, **settings: str
    ) -> AbstractAsyncContextManager[Stage]: ...


@pytest.fixture(scope="module", params=get_args(Mode))
def mode(request: pytest.FixtureRequest) -> Mode:
    """How Slack reaches the bot: every test that takes this, or `stage`, runs once each way."""
    chosen: Mode = request.param
    return chosen


@pytest.fixture(scope="module")
def stage(mode: Mode) -> MakeStage:
    """Makes a sandbox with the bot in it, reached in this mode."""
    return partial(bot.stage, mode=mode)


HTTP_IN_THE_STORM = pytest.mark.parametrize(
    "mode", ["socket", pytest.param("http", marks=pytest.mark.storm)], indirect=True
)
"""For stories to which it matters little how Slack's requests arrive: over HTTP they are told in `make storm`. The main
story is told in both ways each time."""
