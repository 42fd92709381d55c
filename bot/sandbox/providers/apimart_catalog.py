"""APIMart's catalogue of models, as its own client asks for it before each generation."""

from __future__ import annotations

import time
from collections.abc import Mapping

from bot.sandbox.providers.apimart_input import RESOLUTIONS

_WEEK = 7 * 86_400
_PAGE = "https://docs.apimart.example/videos/{model}/generation"


def model_list() -> Mapping[str, object]:
    """``GET /v1/models``."""
    return {"object": "list", "data": [{"id": model, "object": "model"} for model in sorted(RESOLUTIONS)]}


def model_docs(model: str) -> Mapping[str, object]:
    """``GET /v1/model-docs``: what a model takes, in words."""
    page = _PAGE.format(model=model)
    return {
        "object": "model.documentation",
        "model": model,
        "doc_url": page,
        "markdown_url": f"{page}.md",
        "markdown": f"# {model}\n\nresolution: {', '.join(RESOLUTIONS[model])}; duration: 4-15 or -1\n",
        "fetched_at": int(time.time()),
        "cache_ttl_seconds": _WEEK,
        "stale": False,
    }


def model_schema(model: str) -> Mapping[str, object]:
    """``GET /v1/model-schema``: the operation of a model; its exact input is checked on submission alone."""
    return {"model": model, "operation": "video_generation", "input_schema": {"type": "object"}}
