// What the pages need beyond htmx: times in the viewer's zone, the chart, the state of the
// connection, and keys that make a form sent twice one request.
"use strict";

const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    time.textContent = clock.format(new Date(time.dateTime));
    time.dataset.local = "";
  }
}

function newKeys(root) {
  for (const form of root.querySelectorAll("form[data-new-key]")) {
    form.elements.key.value = newKey();
    const offset = form.elements.offset;
    if (offset) offset.value = offsetOf(new Date());
  }
}

// `crypto.randomUUID` is there on secure addresses only.
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");
}

function offsetOf(date) {
  const minutes = -date.getTimezoneOffset(), both = n => String(Math.abs(n)).padStart(2, "0");
  return (minutes < 0 ? "-" : "+") + both(Math.trunc(minutes / 60)) + ":" + both(minutes % 60);
}

function charts(root) {
  if (!window.uPlot) return;
  for (const figure of root.querySelectorAll("[data-chart]")) draw(figure);
}

function draw(figure) {
  const plot = figure.querySelector(".plot");
  const { teams, seconds, lead, over } = JSON.parse(figure.querySelector("script").textContent);
  if (seconds.length === 0) return;
  plot.replaceChildren();
  const last = seconds[seconds.length - 1];
  const inMinutes = last >= 120, unit = inMinutes ? 60 : 1;
  const x = seconds.concat(over ? [] : [last + Math.max(last * 0.05, 1)]).map(s => s / unit);
  const y = over ? lead : lead.concat(lead[lead.length - 1]);
  const most = Math.max(1, ...y.map(Math.abs));
  const axis = { stroke: style("--soft"), grid: { stroke: style("--line"), width: 1 }, ticks: { stroke: style("--line") } };
  new uPlot({
    width: figure.clientWidth, height: 180, cursor: { show: false }, legend: { show: false }, pxAlign: true,
    scales: { x: { time: false }, y: { range: [-most - 0.5, most + 0.5] } },
    axes: [
      { ...axis, size: 34, values: (_, ticks) => ticks.map(t => Number.isInteger(t) ? t + (inMinutes ? " min" : " s") : "") },
      { ...axis, size: 110, incrs: [1, 2, 5, 10, 50, 100], values: (_, ticks) => ticks.map(t =>
        t === 0 ? "level" : `${short(teams[t > 0 ? 0 : 1])} +${Math.abs(t)}`) },
    ],
    series: [{}, { stroke: style("--brand"), width: 3, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } }],
  }, [x, y], plot);
}

const short = name => name.length > 9 ? name.slice(0, 8) + "…" : name;

function storyToItsEnd(root) {
  for (const story of root.querySelectorAll(".story")) story.scrollTop = story.scrollHeight;
}

function dress(root) {
  localTimes(root);
  newKeys(root);
  charts(root);
  storyToItsEnd(root);
  root.querySelector("[data-focus]")?.focus();
}

// Parts begin with a comment: their digest.
function isShown(element, html) {
  const shown = element.firstChild, come = /^<!--(\w+)-->/.exec(html);
  return Boolean(come && shown && shown.nodeType === Node.COMMENT_NODE && shown.data === come[1]);
}

function connected(is) {
  const line = document.getElementById("connection");
  line.classList.toggle("lost", !is);
  line.textContent = is ? line.dataset.online : line.dataset.offline;
}

document.addEventListener("DOMContentLoaded", () => {
  dress(document);
  const body = document.body;
  body.addEventListener("htmx:afterSwap", event => dress(event.detail.target || event.target));
  body.addEventListener("htmx:sseBeforeMessage", event => {
    if (isShown(event.target, event.detail.data)) event.preventDefault();
  });
  body.addEventListener("htmx:sseMessage", event => dress(event.target));
  body.addEventListener("htmx:sseOpen", () => connected(true));
  body.addEventListener("htmx:sseError", () => connected(false));
  body.addEventListener("htmx:sendError", event => {
    const target = event.detail.target;
    const said = document.createElement("p");
    said.className = "problem";
    said.textContent = "No connection: nothing is known to have been done. Try again.";
    if (target && target.classList.contains("reply")) target.replaceChildren(said);
  });
  // A bet that was answered, whatever the answer, is followed by another one.
  body.addEventListener("htmx:afterRequest", event => {
    const form = event.detail.elt.closest("form[data-new-key]");
    if (form && event.detail.xhr && event.detail.xhr.status && event.detail.xhr.status !== 503) newKeys(form.parentElement);
  });
  body.addEventListener("click", event => {
    const cleared = event.target.closest("[data-clear]");
    if (cleared) document.querySelector(cleared.dataset.clear).replaceChildren();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts(document));
  window.addEventListener("resize", () => charts(document));
});
