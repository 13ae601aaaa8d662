// Keeps a page live: one stream, whose messages are the page's parts. Parts begin with a comment,
// their digest; what is shown already is left alone. A page that nobody sees has no stream: browsers
// allow only a few to one server, and a part is whole whenever it comes.
"use strict";

const live = (() => {
  const SILENCE = 25_000, SLOWEST = 10_000;
  const parts = ["board", "desk", "head", "betting", "controls", "markets", "timeline", "mine", "leaders"];
  let source = null, since = null, heardAt = 0, isOver = false, delay = 500;

  function open() {
    if (source || isOver || document.hidden) return;
    const address = new URL(document.body.dataset.stream, location);
    if (since) address.searchParams.set("since", since);
    source = new EventSource(address);
    heardAt = Date.now();
    source.addEventListener("open", () => { hear(); delay = 500; connected(true); });
    source.addEventListener("error", () => {
      connected(false);
      if (source.readyState === EventSource.CLOSED) again();
    });
    for (const name of parts) source.addEventListener(name, event => { hear(event); show(name, event.data); });
    for (const name of ["beat", "reached"]) source.addEventListener(name, hear);
    source.addEventListener("news", event => { hear(event); tell(event.data); });
    source.addEventListener("away", () => connected(false));
    source.addEventListener("back", () => connected(true));
    source.addEventListener("expired", () => {
      isOver = true;
      close();
      location.assign("/pages/sign-in");
    });
    source.addEventListener("gone", event => {
      isOver = true;
      close();
      swap(document.getElementById("main"), event.data);
    });
  }

  function close() {
    if (source) source.close();
    source = null;
  }

  // What the server refuses ends a stream for the browser; we ask again, ever more slowly.
  function again() {
    close();
    setTimeout(open, delay);
    delay = Math.min(delay * 2, SLOWEST);
  }

  function hear(event) {
    heardAt = Date.now();
    if (event && event.lastEventId) since = event.lastEventId;
  }

  function connected(is) {
    const line = document.getElementById("connection");
    line.classList.toggle("lost", !is);
    line.textContent = is ? line.dataset.online : line.dataset.offline;
  }

  function show(name, html) {
    const part = document.querySelector(`[data-part="${name}"]`);
    if (!part || digestOf(html) === digestShown(part)) return;
    if (isBusy(part)) hold(part, html);
    else swap(part, html);
  }

  const digestOf = html => /^<!--(\w+)-->/.exec(html)?.[1];

  function digestShown(part) {
    const first = part.firstChild;
    return first && first.nodeType === Node.COMMENT_NODE ? first.data : undefined;
  }

  // Whether somebody is typing into it: what was typed must not be lost.
  function isBusy(part) {
    const isTyped = input => input.type !== "hidden" && input.value !== input.defaultValue;
    return Boolean(part.querySelector("details[open]")) || [...part.querySelectorAll("input")].some(isTyped);
  }

  function hold(part, html) {
    part.held = html;
    const hint = document.getElementById("held");
    if (hint) hint.hidden = false;
  }

  // Show what came while somebody was typing.
  function release() {
    for (const part of document.querySelectorAll("[data-part]")) {
      if (part.held && digestOf(part.held) !== digestShown(part)) swap(part, part.held);
      part.held = null;
    }
    const hint = document.getElementById("held");
    if (hint) hint.hidden = true;
  }

  function swap(target, html) {
    for (const figure of target.querySelectorAll("[data-chart]")) figure.plot?.destroy();
    htmx.swap(target, html, { swapStyle: "innerHTML", swapDelay: 0, settleDelay: 0 });
    dress(target);
  }

  function tell(html) {
    document.getElementById("news").innerHTML = html;
  }

  document.addEventListener("DOMContentLoaded", () => {
    since = document.body.dataset.since;
    open();
    document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
    window.addEventListener("online", () => { close(); open(); });
    window.addEventListener("offline", () => connected(false));
    setInterval(() => {
      if (source && Date.now() - heardAt > SILENCE) { connected(false); again(); }
    }, 5000);
  });

  return { release };
})();
