"""What can be set, as it holds, as it was changed, and why it was not."""

import re
from collections.abc import Iterable, Sequence

from bot.domain.preference_keys import CAST, CAST_KEY, KEYS, Group, Key, find
from bot.domain.preference_values import Mention
from bot.domain.preferences import (
    WHOLE_WORKSPACE,
    BadValue,
    ChangedMeanwhile,
    Difference,
    NotAList,
    OnlyEverywhere,
    PreferenceError,
    UnknownKey,
)
from bot.services.sheets import Changed, Row, Sheet, Source
from handlers.blocks.kit import MESSAGE_TEXT, SECTION_TEXT, Message, cut, escape, mrkdwn, quoted, said
from handlers.grammar.cast import in_words

COMMAND = "/clip-settings"

LONGEST_VALUE = 80
"""Characters of a value in a list of all; `dailies settings` prints it whole."""
MOST_IDS = 20
"""People or channels of one list that are named."""

_SOURCES = {
    Source.DEFAULT: "default",
    Source.ENVIRONMENT: "by whoever runs Dailies",
    Source.WORKSPACE: "for the workspace",
    Source.CHANNEL: "for this channel",
}
_UNCHANGED = "Nothing was changed."
_HOW = (
    f"Admins change them: `{COMMAND} takes=2 draft.ratio=9:16`, `{COMMAND} workspace cap.person.day=5` for every "
    f"channel, `{COMMAND} takes=` for what holds without it. `{COMMAND} help` says what each means."
)
_HELP = (
    "*What can be set for a channel*, or with `workspace` first for all of them. Everybody may look; admins change.",
    f"• `{COMMAND}` shows what holds here, and where it comes from",
    f"• `{COMMAND} takes=2 draft.dur=6` sets two of them, `{COMMAND} takes=` gives one back to what holds without it",
    f'• `{COMMAND} look="warm light, film grain"` sets words',
    f"• `{COMMAND} workspace people.deny+=@dev` adds to a list, `-=` takes away",
)


def sheet(shown: Sheet, *, with_lists: bool) -> Message:
    """Every key with its value and where that comes from. ``with_lists`` shows who may and who may not, too. Pure."""
    sections = [f"*Settings of {_place(shown.subject)}*"]
    for group in Group:
        rows = [row for row in shown.rows if row.key.group is group]
        if group is Group.ACCESS and not with_lists:
            sections.append(f"*{group.value}*\nWho is on which list is shown to admins.")
            continue
        sections += _packed(f"*{group.value}*", [_line(row) for row in rows])
    if shown.unread:
        names = ", ".join(f"`{escape(name)}`" for name in shown.unread)
        sections.append(f"Set by another release of Dailies, and without effect in this one: {names}.")
    return _message([*sections, _HOW])


def settings_help() -> Message:
    """What can be set, and how. Pure."""
    sections = ["\n".join(_HELP)]
    keys = [*KEYS.values(), CAST_KEY]
    for group in Group:
        lines = [_meaning(key) for key in keys if key.group is group]
        note = " (of the whole workspace only)" if group is Group.ACCESS else ""
        sections += _packed(f"*{group.value}*{note}", lines)
    return _message(sections)


def changed(made: Changed) -> Message:
    """What a change did. Pure."""
    if not made.done:
        return said(f"Everything is like that already in {_place(made.sheet.subject)}. {_UNCHANGED}")
    lines = [f"Changed for {_place(made.sheet.subject)}; it counts from the next ask on:"]
    lines += [f"• {_difference(made.sheet, one)}" for one in made.done]
    lines += [sentence for one in made.done if (sentence := _consequence(one))]
    lines += [
        f"• `{row.key.name}`: the lower {escape(row.text)} that is set {_SOURCES[row.source]} counts."
        for row in made.overruled
    ]
    if made.meanwhile:
        lines.append("Somebody else changed something at the same time, and it was kept:")
        lines += [f"• {_words(one)}" for one in made.meanwhile]
    return said("\n".join(lines))


def explained(error: PreferenceError) -> Message:
    """Why nothing was changed, and what to type instead. Pure."""
    match error:
        case UnknownKey() if error.name.lower().startswith(CAST):
            text = f"{_no_name(error.name[len(CAST) :].lstrip('@').lower())} {_UNCHANGED}"
        case UnknownKey():
            key = KEYS.get(error.nearest, CAST_KEY)
            text = f"There is no setting {quoted(error.name, 60)}. The nearest is {_meaning(key)} {_UNCHANGED}"
        case BadValue():
            wrong = f"`{error.key.name}` cannot be {quoted(error.text, 60)}."
            text = (
                f"{wrong} Allowed: {escape(error.allowed)}. {_UNCHANGED} "
                f"Try: `{COMMAND} {_place_word(error.key)}{error.key.name}={_example(error.key)}`"
            )
        case OnlyEverywhere():
            text = (
                f"`{error.key.name}` holds for the whole workspace, not for one channel. {_UNCHANGED} "
                f"Try: `{COMMAND} workspace {error.key.name}={_example(error.key)}`"
            )
        case NotAList():
            text = f"`{error.key.name}` is not a list. {_UNCHANGED} Try: `{error.key.name}={_example(error.key)}`"
        case ChangedMeanwhile():
            who = f"<@{error.changed_by}>" if error.changed_by else "Whoever runs Dailies"
            what = "; ".join(_words(one) for one in error.differences)
            text = f"{who} changed this at the same time: {what}. {_UNCHANGED} Send yours again if it is still right."
        case _:
            text = f"{escape(str(error))} {_UNCHANGED}"
    return said(text)


def _no_name(name: str) -> str:
    """Why nobody of the cast can be called so."""
    if found := re.fullmatch(r"(image|video|audio)[0-9]+", name):
        what = {"image": "a picture", "video": "a video", "audio": "a sound"}[found[1]]
        return f"{quoted(name, 60)} is taken: `@{name}` is what prompts call {what} that is given. Take another name."
    return (
        f"{quoted(name, 60)} cannot be a name of the cast: a letter first, then letters, digits, - and _, 31 at most."
    )


def _place(subject: str) -> str:
    return "the whole workspace" if subject == WHOLE_WORKSPACE else f"<#{subject}>"


def _place_word(key: Key) -> str:
    return "workspace " if key.everywhere else ""


def _meaning(key: Key) -> str:
    return f"`{key.name}` {key.meaning} For example `{key.name}={_example(key)}`."


def _example(key: Key) -> str:
    """A value with spaces needs no quotation marks, and is clearer with them."""
    return f'"{key.example}"' if " " in key.example else key.example


def _line(row: Row) -> str:
    return f"`{row.key.name}` {_value(row.key, row.value)} ({_SOURCES[row.source]})"


def _value(key: Key, value: object) -> str:
    if key.kind.mention and value:
        found: Sequence[str] = [value] if isinstance(value, str) else sorted(value)  # type: ignore[call-overload]
        more = f" and {len(found) - MOST_IDS} more" if len(found) > MOST_IDS else ""
        return ", ".join(_mention(key.kind.mention, one) for one in found[:MOST_IDS]) + more
    written = key.kind.write(value)
    # Everybody may look, and the link to somebody's picture may be a secret.
    text = cut(in_words(written) if key.name.startswith(CAST) else written, LONGEST_VALUE)
    # The names of emoji are checked to hold nothing that comes to life, but the emoji.
    return text if key.name.startswith("emoji.") else escape(text)


def _mention(mention: Mention, found: str) -> str:
    return f"<{mention.value}{found}>"


def _difference(shown: Sheet, one: Difference) -> str:
    row = next((row for row in shown.rows if row.key.name == one.name), None)
    if one.after is not None or row is None:
        return _words(one)
    # Given back: what holds now is what is of interest.
    return f"`{one.name}`: {_stored(one.name, one.before)} → {_value(row.key, row.value)} ({_SOURCES[row.source]})"


def _consequence(one: Difference) -> str:
    """What a list that begins or ends means for everybody who is not on it."""
    key = find(one.name)
    if key is None or not key.opens or (one.before and one.after):
        return ""
    if one.after:
        return f"• From now on nobody spends but by `{key.name}`: there was no such list before."
    return f"• From now on `{key.name}` keeps nobody out."


def _words(one: Difference) -> str:
    return f"`{one.name}`: {_stored(one.name, one.before)} → {_stored(one.name, one.after)}"


def _stored(name: str, text: str | None) -> str:
    if not text:
        return "not set"
    key = find(name)
    try:
        return _value(key, key.kind.read(text)) if key else _unread(name, text)
    except ValueError:
        # Another release allowed it.
        return _unread(name, text)


def _unread(name: str, text: str) -> str:
    return escape(cut(in_words(text) if name.startswith(CAST) else text, LONGEST_VALUE))


def _packed(heading: str, lines: Iterable[str]) -> list[str]:
    """The lines under their heading, in as few sections as Slack's limit allows."""
    packed = [heading]
    for line in lines:
        if len(packed[-1]) + len(line) + 1 > SECTION_TEXT:
            packed.append(line)
        else:
            packed[-1] += f"\n{line}"
    return packed


def _message(sections: list[str]) -> Message:
    return Message(text=cut("\n".join(sections), MESSAGE_TEXT), blocks=[mrkdwn(section) for section in sections])
