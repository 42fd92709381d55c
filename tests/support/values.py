"""Values of the domain to begin a test with: small, whole, and changed by keyword.

Names and money are the same everywhere, so that a test says only what it is about: workspace ``T1``, channel ``C1``,
the person ``U1``, the ask ``a1`` in the thread ``t1`` with the job ``j1``.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.budget import Cap, Hold, Scope, Stage
from bot.domain.capabilities import Capabilities, Idempotency
from bot.domain.job import Ask, AskKind, Attempt, Door, Job, State, Thread
from bot.domain.recipe import MINI, Ratio, Recipe, Resolution
from bot.ports import Card, ClipPost
from bot.services.taking import Sender
from tests.support.clock import START

PROMPT = "a red panda surfing"
PRICE = 320_000
"""Micro-dollars: what a draft of four seconds costs at eight cents a second."""
AS_FINAL = 800_000
"""Micro-dollars: what the same clip would cost as a final, at twenty cents a second."""


def at(seconds: float = 0.0) -> datetime:
    """So many seconds after the clock's start."""
    return START + timedelta(seconds=seconds)


def a_recipe(**changes: Any) -> Recipe:
    """The draft preset: 480p, 4 s, 16:9, with sound, mini."""
    return replace(Recipe(prompt=PROMPT), **changes)


def a_thread(**changes: Any) -> Thread:
    """The thread t1 in C1, whose root stands."""
    thread = Thread(workspace="T1", id="t1", channel="C1", root_ts="1700000000.000100", next_number=2, created_at=START)
    return replace(thread, **changes)


def an_ask(**changes: Any) -> Ask:
    """The draft a1 of U1, not yet shown."""
    ask = Ask(
        workspace="T1",
        id="a1",
        thread_id="t1",
        channel="C1",
        root_ts=None,
        person="U1",
        kind=AskKind.DRAFT,
        door=Door.COMMAND,
        text=PROMPT,
        created_at=START,
    )
    return replace(ask, **changes)


def a_job(state: State = State.QUEUED, **changes: Any) -> Job:
    """The job j1 of a1, in that state, with nothing else that the state would have left behind."""
    job = Job(
        workspace="T1",
        id="j1",
        ask_id="a1",
        thread_id="t1",
        channel="C1",
        person="U1",
        number=1,
        take=1,
        takes=1,
        recipe=a_recipe(),
        provider="hiapi",
        model="seedance-2.0-mini",
        state=state,
        price_micro_usd=PRICE,
        price_assumed=False,
        stage=Stage.DRAFT,
        as_final_micro_usd=AS_FINAL,
        created_at=START,
        updated_at=START,
        due_at=START,
    )
    return replace(job, **changes)


def an_attempt(**changes: Any) -> Attempt:
    """The intention of j1's first POST."""
    attempt = Attempt(
        workspace="T1", job_id="j1", number=1, key="j1-1", body=b"{}", callback_token="0" * 32, intended_at=START
    )
    return replace(attempt, **changes)


def a_card(ask: Ask | None = None, jobs: Iterable[Job] | None = None, **changes: Any) -> Card:
    """The card of a draft with one job."""
    card = Card(
        ask=ask or an_ask(), jobs=(a_job(),) if jobs is None else tuple(jobs), parent=None, ahead=None, now=START
    )
    return replace(card, **changes)


def a_clip_post(ask: Ask | None = None, job: Job | None = None, parent: Job | None = None) -> ClipPost:
    """The message of a clip that is on our storage."""
    ready = a_job(State.DELIVERING, clip_key="clips/abc.mp4", clip_sha256="abc", clip_bytes=9, rendered_at=at(57))
    return ClipPost(ask=ask or an_ask(root_ts="1700000000.000100"), job=job or ready, parent=parent)


def a_hold(**changes: Any) -> Hold:
    """The money for j1's first attempt."""
    hold = Hold(
        workspace="T1",
        job_id="j1",
        attempt=1,
        channel="C1",
        person="U1",
        provider="hiapi",
        tier=MINI,
        stage=Stage.DRAFT,
        as_final_micro_usd=AS_FINAL,
        price_assumed=False,
        micro_usd=PRICE,
        at=START,
    )
    return replace(hold, **changes)


def a_cap(scope: Scope = Scope.WORKSPACE_MONTH, limit: int | None = 10_000_000, **changes: Any) -> Cap:
    """Ten dollars for T1, C1 or U1 in the clock's month or day."""
    subject = {Scope.WORKSPACE_MONTH: "T1", Scope.CHANNEL_MONTH: "C1", Scope.PERSON_DAY: "U1"}[scope]
    period = "2026-11-20" if scope is Scope.PERSON_DAY else "2026-11"
    cap = Cap(scope=scope, subject=subject, period=period, limit_micro_usd=limit, renews_at=at(86_400))
    return replace(cap, **changes)


def capabilities(provider: str = "hiapi", **changes: Any) -> Capabilities:
    """A tier that makes 480p and 720p in every ratio, remembers keys for 23 hours, and knows no extras."""
    can = Capabilities(
        provider=provider,
        tier=MINI,
        model="seedance-2.0-mini",
        resolutions=frozenset({Resolution.P480, Resolution.P720}),
        ratios=frozenset(Ratio),
        idempotency=Idempotency(window=timedelta(hours=23), verified=True),
    )
    return replace(can, **changes)


def a_sender(key: str = "event-1", **changes: Any) -> Sender:
    """U1, asking in C1; each event has a key of its own."""
    return replace(Sender(workspace="T1", channel="C1", person="U1", key=key), **changes)
