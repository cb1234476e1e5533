"""What runs of notebooks 07 and 08 read and leave behind: maps, the cross-validated map, the networks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import dask
import dask.array as da
import keras
import numpy as np
import pandas as pd
import xarray as xr

from lulc_kit import attribution, mapping, params, raster
from lulc_kit.deep import card, dated, devices, networks, prediction, sequences, storage, temporal, training
from lulc_kit.deep.scene import Scene
from lulc_kit.deep.series import Series, scratch
from lulc_kit.errors import LulcError, ParameterError
from lulc_kit.layout import Layout, RunLayout
from lulc_kit.samples import Samples


def open_stack(p: params.FCN, layout: Layout) -> xr.DataArray:
    """Open the features that a network reads, (band, y, x): those named, or all."""
    return raster.read(layout.stack, p.features)


def train_fcn(scene: Scene, p: params.FCN, layout: Layout, watch: training.Watch | None = None) -> training.Trained:
    """Train the FCNs that the parameters describe (see `training.train`)."""

    def build(*of_scene: Any, width: float = 1.0, dropout: float = p.dropout) -> keras.Model:
        filters = [max(1, round(number * width)) for number in p.filters]
        return networks.NETWORKS[p.network](*of_scene, filters=filters, dropout=dropout)

    with devices.computing(p.precision, p.batch):
        return training.train(scene, build, p.patch, _fit(p), p.run, layout.run(p.run), watch)


def train_lstm(
    scene: Scene, series: Series, first: "FCNRun", p: params.LSTM, layout: Layout, watch: training.Watch | None = None
) -> training.Trained:
    """Train the networks of dates that the parameters describe (see `sequences.train` and `dated.train`)."""
    run = layout.run(p.run)
    with devices.computing(p.precision, p.batch):
        if not p.starts_from_fcn:
            return dated.train(scene, series, p.network, first.patch, _choice(p), _fit(p), p.run, run, watch)
        return sequences.train(scene, series, first.networks, first.patch, _choice(p), _fit(p), p.run, run, watch)


def _fit(p: params.FCN | params.LSTM) -> training.Fit:
    return training.Fit(
        steps=p.steps,
        rate=p.learning_rate,
        batch=p.batch,
        seed=p.seed,
        schedule=p.schedule,
        share=p.inner_validation,
        loss=p.loss,
        smoothing=p.label_smoothing,
        weighting=p.class_weight,
        jitter=p.jitter,
        drop=p.band_dropout,
        minutes=p.minutes,
        tune=p.tune,
        board=p.tensorboard,
    )


def _choice(p: params.LSTM) -> sequences.Choice:
    return sequences.Choice(p.length, p.sequences == "random", p.draws)


def write_fcn(trained: training.Trained, scene: Scene, samples: Samples, p: params.FCN, layout: Layout) -> None:
    """Map the whole scene by the mean of the folds' networks, and write all files of the run."""
    run, bands = layout.run(p.run), scene.bands
    _map(prediction.of_images(trained.networks, scene.features, p.flips), samples, run, scene.features.shape[-1])
    text = (
        f"{networks.TITLES[p.network]}, filters {', '.join(map(str, p.filters))}, "
        f"mean of {len(trained.networks)} networks, {_steps(trained)}"
    )
    storage.save(trained.networks, run, _cards(trained, text, bands, samples, p, run))
    more = {"patch": p.patch, "classes": [*samples.scheme.names]}
    mapping.write_about(run, text, bands, samples.fingerprint, **more)


def _steps(trained: training.Trained) -> str:
    return f"{' / '.join(map(str, trained.kept))} steps"


@dataclass(frozen=True)
class FCNRun:
    """A finished run of notebook 07: its networks by fold, the features they read, the side of its patches.

    Of networks of dates that start from none: no networks.
    """

    networks: list[keras.Model]
    features: list[str]
    patch: int


def open_fcn(run: RunLayout, samples: Samples) -> FCNRun:
    """Open the networks of a run of notebook 07.

    Raises
    ------
    LulcError
        If there is no such run, or it was trained on other folds than those of the study now.
    """
    about = mapping.read_about(run)
    if about["folds"] != samples.fingerprint:
        raise LulcError(f"Run {run.name} was trained on other folds than those of notebook 05. Run 07_fcn again.")
    models = storage.load(run)
    for model in models:
        storage.check(model, about["features"], about.get("classes", []), samples.scheme.names)
    return FCNRun(models, about["features"], about["patch"])


def open_first(p: params.LSTM, samples: Samples, layout: Layout) -> FCNRun:
    """Open what a network of dates starts from: a run of notebook 07, or nothing but bands and side of patches.

    Raises
    ------
    LulcError
        See `open_fcn`; if the cube has too few dates for a sequence.
    """
    if p.starts_from_fcn:
        return open_fcn(layout.run(p.fcn), samples)
    of_dates = raster.header(layout.image(_dates(p, layout)[0])).names
    return FCNRun([], p.features or [b for b in raster.header(layout.stack).names if b in of_dates], p.patch)


def read_series(layout: Layout, bands: Sequence[str], p: params.LSTM) -> Series:
    """Read the dates of the cube that the parameters name; a LulcError if they are too few for a sequence."""
    dates, images = _dates(p, layout), []
    for day in dates:
        clear = raster.read_codes(layout.mask(day)).data[0] == 0
        images.append(raster.read(layout.image(day), bands).where(clear))
    return Series(scratch(images), dates, p.gaps == "linear")


def _dates(p: params.LSTM, layout: Layout) -> list[str]:
    ending = layout.mask("").name
    days = sorted(path.name.removesuffix(ending) for path in layout.cube.glob(f"*{ending}"))
    dates = [d for d in days if p.dates is None or p.dates[0] <= d <= p.dates[1]]
    if len(dates) < p.length:
        raise ParameterError(
            f"A sequence needs {p.length} dates, and the cube has {len(dates)} between {p.dates}. "
            f"Widen 'dates', lower 'length', or lower 'min_clear' in 02_preprocess.yaml."
        )
    return dates


def attention(trained: training.Trained, series: Series, samples: Samples, p: params.LSTM) -> pd.DataFrame | None:
    """Measure which dates an L-TAE or U-TAE looks at, by class (see `dated.attention`); None for other networks."""
    if p.network not in ("ltae", "utae"):
        return None
    labels = np.asarray(samples.on_grid()[0].data[0])
    classes = dict(zip(samples.scheme.names, samples.scheme.values, strict=True))
    return dated.attention(series, trained.networks, labels, classes)


def write_lstm(
    trained: training.Trained,
    first: FCNRun,
    series: Series,
    samples: Samples,
    p: params.LSTM,
    layout: Layout,
) -> None:
    """Map the whole scene by the mean of the folds' networks, and write all files of the run."""
    run = layout.run(p.run)
    if p.starts_from_fcn:
        probabilities = sequences.predict(series, trained.networks, first.networks, _choice(p), p.seed, p.flips)
    else:
        probabilities = dated.predict(series, trained.networks, _choice(p), p.seed, p.flips)
    _map(probabilities, samples, run, len(series.dates) * (series.bands + 2))
    title = "FCN+LSTM" if p.starts_from_fcn else temporal.TITLES[p.network]
    text = (
        f"{title} over {p.sequences} sequences of {p.length} of {len(series.dates)} dates, gaps filled "
        f"{'linearly in time and flagged' if series.filled else 'by the mean' if p.starts_from_fcn else 'by nothing'}"
        f"{f', starting from run {p.fcn}' if p.starts_from_fcn else ''}, {_steps(trained)}"
    )
    storage.save(trained.networks, run, _cards(trained, text, first.features, samples, p, run))
    mapping.write_about(run, text, first.features, samples.fingerprint)


def _cards(
    trained: training.Trained,
    text: str,
    bands: Sequence[str],
    samples: Samples,
    p: params.FCN | params.LSTM,
    run: RunLayout,
) -> list[str]:
    """Write what each network is, with its score on the fold that it has not seen."""
    settings = {k: v for k, v in p.model_dump(mode="json").items() if k not in ("study", "outputs", "run", "features")}
    found, labels = raster.read_codes(run.crossval).data[0], samples.on_grid()[0].data[0]
    found, labels, fold = np.asarray(found), np.asarray(labels), samples.codes("fold")
    cards = []
    for k, model in enumerate(trained.networks, 1):
        tested = fold == k
        scores = {
            "inner validation": trained.validated(k),
            "test fold": training.macro_f1(labels[tested], found[tested]),
        }
        pixels = dict(zip(samples.scheme.names, trained.pixels[k - 1], strict=True))
        chosen = {} if (words := trained.chosen(k)) is None else {"chosen by inner validation": words}
        own = card.Card(
            *(run.name, k, text, attribution.get(), tuple(bands), pixels, samples.separation, settings | chosen),
            *(trained.kept[k - 1], scores, networks.temperature_of(model)),
        )
        cards.append(own.text())
    return cards


def _map(probabilities: da.Array, samples: Samples, run: RunLayout, seen: int) -> None:
    """Map what the folds' networks say, (fold × class, row, column); they see so many numbers of a pixel."""
    folds = len(probabilities) // len(samples.scheme.values)
    stack = sequences.as_stack(probabilities, folds, samples.on_grid()[0])
    predictors = sequences.predictors(folds, len(samples.scheme.values))
    maps = mapping.predict(stack, None, {"fold": predictors}, samples.folds, samples.scheme)
    # A network uses all cores by itself; the other thread reads what is next and writes what was before.
    with dask.config.set(scheduler="threads", num_workers=2):
        mapping.write(replace(maps, held=maps.held + 2 * seen), run, samples.scheme)
