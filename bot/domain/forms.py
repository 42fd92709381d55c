"""Forms of files: how pictures, videos and sounds are written down."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from bot.domain.recipe import MediaKind


class Form(StrEnum):
    """How the bytes of a file are arranged: told from the bytes, never from a name. The value is a good suffix."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    BMP = "bmp"
    TIFF = "tiff"
    GIF = "gif"
    HEIC = "heic"
    AVIF = "avif"
    MP4 = "mp4"
    MOV = "mov"
    MKV = "mkv"
    WEBM = "webm"
    AVI = "avi"
    WAV = "wav"
    MP3 = "mp3"
    M4A = "m4a"
    OGG = "ogg"
    FLAC = "flac"
    AAC = "aac"
    AIFF = "aiff"

    @property
    def label(self) -> str:
        """As people write it."""
        return {"webp": "WebP", "webm": "WebM", "ogg": "Ogg"}.get(self.value, self.value.upper())

    @property
    def mime(self) -> str:
        """Its registered media type."""
        return _MIMES[self]


_MIMES = {
    **{
        form: f"image/{form.value}"
        for form in (Form.JPEG, Form.PNG, Form.WEBP, Form.BMP, Form.TIFF, Form.GIF, Form.HEIC, Form.AVIF)
    },
    Form.MP4: "video/mp4",
    Form.MOV: "video/quicktime",
    Form.MKV: "video/matroska",
    Form.WEBM: "video/webm",
    Form.AVI: "video/vnd.avi",
    Form.WAV: "audio/wav",
    Form.MP3: "audio/mpeg",
    Form.M4A: "audio/mp4",
    Form.OGG: "audio/ogg",
    Form.FLAC: "audio/flac",
    Form.AAC: "audio/aac",
    Form.AIFF: "audio/aiff",
}

ENDINGS: Mapping[MediaKind, tuple[str, ...]] = MappingProxyType(
    {
        MediaKind.IMAGE: ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif", "heic", "heif", "avif"),
        MediaKind.VIDEO: ("mp4", "mov", "m4v", "mkv", "webm", "avi"),
        MediaKind.AUDIO: ("mp3", "wav", "m4a", "aac", "ogg", "oga", "flac", "aif", "aiff"),
    }
)
"""How the names of files end that can be read, by kind, in lower case and without the dot. They promise nothing."""
