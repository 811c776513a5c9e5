"""Secrets that have to be read again, encrypted under the installation's own."""

import base64
import hmac
from typing import TYPE_CHECKING

from unitask.kit.errors import Unavailable

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class Broken(Exception):
    """What is to be opened was sealed under another secret or label, or has been changed since."""


class Seal:
    """Closes texts under a secret, for one purpose: what was sealed under one label opens under no other."""

    def __init__(self, secret: str, label: bytes) -> None:
        self._key = base64.urlsafe_b64encode(hmac.digest(secret.encode(), label, "sha256"))

    def close(self, text: str) -> str:
        """Encrypt a text; the same text looks different each time.

        Raises:
            Unavailable: the library that encrypts is not installed.

        """
        return self._cipher().encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Give the text that was closed.

        Raises:
            Broken: it was not closed by this seal, or it was changed.
            Unavailable: the library that decrypts is not installed.

        """
        cipher = self._cipher()
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - only where something is sealed

        try:
            return cipher.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise Broken("it was sealed under another secret") from None

    def _cipher(self) -> "Fernet":
        try:
            from cryptography.fernet import Fernet  # noqa: PLC0415 - only where something is sealed
        except ModuleNotFoundError as error:
            raise Unavailable("secrets are kept encrypted, which needs: pip install 'unitask[s3]'") from error
        return Fernet(self._key)
