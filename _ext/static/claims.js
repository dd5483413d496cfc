// Sorts and filters the table of claims. Without this script the table is there, whole, in the ledger's order.

const VERDICTS = ["exact", "true", "conditional", "false", "contested", "not tested", "not recorded"];

// What a row is sorted by in each column that sorts.
const KEYS = {
  "The claim": (row) => row.cells[0].innerText.trim().toLowerCase(),
  "Verdict": (row) => VERDICTS.indexOf(verdictOf(row)),
  "Where": (row) => Number(/\d+/.exec(row.cells[4].innerText)?.[0] ?? 99),
};

const verdictOf = (row) => row.querySelector(".verdict").textContent.replace(/^\S+\s/, "");

function addOptions(field, options) {
  field.append(...options.map(([value, text]) => new Option(text, value)));
}

// The sources as the rows name them, each by the class that marks its rows.
function sourcesOf(rows) {
  const found = new Map();
  for (const row of rows) {
    const keys = [...row.classList].filter((name) => name.startsWith("said-by-"));
    row.cells[3].querySelector("p").querySelectorAll(".source").forEach((source, i) => found.set(keys[i], source.textContent.replace(" [n.d.]", "")));
  }
  return [...found].sort((a, b) => a[1].localeCompare(b[1]));
}

function addFilters(rows) {
  const form = document.querySelector(".claims-filters");
  const count = document.querySelector(".claims-shown");
  const [verdict, source] = form.querySelectorAll("select");
  const search = form.querySelector("input");
  const present = VERDICTS.filter((name) => rows.some((row) => verdictOf(row) === name));
  addOptions(verdict, present.map((name) => [name, name]));
  addOptions(source, sourcesOf(rows));
  form.addEventListener("input", show);
  form.querySelector("button").addEventListener("click", clear);

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = (verdict.value && verdictOf(row) !== verdict.value)
        || (source.value && !row.classList.contains(source.value))
        || !words.every((word) => text.includes(word));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent = `${shown} of ${rows.length} claims shown`;
  }

  function clear() {
    verdict.value = source.value = search.value = "";
    show();
  }

  // A link to a claim shows it, whatever the filters hide.
  window.addEventListener("hashchange", () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row?.hidden) {
      clear();
      row.scrollIntoView();
    }
  });

  show();
}

function addSorting(table, rows) {
  for (const heading of table.tHead.rows[0].cells) {
    const key = KEYS[heading.innerText.trim()];
    if (!key) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const sign = descending ? -1 : 1;
      const order = (a, b) => sign * (key(a) > key(b) ? 1 : key(a) < key(b) ? -1 : 0);
      table.tBodies[0].append(...[...rows].sort(order));
    });
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const table = document.querySelector("table.claims-table");
  if (!table) return;
  const rows = [...table.tBodies[0].rows];
  addSorting(table, rows);
  addFilters(rows);
});
