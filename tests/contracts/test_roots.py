"""A thread whose root was deleted in Slack: the next card becomes its new root."""

from bot.ports import Storage
from tests.contracts.records import a_job, put, registered

OLD, NEW = "1700000009.000100", "1700000020.000100"


async def test_a_gone_thread_has_no_root_until_the_next_card(storage: Storage) -> None:
    ours = await registered(storage)
    async with storage.begin() as tx:
        await put(tx, a_job())
        await tx.jobs.card_posted("T1", "a1", OLD, 1)
        await tx.jobs.thread_gone("T1", "a1", OLD)
        ask = await tx.jobs.ask("T1", "a1")
        (behind,) = await tx.jobs.claim_cards(ours, 10, ask.created_at)
        assert (ask.root_ts, ask.card_ts, ask.card_posting, behind.id) == (None, None, True, "a1")
        await tx.jobs.card_posted("T1", "a1", NEW, 1)
        assert (await tx.jobs.ask("T1", "a1")).root_ts == NEW


async def test_a_root_that_was_replaced_meanwhile_stays(storage: Storage) -> None:
    """Two asks of a gone thread find out one after the other: the second must not forget the new root of the first."""
    async with storage.begin() as tx:
        await put(tx, a_job(), a_job(id="j2", ask_id="a2", number=2))
        await tx.jobs.card_posted("T1", "a1", OLD, 1)
        await tx.jobs.thread_gone("T1", "a1", OLD)
        await tx.jobs.card_posted("T1", "a1", NEW, 1)
        await tx.jobs.thread_gone("T1", "a2", OLD)
        assert (await tx.jobs.thread("T1", "t1")).root_ts == NEW
