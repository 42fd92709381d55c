"""What vendors write in answers, made exact: figures, times, addresses. Nonsense is None or empty, never an error."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

_MICRO = 1_000_000
_MOST_USD = 1_000_000
"""A larger figure is no price."""
_MILLISECONDS = 100_000_000_000
"""More seconds than that are the year 5138: they are milliseconds."""


def number(value: object) -> Decimal | None:
    """A finite number, also where it is written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        read = Decimal(str(value).strip())
    except (InvalidOperation, ValueError):
        return None
    return read if read.is_finite() else None


def micro_usd(value: object, *, worth_micro_usd: int = _MICRO) -> int | None:
    """Whole micro-dollars for an amount of dollars, or of credits that are worth so many micro-dollars each."""
    amount = number(value)
    return None if amount is None or not 0 <= amount <= _MOST_USD else round(amount * worth_micro_usd)


def left_micro_usd(value: object) -> int | None:
    """Whole micro-dollars for the dollars that are left; an account in debt has none left."""
    amount = number(value)
    return None if amount is None else micro_usd(max(Decimal(0), amount))


def moment(value: object) -> datetime | None:
    """A time: Unix seconds or milliseconds, as a number or as text, or ISO 8601 (UTC where it names no zone)."""
    read = number(value)
    try:
        if read is not None:
            seconds = read / 1000 if read > _MILLISECONDS else read
            return datetime.fromtimestamp(float(seconds), UTC) if seconds > 0 else None
        written = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
        return written.replace(tzinfo=UTC) if written and not written.tzinfo else written
    except (ValueError, OverflowError, OSError):
        return None


def objects(value: object) -> list[Mapping[str, object]]:
    """The JSON objects in a list; empty where it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def address(value: object) -> str:
    """An http or https address, or the first in a list of them; empty when there is none."""
    candidates = value if isinstance(value, list) else [value]
    found = (one.strip() for one in candidates if isinstance(one, str))
    return next((one for one in found if one.lower().startswith(("https://", "http://"))), "")
