import assert from 'node:assert/strict';
import { run } from '../process';
import { isAlive, until } from './folder';

suite('running a command', () => {
  test('the outcome has status, output and error output, and lines come one by one', async () => {
    const lines: string[] = [];
    const outcome = await run('sh', ['-c', 'echo one; echo two; echo three >&2; exit 4'], {
      onLine: (line) => lines.push(line),
    });
    assert.deepEqual(outcome, { kind: 'done', code: 4, stdout: 'one\ntwo', stderr: 'three' });
    assert.deepEqual(lines.toSorted(), ['one', 'three', 'two']);
  });

  test('a command that is not there is an outcome', async () => {
    const outcome = await run('/no/such/command', []);
    assert.equal(outcome.kind, 'notStarted');
    assert.match(outcome.message, /ENOENT/);
  });

  test('cancelling ends the command and what it has started', async () => {
    const aborter = new AbortController();
    let child = 0;
    const running = run('sh', ['-c', 'sleep 100 & echo $!; wait'], {
      signal: aborter.signal,
      onLine: (line) => { child = Number(line); },
    });
    await until('the child', () => child > 0);
    assert.ok(isAlive(child));
    aborter.abort();
    assert.deepEqual(await running, { kind: 'cancelled' });
    await until('its end', () => !isAlive(child));
  });

  test('what ignores the first signal is killed', async () => {
    const aborter = new AbortController();
    let ready = false;
    const running = run('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done'], {
      signal: aborter.signal,
      onLine: () => { ready = true; },
    });
    await until('the command', () => ready);
    aborter.abort();
    assert.deepEqual(await running, { kind: 'cancelled' });
  });

  test('a time limit cancels', async () => {
    assert.deepEqual(await run('sleep', ['100'], { timeoutMs: 50 }), { kind: 'cancelled' });
  });

  test('what was cancelled before is not started', async () => {
    assert.deepEqual(await run('sleep', ['100'], { signal: AbortSignal.abort() }), { kind: 'cancelled' });
  });
});
