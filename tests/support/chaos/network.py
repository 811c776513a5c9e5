"""Several machines on one: network namespaces where they are allowed, else loopback, where nothing can be cut."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

_MARK: Final = os.getpid() % 100_000
_runs: Final = itertools.count()


class NotAllowed(Exception):
    """It cannot be done on this machine or by this user; the sentence says what is missing."""


@dataclass(frozen=True, slots=True)
class Host:
    """A machine. `within`: what stands before a command that is to run on it."""

    name: str
    address: str
    within: tuple[str, ...] = ()


@dataclass
class Loopback:
    """One machine for all."""

    why: str
    driver: Host = field(default_factory=lambda: Host("driver", "127.0.0.1"))

    def host(self, name: str) -> Host:
        """Give a name to this machine."""
        return Host(name, self.driver.address)

    def cut(self, *_: Host) -> None:
        """Refuse."""
        raise NotAllowed(self.why)

    heal = cut


@dataclass
class Namespaces:
    """Hosts on a bridge in a namespace of its own; this process is one of them by one pair of interfaces."""

    subnet: str
    tag: str
    made: list[str] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(2))

    def __post_init__(self) -> None:
        """Lay the bridge and this process's own cable."""
        self.hub = self._namespace("hub")
        _ip("-n", self.hub, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self.hub, "link", "set", "bridge", "up")
        self.driver = Host("driver", f"{self.subnet}.1")
        cable = f"{self.tag}d"
        _ip("link", "add", cable, "type", "veth", "peer", "name", "driver", "netns", self.hub)
        _ip("addr", "add", f"{self.driver.address}/24", "dev", cable)
        _ip("link", "set", cable, "up")
        _ip("-n", self.hub, "link", "set", "driver", "master", "bridge", "up")

    def host(self, name: str) -> Host:
        """Make a host."""
        namespace, address = self._namespace(name), f"{self.subnet}.{next(self.numbers)}"
        _ip("-n", namespace, "link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", self.hub)
        _ip("-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", namespace, "link", "set", "eth0", "up")
        _ip("-n", self.hub, "link", "set", name, "master", "bridge", "up")
        return Host(name, address, ("ip", "netns", "exec", namespace))

    def cut(self, host: Host, *others: Host) -> None:
        """Lose every packet of a host without a word, or only those from others; connections stay open and silent."""
        self._switch(host, others, "-A", "down")

    def heal(self, host: Host, *others: Host) -> None:
        """Put the cable back."""
        self._switch(host, others, "-D", "up")

    def _switch(self, host: Host, others: tuple[Host, ...], rule: str, link: str) -> None:
        if not others:
            _ip("-n", self.hub, "link", "set", host.name, link)
        for other in others:
            _call(*host.within, "iptables", "-w", rule, "INPUT", "-s", other.address, "-j", "DROP")

    def _namespace(self, name: str) -> str:
        namespace = f"{self.tag}-{name}"
        _ip("netns", "add", namespace)
        self.made.append(namespace)
        _ip("-n", namespace, "link", "set", "lo", "up")
        return namespace

    def end(self) -> None:
        """Take all of it away; what ran in it must have ended."""
        for namespace in reversed(self.made):
            _ip("netns", "del", namespace)


Network = Loopback | Namespaces


@contextmanager
def network() -> Iterator[Network]:
    """Make namespaces, or say why it is loopback."""
    try:
        made = _namespaces()
    except NotAllowed as error:
        yield Loopback(str(error))
        return
    try:
        yield made
    finally:
        made.end()


def _namespaces() -> Namespaces:
    for program in ("ip", "iptables"):
        if not shutil.which(program):
            raise NotAllowed(f"network namespaces need the program {program}")
    number = next(_runs)
    made = None
    try:
        tag = f"ut{_MARK}{chr(ord('a') + number % 26)}"
        _ip("netns", "add", f"{tag}-try")
        try:
            _call("ip", "netns", "exec", f"{tag}-try", "iptables", "-w", "-L", "-n")
        finally:
            _ip("netns", "del", f"{tag}-try")
        made = Namespaces(f"10.{200 + number % 50}.{_MARK % 250}", tag)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise NotAllowed(f"network namespaces are not allowed here: {said[-1] if said else error}") from error
    return made


def _ip(*arguments: str) -> None:
    _call("ip", *arguments)


def _call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=20)
