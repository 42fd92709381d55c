"""The Web API: one module for each family of methods, gathered in ``METHODS``."""

from . import chat, conversations, files, general, reactions, views
from .method import Backend, Method

METHODS: dict[str, Method] = {
    method.name: method
    for family in (chat, conversations, files, general, reactions, views)
    for method in family.METHODS
}
"""Every method that the workspace answers, by its name."""

__all__ = ["METHODS", "Backend", "Method"]
