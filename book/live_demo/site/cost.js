// What the page says before anything heavy is loaded: what it costs, or what is missing.

import { parts } from "./segmenter.js";
import { size } from "./words.js";

export const NOTHING_HERE =
  "<p>This copy of the book was built without the demo’s files. <code>make book</code> puts them in " +
  "place.</p>";

export function sayWhatIsMissing(place, { runtime, missing }) {
  place.innerHTML =
    "<p><strong>The runtime is missing from this copy of the book.</strong> It needs " +
    `${runtime.name} ${runtime.version}, about 10 MB, which <code>make book</code> fetches from ` +
    "npm’s registry. When this copy was built, <span></span>.</p>";
  place.querySelector("span").textContent = missing;
}

/** Show a table of what will be loaded; return the bytes in all. */
export function sayWhatItCosts(place, info) {
  // The two forms of the runtime differ by less than the table's last digit.
  const files = parts(info, "relaxed");
  const sum = (keep, which) =>
    files.filter(([path]) => keep(path)).reduce((total, file) => total + file[which], 0);
  const rows = [
    [`LiteRT.js ${info.runtime.version}, the runtime`, (path) => path.startsWith("runtime/")],
    ["two networks, portrait and hair", (path) => path.startsWith("models/")],
    ["the sample picture", (path) => path === info.sample],
    ["in all", () => true],
  ];
  const lines = rows.map(([label, keep], i) => {
    const kind = i === rows.length - 1 ? ' class="sum"' : "";
    const cells = [sum(keep, 1), sum(keep, 2)].map((bytes) => `<td>${size(bytes)}</td>`);
    return `<tr${kind}><th scope="row">${label}</th>${cells.join("")}</tr>`;
  });
  place.innerHTML =
    "<p>The networks run on this device. No picture leaves it: once these files are here, the page " +
    "asks for nothing more.</p><table><thead><tr><th>Loaded when you press the button</th>" +
    `<td>size</td><td>compressed</td></tr></thead><tbody>${lines.join("")}</tbody></table>`;
  return sum(() => true, 1);
}
