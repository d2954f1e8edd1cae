// A result that came with the address, over the page, until it is closed or its settings are taken. Nothing of it is the
// visitor's: their runs and their form stay as they are. All its words are set as text.

import { bring } from "./motion.js";
import { swatch } from "./overlay.js";
import { ResultChart } from "./result_chart.js";
import { guestLines, invite } from "./result_lines.js";
import { cautions, table, wrote } from "./result_table.js";
import { readResult } from "./result_text.js";
import { element, emit, on, value } from "./state.js";
import { minus } from "./study_words.js";

const TOLD = 4; // sentences on what was left out; more are counted
const LOADING = "Loading settings starts nothing: press Train when you want to.";

let arrive;
const there = new Promise((resolve) => { arrive = resolve; });

export function mount(root, { props }) { arrive(new Result(root.querySelector("dialog"), props)); }

let asked = 0; // an address may change while the one before is read

// Shows what `link` says; `about` has `load(settings)`, for they are to go into the form, and `closed()`.
export async function openResult(link, about) {
  const mine = ++asked, [result, found] = await Promise.all([there, readResult(link.result)]);
  if (mine === asked) result.open(link, found, about);
}

export async function closeResult() {
  asked += 1;
  (await there).dismiss();
}

class Result {
  constructor(dialog, props) {
    Object.assign(this, { dialog, runs: [], about: null });
    this.find = (selector) => dialog.querySelector(selector);
    this.chart = new ResultChart(this.find(".chart"), props);
    for (const button of [this.find(".close"), this.find("#result-close")]) button.addEventListener("click", () => this.close());
    dialog.addEventListener("click", ({ target }) => { if (target === dialog) this.close(); }); // beside it
    dialog.addEventListener("close", () => { if (!dialog.open) this.close(); }); // also by Escape
    this.find("#result-load").addEventListener("click", () => this.load(this.runs[0]));
    this.find("#result-over").addEventListener("click", () => this.layOver());
    on("guests", paintGuests);
  }

  open(link, { runs = [], wrong = [], broken = "" }, about) {
    const lost = [...wrong, ...link.wrong], more = lost.length - TOLD, several = runs.length > 1;
    const title = broken ? "This result cannot be shown" : several ? `${runs.length} runs` : minus(runs[0].name);
    Object.assign(this, { runs, about });
    this.find("#result-title").textContent = title;
    this.dialog.classList.toggle("broken", Boolean(broken));
    this.dialog.classList.toggle("several", several);
    tell(this.find(".asked"), link.ask);
    tell(this.find(".lost"), broken || [...lost.slice(0, TOLD), more > 0 ? `And ${more} more.` : ""].join(" ").trim());
    tell(this.find(".then"), runs.some(({ preset }) => preset) ? LOADING : "");
    for (const part of [".told", ".apart", "#result-over"]) this.find(part).hidden = Boolean(broken);
    this.find("#result-load").hidden = several || !runs[0]?.preset;
    if (!broken) this.paint();
    if (!this.dialog.open) this.dialog.showModal();
    this.find(".body").scrollTop = 0;
    this.find("#result-title").focus();
    this.chart.show(runs); // which needs the room it has by now
  }

  paint() {
    const { runs } = this, said = cautions(runs);
    this.find(".compared").replaceChildren(table(runs, (run) => this.load(run)));
    this.find(".cautions").replaceChildren(...said.map((words) => element("li", "", words)));
    this.find(".cautions").hidden = !said.length;
    this.find(".wrote h3").textContent = runs.length > 1 ? "What they wrote" : "What it wrote";
    this.find(".columns").style.setProperty("--columns", runs.length);
    this.find(".columns").replaceChildren(...runs.map((run, i) => wrote(run, i, runs.length > 1)));
  }

  close() {
    const { about } = this;
    this.dismiss();
    about?.closed();
  }

  // Closes it for something else that the address says by now.
  dismiss() {
    this.about = null;
    this.dialog.close();
  }

  load(run) {
    const { about } = this, changes = { ...run.changes };
    this.dismiss();
    if (run.own) for (const path of ["data.dataset", "data.text"]) changes[path] = value(path);
    about.load({ preset: run.preset.id, changes });
    emit("open-view", "train");
    document.getElementById("train").focus();
  }

  layOver() {
    this.close();
    invite(this.runs);
    bring(document.getElementById("desk"));
  }
}

function tell(box, words) {
  box.textContent = words;
  box.hidden = !words;
}

// Says over the chart whose curves these are, and takes them off.
function paintGuests(runs) {
  const strip = document.getElementById("guests") || element("p"), off = element("button", "", "Take off");
  strip.id = "guests";
  document.getElementById("chart-root").before(strip);
  off.type = "button";
  off.addEventListener("click", () => invite([]));
  const words = `${runs.length > 1 ? `${runs.length} curves` : "A curve"} of a shared result, not trained here.`;
  strip.replaceChildren(...guestLines().map(swatch), element("span", "", words), off);
  strip.hidden = !runs.length;
}
