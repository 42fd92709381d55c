"""What people do: they ask, press, react, change their minds, and delete things. What they asked for and how often they
said *again* is written down, since that is what they may be charged for."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from bot.domain.budget import OverCap
from bot.domain.job import Ask, Decision, Gate, Job, State
from bot.domain.lineage import Changes
from bot.domain.pricing import NoPrice
from bot.ports import Card, CommitUnknown, StorageError
from bot.services.answers import AlreadyTaken, Flagged, Refusal, Taken
from bot.services.taking import Sender
from tests.simulation.chat import ADMIN, GUEST
from tests.simulation.core import Core
from tests.simulation.slack_books import Message, SlackBooks
from tests.simulation.world import World

WORKSPACE = "T1"
CHANNELS = "C1", "C2"
PEOPLE = ADMIN, "U1", "U2", "U3", GUEST
REDELIVERED = 5.0, 60.0, 300.0
"""Slack tells an event again after so long, when it was not taken."""

_DRAFTS, _GESTURES = 1.0, 4
"""Of each clip that is to come of it so many takes are asked for and so many gestures made: much is refused."""

_THINKS_AGAIN = 30.0, 30.0, 120.0
"""Who takes a reaction back does so within so many seconds: mostly before it is decided, and sometimes while the final
waits for a place."""

_REGRETS = 0.3
"""For each clip that is to come of it so often somebody stops something that does not seem to be on order yet."""
_WHILE_READ = 0.15
"""So often somebody stops a final while the bot reads who wants it."""
_READING = 0.6
"""Seconds that this takes, with the answer's way and the first question who people are."""
_NOT_ON_ORDER = frozenset({State.WAITING, State.QUEUED})

Deed = Callable[[Core], Awaitable[object]]


@dataclass(frozen=True, kw_only=True)
class Said:
    """Something that somebody sends to the bot, under a key of its own."""

    name: str
    deed: Deed
    event: bool = False
    """Slack tells it again when it is not taken."""
    clips: int = 1
    """How many clips it asks for, if any."""
    taken: Callable[[str], None] | None = None
    """Called with the ask when somebody is told that it is taken."""


@dataclass(frozen=True, kw_only=True)
class Acknowledged:
    """Somebody was told that an ask is taken."""

    at: float
    clips: int


@dataclass
class Support:
    """One person's reaction for a final, from when the bot took it until it was taken back."""

    clip: Message
    person: str
    begin: float
    end: float = float("inf")

    def stands(self, at: float) -> bool:
        return self.begin <= at < self.end and self.person in self.clip.standing(at)


@dataclass
class Wanted:
    """What people asked for, as far as anybody but the bot knows."""

    clips: Counter[str] = field(default_factory=Counter)
    """By the word in the prompt: how many clips may be made of an ask."""
    finals: Counter[str] = field(default_factory=Counter)
    """By the same word: how often somebody asked for a final of one of its clips."""
    again: Counter[str] = field(default_factory=Counter)
    """By clip: how often *Order again* was pressed."""
    again_at: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By clip: when such a press reached the bot, which may be several times."""
    stopped: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By ask: when somebody was told that *Cancel* or *Undo* was taken."""
    let_go: set[str] = field(default_factory=set)
    """Clips that somebody gave up or cancelled."""
    promoted: set[str] = field(default_factory=set)
    """Clips that somebody pressed *Promote* on."""
    undone: set[str] = field(default_factory=set)
    """Asks that somebody pressed *Undo* on."""
    confirmed: dict[str, float] = field(default_factory=dict)
    """Asks, and when somebody was told that they are confirmed."""
    supported: defaultdict[str, list[Support]] = field(default_factory=lambda: defaultdict(list))
    """Who stands behind an ask for a final."""
    asker: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By the word in the prompt: the channel and the person that asked."""
    acknowledged: dict[str, Acknowledged] = field(default_factory=dict)
    """Asks that somebody was told are taken."""
    heard: Counter[str] = field(default_factory=Counter)
    """By what somebody does: how often the bot was sent it."""
    denied: Counter[str] = field(default_factory=Counter)
    """By the same: how often it was answered that nothing came of that."""


class People:
    """Everybody in the workspace. ``core`` is the running process, if there is one."""

    def __init__(self, world: World, slack: SlackBooks, providers: tuple[str, ...], *, repeats: float = 0.15) -> None:
        self.world, self.slack, self.providers = world, slack, providers
        self.core: Core | None = None
        self.wanted = Wanted()
        self.said: list[Said] = []
        """All that was ever sent to the bot, to be sent again."""
        self._repeats = repeats
        self._chances = world.stream("people")
        self._asks = 0

    # --- how anything reaches the bot ------------------------------------------------------------------------------

    def say(self, said: Said) -> None:
        """Send it, and sometimes the very same again."""
        self.said.append(said)
        self.deliver(said)
        while self._chances.random() < self._repeats:
            self._at(self.world.now + self._chances.choice((0.0, 0.1, 3.0, 60.0)), self.deliver, said)

    def deliver(self, said: Said, tries: int = 0) -> None:
        """One request of Slack's. An event that is not taken comes again, a command or a press does not."""
        core = self.core
        if core is None or not core.process.alive:
            self._redeliver(said, tries)
            return
        self.wanted.heard[said.name] += 1
        task = core.process.start(self._answered(said, core), said.name)
        task.add_done_callback(lambda done: self._look_back(done, said, tries))

    def _look_back(self, done: asyncio.Task[bool], said: Said, tries: int) -> None:
        if done.cancelled() or not done.result():
            self._redeliver(said, tries)

    def _redeliver(self, said: Said, tries: int) -> None:
        if said.event and tries < len(REDELIVERED):
            self._at(self.world.now + REDELIVERED[tries], self.deliver, said, tries + 1)

    async def _answered(self, said: Said, core: Core) -> bool:
        """Whether it was answered, which a refusal is too."""
        try:
            answer = await said.deed(core)
        except (Refusal, OverCap, NoPrice) as error:
            self.world.note(f"{said.name}: {type(error).__name__}")
            self.wanted.denied[said.name] += 1
            return True
        except StorageError as error:
            self.world.note(f"{said.name}: {type(error).__name__}")
            # An event is not answered: it comes again.
            self.wanted.denied[said.name] += not said.event and not isinstance(error, CommitUnknown)
            return False
        core.process.gate("any", f"{said.name}: {type(answer).__name__}")
        if isinstance(answer, Taken):
            acknowledged = Acknowledged(at=self.world.now, clips=said.clips)
            self.wanted.acknowledged.setdefault(answer.ask.id, acknowledged)
        if said.taken is not None and isinstance(answer, Taken | Flagged | AlreadyTaken) and answer.ask is not None:
            said.taken(answer.ask.id)
        return True

    def _sender(self, channel: str, person: str) -> Sender:
        key = f"event:{len(self.said)}"
        return Sender(workspace=WORKSPACE, channel=channel, person=person, key=key, at=self.world.moment())

    def _at(self, when: float, what: Callable[..., None], *arguments: Any) -> None:
        self.world.loop.call_at(when, what, *arguments)

    def _word(self) -> str:
        self._asks += 1
        return f"ask-{self._asks:03}"

    # --- what they do ----------------------------------------------------------------------------------------------

    def ask(
        self,
        takes: int,
        channel: str,
        person: str,
        *,
        provider: str | None = None,
        final: bool = False,
        mention: bool = False,
    ) -> None:
        """Ask for clips, by a command or by naming the app in a message."""
        word, sender = self._word(), self._sender(channel, person)
        self.wanted.clips[word] += takes
        self.wanted.asker[word] = channel, person
        prompt, changes = f"{word} a red panda", Changes(takes=takes)
        root = self.slack.post(channel, None) if mention else None

        def deed(core: Core) -> Awaitable[object]:
            if root is None:
                return core.intake.draft(sender, prompt, changes, provider=provider, final=final)
            return core.intake.mention(sender, root.ts, prompt, changes, provider=provider, final=final)

        self.say(Said(name=word, deed=deed, event=mention, clips=takes))

    def vary(self, card: Message, job: Job, person: str) -> None:
        """Reply in a thread with a change."""
        word, sender = self._word(), self._sender(card.channel, person)
        self.wanted.clips[word] += 1
        self.wanted.asker[word] = card.channel, person
        root, changes, text = card.thread_ts or card.ts, Changes(direction=f"{word} but at night"), "but at night"
        self.say(
            Said(
                name=word,
                deed=lambda core: core.intake.variant(sender, root, job.number, changes, text),
                event=True,
            )
        )

    def rocket(self, clip: Message, person: str) -> None:
        """React to a clip."""
        sender, file = self._sender(clip.channel, person), self.slack.files[clip.file or ""]
        clip.react(person, self.world.now)
        self._wants_final(file.job_id)
        self.say(
            Said(
                name=f"rocket {file.id}",
                deed=lambda core: core.intake.promote_message(sender, clip.ts),
                event=True,
                taken=lambda ask_id: self._stands_behind(ask_id, clip, person),
            )
        )

    def _stands_behind(self, ask_id: str, clip: Message, person: str) -> None:
        if person in clip.standing(self.world.now):
            self.wanted.supported[ask_id].append(Support(clip=clip, person=person, begin=self.world.now))

    def take_back(self, clip: Message, person: str) -> None:
        """Take the reaction away again."""
        clip.take_back(self.world.now, person)
        for support in (one for supports in self.wanted.supported.values() for one in supports):
            if support.clip is clip and support.person == person:
                support.end = min(support.end, self.world.now)

    def answer(self, ask: Ask, person: str) -> None:
        """Press what an open question offers: *Confirm*, or *Undo*."""
        sender = self._sender(ask.channel, person)
        if ask.gate is Gate.CONFIRMATION:
            self.say(
                Said(
                    name=f"confirm {ask.id}",
                    deed=lambda core: core.presses.confirm(sender, ask.id),
                    taken=self._confirmed,
                )
            )
        else:
            self.wanted.undone.add(ask.id)
            self.say(
                Said(
                    name=f"undo {ask.id}", deed=lambda core: core.presses.undo(sender, ask.id), taken=self._was_stopped
                )
            )

    def _was_stopped(self, ask_id: str) -> None:
        self.wanted.stopped[ask_id].append(self.world.now)

    def _confirmed(self, ask_id: str) -> None:
        self.wanted.confirmed.setdefault(ask_id, self.world.now)

    def press(self, job: Job, name: str, person: str) -> None:
        """Press a button in the row of a clip."""
        sender = self._sender(job.channel, person)
        if name == "order_again":
            self.wanted.again[job.id] += 1
        if name == "give_up":
            self.wanted.let_go.add(job.id)
        if name == "promote":
            self.wanted.promoted.add(job.id)
            self._wants_final(job.id)

        def deed(core: Core) -> Awaitable[object]:
            if name == "order_again":
                self.wanted.again_at[job.id].append(self.world.now)
            return _pressed(core, name, sender, job.id)

        self.say(Said(name=f"{name} {job.id}", deed=deed))

    def cancel(self, card: Card, person: str) -> None:
        """Press *Cancel*."""
        ask = card.ask
        self.wanted.let_go.update(job.id for job in card.jobs)
        sender = self._sender(ask.channel, person)
        self.say(
            Said(
                name=f"cancel {ask.id}", deed=lambda core: core.presses.cancel(sender, ask.id), taken=self._was_stopped
            )
        )

    def delete(self, message: Message) -> None:
        """Delete any message."""
        self.world.note(f"deleted {message.ts}")
        self.slack.delete(message)

    def _wants_final(self, job_id: str) -> None:
        if shown := self.slack.shown.get(job_id):
            self.wanted.finals[word_in(shown[-1].recipe.prompt)] += 1

    # --- what they can see -----------------------------------------------------------------------------------------

    def open_questions(self) -> list[Ask]:
        """Asks whose card offers *Confirm* or *Undo*."""
        asks = [card.ask for card in self._cards()]
        return [ask for ask in asks if ask.gate is not None and ask.decision is None]

    def buttons(self) -> list[tuple[Job, str]]:
        """What the rows of all cards offer."""
        return [(job, name) for card in self._cards() for job in card.jobs for name in _offered(card, job)]

    def _cards(self) -> list[Card]:
        return [message.card for message in self.slack.cards() if message.card is not None]


class Crowd:
    """People who do everything by chance, at times that are drawn beforehand."""

    def __init__(self, people: People, jobs: int) -> None:
        self._people, self._jobs = people, jobs
        self._chances = people.world.stream("crowd")
        self._regrets = people.world.stream("regrets")

    def plan(self) -> None:
        """Decide when who does something."""
        world, chances = self._people.world, self._chances
        until, drafts = world.weather.heals_at, 0
        while drafts < self._jobs * _DRAFTS:
            takes = chances.choices((1, 2, 3, 4), weights=(5, 3, 1, 1))[0]
            drafts += takes
            world.loop.call_at(chances.uniform(0, until * 0.6), self._ask, takes)
        for _ in range(self._jobs * _GESTURES):
            world.loop.call_at(chances.uniform(until * 0.05, until), self._gesture)
        for _ in range(round(self._jobs * _REGRETS)):
            world.loop.call_at(self._regrets.uniform(0, until), self._regret)
        self._people.slack.asked = self._while_read

    def _anybody(self) -> str:
        return self._chances.choices(PEOPLE, weights=(4, 4, 4, 4, 1))[0]

    def _ask(self, takes: int) -> None:
        chances = self._chances
        self._people.ask(
            takes,
            chances.choice(CHANNELS),
            self._anybody(),
            provider=chances.choice(self._people.providers) if chances.random() < 0.3 else None,
            final=chances.random() < 0.1,
            mention=chances.random() < 0.25,
        )

    def _gesture(self) -> None:
        """Do one thing with something that can be seen now."""
        deeds = (
            (self._react, 5),
            (self._answer, 6),
            (self._press, 6),
            (self._vary, 2),
            (self._cancel, 1),
            (self._delete, 0.7),
        )
        self._chances.choices([deed for deed, _ in deeds], weights=[weight for _, weight in deeds])[0]()

    def _react(self) -> None:
        """A rocket on a clip, sometimes of several people, sometimes taken away again."""
        clips = self._people.slack.clips()
        if not clips:
            return
        clip = self._chances.choice(clips)
        for _ in range(self._chances.choice((1, 1, 1, 2, 3))):
            person = self._anybody()
            self._people.rocket(clip, person)
            if self._chances.random() < 0.2:
                after = self._chances.uniform(0.1, self._chances.choice(_THINKS_AGAIN))
                self._people.world.loop.call_later(after, self._people.take_back, clip, person)

    def _answer(self) -> None:
        if asks := self._people.open_questions():
            ask = self._chances.choice(asks)
            if self._chances.random() < (0.8 if ask.gate is Gate.CONFIRMATION else 0.3):
                self._people.answer(ask, ask.person)

    def _press(self) -> None:
        if offered := self._people.buttons():
            job, name = self._chances.choice(offered)
            self._people.press(job, name, job.person if self._chances.random() < 0.8 else self._anybody())

    def _vary(self) -> None:
        if cards := [card for card in self._people.slack.cards() if card.card is not None and card.card.jobs]:
            message = self._chances.choice(cards)
            if message.card is not None:
                self._people.vary(message, self._chances.choice(message.card.jobs), self._anybody())

    def _cancel(self) -> None:
        if cards := self._people.slack.cards():
            card = self._chances.choice(cards).card
            if card is not None:
                self._people.cancel(card, self._chances.choice((card.ask.person, ADMIN)))

    def _regret(self) -> None:
        """Stop something that is not on order yet, as far as anybody can see."""
        waiting = [
            card
            for message in self._people.slack.cards()
            if (card := message.card) is not None and any(job.state in _NOT_ON_ORDER for job in card.jobs)
        ]
        if waiting:
            self._stop(self._regrets.choice(waiting))

    def _while_read(self, draft: Message) -> None:
        """The bot wants to know who reacts to a draft: to decide of its final, or right before the order."""
        if draft.file is None or self._regrets.random() >= _WHILE_READ:
            return
        job_id = self._people.slack.files[draft.file].job_id
        for message in self._people.slack.cards():
            if message.card is not None and message.card.ask.parent_job == job_id:
                after = self._regrets.uniform(0.0, _READING)
                self._people.world.loop.call_later(after, self._stop, message.card)

    def _stop(self, card: Card) -> None:
        """Press *Cancel*, or *Undo* where that is offered."""
        ask = card.ask
        if ask.gate is Gate.UNDO and ask.decision is None and self._regrets.random() < 0.5:
            self._people.answer(ask, ask.person)
        else:
            self._people.cancel(card, ask.person)

    def _delete(self) -> None:
        if there := [one for one in self._people.slack.messages.values() if not one.deleted]:
            self._people.delete(self._chances.choice(there))


def word_in(prompt: str) -> str:
    """The word that says whose ask a prompt is: the last one in it, since a variant's prompt has its parent's too."""
    return next(word for word in reversed(prompt.replace(",", " ").replace(".", " ").split()) if word[:4] == "ask-")


def _offered(card: Card, job: Job) -> tuple[str, ...]:
    """The buttons in a clip's row."""
    match job.state:
        case State.UNCERTAIN:
            return "check_again", "order_again", "give_up"
        case State.DELIVERED:
            return ("promote",)
        case State.WAITING if job.failure is not None and card.ask.decision is not Decision.STOP:
            return ("use_another_provider",)
        case State.CANCELLED if job.clip_key is not None:
            return ("deliver_again",)
        case State.DELIVERING if job.trouble is not None:
            return ("deliver_again",)
        case _:
            return ()


async def _pressed(core: Core, name: str, sender: Sender, job_id: str) -> Taken | Flagged | AlreadyTaken:
    presses = core.presses
    match name:
        case "promote":
            return await core.intake.promote_job(sender, job_id)
        case "check_again":
            return await presses.check_again(sender, job_id)
        case "order_again":
            return await presses.order_again(sender, job_id)
        case "give_up":
            return await presses.give_up(sender, job_id)
        case "use_another_provider":
            return await presses.use_another_provider(sender, job_id)
        case _:
            return await presses.deliver_again(sender, job_id)
