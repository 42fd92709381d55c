"""``views.*``: modals and the Home tab."""

from __future__ import annotations

from typing import Literal

from ..block_kit import check_view
from ..calls import Call
from ..entities import View
from ..wire import Json, SlackError
from .method import Backend, Method


async def _open(backend: Backend, call: Call) -> Json:
    view = check_view(call.arguments["view"], kind="modal")
    return _drawn(backend, backend.views.open(_trigger(call), view))


async def _push(backend: Backend, call: Call) -> Json:
    view = check_view(call.arguments["view"], kind="modal")
    return _drawn(backend, backend.views.push(_trigger(call), view))


async def _update(backend: Backend, call: Call) -> Json:
    existing = backend.views.find(view_id=call.text("view_id") or None, external_id=call.text("external_id") or None)
    kind: Literal["home", "modal"] = "home" if existing.body["type"] == "home" else "modal"
    view = check_view(call.arguments["view"], kind=kind)
    return _drawn(backend, backend.views.update(existing, view, expected_hash=call.text("hash") or None))


async def _publish(backend: Backend, call: Call) -> Json:
    view = check_view(call.arguments["view"], kind="home")
    user = call.text("user_id")
    if user not in backend.workspace.people:
        raise SlackError("invalid_arguments")
    return _drawn(backend, backend.views.publish(user, view, expected_hash=call.text("hash") or None))


def _trigger(call: Call) -> str:
    trigger_id = call.text("trigger_id") or call.text("interactivity_pointer")
    if not trigger_id:
        raise SlackError("invalid_arguments")
    return trigger_id


def _drawn(backend: Backend, view: View) -> Json:
    return {"view": backend.shapes.view(view)}


METHODS = (
    Method(name="views.open", run=_open, required=("view",)),
    Method(name="views.push", run=_push, required=("view",)),
    Method(name="views.update", run=_update, required=("view",)),
    Method(name="views.publish", run=_publish, required=("user_id", "view")),
)
