"""What a run of notebook 06 reads and leaves behind: maps, the cross-validated map or table, the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lulc_kit import files, mapping, params, raster
from lulc_kit.baselines import crossval, estimators
from lulc_kit.baselines.estimators import Fitted
from lulc_kit.layout import Layout
from lulc_kit.samples import Samples

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


def train(samples: Samples, p: params.Baselines) -> Fitted:
    """Train the classifier that the parameters name, for each fold of each split and once on everything."""
    kind = estimators.KINDS[p.model]
    return estimators.train(
        samples.table,
        kind.build(**{name: getattr(p, name) for name in kind.settings}),
        samples.features(p.features),
        {split: samples.training(split) for split in samples.splits},
        repeat=kind.repeat,
        seed=p.seed,
        name=p.run,
    )


def write(fitted: Fitted, samples: Samples, p: params.Baselines, layout: Layout) -> None:
    """Map the whole scene and write all files of the run; of samples that are a table, the cross-validated table."""
    run, scheme = layout.run(p.run), samples.scheme
    if samples.folds is None:
        judged = crossval.table(samples.table, fitted.features, fitted.by_split, scheme)
        with files.replacing(run.crossval_table) as part:
            judged.to_parquet(part)
    else:
        _map(fitted, samples, p, layout)
    estimators.save(fitted.final, run.model)
    title = estimators.KINDS[p.model].title.format(**p.model_dump())
    mapping.write_about(run, title, fitted.features, samples.fingerprint)


def _map(fitted: Fitted, samples: Samples, p: params.Baselines, layout: Layout) -> None:
    from lulc_kit.baselines.acceleration import accelerate  # scikit-learn and numba take their time to load

    scheme = samples.scheme

    def predictor(model: Pipeline) -> mapping.Predictor:
        return mapping.pixelwise(accelerate(model), scheme.values)

    maps = mapping.predict(
        raster.read(layout.stack, fitted.features),
        predictor(fitted.final),
        {split: [predictor(m) for m in models] for split, models in fitted.by_split.items()},
        samples.folds,
        scheme,
    )
    mapping.write(maps, layout.run(p.run), scheme, {"model": p.model})
