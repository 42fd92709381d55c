"""What the command line prints: jobs, timelines, usage, the audit, providers, the manifest. Reads the database beside
a running bot."""

import json
from typing import Any

import yaml

from bot.report.audit_trail import audit
from bot.report.job_list import jobs, timeline
from bot.report.money import usage
from bot.report.printing import Form, NotFound
from bot.report.provider_list import providers

__all__ = ["Form", "NotFound", "audit", "jobs", "manifest", "providers", "timeline", "usage"]


def manifest(contents: dict[str, Any], *, as_json: bool) -> str:
    """The app manifest as YAML or JSON."""
    if as_json:
        return json.dumps(contents, indent=2, ensure_ascii=False) + "\n"
    return yaml.safe_dump(contents, sort_keys=False, allow_unicode=True, width=100)
