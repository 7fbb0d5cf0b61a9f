// Stands in for the Lean 4 extension: the same exports, over a real Lean server that is told of open Lean documents.
//
// LLMSTEP_TEST_LEAN_SERVER is the server's command line, as JSON; it is ready when the file LLMSTEP_TEST_LEAN_GATE is there.
// That the provider of clients is there, and then every request through its client, is noted in the file
// LLMSTEP_TEST_LEAN_REQUESTS, one JSON object a line; so is each of its commands, when it is done.
const { appendFileSync } = require('node:fs');
const vscode = require('vscode');
const { Client } = require('./client');

const note = (what) => appendFileSync(process.env.LLMSTEP_TEST_LEAN_REQUESTS, JSON.stringify(what) + '\n');
const FEATURES = 500; // ms; the real extension, too, has its client some time after its activation

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
  const client = new Client(note);
  const commands = {
    restartServer: () => client.restart(),
    stopServer: () => client.stop(),
    restartFile: () => client.restartFile(vscode.window.activeTextEditor.document),
    killWorkers: () => client.killWorkers(),
  };
  context.subscriptions.push(
    { dispose: () => client.stop() },
    vscode.workspace.onDidOpenTextDocument((document) => client.open(document)),
    vscode.workspace.onDidChangeTextDocument(({ document }) => client.change(document)),
    vscode.workspace.onDidCloseTextDocument((document) => client.close(document)),
    vscode.languages.registerCodeActionsProvider({ language: 'lean4', scheme: 'file' }, client),
    ...Object.entries(commands).map(([name, run]) =>
      vscode.commands.registerCommand(`lean4.${name}`, async () => {
        await run();
        note({ done: name });
      }),
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, FEATURES));
  void client.start();
  note({ method: 'initialize' });
  return { clientProvider: new ClientProvider(client) };
}

exports.activate = (context) => ({ alwaysEnabledFeatures: {}, lean4EnabledFeatures: start(context) });
