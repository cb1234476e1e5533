"""Colours for classes that have none: first those that colour-blind readers can tell apart."""

import colorsys

DISTINCT = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000"),
    *("#331144", "#bbffbb", "#885533", "#1100bb", "#8877ff", "#99bb88"),
)
"""The eight colours of Okabe & Ito (2008, Color Universal Design), and six more, each chosen as the one farthest (by
CIEDE2000) from those before it as people without red, green or blue cones see them (Machado et al. 2009,
doi:10.1109/TVCG.2009.113)."""

_GOLDEN = 0.618033988749895  # of a turn: hues that follow each other lie far apart, and none comes twice


def colours(count: int) -> tuple[str, ...]:
    """Return so many different colours, ``#rrggbb``: those of `DISTINCT`, then others by hue and lightness.

    Examples
    --------
    >>> colours(2)
    ('#0072b2', '#e69f00')
    """
    found = list(DISTINCT[:count])
    step = 0
    while len(found) < count:
        hue, light = (step * _GOLDEN) % 1, (0.35, 0.55, 0.75)[step % 3]
        colour = "#" + "".join(f"{round(255 * part):02x}" for part in colorsys.hls_to_rgb(hue, light, 0.65))
        step += 1
        if colour not in found:
            found.append(colour)
    return tuple(found)
