"""What really happened in a channel, and whether Dailies kept its promises there.

Everything is read from the outside parties: what Slack shows, and what the providers have charged. The bot's own
database is never asked, since a bot that lies to itself would find all well.

    history = await History.read(play.studio, channel="#dailies", marker="panda-17")
    history.check(clips=1)

A ``marker`` is a word that every prompt of the case carries, so that one sandbox serves many cases.
"""

import json
import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.driver import Json, Workspace, buttons, channel_in

CARD_EVENT = "dailies_card"
NEWS_EVENT = "dailies_news"
ENDED = frozenset({"delivered", "failed", "cancelled", "uncertain", "late"})
"""The words of a card's row after which nobody waits in silence: it is over, or it says what can be done."""

_ROW = re.compile(r"^\*#(?P<number>\d+)\*[^*\n]*\*(?P<word>[a-z]+)\*", re.MULTILINE)
_CLIP = re.compile(r"\*#(?P<number>\d+)\*")
_MP4 = frozenset({b"ftyp", b"moov", b"mdat"})
_UUID_HEADER = 24
"""Bytes before the payload of a ``uuid`` box: size, kind and the UUID itself (ISO/IEC 14496-12, 11.1)."""


class PromisesBroken(AssertionError):
    """The promises that were not kept, one sentence each."""

    def __init__(self, broken: Sequence[str]) -> None:
        self.broken = tuple(broken)
        super().__init__("; ".join(broken))


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A file that stands in a message. ``task_id`` is what the file says of itself; None when it is no whole clip."""

    number: int
    file_id: str
    thread_ts: str | None
    content: bytes
    task_id: str | None


@dataclass(frozen=True, kw_only=True)
class Card:
    """A standing card: the ask it is about, how each ``#n`` stands on it, and the actions that its buttons offer."""

    ask_id: str
    ts: str
    thread_ts: str | None
    rows: dict[int, str]
    text: str
    actions: frozenset[str] = frozenset()

    @property
    def lines(self) -> dict[int, str]:
        """What it says of each ``#n``."""
        found = ((_ROW.match(line), line) for line in self.text.splitlines())
        return {int(row["number"]): line for row, line in found if row is not None}

    @property
    def ended(self) -> bool:
        """Whether nobody waits on it."""
        return bool(self.rows) and set(self.rows.values()) <= ENDED


@dataclass(frozen=True, kw_only=True)
class History:
    """One channel and the charges for prompts with one marker."""

    cards: tuple[Card, ...]
    clips: tuple[Clip, ...]
    charges: tuple[Json, ...]
    """All of them, at whichever provider, refunded ones too; ``provider`` says whose each is."""
    rendered: frozenset[str] = frozenset()
    """The tasks with these prompts that became a whole clip."""
    told: tuple[str, ...] = ()
    """What people of the channel were told alone: below its messages, or directly with the marker in it."""
    replies: tuple[tuple[str | None, str], ...] = ()
    """What the app says beside clips, cards and news: the root's ts, None for the channel itself, and the text of each
    standing message."""
    news: tuple[str, ...] = ()
    """What was announced in the channel, by the names of the announcements."""
    withdrawn: tuple[str, ...] = ()
    """The cards and clips that the app took away again after each had stood beside another such."""

    @classmethod
    async def read(cls, studio: Workspace, *, channel: str, marker: str) -> "History":
        """Look at Slack and at every provider's ledger now."""
        state = await studio.state()
        messages = standing(state, channel)
        every = channel_in(state, channel)["messages"]
        clips = [
            await _clip(studio, message, file["id"]) for message in messages for file in message.get("files") or []
        ]
        return cls(
            cards=tuple(cards_of(messages)),
            clips=tuple(clips),
            charges=tuple(
                {**charge, "provider": provider}
                for provider, farm in state["providers"].items()
                for charge in farm["ledger"]
                if marker in charge["prompt"]
            ),
            rendered=frozenset(
                task["id"]
                for farm in state["providers"].values()
                for task in farm["tasks"]
                if marker in task["prompt"] and task["stage"] == "succeeded" and task["outcome"] != "corrupt"
            ),
            told=tuple(_told(state, channel, marker)),
            replies=tuple(replies_of(messages)),
            news=tuple(news_of(messages)),
            withdrawn=tuple(withdrawn_of(every, await _removals(studio)) if len(every) > len(messages) else ()),
        )

    @property
    def paid(self) -> tuple[Json, ...]:
        """The charges that stand."""
        return tuple(charge for charge in self.charges if charge["status"] != "refunded")

    def check(self, *, clips: int, charges: int | None = None, asks: int = 1, rendered: Path | None = None) -> None:
        """Raise PromisesBroken unless so many clips stand, each once and with the bytes of a task of its own that was
        charged; so many ``charges`` were made (as many as clips when not given: more only where a person said
        *again*, or the provider rendered nothing worth showing); and each of so many asks has one card that says how
        it ended. ``rendered`` is the folder with the providers' files, to compare every byte with."""
        wanted = clips if charges is None else charges
        broken = [
            *_counted("clips stand", len(self.clips), clips),
            *_counted("charges were made", len(self.paid), wanted),
            *_counted("cards stand", len(self.cards), asks),
            *self.twice(),
            *self.foreign(),
            *self._silent(),
            *self.untrue(),
            *self.unasked(),
            *(self.altered(rendered) if rendered else []),
        ]
        if broken:
            raise PromisesBroken(broken)

    def twice(self) -> Iterator[str]:
        """What stands more often than once, or did until the app took it away: a clip, a number in a thread, the card
        of an ask, news, any other words in one place; and the words of a card where no card stands."""
        for count, what in [
            *_repeated(f"the clip of task {clip.task_id} stands" for clip in self.clips if clip.task_id),
            *_repeated(f"#{clip.number} stands in the thread of {clip.thread_ts}" for clip in self.clips),
            *_repeated(f"ask {card.ask_id} has a card" for card in self.cards),
            *_repeated(f"{_place_of(root)} is told {text!r}" for root, text in self.replies),
            *_repeated(f"{name} is announced" for name in self.news),
        ]:
            yield f"{what} {count} times"
        for root, text in dict.fromkeys(self.replies):
            if rows_of(text):
                yield f"{_place_of(root)} is told beside its card: {text!r}"
        yield from self.withdrawn

    def unasked(self) -> Iterator[str]:
        """What the app says in the channel itself that is no card, no clip and no news."""
        for root, text in dict.fromkeys(self.replies):
            if root is None and not rows_of(text):
                yield f"the channel is told what is no news: {text!r}"

    def foreign(self) -> Iterator[str]:
        """Clips that are not whole, not paid for by these asks, or not in their threads."""
        paid = {str(charge["task_id"]) for charge in self.paid}
        roots = {card.thread_ts or card.ts for card in self.cards}
        for clip in self.clips:
            if clip.task_id is None:
                yield f"#{clip.number} is not a whole clip ({len(clip.content)} bytes)"
            elif clip.task_id not in paid:
                yield f"#{clip.number} shows task {clip.task_id}, which these asks have not paid for"
            if clip.thread_ts not in roots:
                yield f"#{clip.number} stands outside the threads of these asks"

    def _silent(self) -> Iterator[str]:
        for card in self.cards:
            waiting = {number: word for number, word in card.rows.items() if word not in ENDED}
            if waiting or not card.rows:
                yield f"ask {card.ask_id} was left without a last word: {waiting or card.text!r}"

    def untrue(self) -> Iterator[str]:
        """Cards that say of a clip what is not to be seen."""
        shown = {(clip.thread_ts, clip.number) for clip in self.clips}
        said = {
            (card.thread_ts or card.ts, number)
            for card in self.cards
            for number, word in card.rows.items()
            if word == "delivered"
        }
        for root, number in sorted(said - shown, key=str):
            yield f"a card says that #{number} was delivered, and it does not stand in the thread of {root}"
        for thread, number in sorted(shown - said, key=str):
            yield f"#{number} stands in the thread of {thread}, and no card says that it was delivered"

    def altered(self, rendered: Path) -> Iterator[str]:
        """Clips whose bytes are not those of the provider's file."""
        for clip in self.clips:
            originals = rendered.rglob(f"{clip.task_id}.mp4")
            if [one.read_bytes() for one in originals] != [clip.content]:
                yield f"#{clip.number} differs from what the provider rendered"


def _repeated(sentences: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Those that come more often than once, and how often."""
    yield from ((count, sentence) for sentence, count in Counter(sentences).items() if count > 1)


def standing(state: Json, channel: str) -> list[Json]:
    """A channel's messages that were not deleted, in order of time."""
    return [message for message in channel_in(state, channel)["messages"] if not message["deleted"]]


def cards_of(messages: Sequence[Json]) -> list[Card]:
    """The cards among them."""
    return [
        Card(
            ask_id=str(message["metadata"]["event_payload"]["ask"]),
            ts=message["ts"],
            thread_ts=message.get("thread_ts"),
            rows=rows_of(message["text"]),
            text=message["text"],
            actions=frozenset(buttons(message)),
        )
        for message in messages
        if _event_of(message) == CARD_EVENT
    ]


def replies_of(messages: Sequence[Json]) -> Iterator[tuple[str | None, str]]:
    """What the app says among them beside clips, cards and news: the root's ts, None where it stands in no thread, and
    the text."""
    for message in messages:
        if message.get("bot_id") and not message.get("files") and _event_of(message) not in {CARD_EVENT, NEWS_EVENT}:
            root = message.get("thread_ts")
            yield None if root in {None, message["ts"]} else str(root), str(message["text"])


def news_of(messages: Sequence[Json]) -> Iterator[str]:
    """The announcements among them, by their names."""
    for message in messages:
        if _event_of(message) == NEWS_EVENT:
            yield str(message["metadata"]["event_payload"]["news"])


def withdrawn_of(messages: Sequence[Json], removals: Sequence[Json]) -> Iterator[str]:
    """Of all messages of a channel, deleted ones too, the cards and clips that the app itself took away (``removals``:
    its calls) after each had stood beside another such. What a person deletes is a person's doing, and what was deleted
    before the other came stood alone."""
    gone = {str(call["arguments"].get("ts") or call["arguments"].get("file")): float(call["at"]) for call in removals}
    posts = []
    for message in messages:
        names = [message["ts"], *(file["id"] for file in message.get("files") or [])]
        until = min((gone[name] for name in names if name in gone), default=None)
        what = _what_stands(message)
        if what is not None and (until is not None or not message["deleted"]):
            posts.append((what, float(message["ts"]), until))
    for index, (what, since, until) in enumerate(posts):
        beside = any(
            what == other and begun < (until or 0.0) and (end is None or since < end)
            for other, begun, end in posts[:index] + posts[index + 1 :]
        )
        if until is not None and beside:
            yield f"{what} stood twice, until one was taken away"


def _what_stands(message: Json) -> str | None:
    """A name for the card or the clip that a message is, the same for another of it; None for anything else."""
    if _event_of(message) == CARD_EVENT:
        return f"the card of ask {message['metadata']['event_payload']['ask']}"
    number = _CLIP.match(str(message["text"]))
    if message.get("bot_id") and message.get("files") and number is not None:
        return f"#{number['number']} in {_place_of(message.get('thread_ts'))}"
    return None


def _event_of(message: Json) -> str | None:
    return (message.get("metadata") or {}).get("event_type")


def _place_of(root: str | None) -> str:
    return "the channel" if root is None else f"the thread of {root}"


async def _removals(studio: Workspace) -> list[Json]:
    """The calls with which the app took messages and files away."""
    calls = [
        call
        for method in ("chat.delete", "files.delete")
        for call in (await studio.get("/calls", method=method))["calls"]
    ]
    return [call for call in calls if call["ok"]]


def rows_of(text: str) -> dict[int, str]:
    """How each ``#n`` stands, as a card's text says."""
    return {int(row["number"]): row["word"] for row in _ROW.finditer(text)}


def task_of(content: bytes) -> str | None:
    """The task that a rendered file names in its last box; None when the bytes are not one whole MP4."""
    kinds, last = set(), b""
    at = 0
    while at + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        if size < 8 or at + size > len(content):
            return None
        kinds.add(kind)
        last = content[at : at + size]
        at += size
    if at != len(content) or not kinds >= _MP4 or last[4:8] != b"uuid":
        return None
    return str(json.loads(last[_UUID_HEADER:])["task_id"])


def _told(state: Json, channel: str, marker: str) -> Iterator[str]:
    yield from (one["text"] for one in channel_in(state, channel)["ephemerals"])
    for place in state["channels"].values():
        if place["kind"] == "im":
            yield from (one["text"] for one in place["messages"] if marker in one["text"] and not one["deleted"])


def _counted(what: str, found: int, wanted: int) -> list[str]:
    return [] if found == wanted else [f"{found} {what}, not {wanted}"]


async def _clip(studio: Workspace, message: Json, file_id: str) -> Clip:
    content = await studio.file(file_id)
    number = _CLIP.match(message["text"])
    return Clip(
        number=int(number["number"]) if number else 0,
        file_id=file_id,
        thread_ts=message.get("thread_ts"),
        content=content,
        task_id=task_of(content),
    )
