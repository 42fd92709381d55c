"""``dailies doctor``: what is wrong with a set-up, and how to mend it.

One finding a line; nothing is ordered, posted or changed. A part that cannot be looked at is a finding too. What is
printed goes through the same redaction as the log, and no value of a secret setting survives it.
"""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote

import httpx
from pydantic import SecretStr

from bot.configuration import SlackAccess, make_policy, make_providers, slack_access
from bot.domain.budget import Caps
from bot.domain.failure import FailureKind
from bot.domain.pricing import NoPrice, PriceTable
from bot.log import HIDDEN, redact
from bot.ports import ChatError, ChatUnauthorized, Clips, ClipsUnavailable, StorageError
from bot.providers.hiapi import HiAPI
from bot.settings import BadSetting, Settings, read_prices
from handlers.directory import SCOPE as WHO_SCOPE
from handlers.manifest import manifest
from handlers.workspace import Introduction, SlackWorkspace
from storage import AlreadyRunning, SchemaNewer, SchemaOutdated, UnsupportedUrl, open_clips, open_storage
from storage.engines import Place, place_of
from storage.lock import exclusive

CLOCK_SECONDS = 60
"""Slack's requests are refused at 300 seconds; a clock that is one minute off will be five some day."""

_CHECK_SECONDS = 30.0
_SHORTEST_SECRET = 6
"""Anything shorter is no secret, and hiding it would leave holes in plain words."""
_PROBE_BYTES = 1_000_001
"""More than storage gathers before it writes, so that the probe reaches the disk."""


class Level(StrEnum):
    """How bad a finding is; the program still works with a ``warn``."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line. ``mend`` says what to do, and is empty only when nothing has to be done."""

    level: Level
    name: str
    text: str
    mend: str = ""

    def line(self) -> str:
        """As it is printed."""
        advice = f" Mend: {self.mend}" if self.mend else ""
        return f"{self.level.value:<4}  {self.name}: {self.text}{advice}"


def ok(name: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(level=Level.OK, name=name, text=text)


def warn(name: str, text: str, mend: str) -> Finding:
    """It works, and could be better."""
    return Finding(level=Level.WARN, name=name, text=text, mend=mend)


def fail(name: str, text: str, mend: str) -> Finding:
    """It does not work."""
    return Finding(level=Level.FAIL, name=name, text=text, mend=mend)


def unreadable(error: BadSetting) -> Finding:
    """The only finding when the settings themselves cannot be read."""
    return fail("settings", str(error), "correct the environment or .env; .env.example explains every name.")


async def examine(settings: Settings) -> list[Finding]:
    """Every finding, in the order in which things are set up. Raises nothing."""
    checks: list[tuple[str, Callable[[Settings], Awaitable[list[Finding]]]]] = [
        ("database", _database),
        ("media", _media),
        ("caps", _caps),
        ("prices", _prices),
        ("provider", _providers),
        ("slack", _slack),
        ("port", _port),
    ]
    findings = [ok("settings", "the environment and .env can be read.")]
    for name, check in checks:
        findings += await _guarded(name, check, settings)
    return [_without_secrets(finding, settings) for finding in findings]


async def _guarded(
    name: str, check: Callable[[Settings], Awaitable[list[Finding]]], settings: Settings
) -> list[Finding]:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return await check(settings)
    except BadSetting as error:
        return [fail(name, str(error), "correct the environment or .env; .env.example explains every name.")]
    except TimeoutError:
        return [fail(name, f"no answer within {_CHECK_SECONDS:.0f} s.", "see whether the network lets us out.")]
    except Exception as error:  # noqa: BLE001 - a check that breaks must not hide the findings of the others
        return [fail(name, f"this check broke with {type(error).__name__}.", "report this, with how you set it up.")]


def _without_secrets(finding: Finding, settings: Settings) -> Finding:
    hidden = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]

    def clean(text: str) -> str:
        for secret in hidden:
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, HIDDEN)
        return str(redact(text))

    return Finding(level=finding.level, name=finding.name, text=clean(finding.text), mend=clean(finding.mend))


# --- what is kept ---------------------------------------------------------------------------------------------------


async def _database(settings: Settings) -> list[Finding]:
    name, url = "database", settings.database_url.get_secret_value()
    try:
        place = place_of(url)
        async with open_storage(url, alone=False) as storage, storage.begin():
            who = _who_runs(place)
        return [ok(name, f"it can be read and written, and its schema is current; {who}.")]
    except SchemaOutdated as error:
        return [_never_migrated(place) if error.found is None else _other_schema(error)]
    except SchemaNewer as error:
        return [fail(name, f"a newer release wrote it (revision {error.found}).", "run that release.")]
    except UnsupportedUrl as error:
        return [fail(name, str(error), "correct DATABASE_URL.")]
    except StorageError as error:
        return [fail(name, str(error), "see that DATABASE_URL is right, and that what it names can be written.")]


def _who_runs(place: Place) -> str:
    if place.file is None:
        return "other processes may share it"
    try:
        with exclusive(place.file):
            return "no other process runs on it"
    except AlreadyRunning as error:
        return "Dailies is running on it" if error.pid is None else f"Dailies is running on it, as process {error.pid}"


def _never_migrated(place: Place) -> Finding:
    if place.file is not None and (why := _cannot_hold(place.file.parent)):
        return fail("database", f"its folder cannot be used: {why}.", "correct DATABASE_URL, or the folder's owner.")
    return warn("database", "it was never migrated.", "start `dailies run`, or run `dailies migrate`.")


def _other_schema(error: SchemaOutdated) -> Finding:
    return warn("database", str(error).partition(":")[0] + ".", "run `dailies migrate`, or start `dailies run`.")


def _cannot_hold(folder: Path) -> str:
    """Why a folder cannot be made or written by this user; empty when it can. Nothing is made."""
    nearest = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not nearest.is_dir():
        return f"{nearest} is no folder"
    return "" if os.access(nearest, os.W_OK | os.X_OK) else f"{nearest} is not writable for this user"


class _Enough(Exception):
    """The probe has reached the disk."""


async def _media(settings: Settings) -> list[Finding]:
    name, url, folder = "media", settings.media_url, _media_folder(settings)
    if url.startswith("file:") and not _exists(folder):
        why = _cannot_hold(folder)
        return [fail(name, f"{why}.", "correct MEDIA_URL.") if why else ok(name, f"{folder} will be made.")]
    try:
        await _write_and_discard(open_clips(url))
    except UnsupportedUrl as error:
        return [fail(name, str(error), "correct MEDIA_URL.")]
    except ClipsUnavailable as error:
        return [fail(name, str(error), f"make {folder} writable for this user, or correct MEDIA_URL.")]
    return [_space(settings, folder)]


def _media_folder(settings: Settings) -> Path:
    return Path(unquote(settings.media_url.partition(":")[2])).absolute()


def _exists(folder: Path) -> bool:
    return folder.exists()


async def _write_and_discard(clips: Clips) -> None:
    """A stream that breaks is what storage keeps nothing of."""

    async def broken() -> AsyncIterator[bytes]:
        yield bytes(_PROBE_BYTES)
        raise _Enough

    try:
        await clips.put("doctor", broken(), limit_bytes=2 * _PROBE_BYTES)
    except _Enough:
        return


def _space(settings: Settings, folder: Path) -> Finding:
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    text = f"{folder} can be written; {free_mb} MB are free"
    if free_mb < settings.max_clip_mb:
        return fail("media", f"{text}, less than one clip may take (MAX_CLIP_MB).", "make room, or move MEDIA_URL.")
    return ok("media", f"{text}.")


# --- money ----------------------------------------------------------------------------------------------------------


async def _caps(settings: Settings) -> list[Finding]:
    if make_policy(settings).caps == Caps():
        mend = "set BUDGET_WORKSPACE_MONTH_USD, BUDGET_CHANNEL_MONTH_USD or BUDGET_USER_DAY_USD."
        return [warn("caps", "nothing limits what is spent in total.", mend)]
    return [ok("caps", "spending is limited.")]


async def _prices(settings: Settings) -> list[Finding]:
    """Every price that could be held, of every configured provider."""
    try:
        table = PriceTable(read_prices(settings.price_file))
    except BadSetting as error:
        return [fail("prices", str(error), "correct the file, or unset PRICE_FILE to use published prices.")]
    try:
        providers = make_providers(settings)
    except BadSetting:
        return [ok("prices", "the table can be read.")]
    findings = []
    for name, provider in providers.items():
        findings.append(_prices_of(name, provider, table))
        await provider.close()
    return findings


def _prices_of(name: str, provider: HiAPI, table: PriceTable) -> Finding:
    assumed, unknown = [], []
    for tier in provider.capabilities:
        for resolution in sorted(tier.resolutions):
            words = f"{tier.tier} at {resolution.value}"
            try:
                if table.rate(name, tier.tier, resolution).assumed:
                    assumed.append(words)
            except NoPrice:
                unknown.append(words)
    mend = "write your account's prices into a PRICE_FILE."
    if unknown:
        return warn("prices", f"{name} has no price for {', '.join(unknown)}, so that is refused.", mend)
    if assumed:
        text = f"{name} publishes none for {', '.join(assumed)}; the dearest of others is assumed."
        return warn("prices", text, mend)
    return ok("prices", f"{name} has a price for everything it makes.")


async def _providers(settings: Settings) -> list[Finding]:
    findings = []
    for name, provider in make_providers(settings).items():
        try:
            failure = await provider.check()
        finally:
            await provider.close()
        key, base = f"{name.upper()}_API_KEY", f"{name.upper()}_BASE_URL"
        if failure is None:
            findings.append(ok(f"provider {name}", "it answers and takes the key."))
        elif failure.kind is FailureKind.PROVIDER:
            findings.append(fail(f"provider {name}", f"{failure.detail}.", f"see the network and {base}."))
        else:
            findings.append(fail(f"provider {name}", f"it refuses the key: {failure.detail}.", f"correct {key}."))
    return findings


# --- Slack ----------------------------------------------------------------------------------------------------------


async def _slack(settings: Settings) -> list[Finding]:
    access = slack_access(settings)
    workspace = SlackWorkspace(
        bot_token=access.bot_token,
        app_token=access.app_token,
        signing_secret=access.signing_secret,
        api_url=settings.slack_api_url,
    )
    told = await workspace.introduce()
    return [_token(told), *_scopes(settings, told), await _way_in(settings, access, workspace), _clock(told)]


def _token(told: Introduction) -> Finding:
    name = "slack token"
    if told.identity is not None and told.identity.bot_id:
        return ok(name, f"it is a bot's, in workspace {told.identity.workspace}.")
    if told.identity is not None:
        return fail(name, "it is a person's token.", "set SLACK_BOT_TOKEN to the Bot User OAuth Token.")
    code = told.refusal.code if told.refusal is not None else "nothing"
    if told.date is None:
        return fail(name, f"Slack cannot be reached ({code}).", "see the network and SLACK_API_URL.")
    return fail(name, f"Slack answers {code}.", _token_mend(told.refusal))


def _token_mend(refusal: ChatError | None) -> str:
    """What helps depends on whose fault it is: the token's, the address's, or Slack's own for the moment."""
    if isinstance(refusal, ChatUnauthorized):
        return "set SLACK_BOT_TOKEN to the token under Install App; install it again."
    if refusal is not None and refusal.code in {"http_404", "unknown_method"}:
        return "see SLACK_API_URL: there is no Slack there."
    return "wait, and ask again; if it stays, see the network, SLACK_API_URL and Slack's status page."


def _scopes(settings: Settings, told: Introduction) -> list[Finding]:
    if told.identity is None:
        return []
    wanted = manifest(history=settings.thread_replies == "smart")["oauth_config"]["scopes"]["bot"]
    missing = [scope for scope in wanted if scope not in told.scopes]
    if missing:
        mend = "paste the output of `dailies manifest` under App Manifest and install the app again."
        so = f" Without {WHO_SCOPE} Slack does not say who people are, and nobody may spend." * (WHO_SCOPE in missing)
        return [fail("slack scopes", f"the token lacks {', '.join(missing)}.{so}", mend)]
    return [ok("slack scopes", "the token has every scope of the manifest.")]


async def _way_in(settings: Settings, access: SlackAccess, workspace: SlackWorkspace) -> Finding:
    if access.over_http:
        name = "signing secret"
        if len(access.signing_secret) != 32 or not set(access.signing_secret) <= set("0123456789abcdef"):
            mend = "copy the Signing Secret from Basic Information into SLACK_SIGNING_SECRET."
            return warn(name, "HTTP mode; the secret is not 32 hexadecimal digits as Slack's are.", mend)
        return ok(name, "HTTP mode; whether the secret is the app's shows with Slack's first request.")
    try:
        await workspace.try_socket()
    except ChatError as error:
        mend = "wait, and ask again; if it stays, see the network and SLACK_API_URL."
        if isinstance(error, ChatUnauthorized):
            mend = "set SLACK_APP_TOKEN to an app-level token with the scope connections:write (Basic Information)."
        return fail("app token", f"no socket may be opened: Slack answers {error.code}.", mend)
    unused = "; SLACK_SIGNING_SECRET is set too, and not used" if settings.slack_signing_secret else ""
    return ok("app token", f"Socket Mode; a socket may be opened{unused}.")


def _clock(told: Introduction) -> Finding:
    mend = "let the machine set its clock from the network (NTP)."
    if told.date is None:
        return warn("clock", "it cannot be compared with Slack's.", "first mend the connection to Slack.")
    apart = (datetime.now(UTC) - told.date).total_seconds()
    if abs(apart) > CLOCK_SECONDS:
        direction = "ahead of" if apart > 0 else "behind"
        return warn("clock", f"it is {abs(apart):.0f} s {direction} Slack's.", mend)
    return ok("clock", "it agrees with Slack's.")


# --- HTTP -----------------------------------------------------------------------------------------------------------


async def _port(settings: Settings) -> list[Finding]:
    host, port = settings.http_host, settings.http_port
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if await _is_dailies(host, port):
            return [ok("port", f"Dailies serves on {host}:{port} already.")]
        why = error.strerror or type(error).__name__
        return [fail("port", f"{host}:{port} cannot be listened on: {why}.", "set HTTP_HOST and HTTP_PORT.")]
    return [ok("port", f"{host}:{port} is free." if port else "any free one is taken.")]


async def _is_dailies(host: str, port: int) -> bool:
    address = f"[{host}]" if ":" in host else host
    try:
        async with httpx.AsyncClient(timeout=3, trust_env=False) as http:
            answer = await http.get(f"http://{address}:{port}/healthz")
    except httpx.HTTPError:
        return False
    return answer.status_code == 200 and answer.text == '{"status":"up"}'
