import { Challenge } from '@proctor/sdk';
import golden from '../../../../tests/golden/ranking.json';
import { checks } from '../golden/ranking.js';

/** Every golden case is a task: 1 if it holds, else 0 with what is wrong. */
export default class Golden extends Challenge {
  static name = 'golden';
  static version = '0.1.0';
  static summary = 'The golden cases of the ranking rules.';

  evaluate() {
    return checks(golden).map(({ name, run }) => {
      try {
        run();
        return { task: JSON.stringify(name), score: 1 };
      } catch (error) {
        return { task: JSON.stringify(name), score: 0, error: error.message };
      }
    });
  }
}
