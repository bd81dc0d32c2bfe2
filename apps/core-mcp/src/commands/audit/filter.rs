//! Which records are wanted, as flags.

use audit::Filter;
use clap::{Args, ValueEnum};
use pipeline::seams::Phase;

use crate::failure::Failure;

/// Every flag that is given must match.
#[derive(Debug, Default, Args)]
pub(super) struct FilterArgs {
    /// Who
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
    /// Which server, by its catalogue name
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Which tool, or event such as `token.created`
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// How it ended: `ok`, an error code, or `abandoned`
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Which half of a call
    #[arg(long, value_enum)]
    phase: Option<PhaseName>,
    /// Both halves of one call
    #[arg(long, value_name = "ID")]
    call_id: Option<String>,
    /// Not before: `15m`, `24h`, `7d`, or a date such as 2026-11-20T08:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before: the same forms
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Anywhere in the record
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PhaseName {
    Intent,
    Outcome,
    Event,
}

impl FilterArgs {
    pub(super) fn build(self) -> Result<Filter, Failure> {
        let now = chrono::Utc::now().timestamp_micros();
        let time = |text: Option<String>| text.map(|it| moment(&it, now)).transpose();
        Ok(Filter {
            principal: self.principal,
            server: self.server,
            tool: self.tool,
            code: self.code,
            phase: self.phase.map(|it| match it {
                PhaseName::Intent => Phase::Intent,
                PhaseName::Outcome => Phase::Outcome,
                PhaseName::Event => Phase::Event,
            }),
            call_id: self.call_id,
            since_us: time(self.since)?,
            until_us: time(self.until)?,
            text: self.text,
        })
    }
}

/// A time in Unix microseconds: so long ago, or a date.
fn moment(text: &str, now_us: i64) -> Result<i64, Failure> {
    if let Ok(date) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(date.timestamp_micros());
    }
    if let Ok(day) = text.parse::<chrono::NaiveDate>() {
        return Ok(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros());
    }
    let ago = ["s", "m", "h", "d"].iter().zip([1_i64, 60, 3600, 86_400]).find_map(|(unit, seconds)| {
        let count = text.strip_suffix(unit)?.parse::<u32>().ok()?;
        i64::from(count).checked_mul(seconds * 1_000_000)
    });
    ago.map(|it| now_us.saturating_sub(it)).ok_or_else(|| {
        Failure::usage(format!("`{text}` is not a time"))
            .hint("write `15m`, `24h`, `7d`, 2026-11-20, or 2026-11-20T08:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_so_long_ago_or_a_date() {
        let now = 1_000_000_000_000_000;
        let check =
            |text: &str, expected: Option<i64>| assert_eq!(moment(text, now).ok(), expected, "{text}");
        check("90s", Some(now - 90_000_000));
        check("15m", Some(now - 900_000_000));
        check("24h", Some(now - 86_400_000_000));
        check("7d", Some(now - 604_800_000_000));
        check("1970-01-02", Some(86_400_000_000));
        check("1970-01-01T00:00:01Z", Some(1_000_000));
        check("1970-01-01T01:00:01+01:00", Some(1_000_000));
        check("soon", None);
        check("-5m", None);
        check("", None);
        check("99999999999d", None);
    }
}
