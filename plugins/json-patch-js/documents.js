// The tasks: a document as programs exchange them, and what became of it.

const NAMES = ['id', 'name', 'owner', 'limits', 'ports', 'labels', 'region', 'image', 'state', 'notes', 'a/b', 'c~d'];
const WORDS = ['amber', 'birch', 'cedar', 'delta', 'ember', 'fjord', 'grove', 'haven', 'inlet', 'jetty'];

/** A document and, after `edits` changes, another. */
export function makeTask(rng, edits) {
  const from = { version: rng.integer(1, 9), items: Array.from({ length: rng.integer(8, 14) }, () => record(rng, 2)) };
  const to = JSON.parse(JSON.stringify(from));
  for (let edit = 0; edit < edits; edit += 1) {
    change(to.items, rng);
  }
  to.version += 1;
  return { from, to };
}

function record(rng, levels) {
  const names = rng.sample(NAMES, rng.integer(3, 6));
  return Object.fromEntries(names.map((name) => [name, value(rng, levels)]));
}

function value(rng, levels) {
  if (levels > 0 && rng.chance(0.3)) {
    return rng.chance(0.5) ? record(rng, levels - 1) : rng.sample(WORDS, rng.integer(1, 4));
  }
  return rng.chance(0.5) ? rng.choice(WORDS) : rng.integer(0, 9999);
}

/** What people do to lists of records: they add, drop, move, duplicate, rename and correct. */
function change(items, rng) {
  const at = rng.integer(0, items.length - 1);
  switch (rng.choice(['add', 'drop', 'move', 'duplicate', 'rename', 'correct'])) {
    case 'add':
      items.splice(at, 0, record(rng, 2));
      break;
    case 'drop':
      if (items.length > 2) items.splice(at, 1);
      break;
    case 'move': {
      const [moved] = items.splice(at, 1);
      items.splice(rng.integer(0, items.length), 0, moved);
      break;
    }
    case 'duplicate':
      items.splice(rng.integer(0, items.length), 0, JSON.parse(JSON.stringify(items[at])));
      break;
    case 'rename': {
      const old = rng.choice(Object.keys(items[at]));
      const renamed = rng.choice(NAMES);
      if (!Object.hasOwn(items[at], renamed)) {
        items[at][renamed] = items[at][old];
        delete items[at][old];
      }
      break;
    }
    default:
      items[at][rng.choice(Object.keys(items[at]))] = value(rng, 1);
  }
}
