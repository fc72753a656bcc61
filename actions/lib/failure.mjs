// What ends a step, and how foreign text in it is made harmless.

import { withoutSecrets } from "./commands.mjs";

/**
 * What ends a step: a title, a text of several lines, and where to read more.
 *
 * `claims` are rows of claim, what the job has and what the nearest policy asks for; `page` is a
 * page of this repository; `outputs` are what the step tells later ones of the failure.
 */
export class Failure extends Error {
  constructor({ title, text, claims = [], page = "actions/README.md", outputs = {} }) {
    super(text);
    this.title = title;
    this.claims = claims;
    this.page = page;
    this.outputs = outputs;
  }
}

/** A run that GitHub gives no ID token, whatever its permissions: a stranger's code. */
export class Outsider extends Failure {}

/** A decision of the broker against the job. */
export class Refused extends Failure {}

/** No answer, or none in time: worth another try. */
export class NoAnswer extends Failure {}

/**
 * Make foreign text harmless for people's eyes: one line, printable, not endless.
 *
 * What is no text is shown as JSON. Direction marks could show a text in another order than it is
 * read in, and other signs nobody sees.
 */
export function quoted(text, limit = 1000) {
  const whole = typeof text === "string" ? text : String(JSON.stringify(text));
  // Before it is cut: of a secret that is cut nobody knows that it is one.
  const line = withoutSecrets(whole)
    .replace(/[\r\n]+/g, " ")
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "?");
  return line.length > limit ? `${line.slice(0, limit)} …` : line;
}

/** Give a foreign word to later steps, whose scripts may be careless; "" when it is none. */
export function wordOf(text) {
  return typeof text === "string" && /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(text) ? text : "";
}

/** Give the link of a refusal (RFC 6749 §5.2) if it is nothing but one to this decision; "" otherwise. */
export function linkOf(uri, decisionId) {
  const link =
    /^https?:\/\/(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?(?:\/[A-Za-z0-9._~-]+)*\/d\/([0-9a-f-]{36})$/;
  if (typeof uri !== "string" || uri.length > 400) return "";
  return link.exec(uri)?.[1] === decisionId ? uri : "";
}

/** Give foreign scopes (RFC 6749 §3.3) to later steps; "" when they are none. */
export function scopesOf(text) {
  const words = typeof text === "string" ? text.split(" ") : [];
  return words.every((word) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(word)) ? words.join(" ") : "";
}

/** Join lines of a text; a list among them is several lines, and null is none. */
export function lines(...all) {
  return all.flat().filter((line) => line !== null).join("\n");
}
