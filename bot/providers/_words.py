"""Seedance's moderation speaks through every reseller in much the same words."""

import re
from dataclasses import replace

from bot.domain.failure import Failure, FailureKind

_MOST_READ = 4_000
"""Characters that are looked at from either end, since codes stand behind the message: an answer may be a megabyte of
anything."""


def kind_by_words(words: str) -> FailureKind | None:
    """The class of a refusal by its words and codes; None when they say nothing. What a file or a link is called does
    not count, and a file that cannot be used goes before moderation: "audio content could not be downloaded"."""
    said = plain(words)
    if _FILE.search(said) and _UNUSABLE.search(said) and _NOT.search(said):
        return FailureKind.BAD_REFERENCE
    moderated = _MODERATED.search(said)
    if (moderated and _SOUND.search(said)) or _SOUND_CONTENT.search(said):
        return FailureKind.AUDIO_MODERATION
    if _FACE.search(said):
        return FailureKind.FACE
    if moderated:
        return FailureKind.POLICY
    return FailureKind.BAD_REFERENCE if _GIVEN.search(said) else None


def kind_of_refusal(status: int, words: str) -> FailureKind | None:
    """The class of a 4xx by its status and its words; None when neither tells more than that it is one. Providers
    forbid prompts and models with 403 too, and the key is everybody's: it is refused where nothing else is."""
    if status == 402 or (status == 403 and is_about_money(words)):
        return FailureKind.OUT_OF_CREDIT
    kind = None if status == 401 else kind_by_words(words)
    if kind is not None or status not in {401, 403}:
        return kind
    about_a_model = status == 403 and _MODEL.search(plain(words))
    return FailureKind.INVALID if about_a_model else FailureKind.KEY_REFUSED


def of_the_account(failure: Failure) -> Failure:
    """The refusal of a request that asks for nothing, which cannot be about what was asked: unless it speaks of money,
    or was not the API's own, it is about the key, whatever its words."""
    others = {FailureKind.OUT_OF_CREDIT, FailureKind.PROVIDER}
    return failure if failure.kind in others else replace(failure, kind=FailureKind.KEY_REFUSED)


def is_about_money(words: str) -> bool:
    """Whether a refusal speaks of what is left on the account, and not of a file that is called so."""
    return bool(_MONEY.search(plain(words)))


def plain(words: str) -> str:
    """Lower-case words with single spaces between them: names of files and links become "file" and "link",
    ways of asking go, codes and fields (``OutputAudioSensitiveContentDetected``, ``image_url``) become the words that
    they are made of."""
    ends = words if len(words) <= 2 * _MOST_READ else f"{words[:_MOST_READ]} {words[-_MOST_READ:]}"
    text = _LINK.sub(" link ", _NAMED_FILE.sub(" file ", ends))
    spaced = " ".join(re.split(r"[\W_]+", _CAMEL.sub(" ", text).lower()))
    return _WAY.sub(" ", spaced)


_ENDINGS = "jpe?g|png|webp|bmp|tiff?|gif|heic|mp4|mov|webm|mp3|wav"
_NAMED_FILE = re.compile(rf"[^\s\"'`<>(\[]{{1,200}}\.(?:{_ENDINGS})\b(?:[?#]\S*)?", re.IGNORECASE)
"""A file's name, with the whole address before it and a query behind it."""
_LINK = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://\S+", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WAY = re.compile(r"\b(?:text|images?|videos?|audio|references?) to (?:image|video|audio)s?\b")
"""A way of asking, such as "image to video", is no file."""


def _any(*words: str) -> re.Pattern[str]:
    """Any of these, as words of their own: an upstream *interface* that fails has nothing to do with faces."""
    return re.compile(rf"\b(?:{'|'.join(words)})\b")


_FILE = _any(
    r"files?", r"images?", r"pictures?", r"videos?", r"audios?", r"sounds?", r"frames?", r"references?", r"urls?"
)
_UNUSABLE = _any(
    r"download\w*", r"fetch\w*", r"content type", r"formats?", r"decod\w*", r"corrupt\w*", r"(?:url .*valid)"
)
_NOT = _any(
    r"not", r"cannot", r"can t", r"couldn t", r"unable", r"fail\w*", r"invalid(?! request)", r"unsupported", r"bad"
)
_SOUND = _any(r"audios?", r"sounds?", r"soundtrack")
_MONEY = _any(r"quotas?", r"balance", r"credits?")
_MODEL = _any(r"models?")
_SOUND_CONTENT = _any(r"audio content(?! type)")
_FACE = _any(r"faces?", r"facial", r"deepfakes?", r"real (?:person|people)", r"likeness", r"privacy")
_MODERATED = _any(
    *(r"moderat\w*", r"(?<!case )sensitive", r"polic(?:y|ies)", r"risk[sy]?", r"violat\w*", r"audit(?:s|ed|ing)?"),
    *(r"safety", r"unsafe", r"nsfw", r"prohibited", r"inappropriate", r"copyright\w*"),
    *(r"rejected the prompt", r"prompt (?:was |is )?rejected"),
)
_GIVEN = _any(
    r"files?", r"images?", r"first frame", r"references?", r"(?:video|audio) urls?", r"download(?:ed)?", r"fetch"
)
