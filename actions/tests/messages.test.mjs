// What actions/token says when it fails: the same as annotation and in the summary, with the fix.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { untrustedCertificate } from "../lib/messages.mjs";
import { addToSummary, escaped } from "../lib/summary.mjs";
import { Job, runStep } from "./runner.mjs";
import { assertKeptSecret, granted, only, refusal, REQUEST_TOKEN, SERVICE_TOKEN, standIns } from "./stand_ins.mjs";

const SEVERAL = { concurrency: 4 };
const NO_TOKEN = { ACTIONS_ID_TOKEN_REQUEST_URL: undefined, ACTIONS_ID_TOKEN_REQUEST_TOKEN: undefined };
const PINNED = {
  GITHUB_ACTION_REPOSITORY: "acme/ci-token-broker",
  GITHUB_ACTION_REF: "0123456789abcdef0123456789abcdef01234567",
};

async function failing(t, { inputs = {}, variables = {}, event, ...answers } = {}) {
  const github = await standIns(t, answers);
  const step = await runStep(t, { ...github.inputs, ...inputs }, { ...github.variables, ...variables }, event);
  assert.equal(step.status, 1, step.log);
  assertKeptSecret(step, [...github.minted, SERVICE_TOKEN, REQUEST_TOKEN]);
  const [error, ...more] = only(step, "error");
  assert.deepEqual(more, []);
  return { github, step, error };
}

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

describe("a run without an ID token", SEVERAL, () => {
  test("of Dependabot is told so", async (t) => {
    const { error } = await failing(t, { variables: { ...NO_TOKEN, GITHUB_ACTOR: "dependabot[bot]" } });

    assert.equal(error.title, "A run of Dependabot gets no ID token");
    assert.match(error.data, /if: github\.actor != 'dependabot\[bot\]'/);
  });

  for (const [name, event, variables] of [
    ["a fork", { pull_request: { head: { repo: { full_name: "stranger/web" } } } }, {}],
    ["a fork that is gone", { pull_request: { head: { repo: null } } }, {}],
    ["Dependabot", {}, { GITHUB_ACTOR: "dependabot[bot]" }],
  ]) {
    test(`of ${name} passes where that is asked for, with empty outputs and a notice`, async (t) => {
      const github = await standIns(t);
      const all = { ...github.variables, ...NO_TOKEN, GITHUB_EVENT_NAME: "pull_request", ...variables };
      const step = await runStep(t, { ...github.inputs, "on-fork": "skip" }, all, event);

      assert.equal(step.status, 0, step.log);
      assert.deepEqual([step.outputs.available, step.outputs.token], ["false", ""]);
      assert.deepEqual([only(step, "notice").length, only(step, "error"), step.state], [1, [], {}]);
      assert.deepEqual([github.seen.discovery, github.seen.token], [[], []]);
    });
  }

  test("of one's own is red all the same: it lacks the permission", async (t) => {
    const { error } = await failing(t, { variables: NO_TOKEN, inputs: { "on-fork": "skip" } });

    assert.match(error.data, /id-token: write/);
    assert.match(error.data, /the job that calls it must grant this, too/);
  });
});

describe("an answer that comes late or never", SEVERAL, () => {
  for (const [name, answers] of [["drips", { answers: ["drip"] }], ["of GitHub drips", { idTokens: ["drip"] }]]) {
    test(`${name}, and ends the step within its time`, async (t) => {
      const { error } = await failing(t, { ...answers, inputs: { timeout: "1s", "retry-max-time": "1s" } });

      assert.equal(error.title, "No answer");
      assert.match(error.data, /nothing complete within \S+ seconds/);
      assert.match(error.data, /with:\n {2}timeout: 30s\n {2}retry-max-time: 2m/);
    });
  }
});

describe("TLS", SEVERAL, () => {
  test("that is not there is told so, once", async (t) => {
    const github = await standIns(t);
    const { error } = await failing(t, {
      inputs: { "broker-url": github.url.replace("http:", "https:"), audience: "https://broker.example" },
    });

    assert.equal(error.title, "There is no TLS at this address");
    assert.match(error.data, /Check scheme and port of the input 'broker-url'/);
    assert.deepEqual(github.seen.token, []);
  });

  for (const [cause, text] of [
    ["CERT_NOT_YET_VALID", /at the time that this runner's clock shows, 20\d\d-/],
    ["ERR_TLS_CERT_ALTNAME_INVALID", /belongs to another name/],
    ["SELF_SIGNED_CERT_IN_CHAIN", /your own authority.*\n\nwith:\n {2}ca-certificate: /],
  ]) {
    test(`by a certificate that is no good says why: ${cause}`, () => {
      assert.match(untrustedCertificate("The broker", cause).text, text);
    });
  }
});

describe("a warning", SEVERAL, () => {
  for (const GITHUB_ACTION_REF of ["main", "master", "refs/heads/main"]) {
    test(`says that the action is followed at ${GITHUB_ACTION_REF}, and not pinned`, async (t) => {
      const github = await standIns(t);
      const step = await runStep(t, github.inputs, { ...github.variables, GITHUB_ACTION_REF });

      assert.equal(step.status, 0);
      assert.match(only(step, "warning")[0].data, /Pin it to the full id of a commit/);
    });
  }

  test("says that a secret is not used beside the job's own identity, and never shows or sends it", async (t) => {
    const github = await standIns(t);
    const step = await runStep(t, { ...github.inputs, "client-secret": "sa_live_hunter2" }, github.variables);

    assert.equal(step.status, 0, step.log);
    assert.match(only(step, "warning")[0].data, /'client-secret' is not used/);
    assert.equal(github.seen.token[0].form.has("client_secret"), false);
    assertKeptSecret(step, ["sa_live_hunter2"]);
  });
});

describe("with a client secret", SEVERAL, () => {
  const secret = { auth: "client-secret", "client-secret": "sa_live_hunter2", "service-account": "deploy-web" };

  test("no ID token is asked for, and the secret is masked before anything else", async (t) => {
    const github = await standIns(t);
    const step = await runStep(t, { ...github.inputs, ...secret }, { ...github.variables, ...NO_TOKEN });

    assert.equal(step.status, 0, step.log);
    assert.deepEqual(Object.fromEntries(github.seen.token[0].form), {
      grant_type: "client_credentials",
      client_id: "deploy-web",
      client_secret: "sa_live_hunter2",
      audience: "deploy-api",
    });
    assert.deepEqual([github.seen.idToken, github.seen.discovery], [[], []]);
    assert.ok(step.log.startsWith("::add-mask::sa_live_hunter2\n"));
    assertKeptSecret(step, ["sa_live_hunter2", SERVICE_TOKEN]);
    assert.equal(step.outputs.token, SERVICE_TOKEN);
  });

  test("a refusal shows no claims: none were sent", async (t) => {
    const { error } = await failing(t, { inputs: secret, answers: [refusal({ reason: "client_unknown_or_bad_secret" }, 400)] });

    assert.doesNotMatch(error.data, /ID token says/);
  });

  for (const [missing, message] of [["client-secret", /'client-secret' must be given/], ["service-account", /'service-account' must be given/]]) {
    test(`${missing} must be there`, async (t) => {
      const { error } = await failing(t, { inputs: { ...secret, [missing]: "" } });

      assert.match(error.data, message);
    });
  }
});

test("a secret of several lines is masked line by line, and refused without being shown", async (t) => {
  const secret = "hunter-one\r\nhunter-two\n\n";
  const { step, error } = await failing(t, { inputs: { auth: "client-secret", "client-secret": secret, "service-account": "x" } });

  assert.deepEqual(only(step, "add-mask").map(({ data }) => data), ["hunter-one", "hunter-two"]);
  assert.match(error.data, /'client-secret' must be one line/);
  assertKeptSecret(step, ["hunter-one", "hunter-two"]);
});

test("what nobody thought of ends the step with one error, too", async (t) => {
  const { error } = await failing(t, { variables: { GITHUB_OUTPUT: "/nowhere/output" } });

  assert.equal(error.title, "The action failed");
  assert.match(error.data, /ENOENT/);
});

test("the broker's URL may be the variable BROKER_URL, and the input counts first", async (t) => {
  const github = await standIns(t);
  const job = await Job.begin(t, github.variables);
  const inputs = { ...github.inputs, "broker-url": "" };

  const step = await job.main(inputs, { BROKER_URL: `${github.url}/` });
  const first = await job.main(github.inputs, { BROKER_URL: "amqp://queue" });
  const wrong = await job.main(inputs, { BROKER_URL: "amqp://queue" });

  assert.deepEqual([step.status, first.status, wrong.status], [0, 0, 1]);
  assert.match(only(wrong, "error")[0].data, /the variable BROKER_URL, which other tools use, too/);
});

test("debug logs show the claims, and nobody else's do", async (t) => {
  const github = await standIns(t, { claims: { run_id: "42", actor: "mona" }, answers: [granted()] });
  const job = await Job.begin(t, github.variables);

  const quiet = await job.main(github.inputs);
  const loud = await job.main(github.inputs, { RUNNER_DEBUG: "1" });

  assert.doesNotMatch(quiet.log, /run_id/);
  assert.match(loud.log, /\nrun_id: 42\n/);
  assert.doesNotMatch(loud.log, /mona/);
});

test("a summary in full says that a token was issued", async (t) => {
  const github = await standIns(t);
  const step = await runStep(t, { ...github.inputs, summary: "always" }, github.variables);

  assert.match(step.summary, /<h3>A service token was issued<\/h3>\n\n<pre>A token for deploy-api as deploy-web/);
  assertKeptSecret(step, [SERVICE_TOKEN, ...github.minted]);
});

test("Windows' line ends are none of an input's", async (t) => {
  const github = await standIns(t);
  const inputs = Object.fromEntries(Object.entries({ ...github.inputs, scope: "a b" }).map(([name, value]) => [name, `${value}\r\n`]));
  const step = await runStep(t, inputs, github.variables);

  assert.equal(step.status, 0, step.log);
  assert.equal(github.seen.token[0].form.get("scope"), "a b");
});

test("a summary without a file is none", () => {
  addToSummary({}, { title: "x", text: "y" });
});
