// actions/token without an identity, with wrong inputs, and with answers that are none of a broker.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { failingAt } from "./failing.mjs";
import { granted, standIns } from "./stand_ins.mjs";

const SEVERAL = { concurrency: 4 };

describe("a job without an ID token", SEVERAL, () => {
  const nothing = {
    ACTIONS_ID_TOKEN_REQUEST_URL: undefined,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: undefined,
  };
  const pull = (fullName) => ({
    pull_request: { head: { repo: fullName === null ? null : { full_name: fullName } } },
  });

  for (const variables of [
    nothing,
    { ...nothing, ACTIONS_ID_TOKEN_REQUEST_URL: "https://x.example" },
    { ACTIONS_ID_TOKEN_REQUEST_URL: "", ACTIONS_ID_TOKEN_REQUEST_TOKEN: "" },
  ]) {
    test(`is told to write the permission (${Object.keys(variables)})`, async (t) => {
      const github = await standIns(t);

      const { error } = await failingAt(t, github, {}, variables);

      assert.match(error.data, /permissions:\n {2}contents: read\n {2}id-token: write/);
      assert.match(error.data, /reusable workflow/);
      assert.deepEqual([github.seen.token, github.seen.discovery], [[], []]);
    });
  }

  for (const [name, fork] of [["a fork", "stranger/web"], ["a fork that is gone", null]]) {
    test(`for a pull request from ${name} is told so`, async (t) => {
      const github = await standIns(t);
      const variables = { ...nothing, GITHUB_EVENT_NAME: "pull_request" };

      const { error } = await failingAt(t, github, {}, variables, pull(fork));

      assert.equal(error.title, "A pull request from a fork gets no ID token");
      assert.match(error.data, /github\.event\.pull_request\.head\.repo\.full_name/);
    });
  }

  for (const [eventName, event] of [
    ["pull_request", pull("acme/web")],
    ["pull_request_target", pull("stranger/web")],
    ["push", null],
  ]) {
    test(`for ${eventName} of its own repository lacks the permission alone`, async (t) => {
      const github = await standIns(t);

      const { error } = await failingAt(t, github, {}, { ...nothing, GITHUB_EVENT_NAME: eventName }, event);

      assert.match(error.data, /id-token: write/);
    });
  }

  test("whose event cannot be read lacks the permission", async (t) => {
    const github = await standIns(t);
    const variables = { ...nothing, GITHUB_EVENT_NAME: "pull_request", GITHUB_EVENT_PATH: "/nowhere" };

    assert.match((await failingAt(t, github, {}, variables)).error.data, /id-token: write/);
  });
});

test("an input that is wrong ends the step before anything is sent, and is not shown", async (t) => {
  const github = await standIns(t);

  const step = await failingAt(t, github, { "broker-url": "https://user:hunter2@broker.example.com" });

  assert.equal(step.error.title, "An input is wrong");
  assert.doesNotMatch(step.log, /hunter2/);
  assert.deepEqual(github.seen, { idToken: [], discovery: [], token: [], revoked: [], explained: [] });
});

describe("what is no answer of a broker", SEVERAL, () => {
  for (const status of [301, 302, 307, 308]) {
    test(`a redirect (${status}) takes the token nowhere`, async (t) => {
      const elsewhere = await standIns(t);
      const headers = { location: `${elsewhere.url}/oauth/token` };
      const github = await standIns(t, { answers: [{ status, body: "", headers }] });

      const { error } = await failingAt(t, github);

      assert.match(error.data, /nowhere else/);
      assert.deepEqual(elsewhere.seen.token, []);
    });
  }

  for (const [name, body] of [
    ["a page", "<html>::error::x</html>"],
    ["no token", { hello: "world" }],
    ["a list", []],
    ["a token of several lines", granted({ access_token: "a\nb" }).body],
    ["a token that could end an output", granted({ access_token: "x<<y" }).body],
    ["another type of token", granted({ token_type: "DPoP" }).body],
    ["a life that is none", granted({ expires_in: "600" }).body],
    ["a life that is over", granted({ expires_in: 0 }).body],
  ]) {
    test(`200 with ${name} is no success, and is not shown`, async (t) => {
      const github = await standIns(t, { answers: [{ status: 200, body }] });

      const { error } = await failingAt(t, github);

      assert.equal(error.title, "The broker's answer is not understood");
    });
  }

  test("a page with an error is shown by its beginning", async (t) => {
    const body = `<h1>Forbidden</h1>\n::error::x ${"long ".repeat(100_000)}`;
    const github = await standIns(t, { answers: [{ status: 403, body }] });

    const step = await failingAt(t, github);

    assert.match(step.error.data, /answered with 403.*\n.* begins with: <h1>Forbidden<\/h1>/);
    assert.ok(step.log.length < 2000);
  });

  test("an answer of GitHub without a token is no token", async (t) => {
    for (const body of [{}, { value: 7 }, { value: "not a token" }, "<html>"]) {
      const github = await standIns(t, { idTokens: [{ status: 200, body }] });

      const { error } = await failingAt(t, github);

      assert.equal(error.title, "GitHub gave no ID token");
      assert.deepEqual(github.seen.token, []);
    }
  });
});

describe("the audience that the broker tells", SEVERAL, () => {
  for (const issuer of ["https://sts.amazonaws.com", "http://127.0.0.1:1", "sigstore", "//x"]) {
    test(`is not another host's: ${issuer}`, async (t) => {
      const github = await standIns(t, { discovery: { status: 200, body: { issuer } } });

      const { error } = await failingAt(t, github);

      assert.equal(error.title, "The broker is known by another address");
      assert.deepEqual(github.seen.idToken, []);
    });
  }

  test("must be one that the broker accepts", async (t) => {
    const discovery = { status: 200, body: {} };
    const github = await standIns(t, { discovery });
    Object.assign(discovery.body, { issuer: github.url, subject_token_audiences: ["https://a", "b"] });

    const { error } = await failingAt(t, github);

    assert.match(error.data, /accepts ID tokens for: https:\/\/a, b\./);
    assert.deepEqual(github.seen.idToken, []);
  });

  for (const discovery of [
    { status: 404, body: { code: "NOT_FOUND" } },
    { status: 200, body: "<html>" },
    { status: 200, body: { issuer: 7 } },
  ]) {
    test(`is asked of the user where it cannot be read (${JSON.stringify(discovery)})`, async (t) => {
      const github = await standIns(t, { discovery });

      const { error } = await failingAt(t, github);

      assert.match(error.data, /name the audience of the ID token in the input 'audience'/);
      assert.deepEqual(github.seen.idToken, []);
    });
  }
});

test("elsewhere than on a runner the action says so", async (t) => {
  const github = await standIns(t);

  const { error } = await failingAt(t, github, {}, { GITHUB_OUTPUT: undefined });

  assert.match(error.data, /GITHUB_OUTPUT is not set/);
  assert.deepEqual(github.seen, { idToken: [], discovery: [], token: [], revoked: [], explained: [] });
});
