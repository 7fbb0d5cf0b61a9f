import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { page } from '../panel/panel';
import { difference } from '../panel/web/difference';
import { visible } from '../words';

suite('the panel', () => {
  test('what a step changes: lines that stay, go and come', () => {
    const signs = { same: ' ', added: '+', removed: '-' };
    const changes = (before: string, after: string): string[] =>
      difference(before, after).map(({ kind, text }) => signs[kind] + text);
    assert.deepEqual(changes('p q : Prop\n⊢ p → q', 'p q : Prop\nh : p\n⊢ q'), [' p q : Prop', '-⊢ p → q', '+h : p', '+⊢ q']);
    assert.deepEqual(changes('⊢ p ∧ q', 'case left\n⊢ p'), ['-⊢ p ∧ q', '+case left', '+⊢ p']);
    assert.deepEqual(changes('a\nb\nc', 'a\nc'), [' a', '-b', ' c']);
    assert.deepEqual(changes('a', 'a'), [' a']);
    assert.deepEqual(changes('x\ny\na\nb', 'x\ny\nb'), [' x', ' y', '-a', ' b']);
    const lines = (name: string): string => Array.from({ length: 3000 }, (_, index) => `${name}${index}`).join('\n');
    assert.equal(changes(`same\n${lines('old')}`, `same\n${lines('new')}`).length, 6001); // not compared line by line
  });

  test('characters that cannot be seen are written out', () => {
    assert.equal(visible('exact h\u202E\u0007\n  · 𝔸'), 'exact h\\u{202E}\\u{7}\n  · 𝔸');
  });

  test('the page allows its own script and style sheet, and nothing else', () => {
    const made = page('"</script>"', 'p { color: red }');
    const nonce = /script-src 'nonce-([^']{20,})'/.exec(made)?.[1] ?? '';
    assert.ok(nonce);
    assert.match(made, /content="default-src 'none'; style-src 'nonce-[^']+'; script-src 'nonce-[^']+'; base-uri 'none'; form-action 'none'"/);
    assert.equal(made.split(`nonce="${nonce}"`).length - 1, 2);
    assert.equal(made.split('</script>').length - 1, 1);
    assert.doesNotMatch(made, /src=|href=/);
    assert.notEqual(made, page('"</script>"', 'p { color: red }'));
  });

  test('the port of the tactic is not announced as an application', () => {
    const ports = vscode.workspace.getConfiguration('remote').get<Record<string, { onAutoForward?: string }>>('portsAttributes');
    assert.equal(ports?.['6000']?.onAutoForward, 'ignore');
  });
});
