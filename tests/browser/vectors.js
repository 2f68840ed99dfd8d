// Calls functions of the demo's modules with arrays that Python wrote, and hands back the results.

const folder = new URL("../vectors/", import.meta.url);

export async function load({ file, kind, width, height }) {
  const bytes = await (await fetch(new URL(file, folder))).arrayBuffer();
  if (kind === "mask") return { width, height, data: new Float32Array(bytes) };
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  const rgb = new Uint8Array(bytes);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) data[4 * i + c] = rgb[3 * i + c];
  }
  return { width, height, data };
}

export function encode({ data }) {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) {
    text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  }
  return btoa(text);
}

/** Run [module, function, arguments]; an argument {file: ...} is an array that is fetched. */
export async function run([module, name, args]) {
  const code = await import(`../live_demo/${module}`);
  const ready = [];
  for (const value of args) ready.push(value?.file ? await load(value) : value);
  const result = await code[name](...ready);
  const kind = result.data instanceof Float32Array ? "mask" : "image";
  return { kind, width: result.width, height: result.height, data: encode(result) };
}
