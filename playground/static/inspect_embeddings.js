// The vectors of tokens and positions in two dimensions, at the step that is looked at; and what is nearest to one of them.

import { ask } from "./ask.js";
import { SHAPES, Scatter, shade } from "./inspect_scatter.js";
import { glyph } from "./inspect_words.js";
import { session } from "./session.js";
import { element, show } from "./state.js";
import { make } from "./svg.js";

const KINDS = ["vowel", "consonant", "upper case", "digit", "punctuation", "white space", "other letter", "byte"];
const ABOUT = { tokens: "Each token’s vector as a point. Tokens that the model treats alike come to lie together.",
  positions: "Each position’s vector as a point, joined in their order." };
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const AGAIN_MS = 5000;

export class Embeddings {
  constructor(root, steps) {
    Object.assign(this, { root, steps, of: "tokens", seen: false, find: (selector) => root.querySelector(selector) });
    this.scatter = new Scatter(this.find(".plot"), (i, keep) => this.pick(i, keep));
    this.radios = [...root.querySelectorAll("[name=embeddings-of]")];
    for (const radio of this.radios) {
      radio.addEventListener("change", () => { this.of = radio.value; this.forget(); this.want(); });
    }
    this.find(".plot").addEventListener("keydown", (event) => this.press(event));
    steps.listen(() => this.paint());
    const seen = ([{ isIntersecting }]) => { this.seen = isIntersecting; this.want(); };
    new IntersectionObserver(seen, { rootMargin: "150px" }).observe(root);
    let width = 0;
    new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width && Math.abs(contentRect.width - width) > 1) { width = contentRect.width; this.rebuild(); }
    }).observe(this.find(".plot"));
    this.forget();
  }

  forget() {
    Object.assign(this, { frames: new Map(), now: null, points: null, fit: null, key: null, wanted: null });
    Object.assign(this, { chosen: null, kept: false, why: "", lost: [] });
  }

  // The shown run has been looked into: `answer` is of its newest weights, or of a kept step.
  show(answer) {
    if (answer.run !== this.run) this.forget();
    this.run = answer.run;
    this.looked = answer;
    this.want();
  }

  // Asks for what is missing, if the card is seen.
  async want() {
    const { looked } = this;
    if (!this.seen || !looked || document.body.dataset.view !== "inspect") return;
    const key = JSON.stringify([looked.run, this.of, looked.checkpoints]), live = this.steps.live && this.steps.step === null;
    const fresh = live && this.now?.step !== looked.step;
    if (this.wanted || (key === this.key && !fresh)) { this.paint(); return; }
    const mine = this.wanted = {}, newest = key === this.key;
    const answer = await ask("embeddings", { visitor: session.visitor, run: looked.run, of: this.of, live, newest });
    if (mine !== this.wanted) return;
    this.wanted = null;
    if (!answer) { setTimeout(() => this.want(), AGAIN_MS); return; }
    if (answer.status === "gone") return;
    this.take(answer, newest);
    this.key = answer.left || (newest && answer.fit !== this.fit) ? null : key;
    if (!this.key && !answer.refused) this.want();
  }

  take(answer, newest) {
    this.why = answer.refused || answer.none || "";
    if (this.why) { this.paint(); return; }
    if (newest && answer.fit !== this.fit) return; // seen along other axes: all are asked for again
    const before = new Map(this.frames), same = this.points && this.points.names.join() === answer.points.names.join();
    const turned = same ? sameWay(before, answer.frames) : [1, 1];
    if (!newest) this.frames.clear();
    for (const frame of answer.frames) {
      frame.at = frame.at.map(([x, y]) => [x * turned[0], y * turned[1]]);
      if (frame.live) this.now = frame;
      else this.frames.set(frame.step, frame);
    }
    Object.assign(this, { points: answer.points, fit: answer.fit, note: answer.note, lost: answer.lost });
    if (!same) this.chosen = null;
    if (newest && this.scatter.holds(this.now.at)) this.paint(); // the points go on from where they are
    else this.rebuild();
  }

  // The frame of the step that is looked at.
  get frame() {
    if (this.steps.step !== null) return this.frames.get(this.steps.step);
    return (this.steps.live && this.now) || this.frames.get(this.steps.kept.at(-1)) || this.now;
  }

  rebuild() {
    if (!this.points || !this.find(".plot").clientWidth) { this.paint(); return; }
    const path = this.of === "positions", { names, kinds } = this.points;
    const all = [...this.frames.values(), ...(this.now ? [this.now] : [])].map(({ at }) => at);
    this.scatter.build({ names: path ? names : names.map(glyph), kinds, path }, all);
    this.chosen ??= path ? 0 : Math.max(0, kinds.indexOf(0));
    this.paintKey();
    this.paint();
  }

  pick(i, keep) {
    if (this.kept && !keep) return;
    if (keep) this.kept = !(this.kept && this.chosen === i);
    this.chosen = i;
    this.paint();
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.points || this.chosen === null) return;
    const { names } = this.points, way = WAYS[event.key];
    const to = way ? this.scatter.beside(this.chosen, way) : names.indexOf(event.key === "Enter" ? "\n" : event.key);
    if (event.key === "Escape") this.kept = false;
    if (to < 0) return;
    event.preventDefault();
    this.kept = true;
    this.chosen = to;
    this.paint();
  }

  paint() {
    const { frame, why } = this, drawn = !why && frame && this.scatter.points.length;
    this.find(".about").textContent = ABOUT[this.of];
    this.find(".off").hidden = !why;
    this.find(".off").textContent = why || "";
    this.find(".picture").hidden = Boolean(why);
    this.find(".waits").hidden = Boolean(drawn || why);
    this.find(".waits").textContent = this.lost?.includes(this.steps.step ?? this.steps.newest)
      ? "At this step its vectors are no longer numbers: the training diverged." : "Looking …";
    this.root.classList.toggle("waiting", !drawn);
    if (!drawn) return;
    const near = pairs(frame.near[this.chosen]);
    this.scatter.move(frame);
    this.scatter.mark(this.chosen, near.map(([i]) => i));
    this.paintNear(near);
    const share = Math.round(100 * (frame.share[0] + frame.share[1]));
    const stands = frame.live ? ", training" : frame.step ? "" : ", before training";
    this.find(".which").textContent = `step ${show(frame.step)}${stands}`;
    this.find(".shares").textContent = [`The picture shows ${share} % of the variance of these vectors at this step.`,
      `Its axes are the two main directions of step ${show(this.fit)}, the same at every step:`,
      "points move, the picture does not."].join(" ");
    this.find(".note").textContent = [this.note, this.said].filter(Boolean).join(" ");
  }

  paintNear(near) {
    const { names, kinds } = this.points, tokens = this.of === "tokens", name = (i) => (tokens ? glyph(names[i]) : names[i]);
    const kind = (i) => (tokens ? KINDS[kinds[i]] : "");
    this.find(".near h3").replaceChildren(`Nearest to ${tokens ? "" : "position "}`, element("code", "", name(this.chosen)));
    this.find(".near .sub").textContent = kind(this.chosen);
    this.find(".near ol").replaceChildren(...near.map(([i, cosine]) => {
      const row = element("li"), meter = element("i", "meter"), fill = element("i");
      fill.style.width = `${100 * Math.max(0, cosine)}%`;
      meter.append(fill);
      row.append(element("code", "", name(i)), meter, element("span", "share", cosine.toFixed(2).replace("-", "−")));
      row.append(element("span", "kind", kind(i)));
      return row;
    }));
    const nearest = near.map(([i, cosine]) => `${name(i)} ${cosine.toFixed(2)}`).join(", ");
    this.find(".read").textContent = `${kind(this.chosen) || "position"} ${name(this.chosen)}; nearest: ${nearest}`;
  }

  paintKey() {
    const { points, of } = this, items = this.find(".kinds");
    if (of === "tokens") {
      const { never, rarer, all } = points;
      this.said = [never ? `${show(never)} of ${show(all)} tokens never occur in the text and are left out.` : "",
        rarer ? `The ${show(rarer)} rarest are left out, too.` : ""].filter(Boolean).join(" ");
      items.replaceChildren(...[...new Set(points.kinds)].sort().map((kind) => {
        const item = element("span");
        const mark = make("svg", { width: 12, height: 12, viewBox: "-6 -6 12 12", "aria-hidden": "true" });
        mark.append(make("path", { d: SHAPES[kind], class: `kind-${kind}` }));
        item.append(mark, KINDS[kind]);
        return item;
      }));
      return;
    }
    this.said = points.every > 1 ? `Every ${points.every}th of ${show(points.all)} positions.` : "";
    const ramp = element("i", "ramp"), item = element("span");
    ramp.style.background = `linear-gradient(90deg, ${shade(0)}, ${shade(1)})`;
    item.append("1", ramp, points.names.at(-1));
    items.replaceChildren(item);
  }
}

const pairs = (flat) => Array.from({ length: flat.length / 2 }, (_, n) => [flat[2 * n], flat[2 * n + 1]]);

// Along each axis 1, or -1 where the new frames would be the old ones mirrored.
function sameWay(before, frames) {
  const frame = frames.filter(({ step, live }) => !live && before.has(step)).at(-1);
  if (!frame) return [1, 1];
  const old = before.get(frame.step).at;
  return [0, 1].map((axis) => (frame.at.reduce((sum, place, i) => sum + place[axis] * old[i][axis], 0) < 0 ? -1 : 1));
}
