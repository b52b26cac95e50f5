//! Points in time as text.

use time::OffsetDateTime;

/// Milliseconds since 1970 as RFC 3339 in UTC, `2025-07-01T09:30:00.250Z`; without a fraction where it is nothing.
/// `None` before the year 0 and after 9999.
pub fn rfc3339(ms: i64) -> Option<String> {
    let at = moment(ms)?;
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    let fraction = match at.millisecond() {
        0 => String::new(),
        ms => format!(".{ms:03}"),
    };
    Some(format!(
        "{}T{hour:02}:{minute:02}:{second:02}{fraction}Z",
        date(ms)?
    ))
}

/// The day of it, `2025-07-01`.
pub fn date(ms: i64) -> Option<String> {
    let at = moment(ms)?;
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

fn moment(ms: i64) -> Option<OffsetDateTime> {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?;
    (0..=9999).contains(&at.year()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_standard_says() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_751_362_200_250, "2025-07-01T09:30:00.250Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ];
        for (ms, expected) in cases {
            assert_eq!(rfc3339(ms).unwrap(), expected);
        }
        assert_eq!(date(951_782_400_000).unwrap(), "2000-02-29");
        for ms in [253_402_300_800_000, i64::MAX, i64::MIN] {
            assert_eq!(rfc3339(ms), None);
        }
    }
}
