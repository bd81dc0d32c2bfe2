// A real authorization server for the tests, driven by lines of JSON on stdin; answers are lines of JSON on stdout.
import { createHash, createHmac, createSign, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

// Stdout is for answers.
console.info = console.error;
console.log = console.error;

const CALLBACK = 'http://127.0.0.1/callback';
const SECRET = randomBytes(24).toString('hex');

const key = (kid) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { kid, privateKey, publicKey, jwk: { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' } };
};

const keys = [key('k1')];
let made = 1;
const stranger = key('k1');
let callback = (_, response) => response.writeHead(503).end();
const server = createServer((request, response) => callback(request, response));
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;

const client = (client_id, grants, more = {}) => ({
  client_id, client_secret: SECRET, grant_types: grants, redirect_uris: [], response_types: [], ...more,
});

function provide() {
  const provider = new Provider(issuer, {
    jwks: { keys: keys.map((it) => it.jwk) },
    cookies: { keys: [SECRET] },
    scopes: ['openid', 'mcp:read', 'mcp:operate'],
    clients: [
      client('app', ['authorization_code'], {
        redirect_uris: [CALLBACK], response_types: ['code'], token_endpoint_auth_method: 'none', client_secret: undefined,
        application_type: 'native',
      }),
      client('robot', ['client_credentials']),
      client('robot-opaque', ['client_credentials']),
      client('core-mcp', ['client_credentials']),
    ],
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource, by) => ({
          scope: 'mcp:read mcp:operate',
          audience: resource,
          accessTokenTTL: 300,
          accessTokenFormat: by.clientId === 'robot-opaque' ? 'opaque' : 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    pkce: { required: () => true },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  });
  // The warnings are about settings for production.
  callback = provider.callback();
}

const form = (fields, basic) => ({
  method: 'POST',
  redirect: 'manual',
  headers: {
    'content-type': 'application/x-www-form-urlencoded',
    ...(basic ? { authorization: `Basic ${Buffer.from(`${basic}:${SECRET}`).toString('base64')}` } : {}),
  },
  body: new URLSearchParams(fields),
});

const json = async (response) => {
  const body = await response.text();
  if (!response.ok) throw new Error(`${response.status}: ${body}`);
  return body ? JSON.parse(body) : {};
};

// A browser in a few lines: cookies, redirects, and the two built-in pages.
async function authorizationCode({ user, resource, scope, without_pkce }) {
  const verifier = randomBytes(32).toString('base64url');
  const cookies = new Map();
  const visit = async (url, init = {}) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(new URL(url, issuer), { redirect: 'manual', ...init, headers: { ...init.headers, cookie } });
    for (const set of response.headers.getSetCookie()) {
      const [name, value] = set.split(';')[0].split(/=(.*)/s);
      cookies.set(name, value);
    }
    return response;
  };
  const query = new URLSearchParams({
    client_id: 'app', response_type: 'code', redirect_uri: CALLBACK, scope, resource, state: 'here',
    ...(without_pkce ? {} : { code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256' }),
  });
  let response = await visit(`/auth?${query}`);
  for (let step = 0; step < 12; step += 1) {
    const location = response.headers.get('location');
    if (location?.startsWith(CALLBACK)) {
      const back = new URL(location).searchParams;
      if (back.get('error')) throw new Error(back.get('error_description') ?? back.get('error'));
      return json(await fetch(`${issuer}/token`, form({
        grant_type: 'authorization_code', client_id: 'app', code: back.get('code'), redirect_uri: CALLBACK,
        code_verifier: verifier, resource,
      })));
    }
    if (location) {
      response = await visit(location);
    } else {
      const page = await response.text();
      const action = page.match(/action="([^"]+)"/)?.[1];
      if (!action) throw new Error(`no form: ${page}`);
      const prompt = page.includes('value="login"') ? 'login' : 'consent';
      response = await visit(action, form({ prompt, login: user, password: 'any' }));
    }
  }
  throw new Error('the flow does not end');
}

const part = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

// Signs whatever it is told, as a thief or a careless issuer would.
function mint({ header, claims, by }) {
  const now = Math.floor(Date.now() / 1000);
  const all = { iss: issuer, sub: 'ann', client_id: 'app', jti: '1', iat: now, exp: now + 300, scope: 'mcp:read', ...claims };
  for (const [name, value] of Object.entries(all)) {
    if (value === null) delete all[name];
    // Times relative to now.
    if (typeof value === 'string' && /^now[+-]\d+$/.test(value)) all[name] = now + Number(value.slice(3));
  }
  const message = `${part({ alg: 'RS256', typ: 'at+jwt', kid: keys[0].kid, ...header })}.${part(all)}`;
  const rsa = (it) => createSign('RSA-SHA256').update(message).sign(it.privateKey).toString('base64url');
  const pem = keys[0].publicKey.export({ format: 'pem', type: 'spki' });
  const signature = {
    issuer: () => rsa(keys[0]),
    stranger: () => rsa(stranger),
    'public-key-as-secret': () => createHmac('sha256', pem).update(message).digest('base64url'),
    nobody: () => '',
  }[by ?? 'issuer']();
  return `${message}.${signature}`;
}

const doings = {
  client_credentials: async ({ client: by, resource, scope }) =>
    json(await fetch(`${issuer}/token`, form({ grant_type: 'client_credentials', resource, scope }, by))),
  authorization_code: authorizationCode,
  revoke: async ({ token, client: by }) => json(await fetch(`${issuer}/token/revocation`, form({ token }, by))),
  mint: async (wanted) => ({ access_token: mint(wanted) }),
  stranger_key: async () => stranger.publicKey.export({ format: 'jwk' }),
  // The newest key signs; the ones before stay published until they are withdrawn.
  rotate: async () => { keys.unshift(key(`k${made += 1}`)); provide(); return {}; },
  withdraw: async () => { keys.length = 1; provide(); return {}; },
};

provide();
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
say({ issuer, secret: SECRET });
for await (const line of createInterface({ input: process.stdin })) {
  const { do: doing, ...wanted } = JSON.parse(line);
  try {
    say(await doings[doing](wanted));
  } catch (error) {
    say({ error: String(error.message ?? error) });
  }
}
process.exit(0);
