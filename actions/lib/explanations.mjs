// What the explain action says: the decision, the policies that came near, and the mending.

import { lines, quoted, scopesOf, wordOf } from "./failure.mjs";
import { claimLines, claimRows, failingConditions, ids, mendingOf } from "./refusals.mjs";

const SHOWN = 5;
const SHOWN_LINES = 50;

/** Tell of a decision: `body` is the broker's explanation, `claims` are those of the ID token. */
export function explained(body, told) {
  const { decision, reason, decision_id } = body;
  const { claims, requestId } = told;
  const candidates = candidatesOf(body).slice(0, SHOWN);
  const nearest = failingConditions(candidates[0]?.conditions);
  const permitted = decision === "permit";
  const text = lines(
    permitted ? permit(body) : `The broker would refuse: ${quoted(reason)}`,
    permitted ? [] : mendingOf(quoted(reason), { body, conditions: nearest, ...told }),
    candidates.flatMap(candidate),
    fixLines(body.fix),
    claimLines(claims),
    "",
    ids(body, told),
  );
  return {
    title: permitted ? "The broker would give a token" : `The broker would refuse: ${quoted(reason)}`,
    text,
    claims: claimRows(claims, nearest),
    page: "docs/guides/github-actions.md#when-it-is-refused",
    outputs: {
      decision,
      reason: wordOf(reason),
      "decision-id": wordOf(decision_id),
      "request-id": requestId,
      "service-account": wordOf(body.service_account),
      scope: scopesOf(joined(body.scopes)),
    },
  };
}

function permit(body) {
  const { service_account, audience, sub, ttl } = body;
  return [
    `The broker would give a token for ${quoted(audience)} as ${quoted(service_account)}:`,
    `- sub: ${quoted(sub)}`,
    `- scopes: ${quoted(joined(body.scopes) || "none")}`,
    `- ttl: ${quoted(ttl)} seconds`,
  ];
}

function joined(scopes) {
  return Array.isArray(scopes) ? scopes.filter((each) => typeof each === "string").join(" ") : "";
}

function fixLines(fix) {
  if (typeof fix !== "string") return [];
  return ["", ...fix.split("\n").slice(0, SHOWN_LINES).map((line) => `fix: ${quoted(line)}`)];
}

function candidatesOf({ candidates }) {
  const all = Array.isArray(candidates) ? candidates : [];
  return all.filter((each) => each !== null && typeof each === "object");
}

function candidate({ policy, effect, service_account, holds, conditions }) {
  const whom = effect === "allow" ? `allow, service account ${quoted(service_account)}` : "deny";
  return [
    "",
    `Policy ${quoted(policy, 200)} (${whom}) ${holds ? "holds" : "does not hold"}${holds ? "" : ":"}`,
    ...failingConditions(conditions).map(({ claim, asks, got }) => `- ${claim}: ${asks}, got ${got}`),
  ];
}
