// The options of the shown run, with which the form is compared. Asked for when a run is shown; a change made on the way
// is noted here at once, since the server knows of it only from the run's next step on.

import { ask } from "./ask.js";
import { emit, form, hasEffect, on, preset, ready, value } from "./state.js";
import { session } from "./session.js";

let known = null; // {run, preset, changes}

export function followOrigin() {
  on("attached", fetchOrigin);
  if (session.shown) fetchOrigin(session.shown);
}

async function fetchOrigin(run) {
  known = null;
  if (!run) return;
  const [answer] = await Promise.all([ask("settings", { visitor: session.visitor, run: run.id }), ready]);
  if (session.shown !== run || !answer?.preset) return;
  known = { run: run.id, ...answer };
  emit("origin", known);
}

// The shown run's options, or null while they are not known.
export const origin = () => (known && known.run === session.shown?.id && preset(known.preset) ? known : null);

export const valueIn = ({ preset: id, changes }, path) =>
  (path in changes ? changes[path] : preset(id).values[path] ?? form.options[path].default);

// Options in which the form would train something else than `run`, an origin.
export function departures(run) {
  const of = (path) => valueIn(run, path);
  return Object.keys(form.options).filter((path) => !path.startsWith("sample.") && value(path) !== of(path)
    && (hasEffect(path) || hasEffect(path, of)));
}

// Notes what was changed on the way; the form then trains what the run does.
export async function noteChanges(run, changes) {
  if (known?.run !== run.id) return;
  known = { ...known, changes: { ...known.changes, ...changes } };
  const checked = await ask("check", { preset: known.preset, changes: known.changes });
  if (checked?.recipe && run.head) run.head.recipe = checked.recipe;
  emit("origin", known);
  if (session.shown === run) emit("status", run);
}
