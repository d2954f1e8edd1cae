// A link as text, `preset=09-pre-ln&model.norm=rms&lock=train`, to what it says and back. Pure but for the form's tables.

import { form } from "./state.js";

const ASKED = 200; // letters of a question
const NAMED = 40; // letters of what is repeated to people
const TEACHER = ["lock", "hide", "ask", "lesson"];
const SWITCH = { on: true, true: true, 1: true, yes: true, off: false, false: false, 0: false, no: false };

// {preset, changes, result, lock, hide, ask, locked, hidden, wrong, says}: `result` is for result_text.js; `lock`, `hide` and
// `ask` as written, `locked` the paths and `hidden` the groups they stand for, `wrong` sentences on what is left out, `says`
// whether it is about settings at all.
export function read(text, everything = true) {
  const link = { preset: null, changes: {}, result: "", lock: "", hide: "", ask: "", lesson: "", locked: [], hidden: [], wrong: [],
    says: false };
  for (const [key, written] of new URLSearchParams(text)) {
    if (key === "preset") readPreset(link, written);
    else if (TEACHER.includes(key) || (key === "result" && everything)) link[key] = written; // too long for a server's log
    else if (Object.hasOwn(form.options, key)) readOption(link, key, written);
    else if (everything || key.includes(".")) link.wrong.push(`There is no option ${short(key)}.`);
  }
  link.locked = names(link.lock).flatMap((name) => pathsOf(name) || wrong(link, `Nothing is called ${short(name)}, so it is not locked.`));
  link.hidden = names(link.hide).flatMap((name) => groupOf(name) || wrong(link, `No group is called ${short(name)}, so it is not hidden.`));
  const ask = link.ask.replace(/\s+/g, " ").trim();
  link.ask = [...ask].slice(0, ASKED).join("");
  if (link.ask !== ask) link.wrong.push(`The question is cut after ${ASKED} letters.`);
  if (link.lesson && !form.presets.some(({ number }) => String(number) === link.lesson)) {
    link.wrong.push(`There is no lesson ${short(link.lesson)}.`);
    link.lesson = "";
  }
  return link;
}

const wrong = (link, words) => { link.wrong.push(words); return []; };
const names = (list) => [...new Set(list.split(",").map((name) => name.trim()).filter(Boolean))];
export const short = (words) => `“${words.length > NAMED ? `${words.slice(0, NAMED)}…` : words}”`;

function readPreset(link, written) {
  const found = form.presets.filter(({ id }) => id === written || brief(id) === written);
  if (found.length) link.preset = found[0].id;
  else link.wrong.push(`There is no step or model called ${short(written)}.`);
  link.says ||= found.length > 0;
}

function readOption(link, path, written) {
  const option = form.options[path], [value, why] = valueIn(option, written);
  if (why) link.wrong.push(`${option.label} cannot be ${short(written)}: ${why}.`);
  else link.changes[path] = value;
  link.says ||= !why;
}

// What is written of an option, as [value] or [null, why it cannot be].
export const valueIn = (option, written) => READ[option.kind](option, written);

const READ = {
  choice: (option, written) => (Object.hasOwn(option.choices, written) ? [written]
    : [null, `use ${Object.keys(option.choices).join(", ")}`]),
  switch: (option, written) => (Object.hasOwn(SWITCH, written.toLowerCase()) ? [SWITCH[written.toLowerCase()]] : [null, "use on or off"]),
  number: (option, written) => {
    const plain = written.replaceAll(",", "").trim(), number = plain === "" ? NaN : Number(plain), { low, high, integer } = option;
    const fits = number >= low && number <= high && (!integer || Number.isInteger(number));
    return fits ? [number] : [null, `use ${integer ? "a whole number" : "a number"} from ${low} to ${high}`];
  },
  text: (option, written) => (written.length <= option.high ? [written] : [null, `use at most ${option.high} letters`]),
};

// An option, a section such as "train", or a group of the form: its paths, or null.
function pathsOf(name) {
  const paths = Object.keys(form.options), group = groupOf(name);
  if (Object.hasOwn(form.options, name)) return [name];
  const found = paths.filter((path) => path.startsWith(`${name}.`) || form.options[path].group === group);
  return found.length ? found : null;
}

const groupOf = (name) => Object.values(form.options).map(({ group }) => group)
  .find((group) => group.toLowerCase() === name.toLowerCase()) || null;

const brief = (id) => id.split("/").at(-1);

// The text of a link that opens the form as it is, and holds, hides and asks what `teacher` does.
export function write(teacher) {
  const { id } = form.preset, alone = form.presets.filter((preset) => brief(preset.id) === brief(id)).length === 1;
  const entries = [["preset", alone ? brief(id) : id]];
  for (const [path, option] of Object.entries(form.options)) {
    const value = form.changes[path];
    if (value === undefined) continue;
    const written = typeof value === "boolean" ? (value ? "on" : "off") : String(value);
    if (!valueIn(option, written)[1]) entries.push([path, written]); // what is half typed does not travel
  }
  return [...entries, ...wishes(teacher)].map(said).join("&");
}

// The text of a link that shows `result`, `result=1.…` as the server wrote it.
export const writeResult = (result, teacher) => [result, ...wishes(teacher).map(said)].join("&");

const wishes = (teacher) => TEACHER.filter((key) => teacher[key]).map((key) => [key, teacher[key]]);
const said = ([key, value]) => `${key}=${encodeURIComponent(value).replace(/%2F/g, "/").replace(/%2C/g, ",")}`;
