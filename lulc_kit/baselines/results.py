"""What a run of notebook 06 reads and leaves behind: maps, the cross-validated map or table, the model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lulc_kit import families as families_of
from lulc_kit import files, mapping, origins, params, raster, travel
from lulc_kit.classes import Scheme
from lulc_kit.late import pd
from lulc_kit.layout import Layout
from lulc_kit.samples import SPLITS, Samples

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from lulc_kit.baselines.training import Fitted, Recipe


def train(own: Samples | None, p: params.Baselines, layout: Layout) -> Fitted:
    """Train the classifier that the parameters name, or open the one that was trained elsewhere.

    Of its own samples one is trained for each fold of each split, and one on everything. A model from elsewhere
    (``trained``) has seen nothing here, so all labelled pixels test it. With ``samples`` of several studies the model
    of the others tests each; this study's labels test the one that has not seen them.

    Raises
    ------
    LulcError
        If features or classes here and there are not the same; with what is there and what is here.
    """
    from lulc_kit.baselines import training

    if p.trained:
        return _from_elsewhere(own, p, layout)
    if p.samples:
        return _of_several(own, p, layout)
    assert own is not None, "the step's inputs were checked"
    wanted = [split for split in own.splits if p.further or split != "further_fold"]
    training_rows = {split: own.training(split) for split in wanted}
    return training.train(own.table, _recipe(p)[0], own.features(p.features), training_rows, p.run)


def _from_elsewhere(own: Samples | None, p: params.Baselines, layout: Layout) -> Fitted:
    from lulc_kit.baselines import storage, training

    origin, about = origins.read_model(p, layout, "" if layout.tabular else "stack")
    origins.join_classes(own, p, layout)  # refuses those that mean something else
    features = tuple(about["features"])
    if layout.tabular:
        assert own is not None, "the samples are all there is"
        own.features(features)
    else:
        travel.check(about["stack"], layout.stack, origin)
    model = storage.load(layout.other(origin).run(p.trained.split("/")[1]).model)  # type: ignore[union-attr]
    return training.Fitted(model, _tested_by(own, model), features)


def _of_several(own: Samples | None, p: params.Baselines, layout: Layout) -> Fitted:
    from lulc_kit.baselines import pooling, training

    found = {study: Samples.read(layout.other(study)) for study in p.samples}
    origins.join_classes(own, p, layout)
    table = pooling.pool(
        {study: samples.table for study, samples in found.items()},
        {study: samples.features(p.features) for study, samples in found.items()},
    )
    features = next(iter(found.values())).features(p.features)
    first, *others = dict.fromkeys([*p.samples, p.study])
    if not layout.other(first).tabular:
        described = travel.describe(layout.other(first).stack, features)
        for study in others:
            travel.check(described, layout.other(study).stack, first)
    rows = pooling.without_each(table)
    fitted = training.train(table, _recipe(p)[0], features, {"without": list(rows.values())}, p.run)
    models = dict(zip(rows, fitted.by_split["without"], strict=True))
    unseen = _tested_by(own, models.get(p.study, fitted.final))
    return replace(fitted, by_split=unseen, left_out=pooling.leave_out(table, features, models))


def _tested_by(own: Samples | None, model: Pipeline) -> dict[str, list[Pipeline]]:
    """Return what tests a model that has seen nothing of a study: every fold of its labels; nothing without labels."""
    return {} if own is None else {"fold": [model] * own.n_splits}


def _recipe(p: params.Baselines) -> tuple[Recipe, str]:
    """Return how to train, and that in words."""
    from lulc_kit.baselines import estimators, training

    arguments = p.model_dump()
    classifier, title, weight = estimators.build(
        arguments.pop("model"), arguments.pop("settings"), arguments.pop("class_weight"), **arguments
    )
    space = estimators.KINDS[p.model].space if p.tune else None
    words = {
        f"{weight} class weights": weight != "none",
        f"the best of {p.tune} settings": p.tune > 0,
        f"calibrated ({p.calibrate})": p.calibrate != "none",
    }
    return (
        training.Recipe(classifier, weight, space, p.tune, p.calibrate, p.seed),
        ", ".join([title, *(text for text, holds in words.items() if holds)]),
    )


def write(fitted: Fitted, own: Samples | None, p: params.Baselines, layout: Layout) -> None:
    """Map the whole scene and write all files of the run; of samples that are a table, the cross-validated table."""
    from lulc_kit.baselines import crossval, storage

    run, scheme = layout.run(p.run), origins.join_classes(own, p, layout)
    model = origins.read_model(p, layout, "")[1]["model"] if p.trained else _recipe(p)[1]
    words, about = origins.describe(model, p), dict[str, Any](classes=scheme.to_dict(), origin=p.trained or p.samples)
    if own is not None and own.folds is None:
        judged = crossval.table(own.table, fitted.features, fitted.by_split, scheme)
        with files.replacing(run.crossval_table) as part:
            judged.to_parquet(part)
    else:
        _map(fitted, own, scheme, p, layout)
        if travel.TAG in raster.tags(layout.stack):
            about["stack"] = travel.describe(layout.stack, fitted.features)
        about["same_place"] = origins.find_same_place(p, layout)
    if not p.trained:
        storage.save(fitted.final, run.model)
    about |= {} if fitted.chosen is None else {"chosen": fitted.chosen.to_dict("index")}
    about |= {} if fitted.left_out is None else {"left_out": fitted.left_out.to_dict("index")}
    mapping.write_about(run, words, fitted.features, "" if own is None else own.fingerprint, **about)


def _map(fitted: Fitted, own: Samples | None, scheme: Scheme, p: params.Baselines, layout: Layout) -> None:
    import threadpoolctl

    from lulc_kit.baselines.acceleration import accelerate

    def predictor(model: object) -> mapping.Predictor:
        return mapping.pixelwise(accelerate(model), scheme.values)

    made = {id(m): predictor(m) for m in (fitted.final, *(m for models in fitted.by_split.values() for m in models))}
    maps = mapping.predict(
        raster.read(layout.stack, fitted.features),
        made[id(fitted.final)],
        {split: [made[id(m)] for m in models] for split, models in fitted.by_split.items()},
        None if own is None else own.folds,
        scheme,
    )
    with threadpoolctl.threadpool_limits(1, "blas"):  # blocks run on all cores already
        mapping.write(maps, layout.run(p.run), scheme, {"model": p.trained or p.model})


def importances(fitted: Fitted, own: Samples | None, p: params.Baselines, layout: Layout) -> pd.DataFrame | None:
    """Shuffle each feature, and each family of features, among samples that the models have not seen.

    Returns
    -------
    pandas.DataFrame
        See `importance.permutation`; also ``family`` (that of the feature; of a family its own name), families first.
        None with ``importance: 0``, or without samples.
    """
    from lulc_kit.baselines import importance
    from lulc_kit.baselines.acceleration import accelerate

    if not p.importance or own is None:
        return None
    split, x, label = _tested(fitted, own)
    family = pd.Series(families(fitted.features, layout))
    members = {name: np.flatnonzero(family == name) for name in family.unique()}
    groups = {f"all {name}": columns for name, columns in members.items()}
    groups |= {feature: np.array([i]) for i, feature in enumerate(fitted.features)}
    found = importance.permutation(
        [accelerate(model) for model in fitted.by_split[split]],
        x,
        label,
        own.table[split].to_numpy(),
        {name: columns.tolist() for name, columns in groups.items()},
        repeats=p.importance,
        seed=p.seed,
        name=p.run,
    )
    return found.assign(family=[*members, *family])


def write_importances(found: pd.DataFrame | None, p: params.Baselines, layout: Layout) -> None:
    """Keep what each feature is worth with the run, for the area of applicability (09); nothing for None."""
    if found is not None:
        about = mapping.read_about(layout.run(p.run))
        known = found["loss"].loc[[name for name in found.index if name in about["features"]]]
        files.write_json(layout.run(p.run).about, about | {"importance": known.to_dict()})


def families(features: tuple[str, ...], layout: Layout) -> list[str]:
    """Return the family of each feature: as notebook 04 wrote it into the stack; ``columns`` for those of a table."""
    if layout.tabular:
        return ["columns"] * len(features)
    known = families_of.read(layout.stack)
    return [known.get(name, "others") for name in features]


def learning_curve(fitted: Fitted, own: Samples | None, p: params.Baselines) -> pd.DataFrame | None:
    """Train on growing parts of the polygons, or of the blocks where there are none; None unless it is asked for."""
    from lulc_kit.baselines import learning

    if not p.learning_curve or own is None:
        return None
    split, x, label = _tested(fitted, own)
    whole = (own.table["polygon"] > 0).all()
    return learning.curve(
        fitted.by_split[split],
        x,
        label,
        own.table[split].to_numpy(),
        own.training(split),
        own.table["polygon" if whole else "block"].to_numpy(),
        what="polygons" if whole else "blocks",
        seed=p.seed,
        name=p.run,
    )


def _tested(fitted: Fitted, samples: Samples) -> tuple[str, npt.NDArray[np.float32], npt.NDArray[np.integer]]:
    """Return the split that is to be believed, and features and labels of the samples."""
    split = next(name for name in SPLITS if name in fitted.by_split)
    return split, samples.table[list(fitted.features)].to_numpy(np.float32), samples.table["label"].to_numpy()
