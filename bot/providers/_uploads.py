"""Giving a file to a vendor: one multipart POST that costs nothing, sent as it is read."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from bot.domain.failure import Failure, FailureKind
from bot.domain.recipe import MediaKind
from bot.ports import Uploaded, UploadFailed, UploadOutcome, UploadRefused
from bot.providers._http import LARGEST_ANSWER, Answer, as_mapping, as_text, failure_text, retry_after

UPLOAD_DEADLINE_SECONDS = 120.0
"""Whole deadline: what Muapi's own client gives an upload."""

_LONGEST_ADDRESS = 4_000
_LATER = frozenset({408, 409, 425, 429})
"""Refusals that say nothing about the file, beside the server's own troubles."""
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class File:
    """What is to be uploaded; ``size`` in bytes, ``chunks`` once."""

    name: str
    mime: str
    size: int
    chunks: AsyncIterator[bytes] = field(repr=False)


class TakesNoFiles:
    """The upload of a vendor that has none: its files are fetched, or stand in the order."""

    async def upload(
        self,
        kind: MediaKind,
        *,
        name: str,  # noqa: ARG002 - the port's
        mime: str,  # noqa: ARG002 - as above
        size: int,  # noqa: ARG002 - as above
        chunks: AsyncIterator[bytes],  # noqa: ARG002 - as above
    ) -> UploadOutcome:
        """Refused: there is no upload."""
        return not_taken(kind)


def not_taken(kind: MediaKind) -> UploadRefused:
    """The refusal of a kind that is not uploaded here."""
    return UploadRefused(failure=Failure(kind=FailureKind.BAD_REFERENCE, detail=f"no {kind.value} is taken by upload"))


async def post_file(
    client: httpx.AsyncClient, url: str, file: File, *, headers: Mapping[str, str]
) -> Answer | UploadFailed:
    """Send the file in the field ``file`` of a form, with a client that follows no redirect: it would send key and file
    on."""
    edge = secrets.token_hex(16)
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{_ODD.sub("-", file.name)}"\r\n'
        f"Content-Type: {file.mime}\r\n\r\n"
    ).encode()
    tail = f"\r\n--{edge}--\r\n".encode()

    async def form() -> AsyncIterator[bytes]:
        yield head
        async for chunk in file.chunks:
            yield chunk
        yield tail

    told = {
        **headers,
        "Content-Type": f"multipart/form-data; boundary={edge}",
        "Content-Length": str(len(head) + file.size + len(tail)),
    }
    timeout = httpx.Timeout(UPLOAD_DEADLINE_SECONDS, connect=10)
    try:
        async with (
            asyncio.timeout(UPLOAD_DEADLINE_SECONDS),
            client.stream("POST", url, headers=told, content=form(), timeout=timeout) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    return UploadFailed(why="the answer is larger than any real one")
            return Answer(status=response.status_code, headers=response.headers, body=bytes(body))
    except Exception as error:  # noqa: BLE001 - the network's errors, and whatever keeps the file from being read
        return UploadFailed(why=type(error).__name__)


def outcome(answer: Answer, status: int, url: str, expires_at: datetime | None, now: datetime) -> UploadOutcome:
    """What an answer means. ``status`` is HTTP's, or what the vendor says instead of it; ``url`` is where the file is
    said to be now, empty where nothing is said."""
    if 200 <= status < 300:
        if url.startswith(("https://", "http://")) and len(url) <= _LONGEST_ADDRESS:
            return Uploaded(url=url, expires_at=expires_at)
        return UploadFailed(why=f"HTTP {answer.status} without an address")
    if status in _LATER or status >= 500:
        return UploadFailed(why=f"HTTP {status}", retry_after_seconds=retry_after(answer.headers, now))
    return UploadRefused(failure=_refusal(status, as_mapping(answer.json())))


def _refusal(status: int, said: Mapping[str, object]) -> Failure:
    words = failure_text(_words(said), "") or f"it answered HTTP {status} to an upload"
    lowered = words.lower()
    if status == 402 or (status == 403 and any(word in lowered for word in ("quota", "balance", "credit"))):
        return Failure(kind=FailureKind.OUT_OF_CREDIT, detail=words)
    if status in {401, 403}:
        return Failure(kind=FailureKind.KEY_REFUSED, detail=words)
    if status < 400 or status in {404, 405}:
        # A redirect, or an upload that is not there: no file would be taken.
        return Failure(kind=FailureKind.PROVIDER, detail=words)
    return Failure(kind=FailureKind.BAD_REFERENCE, detail=words)


def _words(said: Mapping[str, object]) -> str:
    """``detail``, ``error`` or ``message`` as text, in an object, or in the first of a list of such."""
    for name in ("detail", "error", "message"):
        value = said.get(name)
        first = value[0] if isinstance(value, list) and value else value
        about = as_mapping(first)
        if words := as_text(first) or as_text(about.get("message")) or as_text(about.get("msg")):
            return words
    return ""
