//! Points in time as text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The moment in UTC as RFC 3339 asks, always with nine digits of a second, so that the texts of any two
/// moments sort like the moments: `2026-02-28T23:59:59.000000001Z`. Go's `time.RFC3339Nano` reads it.
pub fn rfc3339(moment: SystemTime) -> String {
    let (seconds, nanoseconds) = since_epoch(moment);
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let second_of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z")
}

/// Whole seconds since 1970, and the nanoseconds (0 to 999 999 999) that have passed since then.
fn since_epoch(moment: SystemTime) -> (i64, u32) {
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match moment.duration_since(UNIX_EPOCH) {
        Ok(after) => (seconds(after), after.subsec_nanos()),
        Err(before) => match before.duration() {
            before if before.subsec_nanos() == 0 => (-seconds(before), 0),
            before => (-seconds(before) - 1, 1_000_000_000 - before.subsec_nanos()),
        },
    }
}

/// Year, month and day of a day that is counted from 1 January 1970, in the Gregorian calendar.
///
/// Years are taken to begin with March: then the leap day is the last day of a year, and the lengths of the
/// months repeat every five months (31 30 31 30 31, 153 days), so that a division finds the month.
fn date(day: i64) -> (i64, i64, i64) {
    const DAYS_OF_400_YEARS: i64 = 400 * 365 + 97;
    const FROM_MARCH_OF_YEAR_0: i64 = 719_468;
    let day = day + FROM_MARCH_OF_YEAR_0;
    let (era, day) = (day.div_euclid(DAYS_OF_400_YEARS), day.rem_euclid(DAYS_OF_400_YEARS));
    let leap_days = day / 1460 - day / 36_524 + day / 146_096;
    let year = (day - leap_days) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    match month {
        0..=9 => (era * 400 + year, month + 3, day_of_month),
        _ => (era * 400 + year + 1, month - 9, day_of_month),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, nanoseconds: u32) -> String {
        let distance = Duration::from_secs(seconds.unsigned_abs());
        let whole = if seconds < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance };
        rfc3339(whole + Duration::from_nanos(nanoseconds.into()))
    }

    #[test]
    fn known_moments() {
        // As date(1) prints them: date -u -d @SECONDS --rfc-3339=ns
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(at(1_709_251_199, 999_999_999), "2024-02-29T23:59:59.999999999Z");
        assert_eq!(at(1_709_251_200, 1), "2024-03-01T00:00:00.000000001Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000000000Z");
        assert_eq!(at(951_782_400, 0), "2000-02-29T00:00:00.000000000Z");
        assert_eq!(at(-1, 500_000_000), "1969-12-31T23:59:59.500000000Z");
        assert_eq!(at(-2_203_891_200, 0), "1900-03-01T00:00:00.000000000Z");
        assert_eq!(at(253_402_300_799, 0), "9999-12-31T23:59:59.000000000Z");
    }

    /// Counts the days of 800 years one by one, with nothing but the rule of the leap years.
    #[test]
    fn every_day_follows_the_day_before() {
        let (mut year, mut month, mut day) = (1600, 1, 1);
        for number in -135_140..=157_054 {
            assert_eq!(date(number), (year, month, day));
            let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            let length = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!((year, month, day), (2400, 1, 2));
    }
}
