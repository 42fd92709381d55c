"""``bot.ports.Preferences``, on every implementation."""

import asyncio
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from bot.domain.preferences import WHOLE_WORKSPACE, PreferencesVersion
from bot.ports import Fenced, Storage
from tests.contracts.records import NOW, assert_same, later

FIRST = PreferencesVersion(
    workspace="T1",
    subject="C1",
    version=1,
    values=MappingProxyType({"takes": "2", "look": "a café — “at night” 🦊\n%_'\"", "aaa": ""}),
    changed_by="U1",
    at=NOW,
)


def a_version(version: int, **changes: Any) -> PreferencesVersion:
    """A later version, set by the operator."""
    values = MappingProxyType({"takes": str(version)})
    return replace(FIRST, version=version, values=values, changed_by=None, at=later(version), **changes)


async def put(storage: Storage, *versions: PreferencesVersion) -> None:
    async with storage.begin() as tx:
        for version in versions:
            await tx.preferences.put(version)


async def test_nothing_was_ever_set(storage: Storage) -> None:
    async with storage.read() as tx:
        assert await tx.preferences.current("T1", "C1") is None
        assert await tx.preferences.history("T1", "C1") == ()


async def test_every_version_stays_as_it_was_set(storage: Storage) -> None:
    second = a_version(2)
    await put(storage, FIRST)
    await put(storage, second)

    async with storage.read() as tx:
        assert_same(await tx.preferences.current("T1", "C1"), second)
        assert_same(await tx.preferences.history("T1", "C1"), (FIRST, second))


async def test_a_transaction_sees_what_it_set_itself(storage: Storage) -> None:
    async with storage.begin() as tx:
        await tx.preferences.put(FIRST)
        await tx.preferences.put(a_version(2))
        current = await tx.preferences.current("T1", "C1")
    assert current == a_version(2)


async def test_versions_are_counted_as_numbers(storage: Storage) -> None:
    await put(storage, *(a_version(number) for number in range(1, 12)))

    async with storage.read() as tx:
        assert await tx.preferences.current("T1", "C1") == a_version(11)
        assert [version.version for version in await tx.preferences.history("T1", "C1")] == list(range(1, 12))


@pytest.mark.parametrize("number", [0, 1, 3])
async def test_a_version_that_does_not_follow_the_newest_is_refused(storage: Storage, number: int) -> None:
    await put(storage, FIRST)

    with pytest.raises(Fenced):
        await put(storage, a_version(number))
    async with storage.read() as tx:
        assert await tx.preferences.history("T1", "C1") == (FIRST,)


async def test_the_first_version_is_the_first(storage: Storage) -> None:
    with pytest.raises(Fenced):
        await put(storage, a_version(2))


async def test_after_a_refusal_the_transaction_can_still_write(storage: Storage) -> None:
    async with storage.begin() as tx:
        with pytest.raises(Fenced):
            await tx.preferences.put(a_version(2))
        await tx.preferences.put(FIRST)

    async with storage.read() as tx:
        assert await tx.preferences.current("T1", "C1") == FIRST


async def test_workspaces_and_subjects_are_kept_apart(storage: Storage) -> None:
    elsewhere = [replace(FIRST, workspace="T2"), replace(FIRST, subject="C2"), replace(FIRST, subject=WHOLE_WORKSPACE)]
    await put(storage, FIRST, *elsewhere)
    await put(storage, a_version(2))

    async with storage.read() as tx:
        for one in elsewhere:
            assert await tx.preferences.current(one.workspace, one.subject) == one


async def test_the_channels_with_settings_of_their_own_are_known(storage: Storage) -> None:
    async with storage.read() as tx:
        assert await tx.preferences.channels("T1") == ()
    channels = [replace(FIRST, subject="C2"), replace(FIRST, workspace="T2", subject="C9"), FIRST]
    await put(storage, *channels, replace(FIRST, subject=WHOLE_WORKSPACE), a_version(2))

    async with storage.read() as tx:
        assert await tx.preferences.channels("T1") == ("C1", "C2")
        assert await tx.preferences.channels("T2") == ("C9",)


async def test_what_was_handed_in_may_be_changed_afterwards(storage: Storage) -> None:
    values = {"takes": "1"}
    await put(storage, replace(FIRST, values=values))
    values["takes"] = "9"

    async with storage.read() as tx:
        stored = await tx.preferences.current("T1", "C1")
    assert stored is not None
    assert stored.values == {"takes": "1"}


@pytest.mark.parametrize("before", [0, 3])
async def test_of_two_changes_at_once_one_is_refused(replicas: tuple[Storage, Storage], before: int) -> None:
    """Both have read the same version: the second must not undo the first unseen."""
    await put(replicas[0], *(a_version(number) for number in range(1, before + 1)))

    async def change(number: int) -> bool:
        try:
            await put(replicas[number], a_version(before + 1))
        except Fenced:
            return False
        return True

    assert sum(await asyncio.gather(change(0), change(1))) == 1
    async with replicas[1].read() as tx:
        assert len(await tx.preferences.history("T1", "C1")) == before + 1
