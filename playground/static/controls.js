// The buttons over the chart: what they do, to the shown run or with the form.

import { act } from "./ask.js";
import { attach, refreshRuns, session } from "./session.js";
import { emit, form } from "./state.js";

const ACTIONS = ["train", "pause", "step", "stop", "extend"];
const REFUSED = { train: "Not started", pause: "Not done", step: "No step made", stop: "Not stopped", extend: "Not extended" };
const pressed = new Set(); // whose answer is still to come

export function bindControls() {
  document.getElementById("controls").addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (ACTIONS.includes(button?.id)) press(button.id);
  });
}

async function press(action) {
  if (pressed.has(action)) return;
  pressed.add(action);
  const before = session.shown?.id || null;
  const { run, refused } = await act(action, {
    visitor: session.visitor, run: before, preset: form.preset.id, changes: form.changes,
  });
  pressed.delete(action);
  emit("note", refused ? `${REFUSED[action]}: ${refused}` : "");
  // A visitor who has since turned to another run is not called back to this one.
  if (run && (run !== before || session.shown?.id === before)) attach(run);
  await refreshRuns();
}
