"""The seeded bugs can be put into the present tree, and what comes of each is a program and not a heap of errors."""

import re
import subprocess
import sys

import pytest

from tests.seeded_bugs.__main__ import THE_STORM_TOO
from tests.seeded_bugs.catalogue import ROOT, SeededBug, seeded_bugs

BUGS = seeded_bugs()
SEEN = [bug for bug in BUGS if bug.seen_by is not None]
"""Those that the harness of real processes is to see too."""


def test_there_are_at_least_twenty_and_each_says_what_it_breaks() -> None:
    assert len(BUGS) >= 20
    assert [bug.name for bug in BUGS if not bug.changes or len(bug.promise) < 20] == []


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_test_that_it_names_is_there(bug: SeededBug) -> None:
    file, _, test = bug.caught_by.partition("::")
    assert file.startswith("tests/")
    assert (ROOT / file).is_file()
    assert not test or f"def {test.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")


def test_the_harness_sees_at_least_ten_and_each_kind_of_promise() -> None:
    assert len(SEEN) >= 10
    promises = {promise for bug in SEEN for promise in re.findall(r"\bI\d+\b", bug.promise.partition(":")[0])}
    # Charges, clips, posts, silence, caps, and what is said of money.
    assert promises >= {"I1", "I2", "I3", "I4", "I5", "I9"}


@pytest.mark.parametrize("bug", SEEN, ids=lambda bug: bug.name)
def test_what_it_names_of_the_harness_plays_with_a_bot_of_its_own(bug: SeededBug) -> None:
    """By its fixture: what else is there asks services or the judgement itself, and kills nothing."""
    file, _, test = (bug.seen_by or "").partition("::")
    assert file.startswith("tests/faults/")
    name = re.escape(test.partition("[")[0])
    assert re.search(
        rf"^async def {name}\((rig: Rig|rig_of: |perform: )", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE
    )


def test_pytest_knows_everything_that_they_name_of_the_harness() -> None:
    named = sorted({bug.seen_by for bug in SEEN if bug.seen_by})
    options = ["--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider", *THE_STORM_TOO]
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *named], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert sorted(line for line in collected.stdout.splitlines() if "::" in line) == named, collected.stdout


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_seeded_bug_applies_and_what_it_makes_can_be_imported(bug: SeededBug) -> None:
    for path, text in bug.applied(ROOT).items():
        assert text != (ROOT / path).read_text(encoding="utf-8")
        name = path.removesuffix(".py").replace("/", ".")
        # Beside the sound one, which stays what everybody else imports.
        exec(compile(text, path, "exec"), {"__name__": name, "__package__": name.rpartition(".")[0]})
