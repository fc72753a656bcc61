// Verifies the same tokens with npm jose, a line of JSON in and a line out: µs of CPU for each.
import { createInterface } from 'node:readline';
import { importJWK, jwtVerify } from 'jose';

for await (const line of createInterface({ input: process.stdin })) {
  const { tokens, jwk, alg, issuer, audience } = JSON.parse(line);
  const key = await importJWK(jwk, alg);
  const options = { issuer, audience, algorithms: [alg], typ: 'at+jwt' };
  const before = process.cpuUsage();
  for (const token of tokens) await jwtVerify(token, key, options);
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify((user + system) / tokens.length));
}
