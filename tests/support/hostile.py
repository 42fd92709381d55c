"""Raw HTTP as a test wants to send it, byte for byte: what a client library would mend or refuse to send."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlencode

from handlers.verification import signature
from tests.support.oddities import FORM, JSON, MARK

PATH = "/slack/events"
TIME, SIGN = "X-Slack-Request-Timestamp", "X-Slack-Signature"

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


def request(
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str = PATH,
    content_type: str | None = JSON,
    length: str | None = "",
    headers: Headers = (),
    close: bool = True,
) -> bytes:
    """One request's bytes. ``length`` empty: the true one; None: no header."""
    lines = [("Host", "bot.example")]
    if close:
        lines.append(("Connection", "close"))
    if content_type is not None:
        lines.append(("Content-Type", content_type))
    if length is not None:
        lines.append(("Content-Length", length or str(len(body))))
    lines += headers.items() if isinstance(headers, Mapping) else headers
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n"
    return head.encode("latin-1") + body


def chunked(body: bytes, *, size: int, headers: Headers) -> bytes:
    """A request that tells no length and sends its body in chunks of that size."""
    head = request(length=None, content_type=FORM, headers={**dict(headers), "Transfer-Encoding": "chunked"})
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in _parts(body, size)) + b"0\r\n\r\n"


def _parts(body: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def command() -> bytes:
    """A slash command that would make a job, as Slack encodes it."""
    fields = {
        "command": "/clip",
        "text": MARK,
        "team_id": "T0DAILIES1",
        "channel_id": "C0DAILIES1",
        "user_id": "U0MAYA0001",
        "trigger_id": f"1.2.{MARK}",
    }
    return urlencode(fields).encode()


def challenge(words: str) -> bytes:
    """What Slack sends when the Request URL is set."""
    return json.dumps({"type": "url_verification", "challenge": words}).encode()


def signed(secret: bytes, body: bytes, *, at: float | None = None) -> dict[str, str]:
    """Slack's two headers for a body; ``at`` is Unix time, now unless given."""
    timestamp = str(int(time.time() if at is None else at))
    return {TIME: timestamp, SIGN: signature(secret, timestamp.encode(), body).decode()}


def answers(received: bytes) -> list[tuple[int, bytes]]:
    """Status and body of each response in the bytes of one connection."""
    found = []
    for part in received.split(b"HTTP/1.1 ")[1:]:
        head, _, body = part.partition(b"\r\n\r\n")
        found.append((int(head.split()[0]), body))
    return found
