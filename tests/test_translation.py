"""Values become classes: each exactly once, ranges closed, bad questions refused."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lulc_kit import classes, translation
from lulc_kit.errors import LulcError

SCHEME = classes.scheme("workflow")
WORDS = st.one_of(st.none(), st.text(max_size=5), st.integers(-5, 300), st.floats(allow_nan=True, allow_infinity=False))


@given(st.lists(WORDS, max_size=30))
def test_with_nothing_named_each_value_with_a_name_is_a_class(values):
    scheme, means = translation.meanings(values, None, None)
    named = {translation.own_name(v) for v in values} - {""}
    assert set(scheme.names) == named == set(means)
    codes = translation.translate(np.array([*values, None], object)[:-1], scheme, means, "x")
    for value, code in zip(values, codes, strict=True):
        name = translation.own_name(value)
        assert (code == 0) if not name else (scheme.find(name).value == code)


def test_ranges_and_values():
    found = np.array([19.9, 20, 60, 60.1, np.nan])
    codes = translation.translate(found, SCHEME, {"Forest": [[20, 60]], "Water": [19.9]}, "x")
    assert codes.tolist() == [5, 3, 3, 0, 0]


def test_occurring_leaves_classes_out_that_are_not_there():
    wanted = {"Forest": ["oak"], "Water": ["lake", "sea"], "Meadow": ["grass"]}
    assert list(translation.occurring(np.array(["sea", "oak"], object), wanted)) == ["Forest", "Water"]


def test_blanks_around_words_mean_nothing():
    found = np.array(["oak", "oak  ", "\tlake", "oak tree", "Oak", 3], object)
    assert translation.translate(found, SCHEME, {"Forest": ["oak"], "Water": [" lake "]}, "x").tolist() == [
        3,
        3,
        5,
        0,
        0,
        0,
    ]


def test_a_value_of_two_classes_is_refused():
    with pytest.raises(LulcError, match="value 3 of x is given to Forest already"):
        translation.translate(np.array([3.0]), SCHEME, {"Forest": [3], "Water": [[1, 5]]}, "x")


def test_classes_that_differ_by_capitals_alone_are_named():
    with pytest.warns(UserWarning, match=r"Forest and forest\. If they are one.*\{Forest: \[Forest, forest\]\}"):
        translation.meanings(["Forest", "lake", "forest"], None, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        translation.meanings(["forest", "lake"], None, None)


def test_reference_maps_come_in_the_workflow_s_classes():
    """From the facts of both makers: wetlands and clouds may be either, and are left out."""
    workflow = classes.scheme("workflow")
    esri = {c.value: c.name for c in classes.scheme("esri").classes}
    assert translation.between(esri, "esri", workflow) == {
        **{"Water": [1], "Forest": [2], "Meadow": [3, 6, 11], "Farmland": [5], "Build-up": [7], "Other land": [8, 9]}
    }
    cover = {c.value: c.name for c in classes.scheme("worldcover").classes}
    found = translation.between(cover, "worldcover", workflow)
    assert found["Forest"] == [10, 95] and found["Meadow"] == [20, 30] and found["Water"] == [80]
    assert 90 not in [v for values in found.values() for v in values]


@pytest.mark.parametrize("pair", translation.ALIKE)
def test_every_class_that_is_alike_exists(pair):
    source, target = map(classes.scheme, pair)
    assert set(translation.ALIKE[pair]) <= set(source.names)
    assert set(translation.ALIKE[pair].values()) == set(target.names)


def test_classes_of_the_same_name_are_the_same_and_none_is_refused():
    own = classes.own(["oak", "pine"])
    assert translation.between({4: "pine", 9: "rock"}, None, own) == {"pine": [4]}
    with pytest.raises(LulcError, match=r"classes rock is one of the scheme 'own' \(oak, pine\)"):
        translation.between({9: "rock"}, None, own)


def test_classes_of_one_s_own_have_the_colours_that_the_file_gives_to_their_values():
    named = {3: classes.LandClass(3, "x", "#010203"), 5: classes.LandClass(5, "y", "#040506")}
    scheme, _ = translation.meanings([3, 5, 7], None, {"Wald": [3, 7], "See": [5]}, named)
    assert [c.colour for c in scheme.classes] == ["#010203", "#040506"]
    scheme, _ = translation.meanings([3, 5, 7], None, {"Wald": [3], "See": [[4, 7]]}, named)
    assert scheme == classes.own(["Wald", "See"]), "one of the palette might be like one of the file"


@pytest.mark.parametrize("kind", [bool, object])
@pytest.mark.parametrize(("yes", "no"), [("true", "false"), ("True", "False"), ("yes", " NO ")])
def test_truth_values_are_named_by_words(kind, yes, no):
    found = np.array([True, False, True], kind)
    assert translation.translate(found, SCHEME, {"Forest": [yes], "Water": [no]}, "x").tolist() == [3, 5, 3]
    mixed = np.array([True, "true", None], object)
    assert translation.translate(mixed, SCHEME, {"Forest": ["true"]}, "x").tolist() == [0, 3, 0], "the very word first"
    with pytest.raises(LulcError, match='true or false: write "true" or "false", in quotes'):
        translation.translate(found, SCHEME, {"Forest": ["oak"]}, "x")


def test_numbers_may_be_named_in_quotes_and_codes_of_digits_stay_themselves():
    """YAML reads 01 without quotes as another number, so that the kit asks for quotes."""
    for found in (np.array([1.0, 2.0, np.nan]), np.array([1, 2, None], object), np.array([1, 2, 1 << 40])):
        assert translation.translate(found, SCHEME, {"Forest": ["01"], "Water": ["2"]}, "x").tolist() == [3, 5, 0]
    codes = np.array(["01", "1", "02"], object)
    assert translation.translate(codes, SCHEME, {"Forest": ["01"], "Water": ["1"]}, "x").tolist() == [3, 5, 0]
    with pytest.raises(LulcError, match="They are text: write them in quotes, as they stand there"):
        translation.translate(codes, SCHEME, {"Forest": [3]}, "x")
    with pytest.raises(LulcError, match="They are numbers: name the numbers"):
        translation.translate(np.array([1, 2]), SCHEME, {"Forest": ["oak"]}, "x")
