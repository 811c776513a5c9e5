"""The C2PA mark: a signed manifest that says who made a file, of what, and from which inputs.

Written and read by C2PA's own library, in the process of `unitask.provenance.clerk` alone.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from unitask.kit.media import CONTENT_TYPES
from unitask.provenance.sources import VOCABULARY, Source

if TYPE_CHECKING:
    from c2pa import Context

FORMATS: Final = frozenset(
    {"avif", "flac", "gif", "heic", "jpg", "m4a", "mov", "mp3", "mp4", "png", "tiff", "wav", "webp"}
)
"""The extensions of files that can carry a manifest."""
LIBRARY: Final = "c2pa"
MOST_INPUTS: Final = 8
_MOST_BYTES: Final = 4 << 20
"""What the manifests of all the inputs of inputs may come to; beyond it a result names its source and no inputs."""
MOST_SIGNED_FILE_BYTES: Final = 256 << 20
"""The library holds such a file in memory, twice."""
_SIGNATURE_FORM: Final = b"\x84\x6aSignature1"
_MOST_SIGNED: Final = 64 << 10
_SETTINGS: Final[dict[str, Any]] = {
    "version": 1,
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
}
_HIDDEN: Final = 200


class Said(BaseModel):
    """What a manifest is to say of a file, and nothing of who ordered it or in which words."""

    source: Source
    release: str
    engine: str
    model: str
    edited: bool = False


class Input(BaseModel):
    """A file from which another was made."""

    path: Path
    extension: str


class Trust(BaseModel):
    """Whose signatures are ours: those whose certificate has one of these numbers and leads to one of these anchors."""

    anchors: str = ""
    serials: tuple[str, ...] = ()


def is_signable(content: bytes) -> bool:
    """Tell whether bytes are what a manifest's signature is made over: nothing else is signed for anyone."""
    return content.startswith(_SIGNATURE_FORM) and len(content) <= _MOST_SIGNED


@dataclass(frozen=True, slots=True)
class Pen:
    """How manifests are signed: in whose name, and by whom. `algorithm`: C2PA's name of it."""

    chain: str
    algorithm: str
    signature_of: Callable[[bytes], bytes]


def sign(file: Input, into: Path, *, said: Said, inputs: Sequence[Input], pen: Pen) -> None:
    """Write a file again with a manifest; inputs whose manifests are too much together are left out.

    Raises:
        C2paError: the library cannot; for one, because the file is damaged.

    """
    known = [one for one in inputs if one.extension in FORMATS][:MOST_INPUTS]
    for chosen in [known, []] if known else [[]]:
        _write(file, into, said, chosen, pen)
        if into.stat().st_size <= file.path.stat().st_size + _MOST_BYTES:
            return


def _write(file: Input, into: Path, said: Said, inputs: Sequence[Input], pen: Pen) -> None:
    from c2pa import Builder, C2paSigningAlg, Signer  # noqa: PLC0415 - a native library, in the clerk's process alone

    signer = Signer.from_callback(pen.signature_of, C2paSigningAlg[pen.algorithm], pen.chain, None)
    content_type = CONTENT_TYPES[file.extension]
    with signer, Builder(json.dumps(_definition(said, inputs, content_type)), context=_context()) as builder:
        for number, one in enumerate(inputs):
            with one.path.open("rb") as source:
                builder.add_ingredient(json.dumps(_ingredient(number, said)), CONTENT_TYPES[one.extension], source)
        with file.path.open("rb") as source, into.open("w+b") as marked:
            builder.sign(signer, content_type, source, marked)


def _ingredient(number: int, said: Said) -> dict[str, Any]:
    relationship = "parentOf" if said.edited and number == 0 else "inputTo"
    return {"title": f"input {number + 1}", "relationship": relationship, "label": f"input{number}"}


def _definition(said: Said, inputs: Sequence[Input], content_type: str) -> dict[str, Any]:
    agent = {"name": "Unitask", "version": said.release}
    made: dict[str, Any] = {
        "action": "c2pa.created",
        "digitalSourceType": said.source.uri,
        "softwareAgent": agent,
        "parameters": {"unitask.engine": said.engine, "unitask.model": said.model},
    }
    names = [f"input{number}" for number in range(len(inputs))]
    actions = [made]
    if names and said.edited:
        opened = {"action": "c2pa.opened", "softwareAgent": agent, "parameters": {"ingredientIds": names[:1]}}
        made["action"] = "c2pa.edited"
        actions = [opened, made]
        names = names[1:]
    if names:
        made["parameters"]["ingredientIds"] = names
    return {
        "claim_generator_info": [agent],
        "format": content_type,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }


def read(file: Input, trust: Trust) -> dict[str, Any] | None:
    """Read and check the manifest of a file; None where it has none.

    Raises:
        C2paError: there is something like one, and it cannot be read.

    """
    from c2pa import Reader  # noqa: PLC0415 - as above

    if file.extension not in FORMATS or file.path.stat().st_size > MOST_SIGNED_FILE_BYTES:
        return None
    with file.path.open("rb") as stream:
        reader = Reader.try_create(CONTENT_TYPES[file.extension], stream, context=_context(trust.anchors))
        if reader is None:
            return None
        with reader:
            return _summary(json.loads(reader.json()), trust)


def _context(anchors: str = "") -> "Context":
    from c2pa import Context, Settings  # noqa: PLC0415 - as above

    trust = {"trust": {"trust_anchors": anchors}} if anchors else {}
    return Context(Settings.from_dict(_SETTINGS | trust))


def _summary(found: dict[str, Any], trust: Trust) -> dict[str, Any]:
    """Keep of a reader's answer what people ask; strangers wrote it, so everything is cut at some length."""
    manifest = found.get("manifests", {}).get(found.get("active_manifest", ""), {})
    signature = manifest.get("signature_info") or {}
    state = str(found.get("validation_state", "Invalid"))
    serial = str(signature.get("cert_serial_number", ""))
    actions = [
        action
        for one in manifest.get("assertions", ())
        if str(one.get("label", "")).startswith("c2pa.actions")
        for action in one.get("data", {}).get("actions", ())
    ]
    generators = manifest.get("claim_generator_info") or [{}]
    return {
        "state": state.lower(),
        "is_ours": state == "Trusted" and serial in trust.serials,
        "signer": _short(signature.get("common_name")),
        "issuer": _short(signature.get("issuer")),
        "signed_at": signature.get("time") and _short(signature["time"]),
        "generator": " ".join(_short(generators[0].get(part)) for part in ("name", "version")).strip(),
        "actions": [_action(one) for one in actions[:MOST_INPUTS]],
        "inputs": [
            {"title": _short(one.get("title")), "relationship": _short(one.get("relationship"))}
            for one in manifest.get("ingredients", ())[:MOST_INPUTS]
        ],
        "problems": sorted({_short(one.get("code")) for one in found.get("validation_status", ())[:MOST_INPUTS]}),
    }


def _action(action: dict[str, Any]) -> dict[str, str]:
    agent = action.get("softwareAgent")
    agent = agent.get("name") if isinstance(agent, dict) else agent
    return {
        "action": _short(action.get("action")),
        "digital_source_type": _short(action.get("digitalSourceType")).removeprefix(VOCABULARY),
        "software": _short(agent),
    }


def _short(value: object) -> str:
    return str(value)[:_HIDDEN] if value is not None else ""
