"""The sound of a clip: a row of chimes, another one for every take."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 44_100
_PENTATONIC = (0, 2, 4, 7, 9, 12, 14, 16)
_LOWEST_HZ = 261.63  # middle C
_NOTES_PER_SECOND = 2


def melody(seed: str, seconds: int) -> NDArray[np.float32]:
    """Samples between -1 and 1, of shape (1, seconds * `SAMPLE_RATE`); the same for the same seed."""
    digest = hashlib.sha256(seed.encode()).digest()
    length = SAMPLE_RATE // _NOTES_PER_SECOND
    moments = np.arange(length, dtype=np.float32) / SAMPLE_RATE
    fading = np.exp(-6 * moments) * np.minimum(1, moments * 200)
    chimes = []
    for number in range(seconds * _NOTES_PER_SECOND):
        pitch = _LOWEST_HZ * 2 ** (_PENTATONIC[digest[number % 8] % len(_PENTATONIC)] / 12)
        wave = np.sin(2 * np.pi * pitch * moments) + 0.3 * np.sin(6 * np.pi * pitch * moments)
        chimes.append(0.4 * fading * wave)
    return np.concatenate(chimes).astype(np.float32).reshape(1, -1)
