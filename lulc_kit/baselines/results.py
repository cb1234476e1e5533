"""What a run of notebook 06 reads and leaves behind: maps, the cross-validated map or table, the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lulc_kit import families as families_of
from lulc_kit import files, mapping, params, raster
from lulc_kit.late import pd
from lulc_kit.layout import Layout
from lulc_kit.samples import SPLITS, Samples

if TYPE_CHECKING:
    from lulc_kit.baselines.training import Fitted, Recipe


def train(samples: Samples, p: params.Baselines) -> Fitted:
    """Train the classifier that the parameters name, for each fold of each split and once on everything."""
    from lulc_kit.baselines import training

    training_rows = {split: samples.training(split) for split in samples.splits}
    return training.train(samples.table, _recipe(p)[0], samples.features(p.features), training_rows, p.run)


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


def write(fitted: Fitted, samples: Samples, p: params.Baselines, layout: Layout) -> None:
    """Map the whole scene and write all files of the run; of samples that are a table, the cross-validated table."""
    from lulc_kit.baselines import crossval, storage

    run = layout.run(p.run)
    if samples.folds is None:
        judged = crossval.table(samples.table, fitted.features, fitted.by_split, samples.scheme)
        with files.replacing(run.crossval_table) as part:
            judged.to_parquet(part)
    else:
        _map(fitted, samples, p, layout)
    storage.save(fitted.final, run.model)
    chosen = {} if fitted.chosen is None else {"chosen": fitted.chosen.to_dict("index")}
    mapping.write_about(run, _recipe(p)[1], fitted.features, samples.fingerprint, **chosen)


def _map(fitted: Fitted, samples: Samples, p: params.Baselines, layout: Layout) -> None:
    import threadpoolctl

    from lulc_kit.baselines.acceleration import accelerate

    scheme = samples.scheme

    def predictor(model: object) -> mapping.Predictor:
        return mapping.pixelwise(accelerate(model), scheme.values)

    maps = mapping.predict(
        raster.read(layout.stack, fitted.features),
        predictor(fitted.final),
        {split: [predictor(m) for m in models] for split, models in fitted.by_split.items()},
        samples.folds,
        scheme,
    )
    with threadpoolctl.threadpool_limits(1, "blas"):  # blocks run on all cores already
        mapping.write(maps, layout.run(p.run), scheme, {"model": p.model})


def importances(fitted: Fitted, samples: Samples, p: params.Baselines, layout: Layout) -> pd.DataFrame | None:
    """Shuffle each feature, and each family of features, among samples that the models have not seen.

    Returns
    -------
    pandas.DataFrame
        See `importance.permutation`; also ``family`` (that of the feature; of a family its own name), families first.
        None with ``importance: 0``.
    """
    from lulc_kit.baselines import importance
    from lulc_kit.baselines.acceleration import accelerate

    if not p.importance:
        return None
    split, x, label = _tested(fitted, samples)
    family = pd.Series(families(fitted.features, layout))
    members = {name: np.flatnonzero(family == name) for name in family.unique()}
    groups = {f"all {name}": columns for name, columns in members.items()}
    groups |= {feature: np.array([i]) for i, feature in enumerate(fitted.features)}
    found = importance.permutation(
        [accelerate(model) for model in fitted.by_split[split]],
        x,
        label,
        samples.table[split].to_numpy(),
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


def learning_curve(fitted: Fitted, samples: Samples, p: params.Baselines) -> pd.DataFrame | None:
    """Train on growing parts of the polygons, or of the blocks where there are none; None unless it is asked for."""
    from lulc_kit.baselines import learning

    if not p.learning_curve:
        return None
    split, x, label = _tested(fitted, samples)
    whole = (samples.table["polygon"] > 0).all()
    return learning.curve(
        fitted.by_split[split],
        x,
        label,
        samples.table[split].to_numpy(),
        samples.training(split),
        samples.table["polygon" if whole else "block"].to_numpy(),
        what="polygons" if whole else "blocks",
        seed=p.seed,
        name=p.run,
    )


def _tested(fitted: Fitted, samples: Samples) -> tuple[str, npt.NDArray[np.float32], npt.NDArray[np.integer]]:
    """Return the split that is to be believed, and features and labels of the samples."""
    split = next(name for name in SPLITS if name in fitted.by_split)
    return split, samples.table[list(fitted.features)].to_numpy(np.float32), samples.table["label"].to_numpy()
