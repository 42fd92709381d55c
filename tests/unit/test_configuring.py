"""Settings looked at and changed: by admins alone, whole or not at all, and with a line in the audit for each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.access import AccessRules, Member, Why
from bot.domain.audit import Act, AuditEntry
from bot.domain.budget import Caps, OverCap, Scope
from bot.domain.job import Gate, State, TimelineEntry
from bot.domain.lineage import Changes
from bot.domain.preferences import (
    WHOLE_WORKSPACE,
    BadValue,
    ChangedMeanwhile,
    Difference,
    PreferencesVersion,
    SameEmoji,
    read_assignment,
)
from bot.domain.pricing import PriceTable, Rate
from bot.domain.recipe import Ratio, Recipe, Resolution
from bot.ports import Fenced, Storage, StorageBusy
from bot.services.answers import CannotMake, ChangeUnknown, NotAllowed, Taken
from bot.services.configuring import Configuring
from bot.services.doorbell import Doorbell
from bot.services.gatekeeper import Gatekeeper
from bot.services.intake import Intake
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.routing import Router
from bot.services.sheets import Changed, Source
from bot.services.taking import Taking
from storage import MemoryStorage, open_storage
from storage.memory.preferences import MemoryPreferences
from tests.support.breaking import Breaking
from tests.support.clock import START, SettableClock
from tests.support.values import PRICE, a_cap, a_hold, a_job, a_sender, a_thread, an_ask, at, capabilities
from tests.support.vendors import Declared

ADMIN, OWNER, MAKER, STRANGER = "U1ADMIN", "U2OWNER", "U3MAKER", "U4STRANGER"
RATES = {
    ("hiapi", tier, resolution, False): Rate(per_second_micro_usd=price, as_of=START.date())
    for resolution, price in {Resolution.P480: 80_000, Resolution.P720: 150_000}.items()
    for tier in ("mini", "pro")
}
OPERATOR = Policy(
    caps=Caps(channel_month_micro_usd=20_000_000), access=AccessRules(admins=frozenset({ADMIN})), quorum=1
)


@dataclass
class People:
    """A directory in which one person is unknown. ``before`` is run before an answer, once."""

    before: Callable[[], Awaitable[object]] | None = None

    async def member(self, person: str) -> Member | None:
        """What Slack would say."""
        if self.before is not None:
            interlude, self.before = self.before, None
            await interlude()
        return None if person == STRANGER else Member(person=person, admin=person == OWNER)

    async def admins(self) -> tuple[str, ...]:
        """The owner."""
        return (OWNER,)


@dataclass
class Office:
    """A workspace's settings over one storage, with what rang."""

    storage: Storage
    people: People = field(default_factory=People)
    clock: SettableClock = field(default_factory=SettableClock)
    rung: list[None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policies = Policies(storage=self.storage, operator=OPERATOR)
        gatekeeper = Gatekeeper(directory=self.people, clock=self.clock)
        # A preset has no prompt, and real providers read none that is empty.
        tiers = [capabilities(tier=tier, shortest_prompt=3) for tier in ("mini", "pro")]
        router = Router({"hiapi": Declared(*tiers)}, PriceTable(RATES))
        self.configuring = Configuring(
            storage=self.storage,
            policies=self.policies,
            clock=self.clock,
            gatekeeper=gatekeeper,
            router=router,
            set_by_operator=frozenset({"cap.channel.month"}),
            wake=lambda: self.rung.append(None),
        )
        self.intake = Intake(
            storage=self.storage,
            router=router,
            policies=self.policies,
            gatekeeper=gatekeeper,
            taking=Taking(storage=self.storage, clock=self.clock, wake=lambda: None),
            doorbell=Doorbell(),
        )

    async def change(self, *texts: str, subject: str = "C1", person: str = ADMIN, base: int | None = None) -> Changed:
        """The texts as that person's change, a second after the one before."""
        self.clock.advance(1)
        changes = [read_assignment(text) for text in texts]
        return await self.configuring.change("T1", subject, changes, person=person, base=base)

    async def ask(self, *, final: bool = False) -> Taken:
        """A maker's plain ``/clip`` in C1."""
        self.clock.advance(1)
        key = f"ask at {self.clock.now()}"
        taken = await self.intake.draft(a_sender(key, person=MAKER), "a fox", Changes(), final=final)
        assert isinstance(taken, Taken)
        return taken

    async def stored(self, subject: str = "C1") -> list[Mapping[str, str]]:
        """Every version's values, oldest first."""
        async with self.storage.read() as tx:
            return [version.values for version in await tx.preferences.history("T1", subject)]

    async def audit(self) -> list[AuditEntry]:
        """Every line."""
        async with self.storage.read() as tx:
            return list(await tx.audit.entries(workspace="T1"))


@pytest.fixture
def office() -> Office:
    """In memory."""
    return Office(MemoryStorage())


@pytest.fixture
async def filed(tmp_path: Path) -> AsyncIterator[Office]:
    """In a file."""
    async with open_storage(f"sqlite:///{tmp_path / 'dailies.db'}", alone=True) as storage:
        yield Office(storage)


async def test_a_change_is_a_new_version_with_its_lines_and_counts_at_once(filed: Office) -> None:
    made = await filed.change("takes=2", "draft.ratio=9:16")
    again = await filed.change("takes=", "quorum=3", person=OWNER)

    assert made.done == (
        Difference(name="draft.ratio", before=None, after="9:16"),
        Difference(name="takes", before=None, after="2"),
    )
    assert (made.sheet.version, again.sheet.version) == (1, 2)
    assert await filed.stored() == [{"takes": "2", "draft.ratio": "9:16"}, {"draft.ratio": "9:16", "quorum": "3"}]
    policy = await filed.policies.of("T1", "C1")
    assert (policy.takes, policy.quorum, policy.draft.ratio) == (1, 3, "9:16")
    lines = [(one.act, one.person, one.channel, one.detail) for one in await filed.audit()]
    assert lines == [
        (Act.CONFIGURED, ADMIN, "C1", "draft.ratio: not set → 9:16"),
        (Act.CONFIGURED, ADMIN, "C1", "takes: not set → 2"),
        (Act.CONFIGURED, OWNER, "C1", "quorum: not set → 3"),
        (Act.CONFIGURED, OWNER, "C1", "takes: 2 → not set"),
    ]
    assert len(filed.rung) == 2


async def test_the_sheet_says_what_holds_and_where_that_comes_from(office: Office) -> None:
    await office.change("takes=2", "cap.channel.month=50", "cap.person.day=5", subject=WHOLE_WORKSPACE)
    await office.change("cap.person.day=9", "cast.mug=a white mug", "quorum=2")

    sheet = await office.configuring.sheet("T1", "C1")
    whole = await office.configuring.sheet("T1", WHOLE_WORKSPACE)

    names = ("draft.res", "takes", "quorum", "cap.channel.month", "cap.person.day", "admins", "cast.mug")
    assert [(sheet.row(name).text, sheet.row(name).source) for name in names] == [
        ("480p", Source.DEFAULT),
        ("2", Source.WORKSPACE),
        ("2", Source.CHANNEL),
        ("$20.00", Source.ENVIRONMENT),
        ("$5.00", Source.WORKSPACE),
        (ADMIN, Source.DEFAULT),
        ("a white mug", Source.CHANNEL),
    ]
    assert (whole.row("quorum").text, whole.row("quorum").source) == ("1", Source.DEFAULT)
    assert (whole.row("cast.NAME").text, sheet.version, whole.version) == ("none", 1, 1)
    with pytest.raises(KeyError):
        sheet.row("cast.NAME")


@pytest.mark.parametrize(("person", "why"), [(MAKER, Why.NOT_ADMIN), (STRANGER, Why.UNKNOWN)])
@pytest.mark.parametrize("subject", ["C1", WHOLE_WORKSPACE])
async def test_only_admins_change_anything(office: Office, person: str, why: Why, subject: str) -> None:
    with pytest.raises(NotAllowed) as caught:
        await office.change("takes=2", subject=subject, person=person)
    assert caught.value.why is why
    assert (await office.stored(subject), await office.audit(), office.rung) == ([], [], [])
    assert not await office.configuring.may_change("T1", subject, person)
    assert await office.configuring.may_change("T1", subject, OWNER)


async def test_who_is_made_an_admin_may_change_until_that_is_taken_back(office: Office) -> None:
    await office.change(f"admins+={MAKER}", subject=WHOLE_WORKSPACE)
    await office.change("takes=2", person=MAKER)
    await office.change(f"admins-={MAKER}", subject=WHOLE_WORKSPACE)
    with pytest.raises(NotAllowed):
        await office.change("takes=3", person=MAKER)
    assert await office.configuring.may_change("T1", "C1", ADMIN)


async def test_the_operator_needs_nobodys_leave_and_nobody_else_passes_that_door(office: Office) -> None:
    door = Configuring(storage=office.storage, policies=office.policies, clock=office.clock)
    changes = [read_assignment("takes=2")]
    with pytest.raises(NotAllowed):
        await door.change("T1", "C1", changes, person=ADMIN)
    await door.change("T1", "C1", changes, person=None)
    assert [(line.person, line.detail) for line in await office.audit()] == [(None, "takes: not set → 2")]


async def test_of_two_admins_at_once_the_second_is_told_what_the_first_did(filed: Office) -> None:
    """The second has read already when the first writes."""
    filed.people.before = lambda: filed.change("takes=3", person=OWNER)
    with pytest.raises(ChangedMeanwhile) as caught:
        await filed.change("takes=2", "quorum=2")
    assert caught.value.differences == (Difference(name="takes", before=None, after="3"),)
    assert caught.value.changed_by == OWNER
    assert "takes: not set → 3" in str(caught.value)
    assert await filed.stored() == [{"takes": "3"}]

    assert (await filed.change("takes=2")).done == (Difference(name="takes", before="3", after="2"),)


async def test_what_two_admins_set_apart_from_one_another_is_both_kept(office: Office) -> None:
    office.people.before = lambda: office.change("takes=3", "people.deny=U9A", subject=WHOLE_WORKSPACE, person=OWNER)
    made = await office.change("quorum=2", "people.deny+=U9B", "takes=3", subject=WHOLE_WORKSPACE)
    assert (await office.stored(WHOLE_WORKSPACE))[-1] == {"takes": "3", "people.deny": "U9A, U9B", "quorum": "2"}
    assert [one.name for one in made.meanwhile] == ["people.deny", "takes"]
    assert [one.words for one in made.done] == ["people.deny: U9A → U9A, U9B", "quorum: not set → 2"]


async def test_many_changes_at_once_are_versions_one_after_the_other(filed: Office) -> None:
    people = [f"U{n:03}" for n in range(8)]
    await asyncio.gather(*(filed.change(f"people.deny+={one}", subject=WHOLE_WORKSPACE) for one in people))
    stored = await filed.stored(WHOLE_WORKSPACE)
    assert [len(values["people.deny"].split(", ")) for values in stored] == list(range(1, 9))
    assert stored[-1] == {"people.deny": ", ".join(people)}
    assert len(await filed.audit()) == 8


async def test_a_form_that_showed_an_older_version_does_not_overwrite_a_newer_one(office: Office) -> None:
    await office.change("takes=2")
    await office.change("takes=3", person=OWNER)
    with pytest.raises(ChangedMeanwhile):
        await office.change("takes=4", base=1)
    await office.change("quorum=2", base=1)
    assert (await office.stored())[-1] == {"takes": "3", "quorum": "2"}


async def test_another_process_that_writes_between_reading_and_writing_is_seen(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL both may have read the same version: the number lets one through, the other begins anew."""
    put, raced = MemoryPreferences.put, [Fenced("another was first"), Fenced("and another")]

    async def racing(self: MemoryPreferences, version: PreferencesVersion) -> None:
        if raced:
            raise raced.pop()
        await put(self, version)

    monkeypatch.setattr(MemoryPreferences, "put", racing)
    await office.change("takes=2")
    assert (await office.stored(), len(await office.audit()), raced) == ([{"takes": "2"}], 1, [])

    async def lost(self: MemoryPreferences, version: PreferencesVersion) -> None:
        raise Fenced(f"{version.version} is never ours")

    monkeypatch.setattr(MemoryPreferences, "put", lost)
    with pytest.raises(StorageBusy):
        await office.change("takes=3")


@pytest.mark.parametrize("written", [True, False], ids=["written", "not written"])
async def test_a_commit_of_unknown_outcome_is_read_back(filed: Office, written: bool) -> None:
    await filed.change("takes=1")
    storage = Breaking(filed.storage, written=written)
    other = Office(storage, clock=filed.clock)

    made = await other.change("takes=2")

    assert made.done == (Difference(name="takes", before="1", after="2"),)
    assert made.meanwhile == ()
    assert await filed.stored() == [{"takes": "1"}, {"takes": "2"}]
    assert len(await filed.audit()) == 2
    assert storage.broke


@pytest.mark.parametrize("written", [True, False], ids=["written", "not written"])
async def test_a_commit_that_cannot_be_read_back_is_not_said_to_have_changed_nothing(
    office: Office, written: bool
) -> None:
    other = Office(Breaking(office.storage, written=written, away=True), clock=office.clock)

    with pytest.raises(ChangeUnknown):
        await other.change("takes=2")

    assert await office.stored() == ([{"takes": "2"}] if written else [])


async def test_what_is_like_that_already_makes_no_version(office: Office) -> None:
    await office.change("takes=2")
    made = await office.change("takes=2", "quorum=")
    assert made.done == ()
    assert (len(await office.stored()), len(await office.audit())) == (1, 1)


async def test_one_bad_value_among_good_ones_changes_nothing(office: Office) -> None:
    with pytest.raises(BadValue):
        await office.change("takes=2", "quorum=0")
    with pytest.raises(SameEmoji, match=":x:"):
        await office.change("takes=2", "emoji.promote=:rocket: :x:")
    assert (await office.stored(), await office.audit()) == ([], [])
    await office.change("emoji.promote=:x:", "emoji.cancel=:no_entry:")


async def test_no_layer_makes_an_emoji_of_another_promote_and_cancel(filed: Office) -> None:
    """A channel's own list, and what the workspace sets afterwards for all channels."""
    await filed.change("emoji.cancel=:ship: :x:")
    await filed.change("emoji.cancel=:bell:", subject="C2")
    with pytest.raises(SameEmoji, match=r":ship:.*C1"):
        await filed.change("emoji.promote=:ship:", subject=WHOLE_WORKSPACE)
    with pytest.raises(SameEmoji, match=r":bell:.*C2"):
        await filed.change("emoji.promote=:rocket: :bell:", subject=WHOLE_WORKSPACE)
    assert await filed.stored(WHOLE_WORKSPACE) == []
    await filed.change("emoji.cancel=:x:")
    await filed.change("emoji.promote=:ship:", subject=WHOLE_WORKSPACE)
    with pytest.raises(SameEmoji):
        await filed.change("emoji.cancel=:ship:")


@pytest.mark.parametrize("text", ["draft.res=1080p", "final.res=1080p", "draft.tier=grand", "draft.dur=auto"])
async def test_a_preset_that_no_provider_makes_is_refused(office: Office, text: str) -> None:
    with pytest.raises(CannotMake):
        await office.change(text)
    assert await office.stored() == []


async def test_a_limit_above_the_one_that_counts_is_said(office: Office) -> None:
    made = await office.change("cap.channel.month=50", "cap.person.day=5")
    assert [(row.key.name, row.text, row.source) for row in made.overruled] == [
        ("cap.channel.month", "$20.00", Source.ENVIRONMENT)
    ]


async def test_what_another_release_wrote_stays_and_is_named(office: Office) -> None:
    async with office.storage.begin() as tx:
        values = {"hologram": "on"}
        await tx.preferences.put(
            PreferencesVersion(
                workspace="T1", subject="C1", version=1, values=values, changed_by=None, at=office.clock.now()
            )
        )
    made = await office.change("takes=2")
    assert made.sheet.unread == ("hologram",)
    assert (await office.stored())[-1] == {"hologram": "on", "takes": "2"}


# --- what a setting does to the next ask -----------------------------------------------------------------------------


async def test_presets_and_takes_are_those_of_the_next_draft(office: Office) -> None:
    before = await office.ask()
    await office.change("draft.res=720p", "draft.dur=6", "draft.ratio=9:16", "draft.audio=off", "draft.tier=pro")
    await office.change("takes=3", "confirm.above=100")
    after = await office.ask()
    preset = Recipe(prompt="a fox")
    assert [job.recipe for job in before.jobs] == [preset]
    changed = replace(preset, resolution=Resolution.P720, seconds=6, ratio=Ratio.TALL, audio=False, tier="pro")
    assert [job.recipe for job in after.jobs] == [changed] * 3
    assert after.price_micro_usd == 3 * 6 * 150_000


async def test_the_final_preset_is_that_of_the_next_final(office: Office) -> None:
    await office.change("final.res=480p", "final.dur=9", "final.tier=pro")
    straight = await office.ask(final=True)
    await delivered(office.storage)
    promoted = await office.intake.promote_job(a_sender("press", person=MAKER), "j1")
    assert isinstance(promoted, Taken)
    found = [(one.resolution, one.seconds, one.tier) for one in (straight.jobs[0].recipe, promoted.jobs[0].recipe)]
    assert found == [(Resolution.P480, 9, "pro"), (Resolution.P480, 4, "pro")]


async def test_what_a_gesture_asked_for_can_be_undone_as_long_as_was_set(office: Office) -> None:
    await office.change("undo.seconds=45")
    await delivered(office.storage)
    taken = await office.intake.promote_job(a_sender("press", person=MAKER), "j1")
    assert isinstance(taken, Taken)
    assert taken.ask.gate is Gate.UNDO
    assert taken.ask.decide_by == office.clock.now() + timedelta(seconds=45)


async def test_money_limits_hold_for_the_next_ask(office: Office) -> None:
    await office.change("confirm.above=0.10")
    assert (await office.ask()).ask.gate is Gate.CONFIRMATION
    await office.change("confirm.above=", "cap.channel.month=0.50")
    await office.ask()
    with pytest.raises(OverCap) as caught:
        await office.ask()
    assert (caught.value.cap.scope, caught.value.left_micro_usd) == (Scope.CHANNEL_MONTH, 180_000)
    await office.change("cap.channel.month=")
    await office.ask()


@pytest.mark.parametrize(
    ("text", "why"), [(f"people.deny={MAKER}", Why.PERSON_DENIED), ("channels.allow=C2OTHER", Why.CHANNEL_NOT_LISTED)]
)
async def test_who_may_is_asked_of_the_next_ask(office: Office, text: str, why: Why) -> None:
    await office.ask()
    await office.change(text, subject=WHOLE_WORKSPACE)
    with pytest.raises(NotAllowed) as caught:
        await office.ask()
    assert caught.value.why is why


async def delivered(storage: Storage) -> None:
    """The draft j1 stands in its thread."""
    async with storage.begin() as tx:
        await tx.jobs.add_thread(a_thread())
        await tx.jobs.add_ask(an_ask())
        job = a_job(State.DELIVERED, message_ts="1700000002.000300", finished_at=at(), cost_micro_usd=PRICE)
        entry = TimelineEntry(workspace="T1", job_id=job.id, at=at(), event="delivered", state=job.state)
        await tx.jobs.add(job, entry)
        await tx.ledger.hold([a_hold()], [a_cap()])
        await tx.ledger.settle("T1", job.id, 1, PRICE, at())
