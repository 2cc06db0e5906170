// Verifies a bulletin with the npm package jose: node verify.mjs BULLETIN.tocsin.json KEY.jwk.json DOMAIN
// KEY is one key (tocsin key export) or a set (tocsin registry export --jwks). DOMAIN is the federation, as its registry names it.
// A bulletin is signed alone, or in a batch: then the signature is over the root of a tree, and `header` has the path to it.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createLocalJWKSet, flattenedVerify, importJWK } from "jose";

const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
const raw = (text) => Buffer.from(text, "base64url");

// Where a path leads (RFC 9162, section 2.1.3.2).
function root(payload, index, size, path) {
  let found = sha256(Buffer.of(0), sha256(payload));
  let last = size - 1;
  for (let at = 0; at < path.length; at += 32) {
    const step = path.subarray(at, at + 32);
    if (index % 2 || index === last) {
      found = sha256(Buffer.of(1), step, found);
      while (index && index % 2 === 0) [index, last] = [index >> 1, last >> 1];
    } else {
      found = sha256(Buffer.of(1), found, step);
    }
    [index, last] = [index >> 1, last >> 1];
  }
  return last === 0 ? found : Buffer.alloc(0);
}

const [bulletin, key] = process.argv.slice(2, 4).map((name) => JSON.parse(readFileSync(name, "utf8")));
const domain = process.argv[4];
const known = key.keys ? createLocalJWKSet(key) : await importJWK(key, "Ed25519");

let kid;
for (const { protected: header, signature, header: place } of bulletin.signatures) {
  if (place) {
    const head = raw(place.batch);
    const size = head.readUInt16BE(0);
    if (!(place.index >= 0 && place.index < size && root(raw(bulletin.payload), place.index, size, raw(place.path)).equals(head.subarray(2))))
      throw new Error("the path does not lead to the root that was signed");
  }
  const signed = { protected: header, signature, payload: place ? place.batch : bulletin.payload };
  const { protectedHeader } = await flattenedVerify(signed, known, { algorithms: ["Ed25519"] });
  if (protectedHeader.typ !== (place ? "vnd.tocsin.batch" : "vnd.tocsin.bulletin") || protectedHeader.domain !== domain)
    throw new Error(`signed as ${protectedHeader.typ} in ${protectedHeader.domain}, not as a bulletin of ${domain}`);
  kid ??= protectedHeader.kid;
}
if (!kid) throw new Error("nobody has signed it");
const said = JSON.parse(raw(bulletin.payload).toString("utf8"));
console.log(`${said.issuer.id}: ${said.info[0].headline} (key ${kid})`);
