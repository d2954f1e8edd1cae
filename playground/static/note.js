// The words between the buttons and the chart.

import { form, on } from "./state.js";
import { session } from "./session.js";

// Why the last press did nothing, why the run ended early, or why the next cannot begin. The last stands in the form,
// too, and a run that diverged has a card that says more: style shows both here only where those are far away.
export function bindNote(note) {
  let refused = "", found = [];
  const tell = () => {
    const ended = ["failed", "diverged"].includes(session.shown?.status) ? session.shown.message : "";
    const problems = (form.checked?.problems || []).join("\n");
    note.textContent = refused || ended || problems;
    note.dataset.about = refused || (ended && !found.includes("diverged")) ? "run" : ended ? "told" : "form";
    note.hidden = !note.textContent;
  };
  on("note", (said) => { refused = said; tell(); });
  on("findings", (kinds) => { found = kinds; tell(); });
  on("form", () => { refused = ""; });
  for (const event of ["checked", "attached", "status"]) on(event, tell);
}
