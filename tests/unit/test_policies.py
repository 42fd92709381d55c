"""What a stored preference does: each key changes one thing of the policy, and limits only ever become lower."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.access import AccessRules
from bot.domain.budget import Caps
from bot.domain.preference_keys import KEYS, Replies
from bot.domain.preferences import WHOLE_WORKSPACE, PreferencesVersion, key_of
from bot.domain.recipe import Ratio, Resolution
from bot.services.policies import VIEWS, Policies, narrowed, unread, value_of
from bot.services.policy import Policy
from storage import MemoryStorage
from tests.support.clock import START

OTHERWISE = {
    "draft.res": "720p",
    "draft.dur": "8 s",
    "draft.ratio": "9:16",
    "draft.tier": "pro",
    "draft.audio": "off",
    "takes": "3",
    "final.res": "1080p",
    "final.dur": "auto",
    "final.tier": "pro",
    "winners.channel": "C9WIN",
    "quorum": "2",
    "undo.seconds": "45 s",
    "replies": "off",
    "emoji.promote": ":ship: :star:",
    "emoji.cancel": "none",
    "confirm.above": "$2.50",
    "cap.channel.month": "$20.00",
    "cap.person.day": "$3.00",
    "cap.workspace.month": "$100.00",
    "running.per_person": "2",
    "look": "warm light",
    "admins": "U1A, U2B",
    "people.allow": "U1A",
    "people.deny": "U3C",
    "guests.allow": "W4D",
    "channels.allow": "C1A",
    "channels.deny": "C2B",
    "cast.mug": "a white mug",
}


def test_every_key_is_seen_here() -> None:
    assert {*OTHERWISE} == {*KEYS, "cast.mug"}
    assert set(VIEWS) == set(KEYS)


@pytest.mark.parametrize(("name", "text"), OTHERWISE.items())
def test_a_key_changes_what_it_names_and_nothing_else(name: str, text: str) -> None:
    changed = narrowed(Policy(), {name: text})
    key = key_of(name)
    assert key.kind.write(value_of(changed, key)) == text
    others = [key_of(other) for other in OTHERWISE if other != name]
    assert [value_of(changed, other) for other in others] == [value_of(Policy(), other) for other in others]
    assert changed != Policy()


def test_all_together_are_the_policy() -> None:
    policy = narrowed(Policy(), OTHERWISE)
    recipe = policy.draft
    assert (recipe.resolution, recipe.seconds, recipe.ratio) == (Resolution.P720, 8, Ratio.TALL)
    assert (recipe.tier, recipe.audio, recipe.prompt) == ("pro", False, "")
    assert (policy.final.resolution, policy.final.tier, policy.final_seconds) == (Resolution.P1080, "pro", None)
    assert (policy.takes, policy.quorum, policy.undo) == (3, 2, timedelta(seconds=45))
    assert (policy.replies, policy.winners_channel) == (Replies.OFF, "C9WIN")
    assert (policy.promote_emoji, policy.cancel_emoji) == (("ship", "star"), ())
    assert (policy.confirm_above_micro_usd, policy.running_per_person) == (2_500_000, 2)
    assert policy.caps == Caps(
        workspace_month_micro_usd=100_000_000, channel_month_micro_usd=20_000_000, person_day_micro_usd=3_000_000
    )
    assert policy.access == AccessRules(
        admins=frozenset({"U1A", "U2B"}),
        people_allow=frozenset({"U1A"}),
        people_deny=frozenset({"U3C"}),
        guests_allow=frozenset({"W4D"}),
        channels_allow=frozenset({"C1A"}),
        channels_deny=frozenset({"C2B"}),
    )
    assert (policy.look, policy.cast) == ("warm light", {"mug": "a white mug"})


@pytest.mark.parametrize(("stored", "counts"), [("$5.00", 5_000_000), ("$15.00", 10_000_000), ("$0.00", 0)])
def test_of_caps_the_lower_counts(stored: str, counts: int) -> None:
    operator = Policy(caps=Caps(person_day_micro_usd=10_000_000))
    assert narrowed(operator, {"cap.person.day": stored}).caps.person_day_micro_usd == counts


def test_of_running_clips_the_lower_limit_counts() -> None:
    assert narrowed(Policy(running_per_person=4), {"running.per_person": "9"}).running_per_person == 4
    assert narrowed(Policy(running_per_person=4), {"running.per_person": "2"}).running_per_person == 2


def test_admins_are_added_to_the_operators() -> None:
    operator = Policy(access=AccessRules(admins=frozenset({"U0"})))
    assert narrowed(operator, {"admins": "U1A"}).access.admins == {"U0", "U1A"}


def test_what_another_release_wrote_changes_nothing() -> None:
    """Such as a key that is not known any more, or a value that is not allowed any more."""
    values = {"hologram": "on", "undo.seconds": "1 s", "takes": "2", "cast.B A D": "x"}
    assert narrowed(Policy(), values) == replace(Policy(), takes=2)
    assert unread(values) == ("hologram", "undo.seconds", "cast.B A D")


async def test_a_channel_goes_before_the_workspace_and_that_before_the_operator() -> None:
    storage = MemoryStorage()
    policies = Policies(storage=storage, operator=Policy(takes=1, quorum=1, caps=Caps(person_day_micro_usd=9_000_000)))
    await put(storage, WHOLE_WORKSPACE, {"takes": "2", "quorum": "2", "cap.person.day": "$4.00"})
    await put(storage, "C1", {"takes": "3", "cap.person.day": "$6.00"})

    here, there = await policies.of("T1", "C1"), await policies.of("T1", "C2")
    other, everywhere = await policies.of("T2", "C1"), await policies.of("T1", WHOLE_WORKSPACE)

    assert (here.takes, here.quorum, here.caps.person_day_micro_usd) == (3, 2, 4_000_000)
    assert (there.takes, there.quorum, there.caps.person_day_micro_usd) == (2, 2, 4_000_000)
    assert everywhere == there
    assert other == policies.operator


async def put(storage: MemoryStorage, subject: str, values: dict[str, str]) -> None:
    async with storage.begin() as tx:
        await tx.preferences.put(
            PreferencesVersion(workspace="T1", subject=subject, version=1, values=values, changed_by="U1", at=START)
        )
