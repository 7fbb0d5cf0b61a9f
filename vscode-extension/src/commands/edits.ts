import * as vscode from 'vscode';
import type { TextEdit } from 'vscode-languageclient/node';

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
