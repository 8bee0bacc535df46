// What the pages do themselves. Without this script everything can be read: folds open, and links lead on.
"use strict";

const make = (name, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(name), attributes);
  element.append(...children);
  return element;
};
const kept = {  // of this browser; where it keeps nothing, a page forgets
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* forgotten */ } },
};

function nameControls() {
  // Two controls of the theme carry an aria-label that differs from the text one sees; the text is the better name.
  for (const control of document.querySelectorAll(".search-button-field")) control.removeAttribute("aria-label");
  const colours = document.querySelector(".theme-switch-button");
  if (colours) {
    const name = () => colours.setAttribute("aria-label", `Colours: ${document.documentElement.dataset.mode}`);
    colours.addEventListener("click", () => setTimeout(name));
    name();
  }
  // On a phone the list of lessons covers the page: something has to close it.
  const drawer = document.querySelector("#pst-primary-sidebar-modal"), list = document.querySelector("#pst-primary-sidebar");
  list?.prepend(make("button", { className: "close-drawer", type: "button", textContent: "Close", onclick: () => drawer.close() }));
}

// A question: a field for a guess, one button for all that answers it, and the guess beside the answer. The paragraph
// that tells the answer waits too; what was once shown stays shown.

function askQuestions() {
  const lesson = location.pathname.split("/").pop();
  for (const [number, quote] of document.querySelectorAll("blockquote:is(.predict, .find-the-bug)").entries()) {
    const folds = [];
    let part = quote.nextElementSibling;
    for (; part?.matches(".cell"); part = part.nextElementSibling)
      if (part.matches(".tag_answer")) folds.push(...part.querySelectorAll(":scope > details"));
    if (!folds.length) continue;
    const told = part?.matches("p") ? part : null;
    const key = `guess ${lesson} ${quote.textContent.trim().slice(0, 120)}`;
    const field = make("input", { id: `guess-${number}`, type: "text", maxLength: 300, autocomplete: "off", value: kept.get(key) ?? "" });
    const asked = quote.matches(".predict") ? "Your guess" : "What is wrong?";
    const button = make("button", { type: "submit" });
    const form = make("form", { className: "guess" }, make("label", { htmlFor: field.id, textContent: asked }), field, button);
    const guessed = make("p", { className: "guessed" });
    field.addEventListener("input", () => kept.set(key, field.value));
    folds[0].querySelector("summary").after(guessed);
    const show = (open) => {
      for (const fold of folds) fold.open = open;
      if (told) open ? told.removeAttribute("hidden") : told.setAttribute("hidden", "until-found");
      button.textContent = open ? "Hide what happens" : "Show what happens";
      button.setAttribute("aria-expanded", open);
      guessed.hidden = !open || !field.value.trim();
      guessed.replaceChildren("You said: ", make("b", { textContent: field.value.trim() }));
      kept.set(`${key} shown`, open ? "yes" : "");
    };
    form.addEventListener("submit", (event) => { event.preventDefault(); show(!folds[0].open); });
    for (const hidden of [told, ...folds]) {
      hidden?.addEventListener("beforematch", () => show(true));  // the browser's own search has found something in it
      hidden?.addEventListener("course-show", () => show(true));
    }
    folds.forEach((fold) => fold.closest(".cell").classList.add("asked"));
    (quote.querySelector(":scope > div") ?? quote).append(form);
    show(Boolean(kept.get(`${key} shown`)));
  }
}

function openWhatIsAddressed() {
  let target = null;
  try { target = document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { /* "#%" is no address */ }
  const hidden = target?.closest("details:not([open]), [hidden]");
  if (!hidden) return;
  hidden.dispatchEvent(new Event("course-show"));
  if (hidden.matches("details")) hidden.open = true;
  target.scrollIntoView();
}

// On paper, solutions are pages of their own, at the end

function printSolutions() {
  let moved = [];
  const restore = () => {
    for (const [fold, place] of moved) place.replaceWith(fold);
    moved = [];
    document.querySelector(".solutions-on-paper")?.remove();
  };
  addEventListener("beforeprint", () => {
    restore();
    for (const picture of document.images) picture.loading = "eager";
    const folds = document.querySelectorAll("section.exercise .tag_hide-cell > details");
    if (!folds.length) return;
    const end = make("section", { className: "solutions-on-paper" }, make("h2", { textContent: "Solutions" }));
    for (const fold of folds) {
      const place = document.createComment("solution");
      fold.replaceWith(place);
      end.append(make("h3", { textContent: fold.querySelector("summary p").textContent }), fold);
      moved.push([fold, place]);
    }
    document.querySelector("article.bd-article").append(end);
  });
  addEventListener("afterprint", restore);
}

// The search: sections that hold the words of a question, best first

const search = {
  ignored: new Set(("a about an and any are as at be between by can could difference do does for from get has have how i in into is it its " +
    "like make many me much my of on one or should so such than that the their them then there this to up use used using " +
    "was we what when where which while who why will with without work works you your").split(" ")),
  summaries: new Set(["What you will be able to do", "What you can do now", "Further reading"]),
  weights: { "book/package": 0.35, "book/sources": 0.5, "book/references": 0.3, "book/claims": 0.4, "book/glossary": 0.8,
    "notebooks/old_code": 0.5, "book/instructors": 0.5, "book/beyond": 0.7, "book/index": 0.4 },

  stem(word) {
    word = word.replace(/iz(?=e|i|a)/, "is").replace(/(?<=.{4})age$/, "").replace(/ies$/, "y");
    word = word.replace(/(?<=.{3})(?:ings?|ed|es|(?<!s)s)$/, "").replace(/(?<=.{3})e$/, "");
    return word.replace(/([b-df-hj-np-rtv-z])\1$/, "$1");
  },
  raw(text) {  // its words; 1×1 and 1x1 are one
    return text.toLowerCase().replace(/(\d)\s*×\s*(?=\d)/g, "$1x").match(/[\p{L}\p{N}_]+/gu) ?? [];
  },
  words(text) {
    return search.raw(text).map(search.stem);
  },
  load() {
    search.loading ??= new Promise((done, failed) => {
      window.courseSections = (pages) => done(search.index(pages));
      const root = document.documentElement.dataset.content_root;
      document.head.append(make("script", { src: `${root}_static/sections.js`, onerror: failed }));
    });
    return search.loading;
  },
  index(pages) {
    const sections = [], holders = new Map(), used = new Set();  // used: names in the code of earlier pages
    for (const [page, pageTitle, parts] of pages) {
      const lesson = /^notebooks\/\d/.test(page), first = new Set();  // first: names that this lesson uses before all others
      if (lesson) for (const [, , , names] of parts) for (const word of search.words(names)) if (!used.has(word)) first.add(word);
      for (const word of first) used.add(word);
      for (const [title, anchor, text, names] of parts) {
        const counts = new Map(), titled = new Set(search.words(title)), paged = new Set(search.words(pageTitle));
        const all = search.words(text);
        for (const word of all) counts.set(word, (counts.get(word) ?? 0) + 1);
        const coded = new Set(search.words(names));
        const section = { page, pageTitle, title, anchor, text, counts, titled, paged, coded, first, length: all.length };
        for (const word of new Set([...counts.keys(), ...titled, ...coded])) {
          if (!holders.has(word)) holders.set(word, []);
          holders.get(word).push(section);
        }
        sections.push(section);
      }
    }
    const length = sections.reduce((sum, { length }) => sum + length, 0) / sections.length;
    return { sections, holders, length };
  },
  find({ sections, holders, length }, question) {
    const wanted = [...new Set(search.raw(question)
      .filter((word, _, all) => all.length < 2 || !search.ignored.has(word)).map(search.stem))];
    const scores = new Map();  // section → the best that each word of the question brings it
    const rarity = wanted.map((word) => Math.log(1 + sections.length / (holders.get(word)?.length ?? sections.length)));
    wanted.forEach((word, place) => {
      for (const [held, holding] of holders) {
        const [short, long] = held.length < word.length ? [held, word] : [word, held];
        const alike = short.length > 3 && short.length > 0.55 * long.length && long.startsWith(short);
        const likeness = held === word ? 1 : alike ? 0.5 : 0;
        if (!likeness) continue;
        const rare = Math.log(1 + sections.length / holding.length) * likeness;
        for (const section of holding) {
          const often = section.counts.get(held) ?? 0;
          const score = rare * (often / (often + 0.5 + section.length / length) + 1.6 * section.titled.has(held) + 0.8 * section.paged.has(held) + (section.first.has(held) ? 1.2 : 0.2) * section.coded.has(held));
          const all = scores.get(section) ?? wanted.map(() => 0);
          all[place] = Math.max(all[place], score);
          scores.set(section, all);
        }
      }
    });
    // Where the glossary has just what is asked for, it also says which lessons teach it.
    const taught = new Set();
    for (const { page, titled, text } of scores.keys())
      if (page.startsWith("book/glossary") && titled.size > 0.6 * wanted.length && [...titled].every((word) => wanted.includes(word)))
        for (const [, numbers] of text.matchAll(/\(([\d, ]+)\)/g))
          for (const number of numbers.split(", ")) taught.add(number.padStart(2, "0"));
    const ranked = [...scores].map(([section, all]) => {
      const page = section.page.replace(".html", "");
      const teaches = taught.has(page.match(/^notebooks\/(\d\d)_/)?.[1]);
      const held = teaches ? 1 : all.filter(Boolean).length / wanted.length;
      if (teaches) all = all.map((score, place) => Math.max(score, 0.6 * rarity[place]));
      const bonus = (teaches ? 2 : 1) * (search.summaries.has(section.title) || section.title.startsWith("Exercise ") ? 0.7 : 1);
      return { section, score: all.reduce((a, b) => a + b) * held * held * bonus * (search.weights[page] ?? 1), held };
    }).sort((a, b) => b.score - a.score);
    const times = {};  // no page fills the list alone
    return { wanted, found: ranked.filter(({ section: { page } }) => (times[page] = (times[page] ?? 0) + 1) <= 2) };
  },
  excerpt({ text }, wanted) {
    const hit = (word) => wanted.some((one) => one === search.stem(word.toLowerCase()) ||
      (one.length > 3 && word.toLowerCase().startsWith(one)));
    const pieces = text.split(/(?<=[.?!])\s+/);
    const best = pieces.map((piece) => (piece.match(/[\p{L}\p{N}_]+/gu) ?? []).filter(hit).length);
    const start = Math.max(0, best.indexOf(Math.max(...best)));
    let chosen = pieces[start] ?? "";
    for (let next = start + 1; next < pieces.length && chosen.length + pieces[next].length < 220; next++) chosen += ` ${pieces[next]}`;
    if (chosen.length > 260) chosen = `${chosen.slice(0, 250).replace(/\S*$/, "")}…`;
    return chosen.split(/([\p{L}\p{N}_]+)/u).map((word, odd) => odd % 2 && hit(word) ? make("mark", { textContent: word }) : word);
  },
  show(list, { wanted, found }, most) {
    const root = document.documentElement.dataset.content_root;
    list.replaceChildren(...found.slice(0, most).map(({ section }) => make("li", {},
      make("a", { href: `${root}${section.page}#${section.anchor}` }, make("strong", { textContent: section.title }),
        make("span", { textContent: section.title === section.pageTitle ? "" : section.pageTitle })),
      make("p", {}, ...search.excerpt(section, wanted)))));
  },
};

function searchEverywhere() {
  const dialog = document.querySelector("#pst-search-dialog"), field = dialog?.querySelector("input");
  if (field) {
    const list = dialog.appendChild(make("ol", { className: "found" }));
    field.addEventListener("focus", () => search.load().catch(() => {}), { once: true });
    field.addEventListener("input", async () => {
      const question = field.value.trim();
      if (question.length < 2) return list.replaceChildren();
      const index = await search.load();
      if (question === field.value.trim()) search.show(list, search.find(index, question), 6);
    });
  }
  const page = document.querySelector(".search-here");
  if (!page) return;
  const said = document.querySelector("#search-said"), list = document.querySelector("#search-results");
  const input = page.querySelector("input");
  input.value = new URLSearchParams(location.search).get("q") ?? "";
  const look = async () => {
    const question = input.value.trim();
    if (!question) { said.textContent = ""; return list.replaceChildren(); }
    try {
      const answer = search.find(await search.load(), question);
      search.show(list, answer, 20);
      const all = answer.found.filter(({ held }) => held === 1).length;
      said.textContent = !answer.found.length ? `Nothing here holds “${question}”. Try one word, or another one for the same thing.`
        : all ? "" : "No section holds all of these words. These hold some of them:";
    } catch { said.textContent = "The search could not load its list of sections. Load the page again."; }
  };
  page.addEventListener("submit", (event) => {
    event.preventDefault();
    history.replaceState(null, "", `?q=${encodeURIComponent(input.value.trim())}`);
    look();
  });
  look();
}

// The page Claims: choose a lesson, and what became of its claims

function filterClaims() {
  const rows = [...document.querySelectorAll(".claim-list > li")];
  if (!rows.length) return;
  const choose = (label, options) => {
    const select = make("select", {}, ...options.map(([value, text]) => make("option", { value, textContent: text })));
    return [select, make("label", {}, `${label} `, select)];
  };
  const titles = [...document.querySelectorAll(".claim-list")].map((list) => [list.firstElementChild.dataset.lesson,
    list.closest("section").querySelector("h2").firstChild.textContent]);
  const [lesson, lessonLabel] = choose("Lesson", [["", "all"], ...titles]);
  const [status, statusLabel] = choose("Show", [["", "all"], ["checked", "checked claims"], ["skipped", "claims not checked"],
    ["missed", "missed claims"], ["agreement", "agreements"]]);
  const said = make("p");
  said.setAttribute("role", "status");
  const filter = () => {
    let shown = 0;
    for (const row of rows) {
      row.hidden = (lesson.value && row.dataset.lesson !== lesson.value) || (status.value && row.dataset.status !== status.value);
      shown += !row.hidden;
    }
    for (const list of document.querySelectorAll(".claim-list"))
      list.closest("section").hidden = ![...list.children].some((row) => !row.hidden);
    said.textContent = shown === rows.length ? `All ${shown} are shown.` : `${shown} of ${rows.length} are shown.`;
  };
  const form = make("form", { className: "filter" }, lessonLabel, statusLabel, said);
  form.addEventListener("change", filter);
  (document.querySelector(".summary") ?? document.querySelector("article h1")).after(form);
  filter();
}

function closeWhatIsLeft() {
  const menus = () => document.querySelectorAll("details.more[open]");
  addEventListener("click", ({ target }) => menus().forEach((menu) => { if (!menu.contains(target)) menu.open = false; }));
  addEventListener("keydown", ({ key, target }) => {
    if (key !== "Escape") return;
    menus().forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
    target.closest?.(".term")?.classList.add("dismissed");
    document.querySelector(".term:hover")?.classList.add("dismissed");
  });
  for (const term of document.querySelectorAll(".term"))
    for (const leave of ["mouseleave", "focusout"]) term.addEventListener(leave, () => term.classList.remove("dismissed"));
}

// On the page Explorers the address says what an explorer shows: "#convolution={…}".

function shareExplorers() {
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
}

document.addEventListener("DOMContentLoaded", () => {
  for (const part of [nameControls, askQuestions, openWhatIsAddressed, printSolutions, searchEverywhere, filterClaims,
    closeWhatIsLeft, shareExplorers]) part();
  addEventListener("hashchange", openWhatIsAddressed);
  document.documentElement.classList.add("ready");
});
