"""The part of ``bot.ports.Jobs`` about jobs and what is known of them, on every implementation."""

from dataclasses import fields, replace

import pytest

from bot.domain.job import IN_FLIGHT, Decision, Job, Ownership, State, WaitReason, Wish
from bot.ports import Fenced, Storage
from storage import Inconsistent, TaskTaken
from tests.contracts.records import (
    FULL_ATTEMPT,
    FULL_EVIDENCE,
    FULL_JOB,
    NOW,
    a_job,
    assert_same,
    entry_for,
    later,
    put,
    registered,
)


async def claimed(storage: Storage, ownership: Ownership, *jobs: Job) -> list[Job]:
    """Record the jobs and take them over."""
    async with storage.begin() as tx:
        await put(tx, *jobs)
        return await tx.jobs.claim(ownership, len(jobs), later(1))


# Recording and finding


def test_the_full_job_leaves_no_field_at_its_default() -> None:
    """Else the next test would not notice a field that is forgotten."""
    assert [one.name for one in fields(FULL_JOB) if getattr(FULL_JOB, one.name) in {None, one.default}] == []


@pytest.mark.parametrize("job", [a_job(), FULL_JOB], ids=["new", "full"])
async def test_a_job_comes_back_as_it_was(storage: Storage, job: Job) -> None:
    async with storage.begin() as tx:
        await put(tx, job)
    async with storage.read() as tx:
        assert_same(await tx.jobs.job("T1", "j1"), job)
        assert (await tx.jobs.job("T1", "j1")).output_url == job.output_url


async def test_every_state_comes_back(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, *(a_job(id=f"j{number:02}", state=state) for number, state in enumerate(State)))
        assert_same([job.state for job in await tx.jobs.find("j")], list(State))


async def test_an_unknown_job_is_a_key_error(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, a_job())
        with pytest.raises(KeyError):
            await tx.jobs.job("T2", "j1")


async def test_a_job_without_its_ask_is_refused(storage: Storage) -> None:
    with pytest.raises(Inconsistent):
        async with storage.begin() as tx:
            await tx.jobs.add(a_job(), entry_for(a_job()))


async def test_a_provider_task_belongs_to_one_job_of_all_workspaces(storage: Storage) -> None:
    ours = await registered(storage)
    (job,) = await claimed(storage, ours, a_job())
    async with storage.begin() as tx:
        await put(
            tx,
            a_job(workspace="T2", task_id="task-1"),
            a_job(id="j2", number=2, task_id="task-1", provider="muapi"),
            a_job(id="j3", number=3),
        )
    with pytest.raises(TaskTaken) as refusal:
        async with storage.begin() as tx:
            await tx.jobs.save(replace(job, task_id="task-1"), ours, entry_for(job))
    assert (refusal.value.provider, refusal.value.task_id) == ("hiapi", "task-1")
    with pytest.raises(TaskTaken):
        async with storage.begin() as tx:
            await put(tx, a_job(id="j4", task_id="task-1"))
    async with storage.read() as tx:
        assert await tx.jobs.job("T1", "j1") == job
        assert await tx.jobs.by_task("hiapi", "task-1") == a_job(workspace="T2", task_id="task-1")
        assert await tx.jobs.by_task("hiapi", "task-2") is None


async def test_jobs_of_an_ask_and_of_a_thread_come_by_number(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(
            tx,
            a_job(id="j3", number=3),
            a_job(id="j1", number=2),
            a_job(id="j2", number=1, ask_id="a2"),
            a_job(id="j9", thread_id="t2", ask_id="a3"),
        )
    async with storage.read() as tx:
        assert [job.id for job in await tx.jobs.of_ask("T1", "a1")] == ["j1", "j3"]
        assert [job.id for job in await tx.jobs.in_thread("T1", "t1")] == ["j2", "j1", "j3"]
        assert await tx.jobs.of_ask("T2", "a1") == ()


async def test_a_job_is_found_by_its_message(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, a_job(message_ts="1700000002.000300"), a_job(id="j2", number=2))
    async with storage.read() as tx:
        found = await tx.jobs.by_message("T1", "C1", "1700000002.000300")
        assert found is not None
        assert found.id == "j1"
        assert await tx.jobs.by_message("T1", "C2", "1700000002.000300") is None
        assert await tx.jobs.by_message("T2", "C1", "1700000002.000300") is None


async def test_operators_find_jobs_by_the_beginning_of_the_id_in_every_workspace(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, *(a_job(id=job_id) for job_id in ("01AB", "01AC", "01a_", "02AB")))
        await put(tx, a_job(workspace="T2", id="01AB", created_at=later(1)))
    async with storage.read() as tx:
        assert [(job.workspace, job.id) for job in await tx.jobs.find("01A")] == [
            ("T1", "01AB"),
            ("T1", "01AC"),
            ("T2", "01AB"),
        ]
        assert await tx.jobs.find("01_") == ()
        assert len(await tx.jobs.find("")) == 5


async def test_the_listing_shows_the_newest_first_with_their_asks(storage: Storage) -> None:
    async with storage.begin() as tx:
        for number in range(4):
            state = State.FAILED if number % 2 else State.QUEUED
            await put(tx, a_job(id=f"j{number}", created_at=later(number), state=state))
        await put(tx, a_job(workspace="T2", ask_id="a2", created_at=later(9)))
        await tx.jobs.card_posted("T1", "a1", "1700000009.000100", 1)
    async with storage.read() as tx:
        listing = await tx.jobs.listing(state=None, limit=3)
        failed = await tx.jobs.listing(state=State.FAILED, limit=10)
        assert await tx.jobs.listing(state=State.LATE, limit=10) == ()
    assert [(job.workspace, job.id, ask.id) for job, ask in listing] == [
        ("T2", "j1", "a2"),
        ("T1", "j3", "a1"),
        ("T1", "j2", "a1"),
    ]
    assert [job.id for job, _ in failed] == ["j3", "j1"]
    assert {ask.root_ts for _, ask in failed} == {"1700000009.000100"}


# Saving


async def test_a_save_writes_every_field_but_the_flags_and_counts_up_the_version(storage: Storage) -> None:
    ours = await registered(storage)
    (read,) = await claimed(storage, ours, a_job())
    moved = replace(FULL_JOB, owner=ours.owner, epoch=ours.epoch, version=read.version)
    async with storage.begin() as tx:
        saved = await tx.jobs.save(moved, ours, entry_for(moved, "Moved"))
    assert_same(saved, replace(moved, version=read.version + 1))
    async with storage.read() as tx:
        unflagged = replace(saved, cancel_by=None, wish=None, wish_by=None, wish_micro_usd=None)
        assert_same(await tx.jobs.job("T1", "j1"), unflagged)


async def test_a_saved_job_can_be_saved_again_in_the_same_transaction(storage: Storage) -> None:
    ours = await registered(storage)
    (read,) = await claimed(storage, ours, a_job())
    async with storage.begin() as tx:
        once = await tx.jobs.save(replace(read, state=State.SUBMITTING), ours, entry_for(read, "One"))
        await tx.jobs.save(replace(once, state=State.RENDERING), ours, entry_for(once, "Two"))
    async with storage.read() as tx:
        assert (await tx.jobs.job("T1", "j1")).state is State.RENDERING
        assert [line.event for line in await tx.jobs.timeline("T1", "j1")] == ["Recorded", "One", "Two"]


async def test_a_save_of_what_was_read_before_another_save_is_fenced(storage: Storage) -> None:
    ours = await registered(storage)
    (read,) = await claimed(storage, ours, a_job())
    async with storage.begin() as tx:
        await tx.jobs.save(replace(read, tries=1), ours, entry_for(read))
    with pytest.raises(Fenced):
        async with storage.begin() as tx:
            await tx.jobs.save(replace(read, tries=2), ours, entry_for(read, "Late"))
    async with storage.read() as tx:
        assert (await tx.jobs.job("T1", "j1")).tries == 1
        assert "Late" not in [line.event for line in await tx.jobs.timeline("T1", "j1")]


async def test_only_the_owner_under_its_epoch_can_save(storage: Storage) -> None:
    old = await registered(storage)
    (read,) = await claimed(storage, old, a_job())
    stranger = await registered(storage, "stranger")
    new = await registered(storage)
    for pretender in (stranger, new):
        with pytest.raises(Fenced):
            async with storage.begin() as tx:
                await tx.jobs.save(replace(read, tries=9), pretender, entry_for(read))
    async with storage.read() as tx:
        assert await tx.jobs.job("T1", "j1") == read


async def test_an_unclaimed_or_unknown_job_cannot_be_saved(storage: Storage) -> None:
    ours = await registered(storage)
    async with storage.begin() as tx:
        await put(tx, a_job())
    for job in (a_job(), a_job(id="j2")):
        with pytest.raises(Fenced):
            async with storage.begin() as tx:
                await tx.jobs.save(job, ours, entry_for(job))


async def test_after_a_fenced_save_the_transaction_can_still_write(storage: Storage) -> None:
    """Whoever paid for an answer still records it as evidence."""
    ours = await registered(storage)
    async with storage.begin() as tx:
        await put(tx, a_job())
        with pytest.raises(Fenced):
            await tx.jobs.save(a_job(), ours, entry_for(a_job()))
        await tx.jobs.add_evidence(FULL_EVIDENCE)
    async with storage.read() as tx:
        assert await tx.jobs.evidence("T1", "j1") == (FULL_EVIDENCE,)


# Flags


async def test_flags_and_saves_do_not_disturb_one_another(storage: Storage) -> None:
    ours = await registered(storage)
    (read,) = await claimed(storage, ours, a_job())
    async with storage.begin() as tx:
        await tx.jobs.request_cancel("T1", "j1", "U8")
        await tx.jobs.wish("T1", "j1", Wish.USE_ANOTHER_PROVIDER, "U9", 7)
    async with storage.begin() as tx:
        await tx.jobs.save(replace(read, state=State.RENDERING), ours, entry_for(read))
        job = await tx.jobs.job("T1", "j1")
    assert (job.state, job.cancel_by) == (State.RENDERING, "U8")
    assert (job.wish, job.wish_by, job.wish_micro_usd) == (Wish.USE_ANOTHER_PROVIDER, "U9", 7)


async def test_of_requests_to_stop_the_first_stays_and_of_wishes_the_last(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, a_job(), a_job(id="j2", number=2))
        for person, wish, most in [("U1", Wish.CHECK_AGAIN, 7), ("U2", Wish.ORDER_AGAIN, None)]:
            await tx.jobs.request_cancel("T1", "j1", person)
            await tx.jobs.wish("T1", "j1", wish, person, most)
        job = await tx.jobs.job("T1", "j1")
        assert await tx.jobs.job("T1", "j2") == a_job(id="j2", number=2)
    assert_same(job, a_job(cancel_by="U1", wish=Wish.ORDER_AGAIN, wish_by="U2", version=2))


async def test_who_has_not_seen_that_it_is_ordered_again_cannot_end_the_job(storage: Storage) -> None:
    """Money is held for the second order: a write-off by somebody who does not know would leave it behind."""
    async with storage.begin() as tx:
        await put(tx, a_job(state=State.UNCERTAIN))
        ours = await tx.leases.register("process-1", NOW, later(60), alone=True)
        (read,) = await tx.jobs.claim(ours, 1, NOW)
        await tx.jobs.wish("T1", "j1", Wish.CHECK_AGAIN, "U1")
        read = await tx.jobs.save(read, ours, entry_for(read))
        await tx.jobs.wish("T1", "j1", Wish.ORDER_AGAIN, "U2")
        with pytest.raises(Fenced):
            await tx.jobs.save(replace(read, state=State.FAILED), ours, entry_for(read))
        seen = await tx.jobs.job("T1", "j1")
        assert (await tx.jobs.save(seen, ours, entry_for(seen))).wish is Wish.ORDER_AGAIN


async def test_a_wish_that_was_acted_upon_is_gone_and_another_one_pressed_meanwhile_stays(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, a_job(cancel_by="U1", wish=Wish.GIVE_UP, wish_by="U2", wish_micro_usd=7))
        await tx.jobs.clear_wish("T1", "j1", Wish.CHECK_AGAIN)
        assert (await tx.jobs.job("T1", "j1")).wish is Wish.GIVE_UP
        await tx.jobs.clear_wish("T1", "j1", Wish.GIVE_UP)
        assert await tx.jobs.job("T1", "j1") == a_job(cancel_by="U1")


async def test_a_clip_that_is_delivered_after_all_is_not_to_be_stopped_any_more(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, a_job(cancel_by="U1", wish=Wish.DELIVER_AGAIN, wish_by="U2"))
        await tx.jobs.clear_wish("T1", "j1", Wish.DELIVER_AGAIN, "U1")
        assert await tx.jobs.job("T1", "j1") == a_job()


@pytest.mark.parametrize("read", [None, "U1"])
async def test_who_asked_to_stop_since_a_clip_was_to_be_delivered_after_all_is_heard(
    storage: Storage, read: str | None
) -> None:
    async with storage.begin() as tx:
        await put(tx, a_job(cancel_by="U3", wish=Wish.DELIVER_AGAIN, wish_by="U2"))
        await tx.jobs.clear_wish("T1", "j1", Wish.DELIVER_AGAIN, read)
        assert await tx.jobs.job("T1", "j1") == a_job(cancel_by="U3")


NEWS: list[tuple[Job, Decision | None]] = [
    (a_job(cancel_by="U1"), None),
    (a_job(wish=Wish.CHECK_AGAIN), None),
    (a_job(state=State.CANCELLED, wish=Wish.DELIVER_AGAIN), None),
    (a_job(state=State.WAITING, wait_reason=WaitReason.CONFIRMATION), Decision.GO),
    (a_job(state=State.WAITING, wait_reason=WaitReason.UNDO_WINDOW), Decision.STOP),
    (a_job(state=State.WAITING), Decision.GO),
    (a_job(state=State.WAITING, wait_reason=WaitReason.PROVIDER_CREDIT), Decision.STOP),
    (a_job(state=State.WAITING, wait_reason=WaitReason.PREPARING), Decision.STOP),
]
NO_NEWS: list[tuple[Job, Decision | None]] = [
    (a_job(), None),
    (a_job(), Decision.GO),
    (a_job(state=State.CANCELLED, cancel_by="U1"), None),
    (a_job(state=State.WAITING, wait_reason=WaitReason.CONFIRMATION), None),
    (a_job(state=State.WAITING, wait_reason=WaitReason.PROVIDER_DOWN), Decision.GO),
    # It passed its gate long ago, and would be found in every round.
    (a_job(state=State.WAITING, wait_reason=WaitReason.PROVIDER_CREDIT), Decision.GO),
    (a_job(state=State.WAITING, wait_reason=WaitReason.PREPARING), Decision.GO),
]


@pytest.mark.parametrize(("cases", "news"), [(NEWS, True), (NO_NEWS, False)], ids=["news", "no news"])
async def test_a_job_is_flagged_when_there_is_news_from_people(
    storage: Storage, cases: list[tuple[Job, Decision | None]], news: bool
) -> None:
    ours = await registered(storage)
    async with storage.begin() as tx:
        for number, (job, decision) in enumerate(cases):
            owned = replace(job, id=f"j{number:02}", ask_id=f"a{number}", owner=ours.owner, epoch=ours.epoch)
            await put(tx, owned)
            if decision is not None:
                await tx.jobs.decide("T1", f"a{number}", decision, None)
        flagged = [job.id for job in await tx.jobs.flagged(ours, 20)]
    assert flagged == [f"j{number:02}" for number in range(len(cases)) if news]


async def test_flagged_jobs_are_our_own_and_the_oldest_first(storage: Storage) -> None:
    ours, other = await registered(storage), await registered(storage, "other")
    async with storage.begin() as tx:
        for number in (3, 1, 2):
            job = a_job(id=f"j{number}", created_at=later(number), owner=ours.owner, epoch=ours.epoch)
            await put(tx, replace(job, cancel_by="U1"))
        assert [job.id for job in await tx.jobs.flagged(ours, 2)] == ["j1", "j2"]
        assert await tx.jobs.flagged(other, 10) == []
        assert await tx.jobs.flagged(replace(ours, epoch=ours.epoch + 9), 10) == []


# Places and the queue


async def test_a_persons_running_jobs_are_those_they_pay_that_have_a_place(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, *(a_job(id=f"j{number}", state=state) for number, state in enumerate(State)))
        await put(
            tx,
            a_job(id="other provider", provider="muapi", state=State.RENDERING),
            a_job(id="other workspace", workspace="T2", state=State.RENDERING),
            a_job(id="other person", person="U2", state=State.RENDERING),
        )
        await tx.jobs.lock_person("T1", "U1")
        assert await tx.jobs.running_of("T1", "U1") == len(IN_FLIGHT) + 1
        assert await tx.jobs.running_of("T1", "U2") == await tx.jobs.running_of("T2", "U1") == 1
        assert await tx.jobs.running_of("T2", "U2") == 0


async def test_places_are_taken_by_jobs_at_the_provider_in_every_workspace(storage: Storage) -> None:
    async with storage.begin() as tx:
        for number, state in enumerate(State):
            await put(tx, a_job(id=f"j{number:02}", state=state))
        await put(tx, a_job(workspace="T2", state=State.RENDERING))
        await put(tx, a_job(id="other", provider="muapi", state=State.RENDERING))
        assert await tx.jobs.in_flight("hiapi") == 4
        assert await tx.jobs.in_flight("muapi") == 1


async def test_jobs_are_counted_by_provider_and_state(storage: Storage) -> None:
    async with storage.begin() as tx:
        assert await tx.jobs.count_by_state() == {}
        await put(tx, a_job(state=State.QUEUED), a_job(id="j2", number=2, state=State.QUEUED))
        await put(tx, a_job(id="j3", number=3, provider="muapi", state=State.LATE))
        counted = {("hiapi", State.QUEUED): 2, ("muapi", State.LATE): 1}
        assert await tx.jobs.count_by_state() == counted


async def test_ahead_of_a_job_are_queued_ones_of_its_provider_accepted_before(storage: Storage) -> None:
    ours = a_job(id="m", created_at=later(5))
    async with storage.begin() as tx:
        await put(tx, ours)
        await put(tx, a_job(id="x", created_at=later(4.999999)))
        await put(tx, a_job(workspace="T2", id="a", created_at=later(5)))
        await put(tx, a_job(id="n", created_at=later(5)))
        await put(tx, a_job(id="b", created_at=later(6)))
        await put(tx, a_job(id="c", provider="muapi"), a_job(id="d", state=State.RENDERING))
        assert await tx.jobs.ahead(ours) == 2


async def test_ahead_of_a_payers_job_are_the_payers_queued_ones_accepted_before(storage: Storage) -> None:
    ours = a_job(id="m", created_at=later(5))
    async with storage.begin() as tx:
        await put(tx, ours, a_job(id="n", created_at=later(5)), a_job(id="y", created_at=later(6)))
        await put(tx, a_job(id="c", provider="muapi", created_at=later(4)), a_job(id="x", created_at=later(4.999999)))
        await put(tx, a_job(id="b", person="U2", created_at=later(1)), a_job(id="d", state=State.RENDERING))
        await put(tx, a_job(workspace="T2", id="a", created_at=later(5)))
        assert await tx.jobs.ahead_of_payer(ours) == 2


# What is known of a job


async def test_an_attempt_keeps_its_first_key_and_bytes(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, a_job())
        await tx.jobs.add_attempt(FULL_ATTEMPT)
        await tx.jobs.add_attempt(replace(FULL_ATTEMPT, key="other", body=b"other"))
    async with storage.read() as tx:
        assert_same(await tx.jobs.attempt("T1", "j1", 2), FULL_ATTEMPT)
        assert await tx.jobs.attempt("T1", "j1", 1) is None
        assert await tx.jobs.attempt("T2", "j1", 2) is None


async def test_an_attempt_is_found_by_the_token_of_its_callback(storage: Storage) -> None:
    async with storage.begin() as tx:
        await put(tx, a_job())
        await tx.jobs.add_attempt(FULL_ATTEMPT)
        assert_same(await tx.jobs.by_callback_token(FULL_ATTEMPT.callback_token), FULL_ATTEMPT)
        assert await tx.jobs.by_callback_token("another") is None


async def test_evidence_is_kept_in_the_order_in_which_it_came(storage: Storage) -> None:
    pieces = [replace(FULL_EVIDENCE, value=f"task-{number}", at=later(-number)) for number in range(12)]
    async with storage.begin() as tx:
        await put(tx, a_job(), a_job(id="j2", number=2))
        for piece in pieces:
            await tx.jobs.add_evidence(piece)
    async with storage.read() as tx:
        assert_same(await tx.jobs.evidence("T1", "j1"), tuple(pieces))
        assert await tx.jobs.evidence("T1", "j2") == ()


async def test_a_timeline_tells_what_happened_in_order(storage: Storage) -> None:
    line = entry_for(a_job(state=State.FAILED), "Refused", detail="no faces", at=later(1))
    ours = await registered(storage)
    (read,) = await claimed(storage, ours, a_job())
    async with storage.begin() as tx:
        await tx.jobs.save(replace(read, state=State.FAILED), ours, line)
    async with storage.read() as tx:
        assert_same(await tx.jobs.timeline("T1", "j1"), (entry_for(a_job(), at=NOW), line))
        assert await tx.jobs.timeline("T2", "j1") == ()
