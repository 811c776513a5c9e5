"""A job for testing an engine on its own: sources are files on disk, outputs land in a folder."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from unitask.kit.errors import Cancelled
from unitask.spec.media import Media
from unitask.spec.product import Recipe


@dataclass
class LocalJob:
    """Satisfies `unitask.spec.engine.Job`; remembers what the engine reported."""

    scratch: Path
    recipe: Recipe
    models: Path = Path("models")
    seed: int = 7
    task_id: str = "0192f0c0-0000-7000-8000-000000000000"
    seconds_left: float = 60.0
    cancel_when: Callable[[float], bool] = lambda _: False
    fractions: list[float] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    saved: dict[str, Path] = field(default_factory=dict)
    cancelled: bool = False
    shows: bool = False
    shown: list[bytes] = field(default_factory=list)

    def fetch(self, source: str, media: Media) -> Path:  # noqa: ARG002 - the protocol's signature
        return Path(source)

    def save(self, content: bytes | Path, extension: str) -> str:
        data = content if isinstance(content, bytes) else content.read_bytes()
        path = self.scratch / f"saved-{len(self.saved)}.{extension}"
        path.write_bytes(data)
        reference = f"artifact:{path.name}"
        self.saved[reference] = path
        return reference

    def progress(self, fraction: float, note: str = "") -> None:  # noqa: ARG002 - the protocol's signature
        self.fractions.append(fraction)
        if self.cancel_when(fraction):
            self.cancelled = True
            raise Cancelled("cancelled by the client")

    def show(self, content: bytes, extension: str) -> None:
        assert extension == "jpg"
        self.shown.append(content)

    def warn(self, sentence: str) -> None:
        self.warnings.append(sentence)
