// What actions/token says of what is not a refusal: of forks, TLS, time, secrets and warnings.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { untrustedCertificate } from "../lib/messages.mjs";
import { addToSummary } from "../lib/summary.mjs";
import { failing } from "./failing.mjs";
import { Job, runStep } from "./runner.mjs";
import { assertKeptSecret, granted, only, refusal, serve, SERVICE_TOKEN, standIns } from "./stand_ins.mjs";

const SEVERAL = { concurrency: 4 };
const NO_TOKEN = { ACTIONS_ID_TOKEN_REQUEST_URL: undefined, ACTIONS_ID_TOKEN_REQUEST_TOKEN: undefined };

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

  for (const [name, event, actor] of [
    ["a fork", { pull_request: { head: { repo: { full_name: "stranger/web" } } } }, "stranger"],
    ["Dependabot", {}, "dependabot[bot]"],
  ]) {
    test(`a run of ${name}, to which GitHub gives none, passes where that is asked for`, async (t) => {
      const github = await standIns(t);
      const variables = { ...github.variables, GITHUB_EVENT_NAME: "pull_request", GITHUB_ACTOR: actor };
      const inputs = { ...github.inputs, ...secret, "client-secret": "", "on-fork": "skip" };
      const step = await runStep(t, inputs, variables, event);

      assert.deepEqual([step.status, step.outputs.available, github.seen.token], [0, "false", []], step.log);
      assert.match(only(step, "notice")[0].data, /This run gets no secret: the step passes without/);
    });
  }

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

test("a proxy that is none is told without its password", async (t) => {
  const { github, step, error } = await failing(t, { variables: { https_proxy: "http://me:hunter2@bad host" } });

  assert.equal(error.title, "The runner's proxy is wrong");
  assertKeptSecret(step, ["hunter2"]);
  assert.deepEqual(github.seen.idToken, []);
});

describe("a proxy that refuses", SEVERAL, () => {
  for (const [status, tries, message] of [
    [407, 1, /The proxy answered with 407.*\nIt wants a user name and a password/],
    [403, 1, /The proxy answered with 403.*\nIt does not let this runner through/],
    [503, 2, /The broker did not answer: the proxy answered with 503\./],
  ]) {
    test(`with ${status} is told so, without its password`, async (t) => {
      let asked = 0;
      const proxy = await serve(t, () => {}, (server) => server.on("connect", (_request, socket) => {
        asked += 1;
        socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
      }));
      const { step, error } = await failing(t, {
        inputs: { "broker-url": "https://broker.example", "retry-max-time": "1s" },
        variables: { https_proxy: proxy.replace("//", "//me:hunter2@") },
      });

      assert.match(error.data, message);
      assert.ok(tries === 1 ? asked === 1 : asked >= tries, String(asked));
      assertKeptSecret(step, ["hunter2"]);
    });
  }
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
