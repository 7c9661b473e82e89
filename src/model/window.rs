//! How many rows somebody wrote within the last seconds, whatever the transactions.

/// Parts of a window. The oldest one counts whole: what is said is never too little.
const PARTS: i64 = 30;

/// All zeros are a window of nobody.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct Window {
    key: [u64; 2],
    seconds: i64,
    touched: i64,
    /// The number of the part since the epoch, and its rows.
    parts: [(i64, i64); PARTS as usize + 1],
}

impl Window {
    pub fn is_of(&self, key: [u64; 2], seconds: i64) -> bool {
        self.touched != 0 && self.key == key && self.seconds == seconds
    }

    /// When it was last used; 0 for never.
    pub fn touched(&self) -> i64 {
        self.touched
    }

    /// Adds rows at a time in microseconds, and answers how many there are within the window.
    pub fn add(&mut self, key: [u64; 2], seconds: i64, now: i64, rows: i64) -> i64 {
        if !self.is_of(key, seconds) {
            *self = Window { key, seconds, ..Window::default() };
        }
        self.touched = now.max(1);
        let width = (seconds.max(1).saturating_mul(1_000_000) / PARTS).max(1);
        let number = now.div_euclid(width);
        let place = usize::try_from(number.rem_euclid(PARTS + 1)).unwrap_or_default();
        if let Some(part) = self.parts.get_mut(place) {
            if part.0 != number {
                *part = (number, 0);
            }
            part.1 = part.1.saturating_add(rows);
        }
        let within = self.parts.iter().filter(|(of, _)| (number - PARTS..=number).contains(of));
        within.fold(0, |sum, (_, rows)| sum.saturating_add(*rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_leave_the_window() {
        let second = 1_000_000;
        let mut window = Window::default();
        let key = [1, 2];
        let mut add = |at: i64, rows| window.add(key, 60, 1_000 * second + at * second, rows);
        assert_eq!(add(0, 10), 10);
        assert_eq!(add(30, 5), 15);
        assert_eq!(add(59, 1), 16);
        assert_eq!(add(60, 0), 16, "the edge counts");
        assert_eq!(add(64, 0), 6);
        assert_eq!(add(93, 2), 3);
        assert_eq!(add(1_000, 4), 4);
    }

    #[test]
    fn another_key_begins_anew() {
        let mut window = Window::default();
        assert_eq!(window.add([1, 1], 10, 5_000_000, 7), 7);
        assert!(window.is_of([1, 1], 10) && !window.is_of([1, 1], 20) && !window.is_of([1, 2], 10));
        assert_eq!(window.add([1, 2], 10, 5_000_000, 1), 1);
    }
}
