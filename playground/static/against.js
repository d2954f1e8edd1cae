// What the form's model is compared with where nobody has said: a run, or a preset; and what that one's options are.

import { ask } from "./ask.js";
import { origin, valueIn } from "./origin.js";
import { known, session } from "./session.js";
import { differences, form, hasEffect, preset, show, value, words } from "./state.js";

// The id of the shown run if the form differs from it, else of the one before; without any, of the preset or of the step
// before it. Null if there is none.
export function suggested() {
  const run = session.shown && known(session.shown.id);
  if (run) {
    const { head } = session.shown, before = session.runs.find((other) => other.created < run.created && !other.study);
    const differs = head && form.checked && head.recipe !== form.checked.recipe;
    if (differs || !before) return run.id;
    return before.id;
  }
  if (Object.keys(differences()).length) return form.preset.id;
  const { number } = form.preset, rungs = form.presets.filter((p) => p.number).sort((a, b) => a.number - b.number);
  return (number ? rungs[number - 2] : rungs.at(-1))?.id || null; // what is beyond the ladder, with its last step
}

const runs = new Map(); // settings of runs by id, as the server told them

// A function from paths to the values that a run or a preset has; null while they are not known, or it is none.
export async function valuesOf(id) {
  if (preset(id)) return (path) => preset(id).values[path] ?? form.options[path].default;
  if (origin()?.run === id) return (path) => valueIn(origin(), path);
  if (!runs.has(id)) {
    const answer = await ask("settings", { visitor: session.visitor, run: id });
    if (!answer?.preset || !preset(answer.preset)) return null;
    runs.set(id, answer);
  }
  return (path) => valueIn(runs.get(id), path);
}

// What differs from other values, of which `of` is a function from paths: {id: "was off"} by part.
export function differing(parts, of) {
  const found = {};
  for (const { id, judged, self } of parts) {
    const paths = judged.filter((path) => value(path) !== of(path) && (hasEffect(path) || hasEffect(path, of)));
    if (paths.length) found[id] = `was ${paths.map((path) => told(path, of(path), path === self)).join(", ")}`;
  }
  return found;
}

// A value in words. Of the option that a part is called after, it says enough without the name.
export function told(path, wanted, self = false) {
  const { short, zero } = form.options[path], flag = typeof wanted === "boolean";
  const off = flag ? (wanted ? "on" : "off") : wanted === 0 ? zero : "";
  if (off) return self ? off : `${short} ${off}`;
  return self && typeof wanted === "number" ? show(wanted) : words(path, wanted);
}
