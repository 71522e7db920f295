//! Every word that HAProxy knows and nsproxy does not, so that it can be refused by name.
//!
//! The lists are those of HAProxy 2.6's `-dKall` and manual, with the newer words a TCP user meets. The words
//! that nsproxy understands are not here: `lower` has a table of them beside the code that reads them.

mod global;
mod options;
mod proxy;
mod rules;
mod sections;

pub(crate) use global::GLOBAL;
pub(crate) use options::{BALANCE, BIND_OPTIONS, SERVER_OPTIONS, SOURCE_OPTIONS, TIMEOUTS};
pub(crate) use proxy::{DIRECTIVES, MODES, OPTIONS, PROXY};
pub(crate) use rules::{ACTIONS, CONVERTERS, FETCHES, PREDEFINED_ACLS, fetch};
pub(crate) use sections::UNSUPPORTED_SECTIONS;

/// Why nsproxy refuses a word, which decides what the message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It belongs to relaying TCP and is planned.
    NotYet,
    /// It does something with HTTP.
    Http,
    /// It says how HTTP is to be treated where there is any.
    HttpSetting,
    /// It is about TLS, which nsproxy relays and does not end.
    Tls,
    /// It has no meaning in nsproxy, for the reason given.
    Never(&'static str),
}

impl Why {
    /// The message about `what`, which is refused. Words in it are in backquotes.
    pub(crate) fn message(self, what: &str) -> String {
        match self {
            Self::NotYet => format!("nsproxy does not support {what} yet"),
            Self::Http | Self::HttpSetting | Self::Tls | Self::Never(_) => {
                format!("nsproxy does not support {what}")
            }
        }
    }

    /// True when the word has nothing to say in this section of a configuration without HTTP and TLS. What
    /// stands in a proxy itself and acts on HTTP was meant to act, so it does not count.
    pub(crate) fn leaves_out(self, section: &str) -> bool {
        let is_proxy = matches!(section, "frontend" | "backend" | "listen");
        match self {
            Self::HttpSetting => true,
            Self::Http | Self::Tls => !is_proxy,
            Self::NotYet | Self::Never(_) => false,
        }
    }

    /// What to do instead.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::NotYet => "HAProxy knows it; remove it to go on without",
            Self::Http | Self::HttpSetting => {
                "nsproxy relays TCP and does not look into HTTP; remove it, or do this in the HTTP server behind"
            }
            Self::Tls => {
                "nsproxy relays TLS as it is and does not end it; remove it, and let the server behind do TLS"
            }
            Self::Never(help) => help,
        }
    }
}

/// Words that are refused for one reason, sorted. Of an option, with the number of words that follow it.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) why: Why,
    pub(crate) words: &'static [(&'static str, u8)],
}

/// A word that HAProxy knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) why: Why,
    /// How many words follow it on the line, where that is fixed.
    pub(crate) arguments: u8,
}

/// All groups of one context.
#[derive(Debug)]
pub(crate) struct Table(pub(crate) &'static [Group]);

impl Table {
    pub(crate) fn find(&self, word: &str) -> Option<Known> {
        self.0.iter().find_map(|group| {
            let index = group
                .words
                .binary_search_by_key(&word, |&(known, _)| known)
                .ok()?;
            let (_, arguments) = group.words[index];
            Some(Known {
                why: group.why,
                arguments,
            })
        })
    }

    pub(crate) fn words(&self) -> impl Iterator<Item = &'static str> {
        self.0
            .iter()
            .flat_map(|group| group.words.iter().map(|&(word, _)| word))
    }
}

/// True for a word that HAProxy knows as the first of a statement in some section.
pub(crate) fn is_statement(word: &str) -> bool {
    [&GLOBAL, &PROXY, &DIRECTIVES]
        .into_iter()
        .any(|table| table.find(word).is_some())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn tables_are_sorted_and_list_no_word_twice() {
        for table in [
            &GLOBAL,
            &PROXY,
            &DIRECTIVES,
            &OPTIONS,
            &UNSUPPORTED_SECTIONS,
            &BIND_OPTIONS,
            &SERVER_OPTIONS,
            &SOURCE_OPTIONS,
            &TIMEOUTS,
            &BALANCE,
            &MODES,
            &ACTIONS,
            &CONVERTERS,
            &FETCHES,
            &PREDEFINED_ACLS,
        ] {
            assert!(table.0.iter().all(|group| group.words.is_sorted()));
            let mut seen = HashSet::new();
            for word in table.words() {
                assert!(seen.insert(word), "{word}");
            }
        }
    }
}
