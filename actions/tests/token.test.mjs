// actions/token: the real file in a process of its own, between stand-ins of GitHub and a broker.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";

import { VERSION } from "../lib/about.mjs";
import { failingAt } from "./failing.mjs";
import { runStep } from "./runner.mjs";
import {
  assertKeptSecret,
  granted,
  only,
  refusal,
  REQUEST_TOKEN,
  serve,
  SERVICE_TOKEN,
  standIns,
} from "./stand_ins.mjs";

const SEVERAL = { concurrency: 4 };

describe("a permitted exchange", SEVERAL, () => {
  test("gives the token, its life, its account and its id as outputs", async (t) => {
    const github = await standIns(t);
    const before = Math.floor(Date.now() / 1000) * 1000;

    const step = await runStep(t, github.inputs, github.variables);

    assert.equal(step.status, 0, step.log);
    const expires = Date.parse(step.outputs["expires-at"]);
    assert.match(step.outputs["expires-at"], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.ok(before + 600_000 <= expires && expires <= Date.now() + 600_000);
    assert.deepEqual(step.outputs, {
      token: SERVICE_TOKEN,
      "expires-at": step.outputs["expires-at"],
      "expires-in": "600",
      "token-type": "Bearer",
      "token-id": "token-1",
      "service-account": "deploy-web",
      service: "deploy-api",
      scope: "deploy:write",
      "credentials-file": "",
      available: "true",
      "request-id": "request-1",
      reason: "",
      "decision-id": "",
    });
    assert.match(step.log, /A token for deploy-api as deploy-web, scope deploy:write, until 2/);
  });

  test("keeps both tokens out of the log but for their masking", async (t) => {
    const github = await standIns(t);

    const step = await runStep(t, github.inputs, github.variables);

    assertKeptSecret(step, [...github.minted, SERVICE_TOKEN, REQUEST_TOKEN]);
    const masked = only(step, "add-mask").map((command) => command.data);
    assert.deepEqual(masked, [...github.minted, SERVICE_TOKEN]);
    assert.equal(step.log.startsWith("::add-mask::"), true);
    assert.equal(step.written.split(SERVICE_TOKEN).length, 2);
    assert.equal(step.written.includes(github.minted[0]), false);
  });

  test("asks GitHub for an ID token for the broker's issuer, with the job's request token", async (t) => {
    const github = await standIns(t);

    await runStep(t, github.inputs, github.variables);

    assert.equal(github.seen.discovery.length, 1);
    const [asked] = github.seen.idToken;
    assert.equal(asked.headers.authorization, `Bearer ${REQUEST_TOKEN}`);
    assert.equal(asked.query.get("api-version"), "2.0");
    assert.equal(asked.query.get("audience"), github.url);
  });

  test("sends an audience of one's own as it is written, and asks the broker for none", async (t) => {
    const github = await standIns(t);
    const audience = "https://broker.example/aud?x=1&y=ü";

    await runStep(t, { ...github.inputs, audience }, github.variables);

    assert.deepEqual(github.seen.discovery, []);
    assert.equal(github.seen.idToken[0].query.get("audience"), audience);
    assert.match(github.seen.idToken[0].url, /&audience=https%3A%2F%2F/);
  });

  test("sends the form of RFC 8693 and nothing that was not asked for", async (t) => {
    const github = await standIns(t);

    await runStep(t, github.inputs, github.variables);

    const [{ path, form, headers, method }] = github.seen.token;
    assert.deepEqual([method, path], ["POST", "/oauth/token"]);
    assert.deepEqual(Object.fromEntries(form), {
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: github.minted[0],
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      audience: "deploy-api",
    });
    assert.match(headers["content-type"], /^application\/x-www-form-urlencoded/);
    assert.match(headers["x-request-id"], /^37824901043-1-[0-9a-f]{8}$/);
    assert.equal(headers.authorization, undefined);
    const agents = [headers, github.seen.idToken[0].headers, github.seen.discovery[0]].map((each) => each["user-agent"]);
    assert.deepEqual([...new Set(agents)], [`broker-action/${VERSION}`]);
  });

  test("asks for scope, account and life where the inputs say so", async (t) => {
    const github = await standIns(t);
    const inputs = { scope: "deploy:read deploy:write", "service-account": "deploy-web", ttl: "10m" };

    const step = await runStep(t, { ...github.inputs, ...inputs }, github.variables);

    const { form } = github.seen.token[0];
    assert.equal(form.get("scope"), "deploy:read deploy:write");
    assert.equal(form.get("client_id"), "deploy-web");
    assert.equal(form.get("expires_in"), "600");
    assert.deepEqual(only(step, "notice"), []);
  });

  test("says when the token lives shorter than asked", async (t) => {
    const github = await standIns(t);

    const step = await runStep(t, { ...github.inputs, ttl: "1h" }, github.variables);

    assert.equal(step.status, 0);
    assert.match(only(step, "notice")[0].data, /lives 600 seconds.* 3600 were asked/);
  });

  test("cuts slashes off the broker's URL", async (t) => {
    const github = await standIns(t);

    const step = await runStep(t, { ...github.inputs, "broker-url": `${github.url}//` }, github.variables);

    assert.equal(step.status, 0, step.log);
    assert.equal(github.seen.token[0].path, "/oauth/token");
  });

  test("prints no command that hides in what the broker tells of the token", async (t) => {
    const service_account = "a\n::error::b ##[set-output name=token]c";
    const github = await standIns(t, { answers: [granted({ service_account })] });

    const step = await runStep(t, github.inputs, github.variables);

    assert.deepEqual([...new Set(step.commands.map(({ name }) => name))], ["add-mask"]);
    assert.equal(step.outputs["service-account"], "");
    assert.equal(step.outputs.token, SERVICE_TOKEN);
  });

  test("goes through the proxy of the runner, where Node.js can", async (t) => {
    const github = await standIns(t);
    const asked = [];
    const proxy = await serve(t, (_request, response) => response.writeHead(500).end(), (server) =>
      server.on("connect", (request, socket) => {
        asked.push(request.url);
        const { hostname, port } = new URL(github.url);
        const tunnel = connect(Number(port), hostname, () => {
          socket.write("HTTP/1.1 200 OK\r\n\r\n");
          socket.pipe(tunnel).pipe(socket);
        });
        for (const end of [socket, tunnel]) end.on("error", () => tunnel.destroy());
      }),
    );
    const { port } = new URL(github.url);

    // A name that leads nowhere but through the proxy.
    const variables = { ...github.variables, http_proxy: proxy, no_proxy: "127.0.0.1" };
    variables.ACTIONS_ID_TOKEN_REQUEST_URL = `http://actions.example:${port}/idtoken?api-version=2.0`;
    const step = await runStep(t, github.inputs, variables);

    assert.equal(step.status, 0, step.log);
    assert.deepEqual([...new Set(asked)], [`actions.example:${port}`]);
  });
});

describe("what is tried again", SEVERAL, () => {
  test("no answer, 5xx and 429 are, with a fresh ID token for every try", async (t) => {
    const github = await standIns(t, {
      idTokens: [{ status: 500, body: "" }, "hang up", "sound"],
      answers: ["hang up", { status: 503, body: "busy" }, { status: 429, body: {} }, granted()],
    });

    const step = await runStep(t, github.inputs, github.variables);

    assert.equal(step.status, 0, step.log);
    assert.equal(github.seen.token.length, 4);
    const presented = github.seen.token.map(({ form }) => form.get("subject_token"));
    assert.deepEqual(presented, github.minted);
    assert.equal(new Set(presented).size, 4);
    assertKeptSecret(step, [...github.minted, SERVICE_TOKEN]);
  });

  test("a broker that asks for more patience than there is, is not", async (t) => {
    const busy = refusal({ error: "temporarily_unavailable", reason: "store_unavailable" }, 503);
    const github = await standIns(t, {
      answers: [{ ...busy, headers: { "retry-after": "3600" } }],
    });

    const step = await failingAt(t, github);

    assert.equal(github.seen.token.length, 1);
    assert.equal(step.error.title, "The broker could not decide: store_unavailable");
  });

  test("a refusal is not", async (t) => {
    const github = await standIns(t, { answers: [refusal()] });

    await failingAt(t, github);

    assert.equal(github.seen.token.length, 1);
  });

  test("a request for an ID token that GitHub refuses is not", async (t) => {
    const github = await standIns(t, { idTokens: [{ status: 401, body: "not you" }] });

    const step = await failingAt(t, github);

    assert.equal(github.seen.idToken.length, 1);
    assert.match(step.error.data, /answered the request for an ID token with 401: not you/);
  });
});

describe("a refusal", SEVERAL, () => {
  test("is told with its reason, its description and its ids", async (t) => {
    const github = await standIns(t, { answers: [refusal()] });

    const { error } = await failingAt(t, github);

    assert.equal(error.title, "Refused: no_policy_matched");
    assert.match(error.data, /no trust policy of issuer 'github' permits this token/);
    assert.match(error.data, /reason: +no_policy_matched/);
    assert.match(error.data, /decision_id: +decision-1/);
    assert.match(error.data, /request id: +request-1/);
  });

  test("is told with its link where that is one to the decision, and with no other", async (t) => {
    const decision_id = "01a20b88-c550-7c2b-869f-de7a5e664017";
    const link = `https://broker.example.com/ci/d/${decision_id}`;
    const others = [
      7,
      `${link}0`,
      `${link}\n::error::x`,
      `${link}?a=b`,
      link.replace("01a2", "01a3"),
      `javascript://x/d/${decision_id}`,
      `https://a@evil.example/d/${decision_id}`,
      `https://evil.example/](x)/d/${decision_id}`,
      `https://evil.example/${"a".repeat(400)}/d/${decision_id}`,
    ];
    for (const error_uri of [link, ...others]) {
      const github = await standIns(t, { answers: [refusal({ decision_id, error_uri })] });

      const { error } = await failingAt(t, github);

      const shown = /\nlink: +(.*)\n/.exec(error.data)?.[1];
      assert.equal(shown, error_uri === link ? link : undefined);
    }
  });

  test("says which input helps, where one does", async (t) => {
    const github = await standIns(t, { answers: [refusal({ reason: "ambiguous_account" })] });

    const { error } = await failingAt(t, github);

    assert.match(error.data, /the input 'service-account'/);
  });

  test("shows the conditions that failed, where the broker tells them", async (t) => {
    const conditions = [
      { claim: "ref", operator: "equals", expected: "refs/heads/main", got: "refs/heads/x", holds: false },
      { claim: "environment", operator: "any_of", expected: ["prod", "live"], got: null, holds: false },
      { claim: "a\n::error::b", operator: "glob", expected: "##[error]", got: "\r::error::c" },
      "no condition",
      null,
    ];
    const github = await standIns(t, { answers: [refusal({ conditions })] });

    const step = await failingAt(t, github);

    assert.match(step.error.data, /\n- ref: equals "refs\/heads\/main", got "refs\/heads\/x"\n/);
    assert.match(step.error.data, /\n- environment: any_of \["prod","live"\], got nothing\n/);
    assert.deepEqual(new Set(step.commands.map(({ name }) => name)), new Set(["add-mask", "error"]));
    const [, asked] = step.error.data.split("and this job has not:\n");
    assert.equal(asked.split("\n\n")[0].split("\n").length, 3);
  });

  const HOSTILE = [
    "::error::forged",
    "100%0A::add-mask::e",
    "\r\n::stop-commands::x\r::set-output name=token::evil",
    "##[set-output name=token]evil",
    "\n  ::warning::x",
    "\u2028::error::x\u0085::error::y\u001b[2K\u202e",
  ];
  for (const text of HOSTILE) {
    test(`holds no command, wherever the text stands: ${JSON.stringify(text)}`, async (t) => {
      const members = { error: text, error_description: text, reason: text, decision_id: text };
      const github = await standIns(t, { answers: [refusal(members)] });

      const step = await failingAt(t, github);

      const names = step.commands.map(({ name }) => name).filter((name) => name !== "add-mask");
      assert.deepEqual(names, ["error"]);
      for (const line of step.log.trimEnd().split("\n")) assert.match(line, /^::(add-mask|error)[ :]/);
      assert.doesNotMatch(step.log, /[\r\u001b\u0085\u2028\u202e]/);
      assert.match(step.error.data, /\n\nreason: .*\ndecision_id: .*\nrequest id: +request-1\nplatform: .*\n\nMore: .*$/);
    });
  }

  test("is an error also where its members are of the wrong type", async (t) => {
    const body = { error: "invalid_request", error_description: ["x"], reason: { a: 1 }, decision_id: 7 };
    const github = await standIns(t, { answers: [{ status: 400, body }] });

    const { error } = await failingAt(t, github);

    assert.match(error.data, /decision_id: +7/);
  });

  test("shows no ID token that it repeats", async (t) => {
    const answer = (form) => refusal({ error_description: `you sent ${form.get("subject_token")}` });
    const github = await standIns(t, { answers: [answer] });

    const { error } = await failingAt(t, github);

    assert.match(error.data, /you sent \*\*\*/);
  });
});
