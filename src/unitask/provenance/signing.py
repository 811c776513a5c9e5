"""The key that signs manifests, and the certificates that say whose it is. It never leaves the API.

Where the operator has no certificate of his own, key and certificates follow from the installation's secret: every API
process comes to the very same, and nothing has to be stored or agreed upon. The signature by Ed25519 is deterministic,
the dates and numbers are constants.
"""

import asyncio
import hashlib
import hmac
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from unitask.kit.errors import Unavailable
from unitask.kit.libraries import absent
from unitask.provenance.manifest import LIBRARY, Trust

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

LIBRARIES: Final = (LIBRARY, "cryptography")
_SINCE: Final = datetime(2024, 1, 1, tzinfo=UTC)
_UNTIL: Final = datetime(2124, 1, 1, tzinfo=UTC)
# C2PA takes certificates for signing mail or documents.
_USES: Final = ("1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36")
_CURVES: Final = {256: "ES256", 384: "ES384", 521: "ES512"}
_READERS: Final = 2


@dataclass(frozen=True)
class Signer:
    """Signs for the installation. `chain`: PEM, the signer's own certificate first; `key`: its private key, PEM."""

    chain: str
    key: bytes
    trust: Trust

    @classmethod
    def derived(cls, secret: str) -> Self:
        """Build the key and the certificates that follow from a secret."""
        from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - only where files are signed

        root, leaf = (_key(secret, label) for label in (b"marks-root", b"marks-leaf"))
        anchor, own = _certificates(root, leaf)
        key = leaf.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
        pems = [one.public_bytes(form.Encoding.PEM).decode() for one in (own, anchor)]
        return cls("".join(pems), key, Trust(anchors=pems[1], serials=(str(own.serial_number),)))

    def with_own(self, certificate: Path, key: Path) -> Self:
        """Sign by the operator's certificate from now on; what was signed by the derived one stays ours.

        Raises:
            ValueError, OSError: they cannot be read, or do not belong together.

        """
        from cryptography import x509  # noqa: PLC0415 - as above
        from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - as above

        chain = x509.load_pem_x509_certificates(certificate.read_bytes())
        signer = type(self)(certificate.read_text("ascii"), key.read_bytes(), self.trust)
        if signer.private.public_key() != chain[0].public_key():
            raise ValueError("the key is not that of the first certificate")
        last = chain[-1].public_bytes(form.Encoding.PEM).decode()
        serials = (str(chain[0].serial_number), *self.trust.serials)
        return type(self)(signer.chain, signer.key, Trust(anchors=last + self.trust.anchors, serials=serials))

    @cached_property
    def private(self) -> Any:
        """The private key, read.

        Raises:
            ValueError: it cannot be, or C2PA knows no signature by such a key.

        """
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - as above

        try:
            return load_pem_private_key(self.key, None)
        except TypeError as error:
            raise ValueError("the key is locked by a password") from error

    @cached_property
    def algorithm(self) -> str:
        """C2PA's name of the way of signing.

        Raises:
            ValueError: it has none for such a key.

        """
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415 - as above

        match self.private:
            case ed25519.Ed25519PrivateKey():
                return "ED25519"
            case ec.EllipticCurvePrivateKey() as key if key.curve.key_size in _CURVES:
                return _CURVES[key.curve.key_size]
            case rsa.RSAPrivateKey():
                return "PS256"
        raise ValueError("the key is neither Ed25519, nor of a curve of NIST, nor RSA")

    @property
    def chain_sha256(self) -> str:
        """What the chain is known by."""
        return hashlib.sha256(self.chain.encode()).hexdigest()

    def sign(self, content: bytes) -> bytes:
        """Sign in the form that C2PA demands."""
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - as above
        from cryptography.hazmat.primitives.asymmetric import ec, padding, utils  # noqa: PLC0415 - as above

        if self.algorithm == "ED25519":
            return bytes(self.private.sign(content))
        if self.algorithm == "PS256":
            digest = hashes.SHA256()
            return bytes(self.private.sign(content, padding.PSS(padding.MGF1(digest), digest.digest_size), digest))
        bits = self.private.curve.key_size
        hashed = {256: hashes.SHA256(), 384: hashes.SHA384()}.get(bits, hashes.SHA512())
        pair = utils.decode_dss_signature(self.private.sign(content, ec.ECDSA(hashed)))
        return b"".join(number.to_bytes((bits + 7) // 8, "big") for number in pair)


class Signing:
    """The signer of an installation, made when something is to be signed or checked for the first time."""

    def __init__(self, secret: str, certificate: Path | None, key: Path | None) -> None:
        self._secret = secret
        self._certificate = certificate
        self._key = key
        self._making = threading.Lock()
        self.readers = asyncio.Semaphore(_READERS)
        """How many files may be taken apart at a time to see who signed them."""
        self._made: Signer | None = None

    @property
    def is_own(self) -> bool:
        """Whether the operator set a certificate, which should be looked at when the server starts."""
        return self._certificate is not None or self._key is not None

    def signer(self) -> Signer | None:
        """Give the signer; None where its libraries are not installed.

        Raises:
            Unavailable: the operator's certificate cannot be used.

        """
        with self._making:
            if self._made is None and not absent(LIBRARIES):
                self._made = self._open()
            return self._made

    def _open(self) -> Signer:
        signer = Signer.derived(self._secret)
        if not self.is_own:
            return signer
        if self._certificate is None or self._key is None:
            raise Unavailable("UNITASK_MARK_CERTIFICATE and UNITASK_MARK_KEY go together: set both or neither")
        try:
            signer = signer.with_own(self._certificate, self._key)
            signer.sign(signer.algorithm.encode())
        except (OSError, ValueError) as error:
            raise Unavailable(f"UNITASK_MARK_CERTIFICATE and UNITASK_MARK_KEY cannot be used: {error}") from error
        return signer


def _key(secret: str, label: bytes) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above

    return Ed25519PrivateKey.from_private_bytes(hmac.digest(secret.encode(), label, "sha256"))


def _certificates(root: "Ed25519PrivateKey", leaf: "Ed25519PrivateKey") -> "Sequence[x509.Certificate]":
    """Make the root's certificate and the one that it gives to the leaf; their numbers follow from their keys."""
    from cryptography import x509  # noqa: PLC0415 - as above
    from cryptography.x509.oid import NameOID, ObjectIdentifier  # noqa: PLC0415 - as above

    made = []
    for key, title in ((root, "Unitask installation"), (leaf, "Unitask marks")):
        is_root = key is root
        digest = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(NameOID, title))
            .issuer_name(_name(NameOID, "Unitask installation"))
            .public_key(key.public_key())
            .serial_number(int.from_bytes(digest.digest[:8], "big") | 1)
            .not_valid_before(_SINCE)
            .not_valid_after(_UNTIL)
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=0 if is_root else None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not is_root,
                    key_cert_sign=is_root,
                    crl_sign=is_root,
                    encipher_only=False,
                    decipher_only=False,
                    **usage,
                ),
                critical=True,
            )
            .add_extension(digest, critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
        )
        if not is_root:
            uses = x509.ExtendedKeyUsage([ObjectIdentifier(use) for use in _USES])
            builder = builder.add_extension(uses, critical=False)
        made.append(builder.sign(root, None))
    return made


def _name(oid: Any, title: str) -> "x509.Name":
    from cryptography import x509  # noqa: PLC0415 - as above

    return x509.Name([x509.NameAttribute(oid.ORGANIZATION_NAME, "Unitask"), x509.NameAttribute(oid.COMMON_NAME, title)])
