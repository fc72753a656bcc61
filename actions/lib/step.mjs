// How a step begins and ends: the failure as an annotation, a part of the summary and outputs.

import { followsBranch, pageAddress } from "./about.mjs";
import { debug, error, notice, warning, writeValues } from "./commands.mjs";
import { Failure, Outsider } from "./failure.mjs";
import { followingBranch, noRunner, skipped, unexpected } from "./messages.mjs";
import { addToSummary } from "./summary.mjs";

/**
 * Do the work of a step; `run` takes the environment, `outputs` are the names of all outputs.
 *
 * What it throws ends the step: it is told once, and no output holds anything of a success.
 */
export async function perform(env, run, outputs) {
  try {
    if (!env.GITHUB_OUTPUT) throw new Failure(noRunner("GITHUB_OUTPUT"));
    if (followsBranch(env)) warning(followingBranch(env.GITHUB_ACTION_REF));
    await run(env);
  } catch (thrown) {
    if (!(thrown instanceof Failure)) debug(String(thrown.stack));
    end(env, thrown instanceof Failure ? thrown : new Failure(unexpected(thrown)), outputs);
  }
}

/** Give what `prove` finds, with which the job proves who it is; "skip" where it is to pass without. */
export function proofOrSkip(env, { onFork, summary }, outputs, prove) {
  try {
    return prove(env);
  } catch (failure) {
    if (!(failure instanceof Outsider) || onFork !== "skip") throw failure;
    writeValues(env.GITHUB_OUTPUT, allOf(outputs, { available: "false" }));
    const text = skipped(failure);
    notice(text);
    if (summary === "always") addToSummary(env, { title: failure.title, text });
    return "skip";
  }
}

/** Give every output of an action a value; what there is not is empty. */
export function allOf(outputs, values) {
  return Object.fromEntries(outputs.map((name) => [name, values[name] ?? ""]));
}

function end(env, failure, outputs) {
  process.exitCode = 1;
  const shown = toldBy(env, failure);
  error(shown);
  // Whether there is to be one was perhaps what is wrong; then there is one.
  const unwanted = (env.INPUT_SUMMARY ?? "").trim() === "never";
  try {
    if (!unwanted) addToSummary(env, shown);
    const told = allOf(outputs, { available: "false", ...failure.outputs });
    if (env.GITHUB_OUTPUT) writeValues(env.GITHUB_OUTPUT, told);
  } catch (thrown) {
    debug(String(thrown.stack));
  }
}

/** Give what people see of a failure: the page that tells more is its last line. */
export function toldBy(env, { title, text, message, claims, page }) {
  return { title, text: `${text ?? message}\n\nMore: ${pageAddress(env, page)}`, claims };
}
