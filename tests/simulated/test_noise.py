"""Noise: the same at the same place, evenly spread, smooth, of the stated wavelength."""

import numpy as np
import pytest
from scipy.stats import kstest

from lulc_kit.simulated.noise import fractal, mix, octaves_down_to, perlin, unit


def test_numbers_of_places_are_uniform_and_independent_of_their_neighbours() -> None:
    numbers = np.array([[unit(i, j, 7) for j in range(-60, 60)] for i in range(-60, 60)])
    assert kstest(numbers.ravel(), "uniform").pvalue > 0.01
    for axis in (0, 1):
        beside = np.roll(numbers, 1, axis)
        assert abs(np.corrcoef(numbers.ravel(), beside.ravel())[0, 1]) < 0.03
    other = np.array([[unit(i, j, 8) for j in range(-60, 60)] for i in range(-60, 60)])
    assert abs(np.corrcoef(numbers.ravel(), other.ravel())[0, 1]) < 0.03


def test_a_place_has_one_number() -> None:
    assert mix(3, -4, 5) == mix(3, -4, 5)
    assert len({mix(i, j, s) for i in range(20) for j in range(20) for s in range(5)}) == 2000


def test_gradient_noise_vanishes_on_its_lattice_and_is_smooth_between() -> None:
    assert [perlin(float(i), float(j), 1) for i in range(-3, 3) for j in range(-3, 3)] == [0.0] * 36
    along = np.array([perlin(x, 0.37, 1) for x in np.linspace(0, 50, 50_001)])
    assert abs(along).max() <= np.sqrt(0.5) + 1e-9
    assert abs(np.diff(along)).max() < 0.003  # no jumps, steps of a thousandth of the wavelength
    assert abs(along.mean()) < 0.05


def test_one_octave_is_the_noise_itself_and_more_roughen_it() -> None:
    places = [(0.1 * k, 0.37 * k) for k in range(300)]
    assert [fractal(x, y, 1, 0.5, 4) for x, y in places] == [perlin(x, y, 4) for x, y in places]

    def roughness(octaves: int) -> float:
        return float(np.abs(np.diff([fractal(0.01 * k, 0.2, octaves, 0.6, 4) for k in range(2000)])).mean())

    assert roughness(6) > 1.5 * roughness(1)


@pytest.mark.parametrize(("longest", "shortest", "octaves"), [(800, 100, 4), (800, 99, 5), (100, 100, 1), (10, 100, 1)])
def test_octaves_halve_the_wavelength(longest: float, shortest: float, octaves: int) -> None:
    assert octaves_down_to(longest, shortest) == octaves
