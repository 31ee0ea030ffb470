// The theme's buttons carry their scripts in onclick, which the page's policy forbids.
document.addEventListener("click", (event) => {
  const action = event.target.closest("[data-click]")?.dataset.click;
  if (action === "fullscreen") window.toggleFullScreen();
  if (action === "print") printAll();
});

// Pictures are fetched when one comes near them, but paper wants them all, and a browser that is
// asked to print does not wait. So they are asked for first.
async function printAll() {
  const pictures = [...document.querySelectorAll("article img:not(.in-the-dark)")];
  for (const picture of pictures) picture.loading = "eager";
  const there = Promise.allSettled(pictures.map((picture) => picture.decode()));
  await Promise.race([there, new Promise((go) => setTimeout(go, 5000))]); // of a broken network
  window.print();
}
document.addEventListener("keydown", (event) => {
  const held = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
  if (!held || event.key.toLowerCase() !== "p") return;
  event.preventDefault();
  printAll();
});

// The keyboard need not stop at code and formulas that are not too wide. Those that are fade out
// at the side where they go on.
function showMore(box) {
  const left = box.scrollWidth > box.clientWidth && box.scrollLeft > 1;
  box.classList.toggle("more-left", left);
  box.classList.toggle("more-right", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
}
const watched = new WeakSet();
const seen = new IntersectionObserver((entries) => {
  const boxes = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
  const fitting = boxes.filter((box) => box.scrollWidth <= box.clientWidth);
  for (const box of fitting) box.removeAttribute("tabindex");
  for (const box of boxes) {
    if (fitting.includes(box) && !watched.has(box)) continue;
    if (!fitting.includes(box)) box.tabIndex = 0;
    if (!watched.has(box)) box.addEventListener("scroll", () => showMore(box), { passive: true });
    watched.add(box);
    showMore(box);
  }
});
const boxes = document.querySelectorAll("article [tabindex='0']");
for (const box of boxes) seen.observe(box);
addEventListener("resize", () => {
  for (const box of boxes) {
    seen.unobserve(box);
    seen.observe(box); // asks again
  }
});

// An element, with what is in it.
function make(kind, properties, ...children) {
  const made = Object.assign(document.createElement(kind), properties);
  made.append(...children);
  return made;
}

// A guess is made by pressing a choice; then the answer unfolds, and what is said to this choice
// stands out. (Without this script one unfolds it oneself: tools/guesses.py.)
for (const choices of document.querySelectorAll(".guess-choices")) {
  const answer = choices.nextElementSibling;
  const buttons = [...choices.children].map((choice) => {
    const button = make("button", { type: "button", ariaPressed: "false" }, ...choice.childNodes);
    choice.append(button);
    return button;
  });
  const press = (chosen) => {
    for (const [k, button] of buttons.entries()) {
      button.ariaPressed = String(k === chosen);
      answer.querySelector("ul").children[k].classList.toggle("chosen", k === chosen);
    }
    answer.open = true;
  };
  for (const [k, button] of buttons.entries()) button.addEventListener("click", () => press(k));
}

// A quiz (classroom/question.py) is a list of questions with folded answers. Here each becomes a
// form: choose, or write a number, press Check, and read what is said to this answer. Nothing is
// kept or sent.
function readNumber(text) {
  const plain = text.trim().replaceAll("−", "-").replaceAll(",", ".");
  const found = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?:\/(\d+\.?\d*|\.\d+))?$/i.exec(plain);
  const below = Number(found?.[2] ?? 1);
  return found && below ? Number(found[1]) / below : null;
}
for (const question of document.querySelectorAll(".quiz-question")) {
  const [ask, choices] = [question.querySelector("p"), question.querySelector(".quiz-choices")];
  const answers = [...question.querySelectorAll(".quiz-answers li")];
  const { name, within, otherwise, noNumber } = question.dataset;
  const number = make("input", { type: "text", inputMode: "decimal", autocomplete: "off" });
  const given = choices
    ? [...choices.children].map((item, k) => {
        const radio = make("input", { type: "radio", name: `quiz-${name}`, value: k });
        return make("label", {}, radio, make("span", {}, ...item.childNodes));
      })
    : [make("label", { className: "quiz-number" }, "Your number ", number)];
  const status = make("div", { className: "quiz-said", role: "status" });
  const say = (answer, text = "") => {
    status.classList.toggle("right", answer?.classList.contains("right") ?? false);
    status.classList.toggle("wrong", Boolean(answer ?? text === otherwise) && !status.matches(".right"));
    status.replaceChildren(...(answer?.cloneNode(true).childNodes ?? [text]));
  };
  const form = make(
    "form",
    { className: "quiz-form", noValidate: true },
    make("fieldset", {}, make("legend", {}, ...ask.childNodes), ...given),
    make("button", { type: "submit" }, "Check"),
    status,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (choices) {
      const chosen = form.querySelector("input:checked");
      return chosen ? say(answers[chosen.value]) : say(null, "Choose one first.");
    }
    const value = readNumber(number.value);
    if (value === null) return say(null, noNumber);
    const near = (answer) => Math.abs(value - answer.dataset.value) <= within;
    const answer = answers.find(near);
    return answer ? say(answer) : say(null, otherwise);
  });
  ask.remove();
  choices?.remove();
  question.prepend(form);
}
// What a term means is shown beside it, under the pointer, at the keyboard's place, or when tapped
// (a second tap follows the link). It stays while the pointer is on it, and goes with Escape.
let shown = null;
let leaving = 0;
function hideNote() {
  clearTimeout(leaving);
  if (shown) shown.hidden = true;
  shown = null;
}
function showNote(link) {
  const note = document.getElementById(link.getAttribute("aria-describedby"));
  clearTimeout(leaving);
  if (note === shown) return;
  hideNote();
  shown = note;
  note.hidden = false;
  const at = link.getClientRects()[0];
  const room = document.documentElement.clientWidth - note.offsetWidth - 12;
  const below = at.bottom + 6 + note.offsetHeight < innerHeight;
  note.style.left = `${Math.max(12, Math.min(at.left, room))}px`;
  note.style.top = `${below ? at.bottom + 6 : at.top - 6 - note.offsetHeight}px`;
}
for (const link of document.querySelectorAll("a.note")) {
  const note = document.getElementById(link.getAttribute("aria-describedby"));
  const leave = () => (leaving = setTimeout(hideNote, 150));
  let tapped = false;
  for (const part of [link, note]) {
    part.addEventListener("pointerenter", (event) => event.pointerType !== "touch" && showNote(link));
    part.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && leave());
  }
  link.addEventListener("pointerdown", (event) => {
    tapped = event.pointerType === "touch" && note !== shown;
  });
  link.addEventListener("click", (event) => {
    if (!tapped) return;
    event.preventDefault();
    showNote(link);
  });
  link.addEventListener("focus", () => link.matches(":focus-visible") && showNote(link));
  link.addEventListener("blur", leave);
}
addEventListener("scroll", hideNote, { passive: true });
addEventListener("keydown", (event) => event.key === "Escape" && hideNote());
addEventListener("pointerdown", (event) => event.target.closest("a.note, .note-text") ?? hideNote());

// The fonts of all formulas, not only of those in view: whoever prints has not scrolled first.
const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
async function loadFonts() {
  const used = (face) => {
    const family = face.family.replaceAll('"', "");
    return family === "MJXTEX" || document.querySelector(`.${family.replace("MJX", "")}`);
  };
  const needed = [...document.fonts].filter((face) => face.family.includes("MJXTEX") && used(face));
  await Promise.allSettled(needed.map((face) => face.load()));
  document.documentElement.dataset.fonts = "ready";
}

// As soon as the reader moves, sections further down are laid out, one at a time and when nothing
// else is to do: then the scrollbar knows how long the page is.
const later = [...document.querySelectorAll(".bd-article > section > section")];
const holdsStill = CSS.supports("overflow-anchor", "auto"); // the browser keeps what is read in place
function layOutNext() {
  const section = later.shift();
  if (!section) {
    document.documentElement.dataset.laidOut = "";
    return;
  }
  const before = section.getBoundingClientRect();
  section.classList.add("laid-out");
  const after = section.getBoundingClientRect(); // here it is laid out
  if (!holdsStill && before.bottom < 0) {
    scrollBy({ top: after.height - before.height, behavior: "instant" });
  }
  whenIdle(layOutNext);
}
const moves = ["scroll", "pointermove", "pointerdown", "keydown", "touchstart"];
function begin() {
  for (const kind of moves) removeEventListener(kind, begin);
  whenIdle(layOutNext);
}
addEventListener("load", () => {
  whenIdle(loadFonts);
  for (const kind of moves) addEventListener(kind, begin, { passive: true });
});

// The list of sections marks the one that is read. The theme waits for a heading to come by, and
// whoever goes down page by page jumps over it.
const contents = document.querySelector("#pst-page-toc-nav");
const entries = [...(contents?.querySelectorAll("a[href^='#']") ?? [])].flatMap((link) => {
  const section = document.getElementById(decodeURIComponent(link.hash.slice(1)));
  return section ? [{ link, section }] : [];
});
function lastBegun(among) {
  const atEnd = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
  const top = ({ section }) => section.getBoundingClientRect().top;
  const asked = among.find(({ link }) => link.hash === location.hash && location.hash);
  if (atEnd && asked && top(asked) >= 0) return asked; // nothing can bring it further up
  return among.findLast((entry) => top(entry) <= (atEnd ? 0.9 : 0.3) * innerHeight);
}
let marking = false;
function markSection() {
  marking = false;
  const within = (outer) => entries.filter(({ section }) =>
    (section.parentElement.closest("section section")) === outer); // (others may not be laid out)
  let current = null;
  for (let next = lastBegun(within(null)); next; next = lastBegun(within(current.section))) {
    current = next;
  }
  for (const { link } of entries) {
    link.classList.toggle("active", link === current?.link);
    if (link === current?.link) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  for (const entry of contents.querySelectorAll(".toc-entry")) {
    entry.classList.toggle("active", entry.contains(current?.link ?? null));
  }
}
if (entries.length) {
  addEventListener("scroll", () => {
    if (!marking) setTimeout(markSection, 100); // after the theme
    marking = true;
  }, { passive: true });
}

// Paper is white: what is printed from the dark is printed in light colours.
let theme = null;
addEventListener("beforeprint", () => {
  theme ??= document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});
addEventListener("afterprint", () => {
  if (theme !== null) document.documentElement.dataset.theme = theme;
  theme = null;
});

// The landing page's figure runs once when it is first seen, unless calm was asked for or somebody
// was quicker; the button "Play" beside it runs it, too.
const hero = document.getElementById("fig-hero");
const playButton = () =>
  [...(hero?.querySelectorAll("button") ?? [])].find((button) => button.textContent === "Play");
if (hero) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let touched = calm;
  for (const kind of ["pointerdown", "keydown"]) hero.addEventListener(kind, () => (touched = true));
  const once = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      once.disconnect();
      const start = () => {
        if (touched) return;
        if (playButton()) {
          playButton().click();
          hero.dataset.ran = "";
        } else setTimeout(start, 100); // the figure is not there yet
      };
      start();
    },
    { threshold: 0.6 },
  );
  once.observe(hero);
  for (const link of document.querySelectorAll("a.plays")) {
    link.addEventListener("click", () => {
      touched = true;
      playButton()?.click();
    });
  }
}

// What the reader has read is ticked in the list of chapters. Only this browser knows of it; where
// it keeps nothing, there is no button.
const readButton = document.querySelector(".afterword button");
function keptTicks() {
  const kept = JSON.parse(localStorage.getItem("read") ?? "[]");
  return new Set(Array.isArray(kept) ? kept : []);
}
function showTicks() {
  const ticks = keptTicks();
  if (readButton) readButton.ariaPressed = String(ticks.has(readButton.dataset.page));
  for (const link of document.querySelectorAll(".bd-links a.reference.internal")) {
    const { pathname } = new URL(link.href); // (the open page's own link is "#")
    link.querySelector(".tick")?.remove();
    if (![...ticks].some((name) => pathname.endsWith(`/${name}.html`))) continue;
    link.append(make("span", { className: "tick", role: "img", ariaLabel: "read" }));
  }
}
function turnTick() {
  const ticks = keptTicks(), { page } = readButton.dataset;
  if (!ticks.delete(page)) ticks.add(page);
  localStorage.setItem("read", JSON.stringify([...ticks]));
  showTicks();
}
try {
  showTicks();
  addEventListener("storage", showTicks); // turned in another tab
  if (readButton) {
    readButton.addEventListener("click", turnTick);
    readButton.hidden = false;
  }
} catch {
  // a browser that keeps nothing, or something else by this name
}
