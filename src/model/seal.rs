//! Which audit rows a seal covers, worked out from what the rows say.
//!
//! A seal remembers the state of the transactions that it saw: it covers the rows of those that had ended, without
//! those that an earlier seal saw. So nobody waits for a long transaction, and no row of one is forgotten.
//!
//! Numbers of transactions mean something in one server only. A database that was restored from a dump lives on under
//! other ones: its seals belong to a new life. A row belongs to the last life that had begun when it was written; what
//! no seal of that life has covered is covered by the first seal of the next one.

/// The transactions that had ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    xmin: u64,
    xmax: u64,
    running: Vec<u64>,
}

impl Snapshot {
    /// From the text form of pg_snapshot: `xmin:xmax:running,running`.
    pub fn parse(text: &str) -> Option<Snapshot> {
        let mut parts = text.splitn(3, ':');
        let xmin = parts.next()?.parse().ok()?;
        let xmax = parts.next()?.parse().ok()?;
        let list = parts.next()?;
        let running: Result<Vec<u64>, _> = list.split(',').filter(|n| !n.is_empty()).map(str::parse).collect();
        let mut running = running.ok()?;
        running.sort_unstable();
        Some(Snapshot { xmin, xmax, running })
    }

    /// The state without what the sealing transaction writes itself, which goes on.
    pub fn without(mut self, own: u64) -> Snapshot {
        if own < self.xmax {
            self.running.push(own);
        }
        self.settle()
    }

    /// The state as far as a seal may rely on it, whose last transaction that is known to the disk is `last`, after a
    /// seal that relied on `before`. A transaction that ended without a trace gives its number to another one after a
    /// crash.
    pub fn up_to(mut self, last: u64, before: Option<&Snapshot>) -> Snapshot {
        self.xmax = self.xmax.min(last.saturating_add(1)).max(before.map_or(0, |b| b.xmax));
        self.settle()
    }

    fn settle(mut self) -> Snapshot {
        self.running.retain(|n| *n < self.xmax);
        self.running.sort_unstable();
        self.running.dedup();
        self.xmin = self.running.first().copied().unwrap_or(self.xmax);
        self
    }

    pub fn sees(&self, transaction: u64) -> bool {
        transaction < self.xmin || (transaction < self.xmax && self.running.binary_search(&transaction).is_err())
    }

    /// All before this had ended.
    pub fn xmin(&self) -> u64 {
        self.xmin
    }
}

impl std::fmt::Display for Snapshot {
    fn fmt(&self, to: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(to, "{}:{}:", self.xmin, self.xmax)?;
        for (at, number) in self.running.iter().enumerate() {
            write!(to, "{}{number}", if at > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

/// A set of row numbers that mostly follow each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers(Vec<(i64, i64)>);

impl Numbers {
    pub fn add(&mut self, number: i64) {
        match self.0.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => self.0.push((number, number)),
        }
    }

    /// Needed once after the last `add`.
    pub fn sort(&mut self) {
        self.0.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(self.0.len());
        for (first, last) in self.0.drain(..) {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        self.0 = merged;
    }

    pub fn contains(&self, number: i64) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < number);
        self.0.get(at).is_some_and(|(first, _)| *first <= number)
    }

    /// From the text form: `1-5,7`.
    pub fn parse(text: &str) -> Option<Numbers> {
        let range = |part: &str| match part.split_once('-') {
            Some((first, last)) => Some((first.parse().ok()?, last.parse().ok()?)),
            None => part.parse().ok().map(|n| (n, n)),
        };
        text.split(',').filter(|part| !part.is_empty()).map(range).collect::<Option<Vec<_>>>().map(Numbers)
    }

    /// The numbers that are not in the other set, at most so many.
    pub fn without(&self, other: &Numbers, most: usize) -> Vec<i64> {
        let all = self.0.iter().flat_map(|(first, last)| *first..=*last);
        all.filter(|number| !other.contains(*number)).take(most).collect()
    }
}

impl std::fmt::Display for Numbers {
    fn fmt(&self, to: &mut std::fmt::Formatter) -> std::fmt::Result {
        for (at, (first, last)) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            if first == last { write!(to, "{comma}{first}")? } else { write!(to, "{comma}{first}-{last}")? }
        }
        Ok(())
    }
}

/// What decides whom a row belongs to.
pub trait Covers {
    fn snapshot(&self) -> &Snapshot;
}

/// The seals of one life, oldest first, and when it began.
pub struct Life<S> {
    pub name: String,
    pub since: i64,
    pub seals: Vec<S>,
}

/// The seal that covers a row; None for one that waits for the next. Its place: of the life, and in it.
pub fn covering<S: Covers>(lives: &[Life<S>], at: i64, transaction: u64) -> Option<(usize, usize)> {
    let life = lives.iter().rposition(|life| life.since <= at);
    if let Some(number) = life {
        let seals = &lives[number].seals;
        let first = seals.partition_point(|seal| seal.snapshot().xmax <= transaction);
        let found = (first..seals.len()).find(|place| seals[*place].snapshot().sees(transaction));
        if let Some(place) = found {
            return Some((number, place));
        }
    }
    let next = life.map_or(0, |number| number + 1);
    lives.get(next).filter(|life| !life.seals.is_empty()).map(|_| (next, 0))
}

/// The month of a time in microseconds since 2000-01-01, in UTC: `2026-11`.
pub fn month(at: i64) -> String {
    let (year, month, _) = date(at.div_euclid(86_400_000_000));
    format!("{year:04}-{month:02}")
}

/// Year, month and day so many days after 2000-01-01, in the Gregorian calendar.
fn date(days: i64) -> (i64, i64, i64) {
    // Days since 0000-03-01, so that the leap day is the last of its year.
    let days = days + 730_425;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Seal(Snapshot);

    impl Covers for Seal {
        fn snapshot(&self) -> &Snapshot {
            &self.0
        }
    }

    fn snapshot(text: &str) -> Snapshot {
        Snapshot::parse(text).unwrap()
    }

    #[test]
    fn a_snapshot_sees_what_had_ended() {
        let s = snapshot("10:20:10,15");
        let seen: Vec<u64> = (8..22).filter(|n| s.sees(*n)).collect();
        assert_eq!(seen, [8, 9, 11, 12, 13, 14, 16, 17, 18, 19]);
        assert_eq!(s.to_string(), "10:20:10,15");
        assert_eq!(snapshot("7:7:").to_string(), "7:7:");
        assert!(Snapshot::parse("7:7").is_none() && Snapshot::parse("a:7:").is_none());
    }

    #[test]
    fn a_seal_relies_on_what_the_disk_knows() {
        let seal = |text: &str, own, last, before: Option<&Snapshot>| snapshot(text).without(own).up_to(last, before);
        let first = seal("10:20:10,15", 12, 12, None);
        assert_eq!(first.to_string(), "10:13:10,12");
        assert_eq!(seal("10:20:10,15", 12, 17, None).to_string(), "10:18:10,12,15");
        // One that began before an earlier seal goes no further back than that.
        assert_eq!(seal("10:30:10,15", 11, 11, Some(&first)).to_string(), "10:13:10,11");
        assert_eq!(seal("40:40:", 40, 40, Some(&first)).to_string(), "40:40:");
    }

    #[test]
    fn numbers_are_kept_as_ranges() {
        let mut n = Numbers::default();
        [7, 8, 3, 1, 2, 10].into_iter().for_each(|i| n.add(i));
        n.sort();
        assert_eq!(n.to_string(), "1-3,7-8,10");
        assert_eq!(Numbers::parse("1-3,7-8,10").unwrap(), n);
        assert!(n.contains(2) && !n.contains(4) && n.contains(10) && !n.contains(11));
        assert_eq!(
            n.without(&Numbers::parse("2,7-9").unwrap(), 3),
            [1, 3, 8][..2].iter().copied().chain([10]).collect::<Vec<_>>()
        );
        assert_eq!(Numbers::parse("").unwrap(), Numbers::default());
    }

    #[test]
    fn every_row_has_one_seal() {
        let life = |since: i64, seals: &[&str]| Life {
            name: since.to_string(),
            since,
            seals: seals.iter().map(|s| Seal(snapshot(s))).collect(),
        };
        let lives = [life(100, &["10:12:10", "12:20:", "20:30:25"]), life(200, &["5:9:5"]), life(300, &[])];
        let of = |at, transaction| covering(&lives, at, transaction);
        assert_eq!(of(150, 9), Some((0, 0)));
        assert_eq!(of(150, 10), Some((0, 1)));
        assert_eq!(of(150, 25), Some((1, 0)), "the rest of a life goes to the next");
        assert_eq!(of(150, 26), Some((0, 2)));
        assert_eq!(of(50, 99), Some((0, 0)), "what was before all lives");
        assert_eq!(of(250, 4), Some((1, 0)));
        assert_eq!(of(250, 5), None, "the next life has sealed nothing yet");
        assert_eq!(of(350, 1), None);
        assert_eq!(covering::<Seal>(&[], 1, 1), None);
    }

    #[test]
    fn months() {
        const DAY: i64 = 86_400_000_000;
        for (day, expected) in
            [(0, "2000-01"), (-1, "1999-12"), (59, "2000-02"), (60, "2000-03"), (9_831, "2026-12"), (9_830, "2026-11")]
        {
            assert_eq!(month(day * DAY), expected, "{day}");
        }
        assert_eq!(month(9_831 * DAY - 1), "2026-11");
    }
}
