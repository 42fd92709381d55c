"""The program as ``bot.app`` puts it together, over the ports of one process of a simulation."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from bot.domain.capabilities import Capabilities
from bot.domain.job import Ownership
from bot.domain.pricing import PriceTable, Rate, RateKey
from bot.ports import Chat, Clock, FileSource, MediaRoom, Provider, Scratch, Storage, StorageError
from bot.services.callbacks import Callbacks
from bot.services.circuit import Circuit
from bot.services.doorbell import Doorbell
from bot.services.gatekeeper import Gatekeeper
from bot.services.gathering import Gathering
from bot.services.intake import Intake
from bot.services.lease import Lease
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.presses import Presses
from bot.services.routing import Router
from bot.services.runner import Runner
from bot.services.taking import Taking
from storage.memory.tables import Tables
from tests.simulation.chat import WorkspaceChat
from tests.simulation.fetching import Fetching
from tests.simulation.process import Process
from tests.simulation.slack_books import SlackBooks
from tests.simulation.storage import Disk, ProcessClips, ProcessStorage
from tests.simulation.vendor import Vendor
from tests.simulation.vendor_books import VendorBooks
from tests.simulation.world import BEGINNING, WorldClock
from tests.support.workbench import Signs

_TICK, _LONGEST_TICK = 4.0, 30.0
"""Seconds. Rarer than in the product, since each tick costs time; one that fails may well cost the lease, as it should
now and then."""


@dataclass(frozen=True, kw_only=True)
class House:
    """What a process finds when it starts."""

    disk: Disk
    vendors: Mapping[str, VendorBooks]
    slack: SlackBooks
    policy: Policy
    committed: Callable[[Tables], None]
    vendor: Callable[[Process, VendorBooks], Provider] = Vendor
    """How a process reaches a provider; a test puts a broken one here."""
    chat: Callable[[Process, SlackBooks], WorkspaceChat] = WorkspaceChat
    storage: Callable[[Process, Disk, Callable[[Tables], None]], ProcessStorage] = ProcessStorage


@dataclass(frozen=True, kw_only=True)
class Core:
    """The use-cases of a running process."""

    process: Process
    lease: Lease
    intake: Intake
    presses: Presses
    runner: Runner
    callbacks: Callbacks

    async def tick(self) -> None:
        """What timers do, for ever: renew the lease and wake the runner. While nothing else is due there is nothing to
        see, and nobody looks."""
        loop = self.process.world.loop
        while True:
            # A timer whose work failed is logged by its scheduler, and comes again.
            with contextlib.suppress(StorageError):
                await self.lease.renew()
            self.runner.wake()
            next_timer = loop.next_timer()
            quiet = 0.0 if next_timer is None else next_timer - loop.time() - 0.001
            await self.process.wait(max(_TICK, min(_LONGEST_TICK, quiet)))


class _Lease(Lease):
    """Tells the world when it was lost, whoever finds that out."""

    def __init__(self, *, storage: Storage, clock: Clock, lost: Callable[[], None]) -> None:
        super().__init__(storage=storage, clock=clock, alone=True)
        self._lost = lost

    async def register(self) -> Ownership:
        before = self.ownership
        try:
            return await super().register()
        finally:
            if before.epoch and self.ownership != before:
                self._lost()


async def start(process: Process, house: House) -> Core:
    """Put it together and begin to work. Raises StorageError."""
    world = process.world
    clock = WorldClock(world, world.stream(f"clock/{process.number}"))
    policy = house.policy
    storage: Storage = house.storage(process, house.disk, house.committed)
    providers = {name: house.vendor(process, books) for name, books in house.vendors.items()}
    chat = house.chat(process, house.slack)
    circuit = Circuit(clock)
    router = Router(providers, prices(house.vendors), healthy=circuit.healthy, links=True)
    async with storage.read() as tx:
        circuit.restore(await tx.outages.standing())
    lease = _Lease(storage=storage, clock=clock, lost=partial(world.loss, process.number))
    await lease.register()
    clips, fetcher = ProcessClips(process, house.disk), Fetching(process, house.vendors)
    doorbell = Doorbell()
    policies = Policies(storage=storage, operator=policy)
    gatekeeper = Gatekeeper(directory=chat, clock=clock)
    intake = Intake(
        storage=storage,
        router=router,
        policies=policies,
        gatekeeper=gatekeeper,
        taking=Taking(storage=storage, clock=clock, wake=doorbell.ring),
        doorbell=doorbell,
    )
    runner = Runner(
        storage=storage,
        clips=clips,
        fetcher=fetcher,
        chat=cast(Chat, chat),
        providers=providers,
        router=router,
        policy=policy,
        policies=policies,
        gatekeeper=gatekeeper,
        directory=chat,
        clock=clock,
        lease=lease,
        doorbell=doorbell,
        promote=intake.promote_early,
        circuit=circuit,
        gathering=Gathering(
            storage=storage,
            clips=clips,
            scratch=cast(Scratch, _NOBODY),
            fetcher=fetcher,
            files=cast(FileSource, _NOBODY),
            room=cast(MediaRoom, _NOBODY),
            clock=clock,
        ),
        links=Signs(),
        public_url="https://dailies.example",
    )
    core = Core(
        process=process,
        lease=lease,
        intake=intake,
        presses=Presses(storage=storage, policies=policies, gatekeeper=gatekeeper, clock=clock, wake=doorbell.ring),
        runner=runner,
        callbacks=Callbacks(
            storage=storage, providers=providers, policies=policies, clock=clock, called_about=runner.called_about
        ),
    )
    process.start(runner.run(), "runner")
    process.start(core.tick(), "tick")
    return core


_NOBODY: Any = object()
"""Where files of people would be worked on: nobody gives any here."""


def prices(vendors: Mapping[str, VendorBooks]) -> PriceTable:
    """What each provider publishes."""
    return PriceTable(
        {
            key: Rate(per_second_micro_usd=price, as_of=BEGINNING.date())
            for books in vendors.values()
            for key, price in _rates(books.can, books).items()
        }
    )


def _rates(can: Capabilities, books: VendorBooks) -> dict[RateKey, int]:
    return {(can.provider, can.tier, resolution, False): price for resolution, price in books.prices.items()}
