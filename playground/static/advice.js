// What the page does when advice is taken: trains a run again with something changed, trains on, or takes the next step.

import { act, ask } from "./ask.js";
import { GOING, attach, refreshRuns, session } from "./session.js";
import { emit, form, load, loadStep, set } from "./state.js";

export function follow({ action, fix, preset }, run) {
  if (action === "extend") return extend(run, fix?.["train.steps"]);
  if (action === "train") return again(run, fix);
  return action === "ablate" ? ablate(run) : next(preset);
}

// Trains what `run` trained, but for `fix`, which the form then says, too.
export async function again(run, fix) {
  if (!await recall(run)) return;
  if (GOING.includes(run.status)) await act("stop", { visitor: session.visitor, run: run.id }); // they would share the machine
  set(fix);
  await shown(act("train", { visitor: session.visitor, preset: form.preset.id, changes: form.changes }));
}

// To `total` steps; by as many as the button over the chart says where the advice names none.
async function extend(run, total) {
  const steps = total > run.step ? total - run.step : run.extend;
  if (await shown(act("extend", { visitor: session.visitor, run: run.id, steps }))) await recall(run);
}

// The dialog takes the form's model for its base.
async function ablate(run) {
  if (await recall(run)) emit("open-ablate");
}

function next(preset) {
  loadStep(preset);
  emit("step");
  document.getElementById("ladder").scrollIntoView({ block: "nearest" });
}

// Puts a run's options into the form; whether they are there.
async function recall(run) {
  const value = await ask("settings", { visitor: session.visitor, run: run.id });
  if (value?.preset) load(value.preset, value.changes);
  else emit("note", "The options of this run cannot be read now: try again in a moment.");
  return Boolean(value?.preset);
}

// Shows the run that an action has started; whether it has.
export async function shown(started) {
  const { run, refused } = await started;
  emit("note", refused || "");
  if (!run) return false;
  attach(run);
  document.getElementById("controls").scrollIntoView({ block: "nearest" });
  await refreshRuns();
  return true;
}
