"""Which faces are swapped, in a picture as in a video."""

from pydantic import Field, ValidationInfo, field_validator

from unitask.spec.fields import FaceNumbers
from unitask.spec.product import Input


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
