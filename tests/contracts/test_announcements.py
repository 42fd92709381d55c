"""``bot.ports.Announcements``, on every implementation."""

import asyncio
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from bot.domain.announcement import Announcement, Topic
from bot.domain.job import Ownership
from bot.ports import Storage
from tests.contracts.records import LEASE, NOW, assert_same, later, registered

FULL = Announcement(
    workspace="T1",
    key="winner/j1",
    topic=Topic.OVERBILLED,
    to="C9",
    created_at=NOW,
    due_at=later(1.000001),
    job_id="j1",
    facts=MappingProxyType({"charged": 9_000_000_000_000, "name": "a café — “at night” 🦊\n%_'\"", "aaa": 0}),
    posting=True,
    posted_ts="1700000000.000100",
    given_up=True,
    tries=3,
    owner="process-1",
    epoch=3,
)


def news(key: str = "cap/80", **changes: Any) -> Announcement:
    """Something to be told at once."""
    given = Announcement(workspace="T1", key=key, topic=Topic.CAP_NEAR, to="U9", created_at=NOW, due_at=NOW)
    return replace(given, **changes)


async def add(storage: Storage, *announcements: Announcement) -> list[bool]:
    async with storage.begin() as tx:
        return [await tx.announcements.add(one) for one in announcements]


async def claim(storage: Storage, ownership: Ownership, *, seconds: float = 1, limit: int = 50) -> list[str]:
    async with storage.begin() as tx:
        return [one.key for one in await tx.announcements.claim(ownership, limit, later(seconds))]


async def stored(storage: Storage, key: str = "cap/80") -> Announcement:
    async with storage.read() as tx:
        return await tx.announcements.get("T1", key)


async def test_an_announcement_comes_back_with_every_field(storage: Storage) -> None:
    assert await add(storage, FULL, news()) == [True, True]

    assert_same(await stored(storage, FULL.key), FULL)
    assert_same(await stored(storage), news())


async def test_an_unknown_one_is_a_key_error(storage: Storage) -> None:
    await add(storage, news(workspace="T2"))
    async with storage.read() as tx:
        with pytest.raises(KeyError):
            await tx.announcements.get("T1", "cap/80")


async def test_the_same_news_is_written_once_and_stays_as_it_was(storage: Storage) -> None:
    assert await add(storage, news(), news(to="U8"), news(workspace="T2")) == [True, False, True]
    assert await add(storage, news(topic=Topic.WINNER)) == [False]

    assert await stored(storage) == news()


async def test_the_same_news_added_twice_at_once_is_written_once(replicas: tuple[Storage, Storage]) -> None:
    added = await asyncio.gather(*(add(replicas[number % 2], news(to=f"U{number}")) for number in range(8)))

    assert sum(one for (one,) in added) == 1


async def test_the_way_of_a_post(storage: Storage) -> None:
    await add(storage, news())
    steps = []
    for step in ("intended", "postponed", "intended", "posted"):
        async with storage.begin() as tx:
            arguments = {"postponed": (later(30),), "posted": ("1.1",)}.get(step, ())
            await getattr(tx.announcements, step)("T1", "cap/80", *arguments)
        steps.append(await stored(storage))

    intended = news(posting=True)
    postponed = replace(intended, due_at=later(30), tries=1)
    assert steps == [intended, postponed, postponed, replace(postponed, posting=False, posted_ts="1.1")]


async def test_only_the_one_that_is_meant_changes(storage: Storage) -> None:
    others = [news("other"), news(workspace="T2")]
    await add(storage, news(), *others)
    async with storage.begin() as tx:
        await tx.announcements.intended("T1", "cap/80")
        await tx.announcements.postponed("T1", "cap/80", later(9))
        await tx.announcements.give_up("T1", "cap/80")

    async with storage.read() as tx:
        assert [await tx.announcements.get(one.workspace, one.key) for one in others] == others


async def test_what_is_untold_is_claimed_and_ours_afterwards(storage: Storage) -> None:
    ours = await registered(storage)
    await add(
        storage,
        news("told", posted_ts="1.1"),
        news("given up", given_up=True),
        news("intended", posting=True),
        news("b"),
        news("a"),
        news("older", created_at=later(-9)),
        news("postponed", due_at=later(60)),
        news("elsewhere", workspace="T2", due_at=later(-1)),
    )
    order = ["elsewhere", "older", "a", "b", "intended", "postponed"]

    assert await claim(storage, ours, limit=2) == order[:2]
    # Ours are claimed again: what is told or given up meanwhile is not.
    assert await claim(storage, ours) == order
    assert ((await stored(storage, "a")).owner, (await stored(storage, "a")).epoch) == ("process-1", ours.epoch)
    async with storage.begin() as tx:
        await tx.announcements.posted("T1", "older", "1.2")
        await tx.announcements.give_up("T1", "b")
        await tx.announcements.postponed("T1", "a", later(30))
    assert await claim(storage, ours) == ["elsewhere", "intended", "a", "postponed"]


async def test_another_processs_announcements_are_taken_over_once_its_lease_has_lapsed(storage: Storage) -> None:
    dead, ours = await registered(storage, "dead"), await registered(storage, "ours")
    await add(storage, news())
    assert await claim(storage, dead) == ["cap/80"]
    async with storage.begin() as tx:
        await tx.leases.renew(ours, later(60))

    assert await claim(storage, ours, seconds=LEASE.total_seconds() - 0.000001) == []
    assert await claim(storage, ours, seconds=LEASE.total_seconds()) == ["cap/80"]
    assert await claim(storage, dead, seconds=7) == []


async def test_two_processes_share_announcements_without_taking_any_twice(replicas: tuple[Storage, Storage]) -> None:
    owners = [await registered(replicas[0], "one"), await registered(replicas[1], "two")]
    keys = [f"k{number:02}" for number in range(40)]
    await add(replicas[0], *(news(key) for key in keys))

    async def work(number: int) -> set[str]:
        taken: set[str] = set()
        while batch := set(await claim(replicas[number], owners[number], limit=60)) - taken:
            taken |= batch
        return taken

    one, two = await asyncio.gather(work(0), work(1))
    rest = await work(0)
    assert one & two == set()
    assert sorted(one | two | rest) == keys


async def test_what_is_rolled_back_was_never_news(storage: Storage) -> None:
    async def fail() -> None:
        async with storage.begin() as tx:
            await tx.announcements.add(news())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await add(storage, news()) == [True]
