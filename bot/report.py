"""What the command line prints: jobs, timelines, usage, the manifest. Reads the database beside a running bot."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import yaml

from bot.domain.budget import UsageRow, month_of
from bot.domain.job import Ask, Job, State
from bot.domain.pricing import dollars
from storage import open_storage


class Form(StrEnum):
    """How figures are printed."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


class NotFound(Exception):
    """What was asked for is not there."""


async def jobs(url: str, *, state: str | None, as_json: bool, limit: int) -> str:
    """The newest jobs, as a table or as JSON. Raises NotFound for a state that there is not."""
    try:
        wanted = State(state) if state else None
    except ValueError:
        raise NotFound(f"There is no state “{state}”. There are: {', '.join(State)}.") from None
    async with open_storage(url, alone=False) as storage, storage.read() as tx:
        found = await tx.jobs.listing(state=wanted, limit=limit)
    if as_json:
        return json.dumps([_job(job, ask) for job, ask in found], indent=2)
    rows: list[tuple[str, ...]] = [("JOB", "#", "STATE", "PROVIDER", "TASK", "PRICE", "COST", "AGE", "PROMPT")]
    rows += [_row(job) for job, _ in found]
    return _table(rows) if found else "No jobs."


async def timeline(url: str, prefix: str, *, as_json: bool) -> str:
    """One job and what happened to it. Raises NotFound unless exactly one job's id begins so."""
    async with open_storage(url, alone=False) as storage, storage.read() as tx:
        found = await tx.jobs.find(prefix)
        if len(found) != 1:
            raise NotFound(f"{len(found)} jobs have an id that begins with “{prefix}”; name exactly one.")
        job = found[0]
        ask = await tx.jobs.ask(job.workspace, job.ask_id)
        entries = await tx.jobs.timeline(job.workspace, job.id)
    if as_json:
        lines = [
            {"at": entry.at.isoformat(), "event": entry.event, "state": entry.state.value, "detail": entry.detail}
            for entry in entries
        ]
        return json.dumps({**_job(job, ask), "timeline": lines}, indent=2)
    facts = [f"{name}: {value}" for name, value in _job(job, ask).items() if value is not None]
    events = [(_clock(entry.at), entry.event, entry.state.value, entry.detail) for entry in entries]
    return "\n".join([*facts, "", _table([("AT", "EVENT", "STATE", "DETAIL"), *events])])


async def usage(url: str, *, month: str | None, form: Form) -> str:
    """The month's sums by workspace, channel, person, provider and tier."""
    wanted = month or month_of(datetime.now(UTC), UTC)
    async with open_storage(url, alone=False) as storage, storage.read() as tx:
        rows = await tx.ledger.usage(wanted)
    if form is Form.JSON:
        return json.dumps([_usage(row) for row in rows], indent=2)
    if form is Form.CSV:
        return _csv([_usage(row) for row in rows])
    if not rows:
        return f"Nothing was held or spent in {wanted}."
    head = ("WORKSPACE", "CHANNEL", "PERSON", "PROVIDER", "TIER", "CLIPS", "SPENT", "HELD", "GIVEN BACK")
    sums = ("", "", "", "", "all", str(sum(row.clips for row in rows)), *_sums(rows))
    return f"{wanted}\n" + _table([head, *[_usage_row(row) for row in rows], sums])


def manifest(contents: dict[str, Any], *, as_json: bool) -> str:
    """The app manifest as YAML or JSON."""
    if as_json:
        return json.dumps(contents, indent=2, ensure_ascii=False) + "\n"
    return yaml.safe_dump(contents, sort_keys=False, allow_unicode=True, width=100)


def _job(job: Job, ask: Ask) -> dict[str, Any]:
    return {
        "id": job.id,
        "ask": job.ask_id,
        "workspace": job.workspace,
        "channel": job.channel,
        "thread_ts": ask.root_ts,
        "number": job.number,
        "state": job.state.value,
        "provider": job.provider,
        "model": job.model,
        "task_id": job.task_id,
        "attempt": job.attempt,
        "price_micro_usd": job.price_micro_usd,
        "cost_micro_usd": job.cost_micro_usd,
        "created_at": job.created_at.isoformat(),
        "updated_at": job.updated_at.isoformat(),
        "message_ts": job.message_ts,
        "parent": ask.parent_job,
        "kind": ask.kind.value,
        "person": job.person,
        "resolution": job.recipe.resolution.value,
        "seconds": job.recipe.seconds,
        "trouble": job.trouble.value if job.trouble else None,
        "failure": job.failure.kind.value if job.failure else None,
    }


def _row(job: Job) -> tuple[str, ...]:
    cost = dollars(job.cost_micro_usd) if job.cost_micro_usd is not None else "-"
    age = datetime.now(UTC) - job.created_at
    prompt = job.recipe.prompt if len(job.recipe.prompt) <= 40 else job.recipe.prompt[:39] + "…"
    return (
        job.id,
        f"#{job.number}",
        job.state.value,
        job.provider,
        job.task_id or "-",
        dollars(job.price_micro_usd),
        cost,
        _age(age),
        " ".join(prompt.split()),
    )


def _age(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _usage(row: UsageRow) -> dict[str, Any]:
    return {
        "workspace": row.workspace,
        "month": row.month,
        "channel": row.channel,
        "person": row.person,
        "provider": row.provider,
        "tier": row.tier,
        "held_micro_usd": row.held_micro_usd,
        "settled_micro_usd": row.settled_micro_usd,
        "released_micro_usd": row.released_micro_usd,
        "clips": row.clips,
    }


def _usage_row(row: UsageRow) -> tuple[str, ...]:
    return (row.workspace, row.channel, row.person, row.provider, row.tier, str(row.clips), *_sums([row]))


def _sums(rows: tuple[UsageRow, ...] | list[UsageRow]) -> tuple[str, str, str]:
    return (
        dollars(sum(row.settled_micro_usd for row in rows)),
        dollars(sum(row.held_micro_usd for row in rows)),
        dollars(sum(row.released_micro_usd for row in rows)),
    )


def _csv(rows: list[dict[str, Any]]) -> str:
    names = list(_usage(_NOTHING))
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


_NOTHING = UsageRow(
    workspace="",
    month="",
    channel="",
    person="",
    provider="",
    tier="",
    held_micro_usd=0,
    settled_micro_usd=0,
    released_micro_usd=0,
    clips=0,
)


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
