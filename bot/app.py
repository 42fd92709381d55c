"""The composition root: the only file that knows everybody. It opens every resource in order and closes them in the
reverse, and decides how the program stops."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from pydantic import SecretStr

from bot.clock import SystemClock
from bot.domain.budget import Caps
from bot.domain.patience import backoff
from bot.domain.pricing import PriceTable
from bot.fetch import GuardedFetcher
from bot.ports import ChatError, Clips, Storage, StorageError
from bot.providers import hiapi
from bot.scheduler import start_ticks
from bot.services.doorbell import Doorbell
from bot.services.intake import Intake
from bot.services.lease import RENEW_EVERY_SECONDS, Lease
from bot.services.policy import Policy
from bot.services.routing import Router
from bot.services.runner import Runner
from bot.settings import BadSetting, Settings, micro_usd, read_prices
from bot.web.health import health_app
from bot.web.server import serving
from handlers.app import build_app
from handlers.chat import SlackChat
from handlers.doors import Doors, Identity
from handlers.workspace import SlackWorkspace
from storage import open_clips, open_storage

log = structlog.get_logger(__name__)

SQLITE = "sqlite:"


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """What the running program is made of."""

    workspace: SlackWorkspace
    intake: Intake
    runner: Runner
    policy: Policy
    settings: Settings


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Work until ``stop`` is set, then stop within 10 seconds. Raises BadSetting, CannotListen, StorageError."""
    tokens = _slack_tokens(settings)
    providers = make_providers(settings)
    policy = make_policy(settings)
    clock = SystemClock()
    database_url = settings.database_url.get_secret_value()
    alone = database_url.startswith(SQLITE)
    async with contextlib.AsyncExitStack() as stack:
        storage = await stack.enter_async_context(open_storage(database_url, alone=True, zone=policy.zone))
        clips = open_clips(settings.media_url)
        swept = await clips.sweep()
        lease = Lease(storage=storage, clock=clock, alone=alone)
        await lease.register()
        stack.push_async_callback(_release, lease)
        fetcher = GuardedFetcher(clock=clock, allowed_hosts=frozenset(settings.allowed_fetch_hosts))
        stack.push_async_callback(fetcher.close)
        for provider in providers.values():
            stack.push_async_callback(provider.close)
        workspace = SlackWorkspace(bot_token=tokens[0], app_token=tokens[1], api_url=settings.slack_api_url)
        chat = SlackChat(workspace.client, promote_emoji=policy.promote_emoji[0])
        stack.push_async_callback(chat.close)
        router = Router(providers, PriceTable(read_prices(settings.price_file)))
        doorbell = Doorbell()
        intake = Intake(storage=storage, router=router, policy=policy, clock=clock, wake=doorbell.ring)
        runner = Runner(
            storage=storage,
            clips=clips,
            fetcher=fetcher,
            chat=chat,
            providers=providers,
            router=router,
            policy=policy,
            clock=clock,
            lease=lease,
            doorbell=doorbell,
            promote=intake.promote_early,
        )
        app = health_app(
            needed={"database": lambda: _database_state(storage), "media": lambda: _media_state(clips)},
            watched={"slack": lambda: _slack_state(workspace)},
        )
        port = await stack.enter_async_context(serving(app, settings.http_host, settings.http_port))
        log.info("dailies.started", port=port, providers=sorted(providers), swept=swept, epoch=lease.ownership.epoch)
        _warn_without_caps(policy)
        parts = _Parts(workspace=workspace, intake=intake, runner=runner, policy=policy, settings=settings)
        await _work(parts, lease, stop)
    log.info("dailies.stopped")


async def _work(parts: _Parts, lease: Lease, stop: asyncio.Event) -> None:
    """The loops; stops listening first, then submitting, then everything."""
    ticks = start_ticks(wake=parts.runner.wake, renew=lease.renew, renew_every=RENEW_EVERY_SECONDS)
    working = asyncio.create_task(parts.runner.run(), name="runner")
    listening = asyncio.create_task(_listen(parts), name="slack")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        done, _ = await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
    finally:
        listening.cancel()
        halted = asyncio.gather(_hang_up(parts.workspace), parts.runner.stop(), return_exceptions=True)
        await halted
        stopping.cancel()
        await asyncio.gather(working, listening, stopping, return_exceptions=True)
        ticks.shutdown(wait=False)


async def _listen(parts: _Parts) -> None:
    """Connect to Slack, however long that takes, and stay connected."""
    identity = await _identify(parts.workspace)
    log.info("slack.identified", workspace=identity.workspace, bot_user=identity.bot_user)
    doors = Doors(
        intake=parts.intake,
        client=parts.workspace.client,
        identity=identity,
        replies=parts.settings.thread_replies,
    )
    app = build_app(
        client=parts.workspace.client,
        identity=identity,
        doors=doors,
        promote=parts.policy.promote_emoji,
        cancel=parts.settings.reaction_cancel,
    )
    try:
        await parts.workspace.listen(app)
        log.info("slack.connected")
        await asyncio.Event().wait()
    finally:
        await doors.settle()


async def _identify(workspace: SlackWorkspace) -> Identity:
    clock, tries = SystemClock(), 0
    while True:
        try:
            return await workspace.identify()
        except ChatError as error:
            tries += 1
            log.warning("slack.away", error=error.code, tries=tries)
            await clock.sleep(backoff(tries, clock.chance(), ceiling=15).total_seconds())


async def _hang_up(workspace: SlackWorkspace) -> None:
    async with asyncio.timeout(3):
        await workspace.hang_up()


async def _release(lease: Lease) -> None:
    with contextlib.suppress(StorageError):
        await lease.release()


def _slack_tokens(settings: Settings) -> tuple[str, str]:
    missing = [name for name in ("slack_bot_token", "slack_app_token") if getattr(settings, name) is None]
    if missing:
        names = " and ".join(name.upper() for name in missing)
        raise BadSetting(f"{names} must be set: see README.md, “In your own workspace”. `dailies demo` needs neither.")
    return _secret(settings.slack_bot_token), _secret(settings.slack_app_token)


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


def make_providers(settings: Settings) -> Mapping[str, hiapi.HiAPI]:
    """The configured providers in the operator's order. Raises BadSetting when there is none."""
    keyed = {hiapi.NAME: _secret(settings.hiapi_api_key)}
    wanted = settings.providers or tuple(name for name, key in keyed.items() if key)
    for name in wanted:
        if name not in keyed:
            raise BadSetting(f"PROVIDERS names {name}, which this release does not have. It has: {', '.join(keyed)}.")
        if not keyed[name]:
            raise BadSetting(f"PROVIDERS names {name}, but {name.upper()}_API_KEY is not set.")
    if not wanted:
        raise BadSetting("No provider has a key: set HIAPI_API_KEY. `dailies demo` needs none.")
    return {
        name: hiapi.HiAPI(
            key=keyed[name],
            clock=SystemClock(),
            base_url=settings.hiapi_base_url,
            model=settings.hiapi_model,
            idempotent=settings.hiapi_idempotency,
        )
        for name in wanted
    }


def make_policy(settings: Settings) -> Policy:
    """What the operator decided, for the services."""
    seconds = settings.poll_interval_seconds
    return replace(
        Policy(),
        caps=Caps(
            workspace_month_micro_usd=micro_usd(settings.budget_workspace_month_usd),
            channel_month_micro_usd=micro_usd(settings.budget_channel_month_usd),
            person_day_micro_usd=micro_usd(settings.budget_user_day_usd),
        ),
        confirm_above_micro_usd=micro_usd(settings.confirm_above_usd) or 0,
        undo=timedelta(seconds=settings.promote_undo_seconds),
        admins=frozenset(settings.admin_users),
        promote_emoji=settings.reaction_promote,
        concurrency={hiapi.NAME: settings.hiapi_concurrency} if settings.hiapi_concurrency else {},
        default_concurrency=settings.provider_concurrency,
        job_timeout=timedelta(seconds=settings.job_timeout_seconds),
        poll_interval=timedelta(seconds=seconds) if seconds is not None else None,
        largest_clip_bytes=settings.max_clip_mb * 1_000_000,
    )


def _warn_without_caps(policy: Policy) -> None:
    if policy.caps == Caps():
        names = "BUDGET_WORKSPACE_MONTH_USD, BUDGET_CHANNEL_MONTH_USD or BUDGET_USER_DAY_USD"
        log.warning("money.no_cap", meaning=f"nothing limits what is spent in total; set {names}")


async def _database_state(storage: Storage) -> str:
    try:
        async with storage.begin():
            return "up"
    except StorageError as error:
        return f"down: {type(error).__name__}"


async def _media_state(clips: Clips) -> str:
    try:
        await clips.size("clips/probe/" + "0" * 64 + ".mp4")
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the store, the process is not ready
        return f"down: {type(error).__name__}"
    return "up"


async def _slack_state(workspace: SlackWorkspace) -> str:
    return "up" if workspace.connected else "down: no socket"
