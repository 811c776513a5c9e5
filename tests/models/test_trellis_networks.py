"""The networks of Trellis: laid out as the public weights, and computing what these were trained for."""

from typing import Any, Final

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_trellis import scattered, weights
from trellis_layout import BUILDS, SHAPES

from unitask.engines.networks.solid.decoders import MeshDecoder, StructureDecoder
from unitask.engines.networks.solid.flows import LatentFlow, StructureFlow
from unitask.engines.networks.solid.transformer import ModulatedBlock, WindowBlock, positions, windows_of
from unitask.engines.networks.solid.voxels import Convolution, Grid, Voxels

torch.set_num_threads(1)
KINDS: Final[dict[str, Any]] = {
    "SparseStructureFlowModel": StructureFlow,
    "SparseStructureDecoder": StructureDecoder,
    "ElasticSLatFlowModel": LatentFlow,
    "ElasticSLatMeshDecoder": MeshDecoder,
}
# What the code that was published with the weights gives for `scattered` weights and inputs (its sparse convolution
# replaced by a dense one with zeros round the voxels): some numbers from all over the result, mean, standard deviation.
PUBLISHED: Final = {
    "SparseStructureFlowModel": (
        (-0.6292952, 0.3682858, 1.7865962, 0.5531695, 1.1856863, 0.0116997), 0.2890154, 0.8189118,
    ),
    "SparseStructureDecoder": (
        (-0.2543505, -0.7774270, -0.4575892, -0.1673332, -0.7369270, -0.4496504), -0.0746549, 0.4483913,
    ),
    "ElasticSLatFlowModel": (
        (0.5652112, 0.6726950, 0.6354934, -0.0982264, -0.0484750, -0.2475504), -0.0391813, 0.7988353,
    ),
    "ElasticSLatMeshDecoder": (
        (-0.2571126, 1.0304260, 0.1394054, 1.0229147, -0.0639156, -0.2654455), 0.0525758, 1.5079998,
    ),
}  # fmt: skip


def tensor(shape: tuple[int, ...], number: int) -> torch.Tensor:
    """Give numbers without order."""
    return torch.from_numpy(scattered(shape, number)).float()


def some_voxels(channels: int = 4, side: int = 8, number: int = 102) -> Voxels:
    """Fill a fifth of a cube."""
    coordinates = (tensor((side, side, side), number) > 0.6).nonzero()
    return Voxels(Grid(coordinates, side), tensor((len(coordinates), channels), 103))


def network(kind: str) -> Any:
    """Build one and give it its weights; every one has its place."""
    found = KINDS[kind](BUILDS[kind])
    found.load_state_dict(weights(kind))
    return found.eval().requires_grad_(False)


@pytest.mark.parametrize("kind", KINDS)
def test_every_tensor_of_the_public_layout_has_its_place(kind: str) -> None:
    """By name and shape, none missing and none besides."""
    own = {name: tuple(value.shape) for name, value in KINDS[kind](BUILDS[kind]).state_dict().items()}
    assert own == SHAPES[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_computes_what_the_published_code_does(kind: str) -> None:
    """To the rounding of single precision."""
    some, wanted = some_voxels(), tensor((5, 20), 101)
    found = {
        "SparseStructureFlowModel": lambda: network(kind)(tensor((4, 2, 2, 2), 100), 700.0, wanted),
        "SparseStructureDecoder": lambda: network(kind)(tensor((4, 2, 2, 2), 100)),
        "ElasticSLatFlowModel": lambda: network(kind)(some, 700.0, wanted),
        "ElasticSLatMeshDecoder": lambda: network(kind)(some).features,
    }[kind]()
    numbers, mean, deviation = PUBLISHED[kind]
    every = max(1, found.numel() // 6)
    assert found.flatten()[::every][:6].tolist() == pytest.approx(numbers, abs=5e-5)
    assert (found.mean().item(), found.std().item()) == pytest.approx((mean, deviation), abs=5e-5)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("SparseStructureFlowModel", {"pe_mode": "rope"}),
        ("SparseStructureFlowModel", {"patch_size": 2}),
        ("SparseStructureFlowModel", {"share_mod": True}),
        ("SparseStructureDecoder", {"norm_type": "group"}),
        ("ElasticSLatFlowModel", {"use_skip_connection": False}),
        ("ElasticSLatMeshDecoder", {"attn_mode": "full"}),
        ("ElasticSLatMeshDecoder", {"representation_config": {"use_color": False}}),
    ],
)
def test_a_build_that_is_not_known_is_refused(kind: str, change: dict[str, Any]) -> None:
    """It would compute something else with the same weights."""
    with pytest.raises(ValueError, match="must"):
        KINDS[kind]({**BUILDS[kind], **change})


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_gives_nearly_the_same(kind: str) -> None:
    """The first and the last layer stay as they are, and so do what is given and what comes."""
    some, wanted = some_voxels(), tensor((5, 20), 101)
    given: tuple[Any, ...] = (tensor((4, 2, 2, 2), 100),) if "Structure" in kind else (some,)
    given += (700.0, wanted) if "Flow" in kind else ()
    whole, half = network(kind), network(kind)
    half.narrow(torch.float16)
    exact, near = (getattr(found, "features", found) for found in (whole(*given), half(*given)))
    assert near.dtype == torch.float32
    assert half.blocks[0].state_dict().keys() == whole.blocks[0].state_dict().keys()
    assert torch.float16 in {value.dtype for value in half.parameters()}
    assert half.input_layer.weight.dtype == torch.float32
    error = (near - exact).abs().max()
    assert 0 < error < 0.05 * exact.abs().max()


@pytest.mark.parametrize("size", [1, 3])
def test_sparse_convolution_is_dense_convolution_among_zeros(size: int) -> None:
    """At the voxels that are there; their order does not count."""
    some = some_voxels(channels=6)
    layer = Convolution(6, 5, size).requires_grad_(False)
    torch.nn.init.normal_(layer.conv.bias)
    x, y, z = some.grid.coordinates.T
    dense = torch.zeros(1, 6, 8, 8, 8)
    dense[0, :, x, y, z] = some.features.T
    kernel = layer.conv.weight.permute(0, 4, 1, 2, 3)
    expected = torch.nn.functional.conv3d(dense, kernel, layer.conv.bias, padding=size // 2)[0, :, x, y, z].T
    assert torch.allclose(layer(some).features, expected, atol=1e-5)
    order = torch.arange(len(x) - 1, -1, -1)
    turned = Voxels(Grid(some.grid.coordinates[order], 8), some.features[order])
    assert torch.allclose(layer(turned).features[order], expected, atol=1e-5)


def test_pooling_counts_a_voxel_of_zeros_more_than_there_are() -> None:
    """Two voxels of the same eight, and one alone: sums over 3 and over 2. The way back gives each its own."""
    coordinates = torch.tensor([(0, 0, 0), (7, 6, 7), (1, 1, 0)])
    some = Voxels(Grid(coordinates, 8), torch.tensor([[3.0], [10.0], [6.0]]))
    pooled = some.coarser()
    assert pooled.grid.coordinates.tolist() == [[0, 0, 0], [3, 3, 3]]
    assert pooled.features.tolist() == [[3.0], [5.0]]
    assert pooled.onto(some.grid).features.tolist() == [[3.0], [5.0], [3.0]]


def test_a_voxel_is_divided_into_eight() -> None:
    """All like it, in the grid of twice the side."""
    divided = Voxels(Grid(torch.tensor([(1, 0, 3), (2, 2, 2)]), 4), torch.tensor([[1.0], [2.0]])).divided()
    expected = {(2 + x, y, 6 + z) for x in range(2) for y in range(2) for z in range(2)}
    assert {tuple(place) for place in divided.grid.coordinates[:8].tolist()} == expected
    assert divided.features[:, 0].tolist() == [1.0] * 8 + [2.0] * 8
    assert divided.grid.side == 8


def soft(scores: NDArray[Any]) -> NDArray[Any]:
    """Give shares that add up to 1."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def normed(values: NDArray[Any]) -> NDArray[Any]:
    """Bring rows to mean 0 and variance 1."""
    return (values - values.mean(-1, keepdims=True)) / np.sqrt(values.var(-1, keepdims=True) + 1e-6)


def dense_attention(
    part: dict[str, NDArray[Any]], tokens: NDArray[Any], context: NDArray[Any] | None, allowed: Any, heads: int
) -> NDArray[Any]:
    """Attend as the formula says, in double precision; `allowed` (n, m) says who sees whom."""

    def layer(name: str, values: NDArray[Any]) -> NDArray[Any]:
        return values @ part[f"{name}.weight"].T + part[f"{name}.bias"]

    if context is None:
        query, key, value = np.split(layer("to_qkv", tokens), 3, axis=1)
    else:
        query, (key, value) = layer("to_q", tokens), np.split(layer("to_kv", context), 2, axis=1)
    width = query.shape[1] // heads
    mixed = []
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        pair = [query[:, own], key[:, own]]
        for number, name in enumerate(("q_rms_norm", "k_rms_norm")):
            if f"{name}.gamma" in part:
                length = np.linalg.norm(pair[number], axis=1, keepdims=True)
                pair[number] = pair[number] / length * part[f"{name}.gamma"][head] * np.sqrt(width)
        scores = pair[0] @ pair[1].T / np.sqrt(width)
        mixed.append(soft(np.where(allowed, scores, -np.inf)) @ value[:, own])
    return layer("to_out", np.concatenate(mixed, axis=1))


def gelu(values: NDArray[Any]) -> NDArray[Any]:
    """Follow its formula with the hyperbolic tangent."""
    return 0.5 * values * (1 + np.tanh(np.sqrt(2 / np.pi) * (values + 0.044715 * values**3)))


def described(block: torch.nn.Module) -> dict[str, NDArray[Any]]:
    """Give a block's weights some order-free values, and give them back in double precision."""
    with torch.no_grad():
        for number, value in enumerate(block.parameters()):
            value.copy_(0.4 * tensor(tuple(value.shape), number))
    return {name: value.double().numpy() for name, value in block.state_dict().items()}


def within(said: dict[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    """Take the weights of a part."""
    return {key.removeprefix(f"{name}."): value for key, value in said.items() if key.startswith(f"{name}.")}


def test_a_modulated_block_is_what_its_formula_says() -> None:
    """Shift, scale and gate by the time; heads of one length among tokens, not towards the context."""
    block = ModulatedBlock(12, 10, 3, 4, normed=True, normed_cross=False).requires_grad_(False)
    said = described(block)
    tokens, time, context = (tensor(shape, 50 + len(shape)) for shape in ((6, 12), (12,), (4, 10)))
    found = block(tokens, time, context)
    x, t, c = (value.double().numpy() for value in (tokens, time, context))
    six = (t / (1 + np.exp(-t))) @ said["adaLN_modulation.1.weight"].T + said["adaLN_modulation.1.bias"]
    shift, scale, gate, late_shift, late_scale, late_gate = np.split(six, 6)
    everyone = np.ones((6, 6), bool)
    x = x + dense_attention(within(said, "self_attn"), normed(x) * (1 + scale) + shift, None, everyone, 3) * gate
    inner = normed(x) * said["norm2.weight"] + said["norm2.bias"]
    x = x + dense_attention(within(said, "cross_attn"), inner, c, np.ones((6, 4), bool), 3)
    inner = (normed(x) * (1 + late_scale) + late_shift) @ said["mlp.mlp.0.weight"].T + said["mlp.mlp.0.bias"]
    x = x + (gelu(inner) @ said["mlp.mlp.2.weight"].T + said["mlp.mlp.2.bias"]) * late_gate
    assert np.allclose(found.numpy(), x, atol=1e-4)


@pytest.mark.parametrize("shift", [0, 2])
def test_attention_in_windows_is_full_attention_that_sees_no_other_window(shift: int) -> None:
    """A window is a cube of four voxels a side; every second time it begins two voxels earlier."""
    some = some_voxels(channels=12)
    block = WindowBlock(12, 3, 4, normed=False).requires_grad_(False)
    said = described(block)
    found = block(some.features, windows_of(some.grid, 4, shift))
    cells = (some.grid.coordinates.numpy() + shift) // 4
    allowed = (cells[:, None] == cells[None]).all(axis=2)
    assert 1 < len(np.unique(cells, axis=0)) < len(cells)
    x = some.features.double().numpy()
    x = x + dense_attention(within(said, "attn"), normed(x), None, allowed, 3)
    inner = gelu(normed(x) @ said["mlp.mlp.0.weight"].T + said["mlp.mlp.0.bias"])
    x = x + inner @ said["mlp.mlp.2.weight"].T + said["mlp.mlp.2.bias"]
    assert np.allclose(found.numpy(), x, atol=1e-4)


def test_positions_are_waves_along_three_axes() -> None:
    """Of x, of y and of z; what is left over is zero."""
    said = positions(torch.tensor([(0, 1, 2)]), 14)[0].tolist()
    slow = 1 / np.sqrt(10_000)
    expected = [wave(at * rate) for at in (0, 1, 2) for wave in (np.sin, np.cos) for rate in (1, slow)]
    assert said == pytest.approx([*expected, 0, 0], abs=1e-6)
