import type { Notifier } from '../notify';
import type { Session } from '../server/session';
import { leanEditor } from './place';
import { withProgress } from './run';

/** Build what the file in the editor imports, with Lake. */
export async function buildImports(session: Session, notify: Notifier): Promise<void> {
  const document = leanEditor()?.document;
  if (document === undefined) {
    return;
  }
  const argument = { textDocument: { uri: document.uri.toString() } };
  await withProgress(session, 'Building the imports', 'llmstep.buildImports', argument);
  void notify.info('The imports are built.');
}
