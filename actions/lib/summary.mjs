// The job's summary: Markdown that everybody who may see the run reads.
//
// Foreign text stands in HTML alone, escaped, on lines that are not empty: no Markdown is read
// there, so that no link, picture, mention or command comes of it.

import { appendFileSync } from "node:fs";

import { warning, withoutSecrets } from "./commands.mjs";
import { noSummary } from "./messages.mjs";

/**
 * Add a heading, a text and rows of claims to the summary; nothing when there is no file for it.
 *
 * One that cannot be written is a warning: what the step did counts.
 */
export function addToSummary(env, { title, text, claims = [] }) {
  if (!env.GITHUB_STEP_SUMMARY) return;
  const parts = [`<h3>${escaped(title)}</h3>`, `<pre>${escaped(text)}</pre>`];
  if (claims.length) parts.push(table(claims));
  try {
    appendFileSync(env.GITHUB_STEP_SUMMARY, `\n${parts.join("\n\n")}\n\n`);
  } catch (thrown) {
    warning(noSummary(thrown));
  }
}

function table(rows) {
  const head = "<tr><th>Claim</th><th>This job</th><th>The nearest policy asks for</th></tr>";
  const body = rows.map((row) => {
    const cells = row.map((cell) => `<td>${cell ? `<code>${escaped(cell)}</code>` : ""}</td>`);
    return `<tr>${cells.join("")}</tr>`;
  });
  return `<table>\n${[head, ...body].join("\n")}\n</table>`;
}

/** Escape a text for HTML; masked secrets are taken out first. */
export function escaped(text) {
  return withoutSecrets(String(text))
    .replace(/[&<>"'`]/g, (sign) => `&#${sign.charCodeAt(0)};`)
    .replace(/\r/g, "");
}
