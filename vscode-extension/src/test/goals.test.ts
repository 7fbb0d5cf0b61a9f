import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { ErrorCodes, ResponseError } from 'vscode-languageclient/node';
import { Lean4Goals } from '../goals';
import type { LeanClient } from '../leanClient';

const URI = vscode.Uri.file('/project/Main.lean').toString();
const GOAL = { goals: ['⊢ p'], rendered: '' };
const ASKED = { textDocument: { uri: URI }, position: { line: 1, character: 2 }, suggestions: ['rfl'], maxHeartbeats: 1 };

/** Goals from one client, for which questions wait a quarter of a second. */
function goalsOf(client: LeanClient | undefined): Lean4Goals {
  const goals = new Lean4Goals(vscode.window.createOutputChannel('llmstep tests', { log: true }), 250);
  goals.use({ findClient: () => client });
  return goals;
}

/** A client that answers a question by the next of the given means. */
function client(...answers: (() => Promise<unknown>)[]): LeanClient & { asked: number } {
  return {
    asked: 0,
    isRunning: () => true,
    sendRequest(this: { asked: number }) {
      return answers[this.asked++]?.() ?? Promise.reject(new Error('asked too often'));
    },
  };
}

/** As the Lean 4 extension's client rejects where it has no server. */
// eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
const noConnection = (): Promise<unknown> => Promise.reject('No connection to Lean');

suite('goals from the Lean 4 extension', () => {
  const { token } = new vscode.CancellationTokenSource();
  const ask = (goals: Lean4Goals): Promise<unknown> => goals.ask(URI, { line: 1, character: 2 }, token);
  const leftToLlmstep = (error: unknown): boolean =>
    error instanceof ResponseError && error.code === ErrorCodes.MethodNotFound;

  for (const state of [undefined, false]) {
    test(`a client whose isRunning is ${state} is waited for, and is then nothing to ask`, async () => {
      const starting = { ...client(), isRunning: () => state };
      const goals = goalsOf(starting);
      await assert.rejects(ask(goals), leftToLlmstep);
      assert.equal(starting.asked, 0);
      assert.equal(await goals.check(ASKED, token), null);
    });
  }

  test('a client that comes to run while it is waited for is asked', async () => {
    const since = Date.now();
    const starting = { ...client(() => Promise.resolve(GOAL)), isRunning: () => Date.now() - since > 100 || undefined };
    assert.deepEqual(await ask(goalsOf(starting)), GOAL);
  });

  test('a rejection, also with a string, is followed by one more question', async () => {
    assert.deepEqual(await ask(goalsOf(client(noConnection, () => Promise.resolve(GOAL)))), GOAL);
    await assert.rejects(ask(goalsOf(client(noConnection, noConnection))), leftToLlmstep);
    assert.equal(await goalsOf(client(noConnection)).check(ASKED, token), null);
  });

  test('a worker that ends during a question leaves it to llmstep at once, and later questions too', async () => {
    const changed = new vscode.EventEmitter<[string, { kind: number }[]]>();
    const progress = new Map<vscode.Uri, { kind: number }[]>();
    const died = {
      ...client(() => {
        progress.set(vscode.Uri.parse(URI), [{ kind: 2 }]);
        setTimeout(() => { changed.fire([URI, [{ kind: 2 }]]); }, 20);
        return new Promise(() => undefined);
      }),
      progress,
      progressChanged: changed.event,
    };
    await assert.rejects(ask(goalsOf(died)), leftToLlmstep);
    await assert.rejects(ask(goalsOf(died)), leftToLlmstep);
    assert.equal(died.asked, 1);
  });

  test('a client that stops during a question and does not say so leaves it to llmstep', async () => {
    let running = true;
    const silent = { ...client(() => new Promise(() => undefined)), isRunning: () => running };
    setTimeout(() => { running = false; }, 20);
    await assert.rejects(ask(goalsOf(silent)), leftToLlmstep);
    assert.equal(silent.asked, 1);
  });

  test('a question that is given up ends', async () => {
    const given = new vscode.CancellationTokenSource();
    setTimeout(() => { given.cancel(); }, 20);
    const goals = goalsOf(client(() => new Promise(() => undefined)));
    await assert.rejects(goals.ask(URI, { line: 1, character: 2 }, given.token), /The request was cancelled/);
  });
});
