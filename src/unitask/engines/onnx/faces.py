"""Who faces are (ArcFace), and another's in the place of one (inswapper), by insightface's networks.

An identity is a unit vector of 512 numbers; that of the same person points nearly the same way.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from unitask.engines.onnx.initializers import last_initializer
from unitask.runtime.face_restore import PART as RESTORING
from unitask.runtime.face_restore import Restorer, restorer_part
from unitask.runtime.faces import (
    ANALYSIS,
    Face,
    Floats,
    Pixels,
    cut_out,
    detector_part,
    find_faces,
    lay_back,
    placing,
)
from unitask.runtime.parts import Part, damaged
from unitask.runtime.runtime import Runtime
from unitask.runtime.sessions import Session, session_part

SWAPPER: Final = "inswapper-128"
_KNOWN_PX, _MADE_PX = 112, 128
KNOWN: Final = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)], np.float32
)
"""Where the points lie on the 112 x 112 pixels with which these networks were trained."""
MADE: Final = KNOWN + np.array((8, 0), np.float32)
"""On 128 pixels the face is as large as on 112, eight pixels to the right."""


@dataclass(frozen=True, slots=True)
class Networks:
    """The three networks, the matrix that takes an identity to what the swapper wants, and who restores new faces."""

    detector: Session
    recogniser: Session
    swapper: Session
    matrix: Floats
    restorer: Restorer | None = None

    @classmethod
    def ready(cls, runtime: Runtime, *, restoring: bool = False) -> "Networks":
        """Have all three, and for `restoring` the restorer, on the device together.

        Raises:
            EngineFailure: the weights are missing, damaged, or do not fit.

        """
        parts: dict[str, Part] = {
            "detector": detector_part(runtime),
            "recogniser": session_part(runtime, ANALYSIS, "recognition/model.onnx"),
        }
        swapper = parts["swapper"] = session_part(runtime, SWAPPER)
        if restoring:
            parts[RESTORING] = restorer_part(runtime)
        work_bytes = sum(card.memory_bytes for card in {part.card.id: part.card for part in parts.values()}.values())
        opened: dict[str, Any] = runtime.networks(parts, work_bytes=work_bytes)
        try:
            matrix = last_initializer(swapper.path, swapper.digest)
        except (OSError, ValueError) as error:
            raise damaged(swapper.card, swapper.name, error) from error
        network = opened.pop(RESTORING, None)
        return cls(matrix=matrix, restorer=network and Restorer(network, runtime.device), **opened)

    def find(self, rgb: Pixels) -> list[Face]:
        """Find faces; see `find_faces`."""
        return find_faces(self.detector, rgb)

    def identity(self, rgb: Pixels, face: Face) -> Floats:
        """Tell whose face it is: (512,), of length 1."""
        cut = cut_out(rgb, placing(face.points, KNOWN), _KNOWN_PX)
        found = self.recogniser((cut.transpose(2, 0, 1)[None] - 127.5) / 127.5)[0].ravel()
        return np.asarray(found / max(float(np.linalg.norm(found)), 1e-6), np.float32)

    def swap(self, rgb: Pixels, points: Floats, identity: Floats) -> None:
        """Give the face with these points another identity, in the picture itself; away from it nothing changes."""
        turn = placing(points, MADE)
        wanted = identity @ self.matrix
        wanted = wanted / max(float(np.linalg.norm(wanted)), 1e-6)
        cut = cut_out(rgb, turn, _MADE_PX)
        made = self.swapper(cut.transpose(2, 0, 1)[None] / 255, wanted[None])[0][0]
        lay_back(rgb, np.clip(made.transpose(1, 2, 0) * 255, 0, 255), turn)
        if self.restorer:
            self.restorer.restore(rgb, points)
