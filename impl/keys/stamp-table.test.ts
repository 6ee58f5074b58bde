import { describe, expect, it } from 'vitest';
import { objectFileName } from '../files/index.ts';
import { StampTable } from './stamp-table.ts';

const nameOf = (number: number) => objectFileName(`key ${number}`, '.key');

describe('numbers by the names of key files', () => {
  it('are kept for very many names, each on its own', () => {
    const table = new StampTable();
    for (let number = 0; number < 50_000; number++) table.set(nameOf(number), number + 1);
    for (let number = 0; number < 50_000; number++) expect(table.get(nameOf(number))).toBe(number + 1);
    for (let number = 50_000; number < 51_000; number++) expect(table.get(nameOf(number))).toBe(0);
  });

  it('are replaced, forgotten, and known again', () => {
    const table = new StampTable();
    table.set(nameOf(1), 5);
    table.set(nameOf(1), 6);
    expect(table.get(nameOf(1))).toBe(6);
    table.delete(nameOf(1));
    table.delete(nameOf(2));
    expect([1, 2].map((number) => table.get(nameOf(number)))).toEqual([0, 0]);
    table.set(nameOf(1), 7);
    expect(table.get(nameOf(1))).toBe(7);
    table.clear();
    expect(table.get(nameOf(1))).toBe(0);
  });

  it('of forgotten files do not fill the table', () => {
    const table = new StampTable();
    for (let number = 0; number < 20_000; number++) {
      table.set(nameOf(number), 1);
      table.delete(nameOf(number));
    }
    table.set(nameOf(1), 9);
    expect(table.get(nameOf(1))).toBe(9);
  });

  it('tell apart files whose names differ before the digest', () => {
    const table = new StampTable();
    table.set(nameOf(1), 3);
    expect(table.get(`other${nameOf(1)}`)).toBe(0);
    expect(table.get('no-key-file')).toBe(0);
  });

  it('are kept in a bounded number', () => {
    const table = new StampTable();
    for (let number = 0; number < 262_145; number++) table.set(nameOf(number), 1);
    expect([262_143, 262_144].map((number) => table.get(nameOf(number)))).toEqual([1, 0]);
  });
});
