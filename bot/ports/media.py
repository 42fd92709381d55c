"""The media room: where files of strangers are opened, checked and mended, away from the bot itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from bot.domain.forms import Form
from bot.domain.recipe import MediaKind
from bot.domain.reference import (
    FileLimits,
    Mend,
)


@dataclass(frozen=True, kw_only=True)
class PreparedFile:
    """A file that fits: checked to its last byte, mended where it had to be."""

    path: Path
    """The file that was given where nothing had to be mended, otherwise a new one."""
    kind: MediaKind
    form: Form
    size: int
    sha256: str
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    mends: tuple[Mend, ...] = ()

    @property
    def mime(self) -> str:
        """Its registered media type."""
        return self.form.mime


class UnusableFile(Exception):
    """A file that cannot be given to a provider, and will not get better: ``figure`` is what it is ("lasts 1.5 s"),
    ``limit`` what it would have to be. As text it is one sentence for the person who gave it."""

    def __init__(self, *, name: str, figure: str, limit: str) -> None:
        self.name = name
        self.figure = figure
        self.limit = limit
        super().__init__(f"{name} {figure}; {limit}.")


class MediaRoomBusy(Exception):
    """Nothing was found out about the file now; trying again may help."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"No place for this file became free within {seconds:g} s.")


class MediaRoomTimeout(MediaRoomBusy):
    """Reading and mending the file took longer than is given to one. It may be the file, or a busy machine."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.args = (f"The file was not ready after {seconds:g} s.",)


class MediaRoom(Protocol):
    """Opens files that nobody vouches for. Nothing in a file can make it read another one, stop the bot, or take more
    than its share of time and memory."""

    async def prepare(
        self, file: Path, *, name: str, wanted: MediaKind, limits: FileLimits, into: Path
    ) -> PreparedFile:
        """The file itself where it fits, otherwise a mended one in the folder ``into``; the file given is never
        changed. ``name`` is what people call it. Raises UnusableFile, MediaRoomBusy; nothing new stays in ``into``
        then."""

    async def frame(self, clip: Path, which: Literal["first", "last"], *, name: str, into: Path) -> PreparedFile:
        """The exact first or last picture of a video as a PNG in the folder ``into``. ``name`` is what people call it.
        Raises UnusableFile, MediaRoomBusy."""

    async def close(self) -> None:
        """End what is under way; whoever waits for it gets MediaRoomBusy."""
