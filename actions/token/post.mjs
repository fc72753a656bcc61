// Takes back what the step gave, when the job ends, however it ends: file, variable, token.
//
// Nothing here fails a job that did its work: what could not be taken back is told as a warning.

import { nameRequest } from "../lib/about.mjs";
import { Broker } from "../lib/broker.mjs";
import { debug, mask, warning, writeValues } from "../lib/commands.mjs";
import { removeFolder } from "../lib/credentials_file.mjs";
import { Failure, quoted } from "../lib/failure.mjs";
import { Patience } from "../lib/http.mjs";
import { certificateInput, durationInput } from "../lib/inputs.mjs";
import { notCleaned, notRevoked } from "../lib/messages.mjs";
import { trustCertificates, useProxy } from "../lib/transport.mjs";

const TRIES = 3;

/** Do one thing, and let the others be done whatever comes of it. */
async function attempt(failed, work) {
  try {
    await work();
  } catch (error) {
    debug(String(error.stack));
    warning(failed(error));
  }
}

async function run(env) {
  const state = (name) => env[`STATE_${name}`] ?? "";
  const [token, folder, variable] = [state("token"), state("folder"), state("env-name")];
  if (token) mask(token);
  if (folder) {
    await attempt((error) => notCleaned("The credentials file", error), () => removeFolder(env, folder));
  }
  if (variable && env.GITHUB_ENV) {
    // A variable cannot be taken away, only emptied.
    const empty = () => writeValues(env.GITHUB_ENV, { [variable]: "" });
    await attempt((error) => notCleaned(`The variable ${quoted(variable, 100)}`, error), empty);
  }
  const ends = Number(state("ends"));
  if (!token || Date.now() >= ends) return;
  const until = new Date(ends).toISOString();
  await attempt(
    (error) => notRevoked(error instanceof Failure ? error.message : quoted(String(error)), until),
    () => revoke(env, state("broker-url"), token, until),
  );
}

async function revoke(env, url, token, until) {
  await useProxy(env);
  await trustCertificates(env, certificateInput(env, "ca-certificate"));
  const patience = new Patience({
    budget: durationInput(env, "retry-max-time", "60s") * 1000,
    timeout: durationInput(env, "timeout", "10s") * 1000,
    tries: TRIES,
  });
  const broker = new Broker(url, patience, nameRequest(env));
  const answer = await patience.insist(() => broker.revoke(token));
  if (answer.status === 200) return;
  const body = quoted(answer.text, 300) || "nothing";
  const told = `The broker answered with ${answer.status} (request id ${broker.requestIdOf(answer)}): ${body}`;
  warning(notRevoked(told, until));
}

await attempt((error) => notCleaned("What the step gave", error), () => run(process.env));
