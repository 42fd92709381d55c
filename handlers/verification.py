"""Whether a request comes from Slack: the signature over its raw bytes, and its age.

https://docs.slack.dev/authentication/verifying-requests-from-slack

::

    NotVerified              the request is not shown to be Slack's, or not to be of now
    └── ClockApart           signed by Slack, and too old or too new
"""

import hashlib
import hmac
import re
from collections.abc import Iterable

TOLERANCE_SECONDS = 300
"""Slack's own advice: a request further away in time may be a recorded one that somebody sends again."""

TIMESTAMP_HEADER = b"x-slack-request-timestamp"
SIGNATURE_HEADER = b"x-slack-signature"

_TIMESTAMP = re.compile(rb"[0-9]{1,12}")
_SIGNATURE = re.compile(rb"v0=[0-9a-f]{64}")


class NotVerified(Exception):
    """``why`` is one of a few words of ours, fit for a log: nothing of the request is in it."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"The request is not verified: {why}.")


class ClockApart(NotVerified):
    """It says that it was signed ``seconds`` before our time (after it, when negative): either clock is wrong, the
    request was very long on its way, or somebody sends it again."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__("clock")


def signature(secret: bytes, timestamp: bytes, body: bytes) -> bytes:
    """What the header ``X-Slack-Signature`` must say."""
    digest = hmac.new(secret, b"v0:%b:%b" % (timestamp, body), hashlib.sha256).hexdigest()
    return f"v0={digest}".encode()


def look_at_claim(headers: Iterable[tuple[bytes, bytes]], now: float) -> None:
    """Return if a request bears a signature of about ``now`` (Unix time). Anybody can write one; what bears none, or an
    old one, is not worth reading. Raises NotVerified."""
    timestamp, _ = _claim(headers)
    _check_age(timestamp, now)


def verify(secret: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes, now: float) -> None:
    """Return if Slack signed exactly these bytes within TOLERANCE_SECONDS of ``now`` (Unix time). Raises
    NotVerified."""
    timestamp, signed = _claim(headers)
    if not secret or not hmac.compare_digest(signed, signature(secret, timestamp, body)):
        raise NotVerified("signature")
    _check_age(timestamp, now)


def _claim(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """Timestamp and signature as a request bears them, raw, with names in lower case.

    Both headers must be there exactly once: of two, a proxy before us may have looked at the other one. The shapes are
    checked before anything is converted or compared, because neither ``int`` nor ``compare_digest`` takes every text.
    """
    given = list(headers)
    return _only(given, TIMESTAMP_HEADER, _TIMESTAMP), _only(given, SIGNATURE_HEADER, _SIGNATURE)


def _check_age(timestamp: bytes, now: float) -> None:
    apart = now - int(timestamp)
    if abs(apart) > TOLERANCE_SECONDS:
        raise ClockApart(apart)


def _only(headers: list[tuple[bytes, bytes]], name: bytes, shape: re.Pattern[bytes]) -> bytes:
    values = [value for key, value in headers if key == name]
    word = name.decode().removeprefix("x-slack-")
    if len(values) != 1:
        raise NotVerified(f"{'no' if not values else 'more than one'} {word}")
    if not shape.fullmatch(values[0]):
        raise NotVerified(f"unreadable {word}")
    return values[0]
