"use strict";
// Sorting, filtering and pages for the lists of inputs. Without it every row is shown.
// Text is only ever read from the page and written as text.
const root = document.documentElement;
root.classList.add("js"); // before there are rows, so that those of other pages are never laid out
document.addEventListener("DOMContentLoaded", () => {
  try {
    for (const list of document.querySelectorAll("[data-inputs]")) enhance(list);
  } catch (error) {
    root.classList.remove("js");
    throw error;
  }
});

const PAGE = 100;
const COLLATOR = new Intl.Collator("en", { numeric: true });

function enhance(list) {
  const table = list.querySelector("table");
  const body = table.tBodies[0];
  const form = list.querySelector("form");
  const pages = Array.from(list.querySelectorAll(".pages"));
  const turns = Array.from(list.querySelectorAll("[data-page]"));
  const status = list.querySelector("[role=status]");
  const heads = Array.from(table.tHead.rows[0].cells);
  const column = (name) => heads.findIndex((head) => head.textContent === name);
  const columns = { class: column("True class"), radius: column("Radius") };
  const searched = ["Input", "True class", "Certified class", "Outcome"].map(column);
  const entries = Array.from(body.rows, (row) => ({
    row,
    class: row.cells[columns.class].dataset.v,
    outcome: row.dataset.o,
    radius: number(row.cells[columns.radius]),
    text: null,
  }));
  let matching = entries;
  let first = 0;
  let shown = [];

  function show() {
    for (const entry of shown) entry.row.classList.remove("on");
    shown = matching.slice(first, first + PAGE);
    for (const entry of shown) entry.row.classList.add("on");
    body.prepend(...shown.map((entry) => entry.row)); // only what is seen need be in order
    const [from, to, found, all] = [first + 1, first + shown.length, matching.length, entries.length]
      .map((count) => count.toLocaleString("en"));
    status.textContent = matching.length === entries.length
      ? `${from} to ${to} of ${all} inputs`
      : matching.length ? `${from} to ${to} of ${found} found among ${all} inputs` : `none found among ${all} inputs`;
    for (const button of turns) {
      const start = first + PAGE * Number(button.dataset.page);
      button.disabled = start < 0 || start >= matching.length;
    }
  }

  function filter() {
    const value = (name) => form.querySelector(`[data-f=${name}]`).value;
    const words = value("find").trim().toLowerCase();
    const low = value("low") === "" ? -Infinity : Number(value("low"));
    const high = value("high") === "" ? Infinity : Number(value("high"));
    matching = entries.filter((entry) => {
      if (words && entry.text === null) {
        entry.text = searched.map((at) => entry.row.cells[at].textContent).join("\n").toLowerCase();
      }
      const fits = entry.radius >= low && entry.radius <= high &&
        (!value("outcome") || entry.outcome === value("outcome")) &&
        (!value("class") || entry.class === value("class")) &&
        (!words || entry.text.includes(words));
      entry.row.classList.toggle("out", !fits);
      return fits;
    });
    list.classList.toggle("filtered", matching.length < entries.length);
    first = 0;
    show();
  }

  function sort(head) {
    const at = heads.indexOf(head);
    const up = head.getAttribute("aria-sort") !== "ascending";
    const read = head.dataset.sort === "number" ? number : (cell) => cell.textContent;
    const compare = head.dataset.sort === "number" ? (a, b) => a - b : COLLATOR.compare;
    const keys = new Map(entries.map((entry) => [entry, read(entry.row.cells[at])]));
    entries.sort((a, b) => (up ? 1 : -1) * compare(keys.get(a), keys.get(b)));
    for (const other of heads) if (other.dataset.sort) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    filter();
  }

  for (const head of heads.filter((one) => one.dataset.sort)) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(head));
    head.append(button);
    head.setAttribute("aria-sort", "none");
  }
  offerClasses(form.querySelector("[data-f=class]"), entries, columns.class);
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of turns) {
    button.addEventListener("click", () => {
      first += PAGE * Number(button.dataset.page);
      show();
    });
  }
  window.addEventListener("beforeprint", () => body.append(...matching.map((entry) => entry.row)));
  for (const control of [form, ...pages]) control.hidden = false;
  show();
}

function number(cell) {
  return Number(cell.dataset.v ?? cell.textContent.replaceAll(",", ""));
}

function offerClasses(select, entries, at) {
  const names = new Map(entries.map((entry) => [entry.class, entry.row.cells[at].textContent]));
  for (const [value, name] of Array.from(names).sort((a, b) => a[0] - b[0])) {
    select.append(new Option(name, value));
  }
}
