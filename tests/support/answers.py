"""Answers for decoders: what no decoder may stumble over, and broken servers for what speaks to them."""

import json
from collections.abc import Mapping

from hypothesis import strategies as st

from bot.providers._http import Answer
from tests.support import loopback
from tests.support.loopback import answering, endless, reset, sending, silent

UNREADABLE = [b"", b"<!doctype html><h1>502</h1>", b'{"code":', b"[]", b"null", b'"ok"', b"7", b"\xff", b"[" * 100_000]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)

BROKEN: Mapping[str, loopback.Answer] = {
    "reset": reset,
    "closed": sending(b"", close=True),
    "half a body": sending(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{", close=True),
    "hang": silent,
    "endless": endless(b"HTTP/1.1 200 OK\r\n\r\n"),
    "no HTTP": sending(b"hello\r\n\r\n", close=True),
    "brackets": answering(200, b"[" * 500_000),
    "redirect": answering(307, b"", location="http://127.0.0.1:9/"),
}
"""Servers after whose answer to a billed POST nobody knows anything."""


def objects_with(*names: str) -> st.SearchStrategy[bytes]:
    """Bodies: any bytes, any JSON, and objects with anything under these names."""
    return st.one_of(
        st.binary(max_size=50),
        JSON.map(lambda value: json.dumps(value).encode()),
        st.fixed_dictionaries({}, optional=dict.fromkeys(names, JSON)).map(lambda value: json.dumps(value).encode()),
    )


def said(status: int, body: bytes | object = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """An answer; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, headers=headers or {}, body=content)
