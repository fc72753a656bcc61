// The inputs of an action, as the runner hands them over, checked before anything is sent.

import { Failure, missingInput, wrongInput } from "./messages.mjs";

const SECONDS = { s: 1, m: 60, h: 3600, d: 86400 };

/** Read an input; an empty one counts as absent. Throws `Failure` for control characters. */
export function input(env, name) {
  // The runner puts `broker-url` into INPUT_BROKER-URL, hyphen and all.
  const value = (env[`INPUT_${name.toUpperCase()}`] ?? "").trim();
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

/** Read the broker's URL, without a slash at its end: https, or http on loopback. */
export function urlInput(env, name) {
  const value = requiredInput(env, name);
  const url = URL.canParse(value) ? new URL(value) : null;
  const secure = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url));
  if (!secure || url.username || url.password || url.search || url.hash) {
    const mustBe = "an https URL without user name, query and fragment (http only on loopback)";
    throw new Failure(wrongInput(name, mustBe));
  }
  return value.replace(/\/+$/, "");
}

/** Read a duration (one number and one of s m h d) as seconds, or null. */
export function durationInput(env, name) {
  const value = input(env, name);
  if (!value) return null;
  const parts = /^([0-9]{1,8})([smhd])$/.exec(value);
  const seconds = parts ? Number(parts[1]) * SECONDS[parts[2]] : 0;
  if (!seconds) throw new Failure(wrongInput(name, "one number and one of s m h d, as 10m"));
  return seconds;
}

function isLoopback(url) {
  return /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])$/.test(url.hostname);
}
