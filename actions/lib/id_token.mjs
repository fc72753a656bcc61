// The job's own identity: an ID token from GitHub, for one audience.

import { keepBack, mask } from "./commands.mjs";
import { Failure } from "./failure.mjs";
import { jsonObject } from "./http.mjs";
import {
  idTokenRefused,
  idTokenUnreadable,
  issuerNotAccepted,
  missingPermission,
  noDiscovery,
  otherIssuer,
} from "./messages.mjs";
import { outsiderOf } from "./outsiders.mjs";

const GITHUB = "GitHub's ID token endpoint";
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** Where this job may ask for ID tokens. Throws `Failure`: no permission; `Outsider`: a fork. */
export function idTokenEndpoint(env) {
  const url = env.ACTIONS_ID_TOKEN_REQUEST_URL;
  const token = env.ACTIONS_ID_TOKEN_REQUEST_TOKEN;
  if (url && token) return { url, token };
  throw outsiderOf(env) ?? new Failure(missingPermission(env.GITHUB_SERVER_URL || "GitHub"));
}

/** Get a fresh ID token, masked before anything else can be said. Throws `Failure`. */
export async function fetchIdToken({ url, token }, audience, patience) {
  const asked = `${url}${url.includes("?") ? "&" : "?"}audience=${encodeURIComponent(audience)}`;
  const headers = { authorization: `Bearer ${token}` };
  keepBack(token);
  const answer = await patience.insist(() => patience.request(GITHUB, asked, { headers }));
  if (answer.status >= 300) throw new Failure(idTokenRefused(answer.status, answer.text));
  const idToken = answer.status === 200 ? jsonObject(answer.text)?.value : null;
  if (typeof idToken !== "string" || !JWT.test(idToken)) throw new Failure(idTokenUnreadable());
  mask(idToken);
  return idToken;
}

/**
 * Find out which audience the broker expects, from its discovery document: its issuer URL if it
 * accepts that, else the first that it does accept on its own host.
 *
 * Never another host's: a broker that was taken over could otherwise have ID tokens made that
 * count at other systems. Throws `Failure`.
 */
export async function brokerAudience(brokerUrl, patience) {
  const url = `${brokerUrl}/.well-known/openid-configuration`;
  const answer = await patience.insist(() => patience.request("The broker", url));
  const document = answer.status === 200 ? jsonObject(answer.text) : null;
  const issuer = document?.issuer;
  if (typeof issuer !== "string") throw new Failure(noDiscovery(url, answer.status));
  if (!isOnHostOf(brokerUrl, issuer)) throw new Failure(otherIssuer(brokerUrl, issuer));
  const accepted = document.subject_token_audiences;
  if (!Array.isArray(accepted) || accepted.includes(issuer)) return issuer;
  const own = accepted.find((each) => isOnHostOf(brokerUrl, each));
  if (own === undefined) throw new Failure(issuerNotAccepted(issuer, accepted.slice(0, 10)));
  return own;
}

function isOnHostOf(brokerUrl, audience) {
  return typeof audience === "string" && URL.canParse(audience) && new URL(audience).origin === new URL(brokerUrl).origin;
}
