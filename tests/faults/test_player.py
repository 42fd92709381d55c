"""What the player of a script notes beside the books: ends that nobody caused, and stops that take too long."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.faults import acts
from tests.faults.player import STOP_SECONDS, Player
from tests.faults.rig import Rig
from tests.faults.scripts import Script

PlayerOf = Callable[..., tuple[Player, "_Bot"]]

STARTED = '{"event": "dailies.started"}'


class _Bot:
    """A process that runs until it is asked to end, which takes it so long; longer than the wait: it never does."""

    def __init__(self, log: Path, seconds: float, code: int) -> None:
        self.logs = [log]
        self.now, self.code = 0.0, code
        self.ended: int | None = None
        self._seconds = seconds

    def running(self) -> bool:
        return self.ended is None

    def log(self) -> str:
        return self.logs[-1].read_text(encoding="utf-8")

    async def terminate(self) -> int:
        self.now += min(self._seconds, 15.0)
        if self._seconds > 15.0:
            raise TimeoutError
        self.ended = self.code
        return self.code

    async def kill(self) -> None:
        self.ended = -9


@pytest.fixture
def player_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlayerOf:
    """The player of a script at such a bot, whose time is the only one."""

    def make(log: str = STARTED, seconds: float = 0.0, code: int = 0) -> tuple[Player, _Bot]:
        path = tmp_path / "bot-1.log"
        path.write_text(log, encoding="utf-8")
        process = _Bot(path, seconds, code)
        monkeypatch.setattr(acts, "time", SimpleNamespace(monotonic=lambda: process.now))
        rig = cast("Rig", SimpleNamespace(bot=process))
        return Player(rig, Script(name="a stop", family="rows", provider="hiapi")), process

    return make


async def test_a_stop_within_its_time_is_no_crash(player_of: PlayerOf) -> None:
    player, bot = player_of(seconds=STOP_SECONDS - 0.1)
    await acts.stop(player, 0)
    player._ended(bot.ended)
    assert player._crashes == []


@pytest.mark.parametrize("seconds", [STOP_SECONDS + 0.1, 99.0])
async def test_a_stop_that_takes_longer_is_broken(player_of: PlayerOf, seconds: float) -> None:
    player, bot = player_of(seconds=seconds)
    await acts.stop(player, 0)
    player._ended(bot.ended)
    (crash,) = player._crashes
    assert "asked to end" in crash
    assert not bot.running()


@pytest.mark.parametrize("code", [1, -15])
async def test_a_stop_ends_as_it_should(player_of: PlayerOf, code: int) -> None:
    player, bot = player_of(code=code)
    await acts.stop(player, 0)
    player._ended(bot.ended)
    assert f"ended by itself with {code}" in player._crashes[0]


async def test_who_has_not_begun_to_listen_may_end_as_any_process_does(player_of: PlayerOf) -> None:
    player, bot = player_of(log="", code=-15)
    await acts.stop(player, 0)
    player._ended(bot.ended)
    assert player._crashes == []


@pytest.mark.parametrize(("log", "code"), [(STARTED, 0), ("", 0), ("", -15)])
async def test_an_end_that_was_asked_for_excuses_no_other(player_of: PlayerOf, log: str, code: int) -> None:
    player, bot = player_of()
    await acts.stop(player, 0)
    player._ended(bot.ended)
    bot.logs[-1].write_text(log, encoding="utf-8")
    player._ended(code)
    assert f"ended by itself with {code}" in player._crashes[0]


async def test_nobody_stops_who_is_not_running(player_of: PlayerOf) -> None:
    player, bot = player_of()
    await bot.kill()
    await acts.stop(player, 0)
    player._ended(bot.ended)
    player._ended(0)
    assert "ended by itself with 0" in player._crashes[0]
