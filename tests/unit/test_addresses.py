"""Which addresses and URLs are refused before anything is connected to."""

from ipaddress import ip_address, ip_network

import pytest

from support.loopback import resolver_of
from unitask.kit.addresses import is_allowed, literal
from unitask.kit.net import LIMIT_URL_CHARACTERS, Guard, Refused

REFUSED_V4_NETWORKS = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]
REFUSED_V6_NETWORKS = [
    "::/128",
    "::1/128",
    "::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/32",
    "2001:2::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:db8::/32",
    "2620:4f:8000::/48",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]
REFUSED_ADDRESSES = [
    *(str(ip_network(text)[end]) for text in REFUSED_V4_NETWORKS for end in (0, -1)),
    *(str(ip_network(text)[end]) for text in REFUSED_V6_NETWORKS for end in (0, -1)),
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "::ffff:168.63.129.16",
    "::ffff:0:127.0.0.1",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:101::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "fd00:ec2::254",
    "fe80::a9fe:a9fe",
    "fe80::1%eth0",
    "2606:4700::1111%1",
    "2606:4700::5efe:10.0.0.1",
    "2001:db8::5efe:8.8.8.8",
    "fe80::5efe:8.8.8.8",
    "4000::1",
    "e000::1",
]
ALLOWED_ADDRESSES = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2a00:1450:4001:81b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2606:4700::200:5efe:808:808",
]
PRIVATE_ADDRESSES = [
    "127.0.0.1",
    "10.1.2.3",
    "172.31.0.1",
    "192.168.1.1",
    "::1",
    "fd12::1",
    "::ffff:127.0.0.1",
]
NEVER_ALLOWED_ADDRESSES = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    "fe80::a9fe:a9fe",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::127.0.0.1",
    "2002:a9fe:a9fe::",
    "2002:7f00:1::",
    "::",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1%lo",
    "fd12::1%eth0",
]
ALLOWED_URLS = [
    "http://media.example/a.png",
    "https://media.example/a.png?sign=a%2Fb&x=1#part",
    "HTTPS://MEDIA.EXAMPLE/a.png",
    "http://media.example.:8080/",
    "https://media_1.my-bucket.example/a b.png",
    "http://m\u00e9dia.example/",
    "http://8.8.8.8/a.png",
    "http://134744072/a.png",
    "http://[2606:4700::1111]:8443/",
    "http://localhost.example/",
    "http://media.example:65535/",
    "https://media.example:8443/",
    "http://internal.example/",
    "http://local.svc.example/",
    "http://media.example/%0d%0aHost:%20127.0.0.1",
]


@pytest.mark.parametrize("text", REFUSED_ADDRESSES)
def test_address_outside_global_unicast_is_refused(text: str):
    """Whatever is not global unicast, or stands for something that is not, is refused."""
    assert not is_allowed(ip_address(text), allow_private=False)


@pytest.mark.parametrize("text", ALLOWED_ADDRESSES)
def test_global_unicast_address_is_allowed(text: str):
    """Global addresses pass, also right beside the refused ranges."""
    assert is_allowed(ip_address(text), allow_private=False)


@pytest.mark.parametrize("text", PRIVATE_ADDRESSES)
def test_private_address_needs_the_setting(text: str):
    """Loopback and private addresses pass with the development setting only."""
    assert not is_allowed(ip_address(text), allow_private=False)
    assert is_allowed(ip_address(text), allow_private=True)


@pytest.mark.parametrize("text", NEVER_ALLOWED_ADDRESSES)
def test_metadata_address_stays_refused_in_development(text: str):
    """The development setting opens no link-local, metadata, scoped or translated address."""
    assert not is_allowed(ip_address(text), allow_private=True)


@pytest.mark.parametrize("network", [*REFUSED_V4_NETWORKS, *REFUSED_V6_NETWORKS, "8.0.0.0/8", "2606:4700::/32"])
def test_what_passes_is_global_for_the_standard_library_too(network: str):
    """Nothing that the standard library calls not global passes at the edges of any range."""
    first, last = ip_network(network)[0], ip_network(network)[-1]
    edges = [first, last, *([last + 1] if int(last) + 1 < 2**last.max_prefixlen else [])]
    for ip in edges:
        if is_allowed(ip, allow_private=False):
            assert ip.is_global
            assert not ip.is_multicast


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("0x7f.1", "127.0.0.1"),
        ("010.8.8.8", "8.8.8.8"),
        ("::1", "::1"),
        ("a.example", None),
        ("1.2.3.4.5", None),
    ],
)
def test_odd_spelling_is_read_as_the_resolver_reads_it(host: str, expected: str | None):
    """Octal, hexadecimal, decimal and short forms are addresses; a name is none."""
    assert literal(host) == (ip_address(expected) if expected else None)


@pytest.mark.parametrize("url", ALLOWED_URLS)
def test_public_url_passes_the_check_of_its_text(url: str):
    """A public host by name or address passes, and nothing is resolved for that."""
    Guard(resolve=resolver_of()).check_url(url)


def test_too_long_url_is_refused():
    """The length of a URL is bounded, one character decides."""
    url = "http://media.example/".ljust(LIMIT_URL_CHARACTERS, "a")
    Guard().check_url(url)
    with pytest.raises(Refused, match="longer than 8192"):
        Guard().check_url(url + "a")


def test_development_setting_opens_loopback_urls():
    """With the setting, localhost and its address pass, the metadata services do not."""
    guard = Guard(allow_private=True)
    guard.check_url("http://localhost:8000/")
    guard.check_url("http://[::1]:8000/")
    for url in ("http://169.254.169.254/", "http://metadata.google.internal/"):
        with pytest.raises(Refused):
            guard.check_url(url)
