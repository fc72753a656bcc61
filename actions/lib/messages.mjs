// What the actions say when they cannot do their work; what the broker refuses is in refusals.mjs.
//
// Each says what happened, why as a rule, and the mending as it is written in a workflow. What
// comes from outside goes through `quoted`.

import { lines, quoted } from "./failure.mjs";

const GUIDE = "docs/guides/github-actions.md";

export const missingInput = (name) => ({
  title: "An input is missing",
  text: lines(`The input '${name}' is required.`, ...withInput(name, "…")),
});

export const wrongInput = (name, mustBe, why = "") => ({
  title: "An input is wrong",
  text: lines(`The input '${name}' must be ${mustBe}.`, why || null),
});

export const missingPermission = (server) => ({
  title: "The job may not ask for an ID token",
  text: lines(
    `${quoted(server)} gave this job no way to get an ID token. Add to the job:`,
    "",
    "permissions:",
    "  contents: read",
    "  id-token: write",
    "",
    "If this is a reusable workflow, the job that calls it must grant this, too: what the caller" +
      " does not grant, the workflow that is called cannot have.",
  ),
  page: `${GUIDE}#no-id-token`,
});

export const fromFork = (fork, repository) => ({
  title: "A pull request from a fork gets no ID token",
  text: lines(
    `This run is for a pull request from ${quoted(fork || "a fork that is gone")} to` +
      ` ${quoted(repository)}. GitHub gives such runs no ID token, whatever their permissions:`,
    "their code is a stranger's. Leave the step out for them:",
    "",
    "if: github.event.pull_request.head.repo.full_name == github.repository",
    "",
    "or let it pass without a token, and ask later for steps.ID.outputs.available:",
    ...withInput("on-fork", "skip"),
  ),
  page: `${GUIDE}#no-id-token`,
});

export const fromDependabot = () => ({
  title: "A run of Dependabot gets no ID token",
  text: lines(
    "Dependabot started this run. GitHub treats its runs like those of a fork: with a token that" +
      " may only read, unless the job itself says otherwise. Where the change may have a token:",
    "",
    "permissions:",
    "  contents: read",
    "  id-token: write",
    "",
    "Otherwise leave the step out for them:",
    "",
    "if: github.actor != 'dependabot[bot]'",
    "",
    "or let it pass without a token:",
    ...withInput("on-fork", "skip"),
  ),
  page: `${GUIDE}#no-id-token`,
});

export const skipped = (failure) =>
  `${failure.title}: the step passes without, as 'on-fork: skip' wants it; 'available' is false.`;

export const noRunner = (variable) => ({
  title: "This is no GitHub runner",
  text: `The variable ${variable} is not set. The action works on a runner of GitHub Actions alone.`,
});

export const idTokenRefused = (status, body) => ({
  title: "GitHub gave no ID token",
  text: lines(
    `GitHub answered the request for an ID token with ${status}: ${quoted(body)}`,
    "A job can ask for one only while it runs, and with the permission 'id-token: write'. If it" +
      " has that, look at GitHub's status page, and run the job again.",
  ),
  page: `${GUIDE}#no-id-token`,
});

export const idTokenUnreadable = () => ({
  title: "GitHub gave no ID token",
  text: "GitHub's answer to the request for an ID token holds no token.",
  page: `${GUIDE}#no-id-token`,
});

export const noDiscovery = (url, status) => ({
  title: "The broker does not tell its audience",
  text: lines(
    `${quoted(url)} was answered with ${status}, or with something that is no discovery document.`,
    "Check the input 'broker-url', or name the audience of the ID token in the input 'audience':",
    ...withInput("audience", "https://broker.example.com"),
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
    "None of them is on its own host. Name the one that its policies trust for GitHub in the input" +
      " 'audience':",
    ...withInput("audience", "…"),
  ),
});

export const redirected = (what, status) => ({
  title: "A redirect is not followed",
  text: lines(
    `${what} answered with ${status}. A token is sent to the address you wrote and nowhere else.`,
    "Write the address that it leads to, if that is the broker's:",
    ...withInput("broker-url", "https://…"),
  ),
});

export const unreachable = (what, cause) => ({
  title: "No answer",
  text: lines(
    `${what} did not answer: ${quoted(cause)}.`,
    "Check that the runner can reach it, by the proxy that http_proxy, https_proxy and no_proxy name" +
      " if there is one. For a slow network:",
    ...withInput("timeout", "30s", "retry-max-time", "2m"),
  ),
});

export const wrongProxy = () => ({
  title: "The runner's proxy is wrong",
  text: lines(
    "One of the variables http_proxy and https_proxy of the runner is not the URL of a proxy, as:",
    "",
    "https_proxy=http://proxy.example.com:3128",
  ),
});

export const proxyRefused = (what, status) => ({
  title: "The proxy refuses",
  text: lines(
    `The proxy answered with ${status} to the request for a connection; it was for: ${what}.`,
    ...(status === 407
      ? [
          "It wants a user name and a password. They stand in the variable of the runner:",
          "",
          "https_proxy=http://USER:PASSWORD@proxy.example.com:3128",
        ]
      : ["It does not let this runner through to there. Ask whoever runs it, or leave it out:", "", "no_proxy=HOST"]),
  ),
});

export const certificatesCount = () =>
  "NODE_TLS_REJECT_UNAUTHORIZED does not count here: tokens would go to whoever answers. For an" +
  " authority of your own there is the input 'ca-certificate'.";

export const noTls = (what, cause) => ({
  title: "There is no TLS at this address",
  text: lines(
    `${what} does not speak TLS as it should: ${quoted(cause)}.`,
    "Check scheme and port of the input 'broker-url', and what the proxy does with it.",
  ),
});

export const untrustedCertificate = (what, cause) => ({
  title: "The certificate is not trusted",
  text: lines(
    `The TLS certificate of ${what} is not accepted: ${quoted(cause)}.`,
    certificateCause(cause),
    ...withInput("ca-certificate", "/etc/ssl/company-ca.pem # or the PEM itself"),
  ),
});

export const skew = (here, there) =>
  `The clock of this runner shows ${here}, that of the broker ${there}: they differ by ` +
  `${Math.abs(Math.round((Date.parse(here) - Date.parse(there)) / 1000))} seconds.`;

export const followingBranch = (ref) =>
  `The workflow uses this action at '${quoted(ref)}': whoever can push there can read this job's ` +
  "tokens. Pin it to the full id of a commit: uses: …@0123456789abcdef0123456789abcdef01234567";

export const shortened = (asked, given) =>
  `The token lives ${given} seconds: the policies give no more, though ${asked} were asked for.`;

export const issued = (service, account, scope, expiresAt) =>
  `A token for ${quoted(service)}${account ? ` as ${quoted(account)}` : ""}, ` +
  `${scope ? `scope ${quoted(scope)}` : "without scopes"}, until ${expiresAt}.`;

export const notRevocable = () =>
  "The variable GITHUB_STATE is not set: the token cannot be revoked when the job ends.";

export const secretNotUsed = () =>
  "The input 'client-secret' is not used: the job proves itself with its own identity ('auth: oidc').";

export const notRevoked = (why, expiresAt) =>
  `The service token could not be revoked and counts until ${expiresAt}. ${why}`;

export const notCleaned = (what, error) =>
  `${what} could not be removed: ${quoted(error.code ?? error.message ?? error, 200)}.`;

export const noSummary = (error) =>
  `The job's summary could not be written: ${quoted(error.code ?? error.message, 200)}.`;

export const unexpected = (error) => ({
  title: "The action failed",
  text: `This should not have happened: ${quoted(String(error))}`,
});

/** Write inputs as they stand in a workflow, behind an empty line. */
export function withInput(...pairs) {
  const written = ["", "with:"];
  for (let at = 0; at < pairs.length; at += 2) written.push(`  ${pairs[at]}: ${pairs[at + 1]}`);
  return written;
}

function certificateCause(cause) {
  if (/NOT_YET_VALID|HAS_EXPIRED/.test(cause)) {
    return `It does not count at the time that this runner's clock shows, ${new Date().toISOString()}.`;
  }
  if (/ALTNAME/.test(cause)) return "It belongs to another name than the one in the address.";
  return "If it comes from your own authority, or your proxy's, name that one:";
}
