// What an action's description, its inputs in the code and its version say is the same everywhere.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { VERSION } from "../lib/about.mjs";

/** Read the inputs and their defaults out of an action.yml, whose form is our own. */
function describedInputs(action) {
  const text = readFileSync(new URL(`../${action}/action.yml`, import.meta.url), "utf8");
  const [, inputs] = /\ninputs:\n([\s\S]*?)\n\n?outputs:\n/.exec(text);
  const entries = inputs.split(/^ {2}(?=[a-z])/m).filter(Boolean).map((entry) => {
    const [, value] = /^ {4}default: (.*)$/m.exec(entry) ?? [null, null];
    return [entry.slice(0, entry.indexOf(":")), value?.replace(/^"(.*)"$/, "$1") ?? null];
  });
  return Object.fromEntries(entries);
}

for (const action of ["token", "explain"]) {
  const { readInputs } = await import(`../${action}/inputs.mjs`);
  const given = { "INPUT_BROKER-URL": "https://broker.example.com", INPUT_SERVICE: "deploy-api" };

  test(`actions/${action} reads the inputs that its description names`, () => {
    const read = new Set();
    const env = new Proxy(given, {
      get: (values, name) => {
        if (String(name).startsWith("INPUT_")) read.add(name.slice("INPUT_".length).toLowerCase());
        return values[name];
      },
    });
    readInputs(env);

    assert.deepEqual([...read].sort(), Object.keys(describedInputs(action)).sort());
  });

  test(`actions/${action} has the defaults that its description names`, () => {
    const defaults = Object.entries(describedInputs(action)).filter(([, value]) => value !== null);
    const handedOver = Object.fromEntries(defaults.map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]));

    assert.deepEqual(readInputs({ ...handedOver, ...given }), readInputs(given));
  });
}

test("the version is that of the package", () => {
  const project = readFileSync(new URL("../../pyproject.toml", import.meta.url), "utf8");

  assert.equal(/^version = "(.*)"$/m.exec(project)[1], VERSION);
});
