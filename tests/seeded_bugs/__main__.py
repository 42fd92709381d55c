"""Shows that the suite catches deliberately broken builds: ``python -m tests.seeded_bugs [name …]``.

Each bug is put into a copy of the tree, and there the test runs that its patch names. Where that one does not fail,
the patch is out of date: all tests run over the copy, fastest first, until one fails, and the row says so. With
``--search`` they do so at once, the same tests over every copy, and nothing tells them which bug is in.
A test that fails and then passes by itself has caught nothing but a busy machine, and is left out of another try. Only
a test that failed, and fails by itself too, has caught anything: where pytest ends otherwise (tests that cannot be
collected, or are not there, or an error of its own) the row says so, and the run shows nothing of that bug. Without
names the tree without a bug comes first: tests that fail there catch nothing either, neither those that the patches
name nor, with ``--search``, any other.
The last thing printed is a Markdown table; the exit code is 0 when every bug was caught, 1 when one was not, and 2 when
of one nothing can be said.
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
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
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
class Verdict:
    """What became of one broken build. ``step`` is the one that ended it, with the test that failed in it; both are
    None when everything passed. ``over`` says that the time was over before; ``nothing``, why nothing can be said;
    ``stale`` is the test that its patch names, where that one did not fail."""

    name: str
    promise: str
    seconds: float
    step: str | None = None
    test: str | None = None
    over: bool = False
    nothing: str | None = None
    stale: str | None = None

    @property
    def caught(self) -> bool:
        """Whether a test failed."""
        return self.test is not None

    @property
    def line(self) -> str:
        """A row of the table."""
        if self.nothing is not None:
            how = f"NOTHING SHOWN ({self.step}): {self.nothing}"
        elif self.caught:
            how = f"{self.step}: `{self.test}`"
        else:
            how = "NOT CAUGHT" + (" in time" if self.over else "")
        if self.stale is not None:
            how += f" (its patch is out of date: `{self.stale}` does not fail)"
        return f"| {self.name.replace('_', ' ')} | {self.promise} | {how} | {self.seconds:.0f} s |"


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


async def first_failure(tree: Path, paths: Sequence[str], *, workers: int, within: float) -> str | None:
    """The first test of these paths that fails, and fails by itself too; None when all pass. Raises TimeoutError, and
    NothingShown where a run ends otherwise or one test after the other fails and passes by itself."""
    async with asyncio.timeout(within):
        options = [f"--ignore={path}" for path in AROUND_THE_CODE]
        for _ in range(1 + MOST_UNSTEADY):
            code, said = await run_tests(tree, [*options, *paths], workers=workers)
            if code == _PASSED:
                return None
            failed = _FAILED.search(said) if code in _STOPPED else None
            if failed is None:
                raise NothingShown(code, "no test failed", said)
            alone, repeated = await run_tests(tree, [failed["test"]], workers=0)
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
    search: bool,
    workers: int,
    limit: float,
) -> Verdict:
    """Build it, and let the ``named`` tests have a go at it, then, where ``search`` is set, all: for at most so many
    seconds altogether."""
    began = time.monotonic()
    stale: str | None = None

    def verdict(
        step: str | None = None, test: str | None = None, *, over: bool = False, nothing: str | None = None
    ) -> Verdict:
        took = time.monotonic() - began
        return Verdict(
            name=name, promise=promise, seconds=took, step=step, test=test, over=over, nothing=nothing, stale=stale
        )

    with tempfile.TemporaryDirectory(prefix="dailies-bug-") as folder:
        tree = Path(folder)
        await asyncio.to_thread(copy_tree, tree, files)
        for step, paths in _steps(tree, named, search=search).items():
            many = step != NAMED or len(named) > 1
            try:
                left = limit - (time.monotonic() - began)
                test = await first_failure(tree, paths, workers=workers if many else 0, within=left)
            except TimeoutError:
                return verdict(step, over=True)
            except NothingShown as shown:
                if step != NAMED or not search:
                    return verdict(step, nothing=shown.line)
                test = None
            if test is not None:
                return verdict(step, test)
            if step == NAMED and search:
                stale = ", ".join(named)
    return verdict()


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

    async def one(name: str, promise: str, files: Mapping[str, str], named: Sequence[str], *, search: bool) -> Verdict:
        async with turns:
            verdict = await judge(
                name,
                promise,
                files,
                named=() if options.search else named,
                search=search or options.search,
                workers=options.workers,
                limit=options.limit,
            )
        _say(verdict.line)
        return verdict

    if not options.names:
        every = list(dict.fromkeys(bug.caught_by for bug in bugs))
        sound = await one(NO_BUG, "Nothing is broken.", {}, every, search=False)
        if sound.caught or sound.over or sound.nothing is not None:
            _say("The tree without a bug does not pass: nothing can be said about those with one.")
            return 2
    verdicts = await asyncio.gather(
        *(one(bug.name, bug.promise, bug.applied(ROOT), [bug.caught_by], search=True) for bug in bugs)
    )
    _say("", "| bug | promise | caught by | after |", "|---|---|---|---|", *(one.line for one in verdicts))
    caught = sum(verdict.caught for verdict in verdicts)
    nothing = sum(verdict.nothing is not None for verdict in verdicts)
    _say("", f"Caught {caught} of {len(verdicts)}." + (f" Of {nothing} nothing can be said." if nothing else ""))
    return exit_code(verdicts)


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """0 when every bug was caught, 1 when one was not, 2 when of one nothing can be said."""
    if any(verdict.nothing is not None for verdict in verdicts):
        return 2
    return 0 if all(verdict.caught for verdict in verdicts) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.seeded_bugs", description="Does the suite catch them?")
    parser.add_argument("names", nargs="*", help="files of this folder without .patch; all of them when left out")
    parser.add_argument("--search", action="store_true", help="all tests over each, whatever the patches name")
    parser.add_argument("--at-once", type=int, default=2, help="so many broken builds beside one another")
    parser.add_argument("--workers", type=int, default=2, help="of pytest, for each")
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds for each")
    return parser.parse_args()


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
