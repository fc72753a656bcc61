// Verifies tokens with npm jose: which of them are let in. What fails otherwise ends the program.
import { createLocalJWKSet, errors, jwtVerify } from 'jose';
import { text } from 'node:stream/consumers';

const accepted = [];
for (const { token, jwks, issuer, audience, algorithm, token_type } of JSON.parse(await text(process.stdin))) {
  const options = {
    issuer,
    audience,
    algorithms: [algorithm],
    typ: token_type,
    requiredClaims: ['exp', 'iat', 'sub', 'client_id'],
  };
  try {
    await jwtVerify(token, createLocalJWKSet(jwks), options);
    accepted.push(true);
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    accepted.push(false);
  }
}
console.log(JSON.stringify({ accepted }));
