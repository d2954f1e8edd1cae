// What the regions of the page share: the form's state and a bus of named events. One instance, imported by all.

const bus = new EventTarget();
export const on = (name, listener) => bus.addEventListener(name, (event) => listener(event.detail));
export const emit = (name, detail) => bus.dispatchEvent(new CustomEvent(name, { detail }));

// The form: `preset` is one of `presets`; `changes` are its differences, {path: value}; `checked` the server's answer;
// `locked` are paths whose values a link holds.
export const form = { options: {}, parts: {}, presets: [], preset: null, changes: {}, checked: null, locked: new Set() };

let announce;
export const ready = new Promise((resolve) => { announce = resolve; });

const KEY = "gpt-playground-form";
const OVER_STEPS = /^(data\.|sample\.|train\.device$)/; // kept when a step is chosen: not what steps are about

export function begin(schema, presets) {
  Object.assign(form, { options: schema.options, parts: schema.parts, presets });
  const saved = recall(KEY) || {};
  load(presets.some((p) => p.id === saved.preset) ? saved.preset : presets[0].id, saved.changes);
  announce();
}

export function recall(key) {
  try { return JSON.parse(localStorage.getItem(key)); } catch { return null; } // storage may be forbidden in a frame
}

export function remember(key, value) {
  try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* the page works without a memory */ }
}

export const preset = (id) => form.presets.find((p) => p.id === id);

export function load(id, changes = {}) {
  const held = Object.fromEntries([...form.locked].map((path) => [path, value(path)]));
  form.preset = preset(id) || form.presets[0];
  form.changes = {};
  for (const [path, value] of Object.entries({ ...changes, ...held })) {
    if (form.options[path] && value !== base(path)) form.changes[path] = value;
  }
  changed();
}

// A preset that is about its own text, a task, brings it along and takes it away again.
export function loadStep(id) {
  const brings = [preset(id), form.preset].some((one) => one && "data.dataset" in one.values);
  const kept = (path) => (brings ? path === "train.device" : OVER_STEPS.test(path));
  const values = Object.keys(form.options).filter(kept).map((path) => [path, value(path)]);
  load(id, Object.fromEntries(values));
}

export const base = (path) => form.preset.values[path] ?? form.options[path].default;
export const value = (path) => (path in form.changes ? form.changes[path] : base(path));

export function set(updates) {
  for (const [path, wanted] of Object.entries(updates)) {
    if (form.locked.has(path)) continue;
    if (wanted === base(path)) delete form.changes[path];
    else form.changes[path] = wanted;
  }
  changed();
}

export const reset = (path) => set({ [path]: base(path) });

function changed() {
  remember(KEY, { preset: form.preset.id, changes: form.changes });
  emit("form");
}

// The same recursion as gpt.options.has_effect: a condition on an option without effect does not hold.
export function hasEffect(path, of = value) {
  const { when } = form.options[path];
  return !when.length || when.some((all) => Object.entries(all).every(
    ([other, values]) => values.includes(of(other)) && hasEffect(other, of)));
}

// The changes that matter, as gpt.options.difference finds them.
export function differences() {
  const matter = Object.entries(form.changes).filter(([path]) => hasEffect(path) || hasEffect(path, base));
  return Object.fromEntries(matter);
}

export const isOff = (wanted) => wanted === false || wanted === "none" || wanted === 0;

// A number as short as people write it; the same as gpt.options.show.
export function show(number) {
  if (typeof number !== "number") return String(number);
  if (Number.isInteger(number)) return number.toLocaleString("en-US");
  if (Math.abs(number) < 0.01) return number.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e");
  return String(+number.toPrecision(6));
}

// A count in a few characters: 950, 4.2k, 132k, 1.2M.
export function brief(count) {
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)}M`;
  if (count >= 1e4) return `${Math.round(count / 1e3)}k`;
  return count >= 1e3 ? `${(count / 1e3).toFixed(1)}k` : `${Math.round(count)}`;
}

// A value in a closed row's words: "multi-head", "heads 4", "residual".
export function words(path, wanted = value(path)) {
  const option = form.options[path];
  if (option.kind === "choice") return (option.choices[wanted] || [wanted])[0];
  if (option.kind === "switch") return option.short;
  if (wanted === 0 && option.zero) return `${option.short} ${option.zero}`;
  return `${option.short} ${show(wanted)}`;
}

export const element = (tag, classes = "", text = "") => {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (text) made.textContent = text;
  return made;
};
