// What the actions say when they cannot do their work: named templates first, then what they share.
//
// Each names the cause and the mending. What comes from outside goes through `quoted`.

export const missingInput = (name) => ({
  title: "An input is missing",
  text: `The input '${name}' is required.`,
});

export const wrongInput = (name, mustBe) => ({
  title: "An input is wrong",
  text: `The input '${name}' must be ${mustBe}.`,
});

export const missingPermission = () => ({
  title: "The job may not ask for an ID token",
  text: lines(
    "GitHub gave this job no way to get an ID token. Add to the job (or to the workflow):",
    "",
    "permissions:",
    "  contents: read",
    "  id-token: write",
    "",
    "In a reusable workflow the job that calls it must grant this, too.",
  ),
});

export const fromFork = (fork, repository) => ({
  title: "A pull request from a fork gets no ID token",
  text: lines(
    `This run is for a pull request from ${quoted(fork || "a fork that is gone")} to` +
      ` ${quoted(repository)}. GitHub gives such runs no ID token, whatever their permissions:`,
    "their code is a stranger's. Leave the step out for them:",
    "",
    "if: github.event.pull_request.head.repo.full_name == github.repository",
  ),
});

export const noRunner = (variable) => ({
  title: "This is no GitHub runner",
  text: `The variable ${variable} is not set. The action works on a runner of GitHub Actions alone.`,
});

export const idTokenRefused = (status, body) => ({
  title: "GitHub gave no ID token",
  text: `GitHub answered the request for an ID token with ${status}: ${quoted(body)}`,
});

export const idTokenUnreadable = () => ({
  title: "GitHub gave no ID token",
  text: "GitHub's answer to the request for an ID token holds no token.",
});

export const noDiscovery = (url, status) => ({
  title: "The broker does not tell its audience",
  text: lines(
    `${quoted(url)} was answered with ${status}, or with something that is no discovery document.`,
    "Check the input 'broker-url', or name the audience of the ID token in the input 'audience'.",
  ),
});

export const otherIssuer = (brokerUrl, issuer) => ({
  title: "The broker is known by another address",
  text: lines(
    `What answers at ${quoted(brokerUrl)} calls itself ${quoted(issuer)}, on another host.`,
    "An ID token for that name is not asked for unless you write it yourself: set 'broker-url' to" +
      " it, or the input 'audience'.",
  ),
});

export const issuerNotAccepted = (issuer, audiences) => ({
  title: "Which audience the broker accepts is not clear",
  text: lines(
    `The broker ${quoted(issuer)} accepts ID tokens for: ${audiences.map((each) => quoted(each)).join(", ")}.`,
    "Name the one that its policies trust for GitHub in the input 'audience'.",
  ),
});

export const refused = (body, requestId) => {
  const { error, error_description, reason, decision_id, conditions } = body;
  const failing = conditionLines(conditions);
  const text = lines(
    `The broker refused: ${quoted(error_description || error)}`,
    ...(HINTS[reason] ? [HINTS[reason]] : []),
    ...(failing.length ? ["", "What the nearest policy asks for, and this job has not:", ...failing] : []),
    "",
    `reason:      ${quoted(reason || "none given")}`,
    `decision_id: ${quoted(decision_id || "none given")}  (whoever runs the broker can look it up)`,
    `request id:  ${quoted(requestId)}`,
  );
  return { title: `Refused: ${quoted(reason || error)}`, text };
};

export const trouble = (what, status, body) => ({
  title: "The broker could not answer",
  text: lines(
    `${what} answered with ${status}, which is no answer of a broker to a token request.`,
    `It begins with: ${quoted(body, 300) || "nothing"}`,
  ),
});

export const redirected = (what, status) => ({
  title: "A redirect is not followed",
  text: `${what} answered with ${status}. A token is sent to the address you wrote and nowhere else.`,
});

export const unreadable = (what) => ({
  title: "The broker's answer is not understood",
  text: `${what} answered with 200, but with no token that could be used.`,
});

export const unreachable = (what, cause) => ({
  title: "No answer",
  text: `${what} did not answer: ${quoted(cause)}.`,
});

export const untrustedCertificate = (what, cause) => ({
  title: "The certificate is not trusted",
  text: lines(
    `The TLS certificate of ${what} is not accepted: ${quoted(cause)}.`,
    "If it comes from your own authority, let the runner know that one: NODE_EXTRA_CA_CERTS=FILE in" +
      " the runner's environment (its .env file), before the job starts.",
  ),
});

export const shortened = (asked, given) =>
  `The token lives ${given} seconds: the policies give no more, though ${asked} were asked for.`;

export const issued = (service, account, scope, expiresAt) =>
  `A token for ${quoted(service)} as ${quoted(account)}, ` +
  `${scope ? `scope ${quoted(scope)}` : "without scopes"}, until ${expiresAt}.`;

export const unexpected = (error) => ({
  title: "The action failed",
  text: `This should not have happened: ${quoted(String(error))}`,
});

// What helps where, in the words of the inputs. The rest is told by the broker.
const HINTS = {
  ambiguous_account: "Name the one you mean in the input 'service-account'.",
  audience_mismatch: "Set the input 'audience' to one of these.",
  target_unknown: "Check the input 'service'.",
  scope_not_allowed: "Check the input 'scope'; empty asks for all that is available.",
};

/** What ends the step: a title and a text of several lines. */
export class Failure extends Error {
  constructor({ title, text }) {
    super(text);
    this.title = title;
  }
}

/**
 * Make foreign text harmless for people's eyes: one line, printable, not endless.
 *
 * Direction marks could show a text in another order than it is read in.
 */
export function quoted(text, limit = 1000) {
  const line = String(text)
    .replace(/[\r\n]+/g, " ")
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "?")
    .replace(/[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, "?");
  return line.length > limit ? `${line.slice(0, limit)} …` : line;
}

/** Write out the failing conditions that the broker tells: objects of claim, operator, expected, got. */
function conditionLines(conditions) {
  if (!Array.isArray(conditions)) return [];
  const known = conditions.filter((each) => each !== null && typeof each === "object");
  return known.slice(0, 20).map(({ claim, operator, expected, got }) => {
    const has = got === null || got === undefined ? "nothing" : JSON.stringify(got);
    const asked = expected === undefined ? "" : ` ${JSON.stringify(expected)}`;
    return quoted(`- ${claim}: ${operator}${asked}, got ${has}`, 500);
  });
}

function lines(...all) {
  return all.join("\n");
}
