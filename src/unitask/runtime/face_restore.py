"""Faces painted anew with the detail that they lack, by GFPGAN (Wang et al. 2021), where its weights are here."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from unitask.runtime.faces import Floats, Pixels, cut_out, lay_back, placing
from unitask.runtime.parts import Part, damaged
from unitask.runtime.runtime import Runtime
from unitask.runtime.spandrels import spandrel_alone
from unitask.runtime.tables import SUFFIXES, Tensors, read_tensors
from unitask.spec.engine import Job

RESTORER: Final = "gfpgan-v1.4"
PART: Final = "restorer"
_IGNORED: Final = "face_enhance was ignored: {}"
_FULL_WIDTH: Final = 256
"""Channels of the narrowest picture in the published network."""
_WHERE: Final = np.array(
    [
        (192.98138, 239.94708),
        (318.90277, 240.1936),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    ],
    np.float32,
) / np.float32(512)
"""Where the points lie on what the network sees, in shares of it: those of FFHQ, with which it was trained."""


@dataclass(frozen=True, slots=True)
class RestorerPart(Part):
    """The network in one file, `name`."""

    def read(self) -> Any:
        """Build it by the sizes of its own weights, and give it these."""
        weights = {name: value.to(self.dtype) for name, value in read_tensors(self.root / self.name).items()}
        spandrel_alone()
        from spandrel.architectures.GFPGAN import GFPGAN  # noqa: PLC0415 - only after the line before

        with torch.device("meta"):
            network = GFPGAN(**built(weights))
        network.load_state_dict(weights, assign=True)
        return network


def built(weights: Tensors) -> dict[str, Any]:
    """Tell from its weights how a network of GFPGAN's clean build is built.

    Raises:
        ValueError, KeyError: they are those of something else.

    """
    levels = {name.split(".")[1] for name in weights if name.startswith("toRGB.")}
    mixed = {name for name in weights if name.startswith("stylegan_decoder.style_mlp.") and name.endswith(".weight")}
    if not levels or not mixed:
        raise ValueError("these are not the weights of GFPGAN")
    return {
        "out_size": 2 ** (len(levels) + 2),
        "num_style_feat": weights["stylegan_decoder.style_mlp.1.weight"].shape[0],
        "num_mlp": len(mixed),
        "narrow": weights["final_conv.weight"].shape[0] / _FULL_WIDTH,
    }


@dataclass(frozen=True, slots=True)
class Restorer:
    """The network on its device."""

    network: Any
    device: torch.device

    @property
    def side(self) -> int:
        """How many pixels wide and high the square is that it sees and makes."""
        return int(2**self.network.log_size)

    def turn(self, points: Floats) -> Floats:
        """Find how the square lies round a face with these points (5, 2): (2, 3)."""
        return placing(points, _WHERE * self.side)

    def restored(self, rgb: Pixels, points: Floats) -> Floats:
        """Paint the square round a face anew: (side, side, 3), 0 to 255. The same square gives the same."""
        square = torch.from_numpy(cut_out(rgb, self.turn(points), self.side)).permute(2, 0, 1)[None]
        made, _ = self.network(
            (square / 127.5 - 1).to(self.device, next(self.network.parameters()).dtype),
            return_rgb=False,
            randomize_noise=False,
        )
        painted = (made[0].float().clamp(-1, 1) + 1) * 127.5
        return np.asarray(painted.permute(1, 2, 0).cpu().numpy(), np.float32)

    def restore(self, rgb: Pixels, points: Floats, *, seen: tuple[Pixels, Floats] | None = None) -> None:
        """Paint a face anew in the picture itself; `seen` is another picture to look at it in, and its points there."""
        lay_back(rgb, self.restored(*(seen or (rgb, points))), self.turn(points))


def restorer_wanted(inputs: Any, job: Job, runtime: Runtime, *others: str) -> bool:
    """Tell whether the client wants faces restored, and the weights for that, and those of `others`, are here."""
    if not inputs.face_enhance:
        return False
    if lack := runtime.shelf.lacks((RESTORER, *others)):
        job.warn(_IGNORED.format(lack))
    return not lack


def restorer_part(runtime: Runtime) -> Part:
    """Describe the network; placed on the device, `Restorer` wants it.

    Raises:
        EngineFailure: the weights are not here, or are several files.

    """
    card, root, manifest = runtime.shelved(RESTORER)
    names = [path for path in manifest.files if path.endswith(SUFFIXES)]
    if len(names) != 1:
        raise damaged(card, "its files", FileNotFoundError(f"{len(names)} files of weights"))
    stored = manifest.files[names[0]]
    return RestorerPart(card, root, names[0], "spandrel", "GFPGAN", stored.sha256, stored.size_bytes)
