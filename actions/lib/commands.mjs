// The runner's workflow commands and files: the only way in which the actions say anything.
//
// A runner takes `::command::` at the start of a line and `##[command]` anywhere in it for an
// order, also out of a branch's name. So nothing is printed but commands of our own whose data is
// escaped, and lines that cannot hold one.

import { randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";

const secrets = new Set();

/** Keep a secret out of the log, line by line: the runner's own masking first, then ours. */
export function mask(secret) {
  for (const line of secret.split(/[\r\n]+/).filter((each) => each.trim())) {
    issue("add-mask", line);
    secrets.add(line);
  }
}

/** Keep a secret that the runner masks by itself out of our own texts, too. */
export function keepBack(secret) {
  secrets.add(secret);
}

/** Say why the step fails. */
export function error({ title, text }) {
  issue("error", text, { title });
}

/** Say what should be mended, though the step goes on. */
export function warning(text, title = "") {
  issue("warning", text, title ? { title } : {});
}

/** Say what the user should know, though nothing failed. */
export function notice(text) {
  issue("notice", text);
}

/** Say what only those see who ask the runner for debug logs. */
export function debug(text) {
  issue("debug", text);
}

/** Print lines of the log that are no commands, folded away under a title. */
export function group(title, lines) {
  issue("group", title);
  for (const line of lines) info(line);
  issue("endgroup", "");
}

/** Print a line of the log that is no command. */
export function info(text) {
  const line = withoutSecrets(text)
    .replace(/[\r\n]+/g, " ")
    .replace(/##+\[/g, "#[")
    .replace(/^(?=[\s\u0085]*::)/, ".");
  process.stdout.write(`${line}\n`);
}

/**
 * Write values to one of the runner's files: outputs, state or variables.
 *
 * A random delimiter ends each value, so that no value can.
 */
export function writeValues(file, values) {
  const delimiter = `end-${randomUUID()}`;
  const written = Object.entries(values).map(
    ([name, value]) => `${name}<<${delimiter}\n${value}\n${delimiter}\n`,
  );
  appendFileSync(file, written.join(""));
}

/** Take out of a text what has been masked. */
export function withoutSecrets(text) {
  let shown = text;
  // The longest first: of a secret that holds another one, nothing is to remain.
  for (const secret of [...secrets].sort((one, other) => other.length - one.length)) {
    shown = shown.replaceAll(secret, "***");
  }
  return shown;
}

function issue(command, data, properties = {}) {
  const given = Object.entries(properties).map(
    ([name, value]) => ` ${name}=${escapeProperty(shownIn(command, value))}`,
  );
  process.stdout.write(`::${command}${given.join(",")}::${escape(shownIn(command, data))}\n`);
}

function shownIn(command, text) {
  // A secret may be a part of one that was masked before; it must reach the runner whole.
  return command === "add-mask" ? text : withoutSecrets(text);
}

function escape(text) {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text) {
  return escape(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
