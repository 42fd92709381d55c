"""Whether clips can be kept."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

from bot.doctor.database import cannot_hold
from bot.doctor.finding import Finding, fail, ok
from bot.ports import Clips, ClipsUnavailable
from bot.settings import Settings
from storage import UnsupportedUrl, open_clips

_NAME = "media"
_PROBE_BYTES = 1_000_001
"""More than storage gathers before it writes, so that the probe reaches the disk."""


class _Enough(Exception):
    """The probe has reached the disk."""


async def check(settings: Settings) -> list[Finding]:
    """Write into the folder what is thrown away; a folder that is not there yet stays so."""
    url, folder = settings.media_url, _folder(settings.media_url)
    if _well_formed(url) and not _exists(folder):
        why = cannot_hold(folder)
        if why:
            return [
                fail(_NAME, f"its folder cannot be made: {why}.", "correct MEDIA_URL, or the folder and its owner.")
            ]
        return [ok(_NAME, f"{folder} will be made.")]
    try:
        await _write_and_discard(open_clips(url))
    except UnsupportedUrl as error:
        return [fail(_NAME, str(error), "set MEDIA_URL to file: and a folder, such as file:data/media.")]
    except ClipsUnavailable as error:
        mend = f"make {folder} a folder that this user can write, or correct MEDIA_URL."
        return [fail(_NAME, f"{folder} cannot be used. {error}", mend)]
    return [_space(settings, folder)]


def _folder(url: str) -> Path:
    return Path(unquote(url.partition(":")[2])).absolute()


def _well_formed(url: str) -> bool:
    """Whether it names a folder; what does not is refused by ``open_clips``, which makes those that it opens."""
    rest = url.removeprefix("file:")
    return rest not in {url, ""} and (not rest.startswith("//") or rest.startswith("///"))


def _exists(folder: Path) -> bool:
    return os.path.exists(folder)  # noqa: PTH110 - Path raises where a parent may not be looked into


async def _write_and_discard(clips: Clips) -> None:
    """A stream that breaks is what storage keeps nothing of."""

    async def broken() -> AsyncIterator[bytes]:
        yield bytes(_PROBE_BYTES)
        raise _Enough

    try:
        await clips.put("doctor", broken(), limit_bytes=2 * _PROBE_BYTES)
    except _Enough:
        return


def _space(settings: Settings, folder: Path) -> Finding:
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    text = f"{folder} can be written; {free_mb} MB are free"
    if free_mb < settings.max_clip_mb:
        mend = (
            f"make room there, name a folder elsewhere in MEDIA_URL, or lower MAX_CLIP_MB (now {settings.max_clip_mb})."
        )
        return fail(_NAME, f"{text}, less than one clip may take.", mend)
    return ok(_NAME, f"{text}.")
