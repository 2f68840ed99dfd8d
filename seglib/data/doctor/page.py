"""The report as a page: findings with their photos, and the masks drawn over them.

Chapter: data preparation.
"""

import base64
import html
import io
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from seglib.data.doctor.findings import FAULTS, MEND, Finding
from seglib.data.doctor.place import Place, find
from seglib.errors import SeglibError
from seglib.images import read_grey, read_image, read_labels, resize

if TYPE_CHECKING:
    from seglib.data.doctor.report import Report

HEIGHT = 150
WIDEST = 4 * HEIGHT
OUTLINE = (213, 94, 0)  # the vermilion of Okabe and Ito, seen on skin and on hair

# Nothing may be fetched or run: a stem is a file name, and file names come from strangers.
_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1a1a1a; --ground: #fff; --line: #ccc; --mend: #b03a00; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #eee; --ground: #16181c; --line: #555; --mend: #ff9e5e; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground);
  margin: 0 auto; max-width: 80rem; padding: 1rem; }}
table {{ border-collapse: collapse; margin-bottom: 1.5rem; }}
caption {{ text-align: left; font-weight: bold; }}
.wide {{ overflow-x: auto; }}
th, td {{ text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); }}
td.n, th.n {{ text-align: right; }}
.cards {{ display: flex; flex-wrap: wrap; gap: .8rem; padding: 0; list-style: none; }}
.cards li {{ border: 1px solid var(--line); border-radius: 6px; padding: .5rem; max-width: 38rem;
  flex: 0 1 auto; }}
.cards p {{ margin: .3rem 0 0; max-width: 32rem; overflow-wrap: anywhere; font-size: .9rem; }}
img {{ max-width: 100%; height: auto; display: block; }}
.mend {{ color: var(--mend); font-weight: bold; }} a {{ color: inherit; }}
</style></head><body>
"""


def page(report: "Report", thumbnails: int) -> str:
    """Return the report as HTML; pictures are read again, one finding at a time."""
    try:
        place = find(report.folder, report.kinds[0] if len(report.kinds) == 1 else None)
    except SeglibError:
        place = None
    title = html.escape(f"{report.name}: what the doctor found")
    verdict = "Some of this must be mended" if report.must_mend else "Nothing must be mended"
    parts = [
        _HEAD.format(title=title),
        f"<h1>{title}</h1><p>{report.count} pairs. {verdict}.</p>",
        _counts(report),
        _balance(report),
    ]
    for fault in report.counts():
        found = sorted(report.of(fault), key=lambda finding: finding.severity != MEND)
        parts.append(f'<h2 id="{_anchor(fault)}">{html.escape(fault)} ({len(found)})</h2>')
        parts.append(f"<p>{html.escape(FAULTS[fault])}</p>")
        parts.append('<ul class="cards">')
        parts += [_card(finding, place) for finding in found[:thumbnails]]
        parts.append("</ul>")
        if found[thumbnails:]:
            rest = "".join(f"<li>{html.escape(one.message)}</li>" for one in found[thumbnails:])
            count = len(found) - thumbnails
            parts.append(f"<details><summary>{count} more</summary><ul>{rest}</ul></details>")
    return "\n".join([*parts, "</body></html>\n"])


def _anchor(fault: str) -> str:
    return fault.replace(" ", "-")


def _counts(report: "Report") -> str:
    rows = "".join(
        f'<tr><td><a href="#{_anchor(fault)}">{html.escape(fault)}</a></td>'
        f'<td class="n">{by.get("mend", 0)}</td><td class="n">{by.get("look", 0)}</td>'
        f"<td>{html.escape(FAULTS[fault])}</td></tr>"
        for fault, by in report.counts().items()
    )
    if not rows:
        return "<p>Nothing was found.</p>"
    return (
        '<div class="wide"><table><caption>Findings</caption><tr><th>fault</th>'
        '<th class="n">to mend</th><th class="n">to look at</th><th>what it is</th></tr>'
        f"{rows}</table></div>"
    )


def _balance(report: "Report") -> str:
    rows = "".join(
        f'<tr><td>{html.escape(kind)}</td><td>{html.escape(part)}</td><td class="n">'
        f'{row["count"]}</td><td class="n">{row["mean"]:.1%}</td>'
        f'<td class="n">{row["empty"]:.1%}</td></tr>'
        for kind, parts in report.balance.items()
        for part, row in parts.items()
    )
    rows += "".join(
        f'<tr><td>{html.escape(name)}</td><td>class</td><td></td><td class="n">{share:.2%}</td>'
        "<td></td></tr>"
        for name, share in sorted(report.classes.items(), key=lambda item: -item[1])[:12]
    )
    return (
        '<div class="wide"><table><caption>Balance</caption><tr><th>kind</th><th>part</th>'
        '<th class="n">masks</th><th class="n">marked pixels</th><th class="n">empty masks</th>'
        f"</tr>{rows}</table></div>"
    )


def _card(finding: Finding, place: Place | None) -> str:
    strips = []
    for stem in finding.stems[:4] if place is not None else ():
        strip = _strip(stem, finding.kind or place.kinds[0], place)
        if strip is not None:
            strips.append(strip)
    picture = ""
    if strips:
        data = base64.b64encode(_jpeg(np.hstack(strips)[:, :WIDEST])).decode()
        names = html.escape(", ".join(finding.stems[:4]), quote=True)
        picture = f'<img src="data:image/jpeg;base64,{data}" alt="{names}: photo and mask">'
    mark = '<span class="mend">mend</span> ' if finding.severity == MEND else ""
    return f"<li>{picture}<p>{mark}{html.escape(finding.message)}</p></li>"


def _strip(stem: str, kind: str, place: Place) -> np.ndarray | None:
    """Return a photo, plain and with its mask's outline, side by side; None if there is none."""
    try:
        photo = read_image(place.photos[stem])
    except (KeyError, SeglibError):
        return None
    width = max(1, min(WIDEST, round(photo.shape[1] * HEIGHT / photo.shape[0])))
    photo = resize(photo, (HEIGHT, width))
    try:
        path = place.masks[kind][stem]
        if kind in place.picks:
            labels = read_labels(path)
            mask = np.isin(labels, place.picks[kind]).astype(np.float32)
        else:
            mask = read_grey(path)
    except (KeyError, SeglibError):
        return photo
    mask = resize(mask, (HEIGHT, width))
    drawn = np.ascontiguousarray(photo // 2 + (photo // 2 * mask[..., None]).astype(np.uint8))
    around, _ = cv2.findContours(
        (mask >= 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(drawn, around, -1, OUTLINE, 1)
    return np.hstack([photo, drawn])


def _jpeg(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
