"""Guarded downloads of links that we did not make."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class FetchError(Exception):
    """A link could not be fetched now; trying again may help."""


class LinkRefused(FetchError):
    """The link points where we do not go (not https, a private address, a redirect): it will not get better."""


class LinkExpired(FetchError):
    """403, 404 or 410: the link is dead; the task may give a fresh one."""


class Fetcher(Protocol):
    """Guarded downloads of links that we did not make."""

    def open(self, url: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The body in chunks, under a deadline and a minimum rate. Raises FetchError or a subclass, also from the
        chunks: a body shorter than announced is an error, never a short clip."""
