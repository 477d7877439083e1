import { startMongod, TEST_MONGODB_URL, type TestServer } from '#testkit/servers.ts';

let mongod: TestServer | undefined;

/** One mongod for the whole run: each test takes a database of its own in it. */
export async function globalSetup(): Promise<void> {
  mongod = await startMongod();
  process.env[TEST_MONGODB_URL] = mongod.url;
}

export async function globalTeardown(): Promise<void> {
  await mongod?.dispose();
}
