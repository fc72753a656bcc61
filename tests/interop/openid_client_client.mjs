// Gets a token by client credentials, authenticated as the library does by itself, and with a key.
// usage: node openid_client_client.mjs ISSUER SERVICE CLIENT_ID, with {secret, jwk} on standard input
import * as client from "openid-client";
import { readFileSync } from "node:fs";

const [issuer, audience, clientId] = process.argv.slice(2);
const { secret, jwk } = JSON.parse(readFileSync(0, "utf8"));
const options = { execute: [client.allowInsecureRequests] };
const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);

const told = {};
for (const [way, authentication] of [
  ["by itself", undefined],
  ["with a key", client.PrivateKeyJwt({ key, kid: jwk.kid })],
]) {
  const metadata = way === "by itself" ? secret : undefined;
  const config = await client.discovery(new URL(issuer), clientId, metadata, authentication, options);
  const answer = await client.clientCredentialsGrant(config, { audience });
  told[way] = { ...answer, access_token: undefined };
}
console.log(JSON.stringify(told));
