// Exchanges the job's ID token for a service token: the steps from top to bottom.

import { randomUUID } from "node:crypto";
import http from "node:http";

import { debug, error, info, mask, notice, setOutputs } from "../lib/commands.mjs";
import { jsonObject, Patience, request } from "../lib/http.mjs";
import { brokerAudience, fetchIdToken, idTokenEndpoint } from "../lib/id_token.mjs";
import { durationInput, input, requiredInput, urlInput } from "../lib/inputs.mjs";
import { Failure, issued, noRunner, refused, shortened, trouble, unexpected, unreadable } from "../lib/messages.mjs";

const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt";
// RFC 6750 §2.1: what may stand behind `Bearer`.
const BEARER_TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

async function run(env) {
  const inputs = {
    brokerUrl: urlInput(env, "broker-url"),
    service: requiredInput(env, "service"),
    scope: input(env, "scope"),
    serviceAccount: input(env, "service-account"),
    expiresIn: durationInput(env, "ttl"),
    audience: input(env, "audience"),
  };
  if (!env.GITHUB_OUTPUT) throw new Failure(noRunner("GITHUB_OUTPUT"));
  const endpoint = idTokenEndpoint(env);
  useProxy(env);

  const patience = new Patience();
  const audience = inputs.audience || (await brokerAudience(inputs.brokerUrl, patience));
  const requestId = nameRequest(env);
  let begun;
  const answer = await patience.insist(async () => {
    // A fresh ID token for every try: a try that got no answer may have spent the last one.
    const idToken = await fetchIdToken(endpoint, audience, patience);
    begun = Date.now();
    return exchange(inputs, idToken, requestId);
  });
  const token = readToken(answer, requestId);

  mask(token.access_token);
  const expiresAt = new Date(begun + token.expires_in * 1000).toISOString().replace(/\.\d+Z$/, "Z");
  setOutputs(env.GITHUB_OUTPUT, {
    token: token.access_token,
    "expires-at": expiresAt,
    "service-account": token.service_account ?? "",
    "token-id": token.token_id ?? "",
  });
  info(issued(inputs.service, token.service_account ?? "", token.scope ?? "", expiresAt));
  if (inputs.expiresIn && token.expires_in < inputs.expiresIn) {
    notice(shortened(inputs.expiresIn, token.expires_in));
  }
}

function exchange(inputs, idToken, requestId) {
  const parameters = {
    grant_type: TOKEN_EXCHANGE,
    subject_token: idToken,
    subject_token_type: JWT_TYPE,
    audience: inputs.service,
    scope: inputs.scope,
    client_id: inputs.serviceAccount,
    expires_in: inputs.expiresIn ?? "",
  };
  const form = Object.entries(parameters).filter(([, value]) => value !== "");
  return request("The broker", `${inputs.brokerUrl}/oauth/token`, {
    method: "POST",
    headers: {
      accept: "application/json",
      "user-agent": "ci-token-broker-action",
      "x-request-id": requestId,
    },
    body: new URLSearchParams(form),
  });
}

/** Read the answer of RFC 8693 §2.2.1; its body is shown only where it holds no token. */
function readToken({ what, status, headers, text }, requestId) {
  const body = jsonObject(text);
  if (status !== 200) {
    if (typeof body?.error !== "string") throw new Failure(trouble(what, status, text));
    throw new Failure(refused(body, headers.get("x-request-id") ?? requestId));
  }
  if (
    typeof body?.access_token !== "string" ||
    !BEARER_TOKEN.test(body.access_token) ||
    String(body.token_type).toLowerCase() !== "bearer" ||
    !Number.isInteger(body.expires_in) ||
    body.expires_in <= 0
  ) {
    throw new Failure(unreadable(what));
  }
  return body;
}

/** Name the request after the run, so that the broker's audit shows which one it was. */
function nameRequest(env) {
  const parts = [env.GITHUB_RUN_ID, env.GITHUB_RUN_ATTEMPT].filter((part) => /^\d{1,20}$/.test(part));
  return [...parts, randomUUID().slice(0, 8)].join("-");
}

/** Go through the proxy that the runner's environment names, if it names one. */
function useProxy(env) {
  const named = ["http_proxy", "https_proxy"].some((name) => env[name] || env[name.toUpperCase()]);
  if (!named) return;
  if (http.setGlobalProxyFromEnv) http.setGlobalProxyFromEnv();
  else notice("This runner's Node.js is too old to use its proxy; going on without.");
}

try {
  await run(process.env);
} catch (failure) {
  if (!(failure instanceof Failure)) debug(String(failure.stack));
  error(failure instanceof Failure ? { title: failure.title, text: failure.message } : unexpected(failure));
  process.exitCode = 1;
}
