"""Where EmpirioLabs' jobs are: addresses below the base address, and what a ``poll_url`` may say otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlsplit

from bot.providers._http import as_text

USAGE = "https://platform.empiriolabs.ai/api/v1/account/usage"
"""The account's usage and what is left, by the same key."""

_JOB = "{job_id}"
_LONGEST_PATH = 500
"""Characters: a longer one is no address of a job."""


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Where things are, below the base address; ``{job_id}`` stands for a job. None: not to be had.

    ``generations`` and ``model`` are the model page's, ``job`` the reference's, ``usage`` the account pages', which
    have it on another host; ``jobs`` and ``cancel`` are inferred from the tools ``list_jobs`` and ``cancel_job``."""

    generations: str = "/v1/videos/generations"
    model: str = "/v1/models/"
    job: str = "/v1/jobs/{job_id}"
    jobs: str | None = "/v1/jobs"
    cancel: str | None = "/v1/jobs/{job_id}/cancel"
    cancel_method: str = "POST"
    usage: str | None = USAGE


def filled(template: str, job_id: str) -> str:
    """An address of ``Paths`` for that job."""
    return template.replace(_JOB, quote(job_id, safe=""))


def usage_address(root: str, usage: str | None, *, public: str) -> str | None:
    """Where to ask for the usage. The documented host goes with the ``public`` base address alone: at any other the key
    is to stay, so that the usage is asked for below that one, unless the operator names a whole address."""
    if usage is None:
        return None
    path = urlsplit(USAGE).path if usage == USAGE and root.lower() != public else usage
    return root + path if path.startswith("/") else path


def handle_of(said: Mapping[str, object], *, root: str, paths: Paths) -> str:
    """What a job is asked for by: its id, or the path to it where ``poll_url`` leads elsewhere than the reference
    does. Empty when the answer names no job."""
    path = poll_path(as_text(said.get("poll_url")), root)
    job_id = as_text(said.get("job_id"))
    if not job_id and not said.get("error"):  # beside an error an ``id`` is that of the request
        job_id = as_text(said.get("id"))
    usual = _id_in(path, paths.job)
    if not job_id or job_id == usual or not path:
        return job_id or usual
    return path


def poll_path(poll_url: str, root: str) -> str:
    """The path below ``root`` to which a ``poll_url`` leads: it may be absolute, or relative to the host or to the
    root. Empty for another host, which is not to get our key, and for anything that is no plain address."""
    try:
        asked, ours = urlsplit(poll_url), urlsplit(root)
        foreign = bool(asked.scheme or asked.netloc) and _origin(asked, ours.scheme) != _origin(ours, "")
    except ValueError:
        return ""
    path = f"{asked.path}?{asked.query}" if asked.query else asked.path
    plain = path.isascii() and path.isprintable() and not {" ", "\\"} & set(path) and len(path) <= _LONGEST_PATH
    if foreign or not plain or not path.startswith("/") or {".", ".."} & set(unquote(asked.path).split("/")):
        return ""
    return path.removeprefix(ours.path) if path.startswith(f"{ours.path}/") else path


def _origin(parts: SplitResult, usual_scheme: str) -> tuple[str, str, int | None]:
    """Scheme, host with whoever stands before it, and port."""
    scheme = parts.scheme or usual_scheme
    who, _, _ = parts.netloc.rpartition("@")
    return scheme, f"{who}@{parts.hostname}", parts.port or {"https": 443, "http": 80}.get(scheme)


def _id_in(path: str, template: str) -> str:
    """The job that a path of this form names; empty for every other path."""
    before, _, behind = template.partition(_JOB)
    if not path.startswith(before) or not path.endswith(behind):
        return ""
    found = path.removeprefix(before).removesuffix(behind) if behind else path.removeprefix(before)
    return "" if {"/", "?"} & set(found) else unquote(found)


def job_of(task_id: str) -> str:
    """The job's id in a task's: the last part of one that is a path."""
    return unquote(urlsplit(task_id).path.rpartition("/")[2]) if task_id.startswith("/") else task_id
