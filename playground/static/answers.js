// A task's exact answers: their share at each check, and what was wrong at one of them, asked for when it is looked at.

import { ask } from "./ask.js";
import { form, hasEffect, on, element, show as number, value } from "./state.js";
import { session } from "./session.js";
import { make, text } from "./svg.js";

const AWAY_MS = 4000; // before a question is asked again
const HIGH = 126, LEFT = 40, RIGHT = 12, TOP = 10, BOTTOM = 22; // px of the drawing
const HINT = "At every check held-out questions are put to the model: how many it answers exactly, to the last character, "
  + "and what it says to others. They appear here.";

export function mount(root) { new Answers(root); }

class Answers {
  constructor(root) {
    Object.assign(this, { root, chosen: null, told: new Map(), asked: "" });
    this.now = root.querySelector("#answers-now");
    this.figure = root.querySelector(".exact");
    this.wrong = root.querySelector(".wrong");
    on("attached", () => { this.chosen = null; this.told.clear(); this.paint(); });
    for (const event of ["head", "form", "checked"]) on(event, () => this.paint());
    on("points", ({ run, fresh }) => { if (run.answers.length > fresh.answers) this.paint(); });
    new ResizeObserver(() => this.draw()).observe(this.figure);
    this.figure.addEventListener("keydown", (event) => this.key(event));
    this.figure.addEventListener("click", (event) => this.choose(this.near(event.offsetX)));
    this.paint();
  }

  get run() { return session.shown; }
  get checks() { return this.run?.answers || []; }
  get place() { return this.chosen ?? this.checks.length - 1; }

  // Whether it is a task that is looked at: the shown run's, or before any the form's.
  get asks() {
    return this.run ? Boolean(this.run.head?.question) : Boolean(form.preset) && hasEffect("data.size");
  }

  paint() {
    document.getElementById("writing").classList.toggle("asks", this.asks);
    this.name();
    if (!this.asks) return;
    const check = this.checks[this.place];
    this.now.textContent = check ? `${percent(check)} exact at step ${number(check[0])}` : "";
    this.draw();
    this.list();
  }

  // The words around the prompt: a question is asked, a text is begun.
  name() {
    const label = document.querySelector("#prompt label"), field = document.querySelector("#prompt textarea");
    if (!label || !form.preset) return;
    const { label: begin, term } = form.options["sample.prompt"];
    label.textContent = this.asks ? "Ask it" : begin;
    document.querySelector("#prompt .term").textContent = this.asks ? "question" : term;
    field.placeholder = (this.asks && this.run?.head?.question) || (this.asks ? "a question" : "a new line");
    document.getElementById("sample").textContent = this.asks ? "Answer" : "Sample";
    const page = document.querySelector("#sampled textarea");
    this.usual ??= page.placeholder;
    page.placeholder = this.asks ? "Press Answer: it is given your question, or the one above, also while it trains." : this.usual;
  }

  // The curve -------------------------------------------------------------------------------------------------------

  x(step) { return LEFT + ((this.figure.clientWidth - LEFT - RIGHT) * step) / Math.max(1, this.run?.total || 1); }

  draw() {
    const wide = this.figure.clientWidth;
    if (!wide || !this.asks) return;
    const svg = make("svg", { viewBox: `0 0 ${wide} ${HIGH}`, width: wide, height: HIGH, "aria-hidden": "true" });
    const y = (share) => TOP + (HIGH - TOP - BOTTOM) * (1 - share);
    for (const share of [0, 0.5, 1]) {
      svg.append(make("line", { x1: LEFT, x2: wide - RIGHT, y1: y(share), y2: y(share), class: "grid" }),
        text(LEFT - 7, y(share) + 4, `${100 * share} %`, "tick"));
    }
    const total = number(this.run?.total || value("train.steps"));
    svg.append(text(LEFT, HIGH - 5, "0", "step"), text(wide - RIGHT, HIGH - 5, total, "step end"));
    const points = this.checks.map(([step, right, total]) => [this.x(step), y(right / total)]);
    if (points.length > 1) svg.append(make("path", { class: "curve", d: `M${points.map((p) => p.join(" ")).join("L")}` }));
    svg.append(...points.map(([cx, cy], i) => {
      const here = i === this.place;
      return make("circle", { cx, cy, r: here ? 5 : 2.6, class: here ? "here" : "" });
    }));
    this.figure.replaceChildren(svg);
    const check = this.checks[this.place];
    this.figure.setAttribute("aria-valuemax", Math.max(0, this.checks.length - 1));
    this.figure.setAttribute("aria-valuenow", Math.max(0, this.place));
    this.figure.setAttribute("aria-valuetext", check ? `step ${number(check[0])}: ${percent(check)} exact` : "no check yet");
  }

  near(at) {
    const away = this.checks.map(([step]) => Math.abs(this.x(step) - at));
    return away.indexOf(Math.min(...away));
  }

  key(event) {
    const last = this.checks.length - 1;
    const to = { ArrowLeft: this.place - 1, ArrowDown: this.place - 1, ArrowRight: this.place + 1, ArrowUp: this.place + 1,
      Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.choose(Math.min(last, Math.max(0, to)));
  }

  // The last one stays the last as more come.
  choose(place) {
    if (place < 0) return;
    this.chosen = place === this.checks.length - 1 ? null : place;
    this.paint();
  }

  // What was wrong ---------------------------------------------------------------------------------------------------

  async list() {
    const { run } = this, check = this.checks[this.place];
    if (!check) { this.say(HINT); return; }
    const [, right, total, seq] = check;
    if (right === total) { this.say(`All ${number(total)} held-out questions were answered exactly.`); return; }
    if (!this.told.has(seq)) {
      const question = `${run.id} ${seq}`;
      if (this.asked === question) return;
      this.asked = question;
      clearTimeout(this.later);
      const answer = await ask("answers", { visitor: session.visitor, run: run.id, seq });
      if (this.asked === question) this.asked = "";
      if (run !== this.run) return;
      if (answer?.wrong) this.told.set(seq, answer.wrong);
      if (answer?.wrong || this.checks[this.place]?.[3] !== seq) this.list(); // or of a check that has come meanwhile
      else this.later = setTimeout(() => this.list(), AWAY_MS);
      return;
    }
    const rows = this.told.get(seq), wrong = total - right;
    const some = rows.length < wrong ? `${rows.length} of ${number(wrong)}` : number(wrong);
    this.wrong.replaceChildren(element("p", "", `${some} wrong ${wrong === 1 ? "answer" : "answers"}`), table(rows));
  }

  say(words) { this.wrong.replaceChildren(element("p", "hint", words)); }
}

const percent = ([, right, total]) => `${((100 * right) / total).toFixed(right === total || !right ? 0 : 1)} %`;

// Question, right and given answer; the characters that differ are marked.
function table(rows) {
  const made = element("table"), head = element("tr"), body = element("tbody"), top = element("thead");
  head.append(...["question", "right", "given"].map((words) => Object.assign(element("th", "", words), { scope: "col" })));
  top.append(head);
  for (const [question, answer, given] of rows) {
    const row = element("tr"), cell = element("td");
    cell.append(...[...given].map((character, i) => (character === answer[i] ? character : element("mark", "", character))));
    row.append(element("td", "", question), element("td", "", answer), cell);
    body.append(row);
  }
  made.append(top, body);
  return made;
}
