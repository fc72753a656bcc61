// The inputs of actions/explain; the first of several words is the default.

import { booleanInput, choiceInput } from "../lib/inputs.mjs";
import { readRequestInputs } from "../lib/request_inputs.mjs";

/** Read all of them. Throws `Failure` for the first that is wrong. */
export function readInputs(env) {
  return {
    ...readRequestInputs(env),
    failOnDeny: booleanInput(env, "fail-on-deny", false),
    summary: choiceInput(env, "summary", ["always", "on-error", "never"]),
  };
}
