/** Requests to the server: what fails is shown, and no two of one place overlap. */

const TIMEOUT = 120_000;
const PAUSE = 40;

const $ = (id) => document.getElementById(id);

/** JSON, with NaN and Infinity as TF Serving and Python write them. */
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

export async function ask(path, body) {
  const [reply, text] = await fetchText(path, body);
  let answer;
  try {
    answer = parse(text);
  } catch {
    throw new Error(`${path}: HTTP ${reply.status}, and no JSON: ${text.slice(0, 200)}`);
  }
  if (!reply.ok || answer.error) {
    const error = new Error(answer.error ?? `${path}: HTTP ${reply.status}`);
    throw Object.assign(error, { status: reply.status });
  }
  return answer;
}

const failures = new Map();
const running = new Set();

export function report(place, message) {
  if (message) failures.set(place, message);
  else failures.delete(place);
  $("errors").textContent = [...new Set(failures.values())].join("\n");
  $("error-bar").hidden = !failures.size;
}

function busy(place, is) {
  if (is) running.add(place);
  else running.delete(place);
  $("loading").hidden = !running.size;
  $("main").ariaBusy = String(running.size > 0);
}

/**
 * Makes a job one that never overlaps itself: calls that come while it runs become one more run.
 * So replies stay in order, and a dragged slider asks no faster than the server answers.
 */
export function lane(place, job) {
  let wanted = false;
  return async () => {
    wanted = true;
    if (running.has(place)) return;
    busy(place, true);
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
    busy(place, false);
  };
}
