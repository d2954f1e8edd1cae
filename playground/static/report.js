// Runs as a document to keep: HTML or Markdown, made by the server, saved as a file.

import { ask } from "./ask.js";
import { element } from "./state.js";
import { session } from "./session.js";
import { download } from "./runs.js";

const KINDS = [["html", "HTML", "text/html"], ["md", "Markdown", "text/markdown"]];

// Two buttons that save the report of `about()`: {runs, study}. `tell` is told what went wrong, or "".
export function reportButtons(about, tell) {
  const made = element("span", "report");
  made.setAttribute("role", "group");
  made.setAttribute("aria-label", "Report");
  made.append(element("span", "", "Report"), ...KINDS.map(([format, words, type]) => {
    const button = element("button", "", words);
    button.type = "button";
    button.title = `Save a report as ${words}`;
    button.addEventListener("click", async () => {
      button.disabled = true;
      tell(await save(about(), format, type));
      button.disabled = false;
    });
    return button;
  }));
  return made;
}

async function save(about, format, type) {
  const answer = await ask("report", { visitor: session.visitor, ...about, format });
  if (!answer?.text) return answer?.refused || "There is no report: the server is away, or the runs are gone.";
  download(answer.name, URL.createObjectURL(new Blob([answer.text], { type: `${type};charset=utf-8` })));
  return "";
}
