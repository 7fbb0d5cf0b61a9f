// Stands in for the Lean 4 extension: the same exports, over a real Lean server that is told of open Lean documents.
//
// LLMSTEP_TEST_LEAN_SERVER is the server's command line, as JSON. That the client is there, and then every request through
// it, is noted in the file LLMSTEP_TEST_LEAN_REQUESTS, one JSON object a line.
const { appendFileSync } = require('node:fs');
const vscode = require('vscode');
const { LeanServer } = require('./server');

const note = (what) => appendFileSync(process.env.LLMSTEP_TEST_LEAN_REQUESTS, JSON.stringify(what) + '\n');
const FEATURES = 500; // ms; the real extension, too, has its client some time after its activation

class Client {
  constructor(server) {
    this.server = server;
  }

  isRunning() {
    return this.server.running;
  }

  async sendRequest(method, params) {
    const answer = await this.server.request(method, params);
    note({ method, params, goals: answer?.goals ?? null });
    return answer;
  }
}

class ClientProvider {
  constructor(client) {
    this.client = client;
  }

  /** As in the real one, `uri` is an ExtUri: `scheme` and `fsPath`, compared by methods of its own. */
  findClient(uri) {
    return uri.scheme === 'file' && typeof uri.equals === 'function' ? this.client : undefined;
  }

  getActiveClient() {
    return this.client;
  }
}

async function start(context) {
  const server = new LeanServer(JSON.parse(process.env.LLMSTEP_TEST_LEAN_SERVER));
  context.subscriptions.push({ dispose: () => server.stop() });
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.toString() ?? null;
  await server.request('initialize', { processId: process.pid, rootUri: folder, capabilities: {} });
  server.notify('initialized', {});
  const mine = (document) => document.languageId === 'lean4' && document.uri.scheme === 'file';
  const open = (document) => {
    if (mine(document)) {
      const { uri, version } = document;
      server.notify('textDocument/didOpen', {
        textDocument: { uri: uri.toString(), languageId: 'lean4', version, text: document.getText() },
      });
    }
  };
  vscode.workspace.textDocuments.forEach(open);
  context.subscriptions.push(
    vscode.workspace.onDidOpenTextDocument(open),
    vscode.workspace.onDidChangeTextDocument(({ document }) => {
      if (mine(document)) {
        const { uri, version } = document;
        server.notify('textDocument/didChange', {
          textDocument: { uri: uri.toString(), version },
          contentChanges: [{ text: document.getText() }],
        });
      }
    }),
    vscode.workspace.onDidCloseTextDocument((document) => {
      if (mine(document)) {
        server.notify('textDocument/didClose', { textDocument: { uri: document.uri.toString() } });
      }
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, FEATURES));
  note({ method: 'initialize' });
  return { clientProvider: new ClientProvider(new Client(server)) };
}

exports.activate = (context) => ({ alwaysEnabledFeatures: {}, lean4EnabledFeatures: start(context) });
