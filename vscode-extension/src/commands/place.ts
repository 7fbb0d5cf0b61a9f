import * as vscode from 'vscode';
import type { TextEdit } from 'vscode-languageclient/node';
import type { Place } from '../server/protocol';

const LANGUAGES: ReadonlySet<string> = new Set(['lean4', 'lean']);

/** What a command of the server works on, as it takes it: a place, with the messages of Lean there. */
export interface PlaceArgument extends Place {
  readonly diagnostics?: readonly { readonly range: unknown; readonly message: string }[];
}

/** The Lean editor with the cursor; undefined where there is none. */
export function leanEditor(): vscode.TextEditor | undefined {
  const editor = vscode.window.activeTextEditor;
  return editor !== undefined && LANGUAGES.has(editor.document.languageId) ? editor : undefined;
}

/** The cursor's place in an editor; the diagnostics at it say which goal is meant where the text does not. */
export function placeOf(editor: vscode.TextEditor): PlaceArgument {
  const { active } = editor.selection;
  const diagnostics = vscode.languages
    .getDiagnostics(editor.document.uri)
    .filter(({ range }) => range.contains(active))
    .map(({ range: { start, end }, message }) => ({ range: { start, end }, message }));
  return {
    textDocument: { uri: editor.document.uri.toString() },
    position: active,
    ...(diagnostics.length === 0 ? {} : { diagnostics }),
  };
}

/** The place that a menu or the panel gives, else that of the cursor; undefined where no Lean file is at hand. */
export function placeAtHand(given?: PlaceArgument): PlaceArgument | undefined {
  const editor = given === undefined ? leanEditor() : undefined;
  return given ?? (editor === undefined ? undefined : placeOf(editor));
}

/** Whether an editor shows the file of a place. */
export function isIn(editor: vscode.TextEditor | undefined, { textDocument }: Place): editor is vscode.TextEditor {
  return editor?.document.uri.toString() === vscode.Uri.parse(textDocument.uri).toString();
}

/** Whether the cursor is still on the line of a place; not so when the user has gone elsewhere. */
export function isAt(place: Place): boolean {
  const editor = leanEditor();
  return isIn(editor, place) && editor.selection.active.line === place.position.line;
}

/** Put the cursor at a place of the active editor, unless it is in that line: a link above the line was clicked. */
export function goTo(place: Place): void {
  const editor = leanEditor();
  if (isIn(editor, place) && !isAt(place)) {
    const at = new vscode.Position(place.position.line, place.position.character);
    editor.selection = new vscode.Selection(at, at);
  }
}

/** Apply edits of the server to a document, all in one step that one undo takes back; false where VS Code refused. */
export function applyEdits(uri: vscode.Uri, edits: readonly TextEdit[]): Thenable<boolean> {
  const workspaceEdit = new vscode.WorkspaceEdit();
  for (const { range, newText } of edits) {
    workspaceEdit.replace(uri, rangeOf(range), newText);
  }
  return vscode.workspace.applyEdit(workspaceEdit);
}

/** Apply one edit, and put the cursor behind what it inserted. */
export async function insert(editor: vscode.TextEditor, edit: TextEdit): Promise<boolean> {
  const { document } = editor;
  const start = document.offsetAt(rangeOf(edit.range).start);
  if (!(await applyEdits(document.uri, [edit]))) {
    return false;
  }
  const newText = edit.newText.replace(/\r?\n/g, document.eol === vscode.EndOfLine.CRLF ? '\r\n' : '\n');
  const end = document.positionAt(start + newText.length);
  editor.selection = new vscode.Selection(end, end);
  editor.revealRange(new vscode.Range(end, end));
  return true;
}

function rangeOf({ start, end }: TextEdit['range']): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}
