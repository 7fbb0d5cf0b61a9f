import * as vscode from 'vscode';
import type { Notifier } from '../notify';
import type { Known } from '../server/protocol';
import type { Session } from '../server/session';
import { visible } from '../words';
import { type PlaceArgument, isAt } from './place';

interface Entry extends vscode.QuickPickItem {
  /** What choosing it runs. */
  readonly run?: readonly [command: string, argument: object];
}

/** Show what a run came to: in the menu where the user still is, else by a notification that leads back. */
export async function present(session: Session, notify: Notifier, place: PlaceArgument, found: string): Promise<void> {
  if (isAt(place) && (await showResults(session, place))) {
    return;
  }
  const { textDocument, position } = place;
  const uri = vscode.Uri.parse(textDocument.uri);
  const at = new vscode.Position(position.line, position.character);
  void notify.info(`Found for line ${at.line + 1} of ${uri.path.split('/').at(-1) ?? ''}: ${found}.`, {
    title: 'Show',
    run: async () => {
      await vscode.window.showTextDocument(uri, { selection: new vscode.Range(at, at) });
      if (!(await showResults(session, place))) {
        void notify.info('The goal has changed meanwhile. Ask for suggestions again.');
      }
    },
  });
}

/**
 * The menu of results: the steps that are known for the goal at a place, best first, and what else can be done there.
 *
 * It is a list of the extension's own, and stays until the user chooses or closes it. VS Code's menu of quick fixes is
 * lost too easily: a question of VS Code's own, behind new messages of Lean for example, takes away the menu that is on
 * its way, and a change of the editor's size the open one; the extension hears of neither.
 *
 * @returns Whether there is anything to show.
 */
async function showResults(session: Session, asked: PlaceArgument): Promise<boolean> {
  const { textDocument, position, diagnostics } = asked; // without what else the run was asked for
  const place = { textDocument, position, ...(diagnostics === undefined ? {} : { diagnostics }) };
  const known = await session.known(place);
  if (known === null || known.suggestions.length === 0) {
    return false;
  }
  const title = `llmstep: choose a step for line ${position.line + 1}`;
  const options = { title, placeHolder: known.summary, ignoreFocusOut: true };
  void vscode.window.showQuickPick(entries(known, place), options).then((chosen) =>
    chosen?.run === undefined ? undefined : vscode.commands.executeCommand(...chosen.run),
  );
  return true;
}

/** The entries of the menu; a step of several lines stands in full below its title. */
export function entries({ suggestions }: Pick<Known, 'suggestions'>, place: PlaceArgument): Entry[] {
  return [
    ...suggestions.map(({ text, title }): Entry => ({
      label: plain(title),
      ...(text.includes('\n') ? { detail: plain(text.replace(/\s*\n\s*/g, ' ⏎ ')) } : {}),
      run: ['llmstep.insert', { ...place, text }],
    })),
    { label: '', kind: vscode.QuickPickItemKind.Separator },
    { label: '$(lightbulb) More suggestions', run: ['llmstep.suggest', { ...place, more: true }] },
    { label: '$(checklist) Complete the proof', run: ['llmstep.prove', place] },
  ];
}

/** A text that VS Code shows as it is: it would make an icon of `$(name)`. */
function plain(text: string): string {
  return visible(text).replaceAll('$(', '\\$(');
}
