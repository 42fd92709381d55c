"""What ``dailies usage`` prints: the month's money of every workspace in this database."""

import json
from datetime import datetime
from typing import Any

from bot.domain.budget import Scope, UsageRow, month_of
from bot.domain.figures import Breakdown, Figures, breakdown, read_month, saving_words
from bot.domain.pricing import dollars
from bot.domain.statement import Balance
from bot.report.printing import Form, as_csv, one_line, table
from bot.services.accounts import all_balances
from bot.services.policies import Policies
from bot.services.policy import Policy
from storage import open_storage

_FIGURES = ("CLIPS", "SPENT", "HELD", "GIVEN BACK")
_SCOPES = {
    Scope.WORKSPACE_MONTH: "workspace for the month",
    Scope.CHANNEL_MONTH: "channel for the month",
    Scope.PERSON_DAY: "person for the day",
}


async def usage(url: str, *, month: str | None, form: Form, operator: Policy, now: datetime) -> str:
    """The month's money; this month's when left out. ``operator`` is the environment's policy, for what is left under
    the caps. Raises NoMonth."""
    present = month_of(now, operator.zone)
    wanted = present if month is None else read_month(month)
    async with open_storage(url, alone=False) as storage, storage.read() as tx:
        rows = await tx.ledger.usage(wanted)
        policies = Policies(storage=storage, operator=operator)
        left = await all_balances(tx, policies, rows, now) if form is Form.TEXT and wanted == present else ()
    match form:
        case Form.JSON:
            return json.dumps([_row(row) for row in rows], indent=2)
        case Form.CSV:
            return as_csv(_COLUMNS, [_row(row) for row in rows])
        case Form.TEXT:
            return _text(wanted, rows, left)


_COLUMNS = (
    "workspace",
    "month",
    "channel",
    "person",
    "provider",
    "tier",
    "stage",
    "held_micro_usd",
    "settled_micro_usd",
    "released_micro_usd",
    "clips",
    "as_final_micro_usd",
    "compared_micro_usd",
    "compared_clips",
)


def _row(row: UsageRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _COLUMNS} | {"stage": row.stage.value}


def _text(month: str, rows: tuple[UsageRow, ...], left: tuple[tuple[str, Balance], ...]) -> str:
    if not rows:
        return f"Nothing was held or spent in {month}."
    found = breakdown(rows)
    parts = [month, table(_lines(found))]
    if found.saving is not None:
        parts.append(f"{saving_words(found.saving)}\nHow that is worked out: docs/money.md.")
    if left:
        head = ("LEFT", "OF", "WHOSE", "RENEWS")
        parts.append(table([head, *(_balance(workspace, balance) for workspace, balance in left)]))
    return "\n\n".join(parts)


def _lines(found: Breakdown) -> list[tuple[str, ...]]:
    passes = (("drafts", found.drafts), ("finals", found.finals), ("without a draft", found.direct))
    sections: list[tuple[str, tuple[tuple[str, Figures], ...]]] = [
        ("", (("all", found.total),)),
        ("PASS", tuple((name, figures) for name, figures in passes if not figures.nothing)),
        ("WORKSPACE", found.by_workspace if len(found.by_workspace) > 1 else ()),
        ("CHANNEL", found.by_channel),
        ("PERSON", found.by_person),
        ("PROVIDER", found.by_provider),
        ("TIER", found.by_tier),
    ]
    lines: list[tuple[str, ...]] = [("", "", *_FIGURES)]
    for title, section in sections:
        lines += [(title, one_line(name), *_cells(figures)) for name, figures in section]
    return lines


def _cells(figures: Figures) -> tuple[str, str, str, str]:
    return (
        str(figures.clips),
        dollars(figures.spent_micro_usd),
        dollars(figures.held_micro_usd),
        dollars(figures.released_micro_usd),
    )


def _balance(workspace: str, balance: Balance) -> tuple[str, str, str, str]:
    cap = balance.cap
    subject = cap.subject if cap.scope is Scope.WORKSPACE_MONTH else f"{cap.subject} ({workspace})"
    return (
        dollars(balance.left_micro_usd),
        dollars(cap.limit_micro_usd or 0),
        f"{_SCOPES[cap.scope]}: {subject}",
        cap.renews_at.strftime("%Y-%m-%d %H:%M %Z"),
    )
