"""When to look again: every waiting time of the product, in one place, as pure functions.

Adapters only classify what went wrong; nothing else decides about retries. ``chance`` is a number in [0, 1) from the
caller, which spreads retries without making them unpredictable in tests.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

UNDO_WINDOW = timedelta(seconds=20)
CONFIRMATION_VALID = timedelta(minutes=10)

SUBMIT_DEADLINE = timedelta(seconds=50)
"""A billed POST that has not been answered by then is of unknown outcome; the promise is that the card says so within
60 seconds."""

TASK_GRACE = timedelta(seconds=60)
"""A provider may not find a task right after taking it; only after this is a 404 believed."""

KNOWN_TASK_GRACE = timedelta(minutes=10)
"""The same for a task that the provider knew before: it is rather the provider that is out of order."""

LOOKS_QUIET = timedelta(minutes=5)
"""So long at most nobody asks a provider how tasks are, whatever it asked for when one was asked about: clips that are
paid for stand behind it, and their links may expire."""

SHARE_WAIT = timedelta(seconds=25)
"""Slack shares an uploaded file some seconds later. One that does not stand by then was dropped: it is deleted and
sent again, within the promised 60 seconds."""

CARD_GAP = timedelta(seconds=3)
"""Slack's guidance: at most one edit of a message in about 3 seconds."""

POST_LANDS = timedelta(seconds=5)
"""A post whose outcome nobody heard is looked for at least so long before it is believed that Slack never got it. It
is short, since orders wait for their card; the first progress after a restart is the first look."""

_SLOW_POST_LANDS = timedelta(seconds=15)
"""The longest that a post is looked for: with the 15 seconds that it may take itself, half of the promised minute."""

_READ_BACK_GAP = timedelta(seconds=2)
"""The shortest gap between two looks for a post: each may read many pages of a channel."""

CREDIT_PROBE = timedelta(seconds=20)
"""A paused provider is asked again this often; the promise is 30 seconds."""

LARGE_CLIP_GAP = timedelta(minutes=10)
"""A clip over the size limit is tried again this often: the limit may have been raised, and the link still lives."""

LATE_GAP = timedelta(minutes=2)
"""Slow watch over a render that is past its limit."""

NEWS_VALID = timedelta(days=1)
"""An announcement that could not be posted for so long is no news any more."""

_POLL_FLOOR = timedelta(seconds=1)
_POLL_CEILING = timedelta(seconds=20)


LONGEST_GAP_SECONDS = 40.0
"""Between two tries of what others keep from us: what is left to do once they do not has to fit into the promised
minute with it."""


def backoff(tries: int, chance: float, *, first: float = 0.5, ceiling: float = LONGEST_GAP_SECONDS) -> timedelta:
    """The wait before try number ``tries`` + 1 (1 = after the first failure): doubles from ``first`` seconds up to
    ``ceiling``, less up to a quarter by chance."""
    whole = min(ceiling, first * 2.0 ** min(max(0, tries - 1), 30))
    return timedelta(seconds=whole * (1 - 0.25 * chance))


_LONGEST_THROTTLE = timedelta(hours=1)
"""More than that cannot be meant for an order that people wait for: another unit, or no number of seconds at all. Then
it is asked again with growing gaps, which costs nothing."""


def throttle_wait(retry_after_seconds: float | None, tries: int, chance: float) -> timedelta:
    """The wait after a 429: what the provider said, up to an hour; a backoff where that cannot be meant."""
    if retry_after_seconds is None or not 0 <= retry_after_seconds <= _LONGEST_THROTTLE.total_seconds():
        return backoff(max(1, tries), chance, first=2.0)
    return timedelta(seconds=max(0.2, retry_after_seconds))


def asked_wait(retry_after: str, now: datetime) -> float | None:
    """Seconds to wait as the header ``Retry-After`` says: whole or fractional seconds, or an HTTP date (RFC 9110,
    10.2.3). None when it is empty, negative, past or not readable; what is absurdly long is for the caller to judge."""
    text = retry_after.strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _until(text, now)
    return seconds if 0 <= seconds < float("inf") else None


def _until(text: str, now: datetime) -> float:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError, IndexError):
        return -1.0
    # A date whose zone is unknown or odd comes without one, and cannot be subtracted from one that has it.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - now).total_seconds()


def poll_gap(waited: timedelta, fixed: timedelta | None = None) -> timedelta:
    """The gap to the next status request of a task that has rendered for ``waited``: a tenth of it, from 1 s to 20 s,
    so that an early clip is seen early and a late one costs few requests. ``fixed`` overrides."""
    if fixed is not None:
        return fixed
    return min(_POLL_CEILING, max(_POLL_FLOOR, waited / 10))


def share_check_gap(waited: timedelta) -> timedelta:
    """The gap to the next look whether a share stands, ``waited`` after it was intended."""
    return min(timedelta(seconds=4), max(timedelta(seconds=0.25), waited / 2))


def post_lands(taken: timedelta) -> timedelta:
    """How long after its end a post of unknown outcome may still appear: as long again as Slack left us without an
    answer, since Slack is slow then."""
    return min(_SLOW_POST_LANDS, max(POST_LANDS, taken))


def read_back_gap(waited: timedelta) -> timedelta:
    """The gap to the next look for a post that has been looked for ``waited``."""
    return max(_READ_BACK_GAP, waited)
