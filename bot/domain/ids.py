"""Sortable identifiers: 48 bits of milliseconds and 80 random bits in Crockford's base 32, 26 characters.

They sort by the time they were made, so an index on them is an index on age, and they are safe in file names,
in button values and on a phone screen.
"""

from collections.abc import Callable
from datetime import datetime

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TIME_CHARACTERS = 10
_RANDOM_BITS = 80
_RANDOM_CHARACTERS = 16


def new_id(now: datetime, random_bits: Callable[[int], int]) -> str:
    """A fresh id for something made at ``now``; ``random_bits(n)`` gives n random bits as an integer."""
    milliseconds = int(now.timestamp() * 1000)
    return _base32(milliseconds, _TIME_CHARACTERS) + _base32(random_bits(_RANDOM_BITS), _RANDOM_CHARACTERS)


def _base32(number: int, length: int) -> str:
    return "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in reversed(range(length)))
