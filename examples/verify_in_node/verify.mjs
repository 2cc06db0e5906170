// Verifies a bulletin with the npm package jose: node verify.mjs BULLETIN.tocsin.json KEY.jwk.json
// KEY is one key (tocsin key export) or a set (tocsin registry export --jwks).
import { readFileSync } from "node:fs";
import { createLocalJWKSet, generalVerify, importJWK } from "jose";

const [bulletin, key] = process.argv.slice(2, 4).map((name) => JSON.parse(readFileSync(name, "utf8")));
const known = key.keys ? createLocalJWKSet(key) : await importJWK(key, "Ed25519");
const { payload, protectedHeader } = await generalVerify(bulletin, known, { algorithms: ["Ed25519"] });
const said = JSON.parse(new TextDecoder().decode(payload));
console.log(`${said.issuer.id}: ${said.info[0].headline} (key ${protectedHeader.kid})`);
