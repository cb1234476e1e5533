"""Labelled samples of a study: a table of points, its classes, and the splits that test a model on what it never saw.

The table is the first thing. Where the samples come from a map or from shapes on an image, two rasters of all labelled
pixels lie beside it, of which the table is a draw: the labels, and for each pixel its fold in each split. Samples that
came as a table have none, and each of their rows is tested.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from lulc_kit import files, raster
from lulc_kit.classes import Scheme
from lulc_kit.errors import BandError, FormatError, LulcError
from lulc_kit.late import xr
from lulc_kit.layout import Layout
from lulc_kit.raster import writing

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

SPLITS = {"fold": "apart in space", "further_fold": "apart in another way", "random_fold": "random pixels"}
"""The splits that may be there, and what keeps test and training apart in each. The first one is to be believed."""

_TRAINS = {"fold": "train_", "further_fold": "further_train_"}
"""What the names of the columns and bands begin with that say what may train the model which a fold tests."""

_OWN = {"row", "column", "class", "label", "block", "polygon", "geometry", *SPLITS}


def is_reserved(name: str) -> bool:
    """Whether a column of the table of samples has this name already, so that no feature can have it."""
    return name in _OWN or re.fullmatch(rf"({'|'.join(_TRAINS.values())})\d+", name) is not None


@dataclass(frozen=True)
class Samples:
    """Samples, their classes and their splits.

    Attributes
    ----------
    table
        One row per sample: ``geometry`` (a point), ``row``, ``column``, ``class`` (name), ``label`` (value), one column
        for each of `SPLITS` (number of the fold, from 1), ``block`` (what is drawn as a whole for an interval),
        ``polygon`` (its source, 0 for none), ``train_1`` …, ``further_train_1`` … (whether it may train the model that
        this fold of the split tests), and one column for each feature.
    scheme
        The classes that occur.
    separation
        How test and training are kept apart, in words.
    further
        The same of the further split; empty without one.
    labels
        Class values of all labelled pixels, (1, y, x), 0 for no label; None for samples that came as a table.
    folds
        Codes of the same pixels: one band for each split, ``block``, ``train_1`` …, ``further_train_1`` …; 0 where
        there is no label. None as for ``labels``.
    fingerprint
        Of the splits: runs with another one do not compare.
    notes
        What a reader of the scores must know of the split, in sentences: what was done about rare classes, which class
        is not in which fold.
    scarce
        Where a class has too little for a score: class, fold (0: all together), pixels, units (blocks, polygons or
        groups), and the least of both.
    doubt
        Why the labels are probably no observation of the ground, in a sentence; empty where nothing says so.
    distances
        How far it is from the map, from test samples (of each split) and from samples to the next training sample, by
        what leads to what: 101 quantiles, metres. Empty for a table.

    Examples
    --------
    >>> samples = Samples.read(Layout("outputs/mine"))
    >>> samples
    <Samples: 2 of Forest, Not forest; blocks>
    >>> samples.scheme.names, samples.splits, samples.features()
    (('Forest', 'Not forest'), ['fold', 'random_fold'], ('NDVI',))
    >>> samples.table.loc[samples.training("fold")[0], "NDVI"].tolist()
    [0.1]
    """

    table: pd.DataFrame | gpd.GeoDataFrame
    scheme: Scheme
    separation: str
    labels: xr.DataArray | None
    folds: xr.DataArray | None
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    scarce: Sequence[Mapping[Any, Any]] = ()
    doubt: str = ""
    distances: Mapping[str, Sequence[float]] = field(default_factory=dict)
    further: str = ""

    def __repr__(self) -> str:
        return f"<Samples: {len(self.table)} of {', '.join(self.scheme.names)}; {self.separation}>"

    @classmethod
    def read(cls, layout: Layout) -> Self:
        """Open the samples of a study, the rasters lazily; a LulcError names the file that is missing or broken."""
        with files.parse(layout.classes, "05_samples") as about:
            mapped, scheme = bool(about["rasters"]), Scheme.from_dict(about["scheme"])
            separation, further, doubt = (str(about[name]) for name in ("separation", "further", "doubt"))
            notes, scarce = tuple(map(str, about["notes"])), [dict(row) for row in about["scarce"]]
            distances = {str(name): [float(d) for d in found] for name, found in about["distances"].items()}
        return cls(
            _read_table(layout.samples),
            scheme,
            separation,
            raster.read_codes(layout.labels) if mapped else None,
            raster.read_codes(layout.folds) if mapped else None,
            files.sha256(layout.folds if mapped else layout.samples),
            notes,
            scarce,
            doubt,
            distances,
            further,
        )

    def write(self, layout: Layout) -> None:
        """Write the table, the rasters and the classes."""
        if self.labels is not None and self.folds is not None:
            writing.write(
                layout.labels,
                self.labels,
                dtype="uint8",
                nodata=0,
                colours={c.value: c.rgb for c in self.scheme.classes},
                tags={"classes": self.scheme.to_tag()},
            )
            writing.write(layout.folds, self.folds, dtype="uint32", nodata=0)
        with files.replacing(layout.samples) as part:
            self.table.to_parquet(part)
        about = {"scheme": self.scheme.to_dict(), "separation": self.separation, "rasters": self.labels is not None}
        about |= {"notes": [*self.notes], "scarce": [*self.scarce], "doubt": self.doubt, "further": self.further}
        about["distances"] = {name: [*found] for name, found in self.distances.items()}
        files.write_json(layout.classes, about)

    @property
    def splits(self) -> list[str]:
        """Names of the splits that there are."""
        return [name for name in SPLITS if name in self.table.columns]

    @property
    def n_splits(self) -> int:
        """Number of folds of the first split, and of the random one."""
        return int(self.table["fold"].max())

    def training(self, split: str) -> list[npt.NDArray[np.bool_]]:
        """Return for fold 1, 2, … of a split which rows of the table may train the model that the fold tests."""
        folds = range(1, int(self.table[split].max()) + 1)
        if split in _TRAINS:  # apart in space: also without those that lie too near
            return [self.table[f"{_TRAINS[split]}{k}"].to_numpy(bool) for k in folds]
        return [self.table[split].to_numpy() != k for k in folds]

    def on_grid(self) -> tuple[xr.DataArray, xr.DataArray]:
        """Return `labels` and `folds`; a LulcError for samples that came as a table, which lie on no grid."""
        if self.labels is None or self.folds is None:
            raise LulcError(
                "The samples of this study came as a table, without images: networks and maps need rasters. "
                "Use notebooks 06 and 09, or give 05 polygons or points and run 01 to 04 before it."
            )
        return self.labels, self.folds

    def trainable(self) -> npt.NDArray[np.bool_]:
        """Return for fold 1, 2, … which pixels may train the model that the fold tests, (fold, row, column)."""
        _, folds = self.on_grid()
        names = [str(b) for b in folds.band.values if str(b).startswith("train_")]
        return np.asarray(raster.select(folds, names).data.astype(bool))

    def codes(self, band: str) -> npt.NDArray[np.integer]:
        """Return a band of `folds`, (row, column), in memory, in the smallest type that holds its numbers."""
        found = raster.select(self.on_grid()[1], [band]).data[0]
        return np.asarray(found.astype(np.min_scalar_type(int(found.max()))))

    def features(self, wanted: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return the features to use: those wanted, or all that the table has; a LulcError lists what it has."""
        have = [str(c) for c in self.table.columns if not is_reserved(str(c))]
        missing = [f for f in wanted or [] if f not in have]
        if missing:
            raise BandError(f"Feature(s) {', '.join(missing)} are not in the samples. They have: {', '.join(have)}.")
        return tuple(wanted or have)


def _read_table(path: Path) -> pd.DataFrame | gpd.GeoDataFrame:
    """Read the table of samples, with geometry if it has any."""
    import geopandas as gpd
    import pandas as pd
    import pyarrow.parquet

    try:
        located = b"geo" in (pyarrow.parquet.read_schema(path).metadata or {})
        table = gpd.read_parquet(path) if located else pd.read_parquet(path)
    except Exception as error:  # of the file, of Arrow, of what the file says of its geometry
        raise FormatError(f"{path} cannot be read ({error}). Run notebook 05 again.") from error
    if missing := {"label", "fold"} - set(table.columns):
        raise FormatError(f"{path} has no column {', '.join(sorted(missing))}. Run notebook 05 again.")
    return table
