// Discovers the broker, exchanges the token given on standard input and prints what it validated.
// usage: node openid_client.mjs ISSUER SERVICE CLIENT_ID GRANT
import * as client from "openid-client";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { readFileSync } from "node:fs";

const [issuer, audience, clientId, grant] = process.argv.slice(2);
const token = readFileSync(0, "utf8").trim();

const config = await client.discovery(new URL(issuer), clientId, undefined, client.None(), {
  execute: [client.allowInsecureRequests],
});
const parameters =
  grant === "urn:ietf:params:oauth:grant-type:jwt-bearer"
    ? { assertion: token }
    : {
        subject_token: token,
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
        requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
      };
try {
  const answer = await client.genericGrantRequest(config, grant, { ...parameters, audience });
  const metadata = config.serverMetadata();
  const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
  const { payload, protectedHeader } = await jwtVerify(answer.access_token, keys, {
    issuer: metadata.issuer,
    typ: "at+jwt",
  });
  console.log(JSON.stringify({ answer: { ...answer, access_token: undefined }, payload, protectedHeader }));
} catch (error) {
  if (!(error instanceof client.ResponseBodyError)) throw error;
  console.log(JSON.stringify({ error: error.error, description: error.error_description, cause: error.cause, status: error.status }));
}
