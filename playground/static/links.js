// The address and the form say the same: a link opens the form, and the form's changes stand in the address. A teacher's
// link also holds options where they are, hides groups of them, and asks a question above the chart. A link of a result
// leaves the form alone: while what it shows is open, the address stays the link's.

import { copy } from "./copy.js";
import { openLesson } from "./learn.js";
import { read, write, writeResult } from "./link_text.js";
import { closeResult, openResult } from "./result.js";
import { differences, element, emit, form, load, on, ready } from "./state.js";
import { make } from "./svg.js";
import { offerUndo, say } from "./toast.js";

const QUIET_MS = 300; // without a change before the address follows: browsers allow few changes a second
const TOLD = 4; // sentences on what was left out; more are counted
const COPIED_MS = 1800;
const HUB = "https://huggingface.co";
const LOCK = "M4.5 7V5.3a3.5 3.5 0 0 1 7 0V7M3.6 7h8.8v6H3.6Z";

const NOBODY = { lock: "", hide: "", ask: "", lesson: "" };
let teacher = NOBODY, written = "", seen = "", timer = null, shared = false, space = "";

export function bindLinks(root, named) {
  space = named;
  const button = root.querySelector("#copy-link"), note = root.querySelector("#linked");
  ready.then(() => {
    on("form", () => { hold(); clearTimeout(timer); timer = setTimeout(follow, QUIET_MS); });
    on("lesson", (number) => { teacher = { ...teacher, lesson: number ? String(number) : "" }; follow(); });
    open(note);
    window.addEventListener("hashchange", () => { if (location.hash.slice(1) !== written) open(note); });
  });
  button.addEventListener("click", () => copyLink(button));
}

function open(note) {
  const hash = seen = location.hash.slice(1), link = hash ? read(hash) : read(location.search.slice(1), false);
  shared = Boolean(link.result);
  if (!shared) { closeResult(); apply(link, note); return; }
  if (link.says) link.wrong.push("Settings beside a result are left out: it has its own.");
  const load = (settings) => { shared = false; apply({ ...link, ...settings, says: true, wrong: [] }, note); };
  openResult(link, { load, closed: () => { shared = false; follow(); } });
}

// The form as the address says, if it says anything; it goes before the form that was remembered.
function apply(link, note) {
  const before = { preset: form.preset.id, changes: { ...form.changes } };
  const asked = Boolean(link.says || link.lock || link.hide || link.ask || link.lesson || link.wrong.length);
  form.locked.clear();
  teacher = asked ? { lock: link.lock, hide: link.hide, ask: link.ask, lesson: link.lesson } : NOBODY;
  const has = () => JSON.stringify([form.preset.id, Object.entries(form.changes).sort()]);
  const was = has();
  if (link.says) load(link.preset || form.presets[0].id, link.changes);
  if (link.says && was !== has() && Object.keys(before.changes).length && !link.locked.length) {
    offerUndo("These settings came with the link.", () => load(before.preset, before.changes));
  }
  form.locked = new Set(link.locked);
  tell(note, link.wrong);
  hide(link.hidden);
  pose(teacher.ask);
  hold();
  emit("held");
  if (link.lesson) openLesson(Number(link.lesson));
  else if (link.says && document.body.dataset.view === "learn") emit("open-view", "train"); // whose form a lesson hides
}

// What was wrong with the link, until it is put away.
function tell(note, wrong) {
  const told = wrong.slice(0, TOLD), more = wrong.length - told.length;
  const close = element("button", "", "Close");
  close.type = "button";
  close.addEventListener("click", () => { note.hidden = true; });
  note.replaceChildren(element("b", "", "Not all of the link could be read."),
    element("span", "", ` ${told.join(" ")}${more ? ` And ${more} more.` : ""} The rest is as it says.`), close);
  note.hidden = !wrong.length;
}

// The address ---------------------------------------------------------------------------------------------------------

// A form as it came with the page needs no words.
function follow() {
  if (shared || location.hash.slice(1) !== seen) return; // another link has come, and is about to be opened
  const text = write(teacher), plain = !Object.keys(form.changes).length && form.preset === form.presets[0];
  written = plain && !Object.values(teacher).some(Boolean) ? "" : text;
  if (written === location.hash.slice(1)) return;
  try {
    history.replaceState(history.state, "", `${location.pathname}${search()}${written ? `#${written}` : ""}`);
    if (framed() && ancestor() === HUB) window.parent.postMessage({ hash: written ? `#${written}` : "" }, HUB);
    seen = location.hash.slice(1);
  } catch { /* a browser that counts such changes: the next one brings it up to date */ }
}

// What of the query is not ours: the address says it now.
function search() {
  const left = new URLSearchParams(location.search);
  for (const key of [...left.keys()]) if (Object.hasOwn(form.options, key) || Object.hasOwn(teacher, key) || key === "preset") left.delete(key);
  return left.size ? `?${left}` : "";
}

const framed = () => window.parent !== window;

function ancestor() {
  try { return new URL(document.referrer).origin; } catch { return ""; }
}

// In a Space's frame the page around it is what people open.
function address(text) {
  const around = framed() && ancestor() === HUB && /^[\w.-]+\/[\w.-]+$/.test(space || "");
  return `${around ? `${HUB}/spaces/${space}` : `${location.origin}${location.pathname}`}#${text}`;
}

// The address of a result, `result=1.…` as the server wrote it; a teacher's wishes go with it.
export const resultAddress = (result) => address(writeResult(result, teacher));

async function copyLink(button) {
  const label = button.querySelector("span"), done = await copy(address(write(teacher)));
  follow();
  if (!done) { say("The browser does not let this page copy: the address of the page is the same link."); return; }
  label.textContent = "Copied";
  button.classList.add("done");
  setTimeout(() => { label.textContent = "Copy link"; button.classList.remove("done"); }, COPIED_MS);
  if (form.changes["data.text"]) say("Copied. Your own text does not travel with the link: it opens only where that text has been imported.");
}

// What a teacher's link does --------------------------------------------------------------------------------------------

function hide(groups) {
  for (const group of document.querySelectorAll("#settings .group")) group.classList.toggle("gone", groups.includes(group.dataset.group));
}

function pose(question) {
  let box = document.getElementById("question");
  if (!box && !question) return;
  if (!box) {
    box = element("p");
    box.id = "question";
    document.querySelector("#chart-root").parentElement.prepend(box);
  }
  box.textContent = question;
  box.hidden = !question;
}

// Shows which options are held; after the form has painted them.
export function hold() {
  for (const row of document.querySelectorAll(".option[data-path]")) {
    const held = form.locked.has(row.dataset.path);
    if (!held && !row.classList.contains("held")) continue;
    row.classList.toggle("held", held);
    for (const control of row.querySelectorAll("input, select, textarea")) control.disabled = held;
    const name = row.querySelector(".name"), reset = row.querySelector(".reset");
    if (held && reset) reset.hidden = true;
    if (held && name && !name.querySelector(".lock")) name.append(padlock());
    if (!held) name?.querySelector(".lock")?.remove();
  }
  for (const [label, , paths] of Object.values(form.parts).flat()) {
    const box = document.querySelector(`[data-switch="${label}"]`), held = paths.some((path) => form.locked.has(path));
    if (box && held) box.disabled = true;
    else if (box?.closest(".switch").classList.contains("held")) box.disabled = false;
    box?.closest(".switch").classList.toggle("held", held);
  }
  for (const line of document.querySelectorAll("#settings .group:not(:has(.line + .line)) .line")) mark(line);
  const all = document.getElementById("reset-all"), free = Object.keys(differences()).filter((path) => !form.locked.has(path)).length;
  if (all && form.locked.size) { all.hidden = !free; all.textContent = `Reset ${free} changed`; }
}

// A closed group all of whose options are held says so.
function mark(line) {
  const { group } = line.closest(".group").dataset, name = line.querySelector("b");
  const held = Object.entries(form.options).every(([path, option]) => option.group !== group || form.locked.has(path));
  if (held !== Boolean(name.querySelector(".lock"))) (held ? name.append(padlock()) : name.querySelector(".lock").remove());
}

function padlock() {
  const mark = element("span", "lock"), svg = make("svg", { viewBox: "0 0 16 16" });
  svg.append(make("path", { d: LOCK }));
  mark.title = "The link of this page holds it where it is";
  mark.setAttribute("role", "img");
  mark.setAttribute("aria-label", "held by the link");
  mark.append(svg);
  return mark;
}
