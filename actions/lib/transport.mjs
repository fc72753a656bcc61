// The way to the network that the runner and the inputs name: a proxy, authorities of one's own.
//
// Node's modules for it take tens of milliseconds to load: they are, where they are needed.

import { warning } from "./commands.mjs";
import { Failure } from "./failure.mjs";
import { certificatesCount, wrongProxy } from "./messages.mjs";

/** Go through the proxy that the runner's environment names, if it names one. Throws `Failure`. */
export async function useProxy(env) {
  const named = ["http_proxy", "https_proxy"].some((name) => env[name] || env[name.toUpperCase()]);
  if (!named) return;
  const { default: http } = await import("node:http");
  if (!http.setGlobalProxyFromEnv) {
    warning("This runner's Node.js is too old to use its proxy; going on without.");
    return;
  }
  try {
    http.setGlobalProxyFromEnv();
  } catch {
    // Node's own message would show the password that may be in there.
    throw new Failure(wrongProxy());
  }
}

/**
 * Trust these authorities (PEM texts) beside the usual ones, and nobody else.
 *
 * To be called before the first connection: Node.js reads then whether certificates count.
 */
export async function trustCertificates(env, certificates) {
  if (env.NODE_TLS_REJECT_UNAUTHORIZED === "0") {
    delete env.NODE_TLS_REJECT_UNAUTHORIZED;
    warning(certificatesCount());
  }
  if (certificates.length === 0) return;
  const { default: tls } = await import("node:tls");
  if (!tls.setDefaultCACertificates) {
    warning("This runner's Node.js is too old for the input 'ca-certificate'; going on without.");
    return;
  }
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), ...certificates]);
}
