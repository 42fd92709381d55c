"""Where files are prepared and handed over, without Slack, without vendors and without a media room of processes: what
people gave lies in a dictionary, and each far end does as it is told.

    async with workbench(tmp_path) as bench:
        bench.gave("F1", Given(name="panda.heic", mends=("HEIC made JPEG",)))
        (job,) = await bench.asks(medium("slack:F1"))
        assert (await bench.prepare(job)).state is State.QUEUED
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Literal

from bot.domain.budget import EntryKind
from bot.domain.capabilities import Capabilities
from bot.domain.events import Accepted, Rendered, Shared, Stored, SubmitIntended
from bot.domain.forms import Form
from bot.domain.job import Ask, Job
from bot.domain.lineage import Changes
from bot.domain.pricing import PriceTable, Rate, RateKey
from bot.domain.recipe import MINI, MediaKind, MediaRole, Medium, Mode, Recipe, Resolution
from bot.domain.reference import SEEDANCE_LIMITS, FileLimits, Mend, MendKind
from bot.ports import (
    Asker,
    Download,
    FetchError,
    FileUnavailable,
    MediaRoom,
    Order,
    OrderAccepted,
    OrderOutcome,
    PreparedFile,
    SourceFile,
    Unavailable,
    UnusableFile,
    Uploaded,
    UploadOutcome,
)
from bot.services.answers import Taken
from bot.services.balances import Balances
from bot.services.bench import Bench, StepResult
from bot.services.circuit import Circuit
from bot.services.deciding import Deciding
from bot.services.doorbell import Doorbell
from bot.services.gatekeeper import Gatekeeper
from bot.services.gathering import Gathering
from bot.services.handing import Handing
from bot.services.intake import Intake
from bot.services.lease import Lease
from bot.services.moving import Moves
from bot.services.ordering import Ordering
from bot.services.places import Places
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.preparing import Preparing
from bot.services.rerouting import Rerouting
from bot.services.routing import Router
from bot.services.submitting import Submitting
from bot.services.taking import Taking
from storage import MemoryClips, MemoryStorage, open_scratch
from tests.support.clock import START, SettableClock
from tests.support.services import People
from tests.support.values import a_sender, at, capabilities
from tests.support.vendors import Declared

LINK = "https://pictures.example/panda.png?signature=secret"
CHEAP, DEAR = 80_000, 90_000
"""Micro-dollars a second at HiAPI and at Muapi."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """A file as somebody gave it, and what the media room makes of it: ``made`` are its bytes afterwards."""

    name: str
    content: bytes = b"a picture"
    kind: MediaKind = MediaKind.IMAGE
    form: Form = Form.JPEG
    seconds: float | None = None
    mends: tuple[str, ...] = ()
    fits_under: FileLimits | None = None
    """Nothing has to be mended under these."""
    unusable: str = ""
    """Why it cannot be used under ``only_under``, or ever."""
    only_under: FileLimits | None = None
    owner: str | None = None
    """Of a file in Slack: the only person who may be shown it; None where everybody may."""


PANDA = Given(name="panda.heic", content=b"panda", mends=("HEIC made JPEG", "turned upright"))
FOX = Given(name="fox.png", content=b"a fox", form=Form.PNG)
SMALL = Given(name="mouse.png", content=b"a mouse", unusable="is 120×90 pixels")
WIDER = replace(SEEDANCE_LIMITS, image=replace(SEEDANCE_LIMITS.image, edges=(100, 6000)))
"""Under these ``SMALL`` may be used, where a test says so."""


class Body:
    """``bot.ports.Download``."""

    def __init__(self, content: bytes) -> None:
        self.content_type = "application/octet-stream"
        self._chunks = iter([content[:4], content[4:]])

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration


@dataclass
class Outside:
    """Slack's files and the web: what is there by id or address, what goes wrong first, and what was fetched."""

    there: dict[str, Given] = field(default_factory=dict)
    troubles: list[FetchError] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    held: asyncio.Event | None = None
    """Nothing comes before it is set; ``waiting`` tells that somebody waits for that."""
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    async def describe(self, file_id: str, asker: Asker | None = None) -> SourceFile:
        if self.troubles:
            raise self.troubles.pop(0)
        given = self.there[file_id]
        if given.owner is not None and asker is not None and given.owner not in asker.people:
            raise FileUnavailable(Unavailable.NO_ACCESS, name="")
        return SourceFile(
            id=file_id, name=given.name, kind=given.kind, size=None, url=f"https://slack.example/{file_id}"
        )

    @asynccontextmanager
    async def open(
        self, of: SourceFile | str, *, largest: int | None = None, bearer: str | None = None
    ) -> AsyncIterator[Download]:
        if self.troubles:
            raise self.troubles.pop(0)
        name = of if isinstance(of, str) else of.id
        self.fetched.append(name)
        if self.held is not None:
            self.waiting.set()
            await self.held.wait()
        yield Body(self.there[name].content)


@dataclass
class Room:
    """``bot.ports.MediaRoom``: knows each file by its bytes."""

    known: dict[bytes, Given] = field(default_factory=dict)
    busy: list[Exception] = field(default_factory=list)
    """What goes wrong first, mostly that it is busy."""
    cut_short: set[bytes] = field(default_factory=set)
    """Videos that are not whole."""
    frames: list[str] = field(default_factory=list)

    async def prepare(
        self, file: Path, *, name: str, wanted: MediaKind, limits: FileLimits, into: Path
    ) -> PreparedFile:
        if self.busy:
            raise self.busy.pop(0)
        given = self.known[file.read_bytes()]
        if given.unusable and given.only_under != limits:
            raise UnusableFile(name=name, figure=given.unusable, limit="at least 300 are needed")
        if not given.mends or given.fits_under == limits:
            return _ready(file, given, ())
        made = into / f"made.{given.form.value}"
        made.write_bytes(b"mended " + given.content)
        return _ready(made, given, given.mends)

    async def frame(self, clip: Path, which: Literal["first", "last"], *, name: str, into: Path) -> PreparedFile:
        if self.busy:
            raise self.busy.pop(0)
        if clip.read_bytes() in self.cut_short:
            raise UnusableFile(name=name, figure="announces 3,725 bytes and has 2,000", limit="a whole file is needed")
        self.frames.append(which)
        content = which.encode() + b" of " + clip.read_bytes()
        frame = Given(name=which, content=content, form=Form.PNG)
        self.known[content] = frame
        path = into / "frame.png"
        path.write_bytes(content)
        return _ready(path, frame, ())

    async def close(self) -> None:
        """Nothing is open."""


def _ready(path: Path, given: Given, mends: tuple[str, ...]) -> PreparedFile:
    return PreparedFile(
        path=path,
        kind=given.kind,
        form=given.form,
        size=path.stat().st_size,
        sha256="0" * 64,
        seconds=given.seconds,
        mends=tuple(Mend(what=MendKind.FORM, words=words) for words in mends),
    )


@dataclass
class Signs:
    """``bot.ports.Links``, where this installation can be reached or not."""

    reachable: bool = True

    def link(self, workspace: str, key: str, mime: str, *, now: datetime) -> str | None:
        return f"https://dailies.example/media/{key}?{mime}" if self.reachable else None

    def follow(self, token: str, *, now: datetime) -> None:
        raise AssertionError("nobody follows a link here")


class Vendor(Declared):
    """Takes every order; its uploads end as they are told to, else well."""

    def __init__(self, can: Capabilities) -> None:
        super().__init__(can)
        self.recipes: list[Recipe] = []
        self.orders: list[Order] = []
        self.uploads: list[tuple[str, str, bytes]] = []
        self.outcomes: list[UploadOutcome] = []
        self.expires_at: datetime | None = at(72 * 3600)

    def order(self, recipe: Recipe, key: str, callback_url: str | None = None) -> Order:
        self.recipes.append(recipe)
        return Order(key=key, body=" ".join(one.url for one in recipe.media).encode())

    async def upload(
        self, kind: MediaKind, *, name: str, mime: str, size: int, chunks: AsyncIterator[bytes]
    ) -> UploadOutcome:
        content = b"".join([chunk async for chunk in chunks])
        assert len(content) == size
        self.uploads.append((name, mime, content))
        if self.outcomes:
            return self.outcomes.pop(0)
        return Uploaded(url=f"https://{self.name}.example/{len(self.uploads)}", expires_at=self.expires_at)

    async def submit(self, order: Order) -> OrderOutcome:
        self.orders.append(order)
        return OrderAccepted(task_id=f"task of {order.key}")


MODES = frozenset(Mode)
GENEROUS = Policy(confirm_above_micro_usd=10_000_000)
"""Several takes go without a question."""
TAKES = {
    "modes": MODES,
    "resolutions": frozenset(Resolution),
    "reference_images": 9,
    "reference_videos": 3,
    "reference_audios": 3,
}
RATES: dict[RateKey, Rate] = {
    (name, MINI, resolution, video): Rate(per_second_micro_usd=price, as_of=START.date())
    for name, price in {"hiapi": CHEAP, "muapi": DEAR}.items()
    for resolution in Resolution
    for video in (False, True)
}


@dataclass
class Workbench:
    """A house with two providers, HiAPI being the cheaper one and taking links alone."""

    bench: Bench
    intake: Intake
    preparing: Preparing
    ordering: Ordering
    outside: Outside
    room: Room
    signs: Signs
    hiapi: Vendor
    muapi: Vendor
    clock: SettableClock
    storage: MemoryStorage
    clips: MemoryClips
    scratch: Path
    gathering: Gathering
    asked: Iterator[int]

    def gave(self, where: str, given: Given) -> None:
        """Somebody gave this file."""
        self.outside.there[where] = given
        self.room.known[given.content] = given

    async def asks(self, *media: Medium, provider: str | None = None, takes: int = 1) -> list[Job]:
        """An ask with these files, accepted, its card posted; its jobs are ours."""
        sender = a_sender(f"ask {next(self.asked)}")
        taken = await self.intake.draft(sender, "a fox", Changes(media=media, takes=takes), provider=provider)
        assert isinstance(taken, Taken)
        return await self.shown(taken)

    async def shown(self, taken: Taken) -> list[Job]:
        """The card of it stands, and its jobs are ours."""
        async with self.storage.begin() as tx:
            await tx.jobs.card_posted("T1", taken.ask.id, f"card of {taken.ask.id}", 1)
            await tx.jobs.claim(self.bench.ownership, 100, self.clock.now())
        return [await self.job(job.id) for job in taken.jobs]

    async def undo_window_over(self, taken: Taken) -> list[Job]:
        """The card of a gated ask stood for its window and nobody undid it; its jobs, let go."""
        for job in await self.shown(taken):
            self.clock.advance(60)
            for _ in range(2):
                await self._step(Deciding(bench=self.bench, rerouting=Rerouting(bench=self.bench)).decide, job)
        return [await self.job(job.id) for job in taken.jobs]

    async def prepare(self, job: Job) -> Job:
        """Take the step; the job as it is then."""
        await self._step(self.preparing.prepare, job)
        return await self.job(job.id)

    async def submit(self, job: Job) -> Job:
        """Take the step; the job as it is then."""
        await self._step(self.ordering.submit, job)
        return await self.job(job.id)

    async def _step(self, step: Any, job: Job) -> StepResult:
        job = await self.job(job.id)
        result: StepResult = await step(job, await self.ask(job))
        return result

    async def job(self, job_id: str) -> Job:
        """As it stands in the database."""
        async with self.storage.read() as tx:
            return await tx.jobs.job("T1", job_id)

    async def ask(self, job: Job) -> Ask:
        """As it stands in the database."""
        async with self.storage.read() as tx:
            return await tx.jobs.ask("T1", job.ask_id)

    async def said(self, job: Job) -> list[str]:
        """What its card said was being worked on, in this order."""
        async with self.storage.read() as tx:
            return [one.detail for one in await tx.jobs.timeline("T1", job.id) if one.event == "Progressed"]

    async def money(self, job: Job) -> list[tuple[EntryKind, str]]:
        """What was booked for it: the kind of row and the provider."""
        async with self.storage.read() as tx:
            return [(entry.kind, entry.provider) for entry in await tx.ledger.entries(job_id=job.id)]

    async def kept(self, url: str) -> bytes:
        """The bytes that a recipe's address stands for."""
        key = f"references/T1/{url.removeprefix('stored:')}"
        return b"".join([chunk async for chunk in self.clips.open(key)])

    async def clip(self, content: bytes = b"a clip") -> Job:
        """A draft whose clip is on our storage and stands in its thread."""
        (job,) = await self.asks()
        stored = await self.clips.put("T1", Body(content), limit_bytes=1_000_000)
        for event in (
            SubmitIntended(),
            Accepted(task_id=f"task of {job.id}"),
            Rendered(url="https://clip.example", expires_at=at(86_400), cost_micro_usd=None),
            Stored(key=stored.key, sha256=stored.sha256, size=stored.size),
            Shared(message_ts=f"clip of {job.id}"),
        ):
            job = await self.bench.move(job, event)
        return job


def medium(url: str, role: MediaRole = MediaRole.FIRST, kind: MediaKind = MediaKind.IMAGE) -> Medium:
    """A file in a recipe."""
    return Medium(role=role, kind=kind, url=url)


@asynccontextmanager
async def workbench(
    place: Path,
    *,
    reachable: bool = True,
    policy: Policy | None = None,
    room: MediaRoom | None = None,
    hiapi: dict[str, Any] | None = None,
    muapi: dict[str, Any] | None = None,
) -> AsyncIterator[Workbench]:
    """All of it in memory, but for the files that are worked on. ``hiapi`` and ``muapi`` are capabilities; ``room`` is
    a real one where that matters."""
    clock, storage, clips, policy = SettableClock(), MemoryStorage(), MemoryClips(), policy or GENEROUS
    outside, signs = Outside(), Signs(reachable=reachable)
    cheap = Vendor(capabilities("hiapi", **TAKES | (hiapi or {})))
    dear = Vendor(capabilities("muapi", **TAKES | {"uploads": frozenset({MediaKind.IMAGE})} | (muapi or {})))
    providers = {one.name: one for one in (cheap, dear)}
    circuit, lease = Circuit(clock), Lease(storage=storage, clock=clock, alone=True)
    await lease.register()
    router = Router(providers, PriceTable(RATES), healthy=circuit.healthy, links=reachable)
    policies, people = Policies(storage=storage, operator=policy), People()
    gatekeeper = Gatekeeper(directory=people, clock=clock)
    made = Room()
    bench = Bench(
        storage=storage,
        clips=clips,
        fetcher=outside,
        chat=None,  # type: ignore[arg-type] # nothing is said but on cards
        providers=providers,
        router=router,
        policy=policy,
        policies=policies,
        gatekeeper=gatekeeper,
        directory=people,
        clock=clock,
        lease=lease,
        moves=Moves(storage=storage, clock=clock, moved=lambda before, after: None),
        places=Places(lambda job: None),
        circuit=circuit,
        ring=lambda: None,
    )
    gathering = Gathering(
        storage=storage,
        clips=clips,
        scratch=open_scratch(f"file:{place}"),
        fetcher=outside,
        files=outside,
        room=room or made,
        clock=clock,
    )
    balances = Balances(
        providers=providers, router=router, storage=storage, policies=policies, clock=clock, wake=lambda: None
    )
    yield Workbench(
        bench=bench,
        intake=Intake(
            storage=storage,
            router=router,
            policies=policies,
            gatekeeper=gatekeeper,
            taking=Taking(storage=storage, clock=clock, wake=lambda: None),
            doorbell=Doorbell(),
        ),
        preparing=Preparing(bench=bench, rerouting=Rerouting(bench=bench), gathering=gathering, links=signs),
        ordering=Ordering(
            bench=bench,
            rerouting=Rerouting(bench=bench),
            handing=Handing(storage=storage, clips=clips, links=signs, clock=clock),
            submitting=Submitting(bench=bench, rerouting=Rerouting(bench=bench), balances=balances),
        ),
        outside=outside,
        room=made,
        signs=signs,
        hiapi=cheap,
        muapi=dear,
        clock=clock,
        storage=storage,
        clips=clips,
        scratch=place / "scratch",
        gathering=gathering,
        asked=count(1),
    )
    await balances.close()
    assert list((place / "scratch").iterdir()) == [], "nothing that was worked on is left"
