"""What Muapi's Seedance endpoints take, and nothing else (its guide to Seedance 2 Mini; the playground pages on the
other tiers). A field of the wrong kind is answered as its web framework does (422 with a list), a value out of range
with 400."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.sandbox.providers.references import BadReference, check_address

MINI = "seedance-2-mini"
STANDARD = "seedance-2"
VIP = "seedance-2-vip"

_RATIOS = ("16:9", "9:16", "1:1", "3:4", "4:3", "21:9")
_SECONDS = range(4, 16)
_LONGEST_PROMPT = 20_000
_COMMON = frozenset({"prompt", "aspect_ratio", "duration", "webhook_url"})
_IMAGES = ("images_list",)
_VIDEOS = ("video_files", "videos_list")
_AUDIOS = ("audio_files", "audios_list")
_MOST = {**dict.fromkeys(_IMAGES, 9), **dict.fromkeys((*_VIDEOS, *_AUDIOS), 3)}


class Refused(Exception):
    """A request that Muapi refuses with this status; `detail` is text, or the framework's list of fields."""

    def __init__(self, status: int, detail: object) -> None:
        self.status = status
        self.detail = detail
        super().__init__(f"HTTP {status}: {detail}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One path: the model behind it, its resolutions and ratios, and what it takes beside the common fields."""

    model: str
    kind: str
    resolutions: tuple[str, ...]
    fields: frozenset[str] = frozenset()
    ratios: tuple[str, ...] = _RATIOS
    images: tuple[int, int] = (0, 0)
    """The fewest and the most pictures in its list."""


_MINI_FIELDS = frozenset({"resolution", "generate_audio", "high_bitrate"})
_FRAMES = (*_RATIOS, "adaptive")


def _tier(model: str, resolution: str, suffix: str, fields: frozenset[str]) -> dict[str, Endpoint]:
    """The endpoints of a dearer tier, whose resolution is fixed."""
    only = (resolution,)
    pictures = fields | {"images_list"}
    return {
        f"{model}-text-to-video{suffix}": Endpoint(model=model, kind="text", resolutions=only, fields=fields),
        f"{model}-image-to-video{suffix}": Endpoint(
            model=model, kind="frames", resolutions=only, fields=pictures, images=(1, 1)
        ),
        f"{model}-first-last-frame{suffix}": Endpoint(
            model=model, kind="frames", resolutions=only, fields=pictures, ratios=_FRAMES, images=(1, 2)
        ),
    }


ENDPOINTS: Mapping[str, Endpoint] = {
    f"{MINI}-text-to-video": Endpoint(model=MINI, kind="text", resolutions=("480p", "720p"), fields=_MINI_FIELDS),
    f"{MINI}-image-to-video": Endpoint(
        model=MINI, kind="frames", resolutions=("480p", "720p"), fields=_MINI_FIELDS, images=(1, 1)
    ),
    f"{MINI}-omni-reference": Endpoint(
        model=MINI,
        kind="references",
        resolutions=("480p", "720p"),
        fields=_MINI_FIELDS | {*_IMAGES, *_VIDEOS, *_AUDIOS},
        images=(0, 9),
    ),
    **_tier(STANDARD, "720p", "", frozenset()),
    **_tier(VIP, "1080p", "-1080p", frozenset()),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class MuapiRequest:
    """A valid request with its defaults filled in; addresses are checked for form, not yet fetched."""

    endpoint: Endpoint
    prompt: str
    resolution: str
    duration: int
    aspect_ratio: str
    generate_audio: bool
    images: tuple[str, ...]
    videos: tuple[str, ...]
    audios: tuple[str, ...]
    callback_url: str | None


def parse(endpoint: Endpoint, body: object, *, webhook: str | None, live: bool) -> MuapiRequest:
    """Read a request body. `live` wants the mini model's first frame in ``images_list``, as Muapi's clients send it;
    its guide has ``image_url``. `webhook` comes from the query. Raises `Refused`."""
    if not isinstance(body, Mapping):
        raise _field("Input should be a valid dictionary", "dict_type")
    alone = endpoint.model == MINI and endpoint.kind == "frames" and not live
    pictures = frozenset({"image_url"} if alone else {"images_list"} if endpoint.images[1] else ())
    _only(body, _COMMON | endpoint.fields | pictures)
    images = (_text(body, "image_url"),) if alone else _addresses(body, _IMAGES, fewest=endpoint.images[0])
    if len(images) > endpoint.images[1]:
        raise Refused(400, f"images_list takes at most {endpoint.images[1]}")
    request = MuapiRequest(
        endpoint=endpoint,
        prompt=_prompt(body),
        resolution=_choice(body, "resolution", endpoint.resolutions, default=endpoint.resolutions[-1]),
        duration=_duration(body),
        aspect_ratio=_choice(body, "aspect_ratio", endpoint.ratios, default="16:9"),
        generate_audio=_flag(body, "generate_audio", default=True),
        images=images,
        videos=_addresses(body, _VIDEOS),
        audios=_addresses(body, _AUDIOS),
        callback_url=webhook if webhook is not None else _webhook(body),
    )
    _flag(body, "high_bitrate", default=False)
    _check(request)
    return request


def _check(request: MuapiRequest) -> None:
    if request.endpoint.kind == "references" and not (request.images or request.videos):
        raise Refused(400, "a reference image or a reference video is needed")
    for url in (*request.images, *request.videos, *request.audios, request.callback_url):
        if url is not None:
            try:
                check_address(url)
            except BadReference as bad:
                raise Refused(400, f"reference {bad}" if url != request.callback_url else f"webhook {bad}") from bad


def _field(message: str, kind: str, *place: str) -> Refused:
    """The framework's complaint about one field."""
    return Refused(422, [{"loc": ["body", *place], "msg": message, "type": kind}])


def _only(given: Mapping[str, object], known: frozenset[str]) -> None:
    for name in given:
        if name not in known:
            raise _field("Extra inputs are not permitted", "extra_forbidden", name)


def _text(given: Mapping[str, object], name: str) -> str:
    if name not in given:
        raise _field("Field required", "missing", name)
    value = given[name]
    if isinstance(value, str):
        return value
    raise _field("Input should be a valid string", "string_type", name)


def _prompt(given: Mapping[str, object]) -> str:
    prompt = _text(given, "prompt")
    if not 1 <= len(prompt.strip()) <= _LONGEST_PROMPT:
        raise Refused(400, f"prompt must have 1 to {_LONGEST_PROMPT} characters")
    return prompt


def _choice(given: Mapping[str, object], name: str, choices: tuple[str, ...], *, default: str) -> str:
    value = _text(given, name) if name in given else default
    if value not in choices:
        raise Refused(400, f"{name} must be one of {', '.join(choices)}")
    return value


def _duration(given: Mapping[str, object]) -> int:
    value = given.get("duration", 5)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _field("Input should be a valid integer", "int_type", "duration")
    if value not in _SECONDS:
        raise Refused(400, f"duration must be from {_SECONDS.start} to {_SECONDS.stop - 1}")
    return value


def _flag(given: Mapping[str, object], name: str, *, default: bool) -> bool:
    value = given.get(name, default)
    if isinstance(value, bool):
        return value
    raise _field("Input should be a valid boolean", "bool_type", name)


def _addresses(given: Mapping[str, object], names: tuple[str, ...], *, fewest: int = 0) -> tuple[str, ...]:
    """The list that stands under one of the names."""
    name = next((one for one in names if one in given), None)
    if name is None:
        if fewest:
            raise _field("Field required", "missing", names[0])
        return ()
    urls = given[name]
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise _field("Input should be a valid list", "list_type", name)
    if not fewest <= len(urls) <= _MOST[name]:
        raise Refused(400, f"{name} takes {fewest} to {_MOST[name]} addresses")
    return tuple(urls)


def _webhook(given: Mapping[str, object]) -> str | None:
    return _text(given, "webhook_url") if "webhook_url" in given else None
