import assert from 'node:assert/strict';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { type Found, candidates, findPython, onPath, type Python, probe } from '../python/find';
import { launchOf, plan } from '../python/launch';
import { fakePython, script, temporaryFolder } from './folder';

const PYTHON: Python = { executable: '/p', version: [3, 12, 1], llmstep: null, canMakeEnvironments: true };
const WITH: Python = { ...PYTHON, executable: '/with', llmstep: '0.1.0' };
const ENVIRONMENT: Python = { ...PYTHON, executable: '/environment', llmstep: '0.1.0' };

suite('finding Python', () => {
  const folder = temporaryFolder();

  test('the first on PATH that is new enough', async () => {
    fakePython(path.join(folder(), 'old', 'python3'), { version: [3, 8, 10] });
    script(path.join(folder(), 'broken', 'python3'), 'echo no such module >&2', 'exit 1');
    const right = fakePython(path.join(folder(), 'new', 'python3'), { version: [3, 11, 2] });
    const searchPath = ['old', 'broken', 'empty', 'new'].map((name) => path.join(folder(), name)).join(':');
    const found = await findPython(onPath(searchPath, 'linux'));
    assert.deepEqual(found, {
      kind: 'python',
      source: 'path',
      python: { executable: right, version: [3, 11, 2], llmstep: null, canMakeEnvironments: true },
    });
  });

  test('none', async () => {
    fakePython(path.join(folder(), 'python3'), { version: [2, 7, 18] });
    assert.deepEqual(await findPython(onPath(folder(), 'linux')), { kind: 'none' });
  });

  test('relative folders of PATH are left out', () => {
    assert.deepEqual(onPath('.:bin::', 'linux'), []);
  });

  test('on Windows the launcher comes first', () => {
    const [first] = onPath('C:\\Windows;D:\\tools', 'win32');
    assert.deepEqual(first, { source: 'path', command: 'C:\\Windows\\py.exe', args: ['-3'] });
  });

  test('a wrong one in the settings is no reason to take another', async () => {
    const old = fakePython(path.join(folder(), 'python3.9'), { version: [3, 9, 0] });
    const others = onPath(process.env.PATH ?? '', 'linux');
    assert.deepEqual(await findPython([{ source: 'setting', command: old, args: [] }, ...others]), {
      kind: 'wrongSetting',
      command: old,
      reason: 'is Python 3.9.0',
    });
    const missing = path.join(folder(), 'missing');
    const found = await findPython([{ source: 'setting', command: missing, args: [] }, ...others]);
    assert.equal(found.kind, 'wrongSetting');
    assert.match(found.reason, /^does not run: .*ENOENT/);
  });

  test('the setting alone is tried where it is set', async () => {
    const configuration = vscode.workspace.getConfiguration('llmstep');
    const before = configuration.inspect<string>('python')?.workspaceValue;
    await configuration.update('python', '/some/python', vscode.ConfigurationTarget.Workspace);
    try {
      assert.deepEqual(await candidates(), [{ source: 'setting', command: '/some/python', args: [] }]);
    } finally {
      await configuration.update('python', before, vscode.ConfigurationTarget.Workspace);
    }
  });

  test('a real one answers', async () => {
    const found = await findPython(onPath(process.env.PATH ?? '', process.platform));
    assert.equal(found.kind, 'python');
    const again = await probe(found.python.executable);
    assert.deepEqual(again, { kind: 'python', python: found.python });
  });

  test('what is no Python is broken', async () => {
    const other = script(path.join(folder(), 'python3'), 'echo hello');
    assert.equal((await probe(other)).kind, 'broken');
  });
});

suite('what to start', () => {
  const found = (source: 'setting' | 'pythonExtension' | 'path', python: Python): Found => ({
    kind: 'python',
    python,
    source,
  });

  const absent = { kind: 'absent' } as const;
  const whole = { kind: 'ready', python: ENVIRONMENT, marker: { extension: '1', wheel: 'w', torch: 'none' } } as const;
  const managed = { kind: 'start', python: ENVIRONMENT, managed: true, outdated: false } as const;

  test('a Python that somebody chose and that has llmstep is used as it is', () => {
    for (const source of ['setting', 'pythonExtension'] as const) {
      assert.deepEqual(plan(found(source, WITH), whole, true), { kind: 'start', python: WITH, managed: false });
    }
  });

  test('one that merely is on PATH is not', () => {
    assert.deepEqual(plan(found('path', WITH), whole, false), { ...managed, base: WITH });
    assert.deepEqual(plan(found('path', WITH), absent, false), { kind: 'install', base: WITH, interrupted: false });
  });

  test('the environment works without any other Python', () => {
    assert.deepEqual(plan({ kind: 'none' }, whole, false), { ...managed, base: ENVIRONMENT });
  });

  test('a Python that cannot make environments leaves it to uv, where there is one', () => {
    const bare = { ...PYTHON, canMakeEnvironments: false };
    assert.deepEqual(plan(found('path', bare), absent, true), { kind: 'install', base: 'uv', interrupted: false });
    assert.deepEqual(plan(found('path', bare), absent, false), { kind: 'install', base: bare, interrupted: false });
  });

  test('nothing', () => {
    assert.deepEqual(plan({ kind: 'none' }, absent, true), { kind: 'install', base: 'uv', interrupted: false });
    assert.deepEqual(plan({ kind: 'none' }, absent, false), { kind: 'noPython' });
  });

  test('an environment is made anew from another Python, where there is one that can', () => {
    const outdated = { ...whole, kind: 'outdated' } as const;
    assert.deepEqual(plan(found('path', PYTHON), outdated, false), { ...managed, outdated: true, base: PYTHON });
    const bare = { ...PYTHON, canMakeEnvironments: false };
    assert.deepEqual(plan(found('path', bare), outdated, false), { ...managed, outdated: true, base: ENVIRONMENT });
  });

  test('an installation that was interrupted is told as such', () => {
    const interrupted = { kind: 'install', base: PYTHON, interrupted: true };
    assert.deepEqual(plan(found('path', PYTHON), { kind: 'halfMade' }, false), interrupted);
    assert.deepEqual(plan(found('path', PYTHON), { kind: 'broken', reason: 'x' }, false), interrupted);
  });

  test('a wrong setting stops all', () => {
    const wrong = { kind: 'wrongSetting', command: 'x', reason: 'y' } as const;
    assert.deepEqual(plan(wrong, whole, true), wrong);
  });

  test('the environment runs isolated, in no workspace, and the key goes by the environment variables', () => {
    const launch = launchOf(ENVIRONMENT, true, '/storage', { LLMSTEP_API_KEY: 'secret' });
    assert.deepEqual([launch.command, ...launch.args], ['/environment', '-I', '-m', 'llmstep', 'lsp']);
    assert.equal(launch.cwd, '/storage');
    assert.equal(launch.env.LLMSTEP_API_KEY, 'secret');
    assert.equal(launch.env.PATH, process.env.PATH);
    assert.deepEqual(launchOf(WITH, false, '/storage', {}).args, ['-m', 'llmstep', 'lsp']);
  });
});
