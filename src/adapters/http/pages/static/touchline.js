// What the pages need beyond htmx: times in the viewer's zone, the chart, and forms that are sent
// once and answered where one looks.
"use strict";

const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function dress(root) {
  localTimes(root);
  for (const form of root.querySelectorAll("form[data-new-key]")) newKey(form);
  charts(root);
  for (const story of root.querySelectorAll(".story")) story.scrollTop = story.scrollHeight;
}

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    time.textContent = clock.format(new Date(time.dateTime));
    time.dataset.local = "";
  }
}

// The key that makes a form sent twice one request. (`crypto.randomUUID` needs a secure address.)
function newKey(form) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  form.elements.key.value = Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
}

// Of the zone, at that moment: summer time may begin in between.
function offsetAt(date) {
  const minutes = -date.getTimezoneOffset(), digits = n => String(Math.abs(n)).padStart(2, "0");
  return (minutes < 0 ? "-" : "+") + digits(Math.trunc(minutes / 60)) + ":" + digits(minutes % 60);
}

function charts(root) {
  if (!window.uPlot) return;
  for (const figure of root.querySelectorAll("[data-chart]")) draw(figure);
}

function draw(figure) {
  const { teams, seconds, lead, over } = JSON.parse(figure.querySelector("script").textContent);
  if (seconds.length === 0) return;
  figure.plot?.destroy();
  const target = figure.querySelector(".plot");
  target.replaceChildren();
  const last = seconds[seconds.length - 1];
  const inMinutes = last >= 120, unit = inMinutes ? 60 : 1;
  const x = seconds.concat(over ? [] : [last + Math.max(last * 0.05, 1)]).map(s => s / unit);
  const y = over ? lead : lead.concat(lead[lead.length - 1]);
  const most = Math.max(1, ...y.map(Math.abs));
  const lines = { stroke: style("--line"), width: 1 };
  const axis = { stroke: style("--soft"), grid: lines, ticks: lines };
  const short = name => name.length > 9 ? name.slice(0, 8) + "…" : name;
  const leading = tick => tick === 0 ? "level" : `${short(teams[tick > 0 ? 0 : 1])} +${Math.abs(tick)}`;
  const moment = tick => Number.isInteger(tick) ? tick + (inMinutes ? " min" : " s") : "";
  figure.plot = new uPlot({
    width: figure.clientWidth, height: 180, cursor: { show: false }, legend: { show: false },
    scales: { x: { time: false }, y: { range: [-most - 0.5, most + 0.5] } },
    axes: [
      { ...axis, size: 34, values: (_, ticks) => ticks.map(moment) },
      { ...axis, size: 110, incrs: [1, 2, 5, 10, 50, 100], values: (_, ticks) => ticks.map(leading) },
    ],
    series: [{}, {
      stroke: style("--brand"), width: 3, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false },
    }],
  }, [x, y], target);
}

// Forms

// What a link brought behind its # was never sent to a server; nor does it stay in the address.
function fromLink(form) {
  if (location.hash.length < 2) return;
  form.elements.token.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
}

const KEY_SECONDS = 1;
let asker = null;

function said(target, text) {
  const line = document.createElement("p");
  line.className = "problem";
  line.textContent = text;
  target.replaceChildren(line);
}

document.addEventListener("DOMContentLoaded", () => {
  const body = document.body;
  dress(document);
  for (const form of document.querySelectorAll("[data-from-link]")) fromLink(form);

  body.addEventListener("htmx:configRequest", event => {
    const { parameters, elt } = event.detail;
    if (elt.matches("[data-dated]") && parameters.event_date) parameters.offset = offsetAt(new Date(parameters.event_date));
    if (elt.matches("[data-as-user]")) parameters.as = body.dataset.user;
    if (elt.matches("[data-asks]")) asker = document.activeElement.id;
  });
  body.addEventListener("htmx:afterSettle", event => {
    const { target, requestConfig, xhr } = event.detail;
    if (!requestConfig) return;  // not an answer: a part that the stream brought
    if (requestConfig.elt.matches("[data-answers]") && xhr.status < 300) live.release();
    dress(target);
    const question = target.querySelector("[data-focus]");
    if (question) question.focus();
    else if (requestConfig.elt.matches("[data-answers]")) backToAsker();
  });
  // Pressed twice, or held down, it is one request; only a moment later it is another one.
  body.addEventListener("htmx:beforeRequest", event => clearTimeout(event.detail.elt.renewal));
  body.addEventListener("htmx:afterRequest", event => {
    const form = event.detail.elt, status = event.detail.xhr.status;
    if (!status || status === 503) return;
    if (!form.matches("[data-new-key]")) return;
    form.renewal = setTimeout(() => {
      if (form.matches("[data-reset]") && status < 300) form.reset();
      newKey(form);
    }, KEY_SECONDS * 1000);
  });
  body.addEventListener("htmx:sendError", event => {
    const target = event.detail.target;
    if (target.matches(".reply")) said(target, "No connection: nothing is known to have been done. Try again.");
  });
  body.addEventListener("keydown", event => {
    if (event.repeat && event.key === "Enter" && event.target.matches("button")) event.preventDefault();
  });
  body.addEventListener("click", event => {
    if (event.target.closest("#leave")) { document.getElementById("reply").replaceChildren(); backToAsker(); }
    if (event.target.closest("#show-held")) live.release();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts(document));
  let isDrawing = false;
  window.addEventListener("resize", () => {
    if (isDrawing) return;
    isDrawing = true;
    requestAnimationFrame(() => { isDrawing = false; charts(document); });
  });
  body.dataset.ready = "";  // htmx, whose script comes first, is ready by now, too
});

// The control that asked, or the first one where it is no longer there.
function backToAsker() {
  const control = document.getElementById(asker) || document.querySelector("#controls button:not(:disabled)");
  (control && !control.disabled ? control : document.getElementById("main")).focus();
}
