//! Facilities and levels of syslog (RFC 5424, section 6.2.1), by the names that HAProxy gives them.

/// Who a message is from, as far as syslog tells programs apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Facility(u8);

/// By number.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2", "ftp", "ntp",
    "audit", "alert", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

impl Facility {
    /// `local0`, the usual one of proxies.
    pub const LOCAL0: Self = Self(16);

    /// Every name that [`Facility::from_name`] knows.
    pub const NAMES: &'static [&'static str] = &FACILITIES;

    /// The facility of this name, as HAProxy's `log` lines spell it.
    pub fn from_name(name: &str) -> Option<Self> {
        (0..)
            .zip(FACILITIES)
            .find_map(|(number, known)| (known == name).then_some(Self(number)))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        FACILITIES[usize::from(self.0)]
    }

    /// The number that begins a syslog message of this facility and `level`.
    pub(crate) fn priority(self, level: Level) -> u8 {
        self.0 * 8 + level as u8
    }
}

/// How severe a message is: the smaller, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The system cannot be used.
    Emerg,
    /// Something must be done at once.
    Alert,
    /// Critical.
    Crit,
    /// An error.
    Err,
    /// A warning.
    Warning,
    /// Normal, but worth knowing.
    Notice,
    /// Normal. Sessions are logged at this level.
    Info,
    /// For finding errors.
    Debug,
}

const LEVELS: [(&str, Level); 8] = [
    ("emerg", Level::Emerg),
    ("alert", Level::Alert),
    ("crit", Level::Crit),
    ("err", Level::Err),
    ("warning", Level::Warning),
    ("notice", Level::Notice),
    ("info", Level::Info),
    ("debug", Level::Debug),
];

impl Level {
    /// Every name that [`Level::from_name`] knows, the most severe first.
    pub const NAMES: &'static [&'static str] = &[
        "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
    ];

    /// The level of this name, as HAProxy's `log` lines spell it.
    pub fn from_name(name: &str) -> Option<Self> {
        LEVELS
            .iter()
            .find_map(|&(known, level)| (known == name).then_some(level))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        LEVELS[self as usize].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_what_they_name() {
        for (index, name) in Level::NAMES.iter().enumerate() {
            let level = Level::from_name(name).unwrap();
            assert_eq!((level.name(), level as usize), (*name, index));
        }
        for name in Facility::NAMES {
            assert_eq!(Facility::from_name(name).unwrap().name(), *name);
        }
    }

    #[test]
    fn the_priority_is_that_of_rfc_5424() {
        assert_eq!(Facility::LOCAL0.priority(Level::Info), 134);
        assert_eq!(Facility::from_name("local3").unwrap().priority(Level::Info), 158);
    }
}
