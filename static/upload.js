"use strict";
// The drop zone. Without this script its form sends all files at once and the page loads again; with it each file goes
// by itself, a few at a time, with its progress, and the table below looks for the new ones.
const AT_ONCE = 3;
const zone = document.getElementById("drop");
const picker = zone.querySelector("input[type=file]");
const list = zone.querySelector(".uploads");
const waiting = [];
let sending = 0;
let again = 0;

zone.classList.add("lively");
picker.addEventListener("change", () => {
  add(picker.files);
  picker.value = "";
});
zone.addEventListener("submit", (event) => event.preventDefault());

for (const name of ["dragenter", "dragover"]) {
  zone.addEventListener(name, (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
}
zone.addEventListener("dragleave", (event) => {
  if (!zone.contains(event.relatedTarget)) zone.classList.remove("over");
});
zone.addEventListener("drop", (event) => {
  event.preventDefault();
  zone.classList.remove("over");
  add(event.dataTransfer.files);
});

function add(files) {
  for (const file of files) waiting.push({ file, row: rowFor(file) });
  sendNext();
}

function rowFor(file) {
  const row = document.createElement("li");
  const name = document.createElement("bdi");
  name.textContent = file.name;
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", file.name);
  const outcome = document.createElement("span");
  row.append(name, bar, outcome);
  list.append(row);
  return { row, bar, outcome };
}

function sendNext() {
  while (sending < AT_ONCE && waiting.length) {
    sending += 1;
    send(waiting.shift());
  }
}

function send({ file, row }) {
  const form = new FormData();
  form.append("csrfmiddlewaretoken", zone.querySelector("[name=csrfmiddlewaretoken]").value);
  form.append("file", file, file.name);
  const request = new XMLHttpRequest();
  request.open("POST", zone.action);
  request.setRequestHeader("Accept", "application/json");
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) row.bar.value = event.loaded / event.total;
  });
  request.addEventListener("load", () => finish(row, answerOf(request)));
  request.addEventListener("error", () => finish(row, { failed: zone.dataset.lost }));
  request.send(form);
}

function answerOf(request) {
  const type = request.getResponseHeader("Content-Type") || "";
  if (!type.includes("json")) return { failed: request.status === 200 ? zone.dataset.signedOut : zone.dataset.refused };
  const body = JSON.parse(request.responseText);
  if (request.status >= 400) return { failed: body.detail };
  return { done: body.documents[0].created ? zone.dataset.received : zone.dataset.known };
}

function finish({ row, bar, outcome }, { done, failed }) {
  sending -= 1;
  bar.remove();
  outcome.textContent = failed || done;
  outcome.className = failed ? "wrong" : "muted";
  document.body.dispatchEvent(new Event("received"));
  // An event that comes while the table is being replaced finds nobody listening: after the last file it comes again.
  window.clearTimeout(again);
  again = window.setTimeout(() => document.body.dispatchEvent(new Event("received")), 1000);
  // What went well stands in the table below; only what did not stays here.
  if (done) window.setTimeout(() => row.remove(), 4000);
  sendNext();
}
