"""Every way of asking that any provider has, typed in Slack: what was asked is ordered field by field as the provider
documents it; the clip stands in the thread as it was asked for, and was charged once."""

import asyncio
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import httpx
import pytest
from PIL import Image

from bot.domain.recipe import MediaRole, Ratio, Recipe
from bot.sandbox.render.sizes import frame_size
from bot.vendors import VENDORS
from tests.sandbox.driver import Json
from tests.scenarios.bot import Stage
from tests.scenarios.conftest import HTTP_IN_THE_STORM, MakeStage
from tests.scenarios.rush import BUSY
from tests.support.backstage import shelf
from tests.support.documented import EXAMPLES
from tests.support.loopback import unused_port
from tests.support.modes import MEDIA, PROMPT, as_sent, sent, typed, ways
from tests.support.stamps import STAMP, stamp_of

TYPISTS = 5
SIGNING_KEY = "a-signing-key-of-this-stage"
BOX_HEADER = 8
"""Bytes in front of the stamp: clips that differ in nothing else are played once."""

_GIVEN = re.compile(
    rf"(?:{re.escape(MEDIA)}|http://127\.0\.0\.1:\d+/(?:media|apimart/files|muapi/uploads))"
    r"/[^\"]*?\.(?P<ending>png|mp4|wav)"
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One clip that somebody types for. No other has its ``prompt``; ``request`` is what is to arrive at the provider,
    with the prompt ``there``. ``last_frame`` says that the provider is to return one."""

    provider: str
    recipe: Recipe
    prompt: str
    there: str
    request: Json
    last_frame: bool


def everything(media: str) -> Iterator[Wanted]:
    """All ways of all tiers, and the examples of the documents."""
    for provider, vendor in VENDORS.items():
        for can in vendor.tiers:
            for way, recipe in ways(can, media).items():
                yield Wanted(
                    provider=provider,
                    recipe=recipe,
                    prompt=f"{PROMPT}, {provider} {can.tier} {way.replace('_', ' ')}",
                    there=PROMPT,
                    request=sent(provider, can.tier, way),
                    last_frame=can.returns_last_frame,
                )
    for example in EXAMPLES:
        files = tuple(replace(one, url=one.url.replace(MEDIA, media)) for one in example.recipe.media)
        yield Wanted(
            provider=example.provider,
            recipe=replace(example.recipe, media=files),
            prompt=example.recipe.prompt,
            there=example.recipe.prompt,
            request=example.request,
            last_frame=VENDORS[example.provider].tiers[0].returns_last_frame,
        )


@HTTP_IN_THE_STORM
@pytest.mark.timeout(240)
async def test_whatever_a_provider_has_is_asked_for_as_it_documents_and_arrives(
    stage: MakeStage, tmp_path: Path
) -> None:
    """All at the same time, from one bot with all five providers."""
    port = str(unused_port())
    async with (
        shelf(tmp_path) as media,
        stage(
            tmp_path,
            sandbox={"ack_timeout": 60.0},  # how soon so many are answered at once is the machine's affair
            PROVIDERS=",".join(VENDORS),
            HTTP_PORT=port,
            PUBLIC_URL=f"http://127.0.0.1:{port}",
            HIAPI_WEBHOOK_SECRET=SIGNING_KEY,
            PROVIDER_CONCURRENCY="30",
            MAX_RUNNING_PER_PERSON="200",
            CONFIRM_ABOVE_USD="100",
            start=False,
        ) as play,
    ):
        hosts = f"{play.bot.environment['ALLOWED_FETCH_HOSTS']},{media.removeprefix('http://')}"
        await play.start_bot(ALLOWED_FETCH_HOSTS=hosts)
        for name in VENDORS:
            await play.studio.post(f"/providers/{name}/settings", render_seconds=0, fidelity="cached")
        await play.provider(webhook_secret=SIGNING_KEY)
        wanted = list(everything(media))
        await asyncio.gather(*(type_all(play, wanted[first::TYPISTS]) for first in range(TYPISTS)))
        await play.at_rest(timeout=180)
        await everything_arrived_once_as_asked(play, wanted, media)
        assert play.sums()["held_micro_usd"] == 0


async def type_all(play: Stage, wanted: list[Wanted]) -> None:
    """One after another; again where a busy bot has said that it took nothing."""
    for one in wanted:
        said = BUSY
        while BUSY in said:
            said = (await play.studio.slash("maya", typed(one.recipe, one.provider, one.prompt)))["payload"]["text"]
        assert "is accepted" in said, said


async def everything_arrived_once_as_asked(play: Stage, wanted: list[Wanted], media: str) -> None:
    """What each provider was asked for and charged, and what stands in the threads."""
    clips = await clips_by_task(play)
    threads = {message["ts"]: message["text"] for message in await play.studio.messages()}
    plays: dict[bytes, Shown] = {}
    for name in VENDORS:
        for made in await made_by(play, name, [one for one in wanted if one.provider == name]):
            assert made.sent(media) == given_somehow(made.wanted.request), made.wanted.prompt
            message, contents = clips.pop(made.task["id"])
            assert f"“{made.wanted.prompt}”" in threads[message["thread_ts"]]
            film = contents[: contents.rindex(STAMP) - BOX_HEADER]
            if film not in plays:
                plays[film] = await asyncio.to_thread(shown, film)
            assert plays[film] == made.looks, made.wanted.prompt
            await last_frame_is_there(made)
    assert clips == {}, "nothing else arrived"


def given_somehow(request: Json) -> Json:
    """A request in which a file is told by its ending alone: what people link to is fetched, and given by a link of
    ours or by the provider's upload. Which file is in which field is seen where links go as they are
    (``tests/sandbox/test_adapters.py``)."""
    found: Json = json.loads(_GIVEN.sub(rf"{MEDIA}/given.\g<ending>", json.dumps(request)))
    return found


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What is seen and heard of a clip: pixels, seconds, and whether it has sound."""

    size: tuple[int, int]
    seconds: int
    sound: bool


@dataclass(frozen=True, kw_only=True)
class Made:
    """A provider's task and its one charge, and what was typed for it."""

    wanted: Wanted
    task: Json
    charge: Json

    def sent(self, media: str) -> Json:
        """The request as it came, with the fixture's prompt and addresses."""
        body = self.task["body"].replace(in_json(self.wanted.prompt), in_json(self.wanted.there))
        return given_somehow(as_sent(self.task | {"body": body}, self.wanted.provider, media))

    @property
    def looks(self) -> Shown:
        """What its clip is to be. ``adaptive`` is the shape of the first frame; an automatic length is the charged."""
        recipe = self.wanted.recipe
        shape = "4:3" if recipe.given(MediaRole.FIRST) else "16:9"
        ratio = shape if recipe.ratio is Ratio.ADAPTIVE else recipe.ratio.value
        return Shown(
            size=frame_size(recipe.resolution.value, ratio),
            seconds=self.charge["seconds"] if recipe.seconds is None else recipe.seconds,
            sound=recipe.audio,
        )


async def made_by(play: Stage, name: str, wanted: list[Wanted]) -> list[Made]:
    """What a provider made: each once, for one request and one charge that stands."""
    tasks = {task["id"]: task for task in (await play.studio.get(f"/providers/{name}/tasks"))["tasks"]}
    charges = (await play.studio.get(f"/providers/{name}/ledger"))["charges"]
    assert (await play.studio.get(f"/providers/{name}/requests"))["create"] == len(wanted)
    assert sorted(charge["task_id"] for charge in charges) == sorted(tasks)
    assert {charge["status"] for charge in charges} == {"settled"}
    # What a video is for may be said in front of the words that were typed.
    made = [
        Made(wanted=one, task=tasks[charge["task_id"]], charge=charge)
        for one in wanted
        for charge in charges
        if charge["prompt"].endswith(one.prompt)
    ]
    assert len(made) == len(wanted) == len(tasks)
    return made


async def clips_by_task(play: Stage) -> dict[str, tuple[Json, bytes]]:
    """The message and the file of each clip that stands, by the provider's task that is stamped into it."""
    found: dict[str, tuple[Json, bytes]] = {}
    for message in await play.clip_messages():
        (file,) = message["files"]
        contents = await play.studio.file(file["id"])
        task = stamp_of(contents)["task_id"]
        assert task not in found, "no clip stands twice"
        found[task] = message, contents
    return found


def shown(film: bytes) -> Shown:
    """Play it to its end."""
    with av.open(io.BytesIO(film), "r") as clip:
        picture = clip.streams.video[0]
        frames = sum(1 for _ in clip.decode(picture))
        return Shown(
            size=(picture.width, picture.height),
            seconds=round(frames / float(picture.average_rate or 1)),
            sound=bool(clip.streams.audio),
        )


async def last_frame_is_there(made: Made) -> None:
    """Where the provider returns one it was asked for, and is a picture of the clip's size."""
    frames = [url for url in made.task["urls"] if url.endswith(".jpg")]
    assert len(frames) == made.wanted.last_frame, made.wanted.prompt
    for url in frames:
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = (await http.get(url)).raise_for_status()
        with Image.open(io.BytesIO(answer.content)) as picture:
            assert (picture.format, picture.size) == ("JPEG", made.looks.size)


def in_json(words: str) -> str:
    """Words as they stand in a body."""
    return json.dumps(words)[1:-1]
