import * as vscode from 'vscode';
import type { Extension } from '../main';
import type { SuggestAnswer } from '../server/protocol';

/** Register all commands; each failure is told in one place. */
export function registerCommands(extension: Extension): vscode.Disposable[] {
  const register = (name: string, run: (argument?: unknown) => unknown): vscode.Disposable =>
    vscode.commands.registerCommand(`llmstep.${name}`, async (argument?: unknown) => {
      try {
        return await run(argument);
      } catch (error) {
        extension.tell(error);
        return undefined;
      }
    });
  return [
    register('suggest', async (argument) => {
      const answer = await extension.session.execute<SuggestAnswer>('llmstep.suggest', argument ?? here());
      if (answer.suggestions.length > 0) {
        await vscode.commands.executeCommand('editor.action.quickFix');
      }
      return answer;
    }),
    register('prove', (argument) => extension.session.execute('llmstep.prove', argument ?? here())),
    register('stop', () => extension.session.execute('llmstep.stop')),
    register('restart', () => extension.session.restart()),
    register('stopServer', () => extension.session.stop()),
    register('restartLean', () => extension.session.execute('llmstep.restartLean')),
    register('showLog', () => { extension.log.show(); }),
  ];
}

function here(): unknown {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    return undefined;
  }
  const { line, character } = editor.selection.active;
  return { textDocument: { uri: editor.document.uri.toString() }, position: { line, character } };
}
