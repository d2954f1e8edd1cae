// Learn: the ladder as twelve lessons, one at a time, with a rail of all. The words come from the presets, once they are
// wanted; guesses and the open lesson stay in the browser.

import { ask } from "./ask.js";
import { diagram } from "./diagram.js";
import { Errand } from "./learn_errand.js";
import { Guess } from "./learn_guess.js";
import { Market } from "./learn_market.js";
import { math } from "./learn_math.js";
import { bring, centre } from "./motion.js";
import { element, emit, form, on, preset, ready, recall, remember } from "./state.js";

const KEY = "gpt-playground-lesson";
const LOOKING = "model.attention"; // the option whose help leads to the picture of attention,
const PICTURED = 2; // which stands in this lesson

let view = null, wanted = 0; // the lesson asked for before the view was there

export async function mount(root) {
  view = new Learn(root);
  await ready;
  view.begin();
}

// Opens the view at a lesson, as a link or a button elsewhere says; `at` names a part of it.
export function openLesson(number, at = "") {
  wanted = number;
  if (!view?.here) emit("open-view", "learn");
  view?.open(number, at);
}

class Learn {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    this.rail = this.find(".rail ol");
    this.lessons = []; // the steps that have one, presets
    this.known = new Map(); // their words, by id, as they were fetched
    this.number = 1;
    this.done = [];
    this.guess = new Guess(this.find(".guess"));
    this.errand = new Errand(this.find(".errand"), () => this.guess.own);
  }

  begin() {
    this.number = wanted || recall(KEY) || 1;
    on("view", () => { this.look(); this.tell(); });
    on("runs", ({ done }) => { this.done = done; this.tick(); });
    on("form", () => this.guess.followText());
    document.addEventListener("click", ({ target }) => {
      const link = target.closest?.("[data-lesson]");
      if (link) openLesson(Number(link.dataset.lesson), link.dataset.at);
    });
    this.rail.addEventListener("keydown", (event) => this.walk(event));
    this.find(".pager .back").addEventListener("click", () => this.turn(-1));
    this.find(".pager .onward").addEventListener("click", () => this.turn(1));
    this.lessons = form.presets.filter(({ number }) => number);
    this.rail.replaceChildren(...this.lessons.map((step) => this.stop(step)));
    this.offerPicture();
    this.look();
  }

  // In the help of the option it explains.
  offerPicture() {
    const link = element("button", "link", "How it works, to play with");
    Object.assign(link, { type: "button" });
    Object.assign(link.dataset, { lesson: PICTURED, at: "market" });
    document.querySelector(`#settings [data-path="${LOOKING}"] .help`)?.append(" ", link);
  }

  get here() { return document.body.dataset.view === "learn"; }

  async open(number, at) {
    if (!this.lessons.length) return; // it is the first that will be shown
    if (await this.turnTo(number)) {
      (at ? bring(this.find(`.${at}`)) : window.scrollTo({ top: 0 }));
      this.find("#lesson-title").focus({ preventScroll: true });
    }
  }

  // Which lesson is open, for the address; 0 for none.
  tell() { emit("lesson", this.here && this.painted ? this.painted : 0); }

  async look() {
    if (!this.here) return;
    if (this.painted !== this.number) await this.turnTo(this.number);
    else this.guess.look();
  }

  // Shows a lesson, whose words are fetched once; whether it is there.
  async turnTo(number) {
    const { id } = this.lessons[number - 1] || this.lessons[0], away = this.find(".offline");
    this.number = number;
    this.mark(id);
    const lesson = this.known.get(id) || await ask("lesson", { preset: id });
    if (this.number !== number) return false; // another one has been asked for since
    away.hidden = Boolean(lesson);
    if (!lesson) {
      const again = element("button", "link", "Try again");
      again.type = "button";
      again.addEventListener("click", () => this.turnTo(number));
      away.replaceChildren("The lesson could not be fetched: the server is away. ", again);
      return false;
    }
    this.known.set(id, lesson);
    this.find(".lesson").hidden = false;
    this.paint(lesson);
    return true;
  }

  stop({ number, id }) {
    const item = element("li"), button = element("button");
    button.type = "button";
    Object.assign(button.dataset, { lesson: number, step: id });
    button.append(element("i", "", number), element("span", "", preset(id).title), element("em", "tick"));
    item.append(button);
    return item;
  }

  mark(id) {
    for (const button of this.rail.querySelectorAll("button")) {
      if (button.dataset.step === id) { button.setAttribute("aria-current", "step"); centre(button, button.closest(".rail")); }
      else button.removeAttribute("aria-current");
    }
  }

  tick() {
    for (const button of this.rail.querySelectorAll("button")) {
      const tick = button.querySelector(".tick"), finished = this.done.includes(button.dataset.step);
      tick.textContent = finished ? "✓" : "";
      tick.setAttribute("aria-label", finished ? "trained" : "");
    }
  }

  walk(event) {
    const move = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const all = [...this.rail.querySelectorAll("button")], at = all.indexOf(document.activeElement);
    if (!move || at < 0) return;
    all[(at + move + all.length) % all.length].focus();
    event.preventDefault();
  }

  turn(by) {
    if (by > 0 && this.number === this.lessons.length) emit("open-view", "train");
    else openLesson(this.number + by);
  }

  paint(lesson) {
    const { number, preset: id, idea } = lesson, about = preset(id);
    this.painted = this.number = number;
    remember(KEY, number);
    this.tell();
    this.find(".where").textContent = `Step ${number} of ${this.lessons.length}`;
    this.find("#lesson-title").textContent = about.title;
    this.find(".idea").textContent = idea;
    this.paintFormula(lesson);
    this.paintModel(lesson);
    this.find(".market").hidden = number !== PICTURED;
    if (number === PICTURED) this.market ||= new Market(this.find(".market"));
    this.guess.open(lesson);
    this.errand.open(lesson);
    const [back, next] = [this.lessons[number - 2], this.lessons[number]];
    this.find(".pager .back").hidden = !back;
    this.find(".pager .back").textContent = back ? `← ${back.title}` : "";
    this.find(".pager .onward").textContent = next ? `${next.title} →` : "Build your own, in Train →";
  }

  paintFormula({ formula, symbols }) {
    this.find(".formula .equations").replaceChildren(...formula.map((line) => math(line, "block")));
    this.find(".formula dl").replaceChildren(...symbols.flatMap(([symbol, name, shape]) => {
      const term = element("dt"), says = element("dd", "", name);
      term.append(math(symbol));
      if (shape) says.append(" ", element("span", `shape${shape.includes("=") ? " sized" : ""}`, shape));
      return [term, says];
    }));
  }

  paintModel({ preset: id, lit }) {
    this.find(".sketch figure").replaceChildren(diagram(preset(id).values, { lit, small: true }));
  }
}
