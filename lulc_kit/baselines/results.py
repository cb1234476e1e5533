"""What a run of notebook 06 leaves behind: the map, its probabilities, the cross-validated map, the model."""

from pathlib import Path

from lulc_kit import classes, files, mapping, params, raster
from lulc_kit.baselines import acceleration, estimators
from lulc_kit.baselines.estimators import Fitted


def write(fitted: Fitted, p: params.Baselines, folder: Path) -> None:
    """Map the whole scene and write all files of the run.

    Parameters
    ----------
    fitted
        From `lulc_kit.baselines.estimators.train`.
    p
        Parameters of notebook 06.
    folder
        The study's folder.
    """
    scheme = classes.Scheme.from_dict(files.read_json(folder / "samples/classes.json")["scheme"])
    stack = raster.read(folder / "features/stack.tif", fitted.features)
    folds = raster.read_codes(folder / "samples/folds.tif", ["fold", "random_fold"])
    values = scheme.values
    final = mapping.pixelwise(acceleration.accelerated(fitted.final), values)
    mapping.write_map(folder, p.run, stack, final, scheme, {"model": p.model})
    predictors = {
        "fold": [mapping.pixelwise(acceleration.accelerated(m), values) for m in fitted.blocks],
        "random_fold": [mapping.pixelwise(acceleration.accelerated(m), values) for m in fitted.random],
    }
    mapping.write_crossval(folder, p.run, stack, folds, predictors, scheme)
    estimators.save(fitted.final, folder / f"models/{p.run}/model.skops")
    title = {
        "knn": f"k-nearest neighbours, k = {p.neighbours}, standardized features, classes balanced by repetition",
        "rf": f"random forest of {p.trees} trees, leaves of at least {p.min_leaf}, balanced class weights",
    }
    mapping.write_run(folder, p.run, title[p.model], fitted.features)
