/**
 * Previews a stack that is refused, and writes what the engine shows. In its own process: the
 * library leaves rejections behind, which a test runner takes for those of a test.
 */
import { StubEngine } from './stub-engine.ts';

const [stackName = '', config = '{}'] = process.argv.slice(2);
const engine = await StubEngine.start();
try {
  const stack = await engine.stack(stackName, JSON.parse(config) as Record<string, string>);
  await stack.preview();
} catch (error) {
  process.stdout.write(String(error));
} finally {
  await engine.remove();
}
