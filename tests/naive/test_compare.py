"""What the comparison makes of what it sees: who is blamed for what, and what the exit code says."""

from dataclasses import dataclass, field

import pytest

from tests.faults.player import NeverStruck
from tests.faults.scripts import Played, Script
from tests.naive.compare import (
    BITES,
    LONGEST_WORK_SECONDS,
    NAIVE_PATIENCE,
    NO_SCRIPT,
    Outcome,
    Record,
    chosen,
    exit_code,
    played,
    table,
)
from tests.support.books import UnsoundBooks
from tests.support.history import PromisesBroken
from tests.support.verdict import Column, Verdict

ONE, TWO, THREE = (Script(name=name, family="kills", provider="muapi") for name in ("one", "two", "three"))


@dataclass
class Puppets:
    """A company that does what it is told, call by call: raise an error, or break these promises."""

    does: list[Exception | tuple[Column, ...]]
    closes_with: Exception | None = None
    patience: float | None = None
    seen: list[tuple[str, float | None]] = field(default_factory=list)

    async def play(self, script: Script) -> Played:
        """The next thing."""
        self.seen.append((script.name, self.patience))
        comes = self.does.pop(0)
        if isinstance(comes, Exception):
            raise comes
        return Played(
            script=script,
            verdict=Verdict(broken=tuple((column, "so it was") for column in comes)),
            struck=0,
            moved=0,
            restarts=0,
            progress=(),
            over_after=0.0,
            idle=(),
            seconds=1.0,
            all_delivered=True,
        )

    async def close(self) -> None:
        """The end of the last bot."""
        if self.closes_with is not None:
            raise self.closes_with


def late(name: str, sentence: str) -> PromisesBroken:
    return PromisesBroken([f"after “{name}” had ended well: {sentence}"])


def broken(record: Record) -> dict[str, set[Column]]:
    return {one.script.name: one.broken for one in record.outcomes}


def record_of(*columns: Column, played: bool = True) -> Record:
    return Record(who="x", outcomes=[Outcome(script=ONE, broken=set(columns), played=played)])


async def test_all_that_a_script_breaks_counts_for_it() -> None:
    both = (Column.LOST_CLIPS, Column.OTHER)
    record = await played(Puppets([(), both]), [ONE, TWO], "x")
    assert broken(record) == {"one": set(), "two": set(both)}


async def test_what_is_found_when_a_bot_is_ended_counts_for_the_script_that_it_names() -> None:
    company = Puppets(
        [(), late("one", "double charges: two"), (Column.LOST_CLIPS,), ()],
        closes_with=late("three", "words of no column"),
    )
    record = await played(company, [ONE, TWO, THREE], "x")
    assert broken(record) == {"one": {Column.DOUBLE_CHARGES}, "two": {Column.LOST_CLIPS}, "three": {Column.OTHER}}
    assert [name for name, _ in company.seen] == ["one", "two", "two", "three"]
    assert not record.of_no_script


@pytest.mark.parametrize("error", [PromisesBroken(["clip.part was left unfinished"]), UnsoundBooks("x", ["a hold"])])
async def test_what_names_no_script_counts_for_none(error: Exception) -> None:
    record = await played(Puppets([()], closes_with=error), [ONE], "x")
    assert broken(record) == {"one": set()}
    assert record.count(NO_SCRIPT, Column.OTHER) == 1
    assert not record.whole
    assert f"| {NO_SCRIPT} | 0 | 0 / 0 |" in table(record, record_of())


async def test_any_other_error_is_the_run_s() -> None:
    with pytest.raises(ZeroDivisionError):
        await played(Puppets([ZeroDivisionError()]), [ONE], "x")


async def test_a_kill_that_never_comes_is_not_played_and_not_kept() -> None:
    record = await played(Puppets([NeverStruck("never"), ()]), [ONE, TWO], "x")
    assert [(one.played, one.words) for one in record.outcomes] == [(False, "not played"), (True, "kept everything")]
    assert (record.scripts("kills"), record.not_played("kills"), record.whole) == (2, 1, False)
    assert "| kills | 2 | 1 / 1 |" in table(record, record)


async def test_who_is_still_at_work_is_waited_for_longer_and_judged_then() -> None:
    silent, twice = (Column.SILENT_ENDS,), (Column.DOUBLE_CHARGES,)
    company = Puppets([silent, twice, silent, ()])
    answers = iter([True, False, False])
    record = await played(company, [ONE, TWO, THREE], "x", patience=(25, 80, 175), at_work=lambda: next(answers))
    assert broken(record) == {"one": set(twice), "two": set(silent), "three": set()}
    assert company.seen == [("one", 25), ("one", 80), ("two", 25), ("three", 25)]


def test_the_naive_bot_is_waited_for_as_long_as_it_works() -> None:
    assert LONGEST_WORK_SECONDS >= 170
    assert max(NAIVE_PATIENCE) > LONGEST_WORK_SECONDS


@pytest.mark.parametrize("column", Column)
def test_whatever_dailies_breaks_fails(column: Column) -> None:
    naive = record_of(*BITES)
    assert exit_code(naive, record_of()) == 0
    assert exit_code(naive, record_of(column)) == 1


def test_so_does_a_script_that_it_did_not_play_and_a_naive_bot_that_keeps_a_promise() -> None:
    assert exit_code(record_of(*BITES), record_of(played=False)) == 1
    for kept in BITES:
        assert exit_code(record_of(*(column for column in BITES if column is not kept)), record_of()) == 1


def test_every_family_is_compared() -> None:
    scripts = chosen(1, 3)
    families = ("kills", "double kills", "caps", "rows", "pairs")
    assert [[one.family for one in scripts].count(family) for family in families] == [3] * 5
    assert len(scripts) == 15
