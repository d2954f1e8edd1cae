// A long list of rows of one height, of which only those in view are in the page.

import { element } from "./state.js";

const SPARE = 6; // rows above and below the view

// `body` scrolls and `space` within it is as tall as all rows. `paint(item, row)` fills a row, which is new or was of the
// same item; `height()` is px of a row; `keep(key)` names rows that stay, seen or not.
export class Windowed {
  constructor(body, space, { paint, height, keep }) {
    Object.assign(this, { body, space, paint, height, keep, items: [], rows: new Map(), places: new Map(), frame: null });
    body.addEventListener("scroll", () => { this.frame ??= requestAnimationFrame(() => { this.frame = null; this.draw(); }); }, { passive: true });
    new ResizeObserver(() => this.draw(true)).observe(body);
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
    const wanted = new Map(items.slice(first, last).map((item, i) => [item.key, first + i]));
    for (const key of rows.keys()) if (this.keep(key) && this.places.has(key)) wanted.set(key, this.places.get(key));
    for (const [key, row] of rows) if (!wanted.has(key)) { row.remove(); rows.delete(key); }
    for (const [key, place] of wanted) this.put(key, place, tall, all);
  }

  put(key, place, tall, all) {
    const known = this.rows.get(key), row = known || element("div", "grid-row");
    if (!known) { this.rows.set(key, row); row.dataset.key = key; }
    if (!known || all) this.paint(this.items[place], row);
    row.style.transform = `translateY(${place * tall}px)`;
    row.setAttribute("aria-rowindex", place + 2); // after the head
    // In the order of the list, for the keyboard and for reading aloud; moving what stands right would lose the focus.
    if (known) return;
    const after = [...this.space.children].find((other) => this.places.get(other.dataset.key) > place);
    this.space.insertBefore(row, after || null);
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
