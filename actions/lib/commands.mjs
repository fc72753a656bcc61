// The runner's workflow commands and files: the only way in which the actions say anything.
//
// A runner takes `::command::` at the start of a line and `##[command]` anywhere in it for an
// order, also out of a branch's name. So nothing is printed but commands of our own whose data is
// escaped, and lines that cannot hold one.

import { randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";

const secrets = new Set();

/** Keep a secret out of the log: the runner's own masking first, then ours in what is printed. */
export function mask(secret) {
  issue("add-mask", secret);
  secrets.add(secret);
}

/** Say why the step fails. */
export function error({ title, text }) {
  issue("error", text, { title });
}

/** Say what the user should know, though nothing failed. */
export function notice(text) {
  issue("notice", text);
}

/** Say what only those see who ask the runner for debug logs. */
export function debug(text) {
  issue("debug", text);
}

/** Print a line of the log that is no command. */
export function info(text) {
  const line = withoutSecrets(text)
    .replace(/[\r\n]+/g, " ")
    .replaceAll("##[", "#[")
    .replace(/^(?=\s*::)/, ".");
  process.stdout.write(`${line}\n`);
}

/** Write outputs of the step. A random delimiter ends each value, so that no value can. */
export function setOutputs(file, outputs) {
  const delimiter = `end-${randomUUID()}`;
  const written = Object.entries(outputs).map(
    ([name, value]) => `${name}<<${delimiter}\n${value}\n${delimiter}\n`,
  );
  appendFileSync(file, written.join(""));
}

function issue(command, data, properties = {}) {
  const given = Object.entries(properties).map(
    ([name, value]) => ` ${name}=${escapeProperty(withoutSecrets(value))}`,
  );
  process.stdout.write(`::${command}${given.join(",")}::${escape(withoutSecrets(data))}\n`);
}

function escape(text) {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text) {
  return escape(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

function withoutSecrets(text) {
  let shown = text;
  for (const secret of secrets) shown = shown.replaceAll(secret, "***");
  return shown;
}
