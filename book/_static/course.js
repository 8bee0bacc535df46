// Three controls of the theme carry an aria-label that differs from the text one sees; the text alone is the better name.
document.addEventListener("DOMContentLoaded", () => {
  for (const control of document.querySelectorAll("summary, .search-button-field, .theme-switch-button"))
    control.removeAttribute("aria-label");
  // A folded cell is called by its title: "Solution 2.1".
  for (const cell of document.querySelectorAll("details.hide")) {
    const title = cell.querySelector("pre")?.textContent.match(/^# @title (.+)/);
    if (title) cell.querySelectorAll("summary p").forEach((label) => { label.textContent = title[1]; });
  }
});
