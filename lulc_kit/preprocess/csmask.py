"""Clouds and their shadows by a neural network that others trained and validated: ukis-csmask, an optional extra.

It sees the image at about 30 m, as its authors advise, in 4 bands (B2, B3, B4, B8), or better in 6 (B11 and B12 too),
and has a network of its own for Level-1C and for Level-2A.

References
----------
Wieland, M., Fichtner, F. & Martinis, S. (2022): UKIS-CSMASK: a Python package for multi-sensor cloud and cloud shadow
segmentation. Int. Arch. Photogramm. Remote Sens. Spatial Inf. Sci. XLIII-B3-2022, 217–222,
doi:10.5194/isprs-archives-XLIII-B3-2022-217-2022.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lulc_kit.errors import BandError, MissingFileError
from lulc_kit.progress import track

NAMES = {"B2": "blue", "B3": "green", "B4": "red", "B8": "nir", "B11": "swir16", "B12": "swir22"}
"""What the network calls the bands."""

SIDE = 30.0
"""Metres, of a pixel of the network."""

_TILE, _OVERLAP = 256, 0.2


def choose_bands(there: Sequence[str]) -> list[str]:
    """Return the bands that the network gets of those there are: six, or the first four; a LulcError if it cannot."""
    four = list(NAMES)[:4]
    if missing := [name for name in four if name not in there]:
        raise BandError(
            f"mask: csmask needs the bands {', '.join(four)}, better B11 and B12 too; {', '.join(missing)} missing. "
            f"Give them in 01_download.yaml, or choose another mask in 02_preprocess.yaml."
        )
    return list(NAMES) if all(name in there for name in NAMES) else four


def import_package() -> Any:
    """Return the module of the network; a LulcError says how to install it."""
    try:
        from ukis_csmask import mask
    except ImportError as error:
        raise MissingFileError(
            f"mask: csmask needs the package ukis-csmask and its networks (165 MB), which are not installed ({error}). "
            f'Install them (python -m pip install "ukis-csmask[cpu]>=1.0") and run this again, or choose another mask.'
        ) from error
    return mask


def coarsen(bands: NDArray[np.floating], *, factor: int) -> NDArray[np.float32]:
    """Reduce a block to larger pixels: the means of what has data, NaN where nothing has.

    Parameters
    ----------
    bands
        (band, row, column); the block begins at a row and a column that ``factor`` divides.
    factor
        Rows and columns that become one.
    """
    count, rows, columns = bands.shape
    padded = np.pad(bands, ((0, 0), (0, -rows % factor), (0, -columns % factor)), constant_values=np.nan)
    cells = padded.reshape(count, padded.shape[1] // factor, factor, -1, factor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of nothing but NaN
        return np.nanmean(cells, axis=(2, 4), dtype=np.float32)


def probabilities(image: NDArray[np.float32], bands: Sequence[str], level: str) -> NDArray[np.float32]:
    """Compute how likely each pixel is cloud, and how likely shadow of one.

    Parameters
    ----------
    image
        (band, row, column) reflectance 0–1 at about `SIDE`; NaN where there is no data.
    bands
        From `choose_bands`.
    level
        ``"L1C"`` or ``"L2A"``.

    Returns
    -------
    numpy.ndarray
        float32, (2, row, column), 0–1: cloud, shadow; what is left to 1 is ground. Means nothing where there is no
        data.

    Raises
    ------
    LulcError
        If the package is not installed.
    """
    package = import_package()

    class Network(package.CSmask):  # type: ignore[name-defined]
        """Keeps the probabilities, of which the package keeps only the likeliest class."""

        def _csm(self) -> NDArray[np.uint8]:
            tiles = np.moveaxis(package.tile_array(self.img, _TILE, _TILE, overlap=_OVERLAP), -1, 1)
            found = [
                self.softmax(self.session.run(None, {self.input_names: tile[None]})[0])[0]
                for tile in track(tiles, "clouds, csmask", total=len(tiles))
            ]
            classes = np.moveaxis(np.stack(found), 1, -1)
            shape = (*self.img.shape[:2], classes.shape[-1])
            self.found = package.untile_array(classes, shape, overlap=_OVERLAP, smooth_blending=True)
            return np.argmax(self.found, axis=2).astype(np.uint8)[..., None]

    pixels = np.ascontiguousarray(np.moveaxis(np.nan_to_num(image), 0, -1), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a scene smaller than a tile, which is mirrored to fill one
        network = Network(pixels, [NAMES[name] for name in bands], level, providers=["CPUExecutionProvider"])
    return np.moveaxis(network.found[..., 1:], -1, 0).astype(np.float32)
