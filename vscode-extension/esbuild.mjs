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
const extension = { ...options, entryPoints: ['src/main.ts'], outfile: 'dist/extension.js' };
const panel = {
  ...options,
  platform: 'browser',
  format: 'iife',
  target: 'es2022',
  entryPoints: ['src/panel/web/main.ts'],
  outfile: 'dist/panel.js',
};
for (const bundle of [extension, panel]) {
  if (process.argv.includes('--watch')) {
    await (await esbuild.context(bundle)).watch();
  } else {
    await esbuild.build(bundle);
  }
}
if (process.argv.includes('--tests')) {
  await rm('dist-test', { recursive: true, force: true });
  await esbuild.build({ ...options, entryPoints: ['src/test/index.ts'], outfile: 'dist-test/index.js' });
}
