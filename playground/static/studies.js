// The visitor's studies: a chip each, the shown one below. Asked for while they can be seen, more often while one goes.

import { act, ask } from "./ask.js";
import { element, on, recall, remember } from "./state.js";
import { bring } from "./motion.js";
import { refreshRuns, session } from "./session.js";
import { make } from "./svg.js";
import { StudyView } from "./study.js";
import { minus } from "./study_words.js";
import { offerUndo, say } from "./toast.js";

const KEY = "gpt-playground-study";
const GOING_MS = 1500, RESTING_MS = 15000, AWAY_MS = 4000;

export function mount(root, { props }) { new Studies(root.querySelector("#studies-card"), props.layout); }

class Studies {
  constructor(card, layout) {
    Object.assign(this, { card, all: [], shown: recall(KEY), known: false, inView: true, busy: false });
    this.find = (selector) => card.querySelector(selector);
    this.view = new StudyView(this.find(".study"), JSON.parse(JSON.stringify(layout)), {
      remove: (study) => this.remove(study), rest: (study) => this.rest(study),
    });
    this.find(".ghost").append(...ghost());
    new IntersectionObserver(([{ isIntersecting }]) => { this.inView = isIntersecting; this.wake(); }, { rootMargin: "400px" }).observe(card);
    document.addEventListener("visibilitychange", () => this.wake());
    on("view", () => this.wake());
    on("study", (id) => { this.choose(id); this.arrive(); });
    on("runs", () => { if (!this.known) this.wake(); });
    this.paint();
  }

  // What is out of view is asked for once, so that it is there when the visitor comes to it.
  get seen() { return document.body.dataset.view === "compare" && (this.inView || !this.known) && !document.hidden && session.visitor; }

  wake() { if (this.seen) this.tick(); }

  choose(id) {
    this.shown = id;
    remember(KEY, id);
    this.paintChips();
    this.tick();
  }

  // A study that has just begun is shown: the page goes to it.
  arrive() {
    const card = this.card;
    card.tabIndex = -1;
    requestAnimationFrame(() => {
      bring(card);
      card.focus({ preventScroll: true });
    });
  }

  async tick() {
    clearTimeout(this.timer);
    if (this.busy) { this.again = true; return; }
    this.busy = true;
    let pause = AWAY_MS;
    try { pause = await this.refresh(); } finally { this.busy = false; }
    if (this.again) { this.again = false; pause = 0; }
    this.timer = setTimeout(() => this.wake(), pause);
  }

  async refresh() {
    const listed = await ask("studies", { visitor: session.visitor });
    if (!listed?.studies) return AWAY_MS;
    const before = this.all.find(({ id }) => id === this.shown)?.done;
    const there = listed.studies.filter(({ runs }) => runs); // one whose runs are deleted waits for Undo, out of sight
    Object.assign(this, { all: there, known: true });
    if (!this.all.some(({ id }) => id === this.shown)) this.shown = this.all[0]?.id ?? null;
    this.paint();
    const { shown } = this, study = shown && await ask("study", { visitor: session.visitor, study: shown });
    if (shown !== this.shown) return 0;
    if (study && study.status !== "gone") this.view.show(study);
    this.find(".study").hidden = !this.view.study || this.view.study.id !== shown;
    if (study && before !== undefined && study.done !== before) refreshRuns(); // the table of runs says so, too
    return this.all.some(({ going }) => going) ? GOING_MS : RESTING_MS;
  }

  paint() {
    const none = !this.all.length;
    this.find(".none").hidden = !none || !this.known;
    if (none) this.find(".study").hidden = true;
    this.paintChips();
  }

  paintChips() {
    const chips = this.find(".chips"), focused = chips.contains(document.activeElement) ? document.activeElement.dataset.study : null;
    chips.replaceChildren(...this.all.map((study) => {
      const chip = element("button", "study-chip"), { id, title, done, runs, going } = study;
      chip.type = "button";
      chip.dataset.study = id;
      chip.dataset.going = going;
      chip.style.setProperty("--done", runs ? done / runs : 0);
      chip.setAttribute("aria-pressed", id === this.shown);
      chip.append(element("i"), element("span", "", minus(title)), element("b", "", done < runs ? `${done}/${runs}` : `${runs}`));
      chip.title = `${title}: ${done} of ${runs} runs${going ? ", going" : ""}`;
      chip.addEventListener("click", () => this.choose(id));
      return chip;
    }));
    if (focused) chips.querySelector(`[data-study="${CSS.escape(focused)}"]`)?.focus();
    this.find(".hint-right").textContent = this.all.length > 1 ? `${this.all.length} studies` : "";
  }

  // Pauses a study, or goes on with it.
  async rest(study) {
    const { refused } = await act("rest_study", { visitor: session.visitor, study: study.id });
    this.view.tell(refused || "");
    this.look();
  }

  async remove(study) {
    const { runs, refused } = await act("delete_study", { visitor: session.visitor, study: study.id });
    if (refused) { this.view.tell(refused); return; }
    offerUndo(`“${minus(study.title)}” and its ${runs.length} runs are deleted.`, async () => {
      const { refused: why } = await act("restore", { visitor: session.visitor, runs });
      if (why) { say(why); return; }
      refreshRuns();
      this.choose(study.id);
    });
    this.all = this.all.filter(({ id }) => id !== study.id);
    this.choose(this.all[0]?.id ?? null);
    refreshRuns();
  }
}

// What a study will look like, for who has none yet.
function ghost() {
  const rows = [["res", 222, 34, true], ["attn", 168, 22, true], ["mlp", 132, 26, true], ["norm", 98, 30, false], ["pos", 76, 14, false]];
  const marks = [make("line", { class: "zero", x1: 84.5, x2: 84.5, y1: 0, y2: 112 })];
  rows.forEach(([part, x, half, clear], i) => {
    const y = 14 + 21 * i, group = make("g", { class: clear ? "clear" : "unsure" });
    group.dataset.part = part;
    group.append(make("line", { class: "whisker", x1: x - half, x2: x + half, y1: y, y2: y }), make("circle", { class: "mean", cx: x, cy: y, r: 5 }));
    marks.push(group);
  });
  return marks;
}
