"""The seeded bugs can be put into the present tree, and what comes of each is a program and not a heap of errors."""

import pytest

from tests.seeded_bugs.catalogue import ROOT, SeededBug, seeded_bugs

BUGS = seeded_bugs()


def test_there_are_at_least_twenty_and_each_says_what_it_breaks() -> None:
    assert len(BUGS) >= 20
    assert [bug.name for bug in BUGS if not bug.changes or len(bug.promise) < 20] == []


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_test_that_it_names_is_there(bug: SeededBug) -> None:
    file, _, test = bug.caught_by.partition("::")
    assert file.startswith("tests/")
    assert (ROOT / file).is_file()
    assert not test or f"def {test.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_seeded_bug_applies_and_what_it_makes_can_be_imported(bug: SeededBug) -> None:
    for path, text in bug.applied(ROOT).items():
        assert text != (ROOT / path).read_text(encoding="utf-8")
        name = path.removesuffix(".py").replace("/", ".")
        # Beside the sound one, which stays what everybody else imports.
        exec(compile(text, path, "exec"), {"__name__": name, "__package__": name.rpartition(".")[0]})
