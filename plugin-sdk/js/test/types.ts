import { Challenge, field, type SettingsOf, type Context } from '@proctor/sdk';
import { Harness } from '@proctor/sdk/testing';
const settings = { tasks: field.integer({ default: 10 }), mode: field.choice(['a', 'b'], { default: 'a' }) };
export default class Sum extends Challenge<SettingsOf<typeof settings>, [number, number], number> {
  static override name = 'sum';
  static override version = '0.1.0';
  static override settings = settings;
  static override solution = field.integer();
  override makeTask(context: Context, index: number): [number, number] {
    const n: number = this.settings.tasks;
    const m: 'a' | 'b' = this.settings.mode;
    // @ts-expect-error a number
    const wrong: string = this.settings.tasks;
    return [n, context.rng(index).integer(0, 9) + m.length + wrong.length];
  }
  override score([a, b]: [number, number], solution: number) { return solution === a + b ? 1 : 0; }
  override similarity() { return { similarity: 1, reason: 'x' }; }
}
new Harness(Sum, { solver: ([a, b]: [number, number]) => a + b }).evaluate()[0]?.score.toFixed();
