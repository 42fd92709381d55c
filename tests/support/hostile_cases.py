"""Everything that is not to be sent to the bot over HTTP: a table of requests, each with the status that it gets and
what the one line in the log says of it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.hostile import SIGN, TIME, Headers, challenge, chunked, command, request, signed
from tests.support.oddities import FORM, FORMS, JSON, MARK, ODDITIES, Oddity

LARGE = command() + b"&filler=" + b"x" * 1_000_000

Make = Callable[[bytes], bytes]
"""Makes the bytes of a request, with Slack's secret."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is sent, the one status that it gets, and the ``event`` and ``why`` of its one line in the log."""

    make: Make
    status: int
    why: str
    event: str = "slack.refused"


def forged(why: str, headers: Callable[[bytes], Headers]) -> Case:
    """The command with these headers of Slack's."""
    return Case(make=lambda secret: request(command(), content_type=FORM, headers=headers(secret)), status=401, why=why)


def unsigned(body: bytes, content_type: str = JSON) -> Case:
    """A request that does not even claim to be Slack's."""
    return Case(make=lambda _: request(body, content_type=content_type), status=401, why="no request-timestamp")


def by_slack(body: bytes, content_type: str | None, status: int, why: str, **more: str) -> Case:
    """A request with a good signature."""

    def make(secret: bytes) -> bytes:
        return request(body, content_type=content_type, headers=signed(secret, body) | more)

    return Case(make=make, status=status, why=why)


def not_http(sent: bytes, status: int = 400, why: str = "not HTTP") -> Case:
    """What no application gets to see."""
    return Case(make=lambda _: sent, status=status, why=why, event="http.refused")


def elsewhere(path: str, *, method: str = "POST", status: int = 404, why: str = "not found") -> Case:
    """A path that is not the door, with a good signature."""

    def make(secret: bytes) -> bytes:
        return request(command(), method=method, path=path, content_type=FORM, headers=signed(secret, command()))

    return Case(make=make, status=status, why=why, event="http.refused")


def wrong_method(method: str) -> Case:
    """The signed command by another method."""

    def make(secret: bytes) -> bytes:
        return request(command(), method=method, content_type=FORM, headers=signed(secret, command()))

    return Case(make=make, status=405, why="method")


def odd(oddity: Oddity) -> Case:
    """A signed payload that is not shaped as Slack documents."""
    if oddity.status == 200:
        return by_slack(oddity.body, oddity.content_type, 200, "")
    return by_slack(oddity.body, oddity.content_type, 400, "payload")


UNVERIFIED = {
    "no headers of Slack's": unsigned(command(), FORM),
    "no timestamp": forged("no request-timestamp", lambda secret: {SIGN: signed(secret, command())[SIGN]}),
    "no signature": forged("no signature", lambda secret: {TIME: str(int(time.time()))}),
    "another secret": forged("signature", lambda secret: signed(b"guessed", command())),
    "an empty secret": forged("signature", lambda secret: signed(b"", command())),
    "another body": Case(
        make=lambda secret: request(command() + b"&x=1", content_type=FORM, headers=signed(secret, command())),
        status=401,
        why="signature",
    ),
    "an empty body for a signed one": Case(
        make=lambda secret: request(content_type=FORM, headers=signed(secret, command())), status=401, why="signature"
    ),
    "a timestamp that was not signed": forged(
        "signature", lambda secret: signed(secret, command()) | {TIME: str(int(time.time()) - 30)}
    ),
    "a timestamp that is no number": forged(
        "unreadable request-timestamp", lambda secret: signed(secret, command()) | {TIME: MARK}
    ),
    "a timestamp with a fraction": forged(
        "unreadable request-timestamp", lambda secret: signed(secret, command()) | {TIME: f"{time.time():.3f}"}
    ),
    "a timestamp of four thousand digits": forged(
        "unreadable request-timestamp", lambda secret: signed(secret, command()) | {TIME: "9" * 4400}
    ),
    "a timestamp beyond ASCII": forged(
        "unreadable request-timestamp", lambda secret: signed(secret, command()) | {TIME: "1²³"}
    ),
    "a signature beyond ASCII": forged(
        "unreadable signature", lambda secret: signed(secret, command()) | {SIGN: f"v0={'é' * 64}"}
    ),
    "a signature in capitals": forged(
        "unreadable signature",
        lambda secret: {name: value.upper() for name, value in signed(secret, command()).items()},
    ),
    "a signature of another version": forged(
        "unreadable signature",
        lambda secret: signed(secret, command()) | {SIGN: signed(secret, command())[SIGN].replace("v0", "v1")},
    ),
    "a signature cut short": forged(
        "unreadable signature", lambda secret: signed(secret, command()) | {SIGN: signed(secret, command())[SIGN][:-1]}
    ),
    "two signatures, one of them good": forged(
        "more than one signature", lambda secret: [(SIGN, f"v0={'0' * 64}"), *signed(secret, command()).items()]
    ),
    "two timestamps, one of them good": forged(
        "more than one request-timestamp", lambda secret: [*signed(secret, command()).items(), (TIME, "1")]
    ),
    "six minutes ago": forged("clock", lambda secret: signed(secret, command(), at=time.time() - 360)),
    "in six minutes": forged("clock", lambda secret: signed(secret, command(), at=time.time() + 360)),
    "an unsigned challenge": unsigned(challenge(MARK)),
    "an unsigned certificate check": unsigned(b"ssl_check=1&token=x", FORM),
    "unsigned and of a wrong type": unsigned(command(), "text/plain"),
    "unsigned and broken": unsigned(b"{" + MARK.encode()),
    "an upgrade to WebSocket": forged(
        "no request-timestamp", lambda _: {"Upgrade": "websocket", "Sec-WebSocket-Key": MARK}
    ),
    "an upgrade to WebSocket, meant": Case(
        make=lambda _: request(close=False, headers={"Connection": "Upgrade", "Upgrade": "websocket"}) + MARK.encode(),
        status=401,
        why="no request-timestamp",
    ),
    "chunks of another body": Case(
        make=lambda secret: chunked(command() + b"!", size=7, headers=signed(secret, command())),
        status=401,
        why="signature",
    ),
    "a length that cuts the body": Case(
        make=lambda secret: request(command(), content_type=FORM, length="10", headers=signed(secret, command())),
        status=401,
        why="signature",
    ),
}

SIGNED = {
    "plain text": by_slack(command(), "text/plain", 415, "content type"),
    "a multipart form": by_slack(command(), "multipart/form-data; boundary=x", 415, "content type"),
    "a content type of the sender's": by_slack(command(), MARK, 415, "content type"),
    "no content type": by_slack(command(), None, 415, "content type"),
    "a compressed body": by_slack(command(), FORM, 415, "content encoding", **{"Content-Encoding": "gzip"}),
    "broken JSON": by_slack(b'{"type": "event_callback", ' + MARK.encode(), JSON, 400, "payload"),
    "JSON that is a list": by_slack(json.dumps([MARK]).encode(), JSON, 400, "payload"),
    "JSON that is null": by_slack(b"null", JSON, 400, "payload"),
    "JSON that is not UTF-8": by_slack(b'{"type": "\xff\xfe\xfd"}', JSON, 400, "payload"),
    "no JSON at all": by_slack(b"", JSON, 400, "payload"),
    "a body over a megabyte": Case(
        make=lambda secret: request(LARGE, content_type=FORM, headers=signed(secret, LARGE)),
        status=413,
        why="body too large",
        event="http.refused",
    ),
    "a body over a megabyte that tells no length": Case(
        make=lambda secret: chunked(LARGE, size=64_000, headers=signed(secret, LARGE)),
        status=413,
        why="body too large",
        event="http.refused",
    ),
    "an announced gigabyte": Case(
        make=lambda secret: request(length="999999999", headers=signed(secret, b"")),
        status=413,
        why="body too large",
        event="http.refused",
    ),
    "an announced gigabyte that asks first": Case(
        make=lambda secret: request(length="999999999", headers=signed(secret, b"") | {"Expect": "100-continue"}),
        status=413,
        why="body too large",
        event="http.refused",
    ),
    **{method: wrong_method(method) for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS")},
    **{name: by_slack(body, FORM, 400, "payload") for name, body in FORMS.items()},
    **{name: odd(oddity) for name, oddity in ODDITIES.items()},
}

PATHS = (
    "/slack/events/",
    "//slack/events",
    "/slack//events",
    "/slack/./events",
    "/x/../slack/events",
    "/slack%2Fevents",
    "/%73lack/events",
    "/slack/events;x",
    "/SLACK/EVENTS",
    "/slack/events%00",
    f"/slack?payload={MARK}",
    f"/{MARK}",
    "/" + "%0a" * 3000,
)

NOT_HTTP = {
    **{path[:40]: elsewhere(path) for path in PATHS},
    "another method on a page of ours": elsewhere("/healthz", status=405, why="method"),
    "no HTTP": not_http(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64),
    "HTTP/2": not_http(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a method that nobody knows": not_http(b"BREW /slack/events HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a way to elsewhere": not_http(b"CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a path beyond ASCII": not_http("POST /släck HTTP/1.1\r\nHost: x\r\n\r\n".encode()),
    "two different lengths": not_http(request(b"abc", length="3", headers={"content-length": "30"})),
    "a length that is no number": not_http(request(b"abc", length="many")),
    "a negative length": not_http(request(b"abc", length="-1")),
    "a length and chunks": not_http(request(b"0\r\n\r\n", headers={"Transfer-Encoding": "chunked"})),
    "a header without a name": not_http(b"POST /slack/events HTTP/1.1\r\nHost: x\r\n: x\r\n\r\n"),
    "a chunk size that is no number": not_http(
        request(b"zz\r\n", length=None, headers={"Transfer-Encoding": "chunked"})
    ),
    "a chunk size beyond all": not_http(
        request(b"f" * 40 + b"\r\n", length=None, headers={"Transfer-Encoding": "chunked"})
    ),
    "headers without measure": not_http(
        request(command(), content_type=FORM, headers={"X-Filler": MARK * 5000}), 431, "headers too large"
    ),
}

CASES = {**UNVERIFIED, **SIGNED, **NOT_HTTP}
