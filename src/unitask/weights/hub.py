"""The hub that weights come from, by the library `huggingface_hub`: Hugging Face, or the mirror in `HF_ENDPOINT`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from unitask.kit.errors import Unavailable

_FORBIDDEN = (401, 403)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a repository. Large ones have a `sha256`; of the others the hub knows git's own checksum."""

    path: str
    size_bytes: int
    sha256: str = ""
    git_sha1: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a repository holds at a commit."""

    commit: str
    files: tuple[RemoteFile, ...]


class Hub:
    """Reads repositories of models. `endpoint` None: the address in `HF_ENDPOINT`, else Hugging Face."""

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint

    def listing(self, repository: str, revision: str) -> Listing:
        """List the files of a repository at a branch, tag or commit.

        Raises:
            Unavailable: the hub is out of reach, or does not give this repository; says what to do.

        """
        with self._sentences(repository):
            from huggingface_hub import HfApi  # noqa: PLC0415 - an extra brings it

            info = HfApi(endpoint=self._endpoint).model_info(repository, revision=revision, files_metadata=True)
        files = tuple(
            RemoteFile(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else "", one.blob_id or "")
            for one in info.siblings or ()
        )
        return Listing(info.sha or revision, files)

    def fetch(self, repository: str, commit: str, file: RemoteFile, target: Path) -> None:
        """Load what is not yet in `target` of a file and append it; a broken connection is tried again. Shows a bar.

        Raises:
            Unavailable: the hub is out of reach, or does not give this file. What has come stays.

        """
        with self._sentences(repository):
            from huggingface_hub import hf_hub_url  # noqa: PLC0415 - an extra brings it
            from huggingface_hub.file_download import http_get  # noqa: PLC0415
            from huggingface_hub.utils import build_hf_headers  # noqa: PLC0415

            url = hf_hub_url(repository, file.path, revision=commit, endpoint=self._endpoint)
            with target.open("ab") as content:
                http_get(
                    url,
                    content,
                    resume_size=content.tell(),
                    headers=build_hf_headers(),
                    expected_size=file.size_bytes,
                    displayed_filename=file.path,
                )

    @contextmanager
    def _sentences(self, repository: str) -> Iterator[None]:
        """Turn what the library raises into what a person can act on."""
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # the hub needs not know what else is installed here
        try:
            from huggingface_hub import constants, errors  # noqa: PLC0415 - an extra brings it
        except ImportError as error:
            raise Unavailable(
                f"huggingface_hub cannot be loaded ({error}); install it with: pip install 'unitask[models]'"
            ) from error
        address = self._endpoint or constants.ENDPOINT
        try:
            yield
        except errors.OfflineModeIsEnabled as error:
            raise Unavailable("HF_HUB_OFFLINE is set, so nothing comes; unset it, or import a folder") from error
        except errors.RevisionNotFoundError as error:
            raise Unavailable(f"{address}/{repository} has no such revision; correct it in the card") from error
        except errors.HfHubHTTPError as error:
            raise Unavailable(_refusal(f"{address}/{repository}", error.response.status_code, error)) from error
        except (errors.HTTPError, OSError, ValueError, LookupError) as error:
            if isinstance(error, OSError) and error.errno:  # the hub's own errors have no number
                raise Unavailable(f"the file cannot be written: {error}; what has come is kept") from error
            raise Unavailable(
                f"{address} did not answer as it should ({type(error).__name__}: {error}); try again: what has come is "
                "kept. A mirror is set with HF_ENDPOINT; without a network use: unitask models import"
            ) from error


def _refusal(page: str, status: int, error: Exception) -> str:
    if status in _FORBIDDEN:
        return (
            f"{page} is not open to you, or not there (HTTP {status}): look at it, sign in, accept its terms, make a "
            "token, and set that as HF_TOKEN"
        )
    if status == 404:  # noqa: PLR2004 - HTTP
        return f"there is no {page}, or not this file in it; correct the card, or set HF_TOKEN if it is private"
    first = str(error).strip().partition("\n")[0]
    return f"{page} answered with HTTP {status} ({first}); try again later: what has come is kept"
