"""What nobody expects of Slack and its signature would still be good on: payloads that are not shaped as documented.

Each would do something if it were taken for what it resembles, and MARK is in it wherever it has room for words:
nothing of it may come into a log.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

MARK = "a-lighthouse-that-nobody-may-see"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

JUST_FITS = 999_999
"""Bytes: one less than the bot takes."""


@dataclass(frozen=True, kw_only=True)
class Oddity:
    """One payload as the text that Slack would send. Events come as JSON, everything else in a form's ``payload``.

    ``status`` is the answer over HTTP: 200 when it is well-formed and nobody's, otherwise 400.
    """

    payload: str
    status: int = 400
    event: bool = True

    @property
    def content_type(self) -> str:
        """The media type over HTTP."""
        return JSON if self.event else FORM

    @property
    def body(self) -> bytes:
        """The bytes over HTTP."""
        return self.payload.encode() if self.event else urlencode({"payload": self.payload}).encode()

    def envelope(self, identity: str) -> str:
        """The frame over Socket Mode."""
        kind = "events_api" if self.event else "interactive"
        return f'{{"envelope_id": "{identity}", "type": "{kind}", "payload": {self.payload}}}'


def _event(**fields: Any) -> Oddity:
    """An event with these fields of its own."""
    return Oddity(payload=json.dumps(_wrapper(event={"text": MARK, **fields})))


def _wrapper(**fields: Any) -> dict[str, Any]:
    return {"type": "event_callback", "event_id": "Ev0DAILIES", "team_id": "T0DAILIES1", **fields}


def _press(status: int = 400, **fields: Any) -> Oddity:
    """A pressed button with these fields."""
    pressed = {
        "type": "block_actions",
        "user": {"id": "U0MAYA0001"},
        "channel": {"id": "C0DAILIES1"},
        "container": {"type": "message", "channel_id": "C0DAILIES1"},
        "actions": [{"type": "button", "action_id": "clip.promote", "value": f"{MARK}:1"}],
        "note": MARK,
    }
    return Oddity(payload=json.dumps({**pressed, **fields}), status=status, event=False)


def _filled(size: int) -> Oddity:
    """A button of nobody's in a form of exactly that many bytes."""
    empty = _press(200, actions=[{"action_id": "nobody.knows"}], filler="")
    filler = "x" * (size - len(empty.body))
    return _press(200, actions=[{"action_id": "nobody.knows"}], filler=filler)


_ROCKET = {"type": "reaction_added", "reaction": "rocket", "user": "U0MAYA0001"}
_MESSAGE = {"type": "message", "channel": "C0DAILIES1", "user": "U0MAYA0001", "ts": "1.2", "thread_ts": "1.1"}
_SURROGATE = "\\ud800"

ODDITIES: dict[str, Oddity] = {
    "an empty object": Oddity(payload="{}"),
    "a type that is a number": Oddity(payload=json.dumps({"type": 7, "text": MARK})),
    "a type that is a list": Oddity(payload=json.dumps({"type": [MARK]})),
    "a type of the future": Oddity(payload=json.dumps({"type": MARK}), status=200),
    "a challenge that is a number": Oddity(payload='{"type": "url_verification", "challenge": 7}'),
    "a challenge that is no number": Oddity(payload='{"type": "url_verification", "challenge": NaN}'),
    "a challenge with half a character": Oddity(
        payload=f'{{"type": "url_verification", "challenge": "{MARK}{_SURROGATE}"}}'
    ),
    "a challenge that is null": Oddity(payload='{"type": "url_verification", "challenge": null}'),
    "no challenge": Oddity(payload='{"type": "url_verification"}'),
    "infinity": Oddity(payload='{"type": "event_callback", "event_time": -Infinity}'),
    "a number of five thousand digits": Oddity(payload=f'{{"type": "event_callback", "event_time": {"9" * 5000}}}'),
    "no event": Oddity(payload=json.dumps(_wrapper(note=MARK))),
    "an event that is null": Oddity(payload=json.dumps(_wrapper(event=None, note=MARK))),
    "an event that is a word": Oddity(payload=json.dumps(_wrapper(event=MARK))),
    "an event without a type": _event(),
    "an event whose type is a number": _event(type=7),
    "an event whose type is an object": _event(type={MARK: MARK}),
    "an event without an id": Oddity(
        payload=json.dumps({"type": "event_callback", "event": {**_ROCKET, "item": {"type": "message", "ts": "1.1"}}})
    ),
    "a rocket on nothing": _event(**_ROCKET),
    "a rocket on a word": _event(**_ROCKET, item=MARK),
    "a rocket on a message of no channel": _event(**_ROCKET, item={"type": "message", "ts": "1.1"}),
    "a rocket on a message of no time": _event(**_ROCKET, item={"type": "message", "channel": "C0DAILIES1"}),
    "a rocket in a channel that is a list": _event(
        **_ROCKET, item={"type": "message", "channel": ["C0DAILIES1"], "ts": "1.1"}
    ),
    "a rocket of nobody": _event(
        type="reaction_added", reaction="rocket", item={"type": "message", "channel": "C0DAILIES1", "ts": "1.1"}
    ),
    "a rocket on a message of an object": _event(
        **_ROCKET, item={"type": "message", "channel": "C0DAILIES1", "ts": "1.1"}, item_user={"id": MARK}
    ),
    "a reaction that is a list": _event(**{**_ROCKET, "reaction": ["rocket"]}, item={"type": "message"}),
    "a reply whose kind is an object": _event(**_MESSAGE, subtype={}),
    "a reply without a channel": _event(**{**_MESSAGE, "channel": None}),
    "a reply in a thread that is an object": _event(**{**_MESSAGE, "thread_ts": {"ts": "1.1"}}),
    "a reply whose words are a number": _event(**{**_MESSAGE, "text": 7}),
    "authorizations that are a number": Oddity(payload=json.dumps(_wrapper(event=_MESSAGE, authorizations=7))),
    "authorizations in authorizations": Oddity(
        payload=json.dumps(_wrapper(event=_MESSAGE, authorizations=[{"authorizations": [7]}]))
    ),
    "no action": _press(actions=[]),
    "an action that is null": _press(actions=[None]),
    "an action without a name": _press(actions=[{"type": "button", "value": MARK}]),
    "an action whose name is an object": _press(actions=[{"action_id": {MARK: MARK}}]),
    "an action whose value is an object": _press(actions=[{"action_id": "clip.promote", "value": {MARK: 1}}]),
    "actions that are words": _press(actions=MARK),
    "a button of nobody's": _press(200, actions=[{"action_id": MARK}]),
    "a button of nobody's in no view": _press(200, actions=[{"action_id": MARK}], view=None),
    "a button in a view that is a word": _press(actions=[{"action_id": MARK}], view=MARK),
    "a button pressed by a word": _press(user=MARK),
    "a button pressed by a number": _press(user=7),
    "a button in a channel that is a word": _press(channel=MARK),
    "a button on a container that is a list": _press(container=[MARK]),
    "a button in a team that is a number": _press(team=7),
    "no answer addresses": _press(response_urls=7),
    "a form sent from no view": _press(type="view_submission", view=None),
    "a form sent from a view of no kind": _press(type="view_submission", view={"callback_id": MARK}),
    "a form sent from a list": _press(type="view_submission", view=[MARK]),
    "an old button without an action": _press(type="interactive_message", callback_id="clip.promote", actions=[]),
    "a command in JSON of nobody": Oddity(payload=json.dumps({"command": "/clip", "text": MARK})),
    "a command that is a list": Oddity(payload=json.dumps({"command": ["/clip"], "text": MARK})),
    "five hundred levels": _press(actions=[{"action_id": MARK}], deep=json.loads("[" * 500 + "]" * 500)),
    "a hundred thousand levels": Oddity(payload="[" * 100_000),
    "five hundred levels of events": Oddity(
        payload='{"type": "event_callback", "event_id": "Ev1", "event": ' * 500 + "{}" + "}" * 500
    ),
    "a byte less than a megabyte": _filled(JUST_FITS),
}

FORMS: dict[str, bytes] = {
    "a form without a payload": urlencode({"text": MARK, "user_id": "U0MAYA0001"}).encode(),
    "an empty form": b"",
    "a form that says everything twice": b"command=/clip&command=/clip&text=a&text=" + MARK.encode(),
    "a form with two payloads": urlencode([("payload", "{}"), ("payload", json.dumps({"type": MARK}))]).encode(),
    "a form of a thousand fields": urlencode({f"field{number}": MARK for number in range(1000)}).encode(),
    "a command of nobody": urlencode({"command": "/clip", "text": MARK}).encode(),
    "a command from a channel beyond ASCII": urlencode(
        {"command": "/clip", "text": MARK, "channel_id": "Cé", "user_id": "U0MAYA0001", "trigger_id": "1.2.3"}
    ).encode(),
    "a payload that is not JSON": urlencode({"payload": MARK}).encode(),
    "a payload that is a list": urlencode({"payload": json.dumps([MARK])}).encode(),
    "an empty payload": b"payload=",
    "a form that is not UTF-8": b"command=%ff%fe",
}
"""Forms that are nobody's: 400 each."""
