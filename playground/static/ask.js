// Requests to the server past Gradio, whose way to a function costs more than the answer.

export const AWAY = "The server is away: try again in a moment.";

async function send(path, asked) { // undefined while the server is away
  try {
    const response = await fetch(new URL(path, import.meta.url), { method: "POST", body: JSON.stringify(asked) });
    return response.ok ? await response.json() : undefined;
  } catch { return undefined; }
}

export const ask = (question, asked) => send(`ask/${question}`, asked);

// An action's result, or {refused: why}.
export const act = async (action, asked) =>
  (await send(`do/${action}`, asked)) ?? { refused: AWAY };

// Has a run write, telling each piece as it comes; returns {} or {refused: why}.
export async function write(asked, tell, signal) {
  try {
    const response = await fetch(new URL("write", import.meta.url), { method: "POST", body: JSON.stringify(asked), signal });
    if (!response.ok || response.headers.has("Refused")) return { refused: await response.text() };
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) tell(part.value);
    return {};
  } catch (error) {
    return error.name === "AbortError" ? {} : { refused: AWAY };
  }
}

// A run's weights as a file, {name, blob}, or {refused: why}.
export async function take(asked) {
  try {
    const response = await fetch(new URL("take", import.meta.url), { method: "POST", body: JSON.stringify(asked) });
    if (!response.ok || response.headers.has("Refused")) return { refused: await response.text() };
    const [, name] = response.headers.get("content-disposition")?.match(/filename="([\w.+-]+)"/) || [];
    return { name: name || "weights.safetensors", blob: await response.blob() };
  } catch { return { refused: AWAY }; }
}

// Gives the server a file, "weights" or a "text": {run or text, words} or {refused: why}.
export async function bring(kind, visitor, file) {
  try {
    const response = await fetch(new URL(`bring/${kind}`, import.meta.url), { method: "POST", body: file, headers: { "X-Visitor": visitor || "" } });
    return await response.json();
  } catch { return { refused: AWAY }; }
}
