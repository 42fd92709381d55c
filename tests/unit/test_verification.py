"""A request counts as Slack's only with exactly one good signature of now."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier

from handlers.verification import ClockApart, NotVerified, signature, verify

SECRET = b"a secret of thirty-two characters"
NOW = 1_800_000_000.0
BODY = b'{"type":"event_callback"}'

Headers = list[tuple[bytes, bytes]]


def headers(timestamp: bytes, signed: bytes) -> Headers:
    return [
        (b"content-type", b"application/json"),
        (b"x-slack-request-timestamp", timestamp),
        (b"x-slack-signature", signed),
    ]


def by_slack(*, at: float = NOW, body: bytes = BODY, secret: bytes = SECRET) -> Headers:
    timestamp = str(int(at)).encode()
    return headers(timestamp, signature(secret, timestamp, body))


def refused(given_headers: Headers, body: bytes = BODY, secret: bytes = SECRET) -> NotVerified:
    with pytest.raises(NotVerified) as caught:
        verify(secret, given_headers, body, NOW)
    return caught.value


def test_what_slack_signed_now_is_taken() -> None:
    verify(SECRET, by_slack(), BODY, NOW)
    assert refused(by_slack()[:2]).why == "no signature"


def test_the_example_in_slacks_documentation_is_reproduced() -> None:
    """docs.slack.dev/authentication/verifying-requests-from-slack"""
    secret = b"8f742231b10e8888abcd99yyyzzz85a5"
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    assert signature(secret, b"1531420618", body) == (
        b"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    )


@given(body=st.text(), secret=st.text(min_size=1).filter(str.strip))
def test_slacks_own_library_signs_the_same(body: str, secret: str) -> None:
    theirs = SignatureVerifier(secret).generate_signature(timestamp="1800000000", body=body)
    assert theirs is not None
    assert signature(secret.encode(), b"1800000000", body.encode()) == theirs.encode()


@pytest.mark.parametrize("minutes", [-5, -4, 4, 5])
def test_clocks_that_are_five_minutes_apart_are_near_enough(minutes: int) -> None:
    verify(SECRET, by_slack(at=NOW + 60 * minutes), BODY, NOW)


@pytest.mark.parametrize("seconds", [-3600, -360, -301, 301, 360, 3600])
def test_a_signed_request_from_another_time_is_refused_as_a_matter_of_clocks(seconds: int) -> None:
    doubt = refused(by_slack(at=NOW + seconds))
    assert isinstance(doubt, ClockApart)
    assert (doubt.why, doubt.seconds) == ("clock", -seconds)


def test_a_forged_request_from_another_time_says_nothing_of_clocks() -> None:
    assert refused(by_slack(at=NOW - 3600, secret=b"guessed")).why == "signature"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (lambda timestamp, signed: [], "no request-timestamp"),
        (lambda timestamp, signed: [timestamp], "no signature"),
        (lambda timestamp, signed: [signed], "no request-timestamp"),
        (lambda timestamp, signed: [timestamp, signed, signed], "more than one signature"),
        (lambda timestamp, signed: [timestamp, timestamp, signed], "more than one request-timestamp"),
    ],
)
def test_each_header_is_there_exactly_once(changed: object, why: str) -> None:
    _, timestamp, signed = by_slack()
    assert callable(changed)
    assert refused(changed(timestamp, signed)).why == why


@pytest.mark.parametrize(
    "timestamp",
    [b"", b" ", b"now", b"1e9", b"-1", b"+1", b"1.5", b"0x10", b"1_0", "١٢٣".encode(), b"\xff\xfe", b"9" * 5000],
)
def test_a_timestamp_is_a_short_row_of_plain_digits(timestamp: bytes) -> None:
    """``int`` takes underscores, signs and Arabic digits, and raises for thousands of digits."""
    assert refused(headers(timestamp, signature(SECRET, timestamp, BODY))).why == "unreadable request-timestamp"


@pytest.mark.parametrize(
    "signed",
    [b"", b"v0=", b"v0=" + b"0" * 63, b"v0=" + b"0" * 65, b"v1=" + b"0" * 64, b"v0=" + b"G" * 64, "v0=é".encode()],
)
def test_a_signature_has_slacks_shape(signed: bytes) -> None:
    assert refused(headers(b"1800000000", signed)).why == "unreadable signature"


def test_one_changed_byte_of_the_body_is_enough() -> None:
    assert refused(by_slack(), body=BODY + b" ").why == "signature"


def test_an_empty_secret_opens_nothing() -> None:
    assert refused(by_slack(secret=b""), secret=b"").why == "signature"


def test_the_reason_repeats_nothing_of_the_request() -> None:
    doubt = refused(headers(b"<script>", b"v0=" + b"0" * 64))
    assert str(doubt) == "The request is not verified: unreadable request-timestamp."


@given(
    given_headers=st.lists(
        st.tuples(
            st.sampled_from([b"x-slack-request-timestamp", b"x-slack-signature", b"host"]), st.binary(max_size=80)
        ),
        max_size=5,
    ),
    body=st.binary(max_size=200),
)
def test_whatever_comes_it_is_a_refusal_and_not_an_accident(given_headers: Headers, body: bytes) -> None:
    with pytest.raises(NotVerified):
        verify(SECRET, given_headers, body, NOW)
