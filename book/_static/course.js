document.addEventListener("DOMContentLoaded", () => {
  // Two controls of the theme carry an aria-label that differs from the text one sees; the text is the better name.
  for (const control of document.querySelectorAll(".search-button-field, .theme-switch-button"))
    control.removeAttribute("aria-label");
  // Several cells may answer one question: its first fold opens them all.
  let first = null;
  for (const cell of document.querySelectorAll(".tag_answer")) {
    const fold = cell.querySelector("details");
    if (!cell.previousElementSibling?.matches(".tag_answer")) first = null;
    if (!fold) continue;
    if (!first) { first = fold; continue; }
    cell.classList.add("joined");
    first.addEventListener("toggle", (event) => { fold.open = event.target.open; });
  }
});
