"""Values to store: small ones to change by keyword, and full ones with nothing left at its default."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.budget import Cap, Hold, Scope, Stage
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import (
    Ask,
    AskKind,
    Attempt,
    Decision,
    Door,
    Evidence,
    EvidenceKind,
    Gate,
    Job,
    Ownership,
    State,
    Supporter,
    Thread,
    TimelineEntry,
    WaitReason,
    Wish,
)
from bot.domain.lineage import Method
from bot.domain.recipe import Ratio, Recipe, Resolution
from bot.domain.trouble import Trouble
from bot.ports import Storage, Transaction

NOW = datetime(2026, 11, 20, 21, 30, 15, 123456, tzinfo=UTC)
LEASE = timedelta(seconds=6)


def assert_same(stored: object, given: object) -> None:
    """Equal, and of the same kinds all through: a text that only equals an enum's member would be
    another value."""
    assert stored == given
    assert repr(stored) == repr(given)


def later(seconds: float) -> datetime:
    """So many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def a_thread(**changes: Any) -> Thread:
    """The thread t1 of workspace T1 in channel C1, without a root yet."""
    thread = Thread(workspace="T1", id="t1", channel="C1", root_ts=None, next_number=1, created_at=NOW)
    return replace(thread, **changes)


def an_ask(**changes: Any) -> Ask:
    """The draft a1 in the thread t1."""
    ask = Ask(
        workspace="T1",
        id="a1",
        thread_id="t1",
        channel="C1",
        root_ts=None,
        person="U1",
        kind=AskKind.DRAFT,
        door=Door.COMMAND,
        text="a red panda",
        created_at=NOW,
    )
    return replace(ask, **changes)


def a_job(**changes: Any) -> Job:
    """The queued job j1 of the ask a1."""
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
        recipe=Recipe(prompt="a red panda"),
        provider="hiapi",
        model="seedance-mini",
        state=State.QUEUED,
        price_micro_usd=320_000,
        price_assumed=False,
        stage=Stage.DRAFT,
        as_final_micro_usd=5_000_000,
        created_at=NOW,
        updated_at=NOW,
        due_at=NOW,
    )
    return replace(job, **changes)


FULL_THREAD = a_thread(root_ts="1700000000.000100", next_number=7)

FULL_ASK = Ask(
    workspace="T1",
    id="a1",
    thread_id="t1",
    channel="C1",
    root_ts="1700000000.000100",
    person="U1",
    kind=AskKind.PROMOTION,
    door=Door.REACTION,
    text="a café — “at night” 🦊\n%_'\"",
    created_at=NOW,
    parent_job="j0",
    method=Method.SAME_RECIPE,
    unique_key="j0/recipe/same_recipe",
    notes=("first", "second, with ünïcode"),
    gate=Gate.UNDO,
    decide_by=later(20.000001),
    decision=Decision.GO,
    decided_by="U2",
    reply_url="https://hooks.example/commands/1",
    card_posting=True,
    card_ts="1700000001.000200",
    version=5,
    card_version=4,
    live=False,
    owner="process-1",
    epoch=3,
)

FULL_JOB = Job(
    workspace="T1",
    id="j1",
    ask_id="a1",
    thread_id="t1",
    channel="C1",
    person="U1",
    number=4,
    take=2,
    takes=3,
    recipe=Recipe(
        prompt="a fox 🦊",
        resolution=Resolution.P1080,
        seconds=None,
        ratio=Ratio.CINEMA,
        audio=False,
        tier="standard",
        seed=2_147_483_647,
        negative="rain",
        high_bitrate=True,
    ),
    provider="hiapi",
    model="seedance-mini",
    state=State.DELIVERING,
    price_micro_usd=9_000_000_000_000,  # past 32 bits, as all money may be
    price_assumed=True,
    stage=Stage.DIRECT,
    as_final_micro_usd=9_500_000_000_000,
    created_at=NOW,
    updated_at=later(1.000001),
    due_at=later(2),
    named=True,
    free_ratio=Ratio.TALL,
    reordered=True,
    wait_reason=WaitReason.PROVIDER_CREDIT,
    attempt=2,
    tries=3,
    task_id="task-1",
    submitted_at=later(3),
    rendering_since=later(4),
    rendered_at=later(5),
    finished_at=later(6),
    output_url="https://provider.example/clip.mp4?token=1",
    output_expires_at=later(86_400.999999),
    cost_micro_usd=8_000_000_000_000,
    clip_key="clips/T1/abc.mp4",
    clip_sha256="abc",
    clip_bytes=5_000_000_000,
    file_id="F1",
    shared_at=later(7),
    message_ts="1700000002.000300",
    progress="panda.heic (2 of 3)",
    trouble=Trouble.PROVIDER_BUSY,
    failure=Failure(kind=FailureKind.FACE, detail="no faces, please"),
    owner="process-1",
    epoch=3,
    version=9,
    cancel_by="U3",
    wish=Wish.DELIVER_AGAIN,
    wish_by="U4",
    wish_micro_usd=7_000_000_000_000,
)

FULL_ATTEMPT = Attempt(
    workspace="T1",
    job_id="j1",
    number=2,
    key="key-2",
    body=bytes(range(256)),
    callback_token="callback",
    intended_at=NOW,
    path="/seedance-2-mini-t2v?webhook=x",
)

FULL_EVIDENCE = Evidence(workspace="T1", job_id="j1", attempt=2, kind=EvidenceKind.TASK_ID, value="task-1", at=NOW)

SUPPORTER = Supporter(person="U5", at=NOW)


def entry_for(job: Job, event: str = "Recorded", **changes: Any) -> TimelineEntry:
    """A line of the job's timeline, with its present state."""
    entry = TimelineEntry(workspace=job.workspace, job_id=job.id, at=NOW, event=event, state=job.state)
    return replace(entry, **changes)


def a_hold(**changes: Any) -> Hold:
    """Two dollars for the first attempt of j1."""
    hold = Hold(
        workspace="T1",
        job_id="j1",
        attempt=1,
        channel="C1",
        person="U1",
        provider="hiapi",
        tier="mini",
        stage=Stage.DRAFT,
        as_final_micro_usd=5_000_000,
        price_assumed=False,
        micro_usd=2_000_000,
        at=NOW,
    )
    return replace(hold, **changes)


def a_cap(scope: Scope = Scope.WORKSPACE_MONTH, limit: int | None = 10_000_000, **changes: Any) -> Cap:
    """A cap of ten dollars on the workspace's November, or on C1 or U1 in the same month and day."""
    subject = {Scope.WORKSPACE_MONTH: "T1", Scope.CHANNEL_MONTH: "C1", Scope.PERSON_DAY: "U1"}[scope]
    period = "2026-11-20" if scope is Scope.PERSON_DAY else "2026-11"
    cap = Cap(scope=scope, subject=subject, period=period, limit_micro_usd=limit, renews_at=later(86_400))
    return replace(cap, **changes)


async def put(tx: Transaction, *jobs: Job) -> None:
    """Record jobs, with their asks and threads where there are none yet."""
    for job in jobs:
        try:
            await tx.jobs.thread(job.workspace, job.thread_id)
        except KeyError:
            thread = a_thread(workspace=job.workspace, id=job.thread_id, channel=job.channel)
            await tx.jobs.add_thread(thread)
        try:
            await tx.jobs.ask(job.workspace, job.ask_id)
        except KeyError:
            ask = an_ask(workspace=job.workspace, id=job.ask_id, thread_id=job.thread_id, channel=job.channel)
            await tx.jobs.add_ask(ask)
        await tx.jobs.add(job, entry_for(job))


async def registered(storage: Storage, owner: str = "process-1", *, alone: bool = False) -> Ownership:
    """A process with a lease from NOW on."""
    async with storage.begin() as tx:
        return await tx.leases.register(owner, NOW, NOW + LEASE, alone=alone)
