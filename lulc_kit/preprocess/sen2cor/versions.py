"""Which Sen2Cor there is, and which one a product needs."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from defusedxml import ElementTree

from lulc_kit.errors import FormatError, LulcError, MissingFileError
from lulc_kit.preprocess import external

_FIRST_CURRENT_BASELINE = (2, 5)
_BANNER = re.compile(
    r"Sen2Cor\)?\.? Version: (?P<version>\d+(?:\.\d+)*)"
    r"(?:.*?Level-1C product version (?P<most><= )?(?P<first>\d+(?:\.\d+)*)(?: - (?P<last>\d+(?:\.\d+)*))?)?"
)
_L1C_NAME = re.compile(r"(S2[A-D])_MSIL1C_(\d{8}T\d{6})_N\d{4}_(R\d{3})_(T\w{5})_\d{8}T\d{6}\.SAFE")
_OLD_L1C_NAME = re.compile(r"(S2[A-D])_OPER_PRD_MSIL1C_PDMC_\d{8}T\d{6}_(R\d{3}_V\d{8}T\d{6}_\d{8}T\d{6})\.SAFE")


@dataclass(frozen=True)
class Installation:
    """One installed Sen2Cor: its program, its version and the product formats (PSD) it accepts, as its banner says.

    2.5.5 has no option ``--output_dir``.
    """

    program: Path
    version: tuple[int, ...]
    first_format: tuple[int, ...] = (0,)
    last_format: tuple[int, ...] = (99,)
    has_output_dir: bool = True

    def __str__(self) -> str:
        return f"Sen2Cor {'.'.join(map(str, self.version))} ({self.program})"


@dataclass(frozen=True)
class Product:
    """A Level-1C product: its folder, processing baseline ((2, 6) for 02.06), and major number of its format (PSD)."""

    path: Path
    baseline: tuple[int, int]
    format: int


def find(configured: Iterable[Path] = (), *, timeout: float = 60.0) -> list[Installation]:
    """Find the installed versions of Sen2Cor.

    Parameters
    ----------
    configured
        Programs, or the folders they were unpacked to. They come before what is on the PATH and in the usual
        folders (home, SNAP's ``auxdata``, ``/opt``, ``/usr/local``, ``/Applications``, Windows' program folders).
    timeout
        Seconds to wait for a version's banner.

    Returns
    -------
    list of Installation
        Newest first; of one version the first that was found. Empty if there is none.

    Raises
    ------
    LulcError
        If something that was configured is not a working Sen2Cor. What was only found by looking is left out.
    """
    found: dict[tuple[int, ...], Installation] = {}
    for place in configured:
        program = _program_in(place.expanduser())
        if program is None:
            raise MissingFileError(f"There is no L2A_Process in {place}. Give the folder of Sen2Cor, or the program.")
        installation = probe(program, timeout=timeout)
        found.setdefault(installation.version, installation)
    for program in _candidates():
        with contextlib.suppress(LulcError):
            installation = probe(program, timeout=timeout)
            found.setdefault(installation.version, installation)
    return sorted(found.values(), key=lambda installation: installation.version, reverse=True)


def probe(program: Path, *, timeout: float = 60.0) -> Installation:
    """Ask a program for its version, by ``--help``, which processes nothing.

    Raises
    ------
    LulcError
        If the program does not start, does not answer in so many seconds, or does not answer as Sen2Cor does.
    """
    try:
        process = external.start([str(program), "--help"], program.parent)
    except OSError as error:
        raise LulcError(f"{program} cannot be started ({error}). Check the installation of Sen2Cor.") from error
    with external.deadline(process, timeout) as expired:
        text, _ = process.communicate()
    if expired.is_set():
        raise LulcError(f"{program} did not tell its version within {timeout:.0f} s. Run it by hand once, with --help.")
    banner = _BANNER.search(" ".join(text.split()))
    if banner is None:
        raise LulcError(f"{program} does not answer as Sen2Cor does, but: {text.strip()[:200]!r}. Check the path.")
    first, last = banner["first"], banner["last"]
    return Installation(
        program=program,
        version=_numbers(banner["version"]),
        first_format=_numbers(first) if first and not banner["most"] else (0,),
        last_format=_numbers(last or first) if first else (99,),
        has_output_dir="--output_dir" in text,
    )


def read_product(path: Path) -> Product:
    """Read from a Level-1C product, an unpacked ``.SAFE`` folder, what decides which Sen2Cor can process it.

    Raises
    ------
    LulcError
        If it is not a folder, or has no readable Level-1C metadata.
    """
    if not path.is_dir():
        raise MissingFileError(
            f"{path} is not a folder; Sen2Cor takes unpacked .SAFE folders. Unzip the product first."
        )
    files = [*path.glob("MTD_MSIL1C.xml"), *path.glob("S2*_OPER_MTD_SAFL1C_*.xml")]
    if not files:
        raise MissingFileError(f"{path} has no MTD_MSIL1C.xml; expected a Level-1C product. Download it again.")
    try:
        root = ElementTree.parse(files[0]).getroot()
    except Exception as error:  # expat errors and defusedxml's refusals have no common base
        raise FormatError(f"{files[0]} cannot be read as XML ({error}). Download the product again.") from error
    baseline = (root.findtext(".//PROCESSING_BASELINE") or "").strip()
    if not re.fullmatch(r"\d+\.\d+", baseline):
        raise FormatError(
            f"{files[0]} states the PROCESSING_BASELINE {baseline!r}; expected a number such as 02.06. "
            "Download the product again."
        )
    major, minor = _numbers(baseline)
    namespace = re.search(r"psd-(\d+)", root.tag)
    return Product(path, (major, minor), int(namespace[1]) if namespace else 14)


def l2a_pattern(name: str) -> re.Pattern[str]:
    """Turn the folder name of a Level-1C product into a pattern for that of its Level-2A product.

    It has the same satellite, time, orbit and tile, and any baseline and processing time. The name is in the compact
    form, or the long form of before December 2016; a LulcError says so if it is in neither.
    """
    if match := _L1C_NAME.fullmatch(name):
        mission, sensed, orbit, tile = match.groups()
        return re.compile(rf"{mission}_MSIL2A_{sensed}_N\d{{4}}_{orbit}_{tile}_\d{{8}}T\d{{6}}\.SAFE")
    if match := _OLD_L1C_NAME.fullmatch(name):
        mission, rest = match.groups()
        return re.compile(rf"{mission}_\w{{4}}_PRD_MSIL2A_PDMC_\d{{8}}T\d{{6}}_{rest}\.SAFE")
    raise FormatError(
        f"The product folder is called {name!r}; Sen2Cor wants its original name "
        "(S2?_MSIL1C_<date>_N<baseline>_R<orbit>_T<tile>_<date>.SAFE). Rename it."
    )


def choose(product: Product, installations: Sequence[Installation]) -> Installation:
    """Choose the Sen2Cor for a product: 2.5.x before baseline 02.05, else the newest that accepts its format.

    Raises
    ------
    LulcError
        If none fits: which one is needed, and which there are.
    """
    old = product.baseline < _FIRST_CURRENT_BASELINE
    # the metadata name only the major format; baseline 03.00 came with 14.6, which 2.8 cannot read
    minor = 6 if product.format == 14 and product.baseline >= (3, 0) else 0
    fitting = [
        installation
        for installation in installations
        if (installation.version < (2, 6)) == old
        and installation.first_format[0] <= product.format
        and (product.format, minor) <= (*installation.last_format, 0)
    ]
    if fitting:
        return max(fitting, key=lambda installation: installation.version)
    if old:
        needed = "Sen2Cor 2.5.5"
    elif product.format <= 14:
        needed = "Sen2Cor 2.10 to 2.12"
    else:
        needed = f"a Sen2Cor that accepts product format {product.format} (3.3 or later)"
    there = ", ".join(str(installation) for installation in installations) or "none"
    raise LulcError(
        f"{product.path.name} has the baseline {product.baseline[0]:02d}.{product.baseline[1]:02d} and "
        f"format {product.format}, which needs {needed}; installed: {there}. Install it or give its folder."
    )


def _program_in(place: Path) -> Path | None:
    programs = (folder / name for folder in (place, place / "bin") for name in ("L2A_Process", "L2A_Process.bat"))
    return place if place.is_file() else next((path for path in programs if path.is_file()), None)


def _candidates() -> Iterator[Path]:
    """Programs on the PATH and in the folders where Sen2Cor is usually unpacked."""
    suffix = ".bat" if os.name == "nt" else ""
    for entry in filter(None, os.environ.get("PATH", "").split(os.pathsep)):
        program = Path(entry) / f"L2A_Process{suffix}"
        if program.is_file() and os.access(program, os.X_OK):
            yield program
    for parent in _usual_folders():
        with contextlib.suppress(OSError):  # folders that may not be listed
            yield from filter(None, map(_program_in, sorted(parent.glob("[Ss]en2[Cc]or*"))))


def _usual_folders() -> list[Path]:
    folders = [Path.home(), Path.home() / ".snap" / "auxdata"]
    if os.name == "nt":
        names = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
        drive = Path(os.environ.get("SYSTEMDRIVE", "C:") + "\\")
        return [*folders, drive, *(Path(os.environ[name]) for name in names if name in os.environ)]
    return [*folders, Path("/opt"), Path("/usr/local"), Path("/Applications")]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
