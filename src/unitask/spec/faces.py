"""Which faces are swapped, in a picture as in a video, and how they are counted."""

from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from pydantic import Field, ValidationInfo, field_validator

from unitask.kit.errors import TaskFailure
from unitask.spec.fields import FaceNumbers
from unitask.spec.product import Input

NO_FACE: Final = "invalid request, no face found in the {}"
SEVERAL: Final = "target_image has {} faces: the largest one was changed, multi-face-swap chooses others"
SIDE_BY_SIDE: Final = 0.6
"""Faces whose middles differ by less than this share of their height stand in one row."""


class Placed(Protocol):
    """A face as far as counting goes: the middle of the box round it, x and y, and how large that is, in pixels."""

    @property
    def middle(self) -> tuple[float, float]: ...  # noqa: D102 - said above

    @property
    def size(self) -> float: ...  # noqa: D102 - said above


F = TypeVar("F", bound=Placed)


def numbered(faces: Sequence[F]) -> list[F]:
    """Put faces into the order in which they are counted: lower rows first, and in each row from the left."""
    rows: list[list[F]] = []
    for face in sorted(faces, key=lambda face: -face.middle[1]):
        row = rows[-1] if rows else None
        if row and row[0].middle[1] - face.middle[1] < SIDE_BY_SIDE * max(row[0].size, face.size):
            row.append(face)
        else:
            rows.append([face])
    return [face for row in rows for face in sorted(row, key=lambda face: face.middle[0])]


def largest(faces: Sequence[F]) -> F:
    """Choose the face to take where none is named: whoever stands in front."""
    return max(faces, key=lambda face: face.size)


def chosen(found: Sequence[F], number: int, side: str) -> F:
    """Take the face of this number; `side` is "swap" or "target".

    Raises:
        TaskFailure: there are not so many.

    """
    if number < len(found):
        return found[number]
    known = "one face, number 0" if len(found) == 1 else f"{len(found)} faces, numbers 0 to {len(found) - 1}"
    raise TaskFailure(f"invalid request, {side}_faces_index asks for face {number}, but {side}_image has {known}")


def check_shown(known: set[int], numbers: Sequence[int]) -> None:
    """Check that a video shows the faces that are asked for; `known` are the numbers that it shows, never none.

    Raises:
        TaskFailure: it does not.

    """
    absent = [number for number in numbers if number not in known]
    if absent:
        most = max(known) + 1
        shown = "one face at once, number 0" if most == 1 else f"{most} faces at once, numbers 0 to {most - 1}"
        raise TaskFailure(
            f"invalid request, target_faces_index asks for face {absent[0]}, but target_video shows at most {shown}"
        )


class Restorable(Input):
    """Adds whether new faces are restored."""

    face_enhance: bool = Field(default=False, description="Also restore the new faces: sharper, a little less alike.")


class FacePairs(Input):
    """Adds which faces go where.

    Faces are counted from 0: of two at different heights the lower first, otherwise from the left.
    """

    swap_faces_index: FaceNumbers = Field(
        default="0", description="Which faces of swap_image are taken, such as `0,1`; empty stands for 0."
    )
    target_faces_index: FaceNumbers = Field(
        default="0",
        validate_default=True,
        description="Onto which faces of the target they go, in the same order and as many; empty stands for 0.",
    )

    @field_validator("target_faces_index")
    @classmethod
    def as_many(cls, text: str, known: ValidationInfo) -> str:
        """Refuse lists of unequal length: a face would have no partner."""
        taken = known.data.get("swap_faces_index")
        if taken is not None and taken.count(",") != text.count(","):
            raise ValueError("must name as many faces as swap_faces_index")
        return text

    @property
    def face_pairs(self) -> list[tuple[int, int]]:
        """Pairs of face numbers: one of swap_image, and the one of the target that it goes onto."""
        taken, changed = self.swap_faces_index.split(","), self.target_faces_index.split(",")
        return [(int(one), int(other)) for one, other in zip(taken, changed, strict=True)]
