// The inputs of an action, as the runner hands them over, checked before anything is sent.

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

import { mask } from "./commands.mjs";
import { Failure } from "./failure.mjs";
import { missingInput, wrongInput } from "./messages.mjs";

const SECONDS = { s: 1, m: 60, h: 3600, d: 86400 };
const RESERVED = [
  // What the runner and these actions read.
  /^((GITHUB|RUNNER|ACTIONS|INPUT|STATE)_.*|CI|BROKER_URL)$/,
  // Where shells and programs are found, and what they load or start.
  /^(PATH|PATHEXT|HOME|USERPROFILE|TMPDIR|TEMP|TMP|COMSPEC|SYSTEMROOT)$/,
  /^(SHELL|SHELLOPTS|ENV|IFS|PS4|PROMPT_COMMAND)$/,
  /^((NODE|LD|DYLD|BASH)_.*|PYTHON[A-Z]+|PERL5(OPT|LIB|DB)|RUBY(OPT|LIB)|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS)$/,
  /^GIT_(SSH|SSH_COMMAND|ASKPASS|EXEC_PATH|DIR|PAGER|EDITOR|CONFIG.*)$/,
  // The way to the network.
  /^((HTTPS?|ALL|NO|FTP)_PROXY|SSL_CERT_(FILE|DIR)|SSLKEYLOGFILE)$/,
];
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Read an input; an empty one counts as absent. Throws `Failure` for control characters. */
export function input(env, name) {
  const value = given(env, name);
  if (/[\u0000-\u001f\u007f]/.test(value)) {
    throw new Failure(wrongInput(name, "one line without control characters"));
  }
  return value;
}

/** Read an input that must be there. Throws `Failure`. */
export function requiredInput(env, name) {
  const value = input(env, name);
  if (!value) throw new Failure(missingInput(name));
  return value;
}

/**
 * Read the broker's URL, without a slash at its end: https, or http on loopback.
 *
 * Where the input is empty, the variable `BROKER_URL` counts.
 */
export function urlInput(env, name) {
  const variable = input(env, name) === "" && (env.BROKER_URL ?? "").trim() !== "";
  const value = variable ? env.BROKER_URL.trim() : requiredInput(env, name);
  const url = URL.canParse(value) ? new URL(value) : null;
  const secure = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url));
  // The same to every reader: a path is put behind it.
  const plain = /^https?:\/\/[^\u0000-\u0020\u007f\\@?#]+$/i.test(value);
  if (!plain || !secure) {
    const mustBe = "an https URL without user name, query and fragment (http only on loopback)";
    const from = variable ? "It was read from the variable BROKER_URL, which other tools use, too." : "";
    throw new Failure(wrongInput(name, mustBe, from));
  }
  return value.replace(/\/+$/, "");
}

/** Read a duration (one number and one of s m h d) as seconds; null when there is none. */
export function durationInput(env, name, otherwise = "") {
  const value = input(env, name) || otherwise;
  if (!value) return null;
  const parts = /^([0-9]{1,8})([smhd])$/.exec(value);
  const seconds = parts ? Number(parts[1]) * SECONDS[parts[2]] : 0;
  if (!seconds) throw new Failure(wrongInput(name, "one number and one of s m h d, as 10m"));
  return seconds;
}

/** Read `true` or `false`, spelled as YAML 1.2 has them. Throws `Failure`. */
export function booleanInput(env, name, otherwise) {
  const value = input(env, name);
  if (/^(true|True|TRUE)$/.test(value)) return true;
  if (/^(false|False|FALSE)$/.test(value)) return false;
  if (!value) return otherwise;
  throw new Failure(wrongInput(name, "true or false"));
}

/** Read one of several words; the first is the default. Throws `Failure`. */
export function choiceInput(env, name, words) {
  const value = input(env, name) || words[0];
  if (words.includes(value)) return value;
  const among = words.filter(Boolean).join(", ");
  throw new Failure(wrongInput(name, words.includes("") ? `empty or one of ${among}` : `one of ${among}`));
}

/** Read the name of a variable that may be set. Throws `Failure`. */
export function variableInput(env, name, otherwise) {
  const value = input(env, name) || otherwise;
  if (/^[A-Z_][A-Z0-9_]*$/.test(value) && !RESERVED.some((names) => names.test(value))) return value;
  throw new Failure(
    wrongInput(name, "a variable of A-Z, 0-9 and _, and none that the runner or the shell lives by"),
  );
}

/** Read a secret, and mask it before anything can be said. */
export function secretInput(env, name) {
  mask(given(env, name));
  return input(env, name);
}

/** Read certificates in PEM, or the file that holds them, as a list of PEM texts. Throws `Failure`. */
export function certificateInput(env, name) {
  const value = given(env, name);
  if (!value) return [];
  const wrong = (why) => new Failure(wrongInput(name, "certificates in PEM, or a file of such", why));
  let text = value;
  if (!value.includes("-----BEGIN")) {
    try {
      text = readFileSync(input(env, name), "utf8");
    } catch (error) {
      throw error instanceof Failure ? error : wrong(`The file cannot be read: ${error.code}.`);
    }
  }
  const found = text.replace(/\r\n?/g, "\n").match(CERTIFICATE) ?? [];
  if (found.length === 0) throw wrong("There is none in it.");
  try {
    for (const each of found) new X509Certificate(each);
  } catch {
    throw wrong("One of them cannot be read.");
  }
  return found;
}

function given(env, name) {
  // The runner puts `broker-url` into INPUT_BROKER-URL, hyphen and all.
  return (env[`INPUT_${name.toUpperCase()}`] ?? "").trim();
}

function isLoopback(url) {
  return /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])$/.test(url.hostname);
}
