import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  EVENT_TYPE_PATTERN,
  EVENT_TYPE_SELECTOR_PATTERN,
  isEventTypeName,
  selectorMatches,
} from '#domain/event/event-type.ts';
import { limits } from '#domain/limits.ts';

const most = limits.eventTypeLengthMax;

test('an event type is any text up to its length in characters', () => {
  const names = [
    'order.created',
    'com.example/order:created',
    'a b',
    '.',
    'ü',
    '*',
    '😀'.repeat(most),
  ];
  for (const name of names) assert.ok(isEventTypeName(name), name);
  for (const name of [
    '',
    'a\nb',
    'a\u0085',
    '\ud800',
    'x'.repeat(most + 1),
    '😀'.repeat(most + 1),
  ]) {
    assert.ok(!isEventTypeName(name), JSON.stringify(name));
  }
  assert.ok(new RegExp(EVENT_TYPE_PATTERN, 'u').test('com.example/order:created'));
});

test('a selector names a type, or has a star alone or as its last segment', () => {
  const selector = new RegExp(EVENT_TYPE_SELECTOR_PATTERN, 'u');
  for (const text of ['*', 'a.*', 'com.example/order:*'.replace(':', '.'), 'a/b:c d']) {
    assert.ok(selector.test(text), text);
  }
  for (const text of ['', '**', 'a*', '*.a', 'a.*.b', '.*', 'a\n']) {
    assert.ok(!selector.test(text), text);
  }
});

test('wildcards match by the real name', () => {
  assert.ok(selectorMatches('com.example/v1.*', 'com.example/v1.order:created'));
  assert.ok(!selectorMatches('com.example/v1.*', 'com.example/v2.order:created'));
  assert.ok(selectorMatches('a/b', 'a/b'));
});
