// Runs to which GitHub gives no ID token, whatever their permissions say.

import { readFileSync } from "node:fs";

import { Outsider } from "./failure.mjs";
import { fromDependabot, fromFork } from "./messages.mjs";

/** Tell why a run without an ID token is an outsider's, or null when it is not. */
export function outsiderOf(env) {
  const fork = forkOf(env);
  if (fork !== null) return new Outsider(fromFork(fork, env.GITHUB_REPOSITORY ?? ""));
  if (env.GITHUB_ACTOR === "dependabot[bot]") return new Outsider(fromDependabot());
  return null;
}

/** Name the fork that a pull request comes from, "" when it is gone; null when there is none. */
function forkOf(env) {
  // `pull_request_target` runs in the repository's own name and may have a token.
  if (!/^pull_request(_review|_review_comment)?$/.test(env.GITHUB_EVENT_NAME ?? "")) return null;
  let head;
  try {
    head = JSON.parse(readFileSync(env.GITHUB_EVENT_PATH ?? "", "utf8")).pull_request?.head;
  } catch {
    return null;
  }
  if (!head) return null;
  const name = head.repo?.full_name ?? "";
  return name === env.GITHUB_REPOSITORY ? null : name;
}
