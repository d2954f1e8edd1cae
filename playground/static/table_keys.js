// The table by keyboard: arrows move between rows, letters act on the one that has the focus.

const PAGE = 10; // rows

// Space ticks, Enter shows or unfolds, and one letter each for what the buttons do.
const LETTERS = { h: "hide", i: "alone", r: "rename", F2: "rename", t: "tag", Delete: "remove", Enter: "show" };

export function bindKeys(table) {
  table.body.addEventListener("keydown", (event) => {
    const row = event.target.closest(".grid-row"), { items, places } = table.list, place = places.get(row?.dataset.key);
    const typing = event.target.matches("input:not([type=checkbox])");
    if (place == null || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (move(table, event, place) || across(event, row) || event.target !== row) return;
    const item = items[place], name = LETTERS[event.key];
    if (item.runs) { if (unfold(table, event.key, item)) event.preventDefault(); return; }
    if (event.key === " ") table.tick(item.run, event.shiftKey);
    else if (name) table.act(name, item.run);
    else return;
    event.preventDefault();
  });
}

function move(table, event, place) {
  const { items } = table.list, last = items.length - 1;
  const by = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE, Home: -Infinity, End: Infinity }[event.key];
  if (!by) return false;
  event.preventDefault();
  table.move(items[Math.min(last, Math.max(0, place + by))].key);
  return true;
}

// Left and right go through the row's controls; Escape comes back to the row.
function across(event, row) {
  const seen = (control) => control.getClientRects().length > 0;
  const controls = [row, ...row.querySelectorAll("input, button:not(:disabled)")].filter(seen);
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], at = controls.indexOf(event.target);
  if (event.key === "Escape" && event.target !== row) { row.focus(); return true; }
  if (!step || row.matches(".group-row") || !controls[at + step]) return false;
  event.preventDefault();
  controls[at + step].focus();
  return true;
}

function unfold(table, key, { study }) {
  const wanted = { ArrowRight: true, ArrowLeft: false, Enter: !table.open.has(study), " ": !table.open.has(study) }[key];
  if (wanted !== undefined) table.fold(study, wanted);
  return wanted !== undefined;
}
