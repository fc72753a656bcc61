// What actions/token says of a refusal: the same as annotation and in the summary, with the fix.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { escaped } from "../lib/summary.mjs";
import { failing } from "./failing.mjs";
import { refusal } from "./stand_ins.mjs";

const SEVERAL = { concurrency: 4 };
const PINNED = {
  GITHUB_ACTION_REPOSITORY: "acme/ci-token-broker",
  GITHUB_ACTION_REF: "0123456789abcdef0123456789abcdef01234567",
};

describe("a failure", SEVERAL, () => {
  test("says the same in the summary, and where to read more", async (t) => {
    const { step, error } = await failing(t, { answers: [refusal()], variables: PINNED });

    const page =
      "https://ghes.example/acme/ci-token-broker/blob/0123456789abcdef0123456789abcdef01234567" +
      "/docs/reference/errors.md#no_policy_matched";
    assert.ok(error.data.endsWith(`\n\nMore: ${page}`));
    assert.ok(step.summary.includes(`<h3>${escaped(error.title)}</h3>`));
    assert.ok(step.summary.includes(`<pre>${escaped(error.data)}</pre>`));
    assert.match(error.data, /\nplatform: +https:\/\/ghes\.example\n/);
  });

  test("names the page by its place where the action's own address is not known", async (t) => {
    for (const GITHUB_ACTION_REPOSITORY of [undefined, "", "a](https://evil.example)/b", "::error::/x"]) {
      const { error } = await failing(t, { answers: [refusal()], variables: { ...PINNED, GITHUB_ACTION_REPOSITORY } });

      assert.ok(error.data.endsWith("\n\nMore: docs/reference/errors.md#no_policy_matched"));
    }
  });

  test("in the broker's words is neither HTML nor Markdown", async (t) => {
    const text = "</pre></code><img src=x onerror=y>\n\n[log in](https://evil.example) `a` ![x](y) @acme |";
    const conditions = [{ claim: text, operator: text, expected: text, got: text }];
    const members = { error: text, error_description: text, reason: text, decision_id: text, conditions };
    const { step } = await failing(t, { answers: [refusal(members)], claims: { sub: text, ref: text } });

    const tags = new Set(step.summary.match(/<\/?[a-z0-9]+[^>]*>/g));
    const own = ["h3", "pre", "table", "tr", "th", "td", "code"].flatMap((tag) => [`<${tag}>`, `</${tag}>`]);
    assert.deepEqual([...tags].filter((tag) => !own.includes(tag)), []);
    const outside = step.summary.replace(/<(h3|pre|table)>[^]*?<\/\1>/g, "");
    assert.equal(outside.trim(), "");
    assert.doesNotMatch(/<table>[^]*<\/table>/.exec(step.summary)[0], /\n\s*\n/);
  });

  test("can be told to later steps", async (t) => {
    const { step } = await failing(t, { answers: [refusal()] });

    const { reason, available } = step.outputs;
    assert.deepEqual([reason, available], ["no_policy_matched", "false"]);
    assert.deepEqual([step.outputs["decision-id"], step.outputs["request-id"]], ["decision-1", "request-1"]);
  });

  test("keeps out of the summary where that is asked for", async (t) => {
    const { step } = await failing(t, { answers: [refusal()], inputs: { summary: "never" } });

    assert.equal(step.summary, "");
  });

  test("of an input is in the summary even where the input 'summary' is the wrong one", async (t) => {
    const { step } = await failing(t, { inputs: { summary: "sometimes" } });

    assert.match(step.summary, /on-error, never, always/);
  });

  test("is told where there is no file for a summary", async (t) => {
    await failing(t, { answers: [refusal()], variables: { GITHUB_STEP_SUMMARY: undefined } });
  });
});

describe("a refusal", SEVERAL, () => {
  const claims = {
    iss: "https://token.actions.githubusercontent.com",
    sub: "repo:acme/web:ref:refs/heads/x",
    repository: "acme/web",
    repository_id: "456789",
    ref: "refs/heads/x",
    event_name: "push",
    job_workflow_ref: "acme/web/.github/workflows/a.yml@refs/heads/x",
    actor: "mona",
  };

  test("shows the claims beside what the nearest policy asks for, and none of a person", async (t) => {
    const conditions = [
      { claim: "ref", operator: "equals", expected: "refs/heads/main", got: "refs/heads/x", holds: false },
      { claim: "environment", operator: "equals", expected: "production", got: null, holds: false },
      { claim: "actor", operator: "equals", expected: "lisa", got: "mona", holds: false },
    ];
    const { step, error } = await failing(t, { answers: [refusal({ conditions })], claims });

    for (const line of ["- repository_id: 456789", "- environment: MISSING", "- workflow_ref: MISSING",
      '- ref: equals "refs/heads/main", got "refs/heads/x"']) {
      assert.ok(error.data.includes(`\n${line}\n`), line);
    }
    assert.match(error.data, /\nIn the job:\n\nenvironment: "production"\n/);
    assert.match(error.data, /\nmatch:\n {2}ref: "refs\/heads\/x" {3}# beside what is there\n/);
    assert.match(step.summary, /<tr><td><code>environment<\/code><\/td><td><code>MISSING<\/code><\/td><td><code>equals &#34;production&#34;<\/code><\/td><\/tr>/);
    for (const shown of [step.log, step.summary]) assert.doesNotMatch(shown, /mona|lisa/);
  });

  test("offers no addition where something is kept out on purpose", async (t) => {
    const conditions = [
      { claim: "event_name", operator: "guard", expected: ["push"], got: "pull_request", holds: false },
      { claim: "ref", operator: "equals", expected: "refs/heads/main", got: "refs/pull/1/merge", holds: false },
    ];
    const { error } = await failing(t, { answers: [refusal({ conditions })], claims });

    assert.doesNotMatch(error.data, /match:/);
  });

  test("offers the policy that would be needed where none came near", async (t) => {
    const { error } = await failing(t, { answers: [refusal()], claims: { ...claims, ref: 'refs/heads/"x: y' } });

    assert.match(error.data, /\n {4}match:\n {6}repository: "acme\/web"\n {6}repository_id: "456789"\n {6}ref: "refs\/heads\/\\"x: y"\n/);
  });

  for (const [reason, fix, changes] of [
    ["ambiguous_account", /service-account: deploy-web {3}# one of: deploy-web, b/, { service_accounts: ["deploy-web", "b"] }],
    ["audience_mismatch", /with:\n {2}audience: …/, {}],
    ["target_unknown", /with:\n {2}service: …/, {}],
    ["scope_not_allowed", /with:\n {2}scope: "" {3}# not "deploy:all"/, {}],
    ["issuer_not_trusted", /issuers:\n {2}github: \{preset: github\}/, {}],
    ["token_already_used", /Run the job again/, {}],
    ["client_unknown_or_bad_secret", /auth: oidc/, {}],
  ]) {
    test(`by ${reason} says what to write`, async (t) => {
      const { error } = await failing(t, {
        answers: [refusal({ reason, ...changes })], inputs: { scope: "deploy:all" },
      });

      assert.match(error.data, fix);
    });
  }

  test("about time shows both clocks", async (t) => {
    const answer = { ...refusal({ reason: "token_not_yet_valid" }), headers: { date: "Thu, 01 Jan 2026 00:00:00 GMT" } };
    const { error } = await failing(t, { answers: [answer] });

    assert.match(error.data, /The clock of this runner shows 20\S+Z, that of the broker 2026-01-01T00:00:00\.000Z: they differ by \d+ seconds/);
  });

  test("by another clock than the runner's says so, whatever it is about", async (t) => {
    const answer = { ...refusal(), headers: { date: new Date(Date.now() - 300_000).toUTCString() } };
    const near = await failing(t, { answers: [refusal()] });
    const far = await failing(t, { answers: [answer] });

    assert.doesNotMatch(near.error.data, /clock/);
    assert.match(far.error.data, /differ by (299|300|301|302) seconds/);
  });

  test("that is a limit is tried again, and says what would help", async (t) => {
    const busy = refusal({ reason: "rate_limited" }, 429);
    const { github, error } = await failing(t, {
      answers: [{ ...busy, headers: { "retry-after": "0" } }], inputs: { "retry-max-time": "1s" },
    });

    assert.ok(github.seen.token.length > 1);
    assert.match(error.data, /retry-max-time: 5m/);
  });
});
