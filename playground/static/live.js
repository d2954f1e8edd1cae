// Changing a run on its way: offered under Train while the form differs from the run in nothing else than may change.

import { act } from "./ask.js";
import { departures, noteChanges, origin, valueIn } from "./origin.js";
import { session } from "./session.js";
import { element, emit, form, on, show, value, words } from "./state.js";

const CHANGEABLE = ["queued", "running", "paused", "interrupted"];

export function bindLive(strip) {
  const button = element("button", "strong", "Apply to this run"), tags = element("ul", "tags"), help = element("p", "help");
  button.type = "button";
  button.id = "apply";
  strip.append(button, tags, help);
  let told = "";
  const paint = () => {
    const changes = offered(), key = JSON.stringify(changes);
    strip.hidden = !changes;
    if (changes && key !== told) tags.replaceChildren(...Object.keys(changes).map(tag));
    if (changes) help.textContent = `takes effect ${when(session.shown)}; “Train changes” starts a new run.`;
    told = key;
  };
  button.addEventListener("click", async () => {
    const run = session.shown, changes = offered();
    if (!changes) return;
    button.disabled = true;
    const { refused } = await act("change", { visitor: session.visitor, run: run.id, changes });
    button.disabled = false;
    emit("note", refused || "");
    if (refused) return;
    emit("changed", { run, words: Object.keys(changes).map((path) => words(path, changes[path])).join(", ") });
    await noteChanges(run, changes);
  });
  for (const event of ["form", "checked", "origin", "attached", "status"]) on(event, paint);
}

// What the run could take over from the form, {path: value}; null where it could not, or there is nothing to.
function offered() {
  const run = session.shown, known = origin();
  if (!known || !CHANGEABLE.includes(run.status) || form.preset.id !== known.preset || form.checked?.problems.length) return null;
  const paths = departures(known);
  if (!paths.length || !paths.every((path) => form.options[path].live)) return null;
  return Object.fromEntries(paths.map((path) => [path, value(path)]));
}

const when = ({ status }) => ({ running: "at its next step", queued: "once it starts" })[status] || "once it resumes";

function tag(path) {
  const { short, part, zero } = form.options[path], before = valueIn(origin(), path);
  const told = (number) => (number === 0 && zero ? zero : show(number)), made = element("li", "", `${short} ${told(before)} `);
  made.dataset.part = part;
  made.append(element("span", "arrow", "→"), element("b", "", ` ${told(value(path))}`));
  return made;
}
