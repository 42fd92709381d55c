"""Shows that the suite catches deliberately broken builds: ``python -m tests.seeded_bugs [name …]``.

Each bug is put into a copy of the tree, and there the test runs that its patch names. Where that one does not fail,
the patch is out of date: all tests run over the copy, fastest first, until one fails, and the row says so. With
``--search`` they do so at once, the same tests over every copy, and nothing tells them which bug is in.
Some patches name a second test, of ``tests/faults``, with a bot as a process that is killed and troubled over HTTP and
judged by what Slack and the providers have in their books: that one has to fail too, unless all tests are searched.
A test that fails and then passes by itself has caught nothing but a busy machine, and is left out of another try. Only
a test that failed, and fails by itself too, has caught anything: where pytest ends otherwise (tests that cannot be
collected, or are not there, or an error of its own) the row says so, and the run shows nothing of that bug. Without
names the tree without a bug comes first: tests that fail there catch nothing either, neither those that the patches
name nor, with ``--search``, any other.
The last thing printed is a Markdown table; the exit code is 0 when every bug was caught, and seen where its patch says
so, 1 when one was not, and 2 when of one nothing can be said.
"""

import argparse
import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.seeded_bugs.catalogue import FOLDER, ROOT, seeded_bugs

STEPS: Mapping[str, tuple[str, ...]] = {
    "simulation": ("tests/simulation",),
    "unit": ("tests/unit",),
    "contracts": ("tests/contracts",),
    "faults": ("tests/faults",),
    "scenarios": ("tests/scenarios",),
}
"""What ``make test`` runs, but for what stands around the code: folders of tests by a name, in the order of their time.
One that the tree does not have is passed over."""

AROUND_THE_CODE = ("tests/unit/test_project.py",)
"""Locks, images and documents: a copy without its environment is no checkout."""

NAMED = "named"
"""The step before those: what the patches themselves name."""

THE_STORM_TOO = ("-m", "storm or not storm")
"""For pytest: what a patch names of the harness may be too long for every run of the tests."""

NO_BUG = "(no bug)"
MOST_UNSTEADY = 5
"""So many tests that fail once and pass by themselves are left out before the machine is too busy to say anything."""

_PASSED = pytest.ExitCode.OK
_STOPPED = (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
"""What ``-x`` ends with at the first failure: pytest by itself, and pytest-xdist. Files that cannot be collected end
with the second too, but name no test."""

_FAILED = re.compile(r"^(?:FAILED|ERROR) (?P<test>\S+\.py::.+?)(?: - .*)?$", re.MULTILINE)


class NothingShown(Exception):
    """A run of the tests that says nothing about the tree: pytest's exit ``code``, why that is so, and the end of what
    it ``said``."""

    def __init__(self, code: int, why: str, said: str) -> None:
        self.code, self.why, self.said = code, why, said[-600:]
        super().__init__(f"exit code {code}: {why}: {self.said}")

    @property
    def line(self) -> str:
        """For a cell of the table."""
        words = [word for word in self.said.splitlines() if word.strip(" =!")]
        return f"exit code {self.code}, {self.why}: {words[-1].strip() if words else 'nothing was said'}".replace(
            "|", "/"
        )


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What some tests made of one build: the first ``test`` that failed; ``over`` says that the time was over before,
    and ``nothing``, why nothing can be said."""

    test: str | None = None
    over: bool = False
    nothing: str | None = None

    @property
    def blind(self) -> bool:
        """Whether all ran and passed."""
        return self == Sight()

    def cell(self, missed: str, step: str = "") -> str:
        """For the table: the test, with the ``step`` that it was in, or that it was ``missed``."""
        if self.nothing is not None:
            return f"NOTHING SHOWN{step and f' ({step})'}: {self.nothing}"
        if self.test is not None:
            return f"{step and f'{step}: '}`{self.test}`"
        return missed + (" in time" if self.over else "")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one broken build. ``suite`` is what the tests made of it, up to the ``step`` that ended it, which
    is empty when everything passed; ``stale`` is the test that its patch names, where that one did not fail;
    ``harness``, what those of the harness of real processes made of it, None where none was to run."""

    name: str
    promise: str
    seconds: float = 0.0
    step: str = ""
    suite: Sight = field(default_factory=Sight)
    stale: str | None = None
    harness: Sight | None = None

    @property
    def caught(self) -> bool:
        """Whether a test failed."""
        return self.suite.test is not None

    @property
    def seen(self) -> bool:
        """Whether the harness saw it too, where it was asked."""
        return self.harness is None or self.harness.test is not None

    @property
    def unclear(self) -> bool:
        """Whether of one of the two nothing can be said."""
        return any(one is not None and one.nothing is not None for one in (self.suite, self.harness))

    @property
    def sound(self) -> bool:
        """Whether everything ran and passed, as it has to without a bug."""
        return all(one is None or one.blind for one in (self.suite, self.harness))

    @property
    def line(self) -> str:
        """A row of the table."""
        how = self.suite.cell("NOT CAUGHT", self.step)
        if self.stale is not None:
            how += f" (its patch is out of date: `{self.stale}` does not fail)"
        seen = "" if self.harness is None else self.harness.cell("NOT SEEN")
        return f"| {self.name.replace('_', ' ')} | {self.promise} | {how} | {seen} | {self.seconds:.0f} s |"


def copy_tree(to: Path, files: Mapping[str, str]) -> None:
    """The files of the checkout as they are now, with these in place of their own; without the bugs themselves."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for path in filter(None, listed.stdout.split("\0")):
        source, target = ROOT / path, to / path
        if source.is_file() and not source.is_relative_to(FOLDER):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for path, text in files.items():
        (to / path).write_text(text, encoding="utf-8")


async def first_failure(
    tree: Path, paths: Sequence[str], *, workers: int, within: float, storm: bool = False
) -> str | None:
    """The first test of these paths that fails, and fails by itself too; None when all pass. Those of the ``storm`` run
    only where that is said. Raises TimeoutError, and NothingShown where a run ends otherwise or one test after the
    other fails and passes by itself."""
    async with asyncio.timeout(within):
        marked = THE_STORM_TOO if storm else ()
        options = [*marked, *(f"--ignore={path}" for path in AROUND_THE_CODE)]
        for _ in range(1 + MOST_UNSTEADY):
            code, said = await run_tests(tree, [*options, *paths], workers=workers)
            if code == _PASSED:
                return None
            failed = _FAILED.search(said) if code in _STOPPED else None
            if failed is None:
                raise NothingShown(code, "no test failed", said)
            alone, repeated = await run_tests(tree, [*marked, failed["test"]], workers=0)
            if alone == pytest.ExitCode.TESTS_FAILED and _FAILED.search(repeated):
                return failed["test"]
            if alone != _PASSED:
                raise NothingShown(alone, f"{failed['test']} cannot be run by itself", repeated)
            options.append(f"--deselect={failed['test']}")
    raise NothingShown(code, f"{1 + MOST_UNSTEADY} tests failed that pass by themselves", said)


async def run_tests(tree: Path, arguments: Sequence[str], *, workers: int) -> tuple[int, str]:
    """Run them until the first fails; pytest's exit code and what it said. They end when we are cancelled."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-x", "-q", "-n", str(workers), "-p", "no:cacheprovider"),
        *arguments,
        cwd=tree,
        # Also what the tests start finds the copy, wherever Dailies is installed; compiled once, not at each start.
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": ""},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, said.decode(errors="replace")


async def judge(
    name: str,
    promise: str,
    files: Mapping[str, str],
    *,
    named: Sequence[str],
    seen_by: Sequence[str] = (),
    search: bool,
    workers: int,
    limit: float,
) -> Verdict:
    """Build it, and let the ``named`` tests have a go at it, then, where ``search`` is set, all, and at last those of
    the harness by which it is to be ``seen_by``: for at most so many seconds altogether."""
    began = time.monotonic()

    def left() -> float:
        return limit - (time.monotonic() - began)

    with tempfile.TemporaryDirectory(prefix="dailies-bug-") as folder:
        tree = Path(folder)
        await asyncio.to_thread(copy_tree, tree, files)
        verdict = await _caught(
            Verdict(name=name, promise=promise), tree, named, search=search, workers=workers, left=left
        )
        if seen_by:
            harness = await _look(tree, seen_by, workers=workers, within=left(), storm=True)
            verdict = replace(verdict, harness=harness)
    return replace(verdict, seconds=limit - left())


async def _caught(
    blank: Verdict, tree: Path, named: Sequence[str], *, search: bool, workers: int, left: Callable[[], float]
) -> Verdict:
    """The verdict with what the named tests and the search have shown."""
    verdict = blank
    for step, paths in _steps(tree, named, search=search).items():
        suite = await _look(tree, paths, workers=workers, within=left())
        if step == NAMED and search and (suite.blind or suite.nothing is not None):
            verdict = replace(verdict, stale=", ".join(named))
        elif not suite.blind:
            return replace(verdict, step=step, suite=suite)
    return verdict


async def _look(tree: Path, paths: Sequence[str], *, workers: int, within: float, storm: bool = False) -> Sight:
    """What these tests make of the tree."""
    alone = len(paths) == 1 and "::" in paths[0]
    try:
        return Sight(test=await first_failure(tree, paths, workers=0 if alone else workers, within=within, storm=storm))
    except TimeoutError:
        return Sight(over=True)
    except NothingShown as shown:
        return Sight(nothing=shown.line)


def _steps(tree: Path, named: Sequence[str], *, search: bool) -> Mapping[str, Sequence[str]]:
    """What is to run over this tree, in this order."""
    steps: dict[str, Sequence[str]] = {NAMED: named} if named else {}
    if search:
        present = {step: [path for path in folders if (tree / path).is_dir()] for step, folders in STEPS.items()}
        steps |= {step: folders for step, folders in present.items() if folders}
    return steps


async def main() -> int:
    """Judge the named bugs, or all; the exit code."""
    options = _options()
    bugs = seeded_bugs(tuple(options.names))
    turns = asyncio.Semaphore(options.at_once)

    async def one(
        name: str,
        promise: str,
        files: Mapping[str, str],
        *,
        named: Sequence[str],
        seen_by: Sequence[str],
        search: bool,
    ) -> Verdict:
        async with turns:
            verdict = await judge(
                name,
                promise,
                files,
                named=() if options.search else named,
                seen_by=() if options.search else seen_by,
                search=search or options.search,
                workers=options.workers,
                limit=options.limit,
            )
        _say(verdict.line)
        return verdict

    if not options.names:
        sound = await one(
            NO_BUG,
            "Nothing is broken.",
            {},
            named=[*dict.fromkeys(bug.caught_by for bug in bugs)],
            seen_by=[*dict.fromkeys(bug.seen_by for bug in bugs if bug.seen_by)],
            search=False,
        )
        if not sound.sound:
            _say("The tree without a bug does not pass: nothing can be said about those with one.")
            return 2
    verdicts = await asyncio.gather(
        *(
            one(
                bug.name,
                bug.promise,
                bug.applied(ROOT),
                named=[bug.caught_by],
                seen_by=[bug.seen_by] if bug.seen_by else [],
                search=True,
            )
            for bug in bugs
        )
    )
    _say("", "| bug | promise | caught by | seen by the harness | after |", "|---|---|---|---|---|")
    _say(*(one.line for one in verdicts), "", summary(verdicts))
    return exit_code(verdicts)


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many were caught, and how many of those seen that the harness is to see."""
    asked = [verdict for verdict in verdicts if verdict.harness is not None]
    unclear = sum(verdict.unclear for verdict in verdicts)
    return " ".join(
        [
            f"Caught {sum(verdict.caught for verdict in verdicts)} of {len(verdicts)}.",
            *([f"The harness saw {sum(verdict.seen for verdict in asked)} of {len(asked)}."] if asked else []),
            *([f"Of {unclear} nothing can be said."] if unclear else []),
        ]
    )


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """0 when every bug was caught, and seen where its patch says so; 1 when one was not; 2 when of one nothing can be
    said."""
    if any(verdict.unclear for verdict in verdicts):
        return 2
    return 0 if all(verdict.caught and verdict.seen for verdict in verdicts) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.seeded_bugs", description="Does the suite catch them?")
    parser.add_argument("names", nargs="*", help="files of this folder without .patch; all of them when left out")
    parser.add_argument("--search", action="store_true", help="all tests over each, whatever the patches name")
    parser.add_argument("--at-once", type=int, default=3, help="so many broken builds beside one another")
    parser.add_argument("--workers", type=int, default=2, help="of pytest, for each")
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds for each")
    return parser.parse_args()


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
