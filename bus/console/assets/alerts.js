// What interrupts: one toast for what belongs together, after a short wait; then it counts and is silent, unless it gets graver.
// What is one person's (`once`) is told once, by the first tab that is seen, and not again when a page is loaded anew.

const WAIT_MS = 20_000, SILENCE_MS = 600_000, FORGOTTEN_MS = 7 * 86_400_000;

export function alerts({ toast, words }) {
  const groups = new Map();
  const told = (key) => { try { return JSON.parse(localStorage.getItem(`told ${key}`)) ?? {}; } catch { return {}; } };
  const keep = (key, value) => { try { localStorage.setItem(`told ${key}`, JSON.stringify(value)); } catch {} };
  const isTold = (once) => Boolean(told(`once ${once}`).at);
  forget();
  const on = (name) => { try { return localStorage.getItem(name) === "on"; } catch { return false; } };
  for (const box of document.querySelectorAll("[data-alert-by]")) {
    box.checked = on(box.dataset.alertBy);
    box.addEventListener("change", async () => {
      if (box.checked && box.dataset.alertBy === "alert-note" && (await globalThis.Notification?.requestPermission()) !== "granted") box.checked = false;
      try { localStorage.setItem(box.dataset.alertBy, box.checked ? "on" : "off"); } catch {}
    });
  }

  function say(key) {
    const group = groups.get(key);
    group.timer = 0;
    if (group.once.length && group.once.every(isTold)) return; // another tab has said it
    if (group.once.length && document.hidden && !(on("alert-note") && group.listens)) {
      document.addEventListener("visibilitychange", () => say(key), { once: true });
      return;
    }
    for (const each of group.once) keep(`once ${each}`, { at: Date.now() });
    group.once = [];
    group.unsaid = 0;
    keep(key, { at: Date.now(), priority: group.priority });
    const text = words(group.title, group.count);
    toast(text, group.address);
    if (on("alert-sound")) beep();
    if (on("alert-note") && globalThis.Notification?.permission === "granted" && group.listens) new Notification(text);
  }

  return function heed(alert, listens) {
    if (alert.once && isTold(alert.once)) return;
    const group = groups.get(alert.key) ?? { count: 0, priority: 9, unsaid: 0, timer: 0, once: [] };
    if (alert.once && group.once.includes(alert.once)) return;
    if (alert.once) group.once.push(alert.once);
    group.count += 1;
    group.unsaid += 1;
    group.listens = listens;
    if (alert.priority < group.priority) Object.assign(group, { priority: alert.priority, title: alert.title, address: alert.address });
    groups.set(alert.key, group);
    if (group.timer) return;
    const last = told(alert.key), isQuiet = Date.now() - (last.at ?? 0) < SILENCE_MS;
    if (isQuiet && alert.priority >= (last.priority ?? 9)) {
      if (alert.once) keep(`once ${alert.once}`, { at: Date.now() });
      return;
    }
    group.timer = setTimeout(() => say(alert.key), isQuiet ? 0 : WAIT_MS);
  };
}

/** What was told long ago is not kept. */
function forget() {
  try {
    for (const name of Object.keys(localStorage).filter((each) => each.startsWith("told "))) {
      if (!(Date.now() - (JSON.parse(localStorage.getItem(name))?.at ?? 0) < FORGOTTEN_MS)) localStorage.removeItem(name);
    }
  } catch {}
}

function beep() {
  const sound = new AudioContext(), tone = sound.createOscillator(), level = sound.createGain();
  level.gain.value = 0.08;
  tone.frequency.value = 660;
  tone.connect(level).connect(sound.destination);
  tone.start();
  tone.stop(sound.currentTime + 0.25);
}
