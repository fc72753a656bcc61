// The job's own claims, for people to read: never those that tell of a person.
//
// Logs and summaries of public repositories can be read by everybody.

import { jsonObject } from "./http.mjs";

/** The claims that policies usually name, in the order in which they are shown. */
export const TELLING = [
  "iss", "aud", "sub", "repository", "repository_id", "ref", "environment", "event_name",
  "workflow_ref", "job_workflow_ref",
];

// The same as the broker's: who started the job, and what OpenID Connect tells of a user.
const PERSONAL = new Set([
  "actor", "actor_id", "groups_direct", "initiator", "triggering_actor", "user", "address", "birthdate",
  "family_name", "gender", "given_name", "locale", "middle_name", "name", "nickname", "phone_number",
  "phone_number_verified", "picture", "preferred_username", "profile", "website", "zoneinfo",
]);
const OF_A_USER = /(^|\/)user_|e[-_]?mail/i;
const PERSON_IN_SUB = /(^|:)(actor|actor_id|initiator|user|user_[a-z]+):/;

/** Read the claims of an ID token that GitHub gave to this very job; `{}` when there are none. */
export function claimsOf(idToken) {
  return jsonObject(Buffer.from(idToken.split(".")[1] ?? "", "base64url").toString("utf8")) ?? {};
}

/** Tell whether a claim, by its name or by what it holds, tells of a person. */
export function isPersonal(name, value) {
  if (PERSONAL.has(name) || OF_A_USER.test(name)) return true;
  const texts = [value].flat().filter((each) => typeof each === "string");
  return texts.some((text) => isEMail(text) || (name === "sub" && PERSON_IN_SUB.test(text)));
}

/** List the claims that may be shown, the telling ones first, as pairs of name and text. */
export function shownClaims(claims) {
  const others = Object.keys(claims).filter((name) => !TELLING.includes(name)).sort();
  return [...TELLING, ...others]
    .filter((name) => !isPersonal(name, claims[name]))
    .map((name) => [name, claimText(claims[name])]);
}

/** Write the value of a claim; one that is absent, null or empty is `MISSING`. */
export function claimText(value) {
  if (value === undefined || value === null || value === "") return "MISSING";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Tell an address from a workflow's `file@ref` and from an immutable `sub`. */
function isEMail(text) {
  const at = text.indexOf("@");
  const host = text.slice(at + 1).replace(/^\.+|\.+$/g, "");
  return at > 0 && host.includes(".") && !/[ /:]/.test(text);
}
