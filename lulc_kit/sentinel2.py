"""What Sentinel-2 is: its bands, once, in the order in which the products' metadata number them."""

import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """A band of the Multispectral Instrument.

    Attributes
    ----------
    resolution
        Native ground sampling, metres.
    wavelength
        Centre of Sentinel-2A's response, µm.
    response
        Where that begins and ends, nm.
    mtf
        Published modulation transfer at the Nyquist frequency of the band's own grid; None for B10, which sees no
        ground.
    file_name
        The band's name in file names: ``"B02"`` for B2.
    common_name
        What STAC calls the band.
    """

    resolution: int
    wavelength: float
    response: tuple[int, int]
    mtf: float | None
    file_name: str
    common_name: str


BANDS = {
    "B1": Band(60, 0.4427, (412, 456), 0.32, "B01", "coastal"),
    "B2": Band(10, 0.4924, (456, 533), 0.26, "B02", "blue"),
    "B3": Band(10, 0.5598, (538, 583), 0.28, "B03", "green"),
    "B4": Band(10, 0.6646, (646, 684), 0.24, "B04", "red"),
    "B5": Band(20, 0.7041, (695, 714), 0.38, "B05", "rededge071"),
    "B6": Band(20, 0.7405, (731, 749), 0.34, "B06", "rededge075"),
    "B7": Band(20, 0.7828, (769, 797), 0.34, "B07", "rededge078"),
    "B8": Band(10, 0.8328, (760, 907), 0.26, "B08", "nir"),
    "B8A": Band(20, 0.8647, (837, 881), 0.33, "B8A", "nir08"),
    "B9": Band(60, 0.9451, (932, 958), 0.26, "B09", "nir09"),
    "B10": Band(60, 1.3735, (1337, 1412), None, "B10", "cirrus"),
    "B11": Band(20, 1.6137, (1539, 1682), 0.22, "B11", "swir16"),
    "B12": Band(20, 2.2024, (2078, 2320), 0.23, "B12", "swir22"),
}
"""The bands by name; a band's place here is its bandId."""

_WORDS = {
    "B2": ("blau", "bleu", "azul", "blu", "niebieski", "синий", "蓝"),
    "B3": ("grün", "gruen", "vert", "verde", "zielony", "зелёный", "зеленый", "绿"),
    "B4": ("rot", "rouge", "rojo", "vermelho", "rosso", "czerwony", "красный", "红"),
    "B8": ("near infrared", "nahes infrarot", "proche infrarouge", "pir", "infrarrojo cercano", "近红外"),
}
"""What people call the four bands of 10 m in other words than STAC's, in small letters."""

_NEAR = 14
"""How far a wavelength in a name may be from a band's, nm: 490, 842 and 2190 are usual roundings."""

_LENGTH = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?) ?(nm|nanomet(?:er|re)s?|[uµμ]m|micromet(?:er|re)s?)\b", re.IGNORECASE)

MTF = {name: band.mtf for name, band in BANDS.items() if band.mtf is not None}
"""Modulation transfer at Nyquist of the bands that see the ground, in order."""


def bands_at(resolution: int) -> tuple[str, ...]:
    """Return the bands of a native resolution (10, 20 or 60 m) that see the ground, in order.

    Examples
    --------
    >>> bands_at(10), bands_at(60)
    (('B2', 'B3', 'B4', 'B8'), ('B1', 'B9'))
    """
    return tuple(name for name in MTF if BANDS[name].resolution == resolution)


def band_name(name: str) -> str:
    """Return a band's name as the kit writes it: ``B02`` and ``b2`` become ``B2``, ``B8a`` becomes ``B8A``.

    STAC's words are understood, too, and those for blue, green, red and near infrared in some languages. Names that
    are not Sentinel-2's are left as they are.

    Examples
    --------
    >>> band_name("B08"), band_name("b8a"), band_name("Green"), band_name("Grün"), band_name("NDVI")
    ('B8', 'B8A', 'B3', 'B3', 'NDVI')
    """
    match = re.fullmatch(r"[Bb]0?(\d{1,2})([Aa]?)", name)
    word = unicodedata.normalize("NFC", name).strip().lower()
    said = (known for known, band in BANDS.items() if word in (band.common_name, *_WORDS.get(known, ())))
    return f"B{match[1]}{match[2].upper()}" if match else next(said, name)


def recognize(text: str) -> str | None:
    """Return the one band that a description or a file's name mentions; None where it mentions none or several.

    Understood are names that stand apart (``SR_B4``, ``T33UUU_B04_10m``) and wavelengths (``665 nm``, ENVI's
    ``0.665 Micrometers``).

    Examples
    --------
    >>> recognize("20230615_B08_10m"), recognize("665nm"), recognize("0.665 Micrometers")
    ('B8', 'B4', 'B4')
    >>> recognize("ratio of B8 and B4"), recognize("B8")
    (None, 'B8')
    """
    apart = re.findall(r"(?<![A-Za-z0-9])[Bb]0?(\d{1,2})([Aa]?)(?![A-Za-z0-9])", text)
    found = {f"B{number}{letter.upper()}" for number, letter in apart}
    for number, unit in _LENGTH.findall(text):
        length = float(number) * (1 if unit.lower().startswith("n") else 1000)
        nearest = min(BANDS, key=lambda name: abs(1000 * BANDS[name].wavelength - length))
        found |= {nearest} if abs(1000 * BANDS[nearest].wavelength - length) <= _NEAR else set()
    return found.pop() if len(found) == 1 and found <= BANDS.keys() else None
