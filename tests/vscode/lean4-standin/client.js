// The client of the stand-in, as awkward as the Lean 4 extension's:
// - `running` is undefined until the first start has ended, and so is `isRunning()` during it;
// - without a server `sendRequest` rejects with a string;
// - a stop, a restart and the restart of a file end the questions that are being answered;
// - nobody answers for a worker that has ended.
const { existsSync, readFileSync, readdirSync } = require('node:fs');
const vscode = require('vscode');
const { LeanServer } = require('./server');

const mine = (document) => document.languageId === 'lean4' && document.uri.scheme === 'file';

class Client {
  /** @param note Called with each question when it is asked, and with its answer. */
  constructor(note) {
    this.note = note;
    this.progress = new Map(); // by objects that are new each time, as in the real one
    this.changed = new vscode.EventEmitter();
    this.progressChanged = this.changed.event;
    this.diagnostics = vscode.languages.createDiagnosticCollection('Lean 4');
  }

  isRunning() {
    if (this.running === undefined) {
      this.note({ looked: 'isRunning' }); // who looks has a question, which waits for the first start
    }
    return this.server === undefined ? false : this.running;
  }

  async sendRequest(method, params) {
    this.note({ asked: method, params });
    if (!this.running || this.server === undefined) {
      return Promise.reject('No connection to Lean');
    }
    const answer = await this.server.request(method, params);
    this.note({ method, params, goals: answer?.goals ?? null });
    return answer;
  }

  async start() {
    const server = new LeanServer(JSON.parse(process.env.LLMSTEP_TEST_LEAN_SERVER), (method, params) => {
      this.hear(method, params);
    });
    this.server = server;
    const gate = process.env.LLMSTEP_TEST_LEAN_GATE;
    while (gate !== undefined && !existsSync(gate)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri.toString() ?? null;
    await server.request('initialize', {
      processId: process.pid,
      rootUri: folder,
      capabilities: {},
      initializationOptions: { editDelay: 10, hasWidgets: true },
    });
    server.notify('initialized', {});
    this.running = true;
    vscode.workspace.textDocuments.forEach((document) => this.open(document));
  }

  stop() {
    this.server?.stop();
    this.server = undefined;
    this.running = false;
    this.progress = new Map();
  }

  async restart() {
    this.stop();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await this.start();
  }

  restartFile(document) {
    this.close(document);
    this.open(document);
  }

  /** End the workers from outside, as the system does when memory is short. */
  killWorkers() {
    for (const process_ of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const stat = readFileSync(`/proc/${process_}/stat`, 'utf8');
        if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === this.server.child.pid) {
          process.kill(Number(process_), 'SIGKILL');
        }
      } catch {
        // it has gone meanwhile
      }
    }
  }

  open(document) {
    if (mine(document)) {
      const { uri, version } = document;
      const textDocument = { uri: uri.toString(), languageId: 'lean4', version, text: document.getText() };
      this.tell('textDocument/didOpen', { textDocument });
    }
  }

  change(document) {
    if (mine(document)) {
      const textDocument = { uri: document.uri.toString(), version: document.version };
      this.tell('textDocument/didChange', { textDocument, contentChanges: [{ text: document.getText() }] });
    }
  }

  close(document) {
    if (mine(document)) {
      this.tell('textDocument/didClose', { textDocument: { uri: document.uri.toString() } });
      this.diagnostics.delete(document.uri);
    }
  }

  tell(method, params) {
    if (this.running) {
      this.server.notify(method, params);
    }
  }

  hear(method, params) {
    if (method === '$/lean/fileProgress') {
      const uri = vscode.Uri.parse(params.textDocument.uri).toString();
      this.progress.set({ toString: () => uri }, params.processing);
      this.changed.fire([uri, params.processing]);
    } else if (method === 'textDocument/publishDiagnostics') {
      const found = params.diagnostics.map(
        ({ range, message, severity }) => new vscode.Diagnostic(rangeOf(range), message, (severity ?? 1) - 1),
      );
      this.diagnostics.set(vscode.Uri.parse(params.uri), found);
    }
  }

  /** Lean's own code actions, those of `Try this` among them; held back while the test's file says so. */
  async provideCodeActions(document, range) {
    while (existsSync(process.env.LLMSTEP_TEST_QUICK_FIXES_HELD ?? '')) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    if (!this.running) {
      return [];
    }
    const { start, end } = range;
    const textDocument = { uri: document.uri.toString() };
    const asked = { textDocument, range: { start, end }, context: { diagnostics: [] } };
    const actions = (await this.server.request('textDocument/codeAction', asked)) ?? [];
    return Promise.all(
      actions.map(async (action) => {
        const { edit } = action.edit === undefined ? await this.server.request('codeAction/resolve', action) : action;
        const made = new vscode.CodeAction(action.title, vscode.CodeActionKind.QuickFix);
        made.isPreferred = action.isPreferred ?? undefined;
        made.edit = new vscode.WorkspaceEdit();
        for (const { textDocument: file, edits } of edit.documentChanges) {
          edits.forEach((each) => made.edit.replace(vscode.Uri.parse(file.uri), rangeOf(each.range), each.newText));
        }
        return made;
      }),
    );
  }
}

function rangeOf({ start, end }) {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}

module.exports = { Client };
