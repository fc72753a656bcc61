// Stand-ins on loopback for GitHub's ID token endpoint and for a broker, which record what they get.

import assert from "node:assert/strict";
import { createServer } from "node:http";

export const REQUEST_TOKEN = "request-token-of-the-job";
export const SERVICE_TOKEN = "eyJhbGciOiJub25lIn0.c2VydmljZS10b2tlbg.c2ln";

/**
 * Serve both for one test; `answers` are those of the broker's token endpoint, in turn.
 *
 * An answer is {status, body, headers}, a function of the form, "hang up" or "drip" (without an end).
 * The last is kept. `claims` are those of the ID tokens, beside `aud` and `jti`.
 */
export async function standIns(test, {
  answers = [granted()], revocations = [{ status: 200, body: {} }], explanations = [permitted()],
  idTokens = ["sound"], discovery, claims = {},
} = {}) {
  const seen = { idToken: [], discovery: [], token: [], revoked: [], explained: [] };
  const posts = {
    "/oauth/revoke": [seen.revoked, revocations],
    "/oauth/explain": [seen.explained, explanations],
  };
  const minted = [];
  let url = "";

  const server = await serve(test, async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, url);
    if (pathname === "/idtoken") {
      seen.idToken.push({ query: searchParams, headers: request.headers, url: request.url });
      const answer = idTokens.length > 1 ? idTokens.shift() : idTokens[0];
      if (answer !== "sound") return reply(request, response, answer);
      const told = { aud: searchParams.get("audience"), jti: minted.length, ...claims };
      minted.push(`e30.${Buffer.from(JSON.stringify(told)).toString("base64url")}.c2ln`);
      return reply(request, response, { status: 200, body: { value: minted.at(-1) } });
    }
    if (pathname === "/.well-known/openid-configuration") {
      seen.discovery.push(request.headers);
      return reply(request, response, discovery ?? { status: 200, body: { issuer: url } });
    }
    const form = new URLSearchParams(await bodyOf(request));
    const [seenHere, queue] = posts[pathname] ?? [seen.token, answers];
    seenHere.push({ path: request.url, form, headers: request.headers, method: request.method });
    const answer = queue.length > 1 ? queue.shift() : queue[0];
    return reply(request, response, typeof answer === "function" ? answer(form) : answer);
  });
  url = server;
  return {
    url,
    seen,
    minted,
    variables: {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${url}/idtoken?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: REQUEST_TOKEN,
    },
    inputs: { "broker-url": url, service: "deploy-api" },
  };
}

/** Serve until the test ends, and give the URL. */
export async function serve(test, listener, prepare = () => {}) {
  const server = createServer(listener);
  prepare(server);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** The rule for every run: a secret stands in the log only where it is being masked. */
export function assertKeptSecret(step, secrets) {
  for (const secret of secrets) {
    const lines = step.log.split("\n").filter((line) => line.includes(secret));
    assert.deepEqual([...new Set(lines)].filter((line) => line !== `::add-mask::${secret}`), []);
    assert.equal(step.summary.includes(secret), false);
  }
}

/** List the commands of one name. */
export function only(step, name) {
  return step.commands.filter((command) => command.name === name);
}

/** The answer of a broker that permits. */
export function granted(changes = {}) {
  const body = {
    access_token: SERVICE_TOKEN,
    issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
    token_type: "Bearer",
    expires_in: 600,
    scope: "deploy:write",
    service_account: "deploy-web",
    token_id: "token-1",
    ...changes,
  };
  return { status: 200, body };
}

/** The explanation of a broker that would permit. */
export function permitted(changes = {}) {
  const body = {
    decision: "permit",
    reason: null,
    service_account: "deploy-web",
    sub: "deploy-web",
    audience: "https://deploy.example.com",
    scopes: ["deploy:write"],
    ttl: 600,
    candidates: [
      { policy: "web", effect: "allow", service_account: "deploy-web", holds: true, conditions: [] },
    ],
    decision_id: "decision-2",
    ...changes,
  };
  return { status: 200, body };
}

/** The explanation of a broker that would refuse. */
export function denied(changes = {}) {
  const conditions = [
    { claim: "ref", operator: "equals", expected: "refs/heads/main", got: "refs/heads/x", holds: false },
  ];
  return permitted({
    decision: "deny",
    reason: "no_policy_matched",
    service_account: null,
    sub: null,
    audience: null,
    scopes: null,
    ttl: null,
    candidates: [
      { policy: "web", effect: "allow", service_account: "deploy-web", holds: false, conditions },
    ],
    fix: "run on refs/heads/main",
    ...changes,
  });
}

/** The answer of a broker that refuses. */
export function refusal(changes = {}, status = 400) {
  const body = {
    error: "invalid_request",
    error_description: "no trust policy of issuer 'github' permits this token",
    reason: "no_policy_matched",
    decision_id: "decision-1",
    ...changes,
  };
  return { status, body };
}

function reply(request, response, answer) {
  if (answer === "hang up") return request.socket.destroy();
  if (answer === "drip") {
    const drop = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(drop)).writeHead(200);
    return response.write("{");
  }
  const { status, body, headers = {} } = answer;
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const type = typeof body === "string" ? "text/html" : "application/json";
  response.writeHead(status, { "content-type": type, "x-request-id": "request-1", ...headers });
  return response.end(text);
}

async function bodyOf(request) {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  return body;
}
