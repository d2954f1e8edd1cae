// A lesson's guess: made before the training, which starts here, and set beside what came of it. Nothing is judged here:
// the server takes the differences (playground/lessons.py).

import { act, ask } from "./ask.js";
import { duration } from "./form.js";
import { SmallCurve } from "./learn_curve.js";
import { headline, scale, told } from "./learn_reveal.js";
import { GOING, attach, known, refreshRuns, session, speed } from "./session.js";
import { emit, form, loadStep, on, preset, recall, remember, show } from "./state.js";

const KEY = "gpt-playground-guesses"; // {preset: {change, run}}: run is the one that the guess began, if any
const AWAY = "The server is away: what came of it will show when it is back.";
const AWAY_MS = 5000; // before it is asked again
const FINE = 100; // places of the slider in a nat
const STOPPED = { stopped: "You stopped it", interrupted: "The server was stopped", failed: "It failed",
  diverged: "It diverged", paused: "It is paused" };

export class Guess {
  constructor(card) {
    this.find = (selector) => card.querySelector(selector);
    this.slider = this.find("input");
    this.curve = new SmallCurve(this.find(".small-curve"));
    this.answer = null; // of the server: what came of the step
    this.guesses = recall(KEY) || {};
    this.looks = 0;
    this.bind();
  }

  bind() {
    for (const event of ["input", "click"]) this.slider.addEventListener(event, () => this.point());
    this.find(".start-training").addEventListener("click", () => this.train());
    this.find(".only").addEventListener("click", () => this.commit(null));
    this.find(".anew").addEventListener("click", () => this.anew());
    this.find(".halt").addEventListener("click", () => act("stop", { visitor: session.visitor, run: this.kept.run }));
    this.find(".in-train").addEventListener("click", () => emit("open-view", "train"));
    for (const event of ["status", "runs", "attached"]) on(event, () => this.follow());
    on("attached", () => { if (!this.asked) this.look(); }); // before, nobody could ask
    on("points", ({ run }) => { if (this.here && run.id === this.shownRun) this.grow(run); });
  }

  get here() { return this.lesson && document.body.dataset.view === "learn"; }
  get kept() { return this.guesses[this.lesson.preset]; }
  get own() { return this.answer?.own || null; }
  get going() { return Boolean(this.kept?.run) && GOING.includes(this.status(this.kept.run)); }
  get shownRun() { return this.going ? this.kept.run : this.own; }

  status(id) { return session.shown?.id === id && session.shown.status ? session.shown.status : known(id)?.status || ""; }

  // What a step is trained on: the form's text, which stays when a step is chosen.
  get text() { return Object.fromEntries(Object.entries(form.changes).filter(([path]) => path.startsWith("data."))); }

  open(lesson) {
    this.lesson = lesson;
    this.pointed = false;
    this.answer = null;
    this.stage = "";
    this.find(".asks").textContent = preset(lesson.preset).predict;
    const [low, high] = lesson.scale;
    Object.assign(this.slider, { min: low * FINE, max: high * FINE, step: 1 });
    this.slider.value = 0;
    this.estimate = "";
    this.paint();
    this.look();
    this.price();
  }

  // How long the training takes here.
  async price() {
    const { lesson } = this, checked = await ask("check", { preset: lesson.preset, changes: this.text });
    if (this.lesson !== lesson) return;
    this.estimate = checked?.seconds == null ? "" : `, about ${duration(checked.seconds)}`;
    this.curve.references = checked?.references || [];
    this.paint();
  }

  // What came of the step, on the form's text.
  async look() {
    if (!this.here || !session.visitor) return;
    const { lesson } = this, asked = JSON.stringify([lesson.preset, this.text]), number = ++this.looks;
    const guess = this.kept?.change ?? null, of = this.kept?.run ?? null;
    const answer = await ask("reveal", { visitor: session.visitor, preset: lesson.preset, changes: this.text, guess });
    if (this.looks !== number) return; // a later question is under way
    this.refuse(answer ? answer.refused || "" : AWAY);
    this.asked = asked;
    this.of = of; // the run of which it was asked
    this.answer = answer && !answer.refused ? answer : null;
    if (!answer) setTimeout(() => this.look(), AWAY_MS);
    this.paint();
  }

  followText() {
    if (!this.here || !this.asked || this.asked === JSON.stringify([this.lesson.preset, this.text])) return;
    this.look();
    this.price();
  }

  // The marker was moved, or put down where it was.
  point() {
    this.pointed = true;
    this.paint();
  }

  get wanted() { return Number(this.slider.value) / FINE; }

  async train() {
    const change = this.kept?.change ?? this.wanted, { lesson } = this;
    this.find(".start-training").disabled = true;
    loadStep(lesson.preset);
    emit("step");
    const { run, refused } = await act("train", { visitor: session.visitor, preset: form.preset.id, changes: form.changes });
    this.refuse(refused || "");
    if (!run) { this.paint(); return; }
    this.keep(lesson, { change, run });
    attach(run);
    await refreshRuns();
    this.paint();
  }

  commit(run) {
    this.keep(this.lesson, { change: this.wanted, run });
    this.answer = null; // which knows of no guess
    this.paint();
    this.look();
  }

  keep(lesson, guess) {
    this.guesses[lesson.preset] = guess;
    remember(KEY, this.guesses);
  }

  anew() {
    delete this.guesses[this.lesson.preset];
    remember(KEY, this.guesses);
    this.open(this.lesson);
    this.slider.focus();
  }

  refuse(words) {
    this.find(".sorry").textContent = words;
    this.find(".sorry").hidden = !words;
  }

  // The run goes on, or has ended: then the server is asked what came of it.
  follow() {
    if (!this.here || !this.kept) return;
    const before = this.stage;
    this.paint();
    if (before === "training" && this.stage === "told") this.look();
  }

  // Painting ------------------------------------------------------------------------------------------------------------

  paint() {
    const { kept } = this;
    this.stage = !kept ? "asking" : this.going ? "training" : "told";
    if (this.stage === "training" && session.shown?.id !== kept.run) attach(kept.run);
    this.find(".pointer").hidden = this.stage === "told";
    this.slider.disabled = this.stage !== "asking";
    if (kept) this.slider.value = kept.change * FINE;
    this.slider.classList.toggle("unset", this.stage === "asking" && !this.pointed);
    const revealed = this.stage === "told" && this.answer && this.of === (kept.run ?? null);
    this.find(".gauge").replaceChildren(...scale(this.lesson.scale, revealed ? this.answer : null, kept?.change));
    this.paintGuessed();
    this.paintButtons();
    this.paintGrowth();
    for (const part of [".outcome", ".came-out"]) this.find(part).hidden = !revealed;
    if (revealed) this.find(".came-out").textContent = headline(this.answer);
    if (revealed) this.find(".outcome").replaceChildren(...told(this.answer, this.aside()));
  }

  paintGuessed() {
    const out = this.find(".guessed"), before = this.answer?.before.validation;
    out.hidden = this.stage !== "asking";
    if (!this.pointed) { out.textContent = this.prompt(before); return; }
    const change = this.wanted, to = before == null ? "" : `, from ${before.toFixed(2)} to ${(before + change).toFixed(2)}`;
    const way = change ? `${change < 0 ? "falls" : "rises"} by ${Math.abs(change).toFixed(2)}` : "stays where it is";
    out.textContent = `I think the loss ${way}${change ? to : ""}.`;
    this.slider.setAttribute("aria-valuetext", out.textContent);
  }

  // What to guess, and how.
  prompt(before) {
    const name = this.answer?.below ?? "Guessing at random", from = before == null ? "" : `${name} comes to ${before.toFixed(2)}. `;
    return `${from}Where will ${preset(this.lesson.preset).title} end? Drag the marker, or move it with the arrow keys.`;
  }

  paintButtons() {
    const { stage } = this, begin = this.find(".start-training"), again = stage === "told" && this.own;
    begin.textContent = `${stage === "told" ? (again ? "Train again" : "Train it") : "Train and see"}${this.estimate}`;
    begin.hidden = stage === "training";
    begin.classList.toggle("strong", !again);
    begin.disabled = this.find(".only").disabled = stage === "asking" && !this.pointed;
    this.find(".only").hidden = stage !== "asking";
    this.find(".halt").hidden = stage !== "training";
    this.find(".in-train").hidden = !(stage === "training" || (this.own && session.shown?.id === this.own));
    this.find(".anew").hidden = stage !== "told";
  }

  paintGrowth() {
    const run = session.shown, here = Boolean(run && run.id === this.shownRun && this.stage !== "asking");
    this.find(".growing").hidden = !here;
    this.find(".wrote").hidden = !here || this.stage !== "told" || !this.find(".wrote pre").textContent;
    if (here) this.grow(run);
  }

  grow(run) {
    const pace = speed(run), left = run.status === "running" && pace ? `, ${duration((run.total - run.step) / pace)} left` : "";
    const waiting = run.place ? `Number ${run.place} in the queue` : "Starting";
    const where = run.status === "queued" ? waiting : `Step ${show(run.step)} of ${show(run.total)}`;
    this.find(".pace").textContent = [`${where}${left}`, run.words].filter(Boolean).join(" · ");
    this.curve.draw(run, this.below(), [preset(this.lesson.preset).title, this.answer?.below]);
    if (this.stage === "told") this.read(run);
  }

  // The visitor's run of the step before, or null.
  below() { return this.answer?.before.run || null; }

  // Its newest sample.
  async read(run) {
    const last = run.samples.at(-1);
    if (!last || this.readSeq === `${run.id} ${last[1]}`) return;
    this.readSeq = `${run.id} ${last[1]}`;
    const answer = await ask("writing", { visitor: session.visitor, run: run.id, seq: last[1] });
    if (!answer?.text || session.shown !== run) return;
    this.find(".wrote pre").textContent = `${answer.prompt}${answer.text}`.trim();
    this.find(".wrote").hidden = this.stage !== "told" || run.id !== this.shownRun;
  }

  // Why it is not the visitor's own run that is told of, though there was one.
  aside() {
    const run = this.kept?.run, status = run && this.status(run);
    if (!run || run === this.own) return "";
    if (STOPPED[status]) {
      const row = known(run);
      return `${STOPPED[status]} after ${show(row.step)} of ${show(row.total)} steps, too few to compare.`;
    }
    return status === "finished" ? "Your run had other settings than this step’s." : "";
  }
}
