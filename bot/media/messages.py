"""What the room and its workers say to one another: one JSON value a line. Not pickles: a worker that a file has taken
over must not be able to make the bot run anything."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Discriminator, TypeAdapter

from bot.domain.recipe import MediaKind
from bot.domain.reference import FileLimits
from bot.ports.media import PreparedFile


@dataclass(frozen=True, kw_only=True)
class PrepareTask:
    """Check this file and mend it where it has to be; a new file is ``output`` with a suffix."""

    file: Path
    wanted: MediaKind
    limits: FileLimits
    output: Path
    seconds: float
    """After which the worker ends itself, should the room have gone."""
    task: Literal["prepare"] = "prepare"


@dataclass(frozen=True, kw_only=True)
class FrameTask:
    """The first or the last frame of this video; the new file is ``output`` with a suffix."""

    file: Path
    last: bool
    output: Path
    seconds: float
    task: Literal["frame"] = "frame"


@dataclass(frozen=True, kw_only=True)
class PreparedAnswer:
    """The file that fits."""

    prepared: PreparedFile
    answer: Literal["prepared"] = "prepared"


@dataclass(frozen=True, kw_only=True)
class RefusedAnswer:
    """The file cannot be used."""

    figure: str
    limit: str
    answer: Literal["refused"] = "refused"


@dataclass(frozen=True, kw_only=True)
class HinderedAnswer:
    """Nothing can be said of the file now: there is no space for a mended one."""

    answer: Literal["hindered"] = "hindered"


READY = b"ready\n"
"""What a worker says first, when it could begin."""

Task = PrepareTask | FrameTask
Answer = PreparedAnswer | RefusedAnswer | HinderedAnswer

TASKS: TypeAdapter[Task] = TypeAdapter(Annotated[Task, Discriminator("task")])
ANSWERS: TypeAdapter[Answer] = TypeAdapter(Annotated[Answer, Discriminator("answer")])
