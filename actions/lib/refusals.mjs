// What the actions say when the broker refuses: its words, the job's own claims, and the mending.

import { claimText, isPersonal, shownClaims, TELLING } from "./claims.mjs";
import { linkOf, lines, quoted, wordOf } from "./failure.mjs";
import { skew, withInput } from "./messages.mjs";

const SKEWED = 60_000;

/**
 * Tell of a refusal: `body` is the broker's answer, `asked` the input values of the request.
 *
 * `claims` are those of the ID token that was sent, or null when none was.
 */
export function refused(answer, body, { claims, asked, env, requestId }) {
  const { error, error_description, reason, decision_id } = body;
  const known = typeof reason === "string" && /^[a-z_]{1,40}$/.test(reason) ? reason : "";
  const conditions = failingConditions(body.conditions);
  const couldNot = answer.status >= 500 || answer.status === 429;
  const told = { claims, asked, env, requestId };
  const text = lines(
    `The broker ${couldNot ? "could not decide" : "refused"}: ${quoted(error_description || error)}`,
    clocks(answer, known),
    mendingOf(known, { body, conditions, ...told }),
    conditions.length ? ["", "What the nearest policy asks for, and this job has not:"] : [],
    conditions.map(({ claim, asks, got }) => `- ${claim}: ${asks}, got ${got}`),
    claims ? claimLines(claims) : [],
    "",
    ids(body, told),
  );
  return {
    title: `${couldNot ? "The broker could not decide" : "Refused"}: ${quoted(reason || error)}`,
    text,
    claims: claims ? claimRows(claims, conditions) : [],
    page: known ? `docs/reference/errors.md#${known}` : "docs/reference/errors.md",
    outputs: {
      reason: known,
      "decision-id": wordOf(decision_id),
      "request-id": requestId,
    },
  };
}

export const trouble = (answer) => ({
  title: "The broker could not answer",
  text: lines(
    `${answer.what} answered with ${answer.status}, which is no answer of a broker to such a request.`,
    `Trouble of the broker, or of a proxy before it: the answer begins with:` +
      ` ${quoted(answer.text, 300) || "nothing"}`,
    clocks(answer, ""),
    "Check that the input 'broker-url' leads to a broker:",
    ...withInput("broker-url", "https://broker.example.com"),
  ),
});

export const unreadable = ({ what, status }) => ({
  title: "The broker's answer is not understood",
  text: lines(
    `${what} answered with ${status}, but with nothing that could be used.`,
    "Check that the input 'broker-url' leads to a broker, and not to a page before it:",
    ...withInput("broker-url", "https://broker.example.com"),
  ),
});

/** Pair each claim that matters with what the nearest policy asks for: rows of three texts. */
export function claimRows(claims, conditions) {
  const asks = new Map(conditions.map((each) => [each.claim, each.asks]));
  const names = new Set([...tellingClaims(claims).map(([name]) => name), ...asks.keys()]);
  return [...names].map((name) => [name, quoted(claimText(claims[name]), 300), asks.get(name) ?? ""]);
}

/** Read the failing conditions that the broker tells; none about a person. */
export function failingConditions(conditions) {
  if (!Array.isArray(conditions)) return [];
  return conditions
    .filter((each) => [each?.claim, each?.operator].every((name) => typeof name === "string") && !each.holds)
    .filter(({ claim, expected, got }) => ![expected, got].some((each) => isPersonal(claim, each)))
    .slice(0, 20)
    .map(({ claim, operator, expected, got }) => ({
      claim: quoted(claim, 100),
      operator,
      expected,
      asks: quoted(`${operator}${expected === undefined ? "" : ` ${JSON.stringify(expected)}`}`, 400),
      got: got === null || got === undefined ? "nothing" : quoted(JSON.stringify(got), 400),
    }));
}

/** Say what helps against a refusal, as it is written in a workflow or a policy. */
export function mendingOf(reason, { body, claims, asked, conditions }) {
  return Object.hasOwn(MENDING, reason) ? MENDING[reason]({ body, claims: claims ?? {}, asked, conditions }) : [];
}

/** List the claims that policies usually name. */
export function claimLines(claims) {
  return ["", "What the job's ID token says:", ...tellingClaims(claims).map(([name, value]) => `- ${name}: ${value}`)];
}

/** Name the decision for whoever runs the broker. */
export function ids({ reason, decision_id, error_uri }, { env, requestId }) {
  const link = linkOf(error_uri, decision_id);
  return [
    `reason:      ${quoted(reason || "none given")}`,
    `decision_id: ${quoted(decision_id || "none given")}  (whoever runs the broker can look it up)`,
    ...(link ? [`link:        ${link}`] : []),
    `request id:  ${quoted(requestId)}`,
    `platform:    ${quoted(env.GITHUB_SERVER_URL || "not named")}`,
  ];
}

function tellingClaims(claims) {
  const shown = shownClaims(claims).filter(([name]) => TELLING.includes(name));
  return shown.map(([name, value]) => [name, quoted(value, 300)]);
}

/** Compare the clocks where the refusal is about time, or they differ by more than a minute. */
function clocks(answer, reason) {
  const there = Date.parse(answer.headers.get("date") ?? "");
  if (Number.isNaN(there)) return null;
  const apart = Math.abs(Date.now() - there) > SKEWED;
  const aboutTime = ["token_expired", "token_not_yet_valid"].includes(reason);
  if (!apart && !aboutTime) return null;
  return skew(new Date().toISOString(), new Date(there).toISOString());
}

// What helps where, as it is written in a workflow or a policy. The rest is told by the broker.
const MENDING = {
  ambiguous_account: ({ body }) => [
    "Name the one you mean in the input 'service-account':",
    ...withInput("service-account", oneOf(body.service_accounts)),
  ],
  audience_mismatch: ({ claims }) => [
    "The input 'audience' is what the ID token is made for; the policies of the broker expect another:",
    ...withInput("audience", `…   # not ${quoted(claimText(claims.aud), 200)}`),
  ],
  target_unknown: () => [
    "Check the input 'service': its name is misspelled, or no policy of this job grants it:",
    ...withInput("service", "…"),
  ],
  scope_not_allowed: ({ asked }) => [
    "Check the input 'scope'; empty asks for all that is available:",
    ...withInput("scope", `""   # not ${quoted(JSON.stringify(asked.scope ?? ""), 200)}`),
  ],
  client_unknown_or_bad_secret: () => [
    "Check 'service-account' and 'client-secret', or leave both out and use the job's own identity:",
    ...withInput("auth", "oidc"),
  ],
  issuer_not_trusted: () => [
    "The broker does not know the platform of this job (iss, below). Whoever keeps its policies adds:",
    "",
    "issuers:",
    "  github: {preset: github}   # a GitHub Enterprise Server also needs `issuer:`, the iss below",
  ],
  no_policy_matched: ({ claims, conditions }) =>
    conditions.length
      ? ["Run the job as the policy below asks.", ...environment(conditions), ...additions(conditions)]
      : ["If this job is to have a token, whoever keeps the policies adds one that names it:", ...policy(claims)],
  token_already_used: () => ["An ID token buys one service token. Run the job again: it gets a new one."],
  rate_limited: () => ["Wait longer for the broker:", ...withInput("retry-max-time", "5m")],
};

function policy(claims) {
  const names = ["repository", "repository_id", "ref", "environment"];
  const named = names.filter((name) => claimText(claims[name]) !== "MISSING");
  return [
    "",
    "policies:",
    "  NAME:",
    "    service_account: ACCOUNT",
    "    issuer: github",
    "    match:",
    // JSON is YAML, whatever the name of a branch holds.
    ...named.map((name) => `      ${name}: ${quoted(JSON.stringify(claims[name]), 300)}`),
  ];
}

/** What the job writes, where the policy asks for an environment and the job names none. */
function environment(conditions) {
  const asked = conditions.find(({ claim, got }) => claim === "environment" && got === "nothing");
  const name = [asked?.expected].flat()[0];
  if (typeof name !== "string") return [];
  return ["In the job:", "", `environment: ${quoted(JSON.stringify(name), 200)}`, ""];
}

/** What whoever keeps the policy may add to it, if the job is meant to have a token as it is. */
function additions(conditions) {
  const added = conditions.filter(({ got }) => got !== "nothing");
  // What another event, an issuer or a `not` keeps out is not let in by one more value.
  const values = added.every(({ operator }) => ["equals", "any_of", "glob", "regex"].includes(operator));
  if (added.length === 0 || !values) return [];
  return [
    "If it is meant to have a token as it is, whoever keeps the policies adds to the policy:",
    "",
    "match:",
    ...added.map(({ claim, got }) => `  ${claim}: ${got}   # beside what is there`),
  ];
}

function oneOf(accounts) {
  const names = Array.isArray(accounts) ? accounts.filter((each) => typeof each === "string") : [];
  return names.length ? `${quoted(names[0], 100)}   # one of: ${quoted(names.join(", "), 300)}` : "…";
}
