// Drives a Tollgate server with the official TypeScript SDK. Part of scripts/interop; the steps are those of
// interop_client.py.
//
//   interop_client.mjs --era modern|legacy --url URL --token TOKEN --weak-token TOKEN
//   interop_client.mjs --era modern|legacy --weak-config FILE --stdio COMMAND ARGS...
//
// One line per step, `ok ...` or `FAIL ...`; exits 1 if any failed.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { setTimeout as sleep } from 'node:timers/promises';

const words = process.argv.slice(2);
const after = (flag) => words[words.indexOf(flag) + 1];
const era = after('--era');
const stdio = words.includes('--stdio') ? words.slice(words.indexOf('--stdio') + 1) : undefined;
const [RATE_LIMITED, NOT_ALLOWED] = [42901, 40301];
let failures = 0;
const step = (good, name, detail = '') => {
  failures += good ? 0 : 1;
  console.log(`${good ? 'ok  ' : 'FAIL'} ${name}${detail === '' ? '' : ` | ${detail}`}`.replace(/\n/g, ' ').slice(0, 300));
  return good;
};
const show = (error) => (error ? `${error.name} ${error.code ?? ''}: ${error.message} ${JSON.stringify(error.data) ?? ''}` : 'it was answered');
const errorOf = (promise) => promise.then(() => undefined, (error) => error);
const textOf = ({ content, contents }) => (content ?? contents).map(({ text }) => text ?? '').join(' ');

function transport(weak) {
  if (stdio) {
    const [command, ...args] = stdio;
    return new StdioClientTransport({ command, args: weak ? ['serve', '--mode', 'stdio', '--config', after('--weak-config')] : args, stderr: 'ignore' });
  }
  const headers = { Authorization: `Bearer ${after(weak ? '--weak-token' : '--token')}` };
  return new StreamableHTTPClientTransport(new URL(after('--url')), { requestInit: { headers } });
}

async function connected(weak, steps) {
  // "auto" asks server/discover and falls back to initialize; "legacy" is the SDK's default.
  const client = new Client({ name: 'scripts/interop', version: '1' }, { versionNegotiation: { mode: era === 'legacy' ? 'legacy' : 'auto' } });
  await client.connect(transport(weak));
  try {
    await steps(client, (name, args) => client.callTool({ name, arguments: args }));
  } finally {
    await client.close();
  }
}

async function drive(client, call) {
  const version = client.getNegotiatedProtocolVersion();
  step(version === (era === 'legacy' ? '2025-11-25' : '2026-07-28'), 'negotiated version', version);
  step(client.getServerVersion()?.name, 'server names itself', client.getServerVersion()?.name);
  step(client.getServerCapabilities()?.tools, 'server advertises tools');

  const names = (await client.listTools()).tools.map(({ name }) => name);
  step(names.includes('get_customer') && names.includes('find_orders'), 'tools/list', names.join(', '));

  const jane = await call('get_customer', { customer_id: 'c-42' });
  step(!jane.isError && textOf(jane).includes('Jane Doe'), 'tools/call get_customer c-42', textOf(jane));
  step(jane.structuredContent?.name === 'Jane Doe' && jane.structuredContent?.tier === 'gold', 'its structured content', JSON.stringify(jane.structuredContent));
  const orders = await call('find_orders', { query: 'o-123' });
  step(!orders.isError && textOf(orders).includes('o-123'), 'tools/call find_orders o-123', textOf(orders));

  const templates = (await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate);
  step(templates.includes('customers://{customer_id}'), 'resources/templates/list', templates.join(', '));
  const read = await client.readResource({ uri: 'customers://c-42' });
  step(textOf(read).includes('Jane Doe'), 'resources/read customers://c-42', textOf(read));

  // A server may have no prompts: then there is nothing to get.
  for (const prompt of client.getServerCapabilities()?.prompts ? (await client.listPrompts()).prompts : []) {
    const required = (prompt.arguments ?? []).filter((argument) => argument.required);
    const got = await client.getPrompt({ name: prompt.name, arguments: Object.fromEntries(required.map(({ name }) => [name, 'c-42'])) });
    step(got.messages.length > 0, `prompts/get ${prompt.name}`, got.messages[0]?.content?.text ?? '');
  }

  for (const [name, args] of [['missing', {}], ['of a wrong type', { customer_id: 42 }], ['unknown', { customer_id: 'c-42', tenant_id: 'globex' }]]) {
    const result = await call('get_customer', args);
    step(result.isError, `an argument ${name} gives isError`, textOf(result));
  }
  const unknown = await errorOf(call('no_such_tool', {}));
  step(unknown?.code === -32602, 'an unknown tool is JSON-RPC error -32602', show(unknown));

  let limited;
  for (let i = 0; i < 7 && !limited; i++) limited = await errorOf(call('get_customer', { customer_id: 'c-42' }));
  if (step(limited?.code === RATE_LIMITED, `within 7 quick calls one is refused with ${RATE_LIMITED}`, show(limited))) {
    await sleep(limited.data.retryAfterMs + 50);
    const again = await call('get_customer', { customer_id: 'c-42' });
    step(!again.isError, 'after retryAfterMs it works again', textOf(again));
  }
}

async function refused(client, call) {
  const names = (await client.listTools()).tools.map(({ name }) => name);
  step(!names.includes('get_customer') && names.includes('find_orders'), 'tools/list hides what a scope is missing for', names.join(', '));
  const error = await errorOf(call('get_customer', { customer_id: 'c-42' }));
  // Over HTTP this SDK makes an error of its own of a 403, out of the challenge and not of the body.
  const told = stdio ? error?.code === NOT_ALLOWED : error?.requiredScope === 'customer:read';
  step(told && show(error).includes('customer:read'), 'its call is refused naming the scope', show(error));
  const orders = await call('find_orders', { query: 'o-123' });
  step(!orders.isError, 'the client goes on after the refusal', textOf(orders));
}

try {
  await connected(false, drive);
  await connected(true, refused);
} catch (error) {
  step(false, 'runs to its end', `${show(error)} ${error?.stack?.split('\n')[1] ?? ''}`);
}
process.exit(failures ? 1 : 0);
