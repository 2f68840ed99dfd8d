"""The live demo in headless Chromium: its networks, its promises, its words when things fail."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import browser_site
import seglib
from browser_site import assemble, decode, look
from seglib.images import resize, write_image
from seglib.postprocess.colour import to_linear
from seglib.pretrained import path as model_path
from seglib.runtime import Segmenter

pytest.importorskip("playwright")
if browser_site.chromium() is None:
    pytest.skip("no Chromium here: apt-get install chromium", allow_module_level=True)

LOAD = "[data-do=load]"
PATIENCE = 60_000  # milliseconds, on a machine that does other things
RIGHTS = ["camera", "clipboard-read", "clipboard-write"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser_site.Site]:
    missing = assemble.fetch(assemble.WORK / "npm")
    if missing:
        pytest.skip(f"the demo's runtime cannot be had here: {missing}")
    site = browser_site.Site(tmp_path_factory.mktemp("site") / "html", None)
    yield site
    site.close()


@pytest.fixture(scope="module")
def bare_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser_site.Site]:
    """The site as it is where npm's registry could not be reached."""
    site = browser_site.Site(tmp_path_factory.mktemp("bare") / "html", "npm was <out of reach>")
    yield site
    site.close()


@pytest.fixture(scope="module")
def launch() -> Iterator[Callable[..., Any]]:
    with browser_site.browsers() as launch:
        yield launch


@pytest.fixture(scope="module")
def chrome(launch: Callable[..., Any]) -> Any:
    return launch([*browser_site.CPU, *browser_site.FAKE_CAMERA])


@pytest.fixture
def visit(chrome: Any) -> Iterator[Callable[..., Any]]:
    """Open the demo's page in a profile of its own; a script runs before the page's."""
    contexts = []

    def visit(site: browser_site.Site, script: str = "", **options: Any) -> Any:
        contexts.append(chrome.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        if script:
            page.add_init_script(script)
        page.goto(site.page)
        return page

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def loaded(chrome: Any, site: browser_site.Site) -> Any:
    """A page that is loaded once, for all tests that leave it as they found it."""
    page = chrome.new_context(permissions=RIGHTS).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(site.page)
    return ready(page)


@pytest.fixture
def demo(loaded: Any) -> Any:
    """The loaded page in its first state, with a camera that may be used."""
    for name in ("hair_open", "portrait_open"):
        loaded.select_option("[name=model]", name)
        loaded.click("[data-do=reset]")
    loaded.select_option("[name=view]", "frame")
    loaded.click("[data-do=sample]")
    settle(loaded)
    return loaded


def ready(page: Any) -> Any:
    page.click(LOAD)
    page.wait_for_selector(".work")
    settle(page)
    return page


def settle(page: Any) -> None:
    """Wait until the demo has done what it was told, and what followed from it."""
    browser_site.wait(
        page,
        """const demo = document.querySelector("live-demo");
        for (let last; last !== demo.queue; ) await (last = demo.queue);""",
    )


def status(page: Any) -> str:
    return page.text_content(".status")


def slide(page: Any, name: str, value: float) -> None:
    page.locator(f"[name={name}]").fill(str(value))
    settle(page)


def test_nothing_heavy_is_loaded_before_the_button_is_pressed(visit, site) -> None:
    site.asked.clear()
    page = visit(site)
    button = page.locator(LOAD)
    button.wait_for()
    size = sum((site.folder / path[1:].split("?")[0]).stat().st_size for path in _there(site))
    assert size < 100_000
    assert not any("runtime" in path or "models" in path for path in site.asked)

    site.asked.clear()
    stated = float(re.search(r"\((.*) MB\)", button.text_content())[1])
    ready(page)
    loaded = sum((site.folder / path[1:]).stat().st_size for path in _there(site))
    assert stated == pytest.approx(loaded / 1e6, abs=0.06)
    assert len(site.asked) == len(set(site.asked)), "fetched twice"


def _there(site: browser_site.Site) -> list[str]:
    return [path for path in site.asked if (site.folder / path[1:].split("?")[0]).is_file()]


@pytest.mark.parametrize("name", assemble.MODELS)
def test_the_browsers_mask_is_that_of_python(demo, site, name) -> None:
    segmenter = Segmenter(model_path(name))
    photo = seglib.sample_photo()
    noise = np.random.default_rng(3).integers(0, 256, (96, 200, 3), np.uint8)
    for image in (photo, resize(photo, (480, 360)), photo[100:300, :150], noise):
        result = look(demo, "mask", site.array(image), name, "wasm")
        assert np.abs(decode(result) - segmenter.raw(image)).max() <= 1e-3


def test_what_the_page_shows_is_what_python_makes(demo, site) -> None:
    for kind, effect in (("portrait", "blur"), ("portrait", "replace"), ("hair", "recolour")):
        model = f"{kind}_open"
        demo.select_option("[name=model]", model)
        settle(demo)
        demo.select_option("[name=effect]", effect)
        settle(demo)
        settings = site.info["defaults"][model] | {"effect": effect}
        config = seglib.postprocess.PostprocessConfig(
            **{key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()}
        )
        # What the browser decoded; its JPEG decoder and Pillow's differ by some levels.
        image = decode(look(demo, "shown", "image")).copy()
        assert np.abs(image.astype(int) - seglib.sample_photo()).mean() < 1
        scene = np.full((8, 8, 3), (0x2F, 0x6F, 0x8F), np.uint8) if effect == "replace" else None
        pipeline = seglib.postprocess.Pipeline(config)
        wanted = pipeline(image, Segmenter(model_path(model)).raw(image), scene)
        difference = np.abs(decode(look(demo, "shown", "result")).astype(int) - wanted)
        # The mask may differ by 1e-3, and the curve is up to four times as steep as its range.
        assert difference.max() <= 3
        assert (difference > 1).mean() < 1e-4


def test_sliders_change_the_picture_at_once_and_spell_themselves_in_python(demo, site) -> None:
    before = decode(look(demo, "shown", "result"))
    for name, value in (("sigma", 0.06), ("low", 0.8), ("opening", 4 / 128), ("blur", 2 / 128)):
        slide(demo, name, value)
        after = decode(look(demo, "shown", "result"))
        assert (after != before).any(), name
        before = after
    code = demo.text_content(".python")
    assert "sigma=0.06" in code and "opening=0.03125" in code
    assert "high=0.85" in code, "the upper edge gave way to the lower one"
    from seglib.postprocess import PostprocessConfig

    assert eval(code, {"seglib": seglib, "PostprocessConfig": PostprocessConfig})
    demo.click("[data-do=reset]")
    settle(demo)
    assert demo.text_content(".python").endswith("PostprocessConfig())")


def test_nothing_is_asked_for_after_loading(demo, site, tmp_path) -> None:
    asked: list[str] = []
    # Sockets and beacons are requests, too; what a page has in memory goes by blob: and data:.
    demo.on("request", lambda request: asked.append(request.url))
    demo.on("websocket", lambda socket: asked.append(socket.url))
    site.asked.clear()
    demo.context.set_offline(True)
    photo = write_image(tmp_path / "me.png", resize(seglib.sample_photo(), (300, 200)))

    demo.set_input_files("[name=photo]", photo)
    settle(demo)
    assert demo.text_content(".numbers").startswith("200 × 300")
    demo.select_option("[name=effect]", "replace")
    demo.set_input_files("[name=background]", photo)
    demo.select_option("[name=model]", "hair_open")
    settle(demo)
    slide(demo, "strength", 0.5)
    demo.click("[data-do=camera]")
    demo.wait_for_function(
        "document.querySelector('live-demo').shadowRoot"
        ".querySelector('.numbers').textContent.includes('frames/s')"
    )
    demo.click("[data-do=camera]")
    demo.click("[data-do=sample]")
    settle(demo)
    demo.click("[data-do=measure]")
    demo.wait_for_selector("textarea")
    demo.click("[data-do=copy]")
    demo.wait_for_timeout(300)
    demo.context.set_offline(False)
    assert asked == []
    assert site.asked == []


def test_a_device_is_measured_and_the_numbers_are_copied_as_text(demo) -> None:
    demo.click("[data-do=measure]")
    demo.wait_for_selector("textarea")
    settle(demo)
    text = demo.input_value("textarea")
    row = next(line for line in text.splitlines() if line.startswith("CPU, WebAssembly"))
    init, first, median, p90, frame, fps = map(float, row.removeprefix("CPU, WebAssembly").split())
    assert 0 < median <= p90 and init > 0 and first > 0
    assert frame > median and fps == pytest.approx(1000 / frame, rel=0.1)
    assert "@litertjs/core 2.5.3" in text and "Chrome" in text
    demo.click("[data-do=copy]")
    demo.wait_for_function(
        "document.querySelector('live-demo').shadowRoot"
        ".querySelector('.status').textContent === 'Copied.'"
    )
    assert demo.evaluate("navigator.clipboard.readText()") == text


def test_quantiles_are_numpys(visit, bare_site) -> None:
    page = visit(bare_site)
    times = [3.0, 1.0, 7.5, 2.0, 2.5, 9.0]
    code = "async ([t, q]) => (await import('/live_demo/measure.js')).quantile(t, q)"
    for share in (0, 0.5, 0.9, 1):
        assert page.evaluate(code, [times, share]) == pytest.approx(np.quantile(times, share))


def test_everything_works_by_keyboard(visit, site) -> None:
    page = visit(site)
    page.locator(LOAD).wait_for()
    page.keyboard.press("Tab")
    assert _focused(page) == "load"
    page.keyboard.press("Enter")
    page.wait_for_selector(".work")
    settle(page)
    assert _focused(page) == "sample"
    reached = set()
    for _ in range(60):
        reached.add(_focused(page))
        page.keyboard.press("Tab")
    names = page.evaluate(
        "[...document.querySelector('live-demo').shadowRoot.querySelectorAll("
        "'button, input, select')].filter((e) => e.checkVisibility() && !e.disabled)"
        ".map((e) => e.name || e.dataset.do)"
    )
    assert {"sigma", "high", "model", "measure", "camera", "upsample"} <= set(names)
    assert set(names) <= reached

    before = page.input_value("[name=sigma]")
    page.focus("[name=sigma]")
    page.keyboard.press("ArrowRight")
    settle(page)
    assert float(page.input_value("[name=sigma]")) > float(before)
    assert "sigma=" in page.text_content(".python")


def _focused(page: Any) -> str | None:
    return page.evaluate(
        "(() => { const e = document.querySelector('live-demo').shadowRoot.activeElement;"
        " return e && (e.name || e.dataset.do || e.tagName) })()"
    )


def test_every_control_has_a_name_for_those_who_cannot_see_it(demo) -> None:
    nameless = demo.evaluate(
        "[...document.querySelector('live-demo').shadowRoot.querySelectorAll("
        "'button, input, select, textarea, canvas, progress')]"
        ".filter((e) => e.type !== 'file' && !e.hidden && !e.textContent.trim()"
        " && !e.getAttribute('aria-label') && !(e.labels ?? []).length).map((e) => e.outerHTML)"
    )
    assert nameless == []
    assert demo.get_attribute("canvas", "aria-label") == "Result: background blurred"


def test_it_fits_a_phone_and_can_be_read_in_light_and_dark(visit, site) -> None:
    phone = {"width": 390, "height": 844}
    page = visit(site, viewport=phone, has_touch=True, is_mobile=True)
    page.locator(LOAD).wait_for()
    assert _overflow(page) <= 0
    ready(page)
    assert _overflow(page) <= 0
    for button in page.locator("button:visible, select:visible").all():
        assert button.bounding_box()["height"] >= 44
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for selector in (".numbers", "button[data-do=measure]", ".slider label", ".status"):
            assert _contrast(page, selector) >= 4.5, (scheme, selector)


def _overflow(page: Any) -> int:
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def _contrast(page: Any, selector: str) -> float:
    """Return the WCAG contrast of an element's text to what is painted behind it."""
    colours = page.evaluate(
        """(selector) => {
          const root = document.querySelector('live-demo').shadowRoot;
          const paint = document.createElement('canvas').getContext('2d');
          const rgb = (colour) => {
            paint.clearRect(0, 0, 1, 1); paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
            return [...paint.getImageData(0, 0, 1, 1).data];
          };
          let at = root.querySelector(selector);
          const text = rgb(getComputedStyle(at).color);
          while (at) {
            const ground = rgb(getComputedStyle(at).backgroundColor);
            if (ground[3] === 255) return [text, ground];
            at = at.parentElement ?? at.getRootNode().host;
          }
          const dark = matchMedia('(prefers-color-scheme: dark)').matches;
          return [text, dark ? [18, 18, 18, 255] : [255, 255, 255, 255]];
        }""",
        selector,
    )
    light = []
    for colour in colours:
        linear = to_linear(np.array(colour[:3], np.uint8))
        light.append(float(linear @ np.array([0.2126, 0.7152, 0.0722])) + 0.05)
    return max(light) / min(light)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("NotFoundError", "No camera was found"),
        ("NotReadableError", "another program uses it"),
        ("OverconstrainedError", "no camera on that side"),
    ],
)
def test_a_camera_that_cannot_be_had_is_explained(demo, error, words) -> None:
    demo.evaluate(
        "(name) => { navigator.mediaDevices.getUserMedia = () =>"
        " Promise.reject(new DOMException('', name)) }",
        error,
    )
    _refused(demo, words)
    demo.evaluate("delete navigator.mediaDevices.getUserMedia")


def test_a_camera_that_is_refused_is_explained(demo) -> None:
    demo.context.clear_permissions()
    _refused(demo, "The camera was refused")
    demo.context.grant_permissions(RIGHTS)


def test_an_address_where_browsers_give_no_camera_is_explained(demo) -> None:
    demo.evaluate("Object.defineProperty(navigator, 'mediaDevices', {configurable: true})")
    _refused(demo, "gives pages no camera here")
    demo.evaluate("delete navigator.mediaDevices")


def _refused(page: Any, words: str) -> None:
    page.click("[data-do=camera]")
    page.wait_for_selector(".status.bad")
    assert words in status(page)
    page.click("[data-do=sample]")
    settle(page)
    assert status(page) == "", "the sample works all the same"


def test_a_camera_that_is_unplugged_is_noticed(demo) -> None:
    demo.click("[data-do=camera]")
    demo.wait_for_function(
        "document.querySelector('live-demo').shadowRoot"
        ".querySelector('.numbers').textContent.includes('frames/s')"
    )
    demo.evaluate(
        "document.querySelector('live-demo').camera.stream.getTracks()[0]"
        ".dispatchEvent(new Event('ended'))"
    )
    demo.wait_for_selector(".status.bad")
    assert "The camera went away" in status(demo)
    assert demo.text_content("[data-do=camera]") == "Camera"


def test_without_webgpu_the_processor_does_the_work(demo) -> None:
    assert demo.locator("[name=accelerator] option[value=webgpu]").is_disabled()
    assert "no WebGPU" in demo.locator(".gpu:visible").text_content()
    assert demo.input_value("[name=accelerator]") == "wasm"


def test_too_little_memory_is_explained_and_can_be_tried_again(visit, site) -> None:
    page = visit(
        site,
        "const instantiate = WebAssembly.instantiate; let tries = 0;"
        "WebAssembly.instantiate = (bytes, ...args) =>"
        " bytes.byteLength > 1e6 && !tries++ ? Promise.reject(new RangeError("
        "'WebAssembly.Memory(): could not allocate memory')) : instantiate(bytes, ...args);",
    )
    page.click(LOAD)
    page.wait_for_selector(".status.bad")
    assert "too little memory" in status(page)
    ready(page)
    assert "Ready" in status(page)


def test_too_little_memory_for_a_photo_is_explained(demo, tmp_path) -> None:
    demo.evaluate(
        "() => { window.kept = CanvasRenderingContext2D.prototype.getImageData;"
        " CanvasRenderingContext2D.prototype.getImageData = () => {"
        " throw new RangeError('Out of memory at ImageData creation') } }"
    )
    photo = write_image(tmp_path / "me.png", seglib.sample_photo())
    demo.set_input_files("[name=photo]", photo)
    demo.wait_for_selector(".status.bad")
    assert "too little memory" in status(demo)
    demo.evaluate("() => { CanvasRenderingContext2D.prototype.getImageData = window.kept }")


def test_a_connection_that_breaks_is_explained_and_can_be_tried_again(visit, site) -> None:
    page = visit(site)
    page.locator(LOAD).wait_for()
    page.route("**/*.tflite", lambda route: route.abort())
    page.click(LOAD)
    page.wait_for_selector(".status.bad")
    assert "portrait_open.tflite could not be loaded" in status(page)
    page.unroute("**/*.tflite")
    ready(page)
    assert "Ready" in status(page)


def test_a_file_that_is_no_picture_is_explained(demo, tmp_path) -> None:
    file = tmp_path / "notes.jpg"
    file.write_text("not a picture")
    demo.set_input_files("[name=photo]", file)
    demo.wait_for_selector(".status.bad")
    assert "notes.jpg is not a picture" in status(demo)


def test_a_large_photo_is_reduced(demo, tmp_path) -> None:
    photo = write_image(tmp_path / "large.jpg", resize(seglib.sample_photo(), (1500, 3000)))
    demo.set_input_files("[name=photo]", photo)
    settle(demo)
    assert demo.text_content(".numbers").startswith("1024 × 512")


def test_without_javascript_the_page_says_that_it_needs_it(visit, site) -> None:
    page = visit(site, java_script_enabled=False)
    assert page.locator("live-demo").inner_text().count("JavaScript") == 2


def test_without_the_runtime_the_page_says_what_is_missing(visit, bare_site) -> None:
    page = visit(bare_site)
    page.wait_for_selector("live-demo .cost p")
    text = page.text_content(".cost")
    assert "@litertjs/core 2.5.3" in text and "npm was <out of reach>" in text
    assert not page.locator(LOAD).is_visible()


def test_an_npm_out_of_reach_is_no_failure_of_the_build(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setattr(assemble, "WORK", tmp_path)
    assert assemble.main() == 0
    info = json.loads((tmp_path / "site/live_demo/demo.json").read_text(encoding="utf8"))
    assert "npm" in info["missing"]
    assert not (tmp_path / "site/live_demo/runtime").exists()
    assert (tmp_path / "site/live_demo/live_demo.js").is_file()


def test_packages_of_other_versions_are_not_taken_for_the_pinned_ones(tmp_path) -> None:
    record = tmp_path / "node_modules" / ".package-lock.json"
    record.parent.mkdir()
    pinned = json.loads((assemble.HERE / "package-lock.json").read_text(encoding="utf8"))
    del pinned["packages"][""]
    record.write_text(json.dumps(pinned))
    assert assemble.fetch(tmp_path) is None
    pinned["packages"]["node_modules/@litertjs/core"]["integrity"] = "sha512-other"
    record.write_text(json.dumps(pinned))
    assert not assemble._fetched(tmp_path)


def test_nothing_of_npm_is_in_the_repository() -> None:
    folder = Path(assemble.HERE)
    names = {path.suffix for path in (folder / "site").rglob("*") if path.is_file()}
    assert names == {".js"}
    assert not (folder / "node_modules").exists()


def test_on_a_software_gpu_the_mask_is_the_same(launch, site) -> None:
    page = launch(browser_site.SOFTWARE_GPU).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(site.page)
    ready(page)
    if not page.evaluate("Boolean(document.querySelector('live-demo').engine.device)"):
        pytest.skip("this Chromium has no software WebGPU")
    photo = seglib.sample_photo()
    for name in assemble.MODELS:
        result = look(page, "mask", site.array(photo), name, "webgpu")
        assert result["accelerated"]
        wanted = Segmenter(model_path(name)).raw(photo)
        assert np.abs(decode(result) - wanted).max() <= 1e-3
    page.select_option("[name=accelerator]", "webgpu")
    settle(page)
    assert "graphics processor" in status(page)
    page.evaluate("document.querySelector('live-demo').engine.device.destroy()")
    page.locator(".gpu").wait_for()
    settle(page)
    assert page.input_value("[name=accelerator]") == "wasm", "a lost device is no end"
    assert "runs on the processor" in status(page)
