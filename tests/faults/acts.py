"""What people, operators and machines do in a script besides asking: deletions, signals, locks, a Slack that is away.

Each act is a function of the performance and of the seconds it lasts; a script names it.
"""

import asyncio
import resource
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tests.faults.rig import Rig
from tests.support.history import cards_of, standing

if TYPE_CHECKING:
    from tests.faults.player import Player

Moment = Literal["asked", "card", "charged", "delivered", "over"]


@dataclass(frozen=True)
class Act:
    """What somebody or something does besides: its name here, when, and for how many seconds."""

    name: str
    moment: Moment = "charged"
    seconds: float = 0.0


async def perform(player: "Player", act: Act) -> None:
    """Do it, to its end."""
    await ACTS[act.name](player, act.seconds)


async def kill(player: "Player", seconds: float) -> None:
    """SIGKILL, at whatever the bot is doing."""
    if player.rig.bot.running():
        await player.rig.bot.kill()


async def stop(player: "Player", seconds: float) -> None:
    """SIGTERM, as at a deployment: who is not gone soon enough afterwards is killed."""
    if not player.rig.bot.running():
        return
    player.asked_to_end()
    began = time.monotonic()
    try:
        await player.rig.bot.terminate()
    except TimeoutError:
        await player.rig.bot.kill()
    player.stopped(time.monotonic() - began)


async def lock(player: "Player", seconds: float) -> None:
    """Another process writes in the database, and does not end."""
    async with player.locker:
        with locked(player.rig):
            await asyncio.sleep(seconds)


async def fill(player: "Player", seconds: float) -> None:
    """The disk is full: no file of the bot's grows."""
    with full_disk(player.rig):
        await asyncio.sleep(seconds)


async def slack_away(player: "Player", seconds: float) -> None:
    """Slack resets every connection before it has read anything, and every WebSocket."""
    rule = await player.rig.studio.fault("slack:*", "before", "reset", times=-1)
    await player.rig.studio.post("/sockets", action="kill")
    await asyncio.sleep(seconds)
    await player.rig.studio.heal(rule)


async def provider_away(player: "Player", seconds: float) -> None:
    """The provider resets every connection before it has read anything."""
    rule = await player.rig.studio.fault(f"{player.script.provider}:*", "before", "reset", times=-1)
    await asyncio.sleep(seconds)
    await player.rig.studio.heal(rule)


async def revoke(player: "Player", seconds: float) -> None:
    """The token is refused until there is a good one again."""
    await player.rig.studio.post("/token", refuse="token_revoked")
    await asyncio.sleep(seconds)
    await player.rig.studio.post("/token", refuse=None)


async def kick(player: "Player", seconds: float) -> None:
    """The app is put out of the channel, and let in again."""
    await player.rig.shut_out("kicked")
    await asyncio.sleep(seconds)
    await player.rig.let_in("kicked")


async def delete_card(player: "Player", seconds: float) -> None:
    """Maya deletes the card, while something is still to be said on it."""
    state = await player.rig.studio.get("/state", channel=player.rig.channel, deliveries=1)
    for card in cards_of(standing(state, player.rig.channel))[:1]:
        if not card.ended:
            await player.rig.studio.delete("maya", card.ts, channel=player.rig.channel)


async def ask_again(player: "Player", seconds: float) -> None:
    """Another ask, like the first."""
    await player.ask()


async def ask_while_locked(player: "Player", seconds: float) -> None:
    """Another ask, while nothing can be written."""
    async with player.locker:
        with locked(player.rig):
            await player.ask()
            await asyncio.sleep(seconds)


async def ask_while_full(player: "Player", seconds: float) -> None:
    """Another ask, while no file of the bot's grows."""
    with full_disk(player.rig):
        await player.ask()
        await asyncio.sleep(seconds)


ACTS: Mapping[str, Callable[["Player", float], Awaitable[None]]] = {
    one.__name__: one
    for one in (
        kill,
        stop,
        lock,
        fill,
        slack_away,
        provider_away,
        revoke,
        kick,
        delete_card,
        ask_again,
        ask_while_locked,
        ask_while_full,
    )
}


@contextmanager
def locked(rig: Rig) -> Iterator[None]:
    """Nobody but us may write in the bot's database."""
    with closing(sqlite3.connect(rig.bot.database, isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 5000")
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


@contextmanager
def full_disk(rig: Rig) -> Iterator[None]:
    """The system refuses the bot every write past the present end of its write-ahead log. Where two do so at once, it
    is until the last has ended."""
    pid = rig.bot.pid
    journal = rig.bot.database.with_name(f"{rig.bot.database.name}-wal")
    try:
        if pid not in _taken:
            _taken[pid] = _Room(before=resource.prlimit(pid, resource.RLIMIT_FSIZE))
            _limit(pid, (journal.stat().st_size if journal.exists() else 0, _taken[pid].before[1]))
    except ProcessLookupError:
        _taken.pop(pid, None)
        yield  # another fault has killed it; whoever is started next has room
        return
    room = _taken[pid]
    room.holders += 1
    try:
        yield
    finally:
        room.holders -= 1
        if not room.holders:
            del _taken[pid]
            with suppress(ProcessLookupError):
                _limit(pid, room.before)


@dataclass
class _Room:
    """What a process could write before its disk was full, and how many keep it so."""

    before: tuple[int, int]
    holders: int = 0


_taken: dict[int, _Room] = {}
"""By process."""


def _limit(pid: int, room: tuple[int, int]) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, room)
