import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { hider, lastLines } from '../commands/report';
import { remembering } from '../log';

suite('the report of a fault', () => {
  const hide = hider('/home/ada', 'ada', ['/home/ada/proofs', '/data/secret-project']);

  test('does not tell who the user is, and where the files are', () => {
    assert.equal(hide('ok: /home/ada/.elan/bin/lake'), 'ok: ~/.elan/bin/lake');
    assert.equal(hide('file:///home/ada/proofs/Main.lean'), 'file://WORKSPACE/Main.lean');
    assert.equal(hide('/data/secret-project/A.lean of ada'), 'WORKSPACE/A.lean of USER');
    assert.equal(hide('/home/bob/x and C:\\Users\\Bob\\x and /Users/eve'), '~/x and ~\\x and ~');
    assert.equal(hide('a canada of adam'), 'a canada of adam');
    const windows = hider('C:\\Users\\Ada L', 'Ada L', ['C:\\Users\\Ada L\\p']);
    assert.equal(windows('C:\\Users\\Ada L\\p\\A.lean, C:/Users/Ada L/b'), 'WORKSPACE\\A.lean, ~/b');
  });

  test('has no keys and passwords', () => {
    assert.equal(hide('token hf_abcdefghijk, sk-proj-12345678'), 'token KEY, KEY');
    assert.equal(hide('Authorization: Bearer abc.def'), 'Authorization: Bearer KEY');
    assert.equal(hide('https://ada:pw@host/v1'), 'https://KEY@host/v1');
  });

  test('has the last lines of the log without goals', () => {
    const lines: string[] = [];
    const written: string[] = [];
    const write = (message: string): unknown => written.push(message);
    const log = remembering({ info: write, warn: write, debug: write, name: 'llmstep' } as unknown as vscode.LogOutputChannel, lines);
    log.info('Python: python');
    log.info('asked for h : p ∧ q ⊢ q ∧ p\nh : secret\n⊢ secret');
    log.debug('not kept');
    log.warn('No step was found (Unknown identifier `secret`)');
    assert.equal(log.name, 'llmstep');
    assert.equal(written.length, 4);
    assert.deepEqual(lastLines(lines).map((line) => line.replace(/^\S+ /, '')), [
      '[info] Python: python',
      '[info] asked for h : p ∧ q ⊢ …',
      '[warn] No step was found (Unknown identifier `…`)',
    ]);
    for (let i = 0; i < 500; i++) {
      log.info(String(i));
    }
    assert.equal(lines.length, 200);
    assert.equal(lastLines(lines).length, 40);
  });

  test('is opened with versions, doctor and log, and goes nowhere', async () => {
    const said = await vscode.commands.executeCommand<string>('llmstep.reportIssue');
    const document = vscode.window.activeTextEditor?.document;
    assert.equal(document?.getText(), said);
    assert.ok(document.isUntitled);
    const version = vscode.extensions.getExtension('llmstep.llmstep')?.packageJSON as { version: string };
    assert.match(said, new RegExp(`llmstep for Lean 4: ${version.version.replaceAll('.', '\\.')}`));
    assert.match(said, new RegExp(`: ${vscode.version.replaceAll('.', '\\.')}, `));
    assert.match(said, /## Doctor\n\n~~~text\nllmstep can be used\./);
    assert.match(said, /## Last lines of the log, without goals\n\n~~~text\n\d{4}-/);
    assert.ok(!said.includes(process.env.HOME ?? '/home/'), said);
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
  });
});
