import type { CancellationToken } from 'vscode';
import { ErrorCodes } from 'vscode-languageclient/node';
import type { LeanClient } from './leanClient';
import type { CheckParams, CheckedSuggestions } from './server/protocol';

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
): Promise<CheckedSuggestions | null> {
  const { textDocument, position } = asked;
  const { uri } = textDocument;
  try {
    const session = (await client.sendRequest('$/lean/rpc/connect', { uri }, token)) as { sessionId: string };
    const call = { textDocument, position, ...session, method: 'LLMstep.checkSuggestions', params: asked };
    return (await client.sendRequest('$/lean/rpc/call', call, token)) as CheckedSuggestions;
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === ErrorCodes.MethodNotFound || code === ErrorCodes.InvalidParams) {
      return null;
    }
    throw error;
  }
}
