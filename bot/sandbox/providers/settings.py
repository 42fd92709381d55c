"""What can be turned on an emulated provider while it runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace

from bot.sandbox.render.renderer import FIDELITIES

MICRO = 1_000_000
"""Micro-dollars in a dollar: money is counted in whole micro-dollars."""

DAY = 86_400.0

DIALECTS = ("document", "live")
"""A provider speaks as its own guide has it, or as its clients in use need it, where these differ."""

_CHOICES: Mapping[str, Collection[str]] = {
    "fidelity": FIDELITIES,
    "dialect": DIALECTS,
    "tells_cost": ("never", "order", "end"),
}


class BadSetting(ValueError):
    """A setting that does not exist, or cannot have that value; `name` says which."""

    def __init__(self, name: str, expected: str) -> None:
        self.name = name
        self.expected = expected
        super().__init__(f"setting {name}: expected {expected}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderSettings:
    """The dials of one provider.

    `render_seconds` is the range that a render's length is drawn from (by a generator seeded with `seed`).
    `prices` are US dollars per second of output, by model and then by resolution; "480p+video" is the price
    with video input; a render's price is rounded up to whole credits where one is worth `credit_usd` dollars.
    `expire_seconds` counts from a task's completion; with `re_sign` reading a task whose
    URL has expired gives a fresh one. `key_seconds` is how long an idempotency key is remembered. With a
    `webhook_secret` callbacks are signed; one that is not answered with 2xx is sent again after each of
    `callback_retries` seconds. `allow_mixed_references` lets one request combine kinds of references.
    `dialect` is one of `DIALECTS`.
    `upload_seconds` is how long an uploaded file is kept.
    What is charged is the price times `bills`. `tells_cost` says where an answer names what was charged, in
    dollars: "never" (as HiAPI documents it), in the answer to the "order", or at the "end".
    """

    render_seconds: tuple[float, float] = (3.0, 6.0)
    seed: int = 0
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    credit_usd: float = 0.0
    expire_seconds: float = 7 * DAY
    re_sign: bool = False
    fidelity: str = "full"
    key_seconds: float = DAY
    upload_seconds: float = 3 * DAY
    webhook_secret: str | None = None
    callback_retries: tuple[float, ...] = (0.5, 2.0, 5.0)
    allow_mixed_references: bool = False
    dialect: str = "document"
    bills: float = 1.0
    tells_cost: str = "never"

    def price(self, model: str, resolution: str, seconds: int, *, video_input: bool) -> int:
        """Micro-dollars that a render is charged. Raises `KeyError` where no price is set."""
        tariff = self.prices[model]
        with_video = f"{resolution}+video"
        rate = tariff[with_video] if video_input and with_video in tariff else tariff[resolution]
        exact, credit = round(rate * MICRO) * seconds, round(self.credit_usd * MICRO)
        rounded = -(-exact // credit) * credit if credit else exact
        return round(rounded * self.bills)

    def changed(self, changes: Mapping[str, object]) -> ProviderSettings:
        """A copy with these settings (as JSON has them). Raises `BadSetting`."""
        known = {item.name for item in fields(self)}
        checked: dict[str, object] = {}
        for name, value in changes.items():
            if name not in known:
                raise BadSetting(name, f"one of {', '.join(sorted(known))}")
            checked[name] = self._checked(name, value)
        return replace(self, **checked)  # type: ignore[arg-type]  # each value was checked against its field

    def as_json(self) -> dict[str, object]:
        """Every setting but the secret."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "webhook_secret"}

    def _checked(self, name: str, value: object) -> object:
        match name:
            case "render_seconds":
                return _span(name, value)
            case "prices":
                return _prices(self.prices, value)
            case "callback_retries":
                if isinstance(value, list | tuple):
                    return tuple(_number(name, pause) for pause in value)
                raise BadSetting(name, "a list of seconds")
            case "credit_usd" | "expire_seconds" | "key_seconds" | "upload_seconds" | "bills":
                return _number(name, value)
            case "seed":
                return int(_number(name, value))
            case "fidelity" | "dialect" | "tells_cost":
                if value in _CHOICES[name]:
                    return value
                raise BadSetting(name, f"one of {', '.join(_CHOICES[name])}")
            case "webhook_secret":
                if value is None or isinstance(value, str):
                    return value
                raise BadSetting(name, "text or null")
            case _:
                if isinstance(value, bool):
                    return value
                raise BadSetting(name, "true or false")


def _number(name: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    raise BadSetting(name, "a number of at least 0")


def _span(name: str, value: object) -> tuple[float, float]:
    """[min, max] or one number for both."""
    if not isinstance(value, list | tuple):
        return _number(name, value), _number(name, value)
    if len(value) != 2:
        raise BadSetting(name, "a number or [min, max]")
    low, high = _number(name, value[0]), _number(name, value[1])
    if low > high:
        raise BadSetting(name, "a number or [min, max]")
    return low, high


def _prices(old: Mapping[str, Mapping[str, float]], value: object) -> Mapping[str, Mapping[str, float]]:
    """The old prices with the new ones laid over them."""
    expected = "{model: {resolution: dollars a second}}"
    if not isinstance(value, Mapping):
        raise BadSetting("prices", expected)
    merged = {model: dict(tariff) for model, tariff in old.items()}
    for model, tariff in value.items():
        if not isinstance(tariff, Mapping):
            raise BadSetting("prices", expected)
        rates = {str(resolution): _number("prices", rate) for resolution, rate in tariff.items()}
        merged.setdefault(str(model), {}).update(rates)
    return merged
