"""What the doctor finds: one line for a person who sets Dailies up."""

from dataclasses import dataclass
from enum import StrEnum

from bot.settings import BadSetting

AGAIN = "run `dailies doctor` again"
"""The end of every mend that is waiting."""


class Level(StrEnum):
    """How bad a finding is. The program still works with a ``warn``; what was skipped waits for another mend."""

    OK = "ok"
    SKIP = "skip"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line. ``mend`` says what to do, and is empty when nothing has to be done here."""

    level: Level
    name: str
    text: str
    mend: str = ""

    def line(self) -> str:
        """As it is printed."""
        advice = f" Mend: {self.mend[0].upper()}{self.mend[1:]}" if self.mend else ""
        return " ".join(f"{self.level.value:<4}  {self.name}: {self.text}{advice}".splitlines())


def ok(name: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(level=Level.OK, name=name, text=text)


def skip(name: str, why: str) -> Finding:
    """It could not be looked at, for a reason that another finding mends."""
    return Finding(level=Level.SKIP, name=name, text=f"not looked at: {why}.")


def warn(name: str, text: str, mend: str) -> Finding:
    """It works, and could be better."""
    return Finding(level=Level.WARN, name=name, text=text, mend=mend)


def fail(name: str, text: str, mend: str) -> Finding:
    """It does not work."""
    return Finding(level=Level.FAIL, name=name, text=text, mend=mend)


def bad_setting(name: str, error: BadSetting) -> Finding:
    """A setting that cannot be used. What a library says of it may lack its full stop."""
    mend = error.mend or "correct it in the environment or .env; .env.example explains every name."
    return fail(name, f"{error.what.rstrip('.')}.", mend)
