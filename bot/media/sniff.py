"""What a file is, from its first bytes: its form decides which single reader opens it, and names decide nothing.

Signatures as the formats define them: PNG and GIF by their signatures, RIFF and ISO base media files by their inner
type (a brand registered at mp4ra.org), MP3 by a frame header or an ID3v2 tag, BMP by its header sizes.
"""

from pathlib import Path

from bot.domain.forms import Form
from bot.domain.recipe import MediaKind
from bot.media.damage import Unreadable

_HEAD = 4096  # bytes; enough for every signature and for the brands of an ISO file


def head_of(file: Path) -> bytes:
    """The first bytes of a file."""
    with file.open("rb") as opened:
        return opened.read(_HEAD)


def form_of(head: bytes) -> Form | None:
    """The form that a file begins like; None for what is no picture, video or sound."""
    for signature, form in _SIGNATURES.items():
        if head.startswith(signature):
            return form
    if head[:4] in {b"RIFF", b"RF64"}:
        return _RIFF.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return Form.AIFF
    if head[4:8] == b"ftyp":
        return _iso_form(head)
    if head[4:8] in {b"moov", b"mdat", b"wide"}:
        return Form.MOV  # QuickTime before it had brands
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return Form.WEBM if b"\x42\x82\x84webm" in head[:128] else Form.MKV
    if head[:2] == b"BM" and head[6:10] == bytes(4) and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return Form.BMP
    return _mpeg_sound(head)


def kind_of(form: Form) -> MediaKind:
    """What a file of that form usually is. Containers may also hold a sound alone: ``films.kind_within`` looks."""
    if form in _PICTURES:
        return MediaKind.IMAGE
    return MediaKind.VIDEO if form in CONTAINERS else MediaKind.AUDIO


def not_media(head: bytes, size: int) -> Unreadable:
    """Words for a file that is no picture, video or sound."""
    if not size:
        return Unreadable("is empty", "a picture, a video or a sound is needed")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    what = next((words for signature, words in _OTHERS.items() if start.startswith(signature)), None)
    figure = f"is {what}" if what else "is no picture, video or sound that can be read here"
    return Unreadable(figure, f"these can be used: {', '.join(form.label for form in Form)}")


def _iso_form(head: bytes) -> Form | None:
    """MP4, MOV, HEIC and relatives by their brands: the major one, else the first compatible one that is known."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length, 4))]
    known = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    pictures = [form for form in known if form in _PICTURES]
    if known and known[0] in _PICTURES:
        # `mif1` says only that it is a picture; which one, another brand says.
        return next((form for form in pictures if form is Form.AVIF), Form.HEIC)
    return known[0] if known else Form.MP4


def _mpeg_sound(head: bytes) -> Form | None:
    """MP3 and AAC by the header of a frame; the fields that cannot be are told from text and other data."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        return Form.AAC
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sample_rate = head[2] >> 4, head[2] >> 2 & 3
    return Form.MP3 if version != 1 and layer == 1 and bit_rate not in {0, 15} and sample_rate != 3 else None


CONTAINERS = frozenset({Form.MP4, Form.MOV, Form.MKV, Form.WEBM, Form.AVI})

_PICTURES = frozenset({Form.JPEG, Form.PNG, Form.WEBP, Form.BMP, Form.TIFF, Form.GIF, Form.HEIC, Form.AVIF})

_SIGNATURES = {
    b"\xff\xd8\xff": Form.JPEG,
    b"\x89PNG\r\n\x1a\n": Form.PNG,
    b"GIF87a": Form.GIF,
    b"GIF89a": Form.GIF,
    b"II*\0": Form.TIFF,
    b"MM\0*": Form.TIFF,
    b"ID3": Form.MP3,
    b"fLaC": Form.FLAC,
    b"OggS": Form.OGG,
}
_RIFF = {b"WAVE": Form.WAV, b"WEBP": Form.WEBP, b"AVI ": Form.AVI}
_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), Form.HEIC),
    **dict.fromkeys((b"avif", b"avis"), Form.AVIF),
    **dict.fromkeys((b"M4A ", b"M4B "), Form.M4A),
    **dict.fromkeys((b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V "), Form.MP4),
    b"qt  ": Form.MOV,
}
_OTHERS = {
    b"#extm3u": "a playlist",
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML file",
    b"%pdf": "a PDF",
    b"pk\x03\x04": "a ZIP archive",
    b"8bps": "a Photoshop file",
    b"{\\rtf": "a text document",
    b"mz": "a program",
    b"\x7felf": "a program",
}
