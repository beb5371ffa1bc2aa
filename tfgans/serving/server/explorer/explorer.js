/** The explorer: shows the samples of an exported generator through TensorFlow Serving's REST API. */

import { hue, newCanvas, paint, plot, save, sheet } from "./pictures.js";
import { lane, report, request } from "./requests.js";

const STEPS = 9;
const FIRST_LATENTS = 16;
// The saved grid has the layout of tfgans.pictures.image_grid.
const TILE_SIDE = 48;
const GAP = 2;
const PICTURE_SIDE = 512;

const $ = (id) => document.getElementById(id);
const range = (n) => Array.from({ length: n }, (_, i) => i);

let model; // {name, url, version, signatures, weights}
let drawnCache = {}; // latents and classes of the grid's seeds, for pinned components
let grid; // the shown samples: {images, seeds, components, isImages, ...}
let picture; // the enlarged sample: {image, pick}
const chosen = { seed: 0, count: 64, component: null, label: -1, truncation: null, picks: [] };
let recalled = new URLSearchParams(); // what the link says and the page has not taken over yet

/** Calls a signature and returns its outputs by name. The API sends a single output without name. */
async function predict(name, inputs, labels) {
  const signature = model.signatures[name];
  if (!signature) throw new Error(`This export has no signature "${name}". Export the model again.`);
  const named = { ...inputs };
  if ("labels" in signature.inputs) {
    named.labels = labels ?? Object.values(inputs)[0].map(() => chosen.label);
  }
  const { outputs } = await requestVersion({ signature_name: name, inputs: named });
  const names = Object.keys(signature.outputs);
  return names.length === 1 ? { [names[0]]: outputs } : outputs;
}

/** Sends a request to the version on the page. If it is gone, the page restarts with the newest. */
async function requestVersion(body) {
  try {
    return await request(`${model.url}/versions/${model.version}:predict`, body);
  } catch (error) {
    if (error.status !== 404) throw error;
    start();
    throw new Error(`Version ${model.version} is no longer served: loading the newest.`);
  }
}

const className = (label) => model.classNames[label] ?? `class ${label}`;
const classPart = (label) => (label >= 0 ? `-class${label}` : "");

function saveGrid() {
  const canvas = grid.isImages ? sheet(grid.images, TILE_SIDE, GAP) : $("plot");
  const pinned = grid.pinned === null ? "" : `-component${grid.pinned}`;
  save(canvas, `${model.name}-seeds${grid.seeds[0]}-${grid.seeds.at(-1)}${pinned}${classPart(grid.label)}.png`);
}

function savePicture() {
  const { seed, component, label } = picture.pick;
  const moved = isMoved(picture.pick) ? "-moved" : "";
  save(sheet([picture.image], PICTURE_SIDE, 0), `${model.name}-seed${seed}-component${component}${classPart(label)}${moved}.png`);
}

// ---- The grid ----

const loadGrid = lane("grid", async () => {
  const { seed, count, component, label } = chosen;
  remember();
  const seeds = range(count).map((i) => seed + i);
  const components = seeds.map(() => component);
  let made;
  if (component === null) {
    made = await sample(seeds);
  } else {
    const { latents, labels } = await drawn(seeds);
    made = { components, labels, ...(await predict("component", { latents, components }, labels)) };
  }
  const isImages = Array.isArray(made.images[0]?.[0]?.[0]);
  grid = { ...made, seeds, isImages, pinned: component, label };
  showGrid();
  recallPicks();
});

/** Returns the samples of seeds, of truncated latents if the page says so. */
function sample(seeds) {
  const { truncation } = chosen;
  if (truncation === null) return predict("sample", { seed: seeds });
  const [index, truncations] = [seeds.map(() => 0), seeds.map(() => truncation)];
  return predict("sample_truncated", { seed: seeds, index, truncation: truncations });
}

/** Returns the latents of seeds. */
async function latentsOf(seeds) {
  if (chosen.truncation !== null) return (await sample(seeds)).latents;
  return (await predict("latents", { seed: seeds, index: seeds.map(() => 0) })).latents;
}

/** Returns latents and classes of seeds, and keeps those of the last call. */
async function drawn(seeds) {
  const key = `${seeds[0]} ${seeds.length} ${chosen.label} ${chosen.truncation}`;
  if (drawnCache.key === key) return drawnCache;
  const latents = await latentsOf(seeds);
  // A conditional model returns the drawn class with the sample.
  const labels = isConditional() ? (await sample(seeds)).labels : undefined;
  drawnCache = { key, latents, labels };
  return drawnCache;
}

function showGrid() {
  const { images, seeds, isImages } = grid;
  for (const id of ["grid", "grid-keys", "panel"]) $(id).hidden = !isImages;
  for (const id of ["plot", "points-note"]) $(id).hidden = isImages;
  $("samples-caption").textContent = `seeds ${seeds[0]} to ${seeds.at(-1)}`;
  $("save-grid").disabled = false;
  if (!isImages) {
    $("plot").ariaLabel = `Scatter plot of ${images.length} points`;
    plot($("plot"), images.map((point) => [point].flat(Infinity)), grid.components);
    return;
  }
  $("grid").style.setProperty("--columns", Math.ceil(Math.sqrt(images.length)));
  // Reuses tiles, so that the keyboard focus stays.
  while ($("grid").children.length > images.length) $("grid").lastChild.remove();
  while ($("grid").children.length < images.length) $("grid").append(newTile($("grid").children.length));
  const tiles = [...$("grid").children];
  tiles.forEach(showTile);
  makeReachable(tiles.find((tile) => tile === document.activeElement) ?? tiles[0]);
  markPicks();
}

function newTile(index) {
  const tile = Object.assign(document.createElement("button"), { type: "button", className: "tile" });
  tile.innerHTML = '<canvas></canvas><span class="badge"><span class="seed"></span><span class="component"></span></span>';
  tile.addEventListener("click", () => togglePick(index));
  tile.addEventListener("focus", () => makeReachable(tile));
  return tile;
}

/** Of all tiles, the tab key reaches the one that had the focus last, and arrow keys the others. */
function makeReachable(tile) {
  for (const each of $("grid").children) each.tabIndex = each === tile ? 0 : -1;
}

function moveFocus(event) {
  const tiles = [...$("grid").children];
  const at = tiles.indexOf(document.activeElement);
  const across = getComputedStyle($("grid")).gridTemplateColumns.split(" ").length;
  const to = {
    ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + across, ArrowUp: at - across,
    Home: 0, End: tiles.length - 1,
  }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  tiles[to]?.focus();
}

function showTile(tile, index) {
  const [seed, component] = [grid.seeds[index], grid.components[index]];
  const label = grid.labels ? `, ${className(grid.labels[index])}` : "";
  paint(tile.firstChild, grid.images[index]);
  tile.title = tile.ariaLabel = `Seed ${seed}, component ${component}${label}`;
  tile.querySelector(".seed").textContent = seed;
  tile.querySelector(".component").textContent = model.weights.length > 1 ? component : "";
  tile.style.setProperty("--hue", hue(component));
}

// ---- Picks: the first is A, the second B ----

const samePick = (pick, index) => pick.seed === grid.seeds[index] && pick.component === grid.components[index];
const isConditional = () => "labels" in (model.signatures.sample?.inputs ?? {});
const isMoved = (pick) => Boolean(pick.start?.some((value, i) => value !== pick.latent[i]));

function togglePick(index) {
  const at = chosen.picks.findIndex((pick) => samePick(pick, index));
  if (at >= 0) {
    setPicks(chosen.picks.toSpliced(at, 1));
  } else {
    const [seed, component] = [grid.seeds[index], grid.components[index]];
    const pick = { seed, component, image: grid.images[index], label: grid.labels?.[index] ?? -1 };
    setPicks([...chosen.picks.slice(0, 1), pick]);
  }
}

function setPicks(picks) {
  const changed = picks[0] !== chosen.picks[0];
  chosen.picks = picks;
  markPicks();
  remember();
  const [a, b] = picks;
  $("picked-a").hidden = $("latents").hidden = !a;
  $("swap").hidden = !b;
  $("strip-box").hidden = !b || chosen.truncation !== null;
  const hints = ["Pick a sample, then a second to interpolate.", "Pick a second sample to interpolate.", ""];
  const isTruncated = chosen.truncation !== null && picks.length;
  $("picked").textContent = isTruncated ? "Interpolation needs no truncation." : hints[picks.length];
  if (changed) {
    $("latents").disabled = $("save-picture").disabled = true;
    loadPicture();
  }
  loadStrip();
}

function markPicks() {
  [...$("grid").children].forEach((tile, index) => {
    const at = chosen.picks.findIndex((pick) => samePick(pick, index));
    tile.ariaPressed = String(at >= 0);
    if (at >= 0) tile.dataset.pick = "AB"[at];
    else delete tile.dataset.pick;
  });
}

const loadPicture = lane("picture", async () => {
  const pick = chosen.picks[0];
  if (!pick) return;
  if (!pick.start) {
    const [latent] = await latentsOf([pick.seed]);
    [pick.start, pick.latent] = [latent, [...latent]];
  }
  const inputs = { latents: [pick.latent], components: [pick.component] };
  [pick.image] = (await predict("component", inputs, [pick.label])).images;
  // If A changed meanwhile, another run of this lane follows.
  if (pick === chosen.picks[0]) showPicture(pick);
});

function showPicture(pick) {
  picture = { pick, image: pick.image };
  $("save-picture").disabled = false;
  paint($("picture"), pick.image);
  const label = pick.label >= 0 ? `, ${className(pick.label)}` : "";
  const text = `A: seed ${pick.seed}, component ${pick.component}${label}${isMoved(pick) ? ", moved" : ""}`;
  $("picture").ariaLabel = $("picture-caption").textContent = text;
  showSliders(pick);
}

const loadStrip = lane("strip", async () => {
  const [a, b] = chosen.picks;
  if (!b || chosen.truncation !== null) return;
  const t = range(STEPS).map((i) => i / (STEPS - 1));
  const inputs = { seed_a: t.map(() => a.seed), seed_b: t.map(() => b.seed), t };
  const made = await predict("interpolate", inputs, t.map(() => a.label));
  $("strip").replaceChildren(...made.images.map((image, i) => {
    const figure = document.createElement("figure");
    figure.role = "img";
    figure.title = figure.ariaLabel = `${Math.round(t[i] * 1000) / 10} % of the way, component ${made.components[i]}`;
    figure.append(paint(newCanvas(1, 1), image));
    return figure;
  }));
});

// ---- Sliders of the latent ----

function showSliders(pick) {
  // There is a slider for each value of a vector.
  $("latents").hidden = Array.isArray(pick.latent[0]);
  if ($("latents").hidden) return;
  $("latents").disabled = false;
  if ($("sliders").children.length !== pick.latent.length) {
    $("sliders").replaceChildren(...pick.latent.map((_, i) => newSlider(i)));
    showMore(false);
  }
  pick.latent.forEach((value, i) => {
    const [, slider, output] = $("sliders").children[i].children;
    slider.value = value;
    output.value = value.toFixed(2);
  });
}

function newSlider(index) {
  const row = Object.assign(document.createElement("label"), { className: "slider" });
  row.innerHTML = `<span>z${index}</span><input type="range" min="-3" max="3" step="0.01"><output></output>`;
  row.querySelector("input").addEventListener("input", (event) => move(index, event.target));
  return row;
}

function move(index, slider) {
  const pick = chosen.picks[0];
  if (!pick?.latent) return;
  pick.latent[index] = slider.valueAsNumber;
  slider.nextSibling.value = slider.valueAsNumber.toFixed(2);
  loadPicture();
}

function reset() {
  const pick = chosen.picks[0];
  if (!pick?.start) return;
  pick.latent = [...pick.start];
  showSliders(pick);
  loadPicture();
}

function showMore(all) {
  const rows = [...$("sliders").children];
  rows.forEach((row, i) => { row.hidden = !all && i >= FIRST_LATENTS; });
  $("more").hidden = rows.length <= FIRST_LATENTS;
  $("more").textContent = all ? "Less" : `More (${rows.length - FIRST_LATENTS})`;
  $("more").ariaExpanded = String(all);
}

// ---- The controls ----

function setSeed(from, to) {
  if (from.checkValidity()) to.value = from.value;
  report("seed", $("seed").checkValidity() ? "" : `Seed: ${$("seed").validationMessage}`);
  if (!$("seed").checkValidity()) return;
  chosen.seed = $("seed").valueAsNumber;
  loadGrid();
}

/** Takes over the class of the controls, and returns whether it is valid. */
function readClass() {
  const mode = $("class-mode").value; // "drawn", "number", or the number of a class with a name
  $("class").disabled = mode !== "number";
  const isValid = $("class").disabled || $("class").checkValidity();
  report("class", isValid ? "" : `Class: ${$("class").validationMessage}`);
  if (isValid) chosen.label = { drawn: -1, number: $("class").valueAsNumber }[mode] ?? Number(mode);
  return isValid;
}

function setTruncation() {
  const field = $("truncation");
  report("truncation", field.checkValidity() ? "" : `Truncation: ${field.validationMessage}`);
  if (!field.checkValidity()) return;
  chosen.truncation = field.value === "" ? null : field.valueAsNumber;
  setPicks([]);
  loadGrid();
}

function setClass() {
  if (!readClass()) return;
  setPicks([]);
  loadGrid();
}

function showComponents() {
  for (const button of $("components").children) {
    button.ariaPressed = String(button.dataset.component === String(chosen.component ?? "all"));
  }
}

function newComponent(text, component) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  button.dataset.component = component ?? "all";
  button.style.setProperty("--hue", hue(component));
  button.addEventListener("click", () => {
    chosen.component = component;
    showComponents();
    loadGrid();
  });
  return button;
}

const start = lane("start", async () => {
  const { models } = await request("explorer.json");
  const wanted = $("models").value || recalled.get("model");
  const name = models.includes(wanted) ? wanted : models[0];
  showModels(models, name);
  const url = `v1/models/${encodeURIComponent(name)}`;
  const [about, state] = [await request(`${url}/metadata`), await request(url)];
  const { version } = about.model_spec;
  const status = state.model_version_status.find((each) => each.version === version);
  if (status?.state !== "AVAILABLE") throw new Error(`Version ${version}: ${status?.state ?? "no such version"}`);
  model = { name, url, version, signatures: about.metadata.signature_def.signature_def, weights: [1], classNames: [] };
  document.title = `${name} – Explorer`;
  $("model").textContent = name;
  $("version").textContent = `version ${version}`;
  const probe = [0]; // TensorFlow Serving refuses signatures without inputs.
  [model.weights] = (await predict("mixture_weights", { probe })).weights;
  if (model.signatures.class_names) [model.classNames] = (await predict("class_names", { probe })).names;
  showModel();
  model.isShown = true;
  drawnCache = {};
  setPicks([]);
  loadGrid();
});

function showModels(models, name) {
  $("models").replaceChildren(...models.map((each) => new Option(each, each, false, each === name)));
  $("models-box").hidden = models.length < 2;
}

// ---- The link keeps what the page shows ----

const pickText = ({ seed, component }) => `${seed}.${component}`;

function remember() {
  if (!model?.isShown) return;
  const state = new URLSearchParams({ model: model.name, seed: chosen.seed, samples: chosen.count });
  if (chosen.label >= 0) state.set("class", chosen.label);
  if (chosen.component !== null) state.set("component", chosen.component);
  if (chosen.truncation !== null) state.set("truncation", chosen.truncation);
  if (chosen.picks.length) state.set("picks", chosen.picks.map(pickText).join("-"));
  else if (recalled.has("picks")) state.set("picks", recalled.get("picks"));
  history.replaceState(null, "", `#${state}`);
}

/** Puts the values of the link into the controls; invalid values are ignored. */
function recall() {
  // What the link leaves out is unset. It always has the seed and the number of samples.
  [$("truncation").value, $("class-mode").value, chosen.component] = ["", "drawn", null];
  recalled = new URLSearchParams(location.hash.slice(1));
  const put = (id, value) => {
    const before = $(id).value;
    if (value !== null) $(id).value = value;
    if (!$(id).checkValidity() || $(id).value === "") $(id).value = before;
    return $(id).value;
  };
  chosen.seed = Number(put("seed", recalled.get("seed")));
  $("seed-slider").value = chosen.seed;
  const truncation = put("truncation", recalled.get("truncation"));
  chosen.truncation = truncation === "" ? null : Number(truncation);
}

/** Picks the samples of the link, once they are in the grid. */
function recallPicks() {
  const texts = recalled.get("picks")?.split("-") ?? [];
  recalled = new URLSearchParams();
  const indices = texts.map((text) => (
    grid.seeds.findIndex((seed, index) => pickText({ seed, component: grid.components[index] }) === text)
  ));
  indices.filter((index) => index >= 0).forEach(togglePick);
}

function showModel() {
  const chips = model.weights.map((weight, i) => newComponent(`${i}: ${weight.toFixed(2)}`, i));
  $("components").replaceChildren(newComponent("all", null), ...chips);
  $("mixture").hidden = model.weights.length < 2;
  showClasses();
  const dims = model.signatures.sample?.outputs.images?.tensor_shape.dim ?? [];
  // JSON of large images is long: begins with few samples.
  if (dims.slice(1).reduce((size, { size: each }) => size * Number(each), 1) > 64 * 64 * 3) $("count").value = "16";
  const { options } = $("count");
  if ([...options].some(({ value }) => value === recalled.get("samples"))) $("count").value = recalled.get("samples");
  chosen.count = Number($("count").value);
  const component = recalled.get("component");
  if (component !== null) chosen.component = Number(component);
  if (!(chosen.component in model.weights)) chosen.component = null;
  $("truncation-box").hidden = !("sample_truncated" in model.signatures);
  if (!("sample_truncated" in model.signatures)) [$("truncation").value, chosen.truncation] = ["", null];
  showComponents();
}

function showClasses() {
  const names = model.classNames;
  const wanted = recalled.get("class");
  const before = wanted === null ? $("class-mode").value : names.length ? wanted : "number";
  if (wanted !== null) $("class").value = wanted;
  const option = (text, value) => new Option(text, value);
  const others = names.length ? names.map(option) : [option("number:", "number")];
  $("class-mode").replaceChildren(option("drawn from the seed", "drawn"), ...others);
  // A newer version may have other classes.
  if (others.some(({ value }) => value === before)) $("class-mode").value = before;
  $("class").hidden = names.length > 0;
  $("classes").hidden = !isConditional();
  readClass();
}

/** Repeats the requests for all parts of the page. */
function retry() {
  if (!model?.isShown) return start();
  return Promise.all([loadGrid(), loadPicture(), loadStrip()]);
}

const on = (id, event, handler) => $(id).addEventListener(event, handler);
on("seed", "input", () => setSeed($("seed"), $("seed-slider")));
on("seed-slider", "input", () => setSeed($("seed-slider"), $("seed")));
on("count", "change", () => { chosen.count = Number($("count").value); loadGrid(); });
on("truncation", "input", setTruncation);
on("models", "change", () => { chosen.component = null; start(); });
on("grid", "keydown", moveFocus);
on("class-mode", "change", setClass);
on("class", "input", setClass);
on("save-grid", "click", saveGrid);
on("save-picture", "click", savePicture);
on("swap", "click", () => setPicks(chosen.picks.toReversed()));
on("clear", "click", () => setPicks([]));
on("reset", "click", reset);
on("more", "click", () => showMore($("more").ariaExpanded !== "true"));
on("retry", "click", retry);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => grid && showGrid());
window.addEventListener("hashchange", () => { recall(); $("models").value = recalled.get("model") ?? ""; start(); });
recall();
start();
