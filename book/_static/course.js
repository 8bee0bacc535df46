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

// On the page Explorers the address says what an explorer shows: "#convolution={…}".
document.addEventListener("DOMContentLoaded", () => {
  for (const frame of document.querySelectorAll(".shareable iframe.explorer")) {
    const begin = () => {
      const { explorer } = frame.contentWindow;
      if (!explorer) return;  // not there yet, or its scripts are off
      const [name, options] = location.hash.slice(1).split(/=(.*)/s);
      if (name === frame.dataset.name) {
        let given = null;
        try { given = JSON.parse(decodeURIComponent(options)); } catch { /* no options at all */ }
        explorer.set(given ?? { [options]: true });  // what cannot be read is refused like an option that there is not
        frame.scrollIntoView();
      }
      let before = JSON.stringify(explorer.get());
      explorer.onchange = () => {
        const now = JSON.stringify(explorer.get());
        if (now === before) return;
        before = now;
        history.replaceState(null, "", `#${frame.dataset.name}=${encodeURIComponent(now)}`);
      };
    };
    begin();
    frame.addEventListener("load", begin);
  }
});
