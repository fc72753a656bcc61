// actions/explain: what it asks, what it says, and when it is red.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Job } from "./runner.mjs";
import { assertKeptSecret, denied, only, permitted, refusal, REQUEST_TOKEN, standIns } from "./stand_ins.mjs";

const SEVERAL = { concurrency: 4 };

async function explain(t, { inputs = {}, variables = {}, event, ...answers } = {}) {
  const github = await standIns(t, answers);
  const job = await Job.begin(t, { ...github.variables, ...variables }, event);
  const step = await job.main({ ...github.inputs, ...inputs }, {}, "explain");
  assertKeptSecret(step, [...github.minted, REQUEST_TOKEN]);
  assert.deepEqual([github.seen.token, github.seen.revoked], [[], []]);
  return { github, step };
}

describe("a question", SEVERAL, () => {
  test("is the form of a token exchange", async (t) => {
    const inputs = { scope: "deploy:write", "service-account": "deploy-web", ttl: "5m" };
    const { github } = await explain(t, { inputs });

    const [{ path, form, headers }] = github.seen.explained;
    assert.equal(path, "/oauth/explain");
    assert.deepEqual(Object.fromEntries(form), {
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: github.minted[0],
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      audience: "deploy-api",
      scope: "deploy:write",
      client_id: "deploy-web",
      expires_in: "300",
    });
    assert.match(headers["x-request-id"], /^37824901043-1-/);
  });

  test("that is answered with permit is green", async (t) => {
    const { step } = await explain(t);

    assert.equal(step.status, 0, step.log);
    assert.deepEqual(step.outputs, {
      decision: "permit",
      reason: "",
      "decision-id": "decision-2",
      "service-account": "deploy-web",
      scope: "deploy:write",
      available: "true",
      "request-id": "request-1",
    });
    assert.match(step.log, /The broker would give a token for https:\/\/deploy.example.com as deploy-web:/);
    assert.match(step.summary, /The broker would give a token/);
  });

  test("that is answered with deny is green, too, and says why and what helps", async (t) => {
    const claims = { sub: "repo:acme/web:ref:refs/heads/x", ref: "refs/heads/x", repository: "acme/web" };
    const { step } = await explain(t, { explanations: [denied()], claims });

    assert.equal(step.status, 0, step.log);
    assert.deepEqual([step.outputs.decision, step.outputs.reason], ["deny", "no_policy_matched"]);
    const [warning] = only(step, "warning");
    assert.equal(warning.title, "The broker would refuse: no_policy_matched");
    assert.match(warning.data, /Policy web \(allow, service account deploy-web\) does not hold:\n- ref: equals "refs\/heads\/main", got "refs\/heads\/x"/);
    assert.match(warning.data, /\nfix: run on refs\/heads\/main\n/);
    assert.match(warning.data, /\n- environment: MISSING\n/);
    assert.match(step.summary, /<td><code>ref<\/code><\/td><td><code>refs\/heads\/x<\/code><\/td><td><code>equals &#34;refs\/heads\/main&#34;<\/code>/);
  });

  test("that is answered with deny is red where that is asked for", async (t) => {
    const { step } = await explain(t, { explanations: [denied()], inputs: { "fail-on-deny": "true" } });

    assert.equal(step.status, 1);
    assert.equal(only(step, "error")[0].title, "The broker would refuse: no_policy_matched");
    assert.deepEqual([step.outputs.decision, step.outputs.reason], ["deny", "no_policy_matched"]);
  });

  test("may be answered at length", async (t) => {
    const expected = Array.from({ length: 5000 }, (_, number) => `refs/heads/release/number-${number}`);
    const conditions = [{ claim: "ref", operator: "any_of", expected, got: "refs/heads/x", holds: false }];
    const candidate = { policy: "web", effect: "allow", service_account: "a", holds: false, conditions };
    const { step } = await explain(t, { explanations: [denied({ candidates: [candidate] })] });

    assert.equal(step.outputs.reason, "no_policy_matched");
    assert.ok(only(step, "warning")[0].data.length < 5000);
  });

  test("about a token that does not verify is answered as it would be at the exchange", async (t) => {
    const explanations = [refusal({ reason: "audience_mismatch" })];
    const { step } = await explain(t, { explanations });

    assert.equal(step.status, 0, step.log);
    assert.deepEqual([step.outputs.decision, step.outputs.reason], ["deny", "audience_mismatch"]);
    assert.match(only(step, "warning")[0].data, /with:\n {2}audience: /);
  });

  for (const [name, explanation] of [
    ["an error of the broker", refusal({ reason: "store_unavailable" }, 503)],
    ["a page", { status: 404, body: "<h1>no</h1>" }],
    ["another document", { status: 200, body: { hello: "world" } }],
    ["a decision that is none", permitted({ decision: "perhaps" })],
  ]) {
    test(`that gets ${name} could not be asked, and is red`, async (t) => {
      const inputs = { "retry-max-time": "1s" };
      const answer = { ...explanation, headers: { "retry-after": "60" } };
      const { step } = await explain(t, { explanations: [answer], inputs });

      assert.equal(step.status, 1);
      assert.deepEqual([step.outputs.decision, step.outputs.available], ["", "false"]);
    });
  }

  test("without the permission is red", async (t) => {
    const { github, step } = await explain(t, { variables: { ACTIONS_ID_TOKEN_REQUEST_URL: "" } });

    assert.equal(step.status, 1);
    assert.match(only(step, "error")[0].data, /id-token: write/);
    assert.deepEqual(github.seen.explained, []);
  });

  test("from a fork passes without, where that is asked for", async (t) => {
    const variables = { ACTIONS_ID_TOKEN_REQUEST_URL: "", GITHUB_EVENT_NAME: "pull_request" };
    const event = { pull_request: { head: { repo: null } } };
    const { step } = await explain(t, { variables, event, inputs: { "on-fork": "skip" } });

    assert.deepEqual([step.status, step.outputs.available, step.outputs.decision], [0, "false", ""]);
  });
});

describe("the claims", SEVERAL, () => {
  const claims = {
    sub: "repo:acme/web:ref:refs/heads/x",
    repository: "acme/web",
    actor: "mona-of-acme",
    actor_id: "77314477",
    triggering_actor: "lisa-of-acme",
    user_email: "mona-of-acme@example.com",
    contact: "lisa-of-acme@example.com",
    given_name: "Mona-of-Acme",
    phone_number: "+77314477",
    groups_direct: ["mona-of-acme-team"],
    teams: ["web", "mona-of-acme@mail@example.com"],
    runner_environment: "github-hosted",
  };

  test("are printed, but none that tells of a person", async (t) => {
    const { step } = await explain(t, { claims });

    assert.match(step.log, /::group::What the job's ID token says\n(.*\n)*runner_environment: github-hosted\n/);
    // Long enough that no port and no masked token holds them by chance.
    const people = /mona-of-acme|lisa-of-acme|77314477/i;
    for (const shown of [step.log, step.summary]) assert.doesNotMatch(shown, people);
  });

  for (const hostile of ["x\n::error::y", "##[add-mask]x", "::stop-commands::x", "%0A::error::x", "\r::warning::x"]) {
    test(`are no commands: ${JSON.stringify(hostile)}`, async (t) => {
      const told = Object.fromEntries(Object.keys(claims).map((name) => [name, hostile]));
      const { step } = await explain(t, { claims: { ...told, [hostile]: hostile }, explanations: [denied({
        reason: hostile, fix: `${hostile}\n${hostile}`, decision_id: hostile,
        candidates: [{ policy: hostile, effect: hostile, conditions: [{ claim: hostile, operator: hostile, got: hostile }] }],
      })] });

      const names = new Set(step.commands.map(({ name }) => name));
      assert.deepEqual(names, new Set(["add-mask", "group", "endgroup", "warning"]));
      assert.equal(only(step, "warning").length, 1);
      assert.equal(only(step, "add-mask").length, 1);
    });
  }
});

for (const [summary, onPermit, onDeny] of [["always", true, true], ["on-error", false, true], ["never", false, false]]) {
  test(`summary: ${summary} adds to the summary when it says so`, SEVERAL, async (t) => {
    const good = await explain(t, { inputs: { summary } });
    const bad = await explain(t, { inputs: { summary }, explanations: [denied()] });

    assert.deepEqual([good.step.summary !== "", bad.step.summary !== ""], [onPermit, onDeny]);
  });
}
