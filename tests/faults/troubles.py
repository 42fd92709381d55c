"""What goes wrong at each provider, as data: the fault in the provider's own dialect, and what is to come of it.

The bodies are those of the providers' documents, and of what their clients are known to read beside them. In the
provider's words something is planted that must neither come to life nor fill a card.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum

from tests.faults.scripts import KEYED
from tests.sandbox.driver import Json

FILLER = "z" * 5_000
PLANT = f"<!channel> *x* {FILLER}"
"""Goes into the provider's words: a mention, formatting, and far too much."""


class Money(StrEnum):
    """What is to become of what was held for an order."""

    RELEASED = "released"
    SETTLED = "settled"
    HELD = "held"


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A fault for the order of one ask: where it strikes (see ``bot.sandbox.faults``) and how often; the word of the
    card's row in the end, what the row says, how many billed POSTs the provider sees and how many of its charges
    stand, and what becomes of the hold. ``planted``: the provider's words carry PLANT and stand on the card."""

    name: str
    point: str = "create"
    phase: str = "before"
    kind: str = "status"
    action: Json
    times: int = -1
    ends: str = "failed"
    says: tuple[str, ...] = ()
    posts: int = 1
    charges: int = 0
    money: Money = Money.RELEASED
    planted: bool = False


# --- what people are told: what happened, and what to do next ---------------------------------------------------------

SAYS: Mapping[str, tuple[str, ...]] = {
    "policy": ("refused this prompt under its content rules", "Reword it and ask again"),
    "audio": ("refused the sound of this clip", "`--no-audio`"),
    "face": ("refuses to show this person's face", "somebody who is no real person"),
    "reference": ("could not use a file that the ask refers to", "without it, or with another"),
    "invalid": ("could not read the order", "a fault of Dailies, not of your prompt"),
    "timeout": ("gave up because rendering took too long", "for fewer seconds"),
    "provider": ("tried to render this clip and could not", "Ask again"),
}

_PHRASES = {
    "policy": "content policy violation",
    "audio": "the generated audio may contain sensitive content",
    "face": "the reference image may contain a real person's face",
    "reference": "the reference image could not be downloaded",
    "invalid": "resolution must be one of 480p, 720p",
    "timeout": "the generation timed out",
    "provider": "internal worker error",
}


_CODED = frozenset({"timeout"})
"""Causes that have a code of their own where a provider has codes for tasks."""


# --- orders that are refused ------------------------------------------------------------------------------------------


def _hiapi(status: int, message: str, error_code: str | None = None) -> Json:
    body = {"code": status, "message": message, "data": None}
    return body if error_code is None else {**body, "error_code": error_code}


def _openai(status: int | str, message: str, kind: str = "invalid_request_error", **more: str) -> Json:
    return {"error": {"code": status, "message": message, "type": kind, **more}}


BODIES: Mapping[str, Callable[[int, str], Json]] = {
    "hiapi": lambda status, message: _hiapi(status, message, "INVALID_REQUEST"),
    "apimart": _openai,
    "muapi": lambda _, message: {"detail": message},
    "seedanceapi": lambda status, message: {"code": status, "message": message},
    "empiriolabs": lambda _, message: _openai("invalid_parameter", message),
}
"""How each writes a refusal with this status and these words."""


def _refused(name: str, says: str, status: int, body: Json) -> Trouble:
    action: Json = {"status": status, "body": body}
    return Trouble(name=name, action=action, says=(*SAYS[says], "Nothing was charged."), planted=True)


def _worded(cause: str) -> str:
    return f"{_PHRASES[cause]} {PLANT}"


def _muapi_fields(field: str, kind: str) -> Json:
    """FastAPI's complaint about a field, Muapi's second meaning of 422."""
    return {"detail": [{"loc": ["body", field], "msg": f"not as expected {PLANT}", "type": kind}]}


PECULIAR: Mapping[str, tuple[Trouble, ...]] = {
    "hiapi": (
        _refused("rejected at once", "policy", 400, _hiapi(400, _worded("policy"), "TASK_FAILED")),
        _refused("code in a 200", "invalid", 200, _hiapi(400, _worded("invalid"), "INVALID_REQUEST")),
        _refused("model away", "provider", 400, _hiapi(400, f"no capacity {PLANT}", "MODEL_UNAVAILABLE")),
        Trouble(
            name="409 in hand",
            action={"status": 409, "headers": {"Retry-After": "1"}},
            times=1,
            ends="delivered",
            posts=2,
            charges=1,
            money=Money.SETTLED,
        ),
        Trouble(
            name="422 other bytes",
            action={"status": 422},
            ends="uncertain",
            says=("may have been taken and charged, or not", "never sent a second time"),
            money=Money.HELD,
        ),
    ),
    "apimart": (
        _refused("success false", "policy", 400, {"success": False, "message": _worded("policy")}),
        _refused("flat code", "invalid", 200, {"code": 400, "message": _worded("invalid")}),
        _refused("error in a 200", "reference", 200, _openai(400, _worded("reference"), param="image_url")),
        Trouble(
            name="409 in hand",
            action={
                "status": 409,
                "body": _openai(409, "a request with this idempotency key is in progress", "idempotency_error"),
                "headers": {"Retry-After": "1"},
            },
            times=1,
            ends="delivered",
            posts=2,
            charges=1,
            money=Money.SETTLED,
        ),
        Trouble(
            name="409 other bytes",
            action={"status": 409},
            ends="uncertain",
            says=("may have been taken and charged, or not", "never sent a second time"),
            money=Money.HELD,
        ),
        Trouble(
            name="failed and billed",
            point="outcome",
            phase="do",
            kind="fail",
            action={"message": _worded("policy"), "refund": False, "bills": 3},
            says=(SAYS["policy"][0], "$0.972 was charged."),
            charges=1,
            money=Money.SETTLED,
            planted=True,
        ),
    ),
    "muapi": (
        _refused("422 of the guide", "policy", 422, {"detail": f"Prompt policy violation {PLANT}"}),
        _refused("422 of a field", "invalid", 422, _muapi_fields("prompt", "value_error")),
        _refused("422 of a file", "reference", 422, _muapi_fields("images_list", "value_error")),
        _refused("422 of our naming", "invalid", 422, _muapi_fields("images_list", "missing")),
        _refused("error for detail", "audio", 400, {"error": _worded("audio")}),
    ),
    "seedanceapi": (
        _refused("policy in a 200", "policy", 200, {"code": 400, "message": _worded("policy")}),
        _refused("invalid in a 200", "invalid", 200, {"code": 422, "message": _worded("invalid")}),
        _refused("face in a 200", "face", 200, {"code": 403, "message": _worded("face")}),
        Trouble(
            name="429 in a 200",
            action={
                "status": 200,
                "body": {"code": 429, "message": "Too many requests"},
                "headers": {"Retry-After": "1"},
            },
            times=1,
            ends="delivered",
            posts=2,
            charges=1,
            money=Money.SETTLED,
        ),
        Trouble(
            name="500 in a 200",
            action={"status": 200, "body": {"code": 500, "message": "Internal server error"}},
            ends="uncertain",
            says=("may have been taken and charged, or not", "never sent a second time"),
            money=Money.HELD,
        ),
    ),
    "empiriolabs": (
        _refused("code of its own", "policy", 400, _openai("content_policy", f"not possible {PLANT}")),
        _refused("field of a file", "reference", 400, _openai("invalid_parameter", f"no {PLANT}", param="image")),
        _refused("framework", "invalid", 404, {"detail": f"Not Found {PLANT}"}),
        _refused(
            "framework's fields",
            "invalid",
            422,
            {"detail": [{"loc": ["body", "mode"], "msg": f"not one of them {PLANT}", "type": "enum"}]},
        ),
    ),
}
"""What only that provider does."""


def refusals(provider: str) -> tuple[Trouble, ...]:
    """Every class of refusal of an order, as the provider words it."""
    body = BODIES[provider]
    named = tuple(
        _refused(f"{cause} at the order", cause, 400, body(400, _worded(cause)))
        for cause in ("policy", "audio", "face", "reference", "invalid")
    )
    if provider == "muapi":  # whose 422 has two meanings of its own, among what is peculiar
        return named
    return (*named, _refused("422", "invalid", 422, body(422, _worded("invalid"))))


def key_refused(provider: str) -> Json:
    """The action of a fault that refuses the key; at seedanceapi.org with HTTP 200, where it may stand too."""
    if provider == "seedanceapi":
        return {"status": 200, "body": BODIES[provider](401, "Invalid API key")}
    return {"status": 401}


# --- orders that have to wait -----------------------------------------------------------------------------------------

_FORMS: Mapping[str, str | Callable[[], str] | None] = {
    "whole seconds": "1",
    "fraction": "0.4",
    "HTTP date": lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True),
    "missing": None,
    "negative": "-5",
    "absurd": "1e9",
    "no number": "soon",
}


def throttles(*forms: str) -> tuple[Trouble, ...]:
    """429 with these forms of ``Retry-After``, or with every one: no error for anybody, and one charge."""
    made = []
    for form in forms or _FORMS:
        value = _FORMS[form]
        made.append(
            Trouble(
                name=f"429, {form}",
                kind="ratelimit",
                action={"retry_after": value() if callable(value) else value},
                times=1,
                ends="delivered",
                posts=2,
                charges=1,
                money=Money.SETTLED,
            )
        )
    return tuple(made)


# --- tasks that fail, babble and hide ---------------------------------------------------------------------------------


def failures(*causes: str) -> tuple[Trouble, ...]:
    """Tasks that fail for these causes, or for every one; the provider gives the money back."""
    return tuple(
        Trouble(
            name=f"{cause} at the task",
            point="outcome",
            phase="do",
            kind="fail",
            action={"message": _worded(cause), **({"reason": cause} if cause in _CODED else {})},
            says=(*SAYS[cause], "Nothing was charged."),
            planted=True,
        )
        for cause in causes or ("policy", "audio", "face", "reference", "timeout", "provider")
    )


def _arrives(name: str, kind: str, action: Json) -> Trouble:
    return Trouble(
        name=name,
        point="outcome",
        phase="do",
        kind=kind,
        action=action,
        ends="delivered",
        charges=1,
        money=Money.SETTLED,
    )


ODD_WORD = "reviewing"
UNKNOWN_WORD = _arrives("unknown word", "unknown_status", {"word": ODD_WORD, "reads": 4})
HIDDEN_AT_FIRST = _arrives("404 at first", "late_visible", {"seconds": 3})
NO_LINK_AT_FIRST = tuple(
    _arrives(f"no link at first, {how}", "success_without_url", {"output": how, "reads": 1})
    for how in ("missing", "null", "empty")
)
ODD_TASKS = (UNKNOWN_WORD, HIDDEN_AT_FIRST, *NO_LINK_AT_FIRST)
"""Odd, and still clips in the end."""

LOST = Trouble(
    name="404 for ever",
    point="outcome",
    phase="do",
    kind="lost",
    action={},
    says=("took the order and does not know it any more", "was charged.", "can claim the money back"),
    charges=1,
    money=Money.SETTLED,
)
NO_LINK_EVER = Trouble(
    name="no link for ever",
    point="outcome",
    phase="do",
    kind="success_without_url",
    action={},
    ends="late",
    says=("takes longer than it should; sorry", "The money stays held"),
    charges=1,
    money=Money.HELD,
)
UNKNOWN_WORD_EVER = replace(
    NO_LINK_EVER, name="unknown word for ever", kind="unknown_status", action={"word": ODD_WORD}
)
"""Of a task that stays at work: the word lasts as long as the work does."""


# --- answers that do not come, or not as answers ----------------------------------------------------------------------


def _look(name: str, phase: str, kind: str, action: Json, times: int = 1) -> Trouble:
    arriving = _arrives(f"{name} for a task", kind, action)
    return replace(arriving, point="get", phase=phase, times=times)


HANGING_LOOK = _look("hang", "before", "hang", {})
DRIPPING_LOOK = _look("drip", "amid", "drip", {"bytes_per_second": 1})
PAGES_FOR_LOOKS = (
    _look("200 page", "before", "html", {}),
    _look("502 page", "before", "html", {"status": 502}, times=2),
)
LOOKS = (HANGING_LOOK, DRIPPING_LOOK, *PAGES_FOR_LOOKS)


def lost_answers(provider: str) -> tuple[Trouble, ...]:
    """Orders that are charged, and whose answers hang, drip, and are web pages: repeated under their key where there
    is one, and else left to people."""
    known = provider in KEYED
    says = () if known else ("may have been taken and charged, or not", "never sent a second time")
    return tuple(
        Trouble(
            name=f"{name} for an order",
            phase="amid",
            kind=kind,
            action=action,
            times=1,
            ends="delivered" if known else "uncertain",
            says=says,
            posts=2 if known else 1,
            charges=1,
            money=Money.SETTLED if known else Money.HELD,
        )
        for name, kind, action in (
            ("hang", "hang", {}),
            ("drip", "drip", {"bytes_per_second": 1}),
            ("page", "html", {}),
        )
    )
