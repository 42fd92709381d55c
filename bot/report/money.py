"""What ``dailies usage`` prints: the money of every workspace in this database, by month."""

import json
from datetime import datetime
from typing import Any

from bot.domain.budget import Scope, UsageRow, moment, month_of, whose
from bot.domain.figures import Breakdown, Figures, Saving, breakdown, months_until, read_month, saving_words
from bot.domain.pricing import dollars
from bot.domain.statement import Balance
from bot.report.printing import Form, as_csv, one_line, table
from bot.services.accounts import all_balances
from bot.services.policies import Policies
from bot.services.policy import Policy
from storage import open_storage

_FIGURES = ("CLIPS", "SPENT", "HELD", "GIVEN BACK")
_ASSUMED = "ASSUMED"
"""Of what is spent and held: what is counted at an assumed price. A column only where there is any."""


async def usage(url: str, *, month: str | None, months: int = 1, form: Form, operator: Policy, now: datetime) -> str:
    """The money of so many months up to that one; this one when left out. ``operator`` is the environment's policy, for
    what is left under the caps. Raises NoMonth."""
    present = month_of(now, operator.zone)
    wanted = months_until(present if month is None else read_month(month), months)
    async with open_storage(url, alone=False, zone=operator.zone) as storage, storage.read() as tx:
        rows = [row for one in wanted for row in await tx.ledger.usage(one)]
        policies = Policies(storage=storage, operator=operator)
        current = [row for row in rows if row.month == present]
        left = await all_balances(tx, policies, current, now) if present in wanted else ()
    match form:
        case Form.JSON:
            return json.dumps([_row(row) for row in rows], indent=2)
        case Form.CSV:
            return as_csv(_COLUMNS, [_row(row) for row in rows])
        case Form.SUMMARY:
            return json.dumps(_summary(rows, left), indent=2)
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
    "assumed_micro_usd",
)


def _row(row: UsageRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _COLUMNS} | {"stage": row.stage.value}


# --- what it comes to, for programs ----------------------------------------------------------------------------------


def _summary(rows: list[UsageRow], left: tuple[tuple[str, Balance], ...]) -> dict[str, Any]:
    parts = sorted({(row.workspace, row.month) for row in rows})
    return {
        "months": [
            {"workspace": workspace, "month": month, **_sums([row for row in rows if _part(row) == (workspace, month)])}
            for workspace, month in parts
        ],
        "left": [
            {
                "workspace": workspace,
                "scope": balance.cap.scope.value,
                "subject": balance.cap.subject,
                "period": balance.cap.period,
                "limit_micro_usd": balance.cap.limit_micro_usd,
                "committed_micro_usd": balance.committed_micro_usd,
                "left_micro_usd": balance.left_micro_usd,
                "renews_at": balance.cap.renews_at.isoformat(),
            }
            for workspace, balance in left
        ],
    }


def _part(row: UsageRow) -> tuple[str, str]:
    return row.workspace, row.month


def _sums(rows: list[UsageRow]) -> dict[str, Any]:
    found = breakdown(rows)
    return {
        "clips": found.total.clips,
        "held_micro_usd": found.total.held_micro_usd,
        "settled_micro_usd": found.total.spent_micro_usd,
        "released_micro_usd": found.total.released_micro_usd,
        "assumed_micro_usd": found.total.assumed_micro_usd,
        "saving": None if found.saving is None else _saving(found.saving),
    }


def _saving(found: Saving) -> dict[str, Any]:
    return {
        "saved_micro_usd": found.saved_micro_usd,
        "as_finals_micro_usd": found.as_finals_micro_usd,
        "drafts_micro_usd": found.drafts_micro_usd,
        "finals_micro_usd": found.finals_micro_usd,
        "left_out": found.left_out,
        "assumed": found.assumed,
    }


# --- for people ------------------------------------------------------------------------------------------------------


def _text(months: tuple[str, ...], rows: list[UsageRow], left: tuple[tuple[str, Balance], ...]) -> str:
    span = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
    parts = _spent(span, breakdown(rows)) if rows else [f"Nothing was held or spent in {span}."]
    if left:
        head = ("LEFT", "OF", "WHOSE", "RENEWS")
        parts.append(table([head, *(_balance(workspace, balance) for workspace, balance in left)]))
    return "\n\n".join(parts)


def _spent(span: str, found: Breakdown) -> list[str]:
    parts = [span, table(_lines(found))]
    if found.saving is not None:
        parts.append(f"{saving_words(found.saving)}\nHow that is worked out: docs/money.md.")
    return parts


def _lines(found: Breakdown) -> list[tuple[str, ...]]:
    passes = (("drafts", found.drafts), ("finals", found.finals), ("without a draft", found.direct))
    sections: list[tuple[str, tuple[tuple[str, Figures], ...]]] = [
        ("", (("all", found.total),)),
        ("MONTH", found.by_month if len(found.by_month) > 1 else ()),
        ("PASS", tuple((name, figures) for name, figures in passes if not figures.nothing)),
        ("WORKSPACE", found.by_workspace if len(found.by_workspace) > 1 else ()),
        ("CHANNEL", found.by_channel),
        ("PERSON", found.by_person),
        ("PROVIDER", found.by_provider),
        ("TIER", found.by_tier),
    ]
    assumed = found.total.assumed_micro_usd > 0
    lines: list[tuple[str, ...]] = [("", "", *_FIGURES, *((_ASSUMED,) if assumed else ()))]
    for title, section in sections:
        lines += [(title, one_line(name), *_cells(figures, assumed=assumed)) for name, figures in section]
    return lines


def _cells(figures: Figures, *, assumed: bool) -> tuple[str, ...]:
    amounts = (figures.spent_micro_usd, figures.held_micro_usd, figures.released_micro_usd)
    more = (figures.assumed_micro_usd,) if assumed else ()
    return (str(figures.clips), *map(dollars, (*amounts, *more)))


def _balance(workspace: str, balance: Balance) -> tuple[str, str, str, str]:
    cap = balance.cap
    subject = cap.subject if cap.scope is Scope.WORKSPACE_MONTH else f"{cap.subject} ({workspace})"
    return (
        dollars(balance.left_micro_usd),
        dollars(cap.limit_micro_usd or 0),
        f"{whose(cap.scope, workspace='workspace', channel='channel', person='person')}: {subject}",
        moment(cap.renews_at),
    )
