// Query, key and value as a market street, to play with: list, signs and goods. A worked example of attention in two
// dimensions, which computes what gpt/model.py does: dot products over the root of D, no look ahead, softmax, a weighted sum.

import { attend } from "./learn_attend.js";
import { math } from "./learn_math.js";
import { Plane } from "./learn_plane.js";
import { element } from "./state.js";

const STALLS = [..."the ca"];
// Of each stall: what it would look for, what its sign says, what it hands over. Learnt, in a model; made up here.
const QUERIES = [[0.4, 0.6], [-0.6, 1.3], [0.3, 1.4], [1.3, -0.4], [1.1, 0.5], [-0.5, 1.8]];
const KEYS = [[-0.9, 1.3], [-1.4, -0.3], [1.3, -0.7], [-0.2, -1.5], [-1.3, 1], [1.6, 0.3]];
const VALUES = [[0.9, 0.5], [1.7, -0.1], [-0.8, 1.3], [0.2, -1.6], [1.3, -1.1], [-1.5, 0.5]];
const LOOKING = { across: "vowel", up: "starts a word" }, SAYING = { across: "a vowel is next", up: "the word ends" };

const sub = (base, low) => ["msub", ["mi", base], ["mi", low]];
const dot = ["mrow", sub("q", "t"), ["mo", "·"], sub("k", "s")], root = ["msqrt", ["mi", "D"]];
const share = ["msub", ["mi", "a"], ["mrow", ["mi", "t"], ["mi", "s"]]];
const sum = ["munder", ["mo", "∑"], ["mrow", ["mi", "s"], ["mo", "≤"], ["mi", "t"]]];

const TERMS = [
  [sub("q", "t"), "query", "Your shopping list. The thick arrow on the left.", "query"],
  [sub("k", "s"), "key", "The sign over a stall: what it can be found by. A thin arrow.", "key"],
  [sub("v", "s"), "value", "The goods of a stall: what you take home. A dot on the right. The sign is not the goods.", "value"],
];
const ACTS = [
  [dot, "The match: how far list and sign point the same way, times how long they are. Opposite ways make it negative."],
  [["mfrac", dot, root], "Divided by the root of D, the number of dimensions, here 2: or matches would grow with D, and the best "
    + "would take all."],
  [share, "Softmax makes shares of them: all above zero, together one bag. A little more match is a much larger share."],
  [["mrow", sub("y", "t"), ["mo", "="], sum, share, sub("v", "s")],
    "Your bag: of each stall’s goods, its share. The diamond lies where the dots pull it."],
];
const COLUMNS = [["stall", null], ["match", dot], ["scaled", ["mfrac", dot, root]], ["share", share], ["goods", sub("v", "s")]];

export class Market {
  constructor(card) {
    this.card = card;
    this.build();
    this.reset();
  }

  reset() {
    const copy = (rows) => rows.map((row) => [...row]);
    Object.assign(this, { at: STALLS.length - 1, queries: copy(QUERIES), keys: copy(KEYS), values: copy(VALUES) });
    this.paint();
  }

  build() {
    const street = element("div", "street"), planes = element("div", "planes"), reset = element("button", "", "As it was");
    street.setAttribute("role", "radiogroup");
    street.setAttribute("aria-label", "Whose turn it is to look");
    this.stalls = STALLS.map((name, s) => {
      const button = element("button", "", seen(name));
      Object.assign(button, { type: "button", title: `stand at stall ${s + 1}` });
      button.setAttribute("role", "radio");
      button.setAttribute("aria-label", `stall ${s + 1}, ${spoken(name)}`);
      button.addEventListener("click", () => { this.at = s; this.paint(); });
      return button;
    });
    street.append(...this.stalls);
    street.addEventListener("keydown", (event) => this.walk(event));
    this.looking = new Plane("Your list and the signs", LOOKING, (what, s, to) => this.move(what, s, to));
    this.saying = new Plane("The goods and your bag", SAYING, (what, s, to) => this.move(what, s, to));
    planes.append(this.looking.box, this.saying.box);
    this.table = element("table");
    const scroll = element("div", "scroll");
    scroll.append(this.table);
    reset.type = "button";
    reset.addEventListener("click", () => this.reset());
    const top = element("h3", "", "A market street");
    top.append(reset);
    planes.append(scroll);
    this.card.replaceChildren(top, ...story(), street, planes, list("doing", ACTS.map(([tree, says]) => [tree, says])));
  }

  walk(event) {
    const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!move) return;
    this.at = (this.at + move + STALLS.length) % STALLS.length;
    this.paint();
    this.stalls[this.at].focus();
    event.preventDefault();
  }

  move(what, s, to) {
    ({ query: this.queries, key: this.keys, value: this.values })[what][s] = to;
    this.paint();
  }

  paint() {
    const { at, queries, keys, values } = this, { matches, scores, shares, mixture } = attend(queries[at], keys, values, at);
    this.stalls.forEach((button, s) => {
      button.setAttribute("aria-checked", s === at);
      button.tabIndex = s === at ? 0 : -1;
      button.classList.toggle("shut", s > at);
    });
    const open = STALLS.map((name, s) => ({ name: seen(name), spoken: spoken(name), s, shut: s > at, share: shares[s] }));
    this.looking.draw([...open.map((stall) => ({ ...stall, what: "key", to: keys[stall.s] })),
      { name: "list", spoken: `the one who looks, ${spoken(STALLS[at])}`, s: at, what: "query", to: queries[at] }]);
    this.saying.draw([...open.map((stall) => ({ ...stall, what: "value", to: values[stall.s] })),
      { what: "mixture", name: "bag", to: mixture }]);
    this.paintTable(open, matches, scores, mixture);
  }

  paintTable(open, matches, scores, mixture) {
    const [head, foot, top, body, bottom] = ["tr", "tr", "thead", "tbody", "tfoot"].map((tag) => element(tag));
    for (const [words, tree] of COLUMNS) {
      const cell = element("th", "", words);
      cell.scope = "col";
      if (tree) cell.append(" ", math(["math", tree]));
      head.append(cell);
    }
    for (const { name, s, shut, share: part } of open) {
      const row = element("tr", shut ? "shut" : ""), bar = element("i"), cell = element("td", "shares");
      row.append(element("th", "", name));
      row.firstChild.scope = "row";
      if (shut) {
        const closed = element("td", "", "not open yet");
        closed.colSpan = 4;
        row.append(closed);
      } else {
        bar.style.width = `${100 * part}%`;
        cell.append(bar, element("span", "", `${Math.round(100 * part)} %`));
        const [match, score, goods] = [fixed(matches[s]), fixed(scores[s]), pair(this.values[s])].map((said) => element("td", "", said));
        row.append(match, score, cell, goods);
      }
      body.append(row);
    }
    const name = element("th", "", "bag");
    name.scope = "row";
    foot.append(name, element("td"), element("td"), element("td", "shares", "100 %"), element("td", "", pair(mixture)));
    top.append(head);
    bottom.append(foot);
    this.table.replaceChildren(top, body, bottom);
  }
}

const fixed = (number) => number.toFixed(2).replace("-", "−");
const pair = ([a, b]) => `(${a.toFixed(1)}, ${b.toFixed(1)})`.replaceAll("-", "−");
const seen = (name) => (name === " " ? "␣" : name);
const spoken = (name) => (name === " " ? "the space" : `the ${name}`);

function story() {
  const first = element("p", "", "Every character keeps a stall. You stand at one with a list, compare it with the signs of all stalls "
    + "up to your own, and fill a bag with their goods: the better a sign fits, the more of those goods. Stalls further on have not "
    + "opened yet: that is the mask.");
  return [first, list("terms", TERMS.map(([tree, name, says, kind]) => [tree, says, name, kind])),
    element("p", "do", "Choose a stall, and drag the arrows and dots, or move them with the arrow keys.")];
}

function list(classes, rows) {
  const made = element("dl", classes);
  for (const [tree, says, name, kind] of rows) {
    const term = element("dt", kind || ""), description = element("dd");
    term.append(math(["math", tree]));
    if (name) description.append(element("b", "", `${name}. `));
    description.append(says);
    made.append(term, description);
  }
  return made;
}
