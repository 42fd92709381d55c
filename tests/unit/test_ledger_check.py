"""A sound ledger is called sound, and whatever is seeded into one is found and named."""

import contextlib
import sqlite3
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from bot.domain.audit import Act, AuditEntry
from bot.domain.budget import Entry, Stage, adjust_entry, hold_entry, release_entry, settle_entry
from bot.domain.job import Job, State, TimelineEntry, WaitReason, Wish
from bot.domain.ledger_check import unsound
from storage import MemoryStorage, migrate, open_storage
from storage.engines import place_of
from tests.support.books import BOOKS, Books, Jobs, NotLookedAt, UnsoundBooks, check_database
from tests.support.values import PRICE, a_hold, a_job, a_thread, an_ask, at

HELD = hold_entry(a_hold(), UTC)
SETTLED = settle_entry(HELD, 300_000, at(1))
RELEASED = release_entry(HELD, at(1))
AGAIN = hold_entry(a_hold(attempt=2), UTC)
SETTLED_AGAIN = settle_entry(AGAIN, PRICE, at(2))


def adjusted(*rows: Entry, cost: int) -> Entry:
    row = adjust_entry(rows, cost, at(9))
    assert row is not None
    return row


DOUBLED = adjusted(HELD, SETTLED, cost=640_000)
GIVEN_BACK = adjusted(HELD, SETTLED, DOUBLED, cost=0)


@pytest.mark.parametrize(
    "rows",
    [
        (),
        (HELD,),
        (HELD, SETTLED),
        (SETTLED, HELD),
        (HELD, settle_entry(HELD, 0, at(1))),
        (HELD, settle_entry(HELD, 9 * PRICE, at(1))),
        (HELD, RELEASED),
        (HELD, RELEASED, adjusted(HELD, RELEASED, cost=PRICE)),
        (HELD, SETTLED, DOUBLED),
        (HELD, SETTLED, DOUBLED, GIVEN_BACK),
        (HELD, AGAIN),
        (HELD, SETTLED, AGAIN, SETTLED_AGAIN),
        (HELD, replace(SETTLED, at=at(-1))),
        tuple(hold_entry(a_hold(job_id=job, workspace=place), UTC) for job in ("j1", "j2") for place in ("T1", "T2")),
    ],
)
def test_a_sound_ledger(rows: tuple[Entry, ...]) -> None:
    assert unsound(rows) == ()


SEEDED: dict[str, tuple[tuple[Entry, ...], str]] = {
    "closed without a hold": ((SETTLED,), "its rows are numbered [1]"),
    "held twice": ((HELD, HELD), "its rows are numbered [0, 0]"),
    "closed twice": ((HELD, SETTLED, RELEASED), "its rows are numbered [0, 1, 1]"),
    "a gap": ((HELD, SETTLED, replace(DOUBLED, seq=3)), "its rows are numbered [0, 1, 3]"),
    "adjusted before it is closed": ((HELD, replace(DOUBLED, seq=1)), "row 1 is of the kind adjust"),
    "settled again instead of adjusted": ((HELD, SETTLED, replace(SETTLED, seq=2)), "row 2 is of the kind settle"),
    "begins with a release": ((replace(RELEASED, seq=0),), "row 0 is of the kind release"),
    "another channel": ((HELD, replace(SETTLED, channel="C2")), "row 1 has another channel"),
    "another person": ((HELD, replace(SETTLED, person="U2")), "row 1 has another person"),
    "another month": ((HELD, replace(SETTLED, month="2026-12")), "row 1 has another month"),
    "another day": ((HELD, SETTLED, replace(DOUBLED, day="2026-11-21")), "row 2 has another day"),
    "another stage": ((HELD, replace(SETTLED, stage=Stage.DIRECT)), "row 1 has another stage"),
    "another price as a final": ((HELD, replace(RELEASED, as_final_micro_usd=None)), "another as_final_micro_usd"),
    "a day of another month": ((replace(HELD, day="2026-12-01"),), "the day 2026-12-01 is not in the month 2026-11"),
    "another mark of its price": ((HELD, replace(RELEASED, price_assumed=True)), "another price_assumed"),
    "a direct one as a final": ((replace(HELD, stage=Stage.DIRECT),), "a price as a final on what has no draft"),
    "a final at two prices": ((replace(HELD, stage=Stage.FINAL),), "has another price as a final than its own"),
    "a hold below zero": ((replace(HELD, held_micro_usd=-1),), "-1 is held"),
    "a hold that settles": ((replace(HELD, settled_micro_usd=1),), "after row 0 320000 is held, 1 settled"),
    "too little given back": ((HELD, replace(RELEASED, released_micro_usd=PRICE - 1)), "319999 released"),
    "too much given back": ((HELD, replace(SETTLED, released_micro_usd=PRICE)), "320000 released"),
    "still held after it is closed": ((HELD, replace(SETTLED, held_micro_usd=1 - PRICE)), "after row 1 1 is held"),
    "below zero": ((HELD, replace(SETTLED, settled_micro_usd=-1, released_micro_usd=PRICE)), "-1 settled"),
    "adjusted below zero": ((HELD, SETTLED, replace(GIVEN_BACK, seq=2)), "after row 2 0 is held, -340000 settled"),
    "a release that settles": (
        (HELD, replace(RELEASED, settled_micro_usd=5, released_micro_usd=PRICE - 5)),
        "a release settles 5",
    ),
    "adjusted by nothing": (
        (HELD, SETTLED, replace(DOUBLED, settled_micro_usd=0, released_micro_usd=0)),
        "row 2 adjusts nothing",
    ),
    "an attempt without the one before": ((AGAIN,), "its attempts are numbered [2]"),
    "three orders of which nobody knows": (
        (HELD, AGAIN, replace(AGAIN, attempt=3)),
        "T1/j1/1: open, with two attempts after it",
    ),
}


@pytest.mark.parametrize("seed", SEEDED)
def test_a_breach_is_named(seed: str) -> None:
    rows, words = SEEDED[seed]
    elsewhere = tuple(replace(row, job_id="sound") for row in (HELD, SETTLED))
    breaches = unsound((*elsewhere, *rows))

    assert any(words in breach for breach in breaches), breaches
    assert all(breach.startswith("T1/j1") for breach in breaches)


def test_every_breach_is_named_at_once() -> None:
    worse = replace(SETTLED, channel="C2", person="U2", held_micro_usd=0)
    assert len(unsound((HELD, worse))) == 3


ORDERED = {"task_id": "tk-1"}
CLIP = {"clip_key": "clips/T1/abc.mp4", "cost_micro_usd": 300_000}
WISHED = {"wish": Wish.ORDER_AGAIN, "wish_by": "U2"}

SOUND_JOBS: list[tuple[Job, tuple[Entry, ...]]] = [
    (a_job(State.WAITING, wait_reason=WaitReason.CONFIRMATION), ()),
    (a_job(State.WAITING, wait_reason=WaitReason.CONFIRMATION), (HELD,)),
    (a_job(State.WAITING, wait_reason=WaitReason.PROVIDER_CREDIT, attempt=2), (HELD, RELEASED)),
    (a_job(State.WAITING, wait_reason=WaitReason.PREPARING), (HELD,)),
    (a_job(State.QUEUED), (HELD,)),
    (a_job(State.SUBMITTING), (HELD,)),
    (a_job(State.UNCERTAIN), (HELD,)),
    (a_job(State.UNCERTAIN, **WISHED), (HELD, replace(AGAIN, person="U2"))),
    (a_job(State.QUEUED, attempt=2, cost_micro_usd=300_000), (HELD, SETTLED, AGAIN)),
    (a_job(State.RENDERING, **ORDERED), (HELD,)),
    (a_job(State.RENDERING, **ORDERED), (HELD, AGAIN, release_entry(AGAIN, at(2)))),
    (a_job(State.LATE, **ORDERED), (HELD, SETTLED)),
    (a_job(State.DOWNLOADING, cost_micro_usd=640_000), (HELD, SETTLED, DOUBLED)),
    (a_job(State.DELIVERED, **CLIP), (HELD, SETTLED)),
    (a_job(State.CANCELLED), ()),
    (a_job(State.CANCELLED), (HELD, RELEASED)),
    (a_job(State.CANCELLED, **CLIP), (HELD, SETTLED)),
    (a_job(State.CANCELLED, attempt=2, cost_micro_usd=300_000), (HELD, SETTLED, AGAIN, release_entry(AGAIN, at(2)))),
    (a_job(State.FAILED, cost_micro_usd=0), (HELD, RELEASED)),
    (a_job(State.FAILED, cost_micro_usd=300_000), (HELD, SETTLED)),
]


@pytest.mark.parametrize(("job", "rows"), SOUND_JOBS)
def test_a_job_whose_money_is_where_the_job_is(job: Job, rows: tuple[Entry, ...]) -> None:
    assert unsound(rows, [job]) == ()


SEEDED_JOBS: dict[str, tuple[Job, tuple[Entry, ...], str]] = {
    "queued for nothing": (a_job(State.QUEUED), (), "T1/j1: queued without a hold"),
    "preparing for nothing": (
        a_job(State.WAITING, wait_reason=WaitReason.PREPARING),
        (),
        "T1/j1: waiting without a hold",
    ),
    "preparing with the money given back": (
        a_job(State.WAITING, wait_reason=WaitReason.PREPARING),
        (HELD, RELEASED),
        "T1/j1/1: waiting, and its hold is closed",
    ),
    "rendering for nothing": (a_job(State.RENDERING), (), "T1/j1: rendering without a hold"),
    "delivered for nothing": (a_job(State.DELIVERED), (), "T1/j1: delivered without a hold"),
    "failed with its hold": (a_job(State.FAILED), (HELD,), "failed, and its hold is open"),
    "cancelled with its hold": (a_job(State.CANCELLED), (HELD,), "cancelled, and its hold is open"),
    "queued on a closed hold": (a_job(State.QUEUED), (HELD, RELEASED), "queued, and its hold is closed"),
    "uncertain and given back": (a_job(State.UNCERTAIN), (HELD, RELEASED), "uncertain, and its hold is closed"),
    "rendering and given back": (a_job(State.RENDERING), (HELD, RELEASED), "rendering, and its money was given back"),
    "downloading uncharged": (a_job(State.DOWNLOADING), (HELD,), "downloading, and its charge was never settled"),
    "cancelled and charged": (
        a_job(State.CANCELLED, cost_micro_usd=300_000),
        (HELD, SETTLED),
        "cancelled before it was ordered, and 300000 is settled",
    ),
    "an order left behind": (a_job(State.QUEUED, attempt=2), (HELD, AGAIN), "open, and the job is at attempt 2"),
    "an order ahead of its time": (
        a_job(State.DELIVERED, **CLIP),
        (HELD, SETTLED, AGAIN),
        "T1/j1/2: open, and nobody asked to order again",
    ),
    "an order charged ahead of its time": (
        a_job(State.UNCERTAIN, **WISHED),
        (HELD, AGAIN, SETTLED_AGAIN),
        "T1/j1/2: settled, and the job is at attempt 1",
    ),
    "another payer": (a_job(person="U2"), (HELD,), "the person is U1 in the ledger, and U2 in the job"),
    "another stage": (a_job(stage=Stage.DIRECT), (HELD,), "the stage is draft in the ledger, and direct in the job"),
    "another price": (a_job(price_micro_usd=1), (HELD,), "the price is 320000 in the ledger, and 1 in the job"),
    "another price as a final": (
        a_job(as_final_micro_usd=None),
        (HELD,),
        "the price as a final is 800000 in the ledger, and None in the job",
    ),
    "a price that is assumed": (a_job(price_assumed=True), (HELD,), "the mark of an assumed price is False"),
    "another cost": (
        a_job(State.FAILED, cost_micro_usd=None),
        (HELD, SETTLED),
        "it is said to have cost None, and 300000 is settled",
    ),
}


@pytest.mark.parametrize("seed", SEEDED_JOBS)
def test_a_job_whose_money_is_elsewhere_is_named(seed: str) -> None:
    job, rows, words = SEEDED_JOBS[seed]
    sound = a_job(State.DELIVERED, id="sound", **CLIP)
    breaches = unsound((*rows, *(replace(row, job_id="sound") for row in (HELD, SETTLED))), [sound, job])

    assert any(words in breach for breach in breaches), breaches
    assert all(breach.startswith("T1/j1") for breach in breaches)


async def test_no_test_ends_with_unsound_books(tmp_path: Path) -> None:
    """What ``tests/conftest.py`` looks at after each test: every storage that was opened, in memory or on disk."""
    books = Books()
    memory = MemoryStorage()
    books.memories.append(memory)
    url = f"sqlite:///{tmp_path / 'dailies.db'}"
    async with open_storage(url, alone=True) as database:
        for storage in (memory, database):
            async with storage.begin() as tx:
                await tx.ledger.hold([a_hold()], [])
        books.check(Jobs.ALL)
        check_database(url)
        async with database.begin() as tx:
            await tx.ledger.hold([a_hold(job_id="j2", attempt=2)], [])

    with pytest.raises(UnsoundBooks, match="its attempts are numbered"):
        check_database(url)
    assert BOOKS.memories[-1] is memory
    assert BOOKS.urls
    BOOKS.forget()  # this one's own books are unsound


async def test_jobs_are_looked_at_where_they_are_meant_to_be(tmp_path: Path) -> None:
    memory = MemoryStorage()
    async with memory.begin() as tx:
        await tx.jobs.add_thread(a_thread())
        await tx.jobs.add_ask(an_ask())
        for job in (a_job(State.FAILED), a_job(id="j2")):
            await tx.jobs.add(job, TimelineEntry(workspace="T1", job_id=job.id, at=at(), event="set", state=job.state))
        await tx.ledger.hold([a_hold()], [])
    books = Books(memories=[memory])

    books.check(Jobs.NONE)
    with pytest.raises(UnsoundBooks) as of_booked:
        books.check(Jobs.TAKEN)
    with pytest.raises(UnsoundBooks) as of_all:
        books.check(Jobs.ALL)
    assert of_booked.value.breaches == ("T1/j1/1: failed, and its hold is open",)
    assert of_all.value.breaches == (*of_booked.value.breaches, "T1/j2: queued without a hold")
    BOOKS.forget()


async def test_what_people_asked_for_is_looked_at_although_nothing_was_booked(tmp_path: Path) -> None:
    """An ask that was taken without a hold has no row in the ledger; its line in the audit says that it was taken."""
    url = f"sqlite:///{tmp_path / 'dailies.db'}"
    await migrate(url)
    memory = MemoryStorage()
    async with open_storage(url, alone=False) as database:
        for storage in (memory, database):
            async with storage.begin() as tx:
                await tx.jobs.add_thread(a_thread())
                await tx.jobs.add_ask(an_ask())
                job = a_job()
                entry = TimelineEntry(workspace="T1", job_id=job.id, at=at(), event="accepted", state=job.state)
                await tx.jobs.add(job, entry)
                await tx.audit.add(AuditEntry(workspace="T1", at=at(), act=Act.ASKED, person="U1", ask_id=job.ask_id))

    for books in (Books(memories=[memory]), Books(urls={place_of(url).url})):
        with pytest.raises(UnsoundBooks, match="queued without a hold"):
            books.check(Jobs.TAKEN)
    BOOKS.forget()  # this one's own books are unsound


@pytest.mark.parametrize("damage", ["drop table jobs", "update alembic_version set version_num = '0001'"])
async def test_books_that_cannot_be_read_are_not_taken_for_sound(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "dailies.db"
    await migrate(f"sqlite:///{path}")
    check_database(f"sqlite:///{path}")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(damage)

    with pytest.raises(NotLookedAt, match="was not looked at"):
        check_database(f"sqlite:///{path}")


def test_a_database_that_is_gone_has_no_books(tmp_path: Path) -> None:
    check_database(f"sqlite:///{tmp_path / 'nowhere.db'}")
    assert list(tmp_path.iterdir()) == []
