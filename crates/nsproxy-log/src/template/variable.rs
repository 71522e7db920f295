//! The variables of `log-format`, by name.

/// What a variable stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variable {
    ClientIp,
    ClientPort,
    ServerIp,
    ServerPort,
    FrontendIp,
    FrontendPort,
    BackendIp,
    BackendPort,
    Backend,
    Server,
    Frontend,
    AcceptDate,
    UtcDate,
    LocalDate,
    Timestamp,
    Milliseconds,
    Queued,
    Connect,
    Total,
    Handshake,
    Data,
    BytesDown,
    BytesUp,
    Termination,
    ProcessSessions,
    FrontendSessions,
    BackendSessions,
    ServerSessions,
    Retries,
    ServerQueue,
    BackendQueue,
    Host,
    Process,
    Lines,
    UniqueId,
    Number,
}

use Variable as V;

/// By HAProxy's names, in their order.
const VARIABLES: [(&str, Variable); 37] = [
    ("B", V::BytesDown),
    ("H", V::Host),
    ("ID", V::UniqueId),
    ("T", V::UtcDate),
    ("Tc", V::Connect),
    ("Td", V::Data),
    ("Th", V::Handshake),
    ("Tl", V::LocalDate),
    ("Ts", V::Timestamp),
    ("Tt", V::Total),
    ("Tw", V::Queued),
    ("U", V::BytesUp),
    ("ac", V::ProcessSessions),
    ("b", V::Backend),
    ("bc", V::BackendSessions),
    ("bi", V::BackendIp),
    ("bp", V::BackendPort),
    ("bq", V::BackendQueue),
    ("ci", V::ClientIp),
    ("cp", V::ClientPort),
    ("f", V::Frontend),
    ("fc", V::FrontendSessions),
    ("fi", V::FrontendIp),
    ("fp", V::FrontendPort),
    // With TLS, a `~` follows here. There is none.
    ("ft", V::Frontend),
    ("lc", V::Lines),
    ("ms", V::Milliseconds),
    ("pid", V::Process),
    ("rc", V::Retries),
    ("rt", V::Number),
    ("s", V::Server),
    ("sc", V::ServerSessions),
    ("si", V::ServerIp),
    ("sp", V::ServerPort),
    ("sq", V::ServerQueue),
    ("t", V::AcceptDate),
    ("ts", V::Termination),
];

/// Variables of HAProxy that have no meaning where nothing looks into HTTP or ends TLS.
const FOREIGN: [&str; 20] = [
    "CC", "CS", "HM", "HP", "HPO", "HQ", "HU", "HV", "ST", "Ta", "Ti", "Tq", "TR", "Tr", "hr", "hrl", "hs",
    "hsl", "sslc", "sslv",
];

/// What is known of a name.
pub(super) enum Known {
    Variable(Variable),
    /// HAProxy knows it, and it is about HTTP or TLS.
    Foreign,
    No,
}

pub(super) fn variable(name: &str) -> Known {
    match VARIABLES.iter().find(|(known, _)| *known == name) {
        Some(&(_, variable)) => Known::Variable(variable),
        None if FOREIGN.contains(&name) => Known::Foreign,
        None => Known::No,
    }
}

pub(super) fn variables() -> impl Iterator<Item = &'static str> {
    VARIABLES.iter().map(|&(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_variable_is_both_known_and_foreign_or_known_twice() {
        assert!(VARIABLES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(variables().all(|name| !FOREIGN.contains(&name)));
    }
}
