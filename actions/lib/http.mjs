// Requests bounded in time and size, and how often they are tried again.

import { setTimeout as pause } from "node:timers/promises";

import { USER_AGENT } from "./about.mjs";
import { debug } from "./commands.mjs";
import { Failure, NoAnswer } from "./failure.mjs";
import { noTls, proxyRefused, redirected, unreachable, untrustedCertificate } from "./messages.mjs";

const MAX_BODY_BYTES = 64 * 1024;
const REQUEST_TIMEOUT = 10_000;
const BUDGET = 60_000;
const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 8_000;
const TRANSIENT = [408, 429];
// What a timer can be set to; one that is set to more ends at once.
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Send a request and read its answer as text, at most `maxBytes` of it (64 KiB).
 *
 * `what` names the other side in messages. Redirects are not followed: the request may hold a
 * token. Throws `NoAnswer`, and `Failure` for a redirect or a certificate that is not trusted.
 */
export async function request(what, url, { timeout = REQUEST_TIMEOUT, maxBytes = MAX_BODY_BYTES, ...options } = {}) {
  try {
    const response = await fetch(url, {
      ...options,
      headers: { accept: "application/json", "user-agent": USER_AGENT, ...options.headers },
      redirect: "manual",
      signal: AbortSignal.timeout(timeout),
    });
    if (response.status >= 300 && response.status < 400) {
      // What is not read would keep the process alive for as long as the other side likes.
      await response.body?.cancel();
      throw new Failure(redirected(what, response.status));
    }
    const text = await readBody(response, maxBytes);
    return { what, status: response.status, headers: response.headers, text };
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (error.name === "TimeoutError") {
      throw new NoAnswer(unreachable(what, `nothing complete within ${timeout / 1000} seconds`));
    }
    const byProxy = proxyStatus(error);
    if (byProxy >= 500 || TRANSIENT.includes(byProxy)) {
      throw new NoAnswer(unreachable(what, `the proxy answered with ${byProxy}`));
    }
    if (byProxy) throw new Failure(proxyRefused(what, byProxy));
    // Never the message of what went wrong before anything was sent: it may quote a header.
    const cause = String(error.cause?.code || error.cause?.message || error.name);
    if (/^(ERR_SSL|EPROTO)/.test(cause)) throw new Failure(noTls(what, cause));
    if (/CERT|SIGNATURE|^ERR_TLS/.test(cause)) throw new Failure(untrustedCertificate(what, cause));
    throw new NoAnswer(unreachable(what, cause));
  }
}

/** Read a JSON object, or null when a text is none. */
export function jsonObject(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** The time that all requests of a step may take together, and each alone, in milliseconds. */
export class Patience {
  constructor({
    budget = BUDGET,
    timeout = REQUEST_TIMEOUT,
    tries = Infinity,
    now = () => performance.now(),
    sleep = pause,
    random = Math.random,
  } = {}) {
    this.timeout = timeout;
    this.tries = tries;
    this.now = now;
    this.sleep = sleep;
    this.random = random;
    this.deadline = now() + budget;
  }

  /** Send one request, as `request` does, with no more time than is left. */
  request(what, url, options = {}) {
    const left = Math.max(1, Math.ceil(this.deadline - this.now()));
    return request(what, url, { ...options, timeout: Math.min(this.timeout, left, LONGEST_TIMER) });
  }

  /**
   * Try until there is an answer other than 408, 429 and 5xx, or no time is left.
   *
   * Whatever else is answered, any other 4xx among it, is final: repeating it cannot help.
   */
  async insist(attempt) {
    for (let tries = 0; ; tries++) {
      let answer;
      let failure;
      try {
        answer = await attempt();
        if (!TRANSIENT.includes(answer.status) && answer.status < 500) return answer;
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        failure = error;
      }
      const wait = Math.max(this.#jitter(tries), retryAfter(answer));
      if (tries + 1 >= this.tries || this.now() + wait >= this.deadline) {
        if (failure) throw failure;
        return answer;
      }
      const cause = failure ? failure.message.split("\n")[0] : `${answer.what} answered with ${answer.status}.`;
      debug(`${cause} Another try in ${Math.round(wait)} ms.`);
      await this.sleep(Math.min(wait, LONGEST_TIMER));
    }
  }

  // Full jitter: jobs that failed together do not come back together.
  #jitter(tries) {
    return this.random() * Math.min(FIRST_PAUSE * 2 ** tries, LONGEST_PAUSE);
  }
}

function retryAfter(answer) {
  const value = answer?.headers.get("retry-after") ?? "";
  if (/^[0-9]{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? 0 : Math.max(0, date - Date.now());
}

/** Find out with what a proxy refused a connection; 0 when none did. */
function proxyStatus(error) {
  const [, status = 0] = /^Proxy response \(([0-9]{3})\)/.exec(error.cause?.cause?.message ?? "") ?? [];
  return Number(status);
}

async function readBody(response, maxBytes) {
  const chunks = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, maxBytes).toString("utf8");
}
