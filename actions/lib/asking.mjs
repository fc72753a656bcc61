// Asking a broker as the job that this is: with an ID token for the audience that it expects.

import { debugging, nameRequest } from "./about.mjs";
import { Broker } from "./broker.mjs";
import { claimsOf, shownClaims } from "./claims.mjs";
import { group } from "./commands.mjs";
import { quoted } from "./failure.mjs";
import { Patience } from "./http.mjs";
import { brokerAudience, fetchIdToken } from "./id_token.mjs";
import { trustCertificates, useProxy } from "./transport.mjs";

/** Prepare for asking the broker that the inputs name, by the way that they and the runner name. */
export async function brokerOf(env, { brokerUrl, retryMaxTime, timeout, certificates }) {
  await useProxy(env);
  await trustCertificates(env, certificates);
  const patience = new Patience({ budget: retryMaxTime * 1000, timeout: timeout * 1000 });
  return new Broker(brokerUrl, patience, nameRequest(env));
}

/**
 * Send a request until it is answered, each time with a fresh ID token.
 *
 * `send` takes the ID token. Gives the answer, the claims of the last ID token, and when the last
 * try began, in milliseconds since 1970. Throws `Failure`.
 */
export async function askAsJob(env, broker, inputs, endpoint, send) {
  const { patience } = broker;
  const audience = inputs.audience || (await brokerAudience(inputs.brokerUrl, patience));
  let begun;
  let claims = null;
  const answer = await patience.insist(async () => {
    // A try that got no answer may have spent the last one.
    const idToken = await fetchIdToken(endpoint, audience, patience);
    if (claims === null && debugging(env)) showClaims(claimsOf(idToken));
    claims = claimsOf(idToken);
    begun = Date.now();
    return send(idToken);
  });
  return { answer, begun, claims };
}

/** Print the claims of an ID token, folded away; never those of a person. */
export function showClaims(claims) {
  const lines = shownClaims(claims).map(([name, value]) => quoted(`${name}: ${value}`));
  group("What the job's ID token says", lines);
}
