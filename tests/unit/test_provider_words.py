"""The class of a refusal by its words: what a file is called never decides it, and what is wrong with one goes before
what moderation has to say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.failure import FailureKind
from bot.providers._words import is_about_money, kind_by_words

AUDIO, BAD, FACE, POLICY = (
    FailureKind.AUDIO_MODERATION,
    FailureKind.BAD_REFERENCE,
    FailureKind.FACE,
    FailureKind.POLICY,
)
NAMES = ("face.png", "risk-map.png", "real person.jpg", "audio/policy.wav", "content/audio.mp3", "NSFW.MP4?sensitive=1")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "sentence",
    [
        "{} could not be downloaded",
        "image_url: {}: could not be downloaded (HTTP 404)",
        "Failed to download the reference: {}",
        "cannot fetch '{}'",
        "Unable to fetch [{}].",
        "the first frame ({}) is too small",
    ],
)
def test_what_a_file_is_called_does_not_decide(sentence: str, name: str) -> None:
    address = f"https://policy.example/faces/{name}".replace(" ", "%20")
    assert kind_by_words(sentence.format(address)) is BAD


@pytest.mark.parametrize("name", ["face.png", "risk-map.JPG", "policy.wav", "nsfw_audio.mp3"])
def test_nor_does_a_name_without_its_address(name: str) -> None:
    assert kind_by_words(f"{name} could not be downloaded") is BAD
    assert kind_by_words(f'"{name}" is too small') is BAD


@pytest.mark.parametrize(
    "link", ["https://policy.example", "https://help.example/face/risk", "HTTP://127.0.0.1:1/nsfw"]
)
def test_nor_does_any_other_link(link: str) -> None:
    assert kind_by_words(f"internal error, see {link} for help") is None


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("invalid content-type for audio_urls[0]", BAD),
        ("audio file content could not be downloaded", BAD),
        ("the parameter `content[1].audio_url` specified in the request is not valid", BAD),
        ("unsupported audio format", BAD),
        ("the sound could not be decoded", BAD),
        ("image blocked by CORS policy: could not be downloaded", BAD),
        ("InvalidImageURL.DownloadFailed", BAD),
        ("audio content issue", AUDIO),
        ("OutputAudioSensitiveContentDetected", AUDIO),
        ("InputAudioSensitiveContentDetected.PolicyViolation", AUDIO),
        ("nsfw audio detected", AUDIO),
        ("the soundtrack was blocked by our safety filter", AUDIO),
        ("InputImageSensitiveContentDetected.PrivacyInformation", FACE),
        ("deepfakes are not made", FACE),
        ("InputTextSensitiveContentDetected", POLICY),
        ("blocked by our safety filter", POLICY),
        ("NSFW content detected", POLICY),
        ("the prompt asks for prohibited things", POLICY),
        ("Inappropriate content", POLICY),
        ("content_policy_violation", POLICY),
        ("the downloaded image contains sensitive content", POLICY),
        ("the downloaded image contains sensitive content invalid_request_error", POLICY),
        ("the reference image may contain sensitive information", POLICY),
        ("the prompt was rejected", POLICY),
        ("brisk", None),
        ("asterisk is no camera move", None),
        ("the name is case sensitive", None),
        ("upstream interface error", None),
        ("image-to-video endpoint is temporarily unavailable", None),
        ("the reference_to_video model is busy", None),
        ("audio encoder crashed", None),
        ("prompt format is not known", None),
        ("", None),
    ],
)
def test_words_tell_their_class(words: str, kind: FailureKind | None) -> None:
    assert kind_by_words(words) is kind
    assert kind_by_words(words.replace(" ", "\n")) is kind


@pytest.mark.parametrize(
    ("words", "about"),
    [
        ("Insufficient balance", True),
        ("insufficient_user_quota", True),
        ("40 credits are missing", True),
        ("https://files.example/credit/balance.png?quota=1 could not be downloaded", False),
        ("credit-card.png is too large", False),
        ("this key may not use an accredited model", False),
    ],
)
def test_words_about_what_is_left(words: str, about: bool) -> None:
    assert is_about_money(words) is about


@given(words=st.text(max_size=300))
def test_no_words_whatsoever_make_it_stumble(words: str) -> None:
    assert kind_by_words(words) in {None, AUDIO, BAD, FACE, POLICY}


@pytest.mark.parametrize("unit", ["a.", "a://", "://a", "image ", ".png", "a" * 50 + " "])
def test_endless_words_are_read_in_no_time(unit: str) -> None:
    """An answer may be a megabyte of anything; read all at once it would hold up everybody."""
    endless = unit * (1_000_000 // len(unit))
    assert kind_by_words(f"nsfw {endless}") is POLICY
    assert kind_by_words(f"{endless} content_policy") is POLICY, "a code stands behind the message"
