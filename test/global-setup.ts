import { natsServer } from '#src/embedded/program.ts';
import { startMongod, TEST_MONGODB_URL, testBinary, type TestServer } from './kit/servers.ts';

let mongod: TestServer | undefined;

/** One mongod for the whole run: each test takes a database of its own in it. */
export async function globalSetup(): Promise<void> {
  // Fetched here once, not by each of the test files at the same time.
  await testBinary(natsServer);
  mongod = await startMongod();
  process.env[TEST_MONGODB_URL] = mongod.url;
}

export async function globalTeardown(): Promise<void> {
  await mongod?.dispose();
}
