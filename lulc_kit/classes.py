"""Class schemes: the values, names and colours of land-cover classes, and how one scheme maps to another.

Value 0 means "no label" in every scheme of the kit and is never a class.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt

from lulc_kit import palette
from lulc_kit.errors import ParameterError

MOST = 255
"""Classes that a class map can hold."""


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
    >>> mine.find("Water").rgb
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

    def find(self, name: str) -> LandClass:
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

    def to_tag(self) -> str:
        """Return values and names as they stand in the tag ``classes`` of rasters; `of_tag` is its inverse.

        Examples
        --------
        >>> scheme("forest").to_tag()
        '1 Forest; 2 Not forest'
        """
        return "; ".join(f"{c.value} {c.name.replace(';', ';;')}" for c in self.classes)

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
        raise ParameterError(
            f"Class scheme {name!r} is unknown. Known schemes: {', '.join(SCHEMES)}; or the path of a file that holds "
            f"one (.yaml, .csv, .qml), or null for classes of your own."
        ) from None


def of_tag(text: str) -> dict[int, str]:
    """Return the names by value that a raster's tag ``classes`` says, as `Scheme.to_tag` writes it; else nothing.

    Examples
    --------
    >>> of_tag("1 Forest; 2 Not forest"), of_tag("forest and water")
    ({1: 'Forest', 2: 'Not forest'}, {})
    """
    entries = [entry.split(" ", 1) for entry in re.split(r"; (?=[0-9]+ )", text.replace(";;", "\0"))]
    if not all(len(entry) == 2 and re.fullmatch("[0-9]+", entry[0]) for entry in entries):
        return {}
    return {int(value): name.replace("\0", ";") for value, name in entries}


def join(schemes: Mapping[str, Scheme]) -> Scheme:
    """Return the classes that occur in any of some schemes, by value; the first one's colours and title.

    Parameters
    ----------
    schemes
        Schemes, by whose they are.

    Raises
    ------
    LulcError
        Lists the classes of both if a value means another class, or a class has another value.

    Examples
    --------
    >>> forest = scheme("workflow").subset([3])
    >>> join({"here": forest, "there": scheme("workflow").subset([5, 3])}).names
    ('Forest', 'Water')
    """
    (whose, first), *others = schemes.items()
    found = {c.value: c for c in first.classes}
    for other, theirs in others:
        values = {c.name: c.value for c in found.values()}
        for c in theirs.classes:
            if values.get(c.name, c.value) != c.value or found.get(c.value, c).name != c.name:
                lists = "".join(
                    f"\n  {name}: {', '.join(f'{k.value} {k.name}' for k in s.classes)}" for name, s in schemes.items()
                )
                raise ParameterError(
                    f"The classes of {whose} and {other} are not the same:{lists}\nGive both the same scheme and "
                    f"'classes' in 05_samples.yaml."
                )
        found = {c.value: c for c in theirs.classes} | found
    return replace(first, classes=tuple(found[value] for value in sorted(found)))


def own(names: Sequence[str]) -> Scheme:
    """Make a scheme of names: values 1, 2, … in their order, colours that can be told apart.

    Raises
    ------
    LulcError
        If a name comes twice or is empty, or there are more than 255.

    Examples
    --------
    >>> own(["森林", "Wasser & Moor"]).classes[0]
    LandClass(value=1, name='森林', colour='#0072b2')
    """
    if len(names) > MOST:
        raise ParameterError(
            f"{len(names)} classes were found, and a class map holds at most {MOST}. Is it the field of the classes? "
            f"Or say with 'classes' which values belong together."
        )
    rows = zip(range(1, len(names) + 1), names, palette.colours(len(names)), strict=True)
    return check(Scheme("own", "Classes of one's own", tuple(LandClass(*row) for row in rows)))


def check(classes: Scheme) -> Scheme:
    """Return a scheme if its values are 1–255 and different, its names different and none empty, its colours colours.

    Raises
    ------
    LulcError
        That names the first class of which this is not so.
    """
    seen: set[int | str] = set()
    for c in classes.classes:
        if not 1 <= c.value <= MOST:
            raise ParameterError(f"Class {c.name!r} has the value {c.value}; values go from 1 to {MOST} (0: no label).")
        if not c.name.strip():
            raise ParameterError(f"The class of value {c.value} has no name.")
        if not re.fullmatch("#[0-9a-fA-F]{6}", c.colour):
            raise ParameterError(f'Class {c.name!r} has the colour {c.colour!r}; write it as "#rrggbb".')
        for mark in (c.value, c.name):
            if mark in seen:
                raise ParameterError(f"Two classes have {'the value' if mark == c.value else 'the name'} {mark!r}.")
            seen.add(mark)
    return classes


def recolour(classes: Scheme, colours: Mapping[str, str]) -> Scheme:
    """Return a scheme in which some classes have another colour.

    Raises
    ------
    LulcError
        If a name is none of the scheme's, or a colour is not written as ``#rrggbb``.

    Examples
    --------
    >>> recolour(scheme("forest"), {"Forest": "#004400"}).find("Forest").rgb
    (0, 68, 0)
    """
    for name in colours:
        classes.find(name)
    changed = [replace(c, colour=colours.get(c.name, c.colour).lower()) for c in classes.classes]
    return check(replace(classes, classes=tuple(changed)))


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
