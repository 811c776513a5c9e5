"""Both marks of a file: put on in their order, and read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from unitask.kit.libraries import absent
from unitask.provenance import manifest
from unitask.provenance.containers import Plan, Unmarkable, look_into, put_into
from unitask.provenance.manifest import Input, Pen, Said, Trust
from unitask.provenance.packet import Words
from unitask.provenance.sources import GENERATED, named, named_in, over

Sign = Callable[[bytes], bytes]
_BLOCK: Final = 1 << 20
_LONGEST_NAME: Final = 128


class MarkOrder(BaseModel):
    """Mark a file, and write it to `into`. Without a chain it gets no manifest."""

    path: Path
    extension: str
    into: Path
    said: Said
    inputs: list[Input]
    chain: str = ""
    algorithm: str = ""


class Marked(BaseModel):
    """Which marks a file has now; `path` is where it lies. `why`: what is missing, and the reason."""

    path: Path
    marks: list[str]
    source: str
    why: str = ""


def mark(order: MarkOrder, sign: Sign | None) -> Marked:
    """Put on the marks that the file's format has a place for.

    What inputs say of themselves counts, and what the file said when it came, if a provider made it.
    """
    ours = Input(path=order.path, extension=order.extension)
    came, _ = _look(ours, Trust())
    inputs = [(one, *_look(one, Trust())) for one in order.inputs]
    source = over(order.said.source, [_source(one, found) for one, found, _ in inputs])
    if before := _source(ours, came):
        source = over(source, [before])
    said = order.said.model_copy(update={"source": source})
    result = Marked(path=order.path, marks=[], source=source)
    ours_says = Words(source, f"Unitask {said.release}")
    try:
        put_into(result.path, order.extension, ours_says, order.into)
        result.path, result.marks = order.into, ["iptc"]
    except (Unmarkable, OSError) as error:
        result.why = str(error)
    if order.chain and sign is not None and order.extension in manifest.FORMATS:
        # An input that C2PA's library cannot open is named by no manifest, and spoils none.
        sound = [one for one, _, is_open in inputs if is_open]
        if came["c2pa"]:
            sound, said = [ours, *sound], said.model_copy(update={"edited": True})
        _sign(order, said, sound, result, sign)
    return result


def _sign(order: MarkOrder, said: Said, inputs: list[Input], result: Marked, sign: Sign) -> None:
    """Add the manifest; without one the file keeps what it has."""
    signed = order.into.with_name(f"{order.into.name}.signed")
    if result.path.stat().st_size > manifest.MOST_SIGNED_FILE_BYTES:
        result.why = f"files of more than {manifest.MOST_SIGNED_FILE_BYTES >> 20} MiB are not signed"
        return
    try:
        pen = Pen(order.chain, order.algorithm, sign)
        manifest.sign(Input(path=result.path, extension=order.extension), signed, said=said, inputs=inputs, pen=pen)
    except Exception as error:  # noqa: BLE001 - the library's errors have no common class but this
        signed.unlink(missing_ok=True)
        result.why = f"{type(error).__name__}: {error}"[:300]
        return
    signed.replace(order.into)
    result.path, result.why = order.into, ""
    result.marks.append("c2pa")


def source_in(file: Input) -> str:
    """Tell what a file says of where it comes from, by either mark or in any other place; else an empty text."""
    return _source(file, read(file, Trust()))


def _source(file: Input, found: dict[str, Any]) -> str:
    return str(found["digital_source_type"] or scanned(file))


def scanned(file: Input) -> str:
    """Look for IPTC's words in the bytes of a file, whatever its format: both marks have them there in plain."""
    strongest, rest = "", b""
    with file.path.open("rb") as content:
        while block := content.read(_BLOCK):
            strongest = named_in((strongest, named(rest + block)))
            rest = block[-_LONGEST_NAME:]
    return strongest


def words(file: Input) -> str:
    """Tell what a file says without C2PA's library, which the file may be made to break."""
    return named_in((named(look_into(file.path, file.extension).packet or b""), scanned(file)))


def read(file: Input, trust: Trust) -> dict[str, Any]:
    """Read and check the marks of a file."""
    found, _ = _look(file, trust)
    return found


def _look(file: Input, trust: Trust) -> tuple[dict[str, Any], bool]:
    """Read and check the marks of a file; tells also whether C2PA's library could open it."""
    is_open = True
    found: dict[str, Any] = {"iptc": None, "c2pa": None, "damaged": None}
    texts = []
    try:
        walked = look_into(file.path, file.extension)
    except OSError as error:
        walked = Plan(damaged=str(error))
    found["damaged"] = walked.damaged or None
    if source := named(walked.packet or b""):
        found["iptc"] = {"digital_source_type": source}
        texts.append(source)
    if not absent([manifest.LIBRARY]):
        try:
            found["c2pa"] = manifest.read(file, trust)
        except Exception as error:  # noqa: BLE001 - as above
            is_open = False
            found["damaged"] = found["damaged"] or f"{type(error).__name__}: {error}"[:200]
        texts += [one["digital_source_type"] for one in (found["c2pa"] or {}).get("actions", ())]
    source = named_in(texts)
    told = {
        "is_generated": source in GENERATED if source else None,
        "digital_source_type": source or None,
        "marks": [name for name in ("c2pa", "iptc") if found[name]],
        **found,
    }
    return told, is_open
