"""Reading the files that an input names: our own from the API, all others under guard."""

from pathlib import Path
from typing import Final

import httpx

from unitask.artifacts.model import is_stored_name
from unitask.kit.errors import MediaFailure
from unitask.kit.media import HEAD_BYTES, Sniffed, sniff
from unitask.kit.net import Guard, Refused, Unreachable
from unitask.spec.media import Media

_PHRASES: Final = {
    "image": "failed to get valid image",
    "video": "failed to get valid video",
    "audio": "failed to get input audio",
}


class Sources:
    """Clients name stored files by `files_url`; they are read by `own_files_url`, from the API, which is trusted."""

    def __init__(self, *, files_url: str, own_files_url: str, allow_private: bool) -> None:
        self._files_url = files_url
        self._own_files_url = own_files_url
        self._guard = Guard(allow_private=allow_private)

    def own_name(self, source: str) -> str | None:
        """Give the stored name of an address that leads to a file of ours, None for any other."""
        name = source.removeprefix(self._files_url)
        return name if name != source and is_stored_name(name) else None

    def fetch(self, source: str, media: Media, into: Path, *, timeout_s: float) -> Sniffed:
        """Write the file behind an address to `into`, within the field's limits; tells what it is.

        Raises:
            MediaFailure: unreachable, too large, or not of this kind.

        """
        phrase = _PHRASES[media.kind]
        try:
            if name := self.own_name(source):
                self._fetch_own(name, into, media.limit_bytes, timeout_s)
            else:
                self._guard.download(source, into, limit_bytes=media.limit_bytes, timeout_s=timeout_s)
        except (Refused, Unreachable) as error:
            raw_message = error.raw_message if isinstance(error, Unreachable) else ""
            raise MediaFailure(f"{phrase}: {error}", raw_message=raw_message) from error
        with into.open("rb") as file:
            found = sniff(file.read(HEAD_BYTES))
        if found is None or found.kind != media.kind:
            seen = f"it is {found.content_type}" if found else "its format is unknown"
            raise MediaFailure(f"{phrase}: the address must lead to {media.kind} data, {seen}")
        return found

    def _fetch_own(self, name: str, into: Path, limit_bytes: int, timeout_s: float) -> None:
        """Read a file of our own store from the API, however clients reach it.

        As a download it never sends us on: an account's own bucket is a stranger's server.
        """
        size = 0
        try:
            with (
                httpx.Client(trust_env=False, timeout=timeout_s) as client,
                client.stream("GET", self._own_files_url + name, params={"download": "1"}) as answer,
                into.open("wb") as file,
            ):
                if not answer.is_success:
                    raise Unreachable("the file is not there; it may have expired")
                for chunk in answer.iter_bytes():
                    size += len(chunk)
                    if size > limit_bytes:
                        raise Unreachable(f"the file is larger than {limit_bytes} bytes; send a smaller one")
                    file.write(chunk)
        except httpx.HTTPError as error:
            raise Unreachable("the store did not answer") from error
