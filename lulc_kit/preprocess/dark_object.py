"""A simple atmospheric correction for Level-1C, for those without Sen2Cor: dark-object subtraction.

Chavez (1988), *An improved dark-object subtraction technique for atmospheric scattering correction of
multispectral data*, doi:10.1016/0034-4257(88)90019-3: some pixels of every scene, deep water or full shadow,
reflect next to nothing, so what the sensor sees there is light that the air scattered into it. That path
reflectance is estimated in one short-wave band, carried to the others by a power law of the wavelength (so
that one band's odd dark pixels do not bend the spectrum), and subtracted.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lulc_kit import sentinel2
from lulc_kit.errors import BandError, LulcError, ParameterError

WARNING = (
    "Dark-object subtraction removes only the light that the air adds, the same amount everywhere in the "
    "scene. It does not undo absorption by water vapour, ozone or aerosol, haze that varies over the "
    "scene, light from bright neighbours, or the slopes of the terrain, and it assumes that something in "
    "the scene is black. The result is not surface reflectance as Sen2Cor or Level-2A products give it: "
    "do not mix the two in one study, and take care with indices that are not ratios."
)
"""What the correction cannot do; to be shown with its results."""

TAG = "dark-object subtraction (Chavez 1988; simple, not Sen2Cor)"
"""Name of the correction, for the tags of files and the titles of pictures."""

WAVELENGTHS = {name: band.wavelength for name, band in sentinel2.BANDS.items()}
"""Central wavelengths of Sentinel-2A (µm)."""

DARK = 0.1
"""Share of the pixels that may be darker than the dark object, by error or noise, percent."""

_START_BANDS = ("B2", "B3", "B4")  # where the air's light is strong and the noise small; B1 only sees 60 m
_FLOOR = 0.01  # the darkest natural surface is taken to reflect 1 %, as Chavez (1996) does
_EXPONENTS = np.linspace(0.5, 4.0, 36)  # from very hazy to clear air


def measure(bands: NDArray[np.floating], names: Sequence[str]) -> dict[str, float]:
    """Measure the light that the air scatters into top-of-atmosphere reflectance; `subtract` takes it off.

    Parameters
    ----------
    bands
        (band, row, column) top-of-atmosphere reflectance 0–1, NaN = no data. A whole scene or at least an
        area with something dark in it: the values hold for all of it. Measured on blocks they would leave seams.
    names
        Band names in the order of ``bands``; B2, B3 or B4 must be among them.

    Returns
    -------
    dict
        Path reflectance of each band. That of B10, which sees no ground, is 0.

    Raises
    ------
    LulcError
        If shapes and names do not fit, a name is unknown, the numbers are no reflectance, or there are no
        valid pixels.

    Notes
    -----
    The dark object of a band is the percentile `DARK` of its valid pixels, less the 1 % that even dark ground
    reflects (Chavez 1996). The path reflectance is a·λ^−κ with κ in 0.5 (haze) to 4 (clear air, Rayleigh):
    the κ that fits the dark objects of B2, B3 and B4 best, and the largest a with which it exceeds none of
    them. In the other bands it is at most the dark object, so that dark ground stays dark and does not turn
    black all over.
    """
    bands = _checked(bands, names)
    start = [name for name in _START_BANDS if name in names]
    if not start:
        raise BandError(f"The bands are {', '.join(names)}; the path radiance is fitted on B2, B3 or B4. Add one.")
    dark: dict[str, float] = {}
    for name, band in zip(names, bands, strict=True):
        valid = band[np.isfinite(band)]
        if not valid.size:
            raise LulcError(f"{name} has no valid pixel; there is nothing to correct. Leave it out.")
        if np.median(valid) > 2.0:
            raise LulcError(
                f"The median of {name} is {np.median(valid):.4g}; expected reflectance 0–1. Apply scale and offset."
            )
        dark[name] = max(float(np.percentile(valid, DARK)) - _FLOOR, 0.0)
    amount, exponent = _fit({name: dark[name] for name in start})
    path = {name: min(amount * WAVELENGTHS[name] ** -exponent, dark[name]) for name in names}
    if "B10" in path:
        path["B10"] = 0.0
    return path


def subtract(bands: NDArray[np.floating], path: Sequence[float]) -> NDArray[np.float32]:
    """Subtract one number from each band, and let nothing fall below zero.

    Parameters
    ----------
    bands
        (band, row, column) reflectance, NaN = no data.
    path
        Path reflectance of each band.

    Returns
    -------
    numpy.ndarray
        (band, row, column) float32.
    """
    if len(path) != len(bands):
        raise ParameterError(f"There are {len(bands)} bands and {len(path)} values to subtract; expected as many.")
    values = np.asarray(path, dtype=np.float32)[:, None, None]
    return np.maximum(bands.astype(np.float32, copy=False) - values, np.float32(0.0))  # NaN stays NaN


def _checked(bands: NDArray[np.floating], names: Sequence[str]) -> NDArray[np.floating]:
    if bands.ndim != 3 or len(names) != bands.shape[0]:
        raise ParameterError(
            f"bands has the shape {bands.shape} and there are {len(names)} names; expected (band, row, "
            "column) and one name for each band."
        )
    unknown = [name for name in names if name not in WAVELENGTHS]
    if unknown or len(set(names)) != len(names):
        raise ParameterError(
            f"The band names are {', '.join(names)}; expected each of {', '.join(WAVELENGTHS)} once at most."
        )
    return bands


def _fit(dark: dict[str, float]) -> tuple[float, float]:
    """Find a and κ of the power law a·λ^−κ that stays under the dark objects with the smallest misfit."""
    best = (np.inf, 0.0, 4.0)
    for exponent in _EXPONENTS[::-1]:  # of equal fits the clearer air
        shape = {name: WAVELENGTHS[name] ** -exponent for name in dark}
        amount = min(dark[name] / shape[name] for name in dark)
        misfit = sum((dark[name] - amount * shape[name]) ** 2 for name in dark)
        if misfit < best[0] - 1e-15:
            best = (misfit, amount, float(exponent))
    return best[1], best[2]
