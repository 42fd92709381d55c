"""What the operator sets, from the environment or a ``.env`` file; documented in ``.env.example``.

Read once when the program starts and passed on: nothing imports a setting.
"""

import logging
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from datetime import date
from difflib import get_close_matches
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal, LiteralString
from urllib.parse import urlsplit

from dotenv.parser import Original, parse_stream
from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict

from bot.domain.pricing import MICRO, Rate, RateKey, rate_name
from bot.domain.recipe import FAST, MINI, STANDARD, VIP, Resolution

CommaList = Annotated[tuple[str, ...], NoDecode]
Places = Annotated[int | None, Field(ge=1)]
"""Jobs in flight at one provider; None for as many as at any."""
NOWHERE = "none"
"""Instead of a path that a provider does not have."""

ENV_FILE = ".env"
PROVIDER_NAMES = ("hiapi", "apimart", "muapi", "seedanceapi", "empiriolabs")
"""What the settings of each provider begin with."""
_KEYS = tuple(f"{name}_api_key" for name in PROVIDER_NAMES)
SHORTEST_KEY = 32
"""Characters of each of ENCRYPTION_KEYS."""
_BASE_URLS = tuple(f"{name}_base_url" for name in PROVIDER_NAMES)
_TIERS = (MINI, FAST, STANDARD, VIP)
"""Tiers that a price may be named for, also before this release orders them."""

logging.getLogger("dotenv").setLevel(logging.CRITICAL)
"""What it says of a line that it cannot read, once for every time it reads, ``unread_lines`` says better."""

_MEMBER = re.compile(r"[UW][A-Z0-9]+")
"""Slack's id of a person: https://docs.slack.dev/reference/objects/user-object"""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ALIKE = 0.8
"""So alike (0–1, as difflib counts) are a setting's name and its misspelling at least."""
_FAINTLY_ALIKE = 0.5
"""Enough where a name cannot be anything else than one of a few."""


class BadSetting(Exception):
    """A setting cannot be used. ``what`` is wrong is a sentence that names it, ``mend`` one that says what to do;
    neither ever holds a secret."""

    def __init__(self, what: str, mend: str = "") -> None:
        self.what, self.mend = what, mend
        super().__init__(f"{what} {mend}".rstrip())


class Settings(BaseSettings):
    """Every name is the environment's, in lower case."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
    )

    slack_bot_token: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_api_url: str = "https://slack.com/api/"
    database_url: SecretStr = SecretStr("sqlite:///data/dailies.db")
    media_url: str = "file:data/media"
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=3000, ge=0, le=65535)
    public_url: str = ""
    encryption_keys: SecretStr | None = None
    """Comma list, newest first."""
    providers: CommaList = ()
    hiapi_api_key: SecretStr | None = None
    hiapi_base_url: str = "https://api.hiapi.ai"
    hiapi_model: str = "seedance-2.0-mini"
    hiapi_standard_model: str = "seedance-2-0"
    hiapi_idempotency: bool = True
    hiapi_webhook_secret: SecretStr | None = None
    hiapi_mixed_references: bool = False
    hiapi_concurrency: Places = None
    apimart_api_key: SecretStr | None = None
    apimart_base_url: str = "https://api.apimart.ai"
    apimart_model: str | None = None
    apimart_standard_model: str | None = None
    apimart_dialect: Literal["guide", "docs"] = "guide"
    apimart_idempotency: bool = True
    apimart_callbacks: bool = True
    apimart_response_version: str = "2026-07-27"
    apimart_concurrency: Places = None
    muapi_api_key: SecretStr | None = None
    muapi_base_url: str = "https://muapi.ai"
    muapi_model: str = "seedance-2-mini"
    muapi_standard_model: str = "seedance-2"
    muapi_vip_model: str = "seedance-2-vip"
    muapi_auth: Literal["bearer", "x-api-key", "both"] = "bearer"
    muapi_image_field: str = "image_url"
    muapi_images_field: str = "images_list"
    muapi_videos_field: str = "video_files"
    muapi_audios_field: str = "audio_files"
    muapi_concurrency: Places = None
    seedanceapi_api_key: SecretStr | None = None
    seedanceapi_base_url: str = "https://seedanceapi.org"
    seedanceapi_model: str = "seedance-2-mini"
    seedanceapi_standard_model: str = "seedance-2.0"
    seedanceapi_mixed_references: bool = False
    seedanceapi_user_agent: str = "Dailies"
    seedanceapi_concurrency: Places = None
    empiriolabs_api_key: SecretStr | None = None
    empiriolabs_base_url: str = "https://api.empiriolabs.ai"
    empiriolabs_model: str = "seedance-2-0-mini"
    empiriolabs_fast_model: str = "seedance-2-0-fast"
    empiriolabs_standard_model: str = "seedance-2-0"
    empiriolabs_auth: Literal["bearer", "x-api-key"] = "bearer"
    empiriolabs_job_path: str = "/v1/jobs/{job_id}"
    empiriolabs_jobs_path: str = "/v1/jobs"
    empiriolabs_cancel_path: str = "/v1/jobs/{job_id}/cancel"
    empiriolabs_cancel_method: Literal["POST", "DELETE"] = "POST"
    empiriolabs_usage_path: str = "https://platform.empiriolabs.ai/api/v1/account/usage"
    empiriolabs_concurrency: Places = None
    provider_concurrency: int = Field(default=5, ge=1)
    poll_interval_seconds: float | None = Field(default=None, gt=0)
    job_timeout_seconds: float = Field(default=1800, gt=0)
    budget_workspace_month_usd: float | None = Field(default=None, ge=0)
    budget_channel_month_usd: float | None = Field(default=None, ge=0)
    budget_user_day_usd: float | None = Field(default=None, ge=0)
    confirm_above_usd: float = Field(default=1.0, ge=0)
    reaction_promote: CommaList = Field(default=("rocket",), min_length=1)
    reaction_cancel: CommaList = ("x",)
    promote_undo_seconds: float = Field(default=20, ge=0)
    thread_replies: Literal["smart", "mention", "off"] = "smart"
    admin_users: CommaList = ()
    max_running_per_person: int = Field(default=6, ge=1)
    tz: str = "UTC"
    price_file: Path | None = None
    allowed_fetch_hosts: CommaList = ()
    max_clip_mb: int = Field(default=512, ge=1)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] | None = None

    def __init__(self, **values: Any) -> None:
        """Raises BadSetting when there is a ``.env`` that cannot be read, ValidationError for a value."""
        if values.get("_env_file", ENV_FILE) == ENV_FILE:
            _require_readable(Path(ENV_FILE))
        super().__init__(**values)

    @field_validator(
        "providers", "reaction_promote", "reaction_cancel", "admin_users", "allowed_fetch_hosts", mode="before"
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip().strip(":") for part in value.split(",") if part.strip())

    @field_validator(
        *("log_level", "log_format", "thread_replies", "muapi_auth", "apimart_dialect", "empiriolabs_auth"),
        mode="before",
    )
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("slack_bot_token", "slack_app_token", "slack_signing_secret", *_KEYS, "hiapi_webhook_secret")
    @classmethod
    def _clean(cls, value: SecretStr | None) -> SecretStr | None:
        """What copying adds around a secret is taken off; what cannot be part of one is refused here, since later it
        would look like a network that fails."""
        if value is None:
            return None
        text = value.get_secret_value().strip()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise _refused("it holds characters that no key has, such as spaces, line breaks or accents")
        return SecretStr(text)

    @field_validator("encryption_keys")
    @classmethod
    def _are_long_keys(cls, value: SecretStr | None) -> SecretStr | None:
        """Whoever guesses one can read every file that is kept: a password is too short."""
        keys = [] if value is None else [key for one in value.get_secret_value().split(",") if (key := one.strip())]
        if any(len(key) < SHORTEST_KEY or not key.isascii() or not key.isprintable() or " " in key for key in keys):
            raise _refused("each of its keys, between commas, has to be at least 32 letters, digits and signs long")
        return SecretStr(",".join(keys)) if keys else None

    @field_validator("slack_api_url", *_BASE_URLS)
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        text = value.strip()
        try:
            parts = urlsplit(text)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise _refused("it is no address such as https://api.example.com")
        if "@" in parts.netloc:
            raise _refused("it must not hold a user or a password, which are sent nowhere")
        return text

    @field_validator("public_url")
    @classmethod
    def _is_our_origin(cls, value: str) -> str:
        """Providers and Slack are to reach us there, also with secrets in the path: over TLS, unless it is this very
        machine."""
        text = value.strip().rstrip("/")
        if not text:
            return ""
        try:
            parts = urlsplit(text)
            bare = bool(parts.hostname) and parts.port != 0 and not (parts.path or parts.query or parts.fragment)
        except ValueError:
            raise ValueError("it is no address such as https://dailies.example.com") from None
        if not bare or parts.username or parts.scheme not in {"http", "https"}:
            raise ValueError("it is no address such as https://dailies.example.com, without a path")
        if parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
            raise ValueError("it has to begin with https:// (http:// is for this machine's own 127.0.0.1 alone)")
        return text

    @field_validator("apimart_response_version")
    @classmethod
    def _is_a_day(cls, value: str) -> str:
        if value != NOWHERE and not _DAY.fullmatch(value):
            raise _refused("it is no day such as 2026-07-27, nor none")
        return value

    @field_validator(*(f"empiriolabs_{name}_path" for name in ("job", "jobs", "cancel", "usage")))
    @classmethod
    def _is_a_path(cls, value: str, info: ValidationInfo) -> str:
        needs_job = info.field_name in {"empiriolabs_job_path", "empiriolabs_cancel_path"}
        if value == NOWHERE and info.field_name != "empiriolabs_job_path":
            return value
        if info.field_name == "empiriolabs_usage_path" and "://" in value:
            # The account is kept on another host than the jobs.
            if {"?", "#"} & set(value):
                raise _refused("it must end with the path: what is asked there is added")
            return cls._is_an_address(value)
        if not value.startswith("/") or needs_job != ("{job_id}" in value):
            raise ValueError(f"it is no path such as {cls.model_fields[str(info.field_name)].default}")
        return value

    @field_validator("slack_api_url")
    @classmethod
    def _end_with_slash(cls, value: str) -> str:
        return value if value.endswith("/") else f"{value}/"

    @field_validator("reaction_cancel")
    @classmethod
    def _is_not_promote(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """One reaction would order a final and call it off. ``reaction_promote`` is not there when it is refused."""
        if set(value) & set(info.data.get("reaction_promote", ())):
            raise _refused("it and REACTION_PROMOTE (when unset: rocket) must not name the same reaction")
        return value

    @field_validator("admin_users")
    @classmethod
    def _are_members(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Names change and are nobody's alone; a name here would be an admin who is none."""
        if not all(_MEMBER.fullmatch(one) for one in value):
            raise _refused("it takes member ids such as U024BE7LH, and no names (in Slack: profile, Copy member ID)")
        return value


def _refused(why: LiteralString) -> PydanticCustomError:
    """A refusal in our own words, which must never repeat the value; pydantic would begin a ValueError's with its
    own."""
    return PydanticCustomError("setting", why)


def _require_readable(path: Path) -> None:
    """Raises BadSetting. What reads the file passes over everything that is no file."""
    if not os.path.lexists(path) or path.is_fifo():
        return
    mend = "Make it a text file in UTF-8 with NAME=value lines that this user may read, or take it away."
    try:
        path.read_text(encoding="utf-8-sig")
    except IsADirectoryError:
        raise BadSetting(f"{path} is a folder, so nothing in it is read.", mend) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        # The cause would repeat the file, keys and all.
        raise BadSetting(f"{path} cannot be read: line {line} is not UTF-8.", mend) from None
    except OSError as error:
        raise BadSetting(f"{path} cannot be read: {error.strerror or type(error).__name__}.", mend) from error


def unread_lines() -> tuple[int, ...]:
    """The lines of ``.env``, counted from 1, that hold something and are not ``NAME=value``, so that they set nothing.
    A pipe is not looked at: it can be read only once."""
    path = Path(ENV_FILE)
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8-sig") as text:
        return tuple(
            _first_line(binding.original)
            for binding in parse_stream(text)
            if binding.error or (binding.key is not None and binding.value is None)
        )


def _first_line(statement: Original) -> int:
    """Where it begins: python-dotenv counts the empty lines before it as part of it."""
    before = len(statement.string) - len(statement.string.lstrip())
    return statement.line + statement.string.count("\n", 0, before)


def misspelt_settings() -> Mapping[str, str]:
    """Names in the environment and ``.env`` that are no setting and so have no effect, but are spelt nearly like one;
    each with that one. Whatever else lies there belongs to other programs."""
    known = {name.upper() for name in Settings.model_fields}
    written = {name.upper() for name in (*os.environ, *DotEnvSettingsSource(Settings).env_vars)}
    return {name: near for name in sorted(written - known) if (near := _nearest(name, known, alike=_ALIKE))}


def _nearest(name: str, known: Collection[str], *, alike: float) -> str:
    """The known name that is most alike; empty when none is that alike."""
    return next(iter(get_close_matches(name, sorted(known), n=1, cutoff=alike)), "")


def micro_usd(dollars: float | None) -> int | None:
    """Dollars of a setting as micro-dollars."""
    return None if dollars is None else round(dollars * MICRO)


def read_prices(path: Path | None) -> Mapping[RateKey, Rate]:
    """The operator's own prices: tables ``[provider.tier]`` with US dollars per second of output by resolution.
    Every name has to be known: a price under a misspelt one would count for nothing, in silence. Raises BadSetting."""
    if path is None:
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSetting(f"PRICE_FILE {path} cannot be read: {error}.") from error
    except OSError as error:
        raise BadSetting(f"PRICE_FILE {path} cannot be read: {error.strerror or type(error).__name__}.") from error
    as_of = date.fromtimestamp(path.stat().st_mtime)  # noqa: DTZ012 - a date for people, of the machine's own calendar
    return {
        (provider, tier, *_rate_name(name, path)): _rate(price, name, path, as_of)
        for provider, tiers in _tables(tables, "provider", PROVIDER_NAMES, path)
        for tier, prices in _tables(tiers, "tier", _TIERS, path)
        for name, price in prices.items()
    }


def _tables(
    value: Mapping[str, Any], kind: str, known: Collection[str], path: Path
) -> list[tuple[str, dict[str, Any]]]:
    for name, table in value.items():
        if not isinstance(table, dict):
            raise BadSetting(f"PRICE_FILE {path}: {name} is not a table.", "Write [provider.tier] above the prices.")
        if name not in known:
            raise _unknown(name, kind, known, path)
    return list(value.items())


def _unknown(name: str, kind: str, known: Collection[str], path: Path) -> BadSetting:
    near = _nearest(name.lower(), known, alike=_FAINTLY_ALIKE)
    mend = f'Write "{near}" instead.' if near else f"Use one of {', '.join(sorted(known))}."
    return BadSetting(f'PRICE_FILE {path}: there is no {kind} "{name}".', mend)


def _rate_name(name: str, path: Path) -> tuple[Resolution, bool]:
    try:
        return rate_name(name)
    except ValueError:
        known = ", ".join(Resolution)
        mend = f"Use one of {known}, or one of them with +video."
        raise BadSetting(f'PRICE_FILE {path}: "{name}" is not a resolution.', mend) from None


def _rate(price: object, name: str, path: Path, as_of: date) -> Rate:
    if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < inf:
        what = f'PRICE_FILE {path}: the price of "{name}" must be US dollars per second, such as 0.08.'
        raise BadSetting(what, "Write it as a plain number, without quotes or a currency.")
    return Rate(per_second_micro_usd=round(price * MICRO), as_of=as_of)
