import * as vscode from 'vscode';
import { type Notifier, commandAction } from '../notify';
import type { SuggestionsPanel } from '../panel/panel';
import type { ShownSuggestion, SuggestAnswer } from '../server/protocol';
import type { Session } from '../server/session';
import { insert } from './edits';
import { Menu } from './menu';
import { type PlaceArgument, editorAt, leanEditor, placeAtHand, placeOf } from './place';

const STATUS_MS = 8000;

/** The commands around one step: ask, look through what came, accept. */
export class SuggestCommands {
  constructor(
    private readonly session: Session,
    private readonly notify: Notifier,
    private readonly panel: SuggestionsPanel,
  ) {}

  /**
   * Ask for steps, at the place that the lightbulb gives or at the cursor, and open the menu with what came.
   *
   * The menu stays closed when the user has gone elsewhere meanwhile, and for runs that the panel began.
   */
  async suggest(
    given?: PlaceArgument,
    more: { prefix?: string; more?: boolean } = {},
    from: 'editor' | 'panel' = 'editor',
  ): Promise<SuggestAnswer | undefined> {
    const place = placeAtHand(given);
    if (place === undefined) {
      return undefined;
    }
    const menu = new Menu(this.session.onDidAskForQuickFixes, given !== undefined);
    await this.panel.showForRun();
    const answer = await this.session.execute<SuggestAnswer>('llmstep.suggest', { ...place, ...more });
    if (from === 'panel') {
      return answer;
    }
    if (answer.suggestions.length === 0) {
      void this.notify.info(`No step was found: ${answer.summary}.`, {
        title: 'Try Again',
        run: () => vscode.commands.executeCommand('llmstep.suggest', { ...place, ...more, more: true }),
      }, ...(answer.rejected.length === 0 ? [] : [commandAction('Show Rejected', 'llmstep.showPanel')]));
    } else if (editorAt(place) !== undefined) {
      await menu.open();
    } else {
      vscode.window.setStatusBarMessage(`llmstep: ${answer.summary}`, STATUS_MS);
    }
    return answer;
  }

  async suggestWithPrefix(given?: PlaceArgument): Promise<SuggestAnswer | undefined> {
    const place = placeAtHand(given);
    if (place === undefined) {
      return undefined;
    }
    const prefix = await vscode.window.showInputBox({
      title: 'Suggest the next step with a prefix',
      prompt: 'How the step begins',
      placeHolder: 'rw [',
    });
    return prefix === undefined ? undefined : this.suggest(place, { prefix }, given === undefined ? 'editor' : 'panel');
  }

  /** Insert the step that the hint at the cursor shows; where there is none, ask for steps. */
  async accept(): Promise<ShownSuggestion | undefined> {
    const editor = leanEditor();
    const shown = await this.#shown(editor, 'llmstep.accept');
    if (editor !== undefined && shown !== undefined && (await insert(editor, shown.edit))) {
      await vscode.commands.executeCommand('setContext', 'llmstep.accepted', true);
    }
    return shown;
  }

  /** Have the hint at the cursor show the next suggestion, or with -1 the one before. */
  async turn(step: 1 | -1): Promise<ShownSuggestion | undefined> {
    const shown = await this.#shown(leanEditor(), 'llmstep.choose', { step });
    if (shown !== undefined) {
      const mark = shown.verdict === 'closes' ? ' ✓' : '';
      const text = `${shown.index + 1} of ${shown.count}: ${shown.text.split('\n')[0] ?? ''}${mark}`;
      vscode.window.setStatusBarMessage(`llmstep: ${text}`, STATUS_MS);
    }
    return shown;
  }

  /** What a command answers for the hint at the cursor; where there is none, steps are asked for. */
  async #shown(editor: vscode.TextEditor | undefined, command: string, more: object = {}): Promise<ShownSuggestion | undefined> {
    if (editor === undefined) {
      return undefined;
    }
    const shown = await this.session.execute<ShownSuggestion | null>(command, { ...placeOf(editor), ...more });
    if (shown === null) {
      await this.suggest();
    }
    return shown ?? undefined;
  }
}
