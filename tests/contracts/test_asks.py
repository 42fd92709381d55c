"""The part of ``bot.ports.Jobs`` about threads, asks and their cards, on every implementation."""

import asyncio
from dataclasses import fields, replace

import pytest

from bot.domain.job import Ask, Decision, Ownership, State, Supporter, Thread
from bot.ports import AlreadyLive, Fenced, Storage
from storage import Inconsistent
from tests.contracts.records import (
    FULL_ASK,
    FULL_THREAD,
    a_job,
    a_thread,
    an_ask,
    assert_same,
    entry_for,
    later,
    put,
    registered,
)

# Threads


@pytest.mark.parametrize("thread", [a_thread(), FULL_THREAD], ids=["new", "full"])
async def test_a_thread_comes_back_as_it_was(storage: Storage, thread: Thread) -> None:
    async with storage.begin() as tx:
        await tx.jobs.add_thread(thread)
    async with storage.read() as tx:
        assert_same(await tx.jobs.thread("T1", "t1"), thread)


async def test_an_unknown_thread_is_a_key_error(storage: Storage) -> None:
    async with storage.begin() as tx:
        await tx.jobs.add_thread(a_thread())
        with pytest.raises(KeyError):
            await tx.jobs.thread("T2", "t1")
        with pytest.raises(KeyError):
            await tx.jobs.take_numbers("T1", "t2", 1)


async def test_a_thread_is_found_by_its_root_message(storage: Storage) -> None:
    async with storage.begin() as tx:
        await tx.jobs.add_thread(FULL_THREAD)
    async with storage.read() as tx:
        assert await tx.jobs.find_thread("T1", "C1", "1700000000.000100") == FULL_THREAD
        assert await tx.jobs.find_thread("T1", "C2", "1700000000.000100") is None
        assert await tx.jobs.find_thread("T2", "C1", "1700000000.000100") is None


async def test_a_message_is_the_root_of_one_thread(storage: Storage) -> None:
    async with storage.begin() as tx:
        await tx.jobs.add_thread(FULL_THREAD)
    with pytest.raises(Inconsistent):
        async with storage.begin() as tx:
            await tx.jobs.add_thread(replace(FULL_THREAD, id="t2"))
    async with storage.begin() as tx:
        await tx.jobs.add_thread(replace(FULL_THREAD, workspace="T2"))
        await tx.jobs.add_thread(a_thread(id="t3"))
        await tx.jobs.add_thread(a_thread(id="t4"))


async def test_below_a_message_of_somebodys_one_thread_is_opened(storage: Storage) -> None:
    async with storage.begin() as tx:
        assert_same(await tx.jobs.open_thread(FULL_THREAD), FULL_THREAD)
        assert_same(await tx.jobs.open_thread(replace(FULL_THREAD, id="t2", next_number=1)), FULL_THREAD)
        elsewhere = replace(FULL_THREAD, id="t3", channel="C2")
        assert_same(await tx.jobs.open_thread(elsewhere), elsewhere)
        with pytest.raises(KeyError):
            await tx.jobs.thread("T1", "t2")


async def test_numbers_are_taken_once(replicas: tuple[Storage, Storage]) -> None:
    async with replicas[0].begin() as tx:
        await tx.jobs.add_thread(a_thread())

    async def take(number: int) -> int:
        async with replicas[number % 2].begin() as tx:
            return await tx.jobs.take_numbers("T1", "t1", 3)

    firsts = [first for _ in range(20) for first in await asyncio.gather(*(take(each) for each in range(10)))]

    assert sorted(firsts) == list(range(1, 601, 3))


# Asks


def test_the_full_ask_leaves_no_field_at_its_default() -> None:
    """Else the next test would not notice a field that is forgotten."""
    assert [one.name for one in fields(FULL_ASK) if getattr(FULL_ASK, one.name) in {None, one.default}] == []


@pytest.mark.parametrize("ask", [an_ask(), replace(FULL_ASK, root_ts=None)], ids=["new", "full"])
async def test_an_ask_comes_back_as_it_was(storage: Storage, ask: Ask) -> None:
    async with storage.begin() as tx:
        await tx.jobs.add_thread(a_thread())
        await tx.jobs.add_ask(ask)
    async with storage.read() as tx:
        assert_same(await tx.jobs.ask("T1", "a1"), ask)


async def test_an_ask_has_the_root_of_its_thread(storage: Storage) -> None:
    async with storage.begin() as tx:
        await tx.jobs.add_thread(FULL_THREAD)
        await tx.jobs.add_ask(an_ask())
        assert (await tx.jobs.ask("T1", "a1")).root_ts == FULL_THREAD.root_ts


async def test_an_unknown_ask_is_a_key_error(storage: Storage) -> None:
    async with storage.begin() as tx:
        await tx.jobs.add_thread(a_thread())
        await tx.jobs.add_ask(an_ask())
        with pytest.raises(KeyError):
            await tx.jobs.ask("T2", "a1")


async def test_an_ask_without_its_thread_is_refused(storage: Storage) -> None:
    with pytest.raises(Inconsistent):
        async with storage.begin() as tx:
            await tx.jobs.add_ask(an_ask())


async def test_a_live_ask_is_the_only_one_with_its_key(storage: Storage) -> None:
    async with storage.begin() as tx:
        await tx.jobs.add_thread(a_thread())
        await tx.jobs.add_thread(a_thread(workspace="T2"))
        await tx.jobs.add_ask(an_ask(unique_key="k"))
    async with storage.begin() as tx:
        with pytest.raises(AlreadyLive) as refusal:
            await tx.jobs.add_ask(an_ask(id="a2", unique_key="k"))
        # The transaction goes on: intake looks at the one that is there.
        live = await tx.jobs.live_ask("T1", "k")
        await tx.jobs.add_ask(an_ask(id="a3", unique_key="k", live=False))
        await tx.jobs.add_ask(an_ask(workspace="T2", unique_key="k"))
        await tx.jobs.add_ask(an_ask(id="a4"))
        await tx.jobs.add_ask(an_ask(id="a5"))
    assert refusal.value.unique_key == "k"
    assert live == an_ask(unique_key="k")


async def test_a_retired_ask_frees_its_key(storage: Storage) -> None:
    async with storage.begin() as tx:
        await tx.jobs.add_thread(a_thread())
        await tx.jobs.add_ask(an_ask(unique_key="k"))
        await tx.jobs.retire("T1", "a1")
        assert await tx.jobs.live_ask("T1", "k") is None
        await tx.jobs.add_ask(an_ask(id="a2", unique_key="k"))
        assert (await tx.jobs.ask("T1", "a1")).live is False
        assert await tx.jobs.live_ask("T1", "k") == an_ask(id="a2", unique_key="k")


async def test_of_promotions_at_the_same_moment_one_is_taken(replicas: tuple[Storage, Storage]) -> None:
    async with replicas[0].begin() as tx:
        await tx.jobs.add_thread(a_thread())

    async def promote(number: int) -> bool:
        try:
            async with replicas[number % 2].begin() as tx:
                await tx.jobs.add_ask(an_ask(id=f"a{number}", unique_key="k"))
        except AlreadyLive:
            return False
        return True

    assert sum(await asyncio.gather(*(promote(number) for number in range(20)))) == 1


# Gates


async def test_a_gate_is_passed_once(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, a_job())
        assert await tx.jobs.decide("T1", "a1", Decision.STOP, "U7")
        assert not await tx.jobs.decide("T1", "a1", Decision.GO, "U8")
        assert not await tx.jobs.decide("T1", "unknown", Decision.GO, "U8")
    async with storage.read() as tx:
        ask = await tx.jobs.ask("T1", "a1")
        assert (ask.decision, ask.decided_by, ask.person, ask.version) == (Decision.STOP, "U7", "U1", 2)
        assert await tx.jobs.job("T1", "j1") == a_job()


async def test_of_presses_at_the_same_moment_one_decides(replicas: tuple[Storage, Storage]) -> None:
    async with replicas[0].begin() as tx:
        await put(tx, a_job(), a_job(id="j2", number=2))

    async def press(number: int) -> bool:
        async with replicas[number % 2].begin() as tx:
            return await tx.jobs.decide("T1", "a1", Decision.GO, f"U{number}")

    presses = await asyncio.gather(*(press(number) for number in range(10)))
    async with replicas[0].read() as tx:
        ask = await tx.jobs.ask("T1", "a1")
        payers = {job.person for job in await tx.jobs.of_ask("T1", "a1")}
    assert sum(presses) == 1
    assert {ask.decided_by, ask.person} == payers == {f"U{presses.index(True)}"}


async def test_go_makes_who_decided_the_payer_of_the_ask_and_of_its_jobs_only(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, a_job(), a_job(id="j2", number=2), a_job(id="j3", ask_id="a2", number=3))
        assert await tx.jobs.decide("T1", "a1", Decision.GO, "U7")
    async with storage.read() as tx:
        assert (await tx.jobs.ask("T1", "a1")).person == "U7"
        assert [job.person for job in await tx.jobs.in_thread("T1", "t1")] == ["U7", "U7", "U1"]
        assert (await tx.jobs.ask("T1", "a2")).version == 1


async def test_who_pays_may_change_and_the_card_is_drawn_again(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, a_job(), a_job(id="j3", ask_id="a2", number=3))
        await tx.jobs.pass_on("T1", "a1", "U8")
    async with storage.read() as tx:
        ask, other = await tx.jobs.ask("T1", "a1"), await tx.jobs.ask("T1", "a2")
    assert [(one.person, one.version) for one in (ask, other)] == [("U8", 2), ("U1", 1)]


async def test_go_by_nobody_leaves_the_payer(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, a_job())
        assert await tx.jobs.decide("T1", "a1", Decision.GO, None)
        assert (await tx.jobs.ask("T1", "a1")).person == "U1"
        assert await tx.jobs.job("T1", "j1") == a_job()


async def test_a_save_that_read_the_former_payer_is_fenced(storage: Storage) -> None:
    ours = await registered(storage)
    async with storage.begin() as tx:
        await put(tx, a_job(state=State.WAITING))
        (read,) = await tx.jobs.claim(ours, 1, later(1))
    async with storage.begin() as tx:
        await tx.jobs.decide("T1", "a1", Decision.GO, "U7")
    with pytest.raises(Fenced):
        async with storage.begin() as tx:
            await tx.jobs.save(replace(read, state=State.QUEUED), ours, entry_for(read))
    async with storage.begin() as tx:
        again = await tx.jobs.job("T1", "j1")
        saved = await tx.jobs.save(replace(again, state=State.QUEUED), ours, entry_for(again))
        assert saved.person == "U7"


async def test_supporters_count_once_from_their_first_reaction(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, a_job(), a_job(id="j2", ask_id="a2", number=2))
        for person, seconds in [("U2", 5), ("U1", 9), ("U2", 1), ("U3", 7)]:
            await tx.jobs.support("T1", "a1", Supporter(person=person, at=later(seconds)))
    async with storage.read() as tx:
        assert await tx.jobs.supporters("T1", "a1") == (
            Supporter(person="U2", at=later(5)),
            Supporter(person="U3", at=later(7)),
            Supporter(person="U1", at=later(9)),
        )
        assert await tx.jobs.supporters("T1", "a2") == ()


# Cards


async def cards(storage: Storage, ownership: Ownership, seconds: float = 1, limit: int = 10) -> list[str]:
    async with storage.begin() as tx:
        return [ask.id for ask in await tx.jobs.claim_cards(ownership, limit, later(seconds))]


async def test_a_card_is_missing_until_it_is_posted_and_behind_until_it_is_drawn(storage: Storage) -> None:
    ours = await registered(storage)
    async with storage.begin() as tx:
        await put(tx, a_job())
    assert await cards(storage, ours) == ["a1"]
    async with storage.begin() as tx:
        await tx.jobs.card_intended("T1", "a1")
        assert (await tx.jobs.ask("T1", "a1")).card_posting
    assert await cards(storage, ours) == ["a1"]
    async with storage.begin() as tx:
        await tx.jobs.card_posted("T1", "a1", "1700000009.000100", 1)
    assert await cards(storage, ours) == []
    async with storage.begin() as tx:
        await tx.jobs.redraw("T1", "a1")
    assert await cards(storage, ours) == ["a1"]
    async with storage.begin() as tx:
        await tx.jobs.card_drawn("T1", "a1", 2)
        ask = await tx.jobs.ask("T1", "a1")
    assert await cards(storage, ours) == []
    assert (ask.card_posting, ask.card_ts, ask.version, ask.card_version) == (False, "1700000009.000100", 2, 2)


async def test_cards_behind_are_claimed_page_by_page(storage: Storage) -> None:
    """Of equal age, too; what is ours already is on its page all the same."""
    ours = await registered(storage)
    async with storage.begin() as tx:
        await put(tx, a_job())
        for number, age in enumerate((0, 1, 0, 2), start=2):
            await tx.jobs.add_ask(an_ask(id=f"a{number}", created_at=later(-age)))
    seen: list[list[str]] = []
    after: Ask | None = None
    for _ in range(4):
        async with storage.begin() as tx:
            page = await tx.jobs.claim_cards(ours, 2, later(1), after=after)
        seen.append([ask.id for ask in page])
        after = page[-1] if page else None
    assert seen == [["a5", "a3"], ["a1", "a2"], ["a4"], []]


async def test_the_cards_of_a_persons_whole_line_are_to_be_drawn_again(storage: Storage) -> None:
    """All that have a queued job which the person pays now, once each, and nobody else's."""
    asks = {
        "a1": [a_job(id="j1"), a_job(id="j2", number=2)],
        "a2": [a_job(id="j3", person="U2")],
        "a3": [a_job(id="j4", state=State.RENDERING)],
        "a4": [a_job(id="j5", state=State.RENDERING), a_job(id="j6", number=2)],
    }
    async with storage.begin() as tx:
        await tx.jobs.add_thread(a_thread())
        for ask_id, jobs in asks.items():
            await tx.jobs.add_ask(an_ask(id=ask_id))
            for job in jobs:
                await tx.jobs.add(replace(job, ask_id=ask_id), entry_for(job))
        before = {ask_id: (await tx.jobs.ask("T1", ask_id)).version for ask_id in asks}

        await tx.jobs.redraw_line("T1", "U1")
        await tx.jobs.redraw_line("T2", "U1")

        after = {ask_id: (await tx.jobs.ask("T1", ask_id)).version - version for ask_id, version in before.items()}
    assert after == {"a1": 1, "a2": 0, "a3": 0, "a4": 1}


async def test_a_change_while_the_card_is_drawn_leaves_it_behind(storage: Storage) -> None:
    ours = await registered(storage)
    async with storage.begin() as tx:
        await put(tx, a_job())
        await tx.jobs.redraw("T1", "a1")
        await tx.jobs.card_posted("T1", "a1", "1700000009.000100", 1)
    assert await cards(storage, ours) == ["a1"]


async def test_a_lost_card_is_posted_anew(storage: Storage) -> None:
    ours = await registered(storage)
    async with storage.begin() as tx:
        await put(tx, a_job())
        await tx.jobs.card_posted("T1", "a1", "1700000009.000100", 1)
        await tx.jobs.card_lost("T1", "a1")
        ask = await tx.jobs.ask("T1", "a1")
    assert (ask.card_posting, ask.card_ts) == (False, None)
    assert await cards(storage, ours) == ["a1"]


async def test_the_first_card_is_the_root_of_its_thread_and_later_ones_are_not(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, a_job(), a_job(id="j2", ask_id="a2", number=2))
        await tx.jobs.card_posted("T1", "a1", "1700000009.000100", 1)
        await tx.jobs.card_posted("T1", "a2", "1700000010.000100", 1)
    async with storage.read() as tx:
        assert (await tx.jobs.thread("T1", "t1")).root_ts == "1700000009.000100"
        assert (await tx.jobs.ask("T1", "a2")).root_ts == "1700000009.000100"
        found = await tx.jobs.find_card("T1", "C1", "1700000010.000100")
        assert found is not None
        assert found.id == "a2"
        assert await tx.jobs.find_card("T1", "C2", "1700000010.000100") is None


async def test_cards_are_claimed_oldest_first_and_by_one_process(storage: Storage) -> None:
    one, two = await registered(storage, "one"), await registered(storage, "two")
    async with storage.begin() as tx:
        await tx.jobs.add_thread(a_thread())
        for number in (3, 1, 2):
            await tx.jobs.add_ask(an_ask(id=f"a{number}", created_at=later(number)))
    assert await cards(storage, one, limit=2) == ["a1", "a2"]
    assert await cards(storage, two) == ["a3"]
    assert await cards(storage, one) == ["a1", "a2"]
    async with storage.begin() as tx:
        await tx.leases.renew(two, later(60))
    assert await cards(storage, two, seconds=30) == ["a1", "a2", "a3"]


async def test_an_ask_is_claimed_by_one_of_two_processes(replicas: tuple[Storage, Storage]) -> None:
    one, two = await registered(replicas[0], "one"), await registered(replicas[1], "two")
    async with replicas[0].begin() as tx:
        await tx.jobs.add_thread(a_thread())
        for number in range(40):
            await tx.jobs.add_ask(an_ask(id=f"a{number:02}"))

    async def claim(number: int) -> list[str]:
        return await cards(replicas[number % 2], (one, two)[number % 2], limit=40)

    first, second = await asyncio.gather(claim(0), claim(1))
    assert not set(first) & set(second)
    rest = await asyncio.gather(claim(0), claim(1))
    assert sorted(rest[0] + rest[1]) == [f"a{number:02}" for number in range(40)]
