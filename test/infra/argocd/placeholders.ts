import { nkeys } from '@nats-io/nats-core';
import { parse } from 'yaml';
import { at } from '../manifests.ts';

/** A placeholder in `argocd/`: an example in place of a value that only the owner knows. */
interface Place {
  /** The path from the root of the project, in which `*` is the environment. */
  file: string;
  key: string;
  isExample: (value: unknown) => boolean;
  needed: string;
}

const EXAMPLE_REPOSITORY = 'https://github.com/posthorn/posthorn.git';
const EXAMPLE_IMAGE = 'ghcr.io/posthorn/posthorn';

const isExampleHost = (value: unknown): boolean =>
  typeof value !== 'string' || /(^|\.)example\.(com|net|org)$/.test(value);

/** True for a truncated key, and for a key of zeros although its form is right. */
function isNoAccount(value: unknown): boolean {
  if (/^A*$/.test(String(value))) return true;
  try {
    return !nkeys.fromPublic(String(value)).getPublicKey().startsWith('A');
  } catch {
    return true;
  }
}

/** True if a page would reach no person: no receiver, or example addresses only. */
function isNoReceiver(value: unknown): boolean {
  const emails = (at(value, 'email') ?? []) as string[];
  if (emails.some((email) => !isExampleHost(email.split('@')[1]))) return false;
  return !['pagerduty', 'slack', 'webhook'].some((way) => Boolean(at(value, way)));
}

/** True for the server or the addresses of the examples; an environment without e-mail has none. */
function isExampleMail(value: unknown): boolean {
  const text = (key: string): string => (at(value, key) ?? '') as string;
  const host = text('smarthost').replace(/:\d+$/, '');
  const addresses = ['from', 'username'].map((key) => text(key).replace(/^.*@/, ''));
  return [host, ...addresses].some(isExampleHost);
}

/** Every placeholder, in the order of the guide (docs/operations/install.md). */
export const places: readonly Place[] = [
  {
    file: 'argocd/bootstrap/*.yaml',
    key: 'spec.source.repoURL',
    isExample: (value) => value === EXAMPLE_REPOSITORY,
    needed: 'the address of your copy of the repository, as Argo CD reads it',
  },
  {
    file: 'argocd/apps/values.yaml',
    key: 'repoURL',
    isExample: (value) => value === EXAMPLE_REPOSITORY,
    needed: 'the same address',
  },
  {
    file: 'argocd/environments/*/posthorn.yaml',
    key: 'image.repository',
    isExample: (value) => typeof value !== 'string' || value === EXAMPLE_IMAGE,
    needed: 'where your images are, without a tag',
  },
  {
    file: 'argocd/environments/*/posthorn.yaml',
    key: 'ingress.publishHost',
    isExample: isExampleHost,
    needed: 'the host that producers publish to',
  },
  {
    file: 'argocd/environments/*/posthorn.yaml',
    key: 'ingress.apiHost',
    isExample: isExampleHost,
    needed: 'the host of the API',
  },
  {
    file: 'argocd/environments/*/nats.yaml',
    key: 'config.merge.authorization.auth_callout.issuer',
    isExample: isNoAccount,
    needed: 'the public key of natsAuthSeed, A and 55 characters',
  },
  {
    file: 'argocd/environments/*/apps.yaml',
    key: 'alerting.page',
    isExample: isNoReceiver,
    needed: 'a receiver of alerts that need an answer immediately',
  },
  {
    file: 'argocd/environments/*/apps.yaml',
    key: 'alerting.ticket',
    isExample: isNoReceiver,
    needed: 'a receiver of alerts for the next working day',
  },
  {
    file: 'argocd/environments/*/apps.yaml',
    key: 'alerting.smtp',
    isExample: isExampleMail,
    needed: 'the mail server of the receivers by email; without any, remove the key',
  },
];

/**
 * Finds the placeholders that an environment still has: one line each, with file, key and the
 * needed value.
 *
 * @param read gives the text of a file, by its path from the root of the project
 */
export function findPlaceholders(environment: string, read: (path: string) => string): string[] {
  return places.flatMap(({ file, key, isExample, needed }) => {
    const path = file.replace('*', environment);
    const value = at(parse(read(path)), ...key.split('.'));
    if (!isExample(value)) return [];
    const found = value === undefined ? 'is missing' : `is ${JSON.stringify(value)}`;
    return [`${path}: ${key} ${found}; needed: ${needed}`];
  });
}
