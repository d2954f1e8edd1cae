// Files that a visitor gives, and how large they are.

// A file that is chosen with the button, or dropped on the place, goes to `take`.
export function bindFile(button, input, place, take) {
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const [chosen] = input.files;
    if (chosen) take(chosen);
    input.value = ""; // the same file may be chosen again
  });
  const over = (event) => {
    if (!event.dataTransfer.types.includes("Files")) return; // words that are dragged fall where they always do
    event.preventDefault();
    place.classList.toggle("over", event.type === "dragover");
  };
  for (const kind of ["dragover", "dragleave", "drop"]) place.addEventListener(kind, over);
  place.addEventListener("drop", ({ dataTransfer }) => { if (dataTransfer.files[0]) take(dataTransfer.files[0]); });
}

export const megabytes = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${+(bytes / 1e6).toFixed(1)} MB`);
