// A device makes or uses a passkey. What the console asks for comes as JSON, and what the device answers goes back in the form.
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const listed = (keys) => (keys ?? []).map((key) => ({ ...key, id: bytes(key.id) }));

async function answered({ publicKey }) {
  publicKey.challenge = bytes(publicKey.challenge);
  if (publicKey.user) { // to make one
    publicKey.user.id = bytes(publicKey.user.id);
    publicKey.excludeCredentials = listed(publicKey.excludeCredentials);
    return navigator.credentials.create({ publicKey });
  }
  publicKey.allowCredentials = listed(publicKey.allowCredentials);
  return navigator.credentials.get({ publicKey });
}

/** A credential as JSON (W3C Web Authentication, Level 3, section 5.1). */
function said({ id, type, response }) {
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"].filter((name) => response[name]);
  const told = Object.fromEntries(parts.map((name) => [name, text(response[name])]));
  return JSON.stringify({ id, rawId: id, type, response: told, clientExtensionResults: {} });
}

export function passkeys({ announce }) {
  const form = document.querySelector("form[data-passkey]");
  if (!form) return;
  const place = form.querySelector("[data-passkey-problem]");
  const words = form.querySelector("[data-passkey-words]").dataset;
  const wrong = (said) => { place.textContent = said; place.hidden = false; announce(said); };
  if (!window.PublicKeyCredential) { wrong(words.none); return; }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    place.hidden = true;
    try {
      const body = new URLSearchParams({ form: form.elements.form.value });
      const asked = await fetch(form.dataset.passkey, { method: "POST", body });
      if (!asked.ok) { wrong(words.unasked); return; }
      form.elements.answer.value = said(await answered(await asked.json()));
      HTMLFormElement.prototype.submit.call(form);
    } catch (problem) {
      wrong(problem.name === "InvalidStateError" ? words.here : words.refused);
    } finally {
      button.disabled = false;
    }
  });
}
