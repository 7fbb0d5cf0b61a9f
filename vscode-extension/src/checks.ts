import type { CancellationToken } from 'vscode';
import type { LeanClient } from './leanClient';
import type { CheckParams, CheckReply } from './server/protocol';

const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;

/**
 * Have a Lean client's server check suggestions, with the RPC method of the Lean package.
 *
 * @returns null where the file does not import the package or has no goal there, so that llmstep's own Lean has to check.
 * @throws the Lean client's error, for any other reason.
 */
export async function checkWith(
  client: LeanClient,
  asked: CheckParams,
  token: CancellationToken,
): Promise<CheckReply | null> {
  const { textDocument, position } = asked;
  const { uri } = textDocument;
  try {
    const session = (await client.sendRequest('$/lean/rpc/connect', { uri }, token)) as { sessionId: string };
    const call = { textDocument, position, ...session, method: 'LLMstep.checkSuggestions', params: asked };
    return (await client.sendRequest('$/lean/rpc/call', call, token)) as CheckReply;
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === METHOD_NOT_FOUND || code === INVALID_PARAMS) {
      return null;
    }
    throw error;
  }
}
