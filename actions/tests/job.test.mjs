// actions/token from main to post: what a job gets by file, variable and state, and what is taken back.

import assert from "node:assert/strict";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";

import { Job } from "./runner.mjs";
import { assertKeptSecret, granted, only, refusal, REQUEST_TOKEN, SERVICE_TOKEN, standIns } from "./stand_ins.mjs";

const SEVERAL = { concurrency: 4 };
const OTHER_TOKEN = "eyJhbGciOiJub25lIn0.b3RoZXItdG9rZW4.c2ln";

/** A job whose first step has got a token. */
async function job(t, { inputs = {}, variables = {}, ...answers } = {}) {
  const github = await standIns(t, answers);
  const begun = await Job.begin(t, { ...github.variables, ...variables });
  const step = await begun.main({ ...github.inputs, ...inputs });
  return { github, job: begun, step };
}

describe("a format", SEVERAL, () => {
  const ends = (step) => step.outputs["expires-at"];
  for (const [format, text] of [
    ["raw", () => `${SERVICE_TOKEN}\n`],
    ["aws-web-identity-file", () => SERVICE_TOKEN],
    ["header", () => `Authorization: Bearer ${SERVICE_TOKEN}\n`],
    ["curl-config", () => `header = "Authorization: Bearer ${SERVICE_TOKEN}"\n`],
    ["shell", (step) => `export BROKER_TOKEN='${SERVICE_TOKEN}'\nexport BROKER_TOKEN_EXPIRES_AT='${ends(step)}'\n`],
    ["env", (step) => `BROKER_TOKEN='${SERVICE_TOKEN}'\nBROKER_TOKEN_EXPIRES_AT='${ends(step)}'\n`],
    ["dotenv", (step) => `BROKER_TOKEN='${SERVICE_TOKEN}'\nBROKER_TOKEN_EXPIRES_AT='${ends(step)}'\n`],
    [
      "terraform-http-backend",
      () => `export TF_HTTP_USERNAME='oauth2'\nexport TF_HTTP_PASSWORD='${SERVICE_TOKEN}'\n`,
    ],
  ]) {
    test(`${format} is written to a file for this user alone, below the runner's own folder`, async (t) => {
      const { job: begun, step } = await job(t, { inputs: { format } });

      assert.equal(step.status, 0, step.log);
      const file = step.outputs["credentials-file"];
      assert.equal(await readFile(file, "utf8"), text(step));
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      assert.equal((await stat(dirname(file))).mode & 0o777, 0o700);
      assert.ok(file.startsWith(`${begun.temp}/`));
    });
  }

  test("json holds the broker's answer and the end of the token", async (t) => {
    const { step } = await job(t, { inputs: { format: "json" } });

    assert.deepEqual(JSON.parse(await readFile(step.outputs["credentials-file"], "utf8")), {
      access_token: SERVICE_TOKEN,
      issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      token_type: "Bearer",
      expires_in: 600,
      expires_at: ends(step),
      scope: "deploy:write",
      service_account: "deploy-web",
      token_id: "token-1",
    });
  });

  test("exec-credential is what kubectl reads", async (t) => {
    const { step } = await job(t, { inputs: { format: "exec-credential" } });

    assert.deepEqual(JSON.parse(await readFile(step.outputs["credentials-file"], "utf8")), {
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      status: { token: SERVICE_TOKEN, expirationTimestamp: ends(step) },
    });
  });

  test("that is none is refused before anything is sent, and all there are are named", async (t) => {
    const { github, step } = await job(t, { inputs: { format: "docker" } });

    assert.equal(step.status, 1);
    assert.match(only(step, "error")[0].data, /'format' must be empty or one of raw, shell, .*curl-config/);
    assert.deepEqual(github.seen.idToken, []);
  });

  test("has no file where the runner names no folder for it", async (t) => {
    const { github, step } = await job(t, { inputs: { format: "raw" }, variables: { RUNNER_TEMP: undefined } });

    assert.equal(step.status, 1);
    assert.match(only(step, "error")[0].data, /RUNNER_TEMP is not set/);
    assert.deepEqual(github.seen.idToken, []);
  });
});

describe("a variable", SEVERAL, () => {
  test("is exported to later steps only where that is asked for", async (t) => {
    const { job: begun, step } = await job(t);

    assert.equal(step.status, 0);
    assert.deepEqual(begun.exported, {});
    assert.deepEqual(await readdir(begun.temp), []);
  });

  test("is exported under its name, and empty after the job", async (t) => {
    const { job: begun, step } = await job(t, { inputs: { export: "env", "env-name": "DEPLOY_TOKEN" } });

    assert.deepEqual(begun.exported, { DEPLOY_TOKEN: SERVICE_TOKEN });
    await begun.post(step);
    assert.deepEqual(begun.exported, { DEPLOY_TOKEN: "" });
  });
});

describe("when the job ends", SEVERAL, () => {
  test("the token is revoked by itself, at the broker that gave it", async (t) => {
    const { github, job: begun, step } = await job(t);

    const post = await begun.post(step);

    assert.equal(post.status, 0);
    const [{ path, method, form, headers }] = github.seen.revoked;
    assert.deepEqual([method, path], ["POST", "/oauth/revoke"]);
    assert.deepEqual(Object.fromEntries(form), { token: SERVICE_TOKEN, token_type_hint: "access_token" });
    assert.match(headers["user-agent"], /^broker-action\/\d+\.\d+\.\d+$/);
    assert.equal(headers.authorization, undefined);
    assert.deepEqual([only(post, "warning"), only(post, "error")], [[], []]);
    assertKeptSecret(post, [SERVICE_TOKEN, REQUEST_TOKEN]);
  });

  test("the file is gone, also when the job was cancelled or failed in between", async (t) => {
    const { job: begun, step } = await job(t, { inputs: { format: "shell" } });
    assert.equal((await readdir(begun.temp)).length, 1);

    // The runner starts post.mjs however the job ended; it tells it nothing of that.
    await begun.post(step);

    assert.deepEqual(await readdir(begun.temp), []);
  });

  test("the file is gone even where the step was killed the moment that it was written", async (t) => {
    const { github, job: begun } = await job(t);
    const killer = join(begun.folder, "killer.mjs");
    await writeFile(killer, `
      import fs from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      const write = fs.writeFileSync;
      fs.writeFileSync = (file, text, options) => {
        write(file, text, options);
        if (options.mode === 0o600) process.kill(process.pid, "SIGKILL");
      };
      syncBuiltinESMExports();
    `);

    const step = await begun.main({ ...github.inputs, format: "raw" }, { NODE_OPTIONS: `--import ${killer}` });
    assert.equal(step.status, null, step.log);
    assert.equal((await readdir(begun.temp)).length, 1);
    await begun.post(step);

    assert.deepEqual(await readdir(begun.temp), []);
    assert.equal(github.seen.revoked.length, 1);
  });

  test("a state that makes no sense makes no job red", async (t) => {
    const { job: begun, step } = await job(t);

    const post = await begun.post(step, { STATE_ends: "soon" });

    assert.deepEqual([post.status, only(post, "warning").length], [0, 1]);
  });

  test("a file that is gone already is none to warn of", async (t) => {
    const { job: begun, step } = await job(t, { inputs: { format: "raw" } });

    await begun.post(step);
    const again = await begun.post(step);

    assert.deepEqual([again.status, only(again, "warning")], [0, []]);
  });

  test("a step that got no token has nothing to take back", async (t) => {
    const { github, job: begun, step } = await job(t, { answers: [{ status: 400, body: { error: "x" } }] });

    const post = await begun.post(step);

    assert.deepEqual([step.status, post.status, post.log], [1, 0, ""]);
    assert.deepEqual(github.seen.revoked, []);
  });

  test("a token that is over is left alone", async (t) => {
    const { github, job: begun, step } = await job(t);

    const post = await begun.post(step, { STATE_ends: String(Date.now() - 1) });

    assert.equal(post.status, 0);
    assert.deepEqual(github.seen.revoked, []);
  });

  test("a token that is not to be revoked is left to its end, and not kept", async (t) => {
    const { github, job: begun, step } = await job(t, { inputs: { revoke: "false" } });

    const post = await begun.post(step);

    assert.deepEqual([step.status, post.status, step.state.token], [0, 0, ""]);
    assert.deepEqual(github.seen.revoked, []);
  });

  test("a broker that cannot is asked three times, and that is a warning with what it said", async (t) => {
    const body = `<h1>busy</h1>\n::error::x ${SERVICE_TOKEN}`;
    const { github, job: begun, step } = await job(t, { revocations: [{ status: 503, body }] });

    const post = await begun.post(step);

    assert.equal(post.status, 0);
    assert.equal(github.seen.revoked.length, 3);
    const [warning, ...more] = only(post, "warning");
    assert.match(warning.data, /could not be revoked and counts until 2.*answered with 503 \(request id request-1\): <h1>busy<\/h1> ::error::x \*\*\*/);
    assert.deepEqual([more, only(post, "error")], [[], []]);
    assertKeptSecret(post, [SERVICE_TOKEN]);
  });

  for (const [name, revocation, count] of [
    ["refuses", { status: 400, body: { error: "invalid_request" } }, 1],
    ["leads elsewhere", { status: 307, body: "", headers: { location: "http://127.0.0.1:1/" } }, 1],
    ["hangs up", "hang up", 3],
  ]) {
    test(`a broker that ${name} makes no job red`, async (t) => {
      const { github, job: begun, step } = await job(t, { revocations: [revocation] });

      const post = await begun.post(step);

      assert.deepEqual([post.status, github.seen.revoked.length], [0, count]);
      assert.equal(only(post, "warning").length, 1);
    });
  }

  test("a broker that never ends its answer holds up the job no longer than it may", async (t) => {
    const { github, job: begun, step } = await job(t, { revocations: ["drip"], inputs: { "retry-max-time": "1s" } });

    const post = await begun.post(step);

    assert.deepEqual([post.status, github.seen.revoked.length], [0, 1]);
    assert.match(only(post, "warning")[0].data, /nothing complete within/);
  });

  test("a folder that is not the action's is left alone, whatever the state says", async (t) => {
    const { job: begun, step } = await job(t);

    for (const folder of [begun.folder, begun.temp, `${begun.temp}/../temp`, "/nowhere/broker-token-x"]) {
      const post = await begun.post(step, { STATE_folder: folder });
      assert.equal(post.status, 0);
      assert.match(only(post, "warning")[0].data, /credentials file could not be removed/);
    }
    assert.deepEqual(await readdir(begun.temp), []);
  });

  test("the file goes even where the broker has gone", async (t) => {
    const { job: begun, step } = await job(t, { inputs: { format: "raw" }, revocations: ["hang up"] });

    await begun.post(step);

    assert.deepEqual(await readdir(begun.temp), []);
  });
});

test("two uses in one job do not know of each other", async (t) => {
  const answers = [granted(), granted({ access_token: OTHER_TOKEN, token_id: "token-2" })];
  const { github, job: begun, step: first } = await job(t, { answers, inputs: { format: "raw" } });
  const second = await begun.main({ ...github.inputs, service: "artifacts", format: "raw" });

  assert.deepEqual([first.outputs.token, second.outputs.token], [SERVICE_TOKEN, OTHER_TOKEN]);
  const presented = github.seen.token.map(({ form }) => form.get("subject_token"));
  assert.equal(new Set(presented).size, 2);
  const ids = github.seen.token.map(({ headers }) => headers["x-request-id"]);
  assert.equal(new Set(ids).size, 2);

  // The runner ends steps in the reverse order.
  await begun.post(second);
  assert.equal(await readFile(first.outputs["credentials-file"], "utf8"), `${SERVICE_TOKEN}\n`);
  await begun.post(first);

  assert.deepEqual(github.seen.revoked.map(({ form }) => form.get("token")), [OTHER_TOKEN, SERVICE_TOKEN]);
  assert.deepEqual(await readdir(begun.temp), []);
});

test("without a file for state the token is given, with a word that it will not be revoked", async (t) => {
  const { step } = await job(t, { variables: { GITHUB_STATE: undefined } });

  assert.deepEqual([step.status, step.outputs.token], [0, SERVICE_TOKEN]);
  assert.match(only(step, "warning")[0].data, /GITHUB_STATE is not set/);
});

test("a file that cannot be written fails the step, and no output holds the token", async (t) => {
  const { job: begun, github } = await job(t);

  const step = await begun.main({ ...github.inputs, format: "raw" }, { RUNNER_TEMP: "/nowhere" });

  assert.equal(step.status, 1);
  assert.deepEqual([step.outputs.token ?? "", step.outputs.available], ["", "false"]);
  // It was issued, and must not live on.
  await begun.post(step);
  assert.deepEqual(github.seen.revoked.map(({ form }) => form.get("token")), [SERVICE_TOKEN]);
});

for (const [name, answers, inputs, status] of [
  ["a token", {}, { summary: "always" }, 0],
  ["a refusal", { answers: [refusal()] }, {}, 1],
]) {
  test(`a summary that cannot be written is a warning, and keeps ${name} from nobody`, async (t) => {
    const { step } = await job(t, { ...answers, inputs, variables: { GITHUB_STEP_SUMMARY: "/nowhere/summary" } });

    assert.equal(step.status, status, step.log);
    assert.match(only(step, "warning")[0].data, /summary could not be written: ENOENT/);
    const told = status ? ["", "no_policy_matched"] : [SERVICE_TOKEN, ""];
    assert.deepEqual([step.outputs.token, step.outputs.reason], told);
  });
}
