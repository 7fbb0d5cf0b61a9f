import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

interface Result {
  readonly title: string;
  readonly state: 'passed' | 'failed';
  readonly milliseconds: number;
  readonly error?: string;
}

/**
 * Entry for the extension host: run all tests, and fail with one sentence.
 *
 * The variable LLMSTEP_TEST_REPORT names a file for the results, as a list of objects.
 */
export async function run(): Promise<void> {
  const mocha = new Mocha({ ui: 'tdd', timeout: 60_000, color: false });
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
  const results: Result[] = [];
  const failures = await new Promise<number>((resolve) => {
    mocha
      .run(resolve)
      .on('pass', (test) => {
        results.push({ title: test.fullTitle(), state: 'passed', milliseconds: test.duration ?? 0 });
      })
      .on('fail', (test, error: Error) => {
        const told = error.stack ?? error.message;
        results.push({ title: test.fullTitle(), state: 'failed', milliseconds: test.duration ?? 0, error: told });
      });
  });
  const report = process.env.LLMSTEP_TEST_REPORT;
  if (report !== undefined) {
    writeFileSync(report, JSON.stringify(results, null, 1));
  }
  if (failures > 0) {
    const told = results.filter(({ state }) => state === 'failed').map(({ title, error }) => `${title}: ${error ?? ''}`);
    throw new Error(`${failures} of ${results.length} tests failed:\n${told.join('\n')}`);
  }
}
