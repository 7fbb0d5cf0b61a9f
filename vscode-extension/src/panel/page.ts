import { randomBytes } from 'node:crypto';

/**
 * The page of the panel. It holds its script and its style sheet, runs nothing else, and loads nothing at all.
 *
 * @param script - The bundled script.
 */
export function page(script: string, style: string): string {
  const nonce = randomBytes(16).toString('base64');
  const policy = `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; base-uri 'none'; form-action 'none'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="UTF-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta name="viewport" content="width=device-width, initial-scale=1.0">
  <title>llmstep suggestions</title>
  <style nonce="${nonce}">${style}</style>
</head>
<body>
  <script nonce="${nonce}">${script.replaceAll('</script', '<\\/script')}</script>
</body>
</html>`;
}
