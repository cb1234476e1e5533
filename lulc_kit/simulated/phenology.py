"""Spectra of the simulated covers through the year: the table that the simulated scenes are painted from.

Reflectances are typical published values for temperate lowlands, rounded; they make plausible pictures and a
known truth, and describe no place on the earth.
"""

from dataclasses import dataclass, replace

import numpy as np

from lulc_kit.sentinel2 import MTF

BANDS = tuple(MTF)  # B10 sees no ground
CLASSES = {1: "Build-up", 2: "Farmland", 3: "Forest", 4: "Meadow", 5: "Water", 6: "Other land"}

# Surface reflectance of pure materials, in the order of BANDS.
MATERIALS: dict[str, tuple[float, ...]] = {
    "loam": (0.070, 0.085, 0.115, 0.150, 0.175, 0.195, 0.215, 0.235, 0.250, 0.260, 0.330, 0.290),
    "dark soil": (0.050, 0.060, 0.080, 0.105, 0.125, 0.140, 0.155, 0.170, 0.180, 0.190, 0.240, 0.210),
    "sand": (0.140, 0.170, 0.230, 0.290, 0.320, 0.340, 0.360, 0.380, 0.400, 0.410, 0.480, 0.450),
    "crop": (0.020, 0.025, 0.055, 0.030, 0.090, 0.320, 0.430, 0.470, 0.490, 0.480, 0.200, 0.090),
    "broad crop": (0.022, 0.028, 0.070, 0.035, 0.115, 0.370, 0.470, 0.520, 0.530, 0.520, 0.240, 0.115),
    "straw": (0.080, 0.100, 0.140, 0.190, 0.220, 0.250, 0.280, 0.300, 0.320, 0.330, 0.400, 0.320),
    "rape flower": (0.030, 0.040, 0.130, 0.130, 0.190, 0.360, 0.420, 0.450, 0.460, 0.460, 0.220, 0.120),
    "grass": (0.025, 0.030, 0.070, 0.045, 0.110, 0.290, 0.370, 0.400, 0.420, 0.420, 0.230, 0.120),
    "dry grass": (0.045, 0.058, 0.085, 0.105, 0.140, 0.190, 0.220, 0.245, 0.265, 0.270, 0.300, 0.210),
    "broadleaf": (0.018, 0.020, 0.045, 0.025, 0.075, 0.270, 0.360, 0.390, 0.410, 0.410, 0.180, 0.080),
    "autumn leaf": (0.025, 0.032, 0.065, 0.085, 0.130, 0.200, 0.240, 0.265, 0.280, 0.285, 0.210, 0.120),
    "bare branches": (0.025, 0.032, 0.046, 0.055, 0.075, 0.110, 0.130, 0.150, 0.165, 0.170, 0.180, 0.120),
    "conifer": (0.015, 0.018, 0.032, 0.022, 0.050, 0.140, 0.180, 0.200, 0.210, 0.210, 0.095, 0.045),
    "heath": (0.030, 0.038, 0.052, 0.062, 0.090, 0.135, 0.155, 0.170, 0.185, 0.190, 0.210, 0.140),
    "clear water": (0.030, 0.032, 0.030, 0.018, 0.014, 0.011, 0.010, 0.009, 0.008, 0.008, 0.005, 0.004),
    "turbid water": (0.040, 0.048, 0.058, 0.042, 0.038, 0.024, 0.022, 0.020, 0.018, 0.015, 0.008, 0.006),
    "asphalt": (0.070, 0.080, 0.090, 0.100, 0.105, 0.110, 0.115, 0.120, 0.125, 0.125, 0.140, 0.130),
    "tiles": (0.070, 0.080, 0.100, 0.170, 0.200, 0.220, 0.240, 0.260, 0.280, 0.280, 0.310, 0.280),
    "slate": (0.110, 0.120, 0.130, 0.140, 0.145, 0.150, 0.155, 0.160, 0.170, 0.170, 0.190, 0.180),
    "metal": (0.300, 0.330, 0.360, 0.380, 0.390, 0.400, 0.410, 0.420, 0.420, 0.420, 0.400, 0.360),
}


@dataclass(frozen=True)
class Season:
    """A material that covers `share` of the ground between two days of the year (logistic rise and fall)."""

    material: str
    share: float
    start: float
    end: float
    rise: float = 8.0
    fall: float = 8.0

    def weight(self, day: float) -> float:
        """Covered share on a day of the year; a season may begin in the year before (`start` < 0)."""
        days = np.array([day - 365.0, day, day + 365.0])
        curve = 1 / (1 + np.exp((self.start - days) / (self.rise / 2)))
        curve /= 1 + np.exp((days - self.end) / (self.fall / 2))
        return float(self.share * curve.max())


@dataclass(frozen=True)
class Cover:
    """What a patch of ground is made of: the class it belongs to, its ground, what grows on it and when."""

    name: str
    class_value: int
    ground: str
    seasons: tuple[Season, ...] = ()

    def shift(self, days: float) -> "Cover":
        """The same cover, earlier or later by some days."""
        moved = tuple(replace(s, start=s.start + days, end=s.end + days) for s in self.seasons)
        return replace(self, name=f"{self.name} {days:+.0f} d", seasons=moved)


_GRASS = (Season("grass", 0.85, 85, 320, 25, 25),)
_PLACES = (
    Cover("lake", 5, "clear water"),
    Cover("river", 5, "turbid water"),
    Cover("reed", 6, "dry grass", (Season("grass", 0.75, 135, 275, 20, 20),)),
    Cover("sand pit", 6, "sand"),
    Cover("heath", 6, "heath", (Season("grass", 0.30, 125, 275, 25, 25),)),
    Cover("conifers", 3, "conifer"),
    Cover("broadleaves", 3, "bare branches",
          (Season("broadleaf", 0.95, 118, 286, 8, 8), Season("autumn leaf", 0.75, 286, 312))),
    Cover("mown meadow", 4, "dry grass",
          (Season("grass", 0.95, 80, 152, 20, 4), Season("grass", 0.80, 168, 214, 10, 4),
           Season("grass", 0.80, 230, 325, 10, 25))),
    Cover("pasture", 4, "dry grass", (Season("grass", 0.80, 95, 200, 25, 20), Season("grass", 0.60, 200, 312,
    20, 25))), Cover("asphalt", 1, "asphalt"),
    Cover("tiled roof", 1, "tiles"),
    Cover("slate roof", 1, "slate"),
    Cover("metal roof", 1, "metal"),
    Cover("garden", 1, "dry grass", _GRASS),
    Cover("town trees", 1, "bare branches", (Season("broadleaf", 0.9, 116, 292),)),
    Cover("park", 4, "dry grass", _GRASS),
    Cover("track", 2, "loam", (Season("dry grass", 0.3, 90, 300, 20, 20),)),
)  # fmt: skip
_CROPS = (
    Cover("winter wheat", 2, "loam",
          (Season("crop", 0.35, -75, 80, 15, 15), Season("crop", 0.92, 88, 180, 18, 10),
           Season("straw", 0.85, 183, 224, 6, 10))),
    Cover("rapeseed", 2, "loam",
          (Season("broad crop", 0.55, -110, 72, 15, 15), Season("broad crop", 0.85, 78, 116, 12, 6),
           Season("rape flower", 0.85, 118, 142, 6, 6), Season("broad crop", 0.80, 142, 180, 6, 10),
           Season("straw", 0.80, 186, 214))),
    Cover("spring barley", 2, "dark soil", (Season("crop", 0.85, 112, 178, 14, 8), Season("straw", 0.85, 182,
    226, 6))), Cover("maize", 2, "dark soil", (Season("broad crop", 0.92, 165, 258, 14, 12), Season("straw",
    0.60, 262, 292))), Cover("sugar beet", 2, "loam", (Season("broad crop", 0.95, 155, 292, 16, 8),)),
    Cover("potatoes", 2, "dark soil", (Season("crop", 0.85, 150, 228, 14, 14),)),
)  # fmt: skip
CROP_SHIFTS = (-7.0, 0.0, 7.0)
COVERS: tuple[Cover, ...] = _PLACES + tuple(crop.shift(days) for crop in _CROPS for days in CROP_SHIFTS)
FIRST_CROP = len(_PLACES)
CROPS = len(_CROPS)

# Class of each cover, by its number in COVERS.
COVER_CLASS = np.array([cover.class_value for cover in COVERS], dtype=np.uint8)


def cover_number(name: str) -> int:
    """Number of a cover in `COVERS`."""
    return [cover.name for cover in COVERS].index(name)


def spectra(day: float) -> np.ndarray:
    """Mean surface reflectance of every cover on a day of the year.

    Parameters
    ----------
    day
        Day of the year, 1–366.

    Returns
    -------
    numpy.ndarray
        (covers, 12) float64 reflectance 0–1, in the order of `COVERS` and `BANDS`.
    """
    table = np.empty((len(COVERS), len(BANDS)))
    for row, cover in zip(table, COVERS, strict=True):
        weights = np.array([season.weight(day) for season in cover.seasons])
        weights = weights / max(1.0, weights.sum())
        row[:] = (1 - weights.sum()) * np.array(MATERIALS[cover.ground])
        for weight, season in zip(weights, cover.seasons, strict=True):
            row += weight * np.array(MATERIALS[season.material])
    return table
