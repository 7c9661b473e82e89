//! Statements that run in turns, so that whatever disturbs the machine disturbs all of them alike.

use crate::session::{LIMIT_SECONDS, Ran, Result, Session};
use std::time::Instant;

/// One runner: an untimed statement before, the timed one, an untimed one after.
pub struct Lane<'a> {
    pub name: &'static str,
    pub session: &'a mut Session,
    pub before: String,
    pub sql: String,
    pub after: String,
}

impl<'a> Lane<'a> {
    pub fn new(name: &'static str, session: &'a mut Session, sql: impl Into<String>) -> Lane<'a> {
        Lane { name, session, before: String::new(), sql: sql.into(), after: String::new() }
    }

    pub fn between(mut self, before: impl Into<String>, after: impl Into<String>) -> Lane<'a> {
        (self.before, self.after) = (before.into(), after.into());
        self
    }

    fn go(&mut self) -> Result<Ran> {
        if !self.before.is_empty() {
            self.session.run(&self.before)?;
        }
        let ran = self.session.time(&self.sql)?;
        if !self.after.is_empty() {
            self.session.run(&self.after)?;
        }
        Ok(ran)
    }
}

/// How often a statement runs: as long as `budget` milliseconds allow, within the bounds.
#[derive(Clone, Copy)]
pub struct Pace {
    pub budget: f64,
    pub least: usize,
    pub most: usize,
}

impl Pace {
    /// Exactly so many runs.
    pub fn exactly(runs: usize) -> Pace {
        Pace { budget: f64::INFINITY, least: runs, most: runs }
    }

    fn runs(&self, ms: f64) -> usize {
        ((self.budget / ms.max(0.001)) as usize).clamp(self.least, self.most)
    }
}

/// The runs of one statement.
#[derive(Clone, Debug)]
pub struct Timing {
    pub name: &'static str,
    pub ms: Vec<f64>,
    /// It was given up at the time limit.
    pub over: bool,
    /// Fingerprint of its rows, unless it was given up before the first.
    pub answer: Option<u64>,
}

impl Timing {
    pub fn empty(name: &'static str) -> Timing {
        Timing { name, ms: Vec::new(), over: false, answer: None }
    }

    pub fn of(name: &'static str, ms: Vec<f64>) -> Timing {
        Timing { ms, ..Timing::empty(name) }
    }

    /// The time limit stands for a statement that reached it.
    pub fn median(&self) -> f64 {
        if self.over {
            return f64::from(LIMIT_SECONDS) * 1000.0;
        }
        median(&self.ms)
    }

    pub fn min(&self) -> f64 {
        self.ms.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub fn max(&self) -> f64 {
        self.ms.iter().copied().fold(0.0, f64::max)
    }
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// A warm-up that takes this long needs no second one.
const SLOW_MS: f64 = 1000.0;

/// Statements faster than this run several times in a row, after one that does not count: the processor's caches
/// hold what the neighbours did, and a client that asks all the time does not meet that.
const FAST_MS: f64 = 5.0;
const BURST: usize = 10;

pub fn race(lanes: &mut [Lane], pace: Pace) -> Result<Vec<Timing>> {
    race_tidying(lanes, pace, &mut || Ok(()))
}

/// Warms every lane up, then lets them run in turns, in one direction and back, so that nobody always follows the same
/// neighbour. Slow lanes have fewer turns, spread over the same time. `tidy` runs after every round.
pub fn race_tidying(lanes: &mut [Lane], pace: Pace, tidy: &mut dyn FnMut() -> Result<()>) -> Result<Vec<Timing>> {
    let mut timings = Vec::new();
    let mut turns = Vec::new();
    for lane in lanes.iter_mut() {
        let (timing, turn) = warm(lane, pace)?;
        timings.push(timing);
        turns.push(turn);
    }
    tidy()?;

    let rounds = turns.iter().map(|t| t.number).max().unwrap_or(0);
    for round in 0..rounds {
        for position in 0..lanes.len() {
            let i = if round % 2 == 0 { position } else { lanes.len() - 1 - position };
            let number = turns[i].number;
            if (round + 1) * number / rounds > round * number / rounds {
                take(&mut lanes[i], &turns[i], &mut timings[i])?;
            }
        }
        tidy()?;
    }
    Ok(timings)
}

/// How many turns a lane has, and how many timed runs each.
struct Turns {
    number: usize,
    burst: usize,
}

fn warm(lane: &mut Lane, pace: Pace) -> Result<(Timing, Turns)> {
    let mut timing = Timing::empty(lane.name);
    let (mut typical, mut whole) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..3 {
        let start = Instant::now();
        match lane.go()? {
            Ran::Took { ms, answer } => {
                timing.answer = Some(answer);
                typical = ms;
            }
            Ran::Over => timing.over = true,
        }
        whole = start.elapsed().as_secs_f64() * 1000.0;
        if timing.over || typical > SLOW_MS {
            break;
        }
    }
    if timing.over {
        return Ok((timing, Turns { number: 0, burst: 1 }));
    }
    // What is untimed takes its part of the budget, too.
    let runs = pace.runs(whole);
    let burst = if typical < FAST_MS { BURST.min(runs) } else { 1 };
    Ok((timing, Turns { number: runs.div_ceil(burst), burst }))
}

fn take(lane: &mut Lane, turns: &Turns, timing: &mut Timing) -> Result<()> {
    if turns.burst > 1 {
        lane.go()?;
    }
    for _ in 0..turns.burst {
        match lane.go()? {
            Ran::Took { ms, .. } if !timing.over => timing.ms.push(ms),
            Ran::Took { .. } => {}
            Ran::Over => timing.over = true,
        }
    }
    Ok(())
}
