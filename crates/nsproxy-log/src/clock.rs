//! Dates as logs spell them. Breaking a time down costs far more than printing it, so a thread remembers the last second.

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::sys;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Prints dates. Each thread that logs has one of its own.
#[derive(Debug, Default)]
pub struct Clock {
    local: Option<Second>,
    utc: Option<Second>,
}

/// One second, broken down.
#[derive(Debug, Clone, Copy)]
struct Second {
    since_epoch: i64,
    year: i32,
    /// 0 to 11.
    month: usize,
    day: i32,
    hour: i32,
    minute: i32,
    seconds: i32,
    /// East of Greenwich, in minutes.
    offset: i64,
}

impl Clock {
    /// `22/Nov/2026:06:36:53.121`, local: HAProxy's `%t`.
    pub fn accept_date(&mut self, time: SystemTime, out: &mut Vec<u8>) {
        let (second, part) = self.local(time);
        second.apache(out);
        put(out, format_args!(".{:03}", part.as_millis()));
    }

    /// `22/Nov/2026:06:36:53 +0000`, local: HAProxy's `%Tl`.
    pub fn local_date(&mut self, time: SystemTime, out: &mut Vec<u8>) {
        let (second, _) = self.local(time);
        second.apache(out);
        let (sign, hours, minutes) = second.zone();
        put(out, format_args!(" {sign}{hours:02}{minutes:02}"));
    }

    /// `22/Nov/2026:06:36:53 +0000`, in UTC: HAProxy's `%T`.
    pub fn utc_date(&mut self, time: SystemTime, out: &mut Vec<u8>) {
        let (since_epoch, _) = parts(time);
        let second = remembered(&mut self.utc, since_epoch, sys::utc);
        second.apache(out);
        out.extend_from_slice(b" +0000");
    }

    /// `Nov 22 06:36:53`, local: that of RFC 3164.
    pub(crate) fn rfc3164(&mut self, time: SystemTime, out: &mut Vec<u8>) {
        let (now, _) = self.local(time);
        let (month, day) = (MONTHS[now.month], now.day);
        put(
            out,
            format_args!(
                "{month} {day:2} {:02}:{:02}:{:02}",
                now.hour, now.minute, now.seconds
            ),
        );
    }

    /// `2026-11-22T06:36:53.121000+00:00`, local: that of RFC 5424.
    pub(crate) fn rfc5424(&mut self, time: SystemTime, out: &mut Vec<u8>) {
        let (now, part) = self.local(time);
        let (sign, hours, minutes) = now.zone();
        put(
            out,
            format_args!("{:04}-{:02}-{:02}T", now.year, now.month + 1, now.day),
        );
        put(
            out,
            format_args!(
                "{:02}:{:02}:{:02}.{:06}",
                now.hour,
                now.minute,
                now.seconds,
                part.as_micros()
            ),
        );
        put(out, format_args!("{sign}{hours:02}:{minutes:02}"));
    }

    fn local(&mut self, time: SystemTime) -> (Second, Duration) {
        let (since_epoch, part) = parts(time);
        (remembered(&mut self.local, since_epoch, sys::local_time), part)
    }
}

impl Second {
    fn apache(self, out: &mut Vec<u8>) {
        put(
            out,
            format_args!("{:02}/{}/{:04}:", self.day, MONTHS[self.month], self.year),
        );
        put(
            out,
            format_args!("{:02}:{:02}:{:02}", self.hour, self.minute, self.seconds),
        );
    }

    fn zone(self) -> (char, i64, i64) {
        let sign = if self.offset < 0 { '-' } else { '+' };
        (sign, self.offset.abs() / 60, self.offset.abs() % 60)
    }
}

/// Whole seconds since 1970, and the rest. A clock that stands before that shows its beginning.
fn parts(time: SystemTime) -> (i64, Duration) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let part = Duration::from_nanos(u64::from(since.subsec_nanos()));
    (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), part)
}

fn remembered(last: &mut Option<Second>, since_epoch: i64, call: fn(i64) -> Option<libc::tm>) -> Second {
    match *last {
        Some(second) if second.since_epoch == since_epoch => second,
        _ => *last.insert(broken_down(since_epoch, call)),
    }
}

fn broken_down(since_epoch: i64, call: fn(i64) -> Option<libc::tm>) -> Second {
    let tm = call(since_epoch);
    let number = |field: fn(&libc::tm) -> libc::c_int| tm.as_ref().map_or(0, field);
    Second {
        since_epoch,
        year: number(|tm| tm.tm_year).saturating_add(1900),
        month: usize::try_from(number(|tm| tm.tm_mon)).unwrap_or_default() % MONTHS.len(),
        day: number(|tm| tm.tm_mday),
        hour: number(|tm| tm.tm_hour),
        minute: number(|tm| tm.tm_min),
        seconds: number(|tm| tm.tm_sec),
        offset: tm.as_ref().map_or(0, |tm| tm.tm_gmtoff / 60),
    }
}

pub(crate) fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // A vector takes everything.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(print: impl FnOnce(&mut Clock, &mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        print(&mut Clock::default(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_date_in_utc_is_that_of_the_calendar() {
        let time = UNIX_EPOCH + Duration::from_millis(1_795_329_422_963);
        assert_eq!(
            shown(|clock, out| clock.utc_date(time, out)),
            "22/Nov/2026:06:37:02 +0000"
        );
    }

    #[test]
    fn fractions_have_all_their_digits() {
        let time = UNIX_EPOCH + Duration::from_micros(1_795_329_422_003_004);
        assert!(shown(|clock, out| clock.accept_date(time, out)).ends_with(".003"));
        assert!(shown(|clock, out| clock.rfc5424(time, out)).contains(".003004"));
    }

    #[test]
    fn zones_west_of_greenwich_have_a_minus() {
        let second = Second {
            offset: -210,
            ..broken_down(0, sys::utc)
        };
        assert_eq!(second.zone(), ('-', 3, 30));
    }
}
