"""A file of ours in a provider's hands: by its upload, behind a signed link, in the order itself. Every emulator reads
the bytes that it is given, and charges for clips alone."""

import hashlib
import io
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from bot.clock import SystemClock
from bot.domain.failure import FailureKind
from bot.domain.handing import data_uri
from bot.domain.recipe import MINI, STANDARD, MediaKind, MediaRole, Medium, Recipe, Resolution
from bot.links import SignedLinks
from bot.media import ProcessMediaRoom
from bot.ports import (
    ClipsUnavailable,
    OrderAccepted,
    OrderOutcome,
    OrderRefused,
    Provider,
    Uploaded,
    UploadFailed,
    UploadOutcome,
    UploadRefused,
)
from bot.providers import _uploads
from bot.providers.apimart import APIMart
from bot.providers.empiriolabs import EmpirioLabs
from bot.providers.hiapi import HiAPI
from bot.providers.muapi import Muapi
from bot.providers.seedanceapi import SeedanceAPI
from bot.web.media import PREFIX, MediaEndpoint
from bot.web.server import serving
from bot.web.site import Site
from storage import MemoryClips
from tests.support.backstage import Backstage, backstage, shelf
from tests.support.files import picture

MAKERS: Mapping[str, Callable[..., Provider]] = {
    "hiapi": HiAPI,
    "apimart": APIMart,
    "muapi": Muapi,
    "seedanceapi": SeedanceAPI,
    "empiriolabs": EmpirioLabs,
}
pytestmark = pytest.mark.asyncio(loop_scope="module")
UPLOADING = ("apimart", "muapi")
NAMES = {MediaKind.IMAGE: "a.png", MediaKind.VIDEO: "b.mp4", MediaKind.AUDIO: "c.wav"}
TYPES = {MediaKind.IMAGE: "image/png", MediaKind.VIDEO: "video/mp4", MediaKind.AUDIO: "audio/wav"}


async def chunks(content: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@dataclass(kw_only=True)
class Studio:
    """The emulated providers, files to give them, and the adapters. All tests share them: what was charged and asked
    counts from a test's beginning."""

    stage: Backstage
    files: Mapping[MediaKind, bytes]
    providers: Mapping[str, Provider]
    charged: dict[str, int] = field(default_factory=dict)
    uploaded: dict[str, int] = field(default_factory=dict)

    async def begin(self) -> None:
        self.stage.faults.clear()
        for name in MAKERS:
            await self.stage.settings(name, dialect="document", upload_seconds=3600)
            self.charged[name] = len(await self.stage.charges(name))
            self.uploaded[name] = (await self.stage.requests(name)).get("upload", 0)

    async def charges(self, name: str) -> int:
        return len(await self.stage.charges(name)) - self.charged[name]

    async def uploads(self, name: str) -> int:
        return (await self.stage.requests(name)).get("upload", 0) - self.uploaded[name]

    async def upload(self, vendor: str, kind: MediaKind, content: bytes | None = None, **more: Any) -> UploadOutcome:
        content = self.files[kind] if content is None else content
        file: dict[str, Any] = {
            "name": NAMES[kind],
            "mime": TYPES[kind],
            "size": len(content),
            "chunks": chunks(content),
        }
        return await self.providers[vendor].upload(kind, **(file | more))

    async def order(self, name: str, *media: Medium, tier: str = MINI) -> OrderOutcome:
        recipe = Recipe(prompt="a red panda surfing", tier=tier, resolution=Resolution.P480, media=media)
        provider = self.providers[name]
        return await provider.submit(provider.order(recipe, secrets.token_hex(8)))


@asynccontextmanager
async def connected(stage: Backstage, **keys: str) -> AsyncIterator[Mapping[str, Provider]]:
    made = {
        name: make(key=keys.get(name, stage.key(name)), clock=SystemClock(), base_url=stage.base(name))
        for name, make in MAKERS.items()
    }
    try:
        yield made
    finally:
        for provider in made.values():
            await provider.close()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests, so that what is encoded for one serves the others."""
    return tmp_path_factory.mktemp("uploads")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(data_dir: Path) -> AsyncIterator[Studio]:
    async with backstage(data_dir) as stage, connected(stage) as providers, shelf(data_dir) as media:
        async with httpx.AsyncClient(base_url=media, trust_env=False) as http:
            files = {kind: (await http.get(f"/{name}")).content for kind, name in NAMES.items()}
        yield Studio(stage=stage, files=files, providers=providers)


@pytest_asyncio.fixture(loop_scope="module")
async def studio(house: Studio) -> Studio:
    await house.begin()
    return house


def medium(kind: MediaKind, url: str, role: MediaRole = MediaRole.REFERENCE) -> Medium:
    return Medium(role=role, kind=kind, url=url)


def first(url: str) -> Medium:
    return medium(MediaKind.IMAGE, url, MediaRole.FIRST)


# --- uploads ---------------------------------------------------------------------------------------------------------


async def test_apimart_takes_a_picture_for_72_hours_and_makes_a_clip_of_it(studio: Studio) -> None:
    before = datetime.now(UTC)
    given = await studio.upload("apimart", MediaKind.IMAGE)
    assert isinstance(given, Uploaded)
    assert given.expires_at is not None
    assert timedelta(hours=72) - timedelta(seconds=5) < given.expires_at - before <= timedelta(hours=72, seconds=5)
    assert given.url not in repr(given)
    assert await _served(given.url) == studio.files[MediaKind.IMAGE]
    assert await studio.charges("apimart") == 0, "an upload costs nothing"

    assert isinstance(await studio.order("apimart", first(given.url)), OrderAccepted)
    assert await studio.charges("apimart") == 1


@pytest.mark.parametrize("dialect", ["document", "live"])
async def test_muapi_takes_every_kind_and_makes_a_clip_of_all(studio: Studio, dialect: str) -> None:
    await studio.stage.settings("muapi", dialect=dialect)
    media = []
    for kind in MediaKind:
        given = await studio.upload("muapi", kind)
        assert isinstance(given, Uploaded)
        assert given.expires_at is None, "Muapi names no end"
        assert await _served(given.url) == studio.files[kind]
        media.append(medium(kind, given.url))

    assert isinstance(await studio.order("muapi", *media), OrderAccepted)
    assert (await studio.stage.charges("muapi"))[-1]["kind"] == "references"
    assert (await studio.charges("muapi"), await studio.uploads("muapi")) == (1, 3)


@pytest.mark.parametrize(
    "answer",
    [
        {"url": "https://cdn.muapi.example/a.png"},
        {"file_url": "https://cdn.muapi.example/a.png"},
        {"data": {"url": "https://cdn.muapi.example/a.png"}},
        {"output": ["https://cdn.muapi.example/a.png"]},
    ],
)
async def test_muapis_address_is_found_wherever_clients_read_it(studio: Studio, answer: dict[str, object]) -> None:
    studio.stage.fault("muapi:upload", "amid", "status", status=200, body=answer)
    assert await studio.upload("muapi", MediaKind.IMAGE) == Uploaded(
        url="https://cdn.muapi.example/a.png", expires_at=None
    )


@pytest.mark.parametrize("name", MAKERS)
async def test_what_is_declared_is_what_is_taken(studio: Studio, name: str) -> None:
    """Of a kind that is not taken nothing is sent."""
    provider = studio.providers[name]
    for kind in MediaKind:
        declared = {kind in can.uploads for can in provider.capabilities}
        given = await studio.upload(name, kind)
        assert {isinstance(given, Uploaded)} == declared
        if not isinstance(given, Uploaded):
            assert isinstance(given, UploadRefused)
            assert given.failure.kind is FailureKind.BAD_REFERENCE
    assert await studio.uploads(name) == len(provider.capabilities[0].uploads)


@pytest.mark.parametrize("name", UPLOADING)
async def test_what_an_upload_takes_is_what_pictures_are_made_for_it(studio: Studio, name: str, tmp_path: Path) -> None:
    """Each published form goes through as that provider's limits have it: as it is, or as one that its upload takes."""
    limits, room = studio.providers[name].capabilities[0].limits, ProcessMediaRoom(workers=1)
    try:
        for suffix in ("jpeg", "png", "webp", "gif", "bmp", "tiff"):
            file = picture(tmp_path / f"a.{suffix}", 640, 480, mode="P" if suffix == "gif" else "RGB")
            made = await room.prepare(file, name=file.name, wanted=MediaKind.IMAGE, limits=limits, into=tmp_path)
            kept = name == "muapi" or suffix not in {"bmp", "tiff"}
            assert made.form == (suffix if kept else "png")
            assert [mend.words for mend in made.mends] == ([] if kept else [f"{suffix.upper()} made PNG"])
            given = await studio.upload(name, MediaKind.IMAGE, made.path.read_bytes(), mime=made.mime)
            assert isinstance(given, Uploaded), suffix
            assert isinstance(await studio.order(name, first(given.url)), OrderAccepted)
    finally:
        await room.close()
    assert await studio.charges(name) == 6


async def test_the_name_and_type_go_along_and_cannot_break_the_form(studio: Studio) -> None:
    odd = 'a".png"\r\nX-Evil: 1\r\n\r\n../b c.png'
    given = await studio.upload("muapi", MediaKind.IMAGE, name=odd)
    assert isinstance(given, Uploaded)
    assert given.url.endswith("a-.png-X-Evil-1-..-b-c.png")
    assert await _served(given.url) == studio.files[MediaKind.IMAGE]


@pytest.mark.parametrize("name", UPLOADING)
async def test_a_refused_key_is_told_apart_from_a_refused_file(studio: Studio, name: str) -> None:
    broken = await studio.upload(name, MediaKind.IMAGE, b"<!DOCTYPE html>")
    assert isinstance(broken, UploadRefused)
    assert broken.failure.kind is FailureKind.BAD_REFERENCE
    assert broken.failure.detail
    large = studio.files[MediaKind.IMAGE] + bytes(51 * 1024 * 1024)
    too_large = await studio.upload(name, MediaKind.IMAGE, large)
    assert isinstance(too_large, UploadRefused)
    assert (too_large.failure.kind, "large" in too_large.failure.detail) == (FailureKind.BAD_REFERENCE, True)

    async with connected(studio.stage, **{name: "another-key"}) as strangers:
        stranger = Studio(stage=studio.stage, files=studio.files, providers=strangers)
        refused = await stranger.upload(name, MediaKind.IMAGE)
    assert isinstance(refused, UploadRefused)
    assert refused.failure.kind is FailureKind.KEY_REFUSED
    assert "another-key" not in refused.failure.detail


@pytest.mark.parametrize("name", UPLOADING)
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (("before", "status", {"status": 503}), "HTTP 503"),
        (("before", "ratelimit", {"retry_after": "7"}), "HTTP 429"),
        (("before", "status", {"status": 408}), "HTTP 408"),
        (("amid", "garbage", {}), "HTTP 200 without an address"),
        (("amid", "html", {}), "HTTP 200 without an address"),
        (("amid", "status", {"status": 200, "body": {"url": "javascript:1"}}), "HTTP 200 without an address"),
        (("amid", "endless", {}), "the answer is larger than any real one"),
        (("amid_request", "reset", {}), "(Read|Write|Remote).*Error"),
        (("before", "close", {}), "(Read|Write|Remote).*Error"),
        (("amid", "half_body", {}), "RemoteProtocolError"),
    ],
)
async def test_trouble_passes_and_the_next_upload_goes_through(
    studio: Studio, name: str, fault: tuple[str, str, dict[str, Any]], why: str
) -> None:
    phase, kind, action = fault
    studio.stage.fault(f"{name}:upload", phase, kind, **action)
    failed = await studio.upload(name, MediaKind.IMAGE)
    assert isinstance(failed, UploadFailed)
    assert re.fullmatch(why, failed.why)
    assert failed.retry_after_seconds == (7.0 if kind == "ratelimit" else None)
    assert isinstance(await studio.upload(name, MediaKind.IMAGE), Uploaded)


@pytest.mark.parametrize("name", UPLOADING)
async def test_an_upload_that_is_gone_is_not_asked_for_again(studio: Studio, name: str) -> None:
    for status in (404, 405):
        studio.stage.fault(f"{name}:upload", "before", "status", status=status)
        refused = await studio.upload(name, MediaKind.IMAGE)
        assert isinstance(refused, UploadRefused)
        assert refused.failure.kind is FailureKind.PROVIDER
    studio.stage.fault(f"{name}:upload", "before", "redirect", location="http://127.0.0.1:9/elsewhere")
    assert isinstance(await studio.upload(name, MediaKind.IMAGE), UploadRefused), "key and file are not sent on"


async def test_an_answer_that_does_not_come_ends_the_upload(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_uploads, "UPLOAD_DEADLINE_SECONDS", 0.3)
    studio.stage.fault("apimart:upload", "before", "hang", seconds=30)
    began = time.monotonic()
    assert await studio.upload("apimart", MediaKind.IMAGE) == UploadFailed(why="TimeoutError")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("name", UPLOADING)
async def test_a_file_that_cannot_be_read_to_its_end_is_not_uploaded(studio: Studio, name: str) -> None:
    content = studio.files[MediaKind.IMAGE]

    async def breaking() -> AsyncIterator[bytes]:
        yield content[:100]
        raise ClipsUnavailable("The store is away.")

    assert await studio.upload(name, MediaKind.IMAGE, chunks=breaking()) == UploadFailed(why="ClipsUnavailable")
    for stated in (len(content) - 1, len(content) + 1):
        assert isinstance(await studio.upload(name, MediaKind.IMAGE, size=stated), UploadFailed)


@pytest.mark.parametrize("name", UPLOADING)
async def test_an_upload_that_has_expired_makes_no_clip_and_costs_nothing(studio: Studio, name: str) -> None:
    await studio.stage.settings(name, upload_seconds=0)
    given = await studio.upload(name, MediaKind.IMAGE)
    assert isinstance(given, Uploaded)
    refused = await studio.order(name, first(given.url))
    assert isinstance(refused, OrderRefused)
    assert refused.failure.kind is FailureKind.BAD_REFERENCE
    assert await studio.charges(name) == 0


# --- links of ours ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
async def test_every_provider_fetches_a_signed_link_and_none_a_dead_one(studio: Studio, name: str) -> None:
    clips, clock = MemoryClips(), SystemClock()
    stored = await clips.put("T1", chunks(studio.files[MediaKind.IMAGE]), limit_bytes=10_000_000)
    links: dict[str, SignedLinks] = {}
    asked: list[str] = []

    class Following:
        """The links, and what was asked of them."""

        reachable = True

        def link(self, workspace: str, key: str, mime: str, *, now: datetime) -> str | None:
            return links["ours"].link(workspace, key, mime, now=now)

        def follow(self, token: str, *, now: datetime) -> Any:
            asked.append(token)
            return links["ours"].follow(token, now=now)

    door = MediaEndpoint(links=Following(), clips=clips, clock=clock)
    async with serving(Site(exact={}, under={PREFIX: door}, otherwise=_nowhere), "127.0.0.1", 0) as port:
        links["ours"] = SignedLinks(public_url=f"http://127.0.0.1:{port}", keys=["secret-of-this-test-" * 2])
        alive = links["ours"].link("T1", stored.key, "image/png", now=clock.now())
        dead = links["ours"].link("T1", stored.key, "image/png", now=clock.now() - timedelta(days=5))
        assert alive is not None
        assert dead is not None
        refused = await studio.order(name, first(dead))
        assert isinstance(refused, OrderRefused)
        assert refused.failure.kind is FailureKind.BAD_REFERENCE
        assert dead not in refused.failure.detail
        assert isinstance(await studio.order(name, first(alive)), OrderAccepted)
    assert asked == [dead.rpartition("/")[2], alive.rpartition("/")[2]]
    assert await studio.charges(name) == 1


# --- data URIs -------------------------------------------------------------------------------------------------------


async def test_hiapis_standard_model_takes_pictures_in_the_order_itself(studio: Studio) -> None:
    content = studio.files[MediaKind.IMAGE]
    inline = data_uri("image/png", content)
    outcome = await studio.order("hiapi", first(inline), medium(MediaKind.IMAGE, inline, MediaRole.LAST), tier=STANDARD)
    assert isinstance(outcome, OrderAccepted)
    (kept,) = [one.read_bytes() for one in _kept(studio) if hashlib.sha256(content).hexdigest()[:32] in one.name]
    assert kept == content
    again = await studio.order("hiapi", medium(MediaKind.IMAGE, inline), tier=STANDARD)
    assert isinstance(again, OrderAccepted)


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,",
        "data:image/png;base64,####",
        "data:image/png,abc",
        "data:text/html;base64,PGI+",
        data_uri("image/png", b"no picture at all"),
        data_uri("image/svg+xml", b"<svg/>"),
    ],
)
async def test_what_is_no_picture_is_refused_in_the_order_too(studio: Studio, url: str) -> None:
    refused = await studio.order("hiapi", first(url), tier=STANDARD)
    assert isinstance(refused, OrderRefused)
    assert await studio.charges("hiapi") == 0


async def test_a_picture_has_to_be_of_the_type_that_is_said(studio: Studio) -> None:
    file = io.BytesIO()
    Image.new("RGB", (640, 480), "teal").save(file, format="JPEG")
    refused = await studio.order("hiapi", first(data_uri("image/png", file.getvalue())), tier=STANDARD)
    assert isinstance(refused, OrderRefused)
    taken = await studio.order("hiapi", first(data_uri("image/jpeg", file.getvalue())), tier=STANDARD)
    assert isinstance(taken, OrderAccepted)


@pytest.mark.parametrize("name", MAKERS)
async def test_nobody_else_takes_files_in_the_order(studio: Studio, name: str) -> None:
    """HiAPI's mini tier among them."""
    refused = await studio.order(name, first(data_uri("image/png", studio.files[MediaKind.IMAGE])))
    assert isinstance(refused, OrderRefused)
    assert "base64," not in refused.failure.detail, "nobody wants to read that"
    assert await studio.charges(name) == 0


def _kept(studio: Studio) -> list[Path]:
    return list(studio.stage.providers._faces["hiapi"].farm.folder.glob("reference-*"))


async def _served(url: str) -> bytes:
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(url)).raise_for_status().content


async def _nowhere(scope: object, receive: object, send: object) -> None:
    raise AssertionError("the request went elsewhere")
