"""Announcements: written down with what caused them, posted once, read back, postponed, given up; and their words."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bot.domain.access import AccessRules, Member
from bot.domain.announcement import ADMINS, Announcement, Topic
from bot.domain.budget import Scope, Stage
from bot.domain.job import Job, State, TimelineEntry
from bot.domain.lineage import Method
from bot.domain.patience import NEWS_VALID
from bot.domain.preferences import WHOLE_WORKSPACE, PreferencesVersion
from bot.domain.pricing import PriceTable
from bot.ports import ChatError, ChatForbidden, ChatRefused, ChatUnknown, MessageGone, Share
from bot.services.announcing import Announcing
from bot.services.bench import Bench, Later
from bot.services.circuit import Circuit
from bot.services.delivering import Delivering
from bot.services.gatekeeper import Gatekeeper
from bot.services.lease import Lease
from bot.services.moving import Moves
from bot.services.news import tell_winner
from bot.services.places import Places
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.routing import Router
from handlers.blocks.announcements import announcement
from storage import MemoryClips, MemoryStorage
from tests.support.clock import SettableClock
from tests.support.values import a_job, a_thread, an_ask, at

WINNER = Announcement(
    workspace="T1",
    key="winner:j2",
    topic=Topic.WINNER,
    to="CWINS",
    created_at=at(),
    due_at=at(),
    facts={
        "channel": "C1",
        "message_ts": "1.5",
        "number": 2,
        "person": "U2",
        "prompt": "a <!channel> *panda*",
        "resolution": "720p",
    },
)
CAP_NEAR = Announcement(
    workspace="T1",
    key="cap_near:1",
    topic=Topic.CAP_NEAR,
    to=ADMINS,
    created_at=at(),
    due_at=at(),
    facts={
        "scope": "channel_month",
        "subject": "C1",
        "period": "2026-11",
        "limit_micro_usd": 10_000_000,
        "committed_micro_usd": 8_320_000,
        "renews_at": 1_796_083_200,
    },
)


@dataclass
class Slack:
    """Posts, or raises what it is told to; keeps what was posted by key."""

    troubles: list[ChatError] = field(default_factory=list)
    """Raised by the next posts."""
    done_all_the_same: bool = False
    blind: ChatError | None = None
    """Raised by looking for what was posted."""
    standing: list[tuple[str, str]] = field(default_factory=list)
    """Where, and the key."""
    admin_trouble: ChatError | None = None
    share: Share | None = None
    """Where every file stands."""

    async def find_share(self, file_id: str, channel: str) -> Share | None:
        return self.share

    async def announce(self, news: Announcement) -> str:
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is None or self.done_all_the_same:
            self.standing.append((news.to, news.key))
        if trouble is not None:
            raise trouble
        return f"9.{len(self.standing)}"

    async def find_announcement(self, news: Announcement) -> str | None:
        if self.blind is not None:
            raise self.blind
        return "9.9" if (news.to, news.key) in self.standing else None

    async def member(self, person: str) -> Member | None:
        return Member(person=person)

    async def admins(self) -> tuple[str, ...]:
        if self.admin_trouble is not None:
            raise self.admin_trouble
        return ("UOWNER", "UADMIN")


@dataclass
class Newsroom:
    """One process's announcing over a storage."""

    slack: Slack
    clock: SettableClock
    storage: MemoryStorage
    announcing: Announcing
    lease: Lease

    async def add(self, *news: Announcement) -> None:
        async with self.storage.begin() as tx:
            for one in news:
                await tx.announcements.add(one)

    async def step(self, key: str = WINNER.key) -> Later | None:
        return await self.announcing.step("T1", key)

    async def read(self, key: str = WINNER.key) -> Announcement:
        async with self.storage.read() as tx:
            return await tx.announcements.get("T1", key)

    async def left(self) -> list[Announcement]:
        """What is neither posted nor given up."""
        async with self.storage.begin() as tx:
            return await tx.announcements.claim(self.lease.ownership, 10, self.clock.now())


async def newsroom(policy: Policy) -> Newsroom:
    clock, storage, slack = SettableClock(), MemoryStorage(), Slack()
    lease = Lease(storage=storage, clock=clock, alone=True)
    await lease.register()
    bench = Bench(
        storage=storage,
        clips=MemoryClips(),
        fetcher=None,  # type: ignore[arg-type] # nothing is fetched
        chat=slack,  # type: ignore[arg-type] # of all that a chat can do, announcing needs these two
        providers={},
        router=Router({}, PriceTable()),
        policy=policy,
        policies=Policies(storage=storage, operator=policy),
        gatekeeper=Gatekeeper(directory=slack, clock=clock),
        directory=slack,
        clock=clock,
        lease=lease,
        moves=Moves(storage=storage, clock=clock, moved=lambda before, after: None),
        places=Places(lambda job: None),
        circuit=Circuit(clock),
        ring=lambda: None,
    )
    return Newsroom(slack=slack, clock=clock, storage=storage, announcing=Announcing(bench=bench), lease=lease)


@pytest.fixture
async def room() -> Newsroom:
    return await newsroom(Policy())


async def test_an_announcement_is_posted_once(room: Newsroom) -> None:
    await room.add(WINNER)
    assert await room.step() is None
    assert await room.step() is None
    assert room.slack.standing == [("CWINS", WINNER.key)]
    assert (await room.read()).posted_ts == "9.1"


@pytest.mark.row("F88")
async def test_news_that_a_stepped_clock_puts_off_is_looked_at_again_once_a_minute(room: Newsroom) -> None:
    await room.add(WINNER)
    room.clock.step(room.clock.now() - timedelta(hours=1))
    assert await room.step() == Later(seconds=60.0)
    assert room.slack.standing == []


@pytest.mark.parametrize("stands", [True, False])
async def test_a_post_of_unknown_outcome_is_looked_for_before_it_is_sent_again(room: Newsroom, stands: bool) -> None:
    await room.add(WINNER)
    room.slack.troubles, room.slack.done_all_the_same = [ChatUnknown("ServerDisconnectedError")], stands
    assert await room.step() == Later(seconds=2.0)
    assert (await room.read()).posting

    waited = await through(room)

    assert waited == (2.0 if stands else 5.0)
    assert room.slack.standing == [("CWINS", WINNER.key)]
    assert (await room.read()).posted_ts == ("9.9" if stands else "9.1")


async def test_a_post_that_was_on_its_way_at_a_kill_is_waited_for(room: Newsroom) -> None:
    """The new process looks at once, and Slack shows it a moment later."""
    await room.add(replace(WINNER, posting=True))
    assert await room.step() == Later(seconds=2.0)
    room.slack.standing.append(("CWINS", WINNER.key))
    assert await through(room) == 2.0
    assert room.slack.standing == [("CWINS", WINNER.key)]
    assert (await room.read()).posted_ts == "9.9"


@pytest.mark.parametrize("blind", [ChatForbidden("missing_scope"), ChatRefused("not_in_channel")])
async def test_what_may_stand_and_cannot_be_looked_for_is_not_posted_twice(room: Newsroom, blind: ChatError) -> None:
    await room.add(replace(WINNER, posting=True))
    room.slack.blind = blind
    assert await room.step() is None
    assert room.slack.standing == []
    assert (await room.read()).given_up
    assert await room.left() == [], "nobody is told that Slack refuses the channel: that is not known"


async def test_while_slack_is_away_it_waits_longer_and_longer_and_as_long_as_slack_asks(room: Newsroom) -> None:
    await room.add(WINNER)
    room.slack.troubles = [ChatError("unreachable"), ChatError("unreachable"), ChatError("ratelimited", 77.0)]
    waits = []
    for _ in range(3):
        later = await room.step()
        assert later is not None
        waits.append(later.seconds)
        assert room.slack.standing == []
        assert (await room.step() or later).seconds <= later.seconds, "not before it is due"
        room.clock.advance(later.seconds)
    assert 1.5 <= waits[0] <= 2
    assert 3 <= waits[1] <= 4
    assert waits[2] == 77.0
    assert await room.step() is None
    assert room.slack.standing == [("CWINS", WINNER.key)]


async def test_what_is_older_than_a_day_is_no_news(room: Newsroom) -> None:
    await room.add(WINNER)
    room.clock.advance(NEWS_VALID.total_seconds())
    assert await room.step() is None
    assert (await room.read()).given_up
    assert room.slack.standing == []


async def test_a_final_that_is_deleted_meanwhile_is_not_announced(room: Newsroom) -> None:
    await room.add(WINNER)
    room.slack.troubles = [MessageGone("message_not_found")]
    assert await room.step() is None
    assert (await room.read()).given_up
    assert await room.left() == []


async def test_a_winners_channel_that_refuses_us_is_told_of_once(room: Newsroom) -> None:
    """Two finals come on the same day; the admins are told of one refusal."""
    other = replace(WINNER, key="winner:j3")
    await room.add(WINNER, other)
    room.slack.troubles = [ChatRefused("not_in_channel"), ChatRefused("not_in_channel")]
    for news in (WINNER, other):
        assert await room.step(news.key) is None
        assert (await room.read(news.key)).given_up
    (told,) = await room.left()
    assert (told.topic, told.to, told.facts["channel"]) == (Topic.WINNER_UNTOLD, ADMINS, "CWINS")
    assert "<#CWINS>" in announcement(told).text
    assert "/invite" in announcement(told).text


async def test_without_named_admins_those_of_the_workspace_are_told_each_once(room: Newsroom) -> None:
    await room.add(CAP_NEAR)
    room.slack.admin_trouble = ChatError("timeout")
    assert isinstance(await room.step(CAP_NEAR.key), Later)
    room.slack.admin_trouble = None
    room.clock.advance(5)
    assert await room.step(CAP_NEAR.key) is None
    for news in await room.left():
        assert await room.step(news.key) is None
    assert sorted(to for to, _ in room.slack.standing) == ["UADMIN", "UOWNER"]
    assert await room.left() == []


async def test_named_admins_are_told_and_nobody_else() -> None:
    room = await newsroom(Policy(access=AccessRules(admins=frozenset({"UMAYA"}))))
    await room.add(CAP_NEAR)
    await room.step(CAP_NEAR.key)
    assert [news.to for news in await room.left()] == ["UMAYA"]


async def test_a_winner_is_announced_once_with_who_promoted_it(room: Newsroom) -> None:
    final = a_job(id="j2", number=2, message_ts="1.5", updated_at=at(9))
    ask = an_ask(person="U2", method=Method.SAME_RECIPE)
    async with room.storage.begin() as tx:
        for _ in range(2):
            await tell_winner(tx, final, ask, "CWINS", at(9))
    (news,) = await room.left()
    assert (news.to, news.facts["person"], news.facts["message_ts"]) == ("CWINS", "U2", "1.5")


@pytest.mark.parametrize(
    ("public", "stored", "linked"),
    [
        (True, {WHOLE_WORKSPACE: "CWINS"}, ["CWINS"]),
        (False, {WHOLE_WORKSPACE: "CWINS"}, []),
        (False, {"C1": "COWN"}, ["COWN"]),
        (False, {WHOLE_WORKSPACE: "CWINS", "C1": "COWN"}, ["COWN"]),
        (True, {WHOLE_WORKSPACE: "CWINS", "C1": "none"}, []),
        (False, {}, []),
    ],
)
async def test_a_final_of_a_private_channel_is_linked_elsewhere_only_where_that_channel_says_so(
    room: Newsroom, public: bool, stored: dict[str, str], linked: list[str]
) -> None:
    """A link shows the prompt to whoever reads the winners' channel."""
    job = a_job(stage=Stage.FINAL, state=State.DELIVERING, file_id="F1", shared_at=at())
    async with room.storage.begin() as tx:
        for subject, winners in stored.items():
            values = {"winners.channel": winners}
            await tx.preferences.put(
                PreferencesVersion(workspace="T1", subject=subject, version=1, values=values, changed_by="U1", at=at())
            )
        await tx.jobs.add_thread(a_thread())
        await tx.jobs.add_ask(an_ask())
        entry = TimelineEntry(workspace="T1", job_id=job.id, at=at(), event="put", state=job.state)
        await tx.jobs.add(job, entry)
        (job,) = await tx.jobs.claim(room.lease.ownership, 1, at())
        ask = await tx.jobs.ask("T1", job.ask_id)
    room.slack.share = Share(message_ts="1.5", public=public)

    assert isinstance(after := await Delivering(bench=room.announcing.bench, promote=nobody).deliver(job, ask), Job)

    assert (after.state, after.message_ts) == (State.DELIVERED, "1.5")
    assert [news.to for news in await room.left()] == linked


async def through(room: Newsroom) -> float:
    """Wait two seconds, and on until it is done; how many seconds in all."""
    wait: Later | None = Later(seconds=2.0)
    waited = 0.0
    while wait is not None:
        room.clock.advance(wait.seconds)
        waited += wait.seconds
        wait = await room.step()
    return waited


async def nobody(job: Job, person: str) -> None:
    raise AssertionError(f"{person} promoted nothing of {job.id}")


# --- words -----------------------------------------------------------------------------------------------------------


def test_a_winner_is_linked_and_its_prompt_brings_nothing_to_life() -> None:
    message = announcement(WINNER, link="https://team.slack.example/archives/C1/p15")
    assert "<https://team.slack.example/archives/C1/p15|#2>" in message.text
    assert "<@U2>" in message.text
    assert "<!channel>" not in message.text
    assert message.blocks[1]["text"] == {"type": "plain_text", "text": "a <!channel> *panda*", "emoji": False}


@pytest.mark.parametrize(
    ("scope", "subject", "whose"),
    [
        (Scope.WORKSPACE_MONTH, "T1", "the cap of this workspace for the month"),
        (Scope.CHANNEL_MONTH, "C1", "the cap of <#C1> for the month"),
        (Scope.PERSON_DAY, "U1", "the cap of <@U1> for the day"),
    ],
)
def test_a_cap_that_is_near_says_which_and_what_is_left(scope: Scope, subject: str, whose: str) -> None:
    facts = {**CAP_NEAR.facts, "scope": scope.value, "subject": subject}
    text = announcement(replace(CAP_NEAR, facts=facts)).text
    assert (
        f"83 % of {whose} is held or spent: $8.32 of $10.00; $1.68 is left until it renews at <!date^1796083200^"
        in text
    )


def test_overbilling_names_both_figures_and_the_mend() -> None:
    facts: dict[str, str | int] = {
        "provider": "hiapi",
        "tier": "mini",
        "resolution": "480p",
        "held_micro_usd": 320_000,
        "charged_micro_usd": 640_000,
        "channel": "C1",
        "number": 3,
    }
    news = replace(CAP_NEAR, topic=Topic.OVERBILLED, facts=facts, due_at=at() + timedelta(hours=1))
    text = announcement(news).text
    for words in ("HiAPI charged $0.64 for clip #3 in <#C1>", "held at $0.32", "`PRICE_FILE`", "`[hiapi.mini]`"):
        assert words in text
    pretend = announcement(replace(news, facts={**facts, "provider": "pretend-hiapi"})).text
    assert "`[hiapi.mini]`" in pretend, "as PRICE_FILE takes it"


@pytest.mark.parametrize(
    ("topic", "facts", "words"),
    [
        (
            Topic.PROVIDER_PAUSED,
            {"kind": "out_of_credit"},
            "The account at Muapi is empty. <https://muapi.ai/topup|Top up",
        ),
        (Topic.PROVIDER_PAUSED, {"kind": "key_refused"}, "Muapi refuses the key of Dailies"),
        (Topic.PROVIDER_PAUSED, {"kind": "provider"}, "Clips in <#C1> that were to be made there wait"),
        (Topic.PROVIDER_RESUMED, {}, "Muapi takes orders again"),
        (Topic.LOW_BALANCE, {"left_micro_usd": 2_500_000, "clip_micro_usd": 1_200_000}, "$2.50 is left at Muapi"),
    ],
)
def test_news_of_a_provider_says_what_it_means_and_what_to_do(
    topic: Topic, facts: dict[str, str | int], words: str
) -> None:
    news = replace(CAP_NEAR, topic=topic, facts={"provider": "muapi", "channel": "C1", **facts})
    assert words in announcement(news).text
