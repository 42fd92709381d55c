"""Pictures given to APIMart: ``POST /v1/uploads/images`` (its published skill), which takes JPEG, PNG, GIF and WebP by
their first bytes and keeps each for 72 hours."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta

import httpx

from bot.domain.forms import Form
from bot.domain.recipe import MediaKind
from bot.domain.reference import SEEDANCE_LIMITS
from bot.ports import Clock, UploadFailed, UploadOutcome
from bot.providers._http import as_mapping
from bot.providers._openai import effective_status
from bot.providers._uploads import File, not_taken, outcome, post_file
from bot.providers._values import address, moment

LIFETIME = timedelta(hours=72)
FORMS = frozenset({Form.JPEG, Form.PNG, Form.GIF, Form.WEBP})
LIMITS = replace(SEEDANCE_LIMITS, image=replace(SEEDANCE_LIMITS.image, forms=FORMS))
"""What files must be for APIMart: what it publishes itself (bytes of pictures and sounds, lengths) is no stricter than
Seedance's own, but for the forms of pictures that its upload takes."""


class ApimartUploads:
    """The half of APIMart's adapter that uploads."""

    _base: str
    _key: str
    _headers: Mapping[str, str]
    _clock: Clock
    _reading: httpx.AsyncClient

    async def upload(
        self, kind: MediaKind, *, name: str, mime: str, size: int, chunks: AsyncIterator[bytes]
    ) -> UploadOutcome:
        """Give a picture. The 72 hours count from ``created_at``, where that is before now."""
        if kind is not MediaKind.IMAGE:
            return not_taken(kind)
        file = File(name=name, mime=mime, size=size, chunks=chunks)
        answer = await post_file(self._reading, f"{self._base}/uploads/images", file, headers=self._headers)
        if isinstance(answer, UploadFailed):
            return answer
        answer, now = answer.without(self._key), self._clock.now()
        said = as_mapping(answer.json())
        url = address(said.get("url")) or address(as_mapping(said.get("data")).get("url"))
        since = min(moment(said.get("created_at")) or now, now)
        return outcome(answer, effective_status(answer.status, said), url, since + LIFETIME, now)
