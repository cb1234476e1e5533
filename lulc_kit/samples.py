"""Labelled samples of a study: a table of points, its classes, and the splits that test a model on what it never saw.

The table is the first thing. Beside it lie two rasters of all labelled pixels, of which the table is a draw: the
labels, and for each pixel its fold in each split.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import xarray as xr

from lulc_kit import files, raster
from lulc_kit.classes import Scheme
from lulc_kit.errors import BandError, FormatError
from lulc_kit.layout import Layout
from lulc_kit.raster import writing

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

SPLITS = {"fold": "apart in space", "random_fold": "random pixels"}
"""The splits that may be there, and what keeps test and training apart in each. The first one is to be believed."""


_OWN = {"row", "column", "class", "label", "block", "polygon", "geometry", *SPLITS}


def is_reserved(name: str) -> bool:
    """Whether a column of the table of samples has this name already, so that no feature can have it."""
    return name in _OWN or re.fullmatch(r"train_\d+", name) is not None


@dataclass(frozen=True)
class Samples:
    """Samples, their classes and their splits.

    Attributes
    ----------
    table
        One row per sample: ``geometry`` (a point), ``row``, ``column``, ``class`` (name), ``label`` (value), one column
        for each of `SPLITS` (number of the fold, from 1), ``block`` (what is drawn as a whole for an interval),
        ``polygon`` (its source, 0 for none), ``train_1`` … (whether it may train the model that fold tests), and one
        column for each feature.
    scheme
        The classes that occur.
    separation
        How test and training are kept apart, in words.
    labels
        Class values of all labelled pixels, (1, y, x), 0 for no label.
    folds
        Codes of the same pixels: one band for each split, ``block``, ``train_1`` …; 0 where there is no label.
    fingerprint
        Of the splits: runs with another one do not compare.

    Examples
    --------
    >>> from pathlib import Path
    >>> samples = Samples.read(Layout(Path("outputs/mine")))
    >>> samples.scheme.names, samples.splits, samples.features()
    (('Forest', 'Not forest'), ['fold', 'random_fold'], ('NDVI',))
    >>> samples.table.loc[samples.training("fold")[0], "NDVI"].tolist()
    [0.1]
    """

    table: "pd.DataFrame | gpd.GeoDataFrame"
    scheme: Scheme
    separation: str
    labels: xr.DataArray
    folds: xr.DataArray
    fingerprint: str = ""

    @classmethod
    def read(cls, layout: Layout) -> Self:
        """Open the samples of a study, the rasters lazily; a LulcError names the file that is missing or broken."""
        import geopandas as gpd

        about = files.read_json(layout.classes)
        try:
            table = gpd.read_parquet(layout.samples)
        except (OSError, ValueError) as error:
            raise FormatError(f"{layout.samples} cannot be read ({error}). Run notebook 05 again.") from error
        return cls(
            table,
            Scheme.from_dict(about["scheme"]),
            about["separation"],
            raster.read_codes(layout.labels),
            raster.read_codes(layout.folds),
            files.sha256(layout.folds),
        )

    def write(self, layout: Layout) -> None:
        """Write the table, the rasters and the classes."""
        writing.write(
            layout.labels,
            self.labels,
            dtype="uint8",
            nodata=0,
            colours={c.value: c.rgb for c in self.scheme.classes},
            tags={"classes": "; ".join(f"{c.value} {c.name}" for c in self.scheme.classes)},
        )
        writing.write(layout.folds, self.folds, dtype="uint32", nodata=0)
        with files.replacing(layout.samples) as part:
            self.table.to_parquet(part)
        files.write_json(layout.classes, {"scheme": self.scheme.to_dict(), "separation": self.separation})

    @property
    def splits(self) -> list[str]:
        """Names of the splits that there are."""
        return [name for name in SPLITS if name in self.table.columns]

    @property
    def n_splits(self) -> int:
        """Number of folds of each split."""
        return int(self.table["fold"].max())

    def training(self, split: str) -> list[npt.NDArray[np.bool_]]:
        """Return for fold 1, 2, … of a split which rows of the table may train the model that the fold tests."""
        folds = range(1, self.n_splits + 1)
        if split == "fold":  # apart in space: also without those that lie too near
            return [self.table[f"train_{k}"].to_numpy(bool) for k in folds]
        return [self.table[split].to_numpy() != k for k in folds]

    def trainable(self) -> npt.NDArray[np.bool_]:
        """Return for fold 1, 2, … which pixels may train the model that the fold tests, (fold, row, column)."""
        names = [str(b) for b in self.folds.band.values if str(b).startswith("train_")]
        return np.asarray(raster.select(self.folds, names).data).astype(bool)

    def codes(self, band: str) -> npt.NDArray[np.integer]:
        """Return a band of `folds`, (row, column), in memory."""
        return np.asarray(raster.select(self.folds, [band]).data[0])

    def features(self, wanted: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return the features to use: those wanted, or all that the table has; a LulcError lists what it has."""
        have = [str(c) for c in self.table.columns if not is_reserved(str(c))]
        missing = [f for f in wanted or [] if f not in have]
        if missing:
            raise BandError(f"Feature(s) {', '.join(missing)} are not in the samples. They have: {', '.join(have)}.")
        return tuple(wanted or have)
