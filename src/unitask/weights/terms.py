"""Which licences the operator has accepted; remembered beside the weights, asked once."""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from unitask.kit.errors import Unavailable
from unitask.weights.card import License

_FILE: Final = "accepted.json"


class Accepted(BaseModel):
    """The licences that were accepted, as they stood in the cards."""

    licenses: list[License] = []


class Terms:
    """The acceptances of one shelf. A licence that forbids nothing needs none."""

    def __init__(self, shelf: Path) -> None:
        self._path = shelf / _FILE

    def accepted(self, wanted: License) -> bool:
        """Tell whether a licence may be taken as known."""
        return not wanted.forbids or wanted in self._read().licenses

    def accept(self, wanted: License) -> None:
        """Remember that a licence was accepted."""
        known = self._read().licenses
        if wanted not in known:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(Accepted(licenses=[*known, wanted]).model_dump_json(indent=1), "utf-8")

    def _read(self) -> Accepted:
        try:
            return Accepted.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return Accepted()
        except (OSError, ValidationError) as error:
            raise Unavailable(f"{self._path} cannot be read: {error}; remove it to be asked anew") from error
