"""Every trouble that `unitask doctor` knows, with its cure. docs/guide/doctor.md has the same table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """A trouble and its cure; `{...}` is filled in where it is found.

    A note is worth knowing and no trouble: it does not change the exit status. `says_cure` is false where what is
    filled in says by itself what to do.
    """

    sentence: str
    cure: str
    is_note: bool = False
    says_cure: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """A trouble that was found."""

    name: str
    text: str

    @property
    def is_note(self) -> bool:
        """Whether it is only worth knowing."""
        return KNOWN[self.name].is_note


Findings = Iterator[Found]


def found(name: str, **values: object) -> Found:
    """Write down a trouble."""
    kind = KNOWN[name]
    text = f"{kind.sentence}; {kind.cure}" if kind.says_cure else kind.sentence
    return Found(name, text.format(**values))


_WORKERS: Final = "start one (`unitask worker`), or see the log of the one that should run"

KNOWN: Final[Mapping[str, Kind]] = {
    # settings
    "setting-unknown": Kind("{variable} is no setting and does nothing: {guess}", "correct its name, or unset it"),
    "engine-unknown": Kind("{why}", "correct UNITASK_ENGINES, or install the engine", says_cure=False),
    "key-weak": Kind("{setting} is easy to guess", "take another, for example of `openssl rand -hex 32`"),
    "secret-of-one": Kind(
        "UNITASK_SECRET is not set and the database is PostgreSQL: every server would make a secret of its own",
        "set it everywhere to the same, on a server that has run to what is in {path}",
    ),
    "private-open": Kind(
        "UNITASK_ALLOW_PRIVATE_NETWORKS is on at a server that others reach: clients can have it read its own network",
        "unset it; for providers of your own network give the worker alone this setting",
    ),
    "public-unset": Kind(
        "the server listens on {host} and UNITASK_PUBLIC_URL is not set: addresses of results lead to {url}",
        "set it to the address at which clients reach this server",
    ),
    "public-plain": Kind(
        "UNITASK_PUBLIC_URL begins with http://: keys and files cross the network in the clear",
        "put a proxy with TLS before the server, see docs/guide/hardening.md",
        is_note=True,
    ),
    "proxy-unknown": Kind(
        "UNITASK_TRUSTED_PROXIES is not set and UNITASK_PUBLIC_URL leads to a proxy: all clients have its address",
        "set it to the address from which the proxy connects",
    ),
    "previews": Kind(
        "{number} products are made as previews: drawings that show the way, no pictures of a model",
        "bring weights or name a provider; to refuse them leave `preview` out of UNITASK_ENGINES",
        is_note=True,
    ),
    "marks-off": Kind(
        "UNITASK_MARKS is off: nothing in a file says that it was generated",
        "see docs/guide/provenance.md for what the law wants",
        is_note=True,
    ),
    "marks-certificate": Kind("{why}", "correct the two files, or unset both", says_cure=False),
    "marks-unsigned": Kind(
        "UNITASK_MARK_CERTIFICATE is set and nothing can be signed", "pip install 'unitask[provenance]'"
    ),
    "tracing-missing": Kind("UNITASK_TRACING is on and its libraries are missing", "pip install 'unitask[tracing]'"),
    "tracing-address": Kind(
        "UNITASK_TRACING is on and {setting} is no address of a collector",
        "begin it with http:// or https://, as http://localhost:4318",
    ),
    "tracing-sampler": Kind(
        "UNITASK_TRACING is on and OTEL_TRACES_SAMPLER names no sampler: {sampler}",
        "take always_on, always_off or traceidratio, or one of them with parentbased_ before it",
    ),
    # this machine
    "data-no-folder": Kind("{path} is a file", "set UNITASK_DATA to a folder"),
    "data-read-only": Kind(
        "{path} cannot be written by this user", "give it to the user of the server, or set UNITASK_DATA"
    ),
    "disk-full": Kind("only {free} MiB are free for {path}", "make room or set UNITASK_DATA"),
    "files-full": Kind(
        "no more than {free} files can be made in {path}", "delete some, or take a disk with more inodes"
    ),
    "scratch-full": Kind(
        "only {free} MiB are free in {path}, where engines keep what they work on", "make room or set TMPDIR"
    ),
    "secret-readable": Kind("other users of this machine can read {path}", "chmod 600 {path}"),
    "data-readable": Kind(
        "other users of this machine can read the database in {path}", "chmod 700 {path}", is_note=True
    ),
    "files-few": Kind(
        "this process may open {limit} files; a busy server needs thousands",
        "raise the limit: LimitNOFILE= of the unit, or `ulimit -n 65536`",
    ),
    "gpu-no-torch": Kind(
        "nvidia-smi sees {number} cards, and torch is not installed: nothing uses them",
        "pip install 'unitask[models]' with a torch for CUDA, see docs/guide/models.md",
        is_note=True,
    ),
    "gpu-unseen": Kind(
        "nvidia-smi sees {number} cards and torch none",
        "install a torch for CUDA that this driver can run, see docs/guide/models.md",
    ),
    "clock-off": Kind(
        "the clock of this machine is {off} s away from that of {whom}",
        "let both follow a time server (NTP): signatures of stores and webhooks fail otherwise",
    ),
    # addresses
    "server-away": Kind("no server answers at {url}", "start it if it should run", is_note=True),
    "port-taken": Kind("something that is not Unitask answers at {url}", "end it, or set UNITASK_PORT to a free port"),
    "not-ready": Kind("the server at {url} is not ready: {why}", "see its log; `/readyz` says when it is"),
    "public-away": Kind(
        "UNITASK_PUBLIC_URL does not lead here: {why}", "see the proxy and the name, or correct the setting"
    ),
    "public-other": Kind(
        "UNITASK_PUBLIC_URL leads to something that is not Unitask", "see the proxy, or correct the setting"
    ),
    "public-moved": Kind("UNITASK_PUBLIC_URL is redirected to {target}", "set it to the address where that ends"),
    "api-away": Kind("UNITASK_API_URL leads to no server: {why}", "correct it, or start the server"),
    "worker-no-token": Kind("UNITASK_WORKER_TOKEN is not set: no API lets this worker in", "set it to the API's"),
    "worker-token": Kind("the API at {url} does not take UNITASK_WORKER_TOKEN", "set it to the API's"),
    # database
    "database-schema": Kind("{why}", "as it says; `unitask up` migrates by itself", says_cure=False),
    "database-away": Kind("{why}", "see that it runs and that UNITASK_DATABASE_URL is right"),
    "database-locked": Kind(
        "the database {path} is locked by another program for more than {seconds} s",
        "end what holds it: a shell, a copy, a backup of files",
    ),
    "database-read-only": Kind(
        "the database {path} cannot be opened to be written", "give it, and its folder, to the server's user"
    ),
    "database-fails": Kind(
        "the database {path} cannot be used: {why}", "see whether its disk is full or broken; make room there"
    ),
    "database-no-wal": Kind(
        "the database {path} does not keep a write-ahead log ({mode}): readers and writers wait for each other",
        "let it lie on a local disk, not on a network share, and start the server",
    ),
    "secret-lost": Kind(
        "the database has keys, and their secret is neither in {path} nor in UNITASK_SECRET: no key opens anything",
        "bring it back from a backup",
    ),
    "secret-other": Kind(
        "what is sealed in the database does not open with the secret of these settings",
        "set UNITASK_SECRET to the one that it was sealed under; a backup may have it",
    ),
    "books-wrong": Kind("the books: {why}", "keep a backup, and tell the project what `unitask ledger check` says"),
    # work
    "no-worker": Kind("{number} tasks wait and no worker is alive", _WORKERS),
    "no-maker": Kind("{number} tasks of {product} wait for the engine {engine}, which no living worker has", _WORKERS),
    "no-housekeeping": Kind(
        "{number} tasks are past their deadline and have not ended: no server does the housekeeping",
        "start a server, or see the log of the one that runs",
    ),
    "messages-late": Kind(
        "{number} webhook messages are due for more than {minutes} minutes",
        "see that a server runs and that it reaches the receivers",
    ),
    "endpoints-off": Kind(
        "{number} endpoints of webhooks are disabled because they failed for days",
        "tell their owners; a sample that arrives opens one again, see docs/guide/webhooks.md",
        is_note=True,
    ),
    "leftovers": Kind(
        "{number} jobs at the provider {provider} should have been cancelled there for an hour",
        "see that a worker with this provider runs; they may cost money",
    ),
    # what else it asks
    "store-fails": Kind(
        "the store of files does not work: {why}", "see its folder, or the bucket, its keys and this machine's clock"
    ),
    "product-unmade": Kind("{product} cannot be made: {why}", "as it says", says_cure=False),
    "provider-down": Kind("the provider {provider} does not answer: {why}", "see that it runs at {at}"),
    "provider-no-key": Kind("the provider {provider} is not used: {why}", "set its key, as it says", says_cure=False),
    "too-slow": Kind("{what} took longer than {seconds} s to look at", "see why: a database or network that hangs"),
}
