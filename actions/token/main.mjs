// Exchanges the job's ID token for a service token: the steps from top to bottom.

import { askAsJob, brokerOf } from "../lib/asking.mjs";
import { readToken } from "../lib/broker.mjs";
import { info, mask, notice, warning, writeValues } from "../lib/commands.mjs";
import { fileIn, makeFolder, writeSecretFile } from "../lib/credentials_file.mjs";
import { Failure } from "../lib/failure.mjs";
import { FORMATS } from "../lib/formats.mjs";
import { idTokenEndpoint } from "../lib/id_token.mjs";
import { issued, noRunner, notRevocable, secretNotUsed, shortened } from "../lib/messages.mjs";
import { allOf, perform, proofOrSkip } from "../lib/step.mjs";
import { addToSummary } from "../lib/summary.mjs";
import { needSecret, readInputs } from "./inputs.mjs";

const OUTPUTS = [
  "token", "expires-at", "expires-in", "token-type", "token-id", "service-account", "service", "scope",
  "credentials-file", "available", "request-id", "reason", "decision-id",
];

async function run(env) {
  const inputs = readInputs(env);
  needRunner(env, inputs);
  const prove = inputs.auth === "oidc" ? idTokenEndpoint : () => needSecret(env, inputs);
  const endpoint = proofOrSkip(env, inputs, OUTPUTS, prove);
  if (endpoint === "skip") return;

  const broker = await brokerOf(env, inputs);
  const { answer, begun, claims } = await ask(env, inputs, broker, endpoint);
  const requestId = broker.requestIdOf(answer);
  const token = readToken(answer, { claims, asked: inputs, env, requestId });

  mask(token.access_token);
  const ends = begun + token.expires_in * 1000;
  token.expires_at = new Date(ends).toISOString().replace(/\.\d+Z$/, "Z");
  // All that post.mjs takes back is known to it before it is there: a job may be cancelled any moment.
  keepForPost(env, {
    "broker-url": inputs.brokerUrl,
    ends,
    token: inputs.revoke ? token.access_token : "",
    "env-name": inputs.export === "env" ? inputs.envName : "",
  });
  const folder = inputs.format ? makeFolder(env) : "";
  const file = folder ? fileIn(folder, FORMATS[inputs.format].file) : "";
  if (folder) keepForPost(env, { folder });
  writeValues(env.GITHUB_OUTPUT, allOf(OUTPUTS, {
    token: token.access_token,
    "expires-at": token.expires_at,
    "expires-in": token.expires_in,
    "token-type": "Bearer",
    "token-id": token.token_id,
    "service-account": token.service_account,
    service: inputs.service,
    scope: token.scope,
    "credentials-file": file,
    available: "true",
    "request-id": requestId,
  }));
  if (file) writeSecretFile(file, FORMATS[inputs.format].render(token, inputs.envName));
  if (inputs.export === "env") writeValues(env.GITHUB_ENV, { [inputs.envName]: token.access_token });
  tell(env, inputs, token);
}

async function ask(env, inputs, broker, endpoint) {
  if (inputs.auth === "oidc") {
    return askAsJob(env, broker, inputs, endpoint, (idToken) => broker.exchange(inputs, idToken));
  }
  let begun;
  const answer = await broker.patience.insist(() => {
    begun = Date.now();
    return broker.authenticate(inputs, inputs.clientSecret);
  });
  return { answer, begun, claims: null };
}

/** What a secret is written to must be there before there is one. */
function needRunner(env, inputs) {
  const needed = [
    ...(inputs.format ? ["RUNNER_TEMP", "GITHUB_STATE"] : []),
    ...(inputs.export === "env" ? ["GITHUB_ENV", "GITHUB_STATE"] : []),
  ];
  for (const name of needed) if (!env[name]) throw new Failure(noRunner(name));
  if (inputs.revoke && !env.GITHUB_STATE) warning(notRevocable());
  if (inputs.auth === "oidc" && inputs.clientSecret) warning(secretNotUsed());
}

/** Tell post.mjs, and nobody else, what to take back when the job ends. */
function keepForPost(env, values) {
  if (env.GITHUB_STATE) writeValues(env.GITHUB_STATE, values);
}

function tell(env, inputs, token) {
  const { service_account: account = "", scope = "", expires_at, expires_in } = token;
  const text = issued(inputs.service, account, scope, expires_at);
  info(text);
  if (inputs.expiresIn && expires_in < inputs.expiresIn) {
    notice(shortened(inputs.expiresIn, expires_in));
  }
  if (inputs.summary === "always") addToSummary(env, { title: "A service token was issued", text });
}

await perform(process.env, run, OUTPUTS);
