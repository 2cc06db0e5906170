// Rows of a draft come and go without a page in between. The server does the same where there are no scripts.
import { say } from "./words.js";

export function rowing(form, { toast }) {
  const listOf = (name) => form.querySelector(`[data-rows="${name}"]`);
  const changed = () => form.dispatchEvent(new Event("input"));

  form.addEventListener("click", (event) => {
    const add = event.target.closest("[data-add]"), remove = event.target.closest("[data-remove]");
    if (add && grown(add)) event.preventDefault();
    if (remove) {
      event.preventDefault();
      shrunk(remove.closest("[data-row]"));
    }
  });

  // A tie names a row; its choice has the rows that are on the page when it is opened.
  form.addEventListener("focusin", ({ target }) => {
    if (target.matches("[data-ends]")) offer(target, target.dataset.ends.split(" "));
  });

  function offer(select, lists) {
    const held = select.value, options = [...select.options].slice(0, 2);
    for (const row of lists.flatMap((name) => [...(listOf(name)?.children ?? [])])) {
      const [list, number] = row.dataset.row.split(".").slice(-3), words = row.querySelector("input[type=text], textarea").value.trim();
      if (words) options.push(Object.assign(new Option(`${row.querySelector("legend").textContent}: ${words.slice(0, 60)}`, `${list}/${number}`), { dir: "auto", lang: "" }));
    }
    if (!options.some((each) => each.value === held)) options.push(new Option(held));
    select.replaceChildren(...options);
    select.value = held;
  }

  /** Whether there was room for one more row; where there is none, the server says so. */
  function grown(button) {
    const name = button.dataset.add, list = listOf(name);
    if (list.children.length >= Number(list.dataset.most)) return false;
    const number = 1 + Math.max(-1, ...[...list.children].map((row) => Number(row.dataset.row.split(".").at(-2))));
    const row = document.querySelector(`template[data-new="${name}"]`).content.firstElementChild.cloneNode(true);
    for (const each of [row, ...row.querySelectorAll("*")]) {
      for (const attribute of each.attributes) attribute.value = attribute.value.replaceAll("{n}", number);
    }
    list.append(row);
    counted(list);
    row.querySelector("input, select, textarea").focus();
    changed();
    return true;
  }

  function shrunk(row) {
    const list = row.parentElement, next = row.nextElementSibling;
    row.remove();
    counted(list);
    form.querySelector(`[data-add="${list.dataset.rows}"]`).focus();
    changed();
    toast(say("taken-out"), say("put-back"), () => {
      list.insertBefore(row, next?.isConnected ? next : null);
      counted(list);
      row.querySelector("input, select, textarea").focus();
      changed();
    });
  }

  function counted(list) {
    for (const [n, row] of [...list.children].entries()) {
      const legend = row.querySelector("legend");
      legend.textContent = legend.dataset.legend.replace("{i}", n + 1);
    }
    if (list.dataset.most === "1") form.querySelector(`[data-add="${list.dataset.rows}"]`).hidden = list.children.length > 0;
  }
}
