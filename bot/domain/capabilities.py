"""What a provider's tier can do, as data, and whether a recipe fits it."""

from dataclasses import dataclass
from datetime import timedelta

from bot.domain.recipe import LONGEST_SECONDS, SHORTEST_SECONDS, Ratio, Recipe, Resolution


@dataclass(frozen=True, kw_only=True)
class Idempotency:
    """How long a provider remembers the key of a POST. Only a verified one lets an unknown POST be repeated."""

    window: timedelta
    verified: bool


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """One provider's tier. The source of each figure is named where the provider declares it."""

    provider: str
    tier: str
    model: str
    resolutions: frozenset[Resolution]
    ratios: frozenset[Ratio]
    shortest_seconds: int = SHORTEST_SECONDS
    longest_seconds: int = LONGEST_SECONDS
    automatic_seconds: bool = False
    audio_toggle: bool = True
    seed: bool = False
    negative: bool = False
    high_bitrate: bool = False
    longest_prompt: int | None = None
    """Characters; None when the provider names no limit."""
    idempotency: Idempotency | None = None
    cancel: bool = False
    output_lifetime: timedelta = timedelta(hours=24)
    """How long a finished clip's link lives when the answer does not say."""


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """One thing that was asked and is not to be had, and what is allowed instead."""

    option: str
    asked: str
    allowed: str


def fit(recipe: Recipe, can: Capabilities) -> tuple[Misfit, ...]:
    """What of the recipe this tier cannot do; empty when it can do all. Nothing asked is ever dropped silently."""
    return tuple(_misfits(recipe, can))


def _misfits(recipe: Recipe, can: Capabilities) -> list[Misfit]:
    found: list[Misfit] = []

    def lacks(option: str, asked: object, allowed: str) -> None:
        found.append(Misfit(option=option, asked=str(asked), allowed=allowed))

    if recipe.tier != can.tier:
        lacks("--tier", recipe.tier, can.tier)
    if recipe.resolution not in can.resolutions:
        lacks("--res", recipe.resolution, _listed(can.resolutions))
    if recipe.ratio not in can.ratios:
        lacks("--ratio", recipe.ratio, _listed(can.ratios))
    if recipe.seconds is None and not can.automatic_seconds:
        lacks("--dur", "auto", f"{can.shortest_seconds}–{can.longest_seconds} seconds")
    if recipe.seconds is not None and not can.shortest_seconds <= recipe.seconds <= can.longest_seconds:
        lacks("--dur", recipe.seconds, f"{can.shortest_seconds}–{can.longest_seconds} seconds")
    if not recipe.audio and not can.audio_toggle:
        lacks("--no-audio", "off", "sound always on")
    if recipe.seed is not None and not can.seed:
        lacks("--seed", recipe.seed, "no seeds")
    if recipe.negative is not None and not can.negative:
        lacks("--no", recipe.negative, "no negative prompts; say what you do want to see instead")
    if recipe.high_bitrate and not can.high_bitrate:
        lacks("--hq", "on", "the standard bitrate")
    if can.longest_prompt is not None and len(recipe.prompt) > can.longest_prompt:
        lacks("the prompt", f"{len(recipe.prompt):,} characters", f"at most {can.longest_prompt:,} characters")
    return found


def _listed(values: frozenset[Resolution] | frozenset[Ratio]) -> str:
    order = [member.value for kind in (Resolution, Ratio) for member in kind]
    return ", ".join(sorted((value.value for value in values), key=order.index))
