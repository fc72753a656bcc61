// What an action knows of itself: its version, where its pages are, how it was pinned.

import { randomUUID } from "node:crypto";

export const VERSION = "0.1.0";
export const USER_AGENT = `broker-action/${VERSION}`;

/** Give the address of a page of this repository, on the server that the action came from. */
export function pageAddress(env, page) {
  const server = (env.GITHUB_SERVER_URL ?? "").replace(/\/+$/, "");
  const repository = env.GITHUB_ACTION_REPOSITORY ?? "";
  const ref = env.GITHUB_ACTION_REF ?? "";
  const known =
    /^https?:\/\/[A-Za-z0-9.:-]+$/.test(server) &&
    /^[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+$/.test(repository) &&
    /^[A-Za-z0-9_./-]+$/.test(ref);
  return known ? `${server}/${repository}/blob/${ref}/${page}` : page;
}

/** Tell whether the workflow follows a branch, whose code can change between two runs. */
export function followsBranch(env) {
  return /^(refs\/heads\/)?(main|master)$/.test(env.GITHUB_ACTION_REF ?? "");
}

/** Name a request after the run, so that the broker's audit shows which one it was. */
export function nameRequest(env) {
  const parts = [env.GITHUB_RUN_ID, env.GITHUB_RUN_ATTEMPT].filter((part) => /^\d{1,20}$/.test(part));
  return [...parts, randomUUID().slice(0, 8)].join("-");
}

/** Tell whether the runner was asked for debug logs. */
export function debugging(env) {
  return env.RUNNER_DEBUG === "1" || env.ACTIONS_STEP_DEBUG === "true";
}
