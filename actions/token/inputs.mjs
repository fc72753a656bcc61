// The inputs of actions/token; the first of several words is the default.

import { Failure, Outsider } from "../lib/failure.mjs";
import { FORMATS } from "../lib/formats.mjs";
import { booleanInput, choiceInput, secretInput, variableInput } from "../lib/inputs.mjs";
import { wrongInput } from "../lib/messages.mjs";
import { outsiderOf } from "../lib/outsiders.mjs";
import { readRequestInputs } from "../lib/request_inputs.mjs";

/** Read all of them. Throws `Failure` for the first that is wrong. */
export function readInputs(env) {
  // First of all: from here on nothing can print it.
  const clientSecret = secretInput(env, "client-secret");
  const inputs = {
    clientSecret,
    ...readRequestInputs(env),
    export: choiceInput(env, "export", ["none", "env"]),
    envName: variableInput(env, "env-name", "BROKER_TOKEN"),
    format: choiceInput(env, "format", ["", ...Object.keys(FORMATS)]),
    revoke: booleanInput(env, "revoke", true),
    auth: choiceInput(env, "auth", ["oidc", "client-secret"]),
    summary: choiceInput(env, "summary", ["on-error", "never", "always"]),
  };
  refuseContradictions(inputs);
  return inputs;
}

/** The client secret must be there. Throws `Failure`: none was written; `Outsider`: a fork. */
export function needSecret(env, { clientSecret }) {
  if (clientSecret) return;
  const why = "A secret that GitHub does not hand to this run is empty, as for a fork or Dependabot.";
  const told = wrongInput("client-secret", "given with 'auth: client-secret'", why);
  throw outsiderOf(env) ? new Outsider({ ...told, title: "This run gets no secret" }) : new Failure(told);
}

/** How a job proves who it is was written down; nothing is guessed from what else is there. */
function refuseContradictions({ auth, serviceAccount }) {
  if (auth === "client-secret" && !serviceAccount) {
    const mustBe = "given with 'auth: client-secret': the secret is that of one account";
    throw new Failure(wrongInput("service-account", mustBe));
  }
}
