// Inspect: asks for a look into the shown run's model, at its newest weights or kept ones, and has the panels show it.

import { ask } from "./ask.js";
import { Attention } from "./inspect_attention.js";
import { Belief } from "./inspect_belief.js";
import { Embeddings } from "./inspect_embeddings.js";
import { KnockOut } from "./inspect_knock.js";
import { Next } from "./inspect_next.js";
import { Steps } from "./inspect_steps.js";
import { Cursor } from "./inspect_words.js";
import { bring } from "./motion.js";
import { GOING, session, show as showRun, title } from "./session.js";
import { emit, on, ready, show, value } from "./state.js";

const TYPED_MS = 350, FORM_MS = 250; // without a change, before it is asked
const LIVE_MS = 4000; // between two looks while it trains: each costs the training a little
const AWAY_MS = 5000;
const SAMPLING = ["temperature", "top_k", "top_p"];

export function mount(root) {
  const view = new Inspect(root);
  ready.then(() => view.begin());
}

// Where a run stands: other weights, if it is another.
const stand = (run) => `${run.status} ${run.step}`;

class Inspect {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    this.cursor = new Cursor();
    this.steps = new Steps(root);
    this.panels = [new Next(this.find(".in-next"), this.cursor), new Attention(this.find(".in-attention"), this.cursor),
      new Belief(this.find(".belief"), this.cursor, this.steps), new Embeddings(this.find(".in-embeddings"), this.steps)];
    this.knock = new KnockOut(this.find(".in-knock"), () => ({ run: session.shown?.id, step: this.step }));
    this.typed = this.find("textarea");
    this.clear();
  }

  begin() {
    on("attached", () => { this.clear(); this.look(); });
    on("view", () => this.look());
    on("runs", () => this.paintRuns());
    on("form", () => this.soon(FORM_MS));
    on("status", () => this.follow());
    document.addEventListener("visibilitychange", () => this.follow());
    this.typed.addEventListener("input", () => { this.text = this.typed.value || null; this.soon(TYPED_MS); });
    this.steps.listen(() => { this.knock.forget(); this.paintState(); this.soon(60); });
    this.find("select").addEventListener("change", ({ target }) => showRun(target.value));
    this.find(".in-index").addEventListener("click", (event) => goTo(event));
    this.find(".in-empty .start").addEventListener("click", () => emit("open-view", "train"));
    this.find(".own").addEventListener("click", () => this.openText(this.typed.hidden));
    this.find(".another").addEventListener("click", () => {
      this.passage = (this.passage + 1) % 1000;
      this.text = null;
      this.look();
    });
    this.paintRuns();
    this.look();
  }

  openText(open) {
    this.typed.hidden = !open;
    this.find(".own").setAttribute("aria-expanded", open);
    if (open) this.typed.select();
  }

  // Another run is shown: its newest weights, and the same text unless it was the former run's own.
  clear() {
    Object.assign(this, { answer: null, asked: "", why: "", seen: "", busy: false, looked: 0, text: this.text ?? null, passage: this.passage ?? 0 });
    this.steps.clear();
    this.find(".in-body").hidden = true;
    this.knock.forget();
    this.paintRuns();
    this.paintEmpty();
  }

  get step() { return this.steps.step; }

  get open() { return document.body.dataset.view === "inspect" && !document.hidden; }

  soon(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), ms);
  }

  // The run has gone on: looks again in a while, if it is the newest weights that are shown.
  follow() {
    const run = session.shown;
    if (!this.open || !run || this.busy || (this.step !== null && this.answer)) return;
    if (this.seen === stand(run) && (this.answer || !GOING.includes(run.status))) return;
    const rest = this.looked + (this.answer ? LIVE_MS : 600) - performance.now();
    if (rest <= 0) this.look(true);
  }

  // Asks for a look, unless it would be the one that is shown; `anew` where the weights are others.
  async look(anew = false) {
    clearTimeout(this.timer);
    const run = session.shown;
    if (!this.open || !run) { this.paintEmpty(); return; }
    const asked = { run: run.id, step: this.step, text: this.text, passage: this.passage,
      ...Object.fromEntries(SAMPLING.map((name) => [name, value(`sample.${name}`)])) }, key = JSON.stringify(asked);
    if (key === this.asked && !anew && (this.seen === stand(run) || this.step !== null)) return;
    this.asked = key;
    this.seen = stand(run);
    this.busy = true;
    const answer = await ask("look", { visitor: session.visitor, ...asked });
    if (key !== this.asked) return; // something else was wanted meanwhile
    this.busy = false;
    this.looked = performance.now();
    if (!answer) { this.asked = ""; this.soon(AWAY_MS); }
    else if (answer.status !== "gone") this.take({ ...answer, run: run.id });
    this.paintEmpty();
  }

  take(answer) {
    const refused = answer.refused || "", shown = this.answer && refused;
    this.find(".in-next .bad").textContent = shown ? refused : "";
    this.find(".in-next .bad").hidden = !shown;
    this.typed.toggleAttribute("aria-invalid", Boolean(shown));
    this.why = refused;
    if (refused && !this.answer && this.text !== null) { // the former run could read it
      this.text = null;
      this.look();
    }
    if (refused) return;
    this.answer = answer;
    if (this.step === null) this.steps.know(answer.checkpoints, answer.live, answer.step);
    else this.steps.know(answer.checkpoints); // of the newest weights this answer tells nothing
    this.find(".in-body").hidden = false;
    this.cursor.count = answer.tokens.length + 1;
    if (this.cursor.at >= this.cursor.count) this.cursor.at = this.cursor.count - 1;
    if (this.text === null && (this.typed.hidden || document.activeElement !== this.typed)) this.typed.value = answer.text;
    for (const panel of this.panels) panel.show(answer);
    this.paintState();
  }

  paintState() {
    const newest = this.step === null, diverged = session.shown?.status === "diverged";
    this.find(".state").textContent = this.steps.live && newest ? "training: looked at again every few seconds"
      : diverged && newest ? "its training diverged: these are the last weights that were kept" : "";
  }

  paintRuns() {
    const select = this.find("select"), shown = session.shown?.id || "";
    const listed = session.runs.map((run) => [run.id, run.status === "finished" ? title(run) : `${title(run)} · ${run.status}`]);
    if (shown && !listed.some(([id]) => id === shown)) listed.unshift([shown, "this run"]);
    if (!shown) listed.unshift(["", listed.length ? "Choose a run" : "No runs yet"]);
    const key = JSON.stringify(listed);
    if (key !== this.listed) {
      select.replaceChildren(...listed.map(([id, words]) => new Option(words, id)));
      this.listed = key;
    }
    select.value = shown;
    select.disabled = listed.length < 2 && !shown;
  }

  paintEmpty() {
    const run = session.shown, none = !this.answer;
    this.find(".in-empty").hidden = !none;
    this.find(".in-index").hidden = none;
    if (!none) return;
    const waiting = run && GOING.includes(run.status);
    const soon = run?.place ? `It waits to be trained: number ${run.place} in the queue.` : "Its first weights are on their way.";
    const words = !run ? "Nothing to look into yet. Train a model, or choose one of your runs: every guess, every head, at every step that was kept."
      : this.why || (waiting ? soon : "Looking …");
    this.find(".in-empty p").textContent = waiting && this.why ? soon : words;
    this.find(".in-empty .start").hidden = Boolean(run);
    this.find(".weights-at").hidden = true;
    this.find(".state").textContent = "";
  }
}

// To a card of this page. Not by the address: it holds the form.
function goTo(event) {
  const link = event.target.closest("a"), card = link && document.querySelector(link.getAttribute("href"));
  if (!card) return;
  event.preventDefault();
  bring(card);
  card.focus({ preventScroll: true });
}
