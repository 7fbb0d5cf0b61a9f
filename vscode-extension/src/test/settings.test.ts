import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { options } from '../commands/doctor';
import { CLIENT_ONLY, declaredNames, serverSettings, setting } from '../settings';

suite('settings for the server', () => {
  const names = declaredNames();
  const changed = ['count', 'check.enabled', 'lean.command', 'goalsFromLean4Extension'];
  const configuration = (): vscode.WorkspaceConfiguration => vscode.workspace.getConfiguration('llmstep');
  const before = new Map<string, unknown>();

  suiteSetup(() => {
    for (const name of changed) {
      before.set(name, configuration().inspect(name)?.workspaceValue);
    }
  });

  suiteTeardown(async () => {
    for (const name of changed) {
      await configuration().update(name, before.get(name), vscode.ConfigurationTarget.Workspace);
    }
  });

  test('all that the extension keeps for itself is declared', () => {
    for (const name of CLIENT_ONLY) {
      assert.ok(names.includes(name), name);
    }
  });

  test('what is set is told, by its dotted name; what is not is left to the server', async () => {
    await configuration().update('count', 7, vscode.ConfigurationTarget.Workspace);
    await configuration().update('check.enabled', false, vscode.ConfigurationTarget.Workspace);
    await configuration().update('lean.command', ['lean', '--server'], vscode.ConfigurationTarget.Workspace);
    const told = serverSettings();
    assert.equal(told.count, 7);
    assert.equal(told['check.enabled'], false);
    assert.deepEqual(told['lean.command'], ['lean', '--server']);
    assert.ok(!('topP' in told));
    const words = options();
    for (const word of ['count=7', 'check.enabled=false', 'lean.command=["lean","--server"]']) {
      assert.equal(words[words.indexOf(word) - 1], '--set', word);
    }
  });

  test('a wrong value is told as it is, for the server to refuse', async () => {
    await configuration().update('count', 'many', vscode.ConfigurationTarget.Workspace);
    assert.equal(serverSettings().count, 'many');
  });

  test('what the extension keeps for itself is not told', async () => {
    await configuration().update('goalsFromLean4Extension', false, vscode.ConfigurationTarget.Workspace);
    assert.equal(setting<boolean>('goalsFromLean4Extension'), false);
    assert.deepEqual(Object.keys(serverSettings()).filter((name) => CLIENT_ONLY.has(name)), []);
  });
});
