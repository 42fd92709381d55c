"""What attached files are for: by options that stand without a value, else by their order. Pure."""

from dataclasses import dataclass

from bot.domain.recipe import FILE_OPTIONS, MediaKind, Medium, Place, names_without_file
from handlers.grammar.errors import MissingValue, TooManyFiles
from handlers.grammar.line import Line
from handlers.grammar.options import OPTIONS

MOST_FILES = 12
"""Files of one ask: more are refused at once. What a provider takes of each kind is checked when it is chosen."""

_ROLES = {option.name: role for role, option in FILE_OPTIONS.items()}
"""What a file is for by the option that takes it."""


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file beside a message. ``id`` is Slack's."""

    id: str
    name: str
    kind: MediaKind


Attachments = tuple[Attachment, ...]


def take_attached(line: Line, files: Attachments) -> Attachments:
    """Give options without a value the next attached file of a fitting kind, in order; the files that are left over.
    Options that get none are blamed, and so is a last frame without a first one."""
    left = list(files)
    first = "first" in line.given or any(name == "first" for name, _ in line.awaiting)
    for name, typed in line.awaiting:
        # Beside two pictures a last frame is the second of them, wherever the option stands.
        _take(line, left, name, typed, from_end=name == "last" and not first)
    if "loop" in line.given and "first" not in line.given and any(one.kind is MediaKind.IMAGE for one in left):
        _take(line, left, "first", "--first")
    line.awaiting.clear()
    line.check_frames()
    return tuple(left)


def place_by_order(line: Line, left: Attachments) -> None:
    """Give the files that no option took their roles: a picture is the first frame, two are first and last, and one
    beside a frame that an option gave is the other frame. More of them, others beside them, and those that the prompt
    calls by name (``@Image1``) are references."""
    _see_count(line)
    for name, file in zip(_by_order(line, left), left, strict=True):
        _give(line, file, name, "")


def refer_to_all(line: Line, left: Attachments) -> None:
    """Make references of the files that no option took, in a reply; a picture beside a frame that an option gave is the
    other frame there too."""
    _see_count(line)
    other = _other_frame(line, left)
    for file in left:
        _give(line, file, other or "ref", "")


def _see_count(line: Line) -> None:
    if line.attached > MOST_FILES:
        line.blame(TooManyFiles(count=line.attached, most=MOST_FILES))


def _by_order(line: Line, left: Attachments) -> list[str]:
    if other := _other_frame(line, left):
        return [other]
    frames = ["first", "last"][: len(left)]
    given = line.given.keys() & _ROLES.keys()
    framed = not given and len(frames) == len(left) and _are_frames(line, left)
    return frames if framed else ["ref"] * len(left)


def _other_frame(line: Line, left: Attachments) -> str | None:
    """The frame that a lone picture is beside the one that an option gave; None where it is none."""
    given = line.given.keys() & _ROLES.keys()
    if len(left) != 1 or len(given) != 1 or "loop" in line.given or not _are_frames(line, left):
        return None
    return {"first": "last", "last": "first"}.get(*given)


def _are_frames(line: Line, left: Attachments) -> bool:
    """Whether these can be frames: pictures that the prompt does not call by name."""
    return all(file.kind is MediaKind.IMAGE for file in left) and not names_without_file(line.prose, ())


def _take(line: Line, left: list[Attachment], name: str, typed: str, *, from_end: bool = False) -> None:
    wanted = FILE_OPTIONS[_ROLES[name]].kind
    file = next((one for one in (reversed(left) if from_end else left) if wanted in {None, one.kind}), None)
    if file is None:
        option = OPTIONS[name]
        line.blame(MissingValue(option=typed, allowed=option.allowed, suggestion=line.suggest(option)))
        return
    left.remove(file)
    _give(line, file, name, typed)


def _give(line: Line, file: Attachment, name: str, typed: str) -> None:
    """``typed`` is how it was asked for; empty where its place said what it is for."""
    medium = Medium(role=_ROLES[name], kind=file.kind, url=f"{Place.SLACK.value}:{file.id}")
    line.give(OPTIONS[name], medium, typed)
