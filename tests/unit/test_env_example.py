"""`.env.example` tells the truth about what can be set."""

import re
from pathlib import Path

from bot.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"(?m)^#([A-Z][A-Z0-9_]*)=(.*)$")

PRINTED_OTHERWISE = {"DATABASE_URL", "PRICE_FILE", "LOG_FORMAT"}
"""A secret by type; a path; a default that depends on the terminal."""


def documented() -> dict[str, str]:
    """Names and the defaults shown beside them."""
    return dict(LINE.findall((ROOT / ".env.example").read_text(encoding="utf-8")))


def shown(value: object) -> str:
    """A default as a person would write it into the file."""
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    assert set(documented()) == {name.upper() for name in Settings.model_fields}


def test_the_defaults_shown_are_the_defaults_used() -> None:
    settings = Settings(_env_file=None)
    written = {name: value for name, value in documented().items() if name not in PRINTED_OTHERWISE}
    used = {name: shown(getattr(settings, name.lower())) for name in written}
    numbers = {name for name, value in used.items() if re.fullmatch(r"\d+(\.\d+)?", value)}

    assert {name: used[name] for name in used.keys() - numbers} == {
        name: written[name] for name in used.keys() - numbers
    }
    assert {name: float(used[name]) for name in numbers} == {name: float(written[name]) for name in numbers}
