import { natsServer } from '#src/embedded/program.ts';
import { startMongod, TEST_MONGODB_URL, testBinary, type TestServer } from './kit/servers.ts';

let mongod: TestServer | undefined;

/** Starts one mongod for the whole run. Each test uses its own database in it. */
export async function globalSetup(): Promise<void> {
  // Fetched once here, so that test files do not fetch it concurrently.
  await testBinary(natsServer);
  mongod = await startMongod();
  process.env[TEST_MONGODB_URL] = mongod.url;
}

export async function globalTeardown(): Promise<void> {
  await mongod?.dispose();
}
