// JSON Patch (RFC 6902) without `test`, and the plain way to make one.

/** What a patch may not do, or asks for what is not there. */
export class PatchError extends Error {}

/** Most levels of a value. Deeper ones would end in a stack overflow, which is nobody's score. */
const DEEPEST = 64;

/**
 * The document that a patch makes of another, which stays as it is. What it adds and copies
 * may not have more than `budget` characters of JSON: each copy can double a document.
 */
export function apply(document, patch, budget) {
  let left = budget;
  // The document is what the root holds, so that the path "" needs no rule of its own.
  const root = { document: copied(document) };
  const spend = (value) => {
    if (depth(value) > DEEPEST) {
      throw new PatchError(`a value has more than ${DEEPEST} levels`);
    }
    const text = JSON.stringify(value);
    left -= text.length;
    if (left < 0) {
      throw new PatchError(`adds and copies more than ${budget} characters`);
    }
    return JSON.parse(text);
  };
  for (const operation of patch) {
    const at = place(root, operation.path);
    switch (operation.op) {
      case 'add':
        insert(at, spend(given(operation, 'value')));
        break;
      case 'replace':
        look(at);
        put(at, spend(given(operation, 'value')));
        break;
      case 'remove':
        remove(at);
        break;
      case 'copy':
        insert(at, spend(look(place(root, given(operation, 'from')))));
        break;
      case 'move':
        if (`${operation.path}/`.startsWith(`${given(operation, 'from')}/`)) {
          throw new PatchError(`moves ${operation.from} into itself`);
        }
        // Where it goes is found after it was taken away, as the standard has it.
        insertMoved(root, operation);
        break;
    }
  }
  return root.document;
}

function insertMoved(root, { from, path }) {
  const source = place(root, from);
  const value = look(source);
  remove(source);
  insert(place(root, path), value);
}

function given(operation, name) {
  if (!Object.hasOwn(operation, name)) {
    throw new PatchError(`${operation.op} ${operation.path} has no ${name}`);
  }
  return operation[name];
}

/** The holder of a value, and its name or index there. */
function place(root, pointer) {
  if (pointer !== '' && !pointer.startsWith('/')) {
    throw new PatchError(`the path ${pointer} does not begin with /`);
  }
  let [holder, name] = [root, 'document'];
  const parts = pointer.split('/').slice(1);
  if (parts.length > DEEPEST) {
    throw new PatchError(`a path has more than ${DEEPEST} levels`);
  }
  for (const part of parts) {
    holder = look({ holder, name, pointer });
    if (typeof holder !== 'object' || holder === null) {
      throw new PatchError(`${pointer} goes through a value that holds none`);
    }
    name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(holder)) {
      name = name === '-' ? holder.length : index(name, pointer);
    }
  }
  return { holder, name, pointer };
}

function index(name, pointer) {
  if (!/^(0|[1-9][0-9]{0,8})$/.test(name)) {
    throw new PatchError(`${pointer} has an index that is no number`);
  }
  return Number(name);
}

function look({ holder, name, pointer }) {
  if (!Object.hasOwn(holder, name)) {
    throw new PatchError(`there is no ${pointer}`);
  }
  return holder[name];
}

function put({ holder, name }, value) {
  // Not an assignment: `__proto__` is a name like any other.
  Object.defineProperty(holder, name, { value, writable: true, enumerable: true, configurable: true });
}

function insert(at, value) {
  if (!Array.isArray(at.holder)) {
    put(at, value);
  } else if (at.name > at.holder.length) {
    throw new PatchError(`${at.pointer} is beyond the end`);
  } else {
    at.holder.splice(at.name, 0, value);
  }
}

function remove(at) {
  look(at);
  if (at.pointer === '') {
    throw new PatchError('removes the whole document');
  }
  if (Array.isArray(at.holder)) {
    at.holder.splice(at.name, 1);
  } else {
    delete at.holder[at.name];
  }
}

function depth(value) {
  let level = 0;
  let values = [value];
  while (values.length > 0 && level <= DEEPEST) {
    level += 1;
    values = values.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
  }
  return level;
}

function copied(value) {
  return JSON.parse(JSON.stringify(value));
}

/** A JSON text that is the same for equal values, whatever the order of their names. */
export function canonical(value) {
  return JSON.stringify(value, (_, held) =>
    typeof held === 'object' && held !== null && !Array.isArray(held)
      ? Object.fromEntries(Object.entries(held).sort(([a], [b]) => (a < b ? -1 : 1)))
      : held,
  );
}

/** The path of what is in the value at `path`. */
export function below(path, name) {
  return `${path}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** Name by name and index by index: what everybody writes first. */
export function plainDiff(from, to, path = '') {
  const holds = (value) => typeof value === 'object' && value !== null;
  if (canonical(from) === canonical(to)) {
    return [];
  }
  if (!holds(from) || !holds(to) || Array.isArray(from) !== Array.isArray(to)) {
    return [{ op: 'replace', path, value: to }];
  }
  const inside = Object.keys(to).flatMap((name) =>
    Object.hasOwn(from, name)
      ? plainDiff(from[name], to[name], below(path, name))
      : [{ op: 'add', path: below(path, name), value: to[name] }],
  );
  // From the end, so that no index changes before it is its turn.
  const gone = Object.keys(from)
    .filter((name) => !Object.hasOwn(to, name))
    .reverse()
    .map((name) => ({ op: 'remove', path: below(path, name) }));
  return [...inside, ...gone];
}
