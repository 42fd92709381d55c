"""The nouns of a card in words: recipes, prices, providers, waiting times."""

from collections.abc import Iterable
from datetime import timedelta

from bot.domain.pricing import dollars
from bot.domain.provider_names import about_price, shown_name
from bot.domain.recipe import MINI, Recipe
from handlers.blocks.kit import escape

LONGEST_NEGATIVE = 150
"""Characters of a negative prompt that a recipe line repeats."""


def provider_name(provider: str) -> str:
    """How a provider writes itself, and whether it is a pretend one; safe in mrkdwn."""
    return escape(shown_name(provider))


def recipe_words(recipe: Recipe) -> str:
    """``480p · 4 s · 16:9 · sound``, with what else was asked for; the prompt is not in it, and the negative prompt
    only as a mention, because its words are somebody's."""
    seconds = "length chosen by the provider" if recipe.seconds is None else f"{recipe.seconds} s"
    parts = [recipe.resolution.value, seconds, recipe.ratio.value, "sound" if recipe.audio else "no sound"]
    if recipe.tier != MINI:
        parts.append(f"tier {escape(recipe.tier)}")
    if recipe.seed is not None:
        parts.append(f"seed {recipe.seed}")
    if recipe.high_bitrate:
        parts.append("high bitrate")
    return " · ".join(parts)


def price_words(micro_usd: int, *, assumed: bool, provider: str) -> str:
    """``$0.32``, and what is to be known about it."""
    return dollars(micro_usd) + price_note(provider, assumed=assumed)


def price_note(provider: str, *, assumed: bool) -> str:
    """That a price is pretended or assumed, with the space before it; empty when it is neither."""
    note = about_price(provider, assumed=assumed)
    return f" {escape(note)}" if note else ""


def waited_words(waited: timedelta) -> str:
    """``38 s``, ``2 min 5 s``, ``1 h 4 min``."""
    seconds = max(0, round(waited.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def counted(count: int, noun: str) -> str:
    """``1 take``, ``3 takes``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``3rd``, ``4th``, ``11th``, ``21st``."""
    teens = 10 < number % 100 < 14
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def listed(numbers: tuple[int, ...]) -> str:
    """``#1, #2 and #5``."""
    words = [f"#{number}" for number in numbers]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def either(names: Iterable[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
