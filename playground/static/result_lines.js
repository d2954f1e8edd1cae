// Runs of a shared result as lines of a chart, and which of them lie over the visitor's own.

import { session } from "./session.js";
import { emit } from "./state.js";

const LOOKS = [["--r-1", "solid"], ["--r-3", "8px,4px"], ["--r-5", "2px,3px"], ["--r-2", "10px,4px,2px,4px"]];

// A line as series.js has it; of a result neither seconds nor operations are known. `alone` is drawn as a shown run is.
export function lineOf(run, place, alone = false) {
  const [colour, dash] = alone ? ["--acc", "solid"] : LOOKS[place % LOOKS.length];
  const { id, name, status, step, steps, losses, marks, values } = run, total = Math.max(step, values("train.steps"));
  const about = { id, name: alone ? "training" : name, status, step, total, labels: [], preset: run.preset?.id, ...textOf(run),
    tokens_per_step: values("train.batch_size") * values("model.block_size") };
  return { run: about, steps, smooth: losses, seconds: steps.map(() => null), marks, colour, dash, strong: alone, ticked: true,
    evals: run.evals.map(([at, loss]) => [at, loss, null]) };
}

// What one token is, as gpt/measure.py says it.
export const tokensOf = (values) => (values("data.tokenizer") === "bpe" ? `bpe ${values("data.vocab_size")}` : values("data.tokenizer"));

// As a row of the list says them; the link knows the first letters of the text's fingerprint.
function textOf({ text: { print, bits }, values }) {
  const { text = "", held_out = "" } = session.shown?.head || {};
  const own = { text: `${print}/${tokensOf(values)}`, held_out: `${print}/${values("data.val_fraction")}` };
  const like = (here, mine) => (print && here.startsWith(print) && here.endsWith(mine.slice(print.length)) ? here : mine);
  return { bits, text: like(text, own.text), held_out: like(held_out, own.held_out) };
}

let guests = [];

export const guestLines = () => guests.map((run, i) => lineOf({ ...run, name: `${run.name} (shared)` }, i));

export function invite(runs) {
  guests = runs;
  emit("guests", runs);
}
