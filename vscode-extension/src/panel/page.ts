import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';

/** The page of the panel. It runs our script only, and loads nothing but it and the style sheet. */
export function page(webview: vscode.Webview, extension: vscode.Uri): string {
  const nonce = randomBytes(16).toString('base64');
  const at = (...path: string[]): string => webview.asWebviewUri(vscode.Uri.joinPath(extension, ...path)).toString();
  const policy = `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; base-uri 'none'; form-action 'none'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="UTF-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta name="viewport" content="width=device-width, initial-scale=1.0">
  <link rel="stylesheet" nonce="${nonce}" href="${at('media', 'panel.css')}">
  <title>llmstep suggestions</title>
</head>
<body>
  <script nonce="${nonce}" src="${at('dist', 'panel.js')}"></script>
</body>
</html>`;
}
