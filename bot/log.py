"""Logging: one event a line, constant names with fields; secrets never reach a line.

Every value passes through ``redact``, whoever logged it: a token in an exception's text is as secret as one in a
field.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import date
from typing import Any

import structlog

_SECRETS = re.compile(
    r"xox[a-z]-[\w-]+|xapp-[\w-]+|\bBearer\s+\S+"
    r"|https?://[^\s/]+/(?:upload/v1|hooks)/\S+|https?://hooks\.slack\.com/\S+"
    r"|(?<=://)(?:[^\s\"'/?#@:]*:[^\s\"'<>]*|[^\s\"'/?#@]+)(?=@)"
    r"|(?<=/media/)[\w-]{30,}[^\s\"']*"
    r"|(?<=\?)[^\s\"']+",
    re.IGNORECASE,
)
"""Slack tokens and bearer keys; Slack's upload and answer URLs; credentials (a password may hold what it should not)
and query strings inside URLs; our own links to media."""

HIDDEN = "[hidden]"

_NOISY = ("aiosqlite", "alembic", "apscheduler", "httpcore", "httpx", "slack_bolt", "slack_sdk", "uvicorn")
"""Libraries whose everyday lines say nothing to an operator; their warnings stay."""


def redact(value: object) -> object:
    """The value with everything hidden that looks like a secret. Containers are walked; what is neither text nor a
    figure is written out first, since its text could hold one."""
    match value:
        case str():
            return _SECRETS.sub(HIDDEN, value)
        case None | bool() | int() | float() | date():
            return value
        case Mapping():
            return {redact(key): redact(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [redact(item) for item in value]
        case _:
            return redact(repr(value))


def _redacting(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Entries of structlog itself, which begin with an underscore, are never printed and stay what they are."""
    return {key: value if key.startswith("_") else redact(value) for key, value in event.items()}


def configure(level: str, form: str) -> None:
    """Set up logging for the process. ``form`` is ``json``, ``text``, or empty: text on a terminal, else json."""
    as_text = form == "text" or (not form and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redacting,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared[:4], structlog.stdlib.ExtraAdder(), *shared[4:]],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redacting, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
