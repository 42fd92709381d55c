"""What ``dailies audit`` prints: who did what, where, at what price, under which task of which provider."""

import json
import re
from datetime import UTC, tzinfo
from typing import Any

from bot.domain.audit import AuditEntry
from bot.domain.figures import read_month
from bot.domain.pricing import dollars
from bot.report.printing import clock, one_line, table
from storage import open_storage

_HEAD = ("AT", "WHO", "ACT", "WHERE", "PRICE", "PROVIDER", "TASK", "ASK", "JOB", "DETAIL")
_ASSUMED = " assumed"
_BY_ITSELF = "-"
"""Where nobody is named: Dailies acted on what a provider said, or the operator changed a setting at the shell."""

_LINK = re.compile(r"https?://\S+")
"""Somebody's picture in the cast, say. A link may be signed, and then it is a secret."""


async def audit(url: str, *, month: str | None, limit: int | None, as_json: bool, zone: tzinfo = UTC) -> str:
    """The lines of the month (all of them when left out) by the calendar of ``zone``, oldest first; with ``limit`` the
    newest so many. Raises NoMonth."""
    wanted = None if month is None else read_month(month)
    async with open_storage(url, alone=False, zone=zone) as storage, storage.read() as tx:
        entries = await tx.audit.entries(month=wanted, limit=limit)
    if as_json:
        return json.dumps([_entry(entry) for entry in entries], indent=2)
    return table([_HEAD, *map(_row, entries)]) if entries else "Nothing was done yet."


def _entry(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": entry.at.isoformat(),
        "workspace": entry.workspace,
        "person": entry.person,
        "act": entry.act.value,
        "channel": entry.channel,
        "micro_usd": entry.micro_usd,
        "price_assumed": entry.price_assumed,
        "provider": entry.provider,
        "task_id": entry.task_id,
        "ask": entry.ask_id,
        "job": entry.job_id,
        "detail": _told(entry.detail),
    }


def _told(detail: str) -> str:
    return _LINK.sub("(a link)", detail)


def _row(entry: AuditEntry) -> tuple[str, ...]:
    price = "-" if entry.micro_usd is None else f"{dollars(entry.micro_usd)}{_ASSUMED if entry.price_assumed else ''}"
    return (
        clock(entry.at),
        entry.person or _BY_ITSELF,
        entry.act.value,
        entry.channel or "-",
        price,
        entry.provider or "-",
        one_line(entry.task_id or "-"),
        entry.ask_id or "-",
        entry.job_id or "-",
        one_line(_told(entry.detail)),
    )
