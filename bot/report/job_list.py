"""What ``dailies jobs`` prints."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.job import Ask, Job, State
from bot.domain.lineage import files_in_words
from bot.domain.pricing import dollars
from bot.report.printing import NotFound, clock, one_line, table
from storage import open_storage


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
    return table(rows) if found else "No jobs."


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
    events = [(clock(entry.at), entry.event, entry.state.value, entry.detail) for entry in entries]
    return "\n".join([*facts, "", table([("AT", "EVENT", "STATE", "DETAIL"), *events])])


def _job(job: Job, ask: Ask) -> dict[str, Any]:
    """A job for whoever runs Dailies. Addresses of files may be signed, and are never printed."""
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
        "stage": job.stage.value,
        "person": job.person,
        "resolution": job.recipe.resolution.value,
        "seconds": job.recipe.seconds,
        "files": files_in_words(job.recipe.media) if job.recipe.media else None,
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
        one_line(prompt),
    )


def _age(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
