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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.driver import Json, Workspace, buttons, channel_in

CARD_EVENT = "dailies_card"
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
    replies: tuple[tuple[str, str], ...] = ()
    """What the app says in threads beside clips and cards: the root's ts and the text of each standing message."""

    @classmethod
    async def read(cls, studio: Workspace, *, channel: str, marker: str) -> "History":
        """Look at Slack and at every provider's ledger now."""
        state = await studio.state()
        messages = standing(state, channel)
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
            *(self.altered(rendered) if rendered else []),
        ]
        if broken:
            raise PromisesBroken(broken)

    def twice(self) -> Iterator[str]:
        """What stands more often than once: a clip, a number in a thread, the card of an ask, a reply in a thread."""
        for task_id, count in Counter(clip.task_id for clip in self.clips if clip.task_id).items():
            if count > 1:
                yield f"the clip of task {task_id} stands {count} times"
        for (root, number), count in Counter((clip.thread_ts, clip.number) for clip in self.clips).items():
            if count > 1:
                yield f"#{number} stands {count} times in the thread of {root}"
        for ask_id, count in Counter(card.ask_id for card in self.cards).items():
            if count > 1:
                yield f"ask {ask_id} has {count} cards"
        for (root, text), count in Counter(self.replies).items():
            if count > 1:
                yield f"the thread of {root} is told {count} times: {text!r}"

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


def standing(state: Json, channel: str) -> list[Json]:
    """A channel's messages that were not deleted, in order of time."""
    return [message for message in channel_in(state, channel)["messages"] if not message["deleted"]]


def cards_of(messages: Sequence[Json]) -> list[Card]:
    """The cards among them."""
    found = []
    for message in messages:
        metadata = message.get("metadata") or {}
        if metadata.get("event_type") == CARD_EVENT:
            found.append(
                Card(
                    ask_id=str(metadata["event_payload"]["ask"]),
                    ts=message["ts"],
                    thread_ts=message.get("thread_ts"),
                    rows=rows_of(message["text"]),
                    text=message["text"],
                    actions=frozenset(buttons(message)),
                )
            )
    return found


def replies_of(messages: Sequence[Json]) -> Iterator[tuple[str, str]]:
    """What the app says in threads among them, beside clips and cards: the root's ts and the text."""
    for message in messages:
        card = (message.get("metadata") or {}).get("event_type") == CARD_EVENT
        if message.get("bot_id") and message.get("thread_ts") and not message.get("files") and not card:
            yield str(message["thread_ts"]), str(message["text"])


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
