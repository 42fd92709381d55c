"""Links taken apart, narrowly.

What two programs read differently is how a guard is fooled (a backslash before an ``@``, a tab within
a name, 127.1): such a link is refused, whatever it may mean. What people and providers really give is not written so.
"""

import ipaddress
import re
from dataclasses import dataclass, field

import httpx

from bot.ports import LinkRefused

LONGEST_LINK = 8192
"""Characters. Signed links are long; no server reads much longer ones."""

_PORTS = {"https": 443, "http": 80}
_WHOLE = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)", re.ASCII)
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:%@]+)(?::(?P<port>[0-9]{0,5}))?", re.ASCII)
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_LONGEST_NAME = 253
_FIGURE = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)", re.ASCII)
"""A last label that resolvers take for a part of an address, in one of its odd spellings."""

_GIVE_ANOTHER = "Give a public https link to the file, or attach it in Slack."


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link to a server. ``url`` may hold a signature: a secret."""

    url: httpx.URL = field(repr=False)
    host: str
    """In lower case and ASCII; an IPv6 address without brackets."""
    port: int

    @property
    def is_https(self) -> bool:
        """Whether it is encrypted."""
        return self.url.scheme == "https"

    @property
    def bracketed(self) -> str:
        """The host as it stands before a port."""
        return f"[{self.host}]" if ":" in self.host else self.host


def refusal(what: str) -> LinkRefused:
    """The error for a link that is not fetched, whatever the reason."""
    return LinkRefused(what, _GIVE_ANOTHER)


def parse(text: str) -> Link:
    """An ``https`` or ``http`` link to a plain host. Raises LinkRefused."""
    if len(text) > LONGEST_LINK:
        raise refusal(f"The link is longer than {LONGEST_LINK:,} characters.")
    check_characters(text)
    parts = _WHOLE.match(text)
    if parts is None or parts["scheme"].lower() not in _PORTS:
        raise refusal("The link is not https.")
    if "@" in parts["authority"]:
        raise refusal("The link carries credentials.")
    place = _AUTHORITY.fullmatch(parts["authority"])
    if place is None:
        raise refusal("The link names no plain host.")
    if place["port"] and not 0 < int(place["port"]) < 65_536:
        raise refusal("The link names an impossible port.")
    try:
        url = httpx.URL(text)
        host = url.raw_host.decode("ascii").lower() if url.host else ""  # reading the name finds Punycode that is none
    except (httpx.InvalidURL, ValueError) as error:  # the latter for names that are no host names
        raise refusal("The link names no plain host.") from error
    if not (_is_plain_name(host) or _is_address(host)):
        raise refusal("The link names no plain host.")
    return Link(url=url, host=host, port=url.port or _PORTS[url.scheme])


def follow(link: Link, location: str) -> str:
    """The whole address that a redirect leads to; ``location`` may be relative. Raises LinkRefused."""
    check_characters(location)
    try:
        return str(link.url.join(location))
    except (httpx.InvalidURL, ValueError) as error:
        raise refusal("The link redirects to what is not a link.") from error


def check_characters(text: str) -> None:
    """Blanks, controls and backslashes are read differently by different programs. Raises LinkRefused."""
    if any(character.isspace() or not character.isprintable() or character == "\\" for character in text):
        raise refusal("The link holds a character that does not belong into one.")


def _is_plain_name(host: str) -> bool:
    return (
        len(host) <= _LONGEST_NAME
        and _NAME.fullmatch(host) is not None
        and _FIGURE.fullmatch(host.rpartition(".")[2]) is None
    )


def _is_address(host: str) -> bool:
    """An address in its one plain spelling, without a zone."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host
