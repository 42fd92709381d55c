"""Whether the address for health, and in HTTP mode for Slack's requests, is to be had."""

import errno
import os
import socket

import httpx

from bot.doctor.finding import Finding, fail, ok
from bot.settings import Settings

_NAME = "port"
_HEALTH_SECONDS = 1.0
"""Ample for a process on this machine that does nothing but say that it is up."""


async def check(settings: Settings) -> list[Finding]:
    """Listen there for a moment; where somebody does already, see whether it is Dailies."""
    host, port = settings.http_host, settings.http_port
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE and await _is_dailies(host, port):
            return [ok(_NAME, f"Dailies serves on {host}:{port} already.")]
        return [fail(_NAME, f"nothing can listen on {host}:{port}: {_why(error)}.", mend_of(error, port))]
    return [ok(_NAME, f"{host}:{port} is free." if port else "any free one is taken.")]


def mend_of(error: OSError, port: int) -> str:
    """What helps when an address cannot be listened on."""
    if error.errno == errno.EADDRINUSE:
        return f"end the program that listens there (`lsof -i :{port}` shows it), or set HTTP_PORT to another port."
    if error.errno == errno.EACCES:
        return "set HTTP_PORT to 1024 or above; those below are for the system's own services."
    return "set HTTP_HOST to an address of this machine; 127.0.0.1 is enough unless others have to reach it."


def _why(error: OSError) -> str:
    """In the system's words, without the address that asyncio and socket add. Of a host's name that cannot be found
    the number is none of the system's, and negative."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__


async def _is_dailies(host: str, port: int) -> bool:
    address = f"[{host}]" if ":" in host else host
    try:
        async with httpx.AsyncClient(timeout=_HEALTH_SECONDS, trust_env=False) as http:
            answer = await http.get(f"http://{address}:{port}/healthz")
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return answer.status_code == 200 and answer.text == '{"status":"up"}'
