// Discovers the broker both ways, exchanges the token given on standard input, and lets
// validateJwtAccessToken judge the answer as a resource server would.
// usage: node oauth4webapi.mjs ISSUER SERVICE AUDIENCE CLIENT_ID
import * as oauth from "oauth4webapi";
import { readFileSync } from "node:fs";

const [issuer, service, audience, clientId] = process.argv.slice(2);
const token = readFileSync(0, "utf8").trim();
const insecure = { [oauth.allowInsecureRequests]: true };

const server = {};
for (const algorithm of ["oidc", "oauth2"]) {
  const response = await oauth.discoveryRequest(new URL(issuer), { algorithm, ...insecure });
  server[algorithm] = await oauth.processDiscoveryResponse(new URL(issuer), response);
}
const same = JSON.stringify(server.oidc) === JSON.stringify(server.oauth2);

const as = server.oauth2;
const oauthClient = { client_id: clientId };
const exchange = async (parameters) => {
  const response = await oauth.genericTokenEndpointRequest(
    as,
    oauthClient,
    oauth.None(),
    "urn:ietf:params:oauth:grant-type:token-exchange",
    parameters,
    insecure,
  );
  return oauth.processGenericTokenEndpointResponse(as, oauthClient, response);
};
const parameters = {
  subject_token: token,
  subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
  audience: service,
};
const answer = await exchange(parameters);
const request = new Request(audience, {
  headers: { authorization: `Bearer ${answer.access_token}` },
});
const claims = await oauth.validateJwtAccessToken(as, request, audience, insecure);

let replayed;
try {
  await exchange(parameters);
} catch (error) {
  if (!(error instanceof oauth.ResponseBodyError)) throw error;
  replayed = error.cause;
}
console.log(JSON.stringify({ same, answer: { ...answer, access_token: undefined }, claims, replayed }));
