import assert from 'node:assert/strict';
import * as vscode from 'vscode';

interface Keybinding {
  readonly key: string;
  readonly mac?: string;
  readonly command: string;
  readonly when?: string;
}

/** Keys of the Lean 4 extension, and of the abbreviations that it expands while one types. */
const LEAN4_KEYS = ['tab', 'ctrl+shift+x', 'ctrl+shift+enter', 'ctrl+shift+alt+enter'];

suite('keybindings', () => {
  const { contributes } = vscode.extensions.getExtension('llmstep.llmstep')?.packageJSON as {
    contributes: { keybindings: Keybinding[]; commands: { command: string }[] };
  };
  const own = contributes.keybindings;
  const leaders = new Set(own.map(({ key }) => key.split(' ')[0] ?? ''));

  test('every key runs a command that is declared, in a Lean editor only', () => {
    const declared = new Set(contributes.commands.map(({ command }) => command));
    for (const { command, when } of own) {
      assert.ok(declared.has(command), command);
      assert.match(when ?? '', /editorTextFocus && .*editorLangId =~ /);
    }
  });

  test('no key is used twice', () => {
    assert.equal(new Set(own.map(({ key }) => key)).size, own.length);
    assert.equal(new Set(own.map(({ mac }) => mac)).size, own.length);
  });

  test('VS Code has no key that begins like ours', async () => {
    const document = await vscode.workspace.openTextDocument(vscode.Uri.parse('vscode://defaultsettings/keybindings.json'));
    const text = document.getText();
    const others = [...text.matchAll(/"key":\s*"([^"]+)",?[^{}]*?"command":\s*"([^"]+)"/g)].filter(
      ([, , command]) => command?.startsWith('llmstep.') === false,
    );
    assert.ok(others.length > 300, `only ${others.length} default keybindings were read`);
    const clashes = others.filter(([, key]) => leaders.has((key ?? '').split(' ')[0] ?? ''));
    assert.deepEqual(clashes.map(([, key, command]) => `${key ?? ''}: ${command ?? ''}`), []);
  });

  test('nor has the Lean 4 extension', () => {
    assert.deepEqual(LEAN4_KEYS.filter((key) => leaders.has(key)), []);
  });
});
