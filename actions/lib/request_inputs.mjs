// The inputs that say whom to ask and for what: those of every action that sends an ID token.

import { certificateInput, choiceInput, durationInput, input, requiredInput, urlInput } from "./inputs.mjs";

/** Read them. Throws `Failure` for the first that is wrong. */
export function readRequestInputs(env) {
  return {
    brokerUrl: urlInput(env, "broker-url"),
    service: requiredInput(env, "service"),
    scope: input(env, "scope"),
    serviceAccount: input(env, "service-account"),
    audience: input(env, "audience"),
    expiresIn: durationInput(env, "ttl"),
    onFork: choiceInput(env, "on-fork", ["fail", "skip"]),
    retryMaxTime: durationInput(env, "retry-max-time", "60s"),
    timeout: durationInput(env, "timeout", "10s"),
    certificates: certificateInput(env, "ca-certificate"),
  };
}
