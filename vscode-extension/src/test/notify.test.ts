import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { Notifier, type Toasts } from '../notify';
import { actionsFor, show } from '../server/messages';

interface Toast {
  readonly kind: keyof Toasts;
  readonly message: string;
  readonly buttons: readonly string[];
  readonly press: (button?: string) => void;
}

/** Notifications that a test sees and presses. */
function recorder(): { notify: Notifier; toasts: Toast[] } {
  const toasts: Toast[] = [];
  const shower =
    (kind: keyof Toasts) =>
    (message: string, ...buttons: string[]) =>
      new Promise<string | undefined>((press) => toasts.push({ kind, message, buttons, press }));
  const log = vscode.window.createOutputChannel('llmstep tests', { log: true });
  const made = { error: shower('error'), warning: shower('warning'), information: shower('information') };
  return { notify: new Notifier(log, made), toasts };
}

suite('notifications', () => {
  test('an error always has a button, the log at least', () => {
    const { notify, toasts } = recorder();
    void notify.error('It failed.');
    assert.deepEqual(toasts[0]?.buttons, ['Show Log']);
    void notify.error('It failed again.', { title: 'Repair', run: () => undefined });
    assert.deepEqual(toasts[1]?.buttons, ['Repair', 'Show Log']);
  });

  test('a button does what it says, closing does nothing', async () => {
    const { notify, toasts } = recorder();
    const pressed: string[] = [];
    const actions = ['One', 'Two'].map((title) => ({ title, run: () => pressed.push(title) }));
    const first = notify.info('Choose.', ...actions);
    toasts[0]?.press('Two');
    await first;
    const second = notify.info('Choose.', ...actions);
    toasts[1]?.press();
    await second;
    assert.deepEqual(pressed, ['Two']);
  });

  test('the same is shown again, also while nobody has answered the first', () => {
    const { notify, toasts } = recorder();
    void notify.error('It failed.');
    void notify.error('It failed.');
    assert.equal(toasts.length, 2);
  });

  test('an answer of the server is no error', () => {
    const { notify, toasts } = recorder();
    void show(notify, { kind: 'info', code: 'no_goal', message: 'Lean sees no goal here.', hint: 'Put the cursor there.' });
    assert.deepEqual(
      toasts.map(({ kind, message, buttons }) => ({ kind, message, buttons })),
      [{ kind: 'information', message: 'Lean sees no goal here. Put the cursor there.', buttons: [] }],
    );
  });

  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ['settings', "The setting llmstep.count is 'x'. It must be a whole number.", ['Open Settings']],
    ['model_not_found', 'There is no such model.', ['Select Model…']],
    ['model_load', 'It runs code of its own. Allow it with llmstep.trustRemoteCode.', ['Open Settings', 'Select Model…']],
    ['download', 'The download failed.', ['Select Model…']],
    ['lean_not_found', 'There is no Lean.', ['Open Settings']],
    ['lean_timeout', 'Lean took long. Raise llmstep.lean.timeoutSeconds.', ['Open Settings']],
    ['lean_crashed', 'Lean died.', ['Restart Lean']],
    ['lean_imports', 'The imports of this file are out of date.', ['Build the Imports']],
    ['lean_memory', 'Lean took too much. Raise llmstep.check.memoryMB.', ['Open Settings']],
    ['editor_lean', 'The editor could not say.', ['Restart the Lean Server']],
    ['editor_lean_timeout', 'The editor took long.', ['Restart File']],
    ['generation', 'The model failed.', []],
  ];
  for (const [code, sentence, buttons] of cases) {
    test(`an error "${code}" offers ${buttons.join(', ') || 'the log alone'}`, () => {
      assert.deepEqual(actionsFor(code, sentence).map(({ title }) => title), buttons);
    });
  }
});
