// oidc-provider with a token-exchange grant of its own, as its documentation describes custom grants:
//   node oidc_provider.mjs PORT JWKS_FILE ISSUER AUDIENCE
// It verifies the subject token with jose, takes each once (in memory), checks what a policy would
// check, and answers with a JWT access token. Nothing it does is durable.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { createLocalJWKSet, jwtVerify } from 'jose';
import Provider, { errors } from 'oidc-provider';

const [port, jwksFile, issuer, audience] = process.argv.slice(2);
const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const SERVICES = { es256: 'ES256', rs256: 'RS256' };

const trusted = createLocalJWKSet(JSON.parse(readFileSync(jwksFile)));
const signing = [
  ['RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
].map(([alg, pair]) => ({ ...pair.privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg }));

const server = (name) => ({
  scope: 'deploy',
  audience: `https://${name}.example`,
  accessTokenFormat: 'jwt',
  accessTokenTTL: 600,
  jwt: { sign: { alg: SERVICES[name] } },
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: signing },
  scopes: ['deploy'],
  clients: [
    {
      client_id: 'web',
      token_endpoint_auth_method: 'none',
      grant_types: [GRANT],
      redirect_uris: [],
      response_types: [],
      scope: 'deploy',
    },
    {
      client_id: 'job',
      client_secret: 'a-secret-of-a-measurement-alone-0123456789',
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      scope: 'deploy',
    },
  ],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, indicator) => server(new URL(indicator).hostname.split('.')[0]),
      useGrantedResource: () => true,
    },
  },
});

async function exchange(ctx) {
  const { subject_token: subjectToken, audience: name } = ctx.oidc.params;
  let claims;
  try {
    ({ payload: claims } = await jwtVerify(subjectToken, trusted, {
      issuer, audience, algorithms: ['RS256'], clockTolerance: 60, requiredClaims: ['exp', 'jti'],
    }));
  } catch {
    throw new errors.InvalidRequest('the subject token does not verify');
  }
  const holds = claims.repository === 'acme/web' && claims.repository_id === '456789'
    && claims.ref === 'refs/heads/main';
  if (!holds || !(name in SERVICES)) throw new errors.InvalidTarget('no policy matches');
  if (!await provider.ReplayDetection.unique(issuer, claims.jti, claims.exp + 60)) {
    throw new errors.InvalidRequest('the subject token was used before');
  }
  const token = new provider.ClientCredentials({ client: ctx.oidc.client, scope: 'deploy' });
  token.resourceServer = new provider.ResourceServer(`https://${name}.example`, server(name));
  ctx.oidc.entity('ClientCredentials', token);
  ctx.body = {
    access_token: await token.save(),
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: token.expiration,
    scope: token.scope,
  };
}

provider.registerGrantType(
  GRANT, exchange, ['subject_token', 'subject_token_type', 'audience'], ['audience'],
);
provider.on('server_error', (ctx, error) => console.error(error));
provider.listen(Number(port), '127.0.0.1');
