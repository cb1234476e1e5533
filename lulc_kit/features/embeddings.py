"""Embeddings: what a foundation model makes of all images of a year, as a raster of many bands that others computed.

For example AlphaEarth Foundations (Brown et al. 2025, arXiv:2507.22291; 64 bands, vectors of length 1) or Tessera (Feng
et al. 2025, arXiv:2506.20380; 128 bands). They come in exports and files of many kinds, often as 8-bit numbers that
mean nothing until they are scaled, and each is of one year.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lulc_kit.errors import FormatError, ParameterError
from lulc_kit.late import da, xr

SAMPLE = 64
"""Side of the window in the middle whose vectors are measured, pixels."""


def check_year(name: str, year: int, dates: Sequence[str]) -> None:
    """Refuse an embedding of another year than the images'.

    Parameters
    ----------
    name
        Of the file, for the message.
    year
        Of the embedding.
    dates
        Of the images that went into the composite, ``YYYY-MM-DD``; empty if they are not known: nothing is checked.

    Raises
    ------
    LulcError
        If no image is of that year.
    """
    years = sorted({int(day[:4]) for day in dates})
    if years and year not in years:
        raise ParameterError(
            f"external: {name} is an embedding of {year}, and the composite's images are of "
            f"{', '.join(map(str, years))}. Fetch the embedding of that year, or change composite_dates in "
            f"02_preprocess.yaml."
        )


def decode(layers: xr.DataArray, scale: float | str | None, plain_integers: bool, name: str) -> xr.DataArray:
    """Turn a file's numbers into those of the embedding.

    Parameters
    ----------
    layers
        (band, y, x), NaN for no data, as the file and its own scale say.
    scale
        What they are multiplied by; ``alphaearth``: sign(q) · (q / 127.5)², by which that product's 8-bit files are
        decoded; None: nothing.
    plain_integers
        Whether the file holds integers and says no scale of its own.
    name
        Of the file, for messages.

    Raises
    ------
    LulcError
        If the file holds integers and no scale is given, or the vectors of an AlphaEarth embedding have not length 1.

    Examples
    --------
    >>> from lulc_kit import raster
    >>> grid = raster.read("image.tif").odc.geobox
    >>> quantized = raster.array(np.full((4, *grid.shape), -90.0, np.float32), grid, ["A00", "A01", "A02", "A03"])
    >>> decode(quantized, "alphaearth", True, "mine.tif").values[0, 0, 0].round(3)
    np.float32(-0.498)
    """
    if scale is None and plain_integers:
        raise ParameterError(
            f"external: {name} holds whole numbers, and an embedding's are real. Say what they are multiplied by, "
            f"for example scale: 0.0078125, or scale: alphaearth for that product's own files."
        )
    if scale == "alphaearth":
        numbers = layers.data
        decoded = layers.copy(data=da.sign(numbers) * (numbers / np.float32(127.5)) ** 2)
        _check_length(decoded, name)
        return decoded
    return layers if scale is None else layers * np.float32(scale)


def _check_length(layers: xr.DataArray, name: str) -> None:
    rows, columns = (max(0, (layers.sizes[axis] - SAMPLE) // 2) for axis in ("y", "x"))
    middle = layers.isel(y=slice(rows, rows + SAMPLE), x=slice(columns, columns + SAMPLE)).values
    lengths = np.sqrt((middle**2).sum(axis=0))
    lengths = lengths[np.isfinite(lengths)]
    if len(lengths) and abs(float(np.median(lengths)) - 1) > 0.05:
        raise FormatError(
            f"external: vectors of {name} have a length of {np.median(lengths):.2f}, and those of AlphaEarth have 1: "
            f"bands are missing, or its numbers were scaled before. Leave 'bands' out, or give the right 'scale'."
        )
