"""What admins can set for a channel or for the whole workspace: the keys, as data. What a value does is in
``bot.services.policies``."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from bot.domain.lineage import MOST_TAKES
from bot.domain.preference_values import (
    CHANNEL,
    CLIP_SECONDS,
    MONEY,
    SWITCH,
    TIER,
    Kind,
    Mention,
    duration,
    emoji,
    ids,
    one_of,
    whole,
    words,
)
from bot.domain.recipe import Ratio, Resolution

SHORTEST_UNDO_SECONDS, LONGEST_UNDO_SECONDS = 3, 600
"""What a gesture asked for must stay undoable, as far as admins decide: a reply or a reaction may have been meant
otherwise. Only the operator, in the environment, can go below."""

CAST = "cast."
_CAST_NAME = re.compile(r"(?!(?:image|video|audio)[0-9]+$)[a-z][a-z0-9_-]{0,30}")


class Replies(StrEnum):
    """Which replies in our threads are read."""

    SMART = "smart"
    MENTION = "mention"
    OFF = "off"


class Group(StrEnum):
    """What belongs together when settings are listed; the words are headings."""

    DRAFTS = "Drafts"
    FINALS = "Finals"
    GESTURES = "Gestures"
    MONEY = "Money"
    STYLE = "Look and cast"
    ACCESS = "Who may"


@dataclass(frozen=True, kw_only=True)
class Key:
    """One thing that can be set. ``example`` is a value that can be typed."""

    name: str
    group: Group
    meaning: str
    kind: Kind
    example: str
    everywhere: bool = False
    """Can be set for the whole workspace only."""
    opens: bool = False
    """A list that keeps others out while there is one: its last entry is not taken away by the way."""
    lowest: bool = False
    """Of all the values set for it (the operator's, the workspace's, the channel's) the lowest counts."""


_PEOPLE, _CHANNELS = ids(Mention.PERSON, "people"), ids(Mention.CHANNEL, "channels")


def _key(name: str, group: Group, kind: Kind, example: str, meaning: str) -> Key:
    return Key(name=name, group=group, kind=kind, example=example, meaning=meaning)


def _lowest(name: str, example: str, meaning: str, *, everywhere: bool = False, kind: Kind = MONEY) -> Key:
    return replace(_key(name, Group.MONEY, kind, example, meaning), everywhere=everywhere, lowest=True)


def _access(name: str, kind: Kind, example: str, meaning: str, *, opens: bool = False) -> Key:
    return replace(_key(name, Group.ACCESS, kind, example, meaning), everywhere=True, opens=opens)


_TABLE = (
    _key("draft.res", Group.DRAFTS, one_of(Resolution), "480p", "Resolution of a draft."),
    _key("draft.dur", Group.DRAFTS, CLIP_SECONDS, "6", "Length of a draft, where the ask names none."),
    _key("draft.ratio", Group.DRAFTS, one_of(Ratio), "9:16", "Width to height of a draft; its final has the same."),
    _key("draft.tier", Group.DRAFTS, TIER, "mini", "Which of a provider's tiers makes drafts."),
    _key("draft.audio", Group.DRAFTS, SWITCH, "off", "Whether drafts, and so their finals, have sound."),
    _key("takes", Group.DRAFTS, whole(1, MOST_TAKES), "2", "How many drafts an ask makes that does not say."),
    _key("final.res", Group.FINALS, one_of(Resolution), "720p", "Resolution of a final."),
    _key("final.dur", Group.FINALS, CLIP_SECONDS, "8", "Length of a final without a draft (`--final`)."),
    _key("final.tier", Group.FINALS, TIER, "mini", "Which of a provider's tiers makes finals."),
    _key(
        "winners.channel",
        Group.FINALS,
        CHANNEL,
        "#winners",
        "Finals are linked there too; a private channel's only when it is set for that channel itself.",
    ),
    _key("quorum", Group.GESTURES, whole(1, 20), "2", "People whose reaction must stand for a promotion by reaction."),
    _key(
        "undo.seconds",
        Group.GESTURES,
        duration(SHORTEST_UNDO_SECONDS, LONGEST_UNDO_SECONDS),
        "30",
        "How long a promotion or a variant can be undone before money is spent.",
    ),
    _key(
        "replies",
        Group.GESTURES,
        one_of(Replies),
        "mention",
        "Which replies in threads of clips are read: those that consist of settings (smart), only those that name the "
        "app (mention), none (off).",
    ),
    _key("emoji.promote", Group.GESTURES, emoji(may_be_none=False), ":rocket:", "Reactions that promote a draft."),
    _key("emoji.cancel", Group.GESTURES, emoji(may_be_none=True), ":x:", "Reactions on a card that cancel its ask."),
    _key("confirm.above", Group.MONEY, MONEY, "2.50", "An ask dearer than this waits for a button."),
    _lowest("cap.channel.month", "50", "What a channel may spend in a month; set for the workspace: each channel."),
    _lowest("cap.person.day", "5", "What a person may have spent in a day, over all channels, and still ask here."),
    _lowest("cap.workspace.month", "200", "What the whole workspace may spend in a month.", everywhere=True),
    _lowest(
        "running.per_person",
        "3",
        "A person's clips that are rendered at once; further ones wait in the queue.",
        kind=whole(1, 100),
    ),
    _key("look", Group.STYLE, words(with_reference=False), "warm light, film grain", "How clips of here should look."),
    _access("admins", _PEOPLE, "@maya", "Admins beside ADMIN_USERS and the workspace's own."),
    _access("people.allow", _PEOPLE, "@maya, @ben", "Only they may spend; without a list everybody may.", opens=True),
    _access("people.deny", _PEOPLE, "@dev", "They may not spend."),
    _access("guests.allow", _PEOPLE, "@gus", "Guests and people of other organisations who may spend all the same."),
    _access(
        "channels.allow", _CHANNELS, "#video", "Money is spent only there; without a list in every channel.", opens=True
    ),
    _access("channels.deny", _CHANNELS, "#general", "No money is spent there."),
)

KEYS: Mapping[str, Key] = MappingProxyType({key.name: key for key in _TABLE})
"""Every key by its name, in the order in which they are listed; the cast's are made by ``key_of``."""

CAST_KEY = Key(
    name=f"{CAST}NAME",
    group=Group.STYLE,
    meaning="Somebody or something that clips show again: words, and a picture's https link or Slack permalink.",
    kind=words(with_reference=True),
    example="a white enamel mug with a blue rim",
)

_COUSINS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("resolution", "quality", "size"), "draft.res"),
        **dict.fromkeys(("seconds", "length", "duration"), "draft.dur"),
        **dict.fromkeys(("aspect", "ar", "format"), "draft.ratio"),
        **dict.fromkeys(("sound", "no-audio"), "draft.audio"),
        **dict.fromkeys(("model",), "draft.tier"),
        **dict.fromkeys(("variants", "count"), "takes"),
        **dict.fromkeys(("votes", "approvals"), "quorum"),
        **dict.fromkeys(("undo", "window"), "undo.seconds"),
        **dict.fromkeys(("threads", "thread_replies"), "replies"),
        **dict.fromkeys(("rocket", "reaction"), "emoji.promote"),
        **dict.fromkeys(("budget", "cap", "limit", "cap.month"), "cap.channel.month"),
        **dict.fromkeys(("cap.user.day", "cap.person", "cap.day"), "cap.person.day"),
        **dict.fromkeys(("confirm", "ask.above"), "confirm.above"),
        **dict.fromkeys(("concurrency", "running"), "running.per_person"),
        **dict.fromkeys(("style",), "look"),
        **dict.fromkeys(("guests",), "guests.allow"),
        **dict.fromkeys(("people", "users"), "people.allow"),
        **dict.fromkeys(("channels",), "channels.allow"),
    }
)
"""What people may call these."""


def find(name: str) -> Key | None:
    """The key of that name, one of the cast's included."""
    folded = name.strip().lower()
    if folded in KEYS:
        return KEYS[folded]
    member = folded.removeprefix(CAST).removeprefix("@")
    if folded.startswith(CAST) and _CAST_NAME.fullmatch(member):
        return replace(CAST_KEY, name=f"{CAST}{member}")
    return None


def nearest(name: str) -> str:
    """The name that was probably meant."""
    folded = name.strip().lower().replace("-", ".")
    if folded.startswith(CAST):
        return CAST_KEY.name
    if folded in _COUSINS:
        return _COUSINS[folded]
    ending = [one for one in KEYS if one.split(".", 1)[-1] == folded]
    match = ending or difflib.get_close_matches(folded, [*KEYS, *_COUSINS], n=1, cutoff=0)
    return _COUSINS.get(match[0], match[0])
