// Bundles the extension into dist/, and with --tests its mocha tests into dist-test/.
import { rm } from 'node:fs/promises';
import process from 'node:process';
import esbuild from 'esbuild';

const production = process.argv.includes('--production');
const options = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  external: ['vscode', 'mocha'],
  minify: production,
  sourcemap: production ? false : 'linked',
  logLevel: 'info',
};
await rm('dist', { recursive: true, force: true });
const extension = { ...options, entryPoints: ['src/extension.ts'], outfile: 'dist/extension.js' };
if (process.argv.includes('--watch')) {
  await (await esbuild.context(extension)).watch();
} else {
  await esbuild.build(extension);
}
if (process.argv.includes('--tests')) {
  await rm('dist-test', { recursive: true, force: true });
  await esbuild.build({ ...options, entryPoints: ['src/test/index.ts'], outfile: 'dist-test/index.js' });
}
