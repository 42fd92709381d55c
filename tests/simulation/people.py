"""What people do: they ask, press, react, change their minds, and delete things. What they asked for and how often they
said *again* is written down, since that is what they may be charged for."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from bot.domain.budget import OverCap
from bot.domain.job import Decision, Gate, Job, State
from bot.domain.lineage import Changes
from bot.domain.pricing import NoPrice
from bot.ports import Card, StorageError
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

Deed = Callable[[Core], Awaitable[object]]


@dataclass
class Wanted:
    """What people asked for, as far as anybody but the bot knows."""

    clips: Counter[str] = field(default_factory=Counter)
    """By the word in the prompt: how many clips may be made of an ask."""
    finals: Counter[str] = field(default_factory=Counter)
    """By the same word: how often somebody asked for a final of one of its clips."""
    again: Counter[str] = field(default_factory=Counter)
    """By clip: how often *Order again* was pressed."""
    let_go: set[str] = field(default_factory=set)
    """Clips that somebody gave up or cancelled."""
    acknowledged: set[str] = field(default_factory=set)
    """Asks that somebody was told are taken."""


class People:
    """Everybody in the workspace. ``core`` is the running process, if there is one."""

    def __init__(self, world: World, slack: SlackBooks, jobs: int, providers: tuple[str, ...]) -> None:
        self.world, self.slack, self._providers = world, slack, providers
        self.core: Core | None = None
        self.wanted = Wanted()
        self._chances = world.stream("people")
        self._asks = self._events = 0
        self._jobs = jobs

    def plan(self) -> None:
        """Decide when who does something."""
        until = self.world.weather.heals_at
        drafts = 0
        while drafts < self._jobs * _DRAFTS:
            takes = self._chances.choices((1, 2, 3, 4), weights=(5, 3, 1, 1))[0]
            drafts += takes
            self._at(self._chances.uniform(0, until * 0.6), self._ask, takes)
        for _ in range(self._jobs * _GESTURES):
            self._at(self._chances.uniform(until * 0.05, until), self._gesture)

    def _at(self, when: float, what: Callable[..., None], *arguments: Any) -> None:
        self.world.loop.call_at(when, what, *arguments)

    # --- how anything reaches the bot ------------------------------------------------------------------------------

    def _deliver(self, name: str, deed: Deed, *, event: bool, tries: int = 0) -> None:
        """One request of Slack's. An event that is not taken comes again, a command or a press does not."""
        core = self.core
        if core is None or not core.process.alive:
            if event and tries < len(REDELIVERED):
                self._at(
                    self.world.now + REDELIVERED[tries],
                    lambda: self._deliver(name, deed, event=True, tries=tries + 1),
                )
            return
        task = core.process.start(self._answered(name, deed, core), name)
        if event:

            def look_back(done: asyncio.Task[bool]) -> None:
                taken = not done.cancelled() and done.result()
                if not taken and tries < len(REDELIVERED):
                    self._at(
                        self.world.now + REDELIVERED[tries],
                        lambda: self._deliver(name, deed, event=True, tries=tries + 1),
                    )

            task.add_done_callback(look_back)

    async def _answered(self, name: str, deed: Deed, core: Core) -> bool:
        """Whether it was answered, which a refusal is too."""
        try:
            answer = await deed(core)
        except (Refusal, OverCap, NoPrice) as error:
            self.world.note(f"{name}: {type(error).__name__}")
            return True
        except StorageError as error:
            self.world.note(f"{name}: {type(error).__name__}")
            return False
        core.process.gate("any", f"{name}: {type(answer).__name__}")
        if isinstance(answer, Taken):
            self.wanted.acknowledged.add(answer.ask.id)
        return True

    def _sender(self, channel: str, person: str | None = None) -> Sender:
        self._events += 1
        return Sender(
            workspace=WORKSPACE,
            channel=channel,
            person=person or self._chances.choice(PEOPLE[:4]),
            key=f"event:{self._events}",
            at=self.world.moment(),
        )

    def _twice(self, name: str, deed: Deed, *, event: bool) -> None:
        """Deliver it, and sometimes the very same again."""
        self._deliver(name, deed, event=event)
        while self._chances.random() < 0.15:
            later = self.world.now + self._chances.choice((0.0, 0.1, 3.0, 60.0))
            self._at(later, lambda: self._deliver(name, deed, event=event))

    # --- asks ------------------------------------------------------------------------------------------------------

    def _ask(self, takes: int) -> None:
        self._asks += 1
        word, chances = f"ask-{self._asks:03}", self._chances
        channel, final = chances.choice(CHANNELS), chances.random() < 0.1
        sender = self._sender(channel, chances.choices(PEOPLE, weights=(4, 4, 4, 4, 1))[0])
        provider = chances.choice(self._providers) if chances.random() < 0.3 else None
        self.wanted.clips[word] += takes
        prompt, changes = f"{word} a red panda", Changes(takes=takes)
        if chances.random() < 0.25:
            root = self.slack.post(channel, None)
            self._twice(
                word,
                lambda core: core.intake.mention(sender, root.ts, prompt, changes, provider=provider, final=final),
                event=True,
            )
        else:
            self._twice(
                word,
                lambda core: core.intake.draft(sender, prompt, changes, provider=provider, final=final),
                event=False,
            )

    # --- gestures --------------------------------------------------------------------------------------------------

    def _gesture(self) -> None:
        """Do one thing with something that can be seen now."""
        chances = self._chances
        deeds = (
            (self._react, 5),
            (self._press_gate, 6),
            (self._press_clip, 6),
            (self._vary, 2),
            (self._cancel, 1),
            (self._delete, 0.7),
        )
        chances.choices([deed for deed, _ in deeds], weights=[weight for _, weight in deeds])[0]()

    def _react(self) -> None:
        """A rocket on a clip, sometimes of several people, sometimes taken away again, sometimes pressed instead."""
        clips = self.slack.clips()
        if not clips:
            return
        clip = self._chances.choice(clips)
        for _ in range(self._chances.choice((1, 1, 1, 2, 3))):
            self._rocket(clip, self._chances.choice(PEOPLE))

    def _rocket(self, clip: Message, person: str) -> None:
        sender = self._sender(clip.channel, person)
        clip.reactions[person] = self.world.now
        file = self.slack.files[clip.file or ""]
        if (word := self._word_of(file.job_id)) is not None:
            self.wanted.finals[word] += 1
        self._twice(f"rocket {file.id}", lambda core: core.intake.promote_message(sender, clip.ts), event=True)
        if self._chances.random() < 0.2:
            self._at(self.world.now + self._chances.uniform(0.1, 30), _take_back, clip, person)

    def _press_gate(self) -> None:
        open_gates = [
            card.card.ask
            for card in self.slack.cards()
            if card.card is not None and card.card.ask.gate is not None and card.card.ask.decision is None
        ]
        if not open_gates:
            return
        ask = self._chances.choice(open_gates)
        sender = self._sender(ask.channel, ask.person)
        if ask.gate is Gate.CONFIRMATION and self._chances.random() < 0.8:
            self._twice(f"confirm {ask.id}", lambda core: core.presses.confirm(sender, ask.id), event=False)
        elif ask.gate is Gate.UNDO and self._chances.random() < 0.3:
            self._twice(f"undo {ask.id}", lambda core: core.presses.undo(sender, ask.id), event=False)

    def _press_clip(self) -> None:
        """A button in the row of one clip."""
        rows = [(card.card, job) for card in self.slack.cards() if card.card is not None for job in card.card.jobs]
        offered = [(card, job, name) for card, job in rows for name in _offered(card, job)]
        if not offered:
            return
        _, job, name = self._chances.choice(offered)
        sender = self._sender(job.channel, job.person if self._chances.random() < 0.8 else None)
        if name == "order_again":
            self.wanted.again[job.id] += 1
        if name == "give_up":
            self.wanted.let_go.add(job.id)
        if name == "promote":
            if (word := self._word_of(job.id)) is not None:
                self.wanted.finals[word] += 1
            self._twice(f"promote {job.id}", lambda core: core.intake.promote_job(sender, job.id), event=False)
            return
        press = name
        self._twice(f"{press} {job.id}", lambda core: _pressed(core, press, sender, job.id), event=False)

    def _vary(self) -> None:
        """A reply in a thread."""
        roots = [card for card in self.slack.cards() if card.card is not None and card.card.jobs]
        if not roots:
            return
        card = self._chances.choice(roots)
        assert card.card is not None
        self._asks += 1
        word = f"ask-{self._asks:03}"
        job = self._chances.choice(card.card.jobs)
        sender = self._sender(card.channel)
        self.wanted.clips[word] += 1
        root = card.thread_ts or card.ts
        changes = Changes(direction=f"{word} but at night")
        self._twice(
            word, lambda core: core.intake.variant(sender, root, job.number, changes, "but at night"), event=True
        )

    def _cancel(self) -> None:
        cards = self.slack.cards()
        if not cards:
            return
        card = self._chances.choice(cards)
        assert card.card is not None
        ask = card.card.ask
        self.wanted.let_go.update(job.id for job in card.card.jobs)
        sender = self._sender(ask.channel, self._chances.choice((ask.person, ADMIN)))
        self._twice(f"cancel {ask.id}", lambda core: core.presses.cancel(sender, ask.id), event=False)

    def _delete(self) -> None:
        there = [one for one in self.slack.messages.values() if not one.deleted]
        if there:
            message = self._chances.choice(there)
            self.world.note(f"deleted {message.ts}")
            self.slack.delete(message)

    def _word_of(self, job_id: str) -> str | None:
        shown = self.slack.shown.get(job_id)
        return word_in(shown[-1].recipe.prompt) if shown else None


def _take_back(clip: Message, person: str) -> None:
    clip.reactions.pop(person, None)


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


async def _pressed(core: Core, name: str, sender: Sender, job_id: str) -> Flagged | AlreadyTaken:
    presses = core.presses
    match name:
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
