// The official TypeScript SDK through OAuth: from no token to a step-up. Part of scripts/oauth; see oauth_client.py.
//
//   oauth_client.mjs MCP_URL ISSUER auto|legacy
//
// One line per promise, `ok ...` or `FAIL ...`; exits 1 if any failed.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';

const [url, issuer, era] = process.argv.slice(2);
const REDIRECT = 'http://127.0.0.1:1/callback'; // never opened: the user below reads the answer off the redirect to it
let failures = 0;
const step = (good, name, detail = '') => {
  failures += good ? 0 : 1;
  console.log(`${good ? 'ok' : 'FAIL'} ${name}${detail === '' ? '' : ` | ${detail}`}`.slice(0, 300));
};

/** Ada at the OpenID Connect server's pages: follows redirects with a cookie jar, ticks `ticks` of what is asked. */
const user = { ticks: ['customer:read'], jar: new Map() };
user.visit = async (start) => {
  for (let at = new URL(start), i = 0; i < 10; i++) {
    const asked = at.pathname.startsWith('/interaction/');
    const response = await fetch(at, {
      method: asked ? 'POST' : 'GET',
      body: asked ? new URLSearchParams(user.ticks.map((scope) => ['grant', scope])) : undefined,
      headers: { cookie: [...user.jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      redirect: 'manual',
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [name, value] = cookie.split(';')[0].split('=');
      if (value) user.jar.set(name, value); else user.jar.delete(name);
    }
    const location = response.headers.get('location');
    if (!location) throw new Error(`${response.status} at ${at.pathname}`);
    at = new URL(location, at);
    if (at.href.startsWith(REDIRECT)) return at.searchParams;
  }
  throw new Error('the redirects do not end');
};

const kept = {};
const provider = {
  redirectUrl: REDIRECT,
  clientMetadata: { client_name: 'scripts/oauth', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' },
  state: () => 'state',
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client; },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; },
  redirectToAuthorization: (to) => { kept.redirect = to; },
  saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  codeVerifier: () => kept.verifier,
};

const trace = [];
const traced = async (input, init) => {
  const response = await fetch(input, init);
  trace.push({ path: new URL(input.url ?? input).pathname, status: response.status, challenge: response.headers.get('www-authenticate') ?? '' });
  return response;
};
const newClient = () => new Client({ name: 'scripts/oauth', version: '1' }, { versionNegotiation: { mode: era } });
const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider, fetch: traced });

/** What `action` comes to once the user has been sent to the authorization server and back. */
async function authorizing(on, action) {
  try {
    await action(on);
    throw new Error('no authorization was asked for');
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
  }
  await on.finishAuth(await user.visit(kept.redirect));
}

try {
  await authorizing(transport(), (on) => newClient().connect(on));
  step(trace[0].status === 401 && trace[0].challenge.includes('resource_metadata='), 'the first call is 401 with the metadata\'s address');
  step(kept.tokens.issuer === issuer, 'the issuer is found by metadata', kept.tokens.issuer);
  const asked = kept.redirect.searchParams;
  step(asked.get('code_challenge_method') === 'S256' && asked.get('resource') === url, 'it asks with PKCE for this resource');
  step(kept.tokens.scope.split(' ').includes('customer:read') && !kept.tokens.scope.includes('orders:search'), 'the token has one scope', kept.tokens.scope);

  const on = transport();
  const client = newClient();
  await client.connect(on);
  const version = client.getNegotiatedProtocolVersion();
  step(version === (era === 'legacy' ? '2025-11-25' : '2026-07-28'), 'the session is served', version);
  const jane = await client.callTool({ name: 'get_customer', arguments: { customer_id: 'c-42' } });
  step(jane.structuredContent?.name === 'Jane Doe', 'get_customer works', JSON.stringify(jane.structuredContent));

  user.ticks.push('orders:search');
  const search = () => client.callTool({ name: 'find_orders', arguments: { query: 'o-123' } });
  trace.length = 0;
  await authorizing(on, search);
  const refused = trace.filter(({ status }) => status === 403);
  step(refused.length === 1 && refused[0].challenge.includes('insufficient_scope') && refused[0].challenge.includes('scope="orders:search"'),
    'find_orders is one 403 insufficient_scope', refused[0]?.challenge);
  const union = kept.redirect.searchParams.get('scope').split(' ');
  step(union.includes('customer:read') && union.includes('orders:search'), 'the step-up asks for the union of the scopes', union.join(' '));
  const orders = await search();
  step(JSON.stringify(orders.structuredContent).includes('o-123'), 'find_orders works after it', JSON.stringify(orders.structuredContent));
  await client.close();
} catch (error) {
  step(false, 'runs to its end', `${error?.name}: ${error?.message} ${error?.stack?.split('\n')[1] ?? ''}`);
}
process.exit(failures ? 1 : 0);
