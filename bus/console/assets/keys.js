// The keyboard. Single keys can be turned off (WCAG 2.1.4) and never act while somebody types.

import { say } from "./words.js";

// The pages of the palette name their own keys, so there is one list of them.
const pages = () => Object.fromEntries([...document.querySelectorAll("[data-palette-dialog] [data-href]")].map((each) => [each.querySelector("kbd")?.textContent.trim().split(" ")[1], each.dataset.href]).filter(([key]) => key));

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function keys({ announce }) {
  const palette = document.querySelector("[data-palette-dialog]");
  const help = document.querySelector("[data-help-dialog]");
  const box = document.querySelector("[data-keys-on]");
  try { if (box) box.checked = localStorage.getItem("keys") !== "off"; } catch {}
  box?.addEventListener("change", () => { try { localStorage.setItem("keys", box.checked ? "on" : "off"); } catch {} });

  const rows = [...document.querySelectorAll(".row-link")];
  const known = pages();
  let waiting = -Infinity; // when `g` was pressed

  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); return open(); }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
    if (box && !box.checked) return;
    if (performance.now() - waiting < 1200 && known[event.key]) { location.href = known[event.key]; return; }
    waiting = -Infinity;
    const act = { "/": () => document.querySelector("[data-search]")?.focus(), "?": () => help?.showModal(), g: () => { waiting = performance.now(); }, j: () => move(1), k: () => move(-1), n: () => document.querySelector("[data-fresh].on")?.click(), a: acknowledge, s: snooze }[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  function acknowledge() { document.querySelector("[data-ack]")?.click(); }
  // What has the focus is put aside, else what is open: the form is opened, for it needs an end and a reason.
  function snoozable() { return document.activeElement?.closest("li")?.querySelector("[data-snooze]") ?? document.querySelector("[data-snooze]"); }
  function snooze() {
    const form = snoozable();
    if (!form) return;
    form.open = true;
    form.querySelector("select")?.focus();
  }

  function move(step) {
    const at = rows.indexOf(document.activeElement);
    rows[Math.min(rows.length - 1, Math.max(0, at + step))]?.focus();
  }

  if (!palette) return;
  const input = palette.querySelector("input"), options = [...palette.querySelectorAll("[role=option]")];
  document.querySelector("[data-palette]")?.addEventListener("click", open);
  function open() { palette.showModal(); input.value = ""; filter(); }
  function shown() { return options.filter((each) => !each.hidden); }
  function choose(option) {
    for (const each of options) each.setAttribute("aria-selected", String(each === option));
    if (option) { input.setAttribute("aria-activedescendant", option.id); option.scrollIntoView({ block: "nearest" }); }
  }
  // A page and an action by their names, which a page may lack; an id by its shape; any words as a search, after all others.
  function fits(option, words) {
    const { ask, do: act } = option.dataset;
    if (ask) return ask === "/b/" ? ID.test(words) : words !== "";
    if ((act === "ack" && !document.querySelector("[data-ack]")) || (act === "snooze" && !snoozable())) return false;
    return option.querySelector("span").textContent.toLowerCase().includes(words);
  }
  function filter() {
    const words = input.value.trim().toLowerCase();
    for (const each of options) each.hidden = !fits(each, words);
    choose(shown()[0]);
    announce(say("matches", { num: shown().filter((each) => !each.dataset.ask).length }));
  }
  function go(option) {
    palette.close();
    const { href, ask, do: act } = option?.dataset ?? {};
    if (href) location.href = href;
    else if (ask) location.href = ask + encodeURIComponent(input.value.trim());
    else ({ theme: () => document.querySelector("[data-theme-toggle]")?.click(), keys: () => help?.showModal(), ack: acknowledge, snooze })[act]?.();
  }
  input.addEventListener("input", filter);
  input.addEventListener("keydown", (event) => {
    const list = shown(), at = list.findIndex((each) => each.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); choose(list[(at + (event.key === "ArrowDown" ? 1 : list.length - 1)) % list.length]); }
    if (event.key === "Enter") { event.preventDefault(); go(list[at]); }
  });
  for (const each of options) each.addEventListener("click", () => go(each));
}
