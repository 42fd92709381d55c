"""The storm's seed, and its summary: how many scripts were played, and which promises they broke.

``pytest --seed N`` draws the same scripts again. Each test of a script hands its figures over as a property of its
report, which pytest-xdist carries from the workers; whoever runs the show adds them up.
"""

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.support.verdict import Column

OPTION = "--seed"
PROPERTY = "script"
"""The name of the property: a mapping with family, name, and, when the script was played to its end, its figures."""

_MANY = 20
"""Of fewer restarts, half may be those that a machine had no time for."""
FIRST_PROGRESS_SECONDS = 2.0
"""I11, on SQLite. One restart on a machine that plays four scripts at once may take longer; half of them may not."""

SUMMARY = Path("out/storm.md")

WHOLE: Mapping[str, int] = {"double kills": 380, "pairs": 420}
"""The families that a seed draws, and how many scripts each has."""

STRUCK_AT_LEAST = 300
"""So many scripts of a drawn family have to strike as they were drawn, when all of them are played."""


def today() -> int:
    """A seed that everybody draws on the same day."""
    return int(datetime.now(UTC).strftime("%Y%m%d"))


@dataclass
class Family:
    """What the scripts of one family came to."""

    played: int = 0
    restarts: int = 0
    moved: int = 0
    idle: int = 0
    struck: int = 0
    """Scripts of which everything struck as it was drawn: no kill was moved, and no fault was idle."""
    seconds: float = 0.0
    progress: list[float] = field(default_factory=list)
    since_spawn: list[float] = field(default_factory=list)
    over_after: list[float] = field(default_factory=list)
    columns: dict[str, int] = field(default_factory=lambda: dict.fromkeys((one.value for one in Column), 0))
    failed: list[str] = field(default_factory=list)

    @property
    def slow(self) -> bool:
        """Whether restarts take longer to go on than they may."""
        return len(self.progress) >= _MANY and median(self.progress) > FIRST_PROGRESS_SECONDS

    def too_few(self, name: str) -> bool:
        """Whether the whole of a drawn family was played, and too few of its scripts struck."""
        return self.played >= WHOLE.get(name, math.inf) and self.struck < STRUCK_AT_LEAST


class Storm:
    """A plugin of pytest: collects what the scripts say, and sums it up at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._families: dict[str, Family] = defaultdict(Family)

    @property
    def seed(self) -> int:
        """What the scripts are drawn from."""
        return int(self._config.getoption("seed"))

    def pytest_report_header(self) -> str:
        """So that every run can be repeated."""
        return f"storm: {OPTION} {self.seed}"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one test, from whichever worker."""
        said = dict(report.user_properties).get(PROPERTY)
        if said is None or (report.when != "call" and not report.failed):
            return
        self._add(json.loads(str(said)), failed=report.failed)

    def _add(self, said: dict[str, Any], *, failed: bool) -> None:
        family = self._families[said["family"]]
        if failed:
            family.failed.append(said["name"])
        family.played += 1
        figures = said.get("figures")
        if figures is None:
            return
        for name in ("restarts", "moved", "idle"):
            setattr(family, name, getattr(family, name) + figures[name])
        family.struck += not figures["moved"] and not figures["idle"]
        family.seconds += figures["seconds"]
        family.progress += figures["progress"]
        family.since_spawn += figures["since_spawn"]
        family.over_after.append(figures["over_after"])
        for column, count in figures["columns"].items():
            family.columns[column] += count

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A promise about all restarts is judged when all were made, and so is whether enough was struck."""
        failed = any(one.slow or one.too_few(name) for name, one in self._families.items())
        if session.exitstatus == pytest.ExitCode.OK and failed:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Printed, and for the long run written down."""
        if not self._families:
            return
        text = self.markdown()
        terminalreporter.section("storm")
        terminalreporter.write_line(text)
        if self._config.getoption("markexpr") == "storm":
            place = self._config.rootpath / SUMMARY
            place.parent.mkdir(exist_ok=True)
            place.write_text(text + "\n", encoding="utf-8")

    def markdown(self) -> str:
        """A row for each family, then the names of what failed."""
        columns = [one.value for one in Column]
        spreads = ["first progress, median / most", "since spawned, median / most", "over, median / most"]
        heads = ["scripts", "restarts", "moved", "idle", "struck", *columns, "failed", "s each", *spreads]
        lines = [
            f"Seed {self.seed}: `make storm SEED={self.seed}` plays the same.",
            "",
            f"| family | {' | '.join(heads)} |",
            f"|---|{'---:|' * len(heads)}",
        ]
        for name, one in sorted(self._families.items()):
            figures = [one.played, one.restarts, one.moved, one.idle, one.struck]
            figures += [*(one.columns[column] for column in columns), len(one.failed)]
            each = f"{one.seconds / one.played:.1f}"
            spread = (_spread(seconds) for seconds in (one.progress, one.since_spawn, one.over_after))
            cells = [*map(str, figures), each, *spread]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines += ["", "moved: kills that got an ask of their own, since their call had been made before."]
        lines += ["idle: scripts with a fault that had no occasion, since another kept it from it."]
        lines += ["struck: scripts without either, as they were drawn.", ""]
        lines += ["first progress: after a restart, from when it was up; since spawned: from when its process began."]
        lines += ["over: after the last ask, act or restart.", ""]
        for name, one in sorted(self._families.items()):
            lines += [f"- failed, {name}: {script}" for script in one.failed]
            if one.slow:
                took = f"{median(one.progress):.2f} s, where {FIRST_PROGRESS_SECONDS:g} s are promised"
                lines.append(f"- failed, {name}: half of the restarts took longer to go on than {took}")
            if one.too_few(name):
                lines.append(f"- failed, {name}: {one.struck} scripts struck as drawn, of {STRUCK_AT_LEAST} at least")
        if any(one.failed for one in self._families.values()):
            lines += ["", f"One of them again: `pytest -m storm {OPTION} {self.seed} '…::test_…[…]'`, as named above."]
        return "\n".join(lines)


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "–"
    return f"{median(seconds):.2f} s / {max(seconds):.2f} s"
