"""Slack's own side: messages, files and reactions as people see them. The truth of what stands where."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bot.domain.job import Job, State
from bot.domain.notice import Notice
from bot.ports import Card
from tests.simulation.world import World

LAST_WORDS = frozenset({State.DELIVERED, State.FAILED, State.CANCELLED, State.UNCERTAIN, State.LATE})
"""Rows that may stay as they are: the clip has ended, or people are told that it is watched and what they can do."""


@dataclass
class Reaction:
    """One person's rocket on a message, while it stood."""

    person: str
    begin: float
    end: float = float("inf")


@dataclass
class Message:
    """One message. ``card`` is what it shows, ``file`` the id of the clip it carries."""

    ts: str
    channel: str
    thread_ts: str | None
    at: float
    ask_id: str | None = None
    card: Card | None = None
    file: str | None = None
    news: str | None = None
    deleted: bool = False
    tombstone: bool = False
    """It was deleted with replies: its thread goes on below what is left of it."""
    reactions: list[Reaction] = field(default_factory=list)
    """Every rocket that was ever on it, earliest first."""

    def standing(self, at: float) -> tuple[str, ...]:
        """Whose rocket stood at that time."""
        return tuple(one.person for one in self.reactions if one.begin <= at < one.end)

    def react(self, person: str, at: float) -> None:
        """From now on that person's rocket stands on it."""
        if person not in self.standing(at):
            self.reactions.append(Reaction(person=person, begin=at))

    def take_back(self, at: float, person: str | None = None) -> None:
        """The rocket of that person, or of everybody, is gone."""
        for one in self.reactions:
            if person in {None, one.person}:
                one.end = min(one.end, at)


@dataclass(frozen=True, kw_only=True)
class Look:
    """Somebody wanted to know who reacted to a message."""

    at: float
    told: bool
    since: float
    """When they set out to ask: whoever was not heard of by then is not looked for."""


@dataclass
class File:
    """What was uploaded, and the message in which it stands."""

    id: str
    job_id: str
    number: int
    size: int
    content: bytes = b""
    completed: bool = False
    deleted: bool = False
    message: Message | None = None


class SlackBooks:
    """One workspace."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chances = world.stream("slack books")
        self.messages: dict[str, Message] = {}
        self.files: dict[str, File] = {}
        self.notices: list[tuple[str, Notice]] = []
        """Ask and notice, as its asker was told."""
        self.explained: list[tuple[str, str, Exception]] = []
        """Channel, person and why, as that person alone was told that a gesture of theirs came to nothing."""
        self.shown: dict[str, list[Job]] = {}
        """Every state of each clip that a card showed, by the clip's id."""
        self.reopened: dict[str, float] = {}
        """When the row of a clip had last had a last word, and then there was more to do for it."""
        self.shown_from: dict[str, float] = {}
        """When a card first showed each clip."""
        self.doubted_from: dict[tuple[str, int], float] = {}
        """By clip and attempt: when a card first called that order uncertain."""
        self.worded: dict[str, float] = {}
        """Since when the row of each clip has had a last word."""
        self.refused_asks: set[str] = set()
        """Asks whose card it would not let stand."""
        self.untold: list[float] = []
        """When it did not say of somebody who they are."""
        self.looks: dict[str, list[Look]] = {}
        """By message: when it said who reacts to it, and when it refused to say so for good."""
        self.asked: Callable[[Message], None] | None = None
        """Is told when somebody is about to ask who reacts to a message."""
        self.refused_until: dict[str, float] = {}
        """Channels that the app may not post in for a while."""
        self.revoked_until = 0.0
        self._count = 0

    # --- messages --------------------------------------------------------------------------------------------------

    def post(self, channel: str, thread_ts: str | None, **what: str | Card) -> Message:
        """A message stands from now on."""
        self._count += 1
        ts = f"{int(self.world.moment().timestamp())}.{self._count:06}"
        message = Message(ts=ts, channel=channel, thread_ts=thread_ts, at=self.world.now)
        for name, value in what.items():
            setattr(message, name, value)
        self.messages[ts] = message
        if message.card is not None:
            self._show(message.card)
        return message

    def edit(self, ts: str, card: Card) -> None:
        """The card shows something else."""
        self.messages[ts].card = card
        self._show(card)

    def _show(self, card: Card) -> None:
        for job in card.jobs:
            shown = self.shown.setdefault(job.id, [])
            if not shown or shown[-1] != job:
                shown.append(job)
            self.shown_from.setdefault(job.id, self.world.now)
            if job.state is State.UNCERTAIN:
                self.doubted_from.setdefault((job.id, job.attempt), self.world.now)
            if settled(job):
                self.worded.setdefault(job.id, self.world.now)
            elif self.worded.pop(job.id, None) is not None:
                self.reopened[job.id] = self.world.now

    def standing(self, ts: str | None) -> Message | None:
        """The message, unless it is gone."""
        message = self.messages.get(ts or "")
        return None if message is None or message.deleted else message

    def cards(self) -> list[Message]:
        """Cards that stand, oldest first. Below a deleted message nobody finds anything."""
        return [one for one in self.messages.values() if one.card is not None and self._visible(one)]

    def _visible(self, message: Message) -> bool:
        return not message.deleted and not self.gone(message.thread_ts)

    def gone(self, root_ts: str | None) -> bool:
        """Whether the thread is gone with its root."""
        root = self.messages.get(root_ts or "")
        return root is not None and root.deleted and not root.tombstone

    def clips(self) -> list[Message]:
        """Messages with clips that stand, oldest first."""
        return [one for one in self.messages.values() if one.file is not None and not one.deleted]

    def find(self, channel: str, thread_ts: str | None, name: str, value: str) -> Message | None:
        """The first message that stands there whose metadata say so: in the thread, or in the channel itself."""
        for message in self.messages.values():
            there = (message.channel, message.thread_ts) == (channel, thread_ts) or message.ts == thread_ts
            if there and getattr(message, name) == value and not message.deleted:
                return message
        return None

    def asking(self, ts: str) -> float:
        """Somebody is about to ask who reacts to that message; when that is."""
        if self.asked is not None and (message := self.standing(ts)) is not None:
            self.asked(message)
        return self.world.now

    def looked(self, ts: str, since: float, *, told: bool) -> None:
        """Somebody asked who reacts to that message."""
        self.looks.setdefault(ts, []).append(Look(at=self.world.now, told=told, since=since))

    # --- files -----------------------------------------------------------------------------------------------------

    def reserve(self, job: Job, size: int) -> File:
        """A place for a file."""
        file = File(id=f"F{len(self.files) + 1:04}", job_id=job.id, number=job.number, size=size)
        self.files[file.id] = file
        return file

    def complete(self, file: File, channel: str, thread_ts: str | None) -> None:
        """Somebody asked to share it: it stands at once, a little later, much later, or never."""
        if file.completed:
            return
        file.completed = True
        draw = 0.0 if self.world.healed else self.chances.random()
        if draw < 0.7:
            self._appear(file, channel, thread_ts)
        elif draw < 0.93:
            after = self.chances.choice((0.5, 5.0, 20.0, 45.0))
            self.world.loop.call_later(after, self._appear, file, channel, thread_ts)

    def _appear(self, file: File, channel: str, thread_ts: str | None) -> None:
        if not file.deleted and not self.gone(thread_ts):
            file.message = self.post(channel, thread_ts, file=file.id)
            self.world.note(f"slack {file.id} stands")

    def delete(self, message: Message) -> None:
        """A person deletes it."""
        message.deleted = True
        message.take_back(self.world.now)
        message.tombstone = any(one.thread_ts == message.ts and not one.deleted for one in self.messages.values())

    def forget_file(self, file: File) -> None:
        """The file is gone, and its message with it."""
        file.deleted = True
        if file.message is not None:
            file.message.deleted = True
            file.message.take_back(self.world.now)


def settled(job: Job) -> bool:
    """Whether a row says something that may stay."""
    return job.state in LAST_WORDS
