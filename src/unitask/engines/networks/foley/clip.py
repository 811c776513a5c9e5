"""CLIP as MMAudio asks it: what is in a picture as one row, and what is meant by words as a row for each token.

Source: DFN5B-CLIP-ViT-H-14-378 of Apple, in the layout of transformers. MMAudio shows it pictures of 384 pixels, of
which its patches cover the first 378; takes the words' rows before they are summed up; and fills short texts up with
the token 0, not with the end of the text.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import init_empty_weights
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from unitask.engines.networks.states import tensors

EDGE_PX: Final = 6
"""What is beyond the last patch, to the right and below."""
BEND: Final = "quick_gelu"
MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
SPREAD: Final = (0.26862954, 0.26130258, 0.27577711)
COMPUTED: Final = ".position_ids"
AT_ONCE: Final = 16


def clip_of(folder: Path, dtype: torch.dtype) -> Any:
    """Build both halves of the files in a folder.

    Raises:
        OSError, KeyError, RuntimeError, ValueError: they are not there, damaged, or those of another network.

    """
    found = {name: value for name, value in tensors(folder).items() if not name.endswith(COMPUTED)}
    config = CLIPConfig.from_pretrained(folder, local_files_only=True)
    config.text_config.hidden_act = config.vision_config.hidden_act = BEND
    with init_empty_weights():
        network = CLIPModel(config)
    network.load_state_dict(found, assign=True)
    network._supports_group_offloading = False  # noqa: SLF001 - how diffusers says it
    return network.to(dtype)


def tokenizer_of(folder: Path) -> Any:
    """Read how a text becomes tokens.

    Raises:
        OSError, ValueError: the files are not there, or damaged.

    """
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def side_px(network: Any) -> int:
    """Tell how large the square pictures are that it is shown."""
    side: int = network.config.vision_config.image_size
    return side + EDGE_PX


def pictured(network: Any, pictures: torch.Tensor, on_part: Callable[[float], None]) -> torch.Tensor:
    """Give a row of length 1 for each picture: from bytes (pictures, 3, side, side) to (1, pictures, width).

    `on_part` is told which share is done.
    """
    side = network.config.vision_config.image_size
    mean, spread = (torch.tensor(one, device=network.device)[:, None, None] for one in (MEAN, SPREAD))
    rows = []
    for start in range(0, len(pictures), AT_ONCE):
        shown = pictures[start : start + AT_ONCE, :, :side, :side].to(network.device).float() / 255
        seen = network.vision_model(((shown - mean) / spread).to(network.dtype)).pooler_output
        rows.append(functional.normalize(network.visual_projection(seen).float(), dim=-1))
        on_part(min(1.0, (start + AT_ONCE) / len(pictures)))
    return torch.cat(rows)[None]


def meant(network: Any, tokens: list[int]) -> torch.Tensor:
    """Give a row of length 1 for each token, filled up to what it reads: (1, 77, width)."""
    length = network.config.text_config.max_position_embeddings
    filled = torch.tensor([tokens + [0] * (length - len(tokens))], device=network.device)
    rows: torch.Tensor = network.text_model(input_ids=filled).last_hidden_state
    return functional.normalize(rows.float(), dim=-1)
