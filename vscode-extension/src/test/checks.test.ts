import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { checkWith, type LeanClient } from '../leanClient';

const ASKED = {
  textDocument: { uri: 'file:///A.lean' },
  position: { line: 3, character: 4 },
  suggestions: ['exact hp'],
  maxHeartbeats: 200,
};
const REPLY = { checked: [{ text: 'exact hp', verdict: 'closes', goals: [], message: '' }] };

/** A Lean client that answers a call as told, and what it was sent. */
function lean(answer: () => unknown): { client: LeanClient; sent: [string, unknown][] } {
  const sent: [string, unknown][] = [];
  const client: LeanClient = {
    sendRequest: (method, params) => {
      sent.push([method, params]);
      return method === '$/lean/rpc/connect' ? Promise.resolve({ sessionId: '42' }) : Promise.resolve().then(answer);
    },
  };
  return { client, sent };
}

function fails(code: number): () => never {
  return () => {
    throw Object.assign(new Error('no'), { code });
  };
}

suite('checks by the Lean client', () => {
  const { token } = new vscode.CancellationTokenSource();

  test('a session is opened, and the method of the package called in it at the place', async () => {
    const { client, sent } = lean(() => REPLY);
    assert.deepEqual(await checkWith(client, ASKED, token), REPLY);
    const { textDocument, position } = ASKED;
    const call = { textDocument, position, sessionId: '42', method: 'LLMstep.checkSuggestions', params: ASKED };
    assert.deepEqual(sent, [
      ['$/lean/rpc/connect', { uri: 'file:///A.lean' }],
      ['$/lean/rpc/call', call],
    ]);
  });

  test('a file without the package, or a place without a goal, is left to llmstep', async () => {
    assert.equal(await checkWith(lean(fails(-32601)).client, ASKED, token), null);
    assert.equal(await checkWith(lean(fails(-32602)).client, ASKED, token), null);
  });

  test('any other error is an error', async () => {
    await assert.rejects(checkWith(lean(fails(-32900)).client, ASKED, token), /no/);
  });
});
