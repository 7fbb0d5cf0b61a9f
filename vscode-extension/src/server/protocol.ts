import { NotificationType, RequestType, type TextDocumentIdentifier } from 'vscode-languageclient/node';
import type { CheckParams, CheckedSuggestions, Known, Place, PlainGoal, ServerMessage, Status } from './wire';

// What goes over the wire is described by the server's classes: scripts/reference.py makes wire.ts from them.
export type * from './wire';

export const statusChanged = new NotificationType<Status>('llmstep/status');
export const serverMessage = new NotificationType<ServerMessage>('llmstep/message');
export const known = new RequestType<Place, Known | null, void>('llmstep/known');
export const knownChanged = new NotificationType<{ readonly textDocument: TextDocumentIdentifier }>('llmstep/knownChanged');
export const plainGoal = new RequestType<Place, PlainGoal | null, void>('llmstep/plainGoal');
export const checkSuggestions = new RequestType<CheckParams, CheckedSuggestions | null, void>('llmstep/checkSuggestions');
