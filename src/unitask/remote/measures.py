"""What is read from a result here: the units by which it is charged, and the sound of a film."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from unitask.kit.errors import EngineFailure, MediaFailure

_MEGA: Final = 1_000_000
_LONGEST_S: Final = 3600.0
_RATE: Final = 44_100


def measured(unit: str, path: Path) -> Mapping[str, float]:
    """Measure a result in the unit of its price; nothing where that cannot be, and then the quote is charged."""
    try:
        match unit:
            case "megapixel" | "output megapixel":
                return {unit: _pixels(path) / _MEGA}
            case "frame":
                return {unit: float(_frames(path))}
            case "second":
                return {unit: _seconds(path)}
            case _:
                return {}
    except (ImportError, OSError, ValueError, ArithmeticError):
        return {}


def sound_of(path: Path) -> Path:
    """Write the sound of a film beside it, as MP3.

    Raises:
        EngineFailure: it has none, or sound cannot be read here.

    """
    from unitask.kit.sound import read_audio, write_audio  # noqa: PLC0415 - it needs the extra cpu

    try:
        samples = read_audio(path, limit_seconds=_LONGEST_S, rate=_RATE)
        content = write_audio(samples, rate=_RATE, form="mp3", metadata={})
    except ImportError as error:
        raise EngineFailure("the sound of a film needs the extra: pip install 'unitask[cpu]'") from error
    except MediaFailure as error:
        raise EngineFailure(f"the provider's film has no sound: {error}", raw_message=error.raw_message) from error
    found = path.with_name(f"{path.name}.mp3")
    found.write_bytes(content)
    return found


def _pixels(path: Path) -> int:
    from PIL import Image  # noqa: PLC0415 - of the extra cpu

    with Image.open(path) as opened:
        return int(opened.width * opened.height)


def _frames(path: Path) -> int:
    import av  # noqa: PLC0415 - of the extra cpu

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.frames or sum(1 for packet in container.demux(stream) if packet.size)


def _seconds(path: Path) -> float:
    import av  # noqa: PLC0415 - of the extra cpu

    with av.open(str(path)) as container:
        if container.duration is None:
            raise ValueError("it does not say how long it is")
        return container.duration / av.time_base
