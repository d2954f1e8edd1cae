// What came of a step, beside the guess, the step before and what was published: on one scale, and in words.

import { element } from "./state.js";

const TICKS = [-3, -2, -1, -0.4, -0.2, 0, 0.2, 0.4];
const MINE = "your run", OURS = "measured for this project";

const amount = (number) => Math.abs(number).toFixed(2);

// "a fall of 0.17"; what is too small to tell apart is no change.
const change = (number, same) => (small(number, same) ? "no change" : `a ${number < 0 ? "fall" : "rise"} of ${amount(number)}`);
const small = (number, same) => Math.abs(number) < same;

// The scale [low, high] with marks on it: of a guess alone, or with all that came.
export function scale([low, high], answer, guess) {
  const place = (number) => `${(100 * (Math.min(Math.max(number, low), high) - low)) / (high - low)}%`;
  const rows = [];
  if (answer) {
    const { published, change: came } = answer;
    rows.push(row("On held-out text, at the end", [
      guess != null && { at: place(guess), kind: "guess", words: `you guessed ${signed(guess)}` },
      { at: place(came), kind: "came", words: `it came to ${signed(came)}`, low: true, from: place(0) },
    ], place), row("In training, along the way", [
      { at: place(published.change), kind: "source", words: `published ${signed(published.change)}`,
        spread: [place(published.change - published.give), place(published.change + published.give)] },
      published.ours != null && { at: place(published.ours), kind: "ours", words: `here ${signed(published.ours)}`, low: true },
    ], place));
    rows.forEach((made) => made.append(line("nought", place(0))));
  }
  const ticks = element("div", "degrees");
  for (const tick of TICKS.filter((tick) => tick >= low && tick <= high && (high - low < 1 || Number.isInteger(tick)))) {
    const made = element("span", "", tick ? signed(tick, 1) : "0");
    made.style.left = place(tick);
    ticks.append(made);
  }
  const ends = element("div", "sides");
  ends.append(element("span", "", "← the loss falls: better"), element("span", "", "it rises: worse →"));
  return [...rows, ticks, ends];
}

const signed = (number, digits = 2) => {
  const size = Math.abs(number).toFixed(digits), sign = number < 0 ? "−" : "+";
  return Number(size) ? `${sign}${size}` : size;
};

function row(name, marks) {
  const made = element("div", "strand"), told = marks.filter(Boolean);
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", `${name}: ${told.map(({ words }) => words).join(", ")}`);
  made.append(element("b", "", name));
  for (const { at, kind, words, low, spread } of told) {
    if (spread) {
      const bar = element("s");
      Object.assign(bar.style, { left: spread[0], right: `calc(100% - ${spread[1]})` });
      made.append(bar);
    }
    const mark = element("i", kind), label = element("span", low ? "low" : "", words), share = parseFloat(at);
    mark.style.left = label.style.left = at;
    label.style.transform = `translateX(${-share}%)`; // within the scale at either end
    made.append(mark, label);
  }
  return made;
}

function line(kind, at) {
  const made = element("u", kind);
  made.style.left = at;
  return made;
}

export function headline({ change: came, same }) {
  if (small(came, same)) return `The loss is about where it was: ${signed(came)}.`;
  return `The loss ${came < 0 ? "fell" : "rose"} by ${amount(came)}.`;
}

// The same in words. `aside` is said where it is not the visitor's own run that is told of.
export function told(answer, aside) {
  const { here, before, below, title, change: came, same, guess, published, text, unit, because, usual } = answer, found = [];
  if (aside) found.push(element("p", "aside", aside));
  const list = element("dl");
  const guessing = below ? null : "every character as likely as any other";
  list.append(...figure(below ?? "Guessing", before, guessing), ...figure(title, here));
  found.push(list);
  if (guess) found.push(element("p", "tally", verdict(guess, came, same)));
  const otherwise = `Where this was measured, it came out otherwise, with ${change(usual, same)}. This is about that:`;
  if (usual != null) found.push(element("p", "aside", otherwise));
  found.push(element("p", "", because), element("p", "fine", beside(published, below, same, here, before)),
    element("p", "fine", `Losses in nats a ${unit}, on ${text}. A difference of less than ${same} could be chance.`));
  return found;
}

function figure(name, { validation, run }, source = null) {
  const says = element("dd");
  says.append(element("b", "mono", validation.toFixed(3)), ` ${source ?? (run ? MINE : OURS)}`);
  return [element("dt", "", name), says];
}

function verdict({ change: guessed, off, right }, came, same) {
  const said = `You guessed ${change(guessed, same)}`;
  if (!right && small(came, same)) return `${said}: it did not move.`;
  if (!right) return `${said}: ${small(guessed, same) ? "it moved" : "it went the other way"}.`;
  if (small(off, same)) return `${said}: spot on.`;
  const far = Math.abs(guessed) > Math.abs(came);
  return `${said}: the right way, ${far ? `${amount(off)} too much` : `${amount(off)} too little`}.`;
}

function beside({ here, before, change: moved, ours, give, count }, below, same, run, earlier) {
  const from = below ? `${before.toFixed(2)} to ${here.toFixed(2)}` : `${here.toFixed(2)}`;
  const mine = run.run || earlier.run ? "yours" : "this project’s";
  const same_way = ours == null ? "" : ` Taken in the same way, ${mine} show ${change(ours, same)}.`;
  return `Published training losses, single batches at ${count} steps of tiny Shakespeare, went from ${from} on average: `
    + `${change(moved, same)}, give or take ${give.toFixed(2)}.${same_way}`;
}
