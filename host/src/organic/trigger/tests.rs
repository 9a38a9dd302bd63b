#![allow(clippy::unwrap_used)]

use super::*;

fn rate(trigger: By) -> Rate {
    Rate {
        trigger,
        frequency: 15.0,
        frequency_min: 2.0,
        scaling: 5.0,
    }
}

fn seen(now: f64) -> Seen {
    Seen {
        now,
        size: 0,
        steps: 0,
        stopped: false,
        in_flight: 0,
        concurrency: 8,
    }
}

#[test]
fn the_first_iteration_is_at_once_and_the_next_after_the_delay() {
    let rate = rate(By::Seconds);
    let mut trigger = Trigger::default();
    assert_eq!(trigger.next(&rate, seen(100.0)), Next::Begin);
    trigger.began(100.0);
    assert_eq!(trigger.next(&rate, seen(100.0)), Next::At(115.0));
    assert_eq!(trigger.next(&rate, seen(114.9)), Next::At(115.0));
    assert_eq!(trigger.next(&rate, seen(115.0)), Next::Begin);
}

/// The peer measures it once, after an iteration; here the queue counts as it is.
#[test]
fn a_queue_that_grows_makes_an_iteration_due_earlier() {
    let rate = rate(By::Seconds);
    let mut trigger = Trigger::default();
    trigger.began(0.0);
    let with = |now, size| Seen { size, ..seen(now) };
    assert_eq!(trigger.next(&rate, with(4.0, 0)), Next::At(15.0));
    assert_eq!(trigger.next(&rate, with(4.0, 50)), Next::At(5.0));
    assert_eq!(trigger.next(&rate, with(4.0, 65)), Next::Begin);
}

/// An iteration that hangs must not hold up the next, up to as many as may run.
#[test]
fn iterations_overlap_up_to_the_concurrency() {
    let rate = rate(By::Seconds);
    let mut trigger = Trigger::default();
    trigger.began(0.0);
    let with = |in_flight| Seen {
        in_flight,
        ..seen(15.0)
    };
    assert_eq!(trigger.next(&rate, with(7)), Next::Begin);
    assert_eq!(trigger.next(&rate, with(8)), Next::Wait);
}

/// The loop over logical time: when iterations begin, of `duration` seconds each.
fn begins(rate: &Rate, duration: f64, concurrency: u32, until: f64) -> Vec<f64> {
    let mut trigger = Trigger::default();
    let (mut now, mut ends, mut begins) = (0.0, Vec::<f64>::new(), Vec::new());
    while now < until {
        ends.retain(|end| *end > now);
        let seen = Seen {
            in_flight: u32::try_from(ends.len()).unwrap(),
            concurrency,
            ..seen(now)
        };
        now = match trigger.next(rate, seen) {
            Next::Begin => {
                trigger.began(now);
                begins.push(now);
                ends.push(now + duration);
                now
            }
            Next::At(at) => at,
            Next::Wait => ends.iter().copied().fold(f64::INFINITY, f64::min),
        };
    }
    begins
}

#[test]
fn iterations_keep_their_rate_while_they_take_longer_than_the_delay() {
    let rate = rate(By::Seconds);
    let on_time = [0.0, 15.0, 30.0, 45.0, 60.0];
    assert_eq!(begins(&rate, 1.0, 1, 75.0), on_time);
    assert_eq!(begins(&rate, 29.0, 2, 75.0), on_time);
    // One at a time, as the peer has them.
    assert_eq!(begins(&rate, 29.0, 1, 75.0), [0.0, 29.0, 58.0]);
}

#[test]
fn steps_mode_begins_when_there_are_steps_and_goes_on() {
    let rate = rate(By::Steps);
    let mut trigger = Trigger::default();
    let (mut steps, mut begun) = (0, 0);
    for now in 0..100 {
        steps += 1;
        let seen = Seen {
            steps,
            ..seen(f64::from(now))
        };
        match trigger.next(&rate, seen) {
            Next::Begin => {
                trigger.began(f64::from(now));
                steps -= rate.steps(0);
                begun += 1;
            }
            other => assert_eq!(other, Next::Wait),
        }
    }
    // In the peer the first one was the last.
    assert_eq!((begun, steps), (6, 10));
}

#[test]
fn steps_that_are_counted_at_once_are_worth_as_many_iterations() {
    let rate = rate(By::Steps);
    let mut trigger = Trigger::default();
    let mut left = 46;
    let mut begun = 0;
    while trigger.next(
        &rate,
        Seen {
            steps: left,
            ..seen(0.0)
        },
    ) == Next::Begin
    {
        trigger.began(0.0);
        left -= rate.steps(0);
        begun += 1;
    }
    assert_eq!((begun, left), (3, 1));
}

/// In the peer the counter had to reach the frequency, whatever the queue.
#[test]
fn a_long_queue_needs_fewer_steps() {
    let rate = rate(By::Steps);
    let trigger = Trigger::default();
    let with = |steps, size| Seen {
        steps,
        size,
        ..seen(0.0)
    };
    for (steps, size, next) in [
        (14, 0, Next::Wait),
        (15, 0, Next::Begin),
        (13, 1, Next::Wait),
        (14, 1, Next::Begin),
        (1, 10_000, Next::Wait),
        (2, 10_000, Next::Begin),
    ] {
        assert_eq!(trigger.next(&rate, with(steps, size)), next);
    }
}

#[test]
fn waiting_drains_no_steps() {
    let rate = rate(By::Steps);
    let trigger = Trigger::default();
    let waiting = Seen {
        steps: 14,
        ..seen(0.0)
    };
    for _ in 0..1_000 {
        assert_eq!(trigger.next(&rate, waiting), Next::Wait);
    }
    let counted = Seen {
        steps: waiting.steps + 1,
        ..waiting
    };
    assert_eq!(trigger.next(&rate, counted), Next::Begin);
}

#[test]
fn a_stop_is_heeded_while_it_waits_for_seconds_and_for_steps() {
    for trigger in [By::Seconds, By::Steps] {
        let rate = rate(trigger);
        let mut trigger = Trigger::default();
        trigger.began(0.0);
        for (now, steps) in [(1.0, 0), (100.0, 1_000)] {
            let stopped = Seen {
                steps,
                stopped: true,
                ..seen(now)
            };
            assert_eq!(trigger.next(&rate, stopped), Next::Wait);
        }
        let started = Seen {
            steps: 1_000,
            ..seen(100.0)
        };
        assert_eq!(trigger.next(&rate, started), Next::Begin);
    }
}

#[test]
fn a_loop_that_is_started_again_keeps_its_rate() {
    let rate = rate(By::Seconds);
    let mut trigger = Trigger::default();
    trigger.began(0.0);
    let stopped = Seen {
        stopped: true,
        ..seen(1.0)
    };
    assert_eq!(trigger.next(&rate, stopped), Next::Wait);
    assert_eq!(trigger.next(&rate, seen(2.0)), Next::At(15.0));
}

#[test]
fn after_a_failure_of_the_host_it_waits() {
    for by in [By::Seconds, By::Steps] {
        let rate = rate(by);
        let mut trigger = Trigger::default();
        let with = |now| Seen {
            steps: 1_000,
            ..seen(now)
        };
        trigger.pause(0.0, 1.0);
        assert_eq!(trigger.next(&rate, with(0.5)), Next::At(1.0));
        assert_eq!(trigger.next(&rate, with(1.0)), Next::Begin);
        trigger.began(1.0);
        assert_eq!(trigger.next(&rate, with(16.0)), Next::Begin);
    }
}

#[test]
fn a_loop_looks_again_after_ten_seconds_whatever_it_waits_for() {
    assert_eq!(Next::Begin.look(100.0), None);
    assert_eq!(Next::Wait.look(100.0), Some(110.0));
    assert_eq!(Next::At(101.0).look(100.0), Some(101.0));
    assert_eq!(Next::At(1e9).look(100.0), Some(110.0));
}
