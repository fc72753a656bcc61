// What the explain action says: the decision, the policies that came near, and the mending.

import { lines, quoted } from "./failure.mjs";
import { claimLines, claimRows, failingConditions, ids, mendingOf } from "./refusals.mjs";

const SHOWN = 5;

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
    typeof body.fix === "string" ? ["", ...body.fix.split("\n").map((line) => `fix: ${quoted(line)}`)] : [],
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
      reason: quoted(reason ?? ""),
      "decision-id": quoted(decision_id ?? ""),
      "request-id": requestId,
      "service-account": quoted(body.service_account ?? ""),
      scope: quoted(Array.isArray(body.scopes) ? body.scopes.join(" ") : ""),
    },
  };
}

function permit({ service_account, audience, sub, scopes, ttl }) {
  return [
    `The broker would give a token for ${quoted(audience)} as ${quoted(service_account)}:`,
    `- sub: ${quoted(sub)}`,
    `- scopes: ${quoted(Array.isArray(scopes) ? scopes.join(" ") || "none" : "none")}`,
    `- ttl: ${quoted(ttl)} seconds`,
  ];
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
