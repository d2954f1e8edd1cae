// A long list of rows of one height, of which only those in view are in the page.

import { element } from "./state.js";

const SPARE = 6; // rows above and below the view

// `body` scrolls, and `space` within it is as tall as all rows. `paint(item, row)` fills a row, which is new or was of
// another item of the same `kind(item)`; `height()` is px of a row; `keep(key)` names rows that stay, seen or not.
export class Windowed {
  constructor(body, space, about) {
    Object.assign(this, about, { body, space, items: [], rows: new Map(), places: new Map(), frame: null });
    body.addEventListener("scroll", () => {
      this.frame ??= requestAnimationFrame(() => { this.frame = null; this.draw(); });
    }, { passive: true });
    new ResizeObserver(() => this.draw()).observe(body);
  }

  set(items) {
    this.items = items;
    this.places = new Map(items.map((item, i) => [item.key, i]));
    this.draw(true);
  }

  // Rows in view, and no others; `all`: those that are there are painted anew.
  draw(all = false) {
    const { items, rows, body, space } = this, tall = this.height();
    space.style.height = `${items.length * tall}px`;
    const first = Math.max(0, Math.floor(body.scrollTop / tall) - SPARE);
    const last = Math.min(items.length, Math.ceil((body.scrollTop + body.clientHeight) / tall) + SPARE);
    const wanted = new Set(items.slice(first, last).map(({ key }) => key)), free = [];
    for (const key of rows.keys()) if (this.keep(key) && this.places.has(key)) wanted.add(key);
    for (const [key, row] of rows) if (!wanted.has(key)) { rows.delete(key); free.push(row); }
    for (const key of wanted) this.put(key, free, tall, all);
    for (const row of free) row.remove();
    this.order();
  }

  put(key, free, tall, all) {
    const place = this.places.get(key), item = this.items[place];
    let row = this.rows.get(key);
    if (!row || all) {
      row ||= this.take(key, this.kind(item), free);
      this.paint(item, row);
    }
    row.style.transform = `translateY(${place * tall}px)`;
    row.setAttribute("aria-rowindex", place + 2); // after the head
  }

  // A row that is no longer needed, or a new one.
  take(key, kind, free) {
    const spare = free.findIndex((row) => row.dataset.kind === kind);
    const row = spare < 0 ? element("div", "grid-row") : free.splice(spare, 1)[0];
    Object.assign(row.dataset, { key, kind });
    this.rows.set(key, row);
    if (!row.isConnected) this.space.append(row);
    return row;
  }

  // In the page as in the list, for the keyboard and for reading aloud. What has the focus stays: moved, it would lose it.
  order() {
    const rows = [...this.rows].sort(([a], [b]) => this.places.get(a) - this.places.get(b)).map(([, row]) => row);
    const fixed = Math.max(0, rows.findIndex((row) => row.contains(document.activeElement)));
    for (let i = fixed + 1; i < rows.length; i += 1) if (rows[i - 1].nextSibling !== rows[i]) rows[i - 1].after(rows[i]);
    for (let i = fixed - 1; i >= 0; i -= 1) if (rows[i + 1].previousSibling !== rows[i]) rows[i + 1].before(rows[i]);
  }

  // Scrolls until a row is in view.
  show(key) {
    const place = this.places.get(key), tall = this.height(), { body } = this;
    if (place == null) return;
    if (place * tall < body.scrollTop) body.scrollTop = place * tall;
    else if ((place + 1) * tall > body.scrollTop + body.clientHeight) body.scrollTop = (place + 1) * tall - body.clientHeight;
    this.draw();
  }
}
