"""Class schemes: the values, names and colours of land-cover classes, and how one scheme maps to another.

Value 0 means "no label" in every scheme of the kit and is never a class.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt

from lulc_kit.errors import ParameterError


@dataclass(frozen=True)
class LandClass:
    """One class: its value in rasters (1–255), its name, and its colour as ``#rrggbb``."""

    value: int
    name: str
    colour: str

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour as red, green, blue, each 0–255."""
        red, green, blue = bytes.fromhex(self.colour.removeprefix("#"))
        return red, green, blue


@dataclass(frozen=True)
class Scheme:
    """A named list of classes, in order of their values.

    Examples
    --------
    >>> mine = Scheme("mine", "What I map", (LandClass(1, "Forest", "#1b7837"), LandClass(7, "Water", "#0000ff")))
    >>> mine.named("Water").rgb
    (0, 0, 255)
    >>> mine.subset([0, 7]).values
    (7,)
    """

    name: str
    title: str
    classes: tuple[LandClass, ...]

    @property
    def values(self) -> tuple[int, ...]:
        """The classes' values in rasters."""
        return tuple(c.value for c in self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """The classes' names, in the order of `values`."""
        return tuple(c.name for c in self.classes)

    def named(self, name: str) -> LandClass:
        """Return the class of that name; a LulcError lists the names there are."""
        for c in self.classes:
            if c.name == name:
                return c
        raise ParameterError(
            f"Class {name!r} is not in the scheme {self.name!r}. Its classes are: {', '.join(self.names)}."
        )

    def subset(self, values: npt.ArrayLike) -> "Scheme":
        """Return the scheme with only the classes whose values are given."""
        keep = set(np.asarray(values).tolist())
        return Scheme(self.name, self.title, tuple(c for c in self.classes if c.value in keep))

    def to_dict(self) -> dict[str, object]:
        """Return plain data for JSON; `from_dict` is its inverse."""
        rows = [{"value": c.value, "name": c.name, "colour": c.colour} for c in self.classes]
        return {"name": self.name, "title": self.title, "classes": rows}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> "Scheme":
        """Rebuild a scheme from `to_dict`."""
        rows = data["classes"]
        assert isinstance(rows, list)
        return cls(str(data["name"]), str(data["title"]), tuple(LandClass(**row) for row in rows))


def _scheme(name: str, title: str, *rows: tuple[int, str, str]) -> Scheme:
    return Scheme(name, title, tuple(LandClass(*row) for row in rows))


SCHEMES: dict[str, Scheme] = {
    s.name: s
    for s in (
        _scheme(
            "workflow",
            "The six classes of the source workflow",
            (1, "Build-up", "#ff0000"),
            (2, "Farmland", "#00ff00"),
            (3, "Forest", "#00ffff"),
            (4, "Meadow", "#ffff00"),
            (5, "Water", "#0000ff"),
            (6, "Other land", "#000000"),
        ),
        _scheme(
            "forest",
            "Forest or not",
            (1, "Forest", "#1b7837"),
            (2, "Not forest", "#d9a441"),
        ),
        _scheme(
            "esri",
            "Impact Observatory / Esri 10 m annual land cover (CC-BY 4.0)",
            (1, "Water", "#419bdf"),
            (2, "Trees", "#397d49"),
            (3, "Grass", "#88b053"),
            (4, "Flooded vegetation", "#7a87c6"),
            (5, "Crops", "#e49635"),
            (6, "Scrub", "#dfc35a"),
            (7, "Built", "#c4281b"),
            (8, "Bare", "#a59b8f"),
            (9, "Snow/ice", "#a8ebff"),
            (10, "Clouds", "#616161"),
            (11, "Rangeland", "#e3e2c3"),
        ),
        _scheme(
            "worldcover",
            "ESA WorldCover",
            (10, "Tree cover", "#006400"),
            (20, "Shrubland", "#ffbb22"),
            (30, "Grassland", "#ffff4c"),
            (40, "Cropland", "#f096ff"),
            (50, "Built-up", "#fa0000"),
            (60, "Bare / sparse vegetation", "#b4b4b4"),
            (70, "Snow and ice", "#f0f0f0"),
            (80, "Permanent water bodies", "#0064c8"),
            (90, "Herbaceous wetland", "#0096a0"),
            (95, "Mangroves", "#00cf75"),
            (100, "Moss and lichen", "#fae6a0"),
        ),
    )
}


def scheme(name: str) -> Scheme:
    """Return the scheme of that name; a LulcError lists the names there are.

    Examples
    --------
    >>> scheme("forest").names
    ('Forest', 'Not forest')
    """
    try:
        return SCHEMES[name]
    except KeyError:
        raise ParameterError(f"Class scheme {name!r} is unknown. Known schemes: {', '.join(SCHEMES)}.") from None


def qml(classes: Scheme) -> str:
    """Return a QGIS layer style (``.qml``) that paints a class raster in the scheme's colours and names."""
    entries = "\n".join(
        f'      <paletteEntry value="{c.value}" color="{c.colour}" label={quoteattr(c.name)} alpha="255"/>'
        for c in classes.classes
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22" styleCategories="Symbology">\n  <pipe>\n'
        '    <rasterrenderer type="paletted" band="1" opacity="1" nodataColor="">\n'
        f"    <colorPalette>\n{entries}\n    </colorPalette>\n    </rasterrenderer>\n  </pipe>\n</qgis>\n"
    )
