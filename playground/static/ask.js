// Requests to the server past Gradio, whose way to a function costs more than the answer.

async function send(path, asked) { // undefined while the server is away
  try {
    const response = await fetch(new URL(path, import.meta.url), { method: "POST", body: JSON.stringify(asked) });
    return response.ok ? await response.json() : undefined;
  } catch { return undefined; }
}

export const ask = (question, asked) => send(`ask/${question}`, asked);

// An action's result, or {refused: why}.
export const act = async (action, asked) =>
  (await send(`do/${action}`, asked)) ?? { refused: "The server is away: try again in a moment." };

// Has a run write, telling each piece as it comes; returns {} or {refused: why}.
export async function write(asked, tell, signal) {
  try {
    const response = await fetch(new URL("write", import.meta.url), { method: "POST", body: JSON.stringify(asked), signal });
    if (!response.ok || response.headers.has("Refused")) return { refused: await response.text() };
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) tell(part.value);
    return {};
  } catch (error) {
    return error.name === "AbortError" ? {} : { refused: "The server is away: try again in a moment." };
  }
}
