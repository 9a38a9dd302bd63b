// Aligns lists by what their elements have in common, and copies and moves what is there
// already.

import { below, canonical, plainDiff } from '../patch.js';

export default function solve({ from, to }) {
  const patch = diff(from, to, '');
  // Aligning costs where nearly everything has changed.
  const plain = plainDiff(from, to);
  return JSON.stringify(patch).length < JSON.stringify(plain).length ? patch : plain;
}

function diff(from, to, path) {
  if (canonical(from) === canonical(to)) {
    return [];
  }
  if (Array.isArray(from) && Array.isArray(to)) {
    return lists(from, to, path);
  }
  if (isRecord(from) && isRecord(to)) {
    return records(from, to, path);
  }
  return [{ op: 'replace', path, value: to }];
}

function records(from, to, path) {
  const patch = [];
  const gone = Object.keys(from).filter((name) => !Object.hasOwn(to, name));
  for (const name of Object.keys(to)) {
    const at = below(path, name);
    if (Object.hasOwn(from, name)) {
      patch.push(...diff(from[name], to[name], at));
      continue;
    }
    // A name that is gone with the same value was renamed.
    const old = gone.findIndex((one) => canonical(from[one]) === canonical(to[name]));
    if (old >= 0) {
      patch.push({ op: 'move', from: below(path, gone.splice(old, 1)[0]), path: at });
    } else {
      patch.push({ op: 'add', path: at, value: to[name] });
    }
  }
  return [...patch, ...gone.map((name) => ({ op: 'remove', path: below(path, name) }))];
}

/** Makes the list right from the first index on; what is behind it is the old list. */
function lists(from, to, path) {
  const patch = [];
  const list = [...from];
  for (const [index, wanted] of to.entries()) {
    const at = below(path, index);
    if (index < list.length && canonical(list[index]) === canonical(wanted)) {
      continue;
    }
    const later = list.findIndex((one, place) => place > index && canonical(one) === canonical(wanted));
    const current = index < list.length ? list[index] : undefined;
    const needed = current !== undefined && to.slice(index + 1).some((one) => likeness(one, current) > 0.5);
    if (current !== undefined && !needed && likeness(current, wanted) > 0.5) {
      patch.push(...diff(current, wanted, at));
      list[index] = wanted;
    } else if (later >= 0 && !needed) {
      // What is here is not wanted any more.
      patch.push({ op: 'remove', path: at });
      list.splice(index, 1);
      const place = list.findIndex((one, other) => other >= index && canonical(one) === canonical(wanted));
      if (place > index) {
        patch.push({ op: 'move', from: below(path, place), path: at });
        list.splice(index, 0, ...list.splice(place, 1));
      }
    } else if (later >= 0) {
      patch.push({ op: 'move', from: below(path, later), path: at });
      list.splice(index, 0, ...list.splice(later, 1));
    } else {
      const twin = list.findIndex((one) => canonical(one) === canonical(wanted));
      const kin = list.findIndex((one, place) => place >= index && likeness(one, wanted) > 0.5);
      if (twin >= 0) {
        patch.push({ op: 'copy', from: below(path, twin), path: at });
        list.splice(index, 0, wanted);
      } else if (kin > index) {
        const [moved] = list.splice(kin, 1);
        patch.push({ op: 'move', from: below(path, kin), path: at }, ...diff(moved, wanted, at));
        list.splice(index, 0, wanted);
      } else {
        patch.push({ op: 'add', path: at, value: wanted });
        list.splice(index, 0, wanted);
      }
    }
  }
  for (let index = list.length - 1; index >= to.length; index -= 1) {
    patch.push({ op: 'remove', path: below(path, index) });
  }
  return patch;
}

/** The share of names, of both, that have the same value in both. */
function likeness(a, b) {
  if (!isRecord(a) || !isRecord(b)) {
    return canonical(a) === canonical(b) ? 1 : 0;
  }
  const same = Object.keys(a).filter((name) => Object.hasOwn(b, name) && canonical(a[name]) === canonical(b[name]));
  return same.length / Math.max(new Set([...Object.keys(a), ...Object.keys(b)]).size, 1);
}

function isRecord(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
