// Rows of a table that has a column for each run.

import { element } from "./state.js";
import { minus } from "./study_words.js";

export const NOTHING = "–";

export function option({ label, term, part, values, changed }) {
  const row = element("tr", "option-row"), head = element("th");
  head.scope = "row";
  row.dataset.part = part;
  head.append(element("i", "spot"), element("span", "", label), element("small", "", term));
  row.append(head, ...values.map((words, i) => {
    const cell = element("td", changed[i] ? "changed" : "");
    cell.append(element("span", "", minus(words === "-" ? NOTHING : words)));
    if (changed[i]) cell.append(element("span", "hush", " (differs)"));
    return cell;
  }));
  return row;
}

export function outcome(label, cells) {
  const row = element("tr"), head = element("th", "", label);
  head.scope = "row";
  row.append(head, ...cells);
  return row;
}

export function whole(words, columns) {
  const row = element("tr", "section-row"), cell = element("td");
  cell.colSpan = columns + 1;
  cell.append(element("span", "", words));
  row.append(cell);
  return row;
}
