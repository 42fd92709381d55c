"""What HiAPI takes in ``POST /v1/tasks``, and nothing else (the vendor's Seedance 2.0 Mini page)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.sandbox.providers.references import BadReference, check_address, check_picture

MINI = "seedance-2.0-mini"
STANDARD = "seedance-2-0"

_RATIOS = ("1:1", "4:3", "3:4", "16:9", "9:16", "21:9", "adaptive")
_SECONDS = range(4, 16)
_LONGEST_PROMPT = 20_000
_MOST_IMAGES, _MOST_VIDEOS, _MOST_AUDIOS = 9, 3, 3
_LISTS = {
    "reference_image_urls": _MOST_IMAGES,
    "reference_video_urls": _MOST_VIDEOS,
    "reference_audio_urls": _MOST_AUDIOS,
}
_TOP_FIELDS = frozenset({"model", "input", "callback", "storage", "route"})
_MINI_FIELDS = frozenset(
    {
        "prompt",
        "resolution",
        "duration",
        "aspect_ratio",
        "generate_audio",
        "first_frame_url",
        "last_frame_url",
        *_LISTS,
    }
)


class InvalidRequest(Exception):
    """A body that HiAPI answers with 400; `reason` goes into its message."""

    def __init__(self, reason: str, *, error_code: str = "INVALID_REQUEST") -> None:
        self.reason = reason
        self.error_code = error_code
        super().__init__(reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Model:
    """What one model takes: resolutions, fields of `input`, the shortest prompt, how pictures are given."""

    resolutions: tuple[str, ...]
    fields: frozenset[str]
    shortest_prompt: int
    mixes_references: bool
    check_picture: Callable[[str], None] = check_address


_MODELS: Mapping[str, _Model] = {
    MINI: _Model(resolutions=("480p", "720p"), fields=_MINI_FIELDS, shortest_prompt=1, mixes_references=False),
    STANDARD: _Model(
        resolutions=("480p", "720p", "1080p"),
        fields=_MINI_FIELDS | {"return_last_frame", "web_search", "nsfw_checker", "seed"},
        shortest_prompt=3,
        mixes_references=True,
        check_picture=check_picture,
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class HiapiRequest:
    """A valid body with its defaults filled in; addresses are checked for form, not yet fetched."""

    model: str
    prompt: str
    resolution: str
    duration: int
    aspect_ratio: str
    generate_audio: bool
    first_frame: str | None
    last_frame: str | None
    images: tuple[str, ...]
    videos: tuple[str, ...]
    audios: tuple[str, ...]
    return_last_frame: bool
    callback_url: str | None
    storage: str
    route: str | None

    @property
    def kind(self) -> str:
        """The mode of the request, for the ledger."""
        if self.first_frame:
            return "frames"
        return "references" if self.images or self.videos or self.audios else "text"


def parse(body: object, *, mixed: bool = False) -> HiapiRequest:
    """Read a request body; `mixed` lets the mini model combine references too. Raises `InvalidRequest`."""
    top = _mapping(body, "the body")
    _only(top, _TOP_FIELDS, "")
    name = _text(top, "model", required=True)
    model = _MODELS.get(name or "")
    if model is None:
        raise InvalidRequest(f"model {name} is not available", error_code="MODEL_UNAVAILABLE")
    given = _mapping(top.get("input"), "input")
    _only(given, model.fields, "input.")
    request = HiapiRequest(
        model=name or "",
        prompt=_prompt(given, model),
        resolution=_choice(given, "resolution", model.resolutions, default=None),
        duration=_duration(given),
        aspect_ratio=_choice(given, "aspect_ratio", _RATIOS, default="16:9"),
        generate_audio=_flag(given, "generate_audio", default=True),
        first_frame=_address(given, "first_frame_url", model),
        last_frame=_address(given, "last_frame_url", model),
        images=_addresses(given, "reference_image_urls", model.check_picture),
        videos=_addresses(given, "reference_video_urls"),
        audios=_addresses(given, "reference_audio_urls"),
        return_last_frame=_flag(given, "return_last_frame", default=False),
        callback_url=_callback(top),
        storage=_choice(top, "storage", ("temp", "persistent"), default="temp"),
        route=_text(top, "route", required=False),
    )
    _flag(given, "web_search", default=False)
    _flag(given, "nsfw_checker", default=False)
    _seed(given)
    _check_modes(request, mixed=mixed or model.mixes_references)
    return request


def _check_modes(request: HiapiRequest, *, mixed: bool) -> None:
    if request.last_frame and not request.first_frame:
        raise InvalidRequest("last_frame_url needs first_frame_url")
    frames = sum(1 for frame in (request.first_frame, request.last_frame) if frame)
    if frames + len(request.images) > _MOST_IMAGES:
        raise InvalidRequest(f"at most {_MOST_IMAGES} images, frames included")
    if frames and (request.images or request.videos):
        raise InvalidRequest("first_frame_url excludes reference_image_urls and reference_video_urls")
    if request.images and request.videos and not mixed:
        raise InvalidRequest("reference_image_urls and reference_video_urls are mutually exclusive")
    if request.audios and not (frames or request.images or request.videos):
        # The page does not say so; Seedance itself, behind it, takes no sound alone.
        raise InvalidRequest("reference_audio_urls needs reference_image_urls or reference_video_urls")


def _mapping(value: object, name: str) -> Mapping[str, object]:
    if isinstance(value, Mapping):
        return value
    raise InvalidRequest(f"{name} must be an object")


def _only(given: Mapping[str, object], known: frozenset[str], prefix: str) -> None:
    for name in given:
        if name not in known:
            raise InvalidRequest(f"unknown field {prefix}{name}")


def _text(given: Mapping[str, object], name: str, *, required: bool) -> str | None:
    value = given.get(name)
    if value is None and name not in given and not required:
        return None
    if isinstance(value, str) and value:
        return value
    raise InvalidRequest(f"{name} must be a non-empty string")


def _prompt(given: Mapping[str, object], model: _Model) -> str:
    prompt = _text(given, "prompt", required=True) or ""
    if not model.shortest_prompt <= len(prompt.strip()) <= _LONGEST_PROMPT:
        raise InvalidRequest(f"prompt must have {model.shortest_prompt} to {_LONGEST_PROMPT} characters")
    return prompt


def _choice(given: Mapping[str, object], name: str, choices: tuple[str, ...], *, default: str | None) -> str:
    """One of the choices; without a default the field is required."""
    if name not in given and default is not None:
        return default
    value = given.get(name)
    if isinstance(value, str) and value in choices:
        return value
    raise InvalidRequest(f"{name} must be one of {', '.join(choices)}")


def _duration(given: Mapping[str, object]) -> int:
    value = given.get("duration")
    if isinstance(value, int) and not isinstance(value, bool) and value in _SECONDS:
        return value
    raise InvalidRequest(f"duration must be an integer from {_SECONDS.start} to {_SECONDS.stop - 1}")


def _flag(given: Mapping[str, object], name: str, *, default: bool) -> bool:
    value = given.get(name, default)
    if isinstance(value, bool):
        return value
    raise InvalidRequest(f"{name} must be true or false")


def _seed(given: Mapping[str, object]) -> None:
    value = given.get("seed", 0)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 2**31 - 1:
        raise InvalidRequest("seed must be an integer from 0 to 2147483647")


def _address(given: Mapping[str, object], name: str, model: _Model) -> str | None:
    url = _text(given, name, required=False)
    if url is not None:
        _checked(url, name, model.check_picture)
    return url


def _addresses(given: Mapping[str, object], name: str, check: Callable[[str], None] = check_address) -> tuple[str, ...]:
    urls = given.get(name, [])
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise InvalidRequest(f"{name} must be a list of URLs")
    if len(urls) > _LISTS[name]:
        raise InvalidRequest(f"{name} takes at most {_LISTS[name]}")
    for url in urls:
        _checked(url, name, check)
    return tuple(urls)


def _checked(url: str, name: str, check: Callable[[str], None]) -> None:
    try:
        check(url)
    except BadReference as error:
        raise InvalidRequest(f"{name}: {error.reason}") from error


def _callback(top: Mapping[str, object]) -> str | None:
    if "callback" not in top:
        return None
    callback = _mapping(top["callback"], "callback")
    _only(callback, frozenset({"url", "when"}), "callback.")
    _choice(callback, "when", ("final",), default="final")
    url = _text(callback, "url", required=True) or ""
    _checked(url, "callback.url", check_address)
    return url
