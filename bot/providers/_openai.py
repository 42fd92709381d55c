"""Errors as OpenAI-like APIs write them: ``{"error": {"code", "message", "type"}}``, and the ways around that."""

from collections.abc import Mapping

from bot.domain.failure import Failure, FailureKind
from bot.providers._http import as_mapping, as_text, failure_text
from bot.providers._words import is_about_money, kind_by_words, kind_of_refusal, plain

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
    """HTTP's status, or the error's own where HTTP says that all is well and it does not: ``error.code``, ``code``,
    what the ``type`` means, or what the words do beside ``"success": false``."""
    if not 200 <= http_status < 300:
        return http_status
    error = as_mapping(envelope.get("error"))
    for said in (error.get("code"), envelope.get("code"), error.get("type"), envelope.get("type")):
        word = as_text(said).lower()
        status = int(word) if len(word) == 3 and word.isdecimal() else _STATUS_OF.get(word, 0)
        if 400 <= status < 600:
            return status
    return _status_by_words(envelope) if envelope.get("success") is False else http_status


def _status_by_words(envelope: Mapping[str, object]) -> int:
    """The status that an error without one would have: a refusal, unless its words speak of something else."""
    words = " ".join(error_words(envelope))
    if is_about_money(words):
        return 402
    said = plain(words)
    return next((status for status, spoken in _WORDS_OF.items() if any(one in said for one in spoken)), 400)


_WORDS_OF = {
    429: ("too many", "rate limit"),
    500: ("internal", "server error", "timeout", "timed out", "unavailable", "overloaded", "try again"),
    401: ("api key", "unauthorized", "authentication"),
}
"""The first that fits counts. What may have been taken all the same counts as the server's own trouble."""


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
    detail, words = failure_text(message, code), f"{message} {code} {param}"
    return Failure(kind=kind_of_refusal(status, words) or FailureKind.INVALID, detail=detail)


def classify(code: str, message: str) -> Failure:
    """The class of a task that failed, by its code and the words of its message."""
    words = f"{message} {code}"
    late = FailureKind.TIMEOUT if any(word in words.lower() for word in ("timed out", "timeout")) else None
    kind = kind_by_words(words) or late or FailureKind.PROVIDER
    return Failure(kind=kind, detail=failure_text(message, code))
