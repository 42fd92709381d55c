"""Is it a whole MP4? Told from its boxes, in whatever pieces they come."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.mp4 import BoxScanner, NotAnMP4


def box(kind: bytes, content: bytes = b"") -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def large_box(kind: bytes, content: bytes = b"") -> bytes:
    return (1).to_bytes(4, "big") + kind + (16 + len(content)).to_bytes(8, "big") + content


def last_box(kind: bytes, content: bytes = b"") -> bytes:
    """One of length 0: it reaches to the end of the file."""
    return bytes(4) + kind + content


FTYP, MOOV, MDAT = box(b"ftyp", b"isom"), box(b"moov", bytes(40)), box(b"mdat", bytes(100))
WHOLE = FTYP + MOOV + MDAT


def scan(data: bytes, size: int = 1 << 16) -> None:
    scanner = BoxScanner()
    for start in range(0, len(data), size):
        scanner.feed(data[start : start + size])
    scanner.finish()


def why(data: bytes) -> str:
    with pytest.raises(NotAnMP4) as caught:
        scan(data)
    assert str(caught.value) == f"The file is not a whole MP4: {caught.value.why}."
    return caught.value.why


@pytest.mark.parametrize(
    "data",
    [
        WHOLE,
        FTYP + MDAT + MOOV,
        FTYP + box(b"free") + MOOV + box(b"uuid", bytes(3)) + MDAT,
        FTYP + MOOV + large_box(b"mdat", bytes(100)),
        FTYP + MOOV + last_box(b"mdat", b"anything at all"),
        FTYP + MOOV + last_box(b"mdat"),
        large_box(b"ftyp", b"isom") + MOOV + MDAT,
    ],
    ids=["faststart", "moov last", "other boxes", "large box", "open end", "open and empty", "large ftyp"],
)
@pytest.mark.parametrize("size", [1, 3, 7, 8, 1 << 16])
def test_a_whole_file_passes_in_any_pieces(data: bytes, size: int) -> None:
    scan(data, size)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_what_boxes_hold_does_not_matter(content: bytes, size: int) -> None:
    scan(FTYP + box(b"moov", content) + box(b"mdat", content), size)


@given(st.integers(0, len(WHOLE) - 1))
def test_a_file_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(NotAnMP4):
        scan(WHOLE[:length])


@given(st.binary(max_size=300))
def test_no_bytes_make_it_stumble(data: bytes) -> None:
    with contextlib.suppress(NotAnMP4):
        scan(data)
        assert data.find(b"moov") > 8


def test_it_says_what_is_wrong() -> None:
    assert why(b"") == "it is empty or too short"
    assert why(b"ftyp") == "it is empty or too short"
    assert why(b"<!doctype html><title>Sign in</title>") == "it does not begin like one"
    assert why(b"\x89PNG\r\n\x1a\n" + bytes(20)) == "it does not begin like one"
    assert why(MOOV + MDAT) == "it does not begin like one"
    assert why(FTYP) == "it has no moov box"
    assert why(FTYP + MDAT) == "it has no moov box"
    assert why(FTYP + MOOV) == "it has no mdat box"
    assert why(FTYP + MOOV + MDAT[:-1]) == "it is cut off"
    assert why(FTYP + MOOV + MDAT + b"\x00") == "it is cut off"
    assert why(FTYP + (7).to_bytes(4, "big") + b"moov") == "a box has an impossible length"
    assert why(FTYP + (1).to_bytes(4, "big") + b"moov" + (15).to_bytes(8, "big")) == "a box has an impossible length"


def test_an_error_page_is_refused_with_its_first_bytes() -> None:
    scanner = BoxScanner()
    with pytest.raises(NotAnMP4):
        scanner.feed(b"<html><body>")


def test_a_scanner_keeps_nothing_of_a_large_file() -> None:
    scanner = BoxScanner()
    scanner.feed(FTYP + MOOV + (8 + 40_000_000).to_bytes(4, "big") + b"mdat")
    piece = bytes(1_000_000)
    for _ in range(40):
        scanner.feed(piece)
    scanner.finish()
    assert len(scanner._header) == 0
