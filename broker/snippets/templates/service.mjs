// npm install jose
import { createServer } from 'node:http';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

const ISSUER = «issuer»;
const AUDIENCE = «audience»;
const SCOPES = [«scopes»];

const keys = createRemoteJWKSet(new URL(«jwks_uri»));

// Gives the claims of a token that counts here and now; throws an error of jose for any other.
async function verified(token) {
  const { payload } = await jwtVerify(token, keys, {
    issuer: ISSUER,
    audience: AUDIENCE,
    algorithms: [«algorithm»],
    typ: «token_type»,
    requiredClaims: ['exp', 'iat', 'sub', 'client_id'],
    clockTolerance: 30,
  });
  // jose would take a list in which the audience is one of several.
  if (payload.aud !== AUDIENCE || payload.token_type !== 'service') {
    throw new errors.JWTClaimValidationFailed('not a token for this service', payload);
  }
  return payload;
}

// Gives the status for a request, and who calls.
async function admitted(request) {
  const values = request.headersDistinct.authorization ?? [];
  const [scheme, token, ...more] = values.length === 1 ? values[0].split(' ') : [''];
  if (scheme.toLowerCase() !== 'bearer' || !token || more.length) return { status: 401 };
  let claims;
  try {
    claims = await verified(token);
  } catch (error) {
    const refused = error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout);
    // The keys are not to be had: nobody comes in, and nobody is to blame.
    return { status: refused && error.code !== 'ERR_JOSE_GENERIC' ? 401 : 503 };
  }
  const held = typeof claims.scope === 'string' ? claims.scope.split(' ') : [];
  if (!SCOPES.every((scope) => held.includes(scope))) return { status: 403 };
  return { status: 200, claims };
}

const CHALLENGES = {
  401: 'Bearer error="invalid_token"',
  403: `Bearer error="insufficient_scope", scope="${SCOPES.join(' ')}"`,
};

const server = createServer(async (request, response) => {
  const { status, claims } = await admitted(request);
  if (status in CHALLENGES) response.setHeader('www-authenticate', CHALLENGES[status]);
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(status === 200 ? { caller: claims.client_id } : { status }));
});
server.listen(Number(process.env.PORT ?? 8000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
