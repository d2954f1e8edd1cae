// The card under the chart: findings while a run goes, and what came of it once it has ended. The server judges.

import { ask } from "./ask.js";
import { follow } from "./advice.js";
import { paintFindings, shownFixes } from "./findings.js";
import { Fork } from "./fork.js";
import { bindLive } from "./live.js";
import { followOrigin, origin, valueIn } from "./origin.js";
import { GOING, known, session, show, title } from "./session.js";
import { element, form, on, ready, show as number } from "./state.js";

const LEAST_MS = 3000, GOING_MS = 12000, AWAY_MS = 5000; // what is found follows from checks: to ask more often costs the training
const NAMED = 3; // differences from the run before; more are counted
const NOTHING = { findings: [], changed: [], happened: "", next: [], checkpoints: [], previous: null, parent: null, carried: "", changes: [] };

export async function mount(root) {
  const card = new Card(root);
  await ready;
  bindLive(document.getElementById("live"));
  followOrigin();
  card.begin();
}

class Card {
  constructor(root) {
    this.region = document.getElementById("card");
    this.find = (selector) => root.querySelector(selector);
    this.course = this.find(".course");
    this.fork = new Fork(root);
    this.said = NOTHING;
    this.applied = []; // changes the server does not tell of yet
    this.status = null; // of the run when the server was last asked,
    this.looked = 0; // and when
  }

  begin() {
    on("attached", () => this.clear());
    on("status", (run) => { if (run.status !== this.status) this.look(); });
    on("points", ({ run, fresh }) => {
      if (fresh.evals < run.evals.length && performance.now() - this.looked > LEAST_MS) this.look();
    });
    on("put-away", () => this.paint());
    on("view", () => this.look());
    on("changed", ({ run, words }) => { this.applied.push([run.step, words]); this.paint(); this.look(); });
    on("runs", () => this.paintAgainst());
    document.addEventListener("visibilitychange", () => this.look());
    this.clear();
  }

  clear() {
    Object.assign(this, { said: NOTHING, applied: [], status: null });
    this.fork.forget();
    this.paint();
    this.look();
  }

  // Asks what is to be said of the shown run, and again in a while if it goes.
  async look() {
    clearTimeout(this.timer);
    const run = session.shown;
    if (!run?.status || document.hidden || document.body.dataset.view === "compare") return;
    this.status = run.status;
    this.looked = performance.now();
    const answer = await ask("card", { visitor: session.visitor, run: run.id });
    if (session.shown !== run) return;
    if (answer && !answer.refused && answer.status !== "gone") {
      this.said = { ...NOTHING, ...answer };
      this.applied = this.applied.filter(([step]) => !this.said.changes.some(([at]) => at >= step));
      this.paint();
    }
    if (GOING.includes(run.status) || !answer) {
      clearTimeout(this.timer); // another look may have come between
      this.timer = setTimeout(() => this.look(), answer ? GOING_MS : AWAY_MS);
    }
  }

  paint() {
    const { said } = this, run = session.shown, changes = [...said.changes, ...this.applied];
    const ended = Boolean(run && (said.happened || said.next.length)), way = Boolean(said.parent || said.carried || changes.length);
    const found = paintFindings(this.find(".findings"), run, said.findings);
    const resting = Boolean(run?.status) && !GOING.includes(run.status);
    this.fork.offer(run ? said.checkpoints : []);
    const told = ended || way || (resting && said.checkpoints.length > 0);
    this.course.hidden = !told;
    this.find(".told").hidden = !ended;
    this.region.classList.toggle("gone", !found && !told);
    if (ended) this.paintEnd(said, run);
    this.paintWay(said, changes);
    if (told && !ended && !way) this.find(".origin").textContent = kept(said.checkpoints);
  }

  paintEnd({ changed, happened, next }, run) {
    const more = element("li", "more", `${changed.length - NAMED} more`), fits = changed.length <= NAMED + 1;
    more.title = changed.slice(NAMED).join(", ");
    this.find(".changed ul").replaceChildren(...changed.slice(0, fits ? NAMED + 1 : NAMED).map(tag), ...(fits ? [] : [more]));
    this.find(".happened p").textContent = happened;
    this.paintAgainst();
    const told = shownFixes(), left = next.filter(({ action, fix }) => action !== "train" || !told.includes(JSON.stringify(fix)));
    const list = this.find(".next ul"), key = JSON.stringify([run.id, left]);
    if (list.dataset.key === key) return; // left alone, or the focus would be lost
    list.dataset.key = key;
    list.replaceChildren(...left.map((suggestion) => suggested(suggestion, run)));
    this.find(".next").hidden = !left.length;
  }

  // Which run it is compared with; its name may come after the card, with the list of runs.
  paintAgainst() {
    const row = this.said.previous && known(this.said.previous), box = this.find(".against");
    if (this.find(".told").hidden) return;
    if (row) box.replaceChildren(element("span", "", "against"), link(title(row), row.id));
    else box.textContent = this.said.previous ? "" : "no earlier run to compare with";
  }

  // Where it came from, and what was changed on the way.
  paintWay({ parent, carried }, changes) {
    const from = [], forked = session.shown?.head?.forked_at, row = parent && known(parent.id);
    if (parent) from.push("Forked from ", link(row ? title(row) : parent.name, parent.id), forked == null ? ". " : ` at step ${number(forked)}. `);
    if (carried) from.push(carried);
    this.find(".origin").replaceChildren(...from);
    this.find(".made").replaceChildren(...changes.map(([step, words]) => {
      const made = element("li", "", `${words} `);
      made.append(element("span", "", `from step ${number(step)}`));
      return made;
    }));
  }
}

function kept(steps) {
  const last = number(steps.at(-1)), others = steps.length - 1;
  return `Its weights are kept at step ${last}${others ? ` and at ${others} before` : ""}: a fork can go on from there.`;
}

function suggested(suggestion, run) {
  const item = element("li"), button = element("button");
  Object.assign(button, { type: "button", title: suggestion.words });
  button.dataset.action = suggestion.action;
  button.append(element("b", "", suggestion.label), element("span", "", suggestion.words));
  button.addEventListener("click", async () => {
    button.disabled = true;
    await follow(suggestion, run);
    button.disabled = false;
  });
  item.append(button);
  return item;
}

function link(words, id) {
  const made = element("button", "link", words);
  Object.assign(made, { type: "button", title: words });
  made.addEventListener("click", () => show(id));
  return made;
}

// A difference from the run before, in the colour of its part: that of the option whose short name it holds.
function tag(words) {
  const made = element("li", "", words.replace(/^-(?=\D)/, "−")), bare = words.replace(/^[-+−]\s*/, "");
  const about = Object.entries(form.options).find(([path, { part, short, choices }]) => part
    && (bare.startsWith(short) || short.endsWith(bare) || choices[valueOf(path)]?.[0] === bare));
  made.dataset.part = about?.[1].part || "";
  return made;
}

const valueOf = (path) => (origin() ? valueIn(origin(), path) : null);
