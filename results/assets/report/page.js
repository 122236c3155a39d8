"use strict";
// Tables sort by the button in each of their column headers.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const first = body.rows[0];
    if (first && first.cells[column].classList.contains("number")) head.classList.add("number");
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column];
        return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
      };
      const order = (a, b) => {
        const numbers = typeof a === "number" && typeof b === "number";
        if (numbers) return a - b;
        // Numbers come before words.
        if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
        return a.localeCompare(b, "en");
      };
      const rows = [...body.rows].map((row) => [key(row), row]);
      rows.sort((a, b) => (down ? order(b[0], a[0]) : order(a[0], b[0])));
      body.append(...rows.map(([, row]) => row));
    });
  });
}
// The slider shows one portrait of the tree; without it all are shown.
for (const frames of document.querySelectorAll(".frames")) {
  const all = [...frames.querySelectorAll(".frame")];
  const slider = frames.querySelector(".slider");
  const input = slider.querySelector("input");
  if (all.length < 2) continue;
  const show = () => {
    all.forEach((frame, at) => frame.classList.toggle("now", at === Number(input.value)));
    const now = all[Number(input.value)].querySelector("figcaption").textContent;
    input.setAttribute("aria-valuetext", now);
  };
  input.addEventListener("input", show);
  slider.hidden = false;
  frames.classList.add("live");
  show();
}
// What a point says is shown at once, beside the pointer. The titles serve pages without a script.
const tip = document.getElementById("tip");
for (const title of document.querySelectorAll(".tip > title")) {
  title.parentNode.dataset.tip = title.textContent;
  title.remove();
}
const told = (event) => (event.target instanceof Element ? event.target.closest("[data-tip]") : null);
const hide = () => { tip.hidden = true; };
const tell = (event) => {
  const point = told(event);
  if (!point) return hide();
  tip.textContent = point.dataset.tip;
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - width - 6);
  const above = event.clientY - height - 12;
  tip.style.left = `${Math.max(left, 6)}px`;
  tip.style.top = `${above > 6 ? above : event.clientY + 18}px`;
};
document.addEventListener("pointermove", tell);
document.addEventListener("pointerdown", tell);
document.addEventListener("scroll", hide, true);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
