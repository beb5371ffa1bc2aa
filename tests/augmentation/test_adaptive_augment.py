"""ADA: its transforms and the controller of p, against closed forms."""

import math
import pickle

import numpy as np
import pytest
from scipy import ndimage, stats

from tfgans import random
from tfgans.augmentation import AdaptiveAugment

KEY = random.key(5)
NUM = 4000


def at(transforms, p, **options):
    return AdaptiveAugment(transforms, target=None, p_max=1.0, initial_p=p, **options)


def assert_share(happened, expected):
    """Fails if a share of independent events differs by 5 standard errors: 1 in 2 million."""
    error = math.sqrt(expected * (1 - expected) / len(happened))
    assert abs(np.mean(happened) - expected) < 5 * error


# The controller.


def run(augmentation, sign, updates, num=64):
    for _ in range(updates):
        augmentation.adapt(sign, num)
    return float(augmentation.p)


def test_p_rises_by_the_images_of_a_window_and_falls_alike():
    ada, step = AdaptiveAugment("bg"), 4 * 64 / 500_000
    assert run(ada, 1.0, 3) == 0
    assert run(ada, 1.0, 1) == pytest.approx(step, rel=1e-5)
    assert run(ada, 1.0, 40) == pytest.approx(11 * step, rel=1e-5)
    assert run(ada, 0.0, 8) == pytest.approx(9 * step, rel=1e-5)
    assert run(ada, 0.6, 4) == pytest.approx(9 * step, rel=1e-5)
    assert run(ada, -1.0, 40) == 0
    # The windows have 320 images, of 1000 from 0 to 1.
    fast = AdaptiveAugment("bg", kimg=1.0, every=10)
    assert run(fast, 1.0, 20, num=32) == pytest.approx(0.64)
    assert run(fast, 1.0, 20, num=32) == pytest.approx(0.8)
    assert run(at("bg", 0.3), 1.0, 4) == pytest.approx(0.3)


def test_the_mean_is_of_the_window_and_the_window_is_emptied():
    ada = AdaptiveAugment("bg", initial_p=0.5)
    for total in (64, 32, 0, -16):  # Their mean is .3125: down.
        ada.adapt(total / 64, 64)
    assert float(ada.p) == pytest.approx(0.5 - 5.12e-4, rel=1e-5)
    np.testing.assert_array_equal(ada.state.window, [0, 0])
    ada.adapt(1.0, 64)
    np.testing.assert_array_equal(ada.state.window, [64, 64])
    ada.adapt(float("nan"), 64)
    ada = pickle.loads(pickle.dumps(ada))  # With its state.
    np.testing.assert_array_equal(ada.state.window, [64, 64])
    # Parts of a batch that round the mean, .6, in another way do not move p.
    for mean in (0.6 + 1e-7, 0.6 - 1e-7):
        level = AdaptiveAugment("bg", initial_p=0.5)
        assert run(level, mean, 4, num=20) == 0.5


# The transforms.


def changed(transforms, p, images):
    return at(transforms, p)(images, KEY).numpy()


def same(image, num=NUM):
    """Copies of an image, of which each gets the draws of its row."""
    return np.broadcast_to(np.float32(image), (num, *image.shape))


@pytest.mark.parametrize(
    ("side", "shares"),
    [
        (8, {-1: 0.25, 0: 0.5, 1: 0.25}),
        (28, dict.fromkeys(range(-3, 4), 1 / 7)),
        (32, {**dict.fromkeys(range(-3, 4), 1 / 8), -4: 1 / 16, 4: 1 / 16}),
    ],
)
def test_blits_mirror_turn_and_shift_whole_pixels(side, shares):
    """The image is mirrored, then turned, then shifted by round(side U(-1/8, 1/8)), reflected."""
    x, most = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32), max(shares)
    names = {}
    for flip in (0, 1):
        for turns in range(4):
            turned = np.pad(np.rot90(x[:, ::-1] if flip else x, turns), most, mode="reflect")
            for down in shares:
                for right in shares:
                    shifted = turned[most - down :, most - right :][:side, :side]
                    names[shifted.tobytes()] = (flip, turns, down, right)
    assert len(names) == 8 * len(shares) ** 2
    images = changed("blit", 1.0, same(x[..., None]))[..., 0]
    received = np.array([names[image.tobytes()] for image in images])
    assert_share(received[:, 0], 0.5)
    for turns in range(4):
        assert_share(received[:, 1] == turns, 0.25)
    for column in (2, 3):
        for shift, share in shares.items():
            assert_share(received[:, column] == shift, share)


def test_images_that_are_no_squares_make_half_turns():
    images = changed("blit", 1.0, same(np.arange(12.0).reshape(3, 4, 1)))[..., 0]
    # No shift: round(3 U(-1/8, 1/8)) is 0, and so is round(4 U(-1/8, 1/8)).
    assert_share(images[:, 0].mean(axis=1) > images[:, 2].mean(axis=1), 0.5)
    assert {*np.unique(np.sort(images.reshape(NUM, 12), axis=1), axis=0).ravel()} == {*range(12)}


def test_gates_open_with_probability_p():
    x = np.random.default_rng(0).normal(size=(9, 9, 1)).astype(np.float32)

    def moved(transforms, p, **options):
        augmentation = at(transforms, p, **options)
        return (augmentation(same(x), KEY).numpy() != x).any(axis=(1, 2, 3))

    for p in (0.2, 0.6):
        # Both of round(9 U(-1/8, 1/8)) are 0 with probability (1 / 2.25)^2.
        shifted = p * (1 - (1 / 2.25) ** 2)
        assert_share(moved("blit", p), 1 - (1 - p / 2) * (1 - 0.75 * p) * (1 - shifted))
        # Two scales, a shift, and a turn before or after with probability p.
        assert_share(moved("geom", p), 1 - (1 - p) ** 4)
        # A luma flip is drawn half of the time.
        assert_share(moved("color", p), 1 - (1 - p) ** 2 * (1 - p / 2))
        half = moved("color", p, color_multiplier=0.5)
        assert_share(half, 1 - (1 - p / 2) ** 2 * (1 - p / 4))
        assert_share(moved("noise", p), p)
        assert_share(moved("cutout", p), p)
        untouched = ~moved("bgc", p)
        expected = (1 - p / 2) * (1 - 0.75 * p) * (1 - shifted) * (1 - p) ** 6 * (1 - p / 2)
        assert_share(untouched, expected)


def test_p_above_1_acts_as_1():
    ada, images = at("bg", 1.0), same(np.random.default_rng(0).normal(size=(9, 9, 1)), 20)
    expected = ada(images, KEY)
    ada.p.assign(1.5)
    np.testing.assert_array_equal(ada(images, KEY), expected)


def maps(p, num):
    """The affine map of each image from output to input, about the middle: [num, 2, 3].

    A ramp is interpolated without an error, so the images of two ramps show where they were read.
    """
    middle = 24
    rows, columns = np.mgrid[:49, :49].astype(np.float32) - middle
    read = np.stack(
        [changed("geom", p, same(ramp[..., None], num))[..., 0] for ramp in (rows, columns)], axis=1
    )
    here = read[:, :, middle, middle]
    down, right = read[:, :, middle + 1, middle] - here, read[:, :, middle, middle + 1] - here
    return np.stack([down, right, here], axis=2)


def is_from(draws, distribution):
    assert stats.kstest(draws, distribution).pvalue > 1e-4


def test_geometry_scales_turns_stretches_and_shifts():
    matrices = maps(1.0, 1000)
    # Of the few that shift by half of the side the ramp is reflected.
    matrices = matrices[np.abs(matrices[:, :, 2]).max(axis=1) < 20]
    left, stretches, right = np.linalg.svd(matrices[:, :, :2])
    # The factors are a / s and 1 / (a s), which of the two is the larger.
    is_from(np.log2(stretches).mean(axis=1) / 0.2, "norm")
    is_from(np.log2(stretches[:, 0] / stretches[:, 1]) / 2 / 0.2, stats.halfnorm.cdf)
    turns = left @ right
    is_from(np.arctan2(turns[:, 0, 1], turns[:, 0, 0]) / math.pi, stats.uniform(-1, 2).cdf)
    shifts = -np.linalg.solve(matrices[:, :, :2], matrices[:, :, 2:])
    # The central half of the distribution, which nothing was left out of.
    central = np.abs(shifts.ravel() / 49 * 8) < stats.norm.ppf(0.75)
    assert central.mean() == pytest.approx(0.5, abs=0.07)


def test_warp_is_the_bilinear_interpolation_of_scipy():
    x = np.random.default_rng(0).normal(size=(49, 49)).astype(np.float32)
    images = changed("geom", 1.0, same(x[..., None], 30))[..., 0]
    for image, matrix in zip(images, maps(1.0, 30), strict=True):
        linear, here = matrix[:, :2], matrix[:, 2]
        offset = here + 24 - linear @ [24, 24]
        expected = ndimage.affine_transform(x, linear, offset, order=1, mode="mirror")
        np.testing.assert_allclose(image, expected, atol=1e-2)


def test_color_is_a_matrix_and_an_offset():
    """Along gray a factor, across gray a turn and a factor; brightness comes before contrast."""
    zero, *basis = (
        changed("color", 1.0, same(np.reshape(color, [1, 1, 3])))[:, 0, 0]
        for color in ([0, 0, 0], *np.eye(3))
    )
    matrix = np.stack([color - zero for color in basis], axis=2)
    gray = np.ones(3) / math.sqrt(3)
    factor = gray @ matrix @ gray
    np.testing.assert_allclose(matrix @ gray, factor[:, None] * gray, atol=1e-4)
    across = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])
    plane = across @ matrix @ across.T
    saturation = np.sqrt(np.linalg.det(plane)) / np.abs(factor)
    hue = np.arctan2(plane[:, 1, 0], plane[:, 0, 0]) / math.pi
    turn = plane / (saturation * np.abs(factor))[:, None, None]
    np.testing.assert_allclose(turn @ turn.transpose(0, 2, 1), same(np.eye(2)), atol=1e-3)
    is_from(np.log2(np.abs(factor)) / 0.5, "norm")
    assert_share(factor < 0, 0.5)
    is_from(np.log2(saturation), "norm")
    is_from(hue, stats.uniform(-1, 2).cdf)
    np.testing.assert_allclose(zero, zero[:, :1].repeat(3, axis=1), atol=1e-6)
    is_from(zero[:, 0] / factor / 0.2, "norm")
    # Images of a single channel are gray: the same factor and offset.
    gray_zero, gray_one = (
        changed("color", 1.0, same(np.full([1, 1, 1], level)))[:, 0, 0, 0] for level in (0, 1)
    )
    np.testing.assert_allclose(gray_zero, zero[:, 0], atol=1e-6)
    np.testing.assert_allclose(gray_one - gray_zero, factor, rtol=1e-4, atol=1e-5)


def test_noise_and_cutout():
    zeros = np.zeros((16, 16, 3))
    noise = changed("noise", 1.0, same(zeros))
    is_from(noise.std(axis=(1, 2, 3))[:1000] / 0.1, lambda x: stats.halfnorm.cdf(x))
    holes = 1 - changed("cutout", 1.0, same(zeros + 1))[..., 0]
    # A row is cut where the center, of U[0, 1), is within 1/4 of it.
    assert_share(holes[:, 8, 8], 0.25)
    assert_share(holes[:, 0, 8], (1 / 4 + 1 / 32) / 2)
