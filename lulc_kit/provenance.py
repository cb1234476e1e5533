"""What a result was made of: files by their hashes, the code that was loaded, versions of the packages."""

import functools
import hashlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import lulc_kit
from lulc_kit import files
from lulc_kit.errors import FormatError

PACKAGES = (
    "numpy",
    "numba",
    "rasterio",
    "spyndex",
    "scikit-learn",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "dask",
    "xarray",
)

BOOKKEEPING = (
    *("cli", "environment", "errors", "kernels", "layout", "params"),
    *("parent", "progress", "provenance", "run", "steps", "study"),
)
"""Modules that decide no number; parameters are compared by their values."""

SHOWN = "visualize"
"""The room of pictures: it counts where pictures are what a step writes."""

# Files beside a raster or a table of shapes that change what it says, by their ending in lower case.
_COMPANIONS = (
    *(".shx", ".dbf", ".prj", ".cpg", ".qix", ".sbn", ".sbx"),
    *(".hdr", ".tfw", ".tifw", ".wld", ".j2w", ".jgw", ".pgw", ".aux", ".rrd", ".imd", ".rpb"),
    *(".aux.xml", ".msk", ".gfs", ".xsd", ".qml"),
    *(".dat", ".map", ".id", ".ind", ".mid"),  # MapInfo
    *(".ige", ".rdc", ".rst", ".sdat", ".sgrd", ".gri", ".idx", ".ppg", ".pzp", ".lrc", ".til"),  # where numbers lie
)
# To the whole name: scene.tif.aux.xml.
_ADDED = (".aux.xml", ".msk", ".ovr", ".vat.dbf", ".hdr", "-wal")


@dataclass(frozen=True)
class FileMark:
    """A file as it was: size, modification time (ns) and SHA-256."""

    path: str
    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path, name: str, known: "FileMark | None" = None) -> "FileMark":
        """Mark a file. A known mark with the same size and time is trusted, so that big files are read once."""
        stat = path.stat()
        if known and (known.size, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            return known
        return cls(name, stat.st_size, stat.st_mtime_ns, files.sha256(path))


def companions(path: Path) -> list[Path]:
    """Return a user's file with those that lie beside it and belong to it, and the sources of a VRT, theirs too.

    Parameters
    ----------
    path
        A raster or a table of shapes; of a folder that is one (``.gdb``) all files in it. Endings count in any case
        (``.DBF``); brackets in a name mean themselves.
    """
    found: dict[Path, None] = {}
    waiting = [path]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        within = sorted(f for f in one.rglob("*") if f.is_file()) if one.suffix.lower() == ".gdb" else []
        found |= dict.fromkeys([one, *_beside(one), *within])
        if one.suffix.lower() in (".vrt", ".ovf"):
            waiting += _sources(one)
    return list(found)


def _beside(path: Path) -> list[Path]:
    stem, name = path.stem.lower(), path.name.lower()
    return [
        other
        for other in (sorted(path.parent.iterdir()) if path.is_file() else [])
        if (other.name.lower().startswith(stem) and other.name.lower()[len(stem) :] in _COMPANIONS)
        or (other.name.lower().startswith(name) and other.name.lower()[len(name) :] in _ADDED)
    ]


def _sources(vrt: Path) -> list[Path]:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, parse

    try:
        root = parse(vrt, forbid_dtd=True).getroot()
    except (DefusedXmlException, ParseError, OSError):  # whoever opens it says what is wrong
        return []
    named = [e for e in root.iter() if e.tag in ("SourceFilename", "SourceDataset", "SrcDataSource") and e.text]
    found = []
    for element in named:
        relative = element.get("relativeToVRT", element.get("relativetoVRT", "0")) == "1"
        variable = files.variable(element.text)
        path = files.on_disk(Path(variable["path"] if variable else element.text))
        path = vrt.parent / path if relative else path
        if path.is_file():
            found.append(path.absolute())
    return found


def package() -> Path:
    """Return the folder of the kit's code."""
    return Path(lulc_kit.__file__).parent


def sources() -> dict[str, str]:
    """Hash every module of the kit and every template, by name (``raster.reading``, ``evaluate/report.html.j2``)."""
    root = package()
    found = {}
    for path in sorted(root.rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix("__init__").rstrip(".")
        if name:
            found[name] = files.sha256(path)
    return found | {p.relative_to(root).as_posix(): files.sha256(p) for p in sorted(root.rglob("*.j2"))}


def find_used(known: Mapping[str, str], pictures: bool) -> dict[str, str]:
    """Return those of `sources` that this process has loaded and that decide what a step writes.

    Parameters
    ----------
    known
        From `sources`, when the step began: somebody may edit the code while it runs.
    pictures
        Whether pictures are among what the step writes.
    """
    loaded = {name.removeprefix("lulc_kit.") for name in sys.modules if name.startswith("lulc_kit.")}
    rooms = {name.split(".")[0] for name in loaded}
    left_out = {*BOOKKEEPING, *(() if pictures else (SHOWN,))}
    return {
        name: digest
        for name, digest in known.items()
        if (name in loaded or (name.endswith(".j2") and name.split("/")[0] in rooms))
        and name.replace("/", ".").split(".")[0] not in left_out
    }


def find_changed(recorded: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the modules that a step used and that are not what they were."""
    return [name for name, digest in recorded.items() if now.get(name) != digest]


def notebook_code(path: Path) -> str:
    """Hash a notebook's code cells, less that of the parameters: other values there are compared by themselves."""
    digest = hashlib.sha256()
    if path.exists():
        try:
            for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
                if cell["cell_type"] == "code" and "parameters" not in cell["metadata"].get("tags", []):
                    digest.update("".join(cell["source"]).encode())
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise FormatError(f"{path} is not a notebook. Restore it (git checkout notebooks/{path.name}).") from error
    return digest.hexdigest()


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python, the kit and the packages that do the computing."""
    found = {"python": platform.python_version(), "lulc_kit": lulc_kit.__version__}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def peak_memory_mb() -> int:
    """Return the most memory that this process has held, megabytes."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return round(psutil.Process().memory_info().peak_wset / 1e6)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if platform.system() == "Darwin" else 1e3))
