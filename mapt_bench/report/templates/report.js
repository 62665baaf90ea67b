"use strict";
// The page works without this script: it adds sorting, filters and a copy button.
(() => {
  const number = (cell) => parseFloat(cell.textContent.replace("[", ""));
  const compare = (at, isNumber, sign) => (a, b) => {
    const left = a.cells[at], right = b.cells[at];
    if (!isNumber) return sign * left.textContent.localeCompare(right.textContent);
    const one = number(left), other = number(right);
    // Undefined values come last in both directions.
    if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other);
    return sign * (one - other);
  };
  for (const table of document.querySelectorAll("table.data")) {
    const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button";
      // A heading with a link to its definition stays outside of the button.
      if (head.querySelector("a")) button.ariaLabel = `Sort by ${head.textContent.trim()}`;
      else button.append(...head.childNodes);
      head.append(button);
      head.classList.add("sortable");
      head.addEventListener("click", (event) => {
        if (event.target.closest("a")) return;
        const isNumber = head.classList.contains("n");
        const first = isNumber ? "descending" : "ascending";
        const second = isNumber ? "ascending" : "descending";
        const next = head.getAttribute("aria-sort") === first ? second : first;
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", next);
        const sign = next === "ascending" ? 1 : -1;
        body.append(...[...body.rows].sort(compare(at, isNumber, sign)));
      });
    });
    const box = table.parentElement, hint = document.createElement("p");
    hint.className = "hint";
    hint.ariaHidden = "true";
    box.before(hint);
    const count = () => {
      const edge = box.scrollLeft + box.clientWidth + 1;
      const more = heads.filter((head) => head.offsetLeft + head.offsetWidth > edge).length;
      hint.textContent = more ? `${more} more column${more > 1 ? "s" : ""}: scroll →` : "\u00a0";
      hint.hidden = box.scrollWidth <= box.clientWidth + 1;
    };
    new ResizeObserver(count).observe(box);
    box.addEventListener("scroll", count, { passive: true });
    if (body.rows.length < 8) continue;
    const label = document.createElement("label"), input = document.createElement("input");
    label.className = "filter";
    input.type = "search";
    label.append("Filter rows: ", input);
    hint.before(label);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of body.rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
  }
  for (const block of document.querySelectorAll(".command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    block.append(button);
    button.addEventListener("click", () => {
      const text = block.querySelector("pre");
      const done = () => { button.textContent = "Copied"; };
      const select = () => getSelection().selectAllChildren(text);
      if (navigator.clipboard) navigator.clipboard.writeText(text.textContent).then(done, select);
      else select();
    });
  }
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details")) each.open = true;
  });
})();
