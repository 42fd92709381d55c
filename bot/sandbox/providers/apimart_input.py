"""What APIMart takes in ``POST /v1/videos/generations``, in the words of its guide or of its reference, and nothing
else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.sandbox.providers.references import BadReference, check_address

GUIDE_MINI, GUIDE_STANDARD = "seedance-2-0-fast", "seedance-2-0"
DOCS_MINI, DOCS_FAST, DOCS_STANDARD = "seedance-2.0-mini", "seedance-2.0-fast", "seedance-2.0"
OLD_FAST, OLD_STANDARD = "doubao-seedance-2.0-fast", "doubao-seedance-2.0"

_SMALL, _LARGE = ("480p", "720p"), ("480p", "720p", "1080p")
RESOLUTIONS: Mapping[str, tuple[str, ...]] = {
    GUIDE_MINI: _LARGE,
    GUIDE_STANDARD: _LARGE,
    DOCS_MINI: _SMALL,
    DOCS_FAST: _SMALL,
    DOCS_STANDARD: _LARGE,
    OLD_FAST: _SMALL,
    f"{OLD_FAST}-face": _SMALL,
    OLD_STANDARD: _LARGE,
    f"{OLD_STANDARD}-face": _LARGE,
}
"""Models and what they render. The reference has 4k beside it, which is not rendered here."""

_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "3:2", "adaptive")
_SECONDS = range(4, 16)
_AUTOMATIC, _AUTOMATIC_SECONDS = -1, 5
_MOST_TOKENS = 2_000
_SEEDS = range(-1, 2**32)
_ROLES = ("first_frame", "last_frame", "reference_image")
_MOST = {"image_urls": 9, "image_with_roles": 9, "video_urls": 3, "audio_urls": 3}
_FIELDS = frozenset(
    {
        "model",
        "prompt",
        "resolution",
        "duration",
        "aspect_ratio",
        "size",
        "generate_audio",
        "seed",
        "return_last_frame",
        "image_url",
        *_MOST,
        "tools",
        "nsfw_check",
        "n",
        "callback_url",
    }
)


class InvalidRequest(Exception):
    """A body that APIMart answers with 400; `reason` becomes its message and `param` names the field."""

    def __init__(self, reason: str, *, param: str | None = None, code: str = "invalid_request") -> None:
        self.reason = reason
        self.param = param
        self.code = code
        super().__init__(reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class ApimartRequest:
    """A valid body with its defaults filled in; addresses are checked for form, not yet fetched."""

    model: str
    prompt: str
    resolution: str
    seconds: int
    ratio: str
    audio: bool
    last_frame: bool
    frames: tuple[str, ...]
    images: tuple[str, ...]
    videos: tuple[str, ...]
    audios: tuple[str, ...]
    callback_url: str | None

    @property
    def kind(self) -> str:
        """The mode of the request, for the ledger."""
        if self.frames:
            return "frames"
        return "references" if self.images or self.videos or self.audios else "text"

    @property
    def wanted(self) -> list[tuple[str, str]]:
        """Address and kind of every file, the pictures first."""
        kinds = (("image", self.frames), ("image", self.images), ("video", self.videos), ("audio", self.audios))
        return [(url, kind) for kind, urls in kinds for url in urls]


def parse(body: object) -> ApimartRequest:
    """Read a request body. Raises `InvalidRequest`."""
    if not isinstance(body, Mapping):
        raise InvalidRequest("the body must be a JSON object")
    for name in body:
        if name not in _FIELDS:
            raise InvalidRequest(f"unknown field {name}", param=str(name))
    model = _text(body, "model", required=True) or ""
    if model not in RESOLUTIONS:
        raise InvalidRequest(f"model {model} not found", param="model", code="model_not_found")
    _check_extras(body)
    frames, images = _pictures(body)
    request = ApimartRequest(
        model=model,
        prompt=_prompt(body, needed=not frames),
        resolution=_choice(body, "resolution", RESOLUTIONS[model], default="480p"),
        seconds=_seconds(body),
        ratio=_ratio(body),
        audio=_flag(body, "generate_audio"),
        last_frame=_flag(body, "return_last_frame"),
        frames=frames,
        images=images,
        videos=_addresses(body, "video_urls"),
        audios=_addresses(body, "audio_urls"),
        callback_url=_address(body, "callback_url"),
    )
    _check_modes(request)
    return request


def _check_modes(request: ApimartRequest) -> None:
    """What does not go together, by the rules of the model behind, and `adaptive` as the guide has it."""
    if request.frames and (request.images or request.videos or request.audios):
        raise InvalidRequest("first and last frames cannot be combined with references", param="image_with_roles")
    if request.audios and not (request.images or request.videos):
        raise InvalidRequest("reference audio needs a reference image or video", param="audio_urls")
    if request.ratio == "adaptive" and not (request.frames or request.images or request.videos):
        raise InvalidRequest("adaptive needs an input image", param="aspect_ratio")


def _check_extras(body: Mapping[str, object]) -> None:
    """Fields that change nothing here."""
    _flag(body, "nsfw_check")
    if body.get("n", 1) != 1 or isinstance(body.get("n", 1), bool):
        raise InvalidRequest("n must be 1", param="n")
    if body.get("tools", []) not in ([], [{"type": "web_search"}]):
        raise InvalidRequest('tools takes {"type": "web_search"}', param="tools")
    seed = body.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed not in _SEEDS:
        raise InvalidRequest("seed must be an integer", param="seed")


def _pictures(body: Mapping[str, object]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Frames and reference images. A picture alone, without a role, is the first frame."""
    given = [name for name in ("image_url", "image_urls", "image_with_roles") if name in body]
    if len(given) > 1:
        raise InvalidRequest(f"{' and '.join(given)} are mutually exclusive", param=given[-1])
    if "image_url" in body:
        return (_address(body, "image_url") or "",), ()
    if "image_with_roles" not in body:
        plain = _addresses(body, "image_urls")
        alone = len(plain) == 1 and not (body.get("video_urls") or body.get("audio_urls"))
        return (plain, ()) if alone else ((), plain)
    return _with_roles(body["image_with_roles"])


def _with_roles(value: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    name = "image_with_roles"
    if not isinstance(value, list) or len(value) > _MOST[name]:
        raise InvalidRequest(f"{name} must be a list of at most {_MOST[name]} images", param=name)
    by_role: dict[str, list[str]] = {role: [] for role in _ROLES}
    for one in value:
        if not isinstance(one, Mapping) or set(one) != {"url", "role"} or one["role"] not in _ROLES:
            raise InvalidRequest(f"{name} takes objects of url and role ({', '.join(_ROLES)})", param=name)
        by_role[one["role"]].append(_checked(one["url"], name))
    first, last, references = (tuple(by_role[role]) for role in _ROLES)
    if len(first) > 1 or len(last) > 1 or (last and not first):
        raise InvalidRequest(f"{name} takes one first_frame, and with it one last_frame", param=name)
    return first + last, references


def _prompt(body: Mapping[str, object], *, needed: bool) -> str:
    prompt = _text(body, "prompt", required=needed) or ""
    # A word, or a character of a script without spaces, is a token at least.
    tokens = len(prompt.split()) + sum(1 for character in prompt if ord(character) >= 0x2E80)
    if tokens > _MOST_TOKENS:
        raise InvalidRequest(f"prompt must have at most {_MOST_TOKENS} tokens", param="prompt")
    return prompt


def _seconds(body: Mapping[str, object]) -> int:
    value = body.get("duration", 5)
    if not isinstance(value, int) or isinstance(value, bool) or value not in (_AUTOMATIC, *_SECONDS):
        raise InvalidRequest(f"duration must be {_SECONDS.start}-{_SECONDS.stop - 1} or {_AUTOMATIC}", param="duration")
    return _AUTOMATIC_SECONDS if value == _AUTOMATIC else value


def _ratio(body: Mapping[str, object]) -> str:
    if "aspect_ratio" in body and "size" in body:
        raise InvalidRequest("aspect_ratio and size are the same thing: give one", param="size")
    name = "size" if "size" in body else "aspect_ratio"
    return _choice(body, name, _RATIOS, default="16:9")


def _text(body: Mapping[str, object], name: str, *, required: bool) -> str | None:
    if name not in body and not required:
        return None
    value = body.get(name)
    if isinstance(value, str) and value.strip():
        return value
    raise InvalidRequest(f"{name} must be a non-empty string", param=name)


def _choice(body: Mapping[str, object], name: str, choices: Iterable[str], *, default: str) -> str:
    value = body.get(name, default)
    if isinstance(value, str) and value in choices:
        return value
    raise InvalidRequest(f"{name} must be one of {', '.join(choices)}", param=name)


def _flag(body: Mapping[str, object], name: str) -> bool:
    value = body.get(name, False)
    if isinstance(value, bool):
        return value
    raise InvalidRequest(f"{name} must be true or false", param=name)


def _address(body: Mapping[str, object], name: str) -> str | None:
    return _checked(body[name], name) if name in body else None


def _addresses(body: Mapping[str, object], name: str) -> tuple[str, ...]:
    urls = body.get(name, [])
    if not isinstance(urls, list) or len(urls) > _MOST[name]:
        raise InvalidRequest(f"{name} must be a list of at most {_MOST[name]} URLs", param=name)
    return tuple(_checked(url, name) for url in urls)


def _checked(url: object, name: str) -> str:
    if not isinstance(url, str):
        raise InvalidRequest(f"{name} must be a URL", param=name)
    try:
        check_address(url)
    except BadReference as error:
        raise InvalidRequest(f"{name}: {error.reason}", param=name) from error
    return url
