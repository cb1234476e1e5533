"""What runs of notebooks 07 and 08 leave behind: the map, its probabilities, the cross-validated map, the networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dask
import keras
import xarray as xr

from lulc_kit import classes, files, mapping, params, raster
from lulc_kit.deep import sequences, training
from lulc_kit.errors import LulcError


def scene(folder: Path, features: Sequence[str] | None) -> training.Scene:
    """Read what the networks learn from, out of a study's folder."""
    return training.Scene(
        raster.read(folder / "features/stack.tif", features),
        raster.read_codes(folder / "samples/labels.tif"),
        raster.read_codes(folder / "samples/folds.tif"),
        classes.Scheme.from_dict(files.read_json(folder / "samples/classes.json")["scheme"]),
    )


def write_fcn(models: Sequence[keras.Model], learnt: training.Scene, p: params.FCN, folder: Path) -> None:
    """Map the whole scene by the mean of the folds' networks, and write all files of the run."""
    stack = raster.read(folder / "features/stack.tif", learnt.bands)
    single = [training.predictor(m) for m in models]
    _write(stack, single, learnt, p.run, folder, training.HALO)
    training.save(models, folder / f"models/{p.run}")
    text = f"FCN (U-Net, filters {', '.join(map(str, p.filters))}), mean of {len(models)} networks, {p.epochs} epochs"
    mapping.write_run(folder, p.run, text, learnt.bands, patch=p.patch)


@dataclass(frozen=True)
class FCNRun:
    """A finished run of notebook 07: its networks by fold, the features they read, the side of its patches."""

    networks: list[keras.Model]
    features: list[str]
    patch: int


def fcn_run(folder: Path, run: str) -> FCNRun:
    """Open the networks of a run of notebook 07.

    Raises
    ------
    LulcError
        If there is no such run, or it was trained on other folds than those of the study now.
    """
    about = files.read_json(folder / f"models/{run}/run.json")
    if about["folds"] != files.sha256(folder / "samples/folds.tif"):
        raise LulcError(f"Run {run} was trained on other folds than those in samples/folds.tif. Run 07_fcn again.")
    return FCNRun(training.load(folder / f"models/{run}"), about["features"], about["patch"])


def write_lstm(
    models: Sequence[keras.Model],
    fcns: Sequence[keras.Model],
    series: sequences.Series,
    learnt: training.Scene,
    p: params.LSTM,
    folder: Path,
) -> None:
    """Map the whole scene by the mean of the folds' networks, and write all files of the run."""
    probabilities = sequences.predict(series, models, fcns, p)
    stack = sequences.as_stack(probabilities, raster.read_codes(folder / "samples/labels.tif"))
    single = sequences.predictors(*probabilities.shape[:2])
    _write(stack, single, learnt, p.run, folder, 0)
    training.save(models, folder / f"models/{p.run}")
    text = (
        f"FCN+LSTM over {p.sequences} sequences of {p.length} of {len(series.dates)} dates, gaps filled "
        f"{'linearly in time and flagged' if series.filled else 'by the mean'}, starting from run {p.fcn}"
    )
    mapping.write_run(folder, p.run, text, learnt.bands)


def _write(
    stack: xr.DataArray,
    predictors: Sequence[mapping.Predictor],
    learnt: training.Scene,
    run: str,
    folder: Path,
    halo: int,
) -> None:
    folds = raster.read_codes(folder / "samples/folds.tif", ["fold"])
    # A network uses all cores by itself, and Keras wants one caller at a time.
    with dask.config.set(scheduler="synchronous"):
        mapping.write_ensemble(folder, run, stack, folds, predictors, learnt.classes, halo=halo)
