// Drives core-mcp with the official TypeScript client. Reads a plan from stdin, prints what happened as JSON.
// The plan is the one of ../python/drive.py; `mode` is "legacy", "auto" or a protocol revision.

import { readFileSync } from 'node:fs';

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const TIMEOUT_MS = 60_000;

function transportFor(plan) {
  if (plan.http) {
    const headers = { Authorization: `Bearer ${plan.http.token}` };
    return new StreamableHTTPClientTransport(new URL(plan.http.url), { requestInit: { headers } });
  }
  const { command, args, env } = plan.stdio;
  return new StdioClientTransport({ command, args, env: { PATH: process.env.PATH, ...env } });
}

async function step(client, plan) {
  if (plan.list) {
    const found = [];
    let cursor;
    do {
      const page = await client.listTools(cursor ? { cursor } : undefined);
      found.push(...page.tools);
      cursor = page.nextCursor;
    } while (cursor);
    return {
      tools: found.map((tool) => ({
        name: tool.name,
        title: tool.title,
        input_schema: tool.inputSchema,
        output_schema: tool.outputSchema,
        annotations: tool.annotations,
      })),
    };
  }
  const progress = [];
  const onprogress = ({ progress: done, total, message }) => progress.push([done, total ?? null, message ?? null]);
  const params = { name: plan.call, arguments: plan.arguments };
  const result = await client.callTool(params, { onprogress, timeout: TIMEOUT_MS });
  const texts = result.content.filter((block) => block.type === 'text').map((block) => block.text);
  return {
    structured: result.structuredContent ?? null,
    text: texts[0] ?? '',
    notes: texts.slice(1),
    is_error: Boolean(result.isError),
    progress,
  };
}

async function drive(plan) {
  const mode = ['legacy', 'auto'].includes(plan.mode) ? plan.mode : { pin: plan.mode };
  const info = { name: 'core-mcp-tests', version: '1.0.0' };
  const client = new Client(info, { versionNegotiation: { mode } });
  await client.connect(transportFor(plan));
  const steps = [];
  for (const one of plan.steps) {
    try {
      steps.push(await step(client, one));
    } catch (error) {
      steps.push({ error: `${error.name}: ${error.message}` });
    }
  }
  const protocol = client.getNegotiatedProtocolVersion?.() ?? null;
  await client.close();
  return { protocol, steps };
}

let report;
try {
  report = await drive(JSON.parse(readFileSync(0, 'utf8')));
} catch (error) {
  report = { connect_error: `${error.name}: ${error.message}` };
}
console.log(JSON.stringify(report));
