// What the actions ask of a broker: one POST each, and how its answers are read.

import { Failure, Refused, scopesOf, wordOf } from "./failure.mjs";
import { jsonObject } from "./http.mjs";
import { refused, trouble, unreadable } from "./refusals.mjs";

const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt";
// RFC 6750 §2.1: what may stand behind `Bearer`.
const BEARER_TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
// A year, in seconds: what is more is no life of a token, and no date.
const LONGEST_LIFE = 31_536_000;
// Twenty policies with long lists of values.
const LONGEST_EXPLANATION = 1024 * 1024;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** A broker at `url`; all its requests of a step carry one `requestId`, for its audit. */
export class Broker {
  constructor(url, patience, requestId) {
    this.url = url;
    this.patience = patience;
    this.requestId = requestId;
  }

  /** Exchange an ID token (RFC 8693 §2.1). */
  exchange(wanted, idToken) {
    return this.#post("/oauth/token", exchangeForm(wanted, idToken));
  }

  /** Ask what would be decided on an ID token; nothing is issued or spent. */
  explain(wanted, idToken) {
    return this.#post("/oauth/explain", exchangeForm(wanted, idToken), { maxBytes: LONGEST_EXPLANATION });
  }

  /** Use a client secret (RFC 6749 §4.4). */
  authenticate(wanted, secret) {
    const grant = { grant_type: "client_credentials", client_secret: secret };
    return this.#post("/oauth/token", { ...grant, ...wantedForm(wanted) });
  }

  /** Revoke a service token, which is its own proof (RFC 7009 §2.1). */
  revoke(token) {
    return this.#post("/oauth/revoke", { token, token_type_hint: "access_token" });
  }

  /** Give the id under which the broker knows an answer. */
  requestIdOf(answer) {
    const id = answer.headers.get("x-request-id") ?? "";
    return REQUEST_ID.test(id) ? id : this.requestId;
  }

  #post(path, parameters, options = {}) {
    const form = Object.entries(parameters).filter(([, value]) => value !== "");
    return this.patience.request("The broker", `${this.url}${path}`, {
      method: "POST",
      headers: { "x-request-id": this.requestId },
      body: new URLSearchParams(form),
      ...options,
    });
  }
}

/**
 * Read the answer of RFC 8693 §2.2.1; its body is shown only where it holds no token.
 *
 * `refusal` is what one is explained with. Throws `Failure`.
 */
export function readToken(answer, refusal) {
  const body = readAnswer(answer, refusal);
  if (
    !BEARER_TOKEN.test(text(body.access_token)) ||
    text(body.token_type).toLowerCase() !== "bearer" ||
    !Number.isInteger(body.expires_in) ||
    body.expires_in <= 0 ||
    body.expires_in > LONGEST_LIFE
  ) {
    throw new Failure(unreadable(answer));
  }
  const { token_id, service_account, scope } = body;
  return { ...body, token_id: wordOf(token_id), service_account: wordOf(service_account), scope: scopesOf(scope) };
}

/** Read an explanation. Throws `Failure`. */
export function readExplanation(answer, refusal) {
  const body = readAnswer(answer, refusal);
  if (!["permit", "deny"].includes(body.decision)) throw new Failure(unreadable(answer));
  return body;
}

function readAnswer(answer, refusal) {
  const body = jsonObject(answer.text);
  if (answer.status >= 300) {
    if (typeof body?.error !== "string") throw new Failure(trouble(answer));
    const final = answer.status < 500 && ![408, 429].includes(answer.status);
    throw new (final ? Refused : Failure)(refused(answer, body, refusal));
  }
  if (answer.status !== 200 || body === null) throw new Failure(unreadable(answer));
  return body;
}

function text(member) {
  return typeof member === "string" ? member : "";
}

function exchangeForm(wanted, idToken) {
  const grant = { grant_type: TOKEN_EXCHANGE, subject_token: idToken, subject_token_type: JWT_TYPE };
  return { ...grant, ...wantedForm(wanted) };
}

function wantedForm({ service, scope, serviceAccount, expiresIn }) {
  return { audience: service, scope, client_id: serviceAccount, expires_in: expiresIn ?? "" };
}
