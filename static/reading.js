"use strict";
// The page of a document. Without this script its links do the same by loading the page again; with it a passage is
// chosen in place: its text is marked, and what is shown beside it follows.
const text = document.getElementById("text");
const switchBox = document.getElementById("show-passages");
const AWHILE = 150;
const PREFERENCE = "show-passages";
let waiting = 0;

// The notice of an older revision stays in view; how high it is depends on its words and on the window.
const older = document.getElementById("older");
if (older) {
  const placeBelow = () => document.documentElement.style.setProperty("--above", `${older.getBoundingClientRect().height}px`);
  new window.ResizeObserver(placeBelow).observe(older);
}

switchBox.checked = window.localStorage.getItem(PREFERENCE) !== "no";
switchBox.addEventListener("change", () => window.localStorage.setItem(PREFERENCE, switchBox.checked ? "yes" : "no"));

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-passage], a[data-page], .outline a, .more a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (link.closest(".more")) event.preventDefault(); // the paragraph around it loads what is there
  else if (link.dataset.passage) choose(event, link);
  else if (link.dataset.page) turn(event, link);
  else jump(event, link);
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [popover]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "p") switchBox.click();
});

// A link in a picture has no `href` that is text.
function address(link) {
  return new URL(link.getAttribute("href"), window.location.href);
}

function choose(event, link) {
  const pieces = text.querySelectorAll(`[data-passages~="${link.dataset.passage}"]`);
  if (!pieces.length) return; // in another part of the text: the link loads it
  event.preventDefault();
  for (const mark of text.querySelectorAll("mark.piece")) retag(mark, "span");
  const marked = Array.from(pieces, (piece) => retag(piece, "mark"));
  marked[0].id = "passage";
  marked[0].tabIndex = -1;
  point();
  if (!link.closest("#text") || event.detail === 0) marked[0].scrollIntoView({ block: "center" });
  window.history.replaceState(null, "", address(link));
  show(address(link).searchParams);
}

// Another element of the same content: what is marked is a <mark> to everyone, also to those who do not see its colour.
function retag(piece, name) {
  const fresh = document.createElement(name);
  for (const { name: attribute, value } of piece.attributes) fresh.setAttribute(attribute, value);
  fresh.removeAttribute("id");
  fresh.removeAttribute("tabindex");
  fresh.append(...piece.childNodes);
  piece.replaceWith(fresh);
  return fresh;
}

function chosen() {
  return document.getElementById("passage")?.dataset.passages.split(" ").at(-1);
}

function point() {
  for (const link of text.querySelectorAll(".passage-start")) {
    if (link.dataset.passage === chosen()) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function step(by) {
  const links = Array.from(text.querySelectorAll(".passage-start"));
  const now = links.findIndex((link) => link.dataset.passage === chosen());
  const next = now < 0 ? links.find((link) => link.getBoundingClientRect().top > 0) : links[now + by];
  const beyond = document.querySelector(by > 0 ? "#place .steps [rel=next]" : "#place .steps [rel=prev]");
  (next || beyond)?.click();
}

function turn(event, link) {
  event.preventDefault();
  const asked = address(link).searchParams;
  const marked = new URL(window.location.href).searchParams.get("chars");
  if (marked) asked.set("chars", marked);
  show(asked);
}

// Who goes through passages quickly waits for the last one only.
function show(asked) {
  window.clearTimeout(waiting);
  waiting = window.setTimeout(() => {
    const url = document.getElementById("place").dataset.url;
    window.htmx.ajax("GET", `${url}?${asked}`, { target: "#place", swap: "outerHTML" });
  }, AWHILE);
}

function jump(event, link) {
  const heading = document.getElementById(address(link).hash.slice(1));
  if (!heading) return; // in another part of the text: the link loads it
  event.preventDefault();
  document.querySelector(".panes [value=text]").checked = true;
  window.history.replaceState(null, "", address(link));
  heading.scrollIntoView();
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

// The outline follows the text.
function follow() {
  const headings = Array.from(text.querySelectorAll("[id^=at-]"));
  const read = headings.filter((heading) => heading.getBoundingClientRect().top < 120).at(-1);
  for (const link of document.querySelectorAll(".outline a")) {
    if (!read || link.hash !== `#${read.id}`) {
      link.removeAttribute("aria-current");
    } else if (!link.hasAttribute("aria-current")) {
      link.setAttribute("aria-current", "true");
      reveal(link);
    }
  }
}

function reveal(link) {
  const box = link.closest(".outline");
  const top = link.offsetTop - box.offsetTop;
  if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 40) box.scrollTop = top - box.clientHeight / 2;
}

let due = false;
window.addEventListener("scroll", () => {
  if (due) return;
  due = true;
  window.requestAnimationFrame(() => {
    due = false;
    follow();
  });
}, { passive: true });
document.body.addEventListener("htmx:afterSettle", point);
point();
follow();
