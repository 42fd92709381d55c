"""The methods about the app itself, its team and people, and the two that only test."""

from __future__ import annotations

from ..block_kit import inspect_blocks, inspect_view, parsed
from ..calls import Call
from ..json_rules import Report
from ..wire import Json, SlackError
from .method import Backend, Method, page


async def _api_test(_backend: Backend, call: Call) -> Json:
    if call.text("error"):
        raise SlackError(call.text("error"), args=call.arguments)
    return {"args": call.arguments}


async def _auth_test(backend: Backend, _call: Call) -> Json:
    team, app = backend.workspace.team, backend.workspace.app
    return {
        "url": f"{backend.origin()}/",
        "team": team.name,
        "user": app.name,
        "team_id": team.id,
        "user_id": app.user_id,
        "bot_id": app.bot_id,
        "is_enterprise_install": False,
    }


async def _connect(backend: Backend, _call: Call) -> Json:
    origin = backend.origin().replace("http://", "ws://", 1)
    return {"url": f"{origin}/link/?ticket={backend.sockets.ticket()}&app_id={backend.workspace.app.id}"}


async def _user_info(backend: Backend, call: Call) -> Json:
    person = backend.workspace.people.get(call.text("user"))
    if person is None:
        raise SlackError("user_not_found")
    return {"user": backend.shapes.person(person)}


async def _user_list(backend: Backend, call: Call) -> Json:
    """Everybody there ever was, deactivated people and strangers of shared channels too."""
    people = list(backend.workspace.people.values())
    shown, following = page(people, call, default=len(people), most=1000)
    return {"members": [backend.shapes.person(person) for person in shown], "cache_ts": 1700000000} | following


async def _team_info(backend: Backend, _call: Call) -> Json:
    team = backend.workspace.team
    return {"team": {"id": team.id, "name": team.name, "domain": team.domain, "email_domain": "", "icon": {}}}


async def _bot_info(backend: Backend, call: Call) -> Json:
    app = backend.workspace.app
    if call.text("bot") not in {"", app.bot_id}:
        raise SlackError("bot_not_found")
    profile = backend.shapes.bot_profile()
    return {"bot": profile | {"user_id": app.user_id}}


async def _validate(_backend: Backend, call: Call) -> Json:
    given = [name for name in ("blocks", "message", "view") if call.arguments.get(name)]
    if len(given) != 1:
        raise SlackError("invalid_arguments")
    name = given[0]
    value = parsed(call.arguments[name], f"invalid_{name}")
    report = Report()
    if name == "blocks":
        inspect_blocks(report, value, surface="message")
    elif not isinstance(value, dict):
        report.add("must provide an object", f"/{name}")
    elif name == "view":
        inspect_view(report, value)
    else:
        inspect_blocks(report, value.get("blocks", []), surface="message", pointer="/message/blocks")
    if report.faults:
        raise SlackError(f"invalid_{name}", errors=[_fault(sentence) for sentence in report.faults])
    return {}


def _fault(sentence: str) -> Json:
    """A fault in the parts that ``blocks.validate`` gives."""
    message, _, pointer = sentence.removesuffix("]").partition(" [json-pointer:")
    return {"pointer": pointer, "code": "invalid", "message": message, "constraint": message}


METHODS = (
    Method(name="api.test", run=_api_test, anonymous=True),
    Method(name="auth.test", run=_auth_test),
    Method(name="apps.connections.open", run=_connect, app_level=True),
    Method(name="users.info", run=_user_info, required=("user",), scopes=("users:read",)),
    Method(name="users.list", run=_user_list, scopes=("users:read",)),
    Method(name="team.info", run=_team_info, scopes=("team:read",)),
    Method(name="bots.info", run=_bot_info, scopes=("users:read",)),
    Method(name="blocks.validate", run=_validate),
)
