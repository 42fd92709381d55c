"""What ``/clip`` makes of a line, for tests of its grammar."""

import pytest

from bot.domain.recipe import MediaKind, MediaRole, Medium
from handlers.grammar import ClipRequest, UsageError, parse_clip

PICTURE, PHOTO = "https://files.example/a.png", "https://files.example/b.jpg"
VIDEO = MediaKind.VIDEO
FILM, SOUND = "https://files.example/c.mp4", "https://files.example/d.mp3"


def medium(role: MediaRole, url: str, kind: MediaKind = MediaKind.IMAGE) -> Medium:
    """A file as a recipe has it."""
    return Medium(role=role, kind=kind, url=url)


FIRST, LAST = medium(MediaRole.FIRST, PICTURE), medium(MediaRole.LAST, PHOTO)


def asked(text: str) -> ClipRequest:
    """The request that the line is."""
    request = parse_clip(text)
    assert isinstance(request, ClipRequest)
    return request


def refused(text: str) -> UsageError:
    """Why the line is none."""
    with pytest.raises(UsageError) as caught:
        parse_clip(text)
    return caught.value


def assert_whole(error: UsageError) -> None:
    """The sentence says that nothing was charged and how to do it right, with an example that works."""
    assert "Nothing was charged." in str(error)
    assert error.suggestion in str(error)
    assert isinstance(asked(error.suggestion.removeprefix("/clip ")), ClipRequest)
