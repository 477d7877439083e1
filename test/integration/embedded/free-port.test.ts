import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { findFreePort } from '#src/embedded/free-port.ts';

const PORTS = 6;

test('a port is assigned once across processes until its requester exits', async (t) => {
  const first = await findFreePort();
  const range = { first, last: first + PORTS };
  // The first of them is given already.
  const given = new Set([first]);
  const script = `import { findFreePort } from '#src/embedded/free-port.ts';
    console.log(await findFreePort(${JSON.stringify(range)}));
    setInterval(() => {}, 1e6);`;
  const other = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => other.kill('SIGKILL'));
  const [line] = (await once(createInterface({ input: other.stdout }), 'line')) as [string];
  given.add(Number(line));
  assert.equal(given.size, 2);
  const draw = async (): Promise<void> => {
    for (let draws = 0; draws < PORTS; draws++) {
      const port = await findFreePort(range);
      assert.ok(!given.has(port), `${port} is given twice`);
      given.add(port);
    }
  };
  await assert.rejects(draw, /no free port found/);
  other.kill('SIGKILL');
  await once(other, 'close');
  assert.equal(await findFreePort(range), Number(line));
});
