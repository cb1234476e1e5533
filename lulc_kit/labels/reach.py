"""How far features and models see: a gap between test and training below that lets them see each other."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lulc_kit.sentinel2 import BANDS


def of_features(
    parameters: Mapping[str, Any], stack: Sequence[str], texture: Sequence[str], resolution: float
) -> dict[str, float]:
    """Return how far the features of a pixel reach beyond its centre, metres, by what reaches so far.

    Parameters
    ----------
    parameters
        Of notebook 04, as it recorded them: every one that is called ``…window`` or ``…windows`` is the side of moving
        windows, pixels; ``segment_size`` the pixels of a segment, taken to reach as far as a square twice as wide.
    stack
        Names of the layers of the stack.
    texture
        Names of the texture layers: their window counts only if the stack has such a layer, or a component of them.
    resolution
        Side of a pixel, metres.

    Examples
    --------
    >>> of_features({"texture_window": 5}, ["B2", "B11", "B8_entropy"], ["B8_entropy"], 10.0)
    {'the pixels of B11': 20.0, 'texture_window': 20.0}
    """
    found: dict[str, float] = {}
    coarse = max((b for b in stack if b in BANDS), key=lambda b: BANDS[b].resolution, default=None)
    if coarse and BANDS[coarse].resolution > resolution:
        found[f"the pixels of {coarse}"] = float(BANDS[coarse].resolution)
    textured = any(name in texture or re.fullmatch(r"TPC\d+", name) for name in stack)
    for name, value in parameters.items():
        if not re.search("windows?$", name) or (name == "texture_window" and not textured):
            continue
        sides = [s for s in (value if isinstance(value, list | tuple) else [value]) if s]
        if sides:
            found[name] = max(sides) // 2 * resolution
    if size := parameters.get("segment_size", 0):
        found["segment_size"] = round(2 * size**0.5) * resolution
    return found
