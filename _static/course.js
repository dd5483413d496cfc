// What the pages need to be read with a keyboard or a screen reader; without scripts they read as well.

// A formula that is wider than its box scrolls, so the keyboard must be able to reach it.
function markScrollable() {
  for (const box of document.querySelectorAll("div.math > .formula")) {
    const scrolls = box.scrollWidth > box.clientWidth;
    for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", "Formula, scrolls"]]) {
      if (scrolls) box.setAttribute(name, value);
      else box.removeAttribute(name);
    }
  }
}

// The theme names these buttons otherwise than they read, and keeps the logo outside every landmark;
// an entry of the bibliography has a role that its list does not allow.
function correctNames() {
  document.querySelectorAll("button.search-button-field").forEach((button) => button.removeAttribute("aria-label"));
  document.querySelectorAll(".citation-list > .citation").forEach((entry) => entry.setAttribute("role", "listitem"));
  const home = document.querySelector(".navbar-brand")?.parentElement;
  home?.setAttribute("role", "navigation");
  home?.setAttribute("aria-label", "Home");
}

document.addEventListener("DOMContentLoaded", () => {
  correctNames();
  markScrollable();
  document.fonts.ready.then(markScrollable);
  window.addEventListener("resize", markScrollable);
});
