"""What seedanceapi.org takes in ``POST /v2/generate``, and nothing else (its Seedance 2.0 Mini API guide, and the
documentation of version 2 for the standard model)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from yarl import URL

from bot.sandbox.providers.references import BadReference, check_address

MINI = "seedance-2-mini"
STANDARD = "seedance-2.0"

_LONGEST_PROMPT = 2_000
_LISTS = {"images": 4, "reference_video_urls": 3, "reference_audio_urls": 3}
"""Fields of addresses, and the most of each."""
_FIELDS = frozenset({"model", "prompt", "duration", "resolution", "aspect_ratio", "callback_url", *_LISTS})


class InvalidRequest(Exception):
    """A body that is answered with 400; `reason` is its message."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Model:
    """What one model takes."""

    resolutions: tuple[str, ...]
    ratios: tuple[str, ...]
    seconds: tuple[int, ...]


_MODELS: Mapping[str, _Model] = {
    MINI: _Model(
        resolutions=("480p", "720p"),
        ratios=("16:9", "9:16", "4:3", "3:4", "1:1", "21:9", "adaptive"),
        seconds=tuple(range(4, 16)),
    ),
    STANDARD: _Model(resolutions=("480p", "720p", "1080p"), ratios=("16:9", "9:16", "4:3", "3:4"), seconds=(5, 10, 15)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedanceRequest:
    """A valid body with its defaults filled in; addresses are checked for form, not yet fetched."""

    model: str
    prompt: str
    duration: int
    resolution: str
    aspect_ratio: str
    images: tuple[str, ...]
    videos: tuple[str, ...]
    audios: tuple[str, ...]
    callback_url: str | None

    @property
    def kind(self) -> str:
        """The mode of the request, for the ledger: a picture alone is a first frame."""
        if len(self.images) == 1 and not (self.videos or self.audios):
            return "frames"
        return "references" if self.images or self.videos or self.audios else "text"


def parse(body: object, *, mixed: bool = False) -> SeedanceRequest:
    """Read a request body; `mixed` lets pictures and videos be given together. Raises `InvalidRequest`.

    The guide gives ratios for text-to-video. With pictures one is taken too; without, their own shape is."""
    if not isinstance(body, Mapping):
        raise InvalidRequest("the body must be a JSON object")
    unknown = sorted(str(name) for name in body if name not in _FIELDS)
    if unknown:
        raise InvalidRequest(f"unknown parameter {unknown[0]}")
    name = _choice(body, "model", tuple(_MODELS), default=STANDARD)
    model = _MODELS[name]
    images = _addresses(body, "images")
    request = SeedanceRequest(
        model=name,
        prompt=_prompt(body),
        duration=_duration(body, model),
        resolution=_choice(body, "resolution", model.resolutions, default="720p"),
        aspect_ratio=_choice(body, "aspect_ratio", model.ratios, default="adaptive" if images else "16:9"),
        images=images,
        videos=_addresses(body, "reference_video_urls"),
        audios=_addresses(body, "reference_audio_urls"),
        callback_url=_callback(body),
    )
    if request.images and request.videos and not mixed:
        raise InvalidRequest("provide images or reference_video_urls, not both")
    if request.audios and not (request.images or request.videos):
        raise InvalidRequest("reference_audio_urls needs images or reference_video_urls")
    return request


def _prompt(given: Mapping[str, object]) -> str:
    prompt = given.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise InvalidRequest("prompt is required")
    if len(prompt) > _LONGEST_PROMPT:
        raise InvalidRequest(f"prompt must have at most {_LONGEST_PROMPT} characters")
    return prompt


def _choice(given: Mapping[str, object], name: str, choices: tuple[str, ...], *, default: str) -> str:
    if name not in given:
        return default
    value = given[name]
    if isinstance(value, str) and value in choices:
        return value
    raise InvalidRequest(f"{name} must be one of {', '.join(choices)}")


def _duration(given: Mapping[str, object], model: _Model) -> int:
    """Whole numbers: text, which the first version took, is refused."""
    value = given.get("duration", 5)
    if isinstance(value, int) and not isinstance(value, bool) and value in model.seconds:
        return value
    raise InvalidRequest(f"duration must be one of {', '.join(map(str, model.seconds))}")


def _addresses(given: Mapping[str, object], name: str) -> tuple[str, ...]:
    if name not in given:
        return ()
    urls, most = given[name], _LISTS[name]
    if not isinstance(urls, list) or not 1 <= len(urls) <= most:
        raise InvalidRequest(f"{name} must be a list of 1 to {most} URLs")
    return tuple(_address(url, name) for url in urls)


def _address(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be a URL")
    try:
        check_address(value)
    except BadReference as error:
        raise InvalidRequest(f"{name}: {error.reason}") from error
    return value


def _callback(given: Mapping[str, object]) -> str | None:
    """The guide says not to use localhost: its name is refused. Its number is not, since all of this runs there."""
    if "callback_url" not in given:
        return None
    url = _address(given["callback_url"], "callback_url")
    if URL(url).host == "localhost":
        raise InvalidRequest("callback_url must be public, not localhost")
    return url
