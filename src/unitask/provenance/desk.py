"""The clerk's process: one order after the other, until its parent lets go. See `unitask.provenance.clerk`."""

import base64
import json
import socket
import sys
from typing import Any, BinaryIO, Final

from unitask.kit.process import die_with_parent, limit_memory
from unitask.provenance.manifest import Input, Trust, is_signable
from unitask.provenance.marks import MarkOrder, mark, read, words

_LINE_LIMIT: Final = 1 << 20


class _NoSignatureError(Exception):
    pass


def serve(stream: BinaryIO) -> None:
    """Do what comes."""

    def signed(content: bytes) -> bytes:
        if not is_signable(content):
            raise _NoSignatureError("this is no manifest")
        _say(stream, {"sign": base64.b64encode(content).decode()})
        signature = base64.b64decode(json.loads(stream.readline(_LINE_LIMIT))["signature"])
        if not signature:
            raise _NoSignatureError("nobody signs")
        return signature

    while line := stream.readline(_LINE_LIMIT):
        order = json.loads(line)
        if order["do"] == "read":
            found: Any = read(Input.model_validate(order["file"]), Trust.model_validate(order["trust"]))
        elif order["do"] == "words":
            found = words(Input.model_validate(order["file"]))
        else:
            found = mark(MarkOrder.model_validate(order["order"]), signed).model_dump(mode="json")
        _say(stream, {"done": found})


def _say(stream: BinaryIO, word: dict[str, Any]) -> None:
    stream.write(json.dumps(word).encode() + b"\n")
    stream.flush()


def main(descriptor: int, memory_bytes: int) -> None:
    """Serve over the inherited socket."""
    die_with_parent()
    limit_memory(memory_bytes)
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rwb") as stream:
        serve(stream)  # type: ignore[arg-type] # typeshed calls it an IO of both ways


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
