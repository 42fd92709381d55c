"""From the bytes of a verified request to its payload: JSON for events, a form for commands, and a form that carries
JSON for everything people click.

https://docs.slack.dev/apis/events-api/using-http-request-urls
https://docs.slack.dev/interactivity/handling-user-interaction
"""

import json
from typing import Any
from urllib.parse import parse_qsl

MOST_FIELDS = 50
"""Of a form; a command has about fifteen."""

Json = dict[str, Any]


class Unreadable(Exception):
    """The body is not a payload: answer with ``status`` (400 or 415). ``why`` and ``what`` are words of ours, fit for
    a log: nothing of the request is in them."""

    def __init__(self, status: int, why: str, what: str = "") -> None:
        self.status, self.why, self.what = status, why, what
        super().__init__(f"{status}: {why} {what}".rstrip())


def read_payload(*, content_type: str, content_encoding: str, body: bytes) -> Json:
    """The JSON object that a body is, or that its form carries in ``payload``, or else the form. Raises Unreadable."""
    if content_encoding.strip().lower() not in {"", "identity"}:
        raise Unreadable(415, "content encoding")
    match content_type.partition(";")[0].strip().lower():
        case "application/json":
            return _object(body)
        case "application/x-www-form-urlencoded":
            return _form(body)
        case _:
            raise Unreadable(415, "content type")


def _form(body: bytes) -> Json:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise _unreadable("form") from None
    form: Json = dict(pairs)
    if len(form) < len(pairs):
        # A proxy before us may have judged the request by the other one.
        raise _unreadable("a field twice")
    if "payload" in form:
        return _object(form["payload"].encode())
    return form


def _object(text: bytes) -> Json:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise _unreadable("JSON") from None
    if not isinstance(value, dict):
        raise _unreadable("not an object")
    return value


def _unreadable(what: str) -> Unreadable:
    return Unreadable(400, "payload", what)
