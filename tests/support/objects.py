"""An object store: the server of `moto`, which speaks S3, as a process on loopback."""

import ipaddress
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.machine import free_port
from support.wait import until

ACCESS_KEY_ID = "AKIAEXAMPLEONLY00000"
SECRET = "a-secret-of-the-object-store"
REGION = "us-east-1"
_START_S = 30.0


@dataclass(frozen=True, slots=True)
class Objects:
    """A running object store, seen past Unitask; it asks nobody for a signature. `trust`: who vouches for its TLS."""

    address: str
    http: httpx.Client
    process: "subprocess.Popen[bytes]"
    trust: str = ""

    def make(self, bucket: str) -> str:
        """Make a bucket; gives its name."""
        assert self.http.put(f"/{bucket}").is_success
        return bucket

    def names(self, bucket: str) -> list[str]:
        """List what lies in a bucket."""
        return re.findall(r"<Key>([^<]+)</Key>", self.http.get(f"/{bucket}", params={"list-type": "2"}).text)

    def parts(self, bucket: str) -> list[str]:
        """List uploads in parts that have neither ended nor been taken back."""
        return re.findall(r"<UploadId>([^<]+)</UploadId>", self.http.get(f"/{bucket}", params={"uploads": ""}).text)

    def get(self, bucket: str, name: str) -> httpx.Response:
        """Read a file."""
        return self.http.get(f"/{bucket}/{name}")

    def put(self, bucket: str, name: str, content: bytes, content_type: str = "image/png") -> None:
        """Write a file."""
        headers = {"Content-Type": content_type}
        assert self.http.put(f"/{bucket}/{name}", content=content, headers=headers).is_success

    def settings(self, bucket: str) -> dict[str, Any]:
        """Give the settings of a server whose files lie in this bucket."""
        return {
            "store": f"s3://{bucket}",
            "s3_endpoint": self.address,
            "s3_region": REGION,
            "s3_access_key_id": ACCESS_KEY_ID,
            "s3_secret_access_key": SECRET,
        }

    def own(self, name: str, **changes: str) -> dict[str, str]:
        """Give what an account sends to have this as its own bucket."""
        keys = {"access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET}
        return {"bucket": name, "endpoint": self.address, "region": REGION, **keys} | changes


@contextmanager
def object_store(folder: Path, *, tls: bool = False) -> Iterator[Objects]:
    """Run one until the end of the block."""
    port, log = free_port(), folder / "objects.log"
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    trust = certificates(folder) if tls else ""
    if tls:
        command += ["-s", "-c", str(folder / "leaf.pem"), "-k", str(folder / "leaf.key")]
    address = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
    client = httpx.Client(base_url=address, trust_env=False, verify=False, timeout=20)  # noqa: S501 - our own, on loopback
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output, env=_plain()) as process:
        try:
            until(lambda: _answers(client, process, log), within_s=_START_S, what="the start of the object store")
            yield Objects(address, client, process, trust)
        finally:
            client.close()
            process.kill()


def _plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}


def _answers(client: httpx.Client, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return client.get("/moto-api/data.json").is_success
    except httpx.TransportError:
        return False


def certificates(folder: Path) -> str:
    """Write `leaf.pem` and `leaf.key` for localhost; gives the file of the authority that vouches for them."""
    authority_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority, leaf = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("tests", "localhost"))
    here = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    names = x509.SubjectAlternativeName(here)
    for subject, key, extension, file in (
        (authority, authority_key, x509.BasicConstraints(ca=True, path_length=None), "authority.pem"),
        (leaf, leaf_key, names, "leaf.pem"),
    ):
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(extension, critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        (folder / file).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    (folder / "leaf.key").write_bytes(leaf_key.private_bytes(serialization.Encoding.PEM, form, plain))
    return str(folder / "authority.pem")
