"""EmpirioLabs: where a ``poll_url`` and the account's usage may lead, which is to no host that was not chosen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ports import OrderAccepted
from bot.providers._empiriolabs_paths import Paths, poll_path, usage_address
from bot.providers.empiriolabs import decode_order
from tests.support.adapters import EMPIRIOLABS
from tests.support.answers import said
from tests.support.clock import START

JOB, ordered = EMPIRIOLABS.task_id, EMPIRIOLABS.ordered
ROOT = "https://api.empiriolabs.ai"


@pytest.mark.parametrize(
    ("poll_url", "path"),
    [
        (f"/v1/jobs/{JOB}", f"/v1/jobs/{JOB}"),
        (f"{ROOT}/v1/jobs/{JOB}", f"/v1/jobs/{JOB}"),
        (f"HTTPS://API.EmpirioLabs.ai:443/v1/jobs/{JOB}", f"/v1/jobs/{JOB}"),
        (f"//api.empiriolabs.ai/v1/jobs/{JOB}", f"/v1/jobs/{JOB}"),
        ("/v2/tasks/7?full=1#end", "/v2/tasks/7?full=1"),
        ("/v1/jobs/a%2Fb", "/v1/jobs/a%2Fb"),
        ("", ""),
        ("v1/jobs/7", ""),
        ("?job=7", ""),
        ("https://evil.example/v1/jobs/7", ""),
        ("//evil.example/v1/jobs/7", ""),
        ("http://api.empiriolabs.ai/v1/jobs/7", ""),
        ("https://api.empiriolabs.ai:8443/v1/jobs/7", ""),
        ("https://api.empiriolabs.ai.evil.example/v1/jobs/7", ""),
        ("https://api.empiriolabs.ai@evil.example/v1/jobs/7", ""),
        ("https://user:word@api.empiriolabs.ai/v1/jobs/7", ""),
        ("https://api.empiriolabs.ai\\@evil.example/v1/jobs/7", ""),
        ("https://[::1/v1/jobs/7", ""),
        ("https://api.empiriolabs.ai:port/v1/jobs/7", ""),
        ("javascript:alert(1)", ""),
        ("file:///v1/jobs/7", ""),
        ("/v1/../admin", ""),
        ("/v1/%2e%2e/admin", ""),
        ("/v1/jobs/7 8", ""),
        ("/v1/jobs/ü", ""),
        ("/v1/jobs\\7", ""),
        ("/v1/jobs/" + "7" * 500, ""),
    ],
)
def test_a_poll_url_leads_nowhere_but_to_the_same_host(poll_url: str, path: str) -> None:
    assert poll_path(poll_url, ROOT) == path


@pytest.mark.parametrize(
    ("root", "poll_url"),
    [
        ("http://127.0.0.1:4001/empiriolabs", "/v1/jobs/7"),
        ("http://127.0.0.1:4001/empiriolabs", "/empiriolabs/v1/jobs/7"),
        ("http://127.0.0.1:4001/empiriolabs", "http://127.0.0.1:4001/empiriolabs/v1/jobs/7"),
        ("http://127.0.0.1:80", "http://127.0.0.1/v1/jobs/7"),
    ],
)
def test_a_base_address_with_a_path_is_no_obstacle(root: str, poll_url: str) -> None:
    assert poll_path(poll_url, root) == "/v1/jobs/7"
    body = said(200, {"poll_url": poll_url})
    assert decode_order(body, START, root=root) == OrderAccepted(task_id="7")


@given(st.text(max_size=40) | st.text(alphabet="/:@[]%?#.\\ev1", max_size=20))
def test_no_poll_url_makes_the_decoder_stumble_or_leave_the_host(poll_url: str) -> None:
    path = poll_path(poll_url, ROOT)
    assert path == "" or (path.startswith("/") and path.isascii() and not {" ", "\\"} & set(path))
    assert ordered(200, {"poll_url": poll_url, "job_id": JOB}) == OrderAccepted(task_id=path or JOB)


DOCUMENTED_USAGE = "https://platform.empiriolabs.ai/api/v1/account/usage"


@pytest.mark.parametrize(
    ("root", "usage", "where"),
    [
        (ROOT, DOCUMENTED_USAGE, DOCUMENTED_USAGE),
        (ROOT.upper(), DOCUMENTED_USAGE, DOCUMENTED_USAGE),
        ("http://127.0.0.1:9/sandbox", DOCUMENTED_USAGE, "http://127.0.0.1:9/sandbox/api/v1/account/usage"),
        ("https://proxy.example", DOCUMENTED_USAGE, "https://proxy.example/api/v1/account/usage"),
        ("https://proxy.example", "https://mine.example/left", "https://mine.example/left"),
        (ROOT, "/v1/account/usage", f"{ROOT}/v1/account/usage"),
    ],
)
def test_usage_is_asked_for_where_it_is_documented_and_the_key_goes_to_no_host_that_was_not_chosen(
    root: str, usage: str, where: str
) -> None:
    assert Paths().usage == DOCUMENTED_USAGE
    assert usage_address(root, usage, public=ROOT) == where
