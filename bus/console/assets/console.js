// Everything here adds to pages that work without it. No library, no eval, no HTML from strings.
import { alerts } from "./alerts.js";
import { live } from "./live.js";
import { keys } from "./keys.js";
import { verifier } from "./verify.js";
import { drafting } from "./draft.js";
import { passkeys } from "./passkeys.js";
import { say } from "./words.js";

const root = document.documentElement;
const announcer = document.querySelector("[data-announcer]");

/** Say something to people who hear the page; the same words never twice in a row. */
export function announce(words) {
  if (announcer && announcer.textContent !== words) announcer.textContent = words;
}

/** An element with its text and children; text is only ever text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function toast(words, action, run) {
  const place = document.querySelector("[data-toasts]");
  if (!place) return;
  const button = element("button", { class: "btn small", type: "button" }, action ?? say("close"));
  const made = element("div", { class: "toast" }, element("span"), element("span", {}, words), button);
  button.addEventListener("click", () => { made.remove(); run?.(); });
  place.replaceChildren(made); // one at a time: what follows is counted into it, never stacked
  announce(words);
}

for (const button of document.querySelectorAll("[data-theme-toggle], [data-do='theme']")) {
  button.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch {}
  });
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(document.getElementById(button.dataset.copy)?.textContent.trim() ?? "");
    announce(say("copied"));
    button.querySelector("span")?.replaceChildren(say("copied"));
  });
}

for (const button of document.querySelectorAll("[data-dialog]")) {
  button.addEventListener("click", () => document.getElementById(button.dataset.dialog)?.showModal());
}

// A page without a place for toasts, as that of a wall screen, says nothing, and so takes nothing from the other tabs.
const alerted = !document.querySelector("[data-toasts]") ? () => {} : alerts({
  toast: (words, address) => toast(words, say("open"), () => { location.href = address; }),
  words: (title, count) => (count > 1 ? say("more", { title, num: count - 1 }) : title),
});
// An alarm comes with its code, and is said in the language of the page.
const titled = (alert) => (alert.alarm && say(`alarm-${alert.alarm}`, { name: alert.name })) || alert.title;
live({ announce, element, alerted: (alert, listens) => alerted({ ...alert, title: titled(alert) }, listens) });
keys({ announce });
verifier({ announce });
drafting({ announce, element, toast });
passkeys({ announce });
