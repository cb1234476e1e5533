"""What Sentinel-2 is: names, and the table against real metadata."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lulc_kit import sentinel2

SHARED = Path(__file__).parents[1].parent / "shared" / "data" / "safe_metadata"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("B02", "B2"),
        ("b2", "B2"),
        ("B8a", "B8A"),
        ("B08A", "B8A"),
        ("B12", "B12"),
        ("B10", "B10"),
        ("NIR", "B8"),
        ("Grün", "B3"),
        ("Gru\u0308n", "B3"),  # as macOS writes it
        ("Rouge", "B4"),
        ("red edge", "red edge"),
        ("canopy", "canopy"),
    ],
)
def test_band_names(name: str, expected: str) -> None:
    assert sentinel2.band_name(name) == expected


@given(st.text(max_size=8))
def test_band_names_are_settled_after_once(name: str) -> None:
    assert sentinel2.band_name(sentinel2.band_name(name)) == sentinel2.band_name(name)


def test_names_in_files_lead_back_to_the_bands() -> None:
    assert [sentinel2.band_name(band.file_name) for band in sentinel2.BANDS.values()] == list(sentinel2.BANDS)


@pytest.mark.shared
def test_bands_are_those_that_real_metadata_give_to_their_numbers() -> None:
    """Order, resolution and centre; the centres of 2017's calibration differ by some nanometres from today's."""
    if not SHARED.is_dir():
        pytest.skip("the development data safe_metadata are not beside the checkout")
    for level in ("L1C", "L2A"):
        text = (next(SHARED.glob(f"*_MSI{level}_*")) / f"MTD_MSI{level}.xml").read_text()
        found = re.findall(
            r'<Spectral_Information bandId="(\d+)" physicalBand="(B\w+)">\s*'
            r"<RESOLUTION>(\d+)<.*?<CENTRAL[^>]*>([\d.]+)<",
            text,
            re.DOTALL,
        )
        assert [(int(number), name) for number, name, _, _ in found] == list(enumerate(sentinel2.BANDS))
        for _, name, resolution, centre in found:
            assert sentinel2.BANDS[name].resolution == int(resolution)
            assert sentinel2.BANDS[name].wavelength * 1000 == pytest.approx(float(centre), abs=5)


def test_every_band_is_found_in_names_made_of_it() -> None:
    """Of its own name, of its file's, and of its wavelength to the nanometre."""
    for name, band in sentinel2.BANDS.items():
        for text in (
            f"SR_{name}",
            f"T33UUU_20230615_{band.file_name}_{band.resolution}m",
            f"{1000 * band.wavelength:.0f}nm",
        ):
            assert sentinel2.recognize(text) == name
    for text in ("band_4", "S2B_MSIL2A", "B4/B8", "Rot", "B13", "1000 nm", "ABB4"):
        assert sentinel2.recognize(text) is None


@pytest.mark.parametrize(
    ("text", "band"),
    [("665.0 Nanometers", "B4"), ("0.665 Micrometers", "B4"), ("0.49 µm", "B2"), ("pixels of 10 nm", None)],
)
def test_wavelengths_as_envi_and_others_write_them(text: str, band: str | None) -> None:
    assert sentinel2.recognize(text) == band
