/** Draws images and points on canvases. */

/** The hue of a component, in degrees; neighbors are a golden angle apart. */
export const hue = (component) => (225 + component * 137.5) % 360;

/** Draws an image [height][width][channels] in [-1, 1]: RGB if it has 3 channels, NaN as black. */
export function paint(canvas, image) {
  const pixels = new ImageData(image[0].length, image.length);
  let at = 0;
  for (const pixel of image.flat()) {
    for (let i = 0; i < 3; i += 1) {
      pixels.data[at + i] = ((pixel[pixel.length >= 3 ? i : 0] ?? -1) + 1) * 127.5;
    }
    pixels.data[at + 3] = 255;
    at += 4;
  }
  [canvas.width, canvas.height] = [pixels.width, pixels.height];
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

export function newCanvas(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** Returns a canvas with all images in rows, enlarged by an integer factor to about `side` pixels. */
export function sheet(images, side, gap) {
  const [height, width] = [images[0].length, images[0][0].length];
  const scale = Math.max(1, Math.round(side / Math.max(height, width)));
  const columns = Math.ceil(Math.sqrt(images.length));
  const [down, across] = [height * scale + gap, width * scale + gap];
  const canvas = newCanvas(columns * across + gap, Math.ceil(images.length / columns) * down + gap);
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.fillStyle = "#404040";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  images.forEach((image, i) => {
    const [x, y] = [gap + (i % columns) * across, gap + Math.floor(i / columns) * down];
    pen.drawImage(paint(newCanvas(1, 1), image), x, y, width * scale, height * scale);
  });
  return canvas;
}

/** Draws a scatter plot of points [x, y, ...], colored by component. */
export function plot(canvas, points, components) {
  [canvas.width, canvas.height] = [960, 960];
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  // The x axis of one-dimensional points is their index in the batch.
  const pairs = points.map((p, i) => (p.length > 1 ? p : [(2 * i) / points.length - 1, p[0]]));
  const most = Math.max(1e-6, ...pairs.flatMap((p) => p.slice(0, 2).map(Math.abs)).filter(Number.isFinite));
  const step = 10 ** Math.floor(Math.log10(most));
  const limit = Math.ceil(most / step + 1e-9) * step;
  const place = (value) => 480 + (value / limit) * 420;
  pen.fillStyle = style.getPropertyValue("--card");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.strokeStyle = style.getPropertyValue("--line");
  pen.lineWidth = 2;
  for (const value of [-limit, 0, limit]) {
    pen.strokeRect(place(value), place(-limit), 0, 840);
    pen.strokeRect(place(-limit), place(value), 840, 0);
  }
  pen.fillStyle = style.getPropertyValue("--quiet");
  pen.font = "24px system-ui, sans-serif";
  pen.textAlign = "center";
  for (const value of [-limit, 0, limit]) pen.fillText(String(Number(value.toPrecision(2))), place(value), 940);
  pairs.forEach(([x, y], i) => {
    pen.fillStyle = `hsl(${hue(components[i])} 65% ${style.getPropertyValue("--tint")})`;
    pen.beginPath();
    pen.arc(place(x), place(-y), 7, 0, 7);
    pen.fill();
  });
}

/** Downloads a canvas as a PNG file. */
export function save(canvas, name) {
  canvas.toBlob((blob) => {
    const link = Object.assign(document.createElement("a"), { download: name, href: URL.createObjectURL(blob) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }, "image/png");
}
