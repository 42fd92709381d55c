"""One file, from its first bytes to a verdict and what follows from it. Runs in a worker."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bot.domain.forms import Form
from bot.domain.recipe import MediaKind
from bot.domain.reference import (
    LARGEST_SOURCES,
    FileFacts,
    FileLimits,
    Fine,
    Mend,
    Target,
    Unusable,
    judge,
    megabytes,
)
from bot.media import films, pictures, sniff, sounds
from bot.media.damage import Unreadable
from bot.ports.media import PreparedFile

_CALLED = {MediaKind.IMAGE: "a picture", MediaKind.VIDEO: "a video", MediaKind.AUDIO: "a sound"}

_FACTS: dict[MediaKind, Callable[[Path, Form], FileFacts]] = {
    MediaKind.IMAGE: pictures.facts_of,
    MediaKind.VIDEO: films.facts_of,
    MediaKind.AUDIO: sounds.facts_of,
}
_MEND: dict[MediaKind, Callable[[Path, FileFacts, Target, Path], tuple[Path, tuple[Mend, ...]]]] = {
    MediaKind.IMAGE: pictures.mend,
    MediaKind.VIDEO: films.mend,
    MediaKind.AUDIO: sounds.mend,
}
_VERIFY: dict[MediaKind, Callable[[Path, FileFacts], None]] = {
    MediaKind.IMAGE: pictures.verify,
    MediaKind.VIDEO: films.verify,  # a sound was decoded to its end to learn how long it is
}


def prepare(file: Path, *, wanted: MediaKind, limits: FileLimits, output: Path) -> PreparedFile:
    """The file itself where it fits, otherwise a mended one. Raises Unreadable."""
    _check_size(file, wanted)
    form, kind = _form_and_kind(file)
    if kind is not wanted:
        raise Unreadable(f"is {_CALLED[kind]} ({form.label})", f"{_CALLED[wanted]} is wanted here")
    facts = _FACTS[kind](file, form)
    verdict = judge(facts, limits)
    if isinstance(verdict, Unusable):
        raise Unreadable.because(verdict)
    if isinstance(verdict, Fine):
        if verify := _VERIFY.get(kind):
            verify(file, facts)
        return _prepared(file, facts, ())
    mended, more = _MEND[kind](file, facts, verdict.target, output)
    again = _FACTS[kind](mended, Form(mended.suffix.removeprefix(".")))
    _check_mended(again, limits)
    return _prepared(mended, again, verdict.mends + more)


def frame(clip: Path, *, last: bool, output: Path) -> PreparedFile:
    """The exact first or last frame of a video. Raises Unreadable."""
    form, kind = _form_and_kind(clip)
    if kind is not MediaKind.VIDEO:
        raise Unreadable(f"is {_CALLED[kind]} ({form.label})", "a frame is taken from a video")
    written, (width, height) = films.frame_of(clip, form, last=last, output=output)
    facts = FileFacts(kind=MediaKind.IMAGE, form=Form.PNG, size=written.stat().st_size, width=width, height=height)
    return _prepared(written, facts, ())


def _form_and_kind(file: Path) -> tuple[Form, MediaKind]:
    head = sniff.head_of(file)
    form = sniff.form_of(head)
    if form is None:
        raise sniff.not_media(head, file.stat().st_size)
    if form not in sniff.CONTAINERS:
        return form, sniff.kind_of(form)
    kind = films.kind_within(file, form)
    sound_in_a_box = kind is MediaKind.AUDIO and form in {Form.MP4, Form.MOV}
    return Form.M4A if sound_in_a_box else form, kind


def _check_size(file: Path, wanted: MediaKind) -> None:
    size, most = file.stat().st_size, LARGEST_SOURCES[wanted]
    if size > most:
        raise Unreadable(f"has {megabytes(size)}", f"{_CALLED[wanted]} of at most {megabytes(most)} can be opened")


def _check_mended(facts: FileFacts, limits: FileLimits) -> None:
    """What was mended is looked at like any other file. Raises Unreadable."""
    verdict = judge(facts, limits)
    if isinstance(verdict, Unusable):
        raise Unreadable.because(replace(verdict, figure=f"{verdict.figure} when it is mended"))
    if not isinstance(verdict, Fine):
        left = ", ".join(mend.words for mend in verdict.mends)
        raise Unreadable(f"still needs mending when it is mended ({left})", "it cannot be made to fit")


def _prepared(file: Path, facts: FileFacts, mends: tuple[Mend, ...]) -> PreparedFile:
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    return PreparedFile(
        path=file,
        kind=facts.kind,
        form=facts.form,
        size=facts.size,
        sha256=sha256,
        width=facts.width,
        height=facts.height,
        seconds=facts.seconds,
        mends=mends,
    )
