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


def months_until(month: str, count: int) -> tuple[str, ...]:
    """So many months, of which ``month`` is the last, in their order."""
    last = int(month[:4]) * 12 + int(month[5:]) - 1
    return tuple(f"{number // 12:04}-{number % 12 + 1:02}" for number in range(last - count + 1, last + 1))


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One line of money, in micro-dollars."""

    clips: int = 0
    """Orders that cost something."""
    spent_micro_usd: int = 0
    held_micro_usd: int = 0
    released_micro_usd: int = 0
    """Of what was held: what was not needed after all."""
    assumed_micro_usd: int = 0
    """Of what is spent and held: what rests on an assumed price."""

    @property
    def assumed_words(self) -> str:
        """What is to stand behind the figures; empty where every price is the provider's own."""
        return f" ({dollars(self.assumed_micro_usd)} of it at assumed prices)" if self.assumed_micro_usd else ""

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
    """What the promotions of drafts cost whose price as a final is known."""
    left_out: int
    """Drafts that cost something and whose price as a final is not known: neither they nor their promotions are in any
    of the sums."""
    assumed: bool = False
    """Some of it was counted at a price that the provider does not publish."""

    @property
    def saved_micro_usd(self) -> int:
        """Below zero when drafting first was dearer."""
        return self.as_finals_micro_usd - self.drafts_micro_usd - self.finals_micro_usd


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """The rows of a month or several, summed in every way that is asked for. Each part is ordered by what was spent and
    held, the most first."""

    total: Figures
    by_month: tuple[tuple[str, Figures], ...]
    """Of these alone the earliest is first."""
    by_workspace: tuple[tuple[str, Figures], ...]
    by_channel: tuple[tuple[str, Figures], ...]
    by_person: tuple[tuple[str, Figures], ...]
    by_provider: tuple[tuple[str, Figures], ...]
    by_tier: tuple[tuple[str, Figures], ...]
    drafts: Figures
    finals: Figures
    direct: Figures
    saving: Saving | None
    """None where no draft, and no final of one that is compared, cost anything: there is nothing to compare."""


def summed(rows: Iterable[UsageRow]) -> Figures:
    """One line of all of them."""
    found = tuple(rows)
    return Figures(
        clips=sum(row.clips for row in found),
        spent_micro_usd=sum(row.settled_micro_usd for row in found),
        held_micro_usd=sum(row.held_micro_usd for row in found),
        released_micro_usd=sum(row.released_micro_usd for row in found),
        assumed_micro_usd=sum(row.assumed_micro_usd for row in found),
    )


def breakdown(rows: Iterable[UsageRow]) -> Breakdown:
    """The rows of a month or several, broken down. Pure."""
    found = tuple(rows)

    def of(stage: Stage) -> Figures:
        return summed(row for row in found if row.stage is stage)

    return Breakdown(
        total=summed(found),
        by_month=tuple(sorted(_by(found, lambda row: row.month))),
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
    was rendered properly without a draft costs the same either way and stands outside. None where there is nothing to
    compare."""
    found = tuple(rows)
    drafts = [row for row in found if row.stage is Stage.DRAFT]
    finals = [row for row in found if row.stage is Stage.FINAL]
    if not any(row.clips for row in drafts) and not any(row.compared_clips for row in finals):
        return None
    return Saving(
        as_finals_micro_usd=sum(row.as_final_micro_usd for row in drafts),
        drafts_micro_usd=sum(row.compared_micro_usd for row in drafts),
        finals_micro_usd=sum(row.compared_micro_usd for row in finals),
        left_out=sum(row.clips - row.compared_clips for row in drafts),
        assumed=any(row.assumed_micro_usd for row in (*drafts, *finals)),
    )


def saving_words(found: Saving) -> str:
    """What drafting first saved, or that it did not, with the sums it comes from, so that it can be checked."""
    if found.left_out and not found.as_finals_micro_usd and not found.finals_micro_usd:
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
    assumed = " Some of the prices are assumed." if found.assumed else ""
    left_out = (
        f" {found.left_out} more {'draft stands' if found.left_out == 1 else 'drafts stand'} outside: "
        "no price as a final is known."
    )
    return f"{verdict} ({sums}).{assumed}{left_out if found.left_out else ''}"


def _by(rows: tuple[UsageRow, ...], key: Callable[[UsageRow], str]) -> tuple[tuple[str, Figures], ...]:
    names = {key(row) for row in rows}
    lines = [(name, summed(row for row in rows if key(row) == name)) for name in names]
    return tuple(sorted(lines, key=lambda line: (-line[1].spent_micro_usd - line[1].held_micro_usd, line[0])))
