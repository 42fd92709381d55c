"""Both bots, the same scripts, the same judgement: what the naive wiring breaks, beside what Dailies breaks.

    python -m tests.naive.compare [--seed N] [--each N]

Each family of the storm gives so many scripts, spread over it or drawn from the seed. Prints a Markdown table; exits
with 1 when Dailies broke a promise or did not play a script, or when the naive bot broke none of a kind that it has to
break (then the harness shows nothing).
"""

import argparse
import asyncio
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bot.domain.patience import SUBMIT_DEADLINE
from tests.faults.caps import every_cap
from tests.faults.catalogue import row_pairs, single_rows
from tests.faults.company import company_at
from tests.faults.kills import double_kills, every_kill
from tests.faults.player import NeverStruck
from tests.faults.scripts import Played, Script
from tests.naive.__main__ import ENDED, POLL_FOR_SECONDS, TOOK, TRIES
from tests.scenarios.bot import ROOT
from tests.support.books import UnsoundBooks
from tests.support.history import PromisesBroken
from tests.support.storm import today
from tests.support.verdict import Column

NAIVE = (str(ROOT / "tests" / "naive" / "__main__.py"),)

LONGEST_WORK_SECONDS = TRIES * SUBMIT_DEADLINE.total_seconds() + POLL_FOR_SECONDS
"""So long the naive bot may be at one ask: each of its orders may hang to its deadline, and then it polls. Nothing else
of what it does waits so long, but for a file that comes byte by byte, which nobody waits for."""

NAIVE_PATIENCE = (25.0, 80.0, LONGEST_WORK_SECONDS + 5.0)
"""What the naive bot has not said by then it never says, where it has nothing in hand any more. Where it is still at
work at the first, in an order that hangs, the script is played again with the next."""

BITES = (
    Column.DOUBLE_CHARGES,
    Column.OVER_A_CAP,
    Column.LOST_CLIPS,
    Column.DOUBLE_POSTS,
    Column.SILENT_ENDS,
)
"""A bot without any care breaks these, or else the scripts and their judgement are worth nothing."""

NO_SCRIPT = "(no script)"
"""The family of what a bot left broken and no script can be blamed for: files, secrets in its log, its books."""

_LATE = re.compile(r"after “(?P<name>.+?)” had ended well: (?P<sentence>.*)", re.DOTALL)


class Plays(Protocol):
    """What this needs of a ``Company``."""

    patience: float | None

    async def play(self, script: Script) -> Played:
        """See ``Company.play``."""
        ...

    async def close(self) -> None:
        """See ``Company.close``."""
        ...


@dataclass
class Outcome:
    """What came of one script: the promises that it broke, or that it was not played, since what it is about never
    came."""

    script: Script
    broken: set[Column] = field(default_factory=set)
    played: bool = True

    @property
    def words(self) -> str:
        """For people."""
        if not self.played:
            return "not played"
        return ", ".join(sorted(column.value for column in self.broken)) or "kept everything"


@dataclass
class Record:
    """What came of all scripts with one bot. What the bot broke after a script had ended well is found when the bot
    ends, often within the call that was to play another one: it counts for the script that it names."""

    who: str
    outcomes: list[Outcome] = field(default_factory=list)
    of_no_script: Counter[Column] = field(default_factory=Counter)

    def came_late(self, sentences: Iterable[str]) -> None:
        """These promises were found broken when a bot ended."""
        for sentence in sentences:
            named = _LATE.fullmatch(sentence)
            # Families share names; one bot plays one of them at a time, so that the last of the name is meant.
            blamed = [one for one in self.outcomes if named is not None and one.script.name == named["name"]]
            column = _column(named["sentence"] if named is not None else sentence)
            if blamed:
                blamed[-1].broken.add(column)
            else:
                self.of_no_script[column] += 1
            sys.stderr.write(f"{self.who}: {sentence}\n")

    @property
    def families(self) -> list[str]:
        """In order, each once."""
        return list(dict.fromkeys(one.script.family for one in self.outcomes))

    def scripts(self, family: str) -> int:
        """How many of the family there were."""
        return sum(one.script.family == family for one in self.outcomes)

    def not_played(self, family: str) -> int:
        """How many of the family were not played."""
        return sum(one.script.family == family and not one.played for one in self.outcomes)

    def count(self, family: str, column: Column) -> int:
        """How many scripts of the family broke that."""
        if family == NO_SCRIPT:
            return self.of_no_script[column]
        return sum(one.script.family == family and column in one.broken for one in self.outcomes)

    def broke(self, column: Column) -> bool:
        """Whether anything broke that."""
        return self.of_no_script[column] > 0 or any(column in one.broken for one in self.outcomes)

    @property
    def whole(self) -> bool:
        """Whether every script was played, and every promise kept."""
        return all(one.played for one in self.outcomes) and not any(map(self.broke, Column))


def _column(sentence: str) -> Column:
    """A sentence that begins with its column is counted there."""
    return next((one for one in Column if sentence.startswith(f"{one.value}: ")), Column.OTHER)


def chosen(seed: int, each: int) -> list[Script]:
    """So many scripts of each family."""
    return [
        *_spread(every_kill(), each),
        *double_kills(seed, each),
        *_spread(every_cap(), each),
        *_spread(single_rows(seed), each),
        *row_pairs(seed, each),
    ]


def _spread(scripts: Sequence[Script], count: int) -> list[Script]:
    """So many of them, at equal distances."""
    step = max(1.0, len(scripts) / count)
    return [scripts[int(index * step)] for index in range(min(count, len(scripts)))]


def nothing_in_hand() -> bool:
    """Of a bot that is never asked whether it is at work: its first patience is its only one."""
    return False


async def played(
    company: Plays,
    scripts: Sequence[Script],
    who: str,
    *,
    patience: Sequence[float | None] = (None,),
    at_work: Callable[[], bool] = nothing_in_hand,
) -> Record:
    """Every script once, and the company closed. ``at_work`` says whether the bot had something in hand when the script
    was judged: then one that is broken is played again with the next ``patience``. None is what is promised."""
    record = Record(who=who)
    for number, script in enumerate(scripts, start=1):
        outcome = Outcome(script=script)
        record.outcomes.append(outcome)
        for seconds in patience:
            company.patience = seconds
            outcome.broken.clear()
            await _play(company, outcome, record)
            if not outcome.broken or not at_work():
                break
        sys.stderr.write(f"{who} {number}/{len(scripts)} {script.family}: {script.name}: {outcome.words}\n")
    with _Ending(record):
        await company.close()
    return record


async def _play(company: Plays, outcome: Outcome, record: Record) -> None:
    """Once more where the bot before was ended first and something of its cases was broken: then this one has not been
    played yet. If it has, once more does no harm."""
    for _ in range(2):
        with _Ending(record):
            try:
                played = await company.play(outcome.script)
            except NeverStruck:
                outcome.played = False
                return
            outcome.broken |= {column for column, _ in played.verdict.broken}
            return


class _Ending:
    """A block in which a bot may be ended, and judged once more: what is found goes on record."""

    def __init__(self, record: Record) -> None:
        self._record = record

    def __enter__(self) -> None:
        """Nothing is found yet."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        match error:
            case PromisesBroken(broken=sentences):
                self._record.came_late(sentences)
            case UnsoundBooks():
                self._record.came_late([str(error)])
            case _:
                return False
        return True


def still_at_work(place: Path) -> bool:
    """Whether the naive bot that was started last has taken an ask that it has not ended."""
    log = max(place.glob("bot-*/bot-*.log"), key=lambda path: path.stat().st_mtime_ns)
    said = log.read_text(encoding="utf-8", errors="replace")
    return said.count(TOOK) > said.count(ENDED)


def table(naive: Record, ours: Record) -> str:
    """A row for each family, two figures a column: naive, Dailies."""
    lines = [
        f"| family | scripts | not played | {' | '.join(column.value for column in Column)} |",
        f"|---|---:|---:|{'---:|' * len(Column)}",
    ]
    lost = any(record.of_no_script.total() for record in (naive, ours))
    for family in [*ours.families, *([NO_SCRIPT] if lost else [])]:
        cells = [f"{naive.count(family, column)} / {ours.count(family, column)}" for column in Column]
        idle = f"{naive.not_played(family)} / {ours.not_played(family)}"
        lines.append(f"| {family} | {ours.scripts(family)} | {idle} | {' | '.join(cells)} |")
    return "\n".join(lines)


def exit_code(naive: Record, ours: Record) -> int:
    """0 when Dailies played everything and kept every promise, and the naive bot did not."""
    return 0 if ours.whole and all(map(naive.broke, BITES)) else 1


async def compare(seed: int, each: int) -> int:
    """Play, print, and the exit code."""
    scripts = chosen(seed, each)
    with tempfile.TemporaryDirectory(prefix="dailies-naive-") as folder:
        place = Path(folder) / "naive"
        async with company_at(place, NAIVE, ours=False) as company:
            naive = await played(
                company, scripts, "naive", patience=NAIVE_PATIENCE, at_work=lambda: still_at_work(place)
            )
        async with company_at(Path(folder) / "dailies") as company:
            ours = await played(company, scripts, "Dailies")
    sys.stdout.write(
        f"Scripts that broke a promise, naive bot / Dailies; `make naive SEED={seed} EACH={each}`.\n"
        f"Not played: the call at which the bot was to be killed never came.\n\n{table(naive, ours)}\n"
    )
    return exit_code(naive, ours)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.naive.compare", description=__doc__)
    parser.add_argument("--seed", type=int, default=today())
    parser.add_argument("--each", type=int, default=20, help="scripts of each family")
    arguments = parser.parse_args()
    sys.exit(asyncio.run(compare(arguments.seed, arguments.each)))


if __name__ == "__main__":
    main()
