"""Models stored without code, and nothing else loaded."""

import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from lulc_kit.baselines import estimators, storage, training
from lulc_kit.errors import LulcError
from tests.baselines.samples import FEATURES, parameters, samples, train

# What a user may name; not what is trained on numbers above 0 alone, or needs settings.
PICKY = {
    "CategoricalNB",
    "ComplementNB",
    "MultinomialNB",
    "NuSVC",
    "RadiusNeighborsClassifier",
    "SelfTrainingClassifier",
}
NAMED = [name for name in estimators.of_sklearn() if name.rpartition(".")[2] not in PICKY]
FEW = {"max_iter": 20, "n_estimators": 5, "Cs": 2, "cv": 2}


@pytest.mark.parametrize("model", [*estimators.KINDS, *NAMED])
@pytest.mark.filterwarnings("ignore")
def test_stored_and_loaded_models_predict_the_same(model, tmp_path):
    table = samples(120)
    classifier, _, weight = estimators.build(model, {}, None, neighbours=5, trees=5, min_leaf=3, seed=1)
    classifier.set_params(**{name: few for name, few in FEW.items() if name in classifier.get_params()})
    x, label, block = (table[names].to_numpy() for names in (FEATURES, "label", "block"))
    fitted, _ = training.fit(x, label, block, training.Recipe(classifier, weight))
    pixels = np.random.default_rng(5).normal(2, 3, (500, 3)).astype(np.float32)
    storage.save(fitted, tmp_path / "models/model.skops")
    assert [p.name for p in (tmp_path / "models").iterdir()] == ["model.skops"]
    loaded = storage.load(tmp_path / "models/model.skops")
    np.testing.assert_array_equal(loaded.predict_proba(pixels), fitted.predict_proba(pixels))


@pytest.mark.parametrize("more", [{"class_weight": "balanced"}, {"calibrate": "isotonic"}, {"calibrate": "sigmoid"}])
def test_weighed_and_calibrated_ones_too(more, tmp_path):
    fitted = train(samples(), parameters("knn", **more))
    x = samples(100, 2)[FEATURES].to_numpy(np.float32)
    storage.save(fitted.final, tmp_path / "m.skops")
    np.testing.assert_array_equal(storage.load(tmp_path / "m.skops").predict_proba(x), fitted.final.predict_proba(x))


@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
def test_neighbours_searched_in_a_tree_can_be_loaded_too(tmp_path, algorithm):
    table = samples()
    x, y = table[FEATURES].to_numpy(), table["label"].to_numpy()
    pipeline = make_pipeline(StandardScaler(), KNeighborsClassifier(3, algorithm=algorithm)).fit(x, y)
    storage.save(pipeline, tmp_path / "m.skops")
    np.testing.assert_array_equal(storage.load(tmp_path / "m.skops").predict(x), pipeline.predict(x))


def _innocent(x):
    return x


OTHERS = pytest.mark.parametrize(
    "step", [FunctionTransformer(_innocent), FunctionTransformer(zipfile.ZipFile)], ids=["own function", "library"]
)


@OTHERS
def test_a_file_that_holds_anything_else_is_not_loaded(tmp_path, step):
    skops.io.dump(make_pipeline(step, LogisticRegression()), tmp_path / "m.skops")
    with pytest.raises(LulcError, match="never writes. It is not loaded"):
        storage.load(tmp_path / "m.skops")


@OTHERS
def test_what_would_not_load_is_not_stored(tmp_path, step):
    with pytest.raises(LulcError, match="does not load again. Choose another classifier"):
        storage.save(make_pipeline(step, LogisticRegression()), tmp_path / "m.skops")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "m.skops").write_bytes(b"\x80\x04 not a zip archive")
    with pytest.raises(LulcError, match="m.skops"):
        storage.load(tmp_path / "m.skops")
    with pytest.raises(LulcError, match="m2.skops"):
        storage.load(tmp_path / "m2.skops")


def test_all_that_is_trusted_is_scikit_learns_or_a_class_of_the_kit():
    own = {name for name in storage.TRUSTED if not name.startswith("sklearn.")}
    assert own == {f"{estimators.WeightedNeighbours.__module__}.{estimators.WeightedNeighbours.__name__}"}
