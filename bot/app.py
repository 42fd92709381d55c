"""The composition root: the only file that knows everybody. It opens every resource in order and closes them in the
reverse, and decides how the program stops."""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from starlette.types import ASGIApp

from bot.clock import SystemClock
from bot.configuration import make_policy, set_by_operator, slack_access
from bot.domain.budget import Caps, month_of
from bot.domain.handing import without_links
from bot.domain.patience import backoff
from bot.emulation import Emulation, EmulationFailed, emulation
from bot.fetch import GuardedFetcher
from bot.links import make_links
from bot.media import ProcessMediaRoom
from bot.ports import ChatError, Clips, Directory, Fenced, FileSource, Links, Provider, Storage, StorageError
from bot.pretend import is_wanted
from bot.scheduler import start_ticks
from bot.services.accounts import Accounts
from bot.services.callbacks import Callbacks
from bot.services.circuit import Circuit
from bot.services.configuring import Configuring
from bot.services.doorbell import Doorbell
from bot.services.gatekeeper import Gatekeeper
from bot.services.gathering import Gathering
from bot.services.housekeeping import SWEEP_EVERY_SECONDS, Housekeeping
from bot.services.intake import Intake
from bot.services.lease import RENEW_EVERY_SECONDS, Lease
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.presses import Presses
from bot.services.routing import Router
from bot.services.runner import Runner
from bot.services.taking import Taking
from bot.settings import Settings
from bot.vendors import known_tiers, make_prices, make_providers
from bot.web.callbacks import PREFIX as CALLBACKS
from bot.web.callbacks import CallbackEndpoint
from bot.web.health import health_app
from bot.web.media import PREFIX as MEDIA
from bot.web.media import MediaEndpoint
from bot.web.metrics import Figures, metrics_route
from bot.web.server import serving
from bot.web.site import Site
from handlers.app import build_app
from handlers.chat import SlackChat
from handlers.directory import SlackDirectory
from handlers.doors import Doors, Identity
from handlers.files import SlackFiles, hosts_behind
from handlers.http import PATH as SLACK_PATH
from handlers.workspace import SlackWorkspace
from storage import open_clips, open_scratch, open_storage

log = structlog.get_logger(__name__)

SQLITE = "sqlite:"


@dataclass(frozen=True, kw_only=True)
class _Program:
    """What the running program is made of."""

    settings: Settings
    emulated: Emulation | None
    policy: Policy
    storage: Storage
    clips: Clips
    links: Links
    files: FileSource
    lease: Lease
    workspace: SlackWorkspace
    policies: Policies
    accounts: Accounts
    configuring: Configuring
    intake: Intake
    presses: Presses
    runner: Runner
    callbacks: Callbacks


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Work until ``stop`` is set, then stop within 10 seconds. Raises BadSetting, CannotListen, EmulationFailed,
    StorageError."""
    async with contextlib.AsyncExitStack() as stack:
        program = await _assemble(settings, stack)
        port = await stack.enter_async_context(serving(_site(program), settings.http_host, settings.http_port))
        mode = "socket" if program.workspace.endpoint is None else "http"
        log.info("dailies.started", port=port, mode=mode, epoch=program.lease.ownership.epoch)
        if program.emulated:
            log.warning("providers.pretend", meaning="clips are emulated and nothing is charged (PROVIDERS=sandbox)")
        if program.policy.caps == Caps():
            log.warning("money.no_cap", meaning="nothing limits what is spent in total; set a BUDGET_… cap")
        await _work(program, stop)
    log.info("dailies.stopped")


async def _assemble(settings: Settings, stack: contextlib.AsyncExitStack) -> _Program:
    """Open every resource; ``stack`` closes them in the reverse order."""
    access = slack_access(settings)
    policy, clock = make_policy(settings), SystemClock()
    emulated = await stack.enter_async_context(emulation()) if is_wanted(settings) else None
    providers = make_providers(settings, emulated.environment if emulated else None)
    for provider in providers.values():
        stack.push_async_callback(provider.close)
    circuit = Circuit(clock)
    router = Router(
        providers,
        make_prices(settings),
        known=known_tiers(settings),
        healthy=circuit.healthy,
        links=bool(settings.public_url),
    )
    workspace = SlackWorkspace(
        bot_token=access.bot_token,
        app_token=access.app_token,
        signing_secret=access.signing_secret,
        api_url=settings.slack_api_url,
    )
    chat = SlackChat(workspace.client)
    stack.push_async_callback(chat.close)
    hosts = emulated.hosts if emulated else frozenset()
    fetcher = GuardedFetcher(clock=clock, allowed_hosts=hosts.union(settings.allowed_fetch_hosts))
    stack.push_async_callback(fetcher.close)
    storage, lease = await _open_database(settings, policy, stack)
    async with storage.read() as tx:
        circuit.restore(await tx.outages.standing())
    clips = open_clips(settings.media_url)
    await clips.sweep()
    links = _open_links(settings, providers.values())
    scratch, room = open_scratch(settings.media_url), ProcessMediaRoom()
    await scratch.sweep()
    stack.push_async_callback(room.close)
    directory = SlackDirectory(workspace.client)
    gathering = Gathering(
        storage=storage,
        clips=clips,
        scratch=scratch,
        fetcher=fetcher,
        files=_open_slack_files(settings, workspace, directory, stack),
        room=room,
        clock=clock,
    )
    doorbell = Doorbell()
    policies = Policies(storage=storage, operator=policy)
    gatekeeper = Gatekeeper(directory=directory, clock=clock)
    intake = Intake(
        storage=storage,
        router=router,
        policies=policies,
        gatekeeper=gatekeeper,
        taking=Taking(storage=storage, clock=clock, wake=doorbell.ring),
        doorbell=doorbell,
    )
    presses = Presses(storage=storage, policies=policies, gatekeeper=gatekeeper, clock=clock, wake=doorbell.ring)
    runner = Runner(
        storage=storage,
        clips=clips,
        fetcher=fetcher,
        chat=chat,
        providers=providers,
        router=router,
        policy=policy,
        policies=policies,
        gatekeeper=gatekeeper,
        directory=directory,
        clock=clock,
        lease=lease,
        doorbell=doorbell,
        promote=intake.promote_early,
        circuit=circuit,
        gathering=gathering,
        links=links,
        public_url=settings.public_url,
    )
    return _Program(
        settings=settings,
        emulated=emulated,
        policy=policy,
        storage=storage,
        clips=clips,
        links=links,
        files=gathering.files,
        lease=lease,
        workspace=workspace,
        policies=policies,
        accounts=Accounts(storage=storage, policies=policies, gatekeeper=gatekeeper, clock=clock),
        configuring=Configuring(
            storage=storage,
            policies=policies,
            clock=clock,
            gatekeeper=gatekeeper,
            router=router,
            set_by_operator=set_by_operator(settings),
            wake=doorbell.ring,
        ),
        intake=intake,
        presses=presses,
        runner=runner,
        callbacks=Callbacks(
            storage=storage, providers=providers, policies=policies, clock=clock, called_about=runner.called_about
        ),
    )


def _open_links(settings: Settings, providers: Iterable[Provider]) -> Links:
    """What providers fetch files by. Who starts the program is told what cannot be given without."""
    links = make_links(settings)
    words = without_links(can for provider in providers for can in provider.capabilities)
    if words and not links.reachable:
        log.warning("files.no_way", meaning=words)
    return links


def _open_slack_files(
    settings: Settings, workspace: SlackWorkspace, directory: Directory, stack: contextlib.AsyncExitStack
) -> SlackFiles:
    """The files that people attach. Their fetcher is one of its own: where the token goes, links of people do not."""
    fetcher = GuardedFetcher(clock=SystemClock(), allowed_hosts=hosts_behind(settings.slack_api_url))
    stack.push_async_callback(fetcher.close)
    return SlackFiles(client=workspace.client, fetcher=fetcher, directory=directory, api_url=settings.slack_api_url)


async def _open_database(settings: Settings, policy: Policy, stack: contextlib.AsyncExitStack) -> tuple[Storage, Lease]:
    """The database, brought up to date, and this process's lease in it."""
    url = settings.database_url.get_secret_value()
    storage = await stack.enter_async_context(open_storage(url, alone=True, zone=policy.zone))
    # On SQLite the file's lock proves that no other process can be running.
    lease = Lease(storage=storage, clock=SystemClock(), alone=url.startswith(SQLITE))
    await lease.register()
    stack.push_async_callback(_release, lease)
    return storage, lease


async def _work(program: _Program, stop: asyncio.Event) -> None:
    """The loops; on stop, listening and submitting end first, then everything."""
    runner, lease = program.runner, program.lease
    housekeeping = Housekeeping(storage=program.storage, clock=SystemClock())
    ticks = start_ticks(
        wake=runner.wake,
        every={"renew": (lease.renew, RENEW_EVERY_SECONDS), "sweep": (housekeeping.sweep, SWEEP_EVERY_SECONDS)},
    )
    working = asyncio.create_task(runner.run(), name="runner")
    listening = asyncio.create_task(_listen(program), name="slack")
    standing = asyncio.create_task(_stand_with(program.emulated), name="emulation")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        done, _ = await asyncio.wait({working, listening, standing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
    finally:
        listening.cancel()
        await asyncio.gather(_hang_up(program.workspace), runner.stop(), return_exceptions=True)
        standing.cancel()
        stopping.cancel()
        await asyncio.gather(working, listening, standing, stopping, return_exceptions=True)
        ticks.shutdown(wait=False)


async def _stand_with(emulated: Emulation | None) -> None:
    """Pretend providers are gone for good when their process is. Raises EmulationFailed."""
    if emulated is None:
        await asyncio.Event().wait()
    else:
        code = await emulated.ended()
        raise EmulationFailed(f"The pretend providers ended with code {code}. Start Dailies again.")


async def _listen(program: _Program) -> None:
    """Connect to Slack, however long that takes, and stay connected."""
    identity = await _identify(program.workspace)
    log.info("slack.identified", workspace=identity.workspace, bot_user=identity.bot_user)
    doors = Doors(
        intake=program.intake,
        presses=program.presses,
        policies=program.policies,
        accounts=program.accounts,
        configuring=program.configuring,
        files=program.files,
        client=program.workspace.client,
        identity=identity,
    )
    app = build_app(
        client=program.workspace.client,
        identity=identity,
        doors=doors,
    )
    try:
        await program.workspace.listen(app)
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


def _site(program: _Program) -> Site:
    """Everything that is served: health always, Slack's requests in HTTP mode, providers' calls and the files that
    they fetch where they can reach us."""
    endpoint = program.workspace.endpoint
    reached: dict[str, ASGIApp] = {
        CALLBACKS: CallbackEndpoint(program.callbacks),
        MEDIA: MediaEndpoint(links=program.links, clips=program.clips, clock=SystemClock()),
    }
    health = health_app(
        needed={
            "database": lambda: _database_state(program.lease),
            "media": lambda: _media_state(program.clips),
        },
        watched={"slack": lambda: _slack_state(program.workspace)},
        more=[metrics_route(lambda: _figures(program))],
    )
    return Site(
        exact={} if endpoint is None else {SLACK_PATH: endpoint},
        under=reached if program.settings.public_url else {},
        otherwise=health,
    )


async def _figures(program: _Program) -> Figures:
    month = month_of(SystemClock().now(), program.policy.zone)
    async with program.storage.read() as tx:
        jobs, usage = await tx.jobs.count_by_state(), await tx.ledger.usage(month)
    media, slack = await _media_state(program.clips), await _slack_state(program.workspace)
    return Figures(jobs=jobs, usage=usage, up={"database": True, "media": media == "up", "slack": slack == "up"})


async def _database_state(lease: Lease) -> str:
    """Up while it takes a write, as every ask is one: of a full disk a transaction that writes nothing would not know.
    The lease is prolonged all the while anyway."""
    try:
        await lease.fresh(lease.ownership)
    except Fenced:
        return "up"  # it was asked and has answered; whose jobs they are is the runner's affair
    except StorageError as error:
        return f"down: {type(error).__name__}"
    return "up"


async def _media_state(clips: Clips) -> str:
    try:
        await clips.size("clips/probe/" + "0" * 64 + ".mp4")
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the store, the process is not ready
        return f"down: {type(error).__name__}"
    return "up"


async def _slack_state(workspace: SlackWorkspace) -> str:
    if workspace.connected:
        return "up"
    return "down: no socket" if workspace.endpoint is None else "down: not reached yet"
