// One thing to try: puts a lesson's experiment into the form, leads to where it is looked at, and says there what to look for.

import { attach } from "./session.js";
import { element, emit, loadStep, on, preset, set } from "./state.js";

const PLACES = { train: "in Train", ablate: "in Ablate", inspect: "in Inspect" };
const NOT_YET = "There is nothing to look into yet: train this step first, above.";

export class Errand {
  // `own` tells the visitor's finished run of the step, or null.
  constructor(card, own) {
    Object.assign(this, { card, own });
    this.button = card.querySelector("button");
    this.button.addEventListener("click", () => this.go());
    this.slip = element("p", "slip");
    this.slip.hidden = true;
    document.getElementById("middle").prepend(this.slip);
    on("view", (view) => { if (view === "learn" || view === "code") this.slip.hidden = true; });
    on("step", () => { this.slip.hidden = true; }); // another step was chosen
  }

  open(lesson) {
    this.lesson = lesson;
    this.card.querySelector("p").textContent = lesson.experiment.look;
    this.button.textContent = `${lesson.experiment.label}, ${PLACES[lesson.experiment.opens]} →`;
    this.card.querySelector(".bad")?.remove();
  }

  go() {
    const { preset: id, experiment } = this.lesson, run = experiment.opens === "inspect" ? this.own() : null;
    this.card.querySelector(".bad")?.remove();
    if (experiment.opens === "inspect" && !run) {
      const refused = element("p", "bad", NOT_YET);
      refused.setAttribute("role", "alert");
      this.card.append(refused);
      return;
    }
    loadStep(id);
    emit("step");
    set(experiment.changes);
    if (run) attach(run);
    emit("open-view", run ? "inspect" : "train");
    this.tell();
    if (experiment.opens === "ablate") emit("open-ablate");
    else window.scrollTo({ top: 0 });
  }

  tell() {
    const { number, preset: id, experiment } = this.lesson, back = element("button", "link", "Back to the lesson");
    const ready = experiment.opens === "train" ? " The settings are in: press Train. " : " ";
    Object.assign(back, { type: "button" });
    back.dataset.lesson = number;
    this.slip.replaceChildren(element("b", "", `${preset(id).title}: ${experiment.label}.`), ready, experiment.look, " ", back);
    this.slip.dataset.opens = experiment.opens;
    this.slip.hidden = false;
  }
}
