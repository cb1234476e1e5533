"""The methods paragraph: what was done stands in it, what was not does not."""

import dataclasses

import pytest

from lulc_kit.evaluate import methods
from tests.evaluate.test_report import GOOD, NAMES, evaluation, numbers

SECOND = {"step": "02_preprocess", "parameters": {"mask": "scl", "mask_buffer": 60.0, "sharpen": "local"}}
SECOND["parameters"] |= {"composite": "median", "correction": "none"}
FIFTH = {"step": "05_samples", "parameters": {"per_class": 3000}}


def test_data_features_samples_split_models_and_versions_are_said():
    found = numbers(evaluation(other=GOOD))
    found["parameters"]["density"] = 50
    text = methods.paragraph(found, [SECOND, FIFTH])
    for said in (
        "Sentinel-2 Level-2A data of 2020-01-02 were brought to a grid of 7 × 5 pixels of 10 m (EPSG:32633).",
        "Clouds and shadows were masked by Sen2Cor's scene classification with a buffer of 60 m",
        "described by 1 feature: B2.",
        f"The 4 classes ({', '.join(NAMES)})",
        "at most 3,000 of each class trained a model",
        "cross-validation in 3 folds of whole <640 m> blocks",
        "2 models were compared on the same folds (rf: model <i>rf</i>; other:",
        "90% intervals from 1,000 bootstrap resamples of whole blocks",
        "area of applicability and local point density",
        "error rate of 0.1 within each class",
        "lulc_kit 0.1.0 on Python 3.11.0 (numpy 2.0)",
    ):
        assert said in text, said
    assert "None" not in text and "  " not in text


def test_what_was_not_done_is_not_said():
    found = numbers(evaluation(), table=True) | {"trust": {}}
    text = methods.paragraph(found, [])
    assert "Samples came as a table of 400 rows." in text
    for word in ("applicability", "conformal", "Clouds", "grid", "pixels"):
        assert word not in text
    cited = " ".join(methods.sources(found, []))
    assert "Meyer" not in cited and "Sadinle" not in cited and "Lahiri" in cited


@pytest.mark.parametrize(
    ("correction", "sharpen", "composite", "says"),
    [
        ("sen2cor", "none", "best", "Reflectance was corrected by Sen2Cor, clouds"),
        ("dark_object", "local", "medoid", "dark-object subtraction, clouds"),
        ("none", "none", "median", "coarser bands were interpolated, and dates were combined by median."),
        ("none", "local", "best", "combined by the pixel farthest from clouds."),
    ],
)
def test_processing_follows_the_parameters(correction, sharpen, composite, says):
    changed = SECOND["parameters"] | {"correction": correction, "sharpen": sharpen, "composite": composite}
    assert says in methods.paragraph(numbers(evaluation()), [SECOND | {"parameters": changed}])


def test_simulated_data_are_called_so_and_many_dates_are_a_span():
    found = numbers(evaluation(), attribution="SIMULATED: no measurement", dates=["2020-01-02", "2020-05-01"])
    assert "Simulated Sentinel-2 Level-2A data of 2 dates from 2020-01-02 to 2020-05-01" in methods.paragraph(found, [])


@pytest.mark.parametrize(
    ("model", "separation", "first", "other"),
    [
        ("random forest of 100 trees", "4 folds of whole 640 m blocks", "Roberts et al. 2017", "Breiman"),
        ("FCN (U-Net, filters 4)", "folds matched (kNNDM)", "Linnenbrink", "Ronneberger"),
    ],
)
def test_sources_are_those_of_what_was_done(model, separation, first, other):
    about = {"rf": {"model": model, "features": ["B2"], "folds": "f"}}
    judged = dataclasses.replace(evaluation(), about=about, separation=separation)
    cited = methods.sources(numbers(judged), [])
    assert cited[0].startswith(first) and any(c.startswith(other) for c in cited)
    assert all("doi:" in c or "Pedregosa" in c for c in cited)


def test_a_probability_sample_is_described_and_its_lack_said():
    found = numbers(evaluation())
    assert "No probability sample of the map was interpreted" in methods.paragraph(found, [])
    assert "Olofsson" not in " ".join(methods.sources(found, []))
    survey = {"points": 300, "how": "stratified by the map's classes", "reference_date": "2021", "confidence": 0.95}
    text = methods.paragraph(found | {"survey": survey}, [])
    assert "estimated from 300 points, stratified by the map's classes and interpreted by a person on images" in text
    assert "No probability sample" not in text and "of 2021" in text
    assert "Olofsson et al. 2014" in " ".join(methods.sources(found | {"survey": survey}, []))


@pytest.mark.parametrize(("mask", "buffer", "said"), [("file", 60, True), ("file", 0, False), ("none", 60, False)])
def test_a_buffer_is_said_where_there_is_one(mask, buffer, said):
    changed = SECOND["parameters"] | {"mask": mask, "mask_buffer": buffer}
    text = methods.paragraph(numbers(evaluation()), [SECOND | {"parameters": changed}])
    assert ("with a buffer of 60 m" in text) == said and "buffer of 0" not in text
