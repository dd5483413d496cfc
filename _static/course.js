// What the pages need to be read with a keyboard or a screen reader; without scripts they read as well.

// What is wider than its box scrolls, so the keyboard must be able to reach it.
const WIDE = [
  ["div.math > .formula", "group", () => "A wide formula"],
  [".pst-scrollable-table-container", "region", (number) => `Wide table ${number}`],
];

function markScrollable() {
  for (const [selector, role, label] of WIDE) {
    document.querySelectorAll(selector).forEach((box, index) => {
      const scrolls = box.scrollWidth > box.clientWidth;
      for (const [name, value] of [["tabindex", "0"], ["role", role], ["aria-label", label(index + 1)]]) {
        if (scrolls) box.setAttribute(name, value);
        else box.removeAttribute(name);
      }
    });
  }
}

// The theme names these buttons otherwise than they read, and keeps the logo outside every landmark;
// an entry of the bibliography has a role that its list does not allow; two fields share one id.
function correctNames() {
  document.querySelectorAll("button.search-button-field").forEach((button) => button.removeAttribute("aria-label"));
  document.querySelectorAll(".citation-list > .citation").forEach((entry) => entry.setAttribute("role", "listitem"));
  [...document.querySelectorAll("#search-input")].slice(1).forEach((field) => field.removeAttribute("id"));
  const home = document.querySelector(".navbar-brand")?.parentElement;
  home?.setAttribute("role", "navigation");
  home?.setAttribute("aria-label", "Home");
}

// On paper everything is open, and dark on white.
function prepareForPaper() {
  const theme = document.documentElement.dataset.theme;
  const closed = [...document.querySelectorAll("details:not([open])")];
  closed.forEach((box) => { box.open = true; });
  document.documentElement.dataset.theme = "light";
  window.addEventListener("afterprint", () => {
    closed.forEach((box) => { box.open = false; });
    document.documentElement.dataset.theme = theme;
  }, { once: true });
}

// From a disk no script may read another page, so the search lists titles without their text.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

window.addEventListener("beforeprint", prepareForPaper);

document.addEventListener("DOMContentLoaded", () => {
  correctNames();
  markScrollable();
  document.fonts.ready.then(markScrollable);
  window.addEventListener("resize", markScrollable);
});
