"""Pictures, read by Pillow with only the reader of their form, sizes first and pixels after."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pillow_heif
from PIL import ExifTags, Image, ImageOps

from bot.domain.forms import Form
from bot.domain.recipe import MediaKind
from bot.domain.reference import (
    FileFacts,
    Mend,
    Target,
    form_mend,
)
from bot.media.bounds import MOST_PIXELS
from bot.media.damage import CutShort, Damaged, Unreadable
from bot.media.leftovers import has_tail, write_bare_jpeg

# Thumbnails and depth pictures are not wanted, and threads would take memory beside the one that is counted on.
pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
Image.MAX_IMAGE_PIXELS = MOST_PIXELS

_READERS: dict[Form, tuple[str, ...]] = {
    Form.JPEG: ("JPEG", "MPO"),  # a JPEG with further pictures behind it, as stereo cameras and phones make it
    Form.PNG: ("PNG",),
    Form.WEBP: ("WEBP",),
    Form.BMP: ("BMP",),
    Form.TIFF: ("TIFF",),
    Form.GIF: ("GIF",),
    Form.HEIC: ("HEIF",),
    Form.AVIF: ("AVIF",),
}
_ONCE_MOVING = frozenset({Form.GIF, Form.WEBP, Form.PNG, Form.TIFF, Form.AVIF})
_ORIENTATION = 0x0112  # Exif 2.32, table 4
_QUALITIES = (95, 88, 80, 70)
_ENDS_EARLY = ("truncated", "end of file")  # what Pillow and libheif say of a file that broke off
_TURNED = range(2, 9)


def facts_of(file: Path, form: Form) -> FileFacts:
    """What its header says; nothing is decoded. Raises Unreadable."""
    with _opened(file, form) as image:
        turn = _orientation(image)
        width, height = image.size
        if turn >= 5 and form is not Form.TIFF:  # quarter turns; Pillow tells a TIFF's size as shown
            width, height = height, width
        return FileFacts(
            kind=MediaKind.IMAGE,
            form=form,
            size=file.stat().st_size,
            width=width,
            height=height,
            rotated=turn in _TURNED,
            moving=form in _ONCE_MOVING and bool(getattr(image, "is_animated", False)),
            transparent=image.has_transparency_data,
            four_colours=image.mode == "CMYK",
            located=_is_located(image),
            tailed=has_tail(file, form),
        )


def verify(file: Path, facts: FileFacts) -> None:
    """Decode it to its last pixel. Raises Unreadable."""
    with _opened(file, facts.form) as image:
        _load(image, facts.form)


def mend(file: Path, facts: FileFacts, target: Target, output: Path) -> tuple[Path, tuple[Mend, ...]]:
    """Write it as the target says, upright and without what cameras add (places, thumbnails): the new file, and what
    was done beyond what the verdict said. A JPEG whose pixels are right keeps them to the bit. Raises Unreadable."""
    if _pixels_stay(facts, target):
        verify(file, facts)
        written = output.with_suffix(f".{Form.JPEG.value}")
        write_bare_jpeg(file, written)
        return written, ()
    with _opened(file, facts.form) as image:
        size = (target.width or image.width, target.height or image.height)
        if facts.form is Form.JPEG and size != image.size:
            image.draft(None, _before_turning(image, size))  # decodes at half, a quarter or an eighth of the size
        _load(image, facts.form)
        profile = image.info.get("icc_profile") if image.mode != "CMYK" else None
        picture = _plain(_upright(image))
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if target.form is not Form.JPEG:
        written = output.with_suffix(f".{target.form.value}")
        picture.save(written, target.form.value.upper(), icc_profile=profile, **_EXACTLY.get(target.form, {}))
        if written.stat().st_size <= target.largest_bytes:
            return written, ()
        written.unlink()
    more = () if target.form is Form.JPEG else (form_mend(target.form, Form.JPEG),)
    return _write_jpeg(picture, target, output, profile), more


_EXACTLY: dict[Form, dict[str, int]] = {Form.WEBP: {"quality": 95}}


@contextmanager
def _opened(file: Path, form: Form) -> Iterator[Image.Image]:
    """The picture with its header read, and not larger than we decode."""
    if form is Form.WEBP:
        _check_webp(file)
    # Pillow would look at the number of pixels too, but says neither figure nor limit in words for people.
    with file.open("rb") as raw, warnings.catch_warnings(action="ignore"):
        Image.MAX_IMAGE_PIXELS = None
        try:
            image = Image.open(raw, formats=_READERS[form])
        except (OSError, SyntaxError, ValueError) as error:
            raise Damaged(form.label) from error
        finally:
            Image.MAX_IMAGE_PIXELS = MOST_PIXELS
        with image:
            _check_pixels(*image.size)
            yield image


def _check_pixels(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise Unreadable(
            f"is {width}×{height}, {width * height / 1_000_000:,.0f} million pixels",
            f"at most {MOST_PIXELS / 1_000_000:,.0f} million can be opened",
        )


def _check_webp(file: Path) -> None:
    """Length and canvas of a WebP (RFC 9649, sections 2.4 to 2.7): its reader takes memory for the canvas at once."""
    with file.open("rb") as raw:
        head = raw.read(30)
    announced, size = int.from_bytes(head[4:8], "little") + 8, file.stat().st_size
    if announced > size:
        raise CutShort(f"announces {announced:,} bytes and has {size:,}")
    if head[12:16] == b"VP8X":
        _check_pixels(int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1)


def _load(image: Image.Image, form: Form) -> None:
    try:
        image.load()
    except MemoryError:
        raise
    except (OSError, EOFError, SyntaxError, ValueError) as error:
        if any(words in str(error).lower() for words in _ENDS_EARLY):
            raise CutShort("ends in the middle of its picture") from error
        raise Damaged(form.label) from error


def _orientation(image: Image.Image) -> int:
    """How the picture is to be turned when it is shown: 1 to 8, 1 for not at all or where it cannot be read."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - what a camera wrote beside the picture may be broken in any way
        return 1
    return value if isinstance(value, int) and value in _TURNED else 1


def _is_located(image: Image.Image) -> bool:
    """Whether it says where it was taken, in Exif (2.32, section 4.6.6) or in XMP. That a camera knows of satellites
    (tag 0, a version) says nothing yet."""
    try:
        place = set(image.getexif().get_ifd(ExifTags.IFD.GPSInfo)) - {0}
    except Exception:  # noqa: BLE001 - as above
        return True  # what cannot be read here, others may read
    return bool(place) or b"GPSL" in _xmp(image)


def _xmp(image: Image.Image) -> bytes:
    found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    return found.encode() if isinstance(found, str) else bytes(found)


def _pixels_stay(facts: FileFacts, target: Target) -> bool:
    """Whether only what stands beside the pixels has to go, in a form where it can be taken away by itself."""
    return (
        facts.form is target.form is Form.JPEG
        and (facts.width, facts.height) == (target.width, target.height)
        and not (facts.rotated or facts.four_colours)
        and facts.size <= target.largest_bytes
    )


def _upright(image: Image.Image) -> Image.Image:
    ImageOps.exif_transpose(image, in_place=True)  # a copy of a large picture is memory that others need
    return image


def _before_turning(image: Image.Image, size: tuple[int, int]) -> tuple[int, int]:
    return (size[1], size[0]) if _orientation(image) >= 5 else size


def _plain(image: Image.Image) -> Image.Image:
    """In red, green and blue of eight bits, with transparency where it has any."""
    if image.mode.startswith("I;16"):
        image = image.point(lambda value: value * (1 / 256)).convert("L")
    wanted = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def _write_jpeg(picture: Image.Image, target: Target, output: Path, profile: bytes | None) -> Path:
    """As good as its size may be; on white where it was transparent."""
    if picture.mode == "RGBA":
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(picture, mask=picture.getchannel("A"))
        picture = ground
    written = output.with_suffix(f".{Form.JPEG.value}")
    for quality in _QUALITIES:
        picture.save(written, "JPEG", quality=quality, icc_profile=profile)
        if written.stat().st_size <= target.largest_bytes:
            break
    return written
