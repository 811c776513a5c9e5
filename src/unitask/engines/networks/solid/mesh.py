"""Meshes after they were found: no hollows, fewer triangles, normals, upright for viewers, and glTF in one file."""

import json
import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from unitask.engines.networks.solid.surface import Mesh

_UPRIGHT: Final = np.array([(1, 0, 0), (0, 0, -1), (0, 1, 0)], np.float32)
"""From z up, as the weights know it, to y up, as glTF has it: rows times this."""
_FINEST: Final = 512
_ROUGHNESS: Final = 0.9
_STIFFNESS: Final = 1e-2
"""How much the mean of a cell's corners counts beside its planes, which alone need not meet in one point."""
_FLOATS, _SHORTS, _COUNTS = 5126, 5123, 5125
_CORNERS, _FACES = 34962, 34963
_FULL: Final = 65535


def upright(mesh: Mesh) -> Mesh:
    """Turn a mesh so that y is up and its front looks along z."""
    return Mesh(mesh.vertices @ _UPRIGHT, mesh.colours, mesh.faces)


def filled(mesh: Mesh) -> Mesh:
    """Leave out the walls of hollows: pieces of the mesh, joined by vertices, that look inwards on the whole."""
    count = len(mesh.vertices)
    ends = mesh.faces[:, [0, 1, 1, 2]].reshape(-1, 2).T
    links = coo_matrix((np.ones(ends.shape[1], np.int8), (ends[0], ends[1])), (count, count))
    pieces, of_vertex = connected_components(links, directed=False)
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    volumes = np.einsum("ni,ni->n", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    of_face = of_vertex[mesh.faces[:, 0]]
    outer = np.bincount(of_face, weights=volumes, minlength=pieces) > 0
    return _of_faces(mesh, mesh.faces[outer[of_face]])


def _of_faces(mesh: Mesh, faces: NDArray[np.int64]) -> Mesh:
    """Leave out the vertices that no face has."""
    used, renamed = np.unique(faces, return_inverse=True)
    return Mesh(mesh.vertices[used], mesh.colours[used], renamed.reshape(-1, 3))


def simplified(mesh: Mesh, limit_faces: int) -> Mesh:
    """Give a mesh of at most `limit_faces` triangles: one vertex in each cell of the finest grid that keeps to it.

    The vertex lies where it is nearest to the planes of the triangles that its cell had (Lindstrom 2000).
    """
    if len(mesh.faces) <= limit_faces:
        return mesh
    cells = min(_FINEST, round(_FINEST * (limit_faces / len(mesh.faces)) ** 0.5) + 8)
    while True:
        found = _clustered(mesh, cells)
        if len(found.faces) <= limit_faces:
            return found
        cells = min(cells - 1, int(cells * (limit_faces / len(found.faces)) ** 0.5))


def _clustered(mesh: Mesh, cells: int) -> Mesh:
    corner, width = mesh.vertices.min(axis=0), float(np.ptp(mesh.vertices, axis=0).max()) / cells
    places = ((mesh.vertices - corner) / max(width, 1e-9)).astype(np.int64)
    _, of_vertex = np.unique(places @ np.array([(cells + 2) ** 2, cells + 2, 1]), return_inverse=True)
    count = int(of_vertex.max()) + 1
    members = np.bincount(of_vertex, minlength=count)[:, None]
    middle, colours = (_summed(of_vertex, values, count) / members for values in (mesh.vertices, mesh.colours))
    vertices = _nearest_to_planes(mesh, of_vertex, middle)
    faces = of_vertex[mesh.faces]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    faces = _once(faces[whole], count)
    vertices = np.clip(vertices, middle - width, middle + width)
    return _of_faces(Mesh(vertices.astype(np.float32), colours.astype(np.float32), faces), faces)


def _once(faces: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Let triangles of the same corners that look opposite ways vanish, two at a time: a closed mesh stays closed."""
    first = faces.argmin(axis=1)[:, None]
    turned = np.take_along_axis(faces, (first + np.arange(3)) % 3, axis=1)
    ways = np.where(turned[:, 1] < turned[:, 2], 1, -1)
    low, high = turned[:, 1:].min(axis=1), turned[:, 1:].max(axis=1)
    _, rows, same = np.unique((turned[:, 0] * count + low) * count + high, return_index=True, return_inverse=True)
    balance = np.bincount(same, weights=ways)
    kept = np.stack([turned[rows, 0], low[rows], high[rows]], axis=1)
    kept = np.where(balance[:, None] < 0, kept[:, [0, 2, 1]], kept)
    return np.repeat(kept, np.abs(balance).astype(np.int64), axis=0)


def _nearest_to_planes(mesh: Mesh, of_vertex: NDArray[np.int64], middle: NDArray[Any]) -> NDArray[Any]:
    """Solve, for each cell, for the point with the least squared distance to its triangles' planes."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    count = len(middle)
    matrix, offset = np.zeros((count, 9)), np.zeros((count, 3))
    for number in range(3):
        cell = of_vertex[mesh.faces[:, number]]
        away = np.sum(normals * (corners[:, 0] - middle[cell]), axis=1, keepdims=True)
        matrix += _summed(cell, (normals[:, :, None] * normals[:, None]).reshape(-1, 9), count)
        offset += _summed(cell, normals * away, count)
    square = matrix.reshape(-1, 3, 3)
    stiff = _STIFFNESS * np.trace(square, axis1=1, axis2=2) + 1e-18
    moved = np.linalg.solve(square + stiff[:, None, None] * np.eye(3), offset[..., None])[..., 0]
    return middle + moved


def _summed(rows: NDArray[np.int64], values: NDArray[Any], count: int) -> NDArray[np.float64]:
    return np.stack([np.bincount(rows, weights=column, minlength=count) for column in values.T], axis=1)


def normals_of(mesh: Mesh) -> NDArray[np.float32]:
    """Give the unit normal at each vertex, (n, 3): the mean of its triangles' by their areas."""
    corners = mesh.vertices[mesh.faces]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = sum(_summed(mesh.faces[:, number], flat, len(mesh.vertices)) for number in range(3))
    lengths = np.linalg.norm(total, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (total / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit


def linear(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Go from screens' colours (sRGB) to amounts of light, both 0 to 1."""
    light = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 - IEC 61966-2-1
    return light.astype(np.float32)


def glb(mesh: Mesh, extras: Mapping[str, str]) -> bytes:
    """Write glTF 2.0 in one file, `extras` in its asset. Colours of vertices are amounts of light there."""
    light = (np.clip(linear(mesh.colours), 0, 1) * _FULL + 0.5).astype("<u2")
    coloured = np.column_stack([light, np.full(len(light), _FULL, "<u2")])
    arrays = [mesh.vertices.astype("<f4"), normals_of(mesh).astype("<f4"), coloured, mesh.faces.astype("<u4")]
    kinds = [("VEC3", _FLOATS), ("VEC3", _FLOATS), ("VEC4", _SHORTS), ("SCALAR", _COUNTS)]
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []
    body = b""
    for array, (kind, component) in zip(arrays, kinds, strict=True):
        target = _FACES if kind == "SCALAR" else _CORNERS
        views.append({"buffer": 0, "byteOffset": len(body), "byteLength": array.nbytes, "target": target})
        count = array.size if kind == "SCALAR" else len(array)
        accessors.append({"bufferView": len(accessors), "componentType": component, "count": count, "type": kind})
        body += array.tobytes()
    accessors[0] |= {"min": arrays[0].min(axis=0).tolist(), "max": arrays[0].max(axis=0).tolist()}
    accessors[2]["normalized"] = True
    parts = {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2}
    tree = {
        "asset": {"version": "2.0", "generator": "unitask", "extras": dict(extras)},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": parts, "indices": 3, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": _ROUGHNESS}}],
        "buffers": [{"byteLength": len(body)}],
        "bufferViews": views,
        "accessors": accessors,
    }
    head = json.dumps(tree, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 4)
    whole = 12 + 8 + len(head) + 8 + len(body)
    return b"".join(
        (struct.pack("<4sII", b"glTF", 2, whole), struct.pack("<I4s", len(head), b"JSON"), head,
         struct.pack("<I4s", len(body), b"BIN\0"), body)
    )  # fmt: skip
