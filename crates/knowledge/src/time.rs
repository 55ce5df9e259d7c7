//! Points in time. The only clock is the world's; rules receive `Timestamp`s.

pub use jiff::Timestamp;

/// The form times have in the state file: UTC, milliseconds, fixed width, so that text order is time order.
pub fn stored(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Reads what a person or a file wrote: RFC 3339, `YYYY-MM-DD`, or `YYYY-MM-DD HH:MM[:SS[.fff]]`. A form without a
/// zone is taken as UTC; a date alone is its first instant.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let civil = match text.parse::<jiff::civil::DateTime>() {
        Ok(at) => at,
        Err(_) => text.parse::<jiff::civil::Date>().ok()?.to_datetime(jiff::civil::Time::midnight()),
    };
    jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_text_sorts_like_time() {
        let early = parse("2026-01-02T03:04:05Z").unwrap();
        let late = parse("2026-01-02T03:04:05.006Z").unwrap();
        assert_eq!(stored(early), "2026-01-02T03:04:05.000Z");
        assert!(stored(early) < stored(late));
        assert_eq!(parse(&stored(late)), Some(late));
    }

    #[test]
    fn dates_without_a_zone_are_utc() {
        assert_eq!(parse("2026-01-02"), parse("2026-01-02T00:00:00Z"));
        assert_eq!(parse("2014-03-01 12:30:00.5"), parse("2014-03-01T12:30:00.500Z"));
        assert_eq!(parse("soon"), None);
    }
}
