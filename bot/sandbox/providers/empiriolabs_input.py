"""What EmpirioLabs takes in ``POST /v1/videos/generations``, and nothing else (its pages on Seedance 2.0 Mini and Fast;
the standard model, of which there is no page, is taken to be like Fast with 1080p beside)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from bot.sandbox.providers.references import BadReference, check_address

MINI = "seedance-2-0-mini"
FAST = "seedance-2-0-fast"
STANDARD = "seedance-2-0"

MODES = ("auto", "t2v", "i2v_first", "i2v_both", "reference", "edit", "extend")
RATIOS = ("adaptive", "16:9", "9:16", "1:1", "4:3", "3:4", "21:9")
FILES = {"image": "image", "image_end": "image", "video": "video"}
"""Fields of addresses, and what lies there."""
SHORTEST, LONGEST = 4, 15
_USUAL_SECONDS = 5
_OWN_CHOICE_SECONDS = 5
"""What the model is taken to decide upon."""
_FIELDS = frozenset(
    {
        "model",
        "prompt",
        "mode",
        "resolution",
        "aspect_ratio",
        "custom_duration",
        "duration",
        "generate_audio",
        "negative_prompt",
        *FILES,
    }
)


class InvalidRequest(Exception):
    """A body that is refused: `field` is what is wrong with `reason`, and `kind` is the framework's word for it."""

    def __init__(self, field: str, reason: str, *, kind: str = "value_error") -> None:
        self.field = field
        self.reason = reason
        self.kind = kind
        super().__init__(f"{field}: {reason}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """What one model takes beside the common: resolutions, and the modes in which it takes each file."""

    resolutions: tuple[str, ...]
    end_frame: frozenset[str] = frozenset({"i2v_both"})
    video: frozenset[str] = frozenset({"edit", "extend"})


MODELS: Mapping[str, Model] = {
    MINI: Model(
        resolutions=("480p", "720p"),
        end_frame=frozenset({"i2v_both", "extend"}),
        video=frozenset({"edit", "extend", "reference"}),
    ),
    FAST: Model(resolutions=("480p", "720p")),
    STANDARD: Model(resolutions=("480p", "720p", "1080p")),
}
_IMAGE_MODES = frozenset({"i2v_first", "i2v_both", "reference"})
_NEEDS: Mapping[str, tuple[frozenset[str], ...]] = {
    "t2v": (),
    "i2v_first": (frozenset({"image"}),),
    "i2v_both": (frozenset({"image"}), frozenset({"image_end"})),
    "reference": (frozenset({"image", "video"}),),
    "edit": (frozenset({"video"}),),
    "extend": (frozenset({"video"}),),
}
"""Of each of these sets a mode needs one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EmpirioRequest:
    """A valid body with its defaults filled in; addresses are checked for form, not yet fetched."""

    model: str
    prompt: str
    mode: str
    resolution: str
    aspect_ratio: str
    seconds: int
    generate_audio: bool
    files: Mapping[str, str]

    @property
    def kind(self) -> str:
        """The mode of the request, for the ledger."""
        kinds = {"t2v": "text", "i2v_first": "frames", "i2v_both": "frames", "reference": "references"}
        return kinds.get(self.mode, self.mode)


def parse(body: object) -> EmpirioRequest:
    """Read a request body. Raises `InvalidRequest`."""
    if not isinstance(body, Mapping):
        raise InvalidRequest("body", "must be a JSON object", kind="dict_type")
    for name in body:
        if name not in _FIELDS:
            raise InvalidRequest(str(name), "is not a parameter of this model", kind="extra_forbidden")
    name = _text(body, "model")
    model = MODELS.get(name)
    if model is None:
        raise InvalidRequest("model", f"{name} does not exist", kind="model_not_found")
    if "negative_prompt" in body and not isinstance(body["negative_prompt"], str):
        raise InvalidRequest("negative_prompt", "must be a string", kind="string_type")
    files = {field: _address(body, field) for field in FILES if field in body}
    return EmpirioRequest(
        model=name,
        prompt=_text(body, "prompt"),
        mode=_mode(body, files, model),
        resolution=_choice(body, "resolution", model.resolutions, default="720p"),
        aspect_ratio=_choice(body, "aspect_ratio", RATIOS, default="adaptive"),
        seconds=_seconds(body),
        generate_audio=_flag(body, "generate_audio"),
        files=files,
    )


def _mode(body: Mapping[str, object], files: Mapping[str, str], model: Model) -> str:
    """The mode, detected from the files where it is ``auto``; they must be those that it takes."""
    mode = _choice(body, "mode", MODES, default="auto")
    if mode == "auto":
        detected = {"video": "edit", "image_end": "i2v_both", "image": "i2v_first"}
        mode = next((found for field, found in detected.items() if field in files), "t2v")
    for needed in _NEEDS[mode]:
        if not needed & set(files):
            raise InvalidRequest(" or ".join(sorted(needed)), f"is required in mode {mode}", kind="missing")
    taken = {"image": _IMAGE_MODES, "image_end": model.end_frame, "video": model.video}
    for field in files:
        if mode not in taken[field]:
            raise InvalidRequest(field, f"is not taken in mode {mode}", kind="extra_forbidden")
    return mode


def _seconds(body: Mapping[str, object]) -> int:
    """The seconds that are billed."""
    custom, value = _flag(body, "custom_duration"), body.get("duration", _USUAL_SECONDS)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InvalidRequest("duration", "must be a number", kind="float_type")
    if not custom:
        return _OWN_CHOICE_SECONDS
    if not SHORTEST <= value <= LONGEST:
        raise InvalidRequest("duration", f"must be {SHORTEST}-{LONGEST}")
    return ceil(value)


def _text(body: Mapping[str, object], name: str) -> str:
    if name not in body:
        raise InvalidRequest(name, "is required", kind="missing")
    value = body[name]
    if not isinstance(value, str):
        raise InvalidRequest(name, "must be a string", kind="string_type")
    if not value.strip():
        raise InvalidRequest(name, "must not be empty", kind="string_too_short")
    return value


def _choice(body: Mapping[str, object], name: str, choices: tuple[str, ...], *, default: str) -> str:
    value = body.get(name, default)
    if isinstance(value, str) and value in choices:
        return value
    raise InvalidRequest(name, f"must be one of {', '.join(choices)}", kind="enum")


def _flag(body: Mapping[str, object], name: str) -> bool:
    value = body.get(name, True)
    if isinstance(value, bool):
        return value
    raise InvalidRequest(name, "must be true or false", kind="bool_type")


def _address(body: Mapping[str, object], name: str) -> str:
    url = _text(body, name)
    try:
        check_address(url)
    except BadReference as error:
        raise InvalidRequest(name, error.reason, kind="url_parsing") from error
    return url
