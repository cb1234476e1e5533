"""What runs of notebooks 07 and 08 read and leave behind: maps, the cross-validated map, the networks."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import keras
import numpy as np
import pandas as pd
from odc.geo.geobox import GeoBox

from lulc_kit import map_layers, mapping, origins, params, raster, travel
from lulc_kit.classes import Scheme
from lulc_kit.deep import (
    dated,
    devices,
    joined,
    networks,
    prediction,
    scene,
    sequences,
    storage,
    temporal,
    training,
)
from lulc_kit.deep.outcome import Outcome
from lulc_kit.deep.scene import Scene
from lulc_kit.deep.series import Series, scratch
from lulc_kit.errors import BandError, FormatError, LulcError, ParameterError
from lulc_kit.layout import Layout, RunLayout
from lulc_kit.samples import Samples


def open_scene(
    own: Samples | None, features: Sequence[str] | None, p: params.FCN | params.LSTM, layout: Layout
) -> Scene | None:
    """Open what networks learn from: this study, or those of ``samples`` joined; None where nothing is trained here.

    Raises
    ------
    LulcError
        If features or classes of several studies are not the same, with those of both; see also `joined.join`.
    """
    origins.join_classes(own, p, layout)  # refuses those that mean something else
    if p.trained:
        return None
    if not p.origins:
        assert own is not None, "the step's inputs were checked"
        return Scene(raster.read(layout.stack, features), own)
    first, *others = p.origins
    described = travel.describe(layout.other(first).stack, features)
    for study in dict.fromkeys([*others, p.study]):
        travel.check(described, layout.other(study).stack, first)
    return joined.join(
        {study: raster.read(layout.other(study).stack, described["features"]) for study in p.origins},
        {study: Samples.read(layout.other(study)) for study in p.origins},
        origins.join_classes(None, p, layout),
        max(p.patch + p.patch // 2, prediction.halo(p.reach)),
    )


def train_fcn(
    learnt: Scene | None, p: params.FCN, layout: Layout, watch: training.Watch | None = None
) -> training.Trained:
    """Train the FCNs that the parameters describe (see `training.train`), or open those that were trained elsewhere.

    Raises
    ------
    LulcError
        If features or classes here and there are not the same; with what is there and what is here.
    """
    if learnt is None:
        origin, about = origins.read_model(p, layout, "stack")
        travel.check(about["stack"], layout.stack, origin)
        return _from_elsewhere(p, layout, "stack")

    def build(*of_scene: Any, width: float = 1.0, dropout: float = p.dropout) -> keras.Model:
        filters = [max(1, round(number * width)) for number in p.filters]
        return networks.NETWORKS[p.network](*of_scene, filters=filters, dropout=dropout)

    with devices.computing(p.precision, p.batch):
        return training.train(learnt, build, p.patch, _fit(p), p.run, layout.run(p.run), watch)


def train_lstm(
    learnt: Scene | None,
    series: Series,
    first: "FCNRun",
    p: params.LSTM,
    layout: Layout,
    watch: training.Watch | None = None,
) -> training.Trained:
    """Train the networks of dates that the parameters describe, or open those that were trained elsewhere.

    See `sequences.train` and `dated.train`.
    """
    run = layout.run(p.run)
    if learnt is None:
        return _from_elsewhere(p, layout, "dates", int(series.filled) if p.starts_from_fcn else 2)
    with devices.computing(p.precision, p.batch):
        if not p.starts_from_fcn:
            return dated.train(learnt, series, p.network, first.patch, _choice(p), _fit(p), p.run, run, watch)
        how = _choice(p), _fit(p), p.run, run, watch, p.fine_tune
        return sequences.train(learnt, series, first.networks, first.patch, *how)


def _from_elsewhere(p: params.Travelling, layout: Layout, knows: str, more: int = 0) -> training.Trained:
    """Open the networks that were trained elsewhere; ``more``: bands of theirs that are not of the image."""
    assert p.trained is not None, "only asked of those"
    study, about = origins.read_model(p, layout, knows)
    models, told = storage.load(layout.other(study).run(p.trained.split("/")[1])), _told(about).names
    for model in models:
        storage.check(model, about["features"], told, told, more)
    return training.Trained(models, pd.DataFrame(), [], [])


def _told(about: Mapping[str, Any]) -> Scheme:
    """Return the classes that a run's networks tell, in their order."""
    if "tells" not in about:
        raise FormatError(f"Run {about['run']} does not say which classes its networks tell: run its notebook again.")
    return Scheme.from_dict(about["classes"]).subset(about["tells"])


def score_left_out(trained: training.Trained, learnt: Scene | None, p: params.FCN) -> pd.DataFrame | None:
    """Test in each of several studies the network that the others taught; None for one (see `origins`)."""
    if learnt is None or not learnt.parts:
        return None
    values, tested = learnt.classes.values, {}
    for model, (study, place) in zip(trained.networks, learnt.parts.items(), strict=True):
        said = prediction.of_images([model], learnt.features[place], p.flips)
        codes = da.map_blocks(
            map_layers.classify, said, values, dtype=np.uint8, drop_axis=0, meta=np.empty((0, 0), "u1")
        )
        with _threads():
            found = np.asarray(codes.compute())
        labels = learnt.labels[place]
        known = (labels > 0) & (found > 0)
        tested[study] = labels[known], found[known]
    return origins.score_left_out(tested)


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


def write_fcn(
    trained: training.Trained, learnt: Scene | None, own: Samples | None, p: params.FCN, layout: Layout
) -> pd.DataFrame | None:
    """Map the whole scene by the mean of the networks, and write all files of the run.

    Returns
    -------
    pandas.DataFrame
        Of several studies that teach together: `score_left_out`.
    """
    told = _told(origins.read_model(p, layout, "stack")[1]) if learnt is None else learnt.classes
    bands = origins.read_model(p, layout, "stack")[1]["features"] if learnt is None else learnt.bands
    if learnt is not None and (not learnt.parts or p.study in learnt.parts):
        features = learnt.features[learnt.parts.get(p.study, np.s_[:, :])]
    else:
        features, _ = scene.scratch(raster.read(layout.stack, bands))
    grid = raster.grid(layout.stack)
    _map(prediction.of_images(trained.networks, features, p.flips), told, grid, own, p, layout, features.shape[-1])
    text = (
        f"{networks.TITLES[p.network]}, filters {', '.join(map(str, p.filters))}, "
        f"mean of {len(trained.networks)} networks, {_steps(trained)}"
    )
    known = {"stack": travel.describe(layout.stack, bands)} if travel.TAG in raster.tags(layout.stack) else {}
    tested = score_left_out(trained, learnt, p)
    _write(Outcome(trained, text, bands, told, {"patch": p.patch} | known, tested), own, p, layout)
    return tested


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
    if about.get("origin"):
        raise LulcError(
            f"Run {run.name} learnt in {about['origin']}, and networks of dates start from one for each fold of this "
            f"study. Name a run of 07 that was trained here."
        )
    if about["folds"] != samples.fingerprint:
        raise LulcError(f"Run {run.name} was trained on other folds than those of notebook 05. Run 07_fcn again.")
    models = storage.load(run)
    for model in models:
        storage.check(model, about["features"], _told(about).names, samples.scheme.names)
    return FCNRun(models, about["features"], about["patch"])


def open_first(p: params.LSTM, own: Samples | None, layout: Layout) -> FCNRun:
    """Open what a network of dates starts from: a run of notebook 07, or nothing but bands and side of patches.

    Of networks from elsewhere the bands that they read.

    Raises
    ------
    LulcError
        See `open_fcn`; if the cube has too few dates for a sequence; if the dates lack what the network is to read; if
        dates here and there, or how they become sequences, are not the same, with what is there and what is here.
    """
    image = layout.image(_dates(p, layout)[0])
    if p.trained:
        study, about = origins.read_model(p, layout, "dates")
        here = travel.describe_dates(image, about["features"], _sequence(p))
        travel.compare(about["dates"], here, f"The dates of {layout.cube}, and their sequences,", study)
        return FCNRun([], about["features"], p.patch)
    assert own is not None, "the step's inputs were checked"
    if p.starts_from_fcn:
        first = open_fcn(layout.run(p.fcn), own)
    else:
        of_dates = raster.header(image).names
        found = p.features or [b for b in raster.header(layout.stack).names if b in of_dates]
        first = FCNRun([], found, p.patch)
    _check_bands(first.features, image, p)
    return first


def _check_bands(wanted: Sequence[str], image: Path, p: params.LSTM) -> None:
    """Refuse features that no date has, as indices and texture are, before anything is read or trained."""
    there = raster.header(image).names
    missing = [name for name in wanted if name not in there]
    if wanted and not missing:
        return
    if p.starts_from_fcn:
        found = f"Run {p.fcn} of notebook 07 reads {', '.join(missing)}"
        remedy = (
            f"Train a run of 07 with 'features' a list of some of these and name it in 'fcn', or take in {p.step}.yaml "
            f"a network that starts from none (network: ltae)"
        )
    else:
        found = f"'features' names {', '.join(missing)}" if missing else "The stack has no band of the dates"
        remedy = f"Name in 'features' of {p.step}.yaml bands that they have"
    raise BandError(
        f"{found}, and networks of dates read the dates of the cube, which have {', '.join(there)}.\n{remedy}."
    )


def _sequence(p: params.LSTM) -> dict[str, str]:
    """Return what must be the same wherever a network of dates is used, in words.

    Which dates make a sequence, fixed or random ones, is not asked: the network reads either.
    """
    return {
        "network": p.network,
        "dates in a sequence": str(p.length),
        "what clouds hide": p.gaps,
    }


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
        asked = "" if p.dates is None else f" between {p.dates[0]} and {p.dates[1]}"
        all_of_it = f", {len(days)} in all from {days[0]} to {days[-1]}" if days else ""
        raise ParameterError(
            f"A sequence needs {p.length} dates, and the cube has {len(dates)}{asked}{all_of_it}. "
            f"Widen 'dates', lower 'length', or lower 'min_clear' in 02_preprocess.yaml."
        )
    return dates


def attention(
    trained: training.Trained, series: Series, samples: Samples | None, p: params.LSTM
) -> pd.DataFrame | None:
    """Measure which dates an L-TAE or U-TAE looks at, by class (see `dated.attention`).

    None for other networks, and without labels.
    """
    if p.network not in ("ltae", "utae") or samples is None:
        return None
    labels = np.asarray(samples.on_grid()[0].data[0])
    classes = dict(zip(samples.scheme.names, samples.scheme.values, strict=True))
    return dated.attention(series, trained.networks, labels, classes)


def write_lstm(
    trained: training.Trained,
    first: FCNRun,
    series: Series,
    own: Samples | None,
    p: params.LSTM,
    layout: Layout,
) -> None:
    """Map the whole scene by the mean of the networks, and write all files of the run."""
    if p.starts_from_fcn:
        fcns = [networks.scores_of(m) for m in trained.networks] if p.trained else first.networks
        probabilities = sequences.predict(series, trained.networks, fcns, _choice(p), p.seed, p.flips)
    else:
        probabilities = dated.predict(series, trained.networks, _choice(p), p.seed, p.flips)
    if p.trained:
        told = _told(origins.read_model(p, layout, "dates")[1])
    else:
        assert own is not None, "they were trained on it"
        told = own.scheme
    image = layout.image(series.dates[0])
    seen = len(series.dates) * (series.bands + 2)
    _map(probabilities, told, raster.grid(image), own, p, layout, seen)
    title = "FCN+LSTM" if p.starts_from_fcn else temporal.TITLES[p.network]
    text = (
        f"{title} over {p.sequences} sequences of {p.length} of {len(series.dates)} dates, gaps filled "
        f"{'linearly in time and flagged' if series.filled else 'by the mean' if p.starts_from_fcn else 'by nothing'}"
        f"{f', starting from run {p.fcn}' if p.starts_from_fcn else ''}, {_steps(trained)}"
    )
    known = {"dates": travel.describe_dates(image, first.features, _sequence(p))}
    _write(Outcome(trained, text, first.features, told, known), own, p, layout)


def _write(outcome: Outcome, own: Samples | None, p: params.FCN | params.LSTM, layout: Layout) -> None:
    """Write the networks that were trained here, their cards, and what the run is."""
    run, about, text = layout.run(p.run), dict(outcome.known), outcome.model
    if p.trained:
        text = origins.read_model(p, layout, "")[1]["model"]
    else:
        settings = p.model_dump(mode="json", exclude={"study", "outputs", "run", "features"})
        storage.save(outcome.trained.networks, run, outcome.cards(run, own, settings))
    about |= {"classes": origins.join_classes(own, p, layout).to_dict(), "tells": [*outcome.told.values]}
    about |= {"origin": p.trained or getattr(p, "samples", []), "same_place": origins.find_same_place(p, layout)}
    about |= {} if outcome.tested is None else {"left_out": outcome.tested.to_dict("index")}
    folds = "" if own is None else own.fingerprint
    mapping.write_about(run, origins.describe(text, p), outcome.bands, folds, **about)


def _map(
    said: da.Array,
    told: Scheme,
    grid: GeoBox,
    own: Samples | None,
    p: params.FCN | params.LSTM,
    layout: Layout,
    seen: int,
) -> None:
    """Map the mean of what networks say; labelled pixels are tested by those that have not seen them.

    Parameters
    ----------
    said
        (network × class, row, column).
    told
        The classes that they tell, in order.
    grid, own
        The grid, and the labels if there are any.
    seen
        Numbers of a pixel that they read.
    """
    scheme, count = origins.join_classes(own, p, layout), len(told.values)
    folds = None if own is None else own.folds
    if p.origins:
        # No label of this study has taught the network without it, or any network where it does not teach.
        tester = p.origins.index(p.study) + 1 if p.study in p.origins else 1
        if p.study not in p.origins:
            said = da.stack([said[k : k + count] for k in range(0, len(said), count)]).mean(axis=0)
        if own is not None:
            labelled = raster.select(own.on_grid()[1], ["fold"]).data > 0
            folds = raster.array(da.where(labelled, tester, 0).astype(np.uint8), grid, ["fold"])
    number = len(said) // count
    columns = [told.values.index(v) if v in told.values else None for v in scheme.values]
    predictors = sequences.predictors(number, count, columns)
    stack = sequences.as_stack(said, number, grid)
    if folds is None:
        maps = mapping.predict(stack, predictors[0], {}, None, scheme)
    else:
        maps = mapping.predict(stack, None, {"fold": predictors}, folds, scheme)
    with _threads():
        mapping.write(replace(maps, held=maps.held + 2 * seen), layout.run(p.run), scheme)


def _threads() -> AbstractContextManager[object]:
    """A network uses all cores by itself; the other thread reads what is next and writes what was before."""
    return dask.config.set(scheduler="threads", num_workers=2)
