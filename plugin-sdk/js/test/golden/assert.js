// What the golden cases need of assertions: they also run in the sandbox, without Node.

export function equal(ours, expected, about) {
  const [left, right] = [JSON.stringify(ours), JSON.stringify(expected)];
  if (left !== right) {
    throw new Error(`${about}: ${left} is not ${right}`);
  }
}

export function close(ours, expected, about) {
  equal(ours.length, expected.length, `${about}: length`);
  for (const [index, number] of ours.entries()) {
    const near = Math.abs(number - expected[index]) <= 1e-12 * Math.abs(expected[index]);
    if (!near) {
      throw new Error(`${about}: ${number} is not ${expected[index]}`);
    }
  }
}

export function ok(holds, about) {
  if (!holds) {
    throw new Error(about);
  }
}
