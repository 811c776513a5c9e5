"""Addresses that must never be read or posted to: what a text says, what a name resolves to, where a redirect leads.

In the addresses `{port}` stands for a port on which a trap of the test listens.
"""

from typing import Final, NamedTuple


class Hostile(NamedTuple):
    """An address that is refused by its text alone."""

    name: str
    url: str
    why: str


class Named(NamedTuple):
    """A name that looks like any other, and what the resolver says each time that it is asked; the last goes on."""

    name: str
    answers: tuple[tuple[str, ...], ...]
    why: str


class Chain(NamedTuple):
    """Where a public server sends its client, one `Location` after the other; the last one again and again."""

    name: str
    locations: tuple[str, ...]
    why: str


PUBLIC: Final = "93.184.216.34"
_LOCAL: Final = "this machine"
_META: Final = "a metadata service hands out credentials"
_BLOCK: Final = "special-purpose block of IANA's registry: "
_SPELT: Final = "a resolver reads it as 127.0.0.1"
_INSIDE: Final = "an IPv6 address around a private IPv4 address"
_PARSER: Final = "parsers disagree about where the host is"
_SCHEME: Final = "not http and not https"
_PORT: Final = "no port, or one of another protocol"
_FOLDED: Final = "letters that a browser folds into ASCII"

BLOCKS: Final = (
    Hostile("v4-this-network", "http://0.0.0.0:{port}/", _BLOCK + "0.0.0.0/8, this machine for Linux"),
    Hostile("v4-this-network-end", "http://0.255.255.255/", _BLOCK + "0.0.0.0/8"),
    Hostile("v4-private-10", "http://10.0.0.1/", _BLOCK + "10.0.0.0/8"),
    Hostile("v4-private-10-end", "http://10.255.255.255/", _BLOCK + "10.0.0.0/8"),
    Hostile("v4-shared", "http://100.64.0.1/", _BLOCK + "100.64.0.0/10, carrier-grade NAT"),
    Hostile("v4-shared-end", "http://100.127.255.255/", _BLOCK + "100.64.0.0/10"),
    Hostile("v4-loopback", "http://127.0.0.1:{port}/", _BLOCK + "127.0.0.0/8"),
    Hostile("v4-loopback-other", "http://127.8.9.10:{port}/", _BLOCK + "127.0.0.0/8"),
    Hostile("v4-loopback-end", "http://127.255.255.254:{port}/", _BLOCK + "127.0.0.0/8"),
    Hostile("v4-loopback-https", "https://127.0.0.1:{port}/", _BLOCK + "127.0.0.0/8"),
    Hostile("v4-link-local", "http://169.254.0.1/", _BLOCK + "169.254.0.0/16"),
    Hostile("v4-link-local-end", "http://169.254.255.255/", _BLOCK + "169.254.0.0/16"),
    Hostile("v4-private-172", "http://172.16.0.1/", _BLOCK + "172.16.0.0/12"),
    Hostile("v4-private-172-end", "http://172.31.255.255/", _BLOCK + "172.16.0.0/12"),
    Hostile("v4-protocol", "http://192.0.0.1/", _BLOCK + "192.0.0.0/24"),
    Hostile("v4-continuity", "http://192.0.0.6/", _BLOCK + "192.0.0.0/29"),
    Hostile("v4-dummy", "http://192.0.0.8/", _BLOCK + "192.0.0.8/32"),
    Hostile("v4-port-control", "http://192.0.0.9/", _BLOCK + "192.0.0.9/32"),
    Hostile("v4-turn", "http://192.0.0.10/", _BLOCK + "192.0.0.10/32"),
    Hostile("v4-dns64-discovery", "http://192.0.0.170/", _BLOCK + "192.0.0.170/32"),
    Hostile("v4-documentation-1", "http://192.0.2.1/", _BLOCK + "192.0.2.0/24"),
    Hostile("v4-as112", "http://192.31.196.1/", _BLOCK + "192.31.196.0/24, a sink that anyone may run"),
    Hostile("v4-amt", "http://192.52.193.1/", _BLOCK + "192.52.193.0/24, multicast relays"),
    Hostile("v4-6to4-relay", "http://192.88.99.2/", _BLOCK + "192.88.99.0/24"),
    Hostile("v4-private-192", "http://192.168.0.1/", _BLOCK + "192.168.0.0/16"),
    Hostile("v4-private-192-end", "http://192.168.255.255/", _BLOCK + "192.168.0.0/16"),
    Hostile("v4-as112-direct", "http://192.175.48.1/", _BLOCK + "192.175.48.0/24, a sink that anyone may run"),
    Hostile("v4-benchmark", "http://198.18.0.1/", _BLOCK + "198.18.0.0/15"),
    Hostile("v4-benchmark-end", "http://198.19.255.255/", _BLOCK + "198.18.0.0/15"),
    Hostile("v4-documentation-2", "http://198.51.100.1/", _BLOCK + "198.51.100.0/24"),
    Hostile("v4-documentation-3", "http://203.0.113.1/", _BLOCK + "203.0.113.0/24"),
    Hostile("v4-multicast", "http://224.0.0.1/", "multicast"),
    Hostile("v4-multicast-end", "http://239.255.255.255/", "multicast"),
    Hostile("v4-reserved", "http://240.0.0.1/", _BLOCK + "240.0.0.0/4"),
    Hostile("v4-broadcast", "http://255.255.255.255/", _BLOCK + "255.255.255.255/32"),
    Hostile("v6-unspecified", "http://[::]:{port}/", _BLOCK + "::/128, this machine for Linux"),
    Hostile("v6-loopback", "http://[::1]:{port}/", _BLOCK + "::1/128"),
    Hostile("v6-loopback-long", "http://[0000:0000:0000:0000:0000:0000:0000:0001]:{port}/", _BLOCK + "::1/128"),
    Hostile("v6-loopback-half", "http://[0:0::0:1]:{port}/", _BLOCK + "::1/128"),
    Hostile("v6-discard", "http://[100::1]/", _BLOCK + "100::/64"),
    Hostile("v6-dummy", "http://[100:0:0:1::1]/", _BLOCK + "100:0:0:1::/64"),
    Hostile("v6-protocol", "http://[2001:1ff::1]/", _BLOCK + "2001::/23"),
    Hostile("v6-port-control", "http://[2001:1::1]/", _BLOCK + "2001:1::1/128"),
    Hostile("v6-benchmark", "http://[2001:2::1]/", _BLOCK + "2001:2::/48"),
    Hostile("v6-amt", "http://[2001:3::1]/", _BLOCK + "2001:3::/32"),
    Hostile("v6-as112", "http://[2001:4:112::1]/", _BLOCK + "2001:4:112::/48"),
    Hostile("v6-orchid", "http://[2001:10::1]/", _BLOCK + "2001:10::/28"),
    Hostile("v6-orchid-2", "http://[2001:20::1]/", _BLOCK + "2001:20::/28"),
    Hostile("v6-drone", "http://[2001:30::1]/", _BLOCK + "2001:30::/28"),
    Hostile("v6-documentation", "http://[2001:db8::1]/", _BLOCK + "2001:db8::/32"),
    Hostile("v6-as112-direct", "http://[2620:4f:8000::1]/", _BLOCK + "2620:4f:8000::/48"),
    Hostile("v6-documentation-2", "http://[3fff::1]/", _BLOCK + "3fff::/20"),
    Hostile("v6-segments", "http://[5f00::1]/", _BLOCK + "5f00::/16"),
    Hostile("v6-unique-local", "http://[fc00::1]/", _BLOCK + "fc00::/7"),
    Hostile("v6-unique-local-end", "http://[fdff:ffff::1]/", _BLOCK + "fc00::/7"),
    Hostile("v6-link-local", "http://[fe80::1]/", _BLOCK + "fe80::/10"),
    Hostile("v6-site-local", "http://[fec0::1]/", "site-local, withdrawn and still routed in old networks"),
    Hostile("v6-multicast", "http://[ff02::1]/", "multicast"),
    Hostile("v6-multicast-global", "http://[ff0e::1]/", "multicast"),
    Hostile("v6-unassigned", "http://[4000::1]/", "not assigned to anyone"),
)
INSIDE: Final = (
    Hostile("mapped-loopback", "http://[::ffff:127.0.0.1]:{port}/", _INSIDE),
    Hostile("mapped-loopback-hex", "http://[::ffff:7f00:1]:{port}/", _INSIDE),
    Hostile("mapped-loopback-long", "http://[0:0:0:0:0:ffff:7f00:0001]:{port}/", _INSIDE),
    Hostile("mapped-unspecified", "http://[::ffff:0.0.0.0]:{port}/", _INSIDE),
    Hostile("mapped-private", "http://[::ffff:10.0.0.1]/", _INSIDE),
    Hostile("mapped-link-local", "http://[::ffff:169.254.169.254]/", _INSIDE),
    Hostile("mapped-shared", "http://[::ffff:100.64.0.1]/", _INSIDE),
    Hostile("translated-loopback", "http://[::ffff:0:127.0.0.1]:{port}/", _INSIDE + " (SIIT)"),
    Hostile("compatible-loopback", "http://[::127.0.0.1]:{port}/", _INSIDE + ", deprecated form"),
    Hostile("compatible-private", "http://[::10.0.0.1]/", _INSIDE + ", deprecated form"),
    Hostile("compatible-public", "http://[::8.8.8.8]/", "the deprecated form is never routed"),
    Hostile("6to4-loopback", "http://[2002:7f00:1::]:{port}/", _INSIDE + " (6to4)"),
    Hostile("6to4-private", "http://[2002:c0a8:101::1]/", _INSIDE + " (6to4)"),
    Hostile("6to4-metadata", "http://[2002:a9fe:a9fe::1]/", _INSIDE + " (6to4)"),
    Hostile("teredo-loopback", "http://[2001:0:808:808:0:0:80ff:fffe]/", _INSIDE + " (Teredo, inverted)"),
    Hostile("teredo-server", "http://[2001:0:7f00:1::1]/", _INSIDE + " (the server of a Teredo client)"),
    Hostile("nat64-loopback", "http://[64:ff9b::127.0.0.1]:{port}/", _INSIDE + " (NAT64)"),
    Hostile("nat64-private", "http://[64:ff9b::a00:1]/", _INSIDE + " (NAT64)"),
    Hostile("nat64-metadata", "http://[64:ff9b::a9fe:a9fe]/", _INSIDE + " (NAT64)"),
    Hostile("nat64-broadcast", "http://[64:ff9b::255.255.255.255]/", _INSIDE + " (NAT64)"),
    Hostile("nat64-own-prefix", "http://[64:ff9b:1::10.0.0.1]/", _INSIDE + " (a network's own NAT64)"),
    Hostile("nat64-own-prefix-48", "http://[64:ff9b:1:7f00:0:100::]/", _INSIDE + " (NAT64 with a prefix of 48 bits)"),
    Hostile("nat64-own-public", "http://[64:ff9b:1::8.8.8.8]/", "where such a prefix leads is the network's business"),
    Hostile("isatap-private", "http://[2606:4700::5efe:10.0.0.1]/", _INSIDE + " (ISATAP)"),
    Hostile("isatap-loopback", "http://[2606:4700::200:5efe:7f00:1]/", _INSIDE + " (ISATAP)"),
    Hostile("zone", "http://[fe80::1%25eth0]/", "a zone leads into one network card's own network"),
    Hostile("zone-plain", "http://[fe80::1%eth0]/", "a zone leads into one network card's own network"),
    Hostile("zone-number", "http://[fe80::1%251]/", "a zone leads into one network card's own network"),
    Hostile("zone-public", "http://[2606:4700::1111%251]/", "no public address has a zone"),
    Hostile("zone-loopback", "http://[::1%25lo]:{port}/", _LOCAL),
)
SPELT: Final = (
    Hostile("decimal", "http://2130706433:{port}/", _SPELT),
    Hostile("hexadecimal", "http://0x7f000001:{port}/", _SPELT),
    Hostile("hexadecimal-capitals", "http://0X7F000001:{port}/", _SPELT),
    Hostile("octal", "http://017700000001:{port}/", _SPELT),
    Hostile("octal-parts", "http://0177.0.0.1:{port}/", _SPELT),
    Hostile("octal-all-parts", "http://0177.0000.0000.0001:{port}/", _SPELT),
    Hostile("octal-many-zeros", "http://00000000177.0.0.1:{port}/", _SPELT),
    Hostile("hexadecimal-parts", "http://0x7f.0x0.0x0.0x1:{port}/", _SPELT),
    Hostile("mixed-parts", "http://0x7f.0.01.1:{port}/", "a resolver reads it as 127.0.1.1"),
    Hostile("two-parts", "http://127.1:{port}/", _SPELT),
    Hostile("three-parts", "http://127.0.1:{port}/", _SPELT),
    Hostile("one-part-zero", "http://0:{port}/", "a resolver reads it as 0.0.0.0"),
    Hostile("hexadecimal-two-parts", "http://0x7f.1:{port}/", _SPELT),
    Hostile("trailing-dot", "http://127.0.0.1.:{port}/", _SPELT),
    Hostile("decimal-trailing-dot", "http://2130706433.:{port}/", _SPELT),
    Hostile("private-decimal", "http://167772161/", "a resolver reads it as 10.0.0.1"),
    Hostile("private-short", "http://10.1/", "a resolver reads it as 10.0.0.1"),
    Hostile("private-three-parts", "http://192.168.257/", "a resolver reads it as 192.168.1.1"),
    Hostile("private-octal", "http://0300.0250.0.1/", "a resolver reads it as 192.168.0.1"),
    Hostile("metadata-decimal", "http://2852039166/latest/", _META),
    Hostile("metadata-hexadecimal", "http://0xa9fea9fe/latest/", _META),
    Hostile("metadata-octal", "http://0251.0376.0251.0376/latest/", _META),
    Hostile("metadata-short", "http://169.254.43518/latest/", _META),
    Hostile("percent-dots", "http://127%2e0%2e0%2e1:{port}/", "percent signs have no place in a host"),
    Hostile("percent-name-dot", "http://media%2eexample/", "percent signs have no place in a host"),
    Hostile("percent-digits", "http://%31%32%37.0.0.1:{port}/", "percent signs have no place in a host"),
    Hostile("percent-name", "http://%6cocalhost:{port}/", "percent signs have no place in a host"),
    Hostile("full-width-digits", "http://\uff11\uff12\uff17.0.0.1:{port}/", _FOLDED),
    Hostile("circled-digits", "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460:{port}/", _FOLDED),
    Hostile("mathematical-digits", "http://\U0001d7cf\U0001d7d0\U0001d7d5.0.0.1:{port}/", _FOLDED),
    Hostile("arabic-digits", "http://\u0661\u0662\u0667.\u0660.\u0660.\u0661:{port}/", _FOLDED),
    Hostile("ideographic-dots", "http://127\u30020\u30020\u30021:{port}/", _FOLDED),
    Hostile("full-width-dots", "http://127\uff0e0\uff0e0\uff0e1:{port}/", _FOLDED),
    Hostile("half-width-dots", "http://127\uff610\uff610\uff611:{port}/", _FOLDED),
    Hostile("full-width-localhost", "http://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54:{port}/", _FOLDED),
    Hostile("long-s-localhost", "http://localho\u017ft:{port}/", _FOLDED),
    Hostile("soft-hyphen-localhost", "http://local\u00adhost:{port}/", _FOLDED),
    Hostile("zero-width-localhost", "http://local\u200bhost:{port}/", _FOLDED),
)
NAMES_OF_MACHINES: Final = (
    Hostile("localhost", "http://localhost:{port}/", _LOCAL),
    Hostile("localhost-capitals", "http://LOCALHOST:{port}/", _LOCAL),
    Hostile("localhost-dot", "http://localhost.:{port}/", _LOCAL),
    Hostile("below-localhost", "http://anything.localhost:{port}/", _LOCAL),
    Hostile("localhost-domain", "http://localhost.localdomain:{port}/", _LOCAL),
    Hostile("localhost-6", "http://localhost6:{port}/", _LOCAL),
    Hostile("ip6-localhost", "http://ip6-localhost:{port}/", _LOCAL),
    Hostile("ip6-loopback", "http://ip6-loopback:{port}/", _LOCAL),
    Hostile("metadata-aws", "http://169.254.169.254/latest/meta-data/", _META + " (Amazon, Azure, Google and more)"),
    Hostile("metadata-aws-v6", "http://[fd00:ec2::254]/latest/", _META + " (Amazon)"),
    Hostile("metadata-aws-name", "http://instance-data/latest/", _META + " (Amazon)"),
    Hostile("metadata-aws-long-name", "http://instance-data.ec2.internal/latest/", _META + " (Amazon)"),
    Hostile("metadata-ecs", "http://169.254.170.2/v2/credentials/", _META + " (Amazon ECS)"),
    Hostile("metadata-eks", "http://169.254.170.23/v1/credentials", _META + " (Amazon EKS)"),
    Hostile("metadata-eks-v6", "http://[fd00:ec2::23]/v1/credentials", _META + " (Amazon EKS)"),
    Hostile("metadata-google", "http://metadata.google.internal/computeMetadata/v1/", _META + " (Google)"),
    Hostile("metadata-google-dot", "http://METADATA.google.internal./", _META + " (Google)"),
    Hostile("metadata-google-short", "http://metadata/computeMetadata/v1/", _META + " (Google)"),
    Hostile("metadata-google-goog", "http://metadata.goog/", _META + " (Google)"),
    Hostile("metadata-google-v6", "http://[fd20:ce::254]/", _META + " (Google)"),
    Hostile("metadata-azure-wire", "http://168.63.129.16/machine", _META + " (Azure, in public space)"),
    Hostile("metadata-azure-name", "http://metadata.azure.internal/metadata/instance", _META + " (Azure)"),
    Hostile("metadata-oracle", "http://192.0.0.192/latest/", _META + " (Oracle, classic)"),
    Hostile("metadata-oracle-v6", "http://[fd00:c1::a9fe:a9fe]/opc/v2/", _META + " (Oracle)"),
    Hostile("metadata-alibaba", "http://100.100.100.200/latest/meta-data/", _META + " (Alibaba)"),
    Hostile("metadata-tencent", "http://metadata.tencentyun.com/latest/", _META + " (Tencent)"),
    Hostile("metadata-scaleway-v6", "http://[fd00:42::42]/conf", _META + " (Scaleway)"),
    Hostile("kubernetes", "http://kubernetes.default.svc/api", "a cluster's own services"),
    Hostile("cluster", "http://api.team.svc.cluster.local/", "a cluster's own services"),
    Hostile("docker-host", "http://host.docker.internal:{port}/", "the machine around a container"),
    Hostile("podman-host", "http://host.containers.internal:{port}/", "the machine around a container"),
    Hostile("internal", "http://wiki.internal/", "a top-level domain for private networks"),
    Hostile("local", "http://printer.local/", "a top-level domain for the local network"),
    Hostile("home", "http://router.home.arpa/", "a domain for the network at home"),
)
PARSED: Final = (
    Hostile("user-public-host-local", "http://media.example:80@127.0.0.1:{port}/", _PARSER),
    Hostile("user-local-host-public", "http://127.0.0.1:{port}@media.example/", _PARSER),
    Hostile("user-name", "http://user@media.example/", "a secret in an address ends up in logs"),
    Hostile("user-and-password", "http://user:secret@media.example/", "a secret in an address ends up in logs"),
    Hostile("user-empty", "http://:@media.example/", _PARSER),
    Hostile("user-twice", "http://a@media.example@127.0.0.1:{port}/", _PARSER),
    Hostile("user-encoded", "http://media.example%40127.0.0.1:{port}/", _PARSER),
    Hostile("backslash-user", "http://media.example\\@127.0.0.1:{port}/", _PARSER),
    Hostile("backslash-path", "http://127.0.0.1:{port}\\.media.example/", _PARSER),
    Hostile("fragment-user", "http://127.0.0.1:{port}#@media.example/", _PARSER),
    Hostile("query-user", "http://127.0.0.1:{port}?@media.example/", _PARSER),
    Hostile("path-user", "http://127.0.0.1:{port}/@media.example/", _PARSER),
    Hostile("space-in-host", "http://media.example 127.0.0.1:{port}/", _PARSER),
    Hostile("comma-in-host", "http://media.example,127.0.0.1:{port}/", _PARSER),
    Hostile("line-break-in-host", "http://media.example\r\nhost: 127.0.0.1/", "it would begin another header"),
    Hostile("line-break-in-path", "http://media.example/ HTTP/1.1\r\nX-Injected: yes", "it would begin another header"),
    Hostile("line-feed-in-query", "http://media.example/?a=\nX-Injected: yes", "it would begin another header"),
    Hostile("tab-in-host", "http://127.0.0.1\t:{port}/", "some parsers leave tabs out"),
    Hostile("tab-in-scheme", "ht\ttp://127.0.0.1:{port}/", "some parsers leave tabs out"),
    Hostile("nul-in-path", "http://media.example/\x00", "C strings end there"),
    Hostile("delete-in-path", "http://media.example/\x7f", "no printable character"),
    Hostile("half-a-surrogate", "http://media.example/\ud800", "it has no bytes"),
    Hostile("no-host", "http:///etc/passwd", "no host"),
    Hostile("no-slashes", "http:127.0.0.1:{port}/", "some parsers add the slashes"),
    Hostile("one-slash", "http:/127.0.0.1:{port}/", "some parsers add the slash"),
    Hostile("three-slashes", "http:///127.0.0.1:{port}/", "some parsers drop a slash"),
    Hostile("backslashes", "http:\\\\127.0.0.1:{port}\\", "some parsers turn them"),
    Hostile("no-scheme", "//127.0.0.1:{port}/", "it takes the scheme of what it stands in"),
    Hostile("open-bracket", "http://[::1:{port}/", "not an address"),
    Hostile("brackets-with-dots", "http://[127.0.0.1]:{port}/", "brackets are for IPv6"),
    Hostile("future-address", "http://[v1.::1]:{port}/", "a form of address that nobody has defined yet"),
    Hostile("space-first", " http://127.0.0.1:{port}/", "some parsers leave spaces out"),
    Hostile("line-break-last", "http://media.example/\n", "some parsers leave line breaks out"),
    Hostile("nul-in-host", "http://127.0.0.1%00.media.example:{port}/", "C strings end there"),
    Hostile("after-brackets", "http://[::1]extra:{port}/", _PARSER),
    Hostile("numbers-beyond", "http://256.256.256.256/", "neither an address nor a name"),
    Hostile("label-too-long", f"http://{'a' * 64}.example/", "no name has such a part"),
    Hostile("name-too-long", f"http://{'a.' * 130}example/", "no name is that long"),
    Hostile("empty-label", "http://media..example/", "no name has an empty part"),
    Hostile("too-long", f"http://media.example/{'a' * 8192}", "longer than any address that media have"),
)
SCHEMES: Final = (
    Hostile("file", "file:///etc/passwd", _SCHEME),
    Hostile("file-host", "file://127.0.0.1/etc/passwd", _SCHEME),
    Hostile("gopher", "gopher://127.0.0.1:{port}/_GET", _SCHEME),
    Hostile("ftp", "ftp://127.0.0.1:{port}/a.png", _SCHEME),
    Hostile("sftp", "sftp://127.0.0.1:{port}/a.png", _SCHEME),
    Hostile("dict", "dict://127.0.0.1:{port}/stat", _SCHEME),
    Hostile("ldap", "ldap://127.0.0.1:{port}/", _SCHEME),
    Hostile("tftp", "tftp://127.0.0.1:{port}/a", _SCHEME),
    Hostile("web-socket", "ws://127.0.0.1:{port}/", _SCHEME),
    Hostile("unix-socket", "http+unix://%2fvar%2frun%2fdocker.sock/info", _SCHEME),
    Hostile("java-archive", "jar:http://127.0.0.1:{port}/a.jar!/", _SCHEME),
    Hostile("script", "javascript:alert(1)//http://media.example/", _SCHEME),
    Hostile("script-slashes", "javascript://media.example/%0aalert(1)", _SCHEME),
    Hostile("php-filter", "php://filter/resource=/etc/passwd", _SCHEME),
    Hostile("own-reference", "unitask-artifact://2026/a.png", _SCHEME),
    Hostile("data-page", "data:text/html,<script>alert(1)</script>", _SCHEME),
    Hostile("blob", "blob:http://127.0.0.1:{port}/a", _SCHEME),
    Hostile("playlist", "concat:http://127.0.0.1:{port}/a", _SCHEME),
)
PORTS: Final = (
    Hostile("port-zero", "http://media.example:0/", _PORT),
    Hostile("port-beyond", "http://media.example:65536/", _PORT),
    Hostile("port-huge", "http://media.example:99999999999999999999/", _PORT),
    Hostile("port-negative", "http://media.example:-1/", _PORT),
    Hostile("port-twice", "http://media.example:80:80/", _PORT),
    Hostile("port-word", "http://media.example:http/", _PORT),
    *(
        Hostile(f"port-of-{protocol}", f"http://media.example:{number}/", _PORT)
        for protocol, number in (
            *(("ftp", 21), ("ssh", 22), ("telnet", 23), ("smtp", 25), ("dns", 53), ("pop", 110), ("imap", 143)),
            *(("ldap", 389), ("smb", 445), ("syslog", 514), ("submission", 587), ("nfs", 2049), ("mysql", 3306)),
            *(("postgresql", 5432), ("redis", 6379), ("irc", 6667), ("memcached", 11211)),
        )
    ),
)
ADDRESSES: Final = (*BLOCKS, *INSIDE, *SPELT, *NAMES_OF_MACHINES, *PARSED, *SCHEMES, *PORTS)
"""Refused by their text, wherever a client may name an address."""

RESOLVED: Final = (
    Named("to-loopback", (("127.0.0.1",),), _LOCAL),
    Named("to-loopback-v6", (("::1",),), _LOCAL),
    Named("to-unspecified", (("0.0.0.0",),), _LOCAL),
    Named("to-unspecified-v6", (("::",),), _LOCAL),
    Named("to-mapped", (("::ffff:127.0.0.1",),), _INSIDE),
    Named("to-nat64", (("64:ff9b::7f00:1",),), "what a DNS64 server makes of 127.0.0.1"),
    Named("to-6to4", (("2002:7f00:1::1",),), _INSIDE),
    Named("to-private-10", (("10.0.0.7",),), "a private network"),
    Named("to-private-172", (("172.20.0.7",),), "a private network"),
    Named("to-private-192", (("192.168.1.1",),), "a private network"),
    Named("to-shared", (("100.64.0.1",),), "a carrier's network"),
    Named("to-unique-local", (("fd12:3456::1",),), "a private network"),
    Named("to-link-local", (("fe80::1%eth0",),), "a network card's own network"),
    Named("to-metadata", (("169.254.169.254",),), _META),
    Named("to-metadata-v6", (("fd00:ec2::254",),), _META),
    Named("to-broadcast", (("255.255.255.255",),), "everyone"),
    Named("public-then-private", ((PUBLIC, "10.0.0.7"),), "one of two addresses is private"),
    Named("private-then-public", (("127.0.0.1", PUBLIC),), "one of two addresses is private"),
    Named("public-and-loopback-v6", ((PUBLIC, "::1"),), "one of two addresses is private"),
)
"""Names that pass as text and are refused when they are looked up."""
REBINDING: Final = Named("moves", ((PUBLIC,), ("127.0.0.1",)), "public at the check, private a moment later")

CHAINS: Final = (
    Chain("to-loopback", ("http://127.0.0.1:{port}/",), _LOCAL),
    Chain("to-loopback-v6", ("http://[::1]:{port}/",), _LOCAL),
    Chain("to-localhost", ("http://localhost:{port}/",), _LOCAL),
    Chain("to-decimal", ("http://2130706433:{port}/",), _SPELT),
    Chain("to-metadata", ("http://169.254.169.254/latest/",), _META),
    Chain("to-metadata-without-scheme", ("//169.254.169.254/latest/",), _META),
    Chain("to-private-name", ("http://to-private-10.example/",), "a name that resolves to a private address"),
    Chain("in-two-steps", ("/next", "http://127.0.0.1:{port}/"), _LOCAL),
    Chain("in-five-steps", (*("/next",) * 4, "http://127.0.0.1:{port}/"), _LOCAL),
    Chain("to-file", ("file:///etc/passwd",), _SCHEME),
    Chain("to-gopher", ("gopher://127.0.0.1:{port}/",), _SCHEME),
    Chain("to-data", ("data:image/png;base64,AAAA",), _SCHEME),
    Chain("to-user", ("http://user@media.example/",), _PARSER),
    Chain("to-mail", ("http://media.example:25/",), _PORT),
    Chain("to-itself", ("/again",), "it never ends"),
    Chain("in-a-ring", ("/one", "/two"), "it never ends"),
    Chain("six-steps", (*("/next",) * 6, "/end"), "more steps than five"),
    Chain("line-break", ("http://media.example/\x0bX-Injected: yes",), "no printable character"),
)
"""Redirects of a public server that are not followed to their end."""
