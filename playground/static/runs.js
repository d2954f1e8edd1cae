// The chart's tools and the list of this visitor's runs.

import { ask } from "./ask.js";
import { element, on } from "./state.js";
import { known, session, show, title } from "./session.js";
import { measured } from "./series.js";
import { bindShare } from "./share.js";

const LISTED = 16;

export function bindRuns(root, chart) {
  const { view } = chart;
  for (const [name, chosen] of [["x-axis", view.unit], ["of", view.of], ["measure", view.measure]]) {
    root.querySelector(`input[name=${name}][value=${chosen}]`).checked = true;
  }
  root.querySelector("#log-x").checked = view.logX;
  root.querySelector("#log-y").checked = view.logY;
  const smoothing = root.querySelector("#smoothing");
  const share = () => smoothing.style.setProperty("--share", `${smoothing.value}%`);
  smoothing.value = view.smoothing;
  share();
  root.addEventListener("input", ({ target }) => {
    if (target.name === "x-axis") chart.set({ unit: target.value });
    else if (target.name === "of") chart.set({ of: target.value });
    else if (target.name === "measure") chart.set({ measure: target.value });
    else if (target.id === "log-x") chart.set({ logX: target.checked });
    else if (target.id === "log-y") chart.set({ logY: target.checked });
    else if (target === smoothing) { share(); chart.set({ smoothing: Number(target.value) }); }
  });
  root.querySelector("#csv").addEventListener("click", saveTable);
  root.querySelector("#png").addEventListener("click", () => savePicture(chart));
  bindShare(root.querySelector("#share"), () => (session.shown ? [session.shown.id] : []));
  const list = root.querySelector("#runs");
  on("attached", (run) => { root.querySelector("#csv").disabled = root.querySelector("#share").disabled = !run; });
  const paint = () => paintRuns(list, chart.bits);
  for (const event of ["runs", "attached", "head", "unit"]) on(event, paint);
  on("points", ({ run, fresh }) => { if (fresh.evals < run.evals.length) paint(); });
}

// Without those of studies, which would leave no room for others; with the shown one, however old.
function newest() {
  const runs = session.runs.filter((run) => !run.study).slice(0, LISTED), here = session.shown && known(session.shown.id);
  return here && !runs.includes(here) ? [...runs.slice(0, LISTED - 1), here] : runs;
}

// With their losses in the chart's unit.
function paintRuns(list, bits) {
  list.replaceChildren(...newest().map((run) => {
    const chip = element("button", "chip"), here = run.id === session.shown?.id;
    // The list is asked for less often than the run; but the last loss, over all held-out text, comes with it.
    const latest = here && run.status !== "finished" ? session.shown.evals.at(-1)?.[1] : null;
    const [loss] = measured([latest ?? run.val], run, bits);
    chip.type = "button";
    chip.dataset.run = run.id;
    chip.dataset.part = run.colour;
    chip.setAttribute("aria-pressed", here);
    chip.title = `${title(run)}: ${run.status}, ${run.step} steps, ${bits ? "bits a character" : "nats a token"}`;
    chip.append(element("span", "", title(run)), element("b", "", loss == null ? run.status : loss.toFixed(2)));
    chip.addEventListener("click", () => show(run.id));
    return chip;
  }));
}

function fileName(ending) {
  const name = session.shown?.head ? title(session.shown.head) : "loss";
  return `${name.replace(/[^\w.+-]+/g, "-")}.${ending}`;
}

async function saveTable() {
  if (!session.shown) return;
  const answer = await ask("table", { visitor: session.visitor, run: session.shown.id });
  if (answer?.csv) download(fileName("csv"), URL.createObjectURL(new Blob([answer.csv], { type: "text/csv" })));
}

// On the page's own paper, at twice the size.
async function savePicture(chart) {
  chart.rebuild(); // with what has come since it was drawn
  const { plot } = chart, { width, height } = plot._fullLayout;
  const paper = chart.colour("--card"), unit = { xref: "paper", x: 0, yref: "paper", y: 1, xanchor: "left", yanchor: "bottom",
    yshift: 6, xshift: -40, showarrow: false, text: `${chart.view.of} loss, ${chart.seen.bits ? "bits a character" : "nats a token"}`,
    font: { size: 12, color: chart.colour("--mut") } };
  const layout = { ...plot.layout, annotations: [unit, ...plot.layout.annotations], paper_bgcolor: paper, plot_bgcolor: paper };
  const picture = await Plotly.toImage({ data: plot.data, layout }, { format: "png", width, height, scale: 2 });
  download(fileName("png"), picture);
}

export function download(name, address) {
  const link = element("a");
  Object.assign(link, { href: address, download: name });
  link.click();
  if (address.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(address), 1000);
}
