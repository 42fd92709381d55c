"""How Dailies reaches video providers: one file a vendor, pure ``encode`` and ``decode`` with a thin class over httpx.

Providers do not know one another, classify what happened, and never retry: retries belong to the runner.
"""
