import * as vscode from 'vscode';
import type { Notifier } from '../notify';
import type { FillAnswer, ProveAnswer } from '../server/protocol';
import type { Session } from '../server/session';
import { applyEdits } from './edits';
import { Menu } from './menu';
import { type PlaceArgument, editorAt, leanEditor, placeAtHand } from './place';
import { withProgress } from './run';

/** The commands for whole proofs. */
export class ProofCommands {
  constructor(
    private readonly session: Session,
    private readonly notify: Notifier,
  ) {}

  /** Look for a proof of the goal, and open the menu, whose first entry is the proof; the panel shows it by itself. */
  async prove(given?: PlaceArgument, from: 'editor' | 'panel' = 'editor'): Promise<ProveAnswer | undefined> {
    const place = placeAtHand(given);
    if (place === undefined) {
      return undefined;
    }
    const menu = new Menu(this.session.onDidAskForQuickFixes, given !== undefined);
    const answer = await withProgress<ProveAnswer>(this.session, 'Completing the proof', 'llmstep.prove', place);
    if (answer.partial !== null) {
      const left = count(answer.partial.goals.length, 'goal');
      void this.notify.info(`The proof is complete except for ${left}. It is offered at its place.`);
    } else if (answer.proof === null) {
      const effort = answer.rounds > 0 ? count(answer.rounds, 'round') : `${answer.expansions} expansions`;
      void this.notify.info(`No proof was found in ${effort}.`, {
        title: 'Suggest a Step',
        run: () => vscode.commands.executeCommand('llmstep.suggest', place),
      });
    }
    if ((answer.partial !== null || answer.proof !== null) && from === 'editor' && editorAt(place) !== undefined) {
      await menu.open();
    }
    return answer;
  }

  /** Look for a proof of each `sorry` of the file, and insert those that were found. */
  async fillSorries(): Promise<FillAnswer | undefined> {
    const document = leanEditor()?.document;
    if (document === undefined) {
      return undefined;
    }
    const { version } = document;
    const argument = { textDocument: { uri: document.uri.toString() } };
    const answer = await withProgress<FillAnswer>(this.session, 'Filling sorries', 'llmstep.fillSorries', argument);
    const [proved, all] = [answer.proved.length, answer.proved.length + answer.failed.length];
    if (all === 0) {
      void this.notify.info('There is no sorry in this file.');
    } else if (proved > 0 && document.version !== version) {
      void this.notify.info(`${proved} of ${all} sorries have a proof. The file has changed, so they are offered at their places.`);
    } else {
      await applyEdits(document.uri, answer.proved.map(({ edit }) => edit));
      void this.notify.info(`${proved} of ${all} sorries were filled.`);
    }
    return answer;
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
