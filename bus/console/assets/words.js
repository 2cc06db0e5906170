// What scripts say comes from the page, in its language: `template[data-say]` holds a form for each category of numbers.

const rules = new Intl.PluralRules(document.documentElement.lang || "en");

/** A sentence of the page with its places filled; of several forms that of the number `num`. */
export function say(key, places = {}) {
  const forms = document.querySelector(`template[data-say="${key}"]`)?.dataset ?? {};
  const form = ("num" in places && forms[rules.select(places.num)]) || forms.other || "";
  return form.replace(/\{(\w+)\}/g, (whole, name) => String(places[name] ?? whole));
}
