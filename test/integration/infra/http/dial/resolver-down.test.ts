/** The real resolver with its own name server: on Linux, where namespaces can be created. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeTempDir } from '#testkit/temp-dir.ts';

const PROGRAM = fileURLToPath(new URL('private-resolver.ts', import.meta.url));
const skip = process.platform === 'linux' ? false : 'Linux only';

test(
  'name servers of this machine that are down are distinguished from broken ones of tenants',
  { skip },
  async (t) => {
    const dir = await makeTempDir();
    t.after(() => dir.remove());
    const config = join(dir.path, 'resolv.conf');
    writeFileSync(config, 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
    const script = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';
    const apart = ['--user', '--map-root-user', '--net', '--mount'];
    const command = ['sh', '-c', script, 'sh', config, process.execPath, PROGRAM];
    const { stdout } = await promisify(execFile)('unshare', [...apart, ...command]);
    const down = 'POSTHORN_RESOLVER_DOWN';
    assert.deepEqual(JSON.parse(stdout), {
      well: ['192.0.2.1', '192.0.2.1', '192.0.2.1'],
      broken: ['EAI_AGAIN', 'EAI_AGAIN', 'EAI_AGAIN'],
      // Earlier failures of other names count together with the first.
      unavailable: [down, down, down],
      back: ['192.0.2.1', '192.0.2.1', '192.0.2.1'],
    });
  },
);
