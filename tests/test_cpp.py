"""The C++ core gives what Python gives, keeps to its memory, and says what is wrong with a file.

Tolerances: a network's mask is the same file run by the same library, so 1e-5 leaves room for
nothing but another order of sums. A frame may differ by one level of 255 where the two round the
same number to different sides: Python computes in float32 and enlarges 8-bit pictures in fixed
point. Dyed hair may differ by two levels in one value of a thousand: Python goes to Lab and back
through OpenCV's tables, the core through the formulas they approximate.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import seglib
from seglib import cpp, postprocess
from seglib.images import resize
from seglib.metadata import read_metadata, write_metadata

PORTRAIT = Path(seglib.__file__).parent / "pretrained" / "portrait_open.tflite"
HAIR = PORTRAIT.with_name("hair_open.tflite")
needs_compiler = pytest.mark.skipif(bool(cpp.missing_tools()), reason=cpp.missing_tools() or "-")
# Leaks are looked for in our code; LiteRT keeps some of its own until the process ends.
SANITIZERS = {"LSAN_OPTIONS": "suppressions={}", "ASAN_OPTIONS": "detect_leaks=1"}


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`segment_ppm` under the address and undefined-behaviour sanitizers."""
    folder = tmp_path_factory.mktemp("cpp") / "sanitized"
    return cpp.build(folder, sanitize=True, opencv=False).segment_ppm


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> cpp.Build:
    """Everything that can be compiled here, at full speed."""
    return cpp.build(tmp_path_factory.mktemp("cpp") / "built", jni=bool(shutil.which("javac")))


@pytest.fixture(scope="session")
def core(built: cpp.Build) -> cpp.Core:
    return cpp.Core(built.library)


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A photo of odd proportions with noise, so that no value repeats by chance."""
    noise = np.random.default_rng(1).integers(-5, 6, (241, 170, 3))
    return (resize(seglib.sample_photo(), (241, 170)) + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def mask(photo: np.ndarray) -> np.ndarray:
    return seglib.Segmenter(PORTRAIT).raw(photo)


def write_ppm(path: Path, image: np.ndarray) -> Path:
    path.write_bytes(b"P6\n%d %d\n255\n" % image.shape[1::-1] + image.tobytes())
    return path


def read_ppm(path: Path) -> np.ndarray:
    magic, width, height, _, pixels = path.read_bytes().split(maxsplit=4)
    assert magic == b"P6"
    return np.frombuffer(pixels, np.uint8).reshape(int(height), int(width), 3)


def read_pfm(path: Path) -> np.ndarray:
    content = path.read_bytes()
    assert content.startswith(b"Pf\n")
    width, height = map(int, content.split(b"\n", 3)[1].split())
    return np.frombuffer(content[-4 * width * height :], "<f4").reshape(height, width)[::-1]


def write_pfm(path: Path, mask: np.ndarray) -> Path:
    rows = mask[::-1].astype("<f4")
    path.write_bytes(b"Pf\n%d %d\n-1.0\n" % mask.shape[::-1] + rows.tobytes())
    return path


def run(program: Path, *words: object, folder: Path) -> subprocess.CompletedProcess:
    """Run a program; leaks of our own and undefined behaviour make it fail."""
    quiet = folder / "leaks.txt"
    quiet.write_text("leak:libLiteRt.so\n")
    environment = {**os.environ, "SEGLIB_LITERT": str(cpp.litert_library())}
    environment |= {name: value.format(quiet) for name, value in SANITIZERS.items()}
    command = [str(program), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)


@pytest.fixture
def segment(sanitized, photo, tmp_path):
    """`segment_ppm` on the photo, with further words."""
    picture = write_ppm(tmp_path / "in.ppm", photo)
    return lambda *words: run(sanitized, "--image", picture, *words, folder=tmp_path)


def sentence(done: subprocess.CompletedProcess) -> str:
    """Return the one line of a refused run."""
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("segment")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def levels_apart(frame: np.ndarray, expected: np.ndarray) -> int:
    assert frame.shape == expected.shape
    return int(np.abs(frame.astype(int) - expected).max())


@needs_compiler
@pytest.mark.parametrize("size", [(241, 170), (512, 512), (300, 402), (128, 128), (129, 700)])
def test_a_photo_reaches_the_network_with_the_same_bytes(core, size) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    expected = resize(photo, (128, 128)).astype(np.float32)
    # One rounding in a million may fall to the other side.
    prepared = core.prepare(photo, (128, 128))
    assert np.abs(prepared - expected).max() <= 1
    assert (prepared != expected).mean() < 1e-4
    low_high = core.prepare(photo, (128, 128), (-1, 1))
    assert np.allclose(low_high, prepared / 127.5 - 1, atol=1e-6)


@needs_compiler
@pytest.mark.parametrize("size", [(241, 170), (360, 640), (97, 64)])
def test_finishing_a_frame_is_the_same_in_both_languages(core, photo, mask, size) -> None:
    photo = resize(photo, size)
    small = resize(mask, tuple(np.minimum(mask.shape, size)))
    radius = max(1, round(0.05 * min(small.shape)))
    expected = postprocess.smoothstep(
        postprocess.guided_upsample(small, photo, radius), low=0.3, high=0.7
    )
    alpha = core.alpha(small, photo)
    assert np.abs(alpha - expected).max() < 1e-3
    scene = np.random.default_rng(2).integers(0, 256, (67, 45, 3)).astype(np.uint8)
    side = min(size)
    for share in (0.004, 0.025, 0.1):
        blurred = postprocess.blur_background(photo, expected, float(np.float32(share)) * side)
        assert levels_apart(core.blur(photo, expected, share), blurred) <= 1
    replaced = postprocess.replace_background(photo, expected, scene, foreground=True)
    assert levels_apart(core.replace(photo, expected, scene), replaced) <= 1
    for color in ((200, 30, 60), (15, 10, 120), (250, 240, 140)):
        dyed = postprocess.recolour_hair(photo, expected, color, 0.8, 0.6)
        found = core.recolour(photo, expected, color, 0.8, 0.6)
        assert levels_apart(found, dyed) <= 2
        assert (np.abs(found.astype(int) - dyed) > 1).mean() < 1e-3


@needs_compiler
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_nobody_and_nothing_but_somebody(core, photo, level) -> None:
    alpha = np.full(photo.shape[:2], level, np.float32)
    scene = np.full((9, 9, 3), 77, np.uint8)
    expected = photo if level else np.full_like(photo, 77)
    assert levels_apart(core.replace(photo, alpha, scene), expected) == 0
    assert np.isfinite(core.blur(photo, alpha)).all()
    assert (core.recolour(photo, alpha, (255, 0, 0)) == photo).all() == (level == 0)


@needs_compiler
def test_the_core_refuses_what_is_no_mask_in_one_sentence(core, photo) -> None:
    alpha = np.full(photo.shape[:2], 0.5, np.float32)
    alpha[3, 4] = np.nan
    with pytest.raises(seglib.SeglibError, match="values outside 0 to 1"):
        core.blur(photo, alpha)
    with pytest.raises(seglib.SeglibError, match="sigma"):
        core.blur(photo, np.zeros(photo.shape[:2], np.float32), -1)
    with pytest.raises(seglib.SeglibError, match="alpha has shape"):
        core.blur(photo, np.zeros((4, 4), np.float32))


@needs_compiler
@pytest.mark.parametrize("model", [PORTRAIT, HAIR])
def test_the_mask_is_that_of_python(segment, photo, tmp_path, model) -> None:
    done = segment("--model", model, "--save-mask", tmp_path / "m.pfm")
    assert done.returncode == 0, done.stderr
    expected = seglib.Segmenter(model).raw(photo)
    assert np.abs(read_pfm(tmp_path / "m.pfm") - expected).max() <= 1e-5


@needs_compiler
def test_another_value_range_is_read_from_the_file(segment, photo, tmp_path) -> None:
    card = read_metadata(PORTRAIT)
    other = Path(shutil.copy(PORTRAIT, tmp_path / "other.tflite"))
    write_metadata(other, {**card, "value_range": [-10.5, 200], "note": 'a "ü" \\ \n {'})
    done = segment("--model", other, "--save-mask", tmp_path / "m.pfm")
    assert done.returncode == 0, done.stderr
    found = read_pfm(tmp_path / "m.pfm")
    assert np.abs(found - seglib.Segmenter(other).raw(photo)).max() <= 1e-5
    assert np.abs(found - seglib.Segmenter(PORTRAIT).raw(photo)).max() > 1e-3


@needs_compiler
@pytest.mark.parametrize("effect", ["blur", "replace", "recolour"])
def test_the_program_gives_the_pipelines_frame(segment, photo, mask, tmp_path, effect) -> None:
    scene = np.random.default_rng(3).integers(0, 256, (80, 120, 3)).astype(np.uint8)
    words = {
        "blur": [],
        "replace": ["--background", write_ppm(tmp_path / "scene.ppm", scene)],
        "recolour": ["--color", 90, 20, 160],
    }[effect]
    settings = {"hysteresis": None, "holes": 0, "effect": effect, "color": (90, 20, 160)}
    pipeline = postprocess.Pipeline(postprocess.PostprocessConfig(**settings))
    expected = pipeline(photo, mask, scene if effect == "replace" else None)
    small = write_pfm(tmp_path / "m.pfm", mask)
    done = segment("--mask", small, "--output", tmp_path / "out.ppm", *words)
    assert done.returncode == 0, done.stderr
    apart = 2 if effect == "recolour" else 1
    assert levels_apart(read_ppm(tmp_path / "out.ppm"), expected) <= apart


CONTENT = PORTRAIT.read_bytes()
BARE = CONTENT[: CONTENT.rindex(b"PK\x03\x04")]


def odd_range(path: Path) -> None:
    path.write_bytes(CONTENT)
    write_metadata(path, {**read_metadata(PORTRAIT), "value_range": [1]})


def compressed(path: Path) -> None:
    path.write_bytes(BARE)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("seglib.json", '{"labels": ["person"]}' + " " * 500)


@needs_compiler
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (None, "there is no file"),
        (b"", "no TFLite model"),
        (b"P6\n40 40\n255\n" + bytes(4800), "no TFLite model"),
        (CONTENT[:300_000], "cut short or carries no seglib metadata"),
        (BARE, "carries no seglib metadata"),
        (CONTENT.replace(b'"value_range"', b'"value_rungs"', 1), "archive behind the model"),
        (odd_range, "metadata in"),
        (compressed, "compressed"),
        (CONTENT[:8] + bytes(392) + CONTENT[400:], "damaged or not for LiteRT"),
    ],
    ids=range(9),
)
def test_bad_models_are_one_sentence(segment, tmp_path, spoil, said) -> None:
    model = tmp_path / "model.tflite"
    if callable(spoil):
        spoil(model)
    elif spoil is not None:
        model.write_bytes(spoil)
    line = sentence(segment("--model", model, "--output", tmp_path / "out.ppm"))
    assert said in line and "model.tflite" in line
    assert not (tmp_path / "out.ppm").exists()


@needs_compiler
def test_bad_words_pictures_and_libraries_are_one_sentence(sanitized, photo, tmp_path) -> None:
    picture = write_ppm(tmp_path / "in.ppm", photo)
    short = tmp_path / "short.ppm"
    short.write_bytes(picture.read_bytes()[:-1])
    text = tmp_path / "text.so"
    text.write_text("no library")
    usual = ["--model", PORTRAIT, "--output", tmp_path / "out.ppm"]
    for words, said in [
        ([], "--image"),
        (["--image"], "needs a value"),
        (["--image", picture], "--model"),
        ([*usual, "--image", tmp_path / "no.ppm"], "there is no file"),
        ([*usual, "--image", short], "cut short"),
        ([*usual, "--image", PORTRAIT], "binary PPM"),
        ([*usual, "--image", picture, "--color", 1, 2, 300], "0 to 255"),
        ([*usual, "--image", picture, "--colour"], "--colour"),
        ([*usual, "--image", picture, "--background", tmp_path], "binary PPM"),
        ([*usual, "--image", picture, "--litert", text], "cannot load LiteRT"),
        (["--model", PORTRAIT, "--image", picture, "--output", picture], "another name"),
        (["--model", PORTRAIT, "--image", picture, "--output", tmp_path / "no/o.ppm"], "write"),
    ]:
        assert said in sentence(run(sanitized, *words, folder=tmp_path)), words
    assert read_ppm(picture).tobytes() == photo.tobytes()
    assert not (tmp_path / "out.ppm").exists()


@needs_compiler
def test_another_library_is_refused_before_it_can_crash(segment, tmp_path) -> None:
    words = ["--model", PORTRAIT, "--save-mask", tmp_path / "m.pfm"]
    source = tmp_path / "other.c"
    source.write_text("int LiteRtCreateEnvironment(void) { return 0; }\n")
    other = tmp_path / "site/ai_edge_litert/libLiteRt.so"
    other.parent.mkdir(parents=True)
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("c++")
    subprocess.run([compiler, "-shared", "-fPIC", source, "-o", other], check=True)
    done = segment(*words, "--litert", other)
    assert "has no function LiteRt" in sentence(done)
    (tmp_path / "site/ai_edge_litert-2.4.0.dist-info").mkdir()
    done = segment(*words, "--litert", other)
    assert "LiteRT 2.4.0" in sentence(done)


def opencv_program(built: cpp.Build) -> Path:
    if built.segment is None:
        pytest.skip("OpenCV's C++ files are not installed")
    return built.segment


@needs_compiler
def test_opencv_reads_and_writes_pictures(built, core, photo, tmp_path) -> None:
    program = opencv_program(built)
    seglib.write_image(tmp_path / "in.png", photo)
    words = ["--model", PORTRAIT, "--image"]
    done = run(program, *words, "in.png", "--output", "out.png", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    alpha = core.alpha(seglib.Segmenter(PORTRAIT).raw(photo), photo)
    expected = core.blur(photo, alpha)
    assert levels_apart(seglib.read_image(tmp_path / "out.png"), expected) == 0
    refused = run(program, *words, "in.png", "--output", "out.xyz", folder=tmp_path)
    assert "suffix" in sentence(refused)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    refused = run(program, *words, "bad.png", "--output", "o.png", folder=tmp_path)
    assert "bad.png" in sentence(refused)


@needs_compiler
def test_opencv_goes_through_a_video(built, photo, tmp_path) -> None:
    import cv2

    program = opencv_program(built)
    frame = np.ascontiguousarray(resize(photo, (160, 120))[..., ::-1])
    codec = cv2.VideoWriter_fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(tmp_path / "in.avi"), codec, 10, (120, 160))
    for shift in range(5):
        writer.write(np.roll(frame, 3 * shift, axis=1))
    writer.release()
    words = ["--video", "in.avi", "--output", "out.mp4"]
    done = run(program, "--model", PORTRAIT, *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5 frames, median ")
    result = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    shown = []
    while (read := result.read())[0]:
        shown.append(read[1])
    assert len(shown) == 5 and shown[0].shape == (160, 120, 3)
    (tmp_path / "bad.avi").write_bytes(b"no video")
    for words in (["--video", "bad.avi"], ["--video", "none.avi"], ["--camera", 99]):
        done = run(program, "--model", PORTRAIT, *words, "--output", "o.mp4", folder=tmp_path)
        assert "cannot open" in sentence(done)
    assert not (tmp_path / "o.mp4").exists()


JAVA = """
package book.segmentation;
import java.nio.ByteBuffer;
import java.nio.file.*;
public class Core {
    native void prepare(ByteBuffer rgba, int height, int width, int stride, int toHeight,
        int toWidth, float low, float high, float[] input);
    native void blur(ByteBuffer rgba, int height, int width, int stride, float[] mask,
        int maskHeight, int maskWidth, float share, ByteBuffer frame);
    native void recolour(ByteBuffer rgba, int height, int width, int stride, float[] mask,
        int maskHeight, int maskWidth, int red, int green, int blue, ByteBuffer frame);
    public static void main(String[] words) throws Exception {
        System.load(words[0]);
        int height = Integer.parseInt(words[1]), width = Integer.parseInt(words[2]);
        int stride = 4 * width + 12;
        byte[] read = Files.readAllBytes(Path.of("rgba"));
        ByteBuffer rgba = ByteBuffer.allocateDirect(read.length).put(read);
        var floats = ByteBuffer.wrap(Files.readAllBytes(Path.of("mask")))
            .order(java.nio.ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        float[] mask = new float[floats.remaining()], input = new float[128 * 128 * 3];
        floats.get(mask);
        Core core = new Core();
        core.prepare(rgba, height, width, stride, 128, 128, 0, 255, input);
        ByteBuffer out = ByteBuffer.allocate(4 * input.length)
            .order(java.nio.ByteOrder.nativeOrder());
        out.asFloatBuffer().put(input);
        Files.write(Path.of("input"), out.array());
        ByteBuffer frame = ByteBuffer.allocateDirect(4 * height * width);
        byte[] frames = new byte[frame.capacity()];
        core.blur(rgba, height, width, stride, mask, 128, 128, 0.025f, frame);
        frame.get(frames).rewind();
        Files.write(Path.of("blurred"), frames);
        core.recolour(rgba, height, width, stride, mask, 128, 128, 90, 20, 160, frame);
        frame.get(frames).rewind();
        Files.write(Path.of("dyed"), frames);
        try {
            core.blur(rgba, height, width, stride, new float[5], 128, 128, 0.025f, frame);
        } catch (IllegalArgumentException mistake) {
            System.out.println(mistake.getMessage());
        }
    }
}
"""


@needs_compiler
@pytest.mark.skipif(shutil.which("javac") is None, reason="no JDK is installed")
def test_the_glue_for_kotlin_runs_on_a_virtual_machine(built, core, photo, mask, tmp_path) -> None:
    """Java stands in for Kotlin, whose `external fun` in an object compiles to the same calls."""
    height, width = photo.shape[:2]
    rows = np.full((height, width * 4 + 12), 201, np.uint8)
    rows[:, : width * 4].reshape(height, width, 4)[..., :3] = photo
    # Cameras leave out the gap behind the last row.
    (tmp_path / "rgba").write_bytes(rows.tobytes()[:-12])
    (tmp_path / "mask").write_bytes(mask.astype("<f4").tobytes())
    (tmp_path / "Core.java").write_text(JAVA)
    subprocess.run(["javac", "-d", ".", "Core.java"], cwd=tmp_path, check=True)
    command = ["java", "-Xcheck:jni", "-cp", ".", "book.segmentation.Core", str(built.jni)]
    command += [str(height), str(width)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "height times its width" in done.stdout and "WARNING" not in done.stdout
    prepared = np.frombuffer((tmp_path / "input").read_bytes(), np.float32)
    assert (prepared.reshape(128, 128, 3) == core.prepare(photo, (128, 128))).all()
    alpha = core.alpha(mask, photo)
    for name, expected in {
        "blurred": core.blur(photo, alpha),
        "dyed": core.recolour(photo, alpha, (90, 20, 160)),
    }.items():
        frame = np.frombuffer((tmp_path / name).read_bytes(), np.uint8)
        frame = frame.reshape(height, width, 4)
        assert (frame[..., :3] == expected).all() and (frame[..., 3] == 255).all()


PHONES = [path for part in ("android", "ios") for path in (cpp.SOURCES / part).rglob("*.*")]
GRAMMAR = [path for path in PHONES if path.suffix in (".kt", ".kts", ".swift")]
CHAPTER = Path(__file__).resolve().parent.parent / "notebooks" / "12_shipping.ipynb"


def test_the_chapter_quotes_the_projects_as_they_are() -> None:
    cells = json.loads(CHAPTER.read_text(encoding="utf8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells)
    quotes = re.findall(r"(?m)^```(?:kotlin|swift)\n(.*?)^```", text, re.DOTALL)
    sources = [re.sub(r"(?m)^ +", "", path.read_text(encoding="utf8")) for path in GRAMMAR]
    plain = [re.sub(r"(?m)^ +", "", quote).rstrip() for quote in quotes]
    assert [q for q in plain if not any(q in source for source in sources)] == [] != plain


@pytest.mark.parametrize("path", GRAMMAR, ids=lambda path: path.name)
def test_kotlin_and_swift_can_be_read_by_their_grammars(path) -> None:
    """Not a compiler, but a missing brace is found."""
    language = "swift" if path.suffix == ".swift" else "kotlin"
    sitter = pytest.importorskip("tree_sitter", reason="tree-sitter is not installed")
    grammar = pytest.importorskip(f"tree_sitter_{language}", reason="no grammar is installed")
    parser = sitter.Parser(sitter.Language(grammar.language()))
    content = path.read_bytes()
    assert not parser.parse(content).root_node.has_error
    last = max(content.rindex(b")"), content.rfind(b"}"))
    assert parser.parse(content[:last]).root_node.has_error


@pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java")
def test_kotlin_compiles_against_the_signatures_it_calls(tmp_path) -> None:
    """By the K2 compiler that the package kotlin-jupyter-kernel brings; no Android is needed."""
    kernel = pytest.importorskip("run_kotlin_kernel", reason="kotlin-jupyter-kernel is missing")
    jars = [str(path) for path in Path(kernel.__file__).parent.rglob("*.jar")]
    stubs = (Path(__file__).parent / "phone_files" / "kotlin_stubs.txt").read_text("utf8")
    for number, part in enumerate(re.split(r"(?m)^(?=package )", stubs)[1:]):
        (tmp_path / f"stub{number}.kt").write_text(part, "utf8")

    def compile_all(*files: Path) -> subprocess.CompletedProcess:
        library = next(jar for jar in jars if "kotlin-stdlib" in jar)
        compiler = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -no-stdlib -no-reflect -d out -cp"
        command = ["java", "-cp", os.pathsep.join(jars), *compiler.split(), library, *files]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    app = [*sorted(tmp_path.glob("*.kt")), *(path for path in PHONES if path.suffix == ".kt")]
    done = compile_all(*app)
    assert done.returncode == 0, done.stderr
    wrong = tmp_path / "wrong.kt"
    wrong.write_text("package book.segmentation\nfun wrong(one: Segmenter) = one.masks()", "utf8")
    assert "unresolved reference 'masks'" in compile_all(*app, wrong).stderr


def test_gradle_asks_for_what_the_stores_ask_for() -> None:
    module = (cpp.SOURCES / "android/app/build.gradle.kts").read_text("utf8")
    numbers = dict(re.findall(r'(compileSdk|targetSdk|ndkVersion) = "?(\d+)', module))
    assert numbers["targetSdk"] == numbers["compileSdk"] >= "36" and numbers["ndkVersion"] >= "28"
    top = (cpp.SOURCES / "android/build.gradle.kts").read_text("utf8")
    assert 'application") version "9' in top and 'kotlin.android")' not in module + top
    nodes = ElementTree.parse(cpp.SOURCES / "android/app/src/main/AndroidManifest.xml").iter()
    names = {value for node in nodes for value in node.attrib.values()}
    assert {"android.permission.CAMERA", ".MainActivity"} <= names


def test_without_a_compiler_it_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if sys.platform.startswith("linux"):
        assert "cmake" in cpp.missing_tools()
    with pytest.raises(seglib.SeglibError, match="cannot compile"):
        cpp.build(tmp_path / "b")
    with pytest.raises(seglib.SeglibError, match=r"cpp\.build"):
        cpp.Core(tmp_path / "absent.so")


def test_another_litert_is_refused_from_python(monkeypatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.4.1")
    with pytest.raises(seglib.SeglibError, match=r"2\.4\.1.*2\.3"):
        cpp.litert_library()


@needs_compiler
def test_a_failing_compiler_is_quoted(tmp_path, monkeypatch) -> None:
    broken = tmp_path / "bin/c++"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho no licence >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    with pytest.raises(seglib.SeglibError, match="no licence"):
        cpp.build(tmp_path / "b")
