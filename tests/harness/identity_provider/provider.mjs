// A real OpenID provider that others wrote (oidc-provider), with people that a test moves about.
//
//   node provider.mjs PORT CONTROL_PORT
//
// The control port is the test's own: PUT /people {sub: {name, groups}} replaces everybody, POST
// /rotate gives the provider other keys, POST /down and /up let it answer nothing but errors.
import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider } from 'oidc-provider';

const [port, control] = process.argv.slice(2).map(Number);
const issuer = `http://127.0.0.1:${port}`;
let people = {};
let down = false;

function makeProvider() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'ES256' };
  return new Provider(issuer, {
    clients: [{
      client_id: 'placet',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
    }],
    jwks: { keys: [key] },
    scopes: ['openid', 'offline_access', 'profile', 'groups'],
    claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
    clientAuthMethods: ['none'],
    cookies: { keys: ['a secret for tests only'] },
    features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true } },
    findAccount: (_, sub) => people[sub] && {
      accountId: sub,
      claims: () => ({ sub, preferred_username: people[sub].name, groups: people[sub].groups }),
    },
  });
}

let answer = makeProvider().callback();
createServer((request, response) => {
  if (down) {
    response.writeHead(503).end();
  } else {
    answer(request, response);
  }
}).listen(port, '127.0.0.1');

createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  if (request.url === '/people') people = JSON.parse(body);
  if (request.url === '/rotate') answer = makeProvider().callback();
  if (request.url === '/down') down = true;
  if (request.url === '/up') down = false;
  response.writeHead(200).end();
}).listen(control, '127.0.0.1', () => process.stdout.write('ready\n'));
