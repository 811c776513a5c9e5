"""How public weights of Trellis are laid out: what builds each network, its tensors and their shapes; tiny sizes."""

from typing import Any, Final

BUILDS: Final[dict[str, dict[str, Any]]] = {
    "SparseStructureFlowModel": {
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 24,
        "cond_channels": 20,
        "num_blocks": 1,
        "num_heads": 2,
        "mlp_ratio": 4,
        "pe_mode": "ape",
        "qk_rms_norm": True,
        "use_fp16": True,
        "resolution": 2,
        "patch_size": 1,
        "qk_rms_norm_cross": True,
    },
    "SparseStructureDecoder": {
        "out_channels": 1,
        "latent_channels": 4,
        "num_res_blocks": 1,
        "num_res_blocks_middle": 1,
        "channels": [12, 8, 4],
        "use_fp16": True,
    },
    "ElasticSLatFlowModel": {
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 24,
        "cond_channels": 20,
        "num_blocks": 1,
        "num_heads": 2,
        "mlp_ratio": 4,
        "pe_mode": "ape",
        "qk_rms_norm": True,
        "use_fp16": True,
        "resolution": 8,
        "patch_size": 2,
        "num_io_res_blocks": 2,
        "io_block_channels": [16],
    },
    "ElasticSLatMeshDecoder": {
        "resolution": 8,
        "model_channels": 256,
        "latent_channels": 4,
        "num_blocks": 1,
        "num_heads": 4,
        "mlp_ratio": 4,
        "attn_mode": "swin",
        "window_size": 4,
        "use_fp16": True,
        "representation_config": {"use_color": True},
    },
}
_TENSORS: Final = {
    "SparseStructureFlowModel": """
pos_emb 8 24
t_embedder.mlp.0.weight 24 256
t_embedder.mlp.0.bias 24
t_embedder.mlp.2.weight 24 24
t_embedder.mlp.2.bias 24
input_layer.weight 24 4
input_layer.bias 24
blocks.0.norm2.weight 24
blocks.0.norm2.bias 24
blocks.0.self_attn.to_qkv.weight 72 24
blocks.0.self_attn.to_qkv.bias 72
blocks.0.self_attn.q_rms_norm.gamma 2 12
blocks.0.self_attn.k_rms_norm.gamma 2 12
blocks.0.self_attn.to_out.weight 24 24
blocks.0.self_attn.to_out.bias 24
blocks.0.cross_attn.to_q.weight 24 24
blocks.0.cross_attn.to_q.bias 24
blocks.0.cross_attn.to_kv.weight 48 20
blocks.0.cross_attn.to_kv.bias 48
blocks.0.cross_attn.q_rms_norm.gamma 2 12
blocks.0.cross_attn.k_rms_norm.gamma 2 12
blocks.0.cross_attn.to_out.weight 24 24
blocks.0.cross_attn.to_out.bias 24
blocks.0.mlp.mlp.0.weight 96 24
blocks.0.mlp.mlp.0.bias 96
blocks.0.mlp.mlp.2.weight 24 96
blocks.0.mlp.mlp.2.bias 24
blocks.0.adaLN_modulation.1.weight 144 24
blocks.0.adaLN_modulation.1.bias 144
out_layer.weight 4 24
out_layer.bias 4
""",
    "SparseStructureDecoder": """
input_layer.weight 12 4 3 3 3
input_layer.bias 12
middle_block.0.norm1.weight 12
middle_block.0.norm1.bias 12
middle_block.0.norm2.weight 12
middle_block.0.norm2.bias 12
middle_block.0.conv1.weight 12 12 3 3 3
middle_block.0.conv1.bias 12
middle_block.0.conv2.weight 12 12 3 3 3
middle_block.0.conv2.bias 12
blocks.0.norm1.weight 12
blocks.0.norm1.bias 12
blocks.0.norm2.weight 12
blocks.0.norm2.bias 12
blocks.0.conv1.weight 12 12 3 3 3
blocks.0.conv1.bias 12
blocks.0.conv2.weight 12 12 3 3 3
blocks.0.conv2.bias 12
blocks.1.conv.weight 64 12 3 3 3
blocks.1.conv.bias 64
blocks.2.norm1.weight 8
blocks.2.norm1.bias 8
blocks.2.norm2.weight 8
blocks.2.norm2.bias 8
blocks.2.conv1.weight 8 8 3 3 3
blocks.2.conv1.bias 8
blocks.2.conv2.weight 8 8 3 3 3
blocks.2.conv2.bias 8
blocks.3.conv.weight 32 8 3 3 3
blocks.3.conv.bias 32
blocks.4.norm1.weight 4
blocks.4.norm1.bias 4
blocks.4.norm2.weight 4
blocks.4.norm2.bias 4
blocks.4.conv1.weight 4 4 3 3 3
blocks.4.conv1.bias 4
blocks.4.conv2.weight 4 4 3 3 3
blocks.4.conv2.bias 4
out_layer.0.weight 4
out_layer.0.bias 4
out_layer.2.weight 1 4 3 3 3
out_layer.2.bias 1
""",
    "ElasticSLatFlowModel": """
t_embedder.mlp.0.weight 24 256
t_embedder.mlp.0.bias 24
t_embedder.mlp.2.weight 24 24
t_embedder.mlp.2.bias 24
input_layer.weight 16 4
input_layer.bias 16
input_blocks.0.norm1.weight 16
input_blocks.0.norm1.bias 16
input_blocks.0.conv1.conv.weight 16 3 3 3 16
input_blocks.0.conv1.conv.bias 16
input_blocks.0.conv2.conv.weight 16 3 3 3 16
input_blocks.0.conv2.conv.bias 16
input_blocks.0.emb_layers.1.weight 32 24
input_blocks.0.emb_layers.1.bias 32
input_blocks.1.norm1.weight 16
input_blocks.1.norm1.bias 16
input_blocks.1.conv1.conv.weight 24 3 3 3 16
input_blocks.1.conv1.conv.bias 24
input_blocks.1.conv2.conv.weight 24 3 3 3 24
input_blocks.1.conv2.conv.bias 24
input_blocks.1.emb_layers.1.weight 48 24
input_blocks.1.emb_layers.1.bias 48
input_blocks.1.skip_connection.weight 24 16
input_blocks.1.skip_connection.bias 24
blocks.0.norm2.weight 24
blocks.0.norm2.bias 24
blocks.0.self_attn.to_qkv.weight 72 24
blocks.0.self_attn.to_qkv.bias 72
blocks.0.self_attn.q_rms_norm.gamma 2 12
blocks.0.self_attn.k_rms_norm.gamma 2 12
blocks.0.self_attn.to_out.weight 24 24
blocks.0.self_attn.to_out.bias 24
blocks.0.cross_attn.to_q.weight 24 24
blocks.0.cross_attn.to_q.bias 24
blocks.0.cross_attn.to_kv.weight 48 20
blocks.0.cross_attn.to_kv.bias 48
blocks.0.cross_attn.to_out.weight 24 24
blocks.0.cross_attn.to_out.bias 24
blocks.0.mlp.mlp.0.weight 96 24
blocks.0.mlp.mlp.0.bias 96
blocks.0.mlp.mlp.2.weight 24 96
blocks.0.mlp.mlp.2.bias 24
blocks.0.adaLN_modulation.1.weight 144 24
blocks.0.adaLN_modulation.1.bias 144
out_blocks.0.norm1.weight 48
out_blocks.0.norm1.bias 48
out_blocks.0.conv1.conv.weight 16 3 3 3 48
out_blocks.0.conv1.conv.bias 16
out_blocks.0.conv2.conv.weight 16 3 3 3 16
out_blocks.0.conv2.conv.bias 16
out_blocks.0.emb_layers.1.weight 32 24
out_blocks.0.emb_layers.1.bias 32
out_blocks.0.skip_connection.weight 16 48
out_blocks.0.skip_connection.bias 16
out_blocks.1.norm1.weight 32
out_blocks.1.norm1.bias 32
out_blocks.1.conv1.conv.weight 16 3 3 3 32
out_blocks.1.conv1.conv.bias 16
out_blocks.1.conv2.conv.weight 16 3 3 3 16
out_blocks.1.conv2.conv.bias 16
out_blocks.1.emb_layers.1.weight 32 24
out_blocks.1.emb_layers.1.bias 32
out_blocks.1.skip_connection.weight 16 32
out_blocks.1.skip_connection.bias 16
out_layer.weight 4 16
out_layer.bias 4
""",
    "ElasticSLatMeshDecoder": """
input_layer.weight 256 4
input_layer.bias 256
blocks.0.attn.to_qkv.weight 768 256
blocks.0.attn.to_qkv.bias 768
blocks.0.attn.to_out.weight 256 256
blocks.0.attn.to_out.bias 256
blocks.0.mlp.mlp.0.weight 1024 256
blocks.0.mlp.mlp.0.bias 1024
blocks.0.mlp.mlp.2.weight 256 1024
blocks.0.mlp.mlp.2.bias 256
upsample.0.act_layers.0.weight 256
upsample.0.act_layers.0.bias 256
upsample.0.out_layers.0.conv.weight 64 3 3 3 256
upsample.0.out_layers.0.conv.bias 64
upsample.0.out_layers.1.weight 64
upsample.0.out_layers.1.bias 64
upsample.0.out_layers.3.conv.weight 64 3 3 3 64
upsample.0.out_layers.3.conv.bias 64
upsample.0.skip_connection.conv.weight 64 1 1 1 256
upsample.0.skip_connection.conv.bias 64
upsample.1.act_layers.0.weight 64
upsample.1.act_layers.0.bias 64
upsample.1.out_layers.0.conv.weight 32 3 3 3 64
upsample.1.out_layers.0.conv.bias 32
upsample.1.out_layers.1.weight 32
upsample.1.out_layers.1.bias 32
upsample.1.out_layers.3.conv.weight 32 3 3 3 32
upsample.1.out_layers.3.conv.bias 32
upsample.1.skip_connection.conv.weight 32 1 1 1 64
upsample.1.skip_connection.conv.bias 32
out_layer.weight 101 32
out_layer.bias 101
""",
}
SHAPES: Final = {
    kind: {line.split()[0]: tuple(map(int, line.split()[1:])) for line in text.split("\n") if line}
    for kind, text in _TENSORS.items()
}
