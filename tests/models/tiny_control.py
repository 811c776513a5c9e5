"""Tiny networks that read depth, people and joints from pictures, with the processors of the real ones."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    DPTImageProcessorPil,
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrImageProcessorPil,
    RTDetrResNetConfig,
    VitPoseBackboneConfig,
    VitPoseConfig,
    VitPoseForPoseEstimation,
    VitPoseImageProcessorPil,
)

from support.tiny import seeded, shelve

SURE = 20.0
"""A logit that leaves no doubt."""


def depth_estimator() -> Any:
    """Four layers over patches of 14 x 14."""
    backbone = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )
    return seeded(
        DepthAnythingForDepthEstimation,
        DepthAnythingConfig(
            backbone_config=backbone,
            patch_size=14,
            reassemble_hidden_size=16,
            neck_hidden_sizes=[8, 8, 8, 8],
            fusion_hidden_size=8,
            head_hidden_size=8,
            initializer_range=0.3,
        ),
    )


def person_detector(*, people: bool) -> Any:
    """Ten queries, of which every one is sure that it is a person, or none."""
    backbone = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], layer_type="basic", out_indices=[2, 3, 4]
    )
    network = seeded(
        RTDetrForObjectDetection,
        RTDetrConfig(
            backbone_config=backbone,
            encoder_hidden_dim=16,
            encoder_in_channels=[8, 8, 8],
            encoder_ffn_dim=16,
            encoder_attention_heads=2,
            d_model=16,
            decoder_in_channels=[16, 16, 16],
            decoder_ffn_dim=16,
            decoder_layers=1,
            decoder_attention_heads=2,
            num_queries=10,
            num_denoising=0,
            id2label={0: "person", 1: "bicycle"},
            label2id={"person": 0, "bicycle": 1},
        ),
    )
    with torch.no_grad():
        for head in network.model.decoder.class_embed:
            head.weight.zero_()
            head.bias.copy_(torch.tensor([SURE if people else -SURE, SURE]))
    return network


def pose_estimator() -> Any:
    """Two layers over patches of 16 x 16, planted so that every joint is where the picture is red and nothing else."""
    backbone = VitPoseBackboneConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=[128, 96], out_indices=[2]
    )
    network = seeded(VitPoseForPoseEstimation, VitPoseConfig(backbone_config=backbone, num_labels=17))
    with torch.no_grad():
        for name, values in network.named_parameters():
            if "layernorm" not in name:
                values.zero_()
        patches = network.backbone.embeddings.patch_embeddings.projection
        patches.weight[0, 0] = 0.01
        patches.bias[:2] = torch.tensor([5.4, 5.0])
        network.head.conv.weight[:, 0, 1, 1] = 1
        network.head.conv.bias.fill_(-1.5)
    return network


def depth_processor() -> Any:
    """Bring pictures to about 56 x 56, in whole patches."""
    return DPTImageProcessorPil(
        size={"height": 56, "width": 56}, ensure_multiple_of=14, keep_aspect_ratio=True, resample=3
    )


def shelve_depth(models: Path) -> None:
    """Put the estimator of depth on a shelf."""
    shelve(models, "depth-anything-small", depth_estimator(), depth_processor(), part="depth_estimator")


def shelve_poses(models: Path, *, people: bool = True) -> None:
    """Put what finds people and their joints on a shelf."""
    square = RTDetrImageProcessorPil(size={"height": 64, "width": 64})
    upright = VitPoseImageProcessorPil(size={"height": 128, "width": 96})
    shelve(models, "person-detector", person_detector(people=people), square, part="person_detector")
    shelve(models, "vitpose-base-simple", pose_estimator(), upright, part="pose_estimator")
