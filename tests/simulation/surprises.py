"""What the program only logs, and what nobody should have to read in a log: exceptions that no step expected."""

import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

_SURPRISES = frozenset({"step.failed", "runner.failed", "person.lookup_failed"})


class Surprises:
    """Collects them, with where they came from."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def note(self, what: str, error: BaseException | None) -> None:
        """Something unexpected was raised."""
        where = "".join(traceback.format_exception(error)[-3:]) if error else ""
        self.seen.append(f"surprise: {what}: {where.strip()}")

    def hear(self, _: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A processor of structlog."""
        if event.get("event") in _SURPRISES:
            error = event.get("exc_info")
            self.note(str(event["event"]), error if isinstance(error, BaseException) else None)
        raise structlog.DropEvent


@contextmanager
def listening(surprises: Surprises) -> Iterator[None]:
    """Nothing is logged meanwhile, and errors are heard."""
    before = structlog.get_config()
    structlog.configure(
        processors=[surprises.hear],
        wrapper_class=structlog.make_filtering_bound_logger("error"),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
