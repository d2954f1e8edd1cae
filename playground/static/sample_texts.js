// The texts of samples, each asked for once: {step, prompt, text}, or null where there is none. Few requests go at a time,
// and what was wanted last comes first, since that is what is looked at.

import { ask } from "./ask.js";
import { session } from "./session.js";

const AT_ONCE = 6, KEPT = 1000;
const texts = new Map(), waiting = [];
let busy = 0;

export function sampleText(run, seq) {
  const key = `${run} ${seq}`;
  if (!texts.has(key)) {
    texts.set(key, new Promise((resolve) => { waiting.push({ key, run, seq, resolve }); }));
    if (texts.size > KEPT) texts.delete(texts.keys().next().value);
    next();
  }
  return texts.get(key);
}

async function next() {
  if (busy >= AT_ONCE || !waiting.length) return;
  const { key, run, seq, resolve } = waiting.pop();
  busy += 1;
  const answer = await ask("writing", { visitor: session.visitor, run, seq });
  busy -= 1;
  if (answer?.text == null) texts.delete(key); // it is asked for again when it is wanted again
  resolve(answer?.text == null ? null : answer);
  next();
}
