"""Tiny Grounding DINO and SAM 2, planted: boxes round what is red or blue, and masks of colour near a box.

Both let what they are given pass, for all that could change it is nothing, but for the few numbers that are set here.
"""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    Sam2Config,
    Sam2HieraDetConfig,
    Sam2MaskDecoderConfig,
    Sam2Model,
    Sam2PromptEncoderConfig,
    Sam2VideoConfig,
    Sam2VideoModel,
    Sam2VisionConfig,
    SwinConfig,
)

from support.tiny import seeded, shelve

DETECTOR, SEGMENTER = "grounding-dino-base", "sam2.1-hiera-large"
BOX_SHARE = 0.2
"""How wide and high every box is, in shares of the picture."""
SIDE_PX = 256
"""What the segmenter sees."""
WIDTH = 32
MEAN, DEVIATION = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
COLOURS = (0, 2)
"""Red and blue: how much more than green they are is what both networks look at."""
WORDS = {"red": 200, "blue": 201, "nothing": 202}
PREPARES = {
    "image_processor_type": "GroundingDinoImageProcessor",
    "size": {"shortest_edge": 256, "longest_edge": 512},
    "image_mean": MEAN.tolist(),
    "image_std": DEVIATION.tolist(),
}


class Beside:
    """What lies beside the detector, with the processor as its public page writes it."""

    def save_pretrained(self, folder: Path) -> None:
        """Write it."""
        tokenizer().save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(PREPARES))


def tokenizer() -> Any:
    """Know three words, and the four signs by the numbers that the network knows them by."""
    known = {number: f"[unused{number}]" for number in range(1100)}
    known |= {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 1012: ".", 1029: "?"}
    known |= {number: word for word, number in WORDS.items()}
    return BertTokenizer(vocab={word: number for number, word in known.items()}, model_max_length=512)


def _stilled(network: torch.nn.Module) -> None:
    """Take every number away but those of norms: what is added to what passes is nothing."""
    for module in network.modules():
        norm = isinstance(module, torch.nn.LayerNorm | torch.nn.GroupNorm)
        for name, values in module.named_parameters(recurse=False):
            values.fill_(1.0 if norm and name == "weight" else 0.0)


def _coloured(convolution: torch.nn.Conv2d, low: int, high: int) -> None:
    """Let the first channels tell how much more than green a patch is of each colour."""
    taps = (high - low) ** 2
    for channel, colour in enumerate(COLOURS):
        for one, sign in ((colour, 1), (1, -1)):
            convolution.weight[channel, one, low:high, low:high] = sign * DEVIATION[one] / taps
        convolution.bias[channel] = MEAN[colour] - MEAN[1]


@torch.no_grad()
def detector() -> Any:
    """See in cells of 4 x 4 pixels; the ten that a word fits best are the middles of boxes."""
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=64, embed_dim=8, depths=[1], num_heads=[1], window_size=4, out_features=["stage1"]
        ),
        text_config=BertConfig(
            vocab_size=1100, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
        ),
        d_model=WIDTH,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_queries=10,
        num_feature_levels=1,
    )
    network = seeded(GroundingDinoForObjectDetection, config).eval()
    _stilled(network)
    model = network.model
    for name, convolution in model.backbone.named_modules():
        if name.endswith("patch_embeddings.projection"):
            _coloured(convolution, 0, 4)
    for channel in range(2):  # less what every colour has, so that a colour that is absent is exactly nothing
        model.input_proj_vision[0][0].weight[channel, channel] = 1
        model.input_proj_vision[0][0].weight[channel, 2] = -1
    words = model.text_backbone.embeddings.word_embeddings.weight
    words[:, 2] = 1
    for channel, word in enumerate(("red", "blue")):
        words[WORDS[word]] = torch.eye(16)[channel]
    for channel in range(3):
        model.text_projection.weight[4 * (channel == 2) + channel, channel] = 1
        model.text_projection.weight[4 * (channel == 2) + channel, 5] = -1
    read = model.encoder.layers[0].text_enhancer_layer.layer_norm_after
    read.weight[:] = torch.eye(WIDTH)[:2].sum(dim=0) * 0.4
    read.bias[3] = -5
    model.enc_output.weight.copy_(torch.eye(WIDTH))
    for layer in model.decoder.layers:
        layer.encoder_attn.value_proj.weight.copy_(torch.eye(WIDTH))
        layer.encoder_attn.output_proj.weight.copy_(torch.eye(WIDTH))
    for norm in (model.enc_output_norm, model.decoder.layer_norm):
        norm.weight[2:] = 0
        norm.bias[3] = 1
    least = torch.tensor(0.05)
    model.encoder_output_bbox_embed.layers[-1].bias[2:] = torch.logit(torch.tensor(BOX_SHARE)) - torch.logit(least)
    return network


@torch.no_grad()
def segmenter() -> Any:
    """See colour in cells of 4 x 4 pixels; of it is taken what is near the corners of a box."""
    widths = [8, 8, 8, 8]
    hiera = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[SIDE_PX, SIDE_PX],
        patch_kernel_size=[7, 7],
        patch_stride=[4, 4],
        patch_padding=[3, 3],
        query_stride=[2, 2],
        blocks_per_stage=[1, 1, 1, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 1, 1],
        window_size_per_stage=[8, 4, 8, 4],
        global_attention_blocks=[],
        mlp_ratio=1.0,
    )
    sides = [SIDE_PX // 4, SIDE_PX // 8, SIDE_PX // 16]
    seen = Sam2VisionConfig(
        backbone_config=hiera,
        backbone_channel_list=[64, 32, 16, widths[0]],
        backbone_feature_sizes=[[side, side] for side in sides],
        fpn_hidden_size=WIDTH,
    )
    asked = Sam2PromptEncoderConfig(hidden_size=WIDTH, image_size=SIDE_PX, patch_size=16, mask_input_channels=8)
    drawn = Sam2MaskDecoderConfig(
        hidden_size=WIDTH, mlp_dim=16, num_hidden_layers=2, num_attention_heads=1, iou_head_hidden_dim=16
    )
    config = Sam2Config(vision_config=seen, prompt_encoder_config=asked, mask_decoder_config=drawn)
    network = seeded(Sam2Model, config).eval()
    _stilled(network)
    _coloured(network.vision_encoder.backbone.patch_embed.projection, 3, 7)
    _near(network)
    _drawn(network)
    return network


MARK = 30
"""The channel that tells corners of a box, 1, from all other tokens, -1."""
PLACE = (0, 1, 16, 17)
"""Sine and cosine of both directions."""
TURNS = 0.4
"""What the picture's width is of a whole circle, twice."""
SHARP = 12.0
NEAR = 1.3
"""How alike the directions of a place and a corner must be, 2 at most."""


def _near(network: Any) -> None:
    """Let each place of the picture ask the corners whether it is near one: the first channel says yes or no."""
    for known in (network.prompt_encoder.shared_embedding, network.shared_image_embedding):
        known.positional_embedding.zero_()
        known.positional_embedding[0, 0] = known.positional_embedding[1, 1] = TURNS
    prompts, decoder = network.prompt_encoder, network.mask_decoder
    prompts.point_embed.weight[2:4, MARK] = 0  # the cosine of nothing is 1 there already
    for other in (prompts.not_a_point_embed, decoder.obj_score_token, decoder.iou_token, decoder.mask_tokens):
        other.weight[:, MARK] = -1
    scale = 16**0.5  # attention divides by it
    for layer in decoder.transformer.layers:
        among = layer.self_attn
        among.q_proj.weight[0, MARK] = 30 * scale
        among.k_proj.weight[0, MARK] = 30
        among.v_proj.weight[MARK, MARK] = among.o_proj.weight[MARK, MARK] = 1
        for norm in (layer.layer_norm1, layer.layer_norm2, layer.layer_norm3):
            norm.weight.zero_()
            norm.weight[MARK] = 1
    answers = decoder.transformer.layers[0].cross_attn_image_to_token
    for dimension, channel in enumerate(PLACE):
        answers.q_proj.weight[dimension, channel] = SHARP * scale
        answers.k_proj.weight[dimension, channel] = 1
    answers.q_proj.bias[4] = SHARP * scale
    answers.k_proj.weight[4, MARK], answers.k_proj.bias[4] = -NEAR / 12, NEAR / 2
    answers.v_proj.weight[0, MARK] = answers.o_proj.weight[0, 0] = 1


def _drawn(network: Any) -> None:
    """Draw what has a colour and is near."""
    decoder = network.mask_decoder
    finest = network.vision_encoder.neck.convs[3]
    for channel in range(2):
        finest.weight[channel, channel] = decoder.conv_s0.weight[channel, channel] = 4
    decoder.upscale_conv1.weight[0, 0] = 1
    decoder.upscale_conv2.weight[0, :2] = 8
    decoder.upscale_conv2.bias[:2] = -8 * 2.6
    decoder.upscale_conv2.bias[2] = 1
    for network_of_a_token in decoder.output_hypernetworks_mlps:
        network_of_a_token.proj_out.bias[:3] = torch.tensor((1.0, 1.0, -6.5))


@torch.no_grad()
def for_videos(pictures: Any) -> Any:
    """Give the network for videos that the public folder holds, with the one for pictures in it."""
    said = pictures.config.to_dict()
    parts = {name: said[name] for name in ("vision_config", "prompt_encoder_config", "mask_decoder_config")}
    whole = seeded(
        Sam2VideoModel,
        Sam2VideoConfig(
            **parts,
            image_size=SIDE_PX,
            memory_encoder_hidden_size=WIDTH,
            memory_attention_hidden_size=WIDTH,
            memory_attention_num_layers=1,
            memory_attention_feed_forward_hidden_size=16,
            memory_attention_rope_feat_sizes=[SIDE_PX // 16, SIDE_PX // 16],
            memory_encoder_output_channels=8,
            memory_fuser_num_layers=1,
            memory_fuser_embed_dim=WIDTH,
            memory_fuser_intermediate_dim=16,
            mask_downsampler_embed_dim=WIDTH,
        ),
    )
    unknown = whole.load_state_dict(pictures.state_dict(), strict=False).unexpected_keys
    if unknown:
        raise ValueError(f"the network for videos has not {unknown}")
    return whole


def shelve_grounded(models: Path) -> None:
    """Put both on a shelf."""
    shelve(models, DETECTOR, detector(), Beside(), part="detector")
    shelve(models, SEGMENTER, for_videos(segmenter()), part="segmenter")
