"""The explorer in a browser, for a mixture that `bin/serve.py --ui` serves."""

import base64
import io
import shutil
import time

import keras
import model_servers
import numpy as np
import pytest
import served
from PIL import Image

from tfgans import export, pictures

webdriver = pytest.importorskip("selenium.webdriver", reason="pip install selenium")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="apt-get install chromium chromium-driver"
)
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --window-size=1200,1000"
)


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def driver(downloads, tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
    yield driver
    driver.quit()


@pytest.mark.slow
def test_classes_have_their_names(driver):
    export = served.export("conditional")
    with model_servers.rest(f"--model_dir={export.version.parent}", "--ui") as (_, address):
        page = Page(driver, address)
        names = [*served.CLASS_NAMES, "6", "7", "8", "9"]
        assert page.texts("#class-mode option") == ["drawn from the seed", *names]
        page.do("#class-mode", "zwölf")
        expected = pictures.to_uint8(export.live.sample(1, seed=0, labels=2))[0, ..., 0]
        page.do(".tile:nth-child(1)")
        assert page.texts("#picture-caption") == ["A: seed 0, component 0, zwölf"]
        assert np.abs(page.images("#picture")[0] - expected.astype(int)).max() <= 1


@pytest.mark.slow
def test_latents_of_several_axes_have_no_sliders(driver, tmp_path):
    inputs = keras.Input((2, 3))
    images = keras.layers.Dense(16, "tanh")(keras.layers.Flatten()(inputs))
    generator = keras.Model(inputs, keras.layers.Reshape((4, 4, 1))(images))
    export.export_generator(generator, tmp_path / "matrices", verify=False)
    with model_servers.rest(f"--model_dir={tmp_path / 'matrices'}", "--ui") as (_, address):
        page = Page(driver, address)
        page.do(".tile:nth-child(1)")
        assert page.texts("#picture-caption") == ["A: seed 0, component 0"]
        assert [page.find(part)[0].is_displayed() for part in ("#latents", "#error-bar")] == [
            False,
            False,
        ]


class Page:
    """The page as its user sees it."""

    def __init__(self, driver, address):
        self.driver = driver
        driver.get(address)
        self.wait(lambda: self.find(".tile"))
        self.settle()

    def wait(self, condition):
        WebDriverWait(self.driver, 20, 0.01).until(lambda _: condition())

    def settle(self):
        self.wait(lambda: self.find("#main")[0].get_attribute("aria-busy") == "false")

    def find(self, selector):
        return self.driver.find_elements("css selector", selector)

    def do(self, selector, keys=None):
        (element,) = self.find(selector)
        element.send_keys(keys) if keys else element.click()
        self.settle()

    def texts(self, selector):
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)"
        return self.driver.execute_script(script, selector)

    def images(self, selector):
        script = "return [...document.querySelectorAll(arguments[0])].map(c => c.toDataURL())"
        urls = self.driver.execute_script(script, selector)
        files = [io.BytesIO(base64.b64decode(url.split(",")[1])) for url in urls]
        return np.stack([np.asarray(Image.open(file).convert("L")) for file in files])

    def log(self):
        return self.driver.get_log("browser")


@pytest.fixture
def page(driver, rest_server):
    page = Page(driver, rest_server)
    yield page
    assert page.log() == []


def reference(seeds):
    return served.export("mixture")("sample", seed=np.array(seeds))


def test_shows_the_samples_of_the_seeds_and_pins_components(page):
    page.do("#seed-slider", Keys.ARROW_RIGHT * 7)
    made, before = reference(range(7, 7 + 64)), page.images(".tile canvas").astype(int)
    assert before.std() > 0
    assert np.abs(before - pictures.to_uint8(made["images"])[..., 0]).max() <= 1
    assert page.texts(".badge .seed") == [str(7 + i) for i in range(64)]
    assert page.texts(".badge .component") == [str(c) for c in made["components"]]
    assert page.texts("#model, #version") == ["mixture", "version 1"]
    assert page.texts("#components button") == ["all", "0: 0.50", "1: 0.30", "2: 0.20"]
    page.do("[data-component='2']")
    assert set(page.texts(".badge .component")) == {"2"}
    unchanged = (np.abs(page.images(".tile canvas") - before) <= 1).all(axis=(1, 2))
    np.testing.assert_array_equal(unchanged, made["components"] == 2)
    page.do("[data-component='all']")
    np.testing.assert_array_equal(page.images(".tile canvas"), before)


def test_link_keeps_what_is_shown(page, rest_server):
    page.do("#seed", Keys.CONTROL + "a" + Keys.NULL + "40")
    page.do("#truncation", "0.5")
    page.do("[data-component='1']")
    page.do(".tile:nth-child(3)")
    link = page.driver.current_url
    assert link.endswith("#model=mixture&seed=40&samples=64&component=1&truncation=0.5&picks=42.1")
    made = served.export("mixture").live.sample(1, seed=42, component=1, truncation=0.5)
    for _ in range(2):
        shown = page.images("#picture")[0].astype(int)
        assert np.abs(shown - pictures.to_uint8(made)[0, ..., 0]).max() <= 1
        assert page.texts("#picture-caption") == ["A: seed 42, component 1"]
        page.driver.get("about:blank")
        page = Page(page.driver, link)
        page.wait(page.find("#picture")[0].is_displayed)
        page.settle()
    page.driver.get(f"{rest_server}/#model=mixture&seed=3")  # In the same tab.
    page.wait(lambda: page.driver.current_url.endswith("#model=mixture&seed=3&samples=64"))
    page.settle()
    page.driver.get("about:blank")
    Page(
        page.driver, f"{rest_server}/#model=none&seed=-3&samples=7&component=9&truncation=x&picks=a"
    )


def test_keyboard_and_screen_reader(page):
    """Arrow keys move in the grid, which is a single stop of the tab key; all parts have names."""
    page.find(".tile")[0].send_keys(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    focused = page.driver.switch_to.active_element
    assert focused.accessible_name.startswith("Seed 9, component")
    assert [tile.get_attribute("tabindex") for tile in page.find(".tile")].count("0") == 1
    focused.send_keys(Keys.ENTER)
    page.settle()
    assert focused.get_attribute("aria-pressed") == "true"
    focused.send_keys(Keys.ARROW_LEFT)
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.settle()
    for element in page.find("button, input, select, [role=img], [role=group]"):
        if element.is_displayed():
            assert element.accessible_name, element.get_attribute("outerHTML")
    assert len(page.find("[role=status]")) == 2


def test_slider_moves_the_picture_and_reset_brings_it_back(page):
    page.do(".tile:nth-child(4)", Keys.ENTER)
    before = page.images("#picture")
    tiles = page.images(".tile canvas").astype(int)
    assert np.abs(before[0] - tiles[3]).max() <= 1
    page.do(".slider:nth-child(2) input", Keys.HOME)
    assert page.texts(".slider:nth-child(2) output")[0] == "-3.00"
    assert "moved" in page.texts("#picture-caption")[0]
    assert (page.images("#picture") != before).any()
    page.do("#reset")
    np.testing.assert_array_equal(page.images("#picture"), before)


def test_two_picks_give_a_strip_between_them(page):
    components = page.texts(".badge .component")
    other = components.index(components[0], 1)
    page.do(".tile:nth-child(1)")
    assert not page.find("#strip-box")[0].is_displayed()
    page.do(f".tile:nth-child({other + 1})")
    assert [tile.get_attribute("data-pick") for tile in page.find("[data-pick]")] == ["A", "B"]
    strip, tiles = page.images("#strip canvas"), page.images(".tile canvas").astype(int)
    assert strip.shape == (9, 8, 8)
    assert np.abs(strip[[0, -1]] - tiles[[0, other]]).max() <= 1
    page.do("#swap")
    assert np.abs(page.images("#strip canvas").astype(int)[::-1] - strip).max() <= 1
    page.do("#clear")
    assert not page.find("#picture")[0].is_displayed()
    page.do("#truncation", "0.5")
    for index in (1, 2):
        page.do(f".tile:nth-child({index})")
    assert not page.find("#strip-box")[0].is_displayed()
    assert page.texts("#picked") == ["Interpolation needs no truncation."]


def downloaded(page, path):
    page.wait(path.exists)
    page.wait(lambda: path.stat().st_size)
    time.sleep(0.1)
    with Image.open(path) as image:
        return np.asarray(image.convert("L")).astype(int)


def test_pictures_are_saved(page, downloads):
    made = reference(range(64))
    page.do("#save-grid")
    grid = downloaded(page, downloads / "mixture-seeds0-63.png")
    expected = pictures.image_grid(made["images"])[..., 0]
    assert grid.shape == expected.shape
    assert np.abs(grid - expected).max() <= 1
    page.do(".tile:nth-child(6)")
    page.do("#save-picture")
    saved = downloaded(page, downloads / f"mixture-seed5-component{made['components'][5]}.png")
    assert saved.shape == (512, 512)
    shown = page.images("#picture").astype(int)[0]
    np.testing.assert_array_equal(saved, shown.repeat(64, axis=0).repeat(64, axis=1))


def test_errors_are_shown_until_they_are_over(page):
    page.do("#seed", ".5")
    assert "Seed" in page.texts("[role=alert]")[0]
    page.do("#seed", Keys.CONTROL + "a" + Keys.NULL + "0")
    assert not page.find("#error-bar")[0].is_displayed()
    page.driver.set_network_conditions(offline=True, latency=0, throughput=-1)
    try:
        page.do("[data-component='1']")
        assert "cannot be reached" in page.texts("[role=alert]")[0]
        # The browser itself logs a failed request.
        assert all("ERR_INTERNET_DISCONNECTED" in entry["message"] for entry in page.log())
    finally:
        page.driver.delete_network_conditions()
    page.do("#retry")
    assert not page.find("#error-bar")[0].is_displayed()
    assert set(page.texts(".badge .component")) == {"1"}
