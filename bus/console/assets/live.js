// Server-sent events, one connection for all tabs: the tab that holds the lock listens and tells the others.
// New rows never move a list: they wait behind one button, and are read out once, politely.

import { say as told } from "./words.js";

const STALE_MS = 30_000;

export function live({ announce, element, alerted }) {
  const { events, after } = document.body.dataset;
  if (!events) return;
  const badge = document.querySelector("[data-live]"), text = badge?.querySelector("[data-live-text]");
  const clocks = document.querySelectorAll("[data-clock]");
  const made = Date.parse(document.querySelector("[data-now]")?.dataset.now ?? ""), began = performance.now();
  const now = () => made + (performance.now() - began); // the hub's clock, not this machine's
  let heard = now(), state = "";

  const pad = (n) => String(n).padStart(2, "0");
  const clock = (ms, seconds = true) => { const t = new Date(ms); return `${pad(t.getUTCHours())}:${pad(t.getUTCMinutes())}` + (seconds ? `:${pad(t.getUTCSeconds())}` : ""); };

  function say(next) {
    if (next === state || !badge) return;
    const was = state;
    state = next;
    const glyph = document.querySelector(`template[data-state="${next}"]`)?.content.firstElementChild?.cloneNode(true);
    if (glyph) badge.querySelector(".state")?.replaceWith(glyph); // another shape, not only another colour
    const stale = next === "silent";
    text.textContent = stale ? told("not-live", { time: clock(heard) }) : told("live");
    document.body.classList.toggle("stale", stale);
    const bar = document.querySelector("[data-stale]");
    if (bar) { bar.hidden = !stale; bar.querySelector("[data-stale-since]").textContent = clock(heard); }
    if (stale) announce(told("lost", { time: clock(heard) }));
    else if (was === "silent") announce(told("back"));
  }
  function span(seconds) {
    const s = Math.abs(Math.trunc(seconds)), d = Math.trunc(s / 86400), h = Math.trunc(s / 3600) % 24, m = Math.trunc(s / 60) % 60;
    return d ? told(h ? "d-h" : "d", { d, h }) : h ? told(m ? "h-m" : "h", { h, m: pad(m) }) : m ? told("m", { m }) : told("s", { s });
  }
  function tick() {
    for (const each of clocks) each.textContent = each.dataset.clock === "local" ? clock(now() + Number(each.dataset.offset) * 60_000, false) : clock(now());
    for (const each of document.querySelectorAll("[data-due]")) {
      const left = (Date.parse(each.dateTime) - now()) / 1000, words = told(left < 0 ? "late" : "in", { span: span(left) });
      if (each.textContent !== words) each.textContent = words;
    }
    if (now() - heard > STALE_MS) say("silent");
  }
  tick();
  setInterval(tick, 1000);

  const fresh = document.querySelector("[data-fresh]");
  const count = { bulletin: 0, change: 0 };
  const seen = new Set();
  function alive() { heard = now(); say("live"); }
  function arrive(kind, n) {
    if (seen.has(n)) return;
    seen.add(n);
    count[kind] += 1;
    const all = count.bulletin + count.change;
    const fresher = told("new", { num: count.bulletin }), changed = told("changed", { num: count.change });
    const what = count.bulletin && count.change ? told("both", { new: fresher, changed }) : count.bulletin ? fresher : changed;
    document.title = `(${all}) ${document.title.replace(/^\(\d+\) /, "")}`;
    if (fresh) {
      fresh.hidden = false;
      fresh.classList.add("on");
      fresh.replaceChildren(told("show", { what, num: all }), element("kbd", {}, "n"));
    }
    announce(told("press", { what }));
  }
  const again = () => location.reload();
  fresh?.addEventListener("click", again);
  if ("wall" in document.body.dataset) setInterval(() => { if (count.bulletin + count.change && state === "live") again(); }, 5000);

  // On the page of clocks one that is too late moves to its place, and it is said; elsewhere it is a change like others.
  function late({ n, about, at }) {
    if (seen.has(n)) return;
    const list = document.querySelector("[data-clocks]"), rows = [...(list?.querySelectorAll("[data-of]") ?? [])];
    const fallen = rows.filter((row) => row.dataset.of === about && !row.closest("[data-late]") && Date.parse(row.dataset.ends) <= Date.parse(at));
    const place = list?.querySelector("[data-late]");
    if (!fallen.length || !place) return arrive("change", n);
    seen.add(n);
    for (const row of fallen) {
      const from = row.closest("section"), glyph = document.querySelector('template[data-state="fail"]')?.content.firstElementChild?.cloneNode(true);
      if (glyph) row.querySelector(".state")?.replaceWith(glyph);
      place.querySelector("ul").append(row);
      place.hidden = false;
      for (const each of [from, place]) each.querySelector(".panel-meta").textContent = each.querySelectorAll("[data-of]").length;
      from.hidden = !from.querySelector("[data-of]");
    }
    announce(told("too-late", { title: fallen.map((row) => row.querySelector(".clock-title").textContent).join(", ") }));
  }

  // A wall screen beside the tabs of a person listens for itself: it says no alert, so it is not to hear one in place of them.
  const isAlone = "wall" in document.body.dataset || !("BroadcastChannel" in globalThis) || !navigator.locks;
  const wire = isAlone ? null : new BroadcastChannel("tocsin");
  const heed = ({ what, data, listens = false }) => { alive(); if (what === "alert") alerted(data, listens); if (what === "bulletin" || what === "change") arrive(what, data.n); if (what === "late") late(data); if (what === "reload") arrive("change", "reload"); };
  wire?.addEventListener("message", ({ data }) => heed(data));
  function listen(release) {
    const source = new EventSource(`${events}?after=${encodeURIComponent(after)}`);
    const tell = (what, data = {}) => { heed({ what, data, listens: true }); wire?.postMessage({ what, data }); };
    for (const what of ["bulletin", "change"]) source.addEventListener(what, ({ data }) => { const { n } = JSON.parse(data); tell(what, { n }); });
    source.addEventListener("late", ({ data }) => { const { n, about, at } = JSON.parse(data); tell("late", { n, about, at }); });
    source.addEventListener("alert", ({ data }) => tell("alert", JSON.parse(data)));
    source.addEventListener("beat", () => tell("beat"));
    source.addEventListener("reload", () => tell("reload"));
    addEventListener("pagehide", () => { source.close(); release(); });
  }
  // Without locks each tab listens for itself.
  if (wire) navigator.locks.request("tocsin-events", () => new Promise(listen));
  else listen(() => {});
}
