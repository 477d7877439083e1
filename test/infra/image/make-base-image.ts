/**
 * `npm run base:image -- FOLDER`: builds a stand-in for the base image that the Dockerfile names,
 * without a registry, as an OCI layout. It has the same Debian release and the same Node version:
 * packages of Debian, the npm package `node`, and npm. Needs root, mmdebstrap and buildah.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeTempDir } from '#testkit/temp-dir.ts';
import { projectRoot, projectText } from '../../docs/project-files.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 15 * 60_000;
/** The npm that the first stage of the Dockerfile runs. */
const NPM = 'npm@11';
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/** The release of Debian in the name of the base image, such as `bookworm`. */
function debianRelease(): string {
  const release = /^ARG NODE_IMAGE=\S+node:[\d.]+-(\w+)/m.exec(projectText('Dockerfile'))?.[1];
  if (release === undefined) throw new Error('Dockerfile: NODE_IMAGE names no release of Debian');
  return release;
}

/** Makes the files of `/usr/local`: Node, npm, and the settings of npm. */
async function addNode(place: string): Promise<void> {
  await mkdir(join(place, 'bin'), { recursive: true });
  await copyFile(join(projectRoot, 'node_modules/node/bin/node'), join(place, 'bin/node'));
  await run('npm', ['install', '--global', '--prefix', place, '--no-audit', '--no-fund', NPM], {
    timeout: TIMEOUT_MS,
  });
  await mkdir(join(place, 'etc'), { recursive: true });
  // The network of this machine may have its own authority, which only its system trusts.
  await writeFile(join(place, 'etc/npmrc'), `cafile=${CERTIFICATES}\n`);
}

async function makeImage(dir: string, to: string): Promise<void> {
  const root = join(dir, 'root.tar');
  const debian = ['--variant=minbase', '--include=ca-certificates', '--format=tar'];
  await run('mmdebstrap', [...debian, debianRelease(), root], {
    timeout: TIMEOUT_MS,
    maxBuffer: 1 << 26,
  });
  await addNode(join(dir, 'local'));
  const store = ['--storage-driver', 'vfs', '--root', join(dir, 'store')];
  const buildah = async (...args: string[]): Promise<string> => {
    const options = { timeout: TIMEOUT_MS, maxBuffer: 1 << 26 };
    const { stdout } = await run(
      'buildah',
      [...store, '--runroot', join(dir, 'run'), ...args],
      options,
    );
    return stdout.trim();
  };
  const container = await buildah('from', 'scratch');
  await buildah('add', '--quiet', container, root, '/');
  await buildah('copy', '--quiet', container, join(dir, 'local'), '/usr/local');
  await buildah('copy', '--quiet', container, CERTIFICATES, CERTIFICATES);
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  await buildah('config', '--env', `PATH=${path}`, '--cmd', 'node', container);
  await buildah('commit', '--quiet', container, `oci:${to}`);
}

const [to] = process.argv.slice(2);
if (to === undefined)
  throw new Error('the folder of the image is required: npm run base:image -- FOLDER');
const dir = await makeTempDir();
try {
  await makeImage(dir.path, to);
} finally {
  await dir.remove();
}
