"""Errors as OpenAI-like APIs write them: ``{"error": {"code", "message", "type"}}``, and the ways around that."""

from collections.abc import Mapping

from bot.domain.failure import Failure, FailureKind
from bot.providers._http import as_mapping, as_text, failure_text
from bot.providers._words import kind_by_words

_STATUS_OF = {
    "authentication_error": 401,
    "insufficient_balance": 402,
    "insufficient_credits": 402,
    "insufficient_quota": 402,
    "insufficient_user_quota": 402,
    "invalid_api_key": 401,
    "invalid_request_error": 400,
    "payment_required": 402,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
}


def effective_status(http_status: int, envelope: Mapping[str, object]) -> int:
    """HTTP's status, or the error's own where HTTP says that all is well and it does not: ``error.code``, ``code``, or
    what the ``type`` means."""
    if not 200 <= http_status < 300:
        return http_status
    error = as_mapping(envelope.get("error"))
    for said in (error.get("code"), envelope.get("code"), error.get("type"), envelope.get("type")):
        word = as_text(said).lower()
        status = int(word) if len(word) == 3 and word.isdecimal() else _STATUS_OF.get(word, 0)
        if 400 <= status < 600:
            return status
    return http_status


def error_words(place: Mapping[str, object]) -> tuple[str, str]:
    """Message and code of ``{"error": {…}}``, ``{"error": "…"}``, ``{"success": false, "message": …}`` and
    ``{"code": …, "message": …}``. A code that is a number gives way to the type, which says more."""
    error = place.get("error")
    source = as_mapping(error) or place
    message = as_text(source.get("message")) or as_text(place.get("message")) or as_text(error)
    codes = [word for word in (as_text(source.get("code")), as_text(source.get("type"))) if word]
    return message, next((word for word in codes if not word.isdecimal()), codes[0] if codes else "")


def refusal(status: int, envelope: Mapping[str, object]) -> Failure:
    """The class of a 4xx by its status, its words and the field that it is about."""
    message, code = error_words(envelope)
    param = as_text(as_mapping(envelope.get("error")).get("param"))
    detail, lowered = failure_text(message, code), f"{message} {code} {param}".lower()
    if status == 402 or (status == 403 and any(word in lowered for word in ("quota", "balance", "credit"))):
        return Failure(kind=FailureKind.OUT_OF_CREDIT, detail=detail)
    kind = kind_by_words(lowered)
    if status == 401 or (status == 403 and kind is None):
        return Failure(kind=FailureKind.KEY_REFUSED, detail=detail)
    return Failure(kind=kind or FailureKind.INVALID, detail=detail)
