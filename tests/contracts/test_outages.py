"""``bot.ports.Outages``, on every implementation."""

from dataclasses import replace

from bot.domain.failure import Failure, FailureKind
from bot.domain.outage import Outage
from bot.ports import Storage
from tests.contracts.records import NOW, assert_same, later

BROKE = Outage(provider="muapi", failure=Failure(kind=FailureKind.OUT_OF_CREDIT, detail="top up — “now” 🦊"), since=NOW)


async def standing(storage: Storage) -> tuple[Outage, ...]:
    async with storage.read() as tx:
        return await tx.outages.standing()


async def test_what_is_known_last_of_an_outage_stands_with_its_beginning(storage: Storage) -> None:
    refused = replace(BROKE, failure=Failure(kind=FailureKind.KEY_REFUSED), since=later(5))
    other = replace(BROKE, provider="apimart")
    assert await standing(storage) == ()
    async with storage.begin() as tx:
        await tx.outages.note(BROKE)
        await tx.outages.note(other)
    async with storage.begin() as tx:
        await tx.outages.note(refused)
    assert_same(await standing(storage), (other, replace(refused, since=NOW)))


async def test_an_order_from_before_it_does_not_end_it(storage: Storage) -> None:
    for sent_at, left in [(later(-1), (BROKE,)), (NOW, ()), (NOW, ())]:
        async with storage.begin() as tx:
            if left:
                await tx.outages.note(BROKE)
            await tx.outages.end("apimart", later(9))
            await tx.outages.end("muapi", sent_at)
        assert_same(await standing(storage), left)
