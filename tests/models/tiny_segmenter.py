"""A tiny CLIPSeg with the real processor and tokenizer, planted: it finds what is red, and what is blue."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

from support.tiny import clip_tokenizer, seeded, shelve

KNOWN = {"red": (1.0, 0.0), "blue": (0.0, 1.0), "nothing": (0.0, 0.0)}
"""What the words make it look at: the first and the second of its channels."""
SIDE_PX = 128
PREPARES = {
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "ViTFeatureExtractor",
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "size": SIDE_PX,
}


class Beside:
    """What lies beside the network, with the processor as its public page writes it."""

    def save_pretrained(self, folder: Path) -> None:
        """Write it."""
        clip_tokenizer().save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(PREPARES))


def segmenter() -> Any:
    """Patches of 8 x 8, four layers and a decoder of three that let what they are given pass."""
    shared = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
    text = {**shared, "vocab_size": 514, "num_hidden_layers": 2, "bos_token_id": 512, "eos_token_id": 513}
    config = CLIPSegConfig(
        text_config={**text, "pad_token_id": 513},
        vision_config={**shared, "num_hidden_layers": 4, "image_size": SIDE_PX, "patch_size": 8},
        projection_dim=32,
        reduce_dim=16,
        extract_layers=[1, 2, 3],
        decoder_num_attention_heads=2,
        decoder_intermediate_size=32,
    )
    network = seeded(CLIPSegForImageSegmentation, config).eval()
    with torch.no_grad():
        for name, values in network.named_parameters():
            if name.startswith(("clip.vision", "decoder")) and "norm" not in name and "layrnorm" not in name:
                values.zero_()
        patches = network.clip.vision_model.embeddings.patch_embedding
        for channel, colour in ((0, 0), (1, 2)):
            patches.weight[channel] = -0.5 / 64
            patches.weight[channel, colour] = 1 / 64
        network.clip.vision_model.embeddings.position_embedding.weight[:, 2] = 1
        decoder = network.decoder
        decoder.reduces[0].weight[range(3), range(3)] = 1
        tokenizer = clip_tokenizer()
        meant = torch.cat(
            [network.get_conditional_embeddings(1, **tokenizer([word], return_tensors="pt")) for word in KNOWN]
        )
        decoder.film_mul.weight[:2] = torch.linalg.lstsq(meant, torch.tensor(list(KNOWN.values()))).solution.T
        decoder.film_mul.bias[2] = 1
        decoder.transposed_convolution.weight[:2] = 6
        decoder.transposed_convolution.bias.fill_(-6)
    return network


def shelve_segmenter(models: Path) -> None:
    """Put it on a shelf."""
    shelve(models, "clipseg-rd64-refined", segmenter(), Beside(), part="segmenter")
