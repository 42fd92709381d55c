"""From an ask with files to a job in the queue: each file fetched once, checked, mended and kept, or the job ended with
words and without a charge."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.budget import EntryKind
from bot.domain.capabilities import Misfit
from bot.domain.failure import Failure, FailureKind
from bot.domain.forms import Form
from bot.domain.job import Job, State, WaitReason
from bot.domain.lineage import Changes
from bot.domain.preferences import PreferencesVersion
from bot.domain.recipe import MediaKind, MediaRole, Ratio
from bot.media import ProcessMediaRoom
from bot.ports import (
    FetchError,
    FileTooLarge,
    FileUnavailable,
    LinkExpired,
    MediaRoomTimeout,
    Unavailable,
)
from bot.services import gathering
from bot.services.answers import CannotMake, ClipNotThere, NoClipsHere, NoSuchClip, Taken
from bot.services.policy import Policy
from tests.support.files import picture
from tests.support.values import a_sender
from tests.support.workbench import FOX, LINK, PANDA, SMALL, WIDER, Given, Workbench, medium, workbench

HELD, RELEASED = EntryKind.HOLD, EntryKind.RELEASE
LAST, REFERENCE = MediaRole.LAST, MediaRole.REFERENCE


async def notes(bench: Workbench, job: Job) -> tuple[str, ...]:
    """What the card says besides where its files come from, which it says from the start."""
    return tuple(
        note for note in (await bench.ask(job)).notes if not note.startswith(("first frame: ", "references: "))
    )


async def test_files_are_fetched_mended_and_kept_before_the_queue(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.gave(LINK, FOX)
        (job,) = await bench.asks(medium("slack:F1"), medium(LINK, LAST))
        assert (job.state, job.wait_reason) == (State.WAITING, WaitReason.PREPARING)
        assert await bench.money(job) == [(HELD, "hiapi")], "held from the moment when it is accepted"

        ready = await bench.prepare(job)

        assert (ready.state, ready.wait_reason, ready.progress, ready.tries) == (State.QUEUED, None, "", 0)
        first, last = ready.recipe.media
        assert [await bench.kept(one.url) for one in (first, last)] == [b"mended panda", b"a fox"]
        assert (first.url.rpartition(".")[2], last.url.rpartition(".")[2]) == ("jpeg", "png")
        assert (first.role, last.role, ready.recipe.ratio) == (MediaRole.FIRST, LAST, Ratio.ADAPTIVE)
        assert await notes(bench, job) == ("panda.heic: HEIC made JPEG, turned upright",)
        assert await bench.money(job) == [(HELD, "hiapi")]
        said = await bench.said(job)
        assert said == ["panda.heic (1 of 2)", "panda.png (2 of 2)"], "a link is called by its file, never whole"


async def test_no_more_is_fetched_than_was_agreed_whatever_the_server_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "LARGEST_SOURCES", {MediaKind.IMAGE: 1_000_000})
    async with workbench(tmp_path) as bench:
        for where, size in (("Ffits", 1_000_000), ("Flarge", 1_000_001)):
            bench.gave(where, Given(name="wall.png", content=b"x" * size, form=Form.PNG))
        (fits,), (large,) = await bench.asks(medium("slack:Ffits")), await bench.asks(medium("slack:Flarge"))
        assert (await bench.prepare(fits)).state is State.QUEUED
        refused = await bench.prepare(large)
        assert refused.failure is not None
        assert refused.failure.detail == "wall.png is larger than 1 MB, the most that is fetched of a file."


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("https://pictures.example/a/panda%20on%20a%20bike.JPG?signature=secret", "panda on a bike.JPG"),
        ("https://pictures.example/d-SECRETTOKEN0123456789", "pictures.example"),
        ("https://pictures.example/media/SECRET.TOKEN", "pictures.example"),
        ("https://pictures.example/" + "s3cret" * 10 + ".png", "pictures.example"),
        ("https://pictures.example", "pictures.example"),
    ],
)
async def test_of_a_link_nothing_is_shown_that_may_be_a_secret(tmp_path: Path, link: str, said: str) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave(link, PANDA)
        (job,) = await bench.asks(medium(link))
        ready = await bench.prepare(job)
        shown = " ".join(await notes(bench, ready))
        assert f"{said}: HEIC made JPEG, turned upright" in shown
        assert "secret" not in shown.lower()
        async with bench.storage.read() as tx:
            told = " ".join(f"{one.detail}" for one in await tx.jobs.timeline("T1", job.id))
        assert said in told
        assert "secret" not in told.lower()


async def test_takes_of_an_ask_and_a_restart_do_not_fetch_again(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.gave(LINK, FOX)
        jobs = await bench.asks(medium("slack:F1"), medium(LINK, LAST), takes=2)
        await asyncio.gather(*(bench.prepare(job) for job in jobs))
        jobs = sorted([await bench.job(job.id) for job in jobs], key=lambda job: job.state)
        states = [job.state for job in jobs]
        assert states == [State.QUEUED, State.WAITING], "who is second waits without a place for it"
        assert (await bench.prepare(jobs[1])).state is State.QUEUED
        assert sorted(bench.outside.fetched) == ["F1", LINK]

        again = await bench.asks(medium("slack:F1"), medium(LINK, LAST))
        ready = await bench.prepare(again[0])
        assert sorted(bench.outside.fetched) == ["F1", LINK, LINK], "a link may lead elsewhere by now; a file does not"
        assert await notes(bench, ready) == ("panda.heic: HEIC made JPEG, turned upright",)


async def test_a_file_whose_bytes_are_gone_is_fetched_again(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        await bench.prepare((await bench.asks(medium("slack:F1")))[0])
        bench.clips._clips.clear()
        ready = await bench.prepare((await bench.asks(medium("slack:F1")))[0])
        assert (ready.state, bench.outside.fetched) == (State.QUEUED, ["F1", "F1"])
        assert await bench.kept(ready.recipe.media[0].url) == b"mended panda"


async def test_what_is_made_anew_of_a_file_takes_the_place_of_what_is_gone(tmp_path: Path) -> None:
    """A newer encoder makes other bytes of the same picture: those count from then on."""
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        await bench.prepare((await bench.asks(medium("slack:F1")))[0])
        bench.clips._clips.clear()
        bench.gave("F1", replace(PANDA, content=b"panda again"))
        for _ in range(2):
            ready = await bench.prepare((await bench.asks(medium("slack:F1")))[0])
            assert await bench.kept(ready.recipe.media[0].url) == b"mended panda again"
        assert bench.outside.fetched == ["F1", "F1"]


async def test_takes_of_an_ask_share_a_refusal_too_and_another_ask_tries_anew(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", SMALL)
        bench.gave("F2", PANDA)
        first, second = await bench.asks(medium("slack:F1"), takes=2, provider="hiapi")
        refused = [await bench.prepare(job) for job in (first, second)]
        words = [job.failure.detail for job in refused if job.failure]
        assert words == ["mouse.png is 120×90 pixels; at least 300 are needed."] * 2
        assert bench.outside.fetched == ["F1"]
        (again,) = await bench.asks(medium("slack:F1"), provider="hiapi")
        assert (await bench.prepare(again)).state is State.FAILED
        assert bench.outside.fetched == ["F1", "F1"]

        bench.room.busy = [MediaRoomTimeout(180) for _ in range(3)]
        first, second = await bench.asks(medium("slack:F2"), takes=2)
        states = [(await bench.prepare(job)).state for job in (first, first, second, first)]
        assert states == [State.WAITING] * 2 + [State.FAILED] * 2
        assert bench.outside.fetched[2:] == ["F2"] * 3


async def test_no_more_is_remembered_of_files_than_can_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_REMEMBERED", 2)
    async with workbench(tmp_path) as bench:
        bench.gave("F1", SMALL)
        bench.room.busy = [MediaRoomTimeout(180) for _ in range(3)]
        for where in ("F2", "F3", "F4"):
            bench.gave(where, PANDA)
            (job,) = await bench.asks(medium(f"slack:{where}"))
            await bench.prepare(job)
        for _ in range(3):
            (job,) = await bench.asks(medium("slack:F1"), provider="hiapi")
            await bench.prepare(job)
        assert [source for _, source, _ in bench.gathering._timeouts] == ["slack:F3", "slack:F4"]
        assert len(bench.gathering._refusals) == 2


async def test_the_same_file_twice_in_a_recipe_is_fetched_once(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", FOX)
        (job,) = await bench.asks(medium("slack:F1"), medium("slack:F1", LAST))
        ready = await bench.prepare(job)
        assert bench.outside.fetched == ["F1"]
        assert len({one.url for one in ready.recipe.media}) == 1


async def test_a_variant_takes_over_what_is_kept(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        (job,) = await bench.asks(medium("slack:F1"))
        ready = await bench.prepare(job)
        sender = a_sender("variant")
        varied = await bench.intake.variant(sender, (await bench.ask(job)).root_ts or "", 1, Changes(seconds=8), "8s")
        assert isinstance(varied, Taken)
        assert varied.jobs[0].recipe.media == ready.recipe.media
        (opened,) = await bench.undo_window_over(varied)
        assert (await bench.prepare(opened)).state is State.QUEUED
        assert bench.outside.fetched == ["F1"]
        assert await bench.said(opened) == []
        assert not any("panda.heic" in note for note in await notes(bench, opened)), "it was told of then"


async def test_what_is_kept_and_gone_is_seen_before_the_queue(tmp_path: Path) -> None:
    """Its provider would be blamed for it later, and another one asked for nothing."""
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        (job,) = await bench.asks(medium("slack:F1"))
        await bench.prepare(job)
        root = (await bench.ask(job)).root_ts or ""
        varied = await bench.intake.variant(a_sender("v"), root, 1, Changes(seconds=8), "8s")
        assert isinstance(varied, Taken)
        (opened,) = await bench.undo_window_over(varied)
        bench.clips._clips.clear()
        refused = await bench.prepare(opened)
        assert refused.failure is not None
        assert (refused.state, refused.failure.detail) == (
            State.FAILED,
            "The first frame is not on our storage any more.",
        )
        assert (refused.provider, await bench.money(opened)) == ("hiapi", [(HELD, "hiapi"), (RELEASED, "hiapi")])


@pytest.mark.parametrize("rerouted", [False, True], ids=["by a reply", "by a pause"])
async def test_what_was_kept_for_one_provider_is_prepared_again_for_another(tmp_path: Path, rerouted: bool) -> None:
    """HiAPI takes the picture as it is, Muapi another form of it; from our own storage it is had without asking."""
    wider = {"limits": WIDER}
    async with workbench(tmp_path, hiapi=wider) as bench:
        plan = Given(name="plan.bmp", content=b"a plan", form=Form.BMP, mends=("BMP made PNG",), fits_under=WIDER)
        bench.gave("F1", plan)
        (job,) = await bench.asks(medium("slack:F1"))
        ready = await bench.prepare(job)
        assert (ready.provider, await bench.kept(ready.recipe.media[0].url)) == ("hiapi", b"a plan")
        assert await notes(bench, job) == ()
        if rerouted:
            moved = await bench.ordering.rerouting.instead(ready, Failure(kind=FailureKind.PROVIDER, detail="silent"))
            assert moved is not None
        else:
            root = (await bench.ask(job)).root_ts or ""
            varied = await bench.intake.variant(a_sender("v"), root, 1, Changes(), "", provider="muapi")
            assert isinstance(varied, Taken)
            (moved,) = await bench.undo_window_over(varied)
        assert (moved.state, moved.wait_reason, moved.provider) == (State.WAITING, WaitReason.PREPARING, "muapi")

        mended = await bench.prepare(moved)
        assert (mended.state, await bench.kept(mended.recipe.media[0].url)) == (State.QUEUED, b"mended a plan")
        assert "The first frame: BMP made PNG" in await notes(bench, mended)
        assert bench.outside.fetched == ["F1"]


async def test_what_others_called_the_same_file_is_not_told(tmp_path: Path) -> None:
    """The same bytes under a name that was given where not everybody reads."""
    async with workbench(tmp_path, hiapi={"limits": WIDER}) as bench:
        plan = Given(name="logo.bmp", content=b"a plan", form=Form.BMP, mends=("BMP made PNG",), fits_under=WIDER)
        bench.gave("F1", plan)
        bench.gave("F2", replace(plan, name="secret.bmp"))
        bench.gave("F3", FOX)
        (job,) = await bench.asks(medium("slack:F1", LAST), medium("slack:F3"))
        ready = await bench.prepare(job)
        bench.clock.advance(1)
        await bench.prepare((await bench.asks(medium("slack:F2", REFERENCE)))[0])

        silent = Failure(kind=FailureKind.PROVIDER, detail="silent")
        moved = await bench.ordering.rerouting.instead(ready, silent)
        assert moved is not None
        ready = await bench.prepare(moved)
        assert "The last frame: BMP made PNG" in await notes(bench, ready)
        assert (await bench.said(ready))[-2:] == ["The last frame (1 of 2)", "The first frame (2 of 2)"]
        async with bench.storage.read() as tx:
            told = [entry.detail for entry in await tx.jobs.timeline("T1", job.id)]
        assert "secret" not in f"{told} {await notes(bench, ready)}"


async def test_what_is_kept_and_does_not_fit_there_is_refused_with_the_figure_and_the_limit(tmp_path: Path) -> None:
    async with workbench(tmp_path, hiapi={"limits": WIDER}) as bench:
        bench.gave("F1", replace(SMALL, only_under=WIDER))
        (job,) = await bench.asks(medium("slack:F1"))
        assert (await bench.prepare(job)).state is State.QUEUED
        root = (await bench.ask(job)).root_ts or ""
        refused = []
        for gone in (False, True):
            varied = await bench.intake.variant(a_sender(f"v{gone}"), root, 1, Changes(), "", provider="muapi")
            assert isinstance(varied, Taken)
            (opened,) = await bench.undo_window_over(varied)
            if gone:
                bench.clips._clips.clear()
            refused.append(await bench.prepare(opened))
        assert [job.failure.detail for job in refused if job.failure] == [
            "The first frame is 120×90 pixels; at least 300 are needed.",
            "The first frame is not on our storage any more.",
        ]
        assert bench.muapi.uploads == []


async def test_nothing_is_fetched_before_the_card_stands_or_after_a_cancel(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        taken = await bench.intake.draft(a_sender(), "a fox", Changes(media=(medium("slack:F1"),)))
        assert isinstance(taken, Taken)
        (waiting,) = taken.jobs
        assert await bench.prepare(waiting) == await bench.job(waiting.id) == waiting

        (job,) = await bench.shown(taken)
        async with bench.storage.begin() as tx:
            await tx.jobs.request_cancel("T1", job.id, "U1")
        cancelled = await bench.prepare(job)
        assert (cancelled.state, await bench.money(job)) == (State.CANCELLED, [(HELD, "hiapi"), (RELEASED, "hiapi")])
        assert bench.outside.fetched == []


# --- whose file it is ------------------------------------------------------------------------------------------------


async def test_slack_is_asked_for_each_ask_whether_its_people_may_take_the_file(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", replace(PANDA, owner="U2"))
        (theirs,) = await bench.asks(medium("slack:F1"), provider="hiapi")
        refused = await bench.prepare(theirs)
        assert refused.failure is not None
        assert refused.failure.detail.startswith("Slack does not let Dailies read the file.")
        assert bench.outside.fetched == []
        assert not await bench.said(theirs), "nor does its name stand on a card"

        bench.gave("F1", replace(PANDA, owner="U1"))
        assert (await bench.prepare((await bench.asks(medium("slack:F1")))[0])).state is State.QUEUED
        bench.gave("F1", replace(PANDA, owner="U2"))
        later = await bench.prepare((await bench.asks(medium("slack:F1"), provider="hiapi"))[0])
        assert (later.state, bench.outside.fetched) == (State.FAILED, ["F1"]), "what is kept answers no such question"


async def test_who_put_a_file_into_the_cast_answers_for_it(tmp_path: Path) -> None:
    """U2 gave it to the channel; that U3 changed something else afterwards makes no difference. What whoever runs
    Dailies gave is anybody's."""
    link = "https://acme.slack.com/files/U2/F1/mug.png"
    versions: list[tuple[str | None, dict[str, str]]] = [
        ("U3", {"cast.mug": "red mug https://acme.slack.com/files/U2/F12/mug.png"}),
        ("U2", {"cast.mug": f"red mug {link}"}),
        ("U3", {"cast.mug": f"red mug {link}", "takes": "2"}),
        (None, {"cast.mug": "red mug", "cast.cup": f"a cup {link}"}),
    ]
    expected = [State.FAILED, State.QUEUED, State.QUEUED, State.QUEUED]
    async with workbench(tmp_path) as bench:
        for number, (person, values) in enumerate(versions, start=1):
            bench.gave("F1", replace(PANDA, owner="U2" if person else "U9"))
            version = PreferencesVersion(
                workspace="T1", subject="C1", version=number, values=values, changed_by=person, at=bench.clock.now()
            )
            async with bench.storage.begin() as tx:
                await tx.preferences.put(version)
            (job,) = await bench.asks(medium("slack:F1", REFERENCE), provider="hiapi")
            assert (await bench.prepare(job)).state is expected[number - 1], number


# --- refused ---------------------------------------------------------------------------------------------------------

REFUSALS: list[tuple[FetchError, str]] = [
    (FileUnavailable(Unavailable.NO_ACCESS, name="panda.heic"), "Slack does not let Dailies read panda.heic."),
    (FileUnavailable(Unavailable.EXTERNAL, name="panda.heic"), "panda.heic only stands in Slack as a link"),
    (FileTooLarge(largest=100_000_000, size=300_000_000, name="panda.heic"), "panda.heic has 300 MB; at most 100 MB"),
    (LinkExpired("pictures.example answers 404.", status=404), "pictures.example answers 404."),
]


@pytest.mark.parametrize(("error", "words"), REFUSALS, ids=[type(error).__name__ for error, _ in REFUSALS])
async def test_what_cannot_be_had_ends_the_job_with_words_and_without_a_charge(
    tmp_path: Path, error: FetchError, words: str
) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", PANDA)
        bench.outside.troubles = [error] * 3
        (job,) = await bench.asks(medium("slack:F1"), provider="hiapi")
        refused = await bench.prepare(job)
        assert refused.failure is not None
        assert (refused.state, refused.failure.kind) == (State.FAILED, FailureKind.UNUSABLE_FILE)
        assert refused.failure.detail.startswith(words)
        assert await bench.money(job) == [(HELD, "hiapi"), (RELEASED, "hiapi")]


async def test_what_does_not_fit_is_refused_with_the_figure_and_the_limit(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        bench.gave("F1", SMALL)
        (job,) = await bench.asks(medium("slack:F1"))
        refused = await bench.prepare(job)
        assert refused.failure is not None
        assert refused.failure.detail == "mouse.png is 120×90 pixels; at least 300 are needed."
        assert (refused.provider, await bench.money(job)) == ("hiapi", [(HELD, "hiapi"), (RELEASED, "hiapi")])


async def test_another_provider_whose_limits_take_the_file_makes_it_where_nobody_named_one(tmp_path: Path) -> None:
    async with workbench(tmp_path, muapi={"limits": WIDER}) as bench:
        bench.gave("F1", replace(SMALL, only_under=WIDER))
        (job,), (named,) = [await bench.asks(medium("slack:F1"), provider=provider) for provider in (None, "hiapi")]
        moved = await bench.prepare(job)
        assert (moved.state, moved.wait_reason, moved.provider) == (State.WAITING, WaitReason.PREPARING, "muapi")
        assert await bench.money(job) == [(HELD, "hiapi"), (RELEASED, "hiapi"), (HELD, "muapi")]
        assert await notes(bench, job) == (
            (
                "HiAPI could not be given a file (mouse.png is 120×90 pixels; at least 300 are needed). Made by Muapi "
                "at $0.36 a clip."
            ),
        )
        fetched = len(bench.outside.fetched)
        assert (await bench.prepare(job)).state is State.QUEUED
        assert len(bench.outside.fetched) == fetched, "what was seen to fit there is kept"

        assert (await bench.prepare(named)).state is State.FAILED, "who named the provider is told"


async def test_another_provider_that_can_be_given_more_than_a_link_makes_what_has_to_be_mended(tmp_path: Path) -> None:
    """Both have the same limits; HiAPI can be given nothing but the person's own link, to which nothing can be done."""
    async with workbench(tmp_path, reachable=False) as bench:
        bench.gave(LINK, PANDA)
        (job,) = await bench.asks(medium(LINK))
        assert job.provider == "hiapi"
        assert (await bench.prepare(job)).provider == "muapi"
        ready = await bench.prepare(job)
        assert (ready.state, await bench.kept(ready.recipe.media[0].url)) == (State.QUEUED, b"mended panda")


async def test_a_file_that_nobody_can_have_is_not_looked_for_again_elsewhere(tmp_path: Path) -> None:
    async with workbench(tmp_path, muapi={"limits": WIDER}) as bench:
        bench.gave("F1", PANDA)
        bench.outside.troubles = [LinkExpired("pictures.example answers 404.", status=404)]
        refused = await bench.prepare((await bench.asks(medium("slack:F1")))[0])
        assert (refused.state, bench.outside.fetched) == (State.FAILED, [])


async def test_elsewhere_nothing_dear_is_spent_without_a_question(tmp_path: Path) -> None:
    policy = Policy(confirm_above_micro_usd=330_000)
    async with workbench(tmp_path, muapi={"limits": WIDER}, policy=policy) as bench:
        bench.gave("F1", replace(SMALL, only_under=WIDER))
        (job,) = await bench.asks(medium("slack:F1"))
        assert (await bench.prepare(job)).state is State.FAILED
        assert await bench.money(job) == [(HELD, "hiapi"), (RELEASED, "hiapi")]


async def test_sounds_and_videos_may_not_last_too_long_together(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        for name, seconds in (("one", 9.0), ("two", 6.0), ("three", 0.5)):
            given = Given(
                name=f"{name}.mp3", content=name.encode(), kind=MediaKind.AUDIO, form=Form.MP3, seconds=seconds
            )
            bench.gave(f"F{name}", given)
        sounds = [medium(f"slack:F{name}", REFERENCE, MediaKind.AUDIO) for name in ("one", "two", "three")]
        (fine,), (long,) = await bench.asks(*sounds[:2]), await bench.asks(*sounds)
        assert (await bench.prepare(fine)).state is State.QUEUED
        refused = await bench.prepare(long)
        assert refused.failure is not None
        assert refused.failure.detail == (
            "The sounds last 15.5 s together (one.mp3 9 s, two.mp3 6 s, three.mp3 0.5 s); at most 15 s can be given in "
            "all."
        )


# --- links as they are -----------------------------------------------------------------------------------------------


async def test_where_nothing_but_a_link_can_be_given_it_stays_when_it_fits_as_it_is(tmp_path: Path) -> None:
    async with workbench(tmp_path, reachable=False) as bench:
        bench.gave(LINK, FOX)
        (job,) = await bench.asks(medium(LINK), provider="hiapi")
        ready = await bench.prepare(job)
        assert (ready.state, ready.recipe.media) == (State.QUEUED, (medium(LINK),))
        assert list(bench.clips._clips) == []

        bench.gave(LINK, replace(FOX, mends=("7000×5000 made 6000×4286",)))
        (job,) = await bench.asks(medium(LINK), provider="hiapi")
        refused = await bench.prepare(job)
        assert refused.failure is not None
        assert "would have to be 7000×5000 made 6000×4286" in refused.failure.detail
        assert "no public address" in refused.failure.detail


async def test_a_link_given_as_it_is_may_lead_to_a_picture_that_says_where_it_was_taken(tmp_path: Path) -> None:
    """What is left out of a file of ours for its owner's sake is no reason to refuse a link, nor said of it."""
    photo, room = picture(tmp_path / "home.jpeg", 800, 600, place=True), ProcessMediaRoom(workers=1)
    try:
        async with workbench(tmp_path / "media", room=room, reachable=False) as bench:
            bench.gave(LINK, Given(name="home.jpeg", content=photo.read_bytes() + b"PK\3\4"))
            (job,) = await bench.asks(medium(LINK), provider="hiapi")
            ready = await bench.prepare(job)
            assert (ready.state, ready.recipe.media) == (State.QUEUED, (medium(LINK),))
            assert not any("left out" in note for note in await notes(bench, job))
    finally:
        await room.close()


async def test_a_file_that_cannot_be_given_is_refused_at_once_or_routed_elsewhere(tmp_path: Path) -> None:
    async with workbench(tmp_path, reachable=False) as bench:
        bench.gave("F1", FOX)
        with pytest.raises(CannotMake) as refusal:
            await bench.asks(medium("slack:F1"), provider="hiapi")
        assert refusal.value.misfits == (
            Misfit(
                option="--first",
                asked="a picture",
                allowed=(
                    "no way to be given a picture by this installation, which has no public address (whoever runs "
                    "Dailies can set one)"
                ),
            ),
        )
        assert refusal.value.able == ("muapi",)

        (job,) = await bench.asks(medium("slack:F1"))
        assert job.provider == "muapi", "which takes pictures by upload"
        with pytest.raises(CannotMake):
            await bench.asks(medium("slack:F1", MediaRole.EDIT, MediaKind.VIDEO))


# --- clips of ours ---------------------------------------------------------------------------------------------------


async def test_a_clip_of_the_thread_is_given_whole_or_by_a_frame(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        clip = await bench.clip(b"a clip")
        bench.room.known[b"a clip"] = Given(
            name="#1", content=b"a clip", kind=MediaKind.VIDEO, form=Form.MP4, seconds=4.0
        )
        root = (await bench.ask(clip)).root_ts or ""
        frames = (medium("clip:#1"), medium("clip:#1", LAST))
        for number, files in enumerate([frames, (medium("clip:#1", MediaRole.EXTEND, MediaKind.IMAGE),)]):
            taken = await bench.intake.variant(a_sender(f"v{number}"), root, 1, Changes(media=files), "")
            assert isinstance(taken, Taken)
            given = taken.jobs[0].recipe.media
            if number == 0:
                assert [one.url for one in given] == [f"clip:{clip.id}#first", f"clip:{clip.id}#last"]
            else:
                assert [(one.url, one.kind) for one in given] == [(f"clip:{clip.id}#whole", MediaKind.VIDEO)]
            (opened,) = await bench.undo_window_over(taken)
            assert (opened.state, opened.wait_reason) == (State.WAITING, WaitReason.PREPARING)
            ready = await bench.prepare(opened)
            assert (ready.state, await bench.money(ready)) == (State.QUEUED, [(HELD, "hiapi")])
            kept = [await bench.kept(one.url) for one in ready.recipe.media]
            assert kept == ([b"first of a clip", b"last of a clip"] if number == 0 else [b"a clip"])
        assert bench.room.frames == ["first", "last"]


async def test_a_clip_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        (job,) = await bench.asks()
        root = (await bench.ask(job)).root_ts or ""
        for number, refusal in ((1, ClipNotThere), (7, NoSuchClip)):
            changes = Changes(media=(medium(f"clip:#{number}"),))
            with pytest.raises(refusal):
                await bench.intake.variant(a_sender("v"), root, 1, changes, "")
            with pytest.raises(refusal):
                await bench.intake.mention(a_sender("m"), root, "a fox", changes)
        with pytest.raises(NoClipsHere):
            await bench.asks(medium("clip:#1"))


async def test_a_clip_whose_file_is_gone_since_ends_the_job_with_words(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        clip = await bench.clip()
        root = (await bench.ask(clip)).root_ts or ""
        taken = await bench.intake.mention(a_sender("m"), root, "on", Changes(media=(medium("clip:#1"),)))
        assert isinstance(taken, Taken)
        bench.clips._clips.clear()
        (opened,) = await bench.undo_window_over(taken)
        refused = await bench.prepare(opened)
        assert refused.failure is not None
        assert refused.failure.detail == "Clip #1 is not on our storage, so the first frame of #1 cannot be taken."


async def test_a_clip_that_cannot_be_read_is_called_by_its_number(tmp_path: Path) -> None:
    async with workbench(tmp_path) as bench:
        clip = await bench.clip(b"half a clip")
        bench.room.cut_short.add(b"half a clip")
        root = (await bench.ask(clip)).root_ts or ""
        taken = await bench.intake.mention(a_sender("m"), root, "on", Changes(media=(medium("clip:#1"),)))
        assert isinstance(taken, Taken)
        (opened,) = await bench.undo_window_over(taken)
        refused = await bench.prepare(opened)
        assert refused.failure is not None
        assert refused.failure.detail == (
            "the first frame of #1 announces 3,725 bytes and has 2,000; a whole file is needed."
        )


# --- with a real room ------------------------------------------------------------------------------------------------


async def test_a_real_room_mends_and_refuses(tmp_path: Path) -> None:
    """A phone's picture that lies on its side, and one that is too small: opened for real, in a process of its own."""
    turned, mouse = picture(tmp_path / "a.heic", 800, 600), picture(tmp_path / "b.png", 120, 90)
    room = ProcessMediaRoom(workers=1)
    try:
        async with workbench(tmp_path / "media", room=room) as bench:
            bench.gave("F1", Given(name="panda.heic", content=turned.read_bytes()))
            bench.gave("F2", Given(name="mouse.png", content=mouse.read_bytes()))
            (good,), (bad,) = await bench.asks(medium("slack:F1")), await bench.asks(medium("slack:F2"))
            ready, refused = await bench.prepare(good), await bench.prepare(bad)
            assert ready.state is State.QUEUED
            assert (await bench.kept(ready.recipe.media[0].url)).startswith(b"\xff\xd8\xff")
            assert await notes(bench, good) == ("panda.heic: HEIC made JPEG",)
            assert refused.failure is not None
            assert refused.failure.detail.startswith("mouse.png is 120×90 pixels")
            async with bench.storage.read() as tx:
                kept = await tx.files.stored("T1", ready.recipe.media[0].url)
            assert kept is not None
            assert (kept.mime, kept.width, kept.height) == ("image/jpeg", 800, 600)
    finally:
        await room.close()
