"""Files given to Muapi: ``POST /api/v1/upload_file`` (its own clients; its guide does not name it)."""

from collections.abc import AsyncIterator, Mapping

import httpx

from bot.domain.recipe import MediaKind
from bot.ports import Clock, UploadFailed, UploadOutcome
from bot.providers._http import as_mapping
from bot.providers._uploads import File, outcome, post_file
from bot.providers._values import address


class MuapiUploads:
    """The half of Muapi's adapter that uploads."""

    _base: str
    _key: str
    _headers: Mapping[str, str]
    _clock: Clock
    _reading: httpx.AsyncClient

    async def upload(
        self,
        kind: MediaKind,  # noqa: ARG002 - one address takes all of them
        *,
        name: str,
        mime: str,
        size: int,
        chunks: AsyncIterator[bytes],
    ) -> UploadOutcome:
        """Give a file of any kind. How long Muapi keeps it is not known. Nor is, for certain, what its answer calls the
        address: clients read ``url``, ``file_url``, ``data.url``, and ``output`` as one address or several."""
        file = File(name=name, mime=mime, size=size, chunks=chunks)
        answer = await post_file(self._reading, f"{self._base}/upload_file", file, headers=self._headers)
        if isinstance(answer, UploadFailed):
            return answer
        answer = answer.without(self._key)
        said = as_mapping(answer.json())
        places = (said.get("url"), said.get("file_url"), as_mapping(said.get("data")).get("url"), said.get("output"))
        url = next((found for one in places if (found := address(one))), "")
        return outcome(answer, answer.status, url, None, self._clock.now())
