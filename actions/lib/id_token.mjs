// The job's own identity: an ID token from GitHub, for one audience.

import { readFileSync } from "node:fs";

import { mask } from "./commands.mjs";
import { jsonObject, request } from "./http.mjs";
import {
  Failure,
  fromFork,
  idTokenRefused,
  idTokenUnreadable,
  issuerNotAccepted,
  missingPermission,
  noDiscovery,
  otherIssuer,
} from "./messages.mjs";

const GITHUB = "GitHub's ID token endpoint";
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** Where this job may ask for ID tokens. Throws `Failure`: no permission, or a fork. */
export function idTokenEndpoint(env) {
  const url = env.ACTIONS_ID_TOKEN_REQUEST_URL;
  const token = env.ACTIONS_ID_TOKEN_REQUEST_TOKEN;
  if (url && token) return { url, token };
  const fork = forkOf(env);
  throw new Failure(
    fork === null ? missingPermission() : fromFork(fork, env.GITHUB_REPOSITORY ?? ""),
  );
}

/** Get a fresh ID token, masked before anything else can be said. Throws `Failure`. */
export async function fetchIdToken({ url, token }, audience, patience) {
  const asked = `${url}${url.includes("?") ? "&" : "?"}audience=${encodeURIComponent(audience)}`;
  const headers = { authorization: `Bearer ${token}`, accept: "application/json" };
  const answer = await patience.insist(() => request(GITHUB, asked, { headers }));
  if (answer.status !== 200) throw new Failure(idTokenRefused(answer.status, answer.text));
  const idToken = jsonObject(answer.text)?.value;
  if (typeof idToken !== "string" || !JWT.test(idToken)) throw new Failure(idTokenUnreadable());
  mask(idToken);
  return idToken;
}

/**
 * Find out which audience the broker expects: its issuer URL, from its discovery document.
 *
 * Never another host's: a broker that was taken over could otherwise have ID tokens made that
 * count at other systems. Throws `Failure`.
 */
export async function brokerAudience(brokerUrl, patience) {
  const url = `${brokerUrl}/.well-known/openid-configuration`;
  const answer = await patience.insist(() => request("The broker", url));
  const document = answer.status === 200 ? jsonObject(answer.text) : null;
  const issuer = document?.issuer;
  if (typeof issuer !== "string") throw new Failure(noDiscovery(url, answer.status));
  if (!URL.canParse(issuer) || new URL(issuer).origin !== new URL(brokerUrl).origin) {
    throw new Failure(otherIssuer(brokerUrl, issuer));
  }
  const accepted = document.subject_token_audiences;
  if (Array.isArray(accepted) && !accepted.includes(issuer)) {
    throw new Failure(issuerNotAccepted(issuer, accepted.slice(0, 10)));
  }
  return issuer;
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
