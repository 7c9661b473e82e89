//! Everything that was measured, and how it compares with the targets.

use crate::race::Timing;
use crate::session::Result;
use std::path::Path;

/// Where a figure belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    pub section: &'static str,
    pub member: String,
    pub query: String,
}

impl Spot {
    pub fn new(section: &'static str, member: &str, query: &str) -> Spot {
        Spot { section, member: member.to_string(), query: query.to_string() }
    }
}

pub struct Entry {
    pub spot: Spot,
    pub timing: Timing,
}

/// A target and what was found.
pub struct Verdict {
    pub spot: Spot,
    /// Name of the timing that is judged.
    pub variant: &'static str,
    pub value: f64,
    /// The value in words: "1.21x limit".
    pub found: String,
    pub target: String,
    pub ok: bool,
}

/// What medians of one statement differ between runs.
const NOISE: f64 = 1.05;

#[derive(Default)]
pub struct Book {
    pub entries: Vec<Entry>,
    pub verdicts: Vec<Verdict>,
    /// Variants that disagree, and sections that could not be measured.
    pub troubles: Vec<String>,
}

impl Book {
    pub fn enter(&mut self, spot: &Spot, timings: &[Timing]) {
        self.entries.extend(timings.iter().map(|t| Entry { spot: spot.clone(), timing: t.clone() }));
    }

    /// `ours` takes at most `bound` times as long as `base`.
    pub fn at_most(&mut self, spot: &Spot, ours: &Timing, base: &Timing, bound: f64) {
        let value = ours.median() / base.median();
        self.judge(spot, ours.name, value, factor(value, ours.over, base), format!("at most {bound}x"), value <= bound);
    }

    /// `ours` takes no longer than `base`, as far as two medians of the same statement can be told apart.
    pub fn not_slower(&mut self, spot: &Spot, ours: &Timing, base: &Timing) {
        let value = ours.median() / base.median();
        self.judge(spot, ours.name, value, factor(value, ours.over, base), "not slower (5 % noise)", value <= NOISE);
    }

    /// `ours` is at least `bound` times faster than `base`.
    pub fn faster(&mut self, spot: &Spot, ours: &Timing, base: &Timing, bound: f64) {
        let value = base.median() / ours.median();
        let more = if base.over { "over " } else { "" };
        let found = format!("{more}{} faster than {}", times(value), base.name);
        self.judge(spot, ours.name, value, found, format!("at least {bound}x"), value >= bound);
    }

    /// `ours` takes at most `bound` milliseconds longer than `base`.
    pub fn more(&mut self, spot: &Spot, ours: &Timing, base: &Timing, bound: f64) {
        let value = ours.median() - base.median();
        let found = format!("{value:+.3} ms over {}", base.name);
        self.judge(spot, ours.name, value, found, format!("at most {bound} ms more"), value <= bound);
    }

    pub fn judge(
        &mut self,
        spot: &Spot,
        variant: &'static str,
        value: f64,
        found: String,
        target: impl Into<String>,
        ok: bool,
    ) {
        self.verdicts.push(Verdict { spot: spot.clone(), variant, value, found, target: target.into(), ok });
    }

    /// Two variants give different rows: whatever was measured means nothing.
    pub fn disagreement(&mut self, spot: &Spot, one: &str, other: &str) {
        let text = format!("{}, {}, {}: {one} and {other} disagree", spot.section, spot.member, spot.query);
        println!("  WRONG: {text}");
        self.troubles.push(text);
    }

    pub fn failed(&mut self, section: &str, reason: &str) {
        self.troubles.push(format!("{section} could not be measured: {}", reason.lines().next().unwrap_or_default()));
    }

    pub fn sound(&self) -> bool {
        self.troubles.is_empty()
    }

    /// One line per measurement and target; a measurement with two targets has two lines, one without has empty fields,
    /// and a target about something else than time has no measurement.
    pub fn write_csv(&self, path: &Path) -> Result<()> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mut writer = csv::Writer::from_path(path)?;
        writer.write_record([
            "section",
            "member",
            "query",
            "variant",
            "median_ms",
            "min_ms",
            "max_ms",
            "n",
            "ratio",
            "target",
            "verdict",
        ])?;
        let mut written = vec![false; self.verdicts.len()];
        for entry in &self.entries {
            let mut judged = false;
            for (i, verdict) in self.verdicts.iter().enumerate() {
                if verdict.spot == entry.spot && verdict.variant == entry.timing.name {
                    writer.write_record(record(&entry.spot, entry.timing.name, Some(&entry.timing), Some(verdict)))?;
                    (judged, written[i]) = (true, true);
                }
            }
            if !judged {
                writer.write_record(record(&entry.spot, entry.timing.name, Some(&entry.timing), None))?;
            }
        }
        for (verdict, written) in self.verdicts.iter().zip(written) {
            if !written {
                writer.write_record(record(&verdict.spot, verdict.variant, None, Some(verdict)))?;
            }
        }
        writer.flush()?;
        Ok(())
    }
}

fn record(spot: &Spot, variant: &str, timing: Option<&Timing>, verdict: Option<&Verdict>) -> Vec<String> {
    let mut fields = vec![spot.section.to_string(), spot.member.clone(), spot.query.clone(), variant.to_string()];
    match timing {
        Some(t) if t.over => fields.extend([format!(">{}", t.median()), String::new(), String::new(), "1".to_string()]),
        Some(t) => fields.extend([ms(t.median()), ms(t.min()), ms(t.max()), t.ms.len().to_string()]),
        None => fields.extend([const { String::new() }; 4]),
    }
    match verdict {
        Some(v) => fields.extend([format!("{:.4}", v.value), v.target.clone(), word(v.ok).to_string()]),
        None => fields.extend([const { String::new() }; 3]),
    }
    fields
}

fn ms(value: f64) -> String {
    format!("{value:.4}")
}

pub fn word(ok: bool) -> &'static str {
    if ok { "ok" } else { "MISSED" }
}

pub fn times(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}x"),
        v if v >= 10.0 => format!("{v:.1}x"),
        v => format!("{v:.2}x"),
    }
}

fn factor(value: f64, over: bool, base: &Timing) -> String {
    let more = if over { "over " } else { "" };
    let less = if base.over { "under " } else { "" };
    format!("{more}{less}{} {}", times(value), base.name)
}
