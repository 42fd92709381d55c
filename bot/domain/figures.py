"""A month's money in figures that people read: sums by person, channel, provider, tier and pass, and what drafting
first has saved. Worked out from the ledger's own rows; the formula is explained in docs/money.md."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bot.domain.budget import Stage, UsageRow
from bot.domain.pricing import dollars

_MONTH = re.compile(r"2[0-9]{3}-(0[1-9]|1[0-2])")
"""Of a year that every calendar here can reckon with."""


class NoMonth(ValueError):
    """What was given is no month; ``text`` is what it was."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"“{text}” is no month. Write it as 2026-11.")


def read_month(text: str) -> str:
    """The month that the text names, as ``2026-11``. Raises NoMonth."""
    if _MONTH.fullmatch(text) is None:
        raise NoMonth(text)
    return text


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One line of money, in micro-dollars."""

    clips: int = 0
    """Orders that cost something."""
    spent_micro_usd: int = 0
    held_micro_usd: int = 0
    released_micro_usd: int = 0
    """Of what was held: what was not needed after all."""

    @property
    def nothing(self) -> bool:
        """Whether no money was ever set aside."""
        return self == Figures()


@dataclass(frozen=True, kw_only=True)
class Saving:
    """What two passes cost, against rendering every take properly at once."""

    as_finals_micro_usd: int
    """What the month's drafts would have cost as finals."""
    drafts_micro_usd: int
    """What those drafts did cost."""
    finals_micro_usd: int
    """What the promotions of drafts cost."""
    left_out: int
    """Drafts that cost something and whose price as a final is not known: they are in none of the sums."""

    @property
    def saved_micro_usd(self) -> int:
        """Below zero when drafting first was dearer."""
        return self.as_finals_micro_usd - self.drafts_micro_usd - self.finals_micro_usd


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """A month's rows, summed in every way that is asked for. Each part is ordered by what was spent and held, the
    most first."""

    total: Figures
    by_workspace: tuple[tuple[str, Figures], ...]
    by_channel: tuple[tuple[str, Figures], ...]
    by_person: tuple[tuple[str, Figures], ...]
    by_provider: tuple[tuple[str, Figures], ...]
    by_tier: tuple[tuple[str, Figures], ...]
    drafts: Figures
    finals: Figures
    direct: Figures
    saving: Saving | None
    """None in a month without a draft or a final that cost anything: there is nothing to compare."""


def summed(rows: Iterable[UsageRow]) -> Figures:
    """One line of all of them."""
    found = tuple(rows)
    return Figures(
        clips=sum(row.clips for row in found),
        spent_micro_usd=sum(row.settled_micro_usd for row in found),
        held_micro_usd=sum(row.held_micro_usd for row in found),
        released_micro_usd=sum(row.released_micro_usd for row in found),
    )


def breakdown(rows: Iterable[UsageRow]) -> Breakdown:
    """The rows of a month, broken down. Pure."""
    found = tuple(rows)

    def of(stage: Stage) -> Figures:
        return summed(row for row in found if row.stage is stage)

    return Breakdown(
        total=summed(found),
        by_workspace=_by(found, lambda row: row.workspace),
        by_channel=_by(found, lambda row: row.channel),
        by_person=_by(found, lambda row: row.person),
        by_provider=_by(found, lambda row: row.provider),
        by_tier=_by(found, lambda row: row.tier),
        drafts=of(Stage.DRAFT),
        finals=of(Stage.FINAL),
        direct=of(Stage.DIRECT),
        saving=saving(found),
    )


def saving(rows: Iterable[UsageRow]) -> Saving | None:
    """What two passes saved: the drafts' price as finals, less what the drafts cost, less what the finals cost. What
    was rendered properly without a draft costs the same either way and stands outside."""
    found = [row for row in rows if row.stage is not Stage.DIRECT]
    if not any(row.clips for row in found):
        return None
    drafts = [row for row in found if row.stage is Stage.DRAFT]
    return Saving(
        as_finals_micro_usd=sum(row.as_final_micro_usd for row in drafts),
        drafts_micro_usd=sum(row.compared_micro_usd for row in drafts),
        finals_micro_usd=sum(row.settled_micro_usd for row in found if row.stage is Stage.FINAL),
        left_out=sum(row.clips - row.compared_clips for row in drafts),
    )


def saving_words(found: Saving) -> str:
    """What drafting first saved, or that it did not, with the sums it comes from, so that it can be checked."""
    if found.left_out and not found.as_finals_micro_usd:
        return (
            "What drafting first saved cannot be said: no price as a final is known for any of "
            f"{found.left_out} drafts."
        )
    saved = found.saved_micro_usd
    verdict = (
        f"Drafting first saved {dollars(saved)}"
        if saved >= 0
        else f"Drafting first saved nothing: it cost {dollars(-saved)} more than rendering every take as a final"
    )
    sums = (
        f"the drafts as finals {dollars(found.as_finals_micro_usd)} − the drafts {dollars(found.drafts_micro_usd)} "
        f"− the finals {dollars(found.finals_micro_usd)}"
    )
    left_out = (
        f" {found.left_out} more {'draft stands' if found.left_out == 1 else 'drafts stand'} outside: "
        "no price as a final is known."
    )
    return f"{verdict} ({sums}).{left_out if found.left_out else ''}"


def _by(rows: tuple[UsageRow, ...], key: Callable[[UsageRow], str]) -> tuple[tuple[str, Figures], ...]:
    names = {key(row) for row in rows}
    lines = [(name, summed(row for row in rows if key(row) == name)) for name in names]
    return tuple(sorted(lines, key=lambda line: (-line[1].spent_micro_usd - line[1].held_micro_usd, line[0])))
