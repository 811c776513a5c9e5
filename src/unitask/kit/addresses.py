"""Which network addresses a request made for a client may reach: global unicast, and nothing else.

The tables are our own: the answers of `ipaddress.is_global` for some ranges change between Python releases.
They follow the special-purpose registries of IANA for IPv4 and IPv6; where a range holds a few global
services that serve no media (192.0.0.0/24, 2001::/23), the whole range is refused.
"""

import ipaddress
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

_PRIVATE_V4: Final = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
_REFUSED_V4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network, unspecified
        "100.64.0.0/10",  # carrier-grade NAT, and the metadata service of Alibaba Cloud
        "168.63.129.16/32",  # the metadata service of Azure, in the middle of public space
        "169.254.0.0/16",  # link-local, and the metadata service of most clouds
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112: a sink that anyone may run
        "192.52.193.0/24",  # multicast relays
        "192.88.99.0/24",  # 6to4 relays
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)

_PRIVATE_V6: Final = tuple(IPv6Network(text) for text in ("::1/128", "fc00::/7"))
_METADATA_V6: Final = tuple(
    IPv6Network(text)
    for text in (
        "fd00:42::42/128",  # Scaleway
        "fd00:c1::a9fe:a9fe/128",  # Oracle
        "fd00:ec2::/32",  # Amazon
        "fd20:ce::254/128",  # Google
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocol assignments: Teredo, benchmarking, ORCHID
        "2001:db8::/32",  # documentation
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
# The middle of an ISATAP address, but for the bit that says whether the IPv4 address behind it is a global one.
_ISATAP: Final = 0x0000_5EFE
_ISATAP_MASK: Final = 0xFDFF_FFFF

_METADATA_NAMES: Final = frozenset(
    {
        "instance-data",
        "instance-data.ec2.internal",
        "metadata",
        "metadata.azure.internal",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.tencentyun.com",
    },
)


_PRIVATE_DOMAINS: Final = ("home.arpa", "internal", "local", "localdomain", "localhost", "svc")
"""Top-level domains and one other that lead into somebody's own network; so does a name without a dot."""
_OTHER_PROTOCOLS: Final = frozenset(
    {
        *(20, 21, 22, 23),  # FTP, SSH, Telnet
        *(25, 465, 587, 110, 143, 993, 995),  # mail
        *(53, 135, 137, 139, 445, 389, 636, 2049),  # names, shares, directories
        *(119, 194, 512, 513, 514, 6665, 6666, 6667, 6668, 6669, 6697),  # news, remote shells, chat
        *(1433, 1521, 3306, 5432, 6379, 11211, 27017),  # databases and caches
    }
)


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """Read a host as an IP address, also in the odd spellings of IPv4 that resolvers accept; None for a name.

    `0x7f.1`, `0177.0.0.1` and `2130706433` are all 127.0.0.1.
    """
    text = host.rstrip(".")
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(text))
    except OSError:
        return None


def is_allowed(ip: IPv4Address | IPv6Address, *, allow_private: bool) -> bool:
    """Tell whether a connection to `ip` may be made.

    `allow_private` lets loopback and private addresses through, and still no link-local or metadata address.
    """
    if isinstance(ip, IPv4Address):
        private = any(ip in network for network in _PRIVATE_V4)
        return allow_private if private else not any(ip in network for network in _REFUSED_V4)
    if ip.scope_id is not None:
        return False
    if ip.ipv4_mapped is not None:
        return is_allowed(ip.ipv4_mapped, allow_private=allow_private)
    if any(ip in network for network in _PRIVATE_V6):
        return allow_private and not any(ip in network for network in _METADATA_V6)
    inner = _translated(ip)
    if inner is not None and not is_allowed(inner, allow_private=False):
        return False
    return ip in _NAT64 or (ip in _GLOBAL_V6 and not any(ip in network for network in _REFUSED_V6))


def is_allowed_name(name: str, *, allow_private: bool) -> bool:
    """Refuse names that can only mean a metadata service or a private network, before anything is resolved."""
    text = name.rstrip(".").lower()
    if text in _METADATA_NAMES:
        return False
    return allow_private or ("." in text and not f".{text}".endswith(tuple(f".{end}" for end in _PRIVATE_DOMAINS)))


def is_allowed_port(port: int) -> bool:
    """Refuse ports where something other than HTTP listens that might make sense of a request's lines."""
    return 0 < port < 2**16 and port not in _OTHER_PROTOCOLS


def _translated(ip: IPv6Address) -> IPv4Address | None:
    """Find the IPv4 address that a NAT64, ISATAP or 6to4 gateway would send the packets on to."""
    number = int(ip)
    if ip in _NAT64 or (number >> 32) & _ISATAP_MASK == _ISATAP:
        return IPv4Address(number & 0xFFFF_FFFF)
    return ip.sixtofour
