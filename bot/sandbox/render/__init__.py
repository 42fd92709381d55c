"""Real MP4s for the emulated providers: small, quick to make, and impossible to mistake for one another."""

from bot.sandbox.render.clip import ClipSpec
from bot.sandbox.render.damage import damage
from bot.sandbox.render.renderer import Renderer
from bot.sandbox.render.sizes import frame_size, nearest_ratio
from bot.sandbox.render.stamp import pad

__all__ = ["ClipSpec", "Renderer", "damage", "frame_size", "nearest_ratio", "pad"]
