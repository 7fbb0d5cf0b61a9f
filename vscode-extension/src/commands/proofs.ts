import * as vscode from 'vscode';
import type { FillAnswer, ProveAnswer } from '../server/protocol';
import { type PlaceArgument, applyEdits, leanEditor, placeAtHand } from './place';
import type { Extension } from '../extension';
import { present } from './results';
import { withProgress } from './run';
import { plural } from '../words';

/** Look for a proof of the goal, and open the menu, whose first entry is the proof; the panel shows it by itself. */
export async function prove({ session, notify }: Extension, given?: PlaceArgument, from?: 'panel'): Promise<ProveAnswer | undefined> {
  const place = placeAtHand(given);
  if (place === undefined) {
    return undefined;
  }
  const answer = await withProgress<ProveAnswer>(session, 'Completing the proof', 'llmstep.prove', place);
  if (answer.partial !== null) {
    const left = plural(answer.partial.goals.length, 'goal');
    void notify.info(`The proof is complete except for ${left}. It is offered at its place.`);
  } else if (answer.proof === null) {
    const effort = answer.rounds > 0 ? plural(answer.rounds, 'round') : `${answer.expansions} expansions`;
    void notify.info(`No proof was found in ${effort}.`, {
      title: 'Suggest a Step',
      run: () => vscode.commands.executeCommand('llmstep.suggest', place),
    });
  }
  if ((answer.partial !== null || answer.proof !== null) && from === undefined) {
    await present(session, notify, place, answer.partial === null ? 'a whole proof' : 'a part of a proof');
  }
  return answer;
}

/** Look for a proof of each `sorry` of the file, and insert those that were found. */
export async function fillSorries({ session, notify }: Extension): Promise<FillAnswer | undefined> {
  const document = leanEditor()?.document;
  if (document === undefined) {
    return undefined;
  }
  const { version } = document;
  const argument = { textDocument: { uri: document.uri.toString() } };
  const answer = await withProgress<FillAnswer>(session, 'Filling sorries', 'llmstep.fillSorries', argument);
  const [proved, all] = [answer.proved.length, answer.proved.length + answer.failed.length];
  if (all === 0) {
    void notify.info('There is no sorry in this file.');
  } else if (proved > 0 && document.version !== version) {
    void notify.info(`${proved} of ${all} sorries have a proof. The file has changed, so they are offered at their places.`);
  } else {
    await applyEdits(document.uri, answer.proved.map(({ edit }) => edit));
    void notify.info(`${proved} of ${all} sorries were filled.`);
  }
  return answer;
}
