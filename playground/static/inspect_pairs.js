// Two questions side by side: a part taken out of the trained model, and a run that was trained without it. Losses, and texts.

import { AWAY, act, ask } from "./ask.js";
import { signed } from "./inspect_words.js";
import { GOING, refreshRuns, session, show as showRun, title } from "./session.js";
import { element, on, show, value } from "./state.js";

const SOON_MS = 300;
const SAMPLING = ["temperature", "top_k", "top_p"];

export class Pairs {
  // `asked()` says which weights; `mark(part)` is told whose texts are read.
  constructor(root, asked, mark) {
    Object.assign(this, { root, asked, mark, find: (selector) => root.querySelector(selector) });
    this.forget();
    this.find(".pairs").addEventListener("click", ({ target }) => this.press(target.closest("button")));
    on("runs", ({ fresh }) => { if (fresh.length) this.soon(); });
    on("view", () => this.soon());
  }

  forget() {
    Object.assign(this, { known: null, told: null, reading: null });
    this.find(".texts").hidden = true;
    this.find(".pairs-bad").hidden = true;
  }

  show(known, worst) {
    Object.assign(this, { known, worst });
    this.find(".two").hidden = !known.length;
    if (!known.length) return;
    const first = known.filter(({ layer }) => layer === null).concat(known).reduce((a, b) => (b.change > a.change ? b : a));
    this.read([first.kind, first.layer, first.head], first.name);
    this.look();
  }

  soon() {
    clearTimeout(this.timer);
    if (this.known?.length && document.body.dataset.view === "inspect") this.timer = setTimeout(() => this.look(), SOON_MS);
  }

  async look() {
    const { known } = this;
    const answer = await ask("pairs", { visitor: session.visitor, run: this.asked().run });
    if (known !== this.known || !answer || answer.status === "gone") return;
    this.refuse(answer.refused);
    if (answer.refused) return;
    const before = JSON.stringify(this.told), ended = this.pairOf(this.reading?.part)?.status;
    this.told = answer;
    if (JSON.stringify(answer) === before) return;
    this.paint();
    if (this.reading && this.pairOf(this.reading.part)?.status !== ended) this.readOther();
  }

  refuse(words) {
    this.find(".pairs-bad").textContent = words || "";
    this.find(".pairs-bad").hidden = !words;
  }

  // Parts of one kind that were taken out: all layers at once, or one layer or head after the other.
  outOf(part) {
    const whole = this.known.filter(({ kind, layer }) => kind === part && layer === null);
    return whole.length ? whole : this.known.filter(({ kind }) => kind === part);
  }

  paint() {
    const { rows, note } = this.told, header = element("tr");
    for (const words of ["part", "taken out of the trained model", "trained without it"]) {
      const made = element("th", "", words);
      made.scope = "col";
      header.append(made);
    }
    this.find(".pairs table").replaceChildren(header, ...rows.map((row) => this.row(row)));
    this.find(".pairs-note").textContent = [
      "Nats a token. On the left the weights of this step, on the passages named below;",
      "on the right final losses over the whole held-out text, one run each: Ablate trains several and gives intervals.", note,
    ].join(" ");
  }

  row(row) {
    const made = element("tr"), name = element("th", "", row.name), out = element("td", "out"), other = element("td", "other");
    name.scope = "row";
    const found = this.outOf(row.part), changes = found.map(({ change }) => change);
    if (found.length) {
      const [low, high] = [Math.min(...changes), Math.max(...changes)], worst = found[changes.indexOf(high)];
      const pressed = button("number", "read", found.length > 1 ? `${signed(low)} to ${signed(high)}` : signed(high));
      Object.assign(pressed.dataset, { of: JSON.stringify([worst.kind, worst.layer, worst.head]), name: worst.name });
      pressed.setAttribute("aria-label", `taken out: ${pressed.textContent}. Read what it writes without ${worst.name}`);
      const about = found.length > 1 ? `most: ${worst.name}` : worst.spread == null ? "" : `± ${worst.spread.toFixed(2)}`;
      out.append(pressed, bar(high / this.worst, row.part), element("small", "", about));
    } else out.append(element("small", "", "not measured: this model is large"));
    other.append(...this.without(row));
    if (row.why) other.append(element("small", "", row.why));
    made.append(name, out, other);
    return made;
  }

  // The number of the run without a part, or how to come by it.
  without({ part, name, changes, run }) {
    if (!run) {
      if (!Object.keys(changes).length || !this.told.trains) return [];
      const pressed = button("strong", "train", toTrain(changes));
      pressed.dataset.part = part;
      pressed.setAttribute("aria-label", `${toTrain(changes)}: ${name}`);
      const { seconds } = this.told;
      return [pressed, element("small", "", seconds >= 1 ? `about ${show(Math.round(seconds))} s, as this run took` : "")];
    }
    const called = title(run), link = button("link", "show", called);
    link.dataset.run = run.id;
    link.setAttribute("aria-label", `Look into ${called}`);
    const besides = run.others.length ? [element("small", "", `also differs: ${run.others.join(", ")}`)] : [];
    if (GOING.includes(run.status)) {
      const stands = run.status === "queued" ? "waits to be trained" : `training: step ${show(run.step)} of ${show(run.total)}`;
      return [element("span", "number", stands), link, ...besides];
    }
    if (run.loss === null) return [element("span", "number", "its training diverged"), link, ...besides];
    if (this.told.loss === null) {
      const waits = element("small", "", "the difference is told once this run has finished");
      return [element("span", "number", run.loss.toFixed(2)), link, waits, ...besides];
    }
    const change = run.loss - this.told.loss;
    return [element("span", "number", signed(change)), bar(change / this.worst, part), link, ...besides];
  }

  press(pressed) {
    if (!pressed) return;
    if (pressed.dataset.does === "read") this.read(JSON.parse(pressed.dataset.of), pressed.dataset.name);
    if (pressed.dataset.does === "show") showRun(pressed.dataset.run);
    if (pressed.dataset.does === "train") this.train(pressed);
  }

  // The run's own options but for the part; it is not turned to: its number comes into the table.
  async train(pressed) {
    pressed.disabled = true;
    const { changes } = this.told.rows.find(({ part }) => part === pressed.dataset.part), { run } = this.asked();
    const own = await ask("settings", { visitor: session.visitor, run });
    const form = own?.preset && { visitor: session.visitor, preset: own.preset, changes: { ...own.changes, ...changes } };
    const answer = form ? await act("train", form) : { refused: AWAY };
    if (!pressed.isConnected) return;
    pressed.disabled = false;
    this.refuse(answer.refused);
    if (answer.refused) return;
    await refreshRuns();
    this.look();
  }

  // Texts ------------------------------------------------------------------------------------------------------------

  // The run that was trained without a part, as far as it has come.
  pairOf(part) { return part && this.told?.rows.find((row) => row.part === part[0])?.run; }

  async read(part, name) {
    const mine = this.reading = { part, name };
    this.mark(part);
    this.find(".texts").hidden = false;
    this.find(".texts h3").replaceChildren("What it writes without ", element("b", "", name));
    const wanted = [["The whole model", "whole"], [`Without ${name}`, "out"], ["Trained without it", "other"]];
    const figures = wanted.map(([words, kind]) => {
      const figure = element("figure", kind), text = element("pre", "waits", "…");
      text.tabIndex = 0;
      text.setAttribute("aria-label", words);
      figure.append(element("figcaption", "", words), text);
      figure.hidden = kind === "other";
      return figure;
    });
    this.find(".texts .beside").replaceChildren(...figures);
    this.find(".texts .facts").textContent = "";
    const whole = await this.text(this.asked()), out = mine === this.reading && await this.text({ ...this.asked(), part });
    if (mine !== this.reading) return;
    mine.whole = whole;
    fill(figures[0], whole, null);
    fill(figures[1], out, whole);
    const prompt = whole.prompt ? `after “${whole.prompt}”` : "from a new line";
    const facts = `The same draw from each, ${prompt}; what is still the same as the whole model’s text is pale.`;
    this.find(".texts .facts").textContent = whole.refused ? "" : facts;
    this.readOther();
  }

  async readOther() {
    const mine = this.reading, pair = this.pairOf(mine.part), figure = this.find(".texts .other");
    figure.hidden = !pair || pair.status !== "finished";
    if (figure.hidden || !mine.whole) return;
    const told = await this.text({ run: pair.id });
    if (mine !== this.reading) return;
    figure.firstChild.textContent = `Trained without: ${title(pair)}`;
    fill(figure, told, mine.whole);
  }

  async text(asked) {
    const drawn = Object.fromEntries(SAMPLING.map((name) => [name, value(`sample.${name}`)]));
    return (await ask("writes", { visitor: session.visitor, ...asked, ...drawn })) || { refused: AWAY };
  }
}

// Of layers and heads there are fewer then, not none.
function toTrain(changes) {
  const layers = changes["model.n_layer"], heads = changes["model.n_head"];
  if (layers) return `Train with ${layers} ${layers > 1 ? "layers" : "layer"}`;
  return heads ? `Train with ${heads} ${heads > 1 ? "heads" : "head"}` : "Train without it";
}

function button(classes, does, words) {
  const made = element("button", classes, words);
  made.type = "button";
  made.dataset.does = does;
  return made;
}

function bar(share, part) {
  const made = element("i", "bar"), fill = element("i");
  made.dataset.part = { layer: "io", head: "attn", position: "pos" }[part] || part;
  fill.style.width = `${100 * Math.max(0, Math.min(1, share))}%`;
  made.append(fill);
  return made;
}

// Model text is text, never markup.
function fill(figure, told, whole) {
  const box = figure.querySelector("pre"), text = told.refused || told.text || "";
  let same = 0;
  while (whole?.text && same < text.length && text[same] === whole.text[same]) same += 1;
  box.classList.toggle("bad", Boolean(told.refused));
  box.classList.remove("waits");
  box.replaceChildren(element("span", "same", text.slice(0, same)), text.slice(same));
}
