"""What a provider is sent of the files that we keep: the best way it has, right before the order, and nothing of it in
the recipe."""

import asyncio
import base64
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.budget import EntryKind
from bot.domain.failure import Failure, FailureKind
from bot.domain.forms import Form
from bot.domain.job import Job, State, WaitReason
from bot.domain.patience import CREDIT_PROBE
from bot.domain.recipe import MediaKind, MediaRole
from bot.domain.reference import SEEDANCE_LIMITS
from bot.domain.trouble import Trouble
from bot.ports import UploadFailed, UploadRefused
from bot.services.deciding import Deciding
from bot.services.rerouting import Rerouting
from tests.support.workbench import LINK, Given, Workbench, medium, workbench

PANDA = Given(name="panda.png", content=b"panda", form=Form.PNG)
SONG = Given(name="song.mp3", content=b"a song", kind=MediaKind.AUDIO, form=Form.MP3, seconds=3.0)
SOUND = medium("slack:F2", MediaRole.REFERENCE, MediaKind.AUDIO)
TOO_GREEN = Failure(kind=FailureKind.BAD_REFERENCE, detail="too green")
UNTAKEN = Failure(
    kind=FailureKind.UNUSABLE_FILE,
    detail="The first frame (image/png, 0 MB) was refused when it was uploaded: too green",
)


async def queued(bench: Workbench, *files: str, provider: str | None = None, takes: int = 1) -> list[Job]:
    bench.gave("F1", PANDA)
    bench.gave("F2", SONG)
    media = [medium(f"slack:{one}") if one == "F1" else SOUND for one in files]
    jobs = await bench.asks(*media, provider=provider, takes=takes)
    return [await bench.prepare(job) for job in jobs]


async def order_of(bench: Workbench, job: Job) -> str:
    async with bench.storage.read() as tx:
        attempt = await tx.jobs.attempt("T1", job.id, job.attempt)
    assert attempt is not None
    return attempt.body.decode()


async def test_a_link_of_ours_is_given_where_a_provider_has_no_upload(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        (job,) = await queued(bench, "F1")
        ordered = await bench.submit(job)
        name = job.recipe.media[0].within
        assert (ordered.state, ordered.provider) == (State.RENDERING, "hiapi")
        assert await order_of(bench, job) == f"https://dailies.example/media/references/T1/{name}?image/png"
        assert ordered.recipe == job.recipe, "nothing that is signed is kept in the recipe"


async def test_an_upload_comes_before_a_link_and_stands_for_all_clips_until_it_ends(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        jobs = await queued(bench, "F1", provider="muapi", takes=3)
        await asyncio.gather(*(bench.submit(job) for job in jobs[:2]))
        assert [(mime, content) for _, mime, content in bench.muapi.uploads] == [("image/png", b"panda")]
        assert bench.muapi.uploads[0][0].endswith(".png")
        assert {await order_of(bench, job) for job in jobs[:2]} == {"https://muapi.example/1"}

        bench.clock.advance(71 * 3600 + 1)
        await bench.submit(jobs[2])
        assert await order_of(bench, jobs[2]) == "https://muapi.example/2", "the first may end before it is read"


async def test_an_upload_whose_end_nobody_names_is_trusted_for_minutes(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.muapi.expires_at = None
        jobs = await queued(bench, "F1", provider="muapi", takes=3)
        for job, wait in zip(jobs, (500, 500, 0), strict=True):
            await bench.submit(job)
            bench.clock.advance(wait)
        assert [await order_of(bench, job) for job in jobs] == [
            "https://muapi.example/1",
            "https://muapi.example/1",
            "https://muapi.example/2",
        ]


async def test_each_file_goes_its_own_way(tmp_path: Path) -> None:
    takes_uris = {"data_uris": frozenset({MediaKind.AUDIO}), "uploads": frozenset({MediaKind.IMAGE})}
    async with workbench(tmp_path, reachable=False, hiapi=takes_uris | {"frames_with_references": True}) as bench:
        (job,) = await queued(bench, "F1", "F2", provider="hiapi")
        await bench.submit(job)
        song = base64.b64encode(b"a song").decode()
        assert await order_of(bench, job) == f"https://hiapi.example/1 data:audio/mpeg;base64,{song}"


async def test_a_persons_link_is_given_as_it_is_where_that_is_all_there_is(tmp_path: Path) -> None:
    async with workbench(tmp_path, reachable=False) as bench:
        bench.gave(LINK, PANDA)
        (job,) = await bench.asks(medium(LINK), provider="hiapi")
        await bench.submit(await bench.prepare(job))
        assert await order_of(bench, job) == LINK


async def test_an_upload_that_fails_is_tried_again_with_nothing_ordered(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.muapi.outcomes = [UploadFailed(why="502", retry_after_seconds=7.0)]
        (job,) = await queued(bench, "F1", provider="muapi")
        hindered = await bench.submit(job)
        assert (hindered.state, hindered.trouble, hindered.tries) == (State.QUEUED, Trouble.FILE_NOT_TAKEN, 1)
        assert (hindered.due_at - bench.clock.now()).total_seconds() == 7.0
        assert bench.muapi.recipes == []

        ordered = await bench.submit(job)
        assert (ordered.state, ordered.trouble) == (State.RENDERING, None)
        assert await bench.money(job) == [(EntryKind.HOLD, "muapi")]


@pytest.mark.row("F20")
async def test_uploads_that_never_go_through_end_the_job_for_free(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.muapi.outcomes = [UploadFailed(why="502") for _ in range(10)]
        (job,) = await queued(bench, "F1", provider="muapi")
        states = [(await bench.submit(job)).state for _ in range(10)]
        assert states == [State.QUEUED] * 9 + [State.FAILED]
        assert await bench.money(job) == [(EntryKind.HOLD, "muapi"), (EntryKind.RELEASE, "muapi")]


async def test_a_file_that_a_provider_refuses_goes_to_another_once_or_ends_the_job(tmp_path: Path) -> None:
    dear = {"uploads": frozenset({MediaKind.IMAGE})}
    async with workbench(tmp_path, hiapi=dear) as bench:
        (named,) = await queued(bench, "F1", provider="hiapi")
        (free,) = await queued(bench, "F1")
        bench.hiapi.outcomes = [UploadRefused(failure=TOO_GREEN) for _ in range(2)]
        bench.muapi.outcomes = [UploadRefused(failure=TOO_GREEN)]

        refused = await bench.submit(named)
        assert (refused.state, refused.failure) == (State.FAILED, UNTAKEN)

        moved = await bench.submit(free)
        assert (moved.wait_reason, moved.provider) == (WaitReason.PREPARING, "muapi")
        assert (await bench.ask(free)).notes == (
            f"HiAPI could not be given a file ({UNTAKEN.detail}). Made by Muapi at $0.36 a clip.",
        )
        refused = await bench.submit(await bench.prepare(moved))
        assert (refused.state, refused.failure, bench.hiapi.recipes) == (State.FAILED, UNTAKEN, [])
        assert [kind for kind, _ in await bench.money(free)] == [EntryKind.HOLD, EntryKind.RELEASE] * 2


@pytest.mark.parametrize("kind", [FailureKind.OUT_OF_CREDIT, FailureKind.KEY_REFUSED])
async def test_an_upload_without_credit_or_with_a_refused_key_pauses_the_provider(
    tmp_path: Path, kind: FailureKind
) -> None:
    starved = Failure(kind=kind, detail="not for this account")
    async with workbench(tmp_path, hiapi={"uploads": frozenset({MediaKind.IMAGE})}) as bench:
        (named,) = await queued(bench, "F1", provider="hiapi")
        (later,) = await queued(bench, "F1", provider="hiapi")
        (free,) = await queued(bench, "F1")
        bench.hiapi.outcomes = [UploadRefused(failure=starved)]

        waiting = await bench.submit(named)
        assert (waiting.state, waiting.failure, waiting.wait_reason) == (
            State.WAITING,
            starved,
            WaitReason.PROVIDER_CREDIT,
        )
        assert await bench.money(named) == [(EntryKind.HOLD, "hiapi"), (EntryKind.RELEASE, "hiapi")]
        assert bench.bench.circuit.paused("hiapi", later.id) == starved

        assert (await bench.submit(later)).state is State.WAITING
        assert len(bench.hiapi.uploads) == 1, "what comes after is not offered at all"
        moved = await bench.submit(free)
        assert (moved.wait_reason, moved.provider) == (WaitReason.PREPARING, "muapi")
        assert (await bench.ask(free)).notes[-1].startswith("HiAPI takes no orders now and charged nothing")

        bench.clock.advance(CREDIT_PROBE.total_seconds() + 1)
        await Deciding(bench=bench.bench, rerouting=Rerouting(bench=bench.bench)).decide(
            waiting, await bench.ask(named)
        )
        assert (await bench.submit(await bench.prepare(named))).state is State.RENDERING
        assert bench.bench.circuit.pause("hiapi") is None


async def test_what_is_cancelled_while_its_files_are_handed_over_is_not_ordered(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        (job,) = await queued(bench, "F1", provider="muapi")
        uploaded = bench.muapi.upload

        async def meanwhile(*given: object, **more: object) -> object:
            async with bench.storage.begin() as tx:
                await tx.jobs.request_cancel("T1", job.id, "U1")
            return await uploaded(*given, **more)  # type: ignore[arg-type] # as it was called

        bench.muapi.upload = meanwhile  # type: ignore[method-assign,assignment] # the same call, with somebody's press
        cancelled = await bench.submit(job)
        assert (cancelled.state, bench.muapi.orders) == (State.CANCELLED, [])
        assert await bench.money(job) == [(EntryKind.HOLD, "muapi"), (EntryKind.RELEASE, "muapi")]


async def test_what_an_order_cannot_hold_is_refused_with_the_figure_before_anything_is_made_of_it(
    tmp_path: Path,
) -> None:
    takes_uris = {"data_uris": frozenset({MediaKind.IMAGE}), "frames_with_references": True}
    async with workbench(tmp_path, reachable=False, hiapi=takes_uris, muapi={"uploads": frozenset()}) as bench:
        names = ["one.png", "two.png", "three.png"]
        for number, name in enumerate(names):
            bench.gave(f"F{number}", Given(name=name, content=bytes([number]) * 3_000_000, form=Form.PNG))
        files = [medium(f"slack:F{number}", MediaRole.REFERENCE) for number in range(3)]
        together = "The files have 9 MB together; at most 8 MB can be written into one order"

        (early,) = await bench.asks(*files, provider="hiapi")
        refused = await bench.prepare(early)
        assert (refused.state, (await bench.money(early))[-1][0]) == (State.FAILED, EntryKind.RELEASE)
        assert refused.failure is not None
        assert refused.failure.detail.startswith(together)

        # Prepared while there was another way, which is gone by now.
        bench.signs.reachable = True
        (late,) = await bench.asks(*files, provider="hiapi")
        ready = await bench.prepare(late)
        assert ready.state is State.QUEUED
        bench.signs.reachable = False
        refused = await bench.submit(ready)
        assert refused.failure is not None
        assert refused.failure.detail.startswith(together)
        assert bench.hiapi.recipes == []


async def test_a_picture_is_checked_against_what_an_order_holds_where_that_is_its_only_way(tmp_path: Path) -> None:
    takes_uris = {"data_uris": frozenset({MediaKind.IMAGE})}
    for reachable, most in ((False, 4_000_000), (True, SEEDANCE_LIMITS.image.largest_bytes)):
        async with workbench(tmp_path / str(reachable), reachable=reachable, hiapi=takes_uris) as bench:
            capped = replace(SEEDANCE_LIMITS, image=replace(SEEDANCE_LIMITS.image, largest_bytes=most))
            bench.gave("F1", Given(name="panda.png", unusable="has 6.8 MB", only_under=capped))
            (job,) = await bench.asks(medium("slack:F1"), provider="hiapi")
            assert (await bench.prepare(job)).state is State.QUEUED


async def test_a_file_that_is_gone_or_can_no_longer_be_given_ends_the_job_with_words(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        (gone,), (unreachable,) = (
            await queued(bench, "F1", provider="muapi"),
            await queued(bench, "F1", provider="hiapi"),
        )
        bench.signs.reachable = False
        refused = await bench.submit(unreachable)
        assert refused.failure is not None
        assert refused.failure.detail.startswith("hiapi has no way to be given a picture by this installation")

        bench.clips._clips.clear()
        refused = await bench.submit(gone)
        assert refused.failure is not None
        assert refused.failure.detail == "The first frame is not on our storage any more."
        assert bench.muapi.uploads == []
