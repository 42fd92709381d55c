"""The command line. What each command promises is in README.md."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from bot import app as program
from bot import configure, log, report
from bot import demo as demonstration
from bot import doctor as checkup
from bot.clock import SystemClock
from bot.configuration import make_policy
from bot.domain.figures import NoMonth
from bot.domain.preferences import PreferenceError
from bot.emulation import EmulationFailed
from bot.ports import ClipsUnavailable, Provider, StorageError
from bot.pretend import is_wanted
from bot.settings import BadSetting, Settings
from bot.vendors import NoKey, keyed, known_tiers, make_prices, make_providers
from bot.web.server import CannotListen
from handlers.manifest import BadAddress
from handlers.manifest import manifest as app_manifest
from storage import migrate as migrate_database
from storage.errors import UnsupportedUrl

cli = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="Short AI video in Slack."
)
jobs_cli = typer.Typer(add_completion=False, help="What jobs there are, and what happened to each.")
cli.add_typer(jobs_cli, name="jobs", invoke_without_command=True)

JsonFlag = Annotated[bool, typer.Option("--json", help="As JSON.")]


@cli.command()
def run(
    with_parent: Annotated[bool, typer.Option("--exit-with-parent", hidden=True)] = False,
) -> None:
    """Connect to Slack and work, in the foreground; SIGTERM or Ctrl-C stops within 10 seconds."""
    settings = _settings()
    log.configure(settings.log_level, settings.log_format or "")
    asyncio.run(_run(settings, with_parent=with_parent))


async def _run(settings: Settings, *, with_parent: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if with_parent:
        _stop_at_end_of_input(stop)
    await program.run(settings, stop)


def _stop_at_end_of_input(stop: asyncio.Event) -> None:
    """Set ``stop`` when standard input ends: the process that held its other end is gone, even if it was killed."""
    loop, source = asyncio.get_running_loop(), sys.stdin.fileno()

    def look() -> None:
        if not os.read(source, 1024):
            loop.remove_reader(source)
            stop.set()

    loop.add_reader(source, look)


@cli.command()
def demo(
    headless: Annotated[str | None, typer.Option(help="Take this prompt through the whole path, and exit.")] = None,
    out: Annotated[Path, typer.Option(help="Where --headless writes the MP4.")] = Path("out"),
) -> None:
    """The real bot in a pretend Slack workspace with pretend providers: no account, no key, no money."""
    if headless is not None:
        asyncio.run(demonstration.run_headless(headless, out))
    else:
        asyncio.run(demonstration.run_page())


@cli.command()
def migrate() -> None:
    """Bring the database to this release's schema; safe to run twice."""
    asyncio.run(migrate_database(_settings().database_url.get_secret_value()))
    typer.echo("The database is up to date.")


@cli.command()
def doctor() -> None:
    """Look what is wrong with this set-up, and how to mend it; spends nothing. Exit code 1 if anything fails."""
    try:
        findings = asyncio.run(checkup.examine(_settings()))
    except BadSetting as error:
        findings = [checkup.unreadable(error)]
    for finding in findings:
        typer.echo(finding.line())
    if any(finding.level is checkup.Level.FAIL for finding in findings):
        raise typer.Exit(1)


@jobs_cli.callback()
def jobs(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    as_json: JsonFlag = False,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, newest first.")] = 200,
) -> None:
    """List jobs, newest first."""
    if context.invoked_subcommand is None:
        typer.echo(asyncio.run(report.jobs(_database(), state=state, as_json=as_json, limit=limit)))


@jobs_cli.command("show")
def show(
    job: Annotated[str, typer.Argument(help="The job's id, or its beginning.")], as_json: JsonFlag = False
) -> None:
    """One job's timeline."""
    typer.echo(asyncio.run(report.timeline(_database(), job, as_json=as_json)))


@cli.command()
def usage(
    month: Annotated[str | None, typer.Option(help="YYYY-MM; this month when left out.")] = None,
    as_json: JsonFlag = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
    months: Annotated[int, typer.Option(min=1, max=120, help="So many months, up to that one.")] = 1,
    summary: Annotated[
        bool, typer.Option("--summary", help="As one JSON object: what each month comes to, the saving, what is left.")
    ] = False,
) -> None:
    """What was spent, is held, was given back and is left, and what drafting first saved."""
    flags = {report.Form.SUMMARY: summary, report.Form.CSV: as_csv, report.Form.JSON: as_json and not summary}
    chosen = [form for form, flag in flags.items() if flag]
    if len(chosen) > 1:
        raise BadSetting("--csv goes neither with --json nor with --summary.", "Choose one of them.")
    settings = _settings()
    url, operator, now = settings.database_url.get_secret_value(), make_policy(settings), SystemClock().now()
    form = chosen[0] if chosen else report.Form.TEXT
    typer.echo(asyncio.run(report.usage(url, month=month, months=months, form=form, operator=operator, now=now)))


@cli.command()
def audit(
    month: Annotated[str | None, typer.Option(help="YYYY-MM; everything when left out.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The newest so many lines.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Who did what, where, at what price, under which task of which provider; oldest first."""
    settings = _settings()
    url, zone = settings.database_url.get_secret_value(), make_policy(settings).zone
    typer.echo(asyncio.run(report.audit(url, month=month, limit=limit, as_json=as_json, zone=zone)))


@cli.command()
def providers(
    balance: Annotated[bool, typer.Option("--balance", help="Ask the configured ones what is left there.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """What each provider can do and what it asks, and how it is as far as the database knows."""
    typer.echo(asyncio.run(_providers(_settings(), balance=balance, as_json=as_json)))


async def _providers(settings: Settings, *, balance: bool, as_json: bool) -> str:
    """The pretend ones are reached by a running bot alone: of them only what they declare is known. Without any key
    what there is to choose from is to be seen all the same. Raises BadSetting for every other mistake."""
    configured: Mapping[str, Provider] = {}
    with contextlib.suppress(NoKey):
        configured = {} if is_wanted(settings) else make_providers(settings)
    try:
        return await report.providers(
            settings.database_url.get_secret_value(),
            tiers=known_tiers(settings),
            configured=configured,
            keyed=() if is_wanted(settings) else keyed(settings),
            prices=make_prices(settings),
            policy=make_policy(settings),
            balance=balance,
            as_json=as_json,
        )
    finally:
        await asyncio.gather(*(provider.close() for provider in configured.values()))


@cli.command("settings")
def channel_settings(
    subject: Annotated[str, typer.Argument(metavar="CHANNEL", help="A channel's id, or “workspace” for all of them.")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="KEY= gives back what holds above.")
    ] = None,
    workspace: Annotated[str | None, typer.Option(help="Its id, where the database knows several.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """What holds in a channel and where it comes from; with KEY=VALUE changed, at once and beside a running bot."""
    of = configure.target(subject, workspace)
    typer.echo(asyncio.run(configure.settings(_settings(), of, changes or [], as_json=as_json)))


@cli.command()
def manifest(
    http: Annotated[str | None, typer.Option(help="For HTTP mode: the https address of this server.")] = None,
    replies: Annotated[str, typer.Option(help="“mention” leaves out the scopes that read channels.")] = "smart",
    as_json: JsonFlag = False,
) -> None:
    """Print the Slack app manifest."""
    if replies not in {"smart", "mention"}:
        raise BadSetting("--replies is smart or mention.")
    contents = app_manifest(history=replies == "smart", http=http)
    typer.echo(report.manifest(contents, as_json=as_json), nl=False)


def _database() -> str:
    return _settings().database_url.get_secret_value()


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        # Pydantic's own text would repeat the value, which may be a secret.
        faults = [f"{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors()]
        raise BadSetting("These settings cannot be used. " + "; ".join(faults)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f".env cannot be read: {type(error).__name__}.") from error


def main() -> None:
    """The console script: known mistakes are one sentence and exit code 1."""
    try:
        cli()
    except (
        BadAddress,
        BadSetting,
        CannotListen,
        ClipsUnavailable,
        EmulationFailed,
        PreferenceError,
        NoMonth,
        StorageError,
        UnsupportedUrl,
        report.NotFound,
        demonstration.DemoFailed,
    ) as error:
        typer.echo(f"dailies: {error}", err=True)
        sys.exit(1)
