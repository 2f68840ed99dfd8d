// Where pictures come from: a file, the sample, the camera. All stay on the device.

import { CAMERA_LOST, DemoError, MEMORY, NO_CAMERA_HERE } from "./words.js";

/** A larger photo is reduced to this side, so that a phone's memory and patience suffice. */
export const PHOTO_SIDE = 1024;

/** The camera is asked for this size; a larger frame is reduced to it. */
export const CAMERA_SIDE = 640;

const scratch = document.createElement("canvas");

/** What a canvas can draw, no larger than `side`, as a picture. */
export function capture(source, width, height, side) {
  const scale = Math.min(1, side / Math.max(width, height));
  const across = Math.max(1, Math.round(width * scale));
  const down = Math.max(1, Math.round(height * scale));
  if (scratch.width !== across || scratch.height !== down) {
    scratch.width = across;
    scratch.height = down;
  }
  const context = scratch.getContext("2d", { willReadFrequently: true });
  if (!context) throw new DemoError(MEMORY);
  context.imageSmoothingQuality = "high";
  // Transparency is laid over white, as `seglib.read_image` does.
  context.fillStyle = "white";
  context.fillRect(0, 0, across, down);
  context.drawImage(source, 0, 0, across, down);
  return context.getImageData(0, 0, across, down);
}

/** A picture file as the reader sees it: turned upright as its EXIF data say. */
export async function readFile(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new DemoError(
      `${file.name ?? "The file"} is not a picture that this browser can read. Use a JPEG, PNG or ` +
        "WebP file.",
    );
  }
  try {
    return capture(bitmap, bitmap.width, bitmap.height, PHOTO_SIDE);
  } finally {
    bitmap.close();
  }
}

/** A camera that can be started and stopped; `lost` is called where it goes away by itself. */
export class Camera {
  constructor(lost) {
    this.lost = lost;
    this.video = document.createElement("video");
    this.video.muted = true;
    this.video.playsInline = true;
    this.stream = null;
  }

  get running() {
    return this.stream !== null;
  }

  /** Start it and tell whether it runs. */
  async start(facing) {
    this.stop();
    if (!navigator.mediaDevices?.getUserMedia) throw new DemoError(NO_CAMERA_HERE);
    const size = { width: { ideal: CAMERA_SIDE }, height: { ideal: 480 } };
    const video = { facingMode: { ideal: facing }, ...size };
    this.stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    for (const track of this.stream.getTracks()) {
      track.addEventListener("ended", () => {
        if (!this.running) return;
        this.stop();
        this.lost(new DemoError(CAMERA_LOST));
      });
    }
    this.video.srcObject = this.stream;
    try {
      await this.video.play();
    } catch (error) {
      // A camera that went away meanwhile has said so.
      if (this.running) throw error;
    }
    return this.running;
  }

  stop() {
    const stream = this.stream;
    this.stream = null;
    this.video.srcObject = null;
    stream?.getTracks().forEach((track) => track.stop());
  }

  /** Call back when the camera has a new frame, or where that cannot be told, the screen has. */
  next(callback) {
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(callback);
    else requestAnimationFrame(callback);
  }

  /** The newest frame; older ones that nobody had time for are never seen. */
  frame() {
    const { video } = this;
    return capture(video, video.videoWidth, video.videoHeight, CAMERA_SIDE);
  }
}
