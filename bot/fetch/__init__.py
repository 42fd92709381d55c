"""Guarded downloads of links that we did not make: a person's, or a provider's that says where a clip lies."""

from bot.fetch.addresses import is_public
from bot.fetch.guard import GuardedFetcher

__all__ = ["GuardedFetcher", "is_public"]
