// Gets a token by client credentials in each way of client authentication that the library has.
// usage: node oauth4webapi_client.mjs ISSUER SERVICE CLIENT_ID, with {secret, jwk} on standard input
import * as oauth from "oauth4webapi";
import { readFileSync } from "node:fs";

const [issuer, service, clientId] = process.argv.slice(2);
const { secret, jwk } = JSON.parse(readFileSync(0, "utf8"));
const insecure = { [oauth.allowInsecureRequests]: true };
const client = { client_id: clientId };

const discovered = await oauth.discoveryRequest(new URL(issuer), { algorithm: "oauth2", ...insecure });
const as = await oauth.processDiscoveryResponse(new URL(issuer), discovered);

const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
const ways = {
  client_secret_basic: oauth.ClientSecretBasic(secret),
  client_secret_post: oauth.ClientSecretPost(secret),
  private_key_jwt: oauth.PrivateKeyJwt({ key, kid: jwk.kid }),
  wrong_secret: oauth.ClientSecretPost(`${secret.slice(0, -1)}_`),
};

const told = {};
for (const [way, authentication] of Object.entries(ways)) {
  const response = await oauth.clientCredentialsGrantRequest(
    as,
    client,
    authentication,
    new URLSearchParams({ audience: service }),
    insecure,
  );
  try {
    const answer = await oauth.processClientCredentialsResponse(as, client, response);
    told[way] = { ...answer, access_token: undefined };
  } catch (error) {
    if (!(error instanceof oauth.ResponseBodyError)) throw error;
    told[way] = error.cause;
  }
}
console.log(JSON.stringify({ told, methods: as.token_endpoint_auth_methods_supported }));
