// Answers that would bring a secret, a command or too much into what a step tells.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { mask, withoutSecrets } from "../lib/commands.mjs";
import { quoted } from "../lib/failure.mjs";
import { failing, failingAt } from "./failing.mjs";
import { Job } from "./runner.mjs";
import { denied, granted, only, permitted, refusal, REQUEST_TOKEN, SERVICE_TOKEN, standIns } from "./stand_ins.mjs";

const SEVERAL = { concurrency: 4 };
const LIMIT = 1024 * 1024;

/** No piece of a secret may be told, either: what is cut in the middle is masked by nobody. */
function assertNoPiece(step, secret, length = 16) {
  const told = step.log.split("\n").filter((line) => !line.startsWith("::add-mask::")).join("\n") + step.summary;
  for (let at = 0; at + length <= secret.length; at++) {
    assert.equal(told.includes(secret.slice(at, at + length)), false, `position ${at}`);
  }
}

async function explain(t, explanation, claims = {}) {
  const github = await standIns(t, { explanations: [explanation], claims });
  const job = await Job.begin(t, github.variables);
  return job.main(github.inputs, {}, "explain");
}

describe("a secret in an answer", SEVERAL, () => {
  for (const status of [201, 203, 206]) {
    test(`is not shown because the answer is a ${status}`, async (t) => {
      const { step, error } = await failing(t, { answers: [{ ...granted(), status }] });

      assert.equal(error.title, "The broker's answer is not understood");
      assertNoPiece(step, SERVICE_TOKEN);
    });

    test(`is not shown because GitHub's answer is a ${status}`, async (t) => {
      const value = "e30.aGFyZGx5LWV2ZXItc2Vlbi1idXQtc2VjcmV0.c2ln";
      const { step, error } = await failing(t, { idTokens: [{ status, body: { value } }] });

      assert.equal(error.title, "GitHub gave no ID token");
      assertNoPiece(step, value);
    });
  }

  test("of a refusal is not shown because it is cut in the middle", async (t) => {
    const answer = (form) => refusal({ error_description: `${"x".repeat(970)} ${form.get("subject_token")}` });
    const { github, step } = await failing(t, { answers: [answer], claims: { sub: "repo:acme/web:ref:refs/heads/main" } });

    assertNoPiece(step, github.minted[0]);
  });

  test("of a page is not shown because it is cut in the middle", async (t) => {
    const secret = `sa_live_${"hunter2hunter2".repeat(4)}`;
    const answer = (form) => ({ status: 403, body: `${"x".repeat(250)} ${form.get("client_secret")}` });
    const inputs = { auth: "client-secret", "client-secret": secret, "service-account": "deploy-web" };
    const { step } = await failing(t, { answers: [answer], inputs });

    assertNoPiece(step, secret);
  });

  test("that asks for ID tokens is not shown because a page of an error repeats it", async (t) => {
    const body = `you sent ${REQUEST_TOKEN}`;
    const { error } = await failing(t, { idTokens: [{ status: 403, body }] });

    assert.match(error.data, /with 403: you sent \*\*\*\n/);
  });
});

test("a secret that is part of another is masked in it as a whole", () => {
  for (const secret of ["hunter2", "hunter2-and-more"]) mask(secret);

  assert.equal(withoutSecrets("hunter2-and-more hunter2"), "*** ***");
});

describe("an answer without measure", SEVERAL, () => {
  test("fits into the summary, however many lines its advice has", async (t) => {
    const step = await explain(t, denied({ fix: "&\n".repeat(200_000) }));

    assert.equal(step.outputs.decision, "deny");
    assert.ok(step.summary.length < LIMIT / 10, String(step.summary.length));
    assert.ok(step.log.length < LIMIT / 10, String(step.log.length));
  });

  test("fits into the summary, however many policies and conditions it tells", async (t) => {
    const conditions = Array.from({ length: 100 }, (_, n) => (
      { claim: `c${n}`, operator: "equals", expected: "&".repeat(500), got: "&".repeat(500), holds: false }
    ));
    const candidate = { policy: "&".repeat(500), effect: "allow", service_account: "&".repeat(500), holds: false, conditions };
    const step = await explain(t, denied({ candidates: Array.from({ length: 5 }, () => candidate) }));

    assert.equal(step.outputs.decision, "deny");
    assert.ok(Buffer.byteLength(step.summary) < LIMIT, String(step.summary.length));
  });
});

describe("an answer with members that are no texts", SEVERAL, () => {
  const odd = { toString: 1 };

  test("is a refusal all the same", async (t) => {
    const conditions = [{ claim: odd, operator: "equals" }, { claim: "ref", operator: odd }];
    const { error } = await failing(t, { answers: [refusal({ error_description: odd, decision_id: odd, conditions })] });

    assert.equal(error.title, "Refused: no_policy_matched");
  });

  for (const member of ["token_id", "service_account", "scope"]) {
    test(`gives a token, and no ${member}`, async (t) => {
      const github = await standIns(t, { answers: [granted({ [member]: odd })] });
      const job = await Job.begin(t, github.variables);
      const step = await job.main({ ...github.inputs, format: "json" });

      assert.equal(step.status, 0, step.log);
      assert.deepEqual([step.outputs.token, step.outputs[member.replace("_", "-")]], [SERVICE_TOKEN, ""]);
    });
  }

  test("gives no token of a type that is none", async (t) => {
    const { error } = await failing(t, { answers: [granted({ token_type: odd })] });

    assert.equal(error.title, "The broker's answer is not understood");
  });

  test("is a decision all the same", async (t) => {
    const step = await explain(t, permitted({ scopes: [odd, "deploy:write"], service_account: odd, sub: odd, ttl: odd }));

    assert.deepEqual([step.status, step.outputs.scope], [0, "deploy:write"], step.log);
  });

  test("tells no audience", async (t) => {
    const discovery = { status: 200, body: {} };
    const github = await standIns(t, { discovery });
    Object.assign(discovery.body, { issuer: github.url, subject_token_audiences: [odd, [github.url]] });

    const { error } = await failingAt(t, github);

    assert.equal(error.title, "Which audience the broker accepts is not clear");
  });
});

describe("an output", SEVERAL, () => {
  const hostile = ["$(id)", "a;id", "a\nb", "-"];

  for (const text of hostile) {
    test(`holds nothing that a careless script would run: ${JSON.stringify(text)}`, async (t) => {
      const scope = text === "-" ? "" : "a\tb";
      const github = await standIns(t, { answers: [granted({ token_id: text, service_account: text, scope })] });
      const step = await (await Job.begin(t, github.variables)).main(github.inputs);
      const { step: refused } = await failing(t, { answers: [refusal({ reason: text, decision_id: text })] });
      const asked = await explain(t, denied({ reason: text, decision_id: text, service_account: text, scopes: [scope] }));

      for (const { outputs } of [step, refused, asked]) {
        for (const name of ["token-id", "service-account", "scope", "reason", "decision-id"]) {
          assert.equal(outputs[name] ?? "", "", name);
        }
      }
    });
  }
});

describe("a text", SEVERAL, () => {
  for (const hostile of ["###[add-mask]x", "####[set-output name=token]x", "\u0085::error::x"]) {
    test(`is no command among the claims: ${JSON.stringify(hostile)}`, async (t) => {
      const step = await explain(t, permitted(), { environment: hostile });

      assert.deepEqual(new Set(step.commands.map(({ name }) => name)), new Set(["add-mask", "group", "endgroup", "notice"]));
      assert.deepEqual(only(step, "add-mask").length, 1);
    });
  }

  test("shows what nobody would see", () => {
    const unseen = ["\u00ad", "\u180e", "\ufff9", "\u{e0041}", "\u{1d173}", "\u0007", "\u009b", "\u2028", "\ud800"];

    for (const sign of unseen) assert.equal(quoted(`a${sign}b`), "a?b");
  });
});

test("the names of the runs that a request is named after are no headers", async (t) => {
  const github = await standIns(t);
  const step = await (await Job.begin(t, github.variables)).main(github.inputs, { GITHUB_RUN_ID: "1\r\nx-evil: 1" });

  assert.equal(step.status, 0, step.log);
  assert.match(github.seen.token[0].headers["x-request-id"], /^1-[0-9a-f]{8}$/);
});

test("an id of a request that could be anything else is not told", async (t) => {
  const { step } = await failing(t, { answers: [{ ...refusal(), headers: { "x-request-id": "a](https://evil.example)" } }] });

  assert.match(step.outputs["request-id"], /^37824901043-1-[0-9a-f]{8}$/);
});
