"""What the operator sets, from the environment or a ``.env`` file; documented in ``.env.example``.

Read once when the program starts and passed on: nothing imports a setting.
"""

import tomllib
from collections.abc import Mapping
from datetime import date
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.domain.pricing import MICRO, Rate, RateKey, rate_name
from bot.domain.recipe import Resolution

CommaList = Annotated[tuple[str, ...], NoDecode]


class BadSetting(Exception):
    """A setting cannot be used. The sentence names it and says what to do; it never holds a secret."""


class Settings(BaseSettings):
    """Every name is the environment's, in lower case."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    slack_bot_token: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_api_url: str = "https://slack.com/api/"
    database_url: SecretStr = SecretStr("sqlite:///data/dailies.db")
    media_url: str = "file:data/media"
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=3000, ge=0, le=65535)
    providers: CommaList = ()
    hiapi_api_key: SecretStr | None = None
    hiapi_base_url: str = "https://api.hiapi.ai"
    hiapi_model: str = "seedance-2.0-mini"
    hiapi_idempotency: bool = True
    hiapi_concurrency: int | None = Field(default=None, ge=1)
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
    price_file: Path | None = None
    allowed_fetch_hosts: CommaList = ()
    max_clip_mb: int = Field(default=512, ge=1)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] | None = None

    @field_validator(
        "providers", "reaction_promote", "reaction_cancel", "admin_users", "allowed_fetch_hosts", mode="before"
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip().strip(":") for part in value.split(",") if part.strip())

    @field_validator("log_level", "log_format", "thread_replies", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("slack_bot_token", "slack_app_token", "slack_signing_secret", "hiapi_api_key")
    @classmethod
    def _clean(cls, value: SecretStr | None) -> SecretStr | None:
        """What copying adds around a secret is taken off; what cannot be part of one is refused here, since later it
        would look like a network that fails."""
        if value is None:
            return None
        text = value.get_secret_value().strip()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("it holds characters that no key has, such as spaces, line breaks or accents")
        return SecretStr(text)

    @field_validator("slack_api_url")
    @classmethod
    def _end_with_slash(cls, value: str) -> str:
        return value if value.endswith("/") else f"{value}/"


def micro_usd(dollars: float | None) -> int | None:
    """Dollars of a setting as micro-dollars."""
    return None if dollars is None else round(dollars * MICRO)


def read_prices(path: Path | None) -> Mapping[RateKey, Rate]:
    """The operator's own prices: tables ``[provider.tier]`` with US dollars per second of output by resolution.
    Raises BadSetting."""
    if path is None:
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSetting(f"PRICE_FILE {path} cannot be read: {error}.") from error
    as_of = date.fromtimestamp(path.stat().st_mtime)  # noqa: DTZ012 - a date for people, of the machine's own calendar
    return {
        (provider, tier, *_rate_name(name, path)): _rate(price, name, path, as_of)
        for provider, tiers in _tables(tables, path)
        for tier, prices in _tables(tiers, path)
        for name, price in prices.items()
    }


def _tables(value: Mapping[str, Any], path: Path) -> list[tuple[str, dict[str, Any]]]:
    for name, table in value.items():
        if not isinstance(table, dict):
            raise BadSetting(f"PRICE_FILE {path}: {name} is not a table. Write [provider.tier] above the prices.")
    return list(value.items())


def _rate_name(name: str, path: Path) -> tuple[Resolution, bool]:
    try:
        return rate_name(name)
    except ValueError:
        known = ", ".join(Resolution)
        raise BadSetting(
            f'PRICE_FILE {path}: "{name}" is not a resolution. Use one of {known}, or one of them with +video.'
        ) from None


def _rate(price: object, name: str, path: Path, as_of: date) -> Rate:
    if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < inf:
        raise BadSetting(f'PRICE_FILE {path}: the price of "{name}" must be US dollars per second, such as 0.08.')
    return Rate(per_second_micro_usd=round(price * MICRO), as_of=as_of)
