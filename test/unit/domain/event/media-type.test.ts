import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  essenceOf,
  isJsonType,
  isTextType,
  isUtf8Charset,
  isWritableAsUtf8,
} from '#domain/event/media-type.ts';

test('the type and subtype are read without parameters and in lower case', () => {
  assert.equal(essenceOf(' Application/JSON ; Charset=x'), 'application/json');
  assert.equal(essenceOf(''), '');
});

test('JSON is recognized by its subtype or suffix, in upper or lower case', () => {
  for (const type of ['application/json', 'text/JSON', 'Application/Vnd.x+JSON; v=1']) {
    assert.ok(isJsonType(type), type);
  }
  for (const type of ['application/json-seq', 'application/jsonl', 'text/plain; a=/json']) {
    assert.ok(!isJsonType(type), type);
  }
});

test('text types are recognized in upper and lower case and outside text/', () => {
  const texts = ['TEXT/Plain', 'application/xml', 'image/svg+XML; charset=utf-8', 'text/csv;h=1'];
  for (const type of [...texts, 'application/javascript']) assert.ok(isTextType(type), type);
  for (const type of ['application/octet-stream', 'image/png', 'text/plain; charset=utf-16']) {
    assert.ok(!isTextType(type), type);
  }
});

test('every charset parameter counts, and those inside quotes do not', () => {
  assert.ok(isUtf8Charset('text/plain; x="; charset=utf-16"; CHARSET="UTF-\\8"'));
  assert.ok(!isUtf8Charset('text/plain; charset=utf-8; charset=latin1'));
  assert.ok(!isUtf8Charset('text/plain; charset='));
});

test('text under us-ascii may be written as UTF-8 only while it is ASCII', () => {
  assert.ok(isWritableAsUtf8('text/plain; charset=us-ascii', 'plain'));
  assert.ok(!isWritableAsUtf8('text/plain; charset=us-ascii', 'plän'));
  assert.ok(isWritableAsUtf8('text/plain', 'plän'));
});
