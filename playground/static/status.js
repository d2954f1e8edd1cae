// The buttons' state and the words beside them.

import { brief, form, on, ready, show as number } from "./state.js";
import { duration } from "./form.js";
import { GOING, session, speed } from "./session.js";

const ENDED = ["finished", "stopped"];
const RESUMABLE = ["paused", "interrupted", "stopped"];
const STATES = {
  queued: "Waiting", running: "Training", paused: "Paused", finished: "Finished", stopped: "Stopped",
  failed: "Failed", diverged: "Diverged", interrupted: "Interrupted",
};

export function mount(root) {
  let said = "";
  const update = () => {
    const run = session.shown;
    paintButtons(run);
    paintStatus(root, run);
    const state = run ? STATES[run.status] || "" : "";
    if (state !== said) { said = state; root.querySelector("#announce").textContent = state; }
  };
  for (const event of ["status", "attached", "checked", "form", "head"]) on(event, update);
  ready.then(update);
}

function paintButtons(run) {
  const status = run?.status || "", going = GOING.includes(status), bad = Boolean(form.checked?.problems.length);
  button("train", { text: run && differs(run) ? "Train changes" : "Train", disabled: bad });
  const resumable = RESUMABLE.includes(status), complete = status === "stopped" && run.step >= run.total;
  const hidden = status === "finished" || complete;
  button("pause", { text: resumable ? "Resume" : "Pause", disabled: !going && !resumable, hidden });
  button("step", { disabled: bad && !run });
  button("stop", { disabled: !going && status !== "paused", hidden: ENDED.includes(status) });
  const more = (ENDED.includes(status) && run.extend) || 0;
  button("extend", { text: `+${number(more)} steps`, hidden: !more });
}

function button(id, { text, disabled = false, hidden = false }) {
  const found = document.getElementById(id);
  if (!found) return;
  if (text && found.textContent.trim() !== text) found.textContent = text;
  found.disabled = disabled;
  found.classList.toggle("gone", hidden);
}

// Whether the form would train something else than what is shown.
const differs = (run) => Boolean(run.head?.recipe && form.checked) && form.checked.recipe !== run.head.recipe;

function paintStatus(root, run) {
  const [step, left, words] = ["#status-step", "#status-left", "#status-words"].map((id) => root.querySelector(id));
  const bar = document.querySelector("#chart .bar");
  const share = run?.total ? Math.min(100, (100 * run.step) / run.total) : 0;
  if (bar) {
    bar.firstElementChild.style.width = `${share}%`;
    bar.setAttribute("aria-valuenow", Math.round(share));
    bar.dataset.status = run?.status || "";
  }
  root.firstElementChild.dataset.status = run?.status || "";
  if (!run?.status) {
    const problems = form.checked?.problems.length;
    step.textContent = problems ? "Cannot train yet" : "Ready";
    left.textContent = form.checked?.seconds != null ? `about ${duration(form.checked.seconds)}` : "";
    words.textContent = problems ? "see Settings" : "";
    return;
  }
  step.textContent = run.status === "queued" ? waiting(run) : `step ${number(run.step)} of ${number(run.total)}`;
  left.textContent = session.away ? "server away, trying again" : beside(run);
  words.textContent = words.title = told(run);
  const device = document.getElementById("device");
  if (device) device.textContent = run.head?.device || "";
}

const waiting = (run) => (run.place ? `number ${run.place} in the queue` : "starting");

function beside(run) {
  const pace = speed(run);
  if (run.status === "running") return pace ? `${duration((run.total - run.step) / pace)} left` : "";
  return run.status === "queued" ? "" : STATES[run.status].toLowerCase();
}

function told(run) {
  if (run.status === "interrupted") return "The server was stopped. Resume goes on where it was.";
  if (run.status === "queued") return run.place ? `${run.sharing} runs share the machine now` : "";
  const pace = run.status === "running" && speed(run), said = [run.words || ""];
  if (pace && run.head) said.push(`${brief(pace * run.head.tokens_per_step)} tokens/s`);
  if (run.sharing > 1 && run.status === "running") said.push(`shared with ${run.sharing - 1}`);
  return said.filter(Boolean).join(" · ");
}
