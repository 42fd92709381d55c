"""The deliberately broken builds: small patches kept as data, one promise each.

A patch is a unified diff below two lines: which promise it breaks, and a quick test that sees it; some have a third,
with a test of ``tests/faults`` in which the harness of real processes sees it from outside. It is applied by its
text alone, wherever in the file the lines stand by now, and only where they stand exactly once: a patch that no longer
says what it means is an error, and never another bug than the one it is called after. Neither git nor patch is needed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]

_CAUGHT_BY = "Caught by: "
_SEEN_BY = "Seen by the harness: "
_FILE = re.compile(r"^--- a/(?P<path>\S+)\n\+\+\+ b/(?P=path)\n", re.MULTILINE)
_HUNK = re.compile(r"^@@ .*@@.*\n", re.MULTILINE)


class DoesNotApply(Exception):
    """The tree has moved on: ``lines``, which the patch ``name`` wants to change, stand ``times`` times in ``path``."""

    def __init__(self, name: str, path: str, lines: str, times: int) -> None:
        self.name, self.path, self.lines, self.times = name, path, lines, times
        super().__init__(f"{name}: in {path} these lines stand {times} times, not once:\n{lines}")


@dataclass(frozen=True, kw_only=True)
class Change:
    """In this file, these lines become those."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class SeededBug:
    """A way to break a promise. ``promise`` says which, in a sentence; ``caught_by`` is a test of ``make test`` that
    fails with the bug in and passes without, as pytest takes it: a file, or a test in one. So does ``seen_by``, a test
    with a bot of its own as a process, judged by what Slack and the providers have in their books; it may be one of the
    storm."""

    name: str
    promise: str
    caught_by: str
    seen_by: str | None = None
    changes: tuple[Change, ...]

    def applied(self, tree: Path) -> Mapping[str, str]:
        """The files that it changes, by path, as they are with the bug in. Raises DoesNotApply."""
        files: dict[str, str] = {}
        for change in self.changes:
            text = files.get(change.path) or (tree / change.path).read_text(encoding="utf-8")
            if (times := text.count(change.before)) != 1:
                raise DoesNotApply(self.name, change.path, change.before, times)
            files[change.path] = text.replace(change.before, change.after)
        return files


def seeded_bugs(names: tuple[str, ...] = ()) -> tuple[SeededBug, ...]:
    """Those of these names, or all, in order of their names. Raises KeyError for a name that none has."""
    every = {path.stem: path for path in sorted(FOLDER.glob("*.patch"))}
    return tuple(_read(every[name]) for name in names or every)


def _read(path: Path) -> SeededBug:
    promise, second, diff = path.read_text(encoding="utf-8").split("\n", 2)
    if not second.startswith(_CAUGHT_BY):
        raise ValueError(f"{path.name}: the second line says no “{_CAUGHT_BY}…”")
    third, _, _ = diff.partition("\n")
    return SeededBug(
        name=path.stem,
        promise=promise,
        caught_by=second.removeprefix(_CAUGHT_BY),
        seen_by=third.removeprefix(_SEEN_BY) if third.startswith(_SEEN_BY) else None,
        changes=tuple(_changes(diff)),
    )


def _changes(diff: str) -> Iterator[Change]:
    """Each hunk as a whole: the lines of context keep it where it belongs."""
    _, *parts = _FILE.split(diff)
    for path, hunks in zip(parts[::2], parts[1::2], strict=True):
        for hunk in _HUNK.split(hunks)[1:]:
            lines = hunk.splitlines(keepends=True)
            yield Change(
                path=path,
                before="".join(line[1:] for line in lines if line[0] in " -"),
                after="".join(line[1:] for line in lines if line[0] in " +"),
            )
