import Mocha from 'mocha';

/**
 * Entry for the extension host: run all tests, and fail with one sentence.
 *
 * The variable LLMSTEP_TEST_REPORT names a file for the results, as mocha's JSON reporter writes them.
 */
export async function run(): Promise<void> {
  const reporterOptions = { output: process.env.LLMSTEP_TEST_REPORT };
  const mocha = new Mocha({ ui: 'tdd', timeout: 60_000, color: false, reporter: 'json', reporterOptions });
  mocha.suite.emit('pre-require', globalThis, '', mocha);
  await import('./process.test');
  await import('./python.test');
  await import('./environment.test');
  await import('./install.test');
  await import('./settings.test');
  await import('./checks.test');
  await import('./goals.test');
  await import('./panel.test');
  await import('./notify.test');
  await import('./report.test');
  await import('./views.test');
  await import('./keybindings.test');
  await import('./extension.test');
  const failures = await new Promise<number>((resolve) => mocha.run(resolve));
  if (failures > 0) {
    throw new Error(`${failures} tests failed; the report has their errors.`);
  }
}
