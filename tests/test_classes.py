"""Class schemes: the published values and colours, and the style for QGIS."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from lulc_kit import classes
from lulc_kit.classes import LandClass, Scheme
from lulc_kit.errors import LulcError

# As published: Impact Observatory / Esri 10 m annual land cover, ESA WorldCover product user manual.
ESRI = (
    "1 Water 419BDF, 2 Trees 397D49, 3 Grass 88B053, 4 Flooded vegetation 7A87C6, 5 Crops E49635, 6 Scrub DFC35A, "
    "7 Built C4281B, 8 Bare A59B8F, 9 Snow/ice A8EBFF, 10 Clouds 616161, 11 Rangeland E3E2C3"
)
WORLDCOVER = {
    10: "006400",
    20: "FFBB22",
    30: "FFFF4C",
    40: "F096FF",
    50: "FA0000",
    60: "B4B4B4",
    70: "F0F0F0",
    80: "0064C8",
    90: "0096A0",
    95: "00CF75",
    100: "FAE6A0",
}
WORKFLOW = {
    "Build-up": (255, 0, 0),
    "Farmland": (0, 255, 0),
    "Forest": (0, 255, 255),
    "Meadow": (255, 255, 0),
    "Water": (0, 0, 255),
    "Other land": (0, 0, 0),
}


def test_esri_has_the_published_values_names_and_colours():
    expected = [(int(e.split()[0]), " ".join(e.split()[1:-1]), "#" + e.split()[-1].lower()) for e in ESRI.split(", ")]
    assert [(c.value, c.name, c.colour) for c in classes.scheme("esri").classes] == expected


def test_worldcover_has_the_published_values_and_colours():
    assert {c.value: c.colour for c in classes.scheme("worldcover").classes} == {
        v: f"#{h.lower()}" for v, h in WORLDCOVER.items()
    }


def test_the_workflow_s_six_classes_have_its_colours():
    assert {c.name: c.rgb for c in classes.scheme("workflow").classes} == WORKFLOW
    assert classes.scheme("workflow").values == (1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize("name", classes.SCHEMES)
def test_values_and_names_are_unique_and_zero_is_no_class(name):
    scheme = classes.scheme(name)
    assert len(set(scheme.values)) == len(set(scheme.names)) == len({c.colour for c in scheme.classes})
    assert len(scheme.values) == len(scheme.classes)
    assert all(1 <= v <= 255 for v in scheme.values)
    assert list(scheme.values) == sorted(scheme.values)
    assert Scheme.from_dict(scheme.to_dict()) == scheme


def test_unknown_names_list_the_known_ones():
    with pytest.raises(LulcError, match=r"'corine' is unknown.*workflow"):
        classes.scheme("corine")
    with pytest.raises(LulcError, match=r"'Sea'.*Water"):
        classes.scheme("workflow").find("Sea")


def test_subset_keeps_order_and_drops_the_rest():
    scheme = classes.scheme("workflow").subset(np.array([5, 0, 1], np.uint8))
    assert scheme.names == ("Build-up", "Water")


def test_qgis_style_is_xml_with_every_class_and_escaped_names():
    scheme = Scheme("x", "X", (LandClass(3, 'Wood & "scrub" <5 m', "#0a0b0c"), LandClass(7, "Water", "#0000ff")))
    root = ElementTree.fromstring(classes.qml(scheme).split("\n", 1)[1])
    entries = [(e.get("value"), e.get("color"), e.get("label")) for e in root.iter("paletteEntry")]
    assert entries == [("3", "#0a0b0c", 'Wood & "scrub" <5 m'), ("7", "#0000ff", "Water")]


def test_own_classes_are_numbered_in_order_and_may_be_recoloured():
    mine = classes.own(["Wald", "Büsche & <Hecken>", "水"])
    assert mine.values == (1, 2, 3) and mine.names[1] == "Büsche & <Hecken>"
    other = classes.recolour(mine, {"水": "#0000FF"})
    assert other.find("水").rgb == (0, 0, 255) and other.find("Wald") == mine.find("Wald")
    with pytest.raises(LulcError, match="'Wasser' is not in the scheme"):
        classes.recolour(mine, {"Wasser": "#0000ff"})
    entries = ElementTree.fromstring(classes.qml(mine).split("\n", 1)[1]).iter("paletteEntry")
    assert [e.attrib["label"] for e in entries] == list(mine.names)


@pytest.mark.parametrize(
    ("names", "why"),
    [(["a", "a"], "Two classes have the name 'a'"), ([" "], "no name"), ([str(i) for i in range(256)], "256 classes")],
)
def test_own_classes_that_cannot_be_told_apart_are_refused(names, why):
    with pytest.raises(LulcError, match=why):
        classes.own(names)
    assert len(classes.own([str(i) for i in range(255)]).classes) == 255


@pytest.mark.parametrize("names", [("Wald; dicht", "Wald; 2 licht"), ("a;", "b;;"), ("; 2 x", ";; 3 y"), ("水; ", "x")])
def test_names_with_semicolons_come_back_from_a_raster_s_tag(names):
    assert classes.of_tag(classes.own(names).to_tag()) == dict(enumerate(names, 1))


def test_a_tag_of_another_s_making_names_nothing():
    assert classes.of_tag("1 Wald; dicht; 2 See") == {1: "Wald; dicht", 2: "See"}, "as the kit wrote it once"
    assert classes.of_tag("") == classes.of_tag("forest") == classes.of_tag("x 1; 2 y") == {}
