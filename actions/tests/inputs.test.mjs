// actions/lib/inputs.mjs: what an input may be.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  booleanInput,
  certificateInput,
  choiceInput,
  durationInput,
  input,
  requiredInput,
  urlInput,
  variableInput,
} from "../lib/inputs.mjs";
import { Failure } from "../lib/failure.mjs";
import { readInputs } from "../token/inputs.mjs";

function given(name, value) {
  return { [`INPUT_${name.toUpperCase()}`]: value };
}

function refuses(read, name, value, message) {
  assert.throws(() => read(given(name, value), name), (failure) => {
    assert.ok(failure instanceof Failure);
    assert.match(failure.message, message);
    return true;
  });
}

describe("a text", () => {
  test("is found under its name in capitals, hyphens kept", () => {
    assert.equal(input({ "INPUT_BROKER-URL": " x " }, "broker-url"), "x");
    assert.equal(input({ INPUT_BROKER_URL: "x" }, "broker-url"), "");
  });

  for (const value of ["deploy\napi", "a\u0000b", "a\tb", "a\u007fb"]) {
    test(`is one line: ${JSON.stringify(value)}`, () => {
      refuses(input, "service", value, /'service' must be one line without control characters/);
    });
  }

  test("that is required must be there", () => {
    for (const value of ["", " ", "\n"]) refuses(requiredInput, "service", value, /'service' is required/);
    assert.throws(() => requiredInput({}, "service"), Failure);
  });
});

describe("a URL", () => {
  for (const value of [
    "https://broker.example.com",
    "https://broker.example.com:8443/path",
    "http://127.0.0.1:8080",
    "http://localhost:8080",
    "http://[::1]:8080",
  ]) {
    test(`may be ${value}, and slashes at its end do not count`, () => {
      assert.equal(urlInput(given("broker-url", value), "broker-url"), value);
      assert.equal(urlInput(given("broker-url", `${value}//`), "broker-url"), value);
    });
  }

  for (const value of [
    "broker.example.com",
    "http://broker.example.com",
    "http://127.0.0.1.evil.example",
    "http://127.0.0.1@evil.example",
    "http://localhost.evil.example",
    "https://user:secret@broker.example.com",
    "https://broker.example.com/?x=1",
    "https://broker.example.com/#x",
    "https://broker.example.com?",
    "https://broker.example.com#",
    "https://@broker.example.com",
    "https:\\\\broker.example.com",
    "https:broker.example.com",
    "http://127.0.0.1\u3002evil.example",
    "ftp://broker.example.com",
    "https://",
    "//broker.example.com",
  ]) {
    test(`is not ${value}`, () => {
      refuses(urlInput, "broker-url", value, /'broker-url' must be an https URL/);
    });
  }
});

describe("a duration", () => {
  for (const [value, seconds] of [["45s", 45], ["10m", 600], ["1h", 3600], ["1d", 86400], ["", null]]) {
    test(`${JSON.stringify(value)} is ${seconds} seconds`, () => {
      assert.equal(durationInput(given("ttl", value), "ttl"), seconds);
    });
  }

  for (const value of ["10", "0m", "10 m", "1.5h", "-1h", "10M", "1h30m", "999999999s", "m"]) {
    test(`is not ${value}`, () => {
      refuses(durationInput, "ttl", value, /'ttl' must be one number and one of s m h d/);
    });
  }
});

describe("a boolean", () => {
  for (const value of ["true", "True", "TRUE", " true\r\n"]) {
    test(`${JSON.stringify(value)} is true`, () => {
      assert.equal(booleanInput(given("revoke", value), "revoke", false), true);
    });
  }

  test("that is absent is what it is by default", () => {
    for (const otherwise of [true, false]) assert.equal(booleanInput({}, "revoke", otherwise), otherwise);
  });

  for (const value of ["yes", "1", "on", "tRue", "0", "no", "off", "y"]) {
    test(`is not ${value}`, () => {
      refuses((env, name) => booleanInput(env, name, true), "revoke", value, /'revoke' must be true or false/);
    });
  }
});

describe("a choice", () => {
  const choose = (env, name) => choiceInput(env, name, ["fail", "skip"]);

  test("is one of the words, by default the first", () => {
    assert.deepEqual([choose({}, "on-fork"), choose(given("on-fork", "skip"), "on-fork")], ["fail", "skip"]);
  });

  for (const value of ["Skip", "skip fail", "constructor"]) {
    test(`is not ${value}`, () => refuses(choose, "on-fork", value, /'on-fork' must be one of fail, skip/));
  }
});

describe("certificates", () => {
  for (const [value, why] of [
    ["/nowhere/ca.pem", /cannot be read: ENOENT/],
    ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", /One of them cannot be read/],
    ["-----BEGIN PRIVATE KEY-----\r\nAAAA\r\n-----END PRIVATE KEY-----", /There is none in it/],
  ]) {
    test(`are none in ${JSON.stringify(value)}, which is not shown`, () => {
      refuses(certificateInput, "ca-certificate", value, why);
    });
  }

  test("need not be given", () => assert.deepEqual(certificateInput({}, "ca-certificate"), []));
});

describe("the name of a variable", () => {
  const name = (env) => variableInput(env, "env-name", "BROKER_TOKEN");

  test("is that of the token, or another in capitals", () => {
    for (const value of ["_DEPLOY_2", "SHELL_TOKEN", "PATH_TOKEN", "PYPI_TOKEN", "GIT_TOKEN", "RUBYGEMS_TOKEN"]) {
      assert.equal(name(given("env-name", value)), value);
    }
    assert.equal(name({}), "BROKER_TOKEN");
  });

  for (const value of [
    "path", "A-B", "1A", "A=B", "Ä", "PATH", "HOME", "GITHUB_TOKEN", "RUNNER_TEMP", "NODE_OPTIONS",
    "LD_PRELOAD", "BASH_ENV", "INPUT_X", "ACTIONS_ID_TOKEN_REQUEST_URL", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
    "SHELL", "SHELLOPTS", "PS4", "PROMPT_COMMAND", "BASH_XTRACEFD", "TMPDIR", "TEMP", "USERPROFILE",
    "PATHEXT", "COMSPEC", "SYSTEMROOT", "PYTHONPATH", "PERL5OPT", "RUBYOPT", "JAVA_TOOL_OPTIONS",
    "GIT_SSH_COMMAND", "SSL_CERT_FILE", "BROKER_URL",
  ]) {
    test(`is not ${value}`, () => refuses(name, "env-name", value, /'env-name' must be a variable of A-Z/));
  }
});

describe("a format", () => {
  const format = (env) => readInputs({ ...env, "INPUT_BROKER-URL": "https://b.example", INPUT_SERVICE: "x" }).format;

  for (const value of ["docker", "git", "netrc", "RAW", "__proto__", "constructor"]) {
    test(`is not ${value}`, () => refuses(format, "format", value, /'format' must be empty or one of raw, /));
  }
});
