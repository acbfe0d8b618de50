// An OpenID Connect server for scripts/oauth: npm oidc-provider on loopback, with one user and no browser.
//
//   oauth_server.mjs PORT RESOURCE=jwt|opaque...
//
// Clients register themselves (RFC 7591) and must use PKCE (RFC 7636). An access token is for one of the RESOURCEs
// (RFC 8707): a JWT signed by the current key, or opaque and good for introspection (RFC 7662) by the client `tollgate`.
// The user is `ada` of the tenant `acme`. Whoever drives a client answers for her: GET on an interaction tells what is
// asked, POST answers it, with `grant` (repeatable) for each scope she ticks.
//
// Standard input takes one JSON command a line, standard output answers each with one JSON line, the first says ready:
//   {"rotate": "ES256"}  new keys, the old ones gone; access tokens are signed with this algorithm from now on
//   {"ttl": 1}           lifetime in seconds of access tokens from now on
//   {"backdate": 3600}   seconds that `exp` of JWTs from now on lies earlier than it should
//   {"counts": true}     how often each endpoint was asked, token requests by grant type
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Provider, errors } from 'oidc-provider';

console.info = console.warn; // oidc-provider's notices are no answers
const [port, ...pairs] = process.argv.slice(2);
const resources = new Map(pairs.map((pair) => [pair.slice(0, pair.lastIndexOf('=')), pair.slice(pair.lastIndexOf('=') + 1)]));
const issuer = `http://127.0.0.1:${port}`;
const scopes = ['customer:read', 'orders:search'];
const settings = { alg: 'RS256', ttl: 600, backdate: 0 };
const counts = {};
const count = (what) => { counts[what] = (counts[what] ?? 0) + 1; };

// What the server remembers outlives a change of keys, which needs a new Provider.
const rows = new Map();
class Memory {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload) { rows.set(this.key(id), payload); }
  async find(id) { return rows.get(this.key(id)); }
  async findByUid(uid) { return [...rows].find(([key, row]) => key.startsWith(`${this.model}:`) && row.uid === uid)?.[1]; }
  async findByUserCode() { return undefined; }
  async consume(id) { rows.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { rows.delete(this.key(id)); }
  async revokeByGrantId(grantId) { for (const [key, row] of rows) if (row.grantId === grantId) rows.delete(key); }
}

function keys() {
  const jwk = (alg, type, options) =>
    ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg });
  return [jwk('RS256', 'rsa', { modulusLength: 2048 }), jwk('ES256', 'ec', { namedCurve: 'P-256' })];
}

const cookieKeys = [randomUUID()];
function serve() {
  const provider = new Provider(issuer, {
    adapter: Memory,
    jwks: { keys: keys() },
    cookies: { keys: cookieKeys },
    scopes: ['openid', 'offline_access', ...scopes],
    clients: [{
      client_id: 'tollgate',
      client_secret: process.env.INTROSPECTION_SECRET,
      redirect_uris: [],
      response_types: [],
      grant_types: [],
    }],
    pkce: { required: () => true },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    extraTokenClaims: () => ({ tenant: 'acme' }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    formats: { customizers: { jwt: (_ctx, _token, jwt) => { jwt.payload.exp -= settings.backdate; } } },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId === 'tollgate' },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => {
          if (!resources.has(resource)) throw new errors.InvalidTarget();
          return {
            scope: scopes.join(' '),
            audience: resource,
            accessTokenTTL: settings.ttl,
            accessTokenFormat: resources.get(resource),
            jwt: { sign: { alg: settings.alg } },
          };
        },
      },
    },
  });
  provider.on('grant.success', (ctx) => count(`grant ${ctx.oidc.params.grant_type}`));
  provider.on('server_error', (_, error) => console.error(error));
  return { provider, callback: provider.callback() };
}
let current = serve();

async function form(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  return new URLSearchParams(Buffer.concat(parts).toString());
}

async function interaction(req, res) {
  const { provider } = current;
  const { prompt, params, session } = await provider.interactionDetails(req, res);
  if (req.method === 'GET') {
    res.setHeader('content-type', 'application/json');
    return res.end(JSON.stringify({ prompt: prompt.name, scope: params.scope, resource: params.resource }));
  }
  if (prompt.name === 'login') {
    return provider.interactionFinished(req, res, { login: { accountId: 'ada' } });
  }
  const ticked = new Set((await form(req)).getAll('grant'));
  const asked = params.scope.split(' ');
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(asked.filter((scope) => ticked.has(scope) || !scopes.includes(scope)));
  grant.addResourceScope(params.resource, asked.filter((scope) => ticked.has(scope)));
  grant.rejectOIDCScope(asked.filter((scope) => scopes.includes(scope) && !ticked.has(scope)));
  grant.rejectResourceScope(params.resource, asked.filter((scope) => !ticked.has(scope)));
  return provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

createServer((req, res) => {
  const path = req.url.split('?')[0];
  count(path.startsWith('/interaction/') ? `${req.method} /interaction` : `${req.method} ${path}`);
  if (!path.startsWith('/interaction/')) return current.callback(req, res);
  return interaction(req, res).catch((error) => { console.error(error); res.statusCode = 500; res.end(); });
}).listen(Number(port), '127.0.0.1', () => console.log(JSON.stringify({ ready: issuer })));

createInterface({ input: process.stdin }).on('line', (line) => {
  const { rotate, ttl, backdate } = JSON.parse(line);
  if (rotate) { settings.alg = rotate; current = serve(); }
  if (ttl) settings.ttl = ttl;
  if (backdate !== undefined) settings.backdate = backdate;
  console.log(JSON.stringify(counts));
}).on('close', () => process.exit(0)); // whoever started this is gone
