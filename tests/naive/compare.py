"""Both bots, the same scripts, the same judgement: what the naive wiring breaks, beside what Dailies breaks.

    python -m tests.naive.compare [--seed N] [--each N]

Each family of the storm gives so many scripts, spread over it or drawn from the seed. Prints a Markdown table; exits
with 1 when Dailies broke a promise, or when the naive bot broke none (then the harness shows nothing).
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.faults.catalogue import row_pairs, single_rows
from tests.faults.company import Company, company_at
from tests.faults.kills import double_kills, every_kill
from tests.faults.player import NeverStruck
from tests.faults.scripts import Script
from tests.scenarios.bot import ROOT
from tests.support.history import PromisesBroken
from tests.support.storm import today
from tests.support.verdict import Column

NAIVE = (str(ROOT / "tests" / "naive" / "__main__.py"),)
PATIENCE_SECONDS = 25.0
"""Longer than the naive bot works on anything: what it has not said by then it never says."""

SHOWN = (
    Column.DOUBLE_CHARGES,
    Column.LOST_CLIPS,
    Column.DOUBLE_POSTS,
    Column.SILENT_ENDS,
    Column.UNTRUE_WORDS,
    Column.FOREIGN_CLIPS,
)

Sums = Mapping[str, Counter[Column]]
"""By family: how many of its scripts broke which promise."""


def chosen(seed: int, each: int) -> list[Script]:
    """So many scripts of each family."""
    kills, rows = every_kill(), single_rows(seed)
    return [
        *_spread(kills, each),
        *double_kills(seed, each),
        *_spread(rows, each),
        *row_pairs(seed, each),
    ]


def _spread(scripts: Sequence[Script], count: int) -> list[Script]:
    """So many of them, at equal distances."""
    step = max(1.0, len(scripts) / count)
    return [scripts[int(index * step)] for index in range(min(count, len(scripts)))]


async def played(company: Company, scripts: Sequence[Script], who: str) -> Sums:
    """Every script once."""
    sums: dict[str, Counter[Column]] = {}
    for number, script in enumerate(scripts, start=1):
        broken = await _broken(company, script)
        sums.setdefault(script.family, Counter()).update(broken)
        words = ", ".join(column.value for column in broken) or "kept everything"
        sys.stderr.write(f"{who} {number}/{len(scripts)} {script.family}: {script.name}: {words}\n")
    return sums


async def _broken(company: Company, script: Script) -> set[Column]:
    """The kinds of promises that it broke."""
    try:
        played = await company.play(script)
    except NeverStruck:
        return set()  # it never got as far as the call at which it was to be killed: nothing to judge
    except PromisesBroken as broken:
        return {next((one for one in Column if one.value in str(broken)), Column.OTHER)}
    return {column for column, _ in played.verdict.broken}


def table(scripts: Sequence[Script], naive: Sums, ours: Sums) -> str:
    """A row for each family, two figures a column: naive, Dailies."""
    counts = Counter(script.family for script in scripts)
    lines = [
        f"| family | scripts | {' | '.join(column.value for column in SHOWN)} |",
        f"|---|---:|{'---:|' * len(SHOWN)}",
    ]
    for family, count in counts.items():
        cells = [f"{naive[family][column]} / {ours[family][column]}" for column in SHOWN]
        lines.append(f"| {family} | {count} | {' | '.join(cells)} |")
    return "\n".join(lines)


async def compare(seed: int, each: int) -> int:
    """Play, print, and the exit code."""
    scripts = chosen(seed, each)
    with tempfile.TemporaryDirectory(prefix="dailies-naive-") as place:
        async with company_at(Path(place) / "naive", NAIVE, ours=False, patience=PATIENCE_SECONDS) as company:
            naive = await played(company, scripts, "naive")
        async with company_at(Path(place) / "dailies") as company:
            ours = await played(company, scripts, "Dailies")
    sys.stdout.write(
        f"Scripts that broke a promise, naive bot / Dailies; `make naive SEED={seed} EACH={each}`:\n\n"
        f"{table(scripts, naive, ours)}\n"
    )
    worst = sum((counter for counter in ours.values()), Counter[Column]())
    shown = sum((counter for counter in naive.values()), Counter[Column]())
    needed = (Column.DOUBLE_CHARGES, Column.LOST_CLIPS, Column.DOUBLE_POSTS, Column.SILENT_ENDS)
    return 0 if not any(worst[column] for column in SHOWN) and all(shown[column] for column in needed) else 1


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.naive.compare", description=__doc__)
    parser.add_argument("--seed", type=int, default=today())
    parser.add_argument("--each", type=int, default=20, help="scripts of each family")
    arguments = parser.parse_args()
    sys.exit(asyncio.run(compare(arguments.seed, arguments.each)))


if __name__ == "__main__":
    main()
