/** Requests to the server. The page shows failures, and requests of a lane never overlap. */

const TIMEOUT = 120_000;
const PAUSE = 40;

const $ = (id) => document.getElementById(id);

/** Parses JSON with NaN and Infinity, as TensorFlow Serving and Python write them. */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return JSON.parse(text.replace(/\bNaN\b/g, "null").replace(/\bInfinity\b/g, "1e999"));
  }
}

async function fetchText(path, body) {
  const post = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  try {
    const reply = await fetch(path, { ...(body && post), signal: AbortSignal.timeout(TIMEOUT) });
    return [reply, await reply.text()];
  } catch (error) {
    if (error.name === "TimeoutError") throw new Error(`No answer from the server in ${TIMEOUT / 1000} s.`);
    throw new Error("The server cannot be reached. Is it still running?");
  }
}

/** Returns the JSON of a reply, or throws its error. With a body it sends a POST request. */
export async function request(path, body) {
  const [reply, text] = await fetchText(path, body);
  let json;
  try {
    json = parse(text);
  } catch {
    throw new Error(`${path}: HTTP ${reply.status}, expected JSON. Received: ${text.slice(0, 200)}`);
  }
  if (!reply.ok || json.error) {
    const error = new Error(json.error ?? `${path}: HTTP ${reply.status}`);
    throw Object.assign(error, { status: reply.status });
  }
  return json;
}

const failures = new Map();
const running = new Set();

/** Shows the failure of a part of the page, or clears it if there is no message. */
export function report(place, message) {
  if (message) failures.set(place, message);
  else failures.delete(place);
  $("errors").textContent = [...new Set(failures.values())].join("\n");
  $("error-bar").hidden = !failures.size;
}

function setBusy(place, isBusy) {
  if (isBusy) running.add(place);
  else running.delete(place);
  $("loading").hidden = !running.size;
  $("main").ariaBusy = String(running.size > 0);
}

/**
 * Returns a function that runs a job without overlap: all calls during a run become a single
 * further run. So replies stay in order, and a dragged slider sends requests no faster than the
 * server answers.
 */
export function lane(place, job) {
  let wanted = false;
  return async () => {
    wanted = true;
    if (running.has(place)) return;
    setBusy(place, true);
    while (wanted) {
      wanted = false;
      try {
        await job();
        report(place);
      } catch (error) {
        report(place, error.message);
      }
      await new Promise((done) => setTimeout(done, PAUSE));
    }
    setBusy(place, false);
  };
}
