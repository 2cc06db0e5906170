// A draft is checked by the hub while it is written, a second after the last key. Nothing of it is kept by that.
import { rowing } from "./rows.js";
import { say } from "./words.js";

const WAIT_MS = 1000;
const MARKS = { error: "fail", doubt: "unknown", remark: "note" };

export function drafting({ announce, element, toast }) {
  const form = document.querySelector("[data-draft]");
  if (!form) return;
  let timer = 0, asked = 0;
  rowing(form, { toast });

  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(check, WAIT_MS); });

  async function check() {
    const mine = ++asked;
    let told;
    try {
      const answer = await fetch(form.dataset.draft, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (!answer.ok) throw new Error(String(answer.status));
      told = await answer.json();
    } catch {
      if (mine === asked) announce(say("unchecked"));
      return;
    }
    if (mine === asked) show(told); // an older answer says nothing of what is typed now
  }

  function show({ said, problems }) {
    for (const list of form.querySelectorAll("[data-found]")) {
      const here = (each) => beside(each.field, list.dataset.found);
      list.replaceChildren(...problems.filter(here).map((each) => line("fail", each.text, "")), ...said.findings.filter(here).map((each) => line(MARKS[each.grade], each.text, each.rule)));
      if (list.children.length) unfold(list);
    }
    const wrong = new Set([...problems, ...said.findings.filter((each) => each.grade === "error")].map((each) => each.field));
    for (const field of form.elements) {
      if (!field.name || field.type === "radio" || field.type === "hidden") continue;
      if (wrong.has(field.name)) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
      if (wrong.has(field.name)) unfold(field);
    }
    const faults = said.faults + problems.length;
    const told = [...problems.map((each) => step("fail", each.text, say("unread"))), ...said.findings.map((each) => step(MARKS[each.grade], each.text, `${say(each.grade)}, ${each.rule} ${each.path}`)), ...said.notes.map((each) => step("note", each, ""))];
    if (said.problem) told.push(step("unknown", said.problem, say("unchecked")));
    if (!faults && said.digest) told.push(step("pass", say("sound"), ""));
    document.querySelector("[data-checks]")?.replaceChildren(...told);
    const readers = said.egress?.readers.length;
    document.querySelector("[data-reader-count]")?.replaceChildren(said.egress ? say("readers", { num: readers }) : "–");
    document.querySelector("[data-readers]")?.replaceChildren(...(said.egress?.borders ?? []).map((each) => step("", `${each.country}, ${say("authorities", { num: each.readers })}`, border(each))));
    document.querySelector("[data-priority]")?.replaceChildren(said.priority ? say("priority", { priority: said.priority }) : say("no-priority"));
    announce(faults ? say("to-correct", { num: faults }) : `${say("sound")} ${said.egress ? say("readers", { num: readers }) : ""}`);
  }

  /** What is wrong is never folded away. */
  function unfold(each) {
    for (let fold = each.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  }

  const beside = (field, place) => (place.endsWith(".") ? `${field}.`.startsWith(place) : field === place);
  const border = (each) => say(each.is_home ? "home" : each.is_left_out ? "left-out" : "border");
  const mark = (name) => document.querySelector(`[data-mark="${name}"]`)?.content.cloneNode(true) ?? element("span");
  const line = (name, words, rule) => element("li", {}, mark(name), element("span", {}, words, " ", element("code", {}, rule)));
  const step = (name, words, detail) => element("li", {}, name ? mark(name) : element("span"), element("div", {}, element("b", {}, words), ...(detail ? [element("p", {}, detail)] : [])));
}
