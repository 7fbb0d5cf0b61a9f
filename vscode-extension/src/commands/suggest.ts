import * as vscode from 'vscode';
import { commandAction } from '../notify';
import type { ShownSuggestion, SuggestAnswer } from '../server/protocol';
import { plural } from '../words';
import { type PlaceArgument, insert, leanEditor, placeAtHand, placeOf } from './place';
import type { Extension } from '../extension';
import { present } from './results';

const STATUS_MS = 8000;

interface SuggestArgument extends PlaceArgument {
  readonly prefix?: string;
  readonly more?: boolean;
}

/**
 * Ask for steps, at the place that the lightbulb gives or at the cursor, and open the menu with what came.
 *
 * Of a run that the panel began the panel shows it.
 */
export async function suggest(
  { session, notify, panel }: Extension,
  given?: SuggestArgument,
  from?: 'panel',
): Promise<SuggestAnswer | undefined> {
  const place = placeAtHand(given);
  if (place === undefined) {
    return undefined;
  }
  await panel.showForRun();
  const answer = await session.execute<SuggestAnswer>('llmstep.suggest', place);
  if (from === 'panel') {
    return answer;
  }
  if (answer.suggestions.length === 0) {
    void notify.info(`No step was found: ${answer.summary}.`, {
      title: 'Try Again',
      run: () => vscode.commands.executeCommand('llmstep.suggest', { ...place, more: true }),
    }, ...(answer.rejected.length === 0 ? [] : [commandAction('Show Rejected', 'llmstep.showPanel')]));
  } else {
    await present(session, notify, place, plural(answer.suggestions.length, 'step'));
  }
  return answer;
}

export async function suggestWithPrefix(
  parts: Extension,
  given?: PlaceArgument,
  from?: 'panel',
): Promise<SuggestAnswer | undefined> {
  const place = placeAtHand(given);
  if (place === undefined) {
    return undefined;
  }
  const prefix = await vscode.window.showInputBox({
    title: 'Suggest the next step with a prefix',
    prompt: 'How the step begins',
    placeHolder: 'rw [',
  });
  return prefix === undefined ? undefined : suggest(parts, { ...place, prefix }, from);
}

/** Insert the step that the hint at the cursor shows; where there is none, ask for steps. */
export async function accept(parts: Extension): Promise<ShownSuggestion | undefined> {
  const editor = leanEditor();
  const shown = await shownAt(parts, editor, 'llmstep.accept');
  if (editor !== undefined && shown !== undefined && (await insert(editor, shown.edit))) {
    await vscode.commands.executeCommand('setContext', 'llmstep.accepted', true);
  }
  return shown;
}

/** Have the hint at the cursor show the next suggestion, or with -1 the one before. */
export async function turn(parts: Extension, step: 1 | -1): Promise<ShownSuggestion | undefined> {
  const shown = await shownAt(parts, leanEditor(), 'llmstep.choose', { step });
  if (shown !== undefined) {
    const mark = shown.verdict === 'closes' ? ' ✓' : '';
    const text = `${shown.index + 1} of ${shown.count}: ${shown.text.split('\n')[0] ?? ''}${mark}`;
    vscode.window.setStatusBarMessage(`llmstep: ${text}`, STATUS_MS);
  }
  return shown;
}

/** What a command answers for the hint at the cursor; where there is none, steps are asked for. */
async function shownAt(
  parts: Extension,
  editor: vscode.TextEditor | undefined,
  command: string,
  more: object = {},
): Promise<ShownSuggestion | undefined> {
  if (editor === undefined) {
    return undefined;
  }
  const shown = await parts.session.execute<ShownSuggestion | null>(command, { ...placeOf(editor), ...more });
  if (shown === null) {
    await suggest(parts);
  }
  return shown ?? undefined;
}
