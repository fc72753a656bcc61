// Asks what the broker would decide on this job, and why; no token is issued and none is spent.

import { askAsJob, brokerOf, showClaims } from "../lib/asking.mjs";
import { readExplanation } from "../lib/broker.mjs";
import { info, notice, warning, writeValues } from "../lib/commands.mjs";
import { explained } from "../lib/explanations.mjs";
import { Failure, Refused } from "../lib/failure.mjs";
import { idTokenEndpoint } from "../lib/id_token.mjs";
import { allOf, perform, proofOrSkip, toldBy } from "../lib/step.mjs";
import { addToSummary } from "../lib/summary.mjs";
import { readInputs } from "./inputs.mjs";

const OUTPUTS = [
  "decision", "reason", "decision-id", "service-account", "scope", "available", "request-id",
];

async function run(env) {
  const inputs = readInputs(env);
  const endpoint = proofOrSkip(env, inputs, OUTPUTS, idTokenEndpoint);
  if (endpoint === "skip") return;

  const broker = await brokerOf(env, inputs);
  const { answer, claims } = await askAsJob(env, broker, inputs, endpoint, (idToken) =>
    broker.explain(inputs, idToken),
  );
  showClaims(claims);
  const decision = decisionOf(answer, { claims, asked: inputs, env, requestId: broker.requestIdOf(answer) });

  const permitted = decision.outputs.decision === "permit";
  if (!permitted && inputs.failOnDeny) throw new Failure(decision);
  const told = toldBy(env, decision);
  if (permitted) notice(told.title);
  else warning(told.text, told.title);
  for (const line of permitted ? told.text.split("\n") : []) info(line);
  const wanted = inputs.summary === "always" || (inputs.summary === "on-error" && !permitted);
  if (wanted) addToSummary(env, told);
  writeValues(env.GITHUB_OUTPUT, allOf(OUTPUTS, { available: "true", ...decision.outputs }));
}

/** Read the decision; what the broker refuses to explain, as a bad token, it would refuse. */
function decisionOf(answer, told) {
  try {
    return explained(readExplanation(answer, told), told);
  } catch (failure) {
    if (!(failure instanceof Refused)) throw failure;
    return { ...failure, text: failure.message, outputs: { ...failure.outputs, decision: "deny" } };
  }
}

await perform(process.env, run, OUTPUTS);
