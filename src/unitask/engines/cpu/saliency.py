"""Which pixels stand out: two published measures on a graph of superpixels, and the focus of the camera.

Superpixels by SLIC (Achanta 2012). First measure: geodesic distance from the border (Wei 2012) and contrast with it.
Second: robust background detection (Zhu 2014), i.e. boundary connectivity and its quadratic optimisation. All colours
are CIE Lab with L in 0..100.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from skimage.segmentation import slic

Pixels = NDArray[Any]

SUPERPIXELS: Final = (250, 500)
"""The map is the mean over these numbers of patches; one number alone follows its patches' accidents."""
ALIKE_LAB: Final = 10.0
"""Colour distance up to which two patches count as the same surface (the paper's sigma)."""


@dataclass(frozen=True, slots=True)
class Superpixels:
    """A picture as a graph of k patches of one colour.

    `labels` int (h, w); `colours` float (k, 3) in Lab; `focus` float (k,) in 0..1; `centres` float (k, 2) as x and y
    in 0..1; `edges` int (n, 2), smaller patch first; `border` int (b,): the patches at the top and the sides.
    """

    labels: Pixels
    colours: Pixels
    focus: Pixels
    centres: Pixels
    edges: Pixels
    border: Pixels

    @property
    def central(self) -> Pixels:
        """How near the middle each patch is, 0.35 to 1: float (k,)."""
        x, y = self.centres.T
        near: Pixels = np.exp(-(((x - 0.5) / 0.42) ** 2 + ((y - 0.55) / 0.5) ** 2))
        return 0.35 + 0.65 * near


def saliency(rgb: Pixels) -> tuple[Pixels, Pixels]:
    """How much each pixel of an RGB picture belongs to a subject: two float (h, w) in 0..1.

    The first is high where both measures are, the second low only where both are.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    focus = _focus(rgb)
    apart, unconnected = [], []
    for number in SUPERPIXELS:
        patches = _superpixels(lab, focus, number)
        if len(patches.edges) > 0:
            apart.append(_stretched(_apart(patches) * patches.central)[patches.labels])
            unconnected.append(_stretched(_unconnected(patches))[patches.labels])
    if not apart:
        return np.zeros(rgb.shape[:2]), np.zeros(rgb.shape[:2])
    first = np.mean(apart, axis=0)
    second = _stretched(np.mean(unconnected, axis=0))
    sharp = _stretched(first * (0.35 + 0.65 * focus))
    return _stretched(np.sqrt((sharp + 1e-3) * (second + 1e-3))) ** 0.85, np.maximum(_stretched(first), second)


def _focus(rgb: Pixels) -> Pixels:
    """How sharp the surroundings of each pixel are, 0 to 1: a camera blurs what is not its subject."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = np.abs(gray - cv2.GaussianBlur(gray, (0, 0), 1))
    spread = cv2.GaussianBlur(detail, (0, 0), max(1.0, 0.03 * rgb.shape[1]))
    focus: Pixels = np.clip(spread / (np.percentile(spread, 95) + 1e-6), 0, 1)
    return focus


def _superpixels(lab: Pixels, focus: Pixels, number: int) -> Superpixels:
    labels = slic(lab, n_segments=number, compactness=12, convert2lab=False, start_label=0, channel_axis=-1)
    flat = labels.ravel()
    sizes = np.bincount(flat).astype(float)
    y, x = np.mgrid[0 : 1 : labels.shape[0] * 1j, 0 : 1 : labels.shape[1] * 1j]
    planes = (*np.moveaxis(lab, -1, 0), focus, x, y)
    means = np.stack([np.bincount(flat, plane.ravel()) / sizes for plane in planes], axis=1)
    beside = [(labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])]
    pairs = np.concatenate([np.stack([one.ravel(), other.ravel()], axis=1) for one, other in beside])
    edges = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    border = np.unique(np.concatenate([labels[0], labels[:, 0], labels[:, -1]]))
    return Superpixels(labels, means[:, :3], means[:, 3], means[:, 4:], edges, border)


def _apart(patches: Superpixels) -> Pixels:
    """Distance of each patch from the border, as a walk and as a colour, 0 to 1: float (k,)."""
    border = patches.colours[patches.border]
    between = _distances(border, border)
    # A border patch unlike the rest of the border is probably the subject touching it: entering there costs more.
    unlike = np.sort(between, axis=1)[:, 1 : max(3, len(border) // 4)].mean(axis=1)
    odd = 1 - np.exp(-(unlike**2) / (2 * 14.0**2))
    contrast = np.min(_distances(patches.colours, border) + odd[None] * 25, axis=1)
    return _stretched(0.55 * _stretched(_walk(patches, odd)) + 0.45 * _stretched(contrast))


def _walk(patches: Superpixels, odd: Pixels) -> Pixels:
    """Length of the cheapest walk from outside to each patch, in colour steps: float (k,)."""
    step = np.linalg.norm(patches.colours[patches.edges[:, 0]] - patches.colours[patches.edges[:, 1]], axis=1)
    # Small steps are free, or a long walk through a soft gradient would look like an edge.
    step = np.maximum(0, step - 0.4 * np.median(step)) + 1e-3
    outside = len(patches.colours)
    rows = np.concatenate([patches.edges[:, 0], np.full(len(patches.border), outside)])
    columns = np.concatenate([patches.edges[:, 1], patches.border])
    graph = coo_matrix((np.concatenate([step, odd * 30 + 1e-3]), (rows, columns)), shape=(outside + 1, outside + 1))
    length: Pixels = dijkstra(graph.tocsr(), directed=False, indices=outside)[:outside]
    return length


def _unconnected(patches: Superpixels) -> Pixels:
    """Robust background detection: contrast against what hangs together with the border. Float (k,), unscaled."""
    colour = _distances(patches.colours, patches.colours)
    behind = 1 - np.exp(-(_boundary_connectivity(patches, colour) ** 2) / 2)
    nearness = np.exp(-(_distances(patches.centres, patches.centres) ** 2) / (2 * 0.25**2))
    contrast = (colour * nearness) @ behind
    contrast = (contrast - contrast.min()) / (np.ptp(contrast) + 1e-9)
    threshold = cv2.threshold((contrast * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0] / 255
    front = np.where(contrast < threshold, 0, contrast) * patches.central * (0.4 + 0.6 * patches.focus)
    # Minimise  5 behind s^2 + front (1 - s)^2 + sum alike (s_i - s_j)^2  over the value s of each patch.
    alike = np.where(_related(patches), np.exp(-(colour**2) / (2 * ALIKE_LAB**2)) + 0.1, 0)
    system = np.diag(5 * behind + front + alike.sum(axis=1)) - alike
    settled: Pixels = np.linalg.solve(system + 1e-6 * np.eye(len(system)), front)
    return settled


def _boundary_connectivity(patches: Superpixels, colour: Pixels) -> Pixels:
    """Length of border that a patch's surface has, over the root of its area: float (k,)."""
    border = patches.border
    rows, columns = np.triu_indices(len(border), 1)
    pairs = np.unique(np.concatenate([patches.edges, np.stack([border[rows], border[columns]], axis=1)]), axis=0)
    touching = colour[patches.edges[:, 0], patches.edges[:, 1]]
    nearest = np.full(len(colour), 1e3)
    for side in patches.edges.T:
        np.minimum.at(nearest, side, touching)
    step = np.maximum(colour[pairs[:, 0], pairs[:, 1]] - nearest.mean(), 0) + 1e-4
    graph = coo_matrix((step, (pairs[:, 0], pairs[:, 1])), shape=colour.shape)
    same = np.exp(-(dijkstra(graph.tocsr(), directed=False) ** 2) / (2 * ALIKE_LAB**2))
    connectivity: Pixels = same[:, border].sum(axis=1) / np.sqrt(same.sum(axis=1))
    return connectivity


def _related(patches: Superpixels) -> Pixels:
    """Mark patches that touch, share a neighbour or both lie at the border: bool (k, k)."""
    number = len(patches.colours)
    touch = np.zeros((number, number), np.float32)
    touch[patches.edges[:, 0], patches.edges[:, 1]] = touch[patches.edges[:, 1], patches.edges[:, 0]] = 1
    related: Pixels = (touch + touch @ touch) > 0
    related[np.ix_(patches.border, patches.border)] = True
    np.fill_diagonal(related, val=False)
    return related


def _distances(one: Pixels, other: Pixels) -> Pixels:
    """Euclidean distance of each row of `one` to each of `other`: float (len(one), len(other))."""
    distance: Pixels = np.linalg.norm(one[:, None] - other[None], axis=2)
    return distance


def _stretched(values: Pixels) -> Pixels:
    """Map the 5th to 97th percentile to 0..1."""
    low, high = np.percentile(values, (5, 97))
    stretched: Pixels = np.clip((values - low) / (high - low + 1e-6), 0, 1)
    return stretched
