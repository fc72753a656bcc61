// actions/lib/http.mjs: bounds of a request, and patience with a clock of the test's own.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Failure, NoAnswer } from "../lib/failure.mjs";
import { jsonObject, Patience, request } from "../lib/http.mjs";
import { serve } from "./stand_ins.mjs";

/** Patience whose time passes only by sleeping; `pauses` are the pauses it made. */
function patience(random = () => 1) {
  let time = 0;
  const pauses = [];
  const sleep = async (milliseconds) => {
    pauses.push(milliseconds);
    time += milliseconds;
  };
  return { pauses, patience: new Patience({ now: () => time, sleep, random }) };
}

function answer(status, headers = {}) {
  return { what: "The broker", status, headers: new Headers(headers), text: "" };
}

describe("patience", () => {
  test("doubles its pauses up to eight seconds, within a minute", async () => {
    const { patience: patient, pauses } = patience();

    const last = await patient.insist(async () => answer(503));

    assert.equal(last.status, 503);
    assert.deepEqual(pauses.slice(0, 7), [200, 400, 800, 1600, 3200, 6400, 8000]);
    assert.ok(pauses.reduce((sum, each) => sum + each) < 60_000);
    assert.ok(pauses.reduce((sum, each) => sum + each) + 8000 >= 60_000);
  });

  test("spreads its pauses from nothing to all", async () => {
    const { patience: patient, pauses } = patience(() => 0.25);
    const answers = [answer(500), answer(429), answer(200)];

    await patient.insist(async () => answers.shift());

    assert.deepEqual(pauses, [50, 100]);
  });

  test("waits as long as it is asked to", async () => {
    const { patience: patient, pauses } = patience();
    const answers = [answer(429, { "retry-after": "7" }), answer(200)];

    await patient.insist(async () => answers.shift());

    assert.deepEqual(pauses, [7000]);
  });

  test("waits until a date, too", async () => {
    const { patience: patient, pauses } = patience();
    const date = new Date(Date.now() + 30_000).toUTCString();
    const answers = [answer(503, { "retry-after": date }), answer(200)];

    await patient.insist(async () => answers.shift());

    assert.ok(pauses[0] > 20_000 && pauses[0] <= 30_000);
  });

  test("ends at once when it is asked to wait beyond its time", async () => {
    const { patience: patient, pauses } = patience();

    const last = await patient.insist(async () => answer(503, { "retry-after": "61" }));

    assert.deepEqual([last.status, pauses], [503, []]);
  });

  test("of weeks is not taken for none", async (t) => {
    const url = await serve(t, (_request, response) => setTimeout(() => response.end("{}"), 50));
    const patient = new Patience({ budget: 2 ** 33, timeout: 2 ** 33 });

    assert.equal((await patient.request("The broker", url)).text, "{}");
  });

  test("has a limit for each request, and for all of them", async (t) => {
    const url = await serve(t, () => {});
    const { patience: patient } = patience();
    patient.timeout = 30;
    await assert.rejects(patient.request("The broker", url), /nothing complete within 0\.03 seconds/);
    patient.timeout = 10_000;
    patient.deadline = patient.now() + 20;
    await assert.rejects(patient.request("The broker", url), /nothing complete within 0\.02 seconds/);
  });

  test("has a limit of tries, where that is asked for", async () => {
    let tries = 0;
    const patient = new Patience({ tries: 3, sleep: async () => {} });

    await patient.insist(async () => answer((tries++, 503)));

    assert.equal(tries, 3);
  });

  test("tries again after 408, too", async () => {
    const { patience: patient } = patience();
    const answers = [answer(408), answer(200)];

    assert.equal((await patient.insist(async () => answers.shift())).status, 200);
  });

  test("ends with the failure when nothing ever answered", async () => {
    const { patience: patient } = patience();
    const failure = new NoAnswer({ title: "No answer", text: "nobody there" });

    await assert.rejects(patient.insist(async () => Promise.reject(failure)), failure);
  });

  test("has none with other failures", async () => {
    const { patience: patient, pauses } = patience();
    const failure = new Failure({ title: "no", text: "no" });

    await assert.rejects(patient.insist(async () => Promise.reject(failure)), failure);
    assert.deepEqual(pauses, []);
  });

  for (const status of [200, 302, 400, 401, 403, 404, 413]) {
    test(`takes ${status} as final`, async () => {
      const { patience: patient, pauses } = patience();

      assert.equal((await patient.insist(async () => answer(status))).status, status);
      assert.deepEqual(pauses, []);
    });
  }
});

describe("a request", () => {
  test("that is never answered ends in time", async (t) => {
    const url = await serve(t, () => {});

    await assert.rejects(request("The broker", url, { timeout: 50 }), (error) => {
      assert.ok(error instanceof NoAnswer);
      assert.match(error.message, /The broker did not answer: nothing complete within 0\.05 seconds/);
      return true;
    });
  });

  test("whose answer never ends, ends in time", async (t) => {
    const url = await serve(t, (_request, response) => response.writeHead(200).write("{"));

    await assert.rejects(request("The broker", url, { timeout: 200 }), NoAnswer);
  });

  test("reads 64 KiB and leaves the rest", async (t) => {
    const url = await serve(t, (_request, response) => response.end("x".repeat(10_000_000)));

    assert.equal((await request("The broker", url)).text.length, 65_536);
  });

  test("that cannot be sent shows nothing of what it holds", async () => {
    const headers = { authorization: "Bearer hunter2\nx" };

    await assert.rejects(request("The broker", "http://127.0.0.1:1/", { headers }), (error) => {
      assert.ok(error instanceof NoAnswer);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
  });

  test("to nobody is no answer", async (t) => {
    const url = await serve(t, (incoming) => incoming.socket.destroy());

    await assert.rejects(request("The broker", url), NoAnswer);
    await assert.rejects(request("The broker", "http://127.0.0.1:1/"), NoAnswer);
  });
});

test("only an object counts as a JSON object", () => {
  assert.deepEqual(jsonObject('{"a": 1}'), { a: 1 });
  for (const text of ["", "null", "[]", "7", '"x"', "{"]) assert.equal(jsonObject(text), null);
});
