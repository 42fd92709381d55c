"""The runner over a workbench, for tests of its loop."""

import asyncio

from bot.services.doorbell import Doorbell
from bot.services.runner import Runner
from tests.support.clock import SettableClock
from tests.support.ordering import RecordingChat
from tests.support.workbench import Workbench


class StandingClock(SettableClock):
    """Nobody sleeps to the end: the loop is woken, or it waits."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


async def a_runner(one: Workbench, chat: RecordingChat | None = None) -> Runner:
    """A process that has just started over what the workbench has: it is to claim everything."""
    await one.bench.lease.register()
    bench = one.bench
    return Runner(
        storage=one.storage,
        clips=one.clips,
        fetcher=bench.fetcher,
        chat=chat or RecordingChat(),  # type: ignore[arg-type] # of all that a chat can do, cards need these
        providers=bench.providers,
        router=bench.router,
        policy=bench.policy,
        policies=bench.policies,
        gatekeeper=bench.gatekeeper,
        directory=bench.directory,
        clock=StandingClock(one.clock.now()),
        lease=bench.lease,
        doorbell=Doorbell(),
        promote=None,  # type: ignore[arg-type] # nobody reacts
        circuit=bench.circuit,
        gathering=one.gathering,
        links=one.signs,
    )
