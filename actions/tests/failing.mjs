// A step of actions/token that fails, between stand-ins, and the one error that it tells.

import assert from "node:assert/strict";

import { runStep } from "./runner.mjs";
import { assertKeptSecret, only, REQUEST_TOKEN, SERVICE_TOKEN, standIns } from "./stand_ins.mjs";

/** Run a step that must fail; no secret may show in what it tells, and no output hold a token. */
export async function failingAt(t, github, inputs = {}, variables = {}, event = {}) {
  const step = await runStep(
    t,
    { ...github.inputs, ...inputs },
    { ...github.variables, ...variables },
    event,
  );
  assert.equal(step.status, 1, step.log);
  if (step.written) {
    assert.deepEqual([step.outputs.token, step.outputs.available], ["", "false"]);
    assert.deepEqual(step.state, {});
  }
  assertKeptSecret(step, [...github.minted, SERVICE_TOKEN, REQUEST_TOKEN]);
  const [error, ...more] = only(step, "error");
  assert.deepEqual(more, []);
  return { ...step, error };
}

/** Run it beside stand-ins of its own, which give these answers. */
export async function failing(t, { inputs, variables, event, ...answers } = {}) {
  const github = await standIns(t, answers);
  const step = await failingAt(t, github, inputs, variables, event);
  return { github, step, error: step.error };
}
