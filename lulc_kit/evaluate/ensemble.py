"""Several runs as one: their probabilities averaged, pixel by pixel, into a map and cross-validated scores of its own.

Models of different kinds err in different places, so that their mean is often better than the best of them, and where
they differ nobody knows. The rule of the mean: Kittler et al. 1998, doi:10.1109/34.667881. What each model says of a
labelled pixel it says without having seen its fold, and so does their mean; nothing is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lulc_kit import mapping, raster
from lulc_kit.classes import Scheme
from lulc_kit.errors import LulcError, ParameterError
from lulc_kit.late import da, xr
from lulc_kit.layout import CONSENSUS, ENSEMBLE, Layout, RunLayout
from lulc_kit.map_layers import PERCENT_NODATA, Array
from lulc_kit.raster import writing
from lulc_kit.samples import Samples

Codes = npt.NDArray[np.uint8]


def mean(percent: Codes, members: int) -> Array:
    """Average the probabilities of several runs.

    Parameters
    ----------
    percent : (member · class, row, column)
        Whole percent, 255 for no data; all classes of the first run, then of the second, ….
    members
        How many runs.

    Returns
    -------
    numpy.ndarray of float32, (class, row, column)
        0 to 1; NaN where any run has no data.

    Examples
    --------
    >>> first, second = [[60], [40]], [[20], [80]]
    >>> mean(np.array([*first, *second], np.uint8)[:, None], 2).ravel().tolist()
    [0.4000000059604645, 0.6000000238418579]
    """
    runs = percent.reshape(members, -1, *percent.shape[1:])
    out = (runs.mean(axis=0, dtype=np.float32) / np.float32(100)).astype(np.float32)
    out[:, (percent == PERCENT_NODATA).any(axis=0)] = np.nan
    return out


def consensus(codes: Codes, of_members: Codes) -> Codes:
    """Return how many of the runs say the class of the ensemble, whole percent, (1, row, column); 255 for no data.

    Parameters
    ----------
    codes : (1, row, column)
        The ensemble's classes, 0 for no data.
    of_members : (member, row, column)
        Those of the runs.
    """
    agreeing = np.rint(100 * (of_members == codes).mean(axis=0, keepdims=True))
    return np.where(codes == 0, PERCENT_NODATA, agreeing).astype(np.uint8)


def combine(layout: Layout, names: Sequence[str], samples: Samples) -> None:
    """Average the probabilities of runs, and write all files of a run for it, and the layer of consensus.

    Parameters
    ----------
    layout
        The study's files.
    names
        The runs.
    samples
        The study's samples.

    Raises
    ------
    LulcError
        If the samples are a table, which has no maps, or a run tells other classes than the labels have.
    """
    if layout.tabular:
        raise ParameterError(
            "ensemble averages maps, and samples that are a table alone have none. Write ensemble: []."
        )
    members, scheme, run = [layout.run(name) for name in names], samples.scheme, layout.run(ENSEMBLE)
    splits = _splits(members)
    mapped = [raster.read_codes(member.layer("probability")) for member in members]
    _check(mapped, names, scheme)
    unseen = [
        [raster.read_codes(m.crossval_probability, [f"{split} {c}" for c in scheme.names]) for m in members]
        for split in splits
    ]
    averaged = [_average(found) for found in (mapped, *unseen)]
    held = (1 + len(splits)) * (len(members) + 4) * len(scheme.values)
    words = f"mean of the probabilities of {', '.join(names)}"
    mapping.write(mapping.lay_out(averaged, splits, mapped[0].odc.geobox, scheme, held), run, scheme, {"model": words})
    _write_consensus(run, members)
    about = [mapping.read_about(member) for member in members]
    used = {feature for one in about for feature in one["features"]}
    there = raster.band_names(layout.stack)
    features = [name for name in there if name in used] or there
    more = {"classes": scheme.to_dict(), "members": [*names]}
    mapping.write_about(run, words, features, samples.fingerprint, **more)


def _splits(members: Sequence[RunLayout]) -> list[str]:
    """Return the splits by which all runs were cross-validated, in the order of the first."""
    first, *others = [raster.band_names(member.crossval) for member in members]
    return [split for split in first if all(split in names for names in others)]


def _check(mapped: Sequence[xr.DataArray], names: Sequence[str], scheme: Scheme) -> None:
    for name, percent in zip(names, mapped, strict=True):
        told = [str(band) for band in percent.band.values]
        if told != [*scheme.names]:
            raise LulcError(
                f"ensemble: run {name} tells {', '.join(told)}, and the labels have {', '.join(scheme.names)}. Only "
                f"runs of the same classes have a mean: take {name} out of ensemble in 09_evaluate.yaml."
            )


def _average(found: Sequence[xr.DataArray]) -> da.Array:
    first = found[0].data
    same = [one.data.rechunk({0: -1, **dict(enumerate(first.chunks[1:], 1))}) for one in found]
    return da.map_blocks(
        mean,
        da.concatenate(same).rechunk({0: -1}),
        members=len(found),
        chunks=((len(found[0].band),), *first.chunks[1:]),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )


def _write_consensus(run: RunLayout, members: Sequence[RunLayout]) -> None:
    codes = raster.read_codes(run.map)
    others = [raster.read_codes(member.map).data.rechunk(codes.data.chunks) for member in members]
    found = da.map_blocks(
        consensus,
        codes.data,
        da.concatenate(others).rechunk({0: -1}),
        dtype=np.uint8,
        chunks=codes.data.chunks,
        meta=np.empty((0, 0, 0), np.uint8),
    )
    layer = raster.array(found, codes.odc.geobox, [CONSENSUS])
    writing.write(run.layer(CONSENSUS), layer, dtype="uint8", nodata=PERCENT_NODATA, tags={"unit": "percent"})
