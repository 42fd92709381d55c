"""Every adapter against its emulator, over real HTTP, in every mode that it has: what was asked is what was sent, what
comes back is a clip that plays, and it was charged once.

A provider is a row of ``VENDORS``; the ways of asking, and what is to be sent for each, are ``tests.support.modes``.
"""

import asyncio
import io
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from bot.clock import SystemClock
from bot.domain.capabilities import Callback, Capabilities, fit
from bot.domain.failure import FailureKind
from bot.domain.recipe import Ratio, Recipe
from bot.ports import (
    Credit,
    NotGenuine,
    OrderAccepted,
    OrderRefused,
    Provider,
    TaskFailed,
    TaskFinished,
    TaskMissing,
    TaskReport,
)
from bot.providers.apimart import APIMart
from bot.providers.apimart import capabilities as apimart_capabilities
from bot.providers.empiriolabs import EmpirioLabs
from bot.providers.empiriolabs import capabilities as empiriolabs_capabilities
from bot.providers.empiriolabs import fast_capabilities as empiriolabs_fast
from bot.providers.empiriolabs import standard_capabilities as empiriolabs_standard
from bot.providers.hiapi import HiAPI
from bot.providers.hiapi import capabilities as hiapi_capabilities
from bot.providers.hiapi import standard_capabilities as hiapi_standard
from bot.providers.muapi import Muapi
from bot.providers.muapi import capabilities as muapi_capabilities
from bot.providers.muapi import standard_capabilities as muapi_standard
from bot.providers.muapi import vip_capabilities as muapi_vip
from bot.providers.seedanceapi import SeedanceAPI
from bot.providers.seedanceapi import capabilities as seedanceapi_capabilities
from bot.providers.seedanceapi import standard_capabilities as seedanceapi_standard_capabilities
from bot.sandbox.render import frame_size
from tests.support.backstage import Backstage, Ear, backstage, shelf
from tests.support.modes import as_sent, sent, ways

SECRET = "s3cret-s3cret-s3cret"


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """One provider: its tiers, and how an adapter is made of a base address and a key."""

    name: str
    tiers: tuple[Capabilities, ...]
    connect: Callable[[str, str], Provider]


VENDORS = (
    Vendor(
        name="hiapi",
        tiers=(hiapi_capabilities(signed=True), hiapi_standard(signed=True)),
        connect=lambda base, key: HiAPI(key=key, clock=SystemClock(), base_url=base, webhook_secret=SECRET),
    ),
    Vendor(
        name="apimart",
        tiers=apimart_capabilities(),
        connect=lambda base, key: APIMart(key=key, clock=SystemClock(), base_url=base),
    ),
    Vendor(
        name="muapi",
        tiers=(muapi_capabilities(), muapi_standard(), muapi_vip()),
        connect=lambda base, key: Muapi(key=key, clock=SystemClock(), base_url=base),
    ),
    Vendor(
        name="seedanceapi",
        tiers=(seedanceapi_capabilities(), seedanceapi_standard_capabilities()),
        connect=lambda base, key: SeedanceAPI(key=key, clock=SystemClock(), base_url=base),
    ),
    Vendor(
        name="empiriolabs",
        tiers=(empiriolabs_capabilities(), empiriolabs_fast(), empiriolabs_standard()),
        connect=lambda base, key: EmpirioLabs(key=key, clock=SystemClock(), base_url=base),
    ),
)
TIERS = [pytest.param(vendor, can, id=f"{vendor.name}-{can.tier}") for vendor in VENDORS for can in vendor.tiers]
NAMES = [vendor.name for vendor in VENDORS]


@pytest.fixture
async def stage(data: Path) -> AsyncIterator[Backstage]:
    async with backstage(data) as stage:
        yield stage


@asynccontextmanager
async def client_of(vendor: Vendor, stage: Backstage, key: str | None = None) -> AsyncIterator[Provider]:
    """An adapter before its emulator, by default with the key that it takes."""
    provider = vendor.connect(stage.base(vendor.name), key or stage.key(vendor.name))
    try:
        yield provider
    finally:
        await provider.close()


async def ended(provider: Provider, task_id: str) -> TaskReport:
    """The last word about a task."""
    deadline = time.monotonic() + 20
    while True:
        report = await provider.look(task_id)
        if isinstance(report, TaskFinished | TaskFailed | TaskMissing):
            return report
        assert time.monotonic() < deadline, report
        await asyncio.sleep(0.05)


async def fetched(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(url)).raise_for_status()


@pytest.mark.parametrize(("vendor", "can"), TIERS)
async def test_every_mode_becomes_a_clip_that_was_asked_for_so(
    vendor: Vendor, can: Capabilities, stage: Backstage, media: str, ear: Ear
) -> None:
    if can.callback is Callback.SIGNED:
        await stage.settings(vendor.name, webhook_secret=SECRET)
    async with client_of(vendor, stage) as provider:
        assert can in provider.capabilities
        before, tasks = await stage.balance(vendor.name), []
        for way, recipe in ways(can, media).items():
            assert fit(recipe, can) == ()
            key = f"{vendor.name}-{can.tier}-{way}"
            accepted = await provider.submit(provider.order(recipe, key, ear.url if can.callback else None))
            assert isinstance(accepted, OrderAccepted), (way, accepted)
            report = await ended(provider, accepted.task_id)
            assert isinstance(report, TaskFinished), (way, report)
            charge = (await stage.charges(vendor.name))[-1]
            tasks.append(accepted.task_id)
            assert (charge["task_id"], charge["status"]) == (accepted.task_id, "settled")
            assert charge["key"] == (key if can.idempotency else None)
            assert report.cost_micro_usd in {None, charge["micro_usd"]}
            await _shows(report, recipe, can, charge["seconds"])
            recorded = as_sent((await stage.tasks(vendor.name))[-1], vendor.name, media)
            assert recorded == sent(vendor.name, can.tier, way), way
        charges = await stage.charges(vendor.name)
        assert [charge["task_id"] for charge in charges] == tasks, "one charge an order"
        assert before - await stage.balance(vendor.name) == sum(charge["micro_usd"] for charge in charges)
        await _tells(provider, can, stage, ear, tasks)


async def _shows(report: TaskFinished, recipe: Recipe, can: Capabilities, seconds: int) -> None:
    """The clip is as it was asked for, and the last frame came with it where there is one."""
    assert recipe.seconds in {None, seconds}
    ratio = "4:3" if recipe.ratio is Ratio.ADAPTIVE else recipe.ratio.value
    with av.open(io.BytesIO((await fetched(report.url)).content), "r") as clip:
        picture = clip.streams.video[0]
        assert (picture.width, picture.height) == frame_size(recipe.resolution.value, ratio)
        assert round((clip.duration or 0) / av.time_base) == seconds
        assert bool(clip.streams.audio) is recipe.audio
    assert (report.last_frame_url is not None) is can.returns_last_frame
    if report.last_frame_url is not None:
        assert (await fetched(report.last_frame_url)).headers["content-type"] == "image/jpeg"


async def _tells(provider: Provider, can: Capabilities, stage: Backstage, ear: Ear, tasks: list[str]) -> None:
    """What a provider tells beside its tasks: callbacks, the list, the balance, and that all is well."""
    if can.callback:
        callbacks = await ear.wait(len(tasks))
        assert sorted(str(provider.told(headers, body)) for headers, body in callbacks) == sorted(tasks)
    if can.callback is Callback.SIGNED:
        headers, body = ear.heard[0]
        with pytest.raises(NotGenuine):
            provider.told(headers, body + b" ")
    listed = await provider.look_at_all(tasks)
    assert set(listed) == (set(tasks) if can.lists_tasks else set())
    assert all(isinstance(report, TaskFinished) for report in listed.values())
    balance = Credit(micro_usd=await stage.balance(can.provider)) if can.balance else None
    assert await provider.balance() == balance
    assert await provider.check() is None


@pytest.mark.parametrize("vendor", VENDORS, ids=NAMES)
async def test_a_vendor_says_no_in_words_that_are_understood(vendor: Vendor, stage: Backstage, media: str) -> None:
    """A bad key, no money, a file that is not there, a prompt that is not allowed: nothing is charged for any."""
    can = vendor.tiers[0]
    async with client_of(vendor, stage) as provider:
        plain = ways(can, media)["text"]

        stage.outcome(vendor.name, "fail", reason="policy")
        accepted = await provider.submit(provider.order(plain, "no-1"))
        assert isinstance(accepted, OrderAccepted)
        failed = await ended(provider, accepted.task_id)
        assert isinstance(failed, TaskFailed)
        assert (failed.failure.kind, failed.charged) == (FailureKind.POLICY, False)
        assert [charge["status"] for charge in await stage.charges(vendor.name)] == ["refunded"]

        framed = ways(can, f"{media}/missing")["first_frame"]
        refused = await provider.submit(provider.order(framed, "no-2"))
        assert isinstance(refused, OrderRefused)
        assert refused.failure.kind is FailureKind.BAD_REFERENCE

        await stage.settings(vendor.name, balance=0)
        refused = await provider.submit(provider.order(plain, "no-3"))
        assert isinstance(refused, OrderRefused)
        assert refused.failure.kind is FailureKind.OUT_OF_CREDIT
        if can.balance:
            assert await provider.balance() == Credit(micro_usd=0)
            broke = await provider.check()
            assert broke is not None
            assert broke.kind is FailureKind.OUT_OF_CREDIT

    async with client_of(vendor, stage, "another-key") as stranger:
        refused = await stranger.submit(stranger.order(plain, "no-4"))
        assert isinstance(refused, OrderRefused)
        assert refused.failure.kind is FailureKind.KEY_REFUSED
        checked = await stranger.check()
        assert checked is not None
        assert checked.kind is FailureKind.KEY_REFUSED
    assert len(await stage.charges(vendor.name)) == 1


LOST: tuple[tuple[str, dict[str, Any]], ...] = (
    ("reset", {}),
    ("half_body", {}),
    ("status", {"status": 502, "body": "<html>"}),
)


@pytest.mark.parametrize("vendor", VENDORS, ids=NAMES)
async def test_an_answer_lost_after_the_charge_is_found_by_its_key_or_stays_unknown(
    vendor: Vendor, stage: Backstage, media: str
) -> None:
    """The same key and bytes again, where keys are honoured: the same task, one charge."""
    can = vendor.tiers[0]
    async with client_of(vendor, stage) as provider:
        order = provider.order(ways(can, media)["text"], "lost-1")
        for kind, action in LOST:
            stage.fault(f"{vendor.name}:create", "amid", kind, **action)
            assert not isinstance(await provider.submit(order), OrderAccepted | OrderRefused), kind
            if can.idempotency is None or not can.idempotency.verified:
                break
        charges = await stage.charges(vendor.name)
        assert len(charges) == 1
        if can.idempotency is not None and can.idempotency.verified:
            found = await provider.submit(order)
            assert isinstance(found, OrderAccepted)
            assert (found.task_id, found.replayed is False) == (charges[0]["task_id"], False)
            assert len(await stage.charges(vendor.name)) == 1


async def test_a_picture_given_to_many_clips_at_once_is_never_there_half(stage: Backstage, tmp_path: Path) -> None:
    """Whoever renders one of them may read it at any moment."""
    large = io.BytesIO()
    Image.new("RGB", (3000, 2500), "teal").save(large, format="BMP")
    face = stage.providers._faces["apimart"]
    others = set(face.farm.folder.glob("reference-*"))
    seen: set[int] = set()
    done = threading.Event()

    def watch() -> None:
        last = False
        while not last:
            last = done.is_set()
            there = set(face.farm.folder.glob("reference-*")) - others
            seen.update(one.stat().st_size for one in there)

    async with shelf(tmp_path, {"large.bmp": large.getvalue()}) as media:
        watching = asyncio.create_task(asyncio.to_thread(watch))
        kept = [await face.fetch([(f"{media}/large.bmp", "image")]) for _ in range(3)]
        done.set()
        await watching
    assert len(set(kept)) == 1
    assert seen == {len(large.getvalue())}
