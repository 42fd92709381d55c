"""The promise as a rule: what the providers' ledgers say, against what was delivered into the threads.

Three things break it: an ask that was charged twice, a clip that stands twice, and a charge without its clip (or a clip
without a charge) once nobody works on anything any more. Work in progress breaks nothing. What belongs together is told
by the job that the order's key and the clip's file both name: an even count may hide a clip that came twice beside one
that never came.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

GRACE_SECONDS = 90.0
"""How long a finished render may be on its way into a thread: a file that Slack dropped is sent again within a minute,
and fetching and posting take their time."""

_NAMED = 3
"""So many prompts are named in one sentence."""

_CLIP = re.compile(r"dailies-\d+-[^-]+-(?P<job>.+)\.mp4")
"""A clip's file, as the bot names it: number, resolution, job."""

_KEY = re.compile(r"(?P<job>.+)-\d+")
"""An order's idempotency key, as the bot makes it: job and attempt."""


@dataclass(frozen=True, kw_only=True)
class Charge:
    """One charge of a provider. ``job`` says what it is for: two charges for one job are one too many. ``names_job`` is
    False when the order came without a key of the bot's: which clip it paid for is not known, only that it paid for
    one."""

    job: str
    prompt: str
    names_job: bool = True
    is_at_work: bool = False
    is_refunded: bool = False


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A clip that came into a thread. ``stands`` is False when somebody has deleted it since."""

    job: str
    name: str
    stands: bool = True


@dataclass(frozen=True, kw_only=True)
class Books:
    """Both sides at one moment. ``is_hindered``: something keeps the bot from going on (it is away, or trouble that
    was made is at work), so that nothing can be said of what is still missing."""

    charges: tuple[Charge, ...] = ()
    clips: tuple[Clip, ...] = ()
    is_hindered: bool = False


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """``words`` counts, ``detail`` says what is under way, ``wrongs`` what should never be; any makes it red."""

    words: str
    detail: str = ""
    wrongs: tuple[str, ...] = ()


def job_of_key(key: str | None) -> str | None:
    """The job that an order's key names; None when it came without a key, or under one of another make."""
    found = _KEY.fullmatch(key or "")
    return found["job"] if found else None


def job_of_clip(filename: str) -> str | None:
    """The job that a clip's file names; None for any other file."""
    found = _CLIP.fullmatch(filename)
    return found["job"] if found else None


def judge(books: Books, *, quiet_seconds: float) -> Verdict:
    """The verdict on books that have not changed for so many seconds."""
    kept = [charge for charge in books.charges if not charge.is_refunded]
    at_work = {charge.job for charge in kept if charge.is_at_work}
    delivered = {clip.job for clip in books.clips}
    lost, unpaid = _unbalanced(kept, books.clips)
    is_over = not at_work and not books.is_hindered and quiet_seconds >= GRACE_SECONDS
    wrongs = (
        *_charged_again(kept),
        *_standing_again(books.clips),
        *(_uneven(lost, unpaid) if is_over else ()),
    )
    standing = {clip.job for clip in books.clips if clip.stands}
    return Verdict(
        words=f"{_counted(len(kept), 'charge')}, {_counted(len(delivered), 'clip')}",
        detail=_detail(
            at_work=sum(charge.is_at_work for charge in kept),
            on_the_way=0 if is_over else sum(charge.job not in at_work for charge in lost),
            refunded=len(books.charges) - len(kept),
            deleted=len(delivered - standing),
        ),
        wrongs=wrongs,
    )


def _charged_again(kept: Sequence[Charge]) -> list[str]:
    times = Counter(charge.job for charge in kept)
    prompts = {charge.job: charge.prompt for charge in kept}
    return [f"“{prompts[job]}” was charged {_times(count)}." for job, count in times.items() if count > 1]


def _standing_again(clips: Sequence[Clip]) -> list[str]:
    """By job, whatever the files are called."""
    standing = [clip for clip in clips if clip.stands]
    times = Counter(clip.job for clip in standing)
    names = {clip.job: clip.name for clip in reversed(standing)}
    return [f"The clip {names[job]} stands {_times(count)}." for job, count in times.items() if count > 1]


def _unbalanced(kept: Sequence[Charge], clips: Sequence[Clip]) -> tuple[list[Charge], list[Clip]]:
    """One charge of each job without a clip, and one clip of each job without a charge. A charge that names no job
    balances one clip whose charge is not known."""
    charges, delivered = {charge.job: charge for charge in kept}, {clip.job: clip for clip in clips}
    lost = [charge for job, charge in charges.items() if job not in delivered]
    unpaid = [clip for job, clip in delivered.items() if job not in charges]
    nameless = [charge for charge in lost if not charge.names_job]
    balanced = nameless[: len(unpaid)]
    return [charge for charge in lost if charge not in balanced], unpaid[len(balanced) :]


def _uneven(lost: Sequence[Charge], unpaid: Sequence[Clip]) -> list[str]:
    sentences = (
        (lost, f"Paid for, and no clip came: {_quoted([charge.prompt for charge in lost])}."),
        (unpaid, f"Delivered without a charge: {_quoted([clip.name for clip in unpaid])}."),
    )
    return [sentence for found, sentence in sentences if found]


def _detail(*, at_work: int, on_the_way: int, refunded: int, deleted: int) -> str:
    sentences = (
        (at_work, f"{_counted(at_work, 'clip')} being rendered."),
        (on_the_way, f"{_counted(on_the_way, 'charge')} without a clip in a thread (yet)."),
        (refunded, f"{_counted(refunded, 'charge')} given back."),
        (deleted, f"{_counted(deleted, 'clip')} deleted afterwards."),
    )
    return " ".join(words for count, words in sentences if count > 0)


class Auditor:
    """Judges the books again and again; knows for how long they have been the same. ``clock`` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._books = Books()
        self._since = clock()

    def verdict(self, books: Books) -> Verdict:
        """The verdict on these books, now."""
        if books != self._books:
            self._books, self._since = books, self._clock()
        return judge(books, quiet_seconds=self._clock() - self._since)


def _quoted(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    shown = ", ".join(f"“{name}”" for name in names[:_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"
